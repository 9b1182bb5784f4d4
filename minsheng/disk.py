"""A full disk: which one it is, and how much a build takes, for whoever has to make room."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from minsheng import inbox
from minsheng.release import current
from minsheng.settings import Settings

FULL = re.compile(
    "no space left|disk is full|disk quota exceeded|failed to offload data block", re.IGNORECASE
)
"""What a full disk is called by those who write to it; some call it by no name of its own.

DuckDB stops a step whose data neither memory nor nine tenths of the free disk can hold.
"""
LEAST_FREE_BYTES = 1 << 20


def full_disk(settings: Settings, message: str, written: Sequence[Path]) -> str:
    """What to say of a refresh that failed with `message` while one of the disks was full.

    `written` are the folders that a refresh writes to beside the home. Empty if none of the disks
    is full. Look before anything is removed.
    """
    folders = [each for each in (settings.home, *written) if each.is_dir()]
    free = {each: shutil.disk_usage(each).free for each in folders}
    folder = min(free, key=lambda each: free[each])
    if free[folder] >= LEAST_FREE_BYTES and not FULL.search(message):
        return ""
    return (
        f"the disk of {folder} is full: {_told(free[folder])} free, {_wanted(settings)}; "
        "what is published stays, and what was not taken is still in the inbox; "
        f"make room on it and refresh again ({message})"
    )


def _wanted(settings: Settings) -> str:
    """How much room the last build took and how much waits, which a build takes on top."""
    waiting = sum(path.stat().st_size for path in inbox.waiting_files(settings.inbox))
    version = current(settings)
    if version is None:
        return f"{_told(waiting)} wait in the inbox"
    build = settings.builds / version.build_id
    parts = (*build.rglob("*"), *(version.folder / "parquet").rglob("*"))
    took = sum(path.stat().st_size for path in parts if path.is_file())
    return f"the last build took {_told(took)} and {_told(waiting)} wait in the inbox"


def _told(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"

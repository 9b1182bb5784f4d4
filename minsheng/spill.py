"""Where a process keeps what has no room in its memory, and what dead processes have left there."""

import os
import shutil
from pathlib import Path
from uuid import uuid4

from minsheng.settings import RESTRICTED_FOLDER_MODE, Settings

_THIS_RUN = uuid4().hex[:8]
"""A process after a restart, or in another container, may have the number of a dead one."""


def spill_folder(settings: Settings) -> Path:
    """The folder of this process, made if it is not there yet."""
    folder = _all_of(settings) / f"{os.getpid()}-{_THIS_RUN}"
    folder.mkdir(parents=True, exist_ok=True, mode=RESTRICTED_FOLDER_MODE)
    return folder


def remove_left_spill(settings: Settings) -> None:
    """Remove what processes of this machine have spilled that are gone."""
    for folder in _all_of(settings).glob("[0-9]*-*"):
        number, run = folder.name.split("-")
        process = int(number)
        lives = run == _THIS_RUN if process == os.getpid() else is_alive(process)
        if not lives:
            shutil.rmtree(folder)


def is_alive(process: int) -> bool:
    """Whether a process of this number runs on this machine."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _all_of(settings: Settings) -> Path:
    return settings.home / "tmp"

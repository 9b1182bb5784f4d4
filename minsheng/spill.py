"""Where a process keeps what has no room in its memory, and what dead processes have left there."""

import os
import re
import shutil
import socket
from pathlib import Path
from uuid import uuid4

from minsheng.settings import RESTRICTED_FOLDER_MODE, Settings

_THIS_RUN = uuid4().hex[:8]
"""A process after a restart may have the number of a dead one."""
_NAME = re.compile(r"(?P<host>.+)_(?P<process>[0-9]+)_(?P<run>[0-9a-f]{8})")


def spill_folder(settings: Settings) -> Path:
    """The folder of this process, made if it is not there yet."""
    folder = _all_of(settings) / f"{socket.gethostname()}_{os.getpid()}_{_THIS_RUN}"
    for each in (folder.parent, folder):
        each.mkdir(parents=True, exist_ok=True, mode=RESTRICTED_FOLDER_MODE)
    return folder


def remove_left_spill(settings: Settings) -> None:
    """Remove what processes of this machine have spilled that are gone."""
    for folder in _all_of(settings).glob("*"):
        name = _NAME.fullmatch(folder.name)
        if name is None or name["host"] != socket.gethostname():
            continue
        process = int(name["process"])
        lives = name["run"] == _THIS_RUN if process == os.getpid() else is_alive(process)
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

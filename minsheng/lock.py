"""One writer a home: the lock that a refresh holds, whoever starts it, and a look at who has it."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

LOCK_FILE = "refresh.lock"
LOOK_SECONDS = 0.1
"""Longer than `is_refreshing` has the lock, which is free while it looks."""


class AnotherRefreshRuns(RuntimeError):
    """Two refreshes may not write at once."""


@contextmanager
def refresh_lock(home: Path) -> Iterator[None]:
    """Hold the home's lock; raises AnotherRefreshRuns at once if somebody else has it."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / LOCK_FILE).open("w") as lock:
        if not _holds(lock, fcntl.LOCK_EX):
            time.sleep(LOOK_SECONDS)
            if not _holds(lock, fcntl.LOCK_EX):
                raise AnotherRefreshRuns(f"another refresh is writing {home}; wait for it to end")
        yield


def is_refreshing(home: Path) -> bool:
    """Whether somebody holds the home's lock; that of a process that was killed is free."""
    try:
        with (home / LOCK_FILE).open() as lock:
            return not _holds(lock, fcntl.LOCK_SH)
    except FileNotFoundError:
        return False


def _holds(lock: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

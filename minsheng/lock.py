"""One writer a home: the lock that a refresh holds, whoever starts it."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK_FILE = "refresh.lock"


class AnotherRefreshRuns(RuntimeError):
    """Two refreshes may not write at once."""


@contextmanager
def refresh_lock(home: Path) -> Iterator[None]:
    """Hold the home's lock; raises AnotherRefreshRuns at once if somebody else has it."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / LOCK_FILE).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AnotherRefreshRuns(
                f"another refresh is writing {home}; wait for it to end"
            ) from None
        yield

"""Secrets of a home: each in an environment variable, or in an owner-only file made once."""

import os
import re
import secrets
from contextlib import suppress
from pathlib import Path

from minsheng.settings import RESTRICTED_FILE_MODE, RESTRICTED_FOLDER_MODE, SettingsError

SECRET_BYTES = 32
DIGITS = re.compile(rf"[0-9A-Fa-f]{{{2 * SECRET_BYTES}}}")
OTHERS = 0o077


def secret_of(variable: str, path: Path) -> bytes | None:
    """The secret in the environment, else in the file; None if neither is there.

    Raises SettingsError if it is no 64 hexadecimal digits, or others than the owner may read it.
    """
    told = os.environ.get(variable)
    if told is not None:
        return _bytes(told, f"the environment variable {variable}")
    if not path.is_file():
        return None
    mode = path.stat().st_mode & 0o777
    if mode & OTHERS:
        raise SettingsError(
            f"{path} may be read by others than its owner (mode {mode:o}); run `chmod 600 {path}`, "
            "and take a new secret if somebody may have read it"
        )
    return _bytes(path.read_text(encoding="ascii", errors="replace"), str(path))


def keep_secret(path: Path, digits: str = "") -> None:
    """Write a secret, a new one unless `digits` say which; one that is there stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(RESTRICTED_FOLDER_MODE)
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    temporary.touch(mode=RESTRICTED_FILE_MODE)
    temporary.write_text(digits or secrets.token_hex(SECRET_BYTES), encoding="ascii")
    # a link is made or is not: of two processes that begin at once one has the last word
    with suppress(FileExistsError):
        os.link(temporary, path)
    temporary.unlink()


def _bytes(text: str, where: str) -> bytes:
    digits = text.strip()
    if not DIGITS.fullmatch(digits):
        raise SettingsError(f"{where} must hold {2 * SECRET_BYTES} hexadecimal digits")
    return bytes.fromhex(digits)

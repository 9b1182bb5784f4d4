"""Keys that name nobody: HMAC-SHA256 under a secret that stays in the vault.

A plain hash of an identity number can be reversed by trying all numbers; a keyed one cannot.
"""

import hashlib
import secrets
from pathlib import Path

from minsheng.settings import RESTRICTED_FILE_MODE, RESTRICTED_FOLDER_MODE, SettingsError

SECRET_FILE = "pseudonym.key"
SECRET_BYTES = 32
BLOCK_BYTES = 64
MINT_LENGTH = 24
"""Hexadecimal digits of a mint: 96 bits, so that among 10^9 keys a collision is a 10^-11 chance."""


DEMO_SECRET = hashlib.sha256(b"the invented area has nothing to hide").hexdigest()


def keep_demo_secret(vault: Path) -> None:
    """Give a home without a secret the demo's, so that every demo has the same keys.

    Its persons are invented; a real home makes its own with its first refresh.
    """
    if not (vault / SECRET_FILE).is_file():
        _keep(vault, DEMO_SECRET)


def require_secret(vault: Path) -> None:
    """Raise SettingsError if the secret is gone: a new one would change every published key."""
    if not (vault / SECRET_FILE).is_file():
        raise SettingsError(
            f"{vault / SECRET_FILE} is gone and versions are published under it; "
            "put it back from its backup"
        )


def load_secret(vault: Path) -> bytes:
    """The deployment's secret, made once; losing it changes every key."""
    path = vault / SECRET_FILE
    if not path.is_file():
        _keep(vault, secrets.token_hex(SECRET_BYTES))
    return bytes.fromhex(path.read_text(encoding="ascii").strip())


def secret_fingerprint(secret: bytes) -> str:
    """Tells two secrets apart without giving one away."""
    return hashlib.sha256(b"minsheng fingerprint" + secret).hexdigest()[:16]


def mint(secret: bytes, text: str) -> str:
    """The SQL expression of the mint of `text`: HMAC-SHA256, as RFC 2104 has it, cut short."""
    padded = secret.ljust(BLOCK_BYTES, b"\0")
    inner = _blob(bytes(byte ^ 0x36 for byte in padded))
    outer = _blob(bytes(byte ^ 0x5C for byte in padded))
    digest = f"sha256({outer} || unhex(sha256({inner} || encode({text}))))"
    return f"substr({digest}, 1, {MINT_LENGTH})"


def _keep(vault: Path, secret: str) -> None:
    vault.mkdir(parents=True, exist_ok=True)
    vault.chmod(RESTRICTED_FOLDER_MODE)
    temporary = vault / f"{SECRET_FILE}.tmp"
    temporary.touch(mode=RESTRICTED_FILE_MODE)
    temporary.write_text(secret, encoding="ascii")
    temporary.replace(vault / SECRET_FILE)


def _blob(value: bytes) -> str:
    return "'" + "".join(f"\\x{byte:02X}" for byte in value) + "'::blob"

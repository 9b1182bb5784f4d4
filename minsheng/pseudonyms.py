"""Keys that name nobody: an HMAC under a secret that stays in the vault.

A plain hash of an identity number can be reversed by trying all numbers; a keyed one cannot. The
settings say which hash (SHA-256, or SM3 as GB/T 32905 has it) and which version of the secret.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

import duckdb
import pyarrow as pa
from duckdb.func import PythonUDFType

from minsheng.secret_files import keep_secret, secret_of
from minsheng.settings import Settings, SettingsError

SECRET_VARIABLE = "MINSHENG_PSEUDONYM_KEY"
FIRST_VERSION = 1
BLOCK_BYTES = 64
"""Of SHA-256 and of SM3 alike."""
MINT_LENGTH = 24
"""Hexadecimal digits of a mint: 96 bits, so that among 10^9 keys a collision is a 10^-11 chance."""
NOTED_AS = "pseudonym_key"
"""What the current version's note calls the key that it was published under."""

DEMO_SECRET = hashlib.sha256(b"the invented area has nothing to hide").hexdigest()


@dataclass(frozen=True)
class PseudonymKey:
    """The secret that keys are minted under, its version, and the hash."""

    secret: bytes = field(repr=False)
    version: int = FIRST_VERSION
    algorithm: Literal["sha256", "sm3"] = "sha256"

    @cached_property
    def name(self) -> str:
        """Algorithm, version and a fingerprint: tells two keys apart without giving one away."""
        marked = f"minsheng fingerprint {self.algorithm}".encode() + self.secret
        return f"{self.algorithm}-{self.version}-{hashlib.sha256(marked).hexdigest()[:16]}"

    def padded(self, byte: int) -> bytes:
        """The secret as RFC 2104 mixes it into the inner (0x36) or the outer (0x5C) hash."""
        return bytes(each ^ byte for each in self.secret.ljust(BLOCK_BYTES, b"\0"))


def keep_demo_secret(vault: Path) -> None:
    """Give a home without a secret the demo's, so that every demo has the same keys.

    Its persons are invented; a real home makes its own with its first refresh.
    """
    keep_secret(secret_file(vault, FIRST_VERSION), DEMO_SECRET)


def secret_file(vault: Path, version: int) -> Path:
    """Where a version of the secret lies; later versions are named by their number."""
    return vault / ("pseudonym.key" if version == FIRST_VERSION else f"pseudonym-{version}.key")


def load_key(
    settings: Settings, may_rotate: bool = False, decisions: Sequence[str] = ()
) -> PseudonymKey:
    """The deployment's key, its secret made once; losing it changes every key.

    Raises SettingsError if it is gone, or is not the one that the current version was published
    under: every person and household would be called otherwise. `may_rotate` asks for that; it is
    refused where `decisions` (deliveries that name persons by their keys) would mean nobody.
    """
    algorithm, version = settings.pseudonym_algorithm, settings.pseudonym_key_version
    if algorithm not in hashlib.algorithms_available:
        raise SettingsError(
            f"the settings ask for keys by {algorithm}, which this Python's OpenSSL does not have; "
            f"there are {sorted(hashlib.algorithms_available)}"
        )
    is_published, published = _published_under(settings)
    wanted = f"{algorithm}-{version}-"
    if is_published and not may_rotate and not published.startswith(wanted):
        raise SettingsError(
            f"the settings ask for keys by {algorithm} under version {version} of the secret, the "
            f"current version was published under {published}; with other keys every person_id and "
            "household_id changes; if that is meant run `minsheng refresh --rotate-keys`"
        )
    if is_published and not published.startswith(wanted):
        _refuse_to_lose(decisions, published)
    path = secret_file(settings.vault, version)
    secret = secret_of(SECRET_VARIABLE, path)
    if secret is None:
        if is_published and published.startswith(wanted):
            raise SettingsError(
                f"{path} is gone and versions are published under it; put it back from its backup"
            )
        keep_secret(path)
        secret = secret_of(SECRET_VARIABLE, path)
    assert secret is not None
    key = PseudonymKey(secret, version, algorithm)
    if is_published and published not in (key.name, wanted):
        if not may_rotate:
            raise SettingsError(
                f"the secret in {path} (or {SECRET_VARIABLE}) is not the one that the current "
                "version was published under; put that one back from its backup, or give "
                "pseudonyms a higher key_version and run `minsheng refresh --rotate-keys`"
            )
        _refuse_to_lose(decisions, published)
    return key


def _refuse_to_lose(decisions: Sequence[str], published: str) -> None:
    if decisions:
        raise SettingsError(
            f"the decisions of {', '.join(decisions)} name persons by keys of {published}, and "
            "other keys would let them lapse; keep the workbooks, withdraw each delivery with "
            "`minsheng withdraw`, run `minsheng refresh --rotate-keys`, and decide anew in the "
            "workbook that it writes"
        )


def prepare(connection: duckdb.DuckDBPyConnection, key: PseudonymKey) -> None:
    """Let a connection mint keys; the secret is bound and stands in no statement."""
    inner, outer = key.padded(0x36), key.padded(0x5C)
    if key.algorithm == "sha256":
        connection.execute(f"set variable {_variable(key, 'inner')} = ?", [inner])
        connection.execute(f"set variable {_variable(key, 'outer')} = ?", [outer])
        return
    begun = hashlib.new(key.algorithm, inner), hashlib.new(key.algorithm, outer)

    def mints(texts: pa.ChunkedArray) -> pa.Array:
        found: list[str | None] = []
        for text in texts.to_pylist():
            if text is None:
                found.append(None)
                continue
            within, around = (each.copy() for each in begun)
            within.update(text.encode())
            around.update(within.digest())
            found.append(around.hexdigest()[:MINT_LENGTH])
        return pa.array(found, pa.string())

    name = _variable(key, "mint")
    known = connection.execute(
        "select 1 from duckdb_functions() where function_name = ? limit 1", [name]
    ).fetchall()
    if known:
        connection.remove_function(name)
    connection.create_function(name, mints, ["varchar"], "varchar", type=PythonUDFType.ARROW)


def mint(key: PseudonymKey, text: str) -> str:
    """The SQL expression of the mint of `text`, an HMAC cut short, on a prepared connection."""
    if key.algorithm != "sha256":
        return f"{_variable(key, 'mint')}({text})"
    inner, outer = (f"getvariable('{_variable(key, part)}')" for part in ("inner", "outer"))
    digest = f"sha256({outer} || unhex(sha256({inner} || encode({text}))))"
    return f"substr({digest}, 1, {MINT_LENGTH})"


def _variable(key: PseudonymKey, part: str) -> str:
    return f"pseudonym_{key.version}_{part}"


def _published_under(settings: Settings) -> tuple[bool, str]:
    """Whether a version is current, and the name of its key.

    Earlier releases noted none: they knew SHA-256 and one secret.
    """
    if not settings.current_note.is_file():
        return False, ""
    note = json.loads(settings.current_note.read_text(encoding="utf-8"))
    return True, str(note.get(NOTED_AS) or f"sha256-{FIRST_VERSION}-")

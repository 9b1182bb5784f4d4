"""What is encrypted at rest: the lake's Parquet, the restricted file and the vault's, what spills.

The home's key stands in MINSHENG_VAULT_KEY or in the owner-only file `vault/encryption.key`, made
once. Each kind of file has a key of its own that is derived from it. Keys are bound as parameters
and stand in no statement; a view of the lake holds the name of its key alone.
"""

import hmac
import os
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import duckdb

from minsheng import extensions
from minsheng.quoting import literal
from minsheng.secret_files import keep_secret, secret_of
from minsheng.settings import Settings, SettingsError
from minsheng.spill import spill_folder

if TYPE_CHECKING:
    import polars as pl

KEY_VARIABLE = "MINSHENG_VAULT_KEY"
KEY_FILE = "encryption.key"
CHECK_FILE = "encryption.check"
"""Tells the home's key from others without giving it away."""
LAKE_KEY = "lake"
"""What a connection calls the key of the lake's Parquet."""
SEALED = f"format parquet, encryption_config {{footer_key: '{LAKE_KEY}'}}"
"""The options of a COPY to encrypted Parquet."""
SEALED_MARK, PLAIN_MARK = b"PARE", b"PAR1"
"""How a Parquet file begins whose footer is encrypted, and one that is plain."""
SCRATCH_MEMORY = "500MB"

Purpose = Literal["lake", "restricted", "vault", "check"]


@dataclass(frozen=True)
class Keys:
    """The home's key and those that are derived from it, 32 bytes each."""

    root: bytes = field(repr=False)

    def of(self, purpose: Purpose) -> bytes:
        return hmac.digest(self.root, f"minsheng {purpose}".encode(), "sha256")


def load_keys(settings: Settings) -> Keys:
    """The home's key, made if nothing is encrypted yet.

    Raises SettingsError and changes nothing if it is gone, is not the one that the home is
    encrypted with, or may be read by others.
    """
    path = settings.vault / KEY_FILE
    root = secret_of(KEY_VARIABLE, path)
    if root is None:
        if (settings.vault / CHECK_FILE).is_file() or _sealed_file(settings.lake):
            raise SettingsError(
                f"{settings.home} is encrypted and its key is gone: {path} is not there and "
                f"{KEY_VARIABLE} is not set; put the key back from its backup"
            )
        keep_secret(path)
        root = secret_of(KEY_VARIABLE, path)
    assert root is not None
    keys = Keys(root)
    if not _is_key_of(settings, keys):
        where = (
            f"the environment variable {KEY_VARIABLE}" if KEY_VARIABLE in os.environ else str(path)
        )
        raise SettingsError(
            f"the key in {where} is not the one that {settings.home} is encrypted with; "
            "put that one back from its backup"
        )
    return keys


def unlock(connection: duckdb.DuckDBPyConnection, keys: Keys) -> None:
    """Let a connection read and write the lake's Parquet, and encrypt what it spills."""
    connection.execute(extensions.load("httpfs"))
    connection.execute("set temp_file_encryption = true")
    # a pragma takes no parameter, but a variable
    connection.execute("set variable lake_key = ?", [b64encode(keys.of("lake")).decode()])
    connection.execute(f"pragma add_parquet_key('{LAKE_KEY}', getvariable('lake_key'))")
    connection.execute("reset variable lake_key")


def sealed_parquet(
    paths: Path | Sequence[Path], *options: str, file_column: str | None = None
) -> str:
    """Encrypted Parquet files as a FROM item; options are those of read_parquet, if any are on.

    `file_column` is what a column with the file of each row is called, if it is asked for.
    """
    listed = [paths] if isinstance(paths, Path) else paths
    files = ", ".join(literal(str(path)) for path in listed)
    told = "".join(f", {option} = true" for option in options)
    told += f", filename = {literal(file_column)}" if file_column else ""
    return f"read_parquet([{files}], encryption_config = {{footer_key: '{LAKE_KEY}'}}{told})"


def write_sealed(
    connection: duckdb.DuckDBPyConnection, frame: "pl.DataFrame", destination: Path
) -> None:
    """Write rows to encrypted Parquet."""
    connection.register("rows_to_seal", frame)
    try:
        connection.execute(f"copy rows_to_seal to {literal(str(destination))} ({SEALED})")
    finally:
        connection.unregister("rows_to_seal")


def new_database(settings: Settings) -> duckdb.DuckDBPyConnection:
    """A database in memory of its own; what does not fit there is spilled encrypted."""
    return _new_database(spill_folder(settings), load_keys(settings))


def scratch_database(settings: Settings) -> duckdb.DuckDBPyConnection:
    """A cursor of a database in memory that is kept: to open one anew takes a tenth of a second."""
    return _kept_database(spill_folder(settings), load_keys(settings)).cursor()


def _new_database(spill: Path, keys: Keys) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(
        config={"temp_directory": str(spill), "memory_limit": SCRATCH_MEMORY}
    )
    unlock(connection, keys)
    return connection


@lru_cache(maxsize=1)
def _kept_database(spill: Path, keys: Keys) -> duckdb.DuckDBPyConnection:
    connection = _new_database(spill, keys)
    # it lives as long as the process, and would keep the bytes of files that it has read
    connection.execute("set enable_external_file_cache = false")
    # statements on a file have many short lists of values, and a join with each costs 2 ms
    connection.execute("set disabled_optimizers = 'in_clause'")
    return connection


def is_plain_parquet(path: Path) -> bool:
    return _begins_with(path, PLAIN_MARK)


def _is_key_of(settings: Settings, keys: Keys) -> bool:
    """Whether the home is encrypted with the key, or with none yet; noted for the next time."""
    check = settings.vault / CHECK_FILE
    expected = keys.of("check")
    if not check.is_file():
        sealed = _sealed_file(settings.lake)
        if sealed and not _can_read(sealed, keys):
            return False
        keep_secret(check, expected.hex())
    return check.read_text(encoding="ascii", errors="replace").strip() == expected.hex()


def _sealed_file(lake: Path) -> Path | None:
    """A delivery's rows that are encrypted, if there are any."""
    rows = lake.glob("*/*/*/rows.parquet")
    return next((path for path in rows if _begins_with(path, SEALED_MARK)), None)


def _can_read(path: Path, keys: Keys) -> bool:
    with duckdb.connect() as connection:
        unlock(connection, keys)
        try:
            connection.execute(f"select 1 from {sealed_parquet(path)} limit 1").fetchall()
        except duckdb.InvalidInputException:
            return False
    return True


def _begins_with(path: Path, mark: bytes) -> bool:
    with path.open("rb") as stream:
        return stream.read(len(mark)) == mark

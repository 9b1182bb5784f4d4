"""A home of a release that encrypted nothing is encrypted, before anything in it is read.

The bytes as received stay as they are: `minsheng.originals` says for how long.
"""

from pathlib import Path

import duckdb

from minsheng import originals
from minsheng.encryption import SEALED, is_plain_parquet, scratch_database
from minsheng.quoting import literal
from minsheng.settings import Settings
from minsheng.warehouse import RESTRICTED_FILE


def seal_home(settings: Settings) -> int:
    """Encrypt what lies in the lake in the clear; return the number of files.

    A file is replaced in one rename, so that a death in between leaves every one whole. What a
    killed process had not finished is no part of a delivery and is removed. So is the restricted
    file of an earlier build, which holds names in the clear and serves but a run of selected
    assets.
    """
    plain = []
    for path in settings.lake.glob("*/*/*/**/*"):
        if originals.FOLDER in path.parts or not path.is_file() or not is_plain_parquet(path):
            continue
        if path.suffix == ".parquet":
            plain.append(path)
        else:
            path.unlink()
    if plain:
        with scratch_database(settings) as connection:
            for path in plain:
                _seal(connection, path)
    for path in settings.builds.glob(f"*/{RESTRICTED_FILE}"):
        if _is_plain_database(path):
            path.unlink()
    return len(plain)


def _seal(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    temporary = path.with_suffix(".sealed")
    connection.execute(
        f"copy (from read_parquet({literal(str(path))})) to {literal(str(temporary))} ({SEALED})"
    )
    temporary.replace(path)


def _is_plain_database(path: Path) -> bool:
    """Whether a file of DuckDB says in its head that it is not encrypted."""
    with path.open("rb") as stream:
        head = stream.read(28)
    return head[8:12] == b"DUCK" and not head[20] & 1

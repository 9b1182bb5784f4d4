"""From a delivered file to rows of text: encodings, workbooks, pages, archives, header rows.

What stands in the file is kept as it stands; nothing is typed here. Rows are numbered as a
spreadsheet shows them, title and header rows counted; those of a Parquet file from 1.
"""

from pathlib import Path

import duckdb

from minsheng.readers import archive, page, parquet, text, workbook
from minsheng.readers.common import (
    ROW_NUMBER,
    SHEET_STEP,
    MalformedRow,
    Reading,
    Score,
    UnreadableFile,
    is_litter,
    where,
)

READ_SUFFIXES = text.SUFFIXES + workbook.SUFFIXES + page.SUFFIXES + parquet.SUFFIXES

__all__ = [
    "READ_SUFFIXES",
    "ROW_NUMBER",
    "SHEET_STEP",
    "MalformedRow",
    "Reading",
    "Score",
    "UnreadableFile",
    "is_litter",
    "read_rows",
    "where",
]


def read_rows(
    connection: duckdb.DuckDBPyConnection, path: Path, score: Score, destination: Path
) -> Reading:
    """Write the rows of `path` as text to the encrypted Parquet file `destination`.

    Columns out: `__row_number` and the delivered headers. `connection` is one that has the lake's
    key. Raises UnreadableFile.
    """
    if path.stat().st_size == 0:
        raise UnreadableFile("file_is_empty")
    suffix = path.suffix.lower()
    if suffix == archive.SUFFIX:
        return archive.read(
            connection,
            path,
            READ_SUFFIXES,
            destination,
            lambda table, rows: read_rows(connection, table, score, rows),
        )
    if suffix in page.SUFFIXES or (suffix in workbook.SUFFIXES and page.is_page(path)):
        return page.read(connection, path, score, destination)
    if suffix in workbook.SUFFIXES:
        return workbook.read(connection, path, score, destination)
    if suffix in text.SUFFIXES:
        return text.read(connection, path, score, destination)
    if suffix in parquet.SUFFIXES:
        return parquet.read(connection, path, destination)
    raise UnreadableFile(
        "kind_is_not_read",
        suffix=suffix or ("空", "nothing"),
        suffixes=", ".join((*READ_SUFFIXES, archive.SUFFIX)),
    )

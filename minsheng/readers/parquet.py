"""Parquet files: rows that have names and types, shown as text."""

import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa

from minsheng.faults import without_values
from minsheng.identity import EXACT_DIGITS
from minsheng.quoting import literal, quoted
from minsheng.readers.common import Block, Reading, RowWriter, UnreadableFile, distinct

SUFFIXES = (".parquet",)
SHOWN_AS_THEY_ARE = re.compile(
    r"VARCHAR|U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|DECIMAL\(.*|DATE|TIME|TIMESTAMP(_S|_MS|_NS)?"
    r"|UUID|ENUM\(.*",
    re.DOTALL,
)


def text_of(column: str, kind: str) -> str:
    """The SQL that shows a column of the DuckDB type `kind` as text; null stays null.

    A number too long to be exact is in scientific form, as in a spreadsheet. Raises UnreadableFile
    for a type that has no one text.
    """
    name = quoted(column)
    if kind == "BOOLEAN":
        return f"case when {name} then '是' when not {name} then '否' end"
    if kind in ("DOUBLE", "FLOAT"):
        # a float as it is written, not as its nearest double
        shown = f"regexp_replace({name}::varchar, '\\.0$', '')"
        return (
            f"case when isnan({name}) then null when abs({name}) >= 1e{EXACT_DIGITS} "
            f"then printf('%.5E', {name}::double) else {shown} end"
        )
    if SHOWN_AS_THEY_ARE.fullmatch(kind):
        return f"{name}::varchar"
    raise UnreadableFile("column_has_no_one_text", column=column, kind=kind)


def read(connection: duckdb.DuckDBPyConnection, path: Path, destination: Path) -> Reading:
    """The rows of a Parquet file, which has names and types: no header is looked for."""
    # of the name itself nothing stands for other files
    named = re.sub(r"([*?\[])", r"[\1]", str(path))
    rows = f"read_parquet({literal(named)})"
    with duckdb.connect(config={"threads": 1}) as source:
        try:
            columns = source.execute(f"describe select * from {rows}").fetchall()
            headers = distinct([name for name, *_ in columns])
            shown = ", ".join(
                f"coalesce({text_of(name, kind)}, '') as {quoted(header)}"
                for (name, kind, *_), header in zip(columns, headers, strict=True)
            )
            batches = source.sql(f"select {shown} from {rows}").to_arrow_reader()
        except duckdb.Error as fault:
            raise _unreadable(path, fault) from None

        def blocks() -> Iterator[Block]:
            try:
                for batch in batches:
                    yield batch, ()
            except (duckdb.Error, pa.ArrowException, OSError) as fault:
                raise _unreadable(path, fault) from None

        writer = RowWriter(connection, destination, headers, 0)
        writer.write(blocks())
    return writer.reading("parquet", 0, headers, ((),))


def _unreadable(path: Path, fault: Exception) -> UnreadableFile:
    """A department need not know where its file lies here, nor is any value repeated."""
    told = without_values(str(fault), {str(path)}).replace(f"{path.parent}/", "")
    return UnreadableFile("parquet_cannot_be_read", advice=told)

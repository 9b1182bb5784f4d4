"""Poverty and inequality in any file of persons or households: `minsheng measures`."""

import json
import secrets
import tempfile
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal
from unicodedata import east_asian_width

import duckdb
import polars as pl

from minsheng import readers
from minsheng.distribution import MeasureError
from minsheng.encryption import Keys, sealed_parquet, unlock
from minsheng.faults import without_values
from minsheng.headers import BLANKS, NOTHING, header_key
from minsheng.measure_frames import measure_frame
from minsheng.quoting import quoted

UNKNOWN = ("", "NA", "NaN", "nan", *NOTHING)
"""What stands in a cell of a number that is not known."""
WITH_THOUSANDS = r"^[+-]?\d{1,3}(,\d{3})+(\.\d*)?$"
ROW = readers.ROW_NUMBER
BY = "__by"
MOST_HEADERS_TOLD = 30
BLOCK_ROWS = 500_000


class MeasureFileError(ValueError):
    """A file that cannot be measured: the message names it, and no value of its rows."""


@dataclass(frozen=True)
class Roles:
    """Which column of a file is what; an empty name is no column."""

    welfare: str
    weight: str = ""
    household: str = ""
    stratum: str = ""
    by: str = ""

    @property
    def columns(self) -> list[str]:
        named = (self.welfare, self.weight, self.household, self.stratum, self.by)
        return list(dict.fromkeys(filter(None, named)))


def measure_file(
    path: Path, roles: Roles, line: float | None = None, is_sample: bool = True
) -> pl.DataFrame:
    """One row per value of the `by` column and measure.

    Columns: `by` (null without such a column), `measure, value, standard_error, lower, upper,
    row_count`, as `measure_frame` has them. The file is Parquet, or a table of text or a workbook
    as the inbox takes them; there the values of `by` are texts. A cell with nothing or a mark for
    nothing is an unknown number. Raises OSError, and MeasureFileError for a file that cannot be
    read or lacks a column, and for numbers that are none or cannot be measured.
    """
    if not path.is_file():
        raise MeasureFileError(f"{path}: there is no such file")
    read = _parquet if path.suffix.lower() == ".parquet" else _text
    with closing(read(path, roles)) as blocks:
        frame = pl.concat(_with_numbers(block, roles, path) for block in blocks)
    # a name of its own: the column's may be one of the result's
    frame = frame.with_columns((pl.col(roles.by) if roles.by else pl.lit(None)).alias(BY))
    try:
        found = measure_frame(
            frame,
            roles.welfare,
            weight=roles.weight or None,
            line=line,
            by=[BY],
            household=roles.household or None,
            stratum=roles.stratum or None,
            is_sample=is_sample,
        )
    except MeasureError as fault:
        raise MeasureFileError(f"{path.name}: {fault}") from None
    if found.schema[BY] == pl.Categorical:
        found = found.with_columns(pl.col(BY).cast(pl.String))
    return found.rename({BY: "by"})


def as_text(found: pl.DataFrame, form: Literal["table", "json", "csv"]) -> str:
    """What `measure_file` found, for a reader or another program; the last line has no end."""
    if form == "csv":
        return found.drop("row_count").write_csv().removesuffix("\n")
    if form == "json":
        told = found.select("by", "measure", "value", "standard_error").to_dicts()
        return json.dumps(told, ensure_ascii=False, default=str)
    heads = ("by", "measure", "value", "standard_error", "lower", "upper")
    lines = [heads, *(tuple(map(_cell, row)) for row in found.select(heads).rows())]
    if found["by"].null_count() == found.height:
        lines = [line[1:] for line in lines]
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    texts = len(lines[0]) - 4
    return "\n".join(
        "  ".join(
            cell + pad if place < texts else pad + cell
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
            for pad in [" " * (width - _width(cell))]
        ).rstrip()
        for line in lines
    )


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return format(value, ",.6g") if isinstance(value, float) else str(value)


def _width(text: str) -> int:
    """Places that a text takes in a terminal: a Chinese character takes two."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def _parquet(path: Path, roles: Roles) -> Generator[pl.DataFrame]:
    try:
        # of the name itself nothing stands for other files
        scan = pl.scan_parquet(path, glob=False)
        found = _found(scan.collect_schema().names(), roles.columns, path)
        yield (
            scan.select(pl.col(header).alias(name) for name, header in found.items())
            .with_row_index(ROW, offset=1)
            .collect()
        )
    except pl.exceptions.PolarsError as fault:
        raise MeasureFileError(f"{path.name}: {without_values(str(fault))}") from None


def _text(path: Path, roles: Roles) -> Generator[pl.DataFrame]:
    """The wanted columns as texts, by the reader of deliveries; blank texts are null.

    They come in blocks, since texts take several times the memory of their numbers.
    """
    keys = {header_key(name) for name in roles.columns}

    def score(cells: Sequence[str]) -> int:
        named = len(keys & set(map(header_key, cells)))
        # a row that names one column is the header: of the others is told that they are missing
        return named + 1 if named else 0

    with duckdb.connect() as connection, tempfile.TemporaryDirectory() as folder:
        # the copy may hold personal data, and nobody needs its key once it is gone
        unlock(connection, Keys(secrets.token_bytes(32)))
        copy = Path(folder) / "rows.parquet"
        try:
            reading = readers.read_rows(connection, path, score, copy)
        except readers.UnreadableFile as fault:
            lacking = f"has no column {', '.join(roles.columns)}"
            told = lacking if fault.name == "no_header" else str(fault)
            raise MeasureFileError(f"{path.name}: {told}") from None
        if reading.malformed:
            row = reading.malformed[0]
            raise MeasureFileError(
                f"{path.name}: row {row.row_number} has {row.cells} cells and its header "
                f"{len(reading.headers)}"
            )
        found = _found(reading.headers, roles.columns, path)
        columns = [f"{quoted(header)} as {quoted(name)}" for name, header in found.items()]
        select = f"select {', '.join([ROW, *columns])} from {sealed_parquet(copy)}"
        texts = pl.col(pl.String).str.strip_chars(BLANKS)
        batches = connection.execute(select).to_arrow_reader(BLOCK_ROWS)
        # the schema alone stands for a file without rows
        for batch in chain([batches.schema.empty_table()], batches):
            block = pl.DataFrame(batch)
            yield block.with_columns(pl.when(texts != "").then(texts))


def _found(headers: Sequence[str], wanted: Sequence[str], path: Path) -> dict[str, str]:
    """The header of each wanted column: as it is written, else as headers are compared."""
    by_key = {header_key(header): header for header in reversed(headers)}
    found = {name: name if name in headers else by_key.get(header_key(name), "") for name in wanted}
    missing = [name for name, header in found.items() if not header]
    if missing:
        has = ", ".join(headers[:MOST_HEADERS_TOLD])
        raise MeasureFileError(f"{path.name}: has no column {', '.join(missing)}; it has {has}")
    return found


def _with_numbers(frame: pl.DataFrame, roles: Roles, path: Path) -> pl.DataFrame:
    """The same rows with welfare and weight as numbers; not a number is null."""
    numbers = {}
    for column in filter(None, (roles.welfare, roles.weight)):
        kind = frame.schema[column]
        if kind == pl.String:
            numbers[column] = _number(column)
            is_text = pl.col(column).is_not_null() & numbers[column].is_null()
            row = frame.filter(is_text & ~_trimmed(column).is_in(UNKNOWN))[ROW].min()
            if row is not None:
                raise MeasureFileError(
                    f"{path.name}: {column} has text that is no number, first in row {row!r}"
                )
        elif kind.is_numeric():
            numbers[column] = pl.col(column).cast(pl.Float64)
        else:
            raise MeasureFileError(f"{path.name}: {column} is of type {kind} and no number")
    # a text that many rows share takes a quarter of the memory as a code
    shared = [
        pl.col(column).cast(pl.Categorical)
        for column in {roles.stratum, roles.by} - {"", roles.household, *numbers}
        if frame.schema[column] == pl.String
    ]
    return frame.with_columns(*(number.fill_nan(None) for number in numbers.values()), *shared)


def _number(column: str) -> pl.Expr:
    text = _trimmed(column)
    without_commas = pl.when(text.str.contains(WITH_THOUSANDS)).then(text.str.replace_all(",", ""))
    return without_commas.otherwise(text).cast(pl.Float64, strict=False).alias(column)


def _trimmed(column: str) -> pl.Expr:
    return pl.col(column).str.strip_chars(BLANKS)

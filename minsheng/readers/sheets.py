"""Tables that are read as a whole, as the sheets of a workbook: one below the other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from minsheng.headers import header_key
from minsheng.readers.common import (
    SHEET_STEP,
    Block,
    Reading,
    RowWriter,
    Score,
    distinct,
    find_header,
)


@dataclass(frozen=True)
class Sheet:
    """A sheet's rows of text below its header; `first_row` numbers the first of them."""

    name: str
    headers: tuple[str, ...]
    rows: list[list[str]]
    first_row: int
    stated_units: tuple[str, ...]


def write_sheets(
    connection: duckdb.DuckDBPyConnection,
    sheets: Sequence[Sheet],
    others: Sequence[str],
    kind: str,
    destination: Path,
) -> Reading:
    headers: dict[str, str] = {}
    for sheet in sheets:
        for header in sheet.headers:
            headers.setdefault(header_key(header), header)
    header_row = sheets[0].first_row - 1
    writer = RowWriter(connection, destination, tuple(headers.values()), header_row)

    def blocks() -> Iterator[Block]:
        for sheet in sheets:
            writer.next_row = sheet.first_row
            places = {header_key(header): place for place, header in enumerate(sheet.headers)}
            columns = [
                pa.array([_cell_at(row, places.get(key)) for row in sheet.rows], pa.string())
                for key in headers
            ]
            if sheet.rows:
                yield pa.RecordBatch.from_arrays(columns, names=list(headers.values())), ()

    writer.write(blocks())
    form = f"{kind} sheet {'、'.join(sheet.name for sheet in sheets)}"
    if others:
        form += f"; not read: {'、'.join(others)}"
    stated_units = tuple(sheet.stated_units for sheet in sheets)
    return writer.reading(form, header_row, tuple(headers.values()), stated_units)


def sheet_below_header(name: str, texts: list[list[str]], place: int, score: Score) -> Sheet:
    header = find_header(texts, score)
    index, cells = header.index, header.cells
    body = texts[index + 1 :]
    # a sheet is a rectangle: without its empty columns at the right, with those that only lack a
    # header
    width = max(map(_filled_width, (cells, *body)))
    headers = distinct([*cells, *[""] * (width - len(cells))][:width])
    return Sheet(name, headers, body, place * SHEET_STEP + index + 2, header.stated_units)


def _filled_width(row: Sequence[str]) -> int:
    width = len(row)
    while width and not row[width - 1].strip():
        width -= 1
    return width


def _cell_at(row: Sequence[str], place: int | None) -> str:
    return row[place] if place is not None and place < len(row) else ""

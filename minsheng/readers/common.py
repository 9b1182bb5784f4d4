"""What every kind of file has: a header that is found by its names, and rows that are counted."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from minsheng.encryption import SEALED
from minsheng.headers import ONE_FORM, header_key
from minsheng.quoting import literal
from minsheng.reasons import Refusal

ROW_NUMBER = "__row_number"
HEADER_SEARCH_ROWS = 20

SHEET_STEP = 10_000_000_000
"""Rows of a later sheet are numbered from this times the sheet's place: more than a file holds."""


LITTER_PREFIXES = ("~$", ".")
LITTER_NAMES = ("thumbs.db", "desktop.ini")


def is_litter(name: str) -> bool:
    """Whether a file or folder of this name is what programs leave beside those of people."""
    return name.startswith(LITTER_PREFIXES) or name.lower() in LITTER_NAMES


class UnreadableFile(Refusal):
    """A file that cannot be read as a table; the words name the position and the way out."""


@dataclass(frozen=True)
class MalformedRow:
    """A row that does not have as many cells as the header; without text it is but delimiters."""

    row_number: int
    cells: int
    text: str


@dataclass(frozen=True)
class Reading:
    """What was read: its headers in order, and how every line of the file is accounted for."""

    form: str
    header_row: int
    headers: tuple[str, ...]
    row_count: int
    blank_rows: int
    note_rows: int
    """Totals, remarks and signatures: lines that are no rows of the table."""
    malformed: tuple[MalformedRow, ...]
    stated_units: tuple[tuple[str, ...], ...]
    """Of each sheet, what stands above its header where a unit of its amounts may stand."""


BLANK = "[\\s\u3000\u00a0]*"  # the wide and the hard blank are meant
TOTAL = f"^{BLANK}(本页)?[合总小共]{BLANK}计{BLANK}[:：]?{BLANK}$"
"""The first text of a row that sums up others."""
REMARK = (
    f"^{BLANK}(说{BLANK}明|备{BLANK}注|注|填{BLANK}表|制{BLANK}表|审{BLANK}核|填{BLANK}报"
    "|负责人|经办人|单位负责人).*[:：]"
)
"""How a remark or a signature below the table begins; most of its row is blank."""
UNITS = re.compile(r"(?:单\s*位\s*:\s*([^\s:()]+))|(?=\(([^()]+)\))")
"""Where units may stand above the header; an office or a year may stand there as well."""
BRACKETS_AT_END = re.compile(r"\([^()]+\)\s*$")

Score = Callable[[Sequence[str]], int]
"""How many columns of the contract a row of cells names; the header is the row with the most."""


@dataclass(frozen=True)
class Header:
    """The cells of a header, the index of its (lower) row, and what may be a unit above it."""

    index: int
    cells: list[str]
    stated_units: tuple[str, ...]


def where(row_number: int) -> str:
    """Where a row stands, as its sender finds it: `第5行`, `第2张表第5行`."""
    place, row = divmod(row_number, SHEET_STEP)
    return f"第{place + 1}张表第{row}行" if place else f"第{row}行"


def find_header(rows: Sequence[Sequence[str]], score: Score) -> Header:
    """The row that names the most columns; at least two, or it is no header.

    Where two rows name more together, as with merged cells, they are one header: a blank cell of
    the lower row is named by the cell above it, and has the unit in brackets of the cell above.
    What stands in the rows is not repeated in the message: without a header it is personal data.
    """
    candidates = [list(row) for row in rows[:HEADER_SEARCH_ROWS]]
    # the row, its cells, and how many rows above it may state a unit
    headers = [(i, cells, i) for i, cells in enumerate(candidates)]
    for i, (above, below) in enumerate(pairwise(candidates), start=1):
        merged = _merged(above, below)
        with_unit = _with_units(above, below, merged)
        if with_unit != merged:
            headers.append((i, with_unit, i - 1))
        headers.append((i, merged, i))
    scores = [score(cells) for _, cells, _ in headers]
    if not scores or max(scores) < min(2, max(len(row) for row in candidates)):
        raise UnreadableFile("no_header", rows=HEADER_SEARCH_ROWS)
    index, cells, rows_above = headers[scores.index(max(scores))]
    return Header(index, cells, _units(candidates[:rows_above]))


def _merged(above: Sequence[str], below: Sequence[str]) -> list[str]:
    return [low if low.strip() else high for high, low in zip_longest(above, below, fillvalue="")]


def _with_units(above: Sequence[str], below: Sequence[str], merged: Sequence[str]) -> list[str]:
    """The merged cells, those below a cell that ends in brackets with the same brackets."""
    cells: list[str] = []
    brackets = ""
    for high, low, cell in zip_longest(above, below, merged, fillvalue=""):
        if high.strip():
            found = BRACKETS_AT_END.search(high.translate(ONE_FORM))
            brackets = found[0] if found else ""
        is_without = low.strip() and not BRACKETS_AT_END.search(low.translate(ONE_FORM))
        cells.append(cell + brackets if is_without else cell)
    return cells


def _units(rows: Sequence[Sequence[str]]) -> tuple[str, ...]:
    found = (
        part
        for row in rows
        for cell in row
        for match in UNITS.finditer(cell.translate(ONE_FORM))
        for part in re.split("[、，,;；]", match[1] or match[2])
    )
    return tuple(dict.fromkeys(part.strip() for part in found if part.strip()))


def distinct(cells: Sequence[str]) -> tuple[str, ...]:
    """Headers as delivered, blank ones named by their place, repeated ones numbered.

    Two that differ in blanks, width or case alone are the same to a contract or to SQL.
    """
    headers: list[str] = []
    taken = {ROW_NUMBER}
    for place, cell in enumerate(cells, start=1):
        name = " ".join(cell.split()) or f"列{place}"
        repeated, number = name, 1
        while header_key(name) in taken:
            number += 1
            name = f"{repeated}_{number}"
        taken.add(header_key(name))
        headers.append(name)
    return tuple(headers)


Block = tuple[pa.RecordBatch, Sequence[MalformedRow]]
"""Rows of text, and those of the same lines that are none."""


class RowWriter:
    """Writes blocks of text to encrypted Parquet, numbers the rows, counts and leaves out blanks.

    DuckDB writes: what pyarrow encrypts DuckDB 1.5 takes for damaged where it skips a row.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        destination: Path,
        headers: Sequence[str],
        rows_before: int,
    ) -> None:
        self._connection = connection
        self._destination = destination
        fields = [pa.field(ROW_NUMBER, pa.int64())]
        fields += [pa.field(header, pa.string()) for header in headers]
        self._schema = pa.schema(fields)
        self.next_row = rows_before + 1
        self._rows = 0
        self._blank = 0
        self._notes = 0
        self._malformed: list[MalformedRow] = []

    def write(self, blocks: Iterable[Block]) -> None:
        """Write the blocks of a file, which are read while they are written."""
        faults: list[BaseException] = []

        def rows() -> Iterator[pa.RecordBatch]:
            try:
                for batch, malformed in blocks:
                    yield self._rows_of(batch, malformed)
            except BaseException as fault:
                faults.append(fault)
                raise

        reader = pa.RecordBatchReader.from_batches(self._schema, rows())
        self._connection.register("rows_as_read", reader)
        try:
            self._connection.execute(
                f"copy rows_as_read to {literal(str(self._destination))} ({SEALED})"
            )
        except duckdb.Error:
            if faults:  # what the reading raised, which DuckDB has put into words of its own
                raise faults[0] from None
            raise
        finally:
            self._connection.unregister("rows_as_read")

    def _rows_of(self, batch: pa.RecordBatch, malformed: Sequence[MalformedRow]) -> pa.RecordBatch:
        """The rows of a block with their numbers; `malformed` are those that `batch` lacks."""
        count = batch.num_rows + len(malformed)
        numbers = np.arange(self.next_row, self.next_row + count)
        numbers = numbers[~np.isin(numbers, [row.row_number for row in malformed])]
        self.next_row += count
        bad = [row for row in malformed if row.text]
        self._malformed += bad
        filled = _filled(batch)
        table = pa.RecordBatch.from_arrays(
            [pa.array(numbers, pa.int64()), *batch.columns], schema=self._schema
        )
        if filled is not None:
            table = table.filter(filled)
        self._blank += count - len(bad) - table.num_rows
        notes = _notes(table)
        if notes:
            self._notes += len(notes)
            table = table.take(np.setdiff1d(np.arange(table.num_rows), notes))
        self._rows += table.num_rows
        return table

    def reading(
        self,
        form: str,
        header_row: int,
        headers: tuple[str, ...],
        stated_units: tuple[tuple[str, ...], ...],
    ) -> Reading:
        """What was written."""
        return Reading(
            form,
            header_row,
            headers,
            self._rows,
            self._blank,
            self._notes,
            tuple(self._malformed),
            stated_units,
        )


def _filled(batch: pa.RecordBatch) -> pa.Array | None:
    """Which rows have any text, or None if the first column says that all do."""
    filled = pc.not_equal(pc.utf8_trim_whitespace(batch.column(0)), "")
    if pc.all(filled).as_py():
        return None
    for column in batch.columns[1:]:
        filled = pc.or_(filled, pc.not_equal(pc.utf8_trim_whitespace(column), ""))
    return filled


def _notes(table: pa.RecordBatch) -> list[int]:
    """Places of the rows that sum up or remark; the first column is the row's number in the file.

    A total says so in its first text; a remark also leaves most of its row blank.
    """
    found = pa.scalar(False)
    for column in table.columns[1:3]:
        for pattern in (TOTAL, REMARK):
            found = pc.or_(found, pc.match_substring_regex(column, pattern))
    places = []
    for place in np.flatnonzero(found.to_numpy(zero_copy_only=False)).tolist():
        texts = [column[place].as_py().strip() for column in table.columns[1:]]
        filled = [text for text in texts if text]
        if re.match(TOTAL, filled[0]) or (
            re.match(REMARK, filled[0]) and len(filled) * 2 <= len(texts)
        ):
            places.append(place)
    return places

"""From a delivered file to rows of text: encodings, workbooks, header rows.

What stands in the file is kept as it stands; nothing is typed here. Rows are numbered as a
spreadsheet shows them, title and header rows counted.
"""

import codecs
import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

ROW_NUMBER = "__row_number"
HEADER_SEARCH_ROWS = 20
BLOCK_BYTES = 4 << 20
EXACT_DIGITS = 15
"""A spreadsheet keeps this many digits of a number; a longer one in a number cell is ruined."""

WORKBOOK_SUFFIXES = (".xlsx", ".xlsm", ".xls")
TEXT_SUFFIXES = (".csv", ".txt", ".tsv")


class UnreadableFile(ValueError):
    """A file that cannot be read as a table; the message names the position and the way out."""


@dataclass(frozen=True)
class MalformedRow:
    """A line that does not have as many cells as the header."""

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
    malformed: tuple[MalformedRow, ...]


Score = Callable[[Sequence[str]], int]
"""How many columns of the contract a row of cells names; the header is the row with the most."""


def read_rows(path: Path, score: Score, destination: Path) -> Reading:
    """Write the rows of `path` as text to the Parquet file `destination`.

    Columns out: `__row_number` and the delivered headers. Raises UnreadableFile.
    """
    if path.stat().st_size == 0:
        raise UnreadableFile("the file is empty (0 bytes); send it again")
    suffix = path.suffix.lower()
    if suffix in WORKBOOK_SUFFIXES:
        return _read_workbook(path, score, destination)
    if suffix in TEXT_SUFFIXES:
        return _read_text(path, score, destination)
    raise UnreadableFile(
        f"files ending in {suffix or 'nothing'} are not read; "
        f"send one of {', '.join(TEXT_SUFFIXES + WORKBOOK_SUFFIXES)}"
    )


def _read_text(path: Path, score: Score, destination: Path) -> Reading:
    encoding = _encoding(path)
    readable = path
    if encoding == "gb18030":
        readable = destination.with_suffix(".utf8")
        with readable.open("wb") as transcoded:
            for text in _decoded(path, encoding):
                transcoded.write(text.encode("utf-8"))
    try:
        return _read_csv(readable, encoding, score, destination)
    finally:
        if readable is not path:
            readable.unlink(missing_ok=True)


def _encoding(path: Path) -> str:
    """UTF-8 with or without its mark, else GB18030; strictly, so that no character is replaced."""
    with path.open("rb") as stream:
        start = stream.read(4)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UnreadableFile("the file is UTF-16; save it as “CSV UTF-8” and send it again")
    faults = []
    for encoding in ("utf-8-sig" if start.startswith(codecs.BOM_UTF8) else "utf-8", "gb18030"):
        try:
            for _ in _decoded(path, encoding):
                pass
        except UnicodeDecodeError as fault:
            faults.append((encoding, fault.start, _line_at(path, fault.start)))
        else:
            return encoding
    listed = "; ".join(
        f"not {encoding.upper()}: byte {position}, line {line}"
        for encoding, position, line in faults
    )
    raise UnreadableFile(
        f"the text is damaged ({listed}); save it again as “CSV UTF-8” from its source system"
    )


def _decoded(path: Path, encoding: str) -> Iterator[str]:
    """The text of `path` in blocks; a UnicodeDecodeError's `start` counts from the file's start."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    offset = 0
    with path.open("rb") as stream:
        while True:
            block = stream.read(BLOCK_BYTES)
            kept = len(decoder.getstate()[0])
            try:
                yield decoder.decode(block, final=not block)
            except UnicodeDecodeError as fault:
                fault.start += offset - kept
                raise
            if not block:
                return
            offset += len(block)


def _line_at(path: Path, position: int) -> int:
    line = 1
    with path.open("rb") as stream:
        while position > 0:
            block = stream.read(min(BLOCK_BYTES, position))
            line += block.count(b"\n")
            position -= len(block)
    return line


def _read_csv(path: Path, encoding: str, score: Score, destination: Path) -> Reading:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        sample = "".join(islice(stream, HEADER_SEARCH_ROWS * 2))
    delimiter = max(",;\t|", key=lambda mark: (score(_cells(sample, mark)[1]), sample.count(mark)))
    header_index, cells = _header(list(csv.reader(io.StringIO(sample), delimiter=delimiter)), score)
    headers = _distinct(cells)
    malformed: list[MalformedRow] = []

    def keep(row: pa_csv.InvalidRow) -> str:
        malformed.append(MalformedRow(row.number, row.actual_columns, row.text))
        return "skip"

    reader = pa_csv.open_csv(
        path,
        read_options=pa_csv.ReadOptions(
            # one thread: only then does pyarrow tell the number of an invalid row
            use_threads=False,
            block_size=BLOCK_BYTES,
            skip_rows=header_index + 1,
            column_names=list(headers),
        ),
        parse_options=pa_csv.ParseOptions(
            delimiter=delimiter,
            newlines_in_values=True,
            ignore_empty_lines=False,
            invalid_row_handler=keep,
        ),
        convert_options=pa_csv.ConvertOptions(
            column_types={header: pa.string() for header in headers}, strings_can_be_null=False
        ),
    )
    writer = _Writer(destination, headers, header_index + 1)
    try:
        for batch in reader:
            writer.write(batch, malformed)
    except pa.ArrowInvalid as fault:
        raise UnreadableFile(f"the lines cannot be taken apart: {fault}") from None
    finally:
        writer.close()
    unclosed = next((row for row in malformed if row.text.count("\n") > HEADER_SEARCH_ROWS), None)
    if unclosed:
        raise UnreadableFile(
            f"a quotation mark opened in row {unclosed.row_number} is never closed: "
            f"{unclosed.text.count(chr(10))} lines run together; mend that row and send it again"
        )
    form = f"csv {encoding} {delimiter!r}"
    return Reading(
        form, header_index + 1, headers, writer.row_count, writer.blank_rows, tuple(malformed)
    )


def _cells(sample: str, delimiter: str) -> tuple[int, list[str]]:
    """The row of the sample with the most cells, for choosing a delimiter."""
    rows = list(csv.reader(io.StringIO(sample), delimiter=delimiter)) or [[]]
    widest = max(range(len(rows)), key=lambda index: len(rows[index]))
    return widest, rows[widest]


def _header(rows: Sequence[Sequence[str]], score: Score) -> tuple[int, list[str]]:
    """Index and cells of the row that names the most columns; at least two, or it is no header."""
    candidates = rows[:HEADER_SEARCH_ROWS]
    scores = [score(row) for row in candidates]
    if not scores or max(scores) < min(2, max((len(row) for row in candidates), default=0)):
        first = " | ".join(candidates[0][:8]) if candidates else ""
        raise UnreadableFile(
            f"no header row within the first {HEADER_SEARCH_ROWS} rows; the first row is "
            f"“{first}”; is it the file of another dataset?"
        )
    index = scores.index(max(scores))
    return index, list(candidates[index])


def _distinct(cells: Sequence[str]) -> tuple[str, ...]:
    """Headers as delivered, blank ones named by their place, repeated ones numbered."""
    headers: list[str] = []
    for place, cell in enumerate(cells, start=1):
        name = " ".join(cell.split()) or f"列{place}"
        repeated, number = name, 1
        while name in headers or name == ROW_NUMBER:
            number += 1
            name = f"{repeated}_{number}"
        headers.append(name)
    return tuple(headers)


class _Writer:
    """Writes batches of text to Parquet, numbers the rows and leaves out blank ones, counting."""

    def __init__(self, destination: Path, headers: Sequence[str], rows_before: int) -> None:
        fields = [pa.field(ROW_NUMBER, pa.int64())]
        fields += [pa.field(header, pa.string()) for header in headers]
        self._schema = pa.schema(fields)
        self._parquet = pq.ParquetWriter(destination, self._schema)
        self._next = rows_before + 1
        self._skipped = 0
        self.row_count = 0
        self.blank_rows = 0

    def write(self, batch: pa.RecordBatch, malformed: Sequence[MalformedRow]) -> None:
        """Append `batch`; `malformed` are the rows left out of the batches so far, in order."""
        late = [row.row_number for row in malformed[self._skipped :]]
        numbers = np.arange(self._next, self._next + batch.num_rows + len(late))
        numbers = numbers[~np.isin(numbers, late)][: batch.num_rows]
        if batch.num_rows:
            self._next = int(numbers[-1]) + 1
            self._skipped += sum(number < self._next for number in late)
        filled = _filled(batch)
        table = pa.RecordBatch.from_arrays(
            [pa.array(numbers, pa.int64()), *batch.columns], schema=self._schema
        )
        if filled is not None:
            kept = table.filter(filled)
            self.blank_rows += table.num_rows - kept.num_rows
            table = kept
        self.row_count += table.num_rows
        self._parquet.write_batch(table)

    def close(self) -> None:
        self._parquet.close()


def _filled(batch: pa.RecordBatch) -> pa.Array | None:
    """Which rows have any text, or None if the first column says that all do."""
    filled = pc.not_equal(pc.utf8_trim_whitespace(batch.column(0)), "")
    if pc.all(filled).as_py():
        return None
    for column in batch.columns[1:]:
        filled = pc.or_(filled, pc.not_equal(pc.utf8_trim_whitespace(column), ""))
    return filled


def _read_workbook(path: Path, score: Score, destination: Path) -> Reading:
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        with CalamineWorkbook.from_path(path) as workbook:
            sheet = workbook.get_sheet_by_index(0)
            rows = sheet.to_python(skip_empty_area=False)
    except (CalamineError, OSError, IndexError) as fault:
        raise UnreadableFile(
            f"the workbook cannot be opened ({fault}); open it in a spreadsheet program, "
            "save it as .xlsx without a password and send it again"
        ) from None
    texts = [[_cell_text(cell) for cell in row] for row in rows]
    header_index, cells = _header(texts, score)
    while cells and not cells[-1].strip():
        cells.pop()
    headers = _distinct(cells)
    body = texts[header_index + 1 :]
    columns = [
        pa.array([row[place] if place < len(row) else "" for row in body], pa.string())
        for place in range(len(headers))
    ]
    writer = _Writer(destination, headers, header_index + 1)
    try:
        if body:
            writer.write(pa.RecordBatch.from_arrays(columns, names=list(headers)), ())
    finally:
        writer.close()
    form = f"{path.suffix[1:].lower()} sheet {sheet.name}"
    return Reading(form, header_index + 1, headers, writer.row_count, writer.blank_rows, ())


def _cell_text(cell: object) -> str:
    """A cell as the spreadsheet would show it; a number too long to be exact, in scientific form."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "是" if cell else "否"
    if isinstance(cell, int | float):
        if abs(cell) >= 10**EXACT_DIGITS:
            return f"{cell:.5E}"
        return str(int(cell)) if cell == int(cell) else repr(cell)
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    if isinstance(cell, date):
        return cell.isoformat()
    return str(cell)

"""From a delivered file to rows of text: encodings, workbooks, header rows.

What stands in the file is kept as it stands; nothing is typed here. Rows are numbered as a
spreadsheet shows them, title and header rows counted.
"""

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from minsheng.parsing import header_key

if TYPE_CHECKING:
    from python_calamine import CalamineWorkbook

ROW_NUMBER = "__row_number"
HEADER_SEARCH_ROWS = 20
SAMPLE_LINES = 2 * HEADER_SEARCH_ROWS
MOST_LINES_OF_A_ROW = 20
"""A row of more lines is several, run together by a quotation mark that is not closed."""

BLOCK_BYTES = 4 << 20
EXACT_DIGITS = 15
"""A spreadsheet keeps this many digits of a number; a longer one in a number cell is ruined."""

WORKBOOK_SUFFIXES = (".xlsx", ".xlsm", ".xls")
TEXT_SUFFIXES = (".csv", ".txt", ".tsv")


class UnreadableFile(ValueError):
    """A file that cannot be read as a table; the message names the position and the way out."""


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
    blocks = _whole_lines(_decoded(path, encoding))
    start = ""
    for block in blocks:
        start += block
        if start.count("\n") >= SAMPLE_LINES:
            break
    try:
        delimiter, header_index, cells, rest = _head(start, score)
        headers = _distinct(cells)
        writer = _Writer(destination, headers, header_index + 1)
        try:
            for batch, malformed in _batches(chain([rest], blocks), headers, delimiter, writer):
                writer.write(batch, malformed)
        finally:
            writer.close()
    except csv.Error:
        raise UnreadableFile(
            f"a cell is longer than {csv.field_size_limit()} characters, as happens when a "
            "quotation mark is never closed; mend it and send the file again"
        ) from None
    return writer.reading(f"csv {encoding} {delimiter!r}", header_index + 1, headers)


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
            faults.append(
                f"not {encoding.upper()}: byte {fault.start}, line {_line_at(path, fault.start)}"
            )
            if _is_mostly_utf8(path, fault.start):
                break
        else:
            return encoding
    raise UnreadableFile(
        f"the text is damaged ({'; '.join(faults)}); "
        "save it again as “CSV UTF-8” from its source system"
    )


def _is_mostly_utf8(path: Path, end: int) -> bool:
    """Whether the bytes before `end` hold Chinese text in UTF-8.

    Then the file is UTF-8 and damaged. GB18030 text has such bytes by the rarest chance, and read
    as GB18030 the file would come out as other characters without an error.
    """
    with path.open("rb") as stream:
        text = stream.read(min(end, BLOCK_BYTES)).decode("utf-8", errors="ignore")
    return len(re.findall("[\u0800-\U0010ffff]", text)) > 1 or text.startswith("\ufeff")


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


def _whole_lines(texts: Iterable[str]) -> Iterator[str]:
    """The same text in blocks that end with a line."""
    rest = ""
    for text in texts:
        rest += text
        end = rest.rfind("\n") + 1
        if end:
            yield rest[:end]
            rest = rest[end:]
    if rest:
        yield rest


def _lines(text: str) -> Iterator[str]:
    """Lines as `csv` wants them: their ends, of whichever kind, are kept."""
    return io.StringIO(text, newline="")


def _head(text: str, score: Score) -> tuple[str, int, list[str], str]:
    """Delimiter, index and cells of the header row, and the text below it."""
    sample = list(islice(_lines(text), SAMPLE_LINES))

    def best(delimiter: str) -> tuple[int, int]:
        scores = [score(row) for row in csv.reader(sample, delimiter=delimiter)]
        return max(scores, default=0), sum(line.count(delimiter) for line in sample)

    delimiter = max(",;\t|", key=best)
    header_index, cells = _header(list(csv.reader(sample, delimiter=delimiter)), score)
    reader = csv.reader(sample, delimiter=delimiter)
    for _ in islice(reader, header_index + 1):
        pass
    return delimiter, header_index, cells, text[sum(map(len, sample[: reader.line_num])) :]


def _batches(
    blocks: Iterable[str], headers: Sequence[str], delimiter: str, writer: "_Writer"
) -> Iterator[tuple[pa.RecordBatch, list[MalformedRow]]]:
    """Take blocks of lines apart; rows are those of `csv.reader`, whoever reads them.

    pyarrow is many times faster and loses line breaks where a quoted cell crosses its blocks, so
    a block with a quotation mark is left to `csv`.
    """
    unfinished = ""
    for block in blocks:
        text = unfinished + block
        unfinished = ""
        if '"' not in text:
            if text:
                yield _unquoted_batch(text, headers, delimiter, writer.next_row)
            continue
        batch = _quoted_batch(text, headers, delimiter, writer.next_row)
        if batch is None:
            unfinished = text
        else:
            yield batch
    if unfinished:
        opened = writer.next_row - 1
        opened += sum(1 for _ in csv.reader(_lines(unfinished), delimiter=delimiter))
        raise UnreadableFile(
            f"a quotation mark opened in row {opened} is never closed; "
            "mend that row and send the file again"
        )


def _unquoted_batch(
    text: str, headers: Sequence[str], delimiter: str, first_row: int
) -> tuple[pa.RecordBatch, list[MalformedRow]]:
    malformed: list[MalformedRow] = []

    def keep(row: pa_csv.InvalidRow) -> str:
        number = first_row - 1 + row.number
        text = row.text if row.text.replace(delimiter, "").strip() else ""
        malformed.append(MalformedRow(number, row.actual_columns, text))
        return "skip"

    # pyarrow drops one byte order mark, and that must not be a character of the text
    data = codecs.BOM_UTF8 + text.encode()
    table = pa_csv.read_csv(
        pa.BufferReader(data),
        # one thread: only then does pyarrow tell the number of an invalid row
        read_options=pa_csv.ReadOptions(
            use_threads=False, block_size=len(data) + 1, column_names=list(headers)
        ),
        parse_options=pa_csv.ParseOptions(
            delimiter=delimiter,
            quote_char=False,
            ignore_empty_lines=False,
            invalid_row_handler=keep,
        ),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(headers, pa.string()), strings_can_be_null=False
        ),
    )
    return _one_batch(table), malformed


def _quoted_batch(
    text: str, headers: Sequence[str], delimiter: str, first_row: int
) -> tuple[pa.RecordBatch, list[MalformedRow]] | None:
    """None if the text ends within a quoted cell."""
    width = len(headers)
    rows: list[list[str]] = []
    malformed: list[MalformedRow] = []
    # one empty line more than there are: a quotation mark that is still open swallows it
    reader = csv.reader(chain(_lines(text), ["\n"]), delimiter=delimiter)
    row: list[str] = []
    last_line = 0
    for number, row in enumerate(reader, start=first_row):
        lines, last_line = reader.line_num - last_line, reader.line_num
        if lines > MOST_LINES_OF_A_ROW:
            raise UnreadableFile(
                f"a quotation mark opened in row {number} is not closed there: more than "
                f"{MOST_LINES_OF_A_ROW} lines run together; mend that row and send it again"
            )
        if len(row) == width and not (lines > 1 and _runs_together(row, delimiter)):
            rows.append(row)
        elif not "".join(row).strip():
            rows.append([""] * width)
        else:
            malformed.append(MalformedRow(number, len(row), delimiter.join(row)))
    if row:
        return None
    rows.pop()
    columns = zip(*rows, strict=True) if rows else [()] * width
    arrays = [pa.array(column, pa.string()) for column in columns]
    return pa.RecordBatch.from_arrays(arrays, names=list(headers)), malformed


def _runs_together(row: Sequence[str], delimiter: str) -> bool:
    """Whether a stray quotation mark has made one cell of what lies between two rows."""
    return any(cell.count(delimiter) >= len(row) - 1 for cell in row)


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    batches = table.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)


def _header(rows: Sequence[Sequence[str]], score: Score) -> tuple[int, list[str]]:
    """Index and cells of the row that names the most columns; at least two, or it is no header.

    What stands in the rows is not repeated in the message: without a header it is personal data.
    """
    candidates = rows[:HEADER_SEARCH_ROWS]
    scores = [score(row) for row in candidates]
    if not scores or max(scores) < min(2, max(len(row) for row in candidates)):
        raise UnreadableFile(
            f"no header row: none of the first {HEADER_SEARCH_ROWS} rows names the columns; "
            "put one above the rows, or look whether it is the file of another dataset"
        )
    index = scores.index(max(scores))
    return index, list(candidates[index])


def _distinct(cells: Sequence[str]) -> tuple[str, ...]:
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


class _Writer:
    """Writes batches of text to Parquet, numbers the rows and leaves out blank ones, counting."""

    def __init__(self, destination: Path, headers: Sequence[str], rows_before: int) -> None:
        fields = [pa.field(ROW_NUMBER, pa.int64())]
        fields += [pa.field(header, pa.string()) for header in headers]
        self._schema = pa.schema(fields)
        self._parquet = pq.ParquetWriter(destination, self._schema)
        self.next_row = rows_before + 1
        self._rows = 0
        self._blank = 0
        self._malformed: list[MalformedRow] = []

    def write(self, batch: pa.RecordBatch, malformed: Sequence[MalformedRow]) -> None:
        """Append the rows of a block; `malformed` are those of its rows that `batch` lacks."""
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
        self._rows += table.num_rows
        self._blank += count - len(bad) - table.num_rows
        self._parquet.write_batch(table)

    def close(self) -> None:
        self._parquet.close()

    def reading(self, form: str, header_row: int, headers: tuple[str, ...]) -> Reading:
        """What was written."""
        return Reading(form, header_row, headers, self._rows, self._blank, tuple(self._malformed))


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
            _refuse_other_sheets(workbook)
            sheet = workbook.get_sheet_by_index(0)
            rows = sheet.to_python(skip_empty_area=False)
    except (CalamineError, OSError, IndexError) as fault:
        raise UnreadableFile(
            f"the workbook cannot be opened ({fault}); open it in a spreadsheet program, "
            "save it as .xlsx without a password and send it again"
        ) from None
    texts = [[_cell_text(cell) for cell in row] for row in rows]
    header_index, cells = _header(texts, score)
    body = texts[header_index + 1 :]
    # a sheet is a rectangle: without its empty columns at the right, with those that only lack a
    # header
    width = max(
        (place for row in (cells, *body) for place, cell in enumerate(row, 1) if cell.strip()),
        default=0,
    )
    headers = _distinct([*cells, *[""] * (width - len(cells))][:width])
    columns = [
        pa.array([row[place] if place < len(row) else "" for row in body], pa.string())
        for place in range(width)
    ]
    writer = _Writer(destination, headers, header_index + 1)
    try:
        if body:
            writer.write(pa.RecordBatch.from_arrays(columns, names=list(headers)), ())
    finally:
        writer.close()
    form = f"{path.suffix[1:].lower()} sheet {sheet.name}"
    return writer.reading(form, header_index + 1, headers)


def _refuse_other_sheets(workbook: "CalamineWorkbook") -> None:
    """Text on a second sheet would be lost: one sheet a file."""
    others = [
        name
        for name in workbook.sheet_names[1:]
        if any(
            any(cell != "" for cell in row) for row in workbook.get_sheet_by_name(name).to_python()
        )
    ]
    if others:
        raise UnreadableFile(
            f"more than one sheet holds text ({'、'.join(others)} beside the first); "
            "send each sheet as a file of its own"
        )


def _cell_text(cell: object) -> str:
    """A cell as the spreadsheet shows it; a number too long to be exact, in scientific form."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "是" if cell else "否"
    if isinstance(cell, int | float):
        if abs(cell) >= 10**EXACT_DIGITS:
            return f"{cell:.5E}"
        return str(int(cell)) if cell == int(cell) else f"{Decimal(repr(cell)):f}"
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    if isinstance(cell, date):
        return cell.isoformat()
    return str(cell)

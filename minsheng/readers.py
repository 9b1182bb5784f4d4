"""From a delivered file to rows of text: encodings, workbooks, header rows.

What stands in the file is kept as it stands; nothing is typed here. Rows are numbered as a
spreadsheet shows them, title and header rows counted; those of a Parquet file from 1.
"""

import codecs
import csv
import io
import re
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from html.parser import HTMLParser
from itertools import chain, islice, pairwise, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile, ZipFile

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from minsheng.parsing import header_key, literal, quoted

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

SHEET_STEP = 10_000_000

WORKBOOK_SUFFIXES = (".xlsx", ".xlsm", ".xls")
TEXT_SUFFIXES = (".csv", ".txt", ".tsv")
PAGE_SUFFIXES = (".htm", ".html")
PARQUET_SUFFIX = ".parquet"
READ_SUFFIXES = (*TEXT_SUFFIXES, *WORKBOOK_SUFFIXES, *PAGE_SUFFIXES, PARQUET_SUFFIX)
ARCHIVE_SUFFIX = ".zip"
MOST_UNPACKED_BYTES = 4 << 30


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
    note_rows: int
    """Totals, remarks and signatures: lines that are no rows of the table."""
    malformed: tuple[MalformedRow, ...]


TOTAL = r"^\s*(本页)?[合总小共]\s*计\s*[:：]?\s*$"
"""The first text of a row that sums up others."""
REMARK = r"^\s*(说\s*明|备\s*注|注|填\s*表|制\s*表|审\s*核|填\s*报|负责人|经办人|单位负责人).*[:：]"
"""How a remark or a signature below the table begins; most of its row is blank."""

Score = Callable[[Sequence[str]], int]
"""How many columns of the contract a row of cells names; the header is the row with the most."""


def read_rows(path: Path, score: Score, destination: Path) -> Reading:
    """Write the rows of `path` as text to the Parquet file `destination`.

    Columns out: `__row_number` and the delivered headers. Raises UnreadableFile.
    """
    if path.stat().st_size == 0:
        raise UnreadableFile("the file is empty (0 bytes); send it again")
    suffix = path.suffix.lower()
    if suffix == ARCHIVE_SUFFIX:
        return _read_archive(path, score, destination)
    if suffix in PAGE_SUFFIXES or (suffix in WORKBOOK_SUFFIXES and _is_page(path)):
        return _read_page(path, score, destination)
    if suffix in WORKBOOK_SUFFIXES:
        return _read_workbook(path, score, destination)
    if suffix in TEXT_SUFFIXES:
        return _read_text(path, score, destination)
    if suffix == PARQUET_SUFFIX:
        return _read_parquet(path, destination)
    raise UnreadableFile(
        f"files ending in {suffix or 'nothing'} are not read; "
        f"send one of {', '.join((*READ_SUFFIXES, ARCHIVE_SUFFIX))}"
    )


def _read_archive(path: Path, score: Score, destination: Path) -> Reading:
    """The one file of the archive that is a table; what programs leave beside it is not."""
    try:
        with ZipFile(path) as archive:
            members = [
                member
                for member in archive.infolist()
                if not member.is_dir()
                and not Path(member.filename).name.startswith(("~$", "."))
                and not member.filename.startswith("__MACOSX/")
            ]
            if len(members) != 1 or members[0].file_size > MOST_UNPACKED_BYTES:
                raise UnreadableFile(
                    f"the archive holds {len(members)} files of "
                    f"{sum(member.file_size for member in members):,} bytes; "
                    "send one file in it, of at most "
                    f"{MOST_UNPACKED_BYTES:,} bytes"
                )
            unpacked = destination.with_name("unpacked" + Path(members[0].filename).suffix.lower())
            with archive.open(members[0]) as packed, unpacked.open("wb") as target:
                shutil.copyfileobj(packed, target)
    except (BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as fault:
        raise UnreadableFile(
            f"the archive cannot be opened ({fault}); pack it again without a password"
        ) from None
    try:
        if unpacked.suffix == ARCHIVE_SUFFIX:
            raise UnreadableFile("the archive holds an archive; pack the file itself")
        reading = read_rows(unpacked, score, destination)
    finally:
        unpacked.unlink()
    return replace(reading, form=f"zip, {reading.form}")


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
    raise UnreadableFile(
        f"column {column} is of type {kind}, which has no one text; "
        "send it as text, a number, a date, a local time or yes and no"
    )


def _read_parquet(path: Path, destination: Path) -> Reading:
    """The rows of a Parquet file, which has names and types: no header is looked for."""
    # of the name itself nothing stands for other files
    named = re.sub(r"([*?\[])", r"[\1]", str(path))
    rows = f"read_parquet({literal(named)})"
    with duckdb.connect(config={"threads": 1}) as connection:
        try:
            columns = connection.execute(f"describe select * from {rows}").fetchall()
            headers = _distinct([name for name, *_ in columns])
            shown = ", ".join(
                f"coalesce({text_of(name, kind)}, '') as {quoted(header)}"
                for (name, kind, *_), header in zip(columns, headers, strict=True)
            )
            writer = _Writer(destination, headers, 0)
            try:
                for batch in connection.sql(f"select {shown} from {rows}").to_arrow_reader():
                    writer.write(batch, ())
            finally:
                writer.close()
        except duckdb.Error as fault:
            # a department need not know where its file lies here
            told = str(fault).splitlines()[0].replace(f"{path.parent}/", "")
            raise UnreadableFile(
                f"the Parquet file cannot be read ({told}); write and send it again"
            ) from None
    return writer.reading("parquet", 0, headers)


def _is_page(path: Path) -> bool:
    """Whether what is named like a workbook is the web page that some programs save instead."""
    with path.open("rb") as stream:
        return stream.read(1024).lstrip(codecs.BOM_UTF8 + b" \t\r\n").startswith(b"<")


def _read_page(path: Path, score: Score, destination: Path) -> Reading:
    """The tables of a page, as the sheets of a workbook."""
    tables = _Tables()
    for text in _decoded(path, _encoding(path)):
        tables.feed(text)
    tables.close()
    sheets: list[_Sheet] = []
    without_header: UnreadableFile | None = None
    for place, rows in enumerate(tables.tables):
        try:
            sheets.append(_sheet(f"table {place + 1}", rows, place, score))
        except UnreadableFile as fault:
            without_header = fault
    if not sheets:
        raise without_header or UnreadableFile("the page holds no table; send the workbook itself")
    return _write_sheets(sheets, (), "htm", destination)


class _Tables(HTMLParser):
    """Rows of text of every table of a page; a cell over several columns or rows is in its first.

    Tables are as flat as spreadsheet programs save them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self._cell: list[str] | None = None
        self._span = (1, 1)
        self._below: dict[int, int] = {}

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.tables.append([])
            self._below = {}
        elif tag == "tr" and self.tables:
            self._end_cell()
            self.tables[-1].append([])
        elif tag in ("td", "th") and self.tables and self.tables[-1]:
            self._end_cell()
            named = dict(attributes)
            self._span = (_span(named.get("colspan")), _span(named.get("rowspan")))
            self._cell = []
        elif tag == "br" and self._cell is not None:
            self._cell.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th", "tr", "table"):
            self._end_cell()

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.append(data)

    def _end_cell(self) -> None:
        if self._cell is None:
            return
        row = self.tables[-1][-1]
        while self._below.get(len(row), 0):
            self._below[len(row)] -= 1
            row.append("")
        columns, rows = self._span
        for place in range(columns):
            if rows > 1:
                self._below[len(row)] = rows - 1
            row.append(" ".join("".join(self._cell).split()) if place == 0 else "")
        self._cell = None


def _span(text: str | None) -> int:
    return min(int(text), HEADER_SEARCH_ROWS * 100) if text and text.isdecimal() else 1


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
    """UTF-16 by its mark, UTF-8 with or without one, else GB18030; no character is replaced."""
    with path.open("rb") as stream:
        start = stream.read(4)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        tried = ["utf-16"]
    else:
        tried = ["utf-8-sig" if start.startswith(codecs.BOM_UTF8) else "utf-8", "gb18030"]
    faults = []
    for encoding in tried:
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

    Where two rows name more together, as with merged cells, they are one header: a blank cell of
    the lower row is named by the cell above it. The index is that of the lower row.
    What stands in the rows is not repeated in the message: without a header it is personal data.
    """
    candidates = [list(row) for row in rows[:HEADER_SEARCH_ROWS]]
    pairs = [
        [low if low.strip() else high for high, low in zip_longest(above, below, fillvalue="")]
        for above, below in pairwise(candidates)
    ]
    headers = [*enumerate(candidates), *enumerate(pairs, start=1)]
    scores = [score(cells) for _, cells in headers]
    if not scores or max(scores) < min(2, max(len(row) for row in candidates)):
        raise UnreadableFile(
            f"no header row: none of the first {HEADER_SEARCH_ROWS} rows names the columns; "
            "put one above the rows, or look whether it is the file of another dataset"
        )
    return headers[scores.index(max(scores))]


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
        self._notes = 0
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
        self._blank += count - len(bad) - table.num_rows
        notes = _notes(table)
        if notes:
            self._notes += len(notes)
            table = table.take(np.setdiff1d(np.arange(table.num_rows), notes))
        self._rows += table.num_rows
        self._parquet.write_batch(table)

    def close(self) -> None:
        self._parquet.close()

    def reading(self, form: str, header_row: int, headers: tuple[str, ...]) -> Reading:
        """What was written."""
        malformed = tuple(self._malformed)
        return Reading(form, header_row, headers, self._rows, self._blank, self._notes, malformed)


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


@dataclass(frozen=True)
class _Sheet:
    """A sheet's rows of text below its header; `first_row` numbers the first of them."""

    name: str
    headers: tuple[str, ...]
    rows: list[list[str]]
    first_row: int


def _read_workbook(path: Path, score: Score, destination: Path) -> Reading:
    """The rows of every visible sheet that has a header, one below the other.

    A row of a later sheet is numbered SHEET_STEP times the sheet's place and its row: 10000005 is
    row 5 of the second sheet. Sheets that are hidden or have no header are named in the form.
    """
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        with CalamineWorkbook.from_path(path) as workbook:
            sheets, others = _sheets(workbook, score)
    except (CalamineError, OSError, IndexError) as fault:
        raise UnreadableFile(
            f"the workbook cannot be opened ({fault}); open it in a spreadsheet program, "
            "save it as .xlsx without a password and send it again"
        ) from None
    return _write_sheets(sheets, others, path.suffix[1:].lower(), destination)


def _write_sheets(
    sheets: Sequence[_Sheet], others: Sequence[str], kind: str, destination: Path
) -> Reading:
    headers: dict[str, str] = {}
    for sheet in sheets:
        for header in sheet.headers:
            headers.setdefault(header_key(header), header)
    header_row = sheets[0].first_row - 1
    writer = _Writer(destination, tuple(headers.values()), header_row)
    try:
        for sheet in sheets:
            writer.next_row = sheet.first_row
            places = {header_key(header): place for place, header in enumerate(sheet.headers)}
            columns = [
                pa.array([_cell_at(row, places.get(key)) for row in sheet.rows], pa.string())
                for key in headers
            ]
            if sheet.rows:
                batch = pa.RecordBatch.from_arrays(columns, names=list(headers.values()))
                writer.write(batch, ())
    finally:
        writer.close()
    form = f"{kind} sheet {'、'.join(sheet.name for sheet in sheets)}"
    if others:
        form += f"; not read: {'、'.join(others)}"
    return writer.reading(form, header_row, tuple(headers.values()))


def _sheets(workbook: "CalamineWorkbook", score: Score) -> tuple[list[_Sheet], list[str]]:
    """Sheets with a header, and the names of those with text that are hidden or have none."""
    from python_calamine import SheetVisibleEnum

    found: list[_Sheet] = []
    others: list[str] = []
    without_header: UnreadableFile | None = None
    for place, described in enumerate(workbook.sheets_metadata):
        sheet = workbook.get_sheet_by_index(place)
        texts = [[_cell_text(cell) for cell in row] for row in sheet.to_python(False)]
        if not any(cell.strip() for row in texts for cell in row):
            continue
        if described.visible != SheetVisibleEnum.Visible:
            others.append(f"{described.name}（隐藏）")
            continue
        try:
            found.append(_sheet(described.name, texts, place, score))
        except UnreadableFile as fault:
            without_header = fault
            others.append(described.name)
    if not found:
        raise without_header or UnreadableFile(
            "no header row: no visible sheet of the workbook holds any text; send it again"
        )
    return found, others


def _sheet(name: str, texts: list[list[str]], place: int, score: Score) -> _Sheet:
    index, cells = _header(texts, score)
    body = texts[index + 1 :]
    # a sheet is a rectangle: without its empty columns at the right, with those that only lack a
    # header
    width = max(
        (at for row in (cells, *body) for at, cell in enumerate(row, 1) if cell.strip()), default=0
    )
    headers = _distinct([*cells, *[""] * (width - len(cells))][:width])
    return _Sheet(name, headers, body, place * SHEET_STEP + index + 2)


def _cell_at(row: Sequence[str], place: int | None) -> str:
    return row[place] if place is not None and place < len(row) else ""


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

"""Text in columns: encodings, delimiters, quotation marks; read in blocks, whatever its size."""

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.csv as pa_csv

from minsheng.readers.common import (
    HEADER_SEARCH_ROWS,
    Header,
    MalformedRow,
    Reading,
    RowWriter,
    Score,
    UnreadableFile,
    distinct,
    find_header,
)

SUFFIXES = (".csv", ".txt", ".tsv")
SAMPLE_LINES = 2 * HEADER_SEARCH_ROWS
MOST_LINES_OF_A_ROW = 20
"""A row of more lines is several, run together by a quotation mark that is not closed."""

BLOCK_BYTES = 4 << 20


def read(
    connection: duckdb.DuckDBPyConnection, path: Path, score: Score, destination: Path
) -> Reading:
    encoding = encoding_of(path)
    blocks = whole_lines(decoded(path, encoding))
    start = ""
    for block in blocks:
        start += block
        if max(start.count("\n"), start.count("\r")) >= SAMPLE_LINES:
            break
    try:
        delimiter, header, rest = _head(start, score)
        headers = distinct(header.cells)
        header_row = header.index + 1
        writer = RowWriter(connection, destination, headers, header_row)
        writer.write(_batches(chain([rest], blocks), headers, delimiter, writer))
    except csv.Error:
        raise UnreadableFile("cell_is_too_long", most=csv.field_size_limit()) from None
    form = f"csv {encoding} {delimiter!r}"
    return writer.reading(form, header_row, headers, (header.stated_units,))


def encoding_of(path: Path) -> str:
    """UTF-16 by its mark, UTF-8 with or without one, else GB18030; no character is replaced."""
    with path.open("rb") as stream:
        start = stream.read(4)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        tried = ["utf-16"]
    else:
        tried = ["utf-8-sig" if start.startswith(codecs.BOM_UTF8) else "utf-8", "gb18030"]
    faults: tuple[list[str], list[str]] = ([], [])
    for encoding in tried:
        try:
            for _ in decoded(path, encoding):
                pass
        except UnicodeDecodeError as fault:
            name, byte, line = encoding.upper(), fault.start, _line_at(path, fault.start)
            faults[0].append(f"不是{name}：第{line}行，第{byte}字节")
            faults[1].append(f"not {name}: byte {byte}, line {line}")
            if _is_mostly_utf8(path, fault.start):
                break
        else:
            return encoding
    raise UnreadableFile("text_is_damaged", faults=("；".join(faults[0]), "; ".join(faults[1])))


def _is_mostly_utf8(path: Path, end: int) -> bool:
    """Whether the bytes before `end` hold Chinese text in UTF-8.

    Then the file is UTF-8 and damaged. GB18030 text has such bytes by the rarest chance, and read
    as GB18030 the file would come out as other characters without an error.
    """
    with path.open("rb") as stream:
        text = stream.read(min(end, BLOCK_BYTES)).decode("utf-8", errors="ignore")
    return len(re.findall("[\u0800-\U0010ffff]", text)) > 1 or text.startswith("\ufeff")


def decoded(path: Path, encoding: str) -> Iterator[str]:
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


def whole_lines(texts: Iterable[str]) -> Iterator[str]:
    """The same text in blocks that end with a line."""
    rest = ""
    for text in texts:
        rest += text
        # a line may end with a carriage return alone; the last one may be half of a line's end
        end = rest.rfind("\n") + 1 or rest.rfind("\r", 0, len(rest) - 1) + 1
        if end:
            yield rest[:end]
            rest = rest[end:]
    if rest:
        yield rest


def _lines(text: str) -> Iterator[str]:
    """Lines as `csv` wants them: their ends, of whichever kind, are kept."""
    return io.StringIO(text, newline="")


def _head(text: str, score: Score) -> tuple[str, Header, str]:
    """Delimiter, header, and the text below it."""
    sample = list(islice(_lines(text), SAMPLE_LINES))

    def best(delimiter: str) -> tuple[int, int]:
        scores = [score(row) for row in csv.reader(sample, delimiter=delimiter)]
        return max(scores, default=0), sum(line.count(delimiter) for line in sample)

    delimiter = max(",;\t|", key=best)
    rows = list(csv.reader(sample, delimiter=delimiter))
    header = find_header(rows, score)
    if _end_with_a_delimiter(rows[header.index + 1 :], len(header.cells)):
        header = replace(header, cells=[*header.cells, ""])
    reader = csv.reader(sample, delimiter=delimiter)
    for _ in islice(reader, header.index + 1):
        pass
    return delimiter, header, text[sum(map(len, sample[: reader.line_num])) :]


def _end_with_a_delimiter(rows: Sequence[Sequence[str]], width: int) -> bool:
    """Whether every row with text has a delimiter more than the header and nothing behind it.

    The last row of a sample may be cut off within a quoted cell.
    """
    filled = [row for row in rows[:-1] or rows if "".join(row).strip()]
    return bool(filled) and all(len(row) == width + 1 and not row[-1].strip() for row in filled)


def _batches(
    blocks: Iterable[str], headers: Sequence[str], delimiter: str, writer: "RowWriter"
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
        raise UnreadableFile("quotation_mark_is_not_closed", row=opened)


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
            raise UnreadableFile("quotation_mark_runs_on", row=number, lines=MOST_LINES_OF_A_ROW)
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

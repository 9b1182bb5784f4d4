"""Pages: the tables that spreadsheet programs save as .htm, or under a workbook's name."""

import codecs
from html.parser import HTMLParser
from pathlib import Path

import duckdb

from minsheng.readers.common import HEADER_SEARCH_ROWS, Reading, Score, UnreadableFile
from minsheng.readers.sheets import Sheet, sheet_below_header, write_sheets
from minsheng.readers.text import decoded, encoding_of

SUFFIXES = (".htm", ".html")


def is_page(path: Path) -> bool:
    """Whether what is named like a workbook is the web page that some programs save instead."""
    with path.open("rb") as stream:
        return stream.read(1024).lstrip(codecs.BOM_UTF8 + b" \t\r\n").startswith(b"<")


def read(
    connection: duckdb.DuckDBPyConnection, path: Path, score: Score, destination: Path
) -> Reading:
    """The tables of a page, as the sheets of a workbook."""
    tables = _Tables()
    for text in decoded(path, encoding_of(path)):
        tables.feed(text)
    tables.close()
    sheets: list[Sheet] = []
    without_header: UnreadableFile | None = None
    for place, rows in enumerate(tables.tables):
        try:
            sheets.append(sheet_below_header(f"table {place + 1}", rows, place, score))
        except UnreadableFile as fault:
            without_header = fault
    if not sheets:
        raise without_header or UnreadableFile(
            "page_is_a_frame" if tables.is_frame else "page_holds_no_table"
        )
    return write_sheets(connection, sheets, (), "htm", destination)


class _Tables(HTMLParser):
    """Rows of text of every table of a page; a cell over several columns or rows is in its first.

    Tables are as flat as spreadsheet programs save them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.is_frame = False
        self._cell: list[str] | None = None
        self._in_row = False
        self._span = (1, 1)
        self._below: dict[int, int] = {}

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag == "frame":
            self.is_frame = True
        elif tag == "table":
            self._end_row()
            self.tables.append([])
            self._below = {}
        elif tag == "tr" and self.tables:
            self._end_row()
            self.tables[-1].append([])
            self._in_row = True
        elif tag in ("td", "th") and self.tables and self.tables[-1]:
            self._end_cell()
            named = dict(attributes)
            self._span = (_span(named.get("colspan")), _span(named.get("rowspan")))
            self._cell = []
        elif tag == "br" and self._cell is not None:
            self._cell.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._end_cell()
        elif tag in ("tr", "table"):
            self._end_row()

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.append(data)

    def _end_cell(self) -> None:
        if self._cell is None:
            return
        row = self.tables[-1][-1]
        self._fill_covered(row)
        columns, rows = self._span
        for place in range(columns):
            if rows > 1:
                self._below[len(row)] = rows - 1
            row.append(" ".join("".join(self._cell).split()) if place == 0 else "")
        self._cell = None

    def _end_row(self) -> None:
        """Close the row, once, however many of its end and the next one's start are written."""
        self._end_cell()
        if self._in_row:
            self._fill_covered(self.tables[-1][-1])
            self._in_row = False

    def _fill_covered(self, row: list[str]) -> None:
        """Blank cells at the places that a cell of a row above still covers."""
        while self._below.get(len(row), 0):
            self._below[len(row)] -= 1
            row.append("")


def _span(text: str | None) -> int:
    return min(int(text), HEADER_SEARCH_ROWS * 100) if text and text.isdecimal() else 1

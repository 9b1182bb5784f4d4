"""Workbooks: cells come out as a spreadsheet program shows them."""

import re
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import IO, TYPE_CHECKING
from zipfile import ZipFile, is_zipfile

import duckdb

from minsheng.faults import told
from minsheng.identity import EXACT_DIGITS
from minsheng.readers.archive import COPY_BYTES, DAMAGES
from minsheng.readers.common import Reading, Score, UnreadableFile
from minsheng.readers.sheets import Sheet, sheet_below_header, write_sheets

if TYPE_CHECKING:
    from python_calamine import CalamineWorkbook

SUFFIXES = (".xlsx", ".xlsm", ".xls", ".ods")

MOST_CELLS = 50_000_000
"""Of the rectangle from A1 to a sheet's last cell: calamine holds blank ones too."""
DIMENSION = re.compile(rb'<(?:\w+:)?dimension\s+ref="(?:[A-Z]+\d+:)?([A-Z]+)(\d+)"')
DIMENSION_WITHIN_BYTES = 4096
UNCOMPUTED = re.compile(
    rb'<c(?![^<>]*\st="str")[^<>]*\sr="([A-Z]+\d+)"[^<>]*>'
    rb"\s*(?:<f[^<>]*/>|<f[^<>]*>[^<]*</f>)\s*(?:<v\s*/>|<v></v>)?\s*</c>"
)
"""A cell with a formula and no value; a formula whose text is empty is of the type `str`."""
FILLED_CELL = re.compile(rb'<(?:\w+:)?c\s(?:[^<>]*\s)?r="([A-Z]+)(\d+)"[^<>]*(?<!/)>')


def read(
    connection: duckdb.DuckDBPyConnection, path: Path, score: Score, destination: Path
) -> Reading:
    """The rows of every visible sheet that has a header, one below the other.

    A row of a later sheet is numbered SHEET_STEP times the sheet's place and its row: 10000000005
    is row 5 of the second sheet. Sheets that are hidden or have no header are named in the form.
    """
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        _refuse_sheets(path)
        with CalamineWorkbook.from_path(path) as workbook:
            sheets, others = _sheets(workbook, score)
    except BaseException as fault:
        if not isinstance(fault, CalamineError | OSError | IndexError) and not _is_panic(fault):
            raise
        is_locked = "assword" in str(fault)
        raise UnreadableFile(
            "workbook_has_a_password" if is_locked else "workbook_cannot_be_opened",
            advice=told(fault),
        ) from None
    return write_sheets(connection, sheets, others, path.suffix[1:].lower(), destination)


def _refuse_sheets(path: Path) -> None:
    """Refuse an .xlsx whose sheets would not fit in memory, or have formulas nobody has computed.

    What a sheet says of its size counts cells that are but coloured; then its cells are looked at.
    """
    if not is_zipfile(path):
        return
    try:
        with ZipFile(path) as archive:
            for name in archive.namelist():
                if "/worksheets/" not in name or not name.endswith(".xml"):
                    continue
                with archive.open(name) as stream:
                    row, column = _last_filled(stream)
                with archive.open(name) as stream:
                    cell = _formula_without_value(stream)
                if row * column > MOST_CELLS:
                    raise UnreadableFile(
                        "cells_are_too_far", row=row, column=column, most=MOST_CELLS
                    )
                if cell:
                    raise UnreadableFile("formulas_have_no_values", cell=cell)
    except UnreadableFile:
        raise
    except (*DAMAGES, RuntimeError):  # the last if it is packed with a password
        return  # calamine says what is wrong with it


def _formula_without_value(stream: IO[bytes]) -> str:
    """The first cell of a sheet whose formula nobody has computed; empty if there is none.

    Programs that write workbooks leave the values to those that show them.
    """
    rest = b""
    while block := stream.read(COPY_BYTES):
        whole, mark, rest = (rest + block).rpartition(b"</c>")
        found = UNCOMPUTED.search(whole + mark) if b"<f" in whole else None
        if found:
            return found[1].decode()
    return ""


def _last_filled(stream: IO[bytes]) -> tuple[int, int]:
    """The last row and column of a sheet, of cells that are filled if it says it is too large."""
    head = stream.read(DIMENSION_WITHIN_BYTES)
    stated = DIMENSION.search(head)
    if stated:
        row, column = int(stated[2]), _column_number(stated[1])
        if row * column <= MOST_CELLS:
            return row, column
    row, columns = 0, {b"A"}
    for block in _whole_tags(head, stream):
        for letters, number in FILLED_CELL.findall(block):
            row = max(row, int(number))
            columns.add(letters)
    return row, max(map(_column_number, columns))


def _whole_tags(rest: bytes, stream: IO[bytes]) -> Iterator[bytes]:
    """The stream in blocks that cut no tag in two; `rest` was read from it before."""
    while block := stream.read(COPY_BYTES):
        whole, mark, begun = (rest + block).rpartition(b"<")
        yield whole
        rest = mark + begun
    yield rest


def _column_number(letters: bytes) -> int:
    """`A` is 1, `AA` is 27."""
    number = 0
    for letter in letters:
        number = number * 26 + letter - ord("A") + 1
    return number


def _is_panic(fault: BaseException) -> bool:
    """Whether calamine, which is written in Rust, ran beyond the end of a damaged workbook.

    That is no Exception, and its class cannot be imported.
    """
    return type(fault).__module__ == "pyo3_runtime"


def _sheets(workbook: "CalamineWorkbook", score: Score) -> tuple[list[Sheet], list[str]]:
    """Sheets with a header, and the names of those with text that are hidden or have none."""
    from python_calamine import SheetVisibleEnum

    found: list[Sheet] = []
    others: list[str] = []
    without_header: UnreadableFile | None = None
    for place, described in enumerate(workbook.sheets_metadata):
        sheet = workbook.get_sheet_by_index(place)
        texts = [
            [cell if isinstance(cell, str) else _cell_text(cell) for cell in row]
            for row in sheet.to_python(False)
        ]
        if not any(cell.strip() for row in texts for cell in row):
            continue
        if described.visible != SheetVisibleEnum.Visible:
            others.append(f"{described.name}（隐藏）")
            continue
        try:
            found.append(sheet_below_header(described.name, texts, place, score))
        except UnreadableFile as fault:
            without_header = fault
            others.append(described.name)
    if not found:
        raise without_header or UnreadableFile("no_text_in_workbook")
    return found, others


def _cell_text(cell: object) -> str:
    """What is no text, as the spreadsheet shows it; a number too long to be exact, as `1E+17`."""
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

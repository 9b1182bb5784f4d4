"""Workbooks: cells come out as a spreadsheet program shows them."""

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from minsheng.identity import EXACT_DIGITS
from minsheng.readers.common import Reading, Score, UnreadableFile
from minsheng.readers.sheets import Sheet, sheet_below_header, write_sheets

if TYPE_CHECKING:
    from python_calamine import CalamineWorkbook

SUFFIXES = (".xlsx", ".xlsm", ".xls", ".ods")


def read(path: Path, score: Score, destination: Path) -> Reading:
    """The rows of every visible sheet that has a header, one below the other.

    A row of a later sheet is numbered SHEET_STEP times the sheet's place and its row: 10000000005
    is row 5 of the second sheet. Sheets that are hidden or have no header are named in the form.
    """
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        with CalamineWorkbook.from_path(path) as workbook:
            sheets, others = _sheets(workbook, score)
    except BaseException as fault:
        if not isinstance(fault, CalamineError | OSError | IndexError) and not _is_panic(fault):
            raise
        raise UnreadableFile(
            f"the workbook cannot be opened ({fault}); open it in a spreadsheet program, "
            "save it as .xlsx without a password and send it again"
        ) from None
    return write_sheets(sheets, others, path.suffix[1:].lower(), destination)


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
        raise without_header or UnreadableFile(
            "no header row: no visible sheet of the workbook holds any text; send it again"
        )
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

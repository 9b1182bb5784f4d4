"""The files that departments really send: every line of every one is accounted for."""

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter

from tests.minsheng.desk import LI, PAYMENT, PAYMENT_HEADER, WANG, ZHANG, Desk

HEADER = PAYMENT_HEADER.strip().split(",")
GOOD = [[ZHANG, "张三", "低保金", "500"], [LI, "李四", "低保金", "600"]]
SCIENTIFIC = "id_number_is_not_scientific"


@dataclass(frozen=True)
class Ugly:
    """A file of payments, and how its lines must be accounted for."""

    name: str
    content: bytes
    accepted: int
    refused: dict[str, int] = field(default_factory=dict)
    notes: int = 0
    blank: int = 0
    conversions: dict[str, int] = field(default_factory=dict)


def text(*rows: list[str], delimiter: str = ",", end: str = "\r\n") -> str:
    return "".join(delimiter.join(row) + end for row in rows)


def workbook(fill: Callable[[xlsxwriter.Workbook], None]) -> bytes:
    target = io.BytesIO()
    with xlsxwriter.Workbook(target, {"in_memory": True, "nan_inf_to_errors": True}) as book:
        fill(book)
    return target.getvalue()


def rows_below(book: xlsxwriter.Workbook, name: str, *rows: list[object]) -> None:
    sheet = book.add_worksheet(name)
    for place, row in enumerate(rows):
        sheet.write_row(place, 0, row)


def merged_report(book: xlsxwriter.Workbook) -> None:
    """Title, unit, a header of two rows with merged cells, subtotals and a signature."""
    sheet = book.add_worksheet("报表")
    form = book.add_format({"align": "center"})
    sheet.merge_range("A1:D1", "二〇二二年六月发放明细表", form)
    sheet.write_row("A2", ["填报单位：甲乡民政办", "", "", "单位：百元"])
    for column, label in enumerate(HEADER[:3]):
        sheet.merge_range(2, column, 3, column, label, form)
    sheet.write_row("D3", ["发放情况"])
    sheet.write_row("D4", ["发放\n金额"])
    sheet.write_row("A5", [ZHANG, "张三", "低保金", 5])
    sheet.write_row("A6", ["小计", "", "", 5])
    sheet.write_row("A8", [LI, "李四", "低保金", 6.5])
    sheet.write_row("A9", ["合　计", "", "", 11.5])
    sheet.write_row("A10", ["制表人：王五", "", "审核：赵六", ""])


def several_sheets(book: xlsxwriter.Workbook) -> None:
    rows_below(book, "封面", ["发放明细"], [datetime(2022, 7, 1).isoformat()])
    rows_below(book, "甲村", HEADER, GOOD[0])
    rows_below(book, "乙村", ["乙村"], HEADER, GOOD[1], ["总计", "", "", 600])
    rows_below(book, "空表")
    rows_below(book, "底稿", HEADER, *GOOD)
    book.get_worksheet_by_name("底稿").hide()
    rows_below(book, "丙村", HEADER, [int(WANG), "王五", "低保金", 700])


def packed(*members: tuple[str, str | bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return target.getvalue()


PAGE = (
    "<html xmlns:x='urn:schemas-microsoft-com:office:excel'><body><table>"
    "<tr><td colspan=4>发放明细<td></tr><tr><td>"
    + "</tr><tr><td>".join("<td>".join(row) for row in (HEADER, *GOOD))
    + "</tr></table></body></html>"
)
FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")

CASES = [
    Ugly("a mark of UTF-8.csv", text(HEADER, *GOOD).encode("utf-8-sig"), 2),
    Ugly("GB18030.csv", text(HEADER, *GOOD).encode("gb18030"), 2),
    Ugly("UTF-16.txt", text(HEADER, *GOOD, delimiter="\t").encode("utf-16"), 2),
    Ugly("old line ends.csv", text(HEADER, *GOOD, end="\r").encode(), 2),
    Ugly(
        "blank lines and a total.csv",
        text(["发放明细"], [], HEADER, GOOD[0], ["", " ", "", ""], GOOD[1], ["合计"]).encode(),
        2,
        # a line that is shorter than the header is no row
        {"row_has_as_many_cells_as_the_header": 1},
        blank=1,
    ),
    Ugly(
        "ids ruined.csv",
        text(HEADER, *GOOD, ["9.90101E+17", "王五", "低保金", "1"]).encode(),
        2,
        {SCIENTIFIC: 1},
    ),
    Ugly(
        "ids as quantities.csv",
        text(HEADER, *GOOD, [f"{WANG}.0", "王五", "低保金", "1"]).encode(),
        2,
        {"id_number_is_not_rounded": 1},
    ),
    Ugly(
        "full width.csv",
        text(
            HEADER, [ZHANG.translate(FULL_WIDTH), " 张三　", "低保金", "５００"], GOOD[1]
        ).encode(),
        2,
        conversions={"amount_yuan: full width": 1, "id_number: one form of digits": 1},
    ),
    Ugly(
        "thousands.csv",
        text(
            HEADER,
            [ZHANG, "张三", "低保金", '"1,500.00"'],
            [LI, "李四", "低保金", '"1,50"'],
            GOOD[1],
        ).encode(),
        2,
        {"amount_yuan_is_readable": 1},
        conversions={"amount_yuan: thousands separators": 1},
    ),
    Ugly(
        "ten thousands.csv",
        text([*HEADER[:3], "发放金额（万元）"], [ZHANG, "张三", "低保金", "0.05"]).encode(),
        1,
        conversions={"amount_yuan: 万元 to yuan": 1},
    ),
    Ugly(
        "a report.xlsx",
        workbook(merged_report),
        2,
        notes=3,
        blank=1,
        conversions={"amount_yuan: 百元 to yuan": 2},
    ),
    Ugly("several sheets.xlsx", workbook(several_sheets), 2, {SCIENTIFIC: 1}, notes=1),
    Ugly("a page.xls", PAGE.encode("gb18030"), 2),
    Ugly("a page.htm", PAGE.encode(), 2),
    Ugly(
        "an archive.zip",
        packed(
            ("甲村.csv", text(HEADER, GOOD[0]).encode("gb18030")),
            ("乙村.htm", PAGE.replace("张三", "张丙")),
            ("~$丙村.xlsx", b""),
            ("公函.docx", b"x"),
        ),
        3,
    ),
]


@pytest.mark.parametrize("ugly", CASES, ids=lambda ugly: ugly.name)
def test_every_line_of_an_ugly_file_is_accounted_for(desk: Desk, ugly: Ugly) -> None:
    suffix = Path(ugly.name).suffix
    receipt = desk.take(PAYMENT, f"2022-06{suffix}", ugly.content)
    assert (receipt.status, receipt.message) == ("taken", "")
    assert (receipt.rows_accepted, receipt.refused_by_rule) == (ugly.accepted, ugly.refused)
    assert receipt.rows_received == receipt.rows_accepted + receipt.rows_refused
    assert (receipt.note_rows, receipt.blank_rows) == (ugly.notes, ugly.blank)
    assert receipt.conversions == ugly.conversions
    accepted = desk.typed(receipt).filter(pl.col("refused_by").is_null())
    assert set(accepted["person_name"]) <= {"张三", "李四", "张丙"}
    assert set(accepted["id_number"]) <= {ZHANG, LI}
    assert set(accepted["amount_yuan"]) <= {500, 600, 650, 1500}


def test_litter_of_a_spreadsheet_program_stays_where_it_is(desk: Desk) -> None:
    desk.put(PAYMENT, "~$2022-06.xlsx", b"litter")
    desk.put(PAYMENT, ".~lock.2022-06.ods#", b"litter")
    assert desk.ingest(PAYMENT).receipts == ()
    assert len(list(desk.folder(PAYMENT).iterdir())) == 2


def test_a_date_is_a_date_in_whichever_cell_it_stands(desk: Desk) -> None:
    def fill(book: xlsxwriter.Workbook) -> None:
        day = book.add_format({"num_format": "yyyy年m月d日"})
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["残疾人证号", "姓名", "发证日期"])
        for place in range(4):
            sheet.write_row(place + 1, 0, [f"{ZHANG}4{place + 1}", "张三"])
        sheet.write_datetime(1, 2, datetime(2022, 6, 1), day)
        sheet.write_number(2, 2, 44713)
        sheet.write_string(3, 2, "44713")
        sheet.write_string(4, 2, "2022年6月1日")

    table = "disability_federation__disability_certificate"
    receipt = desk.take(table, "2022.xlsx", workbook(fill))
    assert desk.typed(receipt)["issue_date"].to_list() == [date(2022, 6, 1)] * 4
    assert receipt.conversions == {"issue_date: Excel serial": 2, "issue_date: 年月日": 1}

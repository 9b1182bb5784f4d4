"""One roll as a spreadsheet program saves it: whatever the format, the same rows come out.

How the files were made stands in tests/files/README.md.
"""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from minsheng.readers import SHEET_STEP
from tests.minsheng.desk import LI, ROLL, ZHANG, Desk

FILES = Path(__file__).parents[1] / "files"
SCIENTIFIC = "id_number_is_not_scientific"

# row, number, name, kind, month, yuan, why refused
FIRST_SHEET = [
    (4, ZHANG, "张三", "dibao", date(2020, 1, 1), Decimal(500), None),
    (5, None, "王五", "dibao", date(2020, 2, 1), Decimal(600), SCIENTIFIC),
    (6, LI, "李𠮷", "tekun", date(2021, 3, 1), Decimal(725), None),
]
SECOND_SHEET = [
    (SHEET_STEP + 4, LI, "赵六", "dibao_margin", date(2019, 12, 1), Decimal(1000), None)
]
SHEETS = "甲乡、乙乡; not read: 底稿（隐藏）、说明"
HEADERS = ("身份证号码", "姓名", "救助类别", "起始月份", "月保障金（万元）")


@pytest.mark.parametrize(
    ("name", "form", "sheet_count"),
    [
        ("roll.xlsx", f"xlsx sheet {SHEETS}", 2),
        ("roll.xls", f"xls sheet {SHEETS}", 2),
        ("roll.ods", f"ods sheet {SHEETS}", 2),
        ("roll.htm", "htm sheet table 1、table 2", 2),
        ("roll-utf8.csv", "csv utf-8 ','", 1),
        ("roll-gb18030.csv", "csv gb18030 ','", 1),
        ("roll-utf16.csv", "csv utf-16 ','", 1),
    ],
)
def test_a_roll_is_the_same_in_every_format_it_is_saved_in(
    desk: Desk, name: str, form: str, sheet_count: int
) -> None:
    path = FILES / name
    receipt = desk.take(ROLL, f"2022-06{path.suffix}", path.read_bytes())
    assert (receipt.form, receipt.header_row, receipt.headers) == (form, 3, HEADERS)
    rows = [*FIRST_SHEET, *SECOND_SHEET][: 3 + sheet_count - 1]
    typed = desk.typed(receipt)
    columns = ("row_number", "person_name", "assistance_code", "start_month", "monthly_yuan")
    assert typed.select(*columns, "refused_by").rows() == [(row[0], *row[2:]) for row in rows]
    whole = typed.filter(typed["refused_by"].is_null())["id_number"].to_list()
    assert whole == [row[1] for row in rows if row[1]]
    assert receipt.rows_received == len(rows) == receipt.rows_accepted + 1
    assert receipt.note_rows == 2 * sheet_count
    assert receipt.conversions == {
        "monthly_yuan: 万元 to yuan": len(rows),
        "start_month: day left out": len(rows) - 1,
        "start_month: 年月日": 1,
    }

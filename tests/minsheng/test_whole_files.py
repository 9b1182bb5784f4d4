"""Whatever is in a file, through the whole ingest: no crash, no row lost, no value changed."""

import csv
import io
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from minsheng.headers import BLANKS
from minsheng.lake import Receipt
from tests.minsheng.desk import INCOME, ROLL, VILLAGE, Desk
from tests.minsheng.test_values import understood

FILES = Path(__file__).parents[1] / "files"

few_files = settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def take(desk: Desk, table: str, name: str, content: bytes) -> Receipt:
    """The receipt of a file, from a sender of its own each time."""
    sender = f"乡{len(desk.receipts())}"
    return desk.take(table, f"{sender}/{name}", content)


def rows_of(text: str, delimiter: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


household = st.text(
    st.sampled_from("户1２.０0x,;\"' \t\u3000\u00a0\ue000𠮷㐂䶮😀")
    | st.characters(codec="gb18030", exclude_characters="\r\n\0"),
    max_size=6,
)
amount = (
    st.decimals(-(10**7), 10**7, places=3).map("{:f}".format)
    | st.text("0123456789.,-+eE１９，．－ 元", max_size=7)
    | st.just("")
)
extra = st.sampled_from(["", "", "合计", "备注：见附件", "\n", '"'])


@st.composite
def ledgers(draw: st.DrawFn) -> tuple[str, str]:
    """An income ledger as text, and its delimiter."""
    delimiter = draw(st.sampled_from([",", "\t", ";"]))
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    quoting: object = draw(st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]))
    target = io.StringIO(newline="")
    writer = csv.writer(target, delimiter=delimiter, lineterminator=end, quoting=quoting)
    if draw(st.booleans()):
        writer.writerow(["农户收入台账", "", "", ""])
    writer.writerow(["户编号", "家庭人口数", "行政村代码", "生产经营性净收入"])
    for _ in range(draw(st.integers(1, 12))):
        writer.writerow([draw(household), "2", VILLAGE, draw(amount)])
        if draw(extra) == "合计":
            writer.writerow(["合计", "", "", draw(amount)])
        if draw(extra) == "\n":
            writer.writerow(["", "", "", ""])
        if draw(extra) == "备注：见附件":
            writer.writerow(["备注：见附件"])
    return target.getvalue(), delimiter


@few_files
@given(ledgers(), st.sampled_from(["utf-8", "utf-8-sig", "gb18030", "utf-16"]))
@example(
    (f"户编号,家庭人口数,行政村代码,生产经营性净收入\n 户1\u3000,2,{VILLAGE},1e3\n", ","), "utf-8"
)
def test_no_row_is_lost_and_no_value_is_changed(
    desk: Desk, ledger: tuple[str, str], encoding: str
) -> None:
    text, delimiter = ledger
    written = rows_of(text, delimiter)
    receipt = take(desk, INCOME, "2022.csv", text.encode(encoding))
    if receipt.status == "refused":
        assert any(why in receipt.message for why in ("rows are good", "no rows"))
        return
    assert receipt.rows_received == receipt.rows_accepted + receipt.rows_refused
    lines = receipt.rows_received + receipt.blank_rows + receipt.note_rows
    assert receipt.header_row + lines == len(written)
    typed = desk.typed(receipt).filter(pl.col("refused_by").is_null())
    assert typed.height == receipt.rows_accepted
    for row in typed.select("row_number", "household_number", "business_yuan").iter_rows():
        number, _, _, income = written[row[0] - 1]
        assert row[1] == number.strip(BLANKS)
        assert row[2] == understood(income)


number_cell = st.integers(-(10**14), 10**14) | st.decimals(-(10**9), 10**9, places=4).map(float)


@few_files
@given(st.lists(number_cell, min_size=1, max_size=30))
def test_a_number_cell_of_a_workbook_keeps_its_value(
    desk: Desk, tmp_path_factory: pytest.TempPathFactory, numbers: list[int | float]
) -> None:
    import xlsxwriter

    path = tmp_path_factory.mktemp("made") / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["户编号", "家庭人口数", "行政村代码", "生产经营性净收入"])
        for place, number in enumerate(numbers, start=1):
            sheet.write_row(place, 0, [f"户{place}", 2, VILLAGE, number])
    receipt = take(desk, INCOME, "2022.xlsx", path.read_bytes())
    found = desk.typed(receipt)["business_yuan"].to_list()
    assert found == [understood(f"{Decimal(repr(number)):f}") for number in numbers]


SAVED = {path.name: path.read_bytes() for path in sorted(FILES.glob("roll*"))}


@few_files
@given(
    name=st.sampled_from(sorted(SAVED)),
    damages=st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 4), st.binary(max_size=4)), max_size=4
    ),
    kept=st.floats(0.3, 1) | st.just(1),
)
@example("roll.xls", [(0.1, 3, b"")], 1)
def test_a_damaged_file_is_read_or_refused(
    desk: Desk, name: str, damages: list[tuple[float, int, bytes]], kept: float
) -> None:
    content = bytearray(SAVED[name])
    for share, taken, put in damages:
        place = int(share * len(content))
        content[place : place + taken] = put
    content = content[: int(kept * len(content))]
    receipt = take(desk, ROLL, f"2022-06{Path(name).suffix}", bytes(content))
    assert receipt.rows_received == receipt.rows_accepted + receipt.rows_refused
    assert receipt.message or receipt.rows_received > 0
    assert desk.waiting() == []

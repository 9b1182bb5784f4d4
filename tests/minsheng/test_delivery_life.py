"""What becomes of a delivery: corrected, withdrawn, of the wrong period, too short, added up."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import openpyxl
import pytest

from minsheng import lake, limits
from minsheng.build import check, make_quality
from minsheng.contracts import Mode
from minsheng.lake import DeliveryError, Receipt
from minsheng.project import gather_inputs, in_force
from minsheng.source_tables import make_raw, make_staged
from minsheng.warehouse import Warehouse, open_warehouse
from tests.minsheng.desk import (
    LI,
    NOW,
    PAYMENT,
    PAYMENT_HEADER,
    WANG,
    ZHANG,
    Desk,
    with_header,
)

SETTLEMENT = "health__medical_settlement"
SETTLEMENT_HEADER = (
    "结算编号,身份证号,姓名,结算日期,医疗类别,总费用,"
    "基本医保支付,大病保险支付,医疗救助支付,个人自付\n"
)
CHEN = "990101197001010044"


def payments(count: int, first: int = 0) -> str:
    """A file of payments to as many persons."""
    people = range(first, first + count)
    rows = "".join(f"99010119700101{each:04d},人{each},低保金,5\n" for each in people)
    return PAYMENT_HEADER + rows


def staged(desk: Desk, table: str, columns: str) -> list[tuple[object, ...]]:
    """Rows that count, as the build would see them, in the order of all columns.

    What the ingest counted is counted again, and every accepted row that does not count is noted.
    """
    contracts = desk.project.contracts
    with open_warehouse(desk.project.settings, desk.project.settings.builds / "a") as warehouse:
        for source in desk.project.sources:
            if in_force(desk.project, source):
                make_raw(warehouse, desk.project, source)
                make_staged(warehouse, desk.project, source)
        count = make_staged(warehouse, desk.project, desk.source(table))
        rows = warehouse.rows(f"select {columns} from staged.{table} order by all")
        results = check(warehouse, desk.project, contracts[f"raw.{table}"])
        inputs = gather_inputs(desk.project)
        make_quality(warehouse, desk.project, contracts["quality.finding"], inputs)
        [(replaced,)] = warehouse.rows(
            "select count(*) from quality.finding where rule in "
            "('key_was_delivered_before', 'key_was_delivered_again', 'row_was_mended')"
        )
    assert [result.check_name for result in results if result.blocks] == []
    accepted = sum(r.rows_accepted for r in lake.effective(desk.receipts(), None))
    assert count == len(rows) == accepted - int(str(replaced))
    return rows


def in_mode(desk: Desk, table: str, mode: Mode) -> Desk:
    source = desk.source(table)
    assert source.delivery
    return desk.with_contract(replace(source, delivery=replace(source.delivery, mode=mode)))


# ── refused rows come back mended ────────────────────────────────────────────────────────────────

BAD = f"{ZHANG},张三,低保金,500\n9.90101E+17,王小五,低保金,600\n{LI},李四,低保金,-3\n"
GOOD = f"{CHEN},陈六,低保金,1\n{CHEN},陈七,低保金,1\n"


def workbook_of(desk: Desk, receipt: Receipt) -> Path:
    [path] = (desk.rejects / receipt.department).glob(f"*{receipt.delivery_id}*.xlsx")
    return path


def send_back(
    desk: Desk,
    receipt: Receipt,
    cells: dict[str, str],
    name: str = "",
    keep: Iterable[int] | None = None,
) -> Receipt:
    """Mend cells of the workbook (`D3` and the like), drop all but the rows `keep`, return it."""
    path = workbook_of(desk, receipt)
    book = openpyxl.load_workbook(path)
    sheet = book["请在此改正"]
    for place, value in cells.items():
        sheet[place] = value
    if keep is not None:
        for row in range(sheet.max_row, 2, -1):
            if row not in keep:
                sheet.delete_rows(row)
    target = desk.folder(receipt.table) / (name or path.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    book.save(target)
    later = NOW + timedelta(days=len(desk.receipts()))
    [taken] = desk.ingest(receipt.table, later).receipts
    return taken


def test_the_workbook_shows_each_refused_row_with_what_to_mend(desk: Desk) -> None:
    receipt = desk.take(PAYMENT, "2022-06.csv", PAYMENT_HEADER + BAD + GOOD)
    book = openpyxl.load_workbook(workbook_of(desk, receipt))
    assert book.sheetnames == ["退回原因", "请在此改正"]
    reasons = [[cell.value for cell in row] for row in book["退回原因"].iter_rows(min_row=2)]
    assert [row[:4] for row in reasons] == [
        ["第3行", "身份证号码", "9.9*******7", "id_number_is_not_scientific"],
        ["第4行", "发放金额", "-3", "amount_yuan_is_not_too_small"],
    ]
    assert reasons[0][4:] == [
        "公民身份号码被电子表格改成科学计数法，末位已丢失",
        "请先将该列设为文本格式，再按原始证件重新填写",
    ]
    rows = [[cell.value for cell in row] for row in book["请在此改正"].iter_rows(min_row=2)]
    assert rows == [
        ["退件行号", "身份证号码", "姓名", "发放项目", "发放金额"],
        ["3", "9.9*******7", "王*五", "低保金", "600"],
        ["4", "990**************3", "**", "低保金", "-3"],
    ]


def test_a_word_that_is_in_no_list_is_told_the_words_that_are(desk: Desk) -> None:
    receipt = desk.take(PAYMENT, "2022-06.csv", PAYMENT_HEADER + f"{ZHANG},张三,救济,5\n" + GOOD)
    [[*_, mend]] = openpyxl.load_workbook(workbook_of(desk, receipt))["退回原因"].iter_rows(
        min_row=2, values_only=True
    )
    assert mend.startswith("请按代码表中的名称填写：低保金、")


@pytest.mark.parametrize(
    ("header", "unit"), [("救助金额（万元）", "万元"), ("救助金额", "元"), ("金额（百元）", "百元")]
)
def test_an_amount_is_asked_for_in_the_unit_of_the_file_under_its_own_header(
    desk: Desk, header: str, unit: str
) -> None:
    table = "civil_affairs__temporary_relief"
    columns = f"身份证号码,姓名,救助原因,批准日期,{header}\n"
    rows = f"{ZHANG},张三,因病,2022-06-02,八十\n{WANG},王五,因病,2022-06-02,1\n"
    receipt = desk.take(table, "2022-06.csv", columns + rows)
    book = openpyxl.load_workbook(workbook_of(desk, receipt))
    [[_, column, *_, mend]] = book["退回原因"].iter_rows(min_row=2, values_only=True)
    assert (column, mend) == (header, f"请只填数字，以{unit}为单位；单位不同的，请在数字后写明单位")
    [[*_, marked]] = book["请在此改正"].iter_rows(min_row=3)
    assert (marked.value, marked.fill.fgColor.rgb) == ("八十", "FFFFF2CC")


def test_mended_rows_join_the_rows_that_were_good(desk: Desk) -> None:
    receipt = desk.take(PAYMENT, "甲/2022-06.csv", PAYMENT_HEADER + BAD + GOOD)
    mended = send_back(desk, receipt, {"B3": WANG, "E4": "300"})
    assert (mended.sender, mended.period, mended.corrects) == ("甲", "2022-06", receipt.delivery_id)
    assert (mended.rows_received, mended.rows_accepted) == (2, 2)
    assert staged(desk, PAYMENT, "person_name, id_number, amount_yuan::int") == [
        ("张三", ZHANG, 500),
        ("李四", LI, 300),
        ("王小五", WANG, 600),
        ("陈七", CHEN, 1),
        ("陈六", CHEN, 1),
    ]


def test_a_row_that_is_left_out_stays_refused(desk: Desk) -> None:
    receipt = desk.take(PAYMENT, "2022-06.csv", PAYMENT_HEADER + BAD + GOOD)
    send_back(desk, receipt, {"E4": "300"}, keep=[4])
    assert [row[0] for row in staged(desk, PAYMENT, "person_name")] == [
        "张三",
        "李四",
        "陈七",
        "陈六",
    ]


def test_workbooks_that_come_back_in_parts_add_up(desk: Desk) -> None:
    receipt = desk.take(PAYMENT, "2022-06.csv", PAYMENT_HEADER + BAD + GOOD)
    send_back(desk, receipt, {"B3": WANG}, keep=[3])
    send_back(desk, receipt, {"E4": "300"}, keep=[4])
    assert len(staged(desk, PAYMENT, "person_name")) == 5


def test_of_a_row_that_comes_back_twice_the_last_word_counts(desk: Desk) -> None:
    receipt = desk.take(PAYMENT, "2022-06.csv", PAYMENT_HEADER + BAD + GOOD)
    send_back(desk, receipt, {"E4": "300"}, keep=[4])
    send_back(desk, receipt, {"E4": "301"}, keep=[4])
    amounts = staged(desk, PAYMENT, "person_name, amount_yuan::int")
    assert [amount for name, amount in amounts if name == "李四"] == [301]


def test_a_row_refused_for_its_key_can_be_mended(desk: Desk) -> None:
    rows = f"{ZHANG},张三,低保金,500\n{ZHANG},张三,低保金,600\n" + GOOD
    receipt = desk.take(PAYMENT, "2022-06.csv", PAYMENT_HEADER + rows)
    assert receipt.refused_by_rule == {"key_is_unique": 1}
    send_back(desk, receipt, {"B3": WANG, "C3": "王五"})
    assert ("王五", 600) in staged(desk, PAYMENT, "person_name, amount_yuan::int")


def test_what_was_mended_stands_when_the_contract_would_take_the_original(desk: Desk) -> None:
    receipt = desk.take(PAYMENT, "2022-06.csv", PAYMENT_HEADER + BAD + GOOD)
    send_back(desk, receipt, {"E4": "300"}, keep=[4])
    source = desk.source(PAYMENT)
    columns = tuple(
        replace(column, minimum=None) if column.name == "amount_yuan" else column
        for column in source.columns
    )
    lenient = desk.with_contract(replace(source, columns=columns))
    amounts = staged(lenient, PAYMENT, "person_name, amount_yuan::int")
    assert [amount for name, amount in amounts if name == "李四"] == [300]


def test_a_workbook_comes_back_although_the_typed_rows_were_cleared_away(desk: Desk) -> None:
    receipt = desk.take(PAYMENT, "2022-06.csv", PAYMENT_HEADER + BAD + GOOD)
    for path in (desk.delivery(receipt) / "typed").iterdir():
        path.unlink()
    send_back(desk, receipt, {"B3": WANG, "E4": "300"})
    assert len(staged(desk, PAYMENT, "person_name")) == 5


def test_a_line_without_cells_can_be_filled_in(desk: Desk) -> None:
    receipt = desk.take(PAYMENT, "2022-06.csv", PAYMENT_HEADER + f"{ZHANG},张三\n" + GOOD)
    send_back(desk, receipt, {"B3": ZHANG, "C3": "张三", "D3": "低保金", "E3": "7"})
    assert ("张三", 7) in staged(desk, PAYMENT, "person_name, amount_yuan::int")


def test_what_is_still_wrong_comes_back_once_more(desk: Desk) -> None:
    receipt = desk.take(PAYMENT, "2022-06.csv", PAYMENT_HEADER + BAD + GOOD)
    first = send_back(desk, receipt, {"B3": WANG, "E4": "-4"})
    assert first.refused_by_rule == {"amount_yuan_is_not_too_small": 1}
    second = send_back(desk, first, {"E3": "4"})
    assert (second.corrects, second.rows_accepted) == (first.delivery_id, 1)
    assert ("李四", 4) in staged(desk, PAYMENT, "person_name, amount_yuan::int")
    assert len(staged(desk, PAYMENT, "person_name")) == 5


def test_a_mended_row_cannot_double_one_that_counts(desk: Desk) -> None:
    receipt = desk.take(PAYMENT, "2022-06.csv", PAYMENT_HEADER + BAD + GOOD)
    doubled = send_back(desk, receipt, {"B4": ZHANG, "C4": "张三", "E4": "9"}, keep=[4])
    assert doubled.refused_by_rule == {"key_is_unique": 1}
    assert ("张三", 500) in staged(desk, PAYMENT, "person_name, amount_yuan::int")


def test_a_full_corrected_file_ends_earlier_corrections(desk: Desk) -> None:
    receipt = desk.take(PAYMENT, "2022-06.csv", PAYMENT_HEADER + BAD + GOOD)
    send_back(desk, receipt, {"B3": WANG, "E4": "300"})
    whole = PAYMENT_HEADER + f"{ZHANG},张三,低保金,1\n" + GOOD
    desk.take(PAYMENT, "2022-06更正.csv", whole, day="2023-02-01")
    assert [row[0] for row in staged(desk, PAYMENT, "person_name")] == ["张三", "陈七", "陈六"]


def test_a_workbook_under_another_name_or_with_other_row_numbers_is_refused(desk: Desk) -> None:
    receipt = desk.take(PAYMENT, "2022-06.csv", PAYMENT_HEADER + BAD + GOOD)
    renamed = send_back(desk, receipt, {"E4": "3"}, name="2022-06.xlsx")
    assert "give it its own name again" in renamed.message
    moved = send_back(desk, receipt, {"A3": "999"})
    assert "row 3 has in the column 退件行号 no number of a row that was sent back" in moved.message
    assert "第3行的“退件行号”一列不是退件的行号" in moved.message_zh
    named = send_back(desk, receipt, {"A3": ZHANG})
    assert named.status == "refused"
    assert ZHANG not in named.message
    assert len(staged(desk, PAYMENT, "person_name")) == 3


def test_a_workbook_in_the_folder_of_another_dataset_is_told_where_it_belongs(desk: Desk) -> None:
    receipt = desk.take(PAYMENT, "2022-06.csv", PAYMENT_HEADER + BAD + GOOD)
    name = workbook_of(desk, receipt).name
    wrong = desk.take(SETTLEMENT, name, workbook_of(desk, receipt).read_bytes())
    assert "put it into inbox/civil_affairs/relief_payment" in wrong.message
    assert "请放回 inbox/civil_affairs/relief_payment" in wrong.message_zh


def test_a_workbook_of_a_delivery_that_nobody_knows_is_refused(desk: Desk) -> None:
    receipt = desk.take(PAYMENT, "退件-0123456789abcdef-x.csv", PAYMENT_HEADER + GOOD)
    assert "mends delivery 0123456789abcdef, and none such was taken" in receipt.message


def test_a_file_refused_for_too_many_bad_rows_has_a_workbook_too(desk: Desk) -> None:
    receipt = desk.take(PAYMENT, "2022-06.csv", PAYMENT_HEADER + BAD)
    assert (receipt.status, receipt.rows_received, receipt.rows_refused) == ("refused", 3, 2)
    assert openpyxl.load_workbook(workbook_of(desk, receipt)).sheetnames == ["退回原因"]
    assert len(desk.letters("civil_affairs")) == 1


# ── withdrawn ────────────────────────────────────────────────────────────────────────────────────


def test_a_withdrawn_delivery_gives_way_to_the_one_before(desk: Desk) -> None:
    first = desk.take(PAYMENT, "2022-06.csv", PAYMENT_HEADER + GOOD, day="2022-07-05")
    second = desk.take(PAYMENT, "2022-06更正.csv", payments(2), day="2022-07-20")
    withdrawal = lake.withdraw(desk.lake, second.delivery_id, "报错了", NOW)
    assert [each.delivery_id for each in lake.effective(desk.receipts(), None)] == [
        first.delivery_id
    ]
    before = lake.effective(desk.receipts(), (NOW - timedelta(days=1)).date())
    assert [each.delivery_id for each in before] == [second.delivery_id]
    lake.withdraw(desk.lake, withdrawal.delivery_id, "没有报错", NOW + timedelta(hours=1))
    assert [e.delivery_id for e in lake.effective(desk.receipts(), None)] == [second.delivery_id]


def test_a_withdrawn_file_that_is_sent_again_counts_again(desk: Desk) -> None:
    first = desk.take(PAYMENT, "2022-06.csv", PAYMENT_HEADER + GOOD)
    lake.withdraw(desk.lake, first.delivery_id, "报错了", NOW)
    again = desk.take(PAYMENT, "2022-06.csv", PAYMENT_HEADER + GOOD)
    assert [e.delivery_id for e in lake.effective(desk.receipts(), None)] == [again.delivery_id]
    assert again.delivery_id != first.delivery_id
    assert len(desk.receipts()) == 3


def test_only_a_delivery_that_counts_can_be_withdrawn(desk: Desk) -> None:
    refused = desk.take(PAYMENT, "2022-06.csv", "")
    for delivery_id in (refused.delivery_id, "0123456789abcdef"):
        with pytest.raises(DeliveryError, match=delivery_id):
            lake.withdraw(desk.lake, delivery_id, "报错了", NOW)


@pytest.mark.parametrize("reason", ["", " \n"])
def test_a_delivery_is_withdrawn_for_a_reason_alone(desk: Desk, reason: str) -> None:
    receipt = desk.take(PAYMENT, "2022-06.csv", PAYMENT_HEADER + GOOD)
    with pytest.raises(DeliveryError, match="for no reason; say why"):
        lake.withdraw(desk.lake, receipt.delivery_id, reason, NOW)
    assert desk.receipts() == (receipt,)


# ── of the wrong period, too short, or once more ─────────────────────────────────────────────────


def settlements(month: str, count: int) -> str:
    rows = "".join(
        f"S{month}{each},{ZHANG},张三,{month}-03,门诊,10,0,0,0,10\n" for each in range(count)
    )
    return SETTLEMENT_HEADER + rows


def test_a_file_whose_dates_lie_in_another_period_is_refused(desk: Desk) -> None:
    receipt = desk.take(SETTLEMENT, "2022-06.csv", settlements("2022-05", 3))
    assert receipt.status == "refused"
    assert "3 of 3 rows are dated outside 2022-06 by date of settlement" in receipt.message


def test_refused_rows_do_not_tell_the_period(desk: Desk) -> None:
    good = settlements("2022-06", 3)
    bad = "".join(f"T{n},{ZHANG},张三,2022-05-03,门诊,-1,0,0,0,10\n" for n in range(2))
    receipt = desk.take(SETTLEMENT, "2022-06.csv", good + bad)
    assert (receipt.status, receipt.rows_accepted, receipt.rows_refused) == ("taken", 3, 2)


def test_a_few_rows_of_another_period_are_only_doubted(desk: Desk) -> None:
    rows = settlements("2022-06", 5) + f"S9,{ZHANG},张三,2022-05-31,门诊,10,0,0,0,10\n"
    receipt = desk.take(SETTLEMENT, "2022-06.csv", rows)
    assert receipt.rows_accepted == 6
    assert receipt.warned_by_rule["date_lies_in_the_period"] == 1


def deliver_months(desk: Desk, counts: Iterable[int], year: int = 2021) -> None:
    for month, count in enumerate(counts, start=1):
        desk.put(PAYMENT, f"{year}-{month:02d}.csv", payments(count, first=month))
    receipts = desk.ingest(PAYMENT).receipts
    assert {receipt.status for receipt in receipts} == {"taken"}


def test_half_the_usual_rows_are_not_taken_for_the_whole(desk: Desk) -> None:
    deliver_months(desk, [400, 404, 398, 401, 405, 399])
    half = desk.take(PAYMENT, "2021-07.csv", payments(200))
    assert half.status == "refused"
    reason, mend, override = half.message.split("; ")
    assert "200 good rows where the period before had 399" in reason
    assert mend == "part of the file may be missing: ask its sender for the whole file"
    assert override == (
        "only if its sender has found it to be right as it is, "
        "say so in 2021-07.csv.yaml as rows: 200"
    )
    assert half.message_zh.index("重新报送完整的文件") < half.message_zh.index("rows: 200")


def test_the_limit_is_learnt_from_the_sender(desk: Desk) -> None:
    """Where numbers go up and down by half every month, half as many say nothing."""
    deliver_months(desk, [400, 180, 420, 210, 390, 200, 410])
    assert desk.take(PAYMENT, "2021-08.csv", payments(190)).status == "taken"


def test_a_sender_that_states_its_rows_stands_by_them(desk: Desk) -> None:
    deliver_months(desk, [400, 404, 398, 401, 405, 399])
    receipt = desk.take(PAYMENT, "2021-07.csv", payments(200), sidecar="rows: 200\n")
    assert (receipt.status, receipt.doubts) == ("taken", ())


def test_twice_the_usual_rows_are_taken_with_a_doubt(desk: Desk) -> None:
    deliver_months(desk, [400, 404, 398, 401, 405, 399])
    receipt = desk.take(PAYMENT, "2021-07.csv", payments(800))
    assert receipt.status == "taken"
    [doubt] = receipt.doubts
    assert "800 good rows where the period before had 399" in doubt


def test_a_few_rows_do_not_take_the_place_of_a_whole_month(desk: Desk) -> None:
    desk.take(PAYMENT, "2021-07.csv", payments(400), day="2021-08-05")
    tiny = desk.take(PAYMENT, "2021-07更正.csv", payments(3), day="2021-08-09")
    assert "3 good rows where the file that it would replace had 400" in tiny.message
    assert len(staged(desk, PAYMENT, "person_name")) == 400


def test_last_months_file_under_this_months_name_is_refused(desk: Desk) -> None:
    deliver_months(desk, [400, 420, 390, 415, 385])
    again = desk.take(PAYMENT, "2021-06.csv", payments(385, first=5))
    assert (again.status, "byte for byte the file of 2021-05" in again.message) == ("refused", True)
    assert "ask its sender for that of 2021-06; only if" in again.message


def test_a_short_file_may_well_be_unchanged(desk: Desk) -> None:
    deliver_months(desk, [3, 3, 3, 3, 3])
    again = desk.take(PAYMENT, "2021-06.csv", payments(3, first=5))
    assert (again.status, again.doubts) == ("taken", ())


def test_an_unchanged_file_of_an_unknown_sender_is_taken_with_a_doubt(desk: Desk) -> None:
    deliver_months(desk, [300])
    again = desk.take(PAYMENT, "2021-02.csv", payments(300, first=1))
    assert (again.status, again.doubts) == ("taken", ("it is byte for byte the file of 2021-01",))


@pytest.mark.parametrize(
    ("history", "count", "is_unusual"),
    [
        ([100, 100, 100], 10, False),  # too short a history to learn from
        ([100, 100, 100, 100], 70, False),  # by chance: sqrt(1/100 + 1/70) = 0.156, ln = 0.357
        ([100, 100, 100, 100], 60, True),  # sqrt(1/100 + 1/60) * 3 = 0.490 < ln 0.511
        ([10000, 10000, 10000, 10000], 9500, True),
        ([10000, 11000, 10000, 11000], 8100, False),  # 3.267 * ln(1.1) = 0.311
        ([10000, 11000, 10000, 11000], 8000, True),
        ([0, 0, 0, 0], 5, False),
    ],
)
def test_what_is_unusual_follows_from_the_changes_before(
    history: list[int], count: int, is_unusual: bool
) -> None:
    assert (limits.unusual_count(history, None, count) is not None) == is_unusual


def test_amounts_in_another_unit_than_before_are_not_taken_for_the_same(desk: Desk) -> None:
    """Nothing in the file says 万元, so that nothing but the file before tells it."""
    rows = [f"{ZHANG},张三,低保金,{{}}\n", f"{LI},李四,低保金,{{}}\n", f"{WANG},王五,低保金,0\n"]
    before = "".join(rows).format(800, 600)
    desk.take(PAYMENT, "2022-05.csv", PAYMENT_HEADER + before)
    slip = desk.take(PAYMENT, "2022-06.csv", PAYMENT_HEADER + "".join(rows).format(0.08, 0.06))
    assert slip.status == "refused"
    assert "the median of amount paid is 0.07 where the period before had 700.00" in slip.message
    assert "10000 is that of another unit; ask its sender for the file in" in slip.message
    # the file itself sent again in another unit, and one that rose by a half
    again = desk.take(PAYMENT, "2022-05.csv", PAYMENT_HEADER + "".join(rows).format(80000, 60000))
    assert "where the file that it would replace had 700.00" in again.message
    risen = desk.take(PAYMENT, "2022-06.csv", PAYMENT_HEADER + "".join(rows).format(1200, 900))
    assert risen.status == "taken"
    assert risen.medians == {"amount_yuan": 1050}
    right = desk.take(
        PAYMENT, "2022-07.csv", PAYMENT_HEADER + "".join(rows).format(1, 2), sidecar="rows: 3\n"
    )
    assert right.status == "taken"


RENAMED = PAYMENT_HEADER.replace("身份证号码", "持证人号")
PAID = f"{ZHANG},张三,低保金,800\n"


@pytest.mark.parametrize("sidecar", ["", "rows: 1\n"])
@pytest.mark.parametrize("period", ["2022-05", "2022-06"])
def test_a_file_whose_filled_column_may_have_been_renamed_is_refused(
    desk: Desk, period: str, sidecar: str
) -> None:
    """It would replace the numbers of everybody by nothing; its rows alone say nothing of that."""
    good = desk.take(PAYMENT, "2022-05.csv", PAYMENT_HEADER + PAID)
    slip = desk.take(PAYMENT, f"{period}.csv", RENAMED + PAID, "2023-01-11", sidecar)
    assert slip.status == "refused"
    assert "the file of 2022-05 had filled: citizen identity number (身份证号码 / " in slip.message
    assert "new headers that are not recognised: 持证人号; if a column was renamed" in slip.message
    assert "未能识别的新列名：持证人号；如只是改了列名，请改回上述名称" in slip.message_zh
    assert "expectations/staged/civil_affairs__relief_payment.yaml" in slip.advice
    assert lake.effective(desk.receipts(), None) == (good,)


@pytest.mark.parametrize(
    ("before", "now"),
    [
        pytest.param(
            (PAYMENT_HEADER, PAID), ("姓名,发放项目,发放金额\n", "张三,低保金,800\n"), id="left out"
        ),
        pytest.param(
            (PAYMENT_HEADER, ",张三,低保金,800\n"), (RENAMED, PAID), id="never had a value"
        ),
        pytest.param(
            ("姓名,发放项目,发放金额\n", "张三,低保金,800\n"), (RENAMED, PAID), id="never there"
        ),
        pytest.param(
            (f"开户行,{PAYMENT_HEADER}", f"某行,{PAID}"),
            ("开户行,姓名,发放项目,发放金额\n", "某行,张三,低保金,800\n"),
            id="the strange header was there before",
        ),
        pytest.param(
            (PAYMENT_HEADER, PAID),
            (f"开户行,{PAYMENT_HEADER}", f"某行,{PAID}"),
            id="nothing is lacking",
        ),
    ],
)
def test_a_file_with_fewer_columns_is_taken_where_none_can_have_been_renamed(
    desk: Desk, before: tuple[str, str], now: tuple[str, str]
) -> None:
    assert desk.take(PAYMENT, "2022-05.csv", "".join(before)).status == "taken"
    assert desk.take(PAYMENT, "2022-06.csv", "".join(now)).status == "taken"


def test_a_column_is_not_missed_for_another_senders_sake(desk: Desk) -> None:
    desk.take(PAYMENT, "甲/2022-05.csv", PAYMENT_HEADER + PAID)
    assert desk.take(PAYMENT, "乙/2022-06.csv", RENAMED + PAID).status == "taken"


def test_a_column_that_an_older_contract_did_not_know_is_missed_under_todays(desk: Desk) -> None:
    desk.take(PAYMENT, "2022-05.csv", RENAMED + PAID)
    mended = desk.with_contract(with_header(desk.source(PAYMENT), "id_number", "持证人号"))
    strange = PAYMENT_HEADER.replace("身份证号码", "某号")
    slip = mended.take(PAYMENT, "2022-06.csv", strange + PAID)
    assert slip.status == "refused"
    assert "not recognised: 某号" in slip.message


@pytest.mark.parametrize(("count", "is_refused"), [(8100, False), (7900, True), (13000, False)])
def test_what_is_unusual_is_refused_only_where_a_fifth_is_gone(
    count: int, is_refused: bool
) -> None:
    unusual = limits.unusual_count([10000, 10000, 10000, 10000], None, count)
    assert unusual is not None
    assert unusual.is_refused == is_refused


# ── deliveries that add up ───────────────────────────────────────────────────────────────────────


def test_appended_deliveries_all_count_and_a_key_counts_once(desk: Desk) -> None:
    appending = in_mode(desk, PAYMENT, "append")
    appending.take(PAYMENT, "2022-06_1.csv", payments(2), day="2022-06-10")
    second = appending.take(PAYMENT, "2022-06_2.csv", payments(2, first=1), day="2022-06-20")
    assert staged(
        appending, PAYMENT, "person_name, delivery_id = '" + second.delivery_id + "'"
    ) == [
        ("人0", False),
        ("人1", False),
        ("人2", True),
    ]


def test_of_upserted_deliveries_the_last_word_on_a_key_counts(desk: Desk) -> None:
    upserting = in_mode(desk, PAYMENT, "upsert")
    upserting.take(PAYMENT, "2022-06_1.csv", payments(2), day="2022-06-10")
    later = payments(2, first=1).replace("低保金,5", "低保金,6")
    upserting.take(PAYMENT, "2022-06_2.csv", later, day="2022-06-20")
    assert staged(upserting, PAYMENT, "person_name, amount_yuan::int") == [
        ("人0", 5),
        ("人1", 6),
        ("人2", 6),
    ]


def test_a_late_file_of_an_earlier_month_does_not_undo_a_later_one(desk: Desk) -> None:
    """A case that was cleared in July is not open again because June's file comes late."""
    source = desk.source(PAYMENT)
    assert source.delivery
    register = replace(
        source,
        key=("id_number", "person_name", "programme_code"),
        delivery=replace(source.delivery, mode="upsert"),
    )
    upserting = desk.with_contract(register)
    july = payments(2).replace("低保金,5", "低保金,7")
    upserting.take(PAYMENT, "2022-07.csv", july, day="2022-08-05")
    upserting.take(PAYMENT, "2022-06.csv", payments(3), day="2022-08-20")
    assert staged(upserting, PAYMENT, "person_name, amount_yuan::int") == [
        ("人0", 7),
        ("人1", 7),
        ("人2", 5),
    ]


# ── the whole place and its parts ────────────────────────────────────────────────────────────────

COUNTY, TOWN, OTHER_TOWN = "330302000000", "330302006000", "330302023000"


@contextmanager
def with_findings(desk: Desk) -> Iterator[Warehouse]:
    """A build of the desk's deliveries as far as `quality.finding`."""
    settings, contracts = desk.project.settings, desk.project.contracts
    with open_warehouse(settings, settings.builds / "a") as warehouse:
        for source in desk.project.sources:
            make_raw(warehouse, desk.project, source)
            make_staged(warehouse, desk.project, source)
        inputs = gather_inputs(desk.project)
        make_quality(warehouse, desk.project, contracts["quality.finding"], inputs)
        yield warehouse


def replaced_by(desk: Desk) -> dict[str, list[str]]:
    """What is noted of the accepted rows of each delivery that do not count."""
    with with_findings(desk) as warehouse:
        found = warehouse.rows(
            "select delivery_id, list(rule || ' ' || severity order by row_number) "
            "from quality.finding where severity = 'note' group by all"
        )
    return {str(delivery): rules for delivery, rules in found}  # type: ignore[misc]


def test_a_row_of_the_county_and_of_its_town_counts_once_as_delivered_last(desk: Desk) -> None:
    both = f"{ZHANG},张三,低保金,1\n"
    county = desk.take(
        PAYMENT, f"{COUNTY}/2022-06.csv", PAYMENT_HEADER + both + f"{WANG},王五,低保金,2\n"
    )
    later = PAYMENT_HEADER + both.replace(",1", ",3") + f"{LI},李四,低保金,4\n"
    desk.take(PAYMENT, f"{TOWN}/2022-06.csv", later, day="2023-01-11")
    assert staged(desk, PAYMENT, "person_name, amount_yuan::integer") == [
        ("张三", 3),
        ("李四", 4),
        ("王五", 2),
    ]
    assert replaced_by(desk)[county.delivery_id] == ["key_was_delivered_again note"]
    desk.take(PAYMENT, "2022-06.csv", PAYMENT_HEADER + f"{LI},李四,低保金,5\n", day="2023-01-12")
    assert ("李四", 5) in staged(desk, PAYMENT, "person_name, amount_yuan::integer")


def test_a_row_of_two_towns_or_of_two_months_counts_in_both(desk: Desk) -> None:
    rows = PAYMENT_HEADER + f"{ZHANG},张三,低保金,1\n"
    desk.take(PAYMENT, f"{TOWN}/2022-06.csv", rows)
    desk.take(PAYMENT, f"{OTHER_TOWN}/2022-06.csv", rows, day="2023-01-11")
    desk.take(PAYMENT, f"{COUNTY}/2022-07.csv", rows, day="2023-01-12")
    assert len(staged(desk, PAYMENT, "person_name")) == 3


def test_a_mended_row_of_a_town_takes_the_place_of_the_countys(desk: Desk) -> None:
    bad = PAYMENT_HEADER + f"{ZHANG},张三,低保金,-1\n{LI},李四,低保金,4\n"
    town = desk.take(PAYMENT, f"{TOWN}/2022-06.csv", bad)
    rows = PAYMENT_HEADER + f"{ZHANG},张三,低保金,2\n"
    county = desk.take(PAYMENT, f"{COUNTY}/2022-06.csv", rows, day="2023-01-11")
    send_back(desk, town, {"E3": "3"})
    assert staged(desk, PAYMENT, "person_name, amount_yuan::integer") == [("张三", 3), ("李四", 4)]
    assert replaced_by(desk)[county.delivery_id] == ["key_was_delivered_again note"]


# ── what is wrong, row by row ────────────────────────────────────────────────────────────────────


def test_every_fault_is_found_again_by_delivery_and_row(desk: Desk) -> None:
    rows = BAD + GOOD + f"99010119,孙八,低保金,5\n{ZHANG},周九\n"
    receipt = desk.take(PAYMENT, "2022-06.csv", PAYMENT_HEADER + rows)
    contracts = desk.project.contracts
    with with_findings(desk) as warehouse:
        found = warehouse.rows(
            "select delivery_id, row_number, rule, severity from quality.finding order by all"
        )
        results = check(warehouse, desk.project, contracts[f"raw.{PAYMENT}"])
    # the numbers are nobody's on purpose
    of_nobody = ("id_number_has_a_known_province", "id_number_has_its_check_digit")
    found = [fault for fault in found if fault[2] not in of_nobody]
    results = tuple(result for result in results if result.check_name not in of_nobody)
    assert found == [
        (receipt.delivery_id, 3, "id_number_has_its_shape", "warning"),
        (receipt.delivery_id, 3, "id_number_is_not_scientific", "critical"),
        (receipt.delivery_id, 4, "amount_yuan_is_not_too_small", "critical"),
        (receipt.delivery_id, 7, "id_number_has_its_shape", "warning"),
        (receipt.delivery_id, 8, "row_has_as_many_cells_as_the_header", "critical"),
    ]
    assert {r.check_name: r.failing_rows for r in results if r.failing_rows} == {
        "id_number_has_its_shape": 2,
        "id_number_is_not_scientific": 1,
        "amount_yuan_is_not_too_small": 1,
    }


def test_what_is_delivered_elsewhere_does_not_move_the_month_of_the_figures(desk: Desk) -> None:
    """A city of another province, for its own plan; the province above speaks for all below."""
    desk.take(PAYMENT, "330328000000/2022-05.csv", payments(2), day="2022-06-10")
    desk.take(PAYMENT, "370600000000/2022-09.csv", payments(2), day="2022-10-10")
    assert gather_inputs(desk.project).as_of_month == date(2022, 5, 1)
    desk.take(PAYMENT, "330000000000/2022-07.csv", payments(2), day="2022-08-10")
    assert gather_inputs(desk.project).as_of_month == date(2022, 7, 1)


# ── ledgers ──────────────────────────────────────────────────────────────────────────────────────

RELOCATION = "housing__relocation"
RELOCATION_HEADER = "户主身份证号,户主姓名,搬迁人数,搬迁状态,安置方式,入住日期\n"
PLANNED = f"{ZHANG},张三,3,计划搬迁,,\n"
MOVED = f"{ZHANG},张三,3,已搬迁,集中安置,2019-05-01\n"
NEIGHBOUR = f"{LI},李四,2,计划搬迁,,\n"


def reported(desk: Desk, table: str) -> list[tuple[object, ...]]:
    """Each report with its row that counts and the years for which it stands."""
    source = desk.source(table)
    with open_warehouse(desk.project.settings, desk.project.settings.builds / "a") as warehouse:
        make_raw(warehouse, desk.project, source)
        make_staged(warehouse, desk.project, source)
        return warehouse.rows(
            f"select report.relocation_state_code, first_year, last_year, counted.period "
            f"from reported.{table} as report join staged.{table} as counted "
            "on counted.delivery_id = counted_delivery_id "
            "and counted.row_number = counted_row_number "
            "order by report.person_name, first_year"
        )


def test_a_report_of_a_ledger_stands_until_the_next_one(desk: Desk) -> None:
    desk.take(RELOCATION, "2018.csv", RELOCATION_HEADER + PLANNED, day="2019-01-20")
    desk.take(RELOCATION, "2020.csv", RELOCATION_HEADER + MOVED, day="2021-01-20")
    desk.take(RELOCATION, "2022.csv", RELOCATION_HEADER + NEIGHBOUR, day="2023-01-20")
    assert reported(desk, RELOCATION) == [
        ("planned", 2018, 2019, "2020"),
        ("moved", 2020, 2022, "2020"),
        ("planned", 2022, 2022, "2022"),
    ]


def test_what_a_first_report_tells_of_the_years_before_stands_for_them(desk: Desk) -> None:
    desk.take(RELOCATION, "2021.csv", RELOCATION_HEADER + MOVED + NEIGHBOUR, day="2022-01-20")
    assert reported(desk, RELOCATION) == [
        ("moved", 2019, 2021, "2021"),
        ("planned", 2021, 2021, "2021"),
    ]


def test_where_rows_do_not_stand_a_report_is_of_its_year_alone(desk: Desk) -> None:
    source = desk.source(RELOCATION)
    assert source.delivery
    yearly = desk.with_contract(
        replace(source, delivery=replace(source.delivery, stands_from=None))
    )
    yearly.take(RELOCATION, "2018.csv", RELOCATION_HEADER + PLANNED, day="2019-01-20")
    yearly.take(RELOCATION, "2020.csv", RELOCATION_HEADER + MOVED, day="2021-01-20")
    assert reported(yearly, RELOCATION) == [
        ("planned", 2018, 2018, "2020"),
        ("moved", 2020, 2020, "2020"),
    ]

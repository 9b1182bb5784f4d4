"""A delivery is stored once and for ever, with a receipt that accounts for every row."""

import hashlib
import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minsheng import inbox, judging, lake
from minsheng.contracts import Contract, Rule
from minsheng.lake import Receipt
from minsheng.project import Project
from minsheng.settings import load_settings
from minsheng.source_tables import make_raw
from minsheng.warehouse import open_warehouse
from tests.minsheng.desk import (
    INCOME,
    INCOME_HEADER,
    LI,
    NOW,
    PAYMENT,
    PAYMENT_HEADER,
    ROLL,
    VILLAGE,
    WANG,
    ZHANG,
    Desk,
    with_header,
)

FIRST = PAYMENT_HEADER + f"{ZHANG},张三,低保金,500\n"
CORRECTED = PAYMENT_HEADER + f"{ZHANG},张三,低保金,510\n"


def in_force(desk: Desk, known_on: date | None = None) -> list[str]:
    """Names of the files that count."""
    return [receipt.file_name for receipt in lake.effective(desk.receipts(), known_on)]


def test_a_delivery_keeps_its_bytes_and_has_a_receipt(desk: Desk) -> None:
    receipt = desk.take(PAYMENT, "温州医院/2022-06.csv", FIRST, day="2022-07-05")
    assert receipt == desk.receipts()[0]
    assert (receipt.department, receipt.dataset) == ("civil_affairs", "relief_payment")
    assert (receipt.sender, receipt.period, receipt.status) == ("温州医院", "2022-06", "taken")
    assert receipt.sha256 == hashlib.sha256(FIRST.encode()).hexdigest()
    assert receipt.byte_count == len(FIRST.encode())
    assert (receipt.rows_received, receipt.rows_accepted, receipt.rows_refused) == (1, 1, 0)
    assert (desk.delivery(receipt) / "original" / "2022-06.csv").read_bytes() == FIRST.encode()
    assert desk.waiting() == []


def test_the_delivery_day_is_kept_apart_from_the_ingestion(desk: Desk) -> None:
    receipt = desk.take(PAYMENT, "2022-06.csv", FIRST, day="2022-07-05")
    assert receipt.delivered_at == "2022-07-05T12:00:00+08:00"
    assert receipt.ingested_at == NOW.isoformat()


def test_a_sidecar_says_when_and_for_which_period(desk: Desk) -> None:
    said = "period: '2022-06'\ndelivered_at: 2022-07-03 10:30\nrows: 1\n"
    receipt = desk.take(PAYMENT, "明细.csv", FIRST, day="2022-09-09", sidecar=said)
    assert (receipt.period, receipt.delivered_at) == ("2022-06", "2022-07-03T10:30:00+08:00")
    assert not list(desk.folder(PAYMENT).iterdir())
    kept = desk.delivery(receipt) / "original" / "明细.csv.yaml"
    assert kept.read_text(encoding="utf-8") == said


def test_a_folder_named_by_a_code_of_no_area_refuses_its_files(desk: Desk) -> None:
    """A mistyped code would be waited for in every later period."""
    receipt = desk.take(PAYMENT, "33032600000/2022-06.csv", FIRST)
    assert receipt.status == "refused"
    assert "33032600000 is the code of no area that is known" in receipt.message


@pytest.mark.parametrize(
    ("folder", "nearest"),
    [
        ("文城县", " (the nearest is 文成县)"),
        ("文成县 文成县", " (the nearest is 文成县)"),
        ("温州", " (the nearest is 温州市)"),
        ("不知何处村", ""),
        ("文成县 - 副本", ""),
        ("文成县2022", " (the nearest is 文成县)"),
        ("330328000000 - 副本", ""),
        ("330328000000_copy(2)", ""),
        ("副本-330328000000", ""),
    ],
)
def test_a_folder_that_seems_to_name_an_area_and_names_none_refuses_its_files(
    desk: Desk, folder: str, nearest: str
) -> None:
    """A misspelt name would be taken for a unit, and be waited for in every county."""
    receipt = desk.take(PAYMENT, f"{folder}/2022-06.csv", FIRST)
    assert receipt.status == "refused"
    assert f"no area that is known is called so{nearest}; name the folder" in receipt.message
    [letter] = desk.letters("civil_affairs")
    assert f"所在文件夹“{folder}”像是行政区划，但不是已知的名称" in letter


@pytest.mark.parametrize(
    "folder", ["第一中学", "文成县人民医院", "文成县民政局", "文成医院", "司前畲族镇医院"]
)
def test_a_folder_may_be_named_by_a_unit_though_it_bears_an_areas_name(
    desk: Desk, folder: str
) -> None:
    receipt = desk.take(PAYMENT, f"{folder}/2022-06.csv", FIRST)
    assert (receipt.status, receipt.sender) == ("taken", folder)


def test_a_folder_named_by_an_area_is_that_of_its_code(desk: Desk) -> None:
    first = desk.take(PAYMENT, "330328000000/2022-06.csv", FIRST)
    second = desk.take(PAYMENT, "文成县/2022-06_更正.csv", CORRECTED, day="2023-01-12")
    assert (first.sender, first.sender_named) == ("330328000000", "")
    assert (second.sender, second.sender_named) == ("330328000000", "文成县")
    assert in_force(desk) == ["2022-06_更正.csv"]


def test_a_folder_with_a_name_of_several_areas_refuses_its_files(tmp_path: Path) -> None:
    demo = load_settings(deployment="demo")
    areas = tmp_path / "policies" / "shared" / "areas.csv"
    areas.parent.mkdir(parents=True)
    listed = (demo.root / "policies" / "shared" / "areas.csv").read_text(encoding="utf-8")
    twice = [f"{code}000,town,城关镇,{code[:6]}000000" for code in ("330328990", "330329990")]
    areas.write_text("\n".join([listed.rstrip(), *twice, ""]), encoding="utf-8")
    shutil.copy(demo.deployment / "settings.yaml", tmp_path)
    desk = Desk(Project(load_settings(tmp_path / "home", str(tmp_path))))
    receipt = desk.take(PAYMENT, "城关镇/2022-06.csv", FIRST)
    assert "several areas are called 城关镇 (330328990000、330329990000)" in receipt.message


def test_two_counties_may_number_their_households_alike(desk: Desk) -> None:
    header = "户编号,人口数,行政村代码,家庭总收入\n"
    rows = "001,2,330324001001,100\n001,3,330326100013,200\n001,4,330326100013,300\n"
    receipt = desk.take(INCOME, "2022.csv", header + rows)
    assert (receipt.rows_accepted, receipt.refused_by_rule) == (2, {"key_is_unique": 1})


def test_files_of_a_backlog_count_from_when_they_usually_come(desk: Desk) -> None:
    """Ten days after the month by the contract, so that --known-on can look back over a backlog."""
    receipt = desk.take(
        PAYMENT, "2019-06.csv", FIRST, day="2022-12-31", sidecar="delivered_at: usual\n"
    )
    assert receipt.delivered_at == "2019-07-10T00:00:00+08:00"


def test_a_file_date_that_is_still_to_come_counts_as_now(desk: Desk) -> None:
    receipt = desk.take(PAYMENT, "2022-06.csv", FIRST, day="2035-01-01")
    assert receipt.delivered_at == NOW.isoformat()


@pytest.mark.parametrize("name", ["2022-06.csv", "2022-06_重报.csv", "救助202206.csv"])
def test_the_same_file_twice_is_taken_once(desk: Desk, name: str) -> None:
    receipt = desk.take(PAYMENT, "2022-06.csv", FIRST, day="2022-07-05")
    desk.put(PAYMENT, name, FIRST, day="2022-07-09")
    again = desk.ingest(PAYMENT)
    assert (again.receipts, again.repeated) == ((), (name,))
    assert desk.receipts() == (replace(receipt, sent_again={name: NOW.isoformat()}),)
    assert desk.waiting() == []


def test_a_corrected_file_supersedes_the_earlier_one(desk: Desk) -> None:
    desk.take(PAYMENT, "2022-06.csv", FIRST, day="2022-07-05")
    desk.take(PAYMENT, "2022-06_更正.csv", CORRECTED, day="2022-07-20")
    assert in_force(desk) == ["2022-06_更正.csv"]
    assert len(desk.receipts()) == 2


def test_a_file_that_comes_late_does_not_supersede_a_later_word(desk: Desk) -> None:
    desk.take(PAYMENT, "2022-06_更正.csv", CORRECTED, day="2022-07-20")
    desk.take(PAYMENT, "2022-06.csv", FIRST, day="2022-07-05")
    assert in_force(desk) == ["2022-06_更正.csv"]


def test_of_two_files_of_one_moment_the_last_by_name_counts(desk: Desk) -> None:
    for place in range(8):
        desk.put(PAYMENT, f"2022-06_{place}.csv", FIRST.replace("500", f"{500 + place}"))
    assert len(desk.ingest(PAYMENT).receipts) == 8
    assert in_force(desk) == ["2022-06_7.csv"]


def test_a_file_never_supersedes_another_sender_or_period(desk: Desk) -> None:
    for name in ("甲/2022-06.csv", "乙/2022-06.csv", "甲/2022-07.csv", "2022-06.csv"):
        desk.take(PAYMENT, name, FIRST, day="2022-08-05")
    desk.take(PAYMENT, "甲/2022-06更正.csv", CORRECTED, day="2022-08-09")
    effective = lake.effective(desk.receipts(), None)
    assert [(receipt.sender, receipt.file_name) for receipt in effective] == [
        (None, "2022-06.csv"),
        ("乙", "2022-06.csv"),
        ("甲", "2022-06更正.csv"),
        ("甲", "2022-07.csv"),
    ]


def test_the_old_bytes_after_a_correction_are_a_later_delivery(desk: Desk) -> None:
    desk.take(PAYMENT, "2022-06.csv", FIRST, day="2022-07-05")
    desk.take(PAYMENT, "2022-06_更正.csv", CORRECTED, day="2022-07-20")
    desk.take(PAYMENT, "2022-06_仍以此为准.csv", FIRST, day="2022-07-25")
    assert in_force(desk) == ["2022-06_仍以此为准.csv"]
    assert len({receipt.delivery_id for receipt in desk.receipts()}) == 3


def test_a_superseded_file_of_the_same_day_again_is_no_later_word(desk: Desk) -> None:
    desk.take(PAYMENT, "2022-06.csv", FIRST, day="2022-07-05")
    desk.take(PAYMENT, "2022-06_更正.csv", CORRECTED, day="2022-07-20")
    before = desk.receipts()
    desk.put(PAYMENT, "2022-06.csv", FIRST, day="2022-07-05")
    assert desk.ingest(PAYMENT).repeated == ("2022-06.csv",)
    after = tuple(replace(each, sent_again={}) for each in desk.receipts())
    assert (after, in_force(desk)) == (before, ["2022-06_更正.csv"])


def test_known_on_leaves_out_what_was_delivered_after(desk: Desk) -> None:
    desk.take(PAYMENT, "2022-06.csv", FIRST, day="2022-07-05")
    desk.take(PAYMENT, "2022-06_更正.csv", CORRECTED, day="2022-07-20")
    assert in_force(desk, date(2022, 7, 4)) == []
    assert in_force(desk, date(2022, 7, 5)) == ["2022-06.csv"]
    assert in_force(desk, date(2022, 7, 19)) == ["2022-06.csv"]
    assert in_force(desk, date(2022, 7, 20)) == ["2022-06_更正.csv"]


def test_a_refused_file_leaves_the_last_good_one_in_force(desk: Desk) -> None:
    desk.take(PAYMENT, "2022-06.csv", FIRST, day="2022-07-05")
    refused = desk.take(PAYMENT, "2022-06_更正.csv", "", day="2022-07-20")
    assert refused.status == "refused"
    assert in_force(desk) == ["2022-06.csv"]


@pytest.mark.parametrize("day", ["2022-07-20", "2022-07-25"])
def test_a_refused_file_that_comes_unchanged_is_noted_with_its_refusal(
    desk: Desk, day: str
) -> None:
    refused = desk.take(PAYMENT, "2022-06.csv", "", day="2022-07-20")
    desk.put(PAYMENT, "2022-06.csv", "", day=day)
    later = NOW + timedelta(days=1)
    assert desk.ingest(PAYMENT, later).repeated == ("2022-06.csv",)
    noted = replace(refused, sent_again={"2022-06.csv": later.isoformat()})
    assert desk.receipts() == (noted,)


def test_what_is_refused_again_is_refused_under_the_contract_of_today(desk: Desk) -> None:
    refused = desk.take(PAYMENT, "2022-06.csv", "")
    changed = desk.with_contract(with_header(desk.source(PAYMENT), "amount_yuan", "实发"))
    changed.put(PAYMENT, "2022-06.csv", "")
    assert changed.ingest(PAYMENT).receipts == ()
    [standing] = changed.receipts()
    version = judging.typed_version(changed.source(PAYMENT), changed.project.codes)
    assert (standing.status, standing.contract_hash) == ("refused", version)
    assert version != refused.contract_hash


def test_of_like_files_without_a_period_none_is_lost_from_sight(desk: Desk) -> None:
    names = ["甲.csv", "乙.csv", "丙.csv"]
    for name in names:
        desk.put(PAYMENT, name, FIRST)
    [receipt] = desk.ingest(PAYMENT).receipts
    assert receipt.status == "refused"
    [standing] = desk.receipts()
    assert {standing.file_name, *standing.sent_again} == set(names)


def test_a_refused_file_is_taken_when_its_contract_is_mended(desk: Desk) -> None:
    strange = FIRST.replace("发放金额", "实发")
    refused = desk.take(PAYMENT, "2022-06.csv", strange)
    assert refused.status == "refused"
    assert len(desk.letters("civil_affairs")) == 1
    mended = desk.with_contract(with_header(desk.source(PAYMENT), "amount_yuan", "实发"))
    taken = mended.take(PAYMENT, "2022-06.csv", strange)
    assert (taken.status, taken.delivery_id) == ("taken", refused.delivery_id)
    assert desk.receipts() == (taken,)
    assert desk.letters("civil_affairs") == []


def test_litter_is_left_alone_and_misplaced_files_are_named(desk: Desk) -> None:
    for name in (
        "~$2022-06.xlsx",
        "2022-06.csv.tmp",
        "2022-06.csv.PART",
        ".DS_Store",
        "Thumbs.db",
        "desktop.ini",
        ".sync/a.csv",
    ):
        desk.put(PAYMENT, name, FIRST)
    astray = [
        desk.put(PAYMENT, "甲/乙/2022-06.csv", FIRST),
        desk.put("civil_affairs__no_such_dataset", "2022-06.csv", FIRST),
        desk.inbox / "2022-06.csv",
    ]
    astray[-1].write_text(FIRST, encoding="utf-8")
    assert desk.ingest(PAYMENT).receipts == ()
    misplaced = inbox.misplaced_files(desk.project.settings, desk.project.sources)
    assert sorted(misplaced) == sorted(astray)
    assert all(path.is_file() for path in astray)


@pytest.mark.parametrize(
    ("name", "kind", "period"),
    [
        ("2022.csv", "year", "2022"),
        ("台账_2022年.xlsx", "year", "2022"),
        ("2022-06.csv", "month", "2022-06"),
        ("救助202206.csv", "month", "2022-06"),
        ("2022年6月.csv", "month", "2022-06"),
        ("2022年12月发放.csv", "month", "2022-12"),
        ("2022_06_2022-06.csv", "month", "2022-06"),
        ("2022.csv", "month", None),
        ("2022-6.csv", "month", None),
        ("名册.csv", "year", None),
        ("330302.csv", "year", None),
        ("2021与2022.csv", "year", None),
        ("2022-06_导出2022-07.csv", "month", None),
    ],
)
def test_a_file_name_states_one_period_or_none(name: str, kind: str, period: str | None) -> None:
    assert lake.period_in(name, "year" if kind == "year" else "month") == period


# ── rows refused alone ──────────────────────────────────────────────────────────────────────────


def test_a_bad_row_is_refused_alone_with_its_reason(desk: Desk) -> None:
    rows = f"{ZHANG},张三,低保金,500\n{WANG},王小五,低保金,-3\n{LI},,低保金,abc\n{LI},李四\n"
    rows += f"{LI},李四,低保金,5\n{LI},李四,临时救助,5\n"
    receipt = desk.take(PAYMENT, "2022-06.csv", PAYMENT_HEADER + rows)
    assert (receipt.rows_received, receipt.rows_accepted, receipt.rows_refused) == (6, 3, 3)
    assert receipt.refused_by_rule == {
        "amount_yuan_is_not_too_small": 1,
        "amount_yuan_is_readable": 1,
        "person_name_is_given": 1,
        "row_has_as_many_cells_as_the_header": 1,
    }
    assert desk.refused(receipt).select("row_number", "rule", "value").rows() == [
        (3, "amount_yuan_is_not_too_small", "-3"),
        (4, "amount_yuan_is_readable", "abc"),
        (4, "person_name_is_given", ""),
        (5, "row_has_as_many_cells_as_the_header", "2 格"),
    ]
    assert desk.typed(receipt)["refused_by"].null_count() == 3


def workbook_rows(desk: Desk, department: str) -> list[list[str]]:
    from python_calamine import CalamineWorkbook

    (path,) = (desk.rejects / department).glob("*.xlsx")
    with CalamineWorkbook.from_path(path) as workbook:
        return [[str(cell) for cell in row] for row in workbook.get_sheet_by_index(0).to_python()]


def test_the_workbook_of_refused_rows_masks_who_is_meant(desk: Desk) -> None:
    rows = f"9.90101E+17,张三,低保金,500\n{WANG},王小五,低保金,-3\n{LI},李四,低保金,5\n"
    rows += f"{LI},李五,低保金,5\n"
    desk.take(PAYMENT, "甲/2022-06.csv", PAYMENT_HEADER + rows)
    header, *lines = workbook_rows(desk, "civil_affairs")
    assert header == ["行号", "列", "原值（已脱敏）", "规则", "原因", "如何改正"]
    assert [line[:4] for line in lines] == [
        ["第2行", "身份证号码", "9.9*******7", "id_number_is_not_scientific"],
        ["第3行", "发放金额", "-3", "amount_yuan_is_not_too_small"],
    ]
    assert all(line[4] for line in lines)


def test_a_refused_text_is_no_formula_and_no_link_in_the_workbook(desk: Desk) -> None:
    texts = ['=HYPERLINK(""http://a"")', "http://" + "a" * 3000, "'=1", "@SUM(1)", "b" * 40000]
    rows = "".join(f'{ZHANG},张{place},低保金,"{text}"\n' for place, text in enumerate(texts))
    good = "".join(f"{LI},李{place},低保金,5\n" for place in range(5))
    receipt = desk.take(PAYMENT, "2022-06.csv", PAYMENT_HEADER + rows + good)
    shown = [line[2] for line in workbook_rows(desk, "civil_affairs")[1:]]
    assert shown[0] == '=HYPERLINK("http://a")'
    assert [len(text) for text in shown] == [22, 200, 3, 7, 200]
    assert desk.refused(receipt)["value"].str.len_chars().to_list()[-1] == 40000


def test_the_first_of_two_rows_with_one_key_stays(desk: Desk) -> None:
    rows = "".join(f"{ZHANG},张三,低保金,{amount}\n" for amount in (-1, 1, 2))
    rows += f"{LI},李四,低保金,3\n"
    receipt = desk.take(PAYMENT, "2022-06.csv", PAYMENT_HEADER + rows)
    assert receipt.refused_by_rule == {"amount_yuan_is_not_too_small": 1, "key_is_unique": 1}
    assert desk.typed(receipt).select("row_number", "refused_by").rows() == [
        (2, "amount_yuan_is_not_too_small"),
        (3, None),
        (4, "key_is_unique"),
        (5, None),
    ]


TWO_COLUMNS = "身份证号码,姓名,发放项目,发放金额,补贴金额\n"


def test_two_columns_of_one_meaning_that_disagree_refuse_the_row(desk: Desk) -> None:
    rows = f"{ZHANG},张三,低保金,100,200\n{WANG},王五,低保金,100,100.00\n{LI},李四,低保金,,3\n"
    rows += f"{LI},李六,低保金,3,\n{LI},李七,低保金,100,一百\n{LI},李八,低保金,,\n"
    receipt = desk.take(PAYMENT, "2022-06.csv", TWO_COLUMNS + rows)
    rule = "columns_of_one_meaning_agree"
    assert desk.typed(receipt).select("amount_yuan", "refused_by").rows() == [
        (100, rule),
        (100, None),
        (3, None),
        (3, None),
        (100, rule),
        (None, "amount_yuan_is_given"),
    ]
    assert receipt.conversions == {"amount_yuan: one of several columns": 5}
    first, *_ = desk.refused(receipt).rows(named=True)
    assert (first["column"], first["value"]) == ("发放金额、补贴金额", "100 / 200")
    assert "两列填写不一致" in first["reason"]


def test_two_columns_of_one_meaning_are_both_in_the_unit_of_the_file(desk: Desk) -> None:
    header = TWO_COLUMNS.replace("发放金额", "发放金额（万元）").replace(
        "补贴金额", "补贴金额（万元）"
    )
    rows = f"{ZHANG},张三,低保金,1.20,1.2\n{WANG},王五,低保金,1.2,12000\n{LI},李四,低保金,2,2\n"
    receipt = desk.take(PAYMENT, "2022-06.csv", header + rows)
    assert desk.typed(receipt).select("amount_yuan", "refused_by").rows() == [
        (12000, None),
        (12000, "columns_of_one_meaning_agree"),
        (20000, None),
    ]


def test_two_columns_of_one_meaning_agree_whatever_their_form(desk: Desk) -> None:
    header = "身份证号码,公民身份号码,姓名,对象姓名,发放项目,救助类别,发放金额\n"
    row = f"{ZHANG[:-1]}x,{ZHANG[:-1]}X,买买提·艾力,买买提•艾力,低保金,低保金,5\n"
    source = with_header(desk.source(PAYMENT), "person_name", "对象姓名")
    source = with_header(source, "id_number", "公民身份号码")
    desk = desk.with_contract(with_header(source, "programme_code", "救助类别"))
    assert desk.take(PAYMENT, "2022-06.csv", header + row).rows_accepted == 1


def test_two_columns_that_disagree_are_both_marked_and_mended(desk: Desk) -> None:
    rows = f"{ZHANG},张三,低保金,100,200\n{LI},李四,低保金,3,\n"
    receipt = desk.take(PAYMENT, "2022-06.csv", TWO_COLUMNS + rows)
    [path] = (desk.rejects / "civil_affairs").glob("*.xlsx")
    book = openpyxl.load_workbook(path)
    sheet = book["请在此改正"]
    marked = [cell.value for cell in sheet[3] if cell.fill.fgColor.rgb == "FFFFF2CC"]
    assert marked == ["100", "200"]
    sheet["F3"] = "100"
    book.save(desk.folder(PAYMENT) / path.name)
    [mended] = desk.ingest(PAYMENT).receipts
    assert (mended.corrects, mended.rows_accepted) == (receipt.delivery_id, 1)


def test_an_unknown_column_is_kept_and_named_in_the_receipt(desk: Desk) -> None:
    header = PAYMENT_HEADER.replace("姓名", "姓名,开户行,姓 名")
    receipt = desk.take(PAYMENT, "2022-06.csv", header + f"{ZHANG},张三,某行,张叁,低保金,5\n")
    assert receipt.unknown_columns == ("开户行", "姓 名_2")
    assert desk.texts(receipt)["开户行"].to_list() == ["某行"]
    assert desk.typed(receipt)["person_name"].to_list() == ["张三"]


@pytest.mark.parametrize(
    "header",
    ["*身份证号码", "身份证号码*", "＊ 身份证号码", "身份证号码※", "**身份证号码 *"],
)
def test_asterisks_of_a_template_are_no_part_of_a_header(desk: Desk, header: str) -> None:
    marked = PAYMENT_HEADER.replace("身份证号码", header).replace("发放金额", "发放金额*（百元）")
    receipt = desk.take(PAYMENT, "2022-06.csv", f"{marked}{ZHANG},张三,低保金,5\n")
    assert receipt.unknown_columns == ()
    [row] = desk.typed(receipt).rows(named=True)
    assert (row["id_number"], row["amount_yuan"]) == (ZHANG, 500)


def test_a_header_of_asterisks_alone_is_an_unknown_column(desk: Desk) -> None:
    header = PAYMENT_HEADER.replace("姓名", "姓名,*")
    receipt = desk.take(PAYMENT, "2022-06.csv", f"{header}{ZHANG},张三,某,低保金,5\n")
    assert receipt.unknown_columns == ("*",)


def test_a_column_that_was_not_delivered_is_named_in_the_receipt(desk: Desk) -> None:
    receipt = desk.take(ROLL, "2022-06.csv", "姓名,救助类别\n张三,低保\n")
    assert receipt.absent_columns == (
        *("id_number", "start_month", "monthly_yuan", "village_code", "co_living_number"),
    )


# ── every row accounted for ─────────────────────────────────────────────────────────────────────

words = st.sampled_from(
    [
        ZHANG,
        "9.9E+17",
        "张三",
        "",
        " ",
        "低保金",
        "临时救助",
        "5",
        "-5",
        "1,000.5",
        "abc",
        "\0",
        "😀",
    ]
) | st.text(max_size=3)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=st.lists(st.lists(words, max_size=5).map(",".join), max_size=15))
def test_every_row_received_is_accepted_or_refused(desk: Desk, rows: list[str]) -> None:
    content = (PAYMENT_HEADER + "\n".join(rows)).encode("utf-8", errors="ignore")
    desk.put(PAYMENT, "2022-06.csv", content)
    taken = desk.ingest(PAYMENT)
    assert len(taken.receipts) + len(taken.repeated) == 1
    assert desk.waiting() == []
    for receipt in taken.receipts:
        assert receipt.rows_received == receipt.rows_accepted + receipt.rows_refused
        original = desk.delivery(receipt) / "original" / receipt.file_name
        assert original.read_bytes() == content
        assert (receipt.status == "refused") == bool(receipt.message)
        if receipt.status == "taken":
            assert desk.typed(receipt)["refused_by"].null_count() == receipt.rows_accepted
            if receipt.rows_refused:
                assert desk.refused(receipt)["row_number"].n_unique() == receipt.rows_refused


# ── a contract that changes ─────────────────────────────────────────────────────────────────────


def test_a_new_synonym_retypes_the_rows_that_were_kept(desk: Desk) -> None:
    receipt = desk.take(
        INCOME,
        "2022.csv",
        INCOME_HEADER.replace("生产经营性净收入", "经营") + f"户1,2,{VILLAGE},7\n",
    )
    assert desk.typed(receipt)["business_yuan"].to_list() == [None]
    source = with_header(desk.source(INCOME), "business_yuan", "经营")
    retyped = ensure(desk, source, receipt)
    assert desk.typed(retyped)["business_yuan"].to_list() == [7]
    assert desk.receipts() == (retyped,)
    assert retyped.contract_hash != receipt.contract_hash
    assert ensure(desk, source, retyped) is retyped


def test_a_new_rule_refuses_rows_that_were_taken(desk: Desk) -> None:
    receipt = desk.take(
        INCOME, "2022.csv", INCOME_HEADER + f"户1,2,{VILLAGE},7\n户2,3,{VILLAGE},7\n"
    )
    assert receipt.rows_refused == 0
    rule = Rule("few_members", "critical", "member_count <= 2", ("member_count",), "人口过多")
    source = desk.source(INCOME)
    retyped = ensure(desk, replace(source, rules=(*source.rules, rule)), receipt)
    assert (retyped.rows_accepted, retyped.rows_refused) == (1, 1)
    assert desk.refused(retyped).select("row_number", "value", "reason").rows() == [
        (3, "3", "人口过多")
    ]
    assert len(workbook_rows(desk, "agriculture")) == 2
    restored = ensure(desk, source, retyped)
    assert restored == receipt
    assert not list((desk.rejects / "agriculture").iterdir())


def test_typed_rows_are_a_cache_that_may_be_thrown_away(desk: Desk) -> None:
    receipt = desk.take(PAYMENT, "2022-06.csv", FIRST)
    rows = desk.typed(receipt)
    shutil.rmtree(desk.delivery(receipt) / "typed")
    assert ensure(desk, desk.source(PAYMENT), receipt) == receipt
    assert desk.typed(receipt).equals(rows)


def test_headers_that_differ_in_blanks_are_one_column_of_raw(desk: Desk) -> None:
    desk.take(PAYMENT, "甲/2022-06.csv", FIRST)
    desk.take(PAYMENT, "乙/2022-06.csv", FIRST.replace("姓名", "姓 名").replace("张三", "李四"))
    with open_warehouse(desk.project.settings, desk.project.settings.builds / "a") as warehouse:
        assert make_raw(warehouse, desk.project, desk.source(PAYMENT)) == 2
        names = warehouse.rows(f"select person_name from raw.{PAYMENT} order by person_name")
    assert names == [("张三",), ("李四",)]


def ensure(desk: Desk, source: Contract, receipt: Receipt) -> Receipt:
    return judging.ensure_typed(
        desk.project.settings, source, desk.project.codes, receipt, desk.receipts()
    )

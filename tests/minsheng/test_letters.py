"""The letters to the departments, from a published file of a few rows."""

from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from minsheng import lake
from minsheng.lake import Receipt
from minsheng.letters import write_letters
from tests.minsheng.desk import PAYMENT, PAYMENT_HEADER, ZHANG, Desk

PUBLISHED = """
    create schema meta; create schema reference; create schema quality;
    create table meta.build as select date '2022-12-01' as as_of_month;
    create table meta.delivery (
        delivery_id varchar, department varchar, sender varchar, period_month date,
        rows_received bigint, rows_accepted bigint, delivery_status varchar, corrects varchar);
    create table meta.source (department varchar, dataset varchar, stale_since date);
    create table reference.code as
        select 'department' as code_list, unnest(['civil_affairs', 'health']) as code,
            unnest(['民政', '卫健']) as label_zh, unnest(['Civil affairs', 'Health']) as label_en;
    create table reference.area as select '330328000000' as area_code, '文成县' as area_name;
    create table reference.contradiction as
        select 'dead_but_paid' as contradiction, '已死亡仍发放' as label_zh,
            'dead and still paid' as label_en;
    create table quality.contradiction (
        contradiction varchar, left_source varchar, right_source varchar, period_month date);
    create table quality.finding (
        source varchar, delivery_id varchar, rule varchar, severity varchar);
    create table quality.check_result (table_name varchar, check_name varchar, why varchar);
"""
EMPTY_FILE, GOOD_FILE = "", f"{PAYMENT_HEADER}{ZHANG},张三,低保金,1\n"


def letter(desk: Desk, folder: Path, rows: str, department: str = "civil_affairs") -> str:
    """The letter to a department about a published file that holds `rows`."""
    database = folder / "minsheng.duckdb"
    with duckdb.connect(str(database)) as connection:
        connection.execute(PUBLISHED + rows)
    written = {path.parent.name: path for path in write_letters(desk.project, database)}
    assert written[department] == desk.project.settings.letters / department / "2022-12.md"
    return written[department].read_text(encoding="utf-8")


def test_a_mended_row_came_once_and_is_no_longer_refused(desk: Desk, tmp_path: Path) -> None:
    text = letter(
        desk,
        tmp_path,
        """
        insert into meta.delivery values
            ('a', 'civil_affairs', '330328000000', '2022-06-01', 100, 90, 'effective', null),
            ('b', 'civil_affairs', '330328000000', '2022-06-01', 10, 7, 'effective', 'a'),
            ('c', 'civil_affairs', '330328000000', '2022-06-01', 900, 0, 'superseded', null),
            ('d', 'civil_affairs', '330328000000', '2021-12-01', 900, 0, 'effective', null);
        insert into quality.finding values
            ('civil_affairs__relief_payment', 'a', 'amount_is_not_too_small', 'critical'),
            ('civil_affairs__relief_payment', 'a', 'amount_is_not_too_small', 'critical'),
            ('civil_affairs__relief_payment', 'b', 'amount_is_not_too_small', 'critical'),
            ('civil_affairs__relief_payment', 'a', 'superseded_by_key', 'note');
        insert into quality.check_result values
            ('raw.civil_affairs__relief_payment', 'amount_is_not_too_small', '金额为负');
        """,
    )
    assert "近12个月有效交付共收到100行，其中退回3行（3.00%）。" in text
    came = "100 rows came in deliveries in force in 12 months"
    assert f"{came}; of these 3 were refused (3.00%)." in text
    assert text.count("| 2022-06 | 1 | 100 | 3 | 3.00% |") == 2
    assert text.count("| 文成县 | 100 | 3 | 3.00% |") == 2
    assert "| amount_is_not_too_small | 退回 | 金额为负 | 2 |" in text
    assert "| amount_is_not_too_small | refused | amount is not too small | 2 |" in text
    assert "superseded_by_key" not in text
    assert "2021-12" not in text


def test_both_departments_are_told_of_a_contradiction(desk: Desk, tmp_path: Path) -> None:
    rows = """
        insert into meta.delivery values
            ('a', 'civil_affairs', null, '2022-06-01', 1, 1, 'effective', null),
            ('b', 'health', null, '2022-06-01', 1, 1, 'effective', null);
        insert into quality.contradiction values
            ('dead_but_paid', 'health__death', 'civil_affairs__relief_payment', '2022-06-01'),
            ('dead_but_paid', 'health__death', null, '2022-12-01'),
            ('dead_but_paid', 'health__death', 'civil_affairs__relief_payment', '2021-12-01');
    """
    text = letter(desk, tmp_path, rows)
    assert "| dead_but_paid | 已死亡仍发放 | 1 |" in text
    assert "| dead_but_paid | dead and still paid | 1 |" in text
    letters = desk.project.settings.letters
    health = (letters / "health" / "2022-12.md").read_text(encoding="utf-8")
    assert "| dead_but_paid | dead and still paid | 2 |" in health


def test_a_file_refused_whole_is_told_until_a_good_one_has_come(desk: Desk, tmp_path: Path) -> None:
    long_ago = desk.take(PAYMENT, "2021-06.csv", EMPTY_FILE, day="2021-12-31")
    replaced = desk.take(PAYMENT, "2022-05.csv", EMPTY_FILE, day="2022-06-10")
    desk.take(PAYMENT, "2022-05更正.csv", GOOD_FILE, day="2022-06-12")
    waiting = desk.take(PAYMENT, "2022-12.csv", EMPTY_FILE, day="2023-01-10")
    listed = ", ".join(
        f"('{each.delivery_id}', 'civil_affairs', null, null, 0, 0, '{each.status}', null)"
        for each in desk.receipts()
    )
    text = letter(desk, tmp_path, f"insert into meta.delivery values {listed};")
    assert f"| 2022-12 | {waiting.message_zh} |" in text.partition("\n---\n")[0]
    assert f"| 2022-12 | {waiting.message} |" in text.partition("\n---\n")[2]
    for told_no_more in (long_ago, replaced):
        assert told_no_more.message not in text


def test_a_refused_files_sender_is_told_by_the_name_of_its_area(desk: Desk, tmp_path: Path) -> None:
    desk.take(PAYMENT, "330328000000/2022-12.csv", EMPTY_FILE)
    [each] = desk.receipts()
    listed = f"('{each.delivery_id}', 'civil_affairs', null, null, 0, 0, 'refused', null)"
    text = letter(desk, tmp_path, f"insert into meta.delivery values {listed};")
    assert text.count("| 文成县 | 2022-12 |") == 2


def receipt(status: str, day: int, period: str = "2022-05", sender: str | None = None) -> Receipt:
    moment = f"2022-06-{day:02d}T12:00:00+08:00"
    return Receipt(
        delivery_id=f"{day:016x}",
        department="civil_affairs",
        dataset="relief_payment",
        sender=sender,
        period=period,
        file_name="",
        sha256="",
        byte_count=0,
        delivered_at=moment,
        ingested_at=moment,
        status=status,  # type: ignore[arg-type]  # a literal of the callers
    )


@pytest.mark.parametrize(
    ("later", "is_waited_for"),
    [
        (receipt("taken", 2), False),
        (receipt("taken", 2, period="2022-06"), True),
        (receipt("taken", 2, sender="330328000000"), True),
        (replace(receipt("taken", 2), dataset="assistance_roll"), True),
        (receipt("withdrawal", 2), True),
    ],
)
def test_a_good_file_of_the_same_sender_and_period_ends_the_wait(
    later: Receipt, is_waited_for: bool
) -> None:
    refused = receipt("refused", 1)
    assert (refused in lake.waited_for([later, refused])) == is_waited_for


def test_a_file_of_no_known_period_is_followed_by_any_of_its_sender() -> None:
    refused = receipt("refused", 2, period="")
    assert lake.waited_for([receipt("taken", 1), refused]) == (refused,)
    assert lake.waited_for([refused, receipt("taken", 3, period="2022-01")]) == ()

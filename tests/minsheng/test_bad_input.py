"""What cannot be taken is refused with a reason, and whatever happens nothing is lost."""

import os
import random
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minsheng import inbox, ingest
from minsheng.lake import DeliveryError, Receipt
from minsheng.settings import PROJECT_ROOT
from tests.disk import needs_root, resize, small_disk
from tests.minsheng.desk import (
    INCOME,
    INCOME_HEADER,
    LI,
    PAYMENT,
    PAYMENT_HEADER,
    ROLL,
    ROLL_HEADER,
    VILLAGE,
    WANG,
    ZHANG,
    Desk,
)

GOOD = PAYMENT_HEADER + f"{ZHANG},张三,低保金,500\n"


def refuse(desk: Desk, name: str, content: str | bytes, sidecar: str = "") -> str:
    """Why a file of payments is refused whole; its bytes are kept and its department is told."""
    receipt = desk.take(PAYMENT, name, content, sidecar=sidecar)
    assert receipt.status == "refused"
    assert (receipt.rows_received, receipt.rows_accepted, receipt.rows_refused) == (0, 0, 0)
    kept = (desk.delivery(receipt) / "original" / name).read_bytes()
    assert kept == (content.encode() if isinstance(content, str) else content)
    (letter,) = desk.letters("civil_affairs")
    assert letter.startswith(receipt.message_zh)
    assert receipt.message in letter
    assert receipt.message.startswith(f"{name}: ")
    assert desk.waiting() == []
    return receipt.message


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    start=st.sampled_from(
        [
            b"",
            b"\xef\xbb\xbf",
            PAYMENT_HEADER.encode(),
            b"PK\x03\x04",
            b"\xff\xfe",
            b"<table><tr><td>",
        ]
    ),
    rest=st.binary(max_size=60),
    suffix=st.sampled_from(["csv", "txt", "xlsx", "xls", "htm", "zip", "pdf"]),
)
def test_any_bytes_are_taken_or_refused(desk: Desk, start: bytes, rest: bytes, suffix: str) -> None:
    desk.put(PAYMENT, f"2022-06.{suffix}", start + rest)
    for receipt in desk.ingest(PAYMENT).receipts:
        original = desk.delivery(receipt) / "original" / receipt.file_name
        assert original.read_bytes() == start + rest
        assert receipt.message or receipt.rows_received > 0
    assert desk.waiting() == []


def test_an_empty_file_is_refused(desk: Desk) -> None:
    assert "the file is empty (0 bytes); send it again" in refuse(desk, "2022-06.csv", "")


@pytest.mark.parametrize("content", [PAYMENT_HEADER, PAYMENT_HEADER + "\n , ,,\n,,,\n"])
def test_a_file_of_a_header_alone_is_refused(desk: Desk, content: str) -> None:
    assert "the file holds a header and no rows" in refuse(desk, "2022-06.csv", content)


def test_a_file_of_blank_lines_is_refused(desk: Desk) -> None:
    assert "no header row" in refuse(desk, "2022-06.csv", "\n\n \n")


@pytest.mark.parametrize(
    ("header", "table"),
    [
        ("身份证号,姓名,学段,学校,就读状态", "education/student_enrolment"),
        (
            "行政区划代码,年份,收入口径,农村居民人均收入,农村居民消费价格指数",
            "statistics/area_benchmark",
        ),
    ],
)
def test_a_wrong_departments_file_is_told_by_its_header(
    desk: Desk, header: str, table: str
) -> None:
    message = refuse(desk, "2022-06.csv", header + "\n1,2,3,4,5\n")
    assert "has no column for" in message
    assert f"it looks like a file of {table}" in message


def test_a_file_without_a_required_column_is_refused(desk: Desk) -> None:
    message = refuse(desk, "2022-06.csv", GOOD.replace("发放金额", "备注"))
    assert "row 1 is taken as the header and has no column for amount paid (发放金额 / " in message
    [receipt] = desk.receipts()
    assert "expectations/staged/civil_affairs__relief_payment.yaml" in receipt.advice


def test_a_refusal_for_a_missing_column_lists_the_headers_that_nobody_recognised(
    desk: Desk,
) -> None:
    content = GOOD.replace("发放金额", "实发,开户行").replace(",500", ",500,某行")
    assert "not recognised: 实发、开户行; if one of these" in refuse(desk, "2022-06.csv", content)
    [receipt] = desk.receipts()
    assert "未能识别的列名：实发、开户行" in receipt.message_zh


def test_a_refusal_lists_few_headers_and_none_at_length(desk: Desk) -> None:
    strange = [f"某{place}列" + "长" * 40 for place in range(40)]
    header = ",".join(["身份证号码,姓名,发放项目", *strange])
    message = refuse(desk, "2022-06.csv", f"{header}\n{ZHANG},张三,低保金\n")
    assert "某19列" in message
    assert "某20列" not in message
    assert "长" * 30 not in message


def test_a_broken_byte_of_gb18030_is_named_by_byte_and_line(desk: Desk) -> None:
    lines = [GOOD.encode("gb18030"), b"1,\xff\xff,1,1\n"]
    message = refuse(desk, "2022-06.csv", b"".join(lines))
    assert f"not GB18030: byte {len(lines[0]) + 2}, line 3" in message
    assert "save it again as “CSV UTF-8”" in message


def test_a_cut_off_character_is_named_by_byte_and_line(desk: Desk) -> None:
    content = (GOOD + "1,张").encode()[:-1]
    assert f"not UTF-8: byte {len(content) - 2}, line 3" in refuse(desk, "2022-06.csv", content)


def test_utf16_with_half_a_character_is_refused(desk: Desk) -> None:
    content = GOOD.encode("utf-16")[:-1]
    assert f"not UTF-16: byte {len(content) - 1}" in refuse(desk, "2022-06.csv", content)


def test_a_quotation_mark_that_is_never_closed_is_named_by_its_row(desk: Desk) -> None:
    content = GOOD + f'{WANG},"王五,低保金,500\n' + f"{LI},李四,低保金,500\n" * 2
    message = refuse(desk, "2022-06.csv", content)
    assert "a quotation mark opened in row 3 is never closed; mend that row" in message


def test_many_lines_that_a_quotation_mark_joins_are_refused_with_the_file(desk: Desk) -> None:
    content = GOOD + f'{WANG},"王五,低保金,500\n' + f"{LI},李四,低保金,500\n" * 30 + 'a",b,c,d\n'
    message = refuse(desk, "2022-06.csv", content)
    assert "a quotation mark opened in row 3 is not closed there" in message


def test_a_cell_that_swallows_the_file_is_refused_with_it(desk: Desk) -> None:
    message = refuse(desk, "2022-06.csv", GOOD + f'{WANG},"{"王" * 200_000}')
    assert "a cell is longer than 131072 characters" in message


def test_a_file_of_mostly_bad_rows_is_refused(desk: Desk) -> None:
    content = GOOD + f"{ZHANG},张三,低保金,abc\n{LI},,低保金,5\n"
    receipt = desk.take(PAYMENT, "2022-06.csv", content)
    assert (receipt.status, receipt.rows_accepted, receipt.rows_refused) == ("refused", 1, 2)
    assert "only 1 of 3 rows are good" in receipt.message
    told = "(rules broken: amount yuan is readable 1, person name is given 1)"
    assert told in receipt.message


# ── workbooks ───────────────────────────────────────────────────────────────────────────────────


def workbook(path: Path, rows: list[list[object]]) -> bytes:
    with xlsxwriter.Workbook(path) as book:
        page = book.add_worksheet()
        for place, row in enumerate(rows):
            page.write_row(place, 0, row)
    return path.read_bytes()


def locked_workbook() -> bytes:
    """The shell of a workbook with a password: a compound file that holds EncryptedPackage."""
    sector, free, end, is_table = 512, 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
    header = struct.pack("<8s16x5H6x", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 62, 3, 0xFFFE, 9, 6)
    header += struct.pack("<9I", 0, 1, 1, 0, 4096, end, 0, end, 0)
    header += struct.pack("<109I", 0, *[free] * 108)
    table = struct.pack("<128I", is_table, end, *[free] * 126)

    def entry(name: str, kind: int, child: int) -> bytes:
        text = name.encode("utf-16-le")
        return struct.pack(
            "<64sHBB3I36xIQ", text, len(text) + 2, kind, 1, free, free, child, end, 0
        )

    entries = entry("Root Entry", 5, 1) + entry("EncryptedPackage", 2, free)
    return header + table + entries.ljust(sector, b"\0")


def test_a_workbook_with_a_password_is_refused(desk: Desk) -> None:
    message = refuse(desk, "2022-06.xlsx", locked_workbook())
    assert "the workbook has a password" in message
    assert "save it as .xlsx without a password" in message


@pytest.mark.parametrize("damage", ["cut off", "no workbook", "overwritten"])
def test_a_damaged_workbook_is_refused(desk: Desk, tmp_path: Path, damage: str) -> None:
    content = workbook(
        tmp_path / "a.xlsx", [["姓名", "发放项目", "发放金额"], ["张三", "低保金", 5]]
    )
    damaged = {
        "cut off": content[: len(content) // 2],
        "no workbook": b"PK\x03\x04 is not enough",
        "overwritten": content.replace(b"sheet1.xml", b"sheetX.xml"),
    }
    assert "the workbook cannot be opened" in refuse(desk, "2022-06.xlsx", damaged[damage])


def test_a_number_ruined_by_a_workbook_refuses_its_row(desk: Desk, tmp_path: Path) -> None:
    rows: list[list[object]] = [
        ["发放明细"],
        ["身份证号码", "姓名", "发放项目", "发放金额"],
        [int(ZHANG), "张三", "低保金", 500],
        [WANG, "王五", "低保金", 500.5],
    ]
    receipt = desk.take(PAYMENT, "2022-06.xlsx", workbook(tmp_path / "a.xlsx", rows))
    assert (receipt.form, receipt.header_row) == ("xlsx sheet Sheet1", 2)
    assert receipt.refused_by_rule == {"id_number_is_not_scientific": 1}
    assert desk.texts(receipt)["发放金额"].to_list() == ["500", "500.5"]


# ── one bad row each ────────────────────────────────────────────────────────────────────────────


def only_refusal(desk: Desk, receipt: Receipt) -> tuple[int, str, str]:
    """Row, rule and value of the one row that was refused."""
    assert receipt.rows_refused == 1
    (row,) = desk.refused(receipt).select("row_number", "rule", "value").rows()
    return row


def test_an_identity_number_in_scientific_notation_refuses_its_row(desk: Desk) -> None:
    receipt = desk.take(PAYMENT, "2022-06.csv", GOOD + "9.90101E+17,李四,低保金,5\n")
    assert only_refusal(desk, receipt) == (3, "id_number_is_not_scientific", "9.9*******7")


def test_a_negative_benefit_refuses_its_row(desk: Desk) -> None:
    receipt = desk.take(PAYMENT, "2022-06.csv", GOOD + f"{LI},李四,低保金,-5\n")
    assert only_refusal(desk, receipt) == (3, "amount_yuan_is_not_too_small", "-5")


def test_a_month_of_2035_refuses_its_row(desk: Desk) -> None:
    rows = f"{ZHANG},张三,低保,2020-01,500\n{LI},李四,低保,2035-01,500\n"
    receipt = desk.take(ROLL, "2022-06.csv", ROLL_HEADER + rows)
    assert only_refusal(desk, receipt) == (3, "start_month_is_not_in_the_future", "2035-01")


def test_a_person_born_after_the_delivery_refuses_the_row(desk: Desk) -> None:
    receipt = desk.take(PAYMENT, "2022-06.csv", GOOD + "990101203501010011,李四,低保金,5\n")
    assert only_refusal(desk, receipt)[:2] == (3, "id_number_is_born_before_delivery")


# ── names and sidecars ──────────────────────────────────────────────────────────────────────────


def test_a_file_without_a_period_in_its_name_is_refused(desk: Desk) -> None:
    message = refuse(desk, "明细.csv", GOOD)
    assert "its name states no month, or more than one" in message
    assert "such as 2022-06.csv) or into 明细.csv.yaml as period: '2022-06'" in message


@pytest.mark.parametrize(
    ("sidecar", "reason"),
    [
        ("rows: 2", "its sidecar states 2 rows and 1 were found; the file may be cut off"),
        ("rows: many", "its sidecar states 'many' rows, which is no number"),
        ("period: [", "2022-06.csv.yaml cannot be read as YAML"),
        ("only text", "2022-06.csv.yaml holds no names and values"),
        ("period: 2022/06", "its sidecar states the period '2022/06', which is no month"),
        ("period: 2022", "its sidecar states the period '2022', which is no month"),
        ("delivered_at: 去年", "its sidecar states delivered_at '去年', which is no moment"),
        ("delivered_at: 2035-01-01", "delivered_at '2035-01-01', which is still to come"),
    ],
)
def test_a_sidecar_that_cannot_be_believed_refuses_its_file(
    desk: Desk, sidecar: str, reason: str
) -> None:
    assert reason in refuse(desk, "2022-06.csv", GOOD, sidecar)
    assert not list(desk.folder(PAYMENT).iterdir())


def gbk(name: str) -> str:
    """A name as the file system gives it that some program wrote in GBK."""
    return os.fsdecode(name.encode("gb18030"))


@pytest.mark.parametrize("sidecar", ["", "rows: 1\n"])
def test_a_file_whose_name_is_in_gbk_is_taken_and_named_in_its_receipt(
    desk: Desk, sidecar: str
) -> None:
    receipt = desk.take(PAYMENT, gbk("温州医院/模范2022年6月.csv"), GOOD, sidecar=sidecar)
    assert (receipt.status, receipt.sender, receipt.period) == ("taken", "温州医院", "2022-06")
    assert receipt.file_name == "模范2022年6月.csv"
    kept = {path.name for path in (desk.delivery(receipt) / "original").iterdir()}
    assert kept == {receipt.file_name, *([f"{receipt.file_name}.yaml"] if sidecar else [])}
    assert [path for path in desk.folder(PAYMENT).rglob("*") if path.is_file()] == []
    again = gbk("模范2022年6月.csv")
    desk.put(PAYMENT, gbk("温州医院/") + again, GOOD)
    assert desk.ingest(PAYMENT).repeated == (receipt.file_name,)


@pytest.mark.parametrize(
    ("name", "content", "sidecar"),
    [
        ("名册.xls", GOOD, "rows: 1\n"),
        ("2022年6月.表", GOOD, ""),
        ("2022年6月.csv", GOOD, "only text"),
    ],
)
def test_a_refusal_names_a_file_whose_name_is_in_gbk(
    desk: Desk, name: str, content: str, sidecar: str
) -> None:
    receipt = desk.take(PAYMENT, gbk(name), content, sidecar=sidecar)
    assert receipt.status == "refused"
    assert receipt.message.startswith(f"{name}: ")
    (letter,) = desk.letters("civil_affairs")
    assert letter.startswith(receipt.message_zh)
    assert receipt.message in letter


def test_a_long_name_in_gbk_keeps_its_end(desk: Desk) -> None:
    receipt = desk.take(PAYMENT, gbk("名" * 110 + "2022-06.csv"), GOOD, sidecar="rows: 1\n")
    assert receipt.status == "taken"
    assert receipt.file_name == "名" * 79 + "2022-06.csv"


def test_a_path_of_folders_in_two_encodings_can_be_told() -> None:
    path = Path("收件", gbk("温州"), gbk("2022年6月.csv"))
    assert inbox.readable_path(path) == "收件/温州/2022年6月.csv"


@pytest.mark.parametrize("byte_count", [250, 251, 255])
def test_a_file_with_a_name_too_long_for_a_sidecar_is_taken(desk: Desk, byte_count: int) -> None:
    name = "2022-06.csv".rjust(byte_count, "a")
    receipt = desk.take(PAYMENT, name, GOOD)
    assert (receipt.status, receipt.file_name, desk.waiting()) == ("taken", name, [])


def test_a_sidecar_left_by_a_process_that_died_governs_no_later_file(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "delivered_at: 2022-07-03 10:30\n"
    path = desk.put(PAYMENT, "甲/2022-06.csv", GOOD, sidecar=said)
    sidecar = inbox.sidecar_of(path)
    unlink = Path.unlink

    def die_at_the_sidecar(each: Path, missing_ok: bool = False) -> None:
        if each == sidecar:
            raise KeyboardInterrupt
        unlink(each, missing_ok)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Path, "unlink", die_at_the_sidecar)
        desk.ingest(PAYMENT)
    assert (path.exists(), sidecar.exists()) == (False, True)
    assert desk.ingest(PAYMENT).receipts == ()
    assert not sidecar.exists()
    later = desk.take(PAYMENT, "甲/2022-06.csv", GOOD.replace("500", "600"), day="2022-08-01")
    assert later.delivered_at == "2022-08-01T12:00:00+08:00"


@pytest.mark.parametrize("said", ["delivered_at: usual\n", "rows: 1\n"])
def test_a_sidecar_that_waits_for_its_file_is_left(desk: Desk, said: str) -> None:
    """Though one of the same name and bytes was taken before."""
    path = desk.put(PAYMENT, "2022-06.csv", GOOD, sidecar="delivered_at: usual\n")
    desk.ingest(PAYMENT)
    time.sleep(0.02)  # the clock of a file system ticks slowly
    inbox.sidecar_of(path).write_text(said, encoding="utf-8")
    assert desk.ingest(PAYMENT).receipts == ()
    assert inbox.sidecar_of(path).read_text(encoding="utf-8") == said


def test_a_file_named_like_a_receipt_is_no_receipt(desk: Desk) -> None:
    message = refuse(desk, "receipt.json", "{}", sidecar="period: 2022-06")
    assert "files ending in .json are not read" in message
    assert len(desk.receipts()) == 1


# ── files that move, disks that fill, processes that die ────────────────────────────────────────


@contextmanager
def restless(path: Path, content: bytes, is_replaced: bool) -> Iterator[None]:
    """A file that another program keeps on writing, or replacing, all the while."""
    stopped = threading.Event()

    def write() -> None:
        while not stopped.is_set():
            if is_replaced:
                path.with_suffix(".tmp").write_bytes(content)
                path.with_suffix(".tmp").replace(path)
            else:
                with path.open("ab") as stream:
                    stream.write(b"\n")
            time.sleep(0.0005)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        stopped.set()
        writer.join()


@pytest.mark.parametrize("is_replaced", [True, False])
def test_a_file_that_changes_while_it_is_read_stays_in_the_inbox(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, is_replaced: bool
) -> None:
    content = (PAYMENT_HEADER + f"{ZHANG},张三,低保金,500\n" * 5000).encode()
    path = desk.put(PAYMENT, "2022-06.csv", content)
    monkeypatch.setattr(ingest, "COPY_BYTES", 8)  # a long time to read
    with restless(path, content, is_replaced):
        result = desk.ingest(PAYMENT)
    assert (result.receipts, result.left) == ((), ("2022-06.csv",))
    assert (desk.receipts(), desk.waiting()) == ((), ["2022-06.csv"])
    monkeypatch.undo()
    assert len(desk.ingest(PAYMENT).receipts) == 1


def test_a_file_that_changes_while_it_is_read_keeps_no_other_from_being_taken(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = (PAYMENT_HEADER + f"{ZHANG},张三,低保金,500\n" * 5000).encode()
    path = desk.put(PAYMENT, "2022-06.csv", content)
    for name in ("2022-05.csv", "2022-07.csv"):
        desk.put(PAYMENT, name, GOOD)
    monkeypatch.setattr(ingest, "COPY_BYTES", 8)  # a long time to read
    with restless(path, content, is_replaced=False):
        result = desk.ingest(PAYMENT)
    assert [receipt.file_name for receipt in result.receipts] == ["2022-05.csv", "2022-07.csv"]
    assert (result.left, desk.waiting()) == (("2022-06.csv",), ["2022-06.csv"])


def test_a_file_that_cannot_be_opened_stays_and_keeps_no_other_from_being_taken(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = desk.put(PAYMENT, "2022-06.csv", GOOD)
    desk.put(PAYMENT, "2022-07.csv", GOOD)
    opened = Path.open

    def refusing(self: Path, *arguments: Any, **named: Any) -> Any:
        if self == path:
            raise PermissionError(13, "Permission denied")
        return opened(self, *arguments, **named)

    monkeypatch.setattr(Path, "open", refusing)
    result = desk.ingest(PAYMENT)
    assert [receipt.file_name for receipt in result.receipts] == ["2022-07.csv"]
    assert (result.left, desk.waiting()) == (("2022-06.csv",), ["2022-06.csv"])


def test_a_file_that_comes_in_place_of_one_just_read_is_not_removed_with_it(desk: Desk) -> None:
    content = PAYMENT_HEADER + "".join(f"{ZHANG},张{n},低保金,500\n" for n in range(50_000))
    path = desk.put(PAYMENT, "2022-06.csv", content)

    def replace_when_it_was_read() -> None:
        while not list(desk.lake.glob(".incoming/*/*/rows.parquet")):
            time.sleep(0.0005)
        path.with_suffix(".tmp").write_text(GOOD, encoding="utf-8")
        path.with_suffix(".tmp").replace(path)

    replacer = threading.Thread(target=replace_when_it_was_read)
    replacer.start()
    first = desk.ingest(PAYMENT)
    replacer.join()
    assert [receipt.rows_received for receipt in first.receipts] == [50_000]
    assert (first.left, desk.waiting()) == (("2022-06.csv",), ["2022-06.csv"])
    assert [receipt.rows_received for receipt in desk.ingest(PAYMENT).receipts] == [1]


@needs_root
@pytest.mark.parametrize("full", ["lake", "rejects"])
def test_a_full_disk_leaves_the_file_in_the_inbox(desk: Desk, full: str) -> None:
    draw = random.Random(2022)
    rows = [f"户{draw.random()},2,{VILLAGE},{draw.randint(-9, 99999)}\n" for _ in range(2000)]
    rows += [f"户{draw.random()},2,{VILLAGE},{draw.random()}x\n" for _ in range(900)]
    path = desk.put(INCOME, "2022.csv", INCOME_HEADER + "".join(rows))
    messages = []
    with small_disk(desk.project.settings.home / full, kilobytes=8) as disk:
        # ever more space, so that it ends at another step of the ingest each time
        for kilobytes in range(8, 2000, 16):
            resize(disk, kilobytes)
            try:
                (receipt,) = desk.ingest(INCOME).receipts
                break
            except DeliveryError as fault:
                messages.append(str(fault))
            assert path.is_file()
            assert desk.receipts() == ()
            assert not [each for each in desk.lake.rglob("*") if each.is_file()]
        assert (receipt.rows_accepted, receipt.rows_refused) == (2000, 900)
        assert desk.refused(receipt).height == 900
        assert list((desk.rejects / "agriculture").glob("*.xlsx"))
        assert desk.waiting() == []
    assert len(messages) > 1
    for message in messages:
        assert "2022.csv: cannot be taken into" in message
        assert "No space left on device" in message
        assert "the file is still in the inbox; mend the disk and refresh again" in message


INGEST_FOREVER = """
import sys
from pathlib import Path
from tests.minsheng.desk import INCOME, desk_at
desk = desk_at(Path(sys.argv[1]))
desk.source(INCOME), desk.project.codes
print("ready", flush=True)
sys.stdin.readline()
desk.ingest(INCOME)
print("done", flush=True)
"""


def test_a_process_killed_in_the_middle_is_mended_by_the_next(desk: Desk) -> None:
    rows = "".join(f"户{place},2,{VILLAGE},{place}\n户{place},2,x,1\n" for place in range(300))
    names = {f"{sender}/{year}.csv" for sender in "甲乙丙丁" for year in range(2018, 2023)}
    draw = random.Random(2022)
    interrupted = 0
    for repeat in range(4):
        for name in names:
            desk.put(INCOME, name, INCOME_HEADER + f"初{repeat},2,{VILLAGE},1\n" + rows)
        command = [sys.executable, "-c", INGEST_FOREVER, str(desk.project.settings.home)]
        with subprocess.Popen(
            command, cwd=PROJECT_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdin and process.stdout
            assert process.stdout.readline() == b"ready\n"
            process.stdin.write(b"\n")
            process.stdin.flush()
            time.sleep(draw.uniform(0.05, 0.6))
            process.kill()
            interrupted += process.stdout.read() == b""
        desk.ingest(INCOME)
        assert desk.waiting() == []
        assert not list((desk.lake / ".incoming").glob("*/*"))
        receipts = desk.receipts()
        assert len(receipts) == len(names) * (repeat + 1)
        folders = list(desk.lake.glob("agriculture/household_income/*"))
        assert sorted(folders) == sorted(map(desk.delivery, receipts))
        for receipt in receipts:
            assert (receipt.rows_accepted, receipt.rows_refused) == (301, 300)
            assert desk.texts(receipt).height == desk.typed(receipt).height == 601
            assert desk.refused(receipt).height == 300
        assert len(list((desk.rejects / "agriculture").glob("*.xlsx"))) == len(receipts)
    assert interrupted

"""What `minsheng status` says of a home of a few files."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from minsheng import lake
from minsheng.lock import is_refreshing, refresh_lock
from minsheng.outcome import NOTE, note_refresh, read_note
from minsheng.status import status_of, status_text
from tests.minsheng.desk import (
    INCOME,
    INCOME_HEADER,
    NOW,
    PAYMENT,
    PAYMENT_HEADER,
    VILLAGE,
    ZHANG,
    Desk,
)

COUNTY, ELSEWHERE = "330328000000", "440703000000"
"""A county of the served area, and a district of another province."""
GOOD = f"{PAYMENT_HEADER}{ZHANG},张三,低保金,500\n"
HOLD = """
import sys, time
from pathlib import Path
from minsheng.lock import refresh_lock
with refresh_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def shown(desk: Desk) -> str:
    return status_text(status_of(desk.project.settings))


def test_a_home_without_a_refresh_says_nothing_of_one(desk: Desk) -> None:
    assert read_note(desk.project.settings) is None
    assert status_of(desk.project.settings)["last_refresh"] is None
    assert "refresh " not in shown(desk)


def test_a_failed_refresh_is_told_with_when_and_why(desk: Desk) -> None:
    settings = desk.project.settings
    note_refresh(settings, "failed", "raw/x breaks its contract:\n- odd: 3 rows", NOW)
    told = "failed at 2023-03-01T09:00:00+08:00: raw/x breaks its contract: - odd: 3 rows"
    assert f"refresh   {told}" in shown(desk)
    assert status_of(settings)["last_refresh"] == {
        "state": "failed",
        "message": "raw/x breaks its contract: - odd: 3 rows",
        "at": "2023-03-01T09:00:00+08:00",
        "unfetched": (),
        "untold_since": "",
    }
    assert [path.name for path in settings.home.iterdir()] == [NOTE]


@contextmanager
def another_process(home: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has the home's lock."""
    command = [sys.executable, "-c", HOLD, str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_running_refresh_and_one_that_was_killed_are_told_apart(desk: Desk) -> None:
    settings = desk.project.settings
    note_refresh(settings, "started", "it has not ended yet", NOW)
    with another_process(settings.home) as process:
        assert "refresh   runs since 2023-03-01T09:00:00+08:00\n" in shown(desk)
        assert status_of(settings)["is_refreshing"] is True
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert "refresh   died: it began at 2023-03-01T09:00:00+08:00" in shown(desk)
        assert status_of(settings)["is_refreshing"] is False
    note_refresh(settings, "published", "published 1", NOW + timedelta(minutes=1))
    assert "died" not in shown(desk)


def test_whoever_looks_at_the_lock_keeps_nobody_from_refreshing(desk: Desk) -> None:
    home = desk.project.settings.home
    assert not is_refreshing(home)
    with refresh_lock(home):
        assert is_refreshing(home)
        assert "refresh   runs now\n" in shown(desk)
    assert not is_refreshing(home)
    with refresh_lock(home):
        pass


def test_the_first_of_several_that_were_killed_is_remembered(desk: Desk) -> None:
    settings = desk.project.settings
    for minute in range(3):
        note_refresh(settings, "started", "-", NOW + timedelta(minutes=minute))
    note = read_note(settings)
    assert note and (note.at, note.untold_since) == (
        "2023-03-01T09:02:00+08:00",
        "2023-03-01T09:00:00+08:00",
    )
    note_refresh(settings, "published", "published 1", NOW + timedelta(minutes=3))
    note_refresh(settings, "started", "-", NOW + timedelta(minutes=4))
    note = read_note(settings)
    assert note and note.untold_since == "2023-03-01T09:04:00+08:00"


def test_a_withdrawn_delivery_is_shown_until_its_withdrawal_is_withdrawn(desk: Desk) -> None:
    receipt = desk.take(PAYMENT, "2022-06.csv", GOOD)
    first = lake.withdraw(desk.lake, receipt.delivery_id, "发错了文件", NOW)
    assert (
        f"withdrawn civil_affairs/relief_payment/2022-06.csv of 2023-01-10T12:00:00+08:00 "
        f"({receipt.delivery_id}) on 2023-03-01T09:00:00+08:00: 发错了文件; "
        f"`minsheng withdraw {first.delivery_id}` undoes it"
    ) in shown(desk)
    later = NOW + timedelta(minutes=1)
    lake.withdraw(desk.lake, first.delivery_id, "没有发错", later)
    assert "\nwithdrawn" not in shown(desk)
    assert status_of(desk.project.settings)["withdrawn_deliveries"] == []


def test_a_file_refused_whole_is_shown_with_the_advice_for_the_engineer(desk: Desk) -> None:
    receipt = desk.take(PAYMENT, "2022-06.csv", GOOD.replace("发放金额", "备注"))
    assert receipt.advice
    line = f"refused   civil_affairs/relief_payment: {receipt.message} ({receipt.advice})"
    assert line in shown(desk)


def test_what_no_database_gave_is_told_until_it_is_asked_again(desk: Desk) -> None:
    settings = desk.project.settings
    note_refresh(settings, "started", "-", NOW, ["not fetched: civil_affairs/x: no route"])
    note_refresh(settings, "published", "published 1", NOW + timedelta(minutes=1))
    assert "unfetched civil_affairs" in shown(desk).replace("not fetched: ", "")
    note_refresh(settings, "nothing_new", "nothing new", NOW + timedelta(minutes=2), [])
    assert "unfetched" not in shown(desk)


def test_a_new_source_is_late_once_the_month_of_its_first_file_is(
    desk: Desk,
) -> None:
    def stale_since() -> dict[str, object]:
        sources = status_of(desk.project.settings)["sources"]
        assert isinstance(sources, list)
        return {each["source"]: each["stale_since"] for each in sources}

    row = f"{ZHANG},张三,低保金,1\n"
    desk.take(INCOME, "2022.csv", INCOME_HEADER + f"1,3,{VILLAGE},5\n", day="2023-01-10")
    # a month that was over long ago is the first that the new source delivers
    desk.take(PAYMENT, "2022-06.csv", PAYMENT_HEADER + row, day="2022-12-20")
    assert stale_since()["civil_affairs/relief_payment"] is None
    # promised 40 days after the end of the month, of December on
    desk.take(INCOME, "2023.csv", INCOME_HEADER + f"1,3,{VILLAGE},5\n", day="2023-02-28")
    assert stale_since()["civil_affairs/relief_payment"] == "2023-02-10"
    # what delivered before is late by its own months
    desk.take(PAYMENT, "2021-06.csv", PAYMENT_HEADER + row, day="2021-07-20")
    assert stale_since()["civil_affairs/relief_payment"] == "2022-09-10"


def test_the_period_is_that_of_the_served_area_and_one_of_elsewhere_stands_beside_it(
    desk: Desk,
) -> None:
    def periods() -> tuple[object, object, object]:
        sources = status_of(desk.project.settings)["sources"]
        assert isinstance(sources, list)
        [row] = [each for each in sources if each["source"] == "civil_affairs/relief_payment"]
        return row["period"], row["period_elsewhere"], row["rows_accepted"]

    assert periods() == (None, None, 0)
    elsewhere = desk.take(PAYMENT, f"{ELSEWHERE}/2022-12.csv", GOOD)
    assert elsewhere.sender == ELSEWHERE
    assert periods() == (None, "2022-12", 1)
    desk.take(PAYMENT, f"{COUNTY}/2022-06.csv", GOOD)
    assert periods() == ("2022-06", "2022-12", 2)
    line = next(line for line in shown(desk).splitlines() if "relief_payment" in line)
    assert line.split()[1] == "2022-06"
    assert line.split()[-1] == "2022-12"
    # a file that names no sender speaks for the served area
    desk.take(PAYMENT, "2022-09.csv", GOOD)
    assert periods() == ("2022-09", "2022-12", 3)


def test_misplaced_files_are_told_by_their_place(desk: Desk) -> None:
    desk.put(PAYMENT, "2022-06.csv", "x")
    desk.put("民政__低保", "2022-06.csv", "x")
    assert "misplaced 民政/低保/2022-06.csv lies in no dataset's folder" in shown(desk)
    assert status_of(desk.project.settings)["misplaced_files"] == ["民政/低保/2022-06.csv"]

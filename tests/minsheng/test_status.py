"""What `minsheng status` says of a home of a few files."""

from datetime import timedelta

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
    }
    assert [path.name for path in settings.home.iterdir()] == [NOTE]


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


def test_misplaced_files_are_told_by_their_place(desk: Desk) -> None:
    desk.put(PAYMENT, "2022-06.csv", "x")
    desk.put("民政__低保", "2022-06.csv", "x")
    assert "misplaced 民政/低保/2022-06.csv lies in no dataset's folder" in shown(desk)
    assert status_of(desk.project.settings)["misplaced_files"] == ["民政/低保/2022-06.csv"]

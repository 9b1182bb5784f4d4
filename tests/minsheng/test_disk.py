"""Which disk is full is told with its folder, its room and how much waits."""

from minsheng.disk import full_disk
from tests.minsheng.desk import PAYMENT, Desk
from tests.minsheng.test_outcome import GOOD


def test_a_full_disk_is_named_with_what_waits(desk: Desk) -> None:
    desk.put(PAYMENT, "2022-06.csv", GOOD * 20_000)
    home = desk.project.settings.home
    told = full_disk(
        desk.project.settings, "[Errno 28] No space left on device", [home / "not_made"]
    )
    waiting = desk.folder(PAYMENT) / "2022-06.csv"
    assert told.startswith(f"the disk of {home} is full: ")
    assert f", {waiting.stat().st_size / 1e6:.1f} MB wait in the inbox; " in told
    assert told.endswith("refresh again ([Errno 28] No space left on device)")


def test_what_fails_with_room_on_every_disk_is_no_full_disk(desk: Desk) -> None:
    desk.inbox.mkdir(parents=True)
    assert full_disk(desk.project.settings, "raw/x breaks its contract", []) == ""

"""What a refresh says of the files that waited, from the receipts of a desk."""

from datetime import timedelta

from minsheng.outcome import known_before, told_of
from tests.minsheng.desk import NOW, PAYMENT, PAYMENT_HEADER, ZHANG, Desk

GOOD = f"{PAYMENT_HEADER}{ZHANG},张三,低保金,500\n"


def told(desk: Desk, *names: str, content: str = GOOD) -> tuple[str, ...]:
    """What is said when files of these names come in one batch."""
    known = {receipt.delivery_id: receipt for receipt in desk.receipts()}
    for name in names:
        desk.put(PAYMENT, name, content)
    desk.ingest(PAYMENT)
    return told_of(desk.receipts(), known)


def test_a_file_sent_again_under_another_name_has_a_line(desk: Desk) -> None:
    assert told(desk, "2022-06.csv") == ("took 1 files: 1 rows accepted, 0 refused",)
    assert told(desk, "2022-06_再报.csv") == (
        "left out: civil_affairs/relief_payment/2022-06_再报.csv, "
        "the same bytes as 2022-06.csv of 2023-01-10T12:00:00+08:00",
    )


def test_a_refused_file_sent_unchanged_is_still_refused(desk: Desk) -> None:
    [_, first] = told(desk, "2022-06.csv", content="")
    assert first.startswith("refused civil_affairs/relief_payment: 2022-06.csv: ")
    [again] = told(desk, "2022-06.csv", content="")
    assert again.startswith("still refused: civil_affairs/relief_payment/2022-06.csv, ")


def test_the_advice_for_the_engineer_stands_behind_the_reason(desk: Desk) -> None:
    [_, line] = told(desk, "2022-06.csv", content=GOOD.replace("发放金额", "备注"))
    [receipt] = desk.receipts()
    assert line.endswith(
        "(a new name of a column goes into expectations/staged/civil_affairs__relief_payment.yaml)"
    )
    assert line == (f"refused civil_affairs/relief_payment: {receipt.message} ({receipt.advice})")


def test_what_a_refresh_took_that_was_killed_is_told_from_when_it_began(desk: Desk) -> None:
    """The second of two files was taken by it, and the first sent again."""
    desk.take(PAYMENT, "2022-05.csv", GOOD, sidecar="rows: 1")
    began = NOW + timedelta(hours=1)
    desk.put(PAYMENT, "2022-06.csv", GOOD.replace("500", "600"))
    desk.put(PAYMENT, "2022-05_再报.csv", GOOD)
    desk.ingest(PAYMENT, began + timedelta(seconds=5))
    receipts = desk.receipts()
    assert told_of(receipts, known_before(receipts, None)) == ()
    took, left_out = told_of(receipts, known_before(receipts, began))
    assert took == "took 1 files: 1 rows accepted, 0 refused"
    assert left_out.startswith("left out: civil_affairs/relief_payment/2022-05_再报.csv, ")


def test_each_of_three_like_files_without_a_period_has_a_line(desk: Desk) -> None:
    lines = told(desk, "甲.csv", "乙.csv", "丙.csv")
    assert all(sum(f"{name}.csv" in line for line in lines) for name in "甲乙丙")
    assert [line.partition(" ")[0] for line in lines] == ["took", "refused", "still", "still"]

"""What a refresh says of the files that waited, from the receipts of a desk."""

from minsheng.outcome import told_of
from tests.minsheng.desk import PAYMENT, PAYMENT_HEADER, ZHANG, Desk

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


def test_each_of_three_like_files_without_a_period_has_a_line(desk: Desk) -> None:
    lines = told(desk, "甲.csv", "乙.csv", "丙.csv")
    assert all(sum(f"{name}.csv" in line for line in lines) for name in "甲乙丙")
    assert [line.partition(" ")[0] for line in lines] == ["took", "refused", "still", "still"]

"""The lake: deliveries as received, for ever, one folder each with its receipt.

`lake/<department>/<dataset>/<delivery_id>/` holds `original/`, `rows.parquet` (text as received),
`refused.parquet`, `typed/<hash>.parquet` (a disposable cache) and `receipt.json`, which is written
last: a folder without one is not a delivery.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Literal

from minsheng.contracts import Mode, PeriodKind

PERIOD = re.compile(r"(?<!\d)((?:19|20)\d{2})(?:\s*[-_.年]?\s*(0[1-9]|1[0-2]|[1-9](?=月)))?(?!\d)")

MONTHS_OF_A_YEAR = 12
RECEIPT_FILE = "receipt.json"
AREA_CODE = re.compile(r"\d{12}")
AREA_DIGITS = (2, 4, 6, 9)
"""Of a province, a city, a county and a town; a village has all twelve."""


class DeliveryError(ValueError):
    """What cannot be done with the lake or its deliveries; the message says the way out."""


@dataclass(frozen=True)
class Receipt:
    """What was received in one delivery and what became of every row.

    `rows_received = rows_accepted + rows_refused`; blank rows are counted apart. A withdrawal is a
    delivery without rows: from its moment on the delivery that it withdraws does not count.
    """

    delivery_id: str
    department: str
    dataset: str
    sender: str | None
    period: str
    file_name: str
    sha256: str
    byte_count: int
    delivered_at: str
    ingested_at: str
    status: Literal["taken", "refused", "withdrawal"]
    message: str = ""
    """Why it was refused or withdrawn."""
    message_zh: str = ""
    """Why it was refused, as its department is told."""
    advice: str = ""
    """What an engineer can do about the refusal."""
    sender_named: str = ""
    """The name of the area that its folder had in the place of the code."""
    mode: Mode = "snapshot"
    """How it adds up with the others, as the contract said when it came."""
    corrects: str = ""
    """The delivery some of whose refused rows it brings mended."""
    withdraws: str = ""
    doubts: tuple[str, ...] = ()
    """What is odd about the file as a whole, though it was taken."""
    form: str = ""
    header_row: int = 0
    headers: tuple[str, ...] = ()
    unknown_columns: tuple[str, ...] = ()
    absent_columns: tuple[str, ...] = ()
    units: dict[str, str] = field(default_factory=dict)
    """The unit of every column that was not delivered in its own."""
    conversions: dict[str, int] = field(default_factory=dict)
    """How many values were not read from their plain form, by column and kind."""
    contract_hash: str = ""
    checked_hash: str = ""
    """The contract under which Great Expectations has counted the same faults."""
    blank_rows: int = 0
    note_rows: int = 0
    rows_received: int = 0
    rows_accepted: int = 0
    rows_refused: int = 0
    rows_elsewhere: int = 0
    """Accepted rows that are dated outside the period."""
    medians: dict[str, float] = field(default_factory=dict)
    """The median of each amount that accepted rows state, without the zeros, in its own unit."""
    refused_by_rule: dict[str, int] = field(default_factory=dict)
    warned_by_rule: dict[str, int] = field(default_factory=dict)
    sent_again: dict[str, str] = field(default_factory=dict)
    """Names of files that came later with the same bytes, and when the last of each came."""

    @property
    def table(self) -> str:
        return f"{self.department}__{self.dataset}"

    @cached_property
    def order(self) -> tuple[datetime, datetime, str]:
        """Sorts deliveries by when they were delivered, then taken: a total order."""
        return (
            datetime.fromisoformat(self.delivered_at),
            datetime.fromisoformat(self.ingested_at),
            self.delivery_id,
        )

    @property
    def delivered_on(self) -> date:
        return datetime.fromisoformat(self.delivered_at).date()

    @property
    def period_month(self) -> date:
        """First day of the last month of the period."""
        return last_month(self.period)


def period_in(name: str, kind: PeriodKind) -> str | None:
    """The period that a file name states (`2022`, `2022-06`, `202206`, `2022年6月`).

    None if it states none of the kind, or several of which nobody knows which is meant.
    """
    found = set()
    for match in PERIOD.finditer(name):
        year, month = match.groups()
        if kind == "year":
            found.add(year)
        elif month:
            found.add(f"{year}-{int(month):02d}")
    return found.pop() if len(found) == 1 else None


def is_period(text: str, kind: PeriodKind) -> bool:
    """Whether `text` names a period of the kind (`2022` or `2022-06`)."""
    pattern = r"(19|20)\d{2}" if kind == "year" else r"(19|20)\d{2}-(0[1-9]|1[0-2])"
    return re.fullmatch(pattern, text) is not None


def last_month(period: str) -> date:
    """First day of the last month of a period (`2022` or `2022-06`)."""
    year, _, month = period.partition("-")
    return date(int(year), int(month or MONTHS_OF_A_YEAR), 1)


def first_month(period: str) -> date:
    """First day of a period."""
    year, _, month = period.partition("-")
    return date(int(year), int(month or 1), 1)


def delivery_folder(lake: Path, receipt: Receipt) -> Path:
    return lake / receipt.department / receipt.dataset / receipt.delivery_id


def delivery_key(*parts: str | None) -> str:
    """The content-addressed key of a delivery."""
    return hashlib.sha256("\n".join(part or "" for part in parts).encode()).hexdigest()[:16]


def read_receipts(lake: Path, table: str = "[!.]*__*") -> tuple[Receipt, ...]:
    """Every receipt in the lake, or of one `department__dataset`, in a total order of delivery."""
    department, _, dataset = table.partition("__")
    receipts = map(_read, lake.glob(f"{department}/{dataset}/*/{RECEIPT_FILE}"))
    return tuple(sorted(receipts, key=lambda receipt: receipt.order))


def _read(path: Path) -> Receipt:
    values = json.loads(path.read_text(encoding="utf-8"))
    for name in ("headers", "unknown_columns", "absent_columns", "doubts"):
        values[name] = tuple(values[name])
    return Receipt(**values)


def note_sent_again(lake: Path, standing: Receipt, again: Receipt) -> None:
    """Note in the lake that a file has brought the bytes of a delivery again.

    What is refused again is refused under today's contract.
    """
    folder = delivery_folder(lake, standing)
    noted = _read(folder / RECEIPT_FILE)
    sent_again = {**noted.sent_again, again.file_name: again.ingested_at}
    judged = again.contract_hash if noted.status == "refused" else noted.contract_hash
    write_receipt(folder, replace(noted, sent_again=sent_again, contract_hash=judged))


def delivered_bytes(inbox: Path, lake: Path) -> int:
    """Bytes of all files that were delivered or wait in the inbox."""
    waiting = sum(path.stat().st_size for path in inbox.rglob("*") if path.is_file())
    return waiting + sum(receipt.byte_count for receipt in read_receipts(lake))


def write_receipt(folder: Path, receipt: Receipt) -> None:
    text = json.dumps(asdict(receipt), ensure_ascii=False, indent=1)
    temporary = folder / f"{RECEIPT_FILE}.tmp"
    temporary.write_text(text + "\n", encoding="utf-8")
    temporary.replace(folder / RECEIPT_FILE)


def effective(receipts: Iterable[Receipt], known_on: date | None) -> tuple[Receipt, ...]:
    """The deliveries that count, in a total order.

    Of snapshots the last one taken of each dataset, sender and period, of the other modes all that
    were taken, and the corrections of what counts. What was withdrawn never counts. `known_on`
    leaves out what was delivered after that day.
    """
    known = sorted(
        (r for r in receipts if known_on is None or r.delivered_on <= known_on),
        key=lambda receipt: receipt.order,
    )
    gone = withdrawn(known)
    whole: dict[tuple[str, ...], Receipt] = {}
    corrections: dict[str, list[Receipt]] = {}
    for receipt in known:
        if receipt.status != "taken" or receipt.delivery_id in gone:
            continue
        if receipt.corrects:
            corrections.setdefault(receipt.corrects, []).append(receipt)
        elif receipt.mode == "snapshot":
            whole[receipt.table, receipt.sender or "", receipt.period] = receipt
        else:
            whole[(receipt.delivery_id,)] = receipt
    found = list(whole.values())
    for receipt in found:  # corrections are appended and may have corrections themselves
        found += corrections.get(receipt.delivery_id, ())
    return tuple(sorted(found, key=lambda r: (r.table, r.period, r.sender or "", *r.order)))


def corrected_by(receipt: Receipt, known: Iterable[Receipt]) -> tuple[Receipt, ...]:
    """The file that a correction corrects and the corrections of it before this one, in order.

    Of one row of the file the last of them counts. Empty for what is no correction.
    """
    if not receipt.corrects:
        return ()
    by_id = {each.delivery_id: each for each in known}
    gone = withdrawn(by_id.values())

    def root(each: Receipt) -> str:
        while each.corrects:
            each = by_id[each.corrects]
        return each.delivery_id

    return tuple(
        each
        for each in sorted(by_id.values(), key=lambda one: one.order)
        if each.status == "taken"
        and each.delivery_id not in gone
        and each.order < receipt.order
        and root(each) == root(receipt)
    )


def corrections_of(receipts: Sequence[Receipt]) -> tuple[tuple[str, str], ...]:
    """Pairs of a delivery and a correction of it; of a row of both the correction's counts."""
    return tuple(
        (earlier.delivery_id, receipt.delivery_id)
        for receipt in receipts
        for earlier in corrected_by(receipt, receipts)
    )


def overlapping(receipts: Sequence[Receipt]) -> dict[str, str]:
    """Snapshots that count whose sender's area holds, or lies in, another's of the same period.

    Each, in order of delivery, with the digits that the codes of all areas in its sender's begin
    with: none where the file is for the whole place. A unit that is no area lies in the whole.
    """
    areas: dict[tuple[str, str], set[str]] = {}
    for receipt in receipts:
        areas.setdefault((receipt.table, receipt.period), set()).add(_area_prefix(receipt.sender))

    def overlaps(receipt: Receipt) -> bool:
        own, others = _area_prefix(receipt.sender), areas[receipt.table, receipt.period]
        holders = [own[:digits] for digits in (0, *AREA_DIGITS) if digits < len(own)]
        return len(others) > 1 and (
            not others.isdisjoint(holders)
            or any(other != own and other.startswith(own) for other in others)
        )

    return {
        receipt.delivery_id: _area_prefix(receipt.sender)
        for receipt in sorted(receipts, key=lambda each: each.order)
        if receipt.mode == "snapshot" and overlaps(receipt)
    }


def _area_prefix(sender: str | None) -> str:
    """The digits of an area's code without those that only fill it; a unit's name as it is."""
    if not sender or not AREA_CODE.fullmatch(sender):
        return sender or ""
    return next((sender[:n] for n in AREA_DIGITS if not sender[n:].strip("0")), sender)


def withdrawn(receipts: Iterable[Receipt]) -> frozenset[str]:
    """Deliveries that were withdrawn; a withdrawal may be withdrawn in its turn."""
    gone: set[str] = set()
    for receipt in sorted(receipts, key=lambda receipt: receipt.order, reverse=True):
        if receipt.status == "withdrawal" and receipt.delivery_id not in gone:
            gone.add(receipt.withdraws)
    return frozenset(gone)


def waited_for(receipts: Iterable[Receipt]) -> tuple[Receipt, ...]:
    """Deliveries refused whole that no good one has followed, in order of delivery.

    A good one is of the same dataset and sender, and of the same period if both name one.
    """
    waiting: list[Receipt] = []
    for receipt in sorted(receipts, key=lambda receipt: receipt.order):
        if receipt.status == "refused":
            waiting.append(receipt)
        elif receipt.status == "taken":
            waiting = [each for each in waiting if not _follows(receipt, each)]
    return tuple(waiting)


def _follows(good: Receipt, refused: Receipt) -> bool:
    is_of_the_sender = (good.table, good.sender) == (refused.table, refused.sender)
    return is_of_the_sender and refused.period in ("", good.period)


def withdraw(lake: Path, delivery_id: str, reason: str, now: datetime) -> Receipt:
    """Withdraw a delivery from `now` on and return the receipt of that.

    Raises DeliveryError if the lake has no such delivery, if it was refused or withdrawn before,
    or if no reason is given.
    """
    receipts = read_receipts(lake)
    named = [receipt for receipt in receipts if receipt.delivery_id == delivery_id]
    if not named:
        raise DeliveryError(
            f"the lake has no delivery {delivery_id}; the ids stand in meta.delivery and in the "
            "names of the workbooks of refused rows"
        )
    if named[0].status == "refused" or delivery_id in withdrawn(receipts):
        raise DeliveryError(f"delivery {delivery_id} was refused or withdrawn before")
    if not reason.strip():
        raise DeliveryError(f"delivery {delivery_id} is withdrawn for no reason; say why")
    moment = now.replace(microsecond=0).isoformat()
    withdrawal = Receipt(
        delivery_id=delivery_key("withdrawal", delivery_id, moment),
        department=named[0].department,
        dataset=named[0].dataset,
        sender=named[0].sender,
        period=named[0].period,
        file_name="",
        sha256="",
        byte_count=0,
        delivered_at=moment,
        ingested_at=now.isoformat(),
        status="withdrawal",
        message=reason,
        withdraws=delivery_id,
    )
    folder = delivery_folder(lake, withdrawal)
    folder.mkdir(parents=True, exist_ok=True)
    write_receipt(folder, withdrawal)
    return withdrawal


def latest_month(receipts: Iterable[Receipt]) -> date:
    """First day of the latest month that the deliveries cover.

    A file of a year that is not over covers it up to the month of its delivery.
    """
    months = [
        min(receipt.period_month, receipt.delivered_on.replace(day=1)) for receipt in receipts
    ]
    if not months:
        raise DeliveryError("the lake holds no delivery; put files into the inbox first")
    return max(months)


def due_date(receipt: Receipt, promised_days: int) -> date:
    """The day from which the next delivery of the same kind is later than promised."""
    months = 1 if "-" in receipt.period else MONTHS_OF_A_YEAR
    ahead = receipt.period_month.month - 1 + months
    following = date(
        receipt.period_month.year + ahead // MONTHS_OF_A_YEAR, ahead % MONTHS_OF_A_YEAR + 1, 1
    )
    return _promised(following, promised_days)


def _promised(month: date, promised_days: int) -> date:
    """The day from which a delivery of a period that ends with `month` is later than promised."""
    return last_day(month) + timedelta(days=promised_days + 1)


def _period_of(day: date, receipt: Receipt) -> str:
    """The period in which `day` lies, of the length of the receipt's."""
    return f"{day:%Y-%m}" if "-" in receipt.period else f"{day:%Y}"


def next_due(receipts: Sequence[Receipt], promised_days: int, silence_months: int) -> date | None:
    """The day from which the first sender's next delivery of a dataset is later than promised.

    A sender that has been silent for `silence_months` up to the dataset's latest is not expected.
    What was promised counts from the period in which a sender first delivered: no file of an
    earlier one is due, however old those are with which it begins.
    """
    latest: dict[str | None, Receipt] = {}
    begun: dict[str | None, date] = {}
    for receipt in sorted(receipts, key=lambda each: each.period_month):
        latest[receipt.sender] = receipt
        first = begun.get(receipt.sender, receipt.delivered_on)
        begun[receipt.sender] = min(first, receipt.delivered_on)
    if not latest:
        return None
    newest = _month_number(max(receipt.period_month for receipt in latest.values()))
    return min(
        max(
            due_date(receipt, promised_days),
            _promised(last_month(_period_of(begun[sender], receipt)), promised_days),
        )
        for sender, receipt in latest.items()
        if newest - _month_number(receipt.period_month) <= silence_months
    )


def _month_number(month: date) -> int:
    return month.year * MONTHS_OF_A_YEAR + month.month


def last_day(month: date) -> date:
    """The last day of the month that begins on `month`."""
    return (month + timedelta(days=31)).replace(day=1) - timedelta(days=1)

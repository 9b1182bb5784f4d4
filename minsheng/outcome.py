"""What a refresh came to: in lines for those who look after it, and as a note in the home.

The note `last_refresh.json` is what `minsheng status` knows of refreshes that published nothing.
"""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Literal

from minsheng import lake
from minsheng.faults import without_numbers
from minsheng.lake import Receipt
from minsheng.settings import RESTRICTED_FILE_MODE, Settings

NOTE = "last_refresh.json"
State = Literal["started", "published", "nothing_new", "failed"]


@dataclass(frozen=True)
class Note:
    """What the last refresh came to, when, and what no database gave it.

    One that is `started` and whose process is gone has told nobody what it took, nor has one before
    it that ended so: `untold_since` is when the first of them began.
    """

    state: State
    message: str
    at: str
    unfetched: tuple[str, ...] = ()
    untold_since: str = ""


def note_refresh(
    settings: Settings,
    state: State,
    message: str,
    now: datetime,
    unfetched: Sequence[str] | None = None,
) -> None:
    """Keep the outcome in the home; without `unfetched` what was noted of it before stays."""
    before = read_note(settings)
    if unfetched is None:
        unfetched = before.unfetched if before else ()
    line = without_numbers(" ".join(message.split()))
    at = now.isoformat(timespec="seconds")
    untold = (before.untold_since if before else "") or at
    note = Note(state, line, at, tuple(unfetched), untold if state == "started" else "")
    path = settings.home / NOTE
    temporary = path.with_name(f".{NOTE}.{os.getpid()}")
    # a disk that is full has failed the refresh already, and that must be what is told
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(asdict(note), ensure_ascii=False, indent=1)
        temporary.write_text(f"{text}\n", encoding="utf-8")
        temporary.chmod(RESTRICTED_FILE_MODE)
        temporary.replace(path)


def read_note(settings: Settings) -> Note | None:
    """The note of the last refresh; None before the first."""
    path = settings.home / NOTE
    if not path.is_file():
        return None
    values = json.loads(path.read_text(encoding="utf-8"))
    return Note(**{**values, "unfetched": tuple(values["unfetched"])})


def known_before(receipts: Sequence[Receipt], moment: datetime | None) -> dict[str, Receipt]:
    """The deliveries of a lake by id, as it was at `moment` where one is given."""

    def is_earlier(told: str) -> bool:
        return moment is None or datetime.fromisoformat(told) < moment

    return {
        each.delivery_id: replace(
            each, sent_again={k: at for k, at in each.sent_again.items() if is_earlier(at)}
        )
        for each in receipts
        if is_earlier(each.ingested_at)
    }


def told_of(receipts: Sequence[Receipt], known: Mapping[str, Receipt]) -> tuple[str, ...]:
    """What has become of the files that waited: `receipts` after they were taken, `known` before.

    One line for all that are new, and one for each file that does not count or is odd.
    """
    lines = _new_deliveries(receipts, known)
    for receipt in receipts:
        before = known.get(receipt.delivery_id)
        for name, moment in receipt.sent_again.items():
            if before and before.sent_again.get(name) == moment:
                continue
            again = (
                f"still refused: {place_of(receipt)}/{name}, the same bytes as {receipt.message}"
                if receipt.status == "refused"
                else f"left out: {place_of(receipt)}/{name}, the same bytes as {receipt.file_name} "
                f"of {receipt.delivered_at}"
            )
            lines.append(again)
    return tuple(map(without_numbers, lines))


def _new_deliveries(receipts: Sequence[Receipt], known: Mapping[str, Receipt]) -> list[str]:
    new = [
        receipt
        for receipt in receipts
        if receipt.delivery_id not in known
        # what was refused may be taken under another contract
        or receipt.ingested_at != known[receipt.delivery_id].ingested_at
    ]
    if not new:
        return []
    in_force = {receipt.delivery_id for receipt in lake.effective(receipts, None)}
    good = [receipt for receipt in new if receipt.status == "taken"]
    lines = [
        f"took {len(good)} files: {sum(r.rows_accepted for r in good):,} rows accepted, "
        f"{sum(r.rows_refused for r in good):,} refused"
    ]
    for receipt in new:
        place = place_of(receipt)
        if receipt.status == "refused":
            advice = f" ({receipt.advice})" if receipt.advice else ""
            lines.append(f"refused {place}: {receipt.message}{advice}")
        elif receipt.status == "taken" and receipt.delivery_id not in in_force:
            lines.append(
                f"taken but not in force, a later one is there: {place}/{receipt.file_name} "
                f"of {receipt.delivered_at}"
            )
        lines += [f"odd but taken, {place}/{receipt.file_name}: {d}" for d in receipt.doubts]
    return lines


def place_of(receipt: Receipt) -> str:
    """The inbox's folder from which a delivery came."""
    parts = (receipt.department, receipt.dataset, receipt.sender)
    return "/".join(part for part in parts if part)

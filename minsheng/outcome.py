"""What a refresh came to, in lines for those who look after it."""

from collections.abc import Mapping, Sequence

from minsheng import lake
from minsheng.faults import without_numbers
from minsheng.lake import Receipt


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
                f"still refused: {_place(receipt)}/{name}, the same bytes as {receipt.message}"
                if receipt.status == "refused"
                else f"left out: {_place(receipt)}/{name}, the same bytes as {receipt.file_name} "
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
        place = _place(receipt)
        if receipt.status == "refused":
            lines.append(f"refused {place}: {receipt.message}")
        elif receipt.status == "taken" and receipt.delivery_id not in in_force:
            lines.append(
                f"taken but not in force, a later one is there: {place}/{receipt.file_name} "
                f"of {receipt.delivered_at}"
            )
        lines += [f"odd but taken, {place}/{receipt.file_name}: {d}" for d in receipt.doubts]
    return lines


def _place(receipt: Receipt) -> str:
    """The inbox's folder from which a delivery came."""
    parts = (receipt.department, receipt.dataset, receipt.sender)
    return "/".join(part for part in parts if part)

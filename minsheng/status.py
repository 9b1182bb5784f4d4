"""Where everything stands: sources, the waiting inbox, the last refresh, the current version."""

from collections.abc import Sequence
from dataclasses import asdict

from minsheng import lake
from minsheng.contracts import Contract
from minsheng.faults import without_numbers
from minsheng.inbox import misplaced_files, readable_path, waiting_files
from minsheng.lake import Receipt
from minsheng.lock import is_refreshing
from minsheng.meta import due_and_stale
from minsheng.outcome import place_of, read_note
from minsheng.project import Project, latest_month, of_the_area
from minsheng.release import current, versions
from minsheng.settings import Settings

Source = dict[str, str | int | None]
COLUMNS = (
    *("source", "period", "delivered_at", "rows_accepted", "rows_refused", "stale_since"),
    "period_elsewhere",
)


def status_of(settings: Settings) -> dict[str, object]:
    """The state of a home as plain values, for people and for other programs.

    `sources` has one entry per enabled dataset: the last delivery in force that tells of the
    deployment's area, the rows accepted and refused over all deliveries in force, since when the
    dataset is later than promised as seen from the latest month that any dataset covers, and the
    last period that senders elsewhere delivered, for plans of their own. `last_refresh` says what
    the last one came to, when, and what no database gave it: one that has `started` while not
    `is_refreshing` was ended from outside, or is one that Dagster has yet to begin.
    `rolled_back_from` are the later versions that a rollback left behind.
    """
    project = Project(settings)
    tables = {source.table for source in project.sources}
    receipts = [r for r in lake.read_receipts(settings.lake) if r.table in tables]
    effective = lake.effective(receipts, None)
    version = current(settings)
    note = read_note(settings)
    misplaced = misplaced_files(settings, project.sources)
    published = versions(settings)
    return {
        "home": str(settings.home),
        "deployment": settings.name_zh,
        "waiting_files": len(waiting_files(settings.inbox)),
        "misplaced_files": [
            without_numbers(readable_path(path.relative_to(settings.inbox))) for path in misplaced
        ],
        "is_refreshing": is_refreshing(settings.home),
        "last_refresh": asdict(note) if note else None,
        "current_version": version.version if version else None,
        "build_id": version.build_id if version else None,
        "as_of_month": version.as_of_month if version else None,
        "built_at": version.built_at if version else None,
        "versions": [each.version for each in published],
        "rolled_back_from": [
            each.version for each in published if version and each.version > version.version
        ],
        "withdrawn_deliveries": _withdrawals(receipts),
        "files_refused_whole": [_refused_whole(each) for each in lake.waited_for(receipts)],
        "sources": [_source(project, source, effective) for source in project.sources],
    }


def status_text(status: dict[str, object]) -> str:
    """The same for reading at a terminal."""
    sources = status["sources"]
    assert isinstance(sources, list)
    rows = [COLUMNS, *(tuple(_shown(source[name]) for name in COLUMNS) for source in sources)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(COLUMNS))]
    table = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    refused, misplaced = status["files_refused_whole"], status["misplaced_files"]
    assert isinstance(refused, list)
    assert isinstance(misplaced, list)
    later, withdrawn = status["rolled_back_from"], status["withdrawn_deliveries"]
    assert isinstance(later, list)
    assert isinstance(withdrawn, list)
    last = status["last_refresh"]
    assert last is None or isinstance(last, dict)
    return "\n".join(
        [
            f"home      {status['home']} ({status['deployment']})",
            f"current   {_shown(status['current_version'])}  build {_shown(status['build_id'])}  "
            f"as of {_shown(status['as_of_month'])}",
            *[
                f"rollback  from {newest}: it lasts until a delivery, a rule or the program "
                f"changes, or `minsheng rollback {newest}`"
                for newest in later[-1:]
            ],
            *_refresh_lines(last, is_refreshing=bool(status["is_refreshing"])),
            f"inbox     {status['waiting_files']} files waiting",
            *[f"misplaced {path} lies in no dataset's folder" for path in misplaced],
            *[f"unfetched {line}" for line in (last["unfetched"] if last else ())],
            "",
            *table,
            *[f"refused   {message}" for message in refused],
            *[f"withdrawn {message}" for message in withdrawn],
        ]
    )


def _refresh_lines(last: dict[str, str] | None, *, is_refreshing: bool) -> list[str]:
    """What the last refresh came to, or that one runs or has died."""
    if last is None or last["state"] != "started":
        told = [f"refresh   {last['state']} at {last['at']}: {last['message']}"] if last else []
        return ["refresh   runs now", *told] if is_refreshing else told
    if is_refreshing:
        return [f"refresh   runs since {last['at']}"]
    return [
        f"refresh   died: it began at {last['at']}, runs no longer and has not said how it ended; "
        "`minsheng refresh` mends what it left and tells what it took"
    ]


def _source(project: Project, source: Contract, effective: tuple[Receipt, ...]) -> Source:
    assert source.delivery
    receipts = [receipt for receipt in effective if receipt.table == source.table]
    latest = _latest(of_the_area(project, receipts))
    elsewhere = _latest([each for each in receipts if each.sender in project.areas_elsewhere])
    month = latest_month(project, effective)
    stale = due_and_stale(project, source, receipts, month)[1] if month else None
    return {
        "source": f"{source.delivery.department}/{source.delivery.dataset}",
        "period": latest.period if latest else None,
        "delivered_at": latest.delivered_at if latest else None,
        "rows_accepted": sum(receipt.rows_accepted for receipt in receipts),
        "rows_refused": sum(receipt.rows_refused for receipt in receipts),
        "stale_since": stale.isoformat() if stale else None,
        "period_elsewhere": elsewhere.period if elsewhere else None,
    }


def _latest(receipts: Sequence[Receipt]) -> Receipt | None:
    return max(receipts, key=lambda each: (each.period_month, each.delivered_at), default=None)


def _refused_whole(receipt: Receipt) -> str:
    advice = f" ({receipt.advice})" if receipt.advice else ""
    return f"{place_of(receipt)}: {receipt.message}{advice}"


def _withdrawals(receipts: Sequence[Receipt]) -> list[str]:
    """A line for each file that was withdrawn, with what would undo it."""
    gone = lake.withdrawn(receipts)
    named = {receipt.delivery_id: receipt for receipt in receipts}
    lines = []
    for receipt in receipts:
        withdrawn = named.get(receipt.withdraws)
        if withdrawn and withdrawn.file_name and receipt.delivery_id not in gone:
            lines.append(
                f"{place_of(withdrawn)}/{withdrawn.file_name} of {withdrawn.delivered_at} "
                f"({withdrawn.delivery_id}) on {receipt.delivered_at}: {receipt.message}; "
                f"`minsheng withdraw {receipt.delivery_id}` undoes it"
            )
    return [without_numbers(line) for line in lines]


def _shown(value: object) -> str:
    return "-" if value is None else str(value)

"""What a build says of itself: its deliveries, sources, tables and columns, as tables of `meta`."""

from collections.abc import Collection, Sequence
from datetime import date, datetime

from minsheng import lake, linkage
from minsheng.contracts import RESTRICTED_LAYERS, Contract
from minsheng.lake import Receipt
from minsheng.project import Inputs, Project, of_the_area
from minsheng.settings import Settings
from minsheng.warehouse import Warehouse, write_rows


def make_meta(
    warehouse: Warehouse, project: Project, contract: Contract, inputs: Inputs, now: datetime
) -> int:
    """Make a table of what the build is made of: `meta.build`, `delivery`, `source` and so on."""
    if inputs.as_of_month is None:
        raise lake.DeliveryError("the lake holds no good delivery; put files into the inbox first")
    if contract.table == "delivery":
        effective = {receipt.delivery_id for receipt in inputs.effective}
        gone = lake.withdrawn(inputs.deliveries)
        rows = [
            _delivery_row(receipt, order, _delivery_status(receipt, effective, gone))
            for order, receipt in enumerate(inputs.deliveries, start=1)
        ]
    elif contract.table == "table_freshness":
        rows = _freshness_rows(project, inputs)
    elif contract.table == "source":
        rows = [_source_row(source, inputs, project) for source in project.sources]
    else:
        rows = [_build_row(inputs, now, project.settings)]
    return write_rows(warehouse, contract, rows)


def _freshness_rows(project: Project, inputs: Inputs) -> list[dict[str, object]]:
    """Of each model, the datasets that it is made from and since when the first of them is late."""
    rows = [_source_row(source, inputs, project) for source in project.sources]
    late = {row["source"]: row["stale_since"] for row in rows if row["stale_since"]}
    return [
        {
            "table_name": name,
            "datasets": ",".join(sorted(datasets)),
            "stale_datasets": ",".join(sorted(datasets & late.keys())) or None,
            "stale_since": min((str(late[each]) for each in datasets & late.keys()), default=None),
        }
        for name in sorted(project.models)
        for datasets in [datasets_above(project, name)]
    ]


def datasets_above(project: Project, table: str) -> frozenset[str]:
    """The enabled datasets whose rows a table is made from, as its SQL and those above it say.

    Through the vault every dataset gives keys to every table; that does not count.
    """
    seen: set[str] = set()
    waiting = [table]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            if name in project.models:
                waiting.extend(project.models[name].reads)
            elif name in project.figure_tables:
                waiting.extend(project.figure_tables[name].reads)
    return frozenset(source.table for source in project.sources if source.name in seen)


def make_columns(warehouse: Warehouse, project: Project) -> int:
    """Make `meta.columns`: every column of every table of the published file."""
    return write_rows(warehouse, project.contracts["meta.columns"], _column_rows(project))


def _delivery_status(receipt: Receipt, effective: Collection[str], gone: Collection[str]) -> str:
    if receipt.status != "taken":
        return receipt.status
    if receipt.delivery_id in gone:
        return "withdrawn"
    return "effective" if receipt.delivery_id in effective else "superseded"


def _delivery_row(receipt: Receipt, order: int, status: str) -> dict[str, object]:
    return {
        "delivery_id": receipt.delivery_id,
        "department": receipt.department,
        "dataset": receipt.dataset,
        "sender": receipt.sender,
        "period": receipt.period,
        "period_month": receipt.period_month if receipt.period else None,
        "delivered_at": _moment(receipt.delivered_at),
        "ingested_at": _moment(receipt.ingested_at),
        "sha256": receipt.sha256,
        "rows_received": receipt.rows_received,
        "rows_accepted": receipt.rows_accepted,
        "rows_refused": receipt.rows_refused,
        "delivery_status": status,
        "delivery_order": order,
        "corrects": receipt.corrects or None,
        "withdraws": receipt.withdraws or None,
        "reason": "; ".join(part for part in (receipt.message, *receipt.doubts) if part) or None,
    }


def _source_row(source: Contract, inputs: Inputs, project: Project) -> dict[str, object]:
    assert source.delivery and inputs.as_of_month
    receipts = [receipt for receipt in inputs.effective if receipt.table == source.table]
    latest = max(receipts, key=lambda each: (each.period_month, each.delivered_at), default=None)
    due, stale_since = due_and_stale(project, source, receipts, inputs.as_of_month)
    return {
        "source": source.table,
        "department": source.delivery.department,
        "dataset": source.delivery.dataset,
        "period_month": latest.period_month if latest else None,
        "delivered_at": _moment(latest.delivered_at) if latest else None,
        "due_date": due,
        "stale_since": stale_since,
        "rows_accepted": sum(receipt.rows_accepted for receipt in receipts),
        "rows_refused": sum(receipt.rows_refused for receipt in receipts),
        "is_personal": linkage.is_personal(source),
        "reaches_back": _reaches_back(source),
    }


def _reaches_back(source: Contract) -> bool:
    """Whether rows stand for years before their period: in a ledger whose entries stand, or because
    each row names its year."""
    stands = source.delivery and source.delivery.stands_from
    return bool(stands) or any(column.name == "year" for column in source.columns)


def due_and_stale(
    project: Project, source: Contract, receipts: Sequence[Receipt], as_of_month: date
) -> tuple[date | None, date | None]:
    """When a dataset's next delivery is due, and the same if it is later than that by the month."""
    assert source.delivery
    end, own = lake.last_day(as_of_month), of_the_area(project, receipts)
    silence = project.decided("sender_silence_months", end) if own else 0
    due = lake.next_due(own, source.delivery.promised_days, round(silence))
    return due, due if due and due <= end else None


def _moment(text: str) -> str:
    """A moment as the deployment's clock showed it."""
    return datetime.fromisoformat(text).replace(tzinfo=None).isoformat(sep=" ")


def _build_row(inputs: Inputs, now: datetime, settings: Settings) -> dict[str, object]:
    return {
        "version": f"{now:%Y%m%dT%H%M%S}-{inputs.build_id[:8]}",
        "build_id": inputs.build_id,
        "built_at": now.replace(tzinfo=None).isoformat(sep=" ", timespec="seconds"),
        "known_on": inputs.known_on,
        "as_of_month": inputs.as_of_month,
        "area_code": settings.area_code,
        "code_version": inputs.code_version,
        "policy_hash": inputs.policy_hash,
        "contract_hash": inputs.contract_hash,
        "engine_versions": inputs.engine_versions,
        "pseudonym_key": inputs.pseudonym_key,
    }


def _column_rows(project: Project) -> list[dict[str, object]]:
    return [
        {
            "schema_name": contract.layer,
            "table_name": contract.table,
            "column_name": column.name,
            "label_zh": column.label_zh,
            "label_en": column.label_en,
            "unit": column.unit,
            "meaning": column.meaning,
        }
        for contract in sorted(project.contracts.values(), key=lambda each: each.name)
        if contract.layer not in RESTRICTED_LAYERS
        for column in contract.columns
    ]

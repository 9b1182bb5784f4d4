"""From the lake to tables: the rows of a dataset as received, and those of them that count."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path

from minsheng import ingest, judging, lake
from minsheng.contracts import Contract
from minsheng.encryption import sealed_parquet
from minsheng.headers import column_sources
from minsheng.lake import Receipt
from minsheng.project import Project, in_force
from minsheng.quoting import literal, quoted
from minsheng.warehouse import RECEIVED_SCHEMA, REPORTED_SCHEMA, Warehouse, write_view


def ingest_source(project: Project, source: Contract, now: datetime) -> ingest.Ingested:
    """Take the waiting files of one dataset into the lake."""
    return ingest.ingest_dataset(project.settings, source, project.sources, project.codes, now)


def make_raw(warehouse: Warehouse, project: Project, source: Contract) -> int:
    """Make `raw.<source>`, the rows of the deliveries in force as text; return the rows received.

    Beside it `received.<source>` has the same rows typed, with what each was refused for.
    """
    known = lake.read_receipts(project.settings.lake, source.table)
    receipts = [
        judging.ensure_typed(project.settings, source, project.codes, receipt, known)
        for receipt in in_force(project, source)
    ]
    raw = project.contracts[f"raw.{source.table}"]
    folders = [lake.delivery_folder(project.settings.lake, receipt) for receipt in receipts]
    version_of_rows = judging.typed_version(source, project.codes)
    typed = [judging.typed_path(folder, version_of_rows) for folder in folders]
    write_view(warehouse, source, RECEIVED_SCHEMA, _received_select(source, typed))
    write_view(warehouse, raw, "raw", _raw_select(raw, source, receipts, folders))
    return sum(receipt.rows_received for receipt in receipts)


def earlier_rows(project: Project) -> dict[str, str]:
    """For each dataset a FROM item of accepted rows of deliveries that do not count, or in part.

    Of a delivery in whose place others stand for some rows all rows are among them.
    """
    found = {}
    for source in project.sources:
        known = lake.read_receipts(project.settings.lake, source.table)
        counting = in_force(project, source)
        counted = {receipt.delivery_id for receipt in counting} - set(lake.overlapping(counting))
        gone = [
            receipt
            for receipt in known
            if receipt.status == "taken"
            and receipt.delivery_id not in counted
            and (project.known_on is None or receipt.delivered_on <= project.known_on)
        ]
        if gone:
            version = judging.typed_version(source, project.codes)
            paths = [
                judging.typed_path(lake.delivery_folder(project.settings.lake, receipt), version)
                for receipt in (
                    judging.ensure_typed(project.settings, source, project.codes, each, known)
                    for each in gone
                )
            ]
            select = _received_select(source, paths)
            found[source.table] = f"(select * from ({select}) where refused_by is null)"
    return found


def make_absent(warehouse: Warehouse, project: Project) -> None:
    """Make `staged.<source>` of the datasets that are not enabled: empty, so that models bind."""
    for source in project.absent_sources:
        columns = ", ".join(f"null::{c.duckdb_type} as {c.name}" for c in source.columns)
        write_view(warehouse, source, "staged", f"select {columns} where false", commented=False)
        if source.delivery and source.delivery.mode == "upsert":
            select = reported_select(source, source.name, "delivery_id")
            write_view(warehouse, source, REPORTED_SCHEMA, select)


def make_staged(warehouse: Warehouse, project: Project, source: Contract) -> int:
    """Make `staged.<source>`, the rows that count of the deliveries in force; return their number.

    A row that a correction brings back stands in the place of the row that was sent back. Where
    deliveries add up, of the rows of one key the first delivered stands (append), or that of the
    latest period and of this the last delivered (upsert); beside these `reported.<source>` has what
    was reported in the years before. Of snapshots of one period, one of them of an area that holds
    the other's, the row of one key that was delivered last stands.
    """
    assert source.delivery
    receipts = in_force(project, source)
    columns = ", ".join(column.name for column in source.columns)
    received = f"restricted.{RECEIVED_SCHEMA}.{quoted(source.table)}"
    select = f"select {columns} from {received} as own where refused_by is null"
    replaced = lake.corrections_of(receipts)
    overlapping = lake.overlapping(receipts)
    if replaced:
        pairs = ", ".join(f"({literal(before)}, {literal(after)})" for before, after in replaced)
        select += f"""
            and not exists (
                select 1 from {received} as mended
                join (values {pairs}) as chain (before, after) on mended.delivery_id = chain.after
                where chain.before = own.delivery_id and mended.row_number = own.row_number)
        """
    if source.delivery.mode != "snapshot" and receipts:
        is_upsert = source.delivery.mode == "upsert"
        whole = {receipt.delivery_id: receipt.order for receipt in receipts}
        for receipt in receipts:
            for earlier in lake.corrected_by(receipt, receipts)[:1]:
                whole[receipt.delivery_id] = earlier.order
        ordered = sorted(
            receipts,
            key=lambda r: (
                r.period_month if is_upsert else date.min,
                whole[r.delivery_id],
                r.order,
            ),
        )
        places = ", ".join(f"({literal(r.delivery_id)}, {n})" for n, r in enumerate(ordered))
        place = (
            f"(select place from (values {places}) as listed (id, place) where id = delivery_id)"
        )
        if is_upsert:
            reported = reported_select(source, f"({select})", place)
            write_view(warehouse, source, REPORTED_SCHEMA, reported)
        select += f"""
            qualify row_number() over (
                partition by {", ".join(source.key)}
                order by {place} {"desc" if is_upsert else "asc"}
            ) = 1
        """
    elif source.delivery.mode == "upsert":
        write_view(warehouse, source, REPORTED_SCHEMA, reported_select(source, f"({select})", "0"))
    elif overlapping:
        select = _told_once(source, columns, select, overlapping)
    elif not replaced:
        write_view(warehouse, source, "staged", select)
        return sum(receipt.rows_accepted for receipt in receipts)
    write_view(warehouse, source, "staged", select)
    return int(str(warehouse.rows(f"select count(*) from {source.name}")[0][0]))


def reported_select(source: Contract, accepted: str, place: str) -> str:
    """One row per key and year of a ledger, as the key was last reported in that year.

    `first_year` to `last_year` are the years for which it stands: that of the report alone, or with
    `stands_from` all until the key is reported again, and of the first report also those before in
    which it was already as it says. `counted_delivery_id` and `counted_row_number` name the row of
    `staged`, which has the same key. `accepted` is a FROM item, `place` the order of reports.
    """
    assert source.delivery
    columns = ", ".join(column.name for column in source.columns)
    first, last = "told_year", "told_year"
    if source.delivery.stands_from:
        since = f"least(told_year, year({source.delivery.stands_from}))"
        first = f"case when told_year = first_told_year then {since} else told_year end"
        last = "coalesce(next_year - 1, ledger_year)"
    return f"""
        select {columns}, counted_delivery_id, counted_row_number, {first} as first_year,
            {last} as last_year
        from (
            select {columns}, year(period_month) as told_year,
                min(year(period_month)) over entry as first_told_year,
                lead(year(period_month)) over later as next_year,
                max(year(period_month)) over () as ledger_year,
                last_value(delivery_id) over entry as counted_delivery_id,
                last_value(row_number) over entry as counted_row_number
            from {accepted} as own
            window later as (partition by {", ".join(source.key)} order by {place}, row_number),
                entry as (later rows between unbounded preceding and unbounded following)
        ) as report
        where next_year is null or next_year > told_year
    """


def _told_once(source: Contract, columns: str, select: str, overlapping: Mapping[str, str]) -> str:
    """The rows of `select` but for those whose key a later delivery of the area has.

    `overlapping` has the deliveries in order, each with the beginning of the codes of its area.
    """
    places = ", ".join(
        f"({literal(delivery)}, {place}, {literal(area)})"
        for place, (delivery, area) in enumerate(overlapping.items())
    )
    same_key = " and ".join(f"own.{name} is not distinct from later.{name}" for name in source.key)
    return f"""
        with counted as ({select}),
        placed as (
            select counted.*, place, area
            from counted
            join (values {places}) as listed (delivery_id, place, area) using (delivery_id)
        )
        select {columns}
        from counted
        anti join (
            select own.delivery_id, own.row_number
            from placed as own
            join placed as later on {same_key}
                and later.place > own.place and later.area <> own.area
                and (starts_with(later.area, own.area) or starts_with(own.area, later.area))
        ) as told_again using (delivery_id, row_number)
    """


JUDGED = ("unreadable", "disagreeing", "misspelt", "refused_by", "warned_by")
"""What is told of a received row, as text."""


def _received_select(source: Contract, typed: Sequence[Path]) -> str:
    columns = [column.name for column in source.columns]
    if typed:
        listed = ", ".join([*columns, "delivered_on", *JUDGED])
        return f"select {listed} from {sealed_parquet(typed)}"
    kinds = {column.name: column.duckdb_type for column in source.columns}
    kinds |= {"delivered_on": "date", **dict.fromkeys(JUDGED, "varchar")}
    empty = ", ".join(f"null::{kind} as {name}" for name, kind in kinds.items())
    return f"select {empty} where false"


def _raw_select(
    raw: Contract, source: Contract, receipts: Sequence[Receipt], folders: Sequence[Path]
) -> str:
    received = {"sender", "period", "period_month"}
    if not receipts:
        empty = ", ".join(f"null::{c.duckdb_type} as {c.name}" for c in raw.columns)
        return f"select {empty} where false"
    headers = tuple(dict.fromkeys(header for r in receipts for header in r.headers))
    found = column_sources(source, headers)
    listed = []
    for column in raw.columns:
        if column.name == "delivery_id":
            listed.append(
                "regexp_extract(filename, '([0-9a-f]{16})/rows.parquet$', 1) as delivery_id"
            )
        elif column.name == "row_number":
            listed.append("__row_number as row_number")
        elif column.name not in received:
            text = found.get(column.name, "null::varchar")
            listed.append(f"{text} as {column.name}")
    # the engine fails on encrypted files that are united by name; those of one header need not be
    alike: dict[tuple[str, ...], list[Path]] = {}
    for receipt, folder in zip(receipts, folders, strict=True):
        alike.setdefault(receipt.headers, []).append(folder / "rows.parquet")
    united = " union all by name ".join(
        f"select * from {sealed_parquet(rows, 'filename')}" for rows in alike.values()
    )
    deliveries = ", ".join(
        f"({literal(r.delivery_id)}, {literal(r.sender) if r.sender else 'null'}, "
        f"{literal(r.period)}, date '{r.period_month}')"
        for r in receipts
    )
    return f"""
        select texts.*, delivery.sender, delivery.period, delivery.period_month
        from (
            select {", ".join(listed)}
            from ({united})
        ) as texts
        join (values {deliveries}) as delivery (delivery_id, sender, period, period_month)
            using (delivery_id)
    """

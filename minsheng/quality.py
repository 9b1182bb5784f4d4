"""Quality tables that no SQL model can make: faults row by row, and published figures that moved.

`quality.finding` reads what the ingest noted beside each delivery. `quality.restatement` compares a
build with the version that readers have, and names the deliveries that came or went in between.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from minsheng import lake, rejects
from minsheng.contracts import Contract
from minsheng.encryption import sealed_parquet
from minsheng.lake import Receipt
from minsheng.plans import ROLL
from minsheng.quoting import literal
from minsheng.warehouse import Warehouse, qualified

PREVIOUS = "previous"
"""The catalog under which the published version is attached."""

NO_FINDINGS = (
    "select null::varchar as source, null::varchar as delivery_id, null::bigint as row_number, "
    "null::varchar as rule, null::varchar as severity where false"
)
NO_LINK_CHANGES = (
    "select null::varchar as change_kind, null::bigint as key_count, null::double as key_share, "
    "null::double as largest_share where false"
)
NO_RESTATEMENTS = (
    "select null::varchar as table_name, null::varchar as figure_key, "
    "null::varchar as area_code, null::integer as year, null::varchar as column_name, "
    "null::varchar as old_value, null::varchar as new_value, null::varchar as previous_version, "
    "null::varchar as cause, null::varchar as delivery_id where false"
)


def finding_select(folder: Path, receipts: Sequence[Receipt]) -> str:
    """The SELECT of `quality.finding` from the findings of the deliveries in the lake `folder`."""
    paths = []
    for receipt in receipts:
        path = lake.delivery_folder(folder, receipt) / rejects.FINDINGS_FILE
        if (receipt.refused_by_rule or receipt.warned_by_rule) and path.is_file():
            paths.append((receipt, path))
    if not paths:
        return NO_FINDINGS
    sources = ", ".join(f"({literal(r.delivery_id)}, {literal(r.table)})" for r, _ in paths)
    found = sealed_parquet([path for _, path in paths], "filename")
    return f"""
        select delivery.source, delivery.delivery_id, found.row_number, found.rule, found.severity
        from (
            select row_number, rule, severity,
                regexp_extract(filename, '([0-9a-f]{{16}})/[^/]+$', 1) as delivery_id
            from {found}
        ) as found
        join (values {sources}) as delivery (delivery_id, source) using (delivery_id)
    """


REPLACED = {
    "append": ("key_was_delivered_before", "warning"),
    "upsert": ("key_was_delivered_again", "note"),
    "snapshot": ("key_was_delivered_again", "note"),
}
"""Why an accepted row does not count, by how the deliveries of the dataset add up."""
MENDED = ("row_was_mended", "note")


def has_repeated(receipts: Sequence[Receipt]) -> bool:
    """Whether of the rows of deliveries that count some may not, since others have their place."""
    return bool(
        any(receipt.mode != "snapshot" or receipt.corrects for receipt in receipts)
        or lake.overlapping(receipts)
    )


def repeated_select(source: Contract, receipts: Sequence[Receipt]) -> str:
    """Accepted rows of the deliveries `receipts` in whose place a row of another one counts."""
    assert source.delivery
    rule, severity = REPLACED[source.delivery.mode]
    received = f"restricted.received.{source.table}"
    pairs = ", ".join(f"({literal(b)}, {literal(a)})" for b, a in lake.corrections_of(receipts))
    return f"""
        select {literal(source.table)} as source, delivery_id, row_number,
            case when mended.delivery_id is null then {literal(rule)}
                else {literal(MENDED[0])} end as rule,
            case when mended.delivery_id is null then {literal(severity)}
                else {literal(MENDED[1])} end as severity
        from (
            select delivery_id, row_number from {received} where refused_by is null
            except
            select delivery_id, row_number from {source.name}
        )
        left join (
            select distinct chain.before as delivery_id, row_number
            from (values {pairs or "(null::varchar, null::varchar)"}) as chain (before, after)
            join {received} as corrected on corrected.delivery_id = chain.after
        ) as mended using (delivery_id, row_number)
    """


def unfollowed_select(decisions: Contract) -> str:
    """Decisions on who is one person that are not followed."""
    return f"""
        select {literal(decisions.table)} as source, decision.delivery_id, decision.row_number,
            'decision_is_' || decision.link_decision_state_code as rule, 'warning' as severity
        from linked.link_decision as decision
        join reference.code as state
            on state.code_list = 'link_decision_state'
            and state.code = decision.link_decision_state_code
        where state.has_attribute
    """


def restatement_selects(
    warehouse: Warehouse,
    contracts: Mapping[str, Contract],
    upstream: Mapping[str, frozenset[str]],
) -> Iterator[str]:
    """The SELECTs of `quality.restatement` against the version attached as `previous`.

    There is one for each table of figures, so that memory holds the figures of one.

    `upstream` has the datasets that each table is made from. A figure that stood in the earlier
    version and has another value now is listed once for each delivery that may have moved it: one
    that counts now and did not, or the other way, of a dataset that the table is made from, of an
    area that holds or lies in the figure's, and of no later year. Of a plan's item these are the
    datasets of that part, and the table's others where neither they nor other policies, contracts
    or code explain it. A figure that no delivery explains is put down to what else has changed.
    """
    for contract in contracts.values():
        if contract.figures and _is_comparable(warehouse, contract):
            if _is_of_items(contract):
                made_from = _items_made_from(
                    upstream.get(contract.name, frozenset()), upstream.get(PRICES, frozenset())
                )
            else:
                made_from = _made_from(upstream.get(contract.name, frozenset()))
            yield _restatement_select(contract, made_from)


ITEM = ("policy_id", "item_id", "part")
"""Columns that name a part of a plan's item, which says itself which datasets it reads."""
PRICES = "indicators.price_change"
"""The table by which figures of real prices are deflated."""


def _is_of_items(contract: Contract) -> bool:
    return set(ITEM) <= set(contract.key)


def _made_from(sources: frozenset[str]) -> str:
    """A SELECT of the datasets that each figure of a table is made from."""
    return f"""
        select '' as item, '' as price_basis, unnest({_list_of(sources)}) as source,
            true as is_named
    """


def _items_made_from(of_table: frozenset[str], of_prices: frozenset[str]) -> str:
    """The same by part of an item and its prices: named are the part's datasets, the roll, which
    says whose a row is and where, and for incomes at real prices the datasets that tell of prices.
    """
    return f"""
        with part as (
            select distinct {_item("target")} as item, evaluation, datasets, price.price_basis
            from minsheng.reference.target
            cross join (values (''), ('nominal'), ('real')) as price (price_basis)
        ),
        named as (
            select item, price_basis, unnest(
                string_split(datasets, ',')
                || case when evaluation = 'computed' then [{literal(ROLL)}] else [] end
                || case when price_basis = 'real' then {_list_of(of_prices)} else [] end
            ) as source
            from part
        )
        select item, price_basis, source, bool_or(is_named) as is_named
        from (
            select item, price_basis, source, true as is_named from named
            union all
            select item, price_basis, unnest({_list_of(of_table)}) as source, false from part
        )
        group by all
    """


def _list_of(sources: frozenset[str]) -> str:
    return f"[{', '.join(map(literal, sorted(sources)))}]::varchar[]"


def _item(table: str) -> str:
    return f"concat_ws(' ', {', '.join(f'{table}.{name}' for name in ITEM)})"


def _restatement_select(contract: Contract, made_from: str) -> str:
    parts = [_moved_select(contract, column) for column in contract.figures]
    return f"""
        with moved as ({" union all ".join(parts)}),
        made_from as ({made_from}),
        turned as (
            select now_or_then.*, department || '__' || dataset as source,
                regexp_replace(sender, '(00)+$', '') as area_prefix
            from (
                select delivery_id, department, dataset, sender, period_month,
                    case when withdrawn then 'withdrawn' when counts_now then 'delivered'
                        else 'superseded' end as cause
                from (
                    select coalesce(now.delivery_id, earlier.delivery_id) as delivery_id,
                        coalesce(now.department, earlier.department) as department,
                        coalesce(now.dataset, earlier.dataset) as dataset,
                        coalesce(now.sender, earlier.sender) as sender,
                        coalesce(now.period_month, earlier.period_month) as period_month,
                        coalesce(now.delivery_status = 'effective', false) as counts_now,
                        coalesce(earlier.delivery_status = 'effective', false) as counted,
                        coalesce(now.delivery_status = 'withdrawn', false) as withdrawn
                    from minsheng.meta.delivery as now
                    full join {PREVIOUS}.meta.delivery as earlier using (delivery_id)
                )
                where counts_now <> counted
            ) as now_or_then
        ),
        other as (
            select case
                when now.policy_hash <> earlier.policy_hash then 'policies'
                when now.contract_hash <> earlier.contract_hash then 'contracts'
                when now.code_version <> earlier.code_version then 'code'
                when now.as_of_month <> earlier.as_of_month then 'as_of'
                else 'other' end as cause,
                earlier.version as previous_version
            from minsheng.meta.build as now, {PREVIOUS}.meta.build as earlier
        ),
        explained as (
            select moved.*, turned.cause, turned.delivery_id
            from moved
            join made_from using (item, price_basis)
            cross join other
            join turned on turned.source = made_from.source
                and (moved.year is null or year(turned.period_month) <= moved.year)
                and (turned.area_prefix is null
                    or not regexp_full_match(turned.area_prefix, '[0-9]+')
                    or starts_with(moved.area_code, turned.area_prefix)
                    or starts_with(turned.sender, regexp_replace(moved.area_code, '(00)+$', '')))
            where made_from.is_named or other.cause in ('as_of', 'other')
            qualify made_from.is_named or not bool_or(made_from.is_named) over (
                partition by moved.table_name, moved.figure_key, moved.column_name)
        )
        select explained.table_name, explained.figure_key, explained.area_code, explained.year,
            explained.column_name, explained.old_value, explained.new_value,
            other.previous_version, explained.cause, explained.delivery_id
        from explained, other
        union all
        select moved.table_name, moved.figure_key, moved.area_code, moved.year,
            moved.column_name, moved.old_value, moved.new_value,
            other.previous_version, other.cause, null as delivery_id
        from moved, other
        where not exists (
            select 1 from explained
            where explained.table_name = moved.table_name
            and explained.figure_key = moved.figure_key
            and explained.column_name = moved.column_name)
    """


LINK_CHANGE = "quality.link_change"


def link_change_select(warehouse: Warehouse, contracts: Mapping[str, Contract]) -> str:
    """The SELECT of `quality.link_change` against the version attached as `previous`.

    A key of that version has moved if its person is another's now, and is lost if no delivery has
    it. Other pseudonyms make other keys, and an earlier day knows fewer: then nothing is compared.
    """
    if not _is_comparable(warehouse, contracts["linked.person_alias"]):
        return NO_LINK_CHANGES
    return f"""
        with compared as (
            select case
                when now.alias_id is null then 'lost'
                when now.person_id = earlier.person_id then 'same'
                else 'moved' end as change_kind
            from {PREVIOUS}.linked.person_alias as earlier
            left join minsheng.linked.person_alias as now using (alias_id)
            where (select now.pseudonym_key = earlier.pseudonym_key
                and now.known_on is not distinct from earlier.known_on
                from minsheng.meta.build as now, {PREVIOUS}.meta.build as earlier)
        )
        select change_kind, count(*) as key_count,
            count(*) / sum(count(*)) over () as key_share,
            (select value from minsheng.reference.link_limit
                where limit_name = 'largest_changed_share') as largest_share
        from compared
        group by change_kind
    """


def _is_comparable(warehouse: Warehouse, contract: Contract) -> bool:
    """Whether the earlier version has the table with the columns that are compared."""
    found = {
        str(row[0])
        for row in warehouse.rows(
            "select column_name from duckdb_columns() "
            "where database_name = ? and schema_name = ? and table_name = ?",
            [PREVIOUS, contract.layer, contract.table],
        )
    }
    return {*contract.key, *contract.figures} <= found


DATES = ("period_start", "month", "effective_from")
"""Columns that tell the year of a figure whose table has none."""


def _moved_select(contract: Contract, column: str) -> str:
    names = {each.name for each in contract.columns}
    key = ", ".join(f"{name} := earlier.{name}" for name in contract.key)
    same_key = " and ".join(
        f"now.{name} is not distinct from earlier.{name}" for name in contract.key
    )
    area = "earlier.area_code" if "area_code" in names else "null::varchar"
    item = prices = "''"
    if _is_of_items(contract):
        item = _item("earlier")
        prices = "earlier.price_basis" if "price_basis" in names else prices
    dated = next((name for name in DATES if name in names), None)
    year = "earlier.year" if "year" in names else f"year(earlier.{dated})" if dated else "null"
    return f"""
        select {literal(contract.name)} as table_name,
            to_json(struct_pack({key}))::varchar as figure_key,
            {area} as area_code, {year}::integer as year, {literal(column)} as column_name,
            {item} as item, {prices} as price_basis,
            earlier.{column}::varchar as old_value, now.{column}::varchar as new_value
        from {PREVIOUS}.{contract.layer}.{contract.table} as earlier
        left join {qualified(contract)} as now on {same_key}
        where now.{column} is distinct from earlier.{column}
    """

"""Three notions of a household: the roll's, civil affairs' co-living one, the registration's.

Each is numbered by another department; a number of one is never taken for one of another. A number
is a county's, so it stands with the county's code; where the county has got another code, or a part
of it has become a county, the household goes on under the key that it had. So does one that has got
another number, where a roll lists most of its members under the one and then under the other.
"""

from collections.abc import Mapping, Sequence

from minsheng.contracts import Contract
from minsheng.pseudonyms import PseudonymKey, mint
from minsheng.quoting import literal

PLACES = 4294967296
"""More than a delivery has rows: orders of delivery times this plus the row number."""

NOTIONS: Mapping[str, str] = {
    "household_identity": "roll",
    "co_living_identity": "co_living",
    "registration_identity": "registration",
}
"""Staged columns that tell the households of a notion apart, and the code of the notion."""


WHOLE = frozenset({"roll", "co_living"})
"""Notions whose rolls list all members of a household; of a registration they list some."""


def household_select(
    sources: Sequence[Contract], earlier: Mapping[str, str], secret: PseudonymKey
) -> str:
    """The SELECT of `vault.household`: one row per household number that any delivery has given.

    `earlier` has rows of deliveries that do not count. Every identity has a key of its own, the
    `alias_id`; identities that are one household have the key of the one delivered first. They are

    - a household whose place lies under another county today and the same number there, if both
      list a person of the same number and name: a county that numbers anew makes other households
      of the same numbers;
    - a number that no delivery that counts has any more, and that in whose place it stands: more
      than half of the members of each are listed by the other in the same period;
    - a number that a roll lists no more and one of the same county that it lists for the first time
      later, if more than half of the members of each are the other's, and no source names both in
      one period.

    A number that was replaced by several, or put together with others, is the key of the household
    that has most of its members; `lineage_code` says so.
    """
    named = " union all ".join(
        f"""
        select {literal(NOTIONS[identity])} as household_notion,
            {identity} as household_identity, {_area(source)} as area_code,
            min(record.period) as first_period, max(record.period) as last_period,
            bool_or(counts) as counts,
            min(delivery_order * {PLACES} + row_number) as first_record
        from {_rows(source, identity, earlier)} as record
        join meta.delivery as delivery using (delivery_id)
        group by all
        """
        for source, identity in _numbered(sources)
    )
    listed = " union all ".join(
        f"select {identity} as household_identity, record_identity "
        f"from {_rows(source, identity, earlier)} as record"
        for source, identity in _numbered(sources)
        if _names_persons(source)
    )
    rolls = " union all ".join(
        f"select {literal(NOTIONS[identity])} as household_notion, {identity} as "
        "household_identity, period, record_identity, counts "
        f"from {_rows(source, identity, earlier)} as record where record_identity is not null"
        for source, identity in _numbered(sources)
        if _names_persons(source) and _is_roll(source) and NOTIONS[identity] in WHOLE
    )
    told = " union all ".join(
        f"select distinct {literal(source.table)} as source, period, "
        f"{identity} as household_identity from {source.name} "
        f"where {identity} in (select predecessor from majority union select successor "
        "from majority)"
        for source, identity in _numbered(sources)
        if NOTIONS[identity] in WHOLE
    )
    return f"""
with recursive named as ({named or _NO_HOUSEHOLDS}),
placed as (
    select named.household_identity, named.first_period, named.last_period, named.area_code,
        substr(coalesce(village.county_code, town.county_code, county.county_code), 1, 6)
            as county_prefix
    from named
    left join reference.area_today as village on village.area_code = named.area_code
    left join reference.area_today as town
        on town.area_code = substr(named.area_code, 1, 9) || '000'
    left join reference.area_today as county
        on county.area_code = substr(named.area_code, 1, 6) || '000000'
),
spans as (
    select household_identity, any_value(household_notion) as household_notion,
        min(first_period) as first_period, min(first_record) as first_record
    from named
    group by household_identity
),
households as (
    select placed.household_identity, spans.first_period,
        regexp_extract(placed.household_identity, '^(?:[a-z_]+[|])?([0-9]{{6}})', 1) as own_prefix,
        regexp_replace(placed.household_identity, '(^|[|])[0-9]{{6}}[|]', '|') as number,
        coalesce(placed.county_prefix, own_prefix) as county_prefix
    from placed
    join spans using (household_identity)
    qualify row_number() over (
        partition by placed.household_identity
        order by placed.last_period desc, placed.area_code
    ) = 1
),
followed as (
    select earlier.household_identity as first_identity, earlier.first_period,
        later.household_identity
    from households as earlier
    join households as later
        on later.number = earlier.number
        and later.county_prefix = earlier.county_prefix
        and later.own_prefix <> earlier.own_prefix
        and (later.first_period, later.household_identity)
            > (earlier.first_period, earlier.household_identity)
),
listed as (
    select distinct household_identity, record_identity
    from ({listed or _NO_RECORDS})
    where record_identity is not null and household_identity in (
        select first_identity from followed union select household_identity from followed)
),
went_on as (
    select followed.household_identity, followed.first_identity
    from followed
    join listed as earlier on earlier.household_identity = followed.first_identity
    join listed as later
        on later.household_identity = followed.household_identity
        and later.record_identity = earlier.record_identity
    qualify row_number() over (
        partition by followed.household_identity
        order by followed.first_period, followed.first_identity
    ) = 1
),
-- not kept in memory: the rows of all rolls are read where they are asked for
roll as not materialized ({rolls or _NO_ROLLS}),
extent as (
    select household_notion, household_identity, bool_or(counts) as counts,
        min(period) filter (counts) as first_period,
        coalesce(max(period) filter (counts), max(period)) as last_period
    from roll
    group by household_notion, household_identity
),
known as (
    select household_notion, min(first_period) as first_period, max(last_period) as last_period
    from extent
    where counts
    group by household_notion
),
before as (
    -- the last members of each number that is listed no more
    select distinct roll.household_notion, roll.household_identity, roll.period,
        roll.record_identity, extent.counts
    from roll
    join extent using (household_identity)
    join known on known.household_notion = roll.household_notion
    where roll.period = extent.last_period and roll.counts = extent.counts
        and (not extent.counts or extent.last_period < known.last_period)
),
touched as (
    -- a number that may be the same household, and the period in which its members are compared
    select extent.household_identity, extent.first_period as period
    from extent
    join known using (household_notion)
    where extent.counts and extent.first_period > known.first_period
    union
    select roll.household_identity, roll.period
    from roll
    join before on before.household_notion = roll.household_notion
        and before.period = roll.period and before.record_identity = roll.record_identity
    where roll.counts and not before.counts
),
after as (
    select distinct roll.household_notion, roll.household_identity, roll.period,
        roll.record_identity, roll.period = extent.first_period as is_first
    from roll
    join touched using (household_identity, period)
    join extent using (household_identity)
    where roll.counts
),
compared as (
    select before.household_identity as predecessor, after.household_identity as successor,
        before.counts, before.period as last_period, after.period as first_period,
        count(*) as moved_person_count
    from before
    join after on after.household_notion = before.household_notion
        and after.record_identity = before.record_identity
        and after.household_identity <> before.household_identity
        and case when before.counts then after.is_first and after.period > before.period
            else after.period = before.period end
    group by all
),
measured as (
    select compared.*, one.person_count as predecessor_person_count,
        other.person_count as successor_person_count,
        2 * moved_person_count > one.person_count as has_most,
        2 * moved_person_count > other.person_count as is_most
    from compared
    join (select household_identity, count(*) as person_count from before group by all) as one
        on one.household_identity = predecessor
    join (
        select household_identity, period, count(*) as person_count from after group by all
    ) as other on other.household_identity = successor and other.period = compared.first_period
),
majority as (
    select measured.*
    from measured
    join households as one on one.household_identity = predecessor
    join households as other on other.household_identity = successor
    where has_most and is_most
        and (not counts or other.county_prefix = one.county_prefix)
        and not (counts and predecessor in (select first_identity from went_on))
        and not (counts and successor in (select household_identity from went_on))
),
told as ({told or _NO_PERIODS}),
renumbered as (
    select *
    from (
        select *
        from majority
        anti join (
            select predecessor, successor
            from (
                select predecessor, successor, predecessor as household_identity from majority
                union all
                select predecessor, successor, successor from majority
            )
            join told using (household_identity)
            group by predecessor, successor, source, period
            having count(*) > 1
        ) as named_both using (predecessor, successor)
        where counts
        qualify row_number() over (
            partition by successor order by last_period desc, predecessor
        ) = 1
    )
    qualify row_number() over (partition by predecessor order by first_period, successor) = 1
),
same as (
    select predecessor, successor, moved_person_count, predecessor_person_count,
        successor_person_count
    from majority
    where not counts
    union all
    select predecessor, successor, moved_person_count, predecessor_person_count,
        successor_person_count
    from renumbered
    union all
    select first_identity, household_identity, null, null, null
    from went_on
),
edge as (
    select predecessor as one, successor as other from same
    union
    select successor as one, predecessor as other from same
),
reached as (
    select distinct one as household_identity, one as other_identity
    from edge
    union
    select reached.household_identity, edge.other
    from reached
    join edge on edge.one = reached.other_identity
),
root as (
    select reached.household_identity,
        arg_min(spans.household_identity, (first_record, spans.household_identity))
            as first_identity
    from reached
    join spans on spans.household_identity = reached.other_identity
    group by reached.household_identity
),
dissolved as (
    -- a number that no delivery that counts has any more, and that is no other household's
    select *
    from measured
    where not counts and predecessor not in (select household_identity from root)
    qualify row_number() over (
        partition by predecessor order by moved_person_count desc, successor
    ) = 1
),
evidence as (
    select *
    from (
        select predecessor as household_identity, 1 as place, *
        from same
        union all
        select successor as household_identity, 2 as place, *
        from same
    )
    join root using (household_identity)
    where root.first_identity <> household_identity
    qualify row_number() over (
        partition by household_identity order by place, predecessor, successor
    ) = 1
),
resolved as (
    select spans.household_identity, spans.household_notion,
        coalesce(root.first_identity, of_successor.first_identity, dissolved.successor,
            spans.household_identity) as first_identity,
        case
            when root.first_identity <> spans.household_identity then 'continues'
            when dissolved.has_most then 'merges_into'
            when dissolved.predecessor is not null then 'splits_into'
        end as lineage_code,
        coalesce(evidence.moved_person_count, dissolved.moved_person_count)
            as moved_person_count,
        coalesce(evidence.predecessor_person_count, dissolved.predecessor_person_count)
            as predecessor_person_count,
        coalesce(evidence.successor_person_count, dissolved.successor_person_count)
            as successor_person_count
    from spans
    left join root using (household_identity)
    left join evidence on evidence.household_identity = spans.household_identity
    left join dissolved on dissolved.predecessor = spans.household_identity
    left join root as of_successor on of_successor.household_identity = dissolved.successor
),
minted as (
    select *, {mint(secret, "'household|' || household_identity")} as alias_id
    from resolved
)
select household_identity, household_notion, alias_id,
    case when first_identity = household_identity then alias_id
        else {mint(secret, "'household|' || first_identity")} end as household_id,
    lineage_code, moved_person_count, predecessor_person_count, successor_person_count
from minted
"""


def _rows(source: Contract, identity: str, earlier: Mapping[str, str]) -> str:
    """Rows of the source that name a household, as a FROM item; whether each `counts`."""
    persons = ", record_identity" if _names_persons(source) else ""
    columns = f"{identity}, {_area(source)}, period, delivery_id, row_number{persons}"
    items = [(source.name, "true")]
    items += [(earlier[source.table], "false")] if source.table in earlier else []
    return "({})".format(
        " union all ".join(
            f"select {columns}, {counts} as counts from {rows} as record "
            f"where {identity} is not null"
            for rows, counts in items
        )
    )


def _names_persons(source: Contract) -> bool:
    return any(column.name == "record_identity" for column in source.columns)


def _is_roll(source: Contract) -> bool:
    """Whether each delivery lists all households of its sender with their members."""
    return source.delivery is not None and source.delivery.mode == "snapshot"


def _numbered(sources: Sequence[Contract]) -> list[tuple[Contract, str]]:
    """Each source with the identity of each household that it numbers."""
    return [
        (source, column.name)
        for source in sources
        for column in source.columns
        if column.name in NOTIONS
    ]


def _area(source: Contract) -> str:
    """The column whose county stands in the identity."""
    return next(c.name for c in source.columns if "area_code" in (c.type, c.name))


_NO_HOUSEHOLDS = """
    select null::varchar as household_notion, null::varchar as household_identity,
        null::varchar as area_code, null::varchar as first_period, null::varchar as last_period,
        null::boolean as counts, null::bigint as first_record
    where false
"""
_NO_ROLLS = """
    select null::varchar as household_notion, null::varchar as household_identity,
        null::varchar as period, null::varchar as record_identity, null::boolean as counts
    where false
"""
_NO_PERIODS = """
    select null::varchar as source, null::varchar as period, null::varchar as household_identity
    where false
"""
_NO_RECORDS = """
    select null::varchar as household_identity, null::varchar as record_identity where false
"""

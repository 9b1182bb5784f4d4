"""Three notions of a household: the roll's, civil affairs' co-living one, the registration's.

Each is numbered by another department; a number of one is never taken for one of another. A number
is a county's, so it stands with the county's code; where the county has got another code, or a part
of it has become a county, the household goes on under the key that it had.
"""

from collections.abc import Mapping, Sequence

from minsheng.contracts import Contract
from minsheng.pseudonyms import PseudonymKey, mint

NOTIONS: Mapping[str, str] = {
    "household_identity": "roll",
    "co_living_identity": "co_living",
    "registration_identity": "registration",
}
"""Staged columns that tell the households of a notion apart, and the code of the notion."""


def household_select(sources: Sequence[Contract], secret: PseudonymKey) -> str:
    """The SELECT of `vault.household`: one row per household of any notion that a source names.

    A household has the key of its identity. One whose place lies under another county today has,
    with the same number there, the key of the identity that was delivered for the earliest period,
    if both list a person of the same number and name: a county that numbers anew makes other
    households of the same numbers.
    """
    named = " union all ".join(
        f"select {identity} as household_identity, {_area(source)} as area_code, "
        f"min(period) as first_period, max(period) as last_period from {source.name} "
        f"where {identity} is not null group by all"
        for source, identity in _numbered(sources)
    )
    listed = " union all ".join(
        f"select {identity} as household_identity, record_identity from {source.name}"
        for source, identity in _numbered(sources)
        if any(column.name == "record_identity" for column in source.columns)
    )
    return f"""
with named as ({named or _NO_HOUSEHOLDS}),
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
    select household_identity, min(first_period) as first_period
    from placed
    group by household_identity
),
households as (
    select placed.household_identity, spans.first_period,
        regexp_extract(placed.household_identity, '^(?:[a-z_]+[|])?([0-9]{{6}})', 1) as own_prefix,
        regexp_replace(placed.household_identity, '(^|[|])[0-9]{{6}}[|]', '|') as number,
        placed.county_prefix
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
        and coalesce(later.county_prefix, later.own_prefix)
            = coalesce(earlier.county_prefix, earlier.own_prefix)
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
)
select household_identity,
    {mint(secret, "'household|' || coalesce(first_identity, household_identity)")} as household_id
from households
left join went_on using (household_identity)
"""


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
    select null::varchar as household_identity, null::varchar as area_code,
        null::varchar as first_period, null::varchar as last_period
    where false
"""
_NO_RECORDS = """
    select null::varchar as household_identity, null::varchar as record_identity where false
"""

"""What each group of a city's or county's households adds to its poverty and its inequality.

`minsheng/poverty_change.py` has the decompositions. Groups are the areas that a city or county is
divided into, households with and without labour, and the main causes of poverty; the line is that
of the whole, so that the groups add up.
"""

from collections.abc import Iterator
from itertools import groupby

import duckdb
import polars as pl

from minsheng.area_measures import GROUPS, LINES, distributions, keep_values, number_groups
from minsheng.distribution import Distribution
from minsheng.poverty_change import FGT_POWERS, inequality_of_groups, poverty_of_groups

POVERTY_BY_GROUP = "indicators.poverty_by_group"
INEQUALITY_BY_GROUP = "indicators.inequality_by_group"
INEQUALITY_READS = (
    "indicators.household_year",
    "meta.table_freshness",
    "reference.area",
    "reference.area_ancestor",
    "reference.population",
)
POVERTY_READS = (*INEQUALITY_READS, "indicators.poverty_line")

WHOLE = ("area_code", "area_level", "population", "year", "income_concept", "group_kind_code")
KEYS = (*WHOLE, "group_code")
HOUSEHOLDS = """
with member as (
    select ancestor.ancestor_code as area_code, ancestor.ancestor_level as area_level,
        population.population, household.year, household.income_concept,
        case ancestor.ancestor_level
            when 'city' then coalesce(area.county_code, area.area_code)
            else coalesce(area.town_code, area.area_code)
        end as part_code,
        case
            when household.has_labour then 'with_labour'
            when not household.has_labour then 'without_labour'
            else 'unknown'
        end as labour_group,
        coalesce(household.cause_code, 'unknown') as cause_group,
        round(household.total_yuan / nullif(household.member_count, 0), 6) as welfare,
        household.member_count * household.weight as persons, household.is_sample
    from indicators.household_year as household
    join reference.population as population
        on list_contains(string_split(household.population_codes, ','), population.population)
    join reference.area_ancestor as ancestor on ancestor.area_code = household.area_code
    join reference.area as area on area.area_code = household.area_code
    where ancestor.ancestor_level in ('city', 'county') and household.income_concept is not null
)
select area_code, area_level, population, year, income_concept, kind.group_kind_code,
    case kind.group_kind_code
        when 'area' then part_code when 'labour' then labour_group else cause_group
    end as group_code,
    welfare, persons, is_sample
from member
cross join (values ('area'), ('cause'), ('labour')) as kind (group_kind_code)
"""

POVERTY = "poverty_of_group"
POVERTY_SCHEMA = {
    "group_number": pl.Int64,
    "line_id": pl.String,
    "line": pl.Float64,
    "measure": pl.String,
    "population_share": pl.Float64,
    "value": pl.Float64,
    "contribution": pl.Float64,
    "contribution_share": pl.Float64,
    "person_count": pl.Int64,
    "household_count": pl.Int64,
}
INEQUALITY = "inequality_of_group"
INEQUALITY_SCHEMA = {
    "group_number": pl.Int64,
    "group_count": pl.Int64,
    "value": pl.Float64,
    "within_value": pl.Float64,
    "between_value": pl.Float64,
}


def poverty_by_group_select(connection: duckdb.DuckDBPyConnection) -> str:
    """The SELECT of `indicators.poverty_by_group`, whose rows lie in temporary tables."""
    named = number_groups(connection, HOUSEHOLDS, KEYS)
    lines: dict[int, list[tuple[str, float]]] = {}
    for group, line_id, line in connection.execute(
        f"select group_number, line_id, line::double from {GROUPS} "
        f"join ({LINES}) using (area_code, year) order by group_number, line_id"
    ).fetchall():
        lines.setdefault(group, []).append((line_id, line))
    rows = [
        (group, line_id, line, name, *told, round(people.population.value), people.count)
        for members in _wholes(connection, named)
        for line_id, line in lines.get(members[0][0], ())
        for name in FGT_POWERS
        for (group, people), told in zip(
            members,
            poverty_of_groups([people for _, people in members], name, line),
            strict=True,
        )
    ]
    keep_values(connection, POVERTY, pl.DataFrame(rows, POVERTY_SCHEMA, orient="row"))
    return f"""
    select {named}, line_id, line as line_yuan, measure, population_share, value, contribution,
        contribution_share, person_count, household_count,
        (select stale_since from meta.table_freshness where table_name = '{POVERTY_BY_GROUP}')
            as stale_since
    from {POVERTY} join {GROUPS} using (group_number)
    """


def inequality_by_group_select(connection: duckdb.DuckDBPyConnection) -> str:
    """The SELECT of `indicators.inequality_by_group`, whose rows lie in temporary tables."""
    named = number_groups(connection, f"from ({HOUSEHOLDS}) where welfare > 0", KEYS)
    rows = []
    for members in _wholes(connection, named, "where welfare > 0"):
        parts = inequality_of_groups([people for _, people in members])
        rows.append((members[0][0], len(members), parts.total, parts.within, parts.between))
    keep_values(connection, INEQUALITY, pl.DataFrame(rows, INEQUALITY_SCHEMA, orient="row"))
    return f"""
    select {", ".join(WHOLE)}, group_count, value, within_value, between_value,
        (select stale_since from meta.table_freshness where table_name = '{INEQUALITY_BY_GROUP}')
            as stale_since
    from {INEQUALITY} join {GROUPS} using (group_number)
    """


def _wholes(
    connection: duckdb.DuckDBPyConnection, named: str, where: str = ""
) -> Iterator[list[tuple[int, Distribution]]]:
    """The groups of each city or county, population, year and kind, together in memory."""
    whole_of = dict(
        connection.execute(
            f"select group_number, dense_rank() over (order by {', '.join(WHOLE)}) from {GROUPS}"
        ).fetchall()
    )
    found = distributions(connection, f"from ({HOUSEHOLDS}) {where}", named)
    for _, members in groupby(found, key=lambda each: whole_of[each[0]]):
        yield list(members)

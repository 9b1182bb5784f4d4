"""Growth and change of poverty between two years in turn, of every area and population.

What `minsheng/poverty_change.py` says of two distributions, for all of the warehouse: last year's
list against this year's. Incomes of another concept are restated by `indicators.concept_factor`,
and last year's line with them; without a factor there is no row.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import duckdb
import numpy as np
import polars as pl

from minsheng.area_measures import (
    GROUPS,
    HOUSEHOLDS,
    KEYS,
    LINES,
    distributions,
    keep_values,
    number_groups,
)
from minsheng.distribution import Distribution, MeasureError, distribution_of
from minsheng.measures import OF_LINE
from minsheng.poverty_change import (
    growth_incidence,
    growth_of_poorest,
    poverty_changes,
    pro_poor_growth,
)

GROWTH_INCIDENCE = "indicators.growth_incidence"
POVERTY_CHANGE = "indicators.poverty_change"
READS = (
    "indicators.concept_factor",
    "indicators.household_year",
    "meta.table_freshness",
    "reference.area_ancestor",
    "reference.population",
)
INCIDENCE_READS = (*READS, "indicators.price_change")
CHANGE_READS = (*READS, "indicators.poverty_line")

BOTTOM_SHARE = 0.4


@dataclass(frozen=True)
class Base:
    """Last year's people whose incomes have one concept, as they were, and what restates them."""

    people: Distribution
    factor: float
    is_chained: bool


INCIDENCE = "incidence_value"
INCIDENCE_SCHEMA = {
    "group_number": pl.Int64,
    "income_group_code": pl.String,
    "base_mean": pl.Float64,
    "mean": pl.Float64,
    "growth_rate": pl.Float64,
    "is_chained": pl.Boolean,
}
CHANGE = "change_value"
CHANGE_SCHEMA = {
    "group_number": pl.Int64,
    "line_id": pl.String,
    "base_line": pl.Float64,
    "line": pl.Float64,
    "measure": pl.String,
    "base_value": pl.Float64,
    "value": pl.Float64,
    "growth_effect": pl.Float64,
    "redistribution_effect": pl.Float64,
    "pro_poor_growth_rate": pl.Float64,
    "is_chained": pl.Boolean,
}


def growth_incidence_select(connection: duckdb.DuckDBPyConnection) -> str:
    """The SELECT of `indicators.growth_incidence`, whose rows lie in temporary tables.

    One row per area, population, year, income concept, price basis and part of the population: each
    decile, the poorest four tenths and all.
    """
    rows = [
        (group, *row, _is_chained(bases))
        for group, bases, after in _pairs(connection)
        for row in _incidence(_restated(bases), after)
    ]
    keep_values(connection, INCIDENCE, pl.DataFrame(rows, INCIDENCE_SCHEMA, orient="row"))
    named = ", ".join(KEYS)
    return f"""
    with nominal as (
        select {named}, income_group_code, base_mean, mean, growth_rate, is_chained
        from {INCIDENCE} join {GROUPS} using (group_number)
    )
    select {named}, 'nominal' as price_basis, income_group_code, base_mean as base_mean_yuan,
        mean as mean_yuan, growth_rate, is_chained, {_stale_since(GROWTH_INCIDENCE)}
    from nominal
    union all
    select {named}, 'real', income_group_code, base_mean, mean / price_change,
        (1 + growth_rate) / price_change - 1, is_chained, {_stale_since(GROWTH_INCIDENCE)}
    from nominal join indicators.price_change using (area_code, year, income_concept)
    """


def poverty_change_select(connection: duckdb.DuckDBPyConnection) -> str:
    """The SELECT of `indicators.poverty_change`, whose rows lie in temporary tables.

    One row per area, population, year, income concept, line and measure of poverty. Each year has
    its own line, and incomes count in units of it. A chain restates last year's line as it does
    the incomes, so that the value of last year is as it was published; where last year's incomes
    are of two concepts, one line restates to two, and nothing is said of last year.
    """
    lines = _lines(connection)
    rows = [
        (group, *row, _is_chained(bases))
        for group, bases, after in _pairs(connection)
        for row in _poverty(bases, after, lines.get(group, ()))
    ]
    keep_values(connection, CHANGE, pl.DataFrame(rows, CHANGE_SCHEMA, orient="row"))
    return f"""
    select {", ".join(KEYS)}, line_id, base_line as base_line_yuan, line as line_yuan, measure,
        base_value, value, growth_effect, redistribution_effect,
        pro_poor_growth_rate, is_chained, {_stale_since(POVERTY_CHANGE)}
    from {CHANGE} join {GROUPS} using (group_number)
    """


def _stale_since(table: str) -> str:
    return (
        "(select stale_since from meta.table_freshness "
        f"where table_name = '{table}') as stale_since"
    )


def _incidence(
    before: Distribution, after: Distribution
) -> Iterator[tuple[str, float, float, float | None]]:
    """Each part, its means and its growth; an undefined growth is null."""
    for decile, *told in growth_incidence(before, after).rows():
        yield f"decile_{decile}", *told
    means = [
        people.sum_up_to_share(BOTTOM_SHARE).value / (BOTTOM_SHARE * people.population.value)
        for people in (before, after)
    ]
    yield "bottom_40", means[0], means[1], growth_of_poorest(before, after, BOTTOM_SHARE)
    for _, *told in growth_incidence(before, after, parts=1).rows():
        yield "all", *told


Optional = float | None
Changed = tuple[str, Optional, float, str, Optional, Optional, Optional, Optional, Optional]


def _poverty(bases: list[Base], after: Distribution, lines: "Lines") -> Iterator[Changed]:
    names = list(OF_LINE)
    for line_id, base_line, line in lines:
        if len(bases) > 1:
            for name in names:
                value = _known(OF_LINE[name](after, line).value)
                yield line_id, None, line, name, None, value, None, None, None
            continue
        # in units of the line the factor of a chain cancels
        before = bases[0].people
        of_poor = _known(pro_poor_growth(before, after, base_line, line))
        decided = (line_id, base_line * bases[0].factor, line)
        try:
            changes = poverty_changes(before, after, names, base_line, line)
        except MeasureError:  # over a mean of nothing there is no growth
            for name in names:
                values = OF_LINE[name](before, base_line), OF_LINE[name](after, line)
                told = [_known(each.value) for each in values]
                yield *decided, name, told[0], told[1], None, None, of_poor
            continue
        for name, change in zip(names, changes, strict=True):
            old, new = _known(change.before), _known(change.after)
            growth, redistribution = _known(change.growth), _known(change.redistribution)
            yield *decided, name, old, new, growth, redistribution, of_poor


Lines = list[tuple[str, float, float]] | tuple[()]


def _lines(connection: duckdb.DuckDBPyConnection) -> dict[int, Lines]:
    """The lines of each group that hold in both years: name, last year's, this year's."""
    number_groups(connection, HOUSEHOLDS, KEYS)
    found: dict[int, Lines] = {}
    for group, line_id, base_line, line in connection.execute(
        f"""
        select group_number, decided.line_id, base.line::double, decided.line::double
        from {GROUPS}
        join ({LINES}) as decided using (area_code, year)
        join ({LINES}) as base
            on base.area_code = decided.area_code and base.line_id = decided.line_id
            and base.year = decided.year - 1
        order by group_number, decided.line_id
        """
    ).fetchall():
        found[group] = [*found.get(group, ()), (line_id, base_line, line)]
    return found


def _pairs(
    connection: duckdb.DuckDBPyConnection,
) -> Iterator[tuple[int, list[Base], Distribution]]:
    """Each group with a year before it that can be compared: its number and the two years' people.

    Two years of one area and population are in memory.
    """
    named = number_groups(connection, HOUSEHOLDS, KEYS)
    keys = {
        group: (of_group, year, concept)
        for group, *of_group, year, concept in connection.execute(
            f"select group_number, area_code, population, year, income_concept from {GROUPS}"
        ).fetchall()
    }
    factors: dict[tuple[str, int, str], list[tuple[str, float]]] = {}
    for area, year, concept, base_concept, factor in connection.execute(
        "select area_code, year, income_concept, base_concept, factor::double "
        "from indicators.concept_factor order by all"
    ).fetchall():
        factors.setdefault((area, year, concept), []).append((base_concept, factor))
    known: dict[tuple[int, str], Distribution] = {}
    current: list[str] = []
    for group, people in distributions(connection, HOUSEHOLDS, named):
        of_group, year, concept = keys[group]
        if of_group != current:
            known, current = {}, of_group
        known = {key: value for key, value in known.items() if key[0] >= year - 1}
        known[(year, concept)] = people
        bases = [
            Base(known[(year - 1, base_concept)], factor, base_concept != concept)
            for base_concept, factor in factors.get((of_group[0], year, concept), ())
            if (year - 1, base_concept) in known
        ]
        if bases:
            yield group, bases, people


def _is_chained(bases: list[Base]) -> bool:
    return any(base.is_chained for base in bases)


def _restated(bases: list[Base]) -> Distribution:
    """All of last year's people, with their incomes in this year's concept."""
    parts = [base.people.scaled(base.factor) for base in bases]
    if len(parts) == 1:
        return parts[0]
    return distribution_of(
        np.concatenate([part.welfare for part in parts]),
        np.concatenate([part.weight for part in parts]),
    )


def _known(number: float) -> float | None:
    return number if np.isfinite(number) else None

"""The two assurances, three guarantees and safe water of every area, population and year.

`minsheng/deprivation.py` counts; here households that lack the same are counted together first, so
that an area has a few hundred rows at most. What is not known of a household is neither lacking nor
secure, so every figure is there three times: of the households of which all is known, and with what
is not known taken as secure or as lacking, the two between which the truth lies.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import duckdb
import numpy as np
import polars as pl

from minsheng.area_measures import keep_values
from minsheng.deprivation import Deprivation, count_deprivations
from minsheng.distribution import MeasureError, Numbers

MULTIDIMENSIONAL_POVERTY = "indicators.multidimensional_poverty"
DEPRIVATION_HEADCOUNT = "indicators.deprivation_headcount"
READS = (
    "indicators.household_deprivation",
    "indicators.household_year",
    "meta.table_freshness",
    "reference.area_ancestor",
    "reference.deprivation",
    "reference.population",
    "reference.rule_value",
)
KEYS = ("area_code", "area_level", "population", "year")

UnknownBasis = Literal["known_only", "as_secure", "as_lacking"]
UNKNOWN_BASES: tuple[UnknownBasis, ...] = ("known_only", "as_secure", "as_lacking")

ALIKE = "households_alike"
VALUES = "deprivation_value"
GROUP_SCHEMA = {
    "area_code": pl.String,
    "area_level": pl.String,
    "population": pl.String,
    "year": pl.Int64,
}
POVERTY_SCHEMA = {
    **GROUP_SCHEMA,
    "unknown_basis_code": pl.String,
    "cutoff_weight": pl.Float64,
    "dimension_count": pl.Int64,
    "headcount_rate": pl.Float64,
    "intensity_rate": pl.Float64,
    "adjusted_headcount_rate": pl.Float64,
    "person_count": pl.Int64,
    "unknown_person_count": pl.Int64,
}
HEADCOUNT_SCHEMA = {
    **GROUP_SCHEMA,
    "unknown_basis_code": pl.String,
    "dimension_id": pl.String,
    "is_measured": pl.Boolean,
    "uncensored_rate": pl.Float64,
    "censored_rate": pl.Float64,
    "contribution": pl.Float64,
    "contribution_share": pl.Float64,
    "lacking_person_count": pl.Int64,
    "secure_person_count": pl.Int64,
    "unknown_person_count": pl.Int64,
}


@dataclass(frozen=True, eq=False)
class Lives:
    """The households of an area, population and year: one row per kind of household alike.

    `lacking` has a column per dimension: 1 lacks it, 0 does not, not a number is not known.
    """

    key: tuple[str, str, str, int]
    lacking: Numbers
    persons: Numbers
    cutoff: float | None

    @property
    def is_measured(self) -> list[bool]:
        """Of which dimensions anything is known of anybody."""
        return [bool((~np.isnan(column)).any()) for column in self.lacking.T]

    def persons_where(self, dimension: int, state: float) -> int:
        column = self.lacking[:, dimension]
        chosen = np.isnan(column) if math.isnan(state) else column == state
        return round(math.fsum(self.persons[chosen]))


def multidimensional_poverty_select(connection: duckdb.DuckDBPyConnection) -> str:
    """The SELECT of `indicators.multidimensional_poverty`, whose rows lie in temporary tables."""
    weights = _weights(connection)
    rows = []
    for lives in _lives(connection, list(weights)):
        measured = lives.is_measured
        for basis in UNKNOWN_BASES:
            found, persons = _counted(lives, list(weights.values()), basis)
            rates = (
                (found.headcount, _known(found.intensity), found.adjusted_headcount)
                if found
                else (None, None, None)
            )
            unknown = np.isnan(lives.lacking[:, measured]).any(axis=1)
            rows.append(
                (
                    *(*lives.key, basis, lives.cutoff, sum(measured), *rates),
                    *(round(persons), round(math.fsum(lives.persons[unknown]))),
                )
            )
    keep_values(connection, VALUES, pl.DataFrame(rows, POVERTY_SCHEMA, orient="row"))
    return f"select *, {_stale_since(MULTIDIMENSIONAL_POVERTY)} from {VALUES}"


def deprivation_headcount_select(connection: duckdb.DuckDBPyConnection) -> str:
    """The SELECT of `indicators.deprivation_headcount`, whose rows lie in temporary tables."""
    weights = _weights(connection)
    rows = []
    for lives in _lives(connection, list(weights)):
        measured = lives.is_measured
        for basis in UNKNOWN_BASES:
            found, _ = _counted(lives, list(weights.values()), basis)
            told = iter(_by_dimension(found)) if found else None
            for place, dimension in enumerate(weights):
                counts = [lives.persons_where(place, state) for state in (1, 0, math.nan)]
                rates = next(told) if told and measured[place] else (None,) * 4
                rows.append((*lives.key, basis, dimension, measured[place], *rates, *counts))
    keep_values(connection, VALUES, pl.DataFrame(rows, HEADCOUNT_SCHEMA, orient="row"))
    return f"""
    select {VALUES}.*, deprivation.dimension_weight, deprivation.source,
        {_stale_since(DEPRIVATION_HEADCOUNT)}
    from {VALUES} join reference.deprivation as deprivation using (dimension_id)
    """


def _stale_since(table: str) -> str:
    return (
        "(select stale_since from meta.table_freshness "
        f"where table_name = '{table}') as stale_since"
    )


def _weights(connection: duckdb.DuckDBPyConnection) -> dict[str, float]:
    """What each dimension counts, by its name."""
    return dict(
        connection.execute(
            "select dimension_id, dimension_weight::double from reference.deprivation "
            "order by dimension_id"
        ).fetchall()
    )


def _lives(connection: duckdb.DuckDBPyConnection, dimensions: Sequence[str]) -> Iterator[Lives]:
    """Every area, population and year, in order."""
    told = {
        row[0] for row in connection.execute("describe indicators.household_deprivation").fetchall()
    }
    if missing := [name for name in dimensions if f"lacks_{name}" not in told]:
        raise MeasureError(
            f"deprivations.yaml: no column lacks_{missing[0]} of indicators.household_deprivation "
            "tells it"
        )
    lacking = [f"lacks_{name}" for name in dimensions]
    connection.execute(
        f"""
        create or replace temp table {ALIKE} as
        with finest as (
            select household.area_code, population.population, household.year,
                {", ".join(lacking)}, sum(household.member_count * household.weight) as persons
            from indicators.household_year as household
            join indicators.household_deprivation using (household_id, year)
            join reference.population as population
                on list_contains(
                    string_split(household.population_codes, ','), population.population)
            where household.member_count > 0 and household.weight > 0
            group by all
        )
        select ancestor.ancestor_code as area_code, ancestor.ancestor_level as area_level,
            finest.* exclude (area_code, persons), sum(finest.persons) as persons
        from finest
        join reference.area_ancestor as ancestor on ancestor.area_code = finest.area_code
        where ancestor.ancestor_level in ('city', 'county', 'town')
        group by all
        """
    )
    cutoffs = {
        (area, year): float(cutoff)
        for area, year, cutoff in connection.execute(
            f"""
            select alike.area_code, alike.year, rule.value
            from (select distinct area_code, year from {ALIKE}) as alike
            join reference.rule_value as rule
                on rule.rule_id = 'deprivation_cutoff'
                and make_date(alike.year, 12, 31) between rule.effective_from and rule.effective_to
            left join reference.area_ancestor as ancestor
                on ancestor.area_code = alike.area_code
                and ancestor.ancestor_code = rule.area_code
            where ancestor.area_code is not null or rule.area_code = '000000000000'
            qualify row_number() over (
                partition by alike.area_code, alike.year order by ancestor.distance nulls last
            ) = 1
            """
        ).fetchall()
    }
    states = ", ".join(f"coalesce({name}::integer::double, 'nan')" for name in lacking)
    rows = connection.execute(
        f"select {', '.join(KEYS)}, [{states}], persons::double from {ALIKE} "
        f"order by {', '.join((*KEYS, *lacking))}"
    )
    for key, alike in groupby(_fetched(rows), key=lambda row: row[:4]):
        found = [(row[4], row[5]) for row in alike]
        yield Lives(
            (key[0], key[1], key[2], key[3]),
            np.array([states for states, _ in found], dtype=np.float64),
            np.array([persons for _, persons in found], dtype=np.float64),
            cutoffs.get((key[0], key[3])),
        )


def _fetched(rows: duckdb.DuckDBPyConnection) -> Iterator[tuple]:  # type: ignore[type-arg]  # of any kind
    while batch := rows.fetchmany(100_000):
        yield from batch


def _counted(
    lives: Lives, weights: Sequence[float], basis: UnknownBasis
) -> tuple[Deprivation | None, float]:
    """The count over the dimensions of which anything is known, and the persons it is of.

    None where there is nobody, nobody decided from how many deprivations on, or fewer are measured.
    """
    measured = np.array(lives.is_measured)
    chosen = np.array(weights)[measured]
    lacking = lives.lacking[:, measured]
    unknown = np.isnan(lacking).any(axis=1)
    kept = ~unknown if basis == "known_only" else np.full_like(unknown, True)
    if basis != "known_only":
        lacking = np.nan_to_num(lacking, nan=1.0 if basis == "as_lacking" else 0.0)
    persons = math.fsum(lives.persons[kept])
    if lives.cutoff is None or not persons or not lives.cutoff <= math.fsum(chosen):
        return None, persons
    found = count_deprivations(
        1 - lacking[kept],
        [1.0] * len(chosen),
        lives.cutoff,
        dimension_weights=chosen.tolist(),
        weight=lives.persons[kept],
    )
    return found, persons


def _by_dimension(
    found: Deprivation,
) -> Iterator[tuple[float, float, float, float | None]]:
    yield from zip(
        found.uncensored_headcounts,
        found.censored_headcounts,
        found.contributions,
        map(_known, found.contribution_shares),
        strict=True,
    )


def _known(number: float) -> float | None:
    return number if math.isfinite(number) else None

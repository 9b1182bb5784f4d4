"""Households' ways into poverty, out of it and back, over all years and lines of the warehouse.

`minsheng/poverty_change.py` says what an entry, an exit, a return and a spell are; here it is asked
of every household, one line at a time. A household's years are of one income concept: after a
change it is observed anew, since a chain restates means and not a household's income.
"""

from collections.abc import Callable

import duckdb
import polars as pl

from minsheng.area_measures import keep_values
from minsheng.poverty_change import count_transitions, histories, spells, transitions

SPELL = "indicators.poverty_spell"
HISTORY = "indicators.poverty_history"
MOVE = "indicators.poverty_move"
TRANSITION = "indicators.poverty_transition"
PATH_READS = (
    "indicators.household_year",
    "indicators.poverty_line",
    "reference.area_ancestor",
)
TRANSITION_READS = (*PATH_READS, "meta.table_freshness", "reference.population")

# the line is that of the nearest area above the household which has one
STATUSES = """
with place as (
    select distinct area_code, year
    from indicators.household_year
),
line as (
    select place.area_code, place.year, decided.line_id, decided.line_yuan
    from place
    join reference.area_ancestor as ancestor on ancestor.area_code = place.area_code
    join indicators.poverty_line as decided
        on decided.area_code = ancestor.ancestor_code and decided.year = place.year
    qualify row_number() over (
        partition by place.area_code, place.year, decided.line_id order by ancestor.distance
    ) = 1
)
select household.household_id, household.income_concept, line.line_id, household.year,
    round(household.total_yuan / nullif(household.member_count, 0), 6) < line.line_yuan as is_poor
from indicators.household_year as household
join line using (area_code, year)
where household.income_concept is not null
"""
OBSERVED = "observed_status"
PANEL = "observed_panel"
PATHS = "poverty_path"

BY = ("area_code", "area_level", "population", "income_concept", "line_id")

Paths = Callable[[pl.DataFrame, str, str, str], pl.DataFrame]


def poverty_spell_select(connection: duckdb.DuckDBPyConnection) -> str:
    """The SELECT of `indicators.poverty_spell`, whose rows lie in temporary tables."""
    _keep_paths(connection, spells)
    return f"""
    select household_id, income_concept, line_id, first_year as first_poor_year,
        last_year as last_poor_year, observed_years as spell_year_count,
        not is_start_known as is_left_censored, not is_end_known as is_right_censored
    from {PATHS} join {PANEL} using (panel)
    """


def poverty_history_select(connection: duckdb.DuckDBPyConnection) -> str:
    """The SELECT of `indicators.poverty_history`, whose rows lie in temporary tables."""
    _keep_paths(connection, histories)
    return f"""
    select household_id, income_concept, line_id, observed_years as observed_year_count,
        poor_years as poor_year_count, spell_count, history as poverty_history_code
    from {PATHS} join {PANEL} using (panel)
    """


def poverty_move_select(connection: duckdb.DuckDBPyConnection) -> str:
    """The SELECT of `indicators.poverty_move`, whose rows lie in temporary tables."""
    _keep_paths(connection, _moves)
    return f"""
    select household_id, income_concept, line_id, to_year as year,
        transition as poverty_transition_code
    from {PATHS} join {PANEL} using (panel)
    """


def poverty_transition_select(connection: duckdb.DuckDBPyConnection) -> str:
    """The SELECT of `indicators.poverty_transition`, whose rows lie in temporary tables.

    Each household counts where it lives in the second year and in its populations of that year.
    """
    _keep_paths(connection, transitions)
    counted = connection.execute(
        f"""
        with finest as (
            select household.area_code, population.population, panel.income_concept, panel.line_id,
                path.from_year, path.to_year, path.transition,
                count(*) as household_count, sum(household.weight) as weight
            from {PATHS} as path
            join {PANEL} as panel using (panel)
            join indicators.household_year as household
                on household.household_id = panel.household_id and household.year = path.to_year
            join reference.population as population
                on list_contains(
                    string_split(household.population_codes, ','), population.population)
            group by all
        )
        select ancestor.ancestor_code as area_code, ancestor.ancestor_level as area_level,
            finest.* exclude (area_code, household_count, weight),
            sum(finest.household_count)::bigint as household_count,
            sum(finest.weight)::decimal(38, 6) as weight
        from finest
        join reference.area_ancestor as ancestor on ancestor.area_code = finest.area_code
        where ancestor.ancestor_level in ('city', 'county', 'town')
        group by all
        """
    ).pl()
    keep_values(connection, PATHS, count_transitions(counted, BY))
    return f"""
    select area_code, area_level, population, to_year as year, income_concept, line_id,
        household_count, entry_count, return_count, exit_count, stays_poor_count, stays_out_count,
        entry_rate, exit_rate,
        (select stale_since from meta.table_freshness where table_name = '{TRANSITION}')
            as stale_since
    from {PATHS}
    """


def _moves(statuses: pl.DataFrame, household: str, year: str, is_poor: str) -> pl.DataFrame:
    """The transitions that are none of staying in poverty or out of it."""
    changes = transitions(statuses, household, year, is_poor)
    return changes.filter(pl.col("transition").is_in(["entry", "return", "exit"]))


def _keep_paths(connection: duckdb.DuckDBPyConnection, paths: Paths) -> None:
    """Ask for the paths of every household, line by line, and keep them by number of the panel.

    The temporary table PANEL says whose years a panel has: a household, a concept and a line.
    """
    connection.execute(f"create or replace temp table {OBSERVED} as {STATUSES}")
    connection.execute(
        f"""
        create or replace temp table {PANEL} as
        select row_number() over () as panel, *
        from (select distinct line_id, household_id, income_concept from {OBSERVED})
        """
    )
    nobody = pl.DataFrame(schema={"panel": pl.Int64, "year": pl.Int32, "is_poor": pl.Boolean})
    keep_values(connection, PATHS, paths(nobody, "panel", "year", "is_poor"))
    lines = connection.execute(f"select distinct line_id from {OBSERVED} order by all").fetchall()
    for (line_id,) in lines:
        statuses = connection.execute(
            f"select panel, year, is_poor from {OBSERVED} "
            f"join {PANEL} using (line_id, household_id, income_concept) where line_id = ?",
            [line_id],
        ).pl()
        found = paths(statuses, "panel", "year", "is_poor")
        connection.register("paths_to_write", found)
        connection.execute(f"insert into {PATHS} by name from paths_to_write")
        connection.unregister("paths_to_write")
    connection.execute(f"drop table {OBSERVED}")

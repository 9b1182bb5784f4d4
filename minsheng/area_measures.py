"""Measures of every area, population and year of the warehouse, for each of its lines."""

from collections.abc import Iterator, Sequence

import duckdb
import numpy as np
import polars as pl

from minsheng.distribution import Distribution, MeasureError, Numbers, distribution_of
from minsheng.measure_frames import measured
from minsheng.measures import MEASURES, OF_LINE
from minsheng.quoting import quoted
from minsheng.sampling import rows_drawn

POVERTY_MEASURE = "indicators.poverty_measure"
READS = (
    "indicators.household_year",
    "indicators.poverty_line",
    "meta.table_freshness",
    "reference.area_ancestor",
    "reference.population",
)
"""What `poverty_measure_select` reads."""
KEYS = ("area_code", "area_level", "population", "year", "income_concept")
# to six decimals an income equals a line of whole fen where it does so exactly
HOUSEHOLDS = """
select ancestor.ancestor_code as area_code, ancestor.ancestor_level as area_level,
    population.population, household.year, household.income_concept,
    round(household.total_yuan / nullif(household.member_count, 0), 6) as welfare,
    household.member_count * household.weight as persons, household.is_sample
from indicators.household_year as household
join reference.population as population
    on list_contains(string_split(household.population_codes, ','), population.population)
join reference.area_ancestor as ancestor on ancestor.area_code = household.area_code
where ancestor.ancestor_level in ('city', 'county', 'town')
"""
LINES = """
select area_code, year, line_id, line_yuan as line
from indicators.poverty_line
where line_yuan is not null
"""

GROUPS = "measured_group"
VALUES = "measured_value"
BATCH_ROWS = 1_000_000
VALUE_SCHEMA = {
    "group_number": pl.Int64,
    "line_id": pl.String,
    "line_yuan": pl.Float64,
    "measure": pl.String,
    "value": pl.Float64,
    "standard_error": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
    "error_basis_code": pl.String,
    "person_count": pl.Int64,
    "household_count": pl.Int64,
}


def poverty_measure_select(connection: duckdb.DuckDBPyConnection) -> str:
    """The SELECT of `indicators.poverty_measure`, whose rows lie in temporary tables."""
    return f"""
    select * rename (lower as lower_bound, upper as upper_bound), (
        select stale_since from meta.table_freshness where table_name = '{POVERTY_MEASURE}'
    ) as stale_since
    from ({measure_select(connection, HOUSEHOLDS, LINES, KEYS)})
    """


def measure_select(
    connection: duckdb.DuckDBPyConnection,
    households: str,
    lines: str,
    keys: Sequence[str],
    measures: Sequence[str] = MEASURES,
) -> str:
    """The SELECT of one row per group of `keys`, line and measure.

    `households` is a SELECT of one row per household and group it counts in: the columns `keys`,
    `welfare` (yuan per head), `persons` (its members, times its weight if it stands for others) and
    `is_sample` (whether households were drawn, each a sampling unit; a register has no sampling
    error). Those without welfare or persons are left out. `lines` is a SELECT of `line_id`, `line`
    (yuan per head) and those of `keys` by which lines differ; a group without a line has no row,
    and a measure that needs none stands beside each. Columns out: `keys`, then those of
    VALUE_SCHEMA but the first. The rows lie in temporary tables of the connection until the next
    call. Raises MeasureError for a column that is missing and for a welfare, number of persons or
    line that cannot be measured.
    """
    named = number_groups(connection, households, keys)
    has = _check_columns(connection, "lines", lines, ("line_id", "line"))
    same = " and ".join(
        f"decided.{quoted(key)} = {GROUPS}.{quoted(key)}" for key in keys if key in has
    )
    decided: dict[int, list[tuple[str, float]]] = {}
    for group, line_id, line in connection.execute(
        f"select group_number, line_id, line::double from {GROUPS} "
        f"join ({lines}) as decided on {same or 'true'} order by group_number, line_id"
    ).fetchall():
        decided.setdefault(group, []).append((line_id, line))
    drawn = dict(connection.execute(f"select group_number, is_sample from {GROUPS}").fetchall())
    values = [
        (group, *value)
        for group, people in distributions(connection, households, named)
        for value in _values(people, measures, decided.get(group, ()), bool(drawn[group]))
    ]
    keep_values(connection, VALUES, pl.DataFrame(values, VALUE_SCHEMA, orient="row"))
    columns = ", ".join((named, *list(VALUE_SCHEMA)[1:]))
    return f"select {columns} from {VALUES} join {GROUPS} using (group_number)"


def number_groups(
    connection: duckdb.DuckDBPyConnection, households: str, keys: Sequence[str]
) -> str:
    """Number the groups of households, a SELECT as `measure_select` takes it, in order of `keys`.

    The temporary table GROUPS has `group_number`, the keys and `is_sample`. Returns the keys as
    SQL. Raises MeasureError for a column that is missing.
    """
    _check_columns(connection, "households", households, (*keys, "welfare", "persons", "is_sample"))
    named = ", ".join(map(quoted, keys))
    connection.execute(
        f"create or replace temp table {GROUPS} as "
        f"select row_number() over (order by {named}) as group_number, * from "
        f"(select {named}, bool_and(is_sample) as is_sample from ({households}) group by {named})"
    )
    return named


def keep_values(connection: duckdb.DuckDBPyConnection, table: str, values: pl.DataFrame) -> None:
    """Write the values into a temporary table, in the place of those of before."""
    connection.register("values_to_write", values)
    connection.execute(f"create or replace temp table {table} as from values_to_write")
    connection.unregister("values_to_write")


def _values(
    people: Distribution,
    measures: Sequence[str],
    lines: Sequence[tuple[str, float]],
    is_sample: bool,
) -> Iterator[tuple[object, ...]]:
    """The rows of one group; what needs no line is computed once."""
    if not lines:
        return
    domain = rows_drawn(people.count) if is_sample else None
    without_line = [name for name in measures if name not in OF_LINE]
    with_line = [name for name in measures if name in OF_LINE]
    of_all = list(measured(people, without_line, None, domain))
    basis = "design" if is_sample else "register"
    behind = (round(people.population.value), people.count)
    for line_id, line in lines:
        for figure in (*of_all, *measured(people, with_line, line, domain)):
            yield line_id, line, *figure, basis, *behind


def distributions(
    connection: duckdb.DuckDBPyConnection, households: str, named: str
) -> Iterator[tuple[int, Distribution]]:
    """The number and the households of each group that `number_groups` found, in order.

    `named` is what it returned. One group at a time is in memory.
    """
    batches = connection.execute(
        "select group_number, welfare::double as welfare, persons::double as persons "
        f"from ({households}) join {GROUPS} using ({named}) "
        "where welfare is not null and persons <> 0 order by group_number"
    ).to_arrow_reader(BATCH_ROWS)
    current, welfare, persons = 0, list[Numbers](), list[Numbers]()
    for batch in batches:
        groups, amounts, weights = (column.to_numpy() for column in batch.columns)
        starts = np.flatnonzero(np.diff(groups, prepend=-1))
        for start, stop in zip(starts, [*starts[1:], len(groups)], strict=True):
            if groups[start] != current and welfare:
                yield current, distribution_of(np.concatenate(welfare), np.concatenate(persons))
                welfare, persons = [], []
            current = int(groups[start])
            welfare.append(amounts[start:stop])
            persons.append(weights[start:stop])
    if welfare:
        yield current, distribution_of(np.concatenate(welfare), np.concatenate(persons))


def _check_columns(
    connection: duckdb.DuckDBPyConnection, title: str, select: str, wanted: Sequence[str]
) -> set[str]:
    found = {row[0] for row in connection.execute(f"describe {select}").fetchall()}
    missing = [name for name in wanted if name not in found]
    if missing:
        raise MeasureError(f"{title}: the SELECT lacks {', '.join(missing)}")
    return found

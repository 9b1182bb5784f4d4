"""Every area, population and year of the warehouse is measured in one go."""

import math
from collections.abc import Iterator

import duckdb
import pytest

from minsheng.area_measures import measure_select
from minsheng.distribution import MeasureError, distribution_of
from minsheng.measures import MEASURES, OF_LINE, measure

KEYS = ("area_code", "year")
HOUSEHOLDS = """
    select area.area_code, household.year, round(total / members, 6) as welfare,
        members as persons, year = 2022 as is_sample
    from household join (values ('county', 'town'), ('town', 'town')) as area(area_code, town)
        on area.town = household.town or area.area_code = 'county'
"""
LINES = """
    select * from (values (2021, 'line', 4000.0), (2022, 'line', 4200.0), (2022, 'double', 8400.0))
        as line(year, line_id, line)
"""


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        opened.execute(
            """
            create table household as
            select * from (values
                ('town', 2021, 12000.00::decimal(18, 2), 3),
                ('town', 2021, 5127.35, 1),
                ('other', 2021, 11999.99, 3),
                ('town', 2022, 8400.00, 2),
                ('other', 2022, 8399.99, 2),
                ('other', 2022, null, 2)
            ) as household(town, year, total, members)
            """
        )
        yield opened


def test_a_row_per_area_year_line_and_measure(connection: duckdb.DuckDBPyConnection) -> None:
    select = measure_select(connection, HOUSEHOLDS, LINES, KEYS)
    columns = [row[0] for row in connection.execute(f"describe {select}").fetchall()]
    assert columns == [
        "area_code",
        "year",
        "line_id",
        "line_yuan",
        "measure",
        "value",
        "standard_error",
        "lower",
        "upper",
        "error_basis_code",
        "person_count",
        "household_count",
    ]
    counted = connection.execute(
        f"select area_code, year, line_id, count(*), any_value(person_count), "
        f"any_value(household_count) from ({select}) group by all order by all"
    ).fetchall()
    assert counted == [
        ("county", 2021, "line", len(MEASURES), 7, 3),
        ("county", 2022, "double", len(MEASURES), 4, 2),
        ("county", 2022, "line", len(MEASURES), 4, 2),
        ("town", 2021, "line", len(MEASURES), 4, 2),
        ("town", 2022, "double", len(MEASURES), 2, 1),
        ("town", 2022, "line", len(MEASURES), 2, 1),
    ]


def test_the_warehouse_and_the_library_have_the_same_digits(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    select = measure_select(connection, HOUSEHOLDS, LINES, KEYS)
    rows = connection.execute(
        f"select measure, value from ({select}) where area_code = 'county' and year = 2021"
    ).fetchall()
    people = distribution_of([4000, 5127.35, 3999.996667], [3, 1, 3])
    expected = {name: measure(people, name, 4000.0).value for name in MEASURES}
    assert math.isnan(expected.pop("at_risk_median_gap"))  # nobody is at risk
    assert dict(rows) == {**expected, "at_risk_median_gap": None}


def test_a_fen_below_the_line_of_a_household_is_poor_and_on_it_is_not(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    select = measure_select(connection, HOUSEHOLDS, LINES, KEYS, ["headcount"])
    found = connection.execute(
        f"select area_code, year, value from ({select}) where line_id = 'line' order by all"
    ).fetchall()
    assert found == [
        ("county", 2021, 3 / 7),
        ("county", 2022, 0.5),
        ("town", 2021, 0.0),
        ("town", 2022, 0.0),
    ]


def test_a_register_has_no_error_and_a_sample_has(connection: duckdb.DuckDBPyConnection) -> None:
    select = measure_select(connection, HOUSEHOLDS, LINES, KEYS, ["headcount"])
    found = connection.execute(
        f"select year, error_basis_code, standard_error is null, lower is null, upper is null "
        f"from ({select}) where area_code = 'county' and line_id = 'line' order by year"
    ).fetchall()
    assert found == [
        (2021, "register", True, True, True),
        (2022, "design", False, False, False),
    ]


def test_a_line_may_hold_everywhere_or_nowhere(connection: duckdb.DuckDBPyConnection) -> None:
    everywhere = "select 'line' as line_id, 4000 as line"
    select = measure_select(connection, HOUSEHOLDS, everywhere, KEYS, list(OF_LINE))
    assert len(connection.execute(select).fetchall()) == 4 * len(OF_LINE)
    nowhere = "select 1999 as year, 'line' as line_id, 4000 as line"
    select = measure_select(connection, HOUSEHOLDS, nowhere, KEYS)
    assert connection.execute(select).fetchall() == []


def test_a_select_without_a_column_that_is_needed_is_refused(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    with pytest.raises(MeasureError, match="lines: the SELECT lacks line"):
        measure_select(connection, HOUSEHOLDS, "select 'line' as line_id", KEYS)

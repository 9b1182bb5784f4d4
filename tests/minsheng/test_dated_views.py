"""What was true on a day: the table macros of the published file."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest

from minsheng.contracts import load_contracts
from minsheng.dated_views import make_dated_views
from minsheng.policies import reference_rows
from minsheng.settings import load_settings
from minsheng.warehouse import WAREHOUSE_FILE, open_warehouse, write_rows

STATUSES = (
    {
        "entity_id": "p1",
        "status_code": "dibao",
        "start_month": "2019-03-01",
        "end_month": "2021-06-01",
    },
    {"entity_id": "p1", "status_code": "tekun", "start_month": "2021-07-01", "end_month": None},
)
MEMBERSHIPS = (
    {"household_id": "parents", "start_month": "2017-01-01", "end_month": "2020-12-01"},
    {"household_id": "own", "start_month": "2021-01-01", "end_month": None},
)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """A file with two statuses, two memberships and the areas of the policies, opened to read."""
    settings = load_settings(tmp_path_factory.mktemp("home"), "demo")
    contracts = load_contracts(settings)
    folder = settings.builds / "dated"
    with open_warehouse(settings, folder) as warehouse:
        for name, rows in (
            ("linked.status_interval", STATUSES),
            ("linked.membership_interval", MEMBERSHIPS),
            ("reference.area", tuple(reference_rows(settings, "area"))),
        ):
            columns = [column.name for column in contracts[name].columns]
            write_rows(
                warehouse,
                contracts[name],
                [{column: row.get(column) for column in columns} for row in rows],
            )
        make_dated_views(warehouse)
    with duckdb.connect(str(Path(folder) / WAREHOUSE_FILE), read_only=True) as connection:
        yield connection


@pytest.mark.parametrize(
    ("day", "held"),
    [
        (date(2019, 2, 28), []),
        (date(2019, 3, 15), ["dibao"]),
        (date(2021, 6, 30), ["dibao"]),
        (date(2021, 7, 1), ["tekun"]),
        (date(2035, 1, 1), ["tekun"]),
    ],
)
def test_a_status_holds_from_its_first_month_to_its_last(
    published: duckdb.DuckDBPyConnection, day: date, held: list[str]
) -> None:
    rows = published.execute("select status_code from linked.status_on(?)", [day]).fetchall()
    assert [row[0] for row in rows] == held


def test_a_person_belongs_to_the_household_of_the_day(
    published: duckdb.DuckDBPyConnection,
) -> None:
    asked = "select household_id from linked.membership_on(date '{}')"
    assert published.execute(asked.format("2020-12-31")).fetchall() == [("parents",)]
    assert published.execute(asked.format("2021-01-01")).fetchall() == [("own",)]


def test_an_area_has_the_code_of_the_day(published: duckdb.DuckDBPyConnection) -> None:
    asked = "select area_name from reference.area_on(?) where area_code in (?, ?)"
    dongtou = ["330322000000", "330305000000"]
    assert published.execute(asked, [date(2015, 7, 22), *dongtou]).fetchall() == [("洞头县",)]
    assert published.execute(asked, [date(2015, 7, 23), *dongtou]).fetchall() == [("洞头区",)]
    longgang = ["330327101000", "330383000000"]
    assert published.execute(asked, [date(2019, 8, 15), *longgang]).fetchall() == [("龙港镇",)]
    assert published.execute(asked, [date(2019, 8, 16), *longgang]).fetchall() == [("龙港市",)]


def test_a_dated_view_says_in_both_languages_what_it_is(
    published: duckdb.DuckDBPyConnection,
) -> None:
    told = published.execute(
        "select schema_name || '.' || function_name, comment from duckdb_functions() "
        "where function_name in ('area_on', 'membership_on', 'status_on') order by all"
    ).fetchall()
    assert [row[0] for row in told] == [
        "linked.membership_on",
        "linked.status_on",
        "reference.area_on",
    ]
    assert all(" · " in row[1] for row in told)


def test_the_comments_say_why_a_row_may_list_it_after_its_end(
    published: duckdb.DuckDBPyConnection,
) -> None:
    comments = published.execute(
        "select comment from duckdb_functions() "
        "where function_name in ('membership_on', 'status_on') and schema_name = 'linked'"
    ).fetchall()
    assert len(comments) == 2
    for (comment,) in comments:
        assert "lies after end_month where a death or a register tells the end" in comment

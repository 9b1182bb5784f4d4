"""Great Expectations run on open DuckDB connections, in memory and in files."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from minsheng.great_expectations_duckdb import Outcome, QueryCheck, RowCheck, validate


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        opened.execute("create schema linked")
        opened.execute(
            "create table linked.person as select range as id, '低保' as kind, 1.5 as amount "
            "from range(30000)"
        )
        yield opened


def _failing_rows(outcomes: tuple[Outcome, ...]) -> list[int]:
    return [outcome.failing_rows for outcome in outcomes]


def test_a_clean_table_passes(connection: duckdb.DuckDBPyConnection) -> None:
    outcomes = validate(
        connection,
        "linked.person",
        [
            RowCheck("identity is present", "id is not null"),
            QueryCheck(
                "identity is unique",
                "select id from linked.person group by id having count(*) > 1",
            ),
        ],
    )
    assert outcomes == (
        Outcome("identity is present", passed=True, failing_rows=0),
        Outcome("identity is unique", passed=True, failing_rows=0),
    )


def test_failing_rows_are_counted_exactly_however_many_they_are(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    outcomes = validate(
        connection,
        "linked.person",
        [
            RowCheck("small", "id < 17000"),
            QueryCheck("none is large", "select * from linked.person where id >= 15000;"),
        ],
    )
    assert outcomes == (
        Outcome("small", passed=False, failing_rows=13000),
        Outcome("none is large", passed=False, failing_rows=15000),
    )


def test_a_single_failing_row_fails_its_check(connection: duckdb.DuckDBPyConnection) -> None:
    (outcome,) = validate(connection, "linked.person", [RowCheck("not the last", "id <> 29999")])
    assert outcome == Outcome("not the last", passed=False, failing_rows=1)


def test_null_passes_a_row_check(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("create table linked.partial as select unnest([1, null, -1, null]) as x")
    outcomes = validate(
        connection,
        "linked.partial",
        [RowCheck("positive", "x > 0"), RowCheck("unknown", "null::boolean")],
    )
    assert _failing_rows(outcomes) == [1, 0]


def test_an_empty_table_passes(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("create table linked.nobody (id bigint)")
    (outcome,) = validate(connection, "linked.nobody", [RowCheck("none", "false")])
    assert outcome == Outcome("none", passed=True, failing_rows=0)


def test_no_checks_have_no_outcomes(connection: duckdb.DuckDBPyConnection) -> None:
    assert validate(connection, "linked.person", []) == ()


def test_outcomes_keep_the_order_of_mixed_and_repeated_checks(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    checks: list[RowCheck | QueryCheck] = [
        QueryCheck("b", "select 1 from linked.person where id < 3"),
        RowCheck("d", "id >= 5"),
        QueryCheck("a", "select 1 from linked.person where id < 2"),
        RowCheck("c", "id >= 4"),
        RowCheck("d", "id >= 5"),
        QueryCheck("b", "select 1 from linked.person where id < 3"),
    ]
    outcomes = validate(connection, "linked.person", checks)
    assert [outcome.name for outcome in outcomes] == [check.name for check in checks]
    assert _failing_rows(outcomes) == [3, 5, 2, 4, 5, 3]


@pytest.mark.parametrize(
    ("predicate", "failing_rows"),
    [
        ("name <> 'a:b'", 1),
        ("x::decimal(18,2) >= 0", 1),
        (r"regexp_matches(code, '^\d{3}$')", 2),
        ("x % 2 = 0", 2),
        ("name like '低保%'", 2),
        ("name not like '低保%'", 1),
        ("name <> '低保%(x)s{batch}{}'", 1),
        ("name <> ':name $1 ? %s \\: \"quoted\" it''s'", 0),
        ("x = 1 or x = 2 -- either", 1),
        ("name[1:1] <> 'a'", 1),
        ('"x" between -1 and 1', 1),
        ("x in (select max(x) from linked.mixed)", 2),
    ],
)
def test_predicates_reach_duckdb_as_they_are_written(
    connection: duckdb.DuckDBPyConnection, predicate: str, failing_rows: int
) -> None:
    connection.execute(
        "create table linked.mixed as select * from (values "
        "('a:b', '123', 1), ('低保%(x)s{batch}{}', '12', 2), ('特困', 'x', -1)) v(name, code, x)"
    )
    (outcome,) = validate(connection, "linked.mixed", [RowCheck("row", predicate)])
    assert outcome.failing_rows == failing_rows
    query = f"select * from linked.mixed where not (\n{predicate}\n)"
    (outcome,) = validate(connection, "linked.mixed", [QueryCheck("query", query)])
    assert outcome.failing_rows == failing_rows


def test_the_open_transaction_survives_and_its_rows_are_checked(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    connection.begin()
    connection.execute("insert into linked.person values (-1, 'uncommitted', 0)")
    outcomes = validate(
        connection,
        "linked.person",
        [
            RowCheck("not negative", "id >= 0"),
            QueryCheck("none negative", "select * from linked.person where id < 0"),
        ],
    )
    assert _failing_rows(outcomes) == [1, 1]
    with pytest.raises(ValueError, match="misspelt"):
        validate(connection, "linked.person", [RowCheck("misspelt", "idd >= 0")])
    assert connection.execute("select count(*) from linked.person").fetchone() == (30001,)
    connection.rollback()
    assert connection.execute("select count(*) from linked.person").fetchone() == (30000,)


def test_no_transaction_is_left_open(connection: duckdb.DuckDBPyConnection) -> None:
    validate(connection, "linked.person", [RowCheck("any", "true")])
    connection.begin()
    connection.commit()


def test_an_attached_database_is_found_through_the_search_path(tmp_path: Path) -> None:
    with duckdb.connect(tmp_path / "open.duckdb") as connection:
        connection.execute(f"attach '{tmp_path / 'restricted.duckdb'}' as restricted")
        connection.execute("create schema restricted.staged")
        connection.execute("create table restricted.staged.x as select range as a from range(10)")
        connection.execute("set search_path = 'open.main,restricted.staged'")
        for table in ("x", "staged.x", "restricted.staged.x", '"restricted"."staged"."x"'):
            outcomes = validate(
                connection,
                table,
                [
                    RowCheck("small", "a < 6"),
                    QueryCheck("none is large", "select * from staged.x where a > 8"),
                ],
            )
            assert _failing_rows(outcomes) == [4, 1]


def test_views_and_temporary_tables_are_checked_like_tables(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    connection.execute("create view linked.half as select * from linked.person where id % 2 = 0")
    connection.execute("create temp table scratch as select * from linked.half")
    check = RowCheck("small", "id < 20000")
    assert _failing_rows(validate(connection, "linked.half", [check])) == [5000]
    assert _failing_rows(validate(connection, "scratch", [check])) == [5000]


def test_two_connections_in_one_process_are_checked_apart(tmp_path: Path) -> None:
    check = RowCheck("small", "a < 3")
    with duckdb.connect(tmp_path / "one.duckdb") as one, duckdb.connect() as two:
        one.execute("create table t as select range as a from range(5)")
        two.execute("create table t as select range as a from range(50)")
        assert _failing_rows(validate(one, "t", [check])) == [2]
        assert _failing_rows(validate(two, "t", [check])) == [47]
        one.execute("alter table t rename column a to b")
        assert _failing_rows(validate(one, "t", [RowCheck("small", "b < 3")])) == [2]
    with duckdb.connect(tmp_path / "one.duckdb", read_only=True) as again:
        assert _failing_rows(validate(again, "t", [RowCheck("small", "b < 3")])) == [2]


@pytest.mark.parametrize(
    "predicate",
    ["unknown = 1", "id >", "", "id > 0)", "kind::int > 0", "sum(id) > 0", "no_such(id)"],
)
def test_a_predicate_that_cannot_be_evaluated_is_named(
    connection: duckdb.DuckDBPyConnection, predicate: str
) -> None:
    checks = [RowCheck("sound", "id >= 0"), RowCheck("损坏", predicate)]
    with pytest.raises(ValueError, match=r"linked\.person: 损坏: .*Error"):
        validate(connection, "linked.person", checks)


@pytest.mark.parametrize(
    "query",
    ["select unknown from linked.person", "select 1 from linked.unknown", "select", ""],
)
def test_a_query_that_cannot_be_evaluated_is_named(
    connection: duckdb.DuckDBPyConnection, query: str
) -> None:
    checks: list[RowCheck | QueryCheck] = [
        RowCheck("sound", "id >= 0"),
        QueryCheck("损坏", query),
    ]
    with pytest.raises(ValueError, match=r"linked\.person: 损坏: .*Error"):
        validate(connection, "linked.person", checks)


def test_a_fault_that_aborts_the_open_transaction_reports_its_cause(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    connection.begin()
    checks = [RowCheck("sound", "id >= 0"), RowCheck("损坏", "kind::int > 0")]
    with pytest.raises(ValueError, match="sound, 损坏: Conversion Error"):
        validate(connection, "linked.person", checks)
    connection.rollback()


@pytest.mark.parametrize("table", ["linked.unknown", "unknown.person", "no.such.table", ""])
def test_an_unknown_table_raises(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        validate(connection, table, [QueryCheck("nothing", "select 1 where false")])


def test_ten_predicates_take_one_scan_and_each_query_one_execution(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    checks: list[RowCheck | QueryCheck] = [
        *(RowCheck(f"row {number}", f"id <> {number}") for number in range(10)),
        QueryCheck("query 1", "select * from linked.person where id < 0"),
        QueryCheck("query 2", "select * from linked.person where id > 29998"),
    ]
    connection.execute("call enable_logging('QueryLog')")
    outcomes = validate(connection, "linked.person", checks)
    connection.execute("call disable_logging()")
    assert _failing_rows(outcomes) == [1] * 10 + [0, 1]
    statements = [
        statement
        for (statement,) in connection.execute("select message from duckdb_logs").fetchall()
        if "linked.person" in statement and "limit 0" not in statement
    ]
    assert [statement.lower().count("from linked.person") for statement in statements] == [1] * 3
    assert sorted(statement.count("FILTER") for statement in statements) == [0, 0, 10]


def test_the_callers_warning_settings_are_restored(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    filters, show = list(warnings.filters), warnings.showwarning
    validate(connection, "linked.person", [RowCheck("any", "true")])
    assert (list(warnings.filters), warnings.showwarning) == (filters, show)


_ALONE = """
import sys

observed = []


def watch(event, arguments):
    writes = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
    if writes or event.startswith(("socket.connect", "socket.getaddrinfo", "os.mkdir")):
        observed.append((event, *map(str, arguments)))


import duckdb
from minsheng.great_expectations_duckdb import RowCheck, validate

assert "great_expectations" not in sys.modules
sys.addaudithook(watch)
connection = duckdb.connect()
connection.execute("create table t as select range as a from range(5)")
assert validate(connection, "t", [RowCheck("small", "a < 3")])[0].failing_rows == 2
assert not observed, observed
"""


def test_it_runs_quietly_without_home_network_or_files(tmp_path: Path) -> None:
    finished = subprocess.run(
        [sys.executable, "-B", "-W", "error", "-c", _ALONE],
        cwd=tmp_path,
        env={"PYTHONPATH": os.pathsep.join(["", *sys.path, str(Path.cwd())])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []

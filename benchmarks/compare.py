"""Whether the bare script and the product came to the same figures.

Rows are compared whole, without regard to their order; floating-point columns to nine decimals.
A benchmark whose two sides computed different things reports no times.
"""

from pathlib import Path

import duckdb

HEADLINES = (
    ("indicators.household_year", "sum(total_yuan), sum(member_count), sum(per_capita_yuan)"),
    ("indicators.income_growth", "sum(mean_yuan), round(sum(growth_rate), 6), sum(person_count)"),
    ("risk.household_signal", "sum(points), sum(value), sum(threshold)"),
)
"""Counted and summed on both sides and shown."""

SCHEMAS = ("reference", "linked", "indicators", "risk")
NOT_BARE = ("reference.contradiction",)
"""The catalogue of contradictions, which the bare script does not look for."""
COUNTED_PER_FILE = (
    "select department, dataset, sender, period, sha256, rows_received, rows_accepted, "
    "rows_refused, delivery_status, delivery_order from {}.meta.delivery"
)
FAILED_CHECKS = (
    "select table_name, check_name, severity, failing_rows "
    "from {}.quality.check_result where failing_rows > 0 and table_name <> 'quality.contradiction'"
)
DECIMALS = 9


def differences(bare: Path, published: Path) -> list[str]:
    """What differs between the file of the bare script and the published one; empty if nothing.

    Compared are the headline sums, every table from `reference` on, accepted and refused rows of
    each file, and the failing rows of each check.
    """
    with _opened(bare, published) as connection:
        found = []
        for table, sums in HEADLINES:
            ours, theirs = (
                connection.execute(f"select count(*), {sums} from {side}.{table}").fetchone()
                for side in ("bare", "published")
            )
            if ours != theirs:
                found.append(f"{table}: bare {ours}, published {theirs}")
        tables = _tables(connection, "published")
        made = _tables(connection, "bare")
        found += [f"{table}: not made by bare" for table in tables - made - {*NOT_BARE}]
        for table in sorted(tables & made):
            found += _table_differences(connection, table)
        for label, query in (("rows per file", COUNTED_PER_FILE), ("checks", FAILED_CHECKS)):
            found += _difference(connection, label, query.format("bare"), query.format("published"))
        return found


def headlines(published: Path) -> dict[str, tuple[object, ...]]:
    """Rows and sums of the headline tables."""
    with duckdb.connect(str(published), read_only=True) as connection:
        return {
            table: connection.execute(f"select count(*), {sums} from {table}").fetchall()[0]
            for table, sums in HEADLINES
        }


def checks_lacking(bare: Path, published: Path) -> list[str]:
    """Checks on finished tables that the refresh has run and the bare script has not.

    Those of column types are left out: `differences` compares the types.
    """
    names = "select table_name || ' ' || check_name from {}.quality.check_result"
    with _opened(bare, published) as connection:
        rows = connection.execute(
            f"{names.format('published')} where table_name not like 'raw.%' "
            "and check_name <> 'columns_and_types_are_as_promised' "
            f"except {names.format('bare')} order by all"
        ).fetchall()
    return [row[0] for row in rows]


def _opened(bare: Path, published: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(f"attach '{bare}' as bare (read_only)")
    connection.execute(f"attach '{published}' as published (read_only)")
    return connection


def _tables(connection: duckdb.DuckDBPyConnection, side: str) -> set[str]:
    rows = connection.execute(
        "select schema_name || '.' || table_name from duckdb_tables() "
        f"where database_name = ? and schema_name in {SCHEMAS}",
        [side],
    ).fetchall()
    return {row[0] for row in rows}


def _table_differences(connection: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    described = connection.execute(f"describe published.{table}").fetchall()
    columns = [
        f"round({name}, {DECIMALS})" if data_type == "DOUBLE" else name
        for name, data_type, *_ in described
    ]
    made = {
        name: data_type
        for name, data_type, *_ in connection.execute(f"describe bare.{table}").fetchall()
    }
    found = [
        f"{table}.{name}: bare {made.get(name, 'has none')}, published {data_type}"
        for name, data_type, *_ in described
        if made.get(name) != data_type
    ]
    if found:
        return found
    select = f"select {', '.join(columns)} from {{}}.{table}"
    return _difference(connection, table, select.format("bare"), select.format("published"))


def _difference(
    connection: duckdb.DuckDBPyConnection, label: str, ours: str, theirs: str
) -> list[str]:
    only_ours, only_theirs = (
        connection.execute(f"select count(*) from ({left} except all {right})").fetchall()[0][0]
        for left, right in ((ours, theirs), (theirs, ours))
    )
    if not only_ours and not only_theirs:
        return []
    return [f"{label}: {only_ours} rows only in bare, {only_theirs} only in the published file"]

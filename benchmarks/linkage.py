"""Measure the linkage of four departments' lists against a bare join of their identity numbers.

    python benchmarks/linkage.py --persons 1000000 --json result.json

The lists are those of `minsheng.demo.linkage_rolls`; to type them is the ingest's work, not timed.
Each side runs in a process of its own. Exit codes: 0 the targets are met, 1 one is missed, 3 the
machine was busy and no verdict is given.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import duckdb
import polars as pl

from minsheng import judging, linkage, pseudonyms
from minsheng.contracts import Contract
from minsheng.demo.linkage_rolls import write_rolls
from minsheng.link_report import RIGHT_AND_WRONG
from minsheng.parsing import Typing
from minsheng.policies import load_link_rules, reference_rows
from minsheng.project import Project
from minsheng.pseudonyms import PseudonymKey
from minsheng.quoting import literal, quoted
from minsheng.settings import load_settings

TARGET_RATIO = 5.0
"""Linking takes at most this many times the bare join's time."""
TARGET_SECONDS_PER_MILLION = 30.0
TARGET_BYTES = 4 * 1024**3
PRECISION, RECALL = 0.9999, 0.99
QUIET_LOAD = 0.5
KEY = PseudonymKey(bytes(range(32)))
PERIOD = {"sender": "null::varchar", "period": "'2022'", "period_month": "date '2022-12-01'"}
BARE = """
create table person as
select id_number, row_number() over () as person
from (select distinct id_number from ({listed}) where id_number is not null);
create table linked as
select source, row_number, person from ({listed}) left join person using (id_number)
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--persons", type=int, default=1_000_000, help="rows of each list")
    parser.add_argument("--json", type=Path, help="where to write the result")
    parser.add_argument("--folder", type=Path, help="where to work; kept")
    parser.add_argument("--side", choices=("link", "bare"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        run = {"link": run_link, "bare": run_bare}[arguments.side]
        print(json.dumps(run(arguments.folder)))
        return 0
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        if not (folder / "lists.duckdb").is_file():
            stage(folder, arguments.persons)
        found = {side: measured(folder, side) for side in ("bare", "link")}
    result = {
        "persons": arguments.persons,
        "load_before": load,
        **found,
        "wall_ratio": found["link"]["wall_seconds"] / found["bare"]["wall_seconds"],
        "cpu_ratio": found["link"]["cpu_seconds"] / found["bare"]["cpu_seconds"],
    }
    text = json.dumps(result, indent=1)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n", encoding="utf-8")
    link = found["link"]
    met = (
        result["wall_ratio"] <= TARGET_RATIO
        and link["wall_seconds"] <= TARGET_SECONDS_PER_MILLION * arguments.persons / 1_000_000
        and link["peak_bytes"] <= TARGET_BYTES
        and link["precision"] >= PRECISION
        and link["recall"] >= RECALL
    )
    return 0 if met else 3 if load > QUIET_LOAD else 1


def measured(folder: Path, side: str) -> dict[str, float]:
    finished = subprocess.run(
        [sys.executable, __file__, "--side", side, "--folder", str(folder)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    result: dict[str, float] = json.loads(finished.stdout)
    return result


def sources_of(project: Project) -> list[Contract]:
    from minsheng.demo.linkage_rolls import SOURCES

    return [project.contracts[f"staged.{source.name}"] for source in SOURCES]


def stage(folder: Path, persons: int) -> None:
    """Write the lists, and type them into `lists.duckdb` as the pipeline does."""
    project = Project(load_settings(folder / "home", "core"))
    paths = write_rolls(folder / "lists", persons)
    with duckdb.connect(str(folder / "lists.duckdb")) as connection:
        connection.execute("create schema staged; create schema meta; create schema vault")
        connection.execute(
            "create table meta.delivery (delivery_id varchar, delivery_order bigint)"
        )
        for order, (source, path) in enumerate(zip(sources_of(project), paths, strict=True)):
            connection.execute("insert into meta.delivery values (?, ?)", [source.table, order])
            written = {
                column.name: column.headers[0]
                for column in source.columns
                if column.headers and column.name in columns_of(connection, path)
            }
            named = ", ".join(f"{name}::varchar as {quoted(h)}" for name, h in written.items())
            typing = Typing(
                source,
                project.codes,
                list(written.values()),
                f"(select row_number as __row_number, {named} from {literal(str(path))})",
                units={},
            )
            constants = {
                "delivery_id": literal(source.table),
                "delivered_on": "date '2023-02-01'",
                **PERIOD,
            }
            select = typing.select(constants, judging.other_forms(connection, typing))
            connection.execute(f"create table {source.name} as {select}")
        codes = pl.DataFrame(reference_rows(project.settings, "code"), infer_schema_length=None)
        connection.execute("create schema reference")
        connection.register("code_rows", codes.to_arrow())
        connection.execute("create table reference.code as from code_rows")
        decisions = project.contracts[f"staged.{linkage.DECISIONS}"]
        columns = ", ".join(f"{c.name} {c.duckdb_type}" for c in decisions.columns)
        connection.execute(f"create table {decisions.name} ({columns})")


def columns_of(connection: duckdb.DuckDBPyConnection, path: Path) -> set[str]:
    return {row[0] for row in connection.execute(f"describe from {literal(str(path))}").fetchall()}


def opened(folder: Path, name: str) -> duckdb.DuckDBPyConnection:
    """A new file beside the lists, which are attached and read by their plain names."""
    made = folder / f"{name}.duckdb"
    made.unlink(missing_ok=True)
    connection = duckdb.connect(str(made))
    connection.execute(f"attach {literal(str(folder / 'lists.duckdb'))} as lists (read_only)")
    connection.execute("create schema vault")
    connection.execute(f"set search_path = '{name}.vault,lists.staged,lists.meta,lists.reference'")
    connection.execute("set preserve_insertion_order = false")
    return connection


def run_bare(folder: Path) -> dict[str, float]:
    connection = opened(folder, "bare")
    project = Project(load_settings(folder / "home", "core"))
    listed = " union all ".join(
        f"select {literal(source.table)} as source, row_number, id_number from {source.name}"
        for source in sources_of(project)
    )
    begun, cpu = time.perf_counter(), time.process_time()
    connection.execute(BARE.format(listed=listed))
    return spent(begun, cpu)


def run_link(folder: Path) -> dict[str, float]:
    connection = opened(folder, "link")
    project = Project(load_settings(folder / "home", "core"))
    sources = sources_of(project)
    rules = load_link_rules(project.settings)
    given = linkage.Given(sources, {}, rules, KEY, "received")
    parts: dict[str, float] = {}
    begun, cpu = time.perf_counter(), time.process_time()
    pseudonyms.prepare(connection, KEY)
    for table in linkage.READS:
        if table in ("household", "loose_record"):
            continue
        started = time.perf_counter()
        selects = linkage.table_selects(connection, table, given)
        for select in selects:
            connection.execute(f"create table link.vault.{table} as {select}")
        parts[table] = round(time.perf_counter() - started, 2)
    took = spent(begun, cpu)
    return {**took, **{f"{name}_seconds": part for name, part in parts.items()}} | quality(
        connection, folder, sources
    )


def spent(begun: float, cpu: float) -> dict[str, float]:
    return {
        "wall_seconds": time.perf_counter() - begun,
        "cpu_seconds": time.process_time() - cpu,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def quality(
    connection: duckdb.DuckDBPyConnection, folder: Path, sources: Sequence[Contract]
) -> dict[str, float]:
    """Shares of records in the person that most records of it, and of the truth, are of."""
    listed = " union all ".join(
        f"""
        select identity.person_id, truth.person as person_key, identity.link_rule_code
        from {source.name} as record
        join {literal(str(folder / "lists" / f"{source.table}.parquet"))} as truth
            using (row_number)
        join link.vault.identity as identity on identity.source = {literal(source.table)}
            and identity.record_identity = record.record_identity
        """
        for source in sources
    )
    connection.execute(f"create temp table truly as {listed}")
    ((precision, recall),) = connection.execute(
        """
        with cell as (select person_id, person_key, count(*) as records from truly group by all)
        select
            (select sum(most) from (select max(records) as most from cell group by person_id))
                / (select count(*) from truly),
            (select sum(most) from (select max(records) as most from cell group by person_key))
                / (select count(*) from truly)
        """
    ).fetchall()
    rules = connection.execute(RIGHT_AND_WRONG).fetchall()
    return {
        "precision": precision,
        "recall": recall,
        **{f"{rule}_records": records for rule, records, _ in rules},
        **{f"{rule}_wrong": wrong for rule, _, wrong in rules},
    }


if __name__ == "__main__":
    sys.exit(main())

"""Run the SELECTs of the current version once more, each as a plain `create table as`.

    python benchmarks/selects.py HOME --deployment demo

They read what the version has published and its restricted file, in an order in which each comes
after what it reads, in a database in memory: no checks, no digests, no orchestrator. Left out are
the tables of who is who, which read the vault. Printed are the CPU seconds of each part as JSON.
"""

import argparse
import json
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

from compare import opened

from minsheng.library_tables import LIBRARY_TABLES
from minsheng.project import Project, linking_tables
from minsheng.settings import load_settings

MADE = ("linked", "indicators", "risk")
READ = ("minsheng.reference", "minsheng.meta", "restricted.staged", "restricted.reported")
ITEMS = tuple(
    f"indicators.{name}"
    for name in (
        "item_figure",
        "item_shortfall",
        "target_result",
        "target_shortfall",
        "duty_result",
        "duty_summary",
    )
)
"""The tables of what the items and duties of plans came to."""
OF_PLANS = tuple(
    f"indicators.{name}"
    for name in (
        "household_profile",
        "person_profile",
        "village_profile",
        "series_value",
        "formula_value",
    )
)
"""The tables that are made for the items to read."""


def part_of(table: str) -> str:
    """What a table belongs to: `items`, `read by items`, `measures`, or `core`."""
    if table in ITEMS:
        return "items"
    if table in OF_PLANS:
        return "read by items"
    return "measures" if table in LIBRARY_TABLES else "core"


def run(project: Project) -> Iterator[tuple[str, float]]:
    """Make the tables; yields each with its CPU seconds."""
    linking = linking_tables(project)
    wanted = [name for name in (*project.models, *project.figure_tables) if name not in linking]
    order = TopologicalSorter({name: set(project.reads[name]) & set(wanted) for name in wanted})
    with opened(project.settings, "run the SELECTs again") as connection:
        path = []
        for schema in MADE:
            connection.execute(f"create schema {schema}")
            path += [f"memory.{schema}", f"minsheng.{schema}"]
        path += [*READ, "restricted.bridge", "memory.main"]
        connection.execute(f"set search_path = '{','.join(path)}'")
        connection.execute("set preserve_insertion_order = false")
        for name in order.static_order():
            begun = time.process_time()
            if name in project.models:
                connection.execute(f"create table memory.{name} as {project.models[name].sql}")
            else:
                connection.execute(f"create table memory.{name} as from minsheng.{name} limit 0")
                for select in project.figure_tables[name].selects(connection):
                    connection.execute(f"insert into memory.{name} by name {select}")
            yield name, time.process_time() - begun


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("home", type=Path)
    parser.add_argument("--deployment", default="demo")
    options = parser.parse_args()
    os.environ["MINSHENG_HOME"] = str(options.home)
    project = Project(load_settings(deployment=options.deployment))
    parts: defaultdict[str, float] = defaultdict(float)
    for table, seconds in run(project):
        parts[part_of(table)] += seconds
    print(json.dumps(parts))


if __name__ == "__main__":
    main()

"""Every SQL model by its cases: `tests/models/<layer>/<table>.yaml` says given what, expect what.

A file holds for all its cases `real` (tables made of policies/), `defaults` (columns by table) and
`given` (rows by table); a case may replace tables, narrow the result by `where`, and `expect` names
the columns it compares. A table that nobody gives is empty, a column that nobody gives is null.
Rows of a ledger are its reports: those of one key are one entry, as it stood in each year.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from minsheng.contracts import Contract, load_contracts
from minsheng.library_tables import LIBRARY_TABLES
from minsheng.models import Model, load_models
from minsheng.policies import reference_rows
from minsheng.settings import PROJECT_ROOT, Settings, load_settings
from minsheng.source_tables import reported_select
from minsheng.warehouse import (
    REPORTED_SCHEMA,
    Warehouse,
    open_vault,
    open_warehouse,
    qualified,
    write_rows,
    write_table,
    write_view,
)
from tests.opening import OPENING

Row = Mapping[str, object]
Tables = Mapping[str, list[Row]]
FOLDER = Path(__file__).parent / "models"
RELATIVE_TOLERANCE = 1e-12
LOOKED_UP = (
    "linked.expected_delivery",
    "indicators.rule_in_force",
    "indicators.watch_window",
    "indicators.complete_roll",
    "indicators.watched_household",
    "indicators.watched_member",
    "indicators.missing_member",
    "indicators.newly_disabled_member",
    "indicators.stopped_benefit",
    "indicators.poverty_line",
    "indicators.concept_factor",
    "indicators.price_change",
    "indicators.pooled_growth",
)
"""Steps that a case gives by what they are made of: they are made first, from what it gives."""


@dataclass(frozen=True)
class Case:
    """Rows of the tables a model reads and the rows that come out."""

    model: str
    name: str
    given: Tables
    real: tuple[str, ...]
    where: Row
    expect: list[Row]

    def __str__(self) -> str:
        return f"{self.model}: {self.name}"


@dataclass
class Bench:
    """One warehouse for all cases; a table is written again only if its rows differ."""

    settings: Settings
    warehouse: Warehouse
    contracts: Mapping[str, Contract]
    models: Mapping[str, Model]
    policies: dict[str, list[Row]] = field(default_factory=dict)
    held: dict[str, list[Row]] = field(default_factory=dict)

    def set(self, name: str, rows: list[Row]) -> None:
        if self.held.get(name) == rows:
            return
        columns = [column.name for column in self.contracts[name].columns]
        unknown = {column for row in rows for column in row} - set(columns)
        assert not unknown, f"{name} has no columns {sorted(unknown)}"
        filled = [{column: row.get(column) for column in columns} for row in rows]
        contract = self.contracts[name]
        write_rows(self.warehouse, contract, filled, commented=False)
        if contract.delivery and contract.delivery.mode == "upsert":
            reported = reported_select(contract, contract.name, "period_month")
            write_view(self.warehouse, contract, REPORTED_SCHEMA, reported)
        self.held[name] = rows

    def of_policies(self, name: str) -> list[Row]:
        if name not in self.policies:
            table = name.split(".")[1]
            self.policies[name] = [dict(row) for row in reference_rows(self.settings, table)]
        return self.policies[name]

    def _between(self, reads: Sequence[str], supplied: Collection[str]) -> list[Model]:
        """Models that the case leaves to be made from what it supplies, in order."""
        wanted = [
            self.models[name]
            for name in reads
            if name in self.models and name not in supplied and name in LOOKED_UP
        ]
        above = [each for found in wanted for each in self._between(found.reads, supplied)]
        return [each for each in self.models.values() if each in (*above, *wanted)]

    def make(self, case: Case) -> Contract:
        """Make the case's table and return its contract."""
        supplied = {*case.given, *case.real}
        reads = (
            LIBRARY_TABLES[case.model].reads
            if case.model in LIBRARY_TABLES
            else self.models[case.model].reads
        )
        made_first = self._between(reads, supplied)
        read = {name for each in (reads, *(each.reads for each in made_first)) for name in each}
        unread = supplied - read
        assert not unread, f"{case.model} does not read {sorted(unread)}"
        for name in read - {each.name for each in made_first}:
            rows = self.of_policies(name) if name in case.real else case.given.get(name, [])
            self.set(name, rows)
        for each in made_first:
            self.held.pop(each.name, None)
            write_table(self.warehouse, self.contracts[each.name], each.sql)
        self.held.pop(case.model, None)
        select = (
            LIBRARY_TABLES[case.model].select(self.warehouse.connection)
            if case.model in LIBRARY_TABLES
            else self.models[case.model].sql
        )
        write_table(self.warehouse, self.contracts[case.model], select)
        return self.contracts[case.model]


def read_cases() -> Iterator[Case]:
    for path in sorted(FOLDER.glob("*/*.yaml")):
        file = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        defaults: Mapping[str, Row] = file.get("defaults", {})
        for entry in file["cases"]:
            tables = {**file.get("given", {}), **entry.get("given", {})}
            yield Case(
                model=f"{path.parent.name}.{path.stem}",
                name=entry["name"],
                given={
                    table: [{**defaults.get(table, {}), **row} for row in rows]
                    for table, rows in tables.items()
                },
                real=tuple(name for name in file.get("real", ()) if name not in tables),
                where=entry.get("where", {}),
                expect=entry["expect"],
            )


CASES = tuple(read_cases())


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    settings = load_settings(tmp_path_factory.mktemp("home"), "demo")
    contracts = load_contracts(settings)
    with (
        open_warehouse(settings, settings.builds / "cases") as warehouse,
        open_vault(warehouse, OPENING),
    ):
        yield Bench(settings, warehouse, contracts, load_models(settings.root))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_model_makes_the_rows_that_the_case_expects(case: Case, bench: Bench) -> None:
    contract = bench.make(case)
    key = ", ".join(contract.key)
    repeated = bench.warehouse.rows(
        f"select {key}, count(*) from {qualified(contract)} group by {key} having count(*) > 1"
    )
    assert not repeated, f"the key ({key}) is repeated: {repeated}"
    named = {column for row in case.expect for column in row}
    assert all(set(row) == named for row in case.expect), "rows expected name different columns"
    columns = sorted(named) or list(contract.key)
    condition = " and ".join(f"{column} = ?" for column in case.where) or "true"
    found = bench.warehouse.rows(
        f"select {', '.join(columns)} from {qualified(contract)} where {condition}",
        list(case.where.values()),
    )
    surplus = list(found)
    missing = []
    for row in case.expect:
        values = [row[column] for column in columns]
        match = next((other for other in surplus if agree(other, values)), None)
        if match is None:
            missing.append(row)
        else:
            surplus.remove(match)
    assert not missing and not surplus, (
        f"expected and not made {missing}; "
        f"made and not expected {[dict(zip(columns, row, strict=True)) for row in surplus]}"
    )


def test_every_model_has_a_case_and_every_case_a_model() -> None:
    assert {case.model for case in CASES} == {*load_models(PROJECT_ROOT), *LIBRARY_TABLES}


def test_case_names_are_told_once() -> None:
    names = [str(case) for case in CASES]
    assert sorted(set(names)) == sorted(names)


def agree(found: tuple[object, ...], expected: list[object]) -> bool:
    return all(equal(*pair) for pair in zip(found, expected, strict=True))


def equal(found: object, expected: object) -> bool:
    """Floating point to 1e-12 of its size, everything else exactly."""
    if isinstance(expected, int | float) and not isinstance(expected, bool):
        if isinstance(found, float):
            return math.isclose(found, expected, rel_tol=RELATIVE_TOLERANCE)
        if isinstance(found, Decimal):
            return found == Decimal(str(expected))
    return type(found) is type(expected) and found == expected

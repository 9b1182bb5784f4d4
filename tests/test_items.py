"""Every plan item that is computed from rows by its cases: `tests/items/<policy_id>.yaml`.

The name of a case begins with the item and, unless it is the main one, the part: `W84 city: ...`.
A file says at which `place` its rows lie; a case its `year`, the rows `given` by base, what to
`expect` and `who` misses the item (nobody, if it does not say). `area` is a code or the level of an
area above the place, at first the finest that the part is shown at.

A row of a profile is named h1, p1 or v1 by its place in the list, and what a profile always tells
is false or 0; its incomes are of the plan's concept. A row of a dataset may say its `month`, whose
row it is (`person`, `household`), whether the household is `on_roll` or in which year it `left`,
and the `age` of the person in the year. `times` repeats a row for as many persons and households.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from operator import ge, gt, le, lt
from pathlib import Path

import duckdb
import polars as pl
import pytest
import yaml

from minsheng.contracts import Contract, load_contracts
from minsheng.item_figures import (
    ITEM_FIGURE,
    PROFILES,
    READS,
    SHORTFALL,
    Figure,
    figure_selects,
    figures_of,
    shortfall_selects,
)
from minsheng.linkage import is_personal
from minsheng.plans import AREA_LEVELS, load_plans, plan_area_rows
from minsheng.policies import reference_rows
from minsheng.settings import PROJECT_ROOT, load_settings
from minsheng.source_tables import reported_select

Row = Mapping[str, object]
Selects = Callable[
    [duckdb.DuckDBPyConnection, Sequence[Figure], Mapping[str, Contract]], Iterator[str]
]
FOLDER = Path(__file__).parent / "items"
COMPARISONS = {"<": lt, "<=": le, ">": gt, ">=": ge}
NAMES = {"household": "h", "person": "p", "village": "v"}
MAY_BE_UNKNOWN = {
    "household_profile": (
        *("member_count", "wage_yuan", "business_yuan", "property_yuan", "transfer_yuan"),
        *("total_yuan", "per_capita_yuan", "has_labour", "cause_code"),
        *("uninsured_count", "out_of_school_count", "dibao_count", "tekun_count"),
    ),
    "person_profile": (
        *("age_years", "sex_code", "labour_code", "has_labour", "cause_code"),
        "education_stage_code",
    ),
}
"""Columns of a profile that nobody may tell; of a village that is nearly all."""
VILLAGE_TELLS = ("low_income_household_count", "low_income_person_count")
OF_ROW = ("year", "month", "person", "household", "on_roll", "left", "age", "times")
"""What a case says of a dataset's row beside its columns."""


@dataclass(frozen=True)
class Case:
    """Rows of the base of a part, and the figure that comes out."""

    policy_id: str
    name: str
    place: str
    year: int
    given: Mapping[str, list[Row]]
    expect: tuple[Row, ...]
    who: tuple[str, ...]
    units: tuple[str, ...]
    """Areas that are there beside those of the rows."""

    @property
    def part(self) -> str:
        item, *part = self.name.split(":")[0].split()
        return f"{self.policy_id} {item} {part[0] if part else 'main'}"

    def __str__(self) -> str:
        return f"{self.policy_id} {self.name}"


def read_cases() -> Iterator[Case]:
    for path in sorted(FOLDER.glob("*.yaml")):
        file = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        for entry in file["cases"]:
            expect = entry["expect"]
            yield Case(
                policy_id=path.stem,
                name=entry["name"],
                place=str(entry.get("place", file["place"])),
                year=entry["year"],
                given=entry["given"],
                expect=tuple(expect if isinstance(expect, list) else [expect]),
                who=tuple(entry.get("who", ())),
                units=tuple(entry.get("units", ())),
            )


SETTINGS = load_settings(PROJECT_ROOT, "demo")
PLANS = load_plans(SETTINGS)
FIGURES = {figure.name: figure for figure in figures_of(PLANS)}
CASES = tuple(read_cases())
BEGUN = {
    str(row["area_code"]): str(row["existing_from"])
    for row in reference_rows(SETTINGS, "area")
    if row["existing_from"]
}
"""First days of areas that were not always there."""


@dataclass
class Bench:
    """One warehouse in memory for all cases; a table is filled again only if its rows differ."""

    connection: duckdb.DuckDBPyConnection
    contracts: Mapping[str, Contract]
    held: dict[str, list[Row]] = field(default_factory=dict)

    def set(self, name: str, rows: list[Row]) -> None:
        if self.held.get(name) == rows:
            return
        contract = self.contracts[name]
        if name not in self.held:
            columns = ", ".join(
                f"{column.name} {column.duckdb_type}" for column in contract.columns
            )
            self.connection.execute(f"create schema if not exists {contract.layer}")
            self.connection.execute(f"create or replace table {name} ({columns})")
        elif self.held[name]:
            self.connection.execute(f"delete from {name}")
        if rows:
            told = sorted({column for row in rows for column in row})
            frame = pl.DataFrame(
                {each: [_text(row.get(each)) for row in rows] for each in told},
                schema=dict.fromkeys(told, pl.String),
            )
            self.connection.register("rows_to_write", frame)
            self.connection.execute(f"insert into {name} by name from rows_to_write")
            self.connection.unregister("rows_to_write")
        self.held[name] = rows

    def made(self, name: str, selects: Selects, figure: Figure) -> list[dict[str, object]]:
        """The rows that the part gives for the table `name`."""
        self.set(name, [])
        for select in selects(self.connection, [figure], self.contracts):
            self.connection.execute(f"insert into {name} by name {select}")
        rows = self.connection.execute(f"select * from {name}").pl().to_dicts()
        self.connection.execute(f"delete from {name}")
        return rows

    def fill(self, case: Case, figure: Figure) -> None:
        """Write the tables that the case's part reads."""
        base = str(figure.part.base)
        contract = self.contracts[f"indicators.{base}" if base in PROFILES else f"staged.{base}"]
        tables: dict[str, list[Row]] = {name: [] for name in READS}
        tables |= area_tables(case)
        tables["indicators.covered_year"] = covered_years(figure, tables["reference.area"])
        if base in PROFILES:
            tables[contract.name] = profile_rows(contract, case, case.given[base])
        else:
            tables |= dataset_tables(contract, case, case.given[base])
        extra = {name: rows for name, rows in case.given.items() if name != base}
        unread = set(extra) - set(tables)
        assert not unread, f"{case}: {figure.name} does not read {sorted(unread)}"
        for name, rows in {**tables, **extra}.items():
            self.set(name, rows)
        if contract.delivery and contract.delivery.mode == "upsert":
            self.connection.execute("create schema if not exists reported")
            self.connection.execute(
                f"create or replace table reported.{contract.table} as "
                + reported_select(contract, contract.name, "period_month")
            )
            self.connection.execute(
                f"delete from {contract.name} where row_number not in "
                f"(select counted_row_number from reported.{contract.table})"
            )
            del self.held[contract.name]


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with duckdb.connect() as connection:
        yield Bench(connection, load_contracts(SETTINGS))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_item_comes_out_as_its_case_says(case: Case, bench: Bench) -> None:
    figure = FIGURES[case.part]
    bench.fill(case, figure)
    made = bench.made(ITEM_FIGURE, figure_selects, figure)
    for expected in case.expect:
        year = int(str(expected.get("year", case.year)))
        area = area_of(case, figure, expected)
        start = expected.get("period_start", date(year, 1, 1))
        found = [row for row in made if (row["area_code"], row["period_start"]) == (area, start)]
        if expected.get("figure") is False:
            assert not found, f"a figure where none is expected: {found}"
            continue
        assert len(found) == 1, f"{area} {start}: {found or made}"
        row = {**found[0], "reached": is_reached(figure, year, found[0])}
        compared = [key for key in expected if key not in ("area", "year", "period_start")]
        assert "value" in compared
        assert ("reached" in compared) == (year in figure.part.thresholds)
        assert {key: _number(row[key]) for key in compared} == {
            key: _number(expected[key]) for key in compared
        }
    missed = bench.made(SHORTFALL, shortfall_selects, figure)
    assert sorted(str(row["entity_id"]) for row in missed) == sorted(case.who)


@pytest.mark.parametrize("policy_id", [plan.policy_id for plan in PLANS])
def test_every_target_has_a_case_that_meets_it_and_one_that_misses_it(policy_id: str) -> None:
    told = {
        f"{case.part} {'met' if expected['reached'] else 'missed'}"
        for case in CASES
        for expected in case.expect
        if expected.get("reached") is not None
    }
    wanted = {
        f"{name} {outcome}"
        for name, figure in FIGURES.items()
        if figure.plan.policy_id == policy_id and figure.part.has_target
        for outcome in ("met", "missed")
    }
    assert not sorted(wanted - told)


def test_case_names_are_told_once() -> None:
    names = [str(case) for case in CASES]
    assert sorted(set(names)) == sorted(names)


def test_every_case_is_of_a_computed_part() -> None:
    assert not sorted({case.part for case in CASES} - set(FIGURES))


def is_reached(figure: Figure, year: int, row: Row) -> bool | None:
    """As targets are judged: the value as published, to six decimals; nothing while it is open."""
    value = row["value"]
    if value is None or figure.part.comparator is None or year not in figure.part.thresholds:
        return None
    threshold = Decimal(str(figure.part.thresholds[year]))
    bounds = [Decimal(str(value))] * 2
    if row["unknown_count"]:
        bounds = [
            Decimal(unbounded if row[name] is None else str(row[name]))
            for name, unbounded in (("lowest_value", "-Infinity"), ("highest_value", "Infinity"))
        ]
    outcomes = {bool(COMPARISONS[figure.part.comparator](each, threshold)) for each in bounds}
    return outcomes.pop() if len(outcomes) == 1 else None


def area_of(case: Case, figure: Figure, expected: Row) -> str:
    finest = max(figure.part.area_levels, key=AREA_LEVELS.index)
    area = str(expected.get("area", finest))
    return dict(zip(AREA_LEVELS, lineage(case.place), strict=False)).get(area, area)


def lineage(code: str) -> list[str]:
    """The areas that hold an area, the province first and itself last, as codes tell."""
    codes = [code[:end].ljust(12, "0") for end in (2, 4, 6, 9, 12)]
    return codes[: codes.index(code) + 1]


def area_tables(case: Case) -> Mapping[str, list[Row]]:
    """The areas that a case names, each where it is today; a set of the plan has those alone."""
    plan = next(plan for plan in PLANS if plan.policy_id == case.policy_id)
    told = [value for rows in case.given.values() for row in rows for value in row.values()]
    named = {plan.area_code, case.place, *case.units}
    named |= {str(each) for each in told if _is_area(str(each))}
    concerned = {above for each in named for above in lineage(each)}
    sets = [row for row in plan_area_rows([plan]) if row["area_code"] in concerned]
    areas: list[Row] = []
    for code in sorted({above for each in named for above in lineage(each)}):
        levels = dict(zip(AREA_LEVELS, lineage(code), strict=False))
        places = {f"{level}_code": levels.get(level) for level in AREA_LEVELS[1:]}
        areas.append(
            {
                "area_code": code,
                "area_level": list(levels)[-1],
                **places,
                "existing_from": max(filter(None, map(BEGUN.get, lineage(code))), default=None),
            }
        )
    return {
        "reference.area": areas,
        "reference.area_ancestor": [
            {
                "area_code": area["area_code"],
                "ancestor_code": above,
                "ancestor_level": level,
                "distance": len(upwards) - place,
            }
            for area in areas
            for upwards in [lineage(str(area["area_code"]))]
            for place, (level, above) in enumerate(zip(AREA_LEVELS, upwards, strict=False), 1)
        ],
        "reference.area_today": [
            {
                **{name: code for name, code in area.items() if name.endswith("_code")},
                "today_code": area["area_code"],
            }
            for area in areas
        ],
        "reference.plan_area": sets,
    }


def covered_years(figure: Figure, areas: Sequence[Row]) -> list[Row]:
    """All that the part reads has come for every county and year, unless a case says otherwise."""
    counties = sorted({str(area["county_code"]) for area in areas if area["county_code"]})
    return [
        {"source": source, "county_code": county, "year": year}
        for source in figure.part.datasets
        for county in counties
        for year in figure.plan.years
    ]


def _is_area(text: str) -> bool:
    return len(text) == 12 and text.isdigit()


def profile_rows(contract: Contract, case: Case, rows: Sequence[Row]) -> list[Row]:
    """The rows of a profile, with what it always tells."""
    entity, key = PROFILES[contract.table]
    unknown = MAY_BE_UNKNOWN.get(contract.table, ())
    told: dict[str, object] = {
        column.name: False if column.duckdb_type == "BOOLEAN" else 0
        for column in contract.columns
        if (column.name in VILLAGE_TELLS if entity == "village" else column.name not in unknown)
    }
    told |= {"year": case.year, "area_code": case.place}
    if entity == "household":
        plan = next(plan for plan in PLANS if plan.policy_id == case.policy_id)
        told |= {"is_on_roll": True, "income_concept": plan.income_concept}
    made: list[Row] = []
    for place, row in enumerate(rows, start=1):
        check_columns(contract, row, ("times",))
        for number in numbers(row):
            name = f"{NAMES[entity]}{place}{number}"
            own = {column: value for column, value in row.items() if column != "times"}
            of_person = {"household_id": f"h{place}{number}"} if entity == "person" else {}
            made.append({**told, key: name, **of_person, **own})
    return made


def dataset_tables(contract: Contract, case: Case, rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows of a dataset, whose they are and which households stand on the year's roll."""
    columns = {column.name for column in contract.columns}
    texts = {column.name for column in contract.columns if column.duckdb_type == "VARCHAR"}
    is_ledger = bool(contract.delivery and contract.delivery.mode == "upsert")
    entry = [name for name in contract.key if is_ledger and name in texts]
    records: list[Row] = []
    persons: list[Row] = []
    homes: list[Row] = []
    members: dict[tuple[object, ...], Row] = {}
    households: dict[object, Row] = {}
    rolls: dict[tuple[object, ...], Row] = {}
    exits: dict[object, Row] = {}
    row_number = 0
    for row in rows:
        check_columns(contract, row, OF_ROW)
        month = date.fromisoformat(
            f"{row.get('month', str(row.get('year', case.year)) + '-12')}-01"
        )
        for number in numbers(row):
            row_number += 1
            received = {
                "delivery_id": "d",
                "row_number": row_number,
                "sender": lineage(case.place)[min(3, len(lineage(case.place))) - 1],
                "period_month": month,
                "year": row.get("year", month.year),
                "village_code": case.place,
                "area_code": case.place,
            }
            kept = {name: value for name, value in received.items() if name in columns}
            # each row of a ledger is an entry of its own
            kept |= {name: f"row {row_number}" for name in entry if name not in kept}
            own = {name: value for name, value in row.items() if name not in OF_ROW}
            records.append({**kept, **own})
            identity = {"source": contract.table, "delivery_id": "d", "row_number": row_number}
            person, household = (
                f"{row[whose]}{number}" if row.get(whose) else None
                for whose in ("person", "household")
            )
            if person:
                persons.append({**identity, "person_id": person})
            if household:
                homes.append({**identity, "household_notion": "roll", "household_id": household})
                of_year = {"household_id": household, "year": month.year}
                households[household] = {"household_id": household, "area_code": case.place}
                left = int(str(row.get("left", month.year + 1)))
                if row.get("on_roll", month.year < left):
                    rolls[household, month.year] = {**of_year, "area_code": case.place}
                    members[household, person, month.year] = {
                        **of_year,
                        "person_id": person,
                        "age_years": row.get("age"),
                    }
                if "left" in row:
                    exits[household] = {
                        "entity_type": "household",
                        "entity_id": household,
                        "status_code": "exited",
                        "start_month": date(left, 1, 1),
                    }
                    age = int(str(row.get("age", 40))) + left - 1 - month.year
                    of_last_year = {"household_id": household, "year": left - 1}
                    members[household, person, left - 1] = {
                        **of_last_year,
                        "person_id": person,
                        "age_years": age,
                    }
    named = any(name == "household_identity" for name in columns)
    return {
        contract.name: records,
        "bridge.person": persons if is_personal(contract) else [],
        "bridge.household": homes if named else [],
        "linked.household": list(households.values()),
        "linked.household_member": list(members.values()),
        "linked.household_year_roll": list(rolls.values()),
        "linked.status_interval": list(exits.values()),
    }


def numbers(row: Row) -> Iterable[str]:
    """What tells the repetitions of a row apart."""
    if "times" not in row:
        return ("",)
    return (f".{number}" for number in range(1, int(str(row["times"])) + 1))


def check_columns(contract: Contract, row: Row, beside: Sequence[str]) -> None:
    unknown = set(row) - {column.name for column in contract.columns} - set(beside)
    assert not unknown, f"{contract.name} has no columns {sorted(unknown)}"


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _number(value: object) -> object:
    """A number of either kind as one, to the six decimals that are published."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return value
    return round(float(value), 6)


def test_an_income_is_of_the_concept_that_the_part_names_else_of_the_plans(bench: Bench) -> None:
    wages = FIGURES["xinhua_2021_2025 X23 wages"]
    case = next(case for case in CASES if case.part == wages.name)
    paid = {"is_relocated": True, "wage_yuan": 30000}
    rows: list[Row] = [
        {**paid, "year": 2021, "income_concept": "net_income", "wage_yuan": 10000},
        {**paid, "year": 2021, "income_concept": "disposable_income"},
        {**paid, "income_concept": "disposable_income", "wage_yuan": 33000},
    ]
    bench.fill(replace(case, year=2022, given={"household_profile": rows}), wages)
    for where in ("is_relocated", "is_relocated or income_concept = 'net_income'", "true"):
        figure = replace(wages, part=replace(wages.part, where=where))
        made = bench.made(ITEM_FIGURE, figure_selects, figure)
        assert {row["value"] for row in made if row["year"] == 2022} == {3000}

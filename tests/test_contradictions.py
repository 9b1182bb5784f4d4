"""Every contradiction by its cases: `tests/contradictions.yaml` says what it finds and what not."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property
from pathlib import Path

import pytest
import sqlglot
import yaml
from sqlglot import exp

from minsheng import contradictions, models
from minsheng.build import make_quality
from minsheng.checks import check_table
from minsheng.contradictions import (
    CATALOGUE,
    CONTRADICTION,
    Contradiction,
    ContradictionError,
    Side,
    contradiction_selects,
)
from minsheng.lint import decided_numbers
from minsheng.policies import reference_rows
from minsheng.project import Project, gather_inputs
from minsheng.settings import PROJECT_ROOT, load_settings
from minsheng.warehouse import Warehouse, append_rows, open_warehouse, write_rows

Row = dict[str, object]
Tables = dict[str, Sequence[Row]]
POLICIES = ("area", "area_ancestor", "code", "rule_value")
VILLAGE = "330302001201"
COUNTY = "330302000000"
FIRST_ROW = 2
KEPT = ("members", "born", "delivered", "awaited", "hiding", "unlinked")
"""What a case says beside its rows."""


@dataclass(frozen=True)
class Case:
    """Rows of datasets, what else is known, and the rows of one contradiction that come out."""

    contradiction: str
    it: str
    rows: Mapping[str, Sequence[Row]]
    known: Mapping[str, dict[str, list[object]]]
    found: Sequence[Sequence[int | None]]

    def __str__(self) -> str:
        return f"{self.contradiction}: {self.it}"


def read_cases() -> Iterator[Case]:
    path = PROJECT_ROOT / "tests" / "contradictions.yaml"
    for name, entry in yaml.load(path.read_text("utf-8"), Loader=yaml.CSafeLoader).items():
        known = {key: entry[key] for key in KEPT if key in entry}
        yield Case(name, entry["it"], entry["rows"], known, entry["found"])
        for other in entry["but_not"]:
            yield Case(
                name,
                f"not if {other['it']}",
                entry["rows"] | other.get("rows", {}),
                known | {key: other[key] for key in KEPT if key in other},
                [],
            )


CASES = tuple(read_cases())


@dataclass(frozen=True)
class Bench:
    """One warehouse for all cases."""

    project: Project
    warehouse: Warehouse
    held: dict[str, list[Row]] = field(default_factory=dict)
    """The rows of each table; what a SELECT adds to is written anew."""

    def write(self, name: str, rows: Sequence[Row]) -> None:
        columns = [column.name for column in self.project.contracts[name].columns]
        unknown = {column for row in rows for column in row} - set(columns)
        assert not unknown, f"{name} has no columns {sorted(unknown)}"
        filled = [{column: row.get(column) for column in columns} for row in rows]
        if self.held.get(name) != filled:
            write_rows(self.warehouse, self.project.contracts[name], filled, commented=False)
            self.held[name] = filled

    def find(self, contradiction: Contradiction, case: Case) -> None:
        """Make `quality.contradiction` of one contradiction from the rows of a case."""
        read = contradictions.tables_read([contradiction])
        given: Tables = {name: [] for name in read if not name.startswith("reference.")}
        persons = self._rows_of(contradiction, case, given)
        self._links(case, persons, given)
        for name, rows in given.items():
            self.write(name, rows)
        self.held.pop(CONTRADICTION, None)
        self.write(CONTRADICTION, [])
        selects = contradiction_selects([contradiction], self.project.contracts, self.rules)
        for select in selects:
            append_rows(self.warehouse, self.project.contracts[CONTRADICTION], select)

    @cached_property
    def rules(self) -> frozenset[str]:
        return frozenset(str(row["rule_id"]) for row in self.policy("rule_value"))

    def policy(self, table: str) -> list[Row]:
        return reference_rows(self.project.settings, table)

    def _rows_of(self, contradiction: Contradiction, case: Case, given: Tables) -> list[Row]:
        """Give the rows of the case; return whom each row names."""
        persons: list[Row] = []
        households: list[Row] = []
        read = set(contradictions.tables_read([contradiction]))
        for source, listed in case.rows.items():
            assert f"staged.{source}" in read, f"{contradiction.name} reads no {source}"
            contract = self.project.contracts[f"staged.{source}"]
            places = {column.name for column in contract.columns} & {"village_code", "area_code"}
            rows = []
            for number, row in enumerate(listed, start=FIRST_ROW):
                filled: Row = dict.fromkeys(places, VILLAGE) | {
                    "sender": COUNTY,
                    "delivery_id": source,
                    "row_number": number,
                    "period_month": "2022-12-01",
                    **row,
                }
                place = {"source": source, "delivery_id": source, "row_number": number}
                if "person" in row:
                    filled["person_name"] = filled.pop("person")
                    persons.append({**place, "person_id": row["person"]})
                if "household" in row:
                    filled["household_identity"] = filled.pop("household")
                    households.append(
                        {**place, "household_notion": "roll", "household_id": row["household"]}
                    )
                rows.append(filled)
            given[f"staged.{source}"] = rows
        given["bridge.household"] = households
        return persons

    def _links(self, case: Case, persons: Sequence[Row], given: Tables) -> None:
        born, members = case.known.get("born", {}), case.known.get("members", {})
        unlinked = case.known.get("unlinked", [])

        given["bridge.person"] = [
            {
                **row,
                "id_status_code": "valid",
                "is_confirmed": row["person_id"] not in unlinked,
                "birth_month": born.get(str(row["person_id"])),
            }
            for row in persons
        ]
        given["linked.household_member"] = [
            {"household_id": household, "person_id": person, "year": 2017}
            for household, listed in members.items()
            for person in listed
        ]
        given["linked.person"] = [
            {"person_id": person, "is_confirmed": person not in unlinked}
            for listed in members.values()
            for person in listed
        ]
        whole, part = case.known.get("delivered", {}), case.known.get("awaited", {})
        given["indicators.complete_roll"] = [
            {"source": source, "county_code": COUNTY, "period_month": month, "delivery_id": "d"}
            for source, months in whole.items()
            for month in months
        ]
        given["meta.delivery"] = [
            {
                "department": source.split("__")[0],
                "dataset": source.split("__")[1],
                "period_month": month,
                "delivery_status": "effective",
            }
            for source, months in [*whole.items(), *part.items()]
            for month in months
        ]
        given["linked.unconfirmed_record"] = [
            {"source": source, "person_id": person, "period_month": month}
            for source, hidden in case.known.get("hiding", {}).items()
            for person, month in hidden.items()
        ]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    project = Project(load_settings(tmp_path_factory.mktemp("home"), "demo"))
    with open_warehouse(project.settings, project.settings.builds / "cases") as warehouse:
        bench = Bench(project, warehouse)
        for table in POLICIES:
            bench.write(f"reference.{table}", bench.policy(table))
        bench.write(CATALOGUE, contradictions.reference_rows(project.catalogue))
        yield bench


def entry_of(bench: Bench, name: str) -> Contradiction:
    (entry,) = (each for each in bench.project.catalogue if each.name == name)
    return entry


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_contradiction_finds_the_rows_that_the_case_expects(case: Case, bench: Bench) -> None:
    entry = entry_of(bench, case.contradiction)
    bench.find(entry, case)
    found = bench.warehouse.rows(
        "select left_source, left_delivery_id, left_row_number, right_source, right_delivery_id, "
        f"right_row_number, pair_count from {CONTRADICTION} order by all"
    )
    left, right = entry.left.source, entry.right.source if entry.right else None
    assert found == [
        (left, left, left_row, right, right, right_row, pair_count)
        for left_row, right_row, pair_count in case.found
    ]


def test_every_contradiction_has_cases_and_every_case_a_contradiction() -> None:
    catalogue = contradictions.load_catalogue(load_settings(deployment="demo"))
    assert {case.contradiction for case in CASES} == {each.name for each in catalogue}
    names = [str(case) for case in CASES]
    assert sorted(set(names)) == sorted(names)


def test_a_check_counts_each_contradiction_by_name(bench: Bench) -> None:
    bench.find(entry_of(bench, "dead_but_paid"), CASES[0])
    contracts = bench.project.contracts
    bench.write("meta.delivery", [{"delivery_id": source} for source in CASES[0].rows])
    results = {
        result.check_name: result
        for result in check_table(bench.warehouse, contracts[CONTRADICTION], contracts)
    }
    assert {each.name for each in bench.project.catalogue} <= set(results)
    failing = {name: result.failing_rows for name, result in results.items() if not result.passed}
    assert failing == {"dead_but_paid": 1}
    dead = results["dead_but_paid"]
    assert (dead.severity, dead.blocks) == ("warning", False)
    assert "死亡" in dead.why


def test_the_catalogue_of_the_published_file_says_why(bench: Bench) -> None:
    rows = bench.warehouse.rows(
        f"select contradiction from {CATALOGUE} "
        "where label_zh is null or label_en is null or why is null or mend is null"
    )
    assert rows == []
    assert bench.warehouse.rows(
        "select right_source, without_source from reference.contradiction "
        "where contradiction in ('dead_but_paid', 'monitored_without_measure') order by all"
    ) == [
        ("civil_affairs__relief_payment", None),
        (None, "agriculture__assistance_measure"),
    ]


def test_nothing_personal_is_in_the_table(bench: Bench) -> None:
    columns = bench.project.contracts[CONTRADICTION].columns
    assert {column.sensitivity for column in columns} == {"none"}
    bench.find(entry_of(bench, "dead_but_paid"), CASES[0])
    [(row,)] = bench.warehouse.rows(f"select to_json(t)::varchar from {CONTRADICTION} as t")
    # the bench lets the name stand for the key of a person, so that nothing else may hold it
    assert str(row).count("甲") == 1
    assert '"person_id":"甲"' in str(row)


def test_what_the_table_is_made_from_is_what_its_statements_read(bench: Bench) -> None:
    catalogue = bench.project.catalogue
    rules = frozenset(str(row["rule_id"]) for row in bench.policy("rule_value"))
    read = set()
    for select in contradiction_selects(catalogue, bench.project.contracts, rules):
        read |= models.tables_read(select)
    assert read == set(contradictions.tables_read(catalogue))


def test_no_number_that_a_policy_decides_stands_in_the_catalogue() -> None:
    settings = load_settings(deployment="demo")
    decided = decided_numbers(settings)
    numbers = [
        (each.name, number.name)
        for each in contradictions.load_catalogue(settings)
        for _, side in each.sides
        for text in (side.where, side.every or "true", side.when, side.within)
        for number in sqlglot.parse_one(text, dialect="duckdb").find_all(exp.Literal)
        if not number.is_string and Decimal(number.name) in decided
    ]
    assert numbers == []


DEATH = Side("public_security__vital_event", "vital_event_code = 'death'")
PAYMENT = Side("civil_affairs__relief_payment")
LATE = Contradiction("late", "warning", "迟", "late", "迟发", "核对", DEATH, PAYMENT)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (replace(LATE, left=replace(DEATH, where="died")), "has no column 'died'"),
        (replace(LATE, left=replace(DEATH, where="left.event_date is null")), "no name before"),
        (replace(LATE, left=replace(DEATH, where="(event_date")), "cannot be read"),
        (replace(LATE, right=replace(PAYMENT, when="amount_yuan > 0")), "before it"),
        (replace(LATE, right=replace(PAYMENT, when="right.amount > 0")), "no column 'amount'"),
        (
            replace(LATE, left=replace(DEATH, where="event_date = (select max(x) from y)")),
            "no plain condition",
        ),
        (replace(LATE, left=replace(DEATH, where="true; drop table x")), "one condition"),
        (replace(LATE, left=replace(DEATH, where="max(event_date) > event_date")), "no plain"),
        (replace(LATE, left=replace(DEATH, where="read_text('/etc/hosts') = ''")), "no plain"),
        (replace(LATE, left=replace(DEATH, where="event_date < current_date")), "no plain"),
        (replace(LATE, left=replace(DEATH, where="attribute(event_date)")), "is no code"),
        (
            replace(
                LATE, right=replace(PAYMENT, where="rule('monitoring_line', period_month) > 1")
            ),
            "use `when`",
        ),
        (
            replace(LATE, right=replace(PAYMENT, when="rule('no_rule', left.event_date) > 1")),
            "nobody decides 'no_rule'",
        ),
        (
            replace(
                LATE, without=replace(PAYMENT, within="without.amount_yuan = left.period_month")
            ),
            "no more than without.period_month",
        ),
        (replace(LATE, right=Side("nobody__nothing")), "no dataset 'nobody__nothing'"),
        (
            replace(LATE, right=Side("statistics__area_benchmark", same="person")),
            "are about no person",
        ),
        (
            replace(LATE, right=Side("statistics__area_benchmark", same="household")),
            "are about no household",
        ),
    ],
)
def test_a_condition_that_is_more_than_plain_is_refused_by_name(
    entry: Contradiction, message: str, bench: Bench
) -> None:
    rules = frozenset({"monitoring_line"})
    with pytest.raises(ContradictionError, match=f"contradiction late: .*{re.escape(message)}"):
        list(contradiction_selects([entry], bench.project.contracts, rules))


def test_types_that_cannot_be_compared_are_refused_by_name(tmp_path: Path) -> None:
    settings = load_settings(tmp_path / "home", "demo")
    project = Project(settings)
    project.__dict__["catalogue"] = (replace(LATE, left=replace(DEATH, where="event_date > true")),)
    with open_warehouse(settings, settings.builds / "a") as warehouse:
        for name in contradictions.tables_read(project.catalogue):
            write_rows(warehouse, project.contracts[name], [])
        with pytest.raises(ContradictionError, match=r"contradiction late: .*BOOLEAN"):
            make_quality(
                warehouse, project, project.contracts[CONTRADICTION], gather_inputs(project)
            )


def test_a_value_that_cannot_be_converted_is_not_told(tmp_path: Path) -> None:
    settings = load_settings(tmp_path / "home", "demo")
    project = Project(settings)
    numbered = replace(DEATH, where="cast(person_name as integer) > 0")
    project.__dict__["catalogue"] = (replace(LATE, left=numbered, right=Side(DEATH.source)),)
    known: Row = {"person_name": "张三", "person_id": "张三", "delivery_id": "d", "row_number": "2"}
    known |= {"source": DEATH.source, "id_status_code": "valid"}
    with open_warehouse(settings, settings.builds / "a") as warehouse:
        for name in contradictions.tables_read(project.catalogue):
            columns = [column.name for column in project.contracts[name].columns]
            row = {column: known.get(column) for column in columns}
            write_rows(warehouse, project.contracts[name], [row])
        with pytest.raises(ContradictionError, match=r"contradiction late: .*INT32") as fault:
            make_quality(
                warehouse, project, project.contracts[CONTRADICTION], gather_inputs(project)
            )
    assert "张" not in str(fault.value)


def deployment(folder: Path, text: str) -> Path:
    """A deployment with the demo's settings and a catalogue of its own."""
    settings = load_settings(deployment="demo").deployment / "settings.yaml"
    (folder / "settings.yaml").write_text(settings.read_text("utf-8"), encoding="utf-8")
    (folder / "expectations").mkdir()
    (folder / "expectations" / "contradictions.yaml").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{left: {source: a}}", "contradiction late: .*missing"),
        ("{wrong: 1}", "contradiction late: .*wrong"),
        ("text", "contradiction late: expected names and values"),
        (
            "{label_zh: 迟, label_en: late, why: 迟, mend: 核对, left: {source: a}}",
            "contradiction late: names no `right` and no `without`",
        ),
        (
            "{label_zh: 迟, label_en: late, why: 迟, mend: 核对, left: {source: a, same: person}, "
            "right: {source: b}}",
            r"contradiction late: left has \['same'\]",
        ),
        (
            "{label_zh: 迟, label_en: late, why: 迟, mend: 核对, left: {source: a}, "
            "right: {source: b, same: village}}",
            "contradiction late: right is of the same 'village'",
        ),
        (
            "{label_zh: 迟, label_en: late, why: 迟, mend: 核对, severity: dreadful, "
            "left: {source: a}, right: {source: b}}",
            "contradiction late: severity 'dreadful'",
        ),
    ],
)
def test_an_entry_that_cannot_be_used_is_refused_by_name(
    entry: str, message: str, tmp_path: Path
) -> None:
    folder = deployment(tmp_path, f"late: {entry}\n")
    with pytest.raises(ContradictionError, match=message):
        contradictions.load_catalogue(load_settings(tmp_path / "home", str(folder)))


def test_a_deployment_removes_a_contradiction_and_words_another(tmp_path: Path) -> None:
    text = (
        "dead_but_paid: null\n"
        "dead_but_insured:\n"
        "  label_zh: 亡者参保\n  label_en: dead and insured\n  why: 亡者参保\n  mend: 核对\n"
        "  left: {source: public_security__vital_event}\n"
        "  right: {source: health__insurance_enrolment}\n"
    )
    whole = contradictions.load_catalogue(load_settings(deployment="demo"))
    changed = contradictions.load_catalogue(
        load_settings(tmp_path / "home", str(deployment(tmp_path, text)))
    )
    assert {each.name for each in whole} - {each.name for each in changed} == {"dead_but_paid"}
    assert [each.label_zh for each in changed if each.name == "dead_but_insured"] == ["亡者参保"]

"""Every duty of a plan by its cases: `tests/duties/<policy_id>.yaml`.

The name of a case begins with the duty: `monthly_visit: ...`. A file, or a case of another place,
says at which `place` its households live; a case says the month that the build is `as_of`, the rows
`given` by dataset, for which periods which dataset `came` whole, and what to `expect`: every row of
the duty.

A household is on the roll in the years that `on_roll` lists for it and, unless `profile` says
otherwise, nothing is known against it. A row of a dataset says whose it is (`household` or, of one
that names persons, the household of the person), its `month` (or year), and when its file was
`delivered`, at first on the last day of its period.
"""

from calendar import monthrange
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import duckdb
import pytest
import yaml

from minsheng.contracts import load_contracts
from minsheng.duties import PlanDuty, load_duties
from minsheng.duty_results import DUTY_RESULT, duty_selects, tables_read
from minsheng.plans import AREA_LEVELS, period_rows, plan_area_rows
from minsheng.settings import PROJECT_ROOT, load_settings
from tests.test_items import BEGUN, Bench, lineage

Row = Mapping[str, object]
FOLDER = Path(__file__).parent / "duties"
SETTINGS = load_settings(PROJECT_ROOT, "demo")
DUTIES = {each.name: each for each in load_duties(SETTINGS)}
OF_ROW = ("household", "delivered", "month", "sent_again")


@dataclass(frozen=True)
class Case:
    """Rows that tell of a duty, and what comes out."""

    policy_id: str
    name: str
    place: str
    as_of: date
    given: Mapping[str, list[Row]]
    expect: tuple[Row, ...]
    on_roll: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    profile: Mapping[str, object] = field(default_factory=dict)
    came: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    left: Mapping[str, str] = field(default_factory=dict)
    died: Mapping[str, str] = field(default_factory=dict)

    @property
    def duty(self) -> str:
        return f"{self.policy_id} {self.name.split(':')[0]}"

    def __str__(self) -> str:
        return f"{self.policy_id} {self.name}"


def month_of(text: object) -> date:
    """The first day of `2021-06`, or of the last month of `2021`."""
    return date.fromisoformat(f"{text}-01" if "-" in str(text) else f"{text}-12-01")


def read_cases() -> Iterator[Case]:
    for path in sorted(FOLDER.glob("*.yaml")):
        file = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        for entry in file["cases"]:
            yield Case(
                policy_id=path.stem,
                name=entry["name"],
                place=str(entry.get("place", file["place"])),
                as_of=month_of(entry["as_of"]),
                given=entry.get("given", {}),
                expect=tuple(entry["expect"]),
                on_roll=entry.get("on_roll", {}),
                profile=entry.get("profile", {}),
                came={name: tuple(map(str, each)) for name, each in entry.get("came", {}).items()},
                left=entry.get("left", {}),
                died=entry.get("died", {}),
            )


CASES = tuple(read_cases())


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with duckdb.connect() as connection:
        yield Bench(connection, load_contracts(SETTINGS))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_duty_comes_out_as_its_case_says(case: Case, bench: Bench) -> None:
    duty = DUTIES[case.duty]
    fill(bench, case, duty)
    bench.set(DUTY_RESULT, [])
    for select in duty_selects([duty], bench.contracts):
        bench.connection.execute(f"insert into {DUTY_RESULT} by name {select}")
    order = "order by entity_id, period_start"
    made = bench.connection.execute(f"select * from {DUTY_RESULT} {order}").pl().to_dicts()
    bench.connection.execute(f"delete from {DUTY_RESULT}")
    assert len(made) == len(case.expect), made
    for row, expected in zip(made, case.expect, strict=True):
        assert {key: row[key] for key in expected} == dict(expected), row
        assert (row["duty_status"] == "no_data") == (row["wanted_datasets"] is not None)
        assert "duty_status" in expected


def test_every_duty_has_a_case_on_time_one_missing_and_one_without_data() -> None:
    told = {f"{case.duty} {expected['duty_status']}" for case in CASES for expected in case.expect}
    wanted = {f"{name} {status}" for name in DUTIES for status in ("on_time", "missing", "no_data")}
    assert not sorted(wanted - told)


def test_case_names_are_told_once_and_name_a_duty() -> None:
    names = [str(case) for case in CASES]
    assert sorted(set(names)) == sorted(names)
    assert {case.duty for case in CASES} == set(DUTIES)


def fill(bench: Bench, case: Case, duty: PlanDuty) -> None:
    """Write the tables that the duty reads."""
    tables: dict[str, list[Row]] = {name: [] for name in tables_read([duty])}
    tables |= area_tables(case, duty)
    tables["reference.period"] = list(period_rows())
    tables["meta.build"] = [{"as_of_month": case.as_of}]
    tables["indicators.household_profile"] = profile_rows(case)
    households = sorted({*case.on_roll, *case.left})
    county = lineage(case.place)[2]
    tables["linked.household"] = [
        {"household_id": each, "area_code": case.place, "county_code": county}
        for each in households
    ]
    tables["linked.household_member"] = [
        {"person_id": f"{each} head", "household_id": each, "year": year}
        for each, years in case.on_roll.items()
        for year in years
    ]
    tables["linked.status_interval"] = [
        {"entity_type": "household", "entity_id": each, **told, "county_code": county}
        for each, told in (
            *(
                (each, {"status_code": "exited", "start_month": month_of(month)})
                for each, month in case.left.items()
            ),
            *(
                (
                    each,
                    {
                        "status_code": "low_income",
                        "end_month": month_of(month),
                        "end_event_code": "death",
                    },
                )
                for each, month in case.died.items()
            ),
        )
    ]
    tables["linked.expected_delivery"] = [
        {
            "source": source,
            "county_code": county,
            "period_month": month_of(period),
            "period_start": month_of(period) if "-" in period else date(int(period), 1, 1),
            "is_complete": True,
        }
        for source, periods in case.came.items()
        for period in periods
    ]
    for dataset, rows in case.given.items():
        for name, made in dataset_tables(bench, case, dataset, rows).items():
            tables[name] = [*tables[name], *made]
    for name, rows_of_table in tables.items():
        bench.set(name, rows_of_table)


def area_tables(case: Case, duty: PlanDuty) -> Mapping[str, list[Row]]:
    """The areas above the place and of the plan, each where it is today."""
    codes = lineage(case.place)
    assert duty.plan.area_code in codes
    areas: list[Row] = []
    for place, code in enumerate(codes):
        above = dict(zip(AREA_LEVELS, codes[: place + 1], strict=False))
        levels = {f"{level}_code": above.get(level) for level in AREA_LEVELS[1:]}
        begun = {
            "existing_from": max(filter(None, map(BEGUN.get, codes[: place + 1])), default=None)
        }
        areas.append({"area_code": code, "area_level": AREA_LEVELS[place], **levels, **begun})
    return {
        "reference.area": areas,
        "reference.area_ancestor": [
            {
                "area_code": code,
                "ancestor_code": above,
                "ancestor_level": AREA_LEVELS[codes.index(above)],
                "distance": place - codes.index(above),
            }
            for place, code in enumerate(codes)
            for above in codes[: place + 1]
        ],
        "reference.plan_area": plan_area_rows([duty.plan]),
        "reference.area_today": [
            {
                **{name: code for name, code in area.items() if name.endswith("_code")},
                "today_code": area["area_code"],
            }
            for area in areas
        ],
    }


def profile_rows(case: Case) -> list[Row]:
    known: dict[str, object] = {
        "is_on_roll": True,
        "house_is_unsafe": False,
        "uninsured_count": 0,
        "out_of_school_count": 0,
        "income_concept": DUTIES[case.duty].plan.income_concept,
    }
    own: dict[str, Mapping[int, Row]] = case.profile  # type: ignore[assignment]  # of YAML
    return [
        {
            **known,
            "household_id": household,
            "year": year,
            "area_code": case.place,
            **own.get(household, {}).get(year, {}),
        }
        for household, years in case.on_roll.items()
        for year in years
    ]


def dataset_tables(
    bench: Bench, case: Case, dataset: str, rows: list[Row]
) -> Mapping[str, list[Row]]:
    """The rows of a dataset, each of a delivery of its own, and whose they are."""
    contract = bench.contracts[f"staged.{dataset}"]
    columns = {column.name for column in contract.columns}
    department, name = dataset.split("__")
    concept = DUTIES[case.duty].plan.income_concept
    records: list[Row] = []
    deliveries: list[Row] = []
    homes: list[Row] = []
    persons: list[Row] = []
    for place, row in enumerate(rows, start=1):
        unknown = set(row) - columns - set(OF_ROW)
        assert not unknown, f"{dataset} has no columns {sorted(unknown)}"
        given = row.get("month") or row.get("year")
        if given is None:
            given = f"{next(value for value in row.values() if isinstance(value, date)):%Y-%m}"
        month = month_of(given)
        received = {"delivery_id": f"{dataset} {place}", "row_number": place}
        own = {key: value for key, value in row.items() if key not in OF_ROW}
        if "month" in columns and row.get("month"):
            own["month"] = month
        records.append(
            {
                **received,
                "period_month": month,
                **({"area_code": lineage(case.place)[2]} if "area_code" in columns else {}),
                **({"income_concept": concept} if "income_concept" in columns else {}),
                **own,
            }
        )
        told = {"department": department, "dataset": name, "period": str(given)}
        last_day = month.replace(day=monthrange(month.year, month.month)[1])
        deliveries.append(
            {
                **told,
                "delivery_id": received["delivery_id"],
                "delivery_order": 2 * place,
                "delivered_at": row.get("delivered", last_day),
                "delivery_status": "superseded" if row.get("sent_again") else "effective",
            }
        )
        if row.get("sent_again"):
            # what counts is the file that was sent later
            again = f"{dataset} {place} again"
            records[-1] = {**records[-1], "delivery_id": again}
            received = {**received, "delivery_id": again}
            deliveries.append(
                {
                    **told,
                    "delivery_id": again,
                    "delivery_order": 2 * place + 1,
                    "delivered_at": row["sent_again"],
                    "delivery_status": "effective",
                }
            )
        if row.get("household"):
            identity = {"source": dataset, **received}
            of_household = {**identity, "household_notion": "roll"}
            homes.append({**of_household, "household_id": row["household"]})
            persons.append({**identity, "person_id": f"{row['household']} head"})
    return {
        contract.name: records,
        "meta.delivery": deliveries,
        "bridge.household": homes,
        "bridge.person": persons,
    }

"""What the demo reads from the project as data: areas, code lists and contracts.

Only files are read here. No code of the project is used, so that a figure the project computes
from the demo's files can be checked against what the demo drew.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import yaml
from numpy.typing import NDArray

FIRST_YEAR = 2017
YEAR_COUNT = 6
YEARS = tuple(range(FIRST_YEAR, FIRST_YEAR + YEAR_COUNT))
MONTH_COUNT = 12 * YEAR_COUNT

PROVINCE_CODE = "330000000000"
CITY_CODE = "330300000000"
COUNTY_CODES = ("330327000000", "330328000000", "330329000000")
COUNTY_SHARES = (0.45, 0.27, 0.28)
OWN_PLAN = "wenzhou_2018_2022"
VILLAGES_OF_A_TOWN = 2

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Column:
    """A column of a contract: its headers and what it asks of a cell."""

    name: str
    headers: tuple[str, ...]
    is_required: bool
    has_otherwise: bool
    is_not_future: bool
    minimum: float | None
    kind: str


@dataclass(frozen=True)
class Contract:
    """What a department has agreed to deliver."""

    department: str
    dataset: str
    period_type: str
    usual_lag_days: int
    mode: str
    columns: dict[str, Column]


@dataclass(frozen=True)
class Part:
    """A part of an item of a plan: who evaluates it, for which areas, and what it has to reach."""

    item_id: str
    part: str
    evaluation: str
    department: str
    area_levels: tuple[str, ...]
    unit: str
    comparator: str | None
    thresholds: dict[int, float]
    asked: tuple[str, ...]
    """Counties of the set of areas that it is asked of; none if of all."""

    def threshold(self, year: int) -> float:
        """What is asked for in the year, or in the last year for which anything is."""
        return self.thresholds.get(year, self.thresholds[max(self.thresholds)])


@dataclass(frozen=True)
class Plan:
    """What the demo knows of a plan."""

    policy_id: str
    area_code: str
    years: range
    income_concept: str
    parts: tuple[Part, ...]

    @property
    def years_later(self) -> int:
        """By how many years the plan's last year is later than the demo's."""
        return self.years[-1] - YEARS[-1]


@dataclass(frozen=True)
class Areas:
    """Villages of the demo's counties with the town and county of each.

    A place that is a town stands for the one county that it has.
    """

    village_codes: pl.Series
    town_codes: pl.Series
    town_names: tuple[str, ...]
    county_codes: pl.Series
    county_names: tuple[str, ...]
    town_of_village: Integers
    county_of_village: Integers
    villages_of_county: tuple[Integers, ...]
    county_shares: tuple[float, ...]
    assigned_regions: frozenset[str]


@dataclass(frozen=True)
class CodeTexts:
    """For each code list the usual text and one synonym of every code."""

    labels: dict[str, dict[str, str]]
    synonyms: dict[str, dict[str, str]]


@dataclass(frozen=True)
class Reference:
    """Everything that the demo reads before it draws; `plan` is that of the areas."""

    areas: Areas
    texts: CodeTexts
    contracts: dict[str, Contract]
    plan: Plan


def read_reference(
    project_root: Path,
    policy_id: str = OWN_PLAN,
    county_codes: tuple[str, ...] = COUNTY_CODES,
    county_shares: tuple[float, ...] = COUNTY_SHARES,
) -> Reference:
    """Read a plan, its areas, code lists and contracts below `project_root`."""
    policies = project_root / "policies"
    return Reference(
        areas=read_areas(policies / "shared" / "areas.csv", county_codes, county_shares),
        texts=read_code_texts(policies / "shared" / "codes.yaml"),
        contracts=read_contracts(project_root / "expectations" / "staged"),
        plan=read_plan(policies / policy_id / "plan.yaml"),
    )


def read_plan(path: Path) -> Plan:
    """Read the years of a plan and the parts of its items."""
    content = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    sets = content.get("area_sets", {})
    return Plan(
        policy_id=str(content["policy_id"]),
        area_code=str(content["area_code"]),
        years=range(content["start_year"], content["end_year"] + 1),
        income_concept=str(content["income_concept"]),
        parts=tuple(
            Part(
                item_id=str(item["item_id"]),
                part=str(part["part"]),
                evaluation=str(part.get("evaluation", item["evaluation"])),
                department=str(next(iter(item.get("departments", ())), "general")),
                area_levels=tuple(part["area_levels"]),
                unit=str(part.get("unit", "")),
                comparator=part.get("comparator"),
                thresholds={int(year): float(n) for year, n in part.get("thresholds", {}).items()},
                asked=tuple(sets[part["area_set"]]["areas"]) if "area_set" in part else (),
            )
            for item in content["items"]
            for part in item["parts"]
        ),
    )


def read_areas(
    path: Path, county_codes: tuple[str, ...], county_shares: tuple[float, ...]
) -> Areas:
    """Read the villages of the counties, or of the town; towns follow from their parents.

    Where no villages are listed each town has two invented ones.
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    parents = {row["area_code"]: row["parent_code"] for row in rows}
    names = {row["area_code"]: row["area_name"] for row in rows}
    listed = {row["area_code"] for row in rows if row["area_level"] == "town"}
    towns = {code for code in listed if {code, parents[code]} & set(county_codes)}
    town_of = {
        row["area_code"]: row["parent_code"]
        for row in rows
        if row["area_level"] == "village" and row["parent_code"] in towns
    }
    for town in towns - set(town_of.values()):
        town_of |= {f"{town[:9]}{201 + n}": town for n in range(VILLAGES_OF_A_TOWN)}
    if not town_of:
        raise ValueError(f"{path} has no towns of {', '.join(county_codes)}")
    villages, inhabited = sorted(town_of), sorted(set(town_of.values()))
    town_index = {code: index for index, code in enumerate(inhabited)}
    county_of_town = {
        town: county_codes.index(town if town in county_codes else parents[town])
        for town in inhabited
    }
    county_of_village = np.array(
        [county_of_town[town_of[village]] for village in villages], dtype=np.int64
    )
    return Areas(
        village_codes=pl.Series("village_code", villages),
        town_codes=pl.Series("town_code", inhabited),
        town_names=tuple(names[code] for code in inhabited),
        county_codes=pl.Series("county_code", county_codes),
        county_names=tuple(names[code] for code in county_codes),
        town_of_village=np.array(
            [town_index[town_of[village]] for village in villages], dtype=np.int64
        ),
        county_of_village=county_of_village,
        villages_of_county=tuple(
            np.flatnonzero(county_of_village == county) for county in range(len(county_codes))
        ),
        county_shares=county_shares,
        assigned_regions=frozenset(row["area_code"][:6] for row in rows),
    )


def read_code_texts(path: Path) -> CodeTexts:
    """Read label and first synonym of every code; a code without a synonym repeats its label."""
    lists = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    labels = {
        name: {str(code["code"]): str(code["label_zh"]) for code in codes}
        for name, codes in lists.items()
    }
    synonyms = {
        name: {
            str(code["code"]): str((code.get("synonyms") or [code["label_zh"]])[0])
            for code in codes
        }
        for name, codes in lists.items()
    }
    # The first synonym of spouse is a husband's word, which would be wrong for most spouses.
    synonyms["relation"]["10"] = labels["relation"]["10"]
    return CodeTexts(labels=labels, synonyms=synonyms)


def read_contracts(folder: Path) -> dict[str, Contract]:
    """Read every contract in `folder`, keyed by its dataset."""
    described = yaml.load(
        (folder.parent / "columns.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader
    )
    contracts = {}
    for path in sorted(folder.glob("*.yaml")):
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        delivery = content["delivery"]
        contract = Contract(
            department=str(delivery["department"]),
            dataset=str(delivery["dataset"]),
            period_type=str(delivery["period"]),
            usual_lag_days=int(delivery["usual_lag_days"]),
            mode=str(delivery.get("mode", "snapshot")),
            columns={
                name: Column(
                    name=name,
                    headers=tuple(str(header) for header in column["headers"]),
                    is_required=bool(column.get("required", False)),
                    has_otherwise="otherwise" in column,
                    is_not_future=bool(column.get("not_future", False)),
                    minimum=column.get("minimum"),
                    kind=str(described[name]["type"]),
                )
                for name, column in content["columns"].items()
            },
        )
        contracts[contract.dataset] = contract
    return contracts

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
class Areas:
    """Villages of the demo's counties with the town and county of each."""

    village_codes: pl.Series
    town_codes: pl.Series
    town_names: tuple[str, ...]
    county_codes: pl.Series
    county_names: tuple[str, ...]
    town_of_village: Integers
    county_of_village: Integers
    villages_of_county: tuple[Integers, ...]
    assigned_regions: frozenset[str]


@dataclass(frozen=True)
class CodeTexts:
    """For each code list the usual text and one synonym of every code."""

    labels: dict[str, dict[str, str]]
    synonyms: dict[str, dict[str, str]]


@dataclass(frozen=True)
class Reference:
    """Everything that the demo reads before it draws."""

    areas: Areas
    texts: CodeTexts
    contracts: dict[str, Contract]


def read_reference(project_root: Path) -> Reference:
    """Read areas, code lists and contracts below `project_root`."""
    shared = project_root / "policies" / "shared"
    return Reference(
        areas=read_areas(shared / "areas.csv"),
        texts=read_code_texts(shared / "codes.yaml"),
        contracts=read_contracts(project_root / "expectations" / "staged"),
    )


def read_areas(path: Path) -> Areas:
    """Read the villages of the three counties; towns and counties follow from their parents."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    parents = {row["area_code"]: row["parent_code"] for row in rows}
    names = {row["area_code"]: row["area_name"] for row in rows}
    villages = sorted(
        row["area_code"]
        for row in rows
        if row["area_level"] == "village" and parents[row["parent_code"]] in COUNTY_CODES
    )
    if not villages:
        raise ValueError(f"{path} has no villages of {', '.join(COUNTY_CODES)}")
    towns = sorted({parents[village] for village in villages})
    town_index = {code: index for index, code in enumerate(towns)}
    county_of_village = np.array(
        [COUNTY_CODES.index(parents[parents[village]]) for village in villages], dtype=np.int64
    )
    return Areas(
        village_codes=pl.Series("village_code", villages),
        town_codes=pl.Series("town_code", towns),
        town_names=tuple(names[code] for code in towns),
        county_codes=pl.Series("county_code", COUNTY_CODES),
        county_names=tuple(names[code] for code in COUNTY_CODES),
        town_of_village=np.array(
            [town_index[parents[village]] for village in villages], dtype=np.int64
        ),
        county_of_village=county_of_village,
        villages_of_county=tuple(
            np.flatnonzero(county_of_village == county) for county in range(len(COUNTY_CODES))
        ),
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
                )
                for name, column in content["columns"].items()
            },
        )
        contracts[contract.dataset] = contract
    return contracts

"""Places of other plans: a few households of each, in the years of its plan.

Their lives are drawn in the demo's years like all others. What is written of them is moved to the
years of the plan, the last on the last. Rolls, incomes, reports, attestations and what few
households have are delivered for all of them, everything else for the last two, and of lists that
come every month that of December. A place sends every dataset itself, under the code of its area,
and has no errors, so that its figures are those of the truth however dirty the run is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from minsheng.demo.identities import MAXIMUM_CHUNKS_WITH_TWINS, identity_numbers
from minsheng.demo.lives import Lives, draw_lives
from minsheng.demo.plan import (
    ENCODINGS,
    SENDING_DATASETS,
    PlannedFile,
    delivered_at,
    periods_of,
    plan_file,
    written_columns,
)
from minsheng.demo.plan import headers as headers_of
from minsheng.demo.reference import (
    Contract,
    Flags,
    Integers,
    Plan,
    Reference,
    read_reference,
)
from minsheng.demo.rows import DatasetRows
from minsheng.demo.text import moved_days

SENDERS = {
    "xinhua_2021_2025": ("532523205000", ("532523205000",)),
    "yantai_2016_2020": ("370600000000", ("370682000000", "370602000000")),
    "zhejiang_2013_2017": ("331126000000", ("331126000000",)),
    "jiangmen_2018": ("440700000000", ("440705000000", "440781000000")),
}
"""By plan the area that sends, and the counties, or the town, in which its households live."""
MOVED_KINDS = ("date", "month", "year", "text")
"""Types of the columns in which a year may stand."""
YEAR = re.compile(r"(?<![0-9_])(?:19|20)[0-9]{2}(?![0-9])(-02-29)?")
RARE = ("dropout_case", "relocation", "serious_illness", "temporary_relief")
EVERY_YEAR = ("household_roll", "household_income", "area_report", "task_attestation", *RARE)
LAST_YEARS = 2
ONLY_DECEMBER = ("cadre_visit",)
BENCHMARKS = "area_benchmark"
RURAL_INCOME_YUAN, INCOME_GROWTH, PRICE_INDEX = 9_000, 0.08, "102.0"
"""Rural income of a place in 2012, and by how much it grows."""


@dataclass(frozen=True)
class Place:
    """Where the households of another plan live, who sends, and what the demo knows of it."""

    sender: str
    chunk: int
    reference: Reference

    @property
    def plan(self) -> Plan:
        return self.reference.plan


def read_places(project_root: Path) -> Iterator[Place]:
    """The places of the other plans, each with a chunk that no run uses for its own area."""
    for number, (policy_id, (sender, counties)) in enumerate(SENDERS.items(), start=1):
        shares = (1 / len(counties),) * len(counties)
        reference = read_reference(project_root, policy_id, counties, shares)
        yield Place(sender, MAXIMUM_CHUNKS_WITH_TWINS - number, reference)


def draw_place(place: Place, households: int, seed: int) -> Lives:
    """Lives of a place in the demo's years; numbers say the birth date in the plan's."""
    lives = draw_lives(place.reference.areas, households, seed, place.chunk, states_areas=True)
    people = as_declared(lives, place).people
    numbers = identity_numbers(people.birth, people.sex, place.chunk)
    return replace(lives, people=replace(lives.people, id_number=numbers))


def as_declared(lives: Lives, place: Place) -> Lives:
    """Lives with the birth dates that are declared to departments in the plan's years."""
    birth = moved_days(lives.people.birth, place.plan.years_later)
    return replace(lives, people=replace(lives.people, birth=birth))


@dataclass(frozen=True)
class PlaceFiles:
    """Files of a place by dataset; `position` has for each file of the demo's years that of the
    place's in which its rows stand, or -1."""

    files: dict[str, tuple[PlannedFile, ...]]
    position: dict[str, Integers]


def plan_place(place: Place) -> PlaceFiles:
    """Files of the plan's years, one for all counties."""
    files, position = {}, {}
    for dataset in ENCODINGS:
        contract = place.reference.contracts[dataset]
        periods = periods_of(contract)
        moved = [f"{int(period[:4]) + place.plan.years_later}{period[4:]}" for period in periods]
        kept = [period for period in moved if is_delivered(place.plan, contract, period)]
        files[dataset] = tuple(place_file(contract, period, place.sender) for period in kept)
        counties = len(place.reference.areas.county_codes) if dataset in SENDING_DATASETS else 1
        found = [kept.index(period) if period in kept else -1 for period in moved]
        position[dataset] = np.repeat(np.array(found, dtype=np.int64), counties)
    files[BENCHMARKS] = tuple(
        benchmark_file(place.reference.contracts[BENCHMARKS], year, place.sender)
        for year in benchmark_years(place.plan)
    )
    return PlaceFiles(files, position)


def is_delivered(plan: Plan, contract: Contract, period: str) -> bool:
    """Whether a place sends a period."""
    years = plan.years if contract.dataset in EVERY_YEAR else plan.years[-LAST_YEARS:]
    is_list = contract.period_type == "month" and contract.mode == "snapshot"
    only_december = is_list or contract.dataset in ONLY_DECEMBER
    return int(period[:4]) in years and (period.endswith("-12") or not only_december)


def place_file(contract: Contract, period: str, sender: str) -> PlannedFile:
    """A file that is there if it has rows."""
    file = plan_file(contract, period, sender, as_sheet=False, has_dirt=False)
    # So few rows are nothing that a sender's other files can be compared with.
    return replace(file, has_sidecar=True, is_left_out_if_empty=True)


def moved_rows(rows: DatasetRows, place: Place, files: PlaceFiles) -> tuple[DatasetRows, Flags]:
    """Rows in the plan's years, and which of the rows those are."""
    file = files.position[rows.dataset][rows.file]
    is_kept: Flags = file >= 0
    kinds = {name: c.kind for name, c in place.reference.contracts[rows.dataset].columns.items()}
    frame = rows.frame.filter(pl.Series(is_kept))
    moved = [
        pl.Series(name, [moved_text(text, place.plan.years_later) for text in frame[name]]).cast(
            pl.String
        )
        for name in frame.columns
        if kinds[name] in MOVED_KINDS
    ]
    return DatasetRows(
        dataset=rows.dataset,
        frame=frame.with_columns(moved),
        file=file[is_kept],
        person=rows.person[is_kept],
        household=rows.household[is_kept],
    ), is_kept


def moved_text(text: str | None, years: int) -> str | None:
    """A text with each year in it moved; a 29 February is a 28th where the year has none."""

    def moved(found: re.Match[str]) -> str:
        year = int(found[0][:4]) + years
        is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        return f"{year}{'-02-28' if found[1] and not is_leap else found[1] or ''}"

    return None if text is None else YEAR.sub(moved, text)


def benchmark_years(plan: Plan) -> range:
    """The plan's years and the one before, against which its first growth is measured."""
    return range(plan.years[0] - 1, plan.years[-1] + 1)


def benchmark_file(contract: Contract, year: int, sender: str) -> PlannedFile:
    """The statistics office's sheet of a year."""
    period, folder = str(year), f"{contract.department}/{contract.dataset}/{sender}"
    return PlannedFile(
        department=contract.department,
        dataset=contract.dataset,
        period=period,
        sender=sender,
        path=f"{folder}/{period}.csv",
        encoding="utf-8",
        title_rows=0,
        header=headers_of(contract, period, sender),
        columns=written_columns(contract),
        delivered_at=delivered_at(contract, period, f"{folder}/{period}"),
        has_sidecar=False,
    )


def benchmark_rows(place: Place) -> DatasetRows:
    """Rural income and prices of the plan's area and the place's counties."""
    plan = place.plan
    codes = tuple(dict.fromkeys((plan.area_code, *place.reference.areas.county_codes)))
    years = benchmark_years(plan)
    incomes = [round(RURAL_INCOME_YUAN * (1 + INCOME_GROWTH) ** (year - 2012)) for year in years]
    count = len(years) * len(codes)
    nobody = np.full(count, -1, dtype=np.int64)
    concept = place.reference.texts.labels["income_concept"][plan.income_concept]
    columns = {
        "area_code": list(codes) * len(years),
        "year": [str(year) for year in years for _ in codes],
        "income_concept": [concept] * count,
        "rural_income_yuan": [str(income) for income in incomes for _ in codes],
        "rural_price_index": [PRICE_INDEX] * count,
    }
    file = np.repeat(np.arange(len(years)), len(codes))
    return DatasetRows(BENCHMARKS, pl.DataFrame(columns), file, nobody, nobody)

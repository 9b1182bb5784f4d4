"""Draws lives, writes the departments' files from them, and states the truth beside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import yaml

from minsheng.demo.benchmark import write_benchmarks
from minsheng.demo.departments import MISTAKE_NAMES, Departments, with_oddities
from minsheng.demo.errors import ERROR_KINDS, KIND_NAMES, spoil
from minsheng.demo.events import SHOCK_KINDS
from minsheng.demo.files import Delivered, Inbox, add_special_deliveries, finish_files
from minsheng.demo.identities import UNASSIGNED_REGIONS
from minsheng.demo.lives import Lives, draw_chunks
from minsheng.demo.oddities import Rates
from minsheng.demo.people import HOUSEHOLDS_OF_A_CHUNK
from minsheng.demo.places import (
    BENCHMARKS,
    Place,
    as_declared,
    benchmark_rows,
    draw_place,
    moved_rows,
    plan_place,
    read_places,
)
from minsheng.demo.plan import PlannedFile, plan_files
from minsheng.demo.reference import YEARS, Flags, Integers, Reference, read_reference
from minsheng.demo.rows import DatasetRows, Writer
from minsheng.demo.rural_rows import RuralWriter
from minsheng.demo.social_lives import draw_facts
from minsheng.demo.social_rows import SocialWriter
from minsheng.demo.truth import Truth


@dataclass(frozen=True)
class DemoSummary:
    """What a run of the demo has written.

    `rows_by_dataset` counts data rows of effective files; `errors_by_kind` the rows with each
    error among them, `mistakes_by_kind` those in which number, name, sex or birth are not the
    person's; `files` counts every data file, sidecars left out.
    """

    households: int
    members: int
    neighbours: int
    files: int
    rows: int
    rows_by_dataset: dict[str, int]
    errors_by_kind: dict[str, int]
    mistakes_by_kind: dict[str, dict[str, int]]
    shocks_by_kind: dict[str, int]
    falls: int


def generate(
    inbox: Path,
    truth: Path,
    *,
    project_root: Path,
    households: int = 20_000,
    seed: int = 2022,
    dirty_rate: float = 0.02,
    broken_ids: float = 0.0,
    odd_names: float = 0.0,
    plan_households: int = 0,
    datasets: Collection[str] | None = None,
    progress: Callable[[str], None] | None = None,
) -> DemoSummary:
    """Write a demo inbox and its truth.

    Identity numbers have the real shape and a correct check digit, but their regions, 330390 to
    330399, were never assigned, so they are nobody's.  The same arguments give the same bytes.
    Neither folder may hold files already. `datasets` (`department__dataset`) leaves out the files
    of all others; what is in the rest is the same without them.
    `broken_ids` and `odd_names` are shares of the persons in each department's register, see
    registers.py; with either above 0 there are twins as well, and so other lives.
    `plan_households` live in each place of the other plans, see places.py; their truth stands in a
    folder of the plan's name.
    """
    if households < 1:
        raise ValueError(f"households must be at least 1, not {households}")
    if not 0.0 <= dirty_rate <= 0.5:
        raise ValueError(f"dirty_rate must lie between 0 and 0.5, not {dirty_rate}")
    rates = Rates(broken_ids, odd_names)
    for folder in (inbox, truth):
        if folder.exists() and any(path.is_file() for path in folder.rglob("*")):
            raise FileExistsError(f"{folder} already holds files; name an empty folder")
    reference = read_reference(project_root)
    used = set(UNASSIGNED_REGIONS) & reference.areas.assigned_regions
    if used:
        raise ValueError(f"these regions are assigned: {', '.join(sorted(used))}")
    has_dirt = dirty_rate > 0
    files = Inbox(
        inbox, wanted_files(plan_files(reference, households, has_dirt), reference, datasets)
    )
    counts: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    mistakes: Counter[tuple[str, str]] = Counter()
    shocks: Counter[str] = Counter()
    with Truth(truth) as facts:
        for lives in draw_chunks(reference.areas, households, seed, rates.any):
            lives, identities = with_oddities(lives, rates, seed)
            departments = Departments(
                lives, identities, reference.texts, rates, seed, has_errors=has_dirt or rates.any
            )
            facts.write_lives(lives, reference.areas)
            facts.write_identities(lives, identities)
            for found in write_chunk(lives, departments, reference, files, facts, dirty_rate):
                errors += found[0]
                mistakes += found[1]
            facts.write_kept_errors(lives, departments.registers)
            member_count = len(lives.members.household)
            counts["households"] += len(lives.village)
            counts["members"] += member_count
            counts["neighbours"] += len(lives.people.key) - member_count
            counts["falls"] += int(lives.economy.falls.sum())
            by_kind = np.bincount(lives.events.kind, minlength=len(SHOCK_KINDS))
            shocks.update(dict(zip(SHOCK_KINDS, by_kind.tolist(), strict=True)))
            if progress is not None:
                progress(f"{counts['households']} of {households} households written")
        facts.write_items(reference)
        benchmark = write_benchmarks(inbox, reference)
        facts.write_benchmark_records(benchmark)
        delivered = files.close() + benchmark
        special = add_special_deliveries(inbox, delivered) if has_dirt else []
        facts.write_deliveries(delivered + special)
    for place in read_places(project_root) if plan_households else ():
        delivered += write_place(inbox, truth, place, plan_households, seed, datasets)
    finish_files(inbox, delivered + special)
    rows_by_dataset: Counter[str] = Counter()
    for item in delivered:
        rows_by_dataset[item.file.dataset] += item.rows
    summary = DemoSummary(
        households=counts["households"],
        members=counts["members"],
        neighbours=counts["neighbours"],
        files=len(delivered) + len(special),
        rows=rows_by_dataset.total(),
        rows_by_dataset=dict(rows_by_dataset),
        errors_by_kind={kind: errors[kind] for kind in KIND_NAMES},
        mistakes_by_kind={
            column: {name: mistakes[column, name] for name in names}
            for column, names in MISTAKE_NAMES.items()
        },
        shocks_by_kind={kind: shocks[kind] for kind in SHOCK_KINDS},
        falls=counts["falls"],
    )
    write_summary(truth / "summary.yaml", summary, seed, dirty_rate, rates, special)
    return summary


def write_chunk(
    lives: Lives,
    departments: Departments,
    reference: Reference,
    files: Inbox,
    facts: Truth,
    dirty_rate: float,
    moved: Callable[[DatasetRows], tuple[DatasetRows, Flags]] | None = None,
) -> Iterator[tuple[Counter[str], Counter[tuple[str, str]]]]:
    """Write every dataset of a chunk; yields its errors and mistakes. `moved` places the rows."""
    seed = departments.seed
    social = draw_facts(lives, seed)
    facts.write_facts(lives, social)
    writers = (
        (2, Writer(lives, reference, seed)),
        (12, SocialWriter(lives, social, reference, seed)),
    )
    for stream, writer in writers:
        # Errors have their own random numbers: another rate changes no life and no wording.
        rng = np.random.default_rng([seed, lives.chunk, stream])
        for rows in writer.datasets():
            if rows.dataset in files.plans:
                placed = moved(rows)[0] if moved else rows
                yield write_rows(departments, placed, reference, files, facts, dirty_rate, rng)
    rng = np.random.default_rng([seed, lives.chunk, 35])
    for rural in RuralWriter(lives, reference, seed).rural_datasets():
        if rural.rows.dataset in files.plans:
            told = rural
            if moved:
                rows, is_kept = moved(rural.rows)
                told = rural.of(rows, is_kept)
            facts.write_statements(lives, told, files.plans[told.rows.dataset])
            yield write_rows(departments, told.rows, reference, files, facts, dirty_rate, rng)


def write_place(
    inbox: Path,
    truth: Path,
    place: Place,
    households: int,
    seed: int,
    datasets: Collection[str] | None,
) -> list[Delivered]:
    """Write the files and the truth of a place of another plan; returns the files."""
    planned = plan_place(place)
    reference = place.reference
    files = Inbox(inbox, wanted_files(planned.files, reference, datasets))
    with Truth(truth / place.plan.policy_id, place.plan.years_later) as facts:
        lives = draw_place(place, households, seed)
        declared, identities = with_oddities(as_declared(lives, place), Rates(), seed)
        departments = Departments(
            declared, identities, reference.texts, Rates(), seed, has_errors=False
        )
        facts.write_lives(lives, reference.areas)
        facts.write_items(reference)

        def moved(rows: DatasetRows) -> tuple[DatasetRows, Flags]:
            return moved_rows(rows, place, planned)

        for _ in write_chunk(lives, departments, reference, files, facts, 0.0, moved):
            pass
        if BENCHMARKS in files.plans:
            rng = np.random.default_rng([seed, lives.chunk, 36])
            write_rows(departments, benchmark_rows(place), reference, files, facts, 0.0, rng)
        delivered = files.close()
        facts.write_deliveries(delivered)
    return delivered


def wanted_files(
    files: dict[str, tuple[PlannedFile, ...]],
    reference: Reference,
    datasets: Collection[str] | None,
) -> dict[str, tuple[PlannedFile, ...]]:
    """Those of the datasets (`department__dataset`) that are wanted, all without a list."""
    return {
        dataset: planned
        for dataset, planned in files.items()
        if datasets is None or f"{reference.contracts[dataset].department}__{dataset}" in datasets
    }


def write_rows(
    departments: Departments,
    rows: DatasetRows,
    reference: Reference,
    files: Inbox,
    facts: Truth,
    dirty_rate: float,
    rng: np.random.Generator,
) -> tuple[Counter[str], Counter[tuple[str, str]]]:
    """Write one dataset's rows with their errors and records.

    Returns the errors by kind and the mistakes by column and kind.
    """
    plans = files.plans[rows.dataset]
    written, mistakes = departments.write(rows, plans)
    spoiled = spoil(written, reference.contracts[rows.dataset], dirty_rate, rng)
    row_numbers = files.append(spoiled.rows)
    mistakes = mistakes.of(spoiled.origin)
    facts.write_records(departments.lives, spoiled, mistakes, plans, row_numbers)
    return counted(KIND_NAMES, spoiled.error), Counter(
        {
            (column, name): count
            for column, error in mistakes.by_column.items()
            for name, count in counted(MISTAKE_NAMES[column], error).items()
        }
    )


def counted(names: tuple[str, ...], index: Integers) -> Counter[str]:
    """How often each name is pointed at; -1 points at none."""
    by_name = np.bincount(index + 1, minlength=len(names) + 1)[1:]
    return Counter(dict(zip(names, by_name.tolist(), strict=True)))


def write_summary(
    path: Path,
    summary: DemoSummary,
    seed: int,
    dirty_rate: float,
    rates: Rates,
    special: list[Delivered],
) -> None:
    """Write parameters, counts, error shares and the special deliveries."""
    total = max(sum(summary.errors_by_kind.values()), 1)
    content = {
        "parameters": {
            "households": summary.households,
            "seed": seed,
            "dirty_rate": dirty_rate,
            **asdict(rates),
            "years": list(YEARS),
            "households_of_a_chunk": HOUSEHOLDS_OF_A_CHUNK,
            "regions_of_identity_numbers": list(UNASSIGNED_REGIONS),
        },
        "counts": asdict(summary),
        "errors": {
            kind.name: {
                "rows": summary.errors_by_kind[kind.name],
                "share_of_errors": round(summary.errors_by_kind[kind.name] / total, 4),
                "is_refused": kind.is_refused,
            }
            for kind in ERROR_KINDS
        },
        "special_deliveries": [
            {
                "file": item.file.path,
                "status": item.file.status,
                "effective_file": effective_file(item.file.path, item.file.status),
                "rows": item.rows,
            }
            for item in special
        ],
    }
    text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False)
    path.write_text(text, encoding="utf-8")


def effective_file(path: str, status: str) -> str:
    """The file that counts instead of a repeated or superseded one."""
    if status == "repeated":
        return path.replace("_重报", "")
    return path.replace(".csv", "_更正.csv")

"""What a department's register holds of a person: number and name.

A department has one register, and an error in it is of the person and the department: every file
that the department sends has it, until it is corrected.  At any moment the share of persons whose
number is broken is `broken_ids` in every department, and `odd_names` the share whose name is odd,
ten times that of names with a rare character or a dot.  A fifth of the broken numbers and a tenth
of the odd names are corrected within a year, and as many others go wrong, since cards are typed
again and systems replaced.  The year of a person in a register begins in any month, so corrections
show in every delivery.

Beside these an error slips into single rows, a tenth of the rates of the rows, and is gone in
the next: see `is_slip` in wrong_numbers.py and wrong_names.py for which kinds do.

A number that really changed reaches a department after eight months on average, and some never.
Who has two numbers is known by the second in a third of the departments.  The police issues the
numbers: its register has neither.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from minsheng.demo import wrong_names, wrong_numbers
from minsheng.demo.oddities import (
    NEVER,
    ONLY,
    REREGISTERED,
    SECOND,
    SHARED,
    Identities,
    Rates,
)
from minsheng.demo.reference import Flags, Floats, Integers
from minsheng.demo.wrong_names import NAME_ERROR_NAMES, Bearers
from minsheng.demo.wrong_numbers import (
    FORMER_NUMBER,
    NUMBER_ERROR_NAMES,
    SECOND_NUMBER,
    SHARED_NUMBER,
    Holders,
)

NO_ERROR = -1
NUMBERS_CORRECTED_A_YEAR, NAMES_CORRECTED_A_YEAR = 0.2, 0.1
SLIP_SHARE = 0.1
MEAN_DELAY = 8
NEVER_LEARNS = 0.15
KNOWN_BY_SECOND = 1 / 3
ISSUES_NUMBERS = "public_security"
YEARS_OF_A_RUN = 7
"""One more than the calendar years, since a person's year begins in any month."""

NUMBERS_OF_OTHERS = [
    NUMBER_ERROR_NAMES.index(name) for name in ("number_of_relative", "number_of_stranger")
]
NAMES_OF_OTHERS = [
    NAME_ERROR_NAMES.index(name) for name in ("name_of_relative", "name_of_stranger")
]


@dataclass(frozen=True)
class KeptErrors:
    """Errors of one column in one register; `of` says which holds for a person in a year.

    `first_year` and `last_year` count a person's years in the register. Parallel arrays but `of`,
    which has a row a person and a column a year and holds positions, NO_ERROR where all is right.
    """

    person: Integers
    kind: Integers
    written: pl.Series
    first_year: Integers
    last_year: Integers
    of: Integers


@dataclass(frozen=True)
class Register:
    """One department's register of a chunk; `phase` is the month in which a person's year ends.

    A register of one year is the same in every month.

    From the month `switch` on the department writes a person's other number.
    """

    phase: Integers
    switch: Integers
    numbers: KeptErrors
    names: KeptErrors


@dataclass(frozen=True)
class Written:
    """Numbers and names of rows as written; errors are positions of names, or NO_ERROR."""

    number: pl.Series
    name: pl.Series
    number_error: Integers
    name_error: Integers
    is_number_slip: Flags
    is_name_slip: Flags


def draw_register(
    identities: Identities,
    department: str,
    rates: Rates,
    rng: np.random.Generator,
    years: int = YEARS_OF_A_RUN,
) -> Register:
    """Draw what a department's register has wrong."""
    people = identities.population
    count = len(people.birth)
    issues = department == ISSUES_NUMBERS
    broken = np.full(count, 0.0 if issues else rates.broken_ids)
    odd = np.full(count, 0.0 if issues else rates.odd_names)
    odd[wrong_names.is_fragile(people.name)] *= wrong_names.FRAGILE_FACTOR
    odd = np.minimum(odd, 0.9)
    return Register(
        phase=rng.integers(0, 12, count),
        switch=draw_switches(identities, issues, rng),
        numbers=draw_wrong_numbers(identities, department, broken, years, rng),
        names=draw_wrong_names(identities, odd, years, rng),
    )


def draw_switches(identities: Identities, issues: bool, rng: np.random.Generator) -> Integers:
    """The month in which a department begins to write a person's other number."""
    count = len(identities.kind)
    delay = rng.geometric(1 / MEAN_DELAY, count)
    delay = np.where(rng.random(count) < NEVER_LEARNS, NEVER, delay)
    knows_second = rng.random(count) < KNOWN_BY_SECOND
    if issues:
        delay, knows_second = np.zeros_like(delay), np.zeros_like(knows_second)
    is_second = identities.kind == SECOND
    return np.where(is_second, np.where(knows_second, -NEVER, NEVER), identities.changed + delay)


def draw_episodes(
    rate: Floats, corrected: float, years: int, rng: np.random.Generator
) -> tuple[Integers, Integers, Integers, Integers]:
    """Which persons have an error from which year to which; the share stays what it is."""
    count = len(rate)
    draw = rng.random((count, years))
    is_wrong = np.zeros((count, years), dtype=np.bool_)
    is_wrong[:, 0] = draw[:, 0] < rate
    goes_wrong = rate * corrected / (1 - rate)
    for year in range(1, years):
        before = is_wrong[:, year - 1]
        is_wrong[:, year] = np.where(before, draw[:, year] >= corrected, draw[:, year] < goes_wrong)
    begins = is_wrong.copy()
    begins[:, 1:] &= ~is_wrong[:, :-1]
    ends = is_wrong.copy()
    ends[:, :-1] &= ~is_wrong[:, 1:]
    person, first = np.nonzero(begins)
    last = np.nonzero(ends)[1]
    latest = np.cumsum(begins.ravel()).reshape(is_wrong.shape) - 1
    return person, first, last, np.where(is_wrong, latest, NO_ERROR).astype(np.int32)


def draw_wrong_numbers(
    identities: Identities,
    department: str,
    rate: Floats,
    years: int,
    rng: np.random.Generator,
) -> KeptErrors:
    """The broken numbers of a register."""
    person, first, last, of = draw_episodes(rate, NUMBERS_CORRECTED_A_YEAR, years, rng)
    holders = holders_of(identities, person, rng)
    kind = wrong_numbers.chosen_by(wrong_numbers.weights_of(holders, department), rng)
    written = wrong_numbers.write_numbers(kind, holders, rng)
    return KeptErrors(person, kind, written, first, last, of)


def draw_wrong_names(
    identities: Identities, rate: Floats, years: int, rng: np.random.Generator
) -> KeptErrors:
    """The odd names of a register."""
    person, first, last, of = draw_episodes(rate, NAMES_CORRECTED_A_YEAR, years, rng)
    bearers = bearers_of(identities, person, rng)
    kind = wrong_numbers.chosen_by(wrong_names.weights_of(bearers), rng)
    written = wrong_names.write_names(kind, bearers, rng)
    return KeptErrors(person, kind, written, first, last, of)


def holders_of(identities: Identities, person: Integers, rng: np.random.Generator) -> Holders:
    """What wrong numbers of persons are made from."""
    people = identities.population
    relative = identities.relatives(person, rng.random(len(person)))
    return Holders(
        number=people.number.gather(person),
        birth=people.birth[person],
        relative=gathered(people.number, relative),
        stranger=gathered(people.number, identities.strangers(person)),
        spare=identities.spare.gather(person),
        disability_type=people.disability_type[person],
        grade=people.grade[person],
    )


def bearers_of(identities: Identities, person: Integers, rng: np.random.Generator) -> Bearers:
    """What odd names of persons are made from."""
    people = identities.population
    relative = identities.relatives(person, rng.random(len(person)))
    return Bearers(
        name=people.name.gather(person),
        relative=gathered(people.name, relative),
        stranger=gathered(people.name, identities.strangers(person)),
        former=identities.former_name.gather(person),
    )


def gathered(values: pl.Series, index: Integers) -> pl.Series:
    """Values at positions; null where the position is -1."""
    return pl.select(
        pl.when(pl.Series(index >= 0)).then(values.gather(np.maximum(index, 0)))
    ).to_series()


def write_identities(
    identities: Identities,
    register: Register,
    rates: Rates,
    department: str,
    person: Integers,
    month: Integers,
    rng: np.random.Generator,
) -> Written:
    """Number and name of persons in months as a register has them, and slips of single rows."""
    people = identities.population
    number, name = people.number.gather(person), people.name.gather(person)
    number_error = np.full(len(person), NO_ERROR, dtype=np.int64)
    name_error = number_error.copy()

    rows = np.flatnonzero(identities.kind[person] != ONLY)
    who, when = person[rows], month[rows]
    has_other = identities.other_number.is_not_null().to_numpy()[who]
    is_switched = (when >= register.switch[who]) & has_other
    number = number.scatter(rows[is_switched], identities.other_number.gather(who[is_switched]))
    kind = identities.kind[who]
    number_error[rows] = np.select(
        [
            (kind == REREGISTERED) & ~is_switched & (when >= identities.changed[who]),
            (kind == SECOND) & is_switched,
            (kind == SHARED) & ~is_switched,
        ],
        [FORMER_NUMBER, SECOND_NUMBER, SHARED_NUMBER],
        default=NO_ERROR,
    )

    last_year = register.numbers.of.shape[1] - 1
    year = np.minimum((month + register.phase[person]) // 12, last_year)
    number, number_error = with_kept(number, number_error, register.numbers, person, year)
    # Another's name beside another's number would be the other.
    kept = register.names.of[person, year]
    kinds = np.r_[register.names.kind, NO_ERROR]
    is_other = np.isin(number_error, NUMBERS_OF_OTHERS) & np.isin(kinds[kept], NAMES_OF_OTHERS)
    name, name_error = with_kept(name, name_error, register.names, person, year, ~is_other)

    slips = rng.random((len(person), 2))
    if department == ISSUES_NUMBERS:
        slips[:] = 1.0
    is_number_slip = (slips[:, 0] < rates.broken_ids * SLIP_SHARE) & (number_error == NO_ERROR)
    is_name_slip = (slips[:, 1] < rates.odd_names * SLIP_SHARE) & (name_error == NO_ERROR)
    rows = np.flatnonzero(is_number_slip)
    holders = holders_of(identities, person[rows], rng)
    holders = Holders(
        number.gather(rows), holders.birth, holders.relative, holders.stranger, holders.spare,
        holders.disability_type, holders.grade,
    )  # fmt: skip
    number_error[rows] = wrong_numbers.chosen_by(wrong_numbers.slip_weights_of(holders), rng)
    number = number.scatter(rows, wrong_numbers.write_numbers(number_error[rows], holders, rng))
    rows = np.flatnonzero(is_name_slip)
    bearers = bearers_of(identities, person[rows], rng)
    name_error[rows] = wrong_numbers.chosen_by(wrong_names.slip_weights_of(bearers), rng)
    name = name.scatter(rows, wrong_names.write_names(name_error[rows], bearers, rng))
    return Written(number, name, number_error, name_error, is_number_slip, is_name_slip)


def with_kept(
    values: pl.Series,
    error: Integers,
    kept: KeptErrors,
    person: Integers,
    year: Integers,
    may: Flags | None = None,
) -> tuple[pl.Series, Integers]:
    """Values with a register's errors, and the errors."""
    at = kept.of[person, year]
    is_wrong = at != NO_ERROR
    if may is not None:
        is_wrong &= may
    rows = np.flatnonzero(is_wrong)
    if not len(rows):
        return values, error
    changed = error.copy()
    changed[rows] = kept.kind[at[rows]]
    return values.scatter(rows, kept.written.gather(at[rows])), changed

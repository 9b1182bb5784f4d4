"""What is unusual about who somebody is, before any department writes it down.

Everything here is true of a person and stands in the truth's table `identity`:

    re-registered    the number really changed in some month: moved between registers, a wrong
                     birth date put right.  0.10 of the rate of broken numbers
    second number    registered twice and issued two numbers, both in use.  0.05 of that rate
    shared number    the number of another person of the same sex and birth date, issued again by
                     mistake; half of them get one of their own in some month.  0.05 of that rate
    twins            same birth date and family, names that share a character, numbers next to each
                     other; drawn with the lives, three in a hundred pairs of siblings
    former name      one person in twelve had a childhood name or one from before marriage
    namesakes        persons of one village with the same name.  0.2 of the rate of odd names
    surnames         a family in twenty has a surname of two written forms

Shares without a source are judgements.  What is nobody's number is never drawn twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from minsheng.demo.identities import GIVEN_CHARACTERS, rank_of_birth
from minsheng.demo.reference import Flags, Floats, Integers
from minsheng.demo.text import days_of
from minsheng.demo.wrong_names import DOT, MORE_SURNAMES

NEVER = 10**6
KINDS = ("only", "reregistered", "second_number", "shared_number")
ONLY, REREGISTERED, SECOND, SHARED = range(len(KINDS))
REREGISTERED_SHARE, SECOND_SHARE, SHARED_SHARE = 0.10, 0.05, 0.05
NEW_BIRTH_SHARE = 0.4
STAYS_SHARED = 0.5
FIRST_CHANGE, LAST_CHANGE = 1, 70
"""Months from January 2017 in which a number changes."""

FORMER_NAME_SHARE = 0.08
FIRST_DAY_OF_A_RUN = days_of("2017-01-01")
LAST_FORMER_DAY = days_of("2016-12-31")
NAMESAKE_SHARE = 0.2
FAMILIES_WITH_MORE_SURNAMES = 0.05
# Of boys and girls in the villages of the time.
CHILDHOOD_NAMES = (
    ("阿宝", "大毛", "二毛", "小毛", "水生", "火根", "土根"),
    ("招弟", "来弟", "阿妹", "小妹", "大妹", "银囡", "阿花"),
)
LAST_CHILDHOOD_NAME = days_of("1990-01-01")
BORN_WITHOUT_GIVEN_NAME = days_of("1945-01-01")


@dataclass(frozen=True)
class Rates:
    """Shares of persons and departments with a broken number and with an odd name."""

    broken_ids: float = 0.0
    odd_names: float = 0.0

    def __post_init__(self) -> None:
        for name in ("broken_ids", "odd_names"):
            if not 0.0 <= getattr(self, name) <= 0.5:
                raise ValueError(f"{name} must lie between 0 and 0.5, not {getattr(self, name)}")

    @property
    def any(self) -> bool:
        """Whether anything is unusual."""
        return self.broken_ids > 0 or self.odd_names > 0


@dataclass(frozen=True)
class Population:
    """Persons as parallel arrays; those of a family stand together.

    `twin_of` is the position of the twin born before, -1 for none. The `grade` of a certificate
    is 0 for who has none.
    """

    number: pl.Series
    name: pl.Series
    sex: Integers
    birth: Integers
    family: Integers
    village: Integers
    twin_of: Integers
    disability_type: Integers
    grade: Integers


@dataclass(frozen=True)
class Identities:
    """A population with its second identities.

    `kind` says what `other_number` is; it replaces the first in the month `changed`, NEVER where
    both are in use or nothing changed. `spare` is a number of nobody, null where it is used or
    there is none. `former_name` is null for who had none.
    """

    population: Population
    kind: Integers
    other_number: pl.Series
    changed: Integers
    spare: pl.Series
    former_name: pl.Series
    former_until: Integers
    family_start: Integers
    family_size: Integers

    @staticmethod
    def plain(population: Population) -> Identities:
        """A population in which everybody has one number and one name."""
        count = len(population.birth)
        nothing = pl.Series([None], dtype=pl.String).gather(np.zeros(count, dtype=np.int64))
        never = np.full(count, NEVER)
        start, size = families(population.family)
        only = np.full(count, ONLY)
        return Identities(population, only, nothing, never, nothing, nothing, never, start, size)

    def relatives(self, person: Integers, draw: Floats) -> Integers:
        """Another member of each person's family who is born early, -1 where there is none."""
        start, size = self.family_start[person], self.family_size[person]
        step = 1 + np.floor(draw * (size - 1)).astype(np.int64)
        other = start + (person - start + step) % size
        return np.where((size > 1) & self.is_born(other), other, -1)

    def strangers(self, person: Integers) -> Integers:
        """The last of the family before each person's, -1 where nobody is who is born early."""
        other = self.family_start[person] - 1
        return np.where((other >= 0) & self.is_born(np.maximum(other, 0)), other, -1)

    def is_born(self, person: Integers) -> Flags:
        """Whether persons are born before the run; who is not yet is nobody's mistake."""
        return self.population.birth[person] < FIRST_DAY_OF_A_RUN


def draw_identities(
    population: Population,
    rates: Rates,
    spare_numbers: Callable[[Integers], pl.Series],
    rng: np.random.Generator,
) -> Identities:
    """Draw what is unusual; `spare_numbers` gives numbers of nobody for other birth dates."""
    names = draw_names(population, rates, rng)
    kind, first_holder = draw_kinds(population, rates, rng)
    count = len(kind)
    change = rng.integers(FIRST_CHANGE, LAST_CHANGE + 1, count)
    stays = (kind == SECOND) | (kind == ONLY)
    stays |= (kind == SHARED) & (rng.random(count) < STAYS_SHARED)
    has_new_birth = (kind == REREGISTERED) & (rng.random(count) < NEW_BIRTH_SHARE)
    # Never later than the birth known so far, which could be yesterday's.
    other_birth = population.birth - np.where(has_new_birth, rng.integers(1, 400, count), 0)
    spare = spare_numbers(other_birth)
    own = population.number
    # A copy, since scatter changes the series itself and the own numbers are still needed.
    is_given = np.flatnonzero(kind == SHARED)
    number = own.clone().scatter(is_given, own.gather(first_holder[is_given]))
    lacks = spare.is_null().to_numpy() & ((kind == REREGISTERED) | (kind == SECOND))
    kind = np.where(lacks, ONLY, kind)
    is_new = pl.Series((kind == REREGISTERED) | (kind == SECOND))
    is_shared = pl.Series((kind == SHARED) & ~stays)
    other = pl.select(pl.when(is_new).then(spare).when(is_shared).then(own)).to_series()
    former, until = draw_former_names(names, population, rates, rng)
    family_start, family_size = families(population.family)
    return Identities(
        population=Population(
            number, names, population.sex, population.birth, population.family,
            population.village, population.twin_of, population.disability_type, population.grade,
        ),
        kind=kind,
        other_number=other,
        changed=np.where(stays | (kind == ONLY), NEVER, change),
        spare=pl.select(pl.when(~is_new).then(spare)).to_series(),
        former_name=former,
        former_until=until,
        family_start=family_start,
        family_size=family_size,
    )  # fmt: skip


def families(family: Integers) -> tuple[Integers, Integers]:
    """Position of the first of each person's family, and how many they are."""
    starts = np.flatnonzero(np.r_[True, family[1:] != family[:-1]])
    sizes = np.diff(np.r_[starts, len(family)])
    return np.repeat(starts, sizes), np.repeat(sizes, sizes)


def draw_kinds(
    population: Population, rates: Rates, rng: np.random.Generator
) -> tuple[Integers, Integers]:
    """What each person's other number is, and who held a shared number first."""
    count = len(population.birth)
    draw = rng.random(count) / max(rates.broken_ids, 1e-12)
    kind = np.select(
        [draw < REREGISTERED_SHARE, draw < REREGISTERED_SHARE + SECOND_SHARE],
        [REREGISTERED, SECOND],
        default=ONLY,
    )
    # The second of two of the same sex and birth date, who are not twins, gets the first's number.
    rank = rank_of_birth(population.birth, population.sex)
    key = population.birth * 2 + population.sex % 2
    order = np.lexsort((rank, key))
    is_pair = (rank[order][1:] == 1) & (key[order][1:] == key[order][:-1])
    first, second = order[:-1][is_pair], order[1:][is_pair]
    is_plain = (kind[first] == ONLY) & (kind[second] == ONLY)
    is_plain &= population.family[first] != population.family[second]
    first, second = first[is_plain], second[is_plain]
    wanted = rates.broken_ids * SHARED_SHARE * count
    chosen = rng.random(len(second)) < wanted / max(len(second), 1)
    first_holder = np.full(count, -1, dtype=np.int64)
    first_holder[second[chosen]] = first[chosen]
    kind[second[chosen]] = SHARED
    return kind, first_holder


def draw_names(population: Population, rates: Rates, rng: np.random.Generator) -> pl.Series:
    """Names with surnames of two forms, of twins, and of namesakes."""
    names = population.name.to_list()
    if rates.odd_names > 0:
        give_more_surnames(names, population.family, rng)
    for second in np.flatnonzero(population.twin_of >= 0).tolist():
        first = names[int(population.twin_of[second])]
        if DOT not in first:
            last = names[second][-1]
            other = GIVEN_CHARACTERS[second % len(GIVEN_CHARACTERS)]
            names[second] = first[:2] + (other if last == first[-1] else last)
    if rates.odd_names > 0:
        give_namesakes(names, population, rates.odd_names * NAMESAKE_SHARE, rng)
    return pl.Series(names, dtype=pl.String)


def give_more_surnames(names: list[str], family: Integers, rng: np.random.Generator) -> None:
    """Give some families another surname."""
    chosen = rng.random(int(family.max(initial=0)) + 1) < FAMILIES_WITH_MORE_SURNAMES
    surname = rng.integers(0, len(MORE_SURNAMES), len(chosen))
    starts, sizes = families(family)
    is_first = starts == np.arange(len(family))
    for first in np.flatnonzero(chosen[family] & is_first).tolist():
        old, new = names[first][0], MORE_SURNAMES[int(surname[family[first]])]
        for person in range(first, first + int(sizes[first])):
            if names[person][0] == old and DOT not in names[person]:
                names[person] = new + names[person][1:]


def give_namesakes(
    names: list[str], population: Population, share: float, rng: np.random.Generator
) -> None:
    """Give some who live alone the name of another of their sex in the village."""
    family, village = population.family, population.village
    is_alone = np.r_[True, family[1:] != family[:-1]] & np.r_[family[1:] != family[:-1], True]
    alone = np.flatnonzero(is_alone)
    # Of those alone more are chosen, so that the share is one of all persons.
    chance = share * len(names) / max(len(alone), 1)
    chosen = alone[rng.random(len(alone)) < chance]
    draw = rng.random(len(chosen))
    place = village * 3 + population.sex
    order = np.argsort(place, kind="stable")
    starts = np.searchsorted(place[order], place[chosen], side="left")
    ends = np.searchsorted(place[order], place[chosen], side="right")
    other = order[starts + np.floor(draw * (ends - starts)).astype(np.int64)]
    for person, namesake in zip(chosen.tolist(), other.tolist(), strict=True):
        names[person] = names[namesake]


def draw_former_names(
    names: pl.Series, population: Population, rates: Rates, rng: np.random.Generator
) -> tuple[pl.Series, Integers]:
    """Former names, null for who had none, and the last day of each."""
    count = len(names)
    former: list[str | None] = [None] * count
    has_one = rng.random(count) < (FORMER_NAME_SHARE if rates.odd_names > 0 else 0.0)
    has_one &= ~names.str.contains(DOT, literal=True).to_numpy()
    had = np.flatnonzero(has_one)
    draws = rng.random((len(had), 2)).tolist()
    for person, (how, which) in zip(had.tolist(), draws, strict=True):
        name, born, sex = names[person], population.birth[person], int(population.sex[person])
        if sex == 2 and born < BORN_WITHOUT_GIVEN_NAME:
            former[person] = name[0] + "氏"
        elif how < 0.5 and born < LAST_CHILDHOOD_NAME:
            choices = CHILDHOOD_NAMES[sex - 1]
            former[person] = name[0] + choices[int(which * len(choices))]
        else:
            character = GIVEN_CHARACTERS[int(which * len(GIVEN_CHARACTERS))]
            former[person] = name[:-1] + character if character != name[-1] else None
    age = rng.integers(7, 30, count) * 365
    until = np.minimum(population.birth + age, LAST_FORMER_DAY)
    return pl.Series(former, dtype=pl.String), until

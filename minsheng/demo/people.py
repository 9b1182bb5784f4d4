"""Persons of a chunk: the members of its households first, then neighbours on no roll."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from minsheng.demo.households import (
    CHILD,
    DAUGHTER_IN_LAW,
    NEVER,
    SPOUSE,
    Members,
    draw_deaths,
    listed_years,
)
from minsheng.demo.identities import (
    distinct_births,
    identity_numbers,
    person_names,
    with_twins,
)
from minsheng.demo.reference import Areas, Flags, Integers
from minsheng.demo.text import days_of, month_of, padded_texts

NEIGHBOUR_SHARE = 0.15
PERSONS_OF_A_CHUNK = 100_000
HOUSEHOLDS_OF_A_CHUNK = 5_000


@dataclass(frozen=True)
class People:
    """Persons as parallel arrays; `household` is -1 and `is_listed` by life for neighbours.

    `death_month` counts from January 2017 and is NEVER for who lives on.
    """

    key: Integers
    id_number: pl.Series
    name: pl.Series
    sex: Integers
    birth: Integers
    death: Integers
    death_month: Integers
    household: Integers
    village: Integers
    listed: Flags

    def age_at_end(self, year: int) -> Integers:
        """Completed years on 31 December."""
        return year - self.birth.astype("datetime64[D]").astype("datetime64[Y]").astype(int) - 1970


def draw_villages(rng: np.random.Generator, areas: Areas, count: int) -> Integers:
    """Villages, the county first and then any village in it."""
    county = rng.choice(len(areas.county_shares), size=count, p=areas.county_shares)
    village = np.zeros(count, dtype=np.int64)
    for index, villages in enumerate(areas.villages_of_county):
        chosen = county == index
        village[chosen] = villages[rng.integers(0, len(villages), int(chosen.sum()))]
    return village


def household_numbers(areas: Areas, village: Integers, chunk: int) -> pl.Series:
    """Numbers that the sender gives: its six digits and a running number."""
    running = np.arange(len(village)) + chunk * HOUSEHOLDS_OF_A_CHUNK
    county = areas.county_codes.str.slice(0, 6).gather(areas.county_of_village[village])
    return county + padded_texts(running, 8)


def draw_people(
    rng: np.random.Generator, members: Members, village: Integers, areas: Areas, chunk: int
) -> People:
    """Give the members names and numbers and add the neighbours."""
    member_count = len(members.household)
    neighbour_count = round(member_count * NEIGHBOUR_SHARE)
    sex = np.r_[members.sex, rng.integers(1, 3, neighbour_count)]
    age_days = (rng.uniform(1.0, 88.0, neighbour_count) * 365.25).astype(np.int64)
    birth = distinct_births(np.r_[members.birth, days_of("2017-12-31") - age_days], sex)
    numbers = np.arange(neighbour_count)
    death = np.r_[
        members.death,
        draw_deaths(
            rng,
            numbers,
            np.full(neighbour_count, CHILD),
            birth[member_count:],
            neighbour_count,
        ),
    ]
    twin_of = np.r_[members.twin_of, np.full(neighbour_count, -1)]
    households = len(members.start)
    family = np.r_[members.household, households + numbers]
    marries_in = np.isin(members.role, (SPOUSE, DAUGHTER_IN_LAW))
    shares_name = np.r_[~marries_in, np.ones(neighbour_count, dtype=np.bool_)]
    died = death != NEVER
    return People(
        key=chunk * PERSONS_OF_A_CHUNK + np.arange(member_count + neighbour_count),
        id_number=with_twins(identity_numbers(birth, sex, chunk), birth, sex, chunk, twin_of),
        name=person_names(rng, family, shares_name),
        sex=sex,
        birth=birth,
        death=death,
        death_month=np.where(died, month_of(np.where(died, death, 0)), NEVER),
        household=np.r_[members.household, np.full(neighbour_count, -1)],
        village=np.r_[village[members.household], draw_villages(rng, areas, neighbour_count)],
        listed=listed_years(birth, death),
    )

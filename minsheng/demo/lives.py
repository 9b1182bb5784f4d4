"""Lives of one chunk of households, drawn before any file is written.

Every chunk has its own random numbers, seeded by the run's seed and the chunk's number, so the
first chunks of a run do not depend on how many follow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from minsheng.demo.benefits import AssistanceRoll, Payments, assistance_roll, draw_payments
from minsheng.demo.economy import Economy, draw_causes, draw_economy, draw_entry_years
from minsheng.demo.enrolment import (
    InsuranceRows,
    Students,
    draw_insurance,
    draw_students,
)
from minsheng.demo.events import Events
from minsheng.demo.health import (
    Certificates,
    Settlements,
    draw_catastrophes,
    draw_certificates,
    draw_patients,
    draw_settlements,
)
from minsheng.demo.households import Members, draw_members
from minsheng.demo.identities import CHUNKS_OF_PLACES, MAXIMUM_CHUNKS, MAXIMUM_CHUNKS_WITH_TWINS
from minsheng.demo.people import (
    HOUSEHOLDS_OF_A_CHUNK,
    People,
    draw_people,
    draw_villages,
    household_numbers,
)
from minsheng.demo.reference import YEAR_COUNT, Areas, Integers

TWINS = 64
"""The stream of random numbers that makes twins of siblings."""


@dataclass(frozen=True)
class Lives:
    """Everything true about a chunk of households and their neighbours.

    With the first chunk of a place is written what departments tell of its areas, once a run.
    """

    chunk: int
    states_areas: bool
    county_count: int
    household_number: pl.Series
    village: Integers
    members: Members
    people: People
    economy: Economy
    certificates: Certificates
    insurance: InsuranceRows
    students: Students
    settlements: Settlements
    payments: Payments
    assistance: AssistanceRoll
    events: Events


def draw_chunks(
    areas: Areas, households: int, seed: int, has_twins: bool = False
) -> Iterator[Lives]:
    """Lives chunk by chunk; only one chunk is in memory at a time."""
    chunk_count = -(-households // HOUSEHOLDS_OF_A_CHUNK)
    maximum = MAXIMUM_CHUNKS_WITH_TWINS if has_twins else MAXIMUM_CHUNKS
    maximum -= CHUNKS_OF_PLACES
    if chunk_count > maximum:
        raise ValueError(
            f"at most {maximum * HOUSEHOLDS_OF_A_CHUNK} households have identity numbers"
        )
    for chunk in range(chunk_count):
        count = min(HOUSEHOLDS_OF_A_CHUNK, households - chunk * HOUSEHOLDS_OF_A_CHUNK)
        yield draw_lives(areas, count, seed, chunk, has_twins, states_areas=chunk == 0)


def draw_lives(
    areas: Areas,
    count: int,
    seed: int,
    chunk: int,
    has_twins: bool = False,
    *,
    states_areas: bool,
) -> Lives:
    """Draw `count` households as the chunk with number `chunk`."""
    rng = np.random.default_rng([seed, chunk, 0])
    village = draw_villages(rng, areas, count)
    twins = np.random.default_rng([seed, chunk, TWINS]) if has_twins else None
    members = draw_members(rng, count, twins)
    people = draw_people(rng, members, village, areas, chunk)
    cause = draw_causes(rng, count)
    entry_year = draw_entry_years(rng, count)
    certificates, disability = draw_certificates(rng, members, people, cause, entry_year)
    is_ill = draw_patients(rng, members, people, cause)
    illness = draw_catastrophes(rng, members, people, is_ill, entry_year)
    illness_year = np.zeros((count, YEAR_COUNT), dtype=np.bool_)
    illness_year[illness.household, illness.month // 12] = True
    economy, losses = draw_economy(rng, members, cause, entry_year, illness_year)
    insurance, is_insured, uninsured = draw_insurance(rng, people, economy)
    students, dropouts = draw_students(rng, people, economy, certificates)
    settlements, illness = draw_settlements(rng, people, is_ill, is_insured, economy, illness)
    payments, stops = draw_payments(rng, members, people, economy, certificates, illness)
    return Lives(
        chunk=chunk,
        states_areas=states_areas,
        county_count=len(areas.county_codes),
        household_number=household_numbers(areas, village, chunk),
        village=village,
        members=members,
        people=people,
        economy=economy,
        certificates=certificates,
        insurance=insurance,
        students=students,
        settlements=settlements,
        payments=payments,
        assistance=assistance_roll(members, people, economy),
        events=Events.concatenate([illness, disability, losses, stops, dropouts, uninsured]),
    )

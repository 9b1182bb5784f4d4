"""Who is insured and who goes to school."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minsheng.demo.economy import Economy
from minsheng.demo.events import DROPOUT, UNINSURED, Events
from minsheng.demo.health import Certificates
from minsheng.demo.people import People
from minsheng.demo.reference import FIRST_YEAR, YEAR_COUNT, Flags, Integers
from minsheng.demo.text import month_of, year_of

INSURANCES = ("residents", "employees")
INSURED_STATES = ("insured", "paid_for", "uninsured")
INSURED, PAID_FOR, NOT_INSURED = range(len(INSURED_STATES))

STAGES = ("preschool", "primary", "junior", "senior", "vocational", "college", "university")
PRESCHOOL, PRIMARY, JUNIOR, SENIOR, VOCATIONAL, COLLEGE, UNIVERSITY = range(len(STAGES))
STUDENT_STATES = ("enrolled", "home_teaching", "dropped_out")
ENROLLED, TAUGHT_AT_HOME, DROPPED_OUT = range(len(STUDENT_STATES))

UNINSURED_RATE = 0.015
DROPOUT_RATE = 0.005


@dataclass(frozen=True)
class InsuranceRows:
    """Rows of the insurance register; `year` counts from 2017."""

    year: Integers
    person: Integers
    insurance: Integers
    state: Integers


@dataclass(frozen=True)
class Students:
    """Rows of the school register; `year` counts from 2017."""

    year: Integers
    person: Integers
    stage: Integers
    state: Integers


def in_ledger(people: People, economy: Economy) -> Flags:
    """Whether each person is listed in a household that the ledger knows, by year."""
    known = economy.in_ledger[np.maximum(people.household, 0)]
    return known & (people.household >= 0)[:, None] & people.listed[:, :YEAR_COUNT]


def draw_insurance(
    rng: np.random.Generator, people: People, economy: Economy
) -> tuple[InsuranceRows, Flags, Events]:
    """The register, who is insured in which year, and who is not although the ledger knows them.

    Half of those without insurance are missing from the register, half stand in it as such.
    """
    listed = people.listed[:, :YEAR_COUNT]
    draw = rng.random(listed.shape)
    lacks = (draw < UNINSURED_RATE) & in_ledger(people, economy)
    is_absent = lacks & (draw < UNINSURED_RATE / 2)
    year, person = np.nonzero((listed & ~is_absent).T)
    month = np.arange(YEAR_COUNT) * 12
    home = np.maximum(people.household, 0)
    assisted = economy.assisted()[:, month][home] & (people.household >= 0)[:, None]
    state = np.where(lacks, NOT_INSURED, np.where(assisted, PAID_FOR, INSURED))[person, year]
    age = FIRST_YEAR + year - year_of(people.birth)[person]
    is_employee = (rng.random(len(people.key)) < 0.06)[person] & (age >= 20) & (age < 60)
    rows = InsuranceRows(year, person, is_employee.astype(np.int64), state)
    who, when = np.nonzero(lacks)
    events = Events.of(UNINSURED, people.household[who], when * 12, person=who)
    return rows, listed & ~lacks, events


def draw_students(
    rng: np.random.Generator, people: People, economy: Economy, certificates: Certificates
) -> tuple[Students, Events]:
    """Students of each September and the children of compulsory age who do not go to school.

    Age is that of 31 August. Half of the dropouts are missing from the register, half stand in
    it as dropped out.
    """
    years = np.arange(YEAR_COUNT)
    born_after_august = month_of(people.birth) % 12 >= 8
    age = FIRST_YEAR + years - (year_of(people.birth) + born_after_august)[:, None]
    alive = people.listed[:, :YEAR_COUNT] & (people.death_month[:, None] > years * 12 + 8)
    is_compulsory = (age >= 6) & (age <= 15)
    stage = np.select(
        [age <= 5, age <= 11, age <= 15],
        [PRESCHOOL, PRIMARY, JUNIOR],
        default=-1,
    )
    path = rng.random(len(people.key))[:, None]
    stage = np.where((age >= 16) & (age <= 18), np.where(path < 0.5, SENIOR, VOCATIONAL), stage)
    stage = np.where((age >= 19) & (age <= 21), np.where(path < 0.2, UNIVERSITY, COLLEGE), stage)
    attends = np.select(
        [age < 3, age <= 5, age <= 15, age <= 18, age <= 21],
        [False, path < 0.8, True, path < 0.9, path < 0.4],
        default=False,
    )
    draw = rng.random(age.shape)
    drops = (draw < DROPOUT_RATE) & is_compulsory & alive & in_ledger(people, economy)
    is_absent = drops & (draw < DROPOUT_RATE / 2)
    year, person = np.nonzero((alive & attends & ~is_absent).T)
    is_severe = (certificates.grade > 0) & (certificates.grade <= 2)
    knows = is_severe[:, None] & (certificates.issue_month[:, None] < years * 12 + 8)
    at_home = knows & is_compulsory & (path > 0.6)
    state = np.where(drops, DROPPED_OUT, np.where(at_home, TAUGHT_AT_HOME, ENROLLED))
    who, when = np.nonzero(drops)
    events = Events.of(DROPOUT, people.household[who], when * 12 + 8, person=who)
    return Students(year, person, stage[person, year], state[person, year]), events

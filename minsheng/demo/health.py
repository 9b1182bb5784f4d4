"""Illness, disability and medical bills.

A bill is split in basic insurance, serious-illness insurance, medical aid and what the patient
pays; the four parts are whole fen and add up to the bill.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minsheng.demo.economy import CAUSES, Economy
from minsheng.demo.events import DISABILITY, ILLNESS, Events
from minsheng.demo.households import Members
from minsheng.demo.people import People
from minsheng.demo.reference import MONTH_COUNT, YEAR_COUNT, Flags, Integers
from minsheng.demo.text import days_of, first_day_of_month, month_of

VISITS = ("inpatient", "outpatient", "chronic")
INPATIENT, OUTPATIENT, CHRONIC = range(len(VISITS))
DISEASES = (
    ("肺炎", "骨折", "胆囊结石", "冠心病", "脑梗死", "腰椎间盘突出", "阑尾炎", "慢性阻塞性肺病"),
    ("上呼吸道感染", "胃炎", "腰痛", "皮炎", "牙周炎", "结膜炎", "腹泻", "头晕"),
    ("高血压", "糖尿病", "肾病透析", "癫痫", "精神分裂症", "类风湿关节炎", "慢性乙肝", "帕金森病"),
    ("肺恶性肿瘤", "肝恶性肿瘤", "脑出血", "白血病", "胃恶性肿瘤", "多发伤", "心肌梗死", "尿毒症"),
)  # fmt: skip
CATASTROPHE = 3

# Median bill in fen and spread of its logarithm, by kind of visit.
MEDIAN_FEN = np.array([650_000, 24_000, 52_000])
SPREAD = np.array([0.6, 0.7, 0.6])
HIGHEST_ORDINARY_FEN = 2_500_000
SERIOUS_ILLNESS_FROM_FEN = 2_500_000

DISABILITY_TYPES = ("1", "2", "3", "4", "5", "6", "7")
TYPE_SHARES = (0.12, 0.12, 0.03, 0.46, 0.10, 0.11, 0.06)
GRADE_SHARES = (0.14, 0.24, 0.31, 0.31)
NO_ISSUE = 10**6


@dataclass(frozen=True)
class Certificates:
    """Type (position), grade and day of issue for each person; grade 0 means no certificate."""

    type: Integers
    grade: Integers
    issue: Integers
    issue_month: Integers


@dataclass(frozen=True)
class Settlements:
    """Medical settlements as parallel arrays; `disease` is a position in the list of `group`."""

    month: Integers
    day: Integers
    person: Integers
    visit: Integers
    group: Integers
    disease: Integers
    total_fen: Integers
    basic_fen: Integers
    serious_fen: Integers
    aid_fen: Integers
    self_fen: Integers


def chosen_members(rng: np.random.Generator, members: Members, wanted: Flags) -> Integers:
    """One member of each wanted household: the head in most, else any."""
    is_head = rng.random(len(wanted)) < 0.6
    any_member = np.floor(rng.random(len(wanted)) * members.size_at_first).astype(np.int64)
    chosen = members.start + np.where(is_head, 0, any_member)
    return chosen[wanted]


def draw_certificates(
    rng: np.random.Generator,
    members: Members,
    people: People,
    cause: Integers,
    entry_year: Integers,
) -> tuple[Certificates, Events]:
    """Certificates from before 2017 and new ones, and the severe new ones as shocks."""
    count, member_count = len(people.key), len(members.household)
    age = people.age_at_end(2017)
    chance = np.where(age > 50, 0.065, 0.02)
    chance[member_count:] = 0.035
    holds = (rng.random(count) < chance) & (age >= 1)
    holds[chosen_members(rng, members, cause == CAUSES.index("disability"))] = True
    grade = rng.choice(len(GRADE_SHARES), size=count, p=GRADE_SHARES) + 1
    earliest = np.maximum(people.birth + 200, days_of("2005-01-01"))
    latest = days_of("2016-12-20")
    share = rng.random(count)
    issue = np.minimum(earliest, latest)
    issue += np.floor(share * (latest - issue)).astype(np.int64)
    issue = np.where(holds & (people.birth < latest), issue, NO_ISSUE)

    # New certificates come in every year; in 2022 more, and all of those are severe.
    year = rng.integers(0, YEAR_COUNT - 1, count)
    is_new = rng.random(count) < 0.004
    in_last = rng.random(count) < 0.005
    year = np.where(in_last, YEAR_COUNT - 1, year)
    new_month = year * 12 + rng.integers(0, 12, count)
    new_day = first_day_of_month(new_month) + rng.integers(0, 28, count)
    gets_new = (is_new | in_last) & (issue == NO_ISSUE) & people.listed[np.arange(count), year]
    gets_new &= people.death_month > new_month
    issue = np.where(gets_new, new_day, issue)
    grade = np.where(gets_new & in_last, 1 + grade % 2, grade)
    known = issue != NO_ISSUE
    certificates = Certificates(
        type=rng.choice(len(TYPE_SHARES), size=count, p=TYPE_SHARES),
        grade=np.where(known, grade, 0),
        issue=issue,
        issue_month=np.where(known, month_of(np.where(known, issue, 0)), NO_ISSUE),
    )
    is_shock = gets_new[:member_count] & (grade[:member_count] <= 2)
    is_shock &= year[:member_count] >= entry_year[members.household]
    person = np.flatnonzero(is_shock)
    events = Events.of(DISABILITY, members.household[person], new_month[person], person=person)
    return certificates, events


def draw_patients(
    rng: np.random.Generator, members: Members, people: People, cause: Integers
) -> Flags:
    """Who is chronically ill."""
    ill = rng.random(len(people.key)) < np.where(people.age_at_end(2017) > 60, 0.10, 0.02)
    ill[chosen_members(rng, members, cause == CAUSES.index("illness"))] = True
    return ill


def draw_catastrophes(
    rng: np.random.Generator,
    members: Members,
    people: People,
    is_ill: Flags,
    entry_year: Integers,
) -> Events:
    """Illnesses with a catastrophic bill; the amount is known once the bill is split."""
    count = len(members.household)
    chance = np.where(is_ill[:count], 0.014, 0.004)
    month = rng.integers(0, 12, (count, YEAR_COUNT)) + 12 * np.arange(YEAR_COUNT)
    happens = rng.random(month.shape) < chance[:, None]
    happens &= members.listed[:, :YEAR_COUNT] & (people.death_month[:count, None] >= month)
    happens &= np.arange(YEAR_COUNT) >= entry_year[members.household, None]
    person, year = np.nonzero(happens)
    return Events.of(ILLNESS, members.household[person], month[person, year], person=person)


def draw_settlements(
    rng: np.random.Generator,
    people: People,
    is_ill: Flags,
    is_insured: Flags,
    economy: Economy,
    illness: Events,
) -> tuple[Settlements, Events]:
    """Ordinary visits and catastrophic bills, and the illnesses with what patients paid."""
    old = people.age_at_end(2017) > 60
    rate = YEAR_COUNT * (0.45 + 0.5 * old + 1.3 * is_ill)
    person = np.repeat(np.arange(len(rate)), rng.poisson(rate))
    month = rng.integers(0, MONTH_COUNT, len(person))
    alive = people.listed[person, month // 12] & (people.death_month[person] >= month)
    person, month = person[alive], month[alive]
    draw = rng.random(len(person))
    visit = np.where(draw < 0.12, INPATIENT, OUTPATIENT)
    visit = np.where((draw > 0.5) & is_ill[person], CHRONIC, visit)
    total = MEDIAN_FEN[visit] * np.exp(rng.normal(0.0, 1.0, len(person)) * SPREAD[visit])
    total = np.clip(total, 1_000, HIGHEST_ORDINARY_FEN).astype(np.int64)

    large = rng.integers(12_000_000, 40_000_000, len(illness.month))
    month = np.r_[month, illness.month]
    person = np.r_[person, illness.person]
    visit = np.r_[visit, np.full(len(large), INPATIENT)]
    total = np.r_[total, large]
    group = np.r_[visit[: len(draw)], np.full(len(large), CATASTROPHE)]

    share = rng.uniform(0.45, 0.7, len(total)) * is_insured[person, month // 12]
    basic = np.floor(total * share).astype(np.int64)
    over = np.maximum(total - basic - SERIOUS_ILLNESS_FROM_FEN, 0)
    serious = np.floor(over * 0.6 * (share > 0)).astype(np.int64)
    home = people.household[person]
    has_aid = (home >= 0) & economy.assisted()[np.maximum(home, 0), month]
    rest = total - basic - serious
    aid = np.floor(rest * rng.uniform(0.3, 0.6, len(total)) * has_aid).astype(np.int64)
    day = first_day_of_month(month)
    # Nobody settles a bill after the day of death.
    last = np.minimum(day + 27, people.death[person])
    own = rest - aid
    settlements = Settlements(
        month=month,
        day=np.minimum(day + rng.integers(0, 28, len(total)), last),
        person=person,
        visit=visit,
        group=group,
        disease=rng.integers(0, len(DISEASES[0]), len(total)),
        total_fen=total,
        basic_fen=basic,
        serious_fen=serious,
        aid_fen=aid,
        self_fen=own,
    )
    costs = own[len(draw) :]
    return settlements, Events.of(ILLNESS, illness.household, illness.month, costs, illness.person)

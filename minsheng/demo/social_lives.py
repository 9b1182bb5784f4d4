"""What the social departments know beside rolls, payments and bills: facts that follow from lives.

Relief, subsidies and illnesses are those that were paid or billed; aid goes to students of
households on the roll; jobs and posts earn what the household earns.  Facts have random numbers of
their own, so that they change no life.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from minsheng.demo.benefits import PAY_CARE, PAY_LIVING, PAY_TEMPORARY, SNAPSHOT_MONTHS
from minsheng.demo.economy import DIBAO_STANDARD_YUAN, NO_ASSISTANCE, TEKUN
from minsheng.demo.enrolment import (
    COLLEGE,
    ENROLLED,
    JUNIOR,
    NOT_INSURED,
    PAID_FOR,
    PRESCHOOL,
    PRIMARY,
    SENIOR,
    UNIVERSITY,
    VOCATIONAL,
)
from minsheng.demo.events import DROPOUT, ILLNESS, JOB_LOSS
from minsheng.demo.health import CATASTROPHE, CHRONIC, DISEASES
from minsheng.demo.households import (
    CHILD,
    DAUGHTER_IN_LAW,
    FIRST_WITHOUT_LABOUR,
    GRANDCHILD,
    NEVER,
    SON,
)
from minsheng.demo.lives import Lives
from minsheng.demo.reference import (
    FIRST_YEAR,
    MONTH_COUNT,
    YEAR_COUNT,
    Flags,
    Integers,
)
from minsheng.demo.text import first_day_of_month, month_of, year_of

STREAM = 11
YEARS_FROM_2017 = np.arange(YEAR_COUNT)
# Month, counted from January 2017, in which a dataset begins that is younger than the demo.
FIRST_MONTHS: Mapping[str, int] = {
    "temporary_relief": 60,
    "serious_illness": 60,
    "employment_month": 60,
    "family_doctor": 48,
    "pension_enrolment": 48,
}
HALF_YEARLY = frozenset({"dropout_case", "disability_subsidy", "house_safety"})

RELIEF_REASONS = ("illness", "accident", "disaster", "schooling", "living", "other")
STANDARD_KINDS = ("dibao", "tekun")
TEKUN_RATIO = 1.3
CARE_KINDS = ("left_behind_child", "unsupported_child", "lone_elder", "disabled_elder")
LEFT_BEHIND, UNSUPPORTED, LONE_ELDER, DISABLED_ELDER = range(len(CARE_KINDS))
UNSUPPORTED_FEN = 150_000
AIDS = ("yulu", "grant", "tuition_waiver", "boarding", "living", "preschool", "loan")
YULU, GRANT, TUITION, BOARDING, LIVING, PRESCHOOL_AID, LOAN = range(len(AIDS))
AID_FEN = np.array([150_000, 100_000, 120_000, 50_000, 25_000, 60_000, 400_000])
AIDS_OF_STAGE = {
    PRESCHOOL: (PRESCHOOL_AID, -1),
    PRIMARY: (BOARDING, -1),
    JUNIOR: (BOARDING, -1),
    SENIOR: (GRANT, -1),
    VOCATIONAL: (YULU, TUITION),
    COLLEGE: (YULU, GRANT),
    UNIVERSITY: (GRANT, LOAN),
}
DROPOUT_STATES = ("dropped_out", "returned")
ILLNESS_KINDS = ("serious", "chronic", "mental")
MENTAL_DISEASE = DISEASES[CHRONIC].index("精神分裂症")
PACKAGES = ("basic", "individual")
PACKAGE_FEN = np.array([6_000, 12_000])
SUBSIDIES = ("living", "care")
HOUSE_GRADES = ("a", "b", "c", "d")
HOUSE_GRADE_SHARES = (0.2, 0.2, 0.4, 0.2)
GRADE_C = 2
HOUSE_GRANT_FEN = np.array([0, 0, 1_200_000, 3_000_000])
RELOCATION_STATES = ("planned", "moved", "returned")
PLANNED, MOVED, RETURNED = range(len(RELOCATION_STATES))
RELOCATION_FEN_PER_HEAD = 800_000
WORK_STATES = ("away", "local")
LOWEST_WAGE_FEN = 150_000
LEAST_EARNED_FEN = 20_000
TRAINING_KINDS = ("skill", "farming", "business", "on_the_job")
POSTS = ("cleaning", "environment", "road", "forest")
POST_FEN = np.array([40_000, 50_000, 60_000, 80_000])
LAST_AGE_OF_POST = 69
PENSION_STATES = ("paying", "drawing")
PENSION_FEN = np.array([18_000, 19_500])
TIERS_FEN = np.array([10_000, 30_000, 50_000, 100_000])
EMPLOYEE_PREMIUM_FEN = 480_000


@dataclass(frozen=True)
class Facts:
    """Facts of one dataset as parallel arrays.

    `person` is a position within the chunk or -1; `kind` a position in `kinds`; `start` and `end`
    are days since 1970-01-01, NEVER for none; `amount_fen` is -1 for none. `more` holds what only
    this dataset says.
    """

    kinds: tuple[str, ...]
    person: Integers
    kind: Integers
    start: Integers
    end: Integers
    amount_fen: Integers
    more: Mapping[str, Integers] = field(default_factory=dict)


def draw_facts(lives: Lives, seed: int) -> dict[str, Facts]:
    """The facts of every social dataset."""
    rng = np.random.default_rng([seed, lives.chunk, STREAM])
    draws: dict[str, Callable[[np.random.Generator, Lives], Facts]] = {
        "temporary_relief": draw_relief,
        "dibao_standard": standards,
        "care_register": draw_care,
        "student_aid": draw_aid,
        "dropout_case": draw_dropout_cases,
        "serious_illness": draw_diagnoses,
        "family_doctor": draw_doctors,
        "disability_subsidy": subsidies,
        "house_safety": draw_houses,
        "relocation": draw_relocations,
        "employment_month": draw_jobs,
        "training": draw_training,
        "public_post": draw_posts,
        "pension_enrolment": draw_pensions,
    }
    return {dataset: draw(rng, lives) for dataset, draw in draws.items()}


def never(like: Integers) -> Integers:
    """No day for each of `like`."""
    return np.full(len(like), NEVER, dtype=np.int64)


def nothing(like: Integers) -> Integers:
    """No amount, no person or no position for each of `like`."""
    return np.full(len(like), -1, dtype=np.int64)


def first_day_of_year(year: Integers) -> Integers:
    """Days since 1970-01-01 of the first day of years counted from 2017."""
    return first_day_of_month(year * 12)


def last_day_of_year(year: Integers) -> Integers:
    """Days since 1970-01-01 of the last day of years counted from 2017."""
    return first_day_of_month(year * 12 + 12) - 1


def member_ages(lives: Lives) -> Integers:
    """Completed years of each member at the end of each year."""
    birth_year = year_of(lives.people.birth[: len(lives.members.household)])
    return np.asarray(FIRST_YEAR + YEARS_FROM_2017 - birth_year[:, None])


def members_at_year_end(lives: Lives) -> Flags:
    """Whether each member lives at the end of each year in a household that the ledger knows."""
    members = lives.members
    death_month = lives.people.death_month[: len(members.household)]
    survives = death_month[:, None] > YEARS_FROM_2017 * 12 + 11
    in_ledger = lives.economy.in_ledger[members.household]
    return np.asarray(members.listed[:, :YEAR_COUNT] & survives & in_ledger)


def workers(lives: Lives) -> Flags:
    """Members with labour on the roll of each year who live through it and do not study."""
    members = lives.members
    works = members.labour[:, :YEAR_COUNT] < FIRST_WITHOUT_LABOUR
    works &= members_at_year_end(lives) & lives.economy.on_roll[members.household]
    students = lives.students
    is_member = students.person < len(members.household)
    person, year = students.person[is_member], students.year[is_member]
    works[person, year] = False
    works[person, np.minimum(year + 1, YEAR_COUNT - 1)] = False
    return works


def draw_relief(rng: np.random.Generator, lives: Lives) -> Facts:
    """The temporary relief that was paid, with its reason and the days of its procedure."""
    payments = lives.payments
    is_relief = payments.programme == PAY_TEMPORARY
    paid = np.flatnonzero(is_relief & (payments.month >= FIRST_MONTHS["temporary_relief"]))
    month, person = payments.month[paid], payments.person[paid]
    illness = lives.events.kind == ILLNESS
    ill = lives.events.household[illness] * MONTH_COUNT + lives.events.month[illness] + 1
    is_ill = np.isin(lives.people.household[person] * MONTH_COUNT + month, ill)
    other = rng.integers(1, len(RELIEF_REASONS), len(paid))
    first = first_day_of_month(month)
    granted = np.minimum(first + rng.integers(8, 27, len(paid)), lives.people.death[person])
    return Facts(
        kinds=RELIEF_REASONS,
        person=person,
        kind=np.where(is_ill, 0, other),
        start=granted,
        end=never(person),
        amount_fen=payments.amount_fen[paid],
        more={"applied": np.minimum(first + rng.integers(0, 8, len(paid)), granted)},
    )


def standards(_: np.random.Generator, lives: Lives) -> Facts:
    """The standards of each county and year, stated once in a run."""
    counties = lives.county_count if lives.states_areas else 0
    year, county, kind = (
        axis.ravel()
        for axis in np.meshgrid(YEARS_FROM_2017, np.arange(counties), np.arange(2), indexing="ij")
    )
    ratio = np.where(kind == 1, TEKUN_RATIO, 1.0)
    return Facts(
        kinds=STANDARD_KINDS,
        person=nothing(year),
        kind=kind,
        start=first_day_of_year(year),
        end=last_day_of_year(year),
        amount_fen=np.round(DIBAO_STANDARD_YUAN[year] * ratio * 100).astype(np.int64),
        more={"year": year, "county": county},
    )


def draw_care(rng: np.random.Generator, lives: Lives) -> Facts:
    """Children left with grandparents, very old members who live alone, and disabled elders."""
    members, economy = lives.members, lives.economy
    home = members.household
    position = np.arange(len(home))
    age, present = member_ages(lives), members_at_year_end(lives)
    between = np.isin(members.role, (CHILD, SON, DAUGHTER_IN_LAW))
    listed = members.listed[:, :YEAR_COUNT] & between[:, None]
    has_parents = np.logical_or.reduceat(listed, members.start, axis=0)
    guardian = members.head[:, :YEAR_COUNT][home]
    child = present & (members.role == GRANDCHILD)[:, None] & ~has_parents[home] & (age < 16)
    child &= (guardian >= 0) & (guardian != position[:, None])
    unsupported = (rng.random(len(members.start)) < 0.15)[home]
    alone = present & (members.member_count[:, :YEAR_COUNT][home] == 1) & (age >= 75)
    grade = lives.certificates.grade[: len(home)]
    issued = lives.certificates.issue_month[: len(home), None] <= YEARS_FROM_2017 * 12 + 11
    in_december = economy.assisted()[:, YEARS_FROM_2017 * 12 + 11][home]
    disabled = present & issued & in_december & (age >= 60)
    disabled &= ((grade > 0) & (grade <= 2))[:, None]
    parts = []
    for kind, holds in (
        (LEFT_BEHIND, child & ~unsupported[:, None]),
        (UNSUPPORTED, child & unsupported[:, None]),
        (LONE_ELDER, alone),
        (DISABLED_ELDER, disabled),
    ):
        year, person = np.nonzero(holds.T)
        since = holds.argmax(axis=1)[person]
        parts.append(np.stack([year, person, since, np.full(len(year), kind)]))
    year, person, since, kind = np.concatenate(parts, axis=1)
    return Facts(
        kinds=CARE_KINDS,
        person=person,
        kind=kind,
        start=first_day_of_year(since),
        end=never(person),
        amount_fen=np.where(kind == UNSUPPORTED, UNSUPPORTED_FEN, -1),
        more={
            "year": year,
            "guardian": np.where(kind <= UNSUPPORTED, guardian[person, year], -1),
            "in_institution": (economy.assistance[home[person]] == TEKUN).astype(np.int64),
        },
    )


def draw_aid(rng: np.random.Generator, lives: Lives) -> Facts:
    """Aid of each term to students of households on the roll; a few are passed over."""
    students, people = lives.students, lives.people
    home = people.household[students.person]
    is_aided = (students.state == ENROLLED) & (home >= 0)
    is_aided &= lives.economy.on_roll[np.maximum(home, 0), students.year]
    is_aided &= rng.random(len(home)) >= 0.03
    year, person = students.year[is_aided], students.person[is_aided]
    stage = students.stage[is_aided]
    table = np.array([AIDS_OF_STAGE[stage] for stage in range(len(AIDS_OF_STAGE))])
    parts = []
    for place in range(table.shape[1]):
        aid = table[stage, place]
        # who boards is told by the person, so that it stays the same for years
        aid = np.where((aid == BOARDING) & (person % 3 > 0), LIVING, aid)
        for term in range(2):
            given = np.flatnonzero((aid >= 0) & (year + 1 - term < YEAR_COUNT))
            month = (year[given] + 1 - term) * 12 + 2 + 6 * term
            alive = people.death_month[person[given]] > month
            given, month = given[alive], month[alive]
            parts.append(
                np.stack(
                    [person[given], aid[given], stage[given], month, np.full(len(given), term)]
                )
            )
    person, aid, stage, month, term = np.concatenate(parts, axis=1)
    return Facts(
        kinds=AIDS,
        person=person,
        kind=aid,
        start=first_day_of_month(month),
        end=never(person),
        amount_fen=AID_FEN[aid],
        more={
            "year": month // 12,
            "term": term,
            "stage": stage,
            "failed": (rng.random(len(person)) < 0.01).astype(np.int64),
        },
    )


def draw_dropout_cases(rng: np.random.Generator, lives: Lives) -> Facts:
    """Children who dropped out: found in the autumn, most of them back by the next June."""
    chosen = np.flatnonzero(lives.events.kind == DROPOUT)
    person, september = lives.events.person[chosen], lives.events.month[chosen]
    found = first_day_of_month(september) + rng.integers(4, 90, len(chosen))
    spring = first_day_of_month(september + 5)
    returned = spring + rng.integers(0, 100, len(chosen))
    comes_back = (rng.random(len(chosen)) < 0.75) & (september + 9 < MONTH_COUNT)
    comes_back &= lives.people.death_month[person] > september + 9
    kept = lives.people.death_month[person] > september + 3
    return Facts(
        kinds=DROPOUT_STATES,
        person=person[kept],
        kind=comes_back[kept].astype(np.int64),
        start=found[kept],
        end=np.where(comes_back, returned, NEVER)[kept],
        amount_fen=nothing(person[kept]),
        more={
            "reason": rng.integers(0, 3, len(chosen))[kept],
            "step": rng.integers(0, 2, len(chosen))[kept],
        },
    )


def draw_diagnoses(rng: np.random.Generator, lives: Lives) -> Facts:
    """Catastrophic illnesses, and chronic ones in the month of a patient's first such bill."""
    bills, first = lives.settlements, FIRST_MONTHS["serious_illness"]
    serious = np.flatnonzero((bills.group == CATASTROPHE) & (bills.month >= first))
    chronic = np.flatnonzero(bills.visit == CHRONIC)
    chronic = chronic[np.argsort(bills.day[chronic], kind="stable")]
    _, earliest = np.unique(bills.person[chronic], return_index=True)
    chronic = chronic[earliest]
    chronic = chronic[bills.month[chronic] >= first]
    bill = np.r_[serious, chronic]
    is_chronic = np.arange(len(bill)) >= len(serious)
    is_mental = is_chronic & (bills.disease[bill] == MENTAL_DISEASE)
    begin = first_day_of_month(bills.month[bill])
    share = rng.random(len(bill))
    return Facts(
        kinds=ILLNESS_KINDS,
        person=bills.person[bill],
        kind=is_chronic.astype(np.int64) + is_mental,
        start=begin + np.floor(share * (bills.day[bill] - begin + 1)).astype(np.int64),
        end=never(bill),
        amount_fen=nothing(bill),
        more={"disease": bills.group[bill] * len(DISEASES[0]) + bills.disease[bill]},
    )


def draw_doctors(rng: np.random.Generator, lives: Lives) -> Facts:
    """Contracts of each year: nearly all members of known households, half of the neighbours."""
    people = lives.people
    is_member = people.household >= 0
    signs = rng.random(len(people.key)) < np.where(is_member, 0.93, 0.5)
    first = FIRST_MONTHS["family_doctor"] // 12
    years = YEARS_FROM_2017[first:]
    known = lives.economy.in_ledger[np.maximum(people.household, 0)][:, first:]
    covered = people.listed[:, first:YEAR_COUNT] & (known | ~is_member[:, None])
    covered &= signs[:, None] & (people.death_month[:, None] > years * 12 + 5)
    place, person = np.nonzero(covered.T)
    year = years[place]
    age = FIRST_YEAR + year - year_of(people.birth)[person]
    package = (age >= 65).astype(np.int64)
    return Facts(
        kinds=PACKAGES,
        person=person,
        kind=package,
        start=first_day_of_year(year) + people.key[person] * 17 % 150,
        end=last_day_of_year(year),
        amount_fen=PACKAGE_FEN[package],
        more={"year": year, "visits": rng.integers(1, 5, len(person))},
    )


def subsidies(_: np.random.Generator, lives: Lives) -> Facts:
    """The allowances of disabled persons that were paid in June and December."""
    payments = lives.payments
    is_subsidy = np.isin(payments.programme, (PAY_LIVING, PAY_CARE))
    since = np.full((len(lives.people.key), 2), NEVER, dtype=np.int64)
    all_paid = np.flatnonzero(is_subsidy)
    kind = (payments.programme == PAY_CARE).astype(np.int64)
    np.minimum.at(since, (payments.person[all_paid], kind[all_paid]), payments.month[all_paid])
    listed = np.flatnonzero(is_subsidy & np.isin(payments.month, SNAPSHOT_MONTHS))
    person, month = payments.person[listed], payments.month[listed]
    return Facts(
        kinds=SUBSIDIES,
        person=person,
        kind=kind[listed],
        start=first_day_of_month(since[person, kind[listed]]),
        end=never(person),
        amount_fen=payments.amount_fen[listed],
        more={"month": month},
    )


def heads_who_live(lives: Lives, year: Integers, until_month: Integers) -> Integers:
    """The head of each household in `year` if it is in the ledger and the head lives on; or -1."""
    household = np.arange(len(year))
    head = lives.members.head[household, year]
    lives_on = lives.people.death_month[np.maximum(head, 0)] > until_month
    return np.where((head >= 0) & lives_on & lives.economy.in_ledger[household, year], head, -1)


def draw_houses(rng: np.random.Generator, lives: Lives) -> Facts:
    """Appraisals of houses; most dangerous ones are made safe within two and a half years."""
    count = len(lives.village)
    month = rng.integers(0, MONTH_COUNT, count)
    grade = rng.choice(len(HOUSE_GRADES), size=count, p=HOUSE_GRADE_SHARES)
    takes = rng.integers(3, 30, count)
    head = heads_who_live(lives, month // 12, month + takes)
    chosen = np.flatnonzero((rng.random(count) < 0.2) & (head >= 0))
    appraised = first_day_of_month(month) + rng.integers(0, 28, count)
    completed = first_day_of_month(month + takes) + rng.integers(0, 28, count)
    is_done = (grade >= GRADE_C) & (rng.random(count) < 0.85) & (month + takes < MONTH_COUNT)
    return Facts(
        kinds=HOUSE_GRADES,
        person=head[chosen],
        kind=grade[chosen],
        start=appraised[chosen],
        end=np.where(is_done, completed, NEVER)[chosen],
        amount_fen=np.where(is_done, HOUSE_GRANT_FEN[grade], -1)[chosen],
    )


def draw_relocations(rng: np.random.Generator, lives: Lives) -> Facts:
    """Households that were planned to move in a year, and did so in it or in the next one."""
    count = len(lives.village)
    planned = rng.integers(0, YEAR_COUNT - 1, count)
    moved = planned + rng.integers(0, 2, count)
    head = heads_who_live(lives, planned, moved * 12 + 12)
    chosen = np.flatnonzero((rng.random(count) < 0.025) & (head >= 0))
    returns = (rng.random(count) < 0.05) & (moved + 1 < YEAR_COUNT)
    size = lives.members.member_count[np.arange(count), planned]
    return Facts(
        kinds=RELOCATION_STATES,
        person=head[chosen],
        kind=np.where(returns, RETURNED, MOVED)[chosen],
        start=(first_day_of_year(moved) + rng.integers(0, 360, count))[chosen],
        end=never(chosen),
        amount_fen=(size * RELOCATION_FEN_PER_HEAD)[chosen],
        more={
            "planned": planned[chosen],
            "moved": moved[chosen],
            "size": size[chosen],
            "cause": rng.integers(0, 4, count)[chosen],
            "way": rng.integers(0, 2, count)[chosen],
        },
    )


def draw_jobs(rng: np.random.Generator, lives: Lives) -> Facts:
    """One job a worker in the last year; the jobs of a household earn its wage, shared evenly.

    It is earned in as few months as make a decent wage, before the job was lost where one was.
    """
    last_year = MONTH_COUNT - 12
    household = lives.members.household
    person = np.flatnonzero(workers(lives)[:, -1])
    home = household[person]
    wage = lives.economy.components_fen[:, -1, 0]
    share = wage[home] // np.bincount(home, minlength=len(wage))[home]
    lost = np.full(len(wage), NEVER, dtype=np.int64)
    is_loss = (lives.events.kind == JOB_LOSS) & (lives.events.month >= last_year)
    lost[lives.events.household[is_loss]] = lives.events.month[is_loss] - last_year
    until = np.clip(lost[home], 1, 12)
    months = np.clip(share // LOWEST_WAGE_FEN, 1, until)
    first = last_year + until - months
    begun = first - np.where(first == last_year, rng.integers(0, 48, len(person)), 0)
    end = np.where(lost[home] == NEVER, NEVER, first_day_of_month(last_year + until - 1))
    is_local = rng.random(len(person)) < 0.45
    hired = np.flatnonzero(share >= LEAST_EARNED_FEN)
    return Facts(
        kinds=WORK_STATES,
        person=person[hired],
        kind=is_local[hired].astype(np.int64),
        start=first_day_of_month(begun)[hired],
        end=end[hired],
        amount_fen=(share // months * months)[hired],
        more={
            "monthly": (share // months)[hired],
            "first": first[hired],
            "until": last_year + until[hired],
        },
    )


def draw_training(rng: np.random.Generator, lives: Lives) -> Facts:
    """Courses of members with labour; one in twelve takes one in a year."""
    takes = workers(lives)
    takes &= rng.random(takes.shape) < 0.08
    year, person = np.nonzero(takes.T)
    days = rng.integers(3, 16, len(person))
    start = first_day_of_year(year) + rng.integers(20, 330, len(person))
    has_wage = lives.economy.components_fen[lives.members.household[person], year, 0] > 0
    return Facts(
        kinds=TRAINING_KINDS,
        person=person,
        kind=rng.integers(0, len(TRAINING_KINDS), len(person)),
        start=start,
        end=start + days - 1,
        amount_fen=nothing(person),
        more={"year": year, "hours": days * 8, "works": has_wage.astype(np.int64)},
    )


def draw_posts(rng: np.random.Generator, lives: Lives) -> Facts:
    """Posts of older members whose household earns at least as much in wages while it is held."""
    age, present = member_ages(lives), members_at_year_end(lives)
    members = lives.members
    kind = rng.integers(0, len(POSTS), len(age))
    wage = lives.economy.components_fen[members.household, :, 0]
    fits = present & (age >= 45) & (age <= LAST_AGE_OF_POST)
    fits &= lives.economy.in_ledger[members.household] & (wage >= 12 * POST_FEN[kind, None])
    begin = rng.integers(0, YEAR_COUNT, len(age))
    holds = fits & (begin[:, None] <= YEARS_FROM_2017) & (rng.random(len(age)) < 0.08)[:, None]
    # the first year in which it does not fit ends the post
    holds &= np.logical_and.accumulate(fits | (begin[:, None] > YEARS_FROM_2017), axis=1)
    person = np.flatnonzero(holds.any(axis=1))
    first = holds[person].argmax(axis=1)
    last = first + holds[person].sum(axis=1) - 1
    return Facts(
        kinds=POSTS,
        person=person,
        kind=kind[person],
        start=first_day_of_year(first) + rng.integers(0, 90, len(person)),
        end=np.where(last == YEAR_COUNT - 1, NEVER, last_day_of_year(last)),
        amount_fen=POST_FEN[kind[person]],
        more={"first": first, "last": last},
    )


def draw_pensions(rng: np.random.Generator, lives: Lives) -> Facts:
    """The register of each year; who is insured as an employee is so for the pension as well."""
    people, insurance = lives.people, lives.insurance
    born = month_of(people.birth)
    year, person = insurance.year, insurance.person
    age = FIRST_YEAR + year - year_of(people.birth)[person]
    since = born[person] + 60 * 12 + 1
    is_in = (year * 12 >= FIRST_MONTHS["pension_enrolment"]) & (age >= 16)
    kept = np.flatnonzero(is_in & (people.death_month[person] > year * 12 + 11))
    year, person, since = year[kept], person[kept], since[kept]
    is_employee = insurance.insurance[kept]
    draws = (since <= year * 12 + 11) & (is_employee == 0)
    home = np.maximum(people.household[person], 0)
    is_poor = (people.household[person] >= 0) & (lives.economy.assistance[home] != NO_ASSISTANCE)
    is_paid_for = is_poor & (insurance.state[kept] == PAID_FOR) & ~draws & (is_employee == 0)
    lacks = (rng.random(len(people.key)) < 0.04)[person] & ~draws & ~is_paid_for
    tier = TIERS_FEN[np.where(is_paid_for, 0, people.key[person] % len(TIERS_FEN))]
    premium = np.where(is_employee == 1, EMPLOYEE_PREMIUM_FEN, tier)
    state = np.where(lacks, NOT_INSURED, np.where(is_paid_for, PAID_FOR, 0))
    pays = ~draws & ~lacks
    first = FIRST_MONTHS["pension_enrolment"] // 12
    return Facts(
        kinds=PENSION_STATES,
        person=person,
        kind=draws.astype(np.int64),
        start=np.where(draws, first_day_of_month(since), NEVER),
        end=never(person),
        amount_fen=np.where(draws, PENSION_FEN[year - first], -1),
        more={
            "year": year,
            "scheme": is_employee,
            "state": state,
            "tier": np.where(pays & (is_employee == 0), tier, -1),
            "premium": np.where(pays, premium, -1),
            "paid": np.where(pays, first_day_of_year(year) + 150 + people.key[person] % 100, NEVER),
        },
    )

"""Relief and allowances month by month: who is paid what, and which payments really ended."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minsheng.demo.economy import DIBAO, DIBAO_MARGIN, TEKUN, Economy
from minsheng.demo.events import BENEFIT_STOPPED, Events
from minsheng.demo.health import Certificates
from minsheng.demo.households import Members
from minsheng.demo.people import People
from minsheng.demo.reference import MONTH_COUNT, YEAR_COUNT, Flags, Integers

PROGRAMMES = ("dibao", "tekun", "disability_living", "disability_care", "temporary")
PAY_DIBAO, PAY_TEKUN, PAY_LIVING, PAY_CARE, PAY_TEMPORARY = range(len(PROGRAMMES))

MONTHS = np.arange(MONTH_COUNT)
YEAR_OF_MONTH = MONTHS // 12
# The living allowance follows the dibao standard; the care allowance depends on the grade.
LIVING_FEN = np.array([16_800, 18_300, 20_100, 22_200, 24_000, 25_800], dtype=np.int64)
CARE_FEN = np.array([0, 25_000, 12_500], dtype=np.int64)
SNAPSHOT_MONTHS = tuple(
    year * 12 + month for year in range(YEAR_COUNT) for month in (5, 11)
)  # June and December


@dataclass(frozen=True)
class Payments:
    """Payments as parallel arrays; `month` counts from January 2017."""

    month: Integers
    person: Integers
    programme: Integers
    amount_fen: Integers


@dataclass(frozen=True)
class AssistanceRoll:
    """Members on assistance in the snapshot months."""

    month: Integers
    person: Integers
    assistance: Integers
    start: Integers
    monthly_fen: Integers


def draw_payments(
    rng: np.random.Generator,
    members: Members,
    people: People,
    economy: Economy,
    certificates: Certificates,
    illness: Events,
) -> tuple[Payments, Events]:
    """All payments of six years and the payments that ended although the person lives."""
    payee = payees(members, people)
    assisted = economy.assisted()
    lives_on = payee >= 0
    parts: list[Payments] = []
    stops: list[Events] = []
    monthly = economy.per_person_fen * members.member_count[:, :YEAR_COUNT]
    for kind, programme in ((DIBAO, PAY_DIBAO), (TEKUN, PAY_TEKUN)):
        active = assisted & lives_on & (economy.assistance == kind)[:, None]
        month, household = np.nonzero(active.T)
        amount = monthly[household, month // 12]
        parts.append(paid(month, payee[household, month], programme, amount))
        household, month = ends(active, lives_on)
        last = month - 1
        person, amount = payee[household, last], monthly[household, last // 12]
        stops.append(Events.of(BENEFIT_STOPPED, household, month, amount, person))

    holder = np.flatnonzero(certificates.grade[: len(members.household)] > 0)
    home = members.household[holder]
    alive = members.listed[holder][:, YEAR_OF_MONTH] & (people.death_month[holder, None] >= MONTHS)
    covered = alive & (certificates.issue_month[holder, None] < MONTHS)
    covered &= economy.entry_year[home, None] * 12 <= MONTHS
    in_difficulty = np.isin(economy.assistance[home], (DIBAO, DIBAO_MARGIN))
    grade = certificates.grade[holder]
    care_end = draw_care_ends(rng, len(holder))
    living = covered & assisted[home] & in_difficulty[:, None]
    care = covered & (grade <= 2)[:, None] & (care_end[:, None] > MONTHS)
    living_fen = np.broadcast_to(LIVING_FEN, (len(holder), YEAR_COUNT))
    care_fen = np.broadcast_to(CARE_FEN[np.minimum(grade, 2), None], living_fen.shape)
    for programme, active, fen in ((PAY_LIVING, living, living_fen), (PAY_CARE, care, care_fen)):
        month, index = np.nonzero(active.T)
        parts.append(paid(month, holder[index], programme, fen[index, month // 12]))
        index, month = ends(active, alive)
        amount = fen[index, (month - 1) // 12]
        stops.append(Events.of(BENEFIT_STOPPED, home[index], month, amount, holder[index]))

    parts.append(draw_temporary(rng, payee, economy, illness))
    payments = Payments(
        month=np.concatenate([part.month for part in parts]),
        person=np.concatenate([part.person for part in parts]),
        programme=np.concatenate([part.programme for part in parts]),
        amount_fen=np.concatenate([part.amount_fen for part in parts]),
    )
    return payments, Events.concatenate(stops)


def paid(month: Integers, person: Integers, programme: int, amount: Integers) -> Payments:
    """Payments of one programme."""
    return Payments(month, person, np.full(len(month), programme, dtype=np.int64), amount)


def payees(members: Members, people: People) -> Integers:
    """Who is paid for each household in each month: its head, or the next once the head died."""
    now = members.head[:, YEAR_OF_MONTH]
    following = members.head[:, YEAR_OF_MONTH + 1]
    has_died = (now >= 0) & (people.death_month[np.maximum(now, 0)] < MONTHS)
    return np.where(has_died, following, now)


def ends(active: Flags, alive: Flags) -> tuple[Integers, Integers]:
    """Rows and months in which a payment is missing for the first time while life goes on."""
    index, month = np.nonzero(active[:, :-1] & ~active[:, 1:] & alive[:, 1:])
    return index, month + 1


def draw_care_ends(rng: np.random.Generator, count: int) -> Integers:
    """First month without the care allowance; far away for nearly everyone."""
    ends_early = rng.random(count) < 0.05
    return np.where(ends_early, rng.integers(12, MONTH_COUNT, count), 10 * MONTH_COUNT)


def draw_temporary(
    rng: np.random.Generator, payee: Integers, economy: Economy, illness: Events
) -> Payments:
    """One-off relief: after some illnesses, and now and then otherwise."""
    granted = rng.random(payee.shape) < 0.0003
    helped = (rng.random(len(illness.month)) < 0.3) & (illness.month < MONTH_COUNT - 1)
    granted[illness.household[helped], illness.month[helped] + 1] = True
    granted &= (payee >= 0) & economy.in_ledger[:, YEAR_OF_MONTH]
    month, household = np.nonzero(granted.T)
    amount = rng.integers(10, 81, len(month)) * 10_000
    return paid(month, payee[household, month], PAY_TEMPORARY, amount)


def assistance_roll(members: Members, people: People, economy: Economy) -> AssistanceRoll:
    """Living members of households on assistance in June and December."""
    months = np.array(SNAPSHOT_MONTHS)
    on_list = members.listed[:, months // 12] & (
        people.death_month[: len(members.household), None] >= months
    )
    active = economy.assisted()[:, months][members.household] & on_list
    snapshot, person = np.nonzero(active.T)
    month = months[snapshot]
    household = members.household[person]
    return AssistanceRoll(
        month=month,
        person=person,
        assistance=economy.assistance[household],
        start=economy.benefit_start[household],
        monthly_fen=economy.per_person_fen[household, month // 12],
    )

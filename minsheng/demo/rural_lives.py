"""What befalls monitored households: cases, accidents, loans, measures and clues of a chunk.

Everything follows from lives that are drawn already and has random numbers of its own, so that it
changes none of them.  Months count from January 2017, amounts are in fen, households and persons
are positions within the chunk.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minsheng.demo.benefits import YEAR_OF_MONTH, payees
from minsheng.demo.economy import CAUSES
from minsheng.demo.events import BUSINESS_FAILURE, ILLNESS
from minsheng.demo.households import NEVER
from minsheng.demo.lives import Lives
from minsheng.demo.reference import FIRST_YEAR, MONTH_COUNT, YEAR_COUNT, Flags, Integers
from minsheng.demo.text import first_day_of_month, month_of, year_of

FIRST_CASE_MONTH = 36
FIRST_EXCHANGE_MONTH = 48
FIRST_CLUE_MONTH = 60
LARGE_COST_FEN = 2_000_000

OBJECT_TYPES = ("unstable", "marginal", "sudden")
UNSTABLE, MARGINAL, SUDDEN = range(len(OBJECT_TYPES))
RISKS = (
    "illness", "disability", "schooling", "disaster", "accident", "business", "job", "labour",
)  # fmt: skip
RISK_ILLNESS, RISK_BUSINESS, RISK_JOB, RISK_LABOUR = (
    RISKS.index(name) for name in ("illness", "business", "job", "labour")
)
NO_RISK = -1
CHANNELS = ("application", "visit", "village", "comparison", "inspection", "hotline", "petition")
CHANNEL_SHARES = (0.22, 0.25, 0.14, 0.25, 0.04, 0.06, 0.04)

INJURIES = ("slight", "severe", "disabled", "dead")
INJURY_SHARES = (0.62, 0.28, 0.10)
DEAD = INJURIES.index("dead")
ACCIDENTS = ("traffic", "work", "other", "crime")
ACCIDENT_SHARES = (0.62, 0.18, 0.15, 0.05)

MEASURES = (
    "health", "safety_net", "education", "social", "job", "industry",
    "asset_share", "link", "public_post",
)  # fmt: skip
ASSET_SHARE, LINK, PUBLIC_POST = (
    MEASURES.index(name) for name in ("asset_share", "link", "public_post")
)
MEASURE_OF_RISK = {
    "illness": "health",
    "disability": "safety_net",
    "schooling": "education",
    "disaster": "social",
    "accident": "social",
    "business": "industry",
    "job": "job",
    "labour": "safety_net",
}
SHARE_FEN = 1_000_000

RESULTS = ("identified", "helped", "unfounded", "pending")
IDENTIFIED, HELPED, UNFOUNDED, PENDING = range(len(RESULTS))


@dataclass(frozen=True)
class Cases:
    """Monitored households, one case a household; `cleared` is NEVER while the risk is open."""

    household: Integers
    type: Integers
    first_risk: Integers
    second_risk: Integers
    channel: Integers
    identified: Integers
    cleared: Integers
    income_fen: Integers
    self_paid_fen: Integers


@dataclass(frozen=True)
class Accidents:
    """Persons hurt or killed; days count from 1970-01-01."""

    person: Integers
    kind: Integers
    injury: Integers
    day: Integers
    registered: Integers
    compensation_fen: Integers


@dataclass(frozen=True)
class Loans:
    """Small loans; `settled` is NEVER where the borrower does not pay."""

    household: Integers
    person: Integers
    lent: Integers
    day: Integers
    due: Integers
    settled: Integers
    amount_fen: Integers


@dataclass(frozen=True)
class Measures:
    """Measures of a year; `end` is NEVER while they go on, `identified` for households of no case.

    `link` is a position among the links of interests, -1 for none.
    """

    year: Integers
    household: Integers
    person: Integers
    kind: Integers
    link: Integers
    start: Integers
    end: Integers
    identified: Integers
    support_fen: Integers
    share_fen: Integers
    dividend_fen: Integers


@dataclass(frozen=True)
class Clues:
    """Clues of the last year; days count from 1970-01-01."""

    person: Integers
    channel: Integers
    risk: Integers
    received: Integers
    verified: Integers
    closed: Integers
    result: Integers


@dataclass(frozen=True)
class RuralLives:
    """Everything true of a chunk that the rural departments alone report."""

    head: Integers
    cases: Cases
    accidents: Accidents
    loans: Loans
    measures: Measures
    clues: Clues


def draw_rural_lives(lives: Lives, seed: int) -> RuralLives:
    """Draw what the rural departments report of a chunk; `head` is who stands for it by month."""
    rng = np.random.default_rng([seed, lives.chunk, 30])
    head = payees(lives.members, lives.people)
    cases = draw_cases(rng, lives, head)
    return RuralLives(
        head=head,
        cases=cases,
        accidents=draw_accidents(rng, lives),
        loans=draw_loans(rng, lives, head),
        measures=draw_measures(rng, lives, head, cases),
        clues=draw_clues(rng, head, cases),
    )


def draw_cases(rng: np.random.Generator, lives: Lives, head: Integers) -> Cases:
    """Households that fell below the line, failed in business or paid much for an illness.

    Some that enter the roll were monitored in the half-year before, at the margin of poverty.
    """
    economy, members, events = lives.economy, lives.members, lives.events
    fallen, year = np.nonzero(economy.falls)
    is_shock = events.kind == BUSINESS_FAILURE
    is_shock |= (events.kind == ILLNESS) & (events.amount_fen >= LARGE_COST_FEN)
    entrant = np.flatnonzero(economy.entry_year > 0)
    entrant = entrant[rng.random(len(entrant)) < 0.3]
    household = np.r_[fallen, events.household[is_shock], entrant]
    # A fall is known when the ledger of the year is in, a shock within two months.
    identified = np.r_[
        (year + 1) * 12 + rng.integers(1, 4, len(year)),
        events.month[is_shock] + rng.integers(1, 3, int(is_shock.sum())),
        economy.entry_year[entrant] * 12 - rng.integers(1, 7, len(entrant)),
    ]
    trigger = np.r_[np.full(len(fallen), -1), events.kind[is_shock], np.full(len(entrant), -1)]
    is_in = (identified >= FIRST_CASE_MONTH) & (identified < MONTH_COUNT)
    is_in &= rng.random(len(household)) < 0.7
    is_in &= head[household, np.minimum(identified, MONTH_COUNT - 1)] >= 0
    order = np.flatnonzero(is_in)[np.argsort(identified[is_in], kind="stable")]
    _, first = np.unique(household[order], return_index=True)
    order = order[first]
    household, identified, trigger = household[order], identified[order], trigger[order]

    year = identified // 12
    has_labour = members.has_labour[household, year]
    was_listed = economy.entry_year[household] <= year
    kind = np.where(trigger == ILLNESS, SUDDEN, np.where(was_listed, UNSTABLE, MARGINAL))
    self_paid = self_paid_before(lives, household, identified)
    lacks = np.where(has_labour, RISK_JOB, RISK_LABOUR)
    known = np.array([RISKS.index(name) if name in RISKS else NO_RISK for name in CAUSES])
    risk = known[economy.cause[household]]
    risk = np.where(trigger == ILLNESS, RISK_ILLNESS, risk)
    risk = np.where(trigger == BUSINESS_FAILURE, RISK_BUSINESS, risk)
    # Who paid for no illness is at risk of something else.
    risk = np.where((risk == NO_RISK) | ((risk == RISK_ILLNESS) & (self_paid == 0)), lacks, risk)
    has_second = has_labour & (risk != RISK_JOB) & (rng.random(len(risk)) < 0.3)
    cleared = identified + rng.integers(7, 21, len(risk))
    is_cleared = has_labour & (cleared < MONTH_COUNT) & (rng.random(len(risk)) < 0.8)
    is_cleared &= head[household, np.minimum(cleared, MONTH_COUNT - 1)] >= 0
    people = np.maximum(members.member_count[household, year - 1], 1)
    return Cases(
        household=household,
        type=kind,
        first_risk=risk,
        second_risk=np.where(has_second, RISK_JOB, NO_RISK),
        channel=rng.choice(len(CHANNELS), size=len(risk), p=CHANNEL_SHARES),
        identified=identified,
        cleared=np.where(is_cleared, cleared, NEVER),
        income_fen=economy.total_fen[household, year - 1] // people,
        self_paid_fen=self_paid,
    )


def self_paid_before(lives: Lives, household: Integers, month: Integers) -> Integers:
    """What each household paid itself for care in the twelve months before a month."""
    bills = lives.settlements
    home = lives.people.household[bills.person]
    paid = np.zeros((len(lives.village), MONTH_COUNT + 1), dtype=np.int64)
    np.add.at(paid, (home[home >= 0], bills.month[home >= 0] + 1), bills.self_fen[home >= 0])
    total = paid.cumsum(axis=1)
    return np.asarray(total[household, month] - total[household, month - 12])


def draw_accidents(rng: np.random.Generator, lives: Lives) -> Accidents:
    """Accidents since the police began to send them; some of the early deaths are theirs."""
    people = lives.people
    count = len(people.key)
    month = rng.integers(FIRST_EXCHANGE_MONTH, MONTH_COUNT, count)
    day = first_day_of_month(month) + rng.integers(0, 28, count)
    age = FIRST_YEAR + month // 12 - year_of(people.birth)
    lives_on = people.listed[np.arange(count), month // 12] & (people.death_month > month)
    hurt = lives_on & (age >= 12) & (age <= 80) & (rng.random(count) < 0.008)
    died = np.where(people.death == NEVER, 0, people.death)
    age_at_death = year_of(died) - year_of(people.birth)
    killed = (people.death_month >= FIRST_EXCHANGE_MONTH) & (people.death_month < MONTH_COUNT)
    killed &= (age_at_death < 68) & (rng.random(count) < 0.2)
    person = np.flatnonzero(hurt | killed)
    injury = rng.choice(len(INJURY_SHARES), size=count, p=INJURY_SHARES)
    injury = np.where(killed, DEAD, injury)[person]
    day = np.where(killed, died, day)[person]
    paid = rng.integers(20, 4_000, len(person)) * 10_000 * (injury + 1)
    return Accidents(
        person=person,
        kind=rng.choice(len(ACCIDENTS), size=len(person), p=ACCIDENT_SHARES),
        injury=injury,
        day=day,
        registered=day + rng.integers(0, 4, len(person)),
        compensation_fen=np.where(rng.random(len(person)) < 0.5, paid, 0),
    )


def draw_loans(rng: np.random.Generator, lives: Lives, head: Integers) -> Loans:
    """Loans to households with labour; who fails in business within the term does not pay."""
    members, economy = lives.members, lives.economy
    count = len(lives.village)
    borrows = rng.random((count, YEAR_COUNT)) < 0.05
    lent = np.arange(YEAR_COUNT) * 12 + rng.integers(0, 12, (count, YEAR_COUNT))
    borrower = head[np.arange(count)[:, None], lent]
    birth_year = year_of(members.birth)[np.maximum(borrower, 0)]
    age = FIRST_YEAR + np.arange(YEAR_COUNT) - birth_year
    borrows &= economy.on_roll & members.has_labour[:, :YEAR_COUNT] & (borrower >= 0)
    borrows &= (age >= 20) & (age <= 62)
    household, year = np.nonzero(borrows)
    lent = lent[household, year]
    due = lent + 12 * rng.integers(1, 4, len(household))
    failed = np.full(count, NEVER)
    is_failure = lives.events.kind == BUSINESS_FAILURE
    failed[lives.events.household[is_failure]] = lives.events.month[is_failure]
    fails = (failed[household] >= lent) & (failed[household] <= due)
    fails |= rng.random(len(household)) < 0.03
    return Loans(
        household=household,
        person=borrower[household, year],
        lent=lent,
        day=rng.integers(0, 28, len(household)),
        due=due,
        settled=np.where(fails, NEVER, due),
        amount_fen=rng.integers(1, 6, len(household)) * 1_000_000,
    )


def draw_measures(rng: np.random.Generator, lives: Lives, head: Integers, cases: Cases) -> Measures:
    """Measures against the risk of a case; shares, links and posts of households on the roll."""
    on_roll, has_labour = lives.economy.on_roll, lives.members.has_labour[:, :YEAR_COUNT]
    count = len(lives.village)
    first_months = np.arange(YEAR_COUNT) * 12
    here = (head[:, first_months] >= 0) & (head[:, first_months + 11] >= 0)
    who = rng.random(count)[:, None]
    wanted = here & on_roll
    age = FIRST_YEAR + np.arange(YEAR_COUNT) - year_of(lives.members.birth)[head[:, first_months]]
    is_working_age = (age >= 18) & (age <= 64)
    parts = [
        of_roll(rng, lives, head, wanted & ~has_labour & (who < 0.3), ASSET_SHARE),
        of_roll(rng, lives, head, wanted & has_labour & (who < 0.35), LINK),
        of_roll(rng, lives, head, wanted & has_labour & is_working_age & (who > 0.95), PUBLIC_POST),
        of_cases(rng, head, cases),
    ]
    return Measures(
        **{
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in Measures.__dataclass_fields__
        }
    )


def of_roll(
    rng: np.random.Generator, lives: Lives, head: Integers, wanted: Flags, kind: int
) -> Measures:
    """Measures of one kind that run for a calendar year."""
    household, year = np.nonzero(wanted)
    size = len(household)
    start = year * 12 + (2 if kind == LINK else 0)
    dividend = rng.integers(300, 900, size) * 100
    is_share = kind == ASSET_SHARE
    return Measures(
        year=year,
        household=household,
        person=head[household, start],
        kind=np.full(size, kind, dtype=np.int64),
        link=rng.integers(0, 6, size) if kind == LINK else np.full(size, -1),
        start=start,
        end=year * 12 + 11,
        identified=np.full(size, NEVER),
        support_fen=np.zeros(size, dtype=np.int64) + (0 if is_share else dividend * 4),
        share_fen=np.full(size, SHARE_FEN if is_share else 0),
        dividend_fen=dividend if is_share else np.zeros(size, dtype=np.int64),
    )


def of_cases(rng: np.random.Generator, head: Integers, cases: Cases) -> Measures:
    """The measure against the first risk of a case; one in ten waits for it, or never gets it."""
    waits = rng.random(len(cases.household)) < 0.1
    start = cases.identified + np.where(waits, 4, rng.integers(0, 2, len(waits)))
    is_in = start < np.minimum(cases.cleared, MONTH_COUNT)
    is_in &= head[cases.household, np.minimum(start, MONTH_COUNT - 1)] >= 0
    household, start = cases.household[is_in], start[is_in]
    kinds = np.array([MEASURES.index(MEASURE_OF_RISK[name]) for name in RISKS])
    nothing = np.zeros(len(household), dtype=np.int64)
    return Measures(
        year=YEAR_OF_MONTH[start],
        household=household,
        person=head[household, start],
        kind=kinds[cases.first_risk[is_in]],
        link=nothing - 1,
        start=start,
        end=np.full(len(household), NEVER),
        identified=cases.identified[is_in],
        support_fen=rng.integers(5, 60, len(household)) * 10_000,
        share_fen=nothing,
        dividend_fen=nothing,
    )


def draw_clues(rng: np.random.Generator, head: Integers, cases: Cases) -> Clues:
    """A clue before each case of the last year, and others that were helped at once or unfounded.

    What is not closed by the end of the year is still being verified.
    """
    is_late = cases.identified > FIRST_CLUE_MONTH
    household, month = cases.household[is_late], cases.identified[is_late]
    other = np.flatnonzero((head[:, FIRST_CLUE_MONTH:] >= 0).all(axis=1))
    other = other[rng.random(len(other)) < 0.03]
    other = other[~np.isin(other, household)]
    received = first_day_of_month(np.r_[month, rng.integers(FIRST_CLUE_MONTH, 72, len(other))])
    # The clue to a case comes in some weeks before the month of its identification.
    received[: len(month)] -= rng.integers(8, 25, len(month))
    received[len(month) :] += rng.integers(0, 28, len(other))
    verified = received + rng.integers(0, 6, len(received))
    result = np.r_[
        np.full(len(month), IDENTIFIED),
        np.where(rng.random(len(other)) < 0.3, HELPED, UNFOUNDED),
    ]
    risk = np.r_[cases.first_risk[is_late], rng.integers(0, len(RISKS), len(other))]
    channel = rng.choice(len(CHANNELS), size=len(risk), p=CHANNEL_SHARES)
    channel[: len(month)] = cases.channel[is_late]
    everyone = np.r_[household, other]
    return Clues(
        person=head[everyone, month_of(received)],
        channel=channel,
        risk=risk,
        received=received,
        verified=verified,
        closed=verified + rng.integers(3, 16, len(received)),
        result=result,
    )

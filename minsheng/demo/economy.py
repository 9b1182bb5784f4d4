"""What a household lives on: causes, benefits, shocks, income, and the roll it stands on.

Years are drawn one after the other, because who leaves the roll depends on the income of the
year before, and a benefit that stops lowers the income of the months after.  Amounts are in fen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minsheng.demo.events import BUSINESS_FAILURE, JOB_LOSS, Events
from minsheng.demo.households import Members
from minsheng.demo.reference import MONTH_COUNT, YEAR_COUNT, Flags, Floats, Integers

NO_MONTH = 10_000

CAUSES = (
    "illness", "disability", "labour", "skill", "capital",
    "schooling", "disaster", "accident", "job", "motivation", "other",
)  # fmt: skip
CAUSE_SHARES = (
    0.705, 0.173, 0.0450, 0.0250, 0.0214, 0.0080, 0.0040, 0.0060, 0.0040, 0.0030, 0.0056,
)  # fmt: skip

ASSISTANCE = ("dibao", "dibao_margin", "tekun")
NO_ASSISTANCE, DIBAO, DIBAO_MARGIN, TEKUN = -1, 0, 1, 2

# Income per head on the roll that the demo aims at, in yuan, and what the draw must be multiplied
# with to reach it although the better-off leave the roll and shocks lower incomes.
TARGET_MEAN_YUAN = np.array([9_700.0, 11_086.0, 12_650.0, 14_440.0, 16_480.0, 18_800.0])
CALIBRATION = np.array([0.979, 0.989, 1.007, 1.022, 1.037, 1.050])
GROWTH_WITH_LABOUR, GROWTH_WITHOUT_LABOUR = 0.008, -0.006
SPREAD_OF_HOUSEHOLDS, SPREAD_OF_YEARS = 0.26, 0.07
LINE_FEN = 960_000

# Shares of wage, business, property and transfer income.
SHARES_WITH_LABOUR = (0.52, 0.15, 0.03, 0.30)
SHARES_WITHOUT_LABOUR = (0.14, 0.09, 0.03, 0.74)

FIRST_ROLL_SHARE = 0.88
LEAVING_RATES = (0.0, 0.065, 0.075, 0.077, 0.069, 0.064)
DIBAO_STANDARD_YUAN = np.array([560, 610, 670, 740, 800, 860], dtype=np.int64)


@dataclass(frozen=True)
class Economy:
    """Economic life of a chunk's households; matrices have one column a year from 2017.

    `components_fen` is households by years by four. `per_person_fen` is the monthly benefit of
    one member in each year. `benefit_start` and `benefit_stop` are months from January 2017.
    """

    cause: Integers
    entry_year: Integers
    on_roll: Flags
    in_ledger: Flags
    components_fen: Integers
    total_fen: Integers
    assistance: Integers
    benefit_start: Integers
    benefit_stop: Integers
    per_person_fen: Integers
    falls: Flags

    def assisted(self) -> Flags:
        """Whether each household is on assistance in each month."""
        month = np.arange(MONTH_COUNT)
        is_active = (month >= self.benefit_start[:, None]) & (month < self.benefit_stop[:, None])
        return np.asarray(is_active & (self.assistance != NO_ASSISTANCE)[:, None])


def draw_entry_years(rng: np.random.Generator, count: int) -> Integers:
    """Year, counted from 2017, in which each household first stands on the roll."""
    later = rng.integers(1, YEAR_COUNT, count)
    return np.where(rng.random(count) < FIRST_ROLL_SHARE, 0, later)


def draw_causes(rng: np.random.Generator, count: int) -> Integers:
    """Main cause of poverty of each household."""
    # Evenly spaced quantiles keep the shares close to the published ones even in small runs.
    bounds = np.cumsum(CAUSE_SHARES) / np.sum(CAUSE_SHARES)
    quantiles = (np.arange(count) + rng.random()) / count
    return np.asarray(rng.permutation(np.searchsorted(bounds[:-1], quantiles, side="right")))


def draw_economy(
    rng: np.random.Generator,
    members: Members,
    cause: Integers,
    entry_year: Integers,
    illness_year: Flags,
) -> tuple[Economy, Events]:
    """Draw six years; `illness_year` marks years with a catastrophic illness."""
    count = len(entry_year)
    people = members.member_count
    assistance, start, stop = draw_assistance(rng, members, entry_year)
    ratio = rng.uniform(0.35, 0.95, count)
    ratio[assistance == TEKUN] = 1.3
    per_person = np.round(DIBAO_STANDARD_YUAN * ratio[:, None]).astype(np.int64) * 100
    per_person[(assistance == NO_ASSISTANCE) | (assistance == DIBAO_MARGIN)] = 0
    level = rng.normal(0.0, SPREAD_OF_HOUSEHOLDS, count)
    shares = draw_shares(rng, members.has_labour[:, 0])

    on_roll = np.zeros((count, YEAR_COUNT), dtype=np.bool_)
    components = np.zeros((count, YEAR_COUNT, 4), dtype=np.int64)
    per_head = np.zeros((count, YEAR_COUNT), dtype=np.int64)
    events: list[Events] = []
    for year in range(YEAR_COUNT):
        lives_on = people[:, year] > 0
        on_roll[:, year] = lives_on & stands_on_roll(
            rng, year, on_roll, per_head, entry_year, assistance != NO_ASSISTANCE
        )
        stops = draw_stops(rng, year, on_roll, start, stop, lives_on & (assistance >= 0))
        stop = np.where(stops < stop, stops, stop)
        years_of_growth = year * np.where(
            members.has_labour[:, year], GROWTH_WITH_LABOUR, GROWTH_WITHOUT_LABOUR
        )
        deviation = level + years_of_growth + rng.normal(0.0, SPREAD_OF_YEARS, count)
        mean = TARGET_MEAN_YUAN[year] * CALIBRATION[year] * 100
        expected = mean * np.exp(deviation - SPREAD_OF_HOUSEHOLDS**2 / 2) * people[:, year]
        amounts = np.round(expected[:, None] * shares).astype(np.int64)
        observed = lives_on & (year >= entry_year)
        lower_wage(rng, amounts, illness_year[:, year] & lives_on)
        apply_benefits(amounts, year, start, stop, per_person[:, year] * people[:, year])
        events.append(apply_job_loss(rng, amounts, year, observed & members.has_labour[:, year]))
        events.append(apply_business_failure(rng, amounts, year, observed))
        components[:, year] = amounts
        per_head[:, year] = amounts.sum(axis=1) // np.maximum(people[:, year], 1)
    total = components.sum(axis=2)
    in_ledger = (people[:, :YEAR_COUNT] > 0) & (np.arange(YEAR_COUNT) >= entry_year[:, None])
    economy = Economy(
        cause=cause,
        entry_year=entry_year,
        on_roll=on_roll,
        in_ledger=in_ledger,
        components_fen=components,
        total_fen=total,
        assistance=assistance,
        benefit_start=start,
        benefit_stop=stop,
        per_person_fen=per_person,
        falls=find_falls(total, people[:, :YEAR_COUNT], in_ledger),
    )
    return economy, Events.concatenate(events)


def draw_assistance(
    rng: np.random.Generator, members: Members, entry_year: Integers
) -> tuple[Integers, Integers, Integers]:
    """Kind of assistance with its first month and NO_MONTH as the month after its last."""
    count = len(entry_year)
    draw = rng.random(count)
    kind = np.where(draw < 0.325, DIBAO, np.where(draw < 0.475, DIBAO_MARGIN, NO_ASSISTANCE))
    kind = np.where(members.is_single_elder & (rng.random(count) < 0.17), TEKUN, kind)
    early = rng.integers(-84, 1, count)
    later = rng.integers(0, MONTH_COUNT, count)
    is_later = rng.random(count) < 0.12
    entry_month = entry_year * 12
    start = np.where(entry_year == 0, early, entry_month + rng.integers(0, 6, count))
    start = np.where(is_later, np.maximum(later, entry_month), start)
    return kind, start, np.full(count, NO_MONTH, dtype=np.int64)


def draw_shares(rng: np.random.Generator, has_labour: Flags) -> Floats:
    """Shares of the four components, which add up to one, for each household."""
    usual = np.where(has_labour[:, None], SHARES_WITH_LABOUR, SHARES_WITHOUT_LABOUR)
    drawn = rng.standard_gamma(usual * 14)
    return np.asarray(drawn / drawn.sum(axis=1, keepdims=True))


def stands_on_roll(
    rng: np.random.Generator,
    year: int,
    on_roll: Flags,
    per_head: Integers,
    entry_year: Integers,
    is_assisted: Flags,
) -> Flags:
    """Who stands on the roll: entrants, stayers, and leavers who fell below the line."""
    enters = entry_year == year
    if year == 0:
        return np.asarray(enters)
    before = on_roll[:, year - 1]
    rank = np.zeros(len(before))
    rank[np.argsort(np.where(before, per_head[:, year - 1], -1))] = np.arange(len(before))
    share_below = 1 - before.mean()
    rank = (rank / len(before) - share_below) / max(1 - share_below, 1e-9)
    chance = LEAVING_RATES[year] * 2 * rank * np.where(is_assisted, 0.6, 1.37)
    stays = before & (rng.random(len(before)) >= chance)
    has_left = ~before & on_roll[:, :year].any(axis=1)
    fell = per_head[:, year - 1] < LINE_FEN
    returns = has_left & fell & (rng.random(len(before)) < 0.45)
    return np.asarray(enters | stays | returns)


def draw_stops(
    rng: np.random.Generator,
    year: int,
    on_roll: Flags,
    start: Integers,
    stop: Integers,
    may_stop: Flags,
) -> Integers:
    """First month without the benefit: on leaving the roll, or now and then within a year."""
    stops = np.full(len(start), NO_MONTH, dtype=np.int64)
    if year == 0:
        return stops
    month = year * 12 + rng.integers(0, 12, len(start))
    stopped = may_stop & (rng.random(len(start)) < 0.025)
    stops = np.where(stopped, month, stops)
    left = may_stop & on_roll[:, year - 1] & ~on_roll[:, year]
    stops = np.where((stops > start) & (stops < stop), stops, NO_MONTH)
    # Who leaves before a benefit has begun never gets it.
    return np.where(left & (stop == NO_MONTH), np.maximum(year * 12, start), stops)


def lower_wage(rng: np.random.Generator, amounts: Integers, is_ill: Flags) -> None:
    """An illness costs part of the year's wage and business income."""
    kept = np.where(is_ill, rng.uniform(0.15, 0.6, len(is_ill)), 1.0)
    amounts[:, :2] = np.floor(amounts[:, :2] * kept[:, None])


def apply_job_loss(
    rng: np.random.Generator, amounts: Integers, year: int, may_lose: Flags
) -> Events:
    """A lost job ends most of the wage from its month on."""
    loses = may_lose & (rng.random(len(amounts)) < 0.025)
    month = rng.integers(0, 12, len(amounts))
    wage = amounts[:, 0]
    lost = np.where(loses, np.floor(wage * (0.9 - 0.06 * month)), 0).astype(np.int64)
    amounts[:, 0] = wage - lost
    household = np.flatnonzero(loses)
    return Events.of(JOB_LOSS, household, year * 12 + month[household], lost[household])


def apply_business_failure(
    rng: np.random.Generator, amounts: Integers, year: int, may_fail: Flags
) -> Events:
    """A failed business turns its net income negative; the household keeps half the rest."""
    fails = may_fail & (rng.random(len(amounts)) < 0.008)
    other = amounts[:, 0] + amounts[:, 2] + amounts[:, 3]
    size = np.minimum(rng.integers(200_000, 2_500_000, len(amounts)), other // 2)
    lost = np.where(fails, amounts[:, 1] + size, 0)
    amounts[:, 1] -= lost
    household = np.flatnonzero(fails)
    month = year * 12 + rng.integers(0, 12, len(amounts))[household]
    return Events.of(BUSINESS_FAILURE, household, month, lost[household])


def apply_benefits(
    amounts: Integers, year: int, start: Integers, stop: Integers, monthly: Integers
) -> None:
    """Transfers hold at least the benefit paid and lack the benefit that has stopped."""
    first, last = year * 12, year * 12 + 12
    paid = np.clip(np.minimum(stop, last) - np.maximum(start, first), 0, 12)
    lost = np.clip(last - np.maximum(stop, first), 0, 12)
    lowered = np.maximum(amounts[:, 3] - lost * monthly, 0)
    amounts[:, 3] = np.maximum(lowered, paid * monthly)


def find_falls(total: Integers, people: Integers, in_ledger: Flags) -> Flags:
    """Income per head below the line in a year after being above it the year before."""
    is_below = (total < LINE_FEN * people) & in_ledger
    is_above = (total > LINE_FEN * people) & in_ledger
    falls = np.zeros_like(is_below)
    falls[:, 1:] = is_below[:, 1:] & is_above[:, :-1]
    return falls

"""How poverty changes: who enters and leaves, and what of a change is growth and what inequality.

Also what part of poverty or inequality each subgroup has. Welfare of different years is compared as
it is given: it has to be in prices of one year, or each year has its own line.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from minsheng.distribution import Distribution, MeasureError, distribution_of
from minsheng.measures import OF_LINE, check_line, fgt, generalised_entropy, measure, watts

FGT_POWERS = {"headcount": 0, "poverty_gap": 1, "severity": 2}


@dataclass(frozen=True)
class GrowthAndRedistribution:
    """A poverty measure in two years and the two parts of its change, in its unit."""

    before: float
    after: float
    growth: float
    redistribution: float

    @property
    def total(self) -> float:
        return self.growth + self.redistribution


@dataclass(frozen=True)
class WithinAndBetween:
    """Inequality within subgroups and between their means, in the unit of GE(0)."""

    within: float
    between: float

    @property
    def total(self) -> float:
        return self.within + self.between


def transitions(
    statuses: pl.DataFrame, household: str, year: str, is_poor: str, years_apart: int = 1
) -> pl.DataFrame:
    """One row per household and two years in turn: `household, from_year, to_year, transition`.

    `statuses` has one row per household and year; one without a status was not observed then.
    `entry` is for the first time in the years observed, `return` after having been poor before;
    else `exit`, `stays_poor` or `stays_out`. Years that are not `years_apart` are no pair.
    Raises MeasureError if a household has two rows of a year.
    """
    after = pl.col(is_poor)
    before = pl.col("__before")
    return (
        _observed(statuses, household, year, is_poor)
        .with_columns(
            pl.col(is_poor).shift().over(household).alias("__before"),
            pl.col(year).shift().over(household).alias("from_year"),
            pl.col(is_poor).cum_max().shift().over(household).alias("__ever"),
        )
        .filter(pl.col(year) - pl.col("from_year") == years_apart)
        .select(
            household,
            "from_year",
            pl.col(year).alias("to_year"),
            pl.when(before & after)
            .then(pl.lit("stays_poor"))
            .when(before)
            .then(pl.lit("exit"))
            .when(after & pl.col("__ever"))
            .then(pl.lit("return"))
            .when(after)
            .then(pl.lit("entry"))
            .otherwise(pl.lit("stays_out"))
            .alias("transition"),
        )
    )


TRANSITIONS = ("entry", "return", "exit", "stays_poor", "stays_out")


def count_transitions(counted: pl.DataFrame, by: Sequence[str] = ()) -> pl.DataFrame:
    """One row per group of `by` and two years in turn: how many households, and what share.

    `counted` has one row per group, `from_year`, `to_year` and `transition`, with
    `household_count` and the `weight` of these households, an integer or a decimal. Columns: `by`,
    `from_year, to_year, household_count`, a count of each transition, `entry_rate, exit_rate`. Of
    the weight of those not poor before, the entry rate is the share that is poor after, returns
    included; of those poor before, the exit rate is the share that is not.
    """

    def count(*kinds: str) -> pl.Expr:
        return pl.col("household_count").filter(pl.col("transition").is_in(kinds)).sum()

    def weight(*kinds: str) -> pl.Expr:
        found = pl.col("weight").filter(pl.col("transition").is_in(kinds))
        return found.sum().cast(pl.Float64)

    def share(kinds: Sequence[str], others: Sequence[str]) -> pl.Expr:
        among = weight(*kinds, *others)
        return pl.when(among > 0).then(weight(*kinds) / among)

    keys = [*by, "from_year", "to_year"]
    return (
        counted.group_by(keys)
        .agg(
            count(*TRANSITIONS).alias("household_count"),
            *(count(kind).alias(f"{kind}_count") for kind in TRANSITIONS),
            share(["entry", "return"], ["stays_out"]).alias("entry_rate"),
            share(["exit"], ["stays_poor"]).alias("exit_rate"),
        )
        .sort(keys)
    )


def spells(
    statuses: pl.DataFrame, household: str, year: str, is_poor: str, years_apart: int = 1
) -> pl.DataFrame:
    """One row per spell of poverty: `household, first_year, last_year, observed_years,
    is_start_known, is_end_known`.

    A spell is a run of observed years in which the household is poor; a year that was not observed
    ends it. Its start is known if the household was seen not poor the year before, its end if it
    was the year after. Raises MeasureError if a household has two rows of a year.
    """
    return (
        _observed(statuses, household, year, is_poor)
        .with_columns(
            (pl.col(year).diff().over(household) == years_apart).fill_null(False).alias("__follows")
        )
        .with_columns(
            (
                ~pl.col("__follows")
                | (pl.col(is_poor) != pl.col(is_poor).shift().over(household)).fill_null(True)
            )
            .cum_sum()
            .over(household)
            .alias("__run"),
            (pl.col("__follows").shift(-1).over(household).fill_null(False)).alias("__is_followed"),
        )
        .group_by(household, "__run", maintain_order=True)
        .agg(
            pl.col(is_poor).first(),
            pl.col(year).first().alias("first_year"),
            pl.col(year).last().alias("last_year"),
            pl.len().cast(pl.Int64).alias("observed_years"),
            pl.col("__follows").first().alias("is_start_known"),
            pl.col("__is_followed").last().alias("is_end_known"),
        )
        .filter(pl.col(is_poor))
        .drop("__run", is_poor)
    )


def histories(
    statuses: pl.DataFrame, household: str, year: str, is_poor: str, years_apart: int = 1
) -> pl.DataFrame:
    """One row per household: `household, observed_years, poor_years, spell_count, history`.

    `history` is `never`, `always`, `returned` (poor, out, poor again) or `once`: poor in some of
    the years, in one stretch or with nothing but unobserved years between. Raises as `spells`.
    """
    observed = _observed(statuses, household, year, is_poor)
    spell_counts = (
        spells(statuses, household, year, is_poor, years_apart)
        .group_by(household)
        .agg(pl.len().cast(pl.Int64).alias("spell_count"))
    )
    fell_back = pl.col(is_poor) & ~pl.col(is_poor).shift() & pl.col(is_poor).cum_max().shift()
    return (
        observed.group_by(household, maintain_order=True)
        .agg(
            pl.len().cast(pl.Int64).alias("observed_years"),
            pl.col(is_poor).sum().cast(pl.Int64).alias("poor_years"),
            fell_back.any().alias("__returned"),
        )
        .join(spell_counts, on=household, how="left", maintain_order="left")
        .select(
            household,
            "observed_years",
            "poor_years",
            pl.col("spell_count").fill_null(0),
            pl.when(pl.col("poor_years") == 0)
            .then(pl.lit("never"))
            .when(pl.col("poor_years") == pl.col("observed_years"))
            .then(pl.lit("always"))
            .when("__returned")
            .then(pl.lit("returned"))
            .otherwise(pl.lit("once"))
            .alias("history"),
        )
    )


def poverty_changes(
    before: Distribution,
    after: Distribution,
    names: Sequence[str],
    line: float,
    line_after: float | None = None,
) -> list[GrowthAndRedistribution]:
    """The parts of the change of each poverty measure of `names` between two years.

    Datt and Ravallion (1992), without a residual: each part is the mean over both orders (Shapley;
    Shorrocks 2013). Growth gives a distribution the other year's mean, redistribution its Lorenz
    curve. `line_after` is the line of the second year in its own prices. Raises MeasureError if
    a measure needs no line, or a line or a mean is not positive.
    """
    for name in names:
        if name not in OF_LINE:
            raise MeasureError(f"{name!r} is no measure of poverty; there are {', '.join(OF_LINE)}")
    other_line = line if line_after is None else line_after
    for each in (line, other_line):
        check_line(each)
    if not (before.mean.value > 0 and after.mean.value > 0):
        raise MeasureError("growth needs a positive mean in both years")
    # in units of the line; whose income is the line itself is not scaled and stays on it
    ratio = (after.mean.value / other_line) / (before.mean.value / line)
    grown, ungrown = before.scaled(ratio), after.scaled(1 / ratio)
    changes = []
    for name in names:
        old, only_grown = (measure(people, name, line).value for people in (before, grown))
        new, only_redistributed = (
            measure(people, name, other_line).value for people in (after, ungrown)
        )
        changes.append(
            GrowthAndRedistribution(
                before=old,
                after=new,
                growth=((only_grown - old) + (new - only_redistributed)) / 2,
                redistribution=((only_redistributed - old) + (new - only_grown)) / 2,
            )
        )
    return changes


def poverty_by_group(
    frame: pl.DataFrame, welfare: str, by: Sequence[str], name: str, line: float, weight: str = ""
) -> pl.DataFrame:
    """What each group adds to headcount, poverty_gap or severity: one row per group.

    Columns: `by`, `population_share`, `value`, `contribution` (share times value; they add up to
    the measure of all), `contribution_share` (null if there is no poverty). Foster, Greer and
    Thorbecke (1984). Raises MeasureError for another measure, or as `distribution_of`.
    """
    groups, members = _members(frame, welfare, by, weight)
    parts = poverty_of_groups(members, name, line)
    return pl.concat(
        [
            groups,
            pl.DataFrame(
                parts,
                {
                    "population_share": pl.Float64,
                    "value": pl.Float64,
                    "contribution": pl.Float64,
                    "contribution_share": pl.Float64,
                },
                orient="row",
            ),
        ],
        how="horizontal",
    )


GroupShare = tuple[float, float, float, float | None]
"""Population share, value, contribution and contribution share of a group."""


def poverty_of_groups(members: Sequence[Distribution], name: str, line: float) -> list[GroupShare]:
    """What each group of a population adds, as `poverty_by_group` has it."""
    if name not in FGT_POWERS:
        raise MeasureError(f"{name!r} does not decompose; {', '.join(FGT_POWERS)} do")
    population = math.fsum(people.population.value for people in members)
    shares = [people.population.value / population for people in members]
    values = [fgt(people, line, FGT_POWERS[name]).value for people in members]
    contributions = [share * value for share, value in zip(shares, values, strict=True)]
    total = math.fsum(contributions)
    return [
        (share, value, contribution, contribution / total if total else None)
        for share, value, contribution in zip(shares, values, contributions, strict=True)
    ]


def inequality_by_group(
    frame: pl.DataFrame, welfare: str, by: Sequence[str], weight: str = ""
) -> WithinAndBetween:
    """GE(0) within and between groups, among positive welfares (Shorrocks 1980).

    Within is the mean of the groups' GE(0), weighted with their population; between is GE(0) if
    everybody had the mean of the group. Raises as `distribution_of`.
    """
    _, members = _members(frame.filter(pl.col(welfare) > 0), welfare, by, weight)
    return inequality_of_groups(members)


def inequality_of_groups(members: Sequence[Distribution]) -> WithinAndBetween:
    """GE(0) within and between groups of whom nobody has nothing, as `inequality_by_group`."""
    population = math.fsum(people.population.value for people in members)
    means = distribution_of(
        [people.mean.value for people in members],
        [people.population.value for people in members],
    )
    within = math.fsum(
        people.population.value / population * generalised_entropy(people, 0).value
        for people in members
    )
    return WithinAndBetween(within, generalised_entropy(means, 0).value)


def pro_poor_growth(
    before: Distribution, after: Distribution, line: float, line_after: float | None = None
) -> float:
    """The growth rate of the poor by Ravallion and Chen (2003), over the whole period.

    The fall of the Watts index over the headcount before: the mean of log growth over the
    percentiles that were poor, and zero is kept as Watts keeps it. `line_after` is the line of the
    second year in its own prices; growth is then over that of the line. Not a number if nobody was
    poor.
    """
    share = fgt(before, line, 0)
    later = watts(after, line if line_after is None else line_after)
    return ((watts(before, line) - later) / share).value


def growth_incidence(
    before: Distribution, after: Distribution, parts: int = 10, years: int = 1
) -> pl.DataFrame:
    """Growth of the mean of each part of the population, the poorest first; a rate per year.

    Columns: `part, mean_before, mean_after, growth_rate` (null if the part had nothing or less);
    `parts` 10 gives deciles, 100 percentiles, which read as Ravallion and Chen's (2003) curve. The
    parts are of equal weight; a person may lie in two. Raises MeasureError if there are none.
    """
    if parts < 1 or years < 1:
        raise MeasureError("growth is of one part or more over one year or more")
    rows = [
        (part + 1, _mean_of_part(before, part, parts), _mean_of_part(after, part, parts))
        for part in range(parts)
    ]
    return pl.DataFrame(
        [(part, old, new, _growth(old, new, years)) for part, old, new in rows],
        {
            "part": pl.Int64,
            "mean_before": pl.Float64,
            "mean_after": pl.Float64,
            "growth_rate": pl.Float64,
        },
        orient="row",
    )


def growth_of_poorest(
    before: Distribution, after: Distribution, share: float = 0.4, years: int = 1
) -> float | None:
    """Growth per year of the mean of the poorest `share`; the World Bank's shared prosperity.

    Others may be among them in the second year. None if they had nothing or less.
    """
    means = [
        people.sum_up_to_share(share).value / (share * people.population.value)
        for people in (before, after)
    ]
    return _growth(means[0], means[1], years)


def _observed(statuses: pl.DataFrame, household: str, year: str, is_poor: str) -> pl.DataFrame:
    observed = (
        statuses.select(household, year, is_poor)
        .filter(pl.col(is_poor).is_not_null())
        .sort(household, year)
    )
    repeated = observed.select(pl.struct(household, year).is_duplicated().sum()).item()
    if repeated:
        raise MeasureError(f"{repeated} rows are of a household and year that have several")
    return observed


def _members(
    frame: pl.DataFrame, welfare: str, by: Sequence[str], weight: str
) -> tuple[pl.DataFrame, list[Distribution]]:
    """The groups in order and the distribution of each."""
    known = frame.filter(pl.col(welfare).is_not_null())
    parts = known.partition_by(by, maintain_order=True)
    if not parts:
        raise MeasureError("there is nobody with a welfare and a weight")
    groups = pl.concat([part[:1].select(by) for part in parts])
    order = groups.with_row_index("__place").sort(by, nulls_last=True)["__place"]
    members = [
        distribution_of(
            parts[place][welfare].cast(pl.Float64).to_numpy(),
            parts[place][weight].cast(pl.Float64).to_numpy() if weight else None,
        )
        for place in order
    ]
    return groups[order], members


def _mean_of_part(people: Distribution, part: int, parts: int) -> float:
    upper = people.sum_up_to_share((part + 1) / parts)
    lower = people.sum_up_to_share(part / parts)
    return (upper.value - lower.value) * parts / people.population.value


def _growth(before: float, after: float, years: int) -> float | None:
    if not before > 0 or after < 0:
        return None
    return float((after / before) ** (1 / years)) - 1

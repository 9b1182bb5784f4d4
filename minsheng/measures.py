"""Measures of poverty and inequality: one definition each, for files, surveys and the warehouse.

Poor is welfare strictly below the line; persons are the unit, weighted; docs/methods.md gives every
formula with its source. A measure that is undefined, as a ratio to nothing, is not a number.
"""

import math
from collections.abc import Callable, Mapping

import numpy as np

from minsheng.distribution import UNDEFINED, Distribution, Figure, MeasureError, Numbers, Total

AT_RISK_SHARE = 0.6
"""Of the median: the threshold of the EU's at-risk-of-poverty rate."""


def median(people: Distribution) -> Figure:
    """The first welfare whose cumulative share of the weight exceeds one half."""
    return quantile(people, 0.5)


def quantile(people: Distribution, share: float) -> Figure:
    """The first welfare whose cumulative share of the weight exceeds `share`."""
    return people.quantile(share * people.population)


def fgt(people: Distribution, line: float, power: int) -> Figure:
    """Foster, Greer and Thorbecke (1984): the mean of (1 - welfare / line) ** power of the poor.

    Zeros and losses count as they stand, so that one person with a loss is more than one gap.
    """
    check_line(line)
    poor = people.count_below(line)
    if power == 0:
        return people.weight_in(0, poor) / people.population

    def gaps() -> Numbers:
        gap: Numbers = (1 - people.welfare[:poor] / line) ** power
        return gap

    return people.total(0, poor, gaps) / people.population


def watts(people: Distribution, line: float) -> Figure:
    """Watts (1968): the mean of log(line / welfare) of the poor with a positive welfare.

    Who has nothing adds nothing to the sum and stays among those it is divided by.
    """
    check_line(line)
    first, poor = people.first_positive, people.count_below(line)

    def distances() -> Numbers:
        return math.log(line) - people.logarithms[: poor - first]

    return people.total(first, poor, distances) / people.population


def sen(people: Distribution, line: float) -> Figure:
    """Sen (1976) in its form for large populations: H * Gini of the poor + PG * (1 - that Gini)."""
    share, gap = fgt(people, line, 0), fgt(people, line, 1)
    poor = people.count_below(line)
    if poor == 0 or people.welfare[0] == 0 == people.welfare[poor - 1]:
        return gap
    return gap + (share - gap) * gini_of_poorest(people, poor)


def gini(people: Distribution) -> Figure:
    """Twice the area between the diagonal and the Lorenz curve, by trapezoids."""
    return gini_of_poorest(people, people.count)


def gini_of_poorest(people: Distribution, count: int) -> Figure:
    """The Gini coefficient among the first `count` persons; undefined without positive welfare.

    It is the mean of the greater welfare of two persons over the mean, less one.
    """
    weight = people.weight_in(0, count)
    welfare = people.welfare_in(0, count)
    if not welfare.value > 0:
        return UNDEFINED
    own, up_to = people.weight[:count], people.weight_up_to[:count]
    greater = float(np.sum(own * people.welfare[:count] * (2 * up_to - own)))

    def of_each() -> Numbers:
        above = welfare.value - people.welfare_up_to[:count]
        return 2 * (people.welfare[:count] * up_to + above)

    pairs = Figure(greater, {Total(slice(0, count), of_each): 1.0})
    return pairs / (weight * welfare) - 1


def generalised_entropy(people: Distribution, power: float) -> Figure:
    """GE of Shorrocks (1980) among positive welfares: 0 is the mean log deviation, 1 is Theil's."""
    first, end = people.first_positive, people.count
    weight, welfare = people.weight_in(first, end), people.welfare_in(first, end)
    if first == end:
        return UNDEFINED
    if power == 0:
        return (welfare / weight).log() - people.total(first, end, _logarithms(people)) / weight
    if power == 1:

        def products() -> Numbers:
            return people.welfare[first:] * people.logarithms

        return people.total(first, end, products) / welfare - (welfare / weight).log()
    mean_power = (_powers(people, power) / weight).log() - power * (welfare / weight).log()
    return (mean_power.exp() - 1) * (1 / (power * (power - 1)))


def atkinson(people: Distribution, aversion: float) -> Figure:
    """Atkinson (1970) among positive welfares: the share that equality would save."""
    first, end = people.first_positive, people.count
    weight, welfare = people.weight_in(first, end), people.welfare_in(first, end)
    if first == end:
        return UNDEFINED
    if aversion == 1:
        equal = people.total(first, end, _logarithms(people)) / weight
    else:
        equal = (_powers(people, 1 - aversion) / weight).log() * (1 / (1 - aversion))
    return 1 - (equal - (welfare / weight).log()).exp()


def share_of_poorest(people: Distribution, share: float) -> Figure:
    """The Lorenz curve at `share`: what part of all welfare the poorest have."""
    if not people.sum.value > 0:
        return UNDEFINED
    return people.sum_up_to_share(share) / people.sum


def s80_s20(people: Distribution) -> Figure:
    """The sum above the quantile of 80 % over the sum up to that of 20 % (Eurostat, laeken)."""
    (upper, above), (lower, below) = (_split(people, share) for share in (0.8, 0.2))
    top = people.welfare_in(above, people.count)
    bottom = people.welfare_in(0, below)
    # the quantiles move with the weights too; of the sums that is known without a density
    moved_top = upper * (people.weight_in(0, above) - 0.8 * people.population)
    moved_bottom = lower * (0.2 * people.population - people.weight_in(0, below))
    if not bottom.value > 0:
        return UNDEFINED
    return Figure(top.value, (top + moved_top).slopes) / Figure(
        bottom.value, (bottom + moved_bottom).slopes
    )


def palma(people: Distribution) -> Figure:
    """What the richest tenth have over what the poorest four tenths have."""
    bottom = share_of_poorest(people, 0.4)
    return (1 - share_of_poorest(people, 0.9)) / bottom if bottom.value > 0 else UNDEFINED


def p90_p10(people: Distribution) -> Figure:
    lower = quantile(people, 0.1)
    return quantile(people, 0.9) / lower if lower.value > 0 else UNDEFINED


def at_risk_threshold(people: Distribution) -> Figure:
    """Six tenths of the median, in the unit of welfare."""
    return AT_RISK_SHARE * median(people)


def at_risk_rate(people: Distribution) -> Figure:
    """The share with less than the at-risk threshold."""
    return people.weight_below(at_risk_threshold(people)) / people.population


def at_risk_median_gap(people: Distribution) -> Figure:
    """How far the median of those at risk is below the threshold, as a share of it."""
    threshold = at_risk_threshold(people)
    at_risk = people.weight_below(threshold)
    if not at_risk.value > 0:
        return UNDEFINED
    return 1 - people.quantile(0.5 * at_risk) / threshold


def decile_share(people: Distribution, decile: int) -> Figure:
    """What part of all welfare the decile has; 1 is the poorest."""
    return share_of_poorest(people, decile / 10) - share_of_poorest(people, (decile - 1) / 10)


OF_LINE: Mapping[str, Callable[[Distribution, float], Figure]] = {
    "headcount": lambda people, line: fgt(people, line, 0),
    "poverty_gap": lambda people, line: fgt(people, line, 1),
    "severity": lambda people, line: fgt(people, line, 2),
    "watts": watts,
    "sen": sen,
}
"""The measures that need a line."""


def _decile(decile: int) -> Callable[[Distribution], Figure]:
    return lambda people: decile_share(people, decile)


OF_ALL: Mapping[str, Callable[[Distribution], Figure]] = {
    "population": lambda people: people.population,
    "mean": lambda people: people.mean,
    "median": median,
    "gini": gini,
    "ge0": lambda people: generalised_entropy(people, 0),
    "ge1": lambda people: generalised_entropy(people, 1),
    "ge2": lambda people: generalised_entropy(people, 2),
    "atkinson_0_5": lambda people: atkinson(people, 0.5),
    "atkinson_1": lambda people: atkinson(people, 1),
    "atkinson_2": lambda people: atkinson(people, 2),
    "s80_s20": s80_s20,
    "palma": palma,
    "p90_p10": p90_p10,
    "at_risk_threshold": at_risk_threshold,
    "at_risk_rate": at_risk_rate,
    "at_risk_median_gap": at_risk_median_gap,
    "bottom40_share": lambda people: share_of_poorest(people, 0.4),
    **{f"decile_share_{decile}": _decile(decile) for decile in range(1, 11)},
}
"""The measures that need no line."""

MEASURES: tuple[str, ...] = (
    "population",
    "mean",
    "median",
    *OF_LINE,
    *(name for name in OF_ALL if name not in ("population", "mean", "median")),
)
"""Every measure, in the order in which they are told."""


def measure(people: Distribution, name: str, line: float | None = None) -> Figure:
    """The measure `name`; raises MeasureError if there is none or it lacks a line."""
    if name in OF_ALL:
        return OF_ALL[name](people)
    if name not in OF_LINE:
        raise MeasureError(f"{name!r} is no measure; there are {', '.join(MEASURES)}")
    if line is None:
        raise MeasureError(f"{name} needs a line")
    return OF_LINE[name](people, line)


def check_line(line: float) -> None:
    """Raises MeasureError unless the line is a positive number."""
    if not 0 < line < math.inf:
        raise MeasureError(f"a poverty line is a positive number, not {line}")


def _logarithms(people: Distribution) -> Callable[[], Numbers]:
    return lambda: people.logarithms


def _powers(people: Distribution, power: float) -> Figure:
    first = people.first_positive
    return people.total(first, people.count, lambda: people.welfare[first:] ** power)


def _split(people: Distribution, share: float) -> tuple[float, int]:
    """The quantile at `share` and how many persons have it or less."""
    value = float(people.welfare[people.place_of_share(share * people.population.value)])
    return value, people.count_up_to(value)

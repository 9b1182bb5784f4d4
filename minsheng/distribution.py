"""Persons in order of welfare, and figures that know what every person contributes to them.

A figure is a function of weighted totals. It carries its value and its slope by each total, so
that the linearised variable of every person, the derivative of the figure by that person's weight,
follows without a formula for each measure (Deville 1999, Survey Methodology 25; Demnati and Rao
2004, Survey Methodology 30).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]


class MeasureError(ValueError):
    """Welfare, weights or a line of which no measure can be made."""


@dataclass(frozen=True, eq=False)
class Total:
    """A weighted total: what each person in `span` adds to it per unit of weight.

    Values are made when they are asked for: a figure without a standard error needs none.
    """

    span: slice
    values: Callable[[], Numbers | float]


@dataclass(frozen=True)
class Figure:
    """A number and its slopes by the totals it is made of; not a number where it is undefined."""

    value: float
    slopes: Mapping[Total, float] = field(default_factory=dict)

    def __add__(self, other: "Figure | float") -> "Figure":
        other = as_figure(other)
        return made_of(self.value + other.value, (self, 1.0), (other, 1.0))

    def __sub__(self, other: "Figure | float") -> "Figure":
        other = as_figure(other)
        return made_of(self.value - other.value, (self, 1.0), (other, -1.0))

    def __rsub__(self, other: float) -> "Figure":
        return made_of(other - self.value, (self, -1.0))

    def __mul__(self, other: "Figure | float") -> "Figure":
        other = as_figure(other)
        return made_of(self.value * other.value, (self, other.value), (other, self.value))

    __rmul__ = __mul__

    def __truediv__(self, other: "Figure | float") -> "Figure":
        other = as_figure(other)
        if not other.value:
            return UNDEFINED
        ratio = self.value / other.value
        return made_of(ratio, (self, 1 / other.value), (other, -ratio / other.value))

    def log(self) -> "Figure":
        if not self.value > 0:
            return UNDEFINED
        return made_of(math.log(self.value), (self, 1 / self.value))

    def exp(self) -> "Figure":
        value = math.exp(self.value)
        return made_of(value, (self, value))


UNDEFINED = Figure(math.nan)


def as_figure(number: Figure | float) -> Figure:
    return number if isinstance(number, Figure) else Figure(number)


def made_of(value: float, *parts: tuple[Figure, float]) -> Figure:
    """A figure of `value` that moves with each part at the given slope."""
    slopes: dict[Total, float] = {}
    for part, slope in parts:
        for total, of_part in part.slopes.items():
            slopes[total] = slopes.get(total, 0.0) + slope * of_part
    return Figure(value, slopes)


@dataclass(frozen=True, eq=False)
class Distribution:
    """Welfare and weight of persons, in order of welfare and, where that is equal, of weight.

    The order is total up to persons who are alike, so that sums have the same digits whatever the
    order of the rows they come from. `distribution_of` sorts; weights are positive.
    """

    welfare: Numbers
    weight: Numbers

    @cached_property
    def weight_up_to(self) -> Numbers:
        """Weight of each person and of all before."""
        return np.cumsum(self.weight)

    @cached_property
    def welfare_up_to(self) -> Numbers:
        """Weighted welfare of each person and of all before."""
        return np.cumsum(self.weight * self.welfare)

    @cached_property
    def logarithms(self) -> Numbers:
        """Of the welfare of those who have any."""
        return np.log(self.welfare[self.first_positive :])

    @cached_property
    def first_positive(self) -> int:
        """How many persons have a welfare of zero or less."""
        return self.count_up_to(0.0)

    @property
    def count(self) -> int:
        return len(self.welfare)

    @cached_property
    def population(self) -> Figure:
        """The sum of weights."""
        return self.weight_in(0, self.count)

    @cached_property
    def sum(self) -> Figure:
        """The weighted sum of welfare."""
        return self.welfare_in(0, self.count)

    @cached_property
    def mean(self) -> Figure:
        return self.sum / self.population

    def scaled(self, factor: float) -> "Distribution":
        """The same persons with every welfare times a positive factor."""
        return Distribution(self.welfare * factor, self.weight)

    def count_below(self, value: float) -> int:
        """How many persons have less than `value`."""
        return int(np.searchsorted(self.welfare, value, side="left"))

    def count_up_to(self, value: float) -> int:
        """How many persons have `value` or less."""
        return int(np.searchsorted(self.welfare, value, side="right"))

    def weight_in(self, start: int, stop: int) -> Figure:
        """The weight of the persons from place `start` to before `stop`."""
        total = Total(slice(start, stop), lambda: 1.0)
        return Figure(_between(self.weight_up_to, start, stop), {total: 1.0})

    def welfare_in(self, start: int, stop: int) -> Figure:
        """The weighted welfare of the persons from place `start` to before `stop`."""
        total = Total(slice(start, stop), lambda: self.welfare[start:stop])
        return Figure(_between(self.welfare_up_to, start, stop), {total: 1.0})

    def total(self, start: int, stop: int, values: Callable[[], Numbers]) -> Figure:
        """The weighted sum of `values` of the persons from place `start` to before `stop`."""
        # no dot product: its digits depend on the number of threads
        value = float(np.sum(self.weight[start:stop] * values()))
        return Figure(value, {Total(slice(start, stop), values): 1.0})

    def place_of_share(self, weight: float) -> int:
        """The place of the first person with whom the cumulative weight exceeds `weight`."""
        place = int(np.searchsorted(self.weight_up_to, weight, side="right"))
        return min(place, self.count - 1)

    def quantile(self, weight: Figure) -> Figure:
        """The first welfare whose cumulative weight exceeds `weight`."""
        value = float(self.welfare[self.place_of_share(weight.value)])
        below = self.weight_in(0, self.count_up_to(value))

        def linearised() -> Numbers:
            return self.influence(weight - below) / self.density(value)

        return Figure(value, {Total(slice(0, self.count), linearised): 1.0})

    def weight_below(self, threshold: Figure) -> Figure:
        """The weight of persons with less than a threshold that is itself estimated."""

        def moved() -> Numbers:
            return self.density(threshold.value) * self.influence(threshold)

        below = self.weight_in(0, self.count_below(threshold.value))
        return made_of(
            below.value, (below, 1.0), (Figure(0, {Total(slice(0, self.count), moved): 1.0}), 1.0)
        )

    def sum_up_to_share(self, share: float) -> Figure:
        """The weighted welfare of the poorest `share` of the population.

        One person may lie on both sides of the bound: the Lorenz curve is straight between points.
        """
        wanted = share * self.population
        place = self.place_of_share(wanted.value)
        last = float(self.welfare[place])
        return self.welfare_in(0, place) + (wanted - self.weight_in(0, place)) * last

    def density(self, value: float) -> float:
        """Weight per unit of welfare at `value`, by a Gaussian kernel; not a number if all tie."""
        width = self.bandwidth
        if not width > 0:
            return math.nan
        near = slice(
            self.count_below(value - KERNEL_REACH * width),
            self.count_up_to(value + KERNEL_REACH * width),
        )
        away = (self.welfare[near] - value) / width
        kernel = float(np.sum(self.weight[near] * np.exp(-0.5 * away * away)))
        return kernel / (width * math.sqrt(2 * math.pi))

    @cached_property
    def bandwidth(self) -> float:
        """Silverman's (1986, 3.31), in the unit of welfare, for Kish's effective number."""
        population = self.population.value
        effective = population**2 / float(np.sum(self.weight * self.weight))
        away = self.welfare - self.mean.value
        spread = math.sqrt(float(np.sum(self.weight * away * away)) / population)
        lower, upper = (
            float(self.welfare[self.place_of_share(share * population)]) for share in (0.25, 0.75)
        )
        if upper > lower:
            spread = min(spread, (upper - lower) / QUARTILES_APART)
        return float(0.9 * spread * effective**-0.2)

    def influence(self, figure: Figure) -> Numbers:
        """The derivative of a figure by the weight of each person."""
        found = np.zeros(self.count)
        for total, slope in figure.slopes.items():
            found[total.span] += slope * total.values()
        return found


QUARTILES_APART = 1.349
"""Standard deviations between the quartiles of a normal distribution."""
KERNEL_REACH = 8.0
"""Bandwidths beyond which the kernel is nothing."""


def distribution_of(welfare: npt.ArrayLike, weight: npt.ArrayLike | None = None) -> Distribution:
    """The persons in order. Raises MeasureError."""
    amounts = np.asarray(welfare, dtype=np.float64)
    weights = np.ones(len(amounts)) if weight is None else np.asarray(weight, dtype=np.float64)
    order = order_of(amounts, weights)
    return Distribution(amounts[order], weights[order])


def order_of(welfare: Numbers, weight: Numbers) -> npt.NDArray[np.int64]:
    """Places of the persons in the order of a distribution; a weight of zero is nobody.

    Raises MeasureError for what is not finite, a negative weight, and if there is nobody.
    """
    if len(weight) != len(welfare):
        raise MeasureError(f"{len(welfare)} welfares have {len(weight)} weights")
    if not np.isfinite(welfare).all():
        raise MeasureError("a welfare is not a finite number")
    if not np.isfinite(weight).all():
        raise MeasureError("a weight is not a finite number")
    if (weight < 0).any():
        raise MeasureError("a weight is negative")
    order = np.lexsort((weight, welfare))
    order = order[weight[order] > 0]
    if not len(order):
        raise MeasureError("there is nobody with a welfare and a weight")
    return order


def _between(up_to: Numbers, start: int, stop: int) -> float:
    if stop <= start:
        return 0.0
    return float(up_to[stop - 1]) - (float(up_to[start - 1]) if start else 0.0)

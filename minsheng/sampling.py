"""Sampling errors: what a figure would differ by, had other households been drawn.

Taylor linearisation with ultimate clusters: the variance of a figure is that of the total of its
linearised variable over sampling units, within strata, units drawn with replacement (Woodruff
1971; Wolter 2007, chapter 6). No correction for a finite population: the error is rather too large.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from minsheng.distribution import Distribution, Figure, Numbers

Codes = npt.NDArray[np.int64]

Z_95 = 1.959963984540054
"""The normal quantile of a two-sided interval of 95 %."""


@dataclass(frozen=True, eq=False)
class Sample:
    """How the persons of a file were drawn.

    `unit` is the number of each person's sampling unit, `stratum` the number of each unit's
    stratum. Of an area or a kind of households within the sample `of` gives the persons; units that
    have none there still count as drawn.
    """

    unit: Codes
    stratum: Codes

    def of(self, persons: npt.NDArray[np.integer] | slice) -> "Domain":
        """The part of the sample that the persons, by place, belong to."""
        units, unit = np.unique(self.unit[persons], return_inverse=True)
        return Domain(unit, self.stratum[units], np.bincount(self.stratum))


@dataclass(frozen=True, eq=False)
class Domain:
    """The persons of a distribution, in its order, by sampling unit; units by stratum.

    `drawn` is the number of units drawn in each stratum of the whole sample.
    """

    unit: Codes
    stratum: Codes
    drawn: Codes

    def standard_error(self, distribution: Distribution, figure: Figure) -> float:
        """The standard error of a figure; not a number with fewer than two sampling units.

        A stratum with one unit is held against the mean of all units, as `survey` in R does with
        `lonely.psu = "adjust"`.
        """
        parts = distribution.weight * distribution.influence(figure)
        totals = np.bincount(self.unit, weights=parts).astype(np.float64)
        return math.sqrt(self.variance(totals))

    def variance(self, totals: Numbers) -> float:
        """The variance of the sum of the units' totals."""
        count = int(self.drawn.sum())
        if count < 2:
            return math.nan
        mean = float(np.sum(totals)) / count
        of_units = np.bincount(self.stratum, minlength=len(self.drawn))
        sums = np.bincount(self.stratum, weights=totals, minlength=len(self.drawn))
        means = np.where(self.drawn > 1, sums / np.maximum(self.drawn, 1), mean)
        squares = np.bincount(
            self.stratum, weights=(totals - means[self.stratum]) ** 2, minlength=len(self.drawn)
        )
        # units drawn that have nobody here: their total is zero
        squares += (self.drawn - of_units) * means**2
        return float(np.sum(squares * self.drawn / np.maximum(self.drawn - 1, 1)))


def rows_drawn(count: int) -> Domain:
    """A simple sample of `count` rows, each a sampling unit."""
    return Domain(
        np.arange(count, dtype=np.int64), np.zeros(count, dtype=np.int64), np.array([count])
    )

"""Multidimensional poverty by counting deprivations.

Alkire and Foster (2011), Journal of Public Economics 95.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from minsheng.distribution import MeasureError, Numbers

ROUNDING = 1e-9
"""Of a sum of weights: a tenth ten times is one."""


@dataclass(frozen=True)
class Deprivation:
    """What the counting of deprivations comes to; shares are of persons, 0-1.

    headcount              H: the share of the poor
    intensity              A: the mean share of deprivations of the poor; not a number without any
    adjusted_headcount     M0: H times A
    adjusted_gap           M1: the mean gap, those of others than the poor being none
    adjusted_severity      M2: the mean squared gap
    uncensored_headcounts  the share deprived in each dimension
    censored_headcounts    the share that is poor and deprived in it
    contributions          what each dimension adds to M0 (`actb` of mpitb)
    contribution_shares    the same as a share of M0 (`pctb`); not a number without any poor
    """

    headcount: float
    intensity: float
    adjusted_headcount: float
    adjusted_gap: float
    adjusted_severity: float
    uncensored_headcounts: tuple[float, ...]
    censored_headcounts: tuple[float, ...]
    contributions: tuple[float, ...]
    contribution_shares: tuple[float, ...]


def count_deprivations(
    achievements: npt.ArrayLike,
    cutoffs: Sequence[float],
    least: float,
    *,
    dimension_weights: Sequence[float] | None = None,
    weight: npt.ArrayLike | None = None,
) -> Deprivation:
    """Who is poor in several dimensions, and how much.

    `achievements` has one row per person and one column per dimension. Deprived is strictly below
    the dimension's cut-off; poor is whose weights of deprivations add up to `least` or more. The
    dimensions' weights are one each unless given, the persons' too. The gap is the shortfall over
    the cut-off. Raises MeasureError if shapes differ, an achievement is unknown, cut-offs or
    weights are not positive, or nobody could be poor or nobody not.
    """
    table = np.asarray(achievements, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != len(cutoffs) or not len(table):
        raise MeasureError(
            f"achievements of shape {table.shape} do not fit {len(cutoffs)} cut-offs"
        )
    count, dimensions = table.shape
    lines = np.asarray(cutoffs, dtype=np.float64)
    values = np.ones(dimensions) if dimension_weights is None else np.asarray(dimension_weights)
    persons = np.ones(count) if weight is None else np.asarray(weight, dtype=np.float64)
    if values.shape != (dimensions,) or persons.shape != (count,):
        raise MeasureError("weights are as many as dimensions, and as many as persons")
    if not np.isfinite(table).all():
        raise MeasureError("an achievement is unknown or not finite")
    if not (lines > 0).all() or not (values > 0).all():
        raise MeasureError("cut-offs and weights of dimensions are positive numbers")
    if not np.isfinite(persons).all() or (persons < 0).any() or not persons.any():
        raise MeasureError("weights of persons are numbers of zero or more, and not all zero")
    if not 0 < least <= math.fsum(values):
        raise MeasureError(f"poor from {least} of {math.fsum(values)} deprivations is no rule")
    deprived = table < lines
    counts = (deprived * values).sum(axis=1)
    poor = counts >= least * (1 - ROUNDING)
    of_poor = deprived & poor[:, None]
    gaps = np.where(of_poor, 1 - table / lines, 0.0)
    share = values / math.fsum(values)

    def mean(rows: npt.ArrayLike) -> Numbers:
        weighted: Numbers = (persons[:, None] * np.asarray(rows)).sum(axis=0) / persons.sum()
        return weighted

    headcount = float(mean(poor[:, None])[0])
    censored = mean(of_poor)
    contributions = share * censored
    adjusted = float(contributions.sum())
    return Deprivation(
        headcount=headcount,
        intensity=adjusted / headcount if headcount else math.nan,
        adjusted_headcount=adjusted,
        adjusted_gap=float((share * mean(gaps)).sum()),
        adjusted_severity=float((share * mean(gaps**2)).sum()),
        uncensored_headcounts=tuple(mean(deprived).tolist()),
        censored_headcounts=tuple(censored.tolist()),
        contributions=tuple(contributions.tolist()),
        contribution_shares=tuple(
            each / adjusted if adjusted else math.nan for each in contributions.tolist()
        ),
    )

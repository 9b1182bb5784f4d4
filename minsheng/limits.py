"""What is to be expected of a sender, learnt from what it delivered before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, log, sqrt

MOVING_RANGE_LIMIT = 3.267
"""D4 for ranges of two: a moving range above so many mean ranges is out of control (ISO 7870-2)."""
CHANCE_LIMIT = 3.0
"""Standard deviations that the difference of two counts may have by chance alone."""
REFUSED_SHARE = 0.8
"""An unusual count is a doubt, and refuses the file only below this share of the usual rows."""
ANOTHER_UNIT = 50.0
"""Units differ by 100 (fen), 1,000 or 10,000; no median of amounts moves so far by itself."""
LEAST_HISTORY = 4
RECENT = 24
RARE = 0.001
"""A chance below which it is not believed that nothing has changed."""


@dataclass(frozen=True)
class Unusual:
    """A number of rows that has changed more than is usual: from `usual`, by over `factor`."""

    usual: int
    factor: float
    is_refused: bool


def unusual_count(history: Sequence[int], replaced: int | None, count: int) -> Unusual | None:
    """Whether `count` rows are out of control after `history` or in place of `replaced` rows.

    `history` holds counts of earlier periods, oldest first, of which the latest 24 are looked at.
    Changes are compared as logarithms, as on a chart of moving ranges: the limit is 3.267 times the
    mean change, and never below what chance does to counts of this size. A period is compared with
    the one before, if at least four are known; a replacement with what it replaces, always.
    """
    recent = [each for each in history[-RECENT:] if each > 0]
    changes = [abs(log(later / earlier)) for earlier, later in pairwise(recent)]
    is_known = len(recent) >= LEAST_HISTORY
    usual = replaced if replaced is not None else recent[-1] if is_known else 0
    if not usual:
        return None
    seen = max(count, 1)
    learnt = MOVING_RANGE_LIMIT * sum(changes) / len(changes) if is_known else 0.0
    limit = max(learnt, CHANCE_LIMIT * sqrt(1 / usual + 1 / seen))
    if abs(log(seen / usual)) <= limit:
        return None
    return Unusual(usual, exp(limit), is_refused=count < REFUSED_SHARE * usual)


def amount_of_another_size(
    before: Mapping[str, float], now: Mapping[str, float]
) -> tuple[str, float] | None:
    """The column whose median has moved most, by a factor that only another unit explains."""
    moved = {
        name: max(now[name] / before[name], before[name] / now[name])
        for name in now.keys() & before.keys()
        if now[name] > 0 and before[name] > 0
    }
    name = max(moved, key=lambda each: (moved[each], each), default=None)
    return (name, moved[name]) if name and moved[name] >= ANOTHER_UNIT else None


def chance_of_no_change(history: Sequence[int]) -> float | None:
    """At most how likely a period has the very rows of another, after counts of `history`.

    Rows that come and go by chance are none at all with probability exp(-n), where n is how many
    do on the average; the difference of two counts is the least that n can be. None where fewer
    than four earlier counts are known.
    """
    recent = history[-RECENT:]
    changes = [abs(later - earlier) for earlier, later in pairwise(recent)]
    return exp(-sum(changes) / len(changes)) if len(recent) >= LEAST_HISTORY else None

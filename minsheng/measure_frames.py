"""Measures of every group of a table of persons or households, with their sampling errors."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from minsheng.distribution import Distribution, MeasureError, Numbers, order_of
from minsheng.measures import MEASURES, OF_LINE, measure
from minsheng.sampling import Z_95, Codes, Domain, Sample

GROUP = "__group"
PLACES = "__places"
RESULT = {
    GROUP: pl.UInt32,
    "measure": pl.String,
    "value": pl.Float64,
    "standard_error": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
    "row_count": pl.Int64,
}

Measured = tuple[str, float | None, float | None, float | None, float | None]
"""Measure, value, standard error and the bounds of its 95 % interval; null where undefined."""


def measure_frame(
    frame: pl.DataFrame,
    welfare: str,
    *,
    weight: str | None = None,
    line: float | str | None = None,
    by: Sequence[str] = (),
    household: str | None = None,
    stratum: str | None = None,
    is_sample: bool = True,
    measures: Sequence[str] | None = None,
) -> pl.DataFrame:
    """One row per group and measure, with the columns of `by` and
    `measure, value, standard_error, lower, upper, row_count`; the bounds are those of 95 %.

    `frame` has one row per person or household, with `welfare` per head in any currency and
    `weight` in persons; rows without a welfare are left out, as are those of weight zero. `line` is
    a number in the unit of welfare or a column that has one number a group; without it the measures
    that need one are left out. The sampling unit is `household`, told apart within `stratum`, else
    the row; with `is_sample` false everybody is in the table and nothing has a sampling error.
    Raises MeasureError for a weight that is negative or missing, a welfare that is not finite, a
    row without household or stratum, a line that is not positive or differs within a group, and a
    measure that there is none of.
    """
    wanted = measures or [name for name in MEASURES if line is not None or name not in OF_LINE]
    if taken := [name for name in by if name in RESULT]:
        raise MeasureError(f"a group may not be called {', '.join(taken)}: the result is")
    known = frame.filter(pl.col(welfare).is_not_null())
    for column in (weight, line, household, stratum):
        if isinstance(column, str) and (missing := known[column].null_count()):
            raise MeasureError(f"{column}: {missing} rows have none")
    if weight:
        # a negative weight stays, to be told of
        known = known.filter(pl.col(weight) != 0)
    if known.is_empty():
        raise MeasureError("there is nobody with a welfare and a weight")
    amounts = _numbers(known, welfare)
    weights = _numbers(known, weight) if weight else np.ones(known.height)
    sample = _sample(known, household, stratum) if is_sample else None
    groups = _groups(known, by)
    found = []
    for group, places in enumerate(groups[PLACES]):
        rows = places.to_numpy()
        rows = rows[order_of(amounts[rows], weights[rows])]
        people = Distribution(amounts[rows], weights[rows])
        domain = sample.of(rows) if sample else None
        of_group = _one_line(known[rows, line], line) if isinstance(line, str) else line
        found += [
            (group, *each, people.count) for each in measured(people, wanted, of_group, domain)
        ]
    return (
        groups.drop(PLACES)
        .with_row_index(GROUP)
        .join(pl.DataFrame(found, RESULT, orient="row"), on=GROUP, maintain_order="left_right")
        .drop(GROUP)
    )


def measured(
    people: Distribution, measures: Sequence[str], line: float | None, domain: Domain | None
) -> Iterator[Measured]:
    """The measures of one distribution; without a domain they have no sampling error."""
    for name in measures:
        figure = measure(people, name, line)
        value = _known(figure.value)
        error = None
        if domain and value is not None:
            error = _known(domain.standard_error(people, figure))
        if value is None or error is None:
            yield name, value, None, None, None
        else:
            yield name, value, error, value - Z_95 * error, value + Z_95 * error


def _groups(known: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """One row per group, in order, with the places of its rows."""
    if not by:
        return pl.DataFrame({PLACES: [np.arange(known.height, dtype=np.uint32)]})
    return (
        known.select(by).with_row_index(PLACES).group_by(by).agg(PLACES).sort(by, nulls_last=True)
    )


def _sample(known: pl.DataFrame, household: str | None, stratum: str | None) -> Sample:
    strata = _codes(known, stratum)
    units = _codes(known, household) if household else np.arange(known.height, dtype=np.int64)
    if household and stratum:
        units = units * (int(strata.max()) + 1) + strata
        units = np.unique(units, return_inverse=True)[1]
    of_unit = np.zeros(int(units.max()) + 1, dtype=np.int64)
    of_unit[units] = strata
    return Sample(units, of_unit)


def _codes(known: pl.DataFrame, column: str | None) -> Codes:
    """The values of a column as numbers from zero; all zero without a column."""
    if column is None:
        return np.zeros(known.height, dtype=np.int64)
    return (known[column].rank("dense").cast(pl.Int64) - 1).to_numpy()


def _numbers(known: pl.DataFrame, column: str) -> Numbers:
    return known[column].cast(pl.Float64).to_numpy()


def _one_line(lines: pl.Series, column: str) -> float:
    if lines.n_unique() > 1:
        raise MeasureError(f"{column}: the rows of one group have several lines")
    return float(lines[0])


def _known(number: float) -> float | None:
    return number if math.isfinite(number) else None

"""Arrays of numbers turned into columns of text, without a loop over rows."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa  # type: ignore[import-untyped, unused-ignore]
from numpy.typing import NDArray

from minsheng.demo.reference import CodeTexts, Flags, Integers

EPOCH_MONTH = (2017 - 1970) * 12
TWO_DIGITS = pl.Series([f"{number:02d}" for number in range(100)])
FIRST_DAY = int(np.datetime64("1900-01-01", "D").astype(np.int64))
DAY_COUNT = int(np.datetime64("2030-01-01", "D").astype(np.int64)) - FIRST_DAY
DAY_TEXTS = pl.Series(
    np.datetime_as_string(np.arange(FIRST_DAY, FIRST_DAY + DAY_COUNT).astype("datetime64[D]"))
)
FIRST_MONTH = -40 * 12
MONTH_TEXTS = pl.Series(
    np.datetime_as_string(
        np.arange(FIRST_MONTH + EPOCH_MONTH, EPOCH_MONTH + 120).astype("datetime64[M]")
    )
)


def days_of(text: str) -> int:
    """Days from 1970-01-01 to the date `text`."""
    return int(np.datetime64(text, "D").astype(np.int64))


def year_of(days: Integers) -> Integers:
    """Calendar year of days since 1970-01-01."""
    years = days.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
    return np.asarray(years, dtype=np.int64)


def month_of(days: Integers) -> Integers:
    """Months from January 2017 to the month of days since 1970-01-01."""
    months = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return np.asarray(months - EPOCH_MONTH, dtype=np.int64)


def first_day_of_month(months: Integers) -> Integers:
    """Days since 1970-01-01 of the first day of months counted from January 2017."""
    days = (months + EPOCH_MONTH).astype("datetime64[M]").astype("datetime64[D]")
    return np.asarray(days.astype(np.int64), dtype=np.int64)


def moved_days(days: Integers, years: int) -> Integers:
    """The same day of the year so many years later; 29 February may become the 28th."""
    dates = days.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    day = (dates - months.astype("datetime64[D]")).astype(np.int64)
    later = (months + 12 * years).astype("datetime64[D]")
    last = (months + 12 * years + 1).astype("datetime64[D]") - np.timedelta64(1, "D")
    moved = np.minimum(later.astype(np.int64) + day, last.astype(np.int64))
    return np.asarray(moved, dtype=np.int64)


def day_texts(days: Integers) -> pl.Series:
    """ISO dates; the days lie between 1900 and 2029."""
    return DAY_TEXTS.gather(days - FIRST_DAY)


def month_texts(months: Integers) -> pl.Series:
    """ISO months of months counted from January 2017."""
    return MONTH_TEXTS.gather(months - FIRST_MONTH)


def yuan_texts(fen: Integers) -> pl.Series:
    """Amounts in fen as yuan with two decimals."""
    size = np.abs(fen)
    text = pl.Series(size // 100).cast(pl.String) + "." + TWO_DIGITS.gather(size % 100)
    negative = fen < 0
    if negative.any():
        sign = pl.Series(["", "-"]).gather(negative.astype(np.int64))
        text = sign + text
    return text


def padded_texts(numbers: Integers, width: int) -> pl.Series:
    """Numbers with leading zeros."""
    return fixed_width_texts(digits_of(numbers, width) + ord("0"))


def digits_of(numbers: Integers, width: int) -> NDArray[np.uint8]:
    """Decimal digits of numbers, one row a number."""
    powers = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
    return (numbers[:, None] // powers % 10).astype(np.uint8)


def fixed_width_texts(characters: NDArray[np.uint8]) -> pl.Series:
    """Rows of ASCII codes as texts."""
    count, width = characters.shape
    offsets = np.arange(count + 1, dtype=np.int32) * width
    buffers = [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(characters.tobytes())]
    return pl.Series(pa.Array.from_buffers(pa.string(), count, buffers))


def code_texts(
    texts: CodeTexts, list_name: str, codes: tuple[str, ...], index: Integers, synonym: Flags
) -> pl.Series:
    """Text of the codes that `index` points at; a synonym where `synonym` is true."""
    labels = texts.labels[list_name]
    synonyms = texts.synonyms[list_name]
    choices = pl.Series([labels[code] for code in codes] + [synonyms[code] for code in codes])
    return choices.gather(index + len(codes) * synonym)

"""Sex and date of birth as departments declare them, beside the number that says them too.

They are what was told when the person was registered, and stay.  A date that is wrong is

    farmers_calendar         0.35  the day by the farmers' calendar, 18 to 50 days earlier
    first_of_january         0.25  only the year was known
    other_year               0.15  one less or more, as age is counted from one or the new year
    wrong_digit              0.15  in the tens of the day
    swapped_day_and_month    0.10  where the day can be a month

and wrong are 0.06 of the dates of persons born before 1960, 0.015 of those born before 2000 and
0.005 of the others; the sex is wrong in 0.004.  These shares are judgements.  A clean demo has no
such error, but blank cells like any other.  The register of disability certificates declares no
date of birth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from minsheng.demo.reference import CodeTexts, Flags, Integers
from minsheng.demo.rows import only_where
from minsheng.demo.text import day_texts, days_of

NO_ERROR = -1
BLANK_SHARES = {"agriculture": 0.06, "disability_federation": 0.02, "health": 0.03}
USUAL_BLANK_SHARE = 0.01
WRITES_SYNONYMS = frozenset({"disability_federation"})
SEX_CODES = ("1", "2")

BIRTH_ERROR_NAMES = (
    "farmers_calendar", "first_of_january", "other_year", "wrong_digit", "swapped_day_and_month",
)  # fmt: skip
FARMERS, JANUARY, OTHER_YEAR, WRONG_DIGIT, SWAPPED = range(len(BIRTH_ERROR_NAMES))
BIRTH_ERROR_WEIGHTS = (0.35, 0.25, 0.15, 0.15, 0.10)
BORN_EARLY, BORN_LATER = days_of("1960-01-01"), days_of("2000-01-01")
EARLY_SHARE, LATER_SHARE, LAST_SHARE = 0.06, 0.015, 0.005
# Younger children are not made younger, so that nobody is born after the delivery.
LAST_BIRTH_MADE_LATER = days_of("2016-01-01")
SEX_ERROR_NAMES = ("wrong_sex",)
SEX_ERROR_SHARE = 0.004


@dataclass(frozen=True)
class Declared:
    """What a department declares of each person; errors are positions of names, or NO_ERROR."""

    sex: Integers
    birth: Integers
    has_sex: Flags
    has_birth: Flags
    sex_error: Integers
    birth_error: Integers


def draw_declared(
    sex: Integers, birth: Integers, department: str, has_errors: bool, rng: np.random.Generator
) -> Declared:
    """Draw what a department was told of each person."""
    count = len(birth)
    blank = BLANK_SHARES.get(department, USUAL_BLANK_SHARE)
    has_sex, has_birth = rng.random((2, count)) >= blank
    share = np.select(
        [birth < BORN_EARLY, birth < BORN_LATER], [EARLY_SHARE, LATER_SHARE], LAST_SHARE
    )
    is_wrong = (rng.random(count) < share) & has_errors & has_birth
    kind = rng.choice(len(BIRTH_ERROR_NAMES), size=count, p=BIRTH_ERROR_WEIGHTS)
    dates = birth.astype("datetime64[D]")
    months, years = dates.astype("datetime64[M]"), dates.astype("datetime64[Y]")
    day = (dates - months.astype("datetime64[D]")).astype(np.int64)
    month = (months - years.astype("datetime64[M]")).astype(np.int64)
    # Counted from 0: a day up to 11 can be a month.
    kind = np.where((kind == SWAPPED) & ((day > 11) | (day == month)), WRONG_DIGIT, kind)
    kind = np.where((kind == JANUARY) & (day == 0) & (month == 0), FARMERS, kind)
    made_later = (rng.random(count) < 0.5) & (birth < LAST_BIRTH_MADE_LATER)
    told = np.select(
        [kind == FARMERS, kind == JANUARY, kind == OTHER_YEAR, kind == WRONG_DIGIT],
        [
            birth - rng.integers(18, 51, count),
            days_at(years, 0, 0),
            days_at(years, np.where(made_later, 12, -12) + month, day),
            birth + np.where(day < 18, 10, -10),
        ],
        days_at(years, day % 12, month),
    )
    is_other_sex = (rng.random(count) < SEX_ERROR_SHARE) & has_errors & has_sex
    return Declared(
        sex=np.where(is_other_sex, 3 - sex, sex),
        birth=np.where(is_wrong, told, birth),
        has_sex=has_sex,
        has_birth=has_birth,
        sex_error=np.where(is_other_sex, 0, NO_ERROR),
        birth_error=np.where(is_wrong, kind, NO_ERROR),
    )


def days_at(years: NDArray[np.datetime64], month: Integers | int, day: Integers | int) -> Integers:
    """Days since 1970-01-01 of a month and day of years, both counted from 0."""
    first = (years.astype("datetime64[M]") + month).astype("datetime64[D]")
    return np.asarray(first.astype(np.int64) + day, dtype=np.int64)


def declared_columns(
    declared: Declared, texts: CodeTexts, department: str, person: Integers
) -> dict[str, pl.Series]:
    """The two cells of each row."""
    words = texts.synonyms if department in WRITES_SYNONYMS else texts.labels
    sexes = pl.Series([words["sex"][code] for code in SEX_CODES])
    return {
        "sex_code": only_where(sexes.gather(declared.sex[person] - 1), declared.has_sex[person]),
        "birth_date": only_where(day_texts(declared.birth[person]), declared.has_birth[person]),
    }

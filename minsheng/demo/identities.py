"""Invented identity numbers and names.

A number has the real shape of GB 11643 and a correct check digit, but its region is one of
330390 to 330399, which have never been assigned to a county, so it can be nobody's.  Within a
run no two persons share a number: each chunk of households has its own places in the sequence
of every birth date and sex.  Names are drawn character by character.

The second of twins stands next to the first in the sequence.  That place is another chunk's, so
a run with twins uses only the lower half of the places for its chunks.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from minsheng.demo.reference import Flags, Integers
from minsheng.demo.text import digits_of, fixed_width_texts

UNASSIGNED_REGIONS = tuple(str(region) for region in range(330390, 330400))
CHECK_WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2], dtype=np.int64)
CHECK_CHARACTERS = np.frombuffer(b"10X98765432", dtype=np.uint8)

PLACES = len(UNASSIGNED_REGIONS) * 500
PLACES_OF_A_CHUNK = 5
MAXIMUM_CHUNKS = PLACES // PLACES_OF_A_CHUNK
MAXIMUM_CHUNKS_WITH_TWINS = MAXIMUM_CHUNKS // 2
CHUNKS_OF_PLACES = 8
"""The last chunks of a run with twins are those of the places of other plans."""
# Without a common factor with PLACES; one step in the sequence is INVERSE steps in the places.
MULTIPLIER = 1237
INVERSE = pow(MULTIPLIER, -1, PLACES)

SURNAMES = tuple(
    "陈林黄张李王吴周徐叶郑杨刘朱胡潘金赵蔡夏项董谢卢曾钟雷蓝温施苏缪包翁毛章余沈何许孙高"
)
GIVEN_CHARACTERS = tuple(
    "伟芳秀英敏静丽强磊军洋勇艳杰娟涛明超兰霞平刚桂香月珍玉华建国志永文光德福荣贵生春梅凤莲"
    "海波雪晓红云飞龙宝仁义忠诚林松柏元庆祥和安康宁佳怡欣思雨子涵梓浩宇轩博睿可馨诗雅若曦"
)
RARE_CHARACTERS = ("𬭊", "䶮", "㛃", "𬍛", "䓨", "㼆")
ETHNIC_FIRST = ("阿依古丽", "买买提", "古丽娜尔", "艾合买提", "娜仁", "次仁", "卓玛", "吐尔逊")
ETHNIC_LAST = ("阿不都拉", "艾山", "吐尼亚孜", "巴特尔", "多吉", "肉孜", "司马义", "尼牙孜")


def distinct_births(birth: Integers, sex: Integers, places: int = PLACES_OF_A_CHUNK) -> Integers:
    """Birth dates moved back by a day where more persons share date and sex than have places."""
    moved = birth.copy()
    while True:
        crowded = rank_of_birth(moved, sex) >= places
        if not crowded.any():
            return moved
        # Going back never leaves the year except on a first of January, where going forward is
        # used instead; a newborn thus stays in the year of its birth.
        year = moved.astype("datetime64[D]").astype("datetime64[Y]")
        first = year.astype("datetime64[D]").astype(np.int64)
        step = np.where(moved == first, 40, -1)
        moved = np.where(crowded, moved + step, moved)


def rank_of_birth(birth: Integers, sex: Integers) -> Integers:
    """How many persons before this one have the same birth date and sex."""
    key = birth * 2 + sex % 2
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    lengths = np.diff(np.r_[starts, len(ordered)])
    rank = np.empty(len(key), dtype=np.int64)
    rank[order] = np.arange(len(key)) - np.repeat(starts, lengths)
    return rank


def identity_numbers(birth: Integers, sex: Integers, chunk: int) -> pl.Series:
    """Numbers of the chunk's persons; the seventeenth digit is odd for men."""
    place = chunk * PLACES_OF_A_CHUNK + rank_of_birth(birth, sex)
    return numbers_at(spread(place, birth), birth, sex)


def spread(place: Integers, birth: Integers) -> Integers:
    """Places all over the sequence, distinct for distinct ones of the same birth date."""
    return np.asarray((place * MULTIPLIER + birth * 31) % PLACES)


def with_twins(
    number: pl.Series, birth: Integers, sex: Integers, chunk: int, twin_of: Integers
) -> pl.Series:
    """Numbers in which most second twins stand next to the first.

    A brother and a sister do so anyhow: one place has an odd and an even number.  The next place
    of one sex is that of another chunk, and free if it lies in the upper half.
    """
    second = np.flatnonzero(twin_of >= 0)
    second = second[sex[second] == sex[twin_of[second]]]
    first = twin_of[second]
    place = chunk * PLACES_OF_A_CHUNK + rank_of_birth(birth, sex)[first]
    is_free = (place + INVERSE) % PLACES >= PLACES // 2
    second, place = second[is_free], place[is_free]
    if not len(second):
        return number
    next_place = (spread(place, birth[second]) + 1) % PLACES
    return number.scatter(second, numbers_at(next_place, birth[second], sex[second]))


def spare_numbers(
    number: pl.Series, birth: Integers, sex: Integers, chunk: int, other_birth: Integers
) -> pl.Series:
    """For each person a number that nobody has; null where the chunk has no place left."""
    count = len(birth)
    both, sexes = np.r_[birth, other_birth], np.r_[sex, sex]
    rank = rank_of_birth(both, sexes)[count:]
    place = chunk * PLACES_OF_A_CHUNK + rank
    spare = numbers_at(spread(place, other_birth), other_birth, sex)
    is_free = pl.Series(rank < PLACES_OF_A_CHUNK) & ~spare.is_in(number.implode())
    return pl.select(pl.when(is_free).then(spare)).to_series()


def numbers_at(place: Integers, birth: Integers, sex: Integers) -> pl.Series:
    """Numbers at places of the sequences of their birth dates and sexes."""
    region = np.array([int(region) for region in UNASSIGNED_REGIONS])[place // 500]
    sequence = place % 500 * 2 + sex % 2
    dates = birth.astype("datetime64[D]")
    months = dates.astype("datetime64[M]").astype(np.int64)
    day = birth - dates.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) + 1
    date = (months // 12 + 1970) * 10_000 + (months % 12 + 1) * 100 + day
    digits = np.concatenate(
        [digits_of(region, 6), digits_of(date, 8), digits_of(sequence, 3)], axis=1
    )
    check = CHECK_CHARACTERS[digits.astype(np.int64) @ CHECK_WEIGHTS % 11]
    characters: NDArray[np.uint8] = np.concatenate(
        [digits + np.uint8(ord("0")), check[:, None]], axis=1
    )
    return fixed_width_texts(characters)


def check_digit(first_seventeen: str) -> str:
    """The eighteenth character of GB 11643."""
    total = sum(int(d) * int(w) for d, w in zip(first_seventeen, CHECK_WEIGHTS, strict=True))
    return chr(CHECK_CHARACTERS[total % 11])


def person_names(rng: np.random.Generator, family: Integers, has_family_name: Flags) -> pl.Series:
    """Names; persons of one family share a surname where `has_family_name` is true."""
    count = len(family)
    family_surnames = rng.integers(0, len(SURNAMES), int(family.max(initial=0)) + 1)
    own_surnames = rng.integers(0, len(SURNAMES), count)
    surname = np.where(has_family_name, family_surnames[family], own_surnames)
    given = pl.Series([*GIVEN_CHARACTERS, *RARE_CHARACTERS])
    first = rng.integers(0, len(GIVEN_CHARACTERS), count)
    rare = rng.random(count) < 0.004
    first = np.where(
        rare, len(GIVEN_CHARACTERS) + rng.integers(0, len(RARE_CHARACTERS), count), first
    )
    # The last entry is empty: a given name of one character.
    second_choices = pl.Series([*GIVEN_CHARACTERS, ""])
    second = rng.integers(0, len(GIVEN_CHARACTERS), count)
    second = np.where(rng.random(count) < 0.18, len(GIVEN_CHARACTERS), second)
    names = (
        pl.Series(SURNAMES).gather(surname) + given.gather(first) + second_choices.gather(second)
    )
    ethnic = np.flatnonzero(rng.random(count) < 0.003)
    ethnic_names = [
        f"{ETHNIC_FIRST[left]}·{ETHNIC_LAST[right]}"
        for left, right in rng.integers(0, len(ETHNIC_FIRST), (len(ethnic), 2))
    ]
    return names.scatter(ethnic, ethnic_names) if len(ethnic) else names

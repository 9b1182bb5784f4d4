"""Four departments' lists of as many persons as wanted, with the truth, to measure linkage with.

The lists have the demo's errors (see oddities.py, registers.py, declared.py) as they stand in one
month, and no lives: nobody is paid or ill.  A quarter more persons live than each list has, so two
lists share four fifths of their persons.  Families of one to six live in villages of 1,250, in
which two families of five have the village's surname.

    agriculture__household_roll                     number, name, sex, birth, village, phone
    civil_affairs__assistance_roll                  number, name, village
    disability_federation__disability_certificate   number, name, sex, phone
    health__insurance_enrolment                     number, name, sex, birth

Each list holds persons of any age; a school's would need five times as many persons beside.  One
person in fifteen on the other lists holds a disability certificate, on the federation's everybody.
A phone is the person's, or the head's for one in three others of a family; of the numbers that a
department has, one in twenty is of before.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa  # type: ignore[import-untyped, unused-ignore]
import pyarrow.parquet as pq  # type: ignore[import-untyped, unused-ignore]

from minsheng.demo.declared import draw_declared
from minsheng.demo.health import GRADE_SHARES, TYPE_SHARES
from minsheng.demo.identities import (
    PLACES,
    SURNAMES,
    distinct_births,
    numbers_at,
    person_names,
    rank_of_birth,
)
from minsheng.demo.oddities import (
    FIRST_CHANGE,
    LAST_CHANGE,
    Identities,
    Population,
    Rates,
    draw_identities,
)
from minsheng.demo.reference import Flags, Integers
from minsheng.demo.registers import NO_ERROR, draw_register, write_identities
from minsheng.demo.text import days_of, padded_texts
from minsheng.demo.wrong_names import DOT, NAME_ERROR_NAMES
from minsheng.demo.wrong_numbers import NUMBER_ERROR_NAMES

ROWS_OF_A_CHUNK = 100_000
PERSONS_PER_ROW = 1.25
PLACES_OF_A_CHUNK = 20
MAXIMUM_PERSONS = PLACES // PLACES_OF_A_CHUNK * ROWS_OF_A_CHUNK
MONTH = (FIRST_CHANGE + LAST_CHANGE) // 2
"""The lists are of this month; half of the numbers that ever change have changed."""

PERSONS_OF_A_VILLAGE = 1_250
FAMILY_SIZES = (0.22, 0.30, 0.20, 0.15, 0.08, 0.05)
MARRIED_SHARE = 0.8
VILLAGE_SURNAME_SHARE = 0.4
TWIN_SHARE = 0.03
CERTIFICATE_SHARE = 1 / 15
HEADS_PHONE_SHARE = 1 / 3
OTHER_PHONE_SHARE = 0.05
FIRST_PHONE = 12_000_000_000
"""No mobile number begins with 120."""

SCHEMA = pa.schema(
    {
        "source": pa.dictionary(pa.int32(), pa.string()),
        "row_number": pa.int64(),
        "id_number": pa.string(),
        "person_name": pa.string(),
        "sex_code": pa.string(),
        "birth_date": pa.date32(),
        "village_code": pa.string(),
        "phone": pa.string(),
        "person": pa.int64(),
        "number_error": pa.dictionary(pa.int32(), pa.string()),
        "name_error": pa.dictionary(pa.int32(), pa.string()),
    }
)


@dataclass(frozen=True)
class Source:
    """A list, and the share of its persons of whom it has a phone; what it never asks is false."""

    name: str
    has_sex: bool = False
    has_birth: bool = False
    has_village: bool = False
    phone_share: float = 0.0

    @property
    def lists_holders(self) -> bool:
        """Whether everybody on the list holds a disability certificate."""
        return self.department == "disability_federation"

    @property
    def department(self) -> str:
        """Who keeps the list."""
        return self.name.partition("__")[0]


SOURCES = (
    Source("agriculture__household_roll", True, True, True, 0.7),
    Source("civil_affairs__assistance_roll", has_village=True),
    Source("disability_federation__disability_certificate", has_sex=True, phone_share=0.8),
    Source("health__insurance_enrolment", has_sex=True, has_birth=True),
)


@dataclass(frozen=True)
class Residents:
    """Persons of a chunk; `head` is the position of each person's head of family.

    `grade` is that of the certificate that a person has or would have.
    """

    identities: Identities
    head: Integers
    grade: Integers
    village_code: pl.Series
    first_person: int


def write_rolls(
    folder: Path,
    persons: int,
    *,
    seed: int = 2022,
    broken_ids: float = 0.02,
    odd_names: float = 0.03,
    progress: Callable[[str], None] | None = None,
) -> tuple[Path, ...]:
    """Write `<source>.parquet` of `persons` rows for each source; returns the paths.

    One row a person and list: `source`, `row_number` from 1, `id_number`, `person_name`,
    `sex_code`, `birth_date`, `village_code`, `phone` as written, `person` who it is truly about,
    and what is wrong of number and name.  The same arguments give the same bytes.
    """
    if not 1 <= persons <= MAXIMUM_PERSONS:
        raise ValueError(f"persons must lie between 1 and {MAXIMUM_PERSONS}, not {persons}")
    rates = Rates(broken_ids, odd_names)
    folder.mkdir(parents=True, exist_ok=True)
    paths = tuple(folder / f"{source.name}.parquet" for source in SOURCES)
    present = [path.name for path in paths if path.exists()]
    if present:
        raise FileExistsError(f"{folder} already holds {', '.join(present)}")
    # Without the Arrow schema texts come back as text, not as the dictionaries they are made from.
    writers = [
        pq.ParquetWriter(path, SCHEMA, compression="zstd", store_schema=False) for path in paths
    ]
    first_person = 0
    try:
        for chunk, first_row in enumerate(range(0, persons, ROWS_OF_A_CHUNK)):
            rows = min(ROWS_OF_A_CHUNK, persons - first_row)
            residents = draw_residents(
                round(rows * PERSONS_PER_ROW), chunk, first_person, rates, seed
            )
            first_person += len(residents.head)
            for source, writer in zip(SOURCES, writers, strict=True):
                writer.write_table(roll_of(residents, source, rows, first_row, rates, seed, chunk))
            if progress is not None:
                progress(f"{first_row + rows} of {persons} persons written")
    finally:
        for writer in writers:
            writer.close()
    return paths


def draw_residents(count: int, chunk: int, first_person: int, rates: Rates, seed: int) -> Residents:
    """Families of a chunk with numbers and names that are nobody else's."""
    rng = np.random.default_rng([seed, chunk, 70])
    sizes = 1 + rng.choice(len(FAMILY_SIZES), size=count, p=FAMILY_SIZES)
    family = np.repeat(np.arange(count), sizes)[:count]
    head = np.searchsorted(family, family)
    place = np.arange(count) - head
    sex = rng.integers(1, 3, count)
    is_spouse = (place == 1) & (rng.random(count) < MARRIED_SHARE)
    sex = np.where(is_spouse, 3 - sex[head], sex)
    birth, twin_of = draw_births(rng, family, head, place, is_spouse)
    birth = distinct_births(birth, sex, PLACES_OF_A_CHUNK)
    twin_of = np.where(birth == birth[twin_of], twin_of, -1)
    village = head // PERSONS_OF_A_VILLAGE
    is_holder = rng.random(count) < CERTIFICATE_SHARE
    grade = 1 + rng.choice(len(GRADE_SHARES), size=count, p=GRADE_SHARES)
    population = Population(
        number=numbers_of(birth, sex, rank_of_birth(birth, sex), chunk),
        name=draw_names(rng, family, village, ~is_spouse),
        sex=sex,
        birth=birth,
        family=family,
        village=village,
        twin_of=twin_of,
        disability_type=rng.choice(len(TYPE_SHARES), size=count, p=TYPE_SHARES),
        grade=np.where(is_holder, grade, 0),
    )
    identities = draw_identities(
        population, rates, lambda other: spare_numbers(birth, sex, chunk, other), rng
    )
    # Towns and villages numbered as in GB/T 10114, in regions that were never assigned.
    code = 330_390_100_200 + chunk % 10 * 1_000_000 + chunk // 10 * 1_000 + village
    return Residents(identities, head, grade, padded_texts(code, 12), first_person)


def draw_births(
    rng: np.random.Generator,
    family: Integers,
    head: Integers,
    place: Integers,
    is_spouse: Flags,
) -> tuple[Integers, Integers]:
    """Births of heads, their spouses and their children, and who is whose twin."""
    count = len(family)
    age = rng.integers(22, 93, count)
    age = np.where(is_spouse, np.clip(age[head] + rng.integers(-5, 6, count), 20, 95), age)
    is_child = (place > 0) & ~is_spouse
    age = np.where(is_child, np.maximum(age[head] - rng.integers(20, 42, count), 0), age)
    birth = days_of("2019-12-31") - age * 365 - rng.integers(0, 365, count)
    is_sibling = np.r_[False, is_child[1:] & is_child[:-1] & (family[1:] == family[:-1])]
    is_second = is_sibling & (rng.random(count) < TWIN_SHARE)
    # Of three none is the twin of a twin.
    is_second[1:] &= ~is_second[:-1]
    second = np.flatnonzero(is_second)
    birth[second] = birth[second - 1]
    return birth, np.where(is_second, np.arange(count) - 1, -1)


def draw_names(
    rng: np.random.Generator, family: Integers, village: Integers, shares_name: Flags
) -> pl.Series:
    """Names; some families of a village have its surname."""
    names = person_names(rng, family, shares_name)
    of_village = rng.integers(0, len(SURNAMES), int(village.max(initial=0)) + 1)[village]
    has_it = (rng.random(int(family.max(initial=0)) + 1) < VILLAGE_SURNAME_SHARE)[family]
    has_it &= shares_name & ~names.str.contains(DOT, literal=True).to_numpy()
    surname = pl.Series(SURNAMES).gather(of_village)
    return pl.select(
        pl.when(pl.Series(has_it)).then(surname + names.str.slice(1)).otherwise(names)
    ).to_series()


def numbers_of(birth: Integers, sex: Integers, rank: Integers, chunk: int) -> pl.Series:
    """Numbers in a chunk's part of each sequence; those of twins stand next to each other."""
    place = (chunk * PLACES_OF_A_CHUNK + rank + birth * 31) % PLACES
    return numbers_at(place, birth, sex)


def spare_numbers(birth: Integers, sex: Integers, chunk: int, other: Integers) -> pl.Series:
    """A number of nobody for each person and another birth; null where no place is left."""
    count = len(birth)
    both, sexes = np.r_[birth, other], np.r_[sex, sex]
    rank = rank_of_birth(both, sexes)[count:]
    spare = numbers_of(other, sex, rank, chunk)
    return pl.select(pl.when(pl.Series(rank < PLACES_OF_A_CHUNK)).then(spare)).to_series()


def roll_of(
    residents: Residents,
    source: Source,
    rows: int,
    first_row: int,
    rates: Rates,
    seed: int,
    chunk: int,
) -> pa.Table:
    """A chunk's rows of a list, in any order."""
    rng = np.random.default_rng([seed, chunk, 71, zlib.crc32(source.name.encode("utf-8"))])
    identities = residents.identities
    people = identities.population
    person = rng.permutation(len(people.birth))[:rows]
    if source.lists_holders:
        identities = replace(identities, population=replace(people, grade=residents.grade))
    register = draw_register(identities, source.department, rates, rng, years=1)
    month = np.full(rows, MONTH)
    written = write_identities(identities, register, rates, source.department, person, month, rng)
    declared = draw_declared(people.sex, people.birth, source.department, rates.any, rng)
    has_sex = declared.has_sex[person] & source.has_sex
    has_birth = declared.has_birth[person] & source.has_birth
    sex = pl.Series(["1", "2"]).gather(declared.sex[person] - 1)
    has_phone = rng.random(rows) < source.phone_share
    return pa.table(
        {
            "source": coded((source.name,), np.zeros(rows, dtype=np.int64)),
            "row_number": pa.array(np.arange(first_row + 1, first_row + rows + 1)),
            "id_number": texts(written.number),
            "person_name": texts(written.name),
            "sex_code": only_where(sex, has_sex),
            "birth_date": pa.array(
                declared.birth[person].astype(np.int32), pa.int32(), mask=~has_birth
            ).cast(pa.date32()),
            "village_code": only_where(
                residents.village_code.gather(person), np.full(rows, source.has_village)
            ),
            "phone": only_where(phones(rng, residents, person), has_phone),
            "person": pa.array(residents.first_person + person),
            "number_error": coded(NUMBER_ERROR_NAMES, written.number_error),
            "name_error": coded(NAME_ERROR_NAMES, written.name_error),
        },
        schema=SCHEMA,
    )


def phones(rng: np.random.Generator, residents: Residents, person: Integers) -> pl.Series:
    """The numbers that were left: the own, the head's, or one of before."""
    is_heads = rng.random(len(person)) < HEADS_PHONE_SHARE
    whose = residents.first_person + np.where(is_heads, residents.head[person], person)
    is_other = rng.random(len(person)) < OTHER_PHONE_SHARE
    # Each person has two numbers, the second one of before.
    place = (whose * 2 + is_other) * 7919 % 100_000_000
    return padded_texts(FIRST_PHONE + place, 11)


def coded(names: tuple[str, ...], index: Integers) -> pa.Array:
    """Names at positions; null where the position is NO_ERROR."""
    indices = pa.array(index.astype(np.int32), mask=index == NO_ERROR)
    return pa.DictionaryArray.from_arrays(indices, pa.array(names, pa.string()))


def texts(series: pl.Series) -> pa.Array:
    """A column of text."""
    return series.to_arrow().cast(pa.string())


def only_where(series: pl.Series, wanted: Flags) -> pa.Array:
    """Texts where wanted, null elsewhere."""
    return texts(pl.select(pl.when(pl.Series(wanted)).then(series)).to_series())

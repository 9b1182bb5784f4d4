"""What departments write of who somebody is: rows of true persons become rows of their registers.

Registers are drawn when a department's first file of a chunk is written, each from its own random
numbers, so that no file depends on which others are wanted.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

import numpy as np

from minsheng.demo.declared import (
    BIRTH_ERROR_NAMES,
    SEX_ERROR_NAMES,
    Declared,
    declared_columns,
    draw_declared,
)
from minsheng.demo.health import NO_ISSUE
from minsheng.demo.identities import spare_numbers
from minsheng.demo.lives import Lives
from minsheng.demo.oddities import Identities, Population, Rates, draw_identities
from minsheng.demo.plan import PlannedFile
from minsheng.demo.reference import FIRST_YEAR, MONTH_COUNT, CodeTexts, Flags, Integers
from minsheng.demo.registers import NO_ERROR, Register, draw_register, write_identities
from minsheng.demo.rows import DatasetRows
from minsheng.demo.wrong_names import NAME_ERROR_NAMES
from minsheng.demo.wrong_numbers import NUMBER_ERROR_NAMES

IDENTITIES, REGISTER, DECLARED, ROWS = range(60, 64)
"""Streams of random numbers."""

DECLARED_COLUMNS = {
    "household_roll": ("sex_code", "birth_date"),
    "disability_certificate": ("sex_code",),
    "student_enrolment": ("sex_code", "birth_date"),
    "insurance_enrolment": ("sex_code", "birth_date"),
}


MISTAKE_NAMES = {
    "number": NUMBER_ERROR_NAMES,
    "name": NAME_ERROR_NAMES,
    "sex": SEX_ERROR_NAMES,
    "birth": BIRTH_ERROR_NAMES,
}


@dataclass(frozen=True)
class Mistakes:
    """What rows say wrong of who they are about: positions in MISTAKE_NAMES, or NO_ERROR."""

    number: Integers
    name: Integers
    sex: Integers
    birth: Integers
    is_number_slip: Flags
    is_name_slip: Flags

    @staticmethod
    def none(count: int) -> Mistakes:
        """No mistake in any of `count` rows."""
        right = np.full(count, NO_ERROR, dtype=np.int64)
        no_slip = np.zeros(count, dtype=np.bool_)
        return Mistakes(right, right, right, right, no_slip, no_slip)

    @property
    def by_column(self) -> dict[str, Integers]:
        """The mistakes of each column of MISTAKE_NAMES."""
        return {"number": self.number, "name": self.name, "sex": self.sex, "birth": self.birth}

    def of(self, index: Integers) -> Mistakes:
        """Those of the rows at positions."""
        return Mistakes(
            self.number[index], self.name[index], self.sex[index], self.birth[index],
            self.is_number_slip[index], self.is_name_slip[index],
        )  # fmt: skip


def population_of(lives: Lives) -> Population:
    """The persons of a chunk; neighbours are families of one."""
    people, certificates = lives.people, lives.certificates
    alone = np.flatnonzero(people.household < 0)
    family = people.household.copy()
    family[alone] = len(lives.village) + np.arange(len(alone))
    return Population(
        number=people.id_number,
        name=people.name,
        sex=people.sex,
        birth=people.birth,
        family=family,
        village=people.village,
        twin_of=np.r_[lives.members.twin_of, np.full(len(alone), -1)],
        disability_type=certificates.type,
        grade=np.where(certificates.issue != NO_ISSUE, certificates.grade, 0),
    )


def with_oddities(lives: Lives, rates: Rates, seed: int) -> tuple[Lives, Identities]:
    """Lives with names and numbers as they are where something is unusual."""
    people = lives.people
    if not rates.any:
        return lives, Identities.plain(population_of(lives))
    identities = draw_identities(
        population_of(lives),
        rates,
        lambda birth: spare_numbers(people.id_number, people.birth, people.sex, lives.chunk, birth),
        np.random.default_rng([seed, lives.chunk, IDENTITIES]),
    )
    odd = replace(people, id_number=identities.population.number, name=identities.population.name)
    return replace(lives, people=odd), identities


class Departments:
    """The registers of a chunk; with both rates at 0 every number and name is right."""

    def __init__(
        self,
        lives: Lives,
        identities: Identities,
        texts: CodeTexts,
        rates: Rates,
        seed: int,
        *,
        has_errors: bool,
    ) -> None:
        self.lives = lives
        self.identities = identities
        self.texts = texts
        self.rates = rates
        self.seed = seed
        self.has_errors = has_errors
        self.registers: dict[str, Register] = {}
        self.declarations: dict[str, Declared] = {}

    def random(self, stream: int, name: str) -> np.random.Generator:
        """Random numbers of a department or dataset, the same whatever else is drawn."""
        return np.random.default_rng(
            [self.seed, self.lives.chunk, stream, zlib.crc32(name.encode("utf-8"))]
        )

    def register(self, department: str) -> Register:
        """The register of a department."""
        if department not in self.registers:
            rng = self.random(REGISTER, department)
            self.registers[department] = draw_register(self.identities, department, self.rates, rng)
        return self.registers[department]

    def declared(self, department: str) -> Declared:
        """What a department was told."""
        if department not in self.declarations:
            people = self.lives.people
            self.declarations[department] = draw_declared(
                people.sex, people.birth, department, self.has_errors,
                self.random(DECLARED, department),
            )  # fmt: skip
        return self.declarations[department]

    def write(
        self, rows: DatasetRows, files: tuple[PlannedFile, ...]
    ) -> tuple[DatasetRows, Mistakes]:
        """Rows as the department that sends them has them, and what is wrong."""
        mistakes = Mistakes.none(len(rows.file))
        if "id_number" not in rows.frame.columns:
            return rows, mistakes
        department = files[0].department
        if self.rates.any:
            rows, mistakes = self.with_identities(rows, files, mistakes)
        columns = DECLARED_COLUMNS.get(rows.dataset, ())
        if columns:
            declared = self.declared(department)
            cells = declared_columns(declared, self.texts, department, rows.person)
            frame = rows.frame.with_columns(cells[name].alias(name) for name in columns)
            rows = replace(rows, frame=frame)
            mistakes = replace(mistakes, sex=declared.sex_error[rows.person])
        if "birth_date" in columns:
            mistakes = replace(mistakes, birth=declared.birth_error[rows.person])
        return rows, mistakes

    def with_identities(
        self,
        rows: DatasetRows,
        files: tuple[PlannedFile, ...],
        mistakes: Mistakes,
    ) -> tuple[DatasetRows, Mistakes]:
        """Rows with the numbers and names of the register."""
        department = files[0].department
        month = np.array([last_month(file.period) for file in files])[rows.file]
        written = write_identities(
            self.identities,
            self.register(department),
            self.rates,
            department,
            rows.person,
            month,
            self.random(ROWS, rows.dataset),
        )
        frame = rows.frame.with_columns(
            written.number.alias("id_number"), written.name.alias("person_name")
        )
        return replace(rows, frame=frame), replace(
            mistakes,
            number=written.number_error,
            name=written.name_error,
            is_number_slip=written.is_number_slip,
            is_name_slip=written.is_name_slip,
        )


def last_month(period: str) -> int:
    """The last month of a period, counted from January 2017 and within the run."""
    year, _, month = period.partition("-")
    return min(max((int(year) - FIRST_YEAR) * 12 + int(month or 12) - 1, 0), MONTH_COUNT - 1)

"""Rows of the departments' files, written from lives.

Each dataset becomes one table of text whose rows are ordered by file; beside it stand, for every
row, the file, the person and the household that it is about.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from minsheng.demo.benefits import PROGRAMMES, SNAPSHOT_MONTHS
from minsheng.demo.economy import ASSISTANCE, CAUSES, DIBAO_MARGIN
from minsheng.demo.enrolment import INSURANCES, INSURED_STATES, NOT_INSURED, STAGES, STUDENT_STATES
from minsheng.demo.health import DISABILITY_TYPES, DISEASES, NO_ISSUE, VISITS
from minsheng.demo.households import (
    DAUGHTER_IN_LAW,
    GRANDCHILD,
    LABOUR_CODES,
    RELATIONS,
    SON,
)
from minsheng.demo.lives import Lives
from minsheng.demo.people import HOUSEHOLDS_OF_A_CHUNK
from minsheng.demo.reference import (
    FIRST_YEAR,
    YEAR_COUNT,
    Areas,
    CodeTexts,
    Flags,
    Integers,
    Reference,
)
from minsheng.demo.text import (
    code_texts,
    day_texts,
    days_of,
    fixed_width_texts,
    month_texts,
    padded_texts,
    yuan_texts,
)

SYNONYM_SHARE = 0.04
NEIGHBOURS_BOOKS = 500_000_000
SCHOOLS = (("中心幼儿园", "第二幼儿园"), ("中心小学", "第二小学"), ("中学", "第二中学"))
COUNTY_SCHOOLS = {3: ("第二高级中学", "第三高级中学"), 4: ("职业高级中学", "第二职业高级中学")}
COLLEGES = {5: ("浙南山区职业学院", "瓯江职业学院"), 6: ("浙南山区学院", "瓯江学院")}


@dataclass(frozen=True)
class DatasetRows:
    """Rows of one dataset; `file` is the position among the dataset's files, in order.

    `person` and `household` are positions within the chunk, -1 for none.
    """

    dataset: str
    frame: pl.DataFrame
    file: Integers
    person: Integers
    household: Integers


class Writer:
    """Turns one chunk's lives into rows; draws only how things are worded."""

    def __init__(self, lives: Lives, reference: Reference, seed: int) -> None:
        self.lives = lives
        self.areas: Areas = reference.areas
        self.texts: CodeTexts = reference.texts
        self.rng = np.random.default_rng([seed, lives.chunk, 1])
        self.county = reference.areas.county_of_village[lives.people.village]
        self.county_count = len(reference.areas.county_codes)
        self.income_concept = reference.plan.income_concept

    def datasets(self) -> Iterator[DatasetRows]:
        """Rows of the eight datasets that follow from lives, one dataset at a time."""
        yield self.household_roll()
        yield self.household_income()
        yield self.assistance_roll()
        yield self.relief_payment()
        yield self.student_enrolment()
        yield self.insurance_enrolment()
        yield self.medical_settlement()
        yield self.disability_certificate()

    def code(self, list_name: str, codes: tuple[str, ...], index: Integers) -> pl.Series:
        """Texts of codes, now and then a synonym."""
        synonym = self.rng.random(len(index)) < SYNONYM_SHARE
        return code_texts(self.texts, list_name, codes, index, synonym)

    def person_rows(
        self, dataset: str, file: Integers, person: Integers, columns: dict[str, pl.Series]
    ) -> DatasetRows:
        """Rows about persons."""
        household = self.lives.people.household[person]
        return DatasetRows(dataset, pl.DataFrame(columns), file, person, household)

    def id_number(self, person: Integers) -> pl.Series:
        """Identity numbers of persons."""
        return self.lives.people.id_number.gather(person)

    def name(self, person: Integers) -> pl.Series:
        """Names of persons."""
        return self.lives.people.name.gather(person)

    def household_roll(self) -> DatasetRows:
        """Members of the households on the roll of each year."""
        lives = self.lives
        members = lives.members
        on_roll = lives.economy.on_roll[members.household] & members.listed[:, :YEAR_COUNT]
        year, person = np.nonzero(on_roll.T)
        file, (year, person) = by_file(year * self.county_count + self.county[person], year, person)
        household = members.household[person]
        has_phone = (self.rng.random(len(members.household)) < 0.6)[person]
        # No mobile number begins with 120.
        phone = padded_texts(12_000_000_000 + lives.people.key[person] * 7919 % 100_000_000, 11)
        columns = {
            "household_number": lives.household_number.gather(household),
            "id_number": self.id_number(person),
            "person_name": self.name(person),
            "relation_code": self.code("relation", RELATIONS, members.relation[person, year]),
            "labour_code": self.code("labour", LABOUR_CODES, members.labour[person, year]),
            "cause_code": self.code("cause", CAUSES, lives.economy.cause[household]),
            "village_code": self.areas.village_codes.gather(lives.village[household]),
            "phone": only_where(phone, has_phone),
            "hukou_number": self.hukou_number(person),
        }
        return self.person_rows("household_roll", file, person, columns)

    def running_number(self, household: Integers) -> Integers:
        """Households counted through all chunks."""
        return self.lives.chunk * HOUSEHOLDS_OF_A_CHUNK + household

    def hukou_number(self, person: Integers) -> pl.Series:
        """The police's book of each person: a son who lives with his parents has one of his own."""
        members, people = self.lives.members, self.lives.people
        has_son = np.logical_or.reduceat(members.role == SON, members.start)[members.household]
        is_branch = np.isin(members.role, (SON, DAUGHTER_IN_LAW))
        is_branch |= (members.role == GRANDCHILD) & has_son
        book = NEIGHBOURS_BOOKS + people.key
        book[: len(is_branch)] = self.running_number(members.household) * 10 + is_branch
        return padded_texts(book[person], 9)

    def household_income(self) -> DatasetRows:
        """Income of the households in the ledger of each year."""
        economy = self.lives.economy
        year, household = np.nonzero(economy.in_ledger.T)
        county = self.areas.county_of_village[self.lives.village[household]]
        file, (year, household) = by_file(year * self.county_count + county, year, household)
        concept = np.zeros(len(year), dtype=np.int64)
        components = economy.components_fen[household, year]
        columns = {
            "household_number": self.lives.household_number.gather(household),
            "member_count": pl.Series(self.lives.members.member_count[household, year]).cast(
                pl.String
            ),
            "area_code": self.areas.village_codes.gather(self.lives.village[household]),
            "income_concept": self.code("income_concept", (self.income_concept,), concept),
            "wage_yuan": yuan_texts(components[:, 0]),
            "business_yuan": yuan_texts(components[:, 1]),
            "property_yuan": yuan_texts(components[:, 2]),
            "transfer_yuan": yuan_texts(components[:, 3]),
            "total_yuan": yuan_texts(economy.total_fen[household, year]),
        }
        nobody = np.full(len(year), -1, dtype=np.int64)
        return DatasetRows("household_income", pl.DataFrame(columns), file, nobody, household)

    def assistance_roll(self) -> DatasetRows:
        """Persons on assistance in June and December."""
        roll = self.lives.assistance
        snapshot = np.searchsorted(np.array(SNAPSHOT_MONTHS), roll.month)
        file, (person, kind, start, fen) = by_file(
            snapshot * self.county_count + self.county[roll.person],
            roll.person, roll.assistance, roll.start, roll.monthly_fen,
        )  # fmt: skip
        columns = {
            "id_number": self.id_number(person),
            "person_name": self.name(person),
            "assistance_code": self.code("assistance", ASSISTANCE, kind),
            "start_month": month_texts(start),
            "monthly_yuan": only_where(yuan_texts(fen), kind != DIBAO_MARGIN),
            "village_code": self.areas.village_codes.gather(self.lives.people.village[person]),
            "co_living_number": padded_texts(
                self.running_number(self.lives.people.household[person]), 7
            ),
        }
        return self.person_rows("assistance_roll", file, person, columns)

    def relief_payment(self) -> DatasetRows:
        """Payments of each month."""
        payments = self.lives.payments
        file, (person, programme, fen) = by_file(
            payments.month * self.county_count + self.county[payments.person],
            payments.person, payments.programme, payments.amount_fen,
        )  # fmt: skip
        columns = {
            "id_number": self.id_number(person),
            "person_name": self.name(person),
            "programme_code": self.code("programme", PROGRAMMES, programme),
            "amount_yuan": yuan_texts(fen),
        }
        return self.person_rows("relief_payment", file, person, columns)

    def student_enrolment(self) -> DatasetRows:
        """Students of each September."""
        students = self.lives.students
        person, stage = students.person, students.stage
        columns = {
            "id_number": self.id_number(person),
            "person_name": self.name(person),
            "student_number": "G" + self.id_number(person),
            "education_stage_code": self.code("education_stage", STAGES, stage),
            "school_name": self.school(person, stage),
            "enrolment_status_code": self.code("enrolment_status", STUDENT_STATES, students.state),
        }
        return self.person_rows("student_enrolment", students.year, person, columns)

    def school(self, person: Integers, stage: Integers) -> pl.Series:
        """Invented schools: of the town up to junior secondary, of the county, then colleges."""
        towns, counties = self.areas.town_names, self.areas.county_names
        names = [f"{town}{school}" for town in towns for pair in SCHOOLS for school in pair]
        first_county = len(names)
        names += [
            f"{county}{COUNTY_SCHOOLS[stage][index]}"
            for county in counties
            for stage in COUNTY_SCHOOLS
            for index in range(2)
        ]
        first_college = len(names)
        names += [name for pair in COLLEGES.values() for name in pair]
        town = self.areas.town_of_village[self.lives.people.village[person]]
        which = person % 2
        index = np.select(
            [stage <= 2, stage <= 4],
            [
                (town * 3 + stage) * 2 + which,
                first_county + (self.county[person] * 2 + stage - 3) * 2 + which,
            ],
            default=first_college + (stage - 5) * 2 + which,
        )
        return pl.Series(names).gather(index)

    def insurance_enrolment(self) -> DatasetRows:
        """The insurance register of each year; premiums are paid in the autumn before."""
        rows = self.lives.insurance
        # Days of September to December in the year before, the same for all of a person's years.
        first = (FIRST_YEAR - 1971 + rows.year).astype("datetime64[Y]").astype("datetime64[D]")
        paid = first.astype(np.int64) + 245 + self.lives.people.key[rows.person] * 31 % 118
        columns = {
            "id_number": self.id_number(rows.person),
            "person_name": self.name(rows.person),
            "insurance_code": self.code("insurance", INSURANCES, rows.insurance),
            "insured_status_code": self.code("insured_status", INSURED_STATES, rows.state),
            "paid_date": only_where(day_texts(paid), rows.state != NOT_INSURED),
        }
        return self.person_rows("insurance_enrolment", rows.year, rows.person, columns)

    def medical_settlement(self) -> DatasetRows:
        """Settlements of each month."""
        bills = self.lives.settlements
        order = np.argsort(bills.month, kind="stable")
        month, person, group = bills.month[order], bills.person[order], bills.group[order]
        calendar_month = (FIRST_YEAR + month // 12) * 100 + month % 12 + 1
        number = (calendar_month * 10_000 + self.lives.chunk) * 1_000_000 + np.arange(len(order))
        diseases = pl.Series([name for names in DISEASES for name in names])
        columns = {
            "settlement_number": padded_texts(number, 16),
            "id_number": self.id_number(person),
            "person_name": self.name(person),
            "settled_date": day_texts(bills.day[order]),
            "visit_code": self.code("visit", VISITS, bills.visit[order]),
            "disease_name": diseases.gather(group * len(DISEASES[0]) + bills.disease[order]),
            "total_cost_yuan": yuan_texts(bills.total_fen[order]),
            "basic_paid_yuan": yuan_texts(bills.basic_fen[order]),
            "serious_illness_paid_yuan": yuan_texts(bills.serious_fen[order]),
            "medical_aid_paid_yuan": yuan_texts(bills.aid_fen[order]),
            "self_paid_yuan": yuan_texts(bills.self_fen[order]),
        }
        return self.person_rows("medical_settlement", month, person, columns)

    def disability_certificate(self) -> DatasetRows:
        """The register of each year, which keeps every certificate ever issued."""
        certificates = self.lives.certificates
        year_ends = np.array([days_of(f"{FIRST_YEAR + year}-12-31") for year in range(YEAR_COUNT)])
        known = (certificates.issue != NO_ISSUE) & (certificates.grade > 0)
        is_in = known[:, None] & (certificates.issue[:, None] <= year_ends)
        year, person = np.nonzero(is_in.T)
        file, (person,) = by_file(year * self.county_count + self.county[person], person)
        kind, grade = certificates.type[person], certificates.grade[person] - 1
        suffix = np.stack([kind + ord("1"), grade + ord("1")], axis=1).astype(np.uint8)
        grades = ("1", "2", "3", "4")
        columns = {
            "certificate_number": self.id_number(person) + fixed_width_texts(suffix),
            "id_number": self.id_number(person),
            "person_name": self.name(person),
            "disability_type_code": self.code("disability_type", DISABILITY_TYPES, kind),
            "disability_grade_code": self.code("disability_grade", grades, grade),
            "issue_date": day_texts(certificates.issue[person]),
        }
        return self.person_rows("disability_certificate", file, person, columns)


def by_file(file: Integers, *columns: Integers) -> tuple[Integers, tuple[Integers, ...]]:
    """File positions in order, and the other columns in the same order."""
    order = np.argsort(file, kind="stable")
    return file[order], tuple(column[order] for column in columns)


def only_where(texts: pl.Series, wanted: Flags) -> pl.Series:
    """Texts where wanted, empty cells elsewhere."""
    empty = np.flatnonzero(~wanted)
    return texts.scatter(empty, [None]) if len(empty) else texts

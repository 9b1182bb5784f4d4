"""Rows of the rural departments' files about households and persons, written from lives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from minsheng.demo.households import NEVER
from minsheng.demo.identities import person_names
from minsheng.demo.lives import Lives
from minsheng.demo.reference import (
    FIRST_YEAR,
    MONTH_COUNT,
    YEAR_COUNT,
    YEARS,
    Areas,
    Flags,
    Floats,
    Integers,
    Reference,
)
from minsheng.demo.rows import DatasetRows, Writer, by_file, only_where
from minsheng.demo.rural_areas import AREA_PERIODS, area_rows, no_amounts
from minsheng.demo.rural_lives import (
    ACCIDENTS,
    CHANNELS,
    FIRST_CASE_MONTH,
    FIRST_CLUE_MONTH,
    FIRST_EXCHANGE_MONTH,
    INJURIES,
    MEASURES,
    NO_RISK,
    OBJECT_TYPES,
    PENDING,
    RESULTS,
    RISKS,
    draw_rural_lives,
)
from minsheng.demo.text import (
    day_texts,
    days_of,
    first_day_of_month,
    month_of,
    month_texts,
    padded_texts,
    yuan_texts,
)

CASE_MONTHS = tuple(range(FIRST_CASE_MONTH + 5, MONTH_COUNT, 6))
DECEMBERS = tuple(range(11, MONTH_COUNT, 12))
LINKS = ("land", "forest", "capital", "labour", "technique", "product")
MEASURE_NAMES = {"asset_share": "村级光伏收益", "link": "产业联结", "public_post": "乡村保洁员"}
VISIT_WAYS = ("home", "phone")
CADRE_ROLES = ("official", "party_member", "team", "village")
CADRE_COUNT = 600
CADRE_UNITS = ("县水利局", "县教育局", "县自然资源局", "县交通运输局", "县供销社", "县融媒体中心")
PROBLEMS = ("屋顶漏雨", "医药费负担重", "农产品难卖", "子女学费紧张", "饮水不稳定", "想找工作")
PURPOSES = ("茶叶种植", "肉牛养殖", "蔬菜大棚", "农家乐经营", "中药材种植")
BANKS = ("飞云江县农村商业银行", "文山县农村商业银行", "泰岭县农村商业银行")
INTEREST_PERCENT = 3.85
HOUSEHOLDS_OF_A_SAMPLED_TOWN = 0.3
TOWNS_SAMPLED = 0.35


def month_period(month: int) -> str:
    """A month as a period names it."""
    return f"{FIRST_YEAR + month // 12}-{month % 12 + 1:02d}"


RURAL_PERIODS = {
    "monitoring_case": tuple(month_period(month) for month in CASE_MONTHS),
    "cadre_visit": tuple(month_period(month) for month in range(FIRST_CLUE_MONTH, MONTH_COUNT)),
    "assistance_measure": tuple(month_period(month) for month in DECEMBERS),
    "small_loan": tuple(month_period(month) for month in DECEMBERS),
    "vital_event": tuple(month_period(month) for month in range(FIRST_EXCHANGE_MONTH, MONTH_COUNT)),
    "accident": tuple(month_period(month) for month in range(FIRST_EXCHANGE_MONTH, MONTH_COUNT)),
    "clue": tuple(month_period(month) for month in range(FIRST_CLUE_MONTH, MONTH_COUNT)),
    "household_survey": tuple(str(year) for year in YEARS),
    **AREA_PERIODS,
}
"""Periods that each rural dataset is delivered for, by dataset."""


@dataclass(frozen=True)
class RuralRows:
    """Rows of a dataset with what is true of each: where, of which kind, and how much."""

    rows: DatasetRows
    area: pl.Series
    kind: pl.Series
    amount_fen: Integers

    def of(self, rows: DatasetRows, is_kept: Flags) -> RuralRows:
        """What is true of `rows`, which are those that are kept."""
        kept = pl.Series(is_kept)
        return RuralRows(
            rows, self.area.filter(kept), self.kind.filter(kept), self.amount_fen[is_kept]
        )


class RuralWriter(Writer):
    """Turns one chunk's lives into rows of the rural departments; draws only the wording."""

    def __init__(self, lives: Lives, reference: Reference, seed: int) -> None:
        super().__init__(lives, reference, seed)
        self.rng = np.random.default_rng([seed, lives.chunk, 31])
        self.seed = seed
        self.reference = reference
        self.rural = draw_rural_lives(lives, seed)
        # One county's cadres, whatever the chunk.
        names = np.random.default_rng([seed, 32])
        nobody = np.zeros(CADRE_COUNT, dtype=np.bool_)
        self.cadre_names = person_names(names, np.arange(CADRE_COUNT), nobody)

    def rural_datasets(self) -> Iterator[RuralRows]:
        """Rows of the datasets that follow from lives, then once a run those of areas."""
        yield self.monitoring_case()
        yield self.cadre_visit()
        yield self.assistance_measure()
        yield self.small_loan()
        yield self.vital_event()
        yield self.accident()
        yield self.clue()
        yield self.household_survey()
        if self.lives.states_areas:
            for dataset, file, columns, kind, amount in area_rows(self.reference, self.seed):
                nobody = np.full(len(file), -1, dtype=np.int64)
                rows = DatasetRows(dataset, pl.DataFrame(columns), file, nobody, nobody)
                area = columns.get("village_code", columns.get("area_code"))
                assert area is not None
                yield RuralRows(rows, area, kind, amount)

    def village_of(self, household: Integers) -> pl.Series:
        """Village codes of households."""
        return self.areas.village_codes.gather(self.lives.village[household])

    def yes_or_no(self, is_so: Flags) -> pl.Series:
        """Flags as departments write them."""
        return pl.Series(["否", "是"]).gather(is_so.astype(np.int64))

    def cadre_of(self, household: Integers) -> Integers:
        """The cadre paired with a household: one of three that care for its village."""
        return (self.lives.village[household] * 3 + household % 3) % CADRE_COUNT

    def phone_of(self, cadre: Integers) -> pl.Series:
        """Phone numbers of cadres; no mobile number begins with 129."""
        return padded_texts(12_900_000_000 + cadre * 7919, 11)

    def household_rows(
        self,
        dataset: str,
        file: Integers,
        person: Integers,
        household: Integers,
        columns: dict[str, pl.Series],
        kind: pl.Series,
        amount_fen: Integers,
    ) -> RuralRows:
        """Rows about households, or about one of their members."""
        rows = DatasetRows(dataset, pl.DataFrame(columns), file, person, household)
        return RuralRows(rows, self.village_of(household), kind, amount_fen)

    def monitoring_case(self) -> RuralRows:
        """The register at the end of each half-year, every case ever identified in it."""
        cases, members = self.rural.cases, self.lives.members
        ends = np.array(CASE_MONTHS)
        file, case = np.nonzero(cases.identified <= ends[:, None])
        household, end = cases.household[case], ends[file]
        person = self.rural.head[household, cases.identified[case]]
        is_cleared = cases.cleared[case] <= end
        cadre = self.cadre_of(household)
        first, second = cases.first_risk[case], cases.second_risk[case]
        year = cases.identified[case] // 12
        paid = cases.self_paid_fen[case]
        # Land is a fact of the household: drawn from its number, the same in every register.
        land = (self.lives.people.key[members.start[household]] * 37) % 80
        empty = pl.Series([None] * len(case), dtype=pl.String)
        columns = {
            "household_number": self.lives.household_number.gather(household),
            "id_number": self.id_number(person),
            "person_name": self.name(person),
            "phone": empty,
            "village_code": self.village_of(household),
            "member_count": texts_of(members.member_count[household, year]),
            "object_type_code": self.code("object_type", OBJECT_TYPES, cases.type[case]),
            "risk_1_code": self.code("risk", RISKS, first),
            "risk_2_code": only_where(
                self.code("risk", RISKS, np.maximum(second, 0)), second != NO_RISK
            ),
            "risk_3_code": empty,
            "risk_4_code": empty,
            "risk_5_code": empty,
            "risk_remark": empty,
            "discovery_channel_code": self.code("discovery_channel", CHANNELS, cases.channel[case]),
            "identified_month": month_texts(cases.identified[case]),
            "risk_status_code": self.code(
                "risk_status", ("open", "cleared"), is_cleared.astype(np.int64)
            ),
            "cleared_month": only_where(
                month_texts(np.minimum(cases.cleared[case], MONTH_COUNT)), is_cleared
            ),
            "clearing_code": only_where(
                self.code("clearing", ("helped",), np.zeros(len(case), dtype=np.int64)), is_cleared
            ),
            "has_labour": self.yes_or_no(members.has_labour[household, year]),
            "net_income_per_head_yuan": yuan_texts(cases.income_fen[case]),
            "compliant_self_paid_yuan": yuan_texts(paid),
            "farmland_mu": tenths(land),
            "forest_mu": tenths(land * 3),
            "contact_name": self.cadre_names.gather(cadre),
            "contact_phone": self.phone_of(cadre),
        }
        kind = pl.Series(OBJECT_TYPES).gather(cases.type[case])
        return self.household_rows("monitoring_case", file, person, household, columns, kind, paid)

    def cadre_visit(self) -> RuralRows:
        """Visits of the last year: nearly every month to each household on the roll."""
        months = np.arange(FIRST_CLUE_MONTH, MONTH_COUNT)
        lives_on = self.rural.head[:, months] >= 0
        visited = lives_on & self.lives.economy.on_roll[:, -1:]
        visited &= self.rng.random(visited.shape) < 0.95
        file, household = np.nonzero(visited.T)
        size = len(file)
        cadre = self.cadre_of(household)
        day = first_day_of_month(months[file]) + self.rng.integers(0, 28, size)
        has_problem = self.rng.random(size) < 0.1
        first_year = np.maximum(self.lives.economy.entry_year, 1)[household]
        problem = pl.Series(PROBLEMS).gather(self.rng.integers(0, len(PROBLEMS), size))
        columns = {
            "household_number": self.lives.household_number.gather(household),
            "village_code": self.village_of(household),
            "cadre_name": self.cadre_names.gather(cadre),
            "cadre_unit": pl.Series(CADRE_UNITS).gather(cadre % len(CADRE_UNITS)),
            "cadre_role_code": self.code("cadre_role", CADRE_ROLES, cadre % len(CADRE_ROLES)),
            "cadre_phone": self.phone_of(cadre),
            "paired_date": day_texts(first_day_of_month(first_year * 12)),
            "visit_date": day_texts(day),
            "visit_way_code": self.code(
                "visit_way", VISIT_WAYS, (self.rng.random(size) < 0.1).astype(np.int64)
            ),
            "problem_count": pl.Series(["0", "1"]).gather(has_problem.astype(np.int64)),
            "solved_count": pl.Series(["0", "1"]).gather(
                (self.rng.random(size) < 0.35).astype(np.int64)
            ),
            "problem_text": only_where(problem, has_problem),
            "has_plan": self.yes_or_no(household % 20 != 0),
        }
        nobody = np.full(size, -1, dtype=np.int64)
        kind = pl.Series([None], dtype=pl.String).gather(np.zeros(size, dtype=np.int64))
        return self.household_rows("cadre_visit", file, nobody, household, columns, kind, nobody)

    def assistance_measure(self) -> RuralRows:
        """Measures that began in each year."""
        measures = self.rural.measures
        order = np.argsort(measures.year, kind="stable")
        household, person, kind = (
            values[order] for values in (measures.household, measures.person, measures.kind)
        )
        end, identified, link = (
            measures.end[order],
            measures.identified[order],
            measures.link[order],
        )
        support, share, dividend = (
            fen[order] for fen in (measures.support_fen, measures.share_fen, measures.dividend_fen)
        )
        names = pl.Series([MEASURE_NAMES.get(name) for name in MEASURES])
        town = self.areas.town_of_village[self.lives.village[household]]
        operators = pl.Series([f"{name}农业专业合作社" for name in self.areas.town_names])
        columns = {
            "household_number": self.lives.household_number.gather(household),
            "id_number": self.id_number(person),
            "person_name": self.name(person),
            "village_code": self.village_of(household),
            "measure_code": self.code("measure", MEASURES, kind),
            "measure_name": names.gather(kind),
            "link_code": only_where(
                self.code("interest_link", LINKS, np.maximum(link, 0)), link >= 0
            ),
            "operator_name": only_where(operators.gather(town), link >= 0),
            "measure_start_month": month_texts(measures.start[order]),
            "measure_end_month": only_where(
                month_texts(np.minimum(end, MONTH_COUNT)), end != NEVER
            ),
            "support_yuan": yuan_texts(support),
            "share_yuan": only_where(yuan_texts(share), share > 0),
            "dividend_yuan": only_where(yuan_texts(dividend), share > 0),
            "identified_month": only_where(
                month_texts(np.minimum(identified, MONTH_COUNT)), identified != NEVER
            ),
        }
        return self.household_rows(
            "assistance_measure",
            measures.year[order],
            person,
            household,
            columns,
            pl.Series(MEASURES).gather(kind),
            support + dividend,
        )

    def small_loan(self) -> RuralRows:
        """The book at the end of each year: what runs, is overdue or was paid in the year."""
        loans = self.rural.loans
        ends = np.array(DECEMBERS)[:, None]
        file, loan = np.nonzero((loans.lent <= ends) & (loans.settled > ends - 12))
        household, person, end = loans.household[loan], loans.person[loan], ends[file, 0]
        county = self.areas.county_of_village[self.lives.village[household]]
        size = loans.amount_fen[loan]
        is_paid = loans.settled[loan] <= end
        is_overdue = ~is_paid & (loans.due[loan] <= end)
        due_day = first_day_of_month(loans.due[loan]) + loans.day[loan]
        last_day = first_day_of_month(end + 1) - 1
        balance = np.where(is_paid, 0, size)
        overdue = np.where(is_overdue, balance, 0)
        months = np.clip(
            np.minimum(loans.due[loan], end) - np.maximum(loans.lent[loan], end - 12), 0, 12
        )
        subsidy = np.where(is_overdue, 0, size * months * INTEREST_PERCENT / 1200).astype(np.int64)
        columns = {
            "loan_number": self.lives.household_number.gather(household)
            + texts_of(loans.lent[loan] // 12 + FIRST_YEAR),
            "id_number": self.id_number(person),
            "person_name": self.name(person),
            "village_code": self.village_of(household),
            "bank_name": pl.Series(BANKS).gather(county),
            "lent_date": day_texts(first_day_of_month(loans.lent[loan]) + loans.day[loan]),
            "loan_due_date": day_texts(due_day),
            "loan_yuan": yuan_texts(size),
            "balance_yuan": yuan_texts(balance),
            "interest_percent": pl.Series([str(INTEREST_PERCENT)]).gather(np.zeros_like(file)),
            "is_overdue": self.yes_or_no(is_overdue),
            "overdue_yuan": yuan_texts(overdue),
            "overdue_days": texts_of(np.where(is_overdue, last_day - due_day, 0)),
            "is_subsidised": self.yes_or_no(~is_overdue),
            "interest_subsidy_yuan": yuan_texts(subsidy),
            "loan_purpose": pl.Series(PURPOSES).gather(household % len(PURPOSES)),
        }
        kind = pl.Series(["running", "overdue"]).gather(is_overdue.astype(np.int64))
        return self.household_rows("small_loan", file, person, household, columns, kind, balance)

    def vital_event(self) -> RuralRows:
        """Births and deaths by the month in which they were registered."""
        people = self.lives.people
        first = days_of(f"{month_period(FIRST_EXCHANGE_MONTH)}-01")
        day = np.r_[people.birth, np.where(people.death == NEVER, 0, people.death)]
        is_recent = np.flatnonzero(day >= first)
        day = day[is_recent]
        registered = day + self.rng.integers(1, 26, len(day))
        # What is registered after the last month has not been sent yet.
        is_sent = month_of(registered) < MONTH_COUNT
        person, kind = is_recent[is_sent] % len(people.key), is_recent[is_sent] // len(people.key)
        file, (person, kind, day, registered) = by_file(
            month_of(registered[is_sent]) - FIRST_EXCHANGE_MONTH,
            person, kind, day[is_sent], registered[is_sent],
        )  # fmt: skip
        kinds = ("birth", "death")
        columns = {
            "id_number": self.id_number(person),
            "person_name": self.name(person),
            "vital_event_code": self.code("vital_event", kinds, kind),
            "event_date": day_texts(day),
            "registered_date": day_texts(registered),
            "area_code": self.areas.village_codes.gather(people.village[person]),
            "hukou_number": self.hukou_number(person),
            "counterpart_area_code": pl.Series([None] * len(person), dtype=pl.String),
        }
        return self.about_persons(
            "vital_event",
            file,
            person,
            columns,
            pl.Series(kinds).gather(kind),
            no_amounts(len(person)),
        )

    def accident(self) -> RuralRows:
        """Accidents by the month in which they were registered."""
        accidents = self.rural.accidents
        order = np.flatnonzero(month_of(accidents.registered) < MONTH_COUNT)
        file, (order,) = by_file(
            month_of(accidents.registered[order]) - FIRST_EXCHANGE_MONTH, order
        )
        person, injury = accidents.person[order], accidents.injury[order]
        kind, paid = accidents.kind[order], accidents.compensation_fen[order]
        is_traffic = kind == ACCIDENTS.index("traffic")
        liabilities = ("none", "minor", "equal", "main")
        columns = {
            "case_number": padded_texts(self.lives.people.key[person], 12),
            "id_number": self.id_number(person),
            "person_name": self.name(person),
            "accident_code": self.code("accident", ACCIDENTS, kind),
            "event_date": day_texts(accidents.day[order]),
            "registered_date": day_texts(accidents.registered[order]),
            "injury_code": self.code("injury", INJURIES, injury),
            "liability_code": only_where(
                self.code("liability", liabilities, person % len(liabilities)), is_traffic
            ),
            "compensation_yuan": only_where(yuan_texts(paid), paid > 0),
            "area_code": self.areas.village_codes.gather(self.lives.people.village[person]),
        }
        return self.about_persons(
            "accident", file, person, columns, pl.Series(INJURIES).gather(injury), paid
        )

    def clue(self) -> RuralRows:
        """Each clue in the month it came, and again with its result when it was closed later."""
        clues = self.rural.clues
        came, closed = month_of(clues.received), month_of(clues.closed)
        again = np.flatnonzero((closed > came) & (closed < MONTH_COUNT))
        file, (row, is_closed) = by_file(
            np.r_[came, closed[again]] - FIRST_CLUE_MONTH,
            np.r_[np.arange(len(came)), again],
            np.r_[closed == came, np.ones(len(again), dtype=np.bool_)].astype(np.int64),
        )
        person = clues.person[row]
        has_result = is_closed == 1
        result = np.where(has_result, clues.result[row], PENDING)
        columns = {
            "clue_number": padded_texts(self.lives.people.key[person], 12),
            "id_number": self.id_number(person),
            "person_name": self.name(person),
            "phone": pl.Series([None] * len(row), dtype=pl.String),
            "village_code": self.areas.village_codes.gather(self.lives.people.village[person]),
            "discovery_channel_code": self.code("discovery_channel", CHANNELS, clues.channel[row]),
            "reported_risk_code": self.code("risk", RISKS, clues.risk[row]),
            "clue_text": pl.Series([None] * len(row), dtype=pl.String),
            "received_date": day_texts(clues.received[row]),
            "forwarded_date": day_texts(clues.received[row]),
            "verified_date": only_where(day_texts(clues.verified[row]), has_result),
            "verification_code": self.code("verification", RESULTS, result),
            "closed_date": only_where(day_texts(clues.closed[row]), has_result),
        }
        kind = pl.Series(RESULTS).gather(result)
        return self.about_persons("clue", file, person, columns, kind, no_amounts(len(person)))

    def about_persons(
        self,
        dataset: str,
        file: Integers,
        person: Integers,
        columns: dict[str, pl.Series],
        kind: pl.Series,
        amount_fen: Integers,
    ) -> RuralRows:
        """Rows about persons, neighbours among them."""
        rows = self.person_rows(dataset, file, person, columns)
        area = self.areas.village_codes.gather(self.lives.people.village[person])
        return RuralRows(rows, area, kind, amount_fen)

    def household_survey(self) -> RuralRows:
        """A sample of the ledger's households in two stages, towns within counties and households.

        Towns and the chance of a household are the same for every chunk, so that the weight is the
        inverse of a known chance.
        """
        lives, economy, members = self.lives, self.lives.economy, self.lives.members
        is_sampled, chance = sampled_towns(self.areas, self.seed)
        town = self.areas.town_of_village[lives.village]
        chosen = is_sampled[town] & (self.rng.random(len(town)) < HOUSEHOLDS_OF_A_SAMPLED_TOWN)
        year, household = np.nonzero((economy.in_ledger & chosen[:, None]).T)
        county = self.areas.county_of_village[lives.village[household]]
        weight = 1 / (chance[county] * HOUSEHOLDS_OF_A_SAMPLED_TOWN)
        income = economy.components_fen[household, year]
        total = economy.total_fen[household, year]
        cost = np.zeros((len(town), YEAR_COUNT), dtype=np.int64)
        bills = lives.settlements
        home = lives.people.household[bills.person]
        np.add.at(cost, (home[home >= 0], bills.month[home >= 0] // 12), bills.self_fen[home >= 0])
        pupils = np.zeros((len(town), YEAR_COUNT), dtype=np.int64)
        home = lives.people.household[lives.students.person]
        np.add.at(pupils, (home[home >= 0], lives.students.year[home >= 0]), 1)
        food = np.floor(np.maximum(total, 0) * self.rng.uniform(0.25, 0.4, len(total)))
        medical, education = cost[household, year], pupils[household, year] * 120_000
        rest = np.floor(np.maximum(total, 0) * self.rng.uniform(0.2, 0.35, len(total)))
        able = np.add.reduceat(
            (members.listed & (members.labour < 3)).astype(np.int64), members.start, axis=0
        )
        columns = {
            "sample_household_number": lives.household_number.gather(household),
            "area_code": self.village_of(household),
            "stratum": self.areas.county_codes.gather(county),
            "cluster": self.areas.town_codes.gather(town[household]),
            "weight": pl.Series(weight).round(6).cast(pl.String),
            "is_low_income": self.yes_or_no(economy.on_roll[household, year]),
            "member_count": texts_of(members.member_count[household, year]),
            "labour_count": texts_of(able[household, year]),
            "income_concept": self.code(
                "income_concept", (self.income_concept,), np.zeros(len(year), dtype=np.int64)
            ),
            "wage_yuan": yuan_texts(income[:, 0]),
            "business_yuan": yuan_texts(income[:, 1]),
            "property_yuan": yuan_texts(income[:, 2]),
            "transfer_yuan": yuan_texts(income[:, 3]),
            "total_yuan": yuan_texts(total),
            "consumption_yuan": yuan_texts((food + rest).astype(np.int64) + medical + education),
            "food_consumption_yuan": yuan_texts(food.astype(np.int64)),
            "education_consumption_yuan": yuan_texts(education),
            "medical_consumption_yuan": yuan_texts(medical),
        }
        nobody = np.full(len(year), -1, dtype=np.int64)
        kind = self.areas.county_codes.gather(county)
        return self.household_rows(
            "household_survey", year, nobody, household, columns, kind, total
        )


def sampled_towns(areas: Areas, seed: int) -> tuple[Flags, Floats]:
    """Which towns are in the sample, and the chance of a town in each county."""
    rng = np.random.default_rng([seed, 33])
    is_sampled = np.zeros(len(areas.town_codes), dtype=np.bool_)
    chance = np.zeros(len(areas.county_codes))
    for county, villages in enumerate(areas.villages_of_county):
        towns = np.unique(areas.town_of_village[villages])
        wanted = min(max(2, round(len(towns) * TOWNS_SAMPLED)), len(towns))
        is_sampled[rng.choice(towns, size=wanted, replace=False)] = True
        chance[county] = wanted / len(towns)
    return is_sampled, chance


def texts_of(numbers: Integers) -> pl.Series:
    """Whole numbers as text."""
    return pl.Series(numbers).cast(pl.String)


def tenths(numbers: Integers) -> pl.Series:
    """Tenths as decimals."""
    return texts_of(numbers // 10) + "." + texts_of(numbers % 10)

"""Rows of the social departments' files, written from their facts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from minsheng.demo.benefits import SNAPSHOT_MONTHS
from minsheng.demo.enrolment import INSURANCES, INSURED_STATES, JUNIOR, PRIMARY, STAGES
from minsheng.demo.health import DISABILITY_TYPES, DISEASES
from minsheng.demo.households import LABOUR_CODES, NEVER
from minsheng.demo.lives import Lives
from minsheng.demo.reference import (
    FIRST_YEAR,
    MONTH_COUNT,
    YEAR_COUNT,
    Flags,
    Integers,
    Reference,
)
from minsheng.demo.rows import DatasetRows, Writer, by_file, only_where
from minsheng.demo.social_lives import (
    DROPOUT_STATES,
    FIRST_MONTHS,
    GRADE_C,
    HOUSE_GRADES,
    ILLNESS_KINDS,
    MOVED,
    PLANNED,
    RELOCATION_STATES,
    RETURNED,
    STREAM,
    Facts,
    workers,
)
from minsheng.demo.text import (
    day_texts,
    fixed_width_texts,
    month_of,
    month_texts,
    padded_texts,
    year_of,
    yuan_texts,
)

RELIEF_FORMS = ("money",)
CARE_FORMS = ("home", "institution")
TERMS = ("spring", "autumn")
PAYMENT_STATES = ("paid", "failed")
DROPOUT_REASONS = ("unwilling", "work", "health")
STEPS = ("persuasion", "order")
TREATMENTS = ("in_treatment", "contracted")
HOUSE_STATES = ("open", "in_progress", "done", "safe")
OPEN, IN_PROGRESS, DONE, SAFE = range(len(HOUSE_STATES))
REBUILDINGS = ("repair", "rebuild")
RELOCATION_CAUSES = ("location", "resources", "safety", "ecology")
RESETTLEMENTS = ("estate", "purchase")
SITES = ("和家园", "新安小区", "同心家园")
HOUSE_MONTHS = 6
WORK_STATES = ("away", "local", "farming", "unemployed")
FARMING, UNEMPLOYED = 2, 3
CHANNELS = ("market", "organised", "workshop", "local_business")
WORK_AREAS = ("330302", "330304", "330106", "330782")
WORK_PLACES = ("温州市鹿城区", "温州市瓯海区", "杭州市西湖区", "义乌市")
EMPLOYERS = ("某鞋业公司", "某服装厂", "某建筑公司", "某电器公司", "某物业公司", "某快递站")
TRADES = ("缝纫工", "制鞋工", "泥瓦工", "装配工", "保洁员", "快递员")
COURSES = ("家政服务", "杨梅栽培", "网店经营", "来料加工", "养老护理", "农家菜烹饪")
PROVIDERS = ("县职业技术学校", "县农民学校")
FIRST_PHONE = 12_000_000_000


class SocialWriter(Writer):
    """Turns the facts of one chunk into rows; draws only how things are worded."""

    def __init__(
        self, lives: Lives, facts: dict[str, Facts], reference: Reference, seed: int
    ) -> None:
        super().__init__(lives, reference, seed)
        self.facts = facts
        self.rng = np.random.default_rng([seed, lives.chunk, STREAM, 1])

    def datasets(self) -> Iterator[DatasetRows]:
        """Rows of the fourteen social datasets, one dataset at a time."""
        yield self.temporary_relief()
        if self.lives.states_areas:
            yield self.dibao_standard()
        yield self.care_register()
        yield self.student_aid()
        yield self.dropout_case()
        yield self.serious_illness()
        yield self.family_doctor()
        yield self.disability_subsidy()
        yield self.house_safety()
        yield self.relocation()
        yield self.employment_month()
        yield self.training()
        yield self.public_post()
        yield self.pension_enrolment()

    def who(self, person: Integers) -> dict[str, pl.Series]:
        """Identity number and name."""
        return {"id_number": self.id_number(person), "person_name": self.name(person)}

    def village(self, person: Integers) -> pl.Series:
        """Codes of the villages in which persons live."""
        return self.areas.village_codes.gather(self.lives.people.village[person])

    def town(self, person: Integers) -> pl.Series:
        """Names of the towns in which persons live."""
        town = self.areas.town_of_village[self.lives.people.village[person]]
        return pl.Series(self.areas.town_names).gather(town)

    def phone(self, person: Integers) -> pl.Series:
        """The numbers of the roll; no mobile number begins with 120."""
        return padded_texts(FIRST_PHONE + self.lives.people.key[person] * 7919 % 100_000_000, 11)

    def temporary_relief(self) -> DatasetRows:
        """Grants of each month of the last year."""
        facts = self.facts["temporary_relief"]
        month = month_of(facts.start) - FIRST_MONTHS["temporary_relief"]
        file, (person, reason, applied, granted, fen) = by_file(
            month, facts.person, facts.kind, facts.more["applied"], facts.start, facts.amount_fen
        )
        columns = {
            **self.who(person),
            "relief_reason_code": self.code("relief_reason", facts.kinds, reason),
            "relief_form_code": self.code("relief_form", RELIEF_FORMS, np.zeros_like(person)),
            "applied_date": day_texts(applied),
            "granted_date": day_texts(granted),
            "amount_yuan": yuan_texts(fen),
            "village_code": self.village(person),
        }
        return self.person_rows("temporary_relief", file, person, columns)

    def dibao_standard(self) -> DatasetRows:
        """The standards of each year in each county."""
        facts = self.facts["dibao_standard"]
        year = facts.more["year"]
        everyone = np.zeros_like(year)
        columns = {
            "area_code": self.areas.county_codes.gather(facts.more["county"]),
            "assistance_code": self.code("assistance", facts.kinds, facts.kind),
            "residence_code": self.code("residence", ("all",), everyone),
            "effective_from": day_texts(facts.start),
            "effective_to": day_texts(facts.end),
            "yearly_standard_yuan": yuan_texts(facts.amount_fen * 12),
            "standard_yuan": yuan_texts(facts.amount_fen),
        }
        nobody = np.full(len(year), -1, dtype=np.int64)
        return DatasetRows("dibao_standard", pl.DataFrame(columns), year, nobody, nobody)

    def care_register(self) -> DatasetRows:
        """Persons in care at the end of each year."""
        facts = self.facts["care_register"]
        more = facts.more
        file, (person, kind, guardian, form, since, fen) = by_file(
            more["year"], facts.person, facts.kind, more["guardian"], more["in_institution"],
            facts.start, facts.amount_fen,
        )  # fmt: skip
        has_guardian = guardian >= 0
        columns = {
            **self.who(person),
            "care_kind_code": self.code("care_kind", facts.kinds, kind),
            "care_form_code": self.code("care_form", CARE_FORMS, form),
            "guardian_name": only_where(self.name(np.maximum(guardian, 0)), has_guardian),
            "phone": only_where(self.phone(np.maximum(guardian, 0)), has_guardian),
            "start_month": month_texts(month_of(since)),
            "monthly_yuan": only_where(yuan_texts(fen), fen >= 0),
            "village_code": self.village(person),
        }
        return self.person_rows("care_register", file, person, columns)

    def student_aid(self) -> DatasetRows:
        """Aid of the two terms of each year."""
        facts = self.facts["student_aid"]
        more = facts.more
        file, (person, aid, stage, term, fen, failed) = by_file(
            more["year"], facts.person, facts.kind, more["stage"], more["term"],
            facts.amount_fen, more["failed"],
        )  # fmt: skip
        columns = {
            **self.who(person),
            "student_number": "G" + self.id_number(person),
            "education_stage_code": self.code("education_stage", STAGES, stage),
            "school_name": self.school(person, stage),
            "aid_code": self.code("student_aid", facts.kinds, aid),
            "term_code": self.code("term", TERMS, term),
            "aid_yuan": yuan_texts(fen),
            "payment_status_code": self.code("payment_status", PAYMENT_STATES, failed),
        }
        return self.person_rows("student_aid", file, person, columns)

    def dropout_case(self) -> DatasetRows:
        """Cases in the December in which they were found, and once more when the child is back."""
        facts = self.facts["dropout_case"]
        year = year_of(facts.start) - FIRST_YEAR
        again = np.flatnonzero(facts.end != NEVER)
        case = np.r_[np.arange(len(year)), again]
        is_back = np.arange(len(case)) >= len(year)
        # halves of years: the autumn's file is that of December, the next one that of June
        file, (case, back) = by_file(year[case] * 2 + 1 + is_back, case, is_back.astype(np.int64))
        person, found = facts.person[case], facts.start[case]
        september = year[case] * 12 + 8
        age = (september - month_of(self.lives.people.birth)[person]) // 12
        stage = np.where(age <= 11, PRIMARY, JUNIOR)
        columns = {
            **self.who(person),
            "student_number": "G" + self.id_number(person),
            "education_stage_code": self.code("education_stage", STAGES, stage),
            "school_name": self.school(person, stage),
            "found_date": day_texts(found),
            "dropout_state_code": self.code("dropout_state", DROPOUT_STATES, back),
            "dropout_reason_code": self.code(
                "dropout_reason", DROPOUT_REASONS, facts.more["reason"][case]
            ),
            "control_step_code": self.code("control_step", STEPS, facts.more["step"][case]),
            "step_date": day_texts(found + 5),
            "returned_date": only_where(
                day_texts(np.where(back == 1, facts.end[case], 0)), back == 1
            ),
        }
        return self.person_rows("dropout_case", file, person, columns)

    def serious_illness(self) -> DatasetRows:
        """Diagnoses of each month of the last year."""
        facts = self.facts["serious_illness"]
        month = month_of(facts.start) - FIRST_MONTHS["serious_illness"]
        file, (person, kind, day, disease) = by_file(
            month, facts.person, facts.kind, facts.start, facts.more["disease"]
        )
        diseases = pl.Series([name for names in DISEASES for name in names])
        county = pl.Series(self.areas.county_names).gather(self.county[person])
        is_contracted = (kind > 0).astype(np.int64)
        columns = {
            **self.who(person),
            "illness_kind_code": self.code("illness_kind", ILLNESS_KINDS, kind),
            "disease_name": diseases.gather(disease),
            "diagnosed_date": day_texts(day),
            "institution_name": county + "人民医院",
            "treatment_code": self.code("treatment", TREATMENTS, is_contracted),
            "village_code": self.village(person),
        }
        return self.person_rows("serious_illness", file, person, columns)

    def family_doctor(self) -> DatasetRows:
        """Contracts of each year."""
        facts = self.facts["family_doctor"]
        year = facts.more["year"] - FIRST_MONTHS["family_doctor"] // 12
        person = facts.person
        team = self.town(person) + "第" + pl.Series(["一", "二"]).gather(person % 2) + "团队"
        columns = {
            **self.who(person),
            "signed_date": day_texts(facts.start),
            "effective_to": day_texts(facts.end),
            "institution_name": self.town(person) + "卫生院",
            "team_name": team,
            "doctor_name": pl.Series(["王医生", "李医生", "陈医生"]).gather(person % 3),
            "package_code": self.code("service_package", facts.kinds, facts.kind),
            "service_fee_yuan": yuan_texts(facts.amount_fen),
            "visit_count": pl.Series(facts.more["visits"]).cast(pl.String),
        }
        return self.person_rows("family_doctor", year, person, columns)

    def disability_subsidy(self) -> DatasetRows:
        """Allowances paid in June and December."""
        facts = self.facts["disability_subsidy"]
        snapshot = np.searchsorted(np.array(SNAPSHOT_MONTHS), facts.more["month"])
        file, (person, kind, start, fen) = by_file(
            snapshot, facts.person, facts.kind, facts.start, facts.amount_fen
        )
        certificates = self.lives.certificates
        disability, grade = certificates.type[person], certificates.grade[person] - 1
        suffix = np.stack([disability + ord("1"), grade + ord("1")], axis=1).astype(np.uint8)
        columns = {
            "certificate_number": self.id_number(person) + fixed_width_texts(suffix),
            **self.who(person),
            "disability_type_code": self.code("disability_type", DISABILITY_TYPES, disability),
            "disability_grade_code": self.code("disability_grade", ("1", "2", "3", "4"), grade),
            "subsidy_code": self.code("disability_subsidy", facts.kinds, kind),
            "start_month": month_texts(month_of(start)),
            "standard_yuan": yuan_texts(fen),
            "amount_yuan": yuan_texts(fen),
            "payment_status_code": self.code("payment_status", PAYMENT_STATES, kind * 0),
        }
        return self.person_rows("disability_subsidy", file, person, columns)

    def house_safety(self) -> DatasetRows:
        """Houses in the half-year of their appraisal and in that of their completion."""
        facts = self.facts["house_safety"]
        appraised = month_of(facts.start) // HOUSE_MONTHS
        is_done = facts.end != NEVER
        completed = np.where(is_done, month_of(np.where(is_done, facts.end, 0)), NEVER)
        completed = completed // HOUSE_MONTHS
        again = np.flatnonzero(is_done & (completed > appraised))
        house = np.r_[np.arange(len(appraised)), again]
        half = np.r_[appraised, completed[again]]
        file, (house,) = by_file(half, house)
        person, grade, start = facts.person[house], facts.kind[house], facts.start[house]
        closed = completed[house] <= file
        end = np.where(closed, facts.end[house], start)
        dangerous = grade >= GRADE_C
        state = np.select([~dangerous, closed], [SAFE, DONE], default=OPEN)
        columns = {
            **self.who(person),
            "village_code": self.village(person),
            "house_grade_code": self.code("house_grade", HOUSE_GRADES, grade),
            "appraised_date": day_texts(start),
            "is_occupied": pl.repeat("是", len(house), dtype=pl.String, eager=True),
            "house_state_code": self.code("house_state", HOUSE_STATES, state),
            "rebuilding_code": only_where(
                self.code("rebuilding", REBUILDINGS, (grade > GRADE_C).astype(np.int64)), dangerous
            ),
            "work_began_date": only_where(day_texts((start + end) // 2), closed),
            "completed_date": only_where(day_texts(end), closed),
            "grant_yuan": only_where(yuan_texts(facts.amount_fen[house]), closed),
        }
        return self.person_rows("house_safety", file, person, columns)

    def relocation(self) -> DatasetRows:
        """Households in the years in which they are planned to move, move, or come back."""
        facts = self.facts["relocation"]
        planned, moved = facts.more["planned"], facts.more["moved"]
        everyone = np.arange(len(planned))
        later = np.flatnonzero(moved > planned)
        back = np.flatnonzero(facts.kind == RETURNED)
        household = np.r_[everyone, later, back]
        state = np.r_[
            np.where(moved > planned, PLANNED, MOVED),
            np.full(len(later), MOVED),
            np.full(len(back), RETURNED),
        ]
        year = np.r_[planned, moved[later], moved[back] + 1]
        file, (household, state) = by_file(year, household, state)
        person = facts.person[household]
        has_moved = state != PLANNED
        way = facts.more["way"][household]
        batch = pl.Series([f"{FIRST_YEAR + year}年第一批" for year in range(YEAR_COUNT)])
        on_estate = has_moved & (way == 0)

        def helped(remainder: int) -> pl.Series:
            answers = pl.Series(["是", "否"]).gather((person % 7 == remainder).astype(np.int64))
            return only_where(answers, has_moved)

        columns = {
            **self.who(person),
            "member_count": pl.Series(facts.more["size"][household]).cast(pl.String),
            "village_code": self.village(person),
            "relocation_cause_code": self.code(
                "relocation_cause", RELOCATION_CAUSES, facts.more["cause"][household]
            ),
            "plan_batch": batch.gather(planned[household]),
            "relocation_state_code": self.code("relocation_state", RELOCATION_STATES, state),
            "resettlement_code": only_where(
                self.code("resettlement", RESETTLEMENTS, way), has_moved
            ),
            "site_name": only_where(pl.Series(SITES).gather(person % len(SITES)), on_estate),
            "moved_date": only_where(day_texts(facts.start[household]), has_moved),
            "demolished_date": only_where(day_texts(facts.start[household]), on_estate),
            "grant_yuan": only_where(yuan_texts(facts.amount_fen[household]), has_moved),
            "has_registration_help": helped(0),
            "has_school_and_care_help": helped(1),
            "has_business_help": helped(2),
            "has_job_help": helped(3),
            "has_insurance_help": helped(4),
            "has_counselling": helped(5),
        }
        return self.person_rows("relocation", file, person, columns)

    def employment_month(self) -> DatasetRows:
        """Every worker of the roll in every month of the last year, with a job or without."""
        facts = self.facts["employment_month"]
        staff = np.flatnonzero(workers(self.lives)[:, -1])
        job = np.full(len(self.lives.people.key), -1, dtype=np.int64)
        job[facts.person] = np.arange(len(facts.person))
        first = FIRST_MONTHS["employment_month"]
        month = np.repeat(np.arange(first, MONTH_COUNT), len(staff))
        person = np.tile(staff, MONTH_COUNT - first)

        def of_job(values: Integers, otherwise: int) -> Integers:
            """Values of each row's job; the last place stands for no job."""
            return np.asarray(np.append(values, otherwise)[job[person]])

        works = of_job(facts.more["first"], NEVER) <= month
        works &= month < of_job(facts.more["until"], 0)
        local = works & (of_job(facts.kind, 0) == 1)
        away = works & ~local
        place = person % len(WORK_AREAS)
        end = of_job(facts.end, NEVER)
        is_last = works & (end != NEVER) & (of_job(facts.more["until"], 0) == month + 1)
        start = np.where(works, of_job(facts.start, 0), 0)
        state = np.select([away, local, person % 2 == 0], [0, 1, FARMING], default=UNEMPLOYED)
        channel = person % 2 + np.where(local, 2, 0)
        labour = self.lives.members.labour[person, YEAR_COUNT - 1]
        own_area = self.areas.county_codes.gather(self.county[person])
        own_place = pl.Series(self.areas.county_names).gather(self.county[person])
        columns = {
            **self.who(person),
            "labour_code": self.code("labour", LABOUR_CODES, labour),
            "work_state_code": self.code("work_state", WORK_STATES, state),
            "wishes_to_leave": pl.Series(["否", "是"]).gather(away.astype(np.int64)),
            "work_area_code": only_where(
                either(away, pl.Series(WORK_AREAS).gather(place), own_area), works
            ),
            "work_place": only_where(
                either(away, pl.Series(WORK_PLACES).gather(place), own_place), works
            ),
            "employer_name": only_where(
                pl.Series(EMPLOYERS).gather(person % len(EMPLOYERS)), works
            ),
            "trade": only_where(pl.Series(TRADES).gather(person % len(TRADES)), works),
            "monthly_wage_yuan": only_where(yuan_texts(of_job(facts.more["monthly"], 0)), works),
            "work_start_month": only_where(month_texts(month_of(start)), works),
            "work_end_month": only_where(month_texts(month), is_last),
            "channel_code": only_where(self.code("employment_channel", CHANNELS, channel), works),
            "has_work_contract": only_where(pl.Series(["是", "否"]).gather(person % 2), works),
            "phone": self.phone(person),
        }
        return self.person_rows("employment_month", month - first, person, columns)

    def training(self) -> DatasetRows:
        """Courses that ended in each year."""
        facts = self.facts["training"]
        file, (person, kind, start, end, hours, works) = by_file(
            facts.more["year"], facts.person, facts.kind, facts.start, facts.end,
            facts.more["hours"], facts.more["works"],
        )  # fmt: skip
        answers = pl.Series(["否", "是"])
        course = (person + file) % len(COURSES)
        passes = person % 4 > 0
        columns = {
            **self.who(person),
            "training_kind_code": self.code("training_kind", facts.kinds, kind),
            "course_name": pl.Series(COURSES).gather(course),
            "provider_name": pl.Series(PROVIDERS).gather(person % len(PROVIDERS)),
            "training_start_date": day_texts(start),
            "training_end_date": day_texts(end),
            "training_hours": pl.Series(hours).cast(pl.String),
            "certificate_name": only_where(pl.Series(COURSES).gather(course) + "结业证", passes),
            "has_free_tuition": answers.gather(np.ones_like(person)),
            "has_free_board": answers.gather((person % 5 > 0).astype(np.int64)),
            "has_travel_subsidy": answers.gather((person % 3 > 0).astype(np.int64)),
            "is_employed_after": answers.gather(works),
        }
        return self.person_rows("training", file, person, columns)

    def public_post(self) -> DatasetRows:
        """Holders of posts in each year."""
        facts = self.facts["public_post"]
        first, last = facts.more["first"], facts.more["last"]
        years = np.arange(YEAR_COUNT)
        year, post = np.nonzero(((first[:, None] <= years) & (years <= last[:, None])).T)
        person = facts.person[post]
        has_ended = (last[post] == year) & (facts.end[post] != NEVER)
        columns = {
            **self.who(person),
            "post_kind_code": self.code("public_post", facts.kinds, facts.kind[post]),
            "employer_name": self.town(person) + "人民政府",
            "village_code": self.village(person),
            "post_start_date": day_texts(facts.start[post]),
            "post_end_date": only_where(
                day_texts(np.where(has_ended, facts.end[post], 0)), has_ended
            ),
            "monthly_wage_yuan": yuan_texts(facts.amount_fen[post]),
            "phone": self.phone(person),
        }
        return self.person_rows("public_post", year, person, columns)

    def pension_enrolment(self) -> DatasetRows:
        """The pension register of each year."""
        facts = self.facts["pension_enrolment"]
        more, person, draws = facts.more, facts.person, facts.kind == 1
        year = more["year"] - FIRST_MONTHS["pension_enrolment"] // 12
        has_tier, has_paid = more["tier"] >= 0, more["premium"] >= 0
        columns = {
            **self.who(person),
            "pension_code": self.code("pension", INSURANCES, more["scheme"]),
            "insured_status_code": self.code("insured_status", INSURED_STATES, more["state"]),
            "premium_tier_yuan": only_where(yuan_texts(more["tier"]), has_tier),
            "premium_yuan": only_where(yuan_texts(more["premium"]), has_paid),
            "paid_date": only_where(day_texts(np.where(has_paid, more["paid"], 0)), has_paid),
            "pension_state_code": self.code("pension_state", facts.kinds, facts.kind),
            "start_month": only_where(
                month_texts(month_of(np.where(draws, facts.start, 0))), draws
            ),
            "pension_yuan": only_where(yuan_texts(facts.amount_fen), draws),
        }
        return self.person_rows("pension_enrolment", year, person, columns)


def either(chosen: Flags, texts: pl.Series, others: pl.Series) -> pl.Series:
    """`texts` where chosen, `others` elsewhere."""
    return texts.zip_with(pl.Series(chosen), others)

"""On clean files every published figure equals the truth that the files were written from."""

import hashlib
import hmac
import re
from datetime import datetime
from decimal import Decimal

import pytest

from minsheng.encryption import sealed_parquet
from minsheng.link_report import report
from minsheng.pseudonyms import load_key
from tests.pipelines.conftest import Home


def test_the_clean_demo_is_published(clean: Home) -> None:
    assert clean.outcome.state == "published", clean.outcome.message


def test_clean_files_lose_no_row(clean: Home) -> None:
    [(deliveries, refused)] = clean.rows(
        "select count(*), sum(rows_refused) from meta.delivery where delivery_status = 'effective'"
    )
    [(files,)] = clean.rows(
        f"select count(*) from {clean.truth('delivery')} where status = 'effective'"
    )
    assert (deliveries, refused) == (files, 0)
    [(accepted,)] = clean.rows("select sum(rows_accepted) from meta.delivery")
    [(written,)] = clean.rows(f"select sum(row_count) from {clean.truth('delivery')}")
    assert accepted == written


def test_household_years_on_the_roll_equal_the_truth_to_the_fen(clean: Home) -> None:
    published = clean.rows(
        """
        select year, is_on_roll, has_labour, county_code, count(*), sum(member_count),
            sum(wage_yuan), sum(business_yuan), sum(property_yuan), sum(transfer_yuan),
            sum(total_yuan), min(total_yuan), max(total_yuan)
        from indicators.household_year where is_on_roll
        group by all order by all
        """
    )
    true = clean.rows(
        f"""
        select year, is_on_roll, has_labour, county_code, count(*), sum(member_count),
            sum(wage_fen), sum(business_fen), sum(property_fen), sum(transfer_fen),
            sum(total_fen), min(total_fen), max(total_fen)
        from {clean.truth("household_year")} where is_on_roll
        group by all order by all
        """
    )
    in_yuan = [(*row[:6], *(Decimal(str(fen)) / 100 for fen in row[6:])) for row in true]
    assert len(published) > 10
    assert published == in_yuan


def test_the_ledger_of_households_off_the_roll_equals_the_truth_too(clean: Home) -> None:
    [published] = clean.rows(
        "select count(*), sum(total_yuan), sum(member_count) from indicators.household_year "
        "where not is_on_roll"
    )
    [(count, fen, members)] = clean.rows(
        f"select count(*), sum(total_fen), sum(member_count) from {clean.truth('household_year')} "
        "where is_in_ledger and not is_on_roll"
    )
    assert published == (count, Decimal(str(fen)) / 100, members)


LISTS = {
    "refreshed": "this.is_listed",
    "stayers": "this.is_listed and last.is_listed and {paired}",
    "fixed": "first.is_listed and {paired}",
}
"""Which household-years of the truth each list basis counts in a year."""

PAIRED = "this.is_in_ledger and last.is_in_ledger"


@pytest.mark.parametrize("level", ["city", "county", "town"])
@pytest.mark.parametrize("population", ["low_income", "low_income_with_labour"])
@pytest.mark.parametrize("basis", LISTS)
def test_growth_equals_the_truth(clean: Home, basis: str, population: str, level: str) -> None:
    """Means to the fen and growth to 1e-12; the refreshed list's base is its own year before."""
    published = clean.rows(
        """
        select area_code, year, mean_yuan, growth_rate, household_count, person_count
        from indicators.income_growth
        where list_basis = ? and population = ? and area_level = ? and price_basis = 'nominal'
        order by all
        """,
        basis,
        population,
        level,
    )
    area = {
        "city": "'330300000000'",
        "county": "this.county_code",
        "town": "this.town_code",
    }[level]
    listed = "is_on_roll" if population == "low_income" else "is_on_roll and has_labour"
    true = clean.rows(
        f"""
        with listed as (
            select *, {listed} as is_listed from {clean.truth("household_year")}
        ),
        counted as (
            select {area} as area_code, this.year,
                sum(this.total_fen) as fen, sum(this.member_count) as persons,
                sum(last.total_fen) as base_fen, sum(last.member_count) as base_persons,
                count(*) as households
            from listed as this
            left join listed as last
                on last.household_number = this.household_number and last.year = this.year - 1
            left join listed as first
                on first.household_number = this.household_number and first.year = 2018
            where {LISTS[basis].format(paired=PAIRED)}
                and ('{basis}' <> 'fixed' or this.year >= 2018)
            group by all
        )
        select this.area_code, this.year, this.fen, this.persons,
            case when '{basis}' = 'refreshed' then last.fen else this.base_fen end,
            case when '{basis}' = 'refreshed' then last.persons else this.base_persons end,
            this.households
        from counted as this
        left join counted as last
            on last.area_code = this.area_code and last.year = this.year - 1
        order by 1, 2
        """
    )
    assert len(published) == len(true) >= 5
    for row, (code, year, fen, persons, base_fen, base_persons, count) in zip(
        published, true, strict=True
    ):
        mean = Decimal(str(fen)) / 100 / Decimal(str(persons))
        assert row[:2] == (code, year)
        assert row[2] == mean.quantize(Decimal("0.01"), rounding="ROUND_HALF_UP")
        assert row[4:] == (count, persons)
        if base_fen is None:
            assert row[3] is None
        else:
            growth = float(mean / (Decimal(str(base_fen)) / 100 / Decimal(str(base_persons))) - 1)
            assert abs(float(str(row[3])) - growth) < 1e-12


def test_real_growth_takes_out_the_prices_of_the_yearbook(clean: Home) -> None:
    rows = clean.rows(
        """
        select nominal.growth_rate, real.growth_rate, price.rural_price_index
        from indicators.income_growth as nominal
        join indicators.income_growth as real
            using (area_code, population, year, income_concept, list_basis)
        join indicators.area_benchmark as price using (area_code, year, income_concept)
        where nominal.price_basis = 'nominal' and real.price_basis = 'real'
            and nominal.area_level = 'county' and nominal.growth_rate is not null
        """
    )
    assert len(rows) > 60
    for nominal, real, index in rows:
        expected = (1 + float(str(nominal))) / (float(str(index)) / 100) - 1
        assert abs(float(str(real)) - expected) < 1e-12


def test_the_list_below_9600_is_the_truth_s(clean: Home) -> None:
    [(published,)] = clean.rows(
        "select count(*) from indicators.target_shortfall where item_id = 'W05' and year = 2022"
    )
    [(true,)] = clean.rows(
        f"select count(*) from {clean.truth('household_year')} "
        "where is_on_roll and year = 2022 and total_fen < 960000 * member_count"
    )
    assert published == true > 0


def test_every_clean_record_of_a_member_finds_its_household(clean: Home) -> None:
    published = dict(
        clean.rows(
            "select source, sum(record_count) from linked.link_coverage "
            "where outcome = 'on_roll' group by source"
        )
    )
    true = dict(
        clean.rows(
            f"""
            select record.department || '__' || record.dataset, count(*)
            from {clean.truth("record")} as record
            join {clean.truth("person")} as person using (person_key)
            where person_key in (
                select person_key from {clean.truth("record")} where dataset = 'household_roll')
            group by all
            """
        )
    )
    assert published == true


def test_no_clean_record_is_a_conflict_or_without_a_number(clean: Home) -> None:
    outcomes = {row[0] for row in clean.rows("select distinct outcome from linked.link_coverage")}
    assert outcomes == {"on_roll", "not_on_roll"}


WATCHED = """
    (select household_number, max(year) filter (where is_on_roll) as roll_year
    from {household_year} group by household_number
    having max(year) filter (where is_on_roll or is_in_ledger) >= 2021)
"""
"""Households of the truth that warnings look at in December 2022, with their latest roll."""


def published_keys(home: Home, query: str) -> set[object]:
    return {row[0] for row in home.rows(query)}


def true_keys(home: Home, query: str) -> set[object]:
    """The keys of the households whose numbers `query` returns."""
    secret = load_key(home.settings).secret
    return {
        hmac.new(
            secret, f"household|{str(number)[:6]}|{number}".encode(), hashlib.sha256
        ).hexdigest()[:24]
        for (number,) in home.rows(query)
    }


def test_who_truly_lives_below_the_line_fires_and_every_fall_is_at_risk(clean: Home) -> None:
    household_year, fall = clean.truth("household_year"), clean.truth("fall")
    below = published_keys(
        clean,
        "select household_id from risk.household_signal where signal_id = 'income_below_line'",
    )
    assert below == true_keys(
        clean,
        f"select household_number from {household_year} where year = 2022 "
        "and (is_in_ledger or is_on_roll) and total_fen < 960000 * member_count",
    )
    fell = true_keys(clean, f"select household_number from {fall} where year = 2022")
    at_risk = published_keys(clean, "select household_id from risk.return_to_poverty")
    assert fell and fell <= below and fell <= at_risk


def test_each_new_severe_disability_fires(clean: Home) -> None:
    [(published,)] = clean.rows(
        "select sum(value) from risk.household_signal where signal_id = 'new_severe_disability'"
    )
    [(true,)] = clean.rows(
        f"select count(*) from {clean.truth('shock')} "
        "where kind = 'disability' and year(month) = 2022"
    )
    assert published == true > 0


@pytest.mark.parametrize(
    ("kind", "signal"), [("dropout", "child_not_enrolled"), ("uninsured", "uninsured")]
)
def test_who_truly_is_absent_fires_and_nobody_else(clean: Home, kind: str, signal: str) -> None:
    """Off the roll only who is listed anywhere that year can be told; at fifteen school may end."""
    watched = WATCHED.format(household_year=clean.truth("household_year"))
    true = true_keys(
        clean,
        f"""
        select household_number
        from {clean.truth("shock")} as shock
        join {watched} as watched using (household_number)
        join {clean.truth("person")} as person using (person_key, household_number)
        where shock.kind = '{kind}' and year(shock.month) = 2022
            and (watched.roll_year = 2022 or person_key in (
                select person_key from {clean.truth("record")}
                where period >= '2022' and dataset in ('student_enrolment', 'insurance_enrolment',
                    'medical_settlement', 'relief_payment')))
            and ('{kind}' <> 'dropout' or date_diff('month', person.birth_date, date '2022-08-31')
                < 15 * 12)
        """,
    )
    found = published_keys(
        clean, f"select household_id from risk.household_signal where signal_id = '{signal}'"
    )
    assert found == true
    assert true


def test_nobody_whose_row_was_accepted_is_missing_however_it_was_spoilt(dirty: Home) -> None:
    """A mistyped number or name keeps a row from its person, and is no proof of absence."""
    secret = load_key(dirty.settings).secret
    persons = {
        hmac.new(secret, f"id|{number}|{name}".encode(), hashlib.sha256).hexdigest()[:24]: key
        for key, number, name in dirty.rows(
            f"select person_key, id_number, person_name from {dirty.truth('person')}"
        )
    }
    datasets = {
        "unenrolled_child_count": ("student_enrolment", "dropout"),
        "uninsured_member_count": ("insurance_enrolment", "uninsured"),
    }
    missing = dirty.rows("select person_id, measure_id, year from indicators.missing_member")
    assert missing
    for person, measure, year in missing:
        dataset, kind = datasets[str(measure)]
        is_true = dirty.rows(
            f"select 1 from {dirty.truth('shock')} "
            "where person_key = ? and kind = ? and year(month) = ?",
            persons[str(person)],
            kind,
            year,
        )
        accepted = dirty.rows(
            f"select 1 from {dirty.truth('record')} "
            "where person_key = ? and dataset = ? and period = ? and not is_refused",
            persons[str(person)],
            dataset,
            str(year),
        )
        assert is_true or not accepted


def test_each_benefit_that_truly_stopped_fires(clean: Home) -> None:
    """A stop in the last month may be a late payment; the dead are paid no longer either."""
    watched = WATCHED.format(household_year=clean.truth("household_year"))
    stopped = true_keys(
        clean,
        f"""
        select household_number
        from {clean.truth("shock")} join {watched} using (household_number)
        where kind = 'benefit_stopped' and month between '2022-01-01' and '2022-11-01'
        """,
    )
    died = true_keys(
        clean,
        f"select household_number from {clean.truth('person')} where year(died_on) >= 2021",
    )
    found = published_keys(
        clean, "select household_id from risk.household_signal where signal_id = 'benefit_stopped'"
    )
    assert stopped and stopped <= found <= stopped | died


def test_exactly_the_rows_that_must_be_refused_are_refused(dirty: Home) -> None:
    assert dirty.outcome.state == "published", dirty.outcome.message
    refused_files = sorted(dirty.settings.lake.glob("*/*/*/refused.parquet"))
    refused = f"""
        select distinct record.dataset, record.period, record.sender, record.row_number,
            record.error_kind, record.is_refused, refused.row_number is not null as was_refused
        from {dirty.truth("record")} as record
        join meta.delivery as delivery
            on delivery.dataset = record.dataset and delivery.period = record.period
            and delivery.sender is not distinct from record.sender
            and delivery.delivery_status = 'effective'
        left join (
            select row_number,
                regexp_extract(filename, '([0-9a-f]{{16}})/refused', 1) as delivery_id
            from {sealed_parquet(refused_files, "filename")}
        ) as refused
            on refused.delivery_id = delivery.delivery_id
            and refused.row_number = record.row_number
    """
    kept = dirty.rows_with_lake(f"select * from ({refused}) where is_refused and not was_refused")
    assert kept == []
    # a wrong digit inside the birth date can put the birth after the delivery
    others = dirty.rows_with_lake(
        f"select distinct error_kind from ({refused}) where was_refused and not is_refused"
    )
    assert {row[0] for row in others} <= {"id_wrong_digit"}
    [(count,)] = dirty.rows_with_lake(f"select count(*) from ({refused}) where was_refused")
    assert count > 100


def test_harmless_errors_still_link(dirty: Home) -> None:
    [(linked,)] = dirty.rows(
        "select sum(record_count) from linked.link_coverage where outcome = 'on_roll'"
    )
    [(true,)] = dirty.rows(
        f"""
        select count(*) from {dirty.truth("record")} as record
        where not is_refused
        and (error_kind is null or error_kind in
            ('id_lower_case_or_spaces', 'id_full_width_digits'))
        and person_key in (
            select person_key from {dirty.truth("record")} where dataset = 'household_roll')
        """
    )
    assert linked >= 0.99 * float(str(true))


def test_the_report_of_linkage_says_who_is_unconfirmed_and_what_its_figures_count(
    own_dirty: Home,
) -> None:
    told = report(own_dirty.settings, datetime.now(own_dirty.settings.time_zone))
    [(unconfirmed,)] = own_dirty.rows(
        "select count(*) from linked.person where source_count > 0 and not is_confirmed"
    )
    because = own_dirty.rows(
        "select sum(record_count)::integer, outcome from linked.link_coverage "
        "where outcome in ('name_conflict', 'no_valid_id') group by outcome order by outcome"
    )
    assert len(because) == 2
    reasons = ", ".join(f"{records} records {outcome}" for records, outcome in because)
    assert re.search(rf"^unconfirmed +{unconfirmed} +{reasons}$", told, re.MULTILINE)
    assert "Confirmed persons who may have a record that was refused or does not link" in told
    truth = told.partition("Compared with the truth")[2]
    assert str(own_dirty.settings.home / "truth") in truth
    assert "records in force whose true person it tells" in truth
    assert re.search(
        r"^precision [01]\.\d{5}, the share of them that stand in", truth, re.MULTILINE
    )
    assert re.search(r"^recall [01]\.\d{5}, the share of them that stand with", truth, re.MULTILINE)

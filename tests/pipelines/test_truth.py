"""On clean files every published figure equals the truth that the files were written from."""

from decimal import Decimal

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


def test_growth_on_the_refreshed_list_equals_the_truth(clean: Home) -> None:
    published = clean.rows(
        """
        select area_code, population, year, mean_yuan, growth_rate, household_count, person_count
        from indicators.income_growth
        where list_basis = 'refreshed' and price_basis = 'nominal' and area_level = 'county'
        order by all
        """
    )
    true = clean.rows(
        f"""
        with listed as (
            select county_code, 'low_income' as population, year, total_fen, member_count
            from {clean.truth("household_year")} where is_on_roll
            union all
            select county_code, 'low_income_with_labour', year, total_fen, member_count
            from {clean.truth("household_year")} where is_on_roll and has_labour
        ),
        means as (
            select county_code, population, year, sum(total_fen) as fen,
                sum(member_count) as persons, count(*) as households
            from listed group by all
        )
        select this.county_code, this.population, this.year,
            this.fen, this.persons, last.fen, last.persons, this.households
        from means as this
        left join means as last
            on last.county_code = this.county_code and last.population = this.population
            and last.year = this.year - 1
        order by 1, 2, 3
        """
    )
    assert len(published) == len(true) > 20
    for row, (area, population, year, fen, persons, base_fen, base_persons, count) in zip(
        published, true, strict=True
    ):
        mean = Decimal(str(fen)) / 100 / Decimal(str(persons))
        assert row[:3] == (area, population, year)
        assert row[3] == mean.quantize(Decimal("0.01"), rounding="ROUND_HALF_UP")
        assert row[5:] == (count, persons)
        if base_fen is None:
            assert row[4] is None
        else:
            growth = float(mean / (Decimal(str(base_fen)) / 100 / Decimal(str(base_persons))) - 1)
            assert abs(float(str(row[4])) - growth) < 1e-12


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


def test_true_shocks_of_the_last_year_fire_their_signals(clean: Home) -> None:
    [(published,)] = clean.rows(
        "select sum(value) from risk.household_signal where signal_id = 'new_severe_disability'"
    )
    [(true,)] = clean.rows(
        f"select count(*) from {clean.truth('shock')} "
        "where kind = 'disability' and year(month) = 2022"
    )
    assert published == true > 0


def test_a_dropout_of_the_last_year_fires_its_signal(clean: Home) -> None:
    published = clean.rows(
        "select coalesce(sum(value), 0) from risk.household_signal "
        "where signal_id = 'child_not_enrolled'"
    )
    assert published[0][0] >= 1


def test_exactly_the_rows_that_must_be_refused_are_refused(dirty: Home) -> None:
    assert dirty.outcome.state == "published", dirty.outcome.message
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
            from read_parquet('{dirty.settings.lake}/*/*/*/refused.parquet', filename = true)
        ) as refused
            on refused.delivery_id = delivery.delivery_id
            and refused.row_number = record.row_number
    """
    kept = dirty.rows(f"select * from ({refused}) where is_refused and not was_refused")
    assert kept == []
    # a wrong digit inside the birth date can put the birth after the delivery
    others = dirty.rows(
        f"select distinct error_kind from ({refused}) where was_refused and not is_refused"
    )
    assert {row[0] for row in others} <= {"id_wrong_digit"}
    [(count,)] = dirty.rows(f"select count(*) from ({refused}) where was_refused")
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

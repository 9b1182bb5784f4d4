"""The demo of every dataset: each plan is evaluated in its own area and years, as it truly is."""

from decimal import Decimal

import pytest

from minsheng.coverage import item_coverage
from minsheng.plans import load_plans
from tests.pipelines.conftest import Home

pytestmark = pytest.mark.slow

PLACES = ("jiangmen_2018", "xinhua_2021_2025", "yantai_2016_2020", "zhejiang_2013_2017")

STATUSES = {"done": ("met",), "in_progress": ("missed", "on_track", "not_due")}


def truth(home: Home, place: str, table: str) -> str:
    return f"read_parquet('{home.settings.home / 'truth' / place / table}.parquet')"


def test_the_demo_of_every_dataset_is_published(whole: Home) -> None:
    assert whole.outcome.state == "published", whole.outcome.message


def test_every_item_of_level_1_and_2_has_data(whole: Home) -> None:
    items = item_coverage(whole.database)
    assert len(items) == sum(len(plan.items) for plan in load_plans(whole.settings))
    without = {item.item_id for item in items if item.level < 3 and not item.has_data}
    assert without == set()


def test_a_refresh_tells_how_many_items_have_data(whole: Home) -> None:
    told = " ".join(whole.outcome.items)
    assert "items of level 1 with data: computed 175 of 175, reported 12 of 12" in told
    assert "items of level 2 with data: computed 55 of 55, reported 61 of 61" in told


def test_every_item_has_a_row_for_every_area_and_year_that_it_covers(whole: Home) -> None:
    """Counties and above, and the plan's own area; with a set of areas what it holds or lies in.

    A county that was set up later has rows from then on.
    """
    missing = whole.rows(
        """
        with in_set as (
            select member.policy_id, member.area_set, near.area_code
            from reference.plan_area as member
            join (
                select area_code as member_code, ancestor_code as area_code
                from reference.area_ancestor
                union
                select ancestor_code as member_code, area_code from reference.area_ancestor
            ) as near on near.member_code = member.area_code
        )
        select target.policy_id, target.item_id, target.part, area.area_code, target.year
        from reference.target as target
        join reference.area_ancestor as within on within.ancestor_code = target.area_code
        join reference.area as area
            on area.area_code = within.area_code and area.area_level = target.area_level
            and area.effective_to is null
            and (area.existing_from is null or area.existing_from <= make_date(target.year, 1, 1))
        left join indicators.target_result as result
            on result.policy_id = target.policy_id and result.item_id = target.item_id
            and result.part = target.part and result.year = target.year
            and result.area_code = area.area_code
        where result.part is null
            and (area.area_level in ('province', 'city', 'county')
                or area.area_code = target.area_code)
            and (target.area_set is null or exists (
                select 1 from in_set
                where in_set.policy_id = target.policy_id and in_set.area_set = target.area_set
                    and in_set.area_code = area.area_code))
        """
    )
    assert missing == []
    without = whole.rows(
        "select item_id from meta.policy_item "
        "anti join indicators.target_result using (policy_id, item_id)"
    )
    assert without == []


@pytest.mark.parametrize("place", PLACES)
def test_no_row_of_a_place_is_lost(whole: Home, place: str) -> None:
    published = whole.rows(
        f"""
        select delivery.dataset, delivery.period, rows_accepted, rows_refused
        from meta.delivery as delivery
        where sender = (select any_value(sender) from {truth(whole, place, "delivery")})
        order by all
        """
    )
    written = whole.rows(
        f"select dataset, period, row_count, 0 from {truth(whole, place, 'delivery')} order by all"
    )
    assert published == written


@pytest.mark.parametrize("place", PLACES)
def test_household_years_of_a_place_equal_the_truth_to_the_fen(whole: Home, place: str) -> None:
    within = f"(select distinct town_code from {truth(whole, place, 'household_year')})"
    published = whole.rows(
        f"""
        select year, has_labour, town_code, count(*), sum(member_count), sum(wage_yuan),
            sum(business_yuan), sum(property_yuan), sum(transfer_yuan), sum(total_yuan)
        from indicators.household_year
        where is_on_roll and town_code in {within}
        group by all order by all
        """
    )
    true = whole.rows(
        f"""
        select year, has_labour, town_code, count(*), sum(member_count), sum(wage_fen),
            sum(business_fen), sum(property_fen), sum(transfer_fen), sum(total_fen)
        from {truth(whole, place, "household_year")}
        where is_on_roll and year in (
            select period::int from {truth(whole, place, "delivery")}
            where dataset = 'household_roll')
        group by all order by all
        """
    )
    assert published
    assert published == [(*row[:5], *(Decimal(str(fen)) / 100 for fen in row[5:])) for row in true]


@pytest.mark.parametrize(
    ("place", "area"),
    [("yantai_2016_2020", "370600000000"), ("zhejiang_2013_2017", "331126000000")],
)
def test_growth_of_a_place_equals_the_truth(whole: Home, place: str, area: str) -> None:
    published = whole.rows(
        """
        select year, mean_yuan, growth_rate, household_count, person_count
        from indicators.income_growth
        where area_code = ? and population = 'low_income' and list_basis = 'refreshed'
            and price_basis = 'nominal' order by year
        """,
        area,
    )
    true = whole.rows(
        f"""
        select year, sum(total_fen), sum(member_count), count(*)
        from {truth(whole, place, "household_year")}
        where is_on_roll and year in (
            select period::int from {truth(whole, place, "delivery")}
            where dataset = 'household_roll')
        group by year order by year
        """
    )
    assert len(published) == len(true) == 5
    before = None
    for row, (year, fen, persons, count) in zip(published, true, strict=True):
        mean = Decimal(str(fen)) / 100 / Decimal(str(persons))
        assert (row[0], row[3], row[4]) == (year, count, persons)
        assert row[1] == mean.quantize(Decimal("0.01"), rounding="ROUND_HALF_UP")
        if before is None:
            assert row[2] is None
        else:
            assert abs(float(str(row[2])) - float(mean / before - 1)) < 1e-12
        before = mean


@pytest.mark.parametrize("place", (*PLACES, ""))
def test_what_offices_say_of_an_item_is_published_as_they_say_it(whole: Home, place: str) -> None:
    """What is said of an area above the units of a target does not count, its units do.

    Of several periods of a year a task is done in the first, and a figure is of the last.
    """
    said = f"""
        select result.value, said.value, said.task_status_code, result.status
        from {truth(whole, place, "item")} as said
        join indicators.target_result as result
            using (policy_id, item_id, part, area_code, year)
        join (select distinct policy_id, item_id, part, unit_level from reference.target) as target
            using (policy_id, item_id, part)
        where target.unit_level is null or target.unit_level = result.area_level
        qualify row_number() over (
            partition by policy_id, item_id, part, area_code, year
            order by case when said.task_status_code = 'done' then result.period_start end,
                result.period_start desc) = 1
    """
    rows = whole.rows(said)
    assert len(rows) > 50
    for value, true, state, status in rows:
        if state is None:
            assert float(str(value)) == pytest.approx(float(str(true)), rel=1e-4, abs=1e-4)
        else:
            assert value is None
            assert status in STATUSES[str(state)]


@pytest.mark.parametrize("place", PLACES)
def test_families_of_a_place_stand_under_its_items_as_they_truly_are(
    whole: Home, place: str
) -> None:
    """Households with a measure, by the statements of the register, in the plan's last year."""
    [(year,)] = whole.rows(
        f"select max(period)[:4]::int from {truth(whole, place, 'statement')} "
        "where dataset = 'assistance_measure'"
    )
    true = whole.rows(
        f"""
        select count(distinct statement.household_number)
        from {truth(whole, place, "statement")} as statement
        join {truth(whole, place, "household_year")} as household
            on household.household_number = statement.household_number and household.year = ?
            and household.is_on_roll
        where dataset = 'assistance_measure' and period[:4]::int = ?
        """,
        year,
        year,
    )
    published = whole.rows(
        f"""
        select count(*) from indicators.household_profile
        where is_on_roll and measure_count > 0 and year = ? and area_code[:6] in (
            select distinct village_code[:6] from {truth(whole, place, "household_year")})
        """,
        year,
    )
    assert published == true

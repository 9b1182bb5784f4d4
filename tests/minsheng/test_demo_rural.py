"""The rural departments' files of the demo follow its lives and agree with its truth."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from minsheng import row_rules
from minsheng.demo import generate
from minsheng.demo.rural_areas import AREA_PERIODS
from minsheng.encryption import sealed_parquet
from minsheng.judging import typed_path
from minsheng.lake import Receipt
from minsheng.settings import PROJECT_ROOT
from tests.minsheng.desk import Desk, desk_at

# What a row is a case of and the money it states, as SQL over the typed columns.
TOTALS = {
    "agriculture__monitoring_case": ("object_type_code", "compliant_self_paid_yuan"),
    "agriculture__cadre_visit": ("null", "null"),
    "agriculture__assistance_measure": (
        "measure_code",
        "support_yuan + coalesce(dividend_yuan, 0)",
    ),
    "agriculture__village_collective_income": (
        "case when is_weak_village then 'weak' else 'sound' end",
        "collective_operating_yuan",
    ),
    "agriculture__village_condition": (
        "case when is_key_village then 'key' else 'other' end",
        "null",
    ),
    "agriculture__project_asset": ("asset_code", "original_value_yuan"),
    "finance__small_loan": (
        "case when is_overdue then 'overdue' else 'running' end",
        "balance_yuan",
    ),
    "finance__fund_allocation": ("fund_use_code", "allocated_yuan"),
    "public_security__vital_event": ("vital_event_code", "null"),
    "public_security__accident": ("injury_code", "coalesce(compensation_yuan, 0)"),
    "emergency__disaster_event": ("disaster_code", "loss_yuan"),
    "casework__clue": ("verification_code", "null"),
    "statistics__household_survey": ("stratum", "total_yuan"),
    "general__area_report": ("item_id", "null"),
    "general__task_attestation": ("task_status_code", "null"),
}

Rows = list[tuple[object, ...]]


class Demo:
    """A clean demo whose rural files are taken."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.desk: Desk = desk_at(home)
        self.receipts: dict[str, tuple[Receipt, ...]] = {
            table: self.desk.ingest(table).receipts for table in TOTALS
        }

    def typed(self, table: str) -> str:
        """The rows of all deliveries of a dataset as a FROM item."""
        paths = [
            typed_path(self.desk.delivery(receipt), receipt.contract_hash)
            for receipt in self.receipts[table]
        ]
        return sealed_parquet(paths)

    def truth(self, table: str) -> str:
        """A table of the truth as a FROM item."""
        return f"read_parquet('{self.home / 'truth' / table}.parquet')"

    def rows(self, query: str) -> Rows:
        return self.desk.database().sql(query).fetchall()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    home = tmp_path_factory.mktemp("rural")
    generate(
        home / "inbox", home / "truth", project_root=PROJECT_ROOT, households=800, dirty_rate=0.0
    )
    return Demo(home)


@pytest.mark.parametrize("table", TOTALS)
def test_every_file_is_taken_and_no_row_is_refused(demo: Demo, table: str) -> None:
    assert demo.receipts[table]
    for receipt in demo.receipts[table]:
        assert (receipt.status, receipt.unknown_columns) == ("taken", ())
        assert receipt.rows_received == receipt.rows_accepted > 0


@pytest.mark.parametrize("table", TOTALS)
def test_no_row_is_doubted(demo: Demo, table: str) -> None:
    doubted = [
        rule.name
        for rule in row_rules.row_rules(demo.desk.source(table))
        if rule.severity == "warning"
        and demo.rows(f"from {demo.typed(table)} where not coalesce({rule.expression}, true)")
    ]
    assert doubted == []


@pytest.mark.parametrize("table", TOTALS)
def test_rows_and_money_are_those_of_the_truth(demo: Demo, table: str) -> None:
    kind, money = TOTALS[table]
    written = demo.rows(
        f"select period, {kind} as kind, count(*), sum({money}) from {demo.typed(table)} "
        "group by all order by all"
    )
    dataset = table.split("__")[1]
    drawn = demo.rows(
        f"select period, kind, count(*), (sum(amount_fen) / 100)::decimal(18, 2) "
        f"from {demo.truth('statement')} where dataset = '{dataset}' group by all order by all"
    )
    assert written == drawn
    assert drawn


@pytest.mark.parametrize("table", TOTALS)
def test_what_a_contract_dates_lies_in_its_period(demo: Demo, table: str) -> None:
    delivery = demo.desk.source(table).delivery
    assert delivery
    if delivery.dated_by:
        outside = demo.rows(
            f"from {demo.typed(table)} "
            f"where strftime({delivery.dated_by}, '%Y-%m') is distinct from period"
        )
        assert outside == []


def test_every_death_is_registered_on_its_day(demo: Demo) -> None:
    deaths = demo.rows(
        f"select id_number, event_date from {demo.typed('public_security__vital_event')} "
        "where vital_event_code = 'death'"
    )
    died = demo.rows(
        f"select id_number, died_on from {demo.truth('person')} "
        "where died_on between date '2021-01-01' and date '2022-12-31'"
    )
    assert len(deaths) == len(set(deaths))
    assert set(deaths) <= set(died)
    # What happens in the last weeks is registered after them.
    assert all(day > date(2022, 12, 4) for _, day in set(died) - set(deaths))  # type: ignore[operator]


def test_whoever_an_accident_kills_died_on_that_day(demo: Demo) -> None:
    killed = demo.rows(
        f"select accident.event_date, person.died_on "
        f"from {demo.typed('public_security__accident')} as accident "
        f"join {demo.truth('person')} as person using (id_number) "
        "where accident.injury_code = 'dead'"
    )
    assert killed
    assert all(day == died for day, died in killed)


def test_a_case_follows_a_fall_or_a_shock_of_its_household(demo: Demo) -> None:
    cases = f"""
        select distinct household_number, identified_month, object_type_code
        from {demo.typed("agriculture__monitoring_case")}
    """
    reasons = f"""
        select household_number, make_date(year + 1, 1, 1) as since, 'fall' as kind
        from {demo.truth("fall")}
        union all
        select household_number, month, kind from {demo.truth("shock")}
    """
    entrants = f"""
        select household_number, min(year) as entry_year
        from {demo.truth("household_year")} where is_on_roll group by household_number
    """
    without = f"""
        select * from ({cases}) as monitored
        join ({entrants}) as entrant using (household_number)
        where (monitored.object_type_code = 'marginal')
            <> (year(monitored.identified_month) < entrant.entry_year)
        or monitored.object_type_code <> 'marginal' and not exists (
            select 1 from ({reasons}) as reason
            where reason.household_number = monitored.household_number
                and reason.since < monitored.identified_month
                and reason.since >= monitored.identified_month - interval 3 month
                and (reason.kind = 'illness') = (monitored.object_type_code = 'sudden')
                and reason.kind in ('illness', 'fall', 'business_failure')
        )
    """
    assert demo.rows(without) == []
    (kinds,) = demo.rows(f"select count(distinct object_type_code) from ({cases})")
    assert kinds == (3,)


def test_cleared_cases_stay_cleared_in_later_registers(demo: Demo) -> None:
    reopened = f"""
        select household_number from {demo.typed("agriculture__monitoring_case")}
        group by household_number
        having max(period) filter (where risk_status_code = 'open')
            > min(period) filter (where risk_status_code = 'cleared')
    """
    cleared = f"""
        from {demo.typed("agriculture__monitoring_case")} where risk_status_code = 'cleared'
    """
    assert demo.rows(reopened) == []
    assert demo.rows(cleared)


def test_whoever_is_visited_stands_on_the_roll(demo: Demo) -> None:
    strangers = f"""
        select household_number from {demo.typed("agriculture__cadre_visit")}
        except
        select household_number from {demo.truth("household_year")}
        where year = 2022 and is_on_roll
    """
    assert demo.rows(strangers) == []


def test_a_share_goes_to_households_of_the_roll_without_labour(demo: Demo) -> None:
    shares = f"""
        select household_number, left(period, 4)::int as year
        from {demo.typed("agriculture__assistance_measure")} where share_yuan is not null
    """
    entitled = f"""
        select household_number, year from {demo.truth("household_year")}
        where is_on_roll and not has_labour
    """
    assert demo.rows(shares)
    assert demo.rows(f"{shares} except {entitled}") == []


def test_a_loan_stays_in_the_book_until_it_is_paid(demo: Demo) -> None:
    gone = f"""
        select owing.loan_number
        from {demo.typed("finance__small_loan")} as owing
        left join {demo.typed("finance__small_loan")} as later
            on later.loan_number = owing.loan_number
            and later.period_month = owing.period_month + interval 1 year
        where owing.balance_yuan > 0 and owing.period < '2022' and later.loan_number is null
    """
    assert demo.rows(gone) == []


def test_the_sample_states_the_incomes_of_the_ledger(demo: Demo) -> None:
    sampled = demo.rows(
        "select sample_household_number, period::int, total_yuan * 100, is_low_income "
        f"from {demo.typed('statistics__household_survey')}"
    )
    ledger = demo.rows(
        "select household_number, year, total_fen, is_on_roll "
        f"from {demo.truth('household_year')} where is_in_ledger"
    )
    assert sampled
    assert set(sampled) <= set(ledger)


def test_the_weights_of_the_sample_are_the_inverse_of_its_chances(demo: Demo) -> None:
    weights = demo.rows(
        f"select count(distinct weight) from {demo.typed('statistics__household_survey')} "
        "group by stratum"
    )
    assert weights == [(1,), (1,), (1,)]
    (estimated,) = demo.rows(
        f"select sum(weight) / 6 from {demo.typed('statistics__household_survey')}"
    )
    (counted,) = demo.rows(f"select count(*) / 6 from {demo.truth('household_year')}")
    assert float(str(estimated[0])) == pytest.approx(float(str(counted[0])), rel=0.25)


def test_a_disaster_is_reported_once_more_when_it_is_verified(demo: Demo) -> None:
    stages = demo.rows(
        "select distinct stages from (select list(report_stage_code order by period) as stages "
        f"from {demo.typed('emergency__disaster_event')} group by disaster_number, area_code)"
    )
    assert stages == [(["first", "verified"],)]


def test_the_city_reports_the_sum_of_its_counties(demo: Demo) -> None:
    figures = demo.rows(
        """
        select
            sum(coalesce(numerator, value)) filter (where area_code like '3303__000000'
                and area_code <> '330300000000'),
            sum(coalesce(numerator, value)) filter (where area_code = '330300000000')
        """
        f"from {demo.typed('general__area_report')} group by item_id, part, year"
    )
    both = [row for row in figures if None not in row]
    assert both
    assert all(counties == city for counties, city in both)


def test_areas_do_not_depend_on_the_number_of_households(demo: Demo, tmp_path: Path) -> None:
    generate(
        tmp_path / "inbox",
        tmp_path / "truth",
        project_root=PROJECT_ROOT,
        households=20,
        dirty_rate=0.0,
    )
    for folder in ("inbox", "truth"):
        assert (tmp_path / folder).is_dir()
    facts = pl.col("dataset").is_in(list(AREA_PERIODS))
    few, many = (
        pl.read_parquet(home / "truth" / "statement.parquet").filter(facts)
        for home in (tmp_path, demo.home)
    )
    assert few.equals(many)
    assert set(few["dataset"]) == set(AREA_PERIODS)

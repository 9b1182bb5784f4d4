"""Two axes of time: what was known on a day, and what was true on it."""

from collections import Counter
from datetime import date

import pytest

from pipelines.refresh import refresh
from tests.pipelines.conftest import Home, copy_of
from tests.pipelines.test_restatement import correct_ledger

pytestmark = pytest.mark.slow

DIGESTS = (
    "select schema_name || '.' || table_name, row_count, digest from meta.table_digest "
    "where schema_name in ('reference', 'linked', 'indicators', 'risk')"
)
FIGURES = "select * from indicators.income_growth order by all"


def digests(home: Home) -> dict[str, tuple[object, ...]]:
    return {str(row[0]): row[1:] for row in home.rows(DIGESTS)}


@pytest.fixture(scope="module")
def first_known(clean: Home) -> date:
    """The day of the last delivery that the first version knows."""
    [(day,)] = clean.rows("select max(delivered_at)::date from meta.delivery")
    assert isinstance(day, date)
    return day


def test_a_figure_that_a_later_delivery_moved_is_made_again_as_it_was_published(
    clean: Home, first_known: date, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = copy_of(clean, tmp_path_factory.mktemp("corrected"))
    correct_ledger(home, "2021")
    moved = {name for name, told in digests(home).items() if told != digests(clean)[name]}
    assert {"indicators.household_year", "indicators.income_growth"} <= moved
    assert home.rows(FIGURES) != clean.rows(FIGURES)

    outcome = refresh(home.settings, known_on=first_known)

    assert outcome.state == "published", outcome.message
    assert home.rows("select known_on from meta.build") == [(first_known,)]
    assert digests(home) == digests(clean)
    assert home.rows(FIGURES) == clean.rows(FIGURES)


def test_what_was_true_before_a_delivery_is_true_whether_it_is_known_or_not(
    own_home: Home,
) -> None:
    asked = "select entity_id, status_code from linked.status_on(date '2020-06-15')"
    now = set(own_home.rows(asked))
    outcome = refresh(own_home.settings, known_on=date(2021, 6, 30))
    assert outcome.state == "published", outcome.message
    assert set(own_home.rows(asked)) == now != set()


def test_who_is_on_a_roll_belongs_to_its_household_until_death(whole: Home) -> None:
    asked = (
        "select member.household_id, member.person_id from linked.household_member as member "
        "left join linked.vital_event as death on death.person_id = member.person_id "
        "and death.vital_event_code = 'death' and death.month < make_date(member.year, 12, 1) "
        "where member.year = {year} and death.person_id is null {sign} "
        "select household_id, person_id from linked.membership_on(date '{year}-12-31') "
        "where household_notion = 'roll'"
    )
    for year in (2018, 2022):
        assert whole.rows(asked.format(year=year, sign="intersect"))
        assert whole.rows(asked.format(year=year, sign="except")) == []


def test_who_died_belongs_to_no_household_and_has_no_status_but_where_a_register_keeps_the_dead(
    whole: Home,
) -> None:
    dead = (
        "join linked.vital_event as death on death.person_id = {} "
        "and death.vital_event_code = 'death' and death.month < date '2022-12-01' "
    )
    assert whole.rows("select count(*) > 0 from linked.vital_event") == [(True,)]
    assert (
        whole.rows(
            "select member.person_id from linked.membership_on(date '2022-12-31') as member "
            + dead.format("member.person_id")
        )
        == []
    )
    held = whole.rows(
        "select status.entity_id, status.status_code "
        "from linked.status_on(date '2022-12-31') as status "
        + dead.format("status.entity_id")
        + "where status.status_code <> 'deceased' order by all"
    )
    assert held
    assert held == whole.rows(
        "select entity_id, status_code from linked.register_flow "
        "where flow_code = 'death' and is_finding and month <= date '2022-12-01' order by all"
    )


def test_registers_of_clean_deliveries_balance_but_for_the_dead_whom_they_keep(
    whole: Home,
) -> None:
    """The certificates' register of a year keeps who died in a year before it."""
    assert whole.rows("select count(*) > 100 from indicators.register_balance") == [(True,)]
    kept = whole.rows(
        "select sighting.source, sighting.county_code, sighting.status_code, 'death', "
        "min(sighting.period_month) as month, sighting.entity_id "
        "from linked.status_sighting as sighting "
        "join linked.vital_event as death on death.person_id = sighting.entity_id "
        "and death.vital_event_code = 'death' and year(death.month) < year(sighting.period_month) "
        "where sighting.county_code is not null group by all order by all"
    )
    assert {row[0] for row in kept} == {"disability_federation__disability_certificate"}
    assert kept == whole.rows(
        "select source, county_code, status_code, flow_code, month, entity_id "
        "from linked.register_flow where is_finding order by all"
    )
    differing = whole.rows(
        "select source, county_code, status_code, month, difference_count::integer "
        "from indicators.register_balance where difference_count <> 0 order by all"
    )
    counted = Counter((row[0], row[1], row[2], row[4]) for row in kept)
    assert differing == [(*key, count) for key, count in sorted(counted.items())]


def test_registers_of_spoilt_deliveries_do_not_balance_and_the_check_says_so(dirty: Home) -> None:
    [(count,)] = dirty.rows(
        "select count(*) from indicators.register_balance where difference_count <> 0"
    )
    assert isinstance(count, int) and count > 0
    assert dirty.rows(
        "select check_name, severity, passed, failing_rows from quality.check_result "
        "where table_name = 'indicators.register_balance' and not passed"
    ) == [("register_balances", "warning", False, count)]


def test_the_stock_of_a_roll_and_the_view_of_its_month_differ_by_the_dead_and_the_unlinked(
    dirty: Home,
) -> None:
    balanced = (
        "select {columns} from indicators.register_balance as balance join {table} as told "
        "on told.source = balance.source and told.status_code = balance.status_code "
        "and told.county_code is not distinct from balance.county_code and {condition} "
        "where balance.source in (select source from linked.status_sighting)"
    )
    columns = "told.entity_id, told.status_code, told.county_code, balance.month"
    stock = balanced.format(
        columns=columns,
        table="linked.status_sighting",
        condition="told.period_month = balance.month and told.is_confirmed",
    )
    held = balanced.format(
        columns=columns,
        table="linked.status_interval",
        condition="told.start_month <= balance.month "
        "and coalesce(told.end_month >= balance.month, true)",
    )
    unlinked = (
        "select entity_id, status_code, county_code, period_month from linked.status_sighting "
        "where not is_confirmed"
    )
    ended_by_death = (
        "select entity_id, status_code, county_code from linked.status_interval "
        "where end_event_code = 'death'"
    )
    counts = "select sum(stock_count) from indicators.register_balance where source in "
    sources = "(select source from linked.status_sighting)"
    assert dirty.rows(f"select count(*) from ({stock})") == dirty.rows(counts + sources)
    assert dirty.rows(f"({held} except {stock}) except {unlinked}") == []
    assert (
        dirty.rows(
            f"select entity_id, status_code, county_code from ({stock} except {held}) "
            f"except {ended_by_death}"
        )
        == []
    )
    assert dirty.rows("select count(*) > 0 from indicators.register_balance") == [(True,)]

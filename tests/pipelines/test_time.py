"""Two axes of time: what was known on a day, and what was true on it."""

from datetime import date

import pytest

from pipelines.refresh import refresh
from tests.pipelines.conftest import Home, copy_of
from tests.pipelines.test_restatement import correct_ledger

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


def test_a_figure_can_be_made_for_any_month_of_the_past(own_home: Home) -> None:
    """What the rolls of 2020 tell is the same whether later ones are known or not."""
    known = date(2021, 6, 30)
    asked = "select entity_id, status_code from linked.status_on(date '2020-06-15') order by all"
    later = {row for row in own_home.rows(asked)}
    outcome = refresh(own_home.settings, known_on=known)
    assert outcome.state == "published", outcome.message
    then = {row for row in own_home.rows(asked)}
    assert then and then == later


def test_the_published_file_says_who_belonged_where_on_a_day(whole: Home) -> None:
    """Against the truth: who is on the roll of a year belongs to its household in its December."""
    asked = (
        "select count(*), count(distinct person_id) from linked.membership_on(date '{}') "
        "where household_notion = 'roll' and last_seen_month >= date '{}'"
    )
    for year in (2018, 2022):
        [(count, persons)] = whole.rows(asked.format(f"{year}-12-31", f"{year}-12-01"))
        [(members,)] = whole.rows(
            "select count(*) from linked.household_member where year = ?", year
        )
        assert count >= persons >= members > 0


def test_who_died_has_no_status_and_no_household_afterwards(whole: Home) -> None:
    deaths = whole.rows(
        "select person_id, max(month) from linked.vital_event "
        "where vital_event_code = 'death' group by person_id"
    )
    assert deaths
    after = whole.rows(
        "select status.entity_id, status.status_code from linked.status_on(date '2022-12-31') as status "
        "join linked.vital_event as event on event.person_id = status.entity_id "
        "where event.vital_event_code = 'death' and event.month < date '2022-12-01' "
        "and status.status_code <> 'deceased'"
    )
    assert after == []
    assert (
        whole.rows(
            "select member.person_id from linked.membership_on(date '2022-12-31') as member "
            "join linked.vital_event as event using (person_id) "
            "where event.vital_event_code = 'death' and event.month < date '2022-12-01'"
        )
        == []
    )


def test_the_registers_of_clean_deliveries_balance(whole: Home) -> None:
    unbalanced = whole.rows(
        "select status_code, county_code, month, difference_count "
        "from indicators.register_balance where difference_count <> 0 order by all"
    )
    assert whole.rows("select count(*) > 0 from indicators.register_balance") == [(True,)]
    assert unbalanced == []

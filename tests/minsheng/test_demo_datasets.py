"""The demo's files of the later datasets are taken whole and say what the truth says."""

from pathlib import Path

import duckdb
import pytest

from minsheng.demo import generate
from minsheng.encryption import sealed_parquet
from minsheng.judging import typed_path
from minsheng.row_rules import row_rules
from minsheng.settings import PROJECT_ROOT
from tests.minsheng.desk import Desk, desk_at

AGREEMENTS = {
    "civil_affairs__temporary_relief": (
        "select count(*), sum(amount_yuan) * 100 from delivered",
        "select count(*), sum(amount_fen) from fact where started_on >= date '2022-01-01'",
    ),
    "civil_affairs__dibao_standard": (
        "select year(effective_from), assistance_code, sum(standard_yuan) * 100 from delivered "
        "group by all",
        "select year(started_on), kind, sum(amount_fen) from fact group by all",
    ),
    "civil_affairs__care_register": (
        "select care_kind_code, count(*), count(distinct id_number) from delivered group by all",
        "select kind, count(*), count(distinct person_key) from fact group by all",
    ),
    "education__student_aid": (
        "select aid_code, count(*), sum(aid_yuan) * 100 from delivered group by all",
        "select kind, count(*), sum(amount_fen) from fact group by all",
    ),
    "education__dropout_case": (
        "select dropout_state_code, count(*), max(returned_date) from ("
        "select * from delivered qualify row_number() over "
        "(partition by id_number, found_date order by period desc) = 1) group by all",
        "select kind, count(*), max(ended_on) from fact group by all",
    ),
    "health__serious_illness": (
        "select illness_kind_code, count(*), max(diagnosed_date) from delivered group by all",
        "select kind, count(*), max(started_on) from fact group by all",
    ),
    "health__family_doctor": (
        "select year(signed_date), count(*), sum(service_fee_yuan) * 100 from delivered "
        "group by all",
        "select year(started_on), count(*), sum(amount_fen) from fact group by all",
    ),
    "disability_federation__disability_subsidy": (
        "select subsidy_code, count(*), sum(amount_yuan) * 100 from delivered group by all",
        "select kind, count(*), sum(amount_fen) from fact group by all",
    ),
    "housing__house_safety": (
        "select house_grade_code, count(distinct id_number), count(completed_date), "
        "sum(grant_yuan) * 100 from delivered group by all",
        "select kind, count(*), count(ended_on), sum(amount_fen) from fact group by all",
    ),
    "housing__relocation": (
        "select relocation_state_code, count(*), max(moved_date) from ("
        "select * from delivered qualify row_number() over "
        "(partition by id_number order by period desc) = 1) group by all",
        "select kind, count(*), max(started_on) from fact group by all",
    ),
    "human_resources__employment_month": (
        "select work_state_code, count(distinct id_number), sum(monthly_wage_yuan) * 100 "
        "from delivered where monthly_wage_yuan is not null group by all",
        "select kind, count(*), sum(amount_fen) from fact group by all",
    ),
    "human_resources__training": (
        "select training_kind_code, count(*), max(training_end_date) from delivered group by all",
        "select kind, count(*), max(ended_on) from fact group by all",
    ),
    "human_resources__public_post": (
        "select post_kind_code, count(distinct id_number), max(post_end_date), "
        "any_value(monthly_wage_yuan) * 100 from delivered group by all",
        "select kind, count(*), max(ended_on), any_value(amount_fen) from fact group by all",
    ),
    "human_resources__pension_enrolment": (
        "select pension_state_code, count(*), sum(pension_yuan) * 100 from delivered group by all",
        "select kind, count(*), sum(amount_fen) from fact group by all",
    ),
}
"""What the accepted rows of a dataset, all periods together, and its facts must agree in."""


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    home = tmp_path_factory.mktemp("clean")
    generate(
        home / "inbox", home / "truth", project_root=PROJECT_ROOT, households=800, dirty_rate=0.0
    )
    return desk_at(home)


@pytest.fixture(scope="module")
def taken(clean: Desk) -> duckdb.DuckDBPyConnection:
    """Every dataset's typed rows as table `<department>__<dataset>`."""
    connection = clean.database()
    for table in AGREEMENTS:
        receipts = clean.ingest(table).receipts
        assert {receipt.status for receipt in receipts} == {"taken"}
        assert sum(receipt.rows_refused for receipt in receipts) == 0
        paths = [typed_path(clean.delivery(receipt), receipt.contract_hash) for receipt in receipts]
        connection.execute(f"create temp table {table} as from {sealed_parquet(paths)}")
    return connection


@pytest.fixture
def truth(clean: Desk) -> Path:
    return clean.project.settings.home / "truth"


@pytest.mark.parametrize("table", AGREEMENTS)
def test_the_files_agree_with_the_truth(
    taken: duckdb.DuckDBPyConnection, truth: Path, table: str
) -> None:
    delivered, fact = AGREEMENTS[table]
    dataset = table.split("__")[1]
    facts = f"(select * from '{truth}/fact.parquet' where dataset = '{dataset}') as fact"
    found = taken.execute(delivered.replace("from delivered", f"from {table}")).fetchall()
    expected = taken.execute(fact.replace("from fact", f"from {facts}")).fetchall()
    assert found
    assert set(found) == set(expected)


@pytest.mark.parametrize("table", AGREEMENTS)
def test_a_clean_file_gives_no_cause_for_doubt(
    clean: Desk, taken: duckdb.DuckDBPyConnection, table: str
) -> None:
    for rule in row_rules(clean.source(table)):
        [(doubtful,)] = taken.execute(
            f"select count(*) from {table} where not coalesce({rule.expression}, true)"
        ).fetchall()
        assert (rule.name, doubtful) == (rule.name, 0)


def test_dated_rows_lie_in_the_period_of_their_file(
    clean: Desk, taken: duckdb.DuckDBPyConnection
) -> None:
    deliveries = {table: clean.source(table).delivery for table in AGREEMENTS}
    dated = {table: found.dated_by for table, found in deliveries.items() if found}
    for table, column in dated.items():
        if column is None:  # a row may be about an earlier date
            continue
        outside = taken.execute(
            f"select {column}, period from {table} where not starts_with({column}::varchar, period)"
        ).fetchall()
        assert (table, outside) == (table, [])
    assert any(dated.values())


def test_relief_and_subsidies_are_those_of_the_payments(
    clean: Desk, taken: duckdb.DuckDBPyConnection
) -> None:
    payments = clean.ingest("civil_affairs__relief_payment").receipts
    paths = [typed_path(clean.delivery(paid), paid.contract_hash) for paid in payments]
    taken.execute(f"create temp view paid as from {sealed_parquet(paths)}")
    one_off = "select period, id_number, amount_yuan from"
    assert (
        taken.execute(
            f"{one_off} paid where programme_code = 'temporary' and period >= '2022' order by all"
        ).fetchall()
        == taken.execute(f"{one_off} civil_affairs__temporary_relief order by all").fetchall()
    )
    monthly = "select period, id_number, amount_yuan, "
    assert (
        taken.execute(
            f"{monthly} programme_code from paid where programme_code like 'disability_%' "
            "and (period like '%-06' or period like '%-12') order by all"
        ).fetchall()
        == taken.execute(
            f"{monthly} 'disability_' || subsidy_code as programme_code "
            "from disability_federation__disability_subsidy order by all"
        ).fetchall()
    )


def test_the_jobs_of_a_household_earn_its_wage(
    taken: duckdb.DuckDBPyConnection, truth: Path
) -> None:
    """But for the fen that do not divide by workers and months."""
    [(households, furthest)] = taken.execute(
        f"""
        select count(*), max(wage_fen / 100 - earned)
        from (
            select household_number, sum(monthly_wage_yuan) as earned
            from human_resources__employment_month
            join '{truth}/person.parquet' using (id_number)
            group by household_number having earned > 0
        )
        join (select * from '{truth}/household_year.parquet' where year = 2022)
        using (household_number)
        """
    ).fetchall()
    assert households > 50
    assert 0 <= furthest < 2


def test_aid_goes_to_students_of_households_on_the_roll(
    taken: duckdb.DuckDBPyConnection, truth: Path
) -> None:
    strangers = taken.execute(
        f"""
        select aid.id_number, aid.period
        from education__student_aid as aid
        join '{truth}/person.parquet' as person using (id_number)
        where not exists (
            from '{truth}/household_year.parquet' as home
            where home.household_number = person.household_number and home.is_on_roll
            and home.year = aid.period::integer - (aid.term_code = 'spring')::integer
        )
        """
    ).fetchall()
    assert strangers == []

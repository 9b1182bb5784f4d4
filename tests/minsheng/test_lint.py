"""Each rule of the lint by a model it refuses and one that says the same and passes."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from minsheng.contracts import load_contracts
from minsheng.lint import (
    RULES,
    Schema,
    decided_numbers,
    lint,
    lint_models,
    main,
    table_schema,
)
from minsheng.settings import PROJECT_ROOT, load_settings

SCHEMA: Schema = {
    "linked": {
        "bill": {
            "person_id": "VARCHAR",
            "paid_date": "DATE",
            "due_date": "DATE",
            "share_rate": "DOUBLE",
            "paid_yuan": "DECIMAL(18,2)",
            "bill_count": "BIGINT",
        },
        "person": {"person_id": "VARCHAR", "sex_code": "VARCHAR"},
    }
}
POLICY_NUMBERS = frozenset({Decimal("9600"), Decimal("0.15"), Decimal("0.5")})

REFUSED = {
    "tables_without_schema": [
        "select person_id from bill",
        "with paid as (select person_id from bill) select person_id from paid",
    ],
    "files_and_table_functions": [
        "select person_id from read_parquet('bill.parquet')",
        "select person_id from 'bill.csv'",
        "select i from range(5) as numbers (i)",
    ],
    "columns_not_listed": [
        "select * from linked.bill",
        "select bill.* from linked.bill as bill",
        "select person_id from linked.bill union all select * from linked.person",
    ],
    "rewritten_stars": [
        "with paid as (select * replace (1 as bill_count) from linked.bill) "
        "select person_id from paid",
        "with paid as (select * exclude (bill_count) from linked.bill) select person_id from paid",
    ],
    "group_by_all": [
        "select person_id, count(*) as bill_count from linked.bill group by all",
        "select person_id from linked.bill order by all",
    ],
    "pivots": [
        "with wide as (select person_id from linked.bill pivot "
        "(sum(paid_yuan) for bill_count in (1, 2))) select person_id from wide",
    ],
    "asof_joins": [
        "select bill.person_id from linked.bill as bill asof join linked.person as person "
        "on bill.person_id = person.person_id and bill.person_id >= person.person_id",
    ],
    "percentiles_within_group": [
        "select percentile_cont(0.25) within group (order by paid_yuan) as low from linked.bill",
    ],
    "lists": [
        "select list(person_id order by person_id) as persons from linked.bill",
        "select array_agg(person_id) as persons from linked.bill",
    ],
    "text_aggregates_without_order": [
        "select string_agg(person_id, ',') as persons from linked.bill",
        "select string_agg(distinct person_id, ',') as persons from linked.bill",
    ],
    "averages_of_decimal_cases": [
        "select avg(case when bill_count = 1 then 1.0 else 0.0 end) as share from linked.bill",
    ],
    "differences_in_months": [
        "select date_diff('month', paid_date, due_date) as months from linked.bill",
        "select date_diff('year', paid_date, due_date) as years from linked.bill",
    ],
    "differences_of_dates": [
        "select due_date - paid_date as days from linked.bill",
        "with paid as (select paid_date as day, due_date from linked.bill) "
        "select due_date - day as days from paid",
    ],
    "casts_of_fractions": [
        "select cast(paid_yuan as integer) as yuan from linked.bill",
        "select cast(share_rate * 100 as bigint) as percent from linked.bill",
        "select cast(bill_count / 2 as integer) as half from linked.bill",
    ],
    "replacements_of_the_first_match": [
        "select regexp_replace(person_id, '0', '') as key from linked.bill",
        "select regexp_replace(person_id, '0', '', 'i') as key from linked.bill",
    ],
    "logarithms_without_base": [
        "select log(bill_count) as size from linked.bill",
    ],
    "unknown_functions": [
        "select hash(person_id) as key from linked.bill",
        "select age(due_date, paid_date) as late from linked.bill",
        "select paid_date + to_months(2) as later from linked.bill",
        "select now() as moment from linked.bill",
    ],
    "aggregates_of_any_row": [
        "select any_value(person_id) as person_id from linked.bill",
        "select first(person_id) as person_id from linked.bill",
        "select last(person_id) as person_id from linked.bill",
        "select mode(person_id) as person_id from linked.bill",
        "select arg_max(person_id, paid_yuan) as person_id from linked.bill",
        "select min_by(person_id, paid_yuan) as person_id from linked.bill",
    ],
    "windows_without_order": [
        "select row_number() over (partition by person_id) as place from linked.bill",
        "select rank() over () as place from linked.bill",
        "select lag(paid_yuan) over (partition by person_id) as before from linked.bill",
        "select person_id from linked.bill qualify row_number() over (partition by person_id) = 1",
    ],
    "rows_by_chance": [
        "select person_id from linked.bill limit 3",
        "select distinct on (person_id) person_id, paid_yuan from linked.bill",
        "select person_id from linked.bill using sample 3",
    ],
    "clock_and_chance": [
        "select current_date as day from linked.bill",
        "select today() as day from linked.bill",
        "select random() as draw from linked.bill",
        "select uuid() as key from linked.bill",
    ],
    "floating_sums": [
        "select sum(share_rate) as shares from linked.bill",
        "select avg(share_rate) as share from linked.bill",
        "with halved as (select paid_yuan / 2 as half from linked.bill) "
        "select sum(half) as halves from halved",
        "select sum(share_rate) over (partition by person_id) as shares from linked.bill",
    ],
    "policy_numbers": [
        "select person_id from linked.bill where paid_yuan < 9600",
        "select person_id from linked.bill where paid_yuan < 9600.00",
        "select person_id from linked.bill where share_rate >= 0.15",
        "select person_id from linked.bill where share_rate <= -0.15",
    ],
    "decoded_labels": [
        "select case sex_code when '1' then 'male' when '2' then 'female' end as sex "
        "from linked.person",
    ],
    "header": [],
    "one_select": [
        "select person_id from linked.bill; select person_id from linked.person",
        "create table linked.other as select person_id from linked.bill",
        "create macro double(x) as 2 * x",
        "copy linked.bill to 'bill.csv'",
        "select from where",
    ],
}

ACCEPTED = [
    "select person_id from linked.bill",
    "with paid as (select * from linked.bill) select person_id from paid",
    "select count(*) as bill_count from linked.bill",
    "select person_id, count(*) as bill_count from linked.bill group by person_id",
    "select sum(paid_yuan) filter (where bill_count = 1) as single from linked.bill",
    "select bill.person_id from linked.bill as bill join linked.person as person using (person_id)",
    "select quantile_cont(paid_yuan, 0.5) as median from linked.bill",
    "select string_agg(person_id, ',' order by person_id) as persons from linked.bill",
    "select string_agg(distinct person_id, ',' order by person_id) as persons from linked.bill",
    "select list_sort(list(person_id)) as persons from linked.bill",
    "select avg(case when bill_count = 1 then 1e0 else 0e0 end) as share from linked.bill",
    "select date_diff('day', paid_date, due_date) as days from linked.bill",
    "select (year(due_date) - year(paid_date)) * 12 + month(due_date) - month(paid_date) "
    "as months from linked.bill",
    "select cast(paid_date - interval 1 month * cast(round(share_rate) as integer) as date) "
    "as earlier from linked.bill",
    "select cast(floor(paid_yuan) as integer) as yuan from linked.bill",
    "select cast(year(paid_date) as integer) as year from linked.bill",
    "select regexp_replace(person_id, '0', '', 'g') as key from linked.bill",
    "select log10(bill_count) as size, ln(bill_count) as nats from linked.bill",
    "select md5(person_id) as key from linked.bill",
    "select max(person_id) as person_id from linked.bill",
    "select row_number() over (partition by person_id order by paid_date) as place "
    "from linked.bill",
    "select sum(paid_yuan) over (partition by person_id) as paid from linked.bill",
    "select person_id from linked.bill order by person_id limit 3",
    "select sum(paid_yuan) as paid, sum(bill_count) as bills from linked.bill",
    "select sum(cast(paid_yuan / 2 as decimal(18, 2))) as halves from linked.bill",
    "select person_id from linked.bill where paid_yuan < 9601 and bill_count < 12",
    "select person_id, '9600' as line from linked.bill",
    "select case when share_rate < 0 then 'below' else 'above' end as side from linked.bill",
    "select case sex_code when '1' then paid_yuan end as paid "
    "from linked.bill join linked.person using (person_id)",
]


def found(select: str, header: str = "-- One row per bill.") -> list[str]:
    return [finding.rule for finding in lint(f"{header}\n{select}\n", SCHEMA, POLICY_NUMBERS)]


@pytest.mark.parametrize(
    ("rule", "select"), [(rule, select) for rule, all_ in REFUSED.items() for select in all_]
)
def test_a_model_that_breaks_a_rule_is_refused_by_that_rule_alone(rule: str, select: str) -> None:
    assert set(found(select)) == {rule}


@pytest.mark.parametrize("select", ACCEPTED)
def test_a_model_that_says_it_portably_passes(select: str) -> None:
    assert found(select) == []


def test_every_rule_has_a_model_that_breaks_it() -> None:
    assert {rule.__name__ for rule in RULES} == set(REFUSED) - {"header", "one_select"}


@pytest.mark.parametrize("header", ["", "-- Bills of persons.", "\n-- One row per bill."])
def test_a_model_whose_first_line_does_not_say_the_grain_is_refused(header: str) -> None:
    assert found("select person_id from linked.bill", header) == ["header"]


def test_a_finding_names_the_line_of_what_it_found() -> None:
    sql = (
        "-- One row per person.\n"
        "select\n"
        "    person_id,\n"
        "    any_value(paid_date) as paid_date,\n"
        "    sum(share_rate) as shares\n"
        "from linked.bill\n"
        "where paid_yuan < 9600\n"
        "group by all\n"
    )
    lines = {finding.rule: finding.line for finding in lint(sql, SCHEMA, POLICY_NUMBERS)}
    assert lines["aggregates_of_any_row"] == 4
    assert lines["floating_sums"] == 5
    assert lines["policy_numbers"] == 7
    assert lines["group_by_all"] in (7, 8)


def test_the_types_are_those_of_the_contracts() -> None:
    schema = table_schema(load_contracts(load_settings(deployment="demo")))
    assert schema["indicators"]["income_growth"]["growth_rate"] == "DOUBLE"
    assert schema["indicators"]["income_growth"]["mean_yuan"] == "DECIMAL(18,2)"


def test_the_numbers_of_the_plan_are_decided_and_a_year_s_months_are_not() -> None:
    numbers = decided_numbers(load_settings(deployment="demo"))
    assert {Decimal("9600"), Decimal("18000"), Decimal("0.15"), Decimal("0.2")} <= numbers
    assert not numbers & {Decimal(1), Decimal(12), Decimal(100)}


def test_the_project_s_models_pass() -> None:
    assert lint_models(load_settings(deployment="demo")) == {}
    assert list((PROJECT_ROOT / "sql").glob("*/*.sql"))


def test_the_command_prints_file_line_and_message_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("policies", "expectations"):
        (tmp_path / folder).symlink_to(PROJECT_ROOT / folder)
    model = tmp_path / "sql" / "linked" / "bill.sql"
    model.parent.mkdir(parents=True)
    settings = replace(load_settings(deployment="demo"), root=tmp_path)
    model.write_text("-- One row per person.\nselect\n    person_id\nfrom person\n")
    assert main(settings) == 1
    assert capsys.readouterr().out == "sql/linked/bill.sql:4: table person needs its schema\n"
    model.write_text("-- One row per person.\nselect\n    person_id\nfrom linked.person\n")
    assert main(settings) == 0
    assert capsys.readouterr().out == ""

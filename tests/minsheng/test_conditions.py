"""A condition is columns, literals and plain functions; whatever is more than that is refused."""

import logging

import pytest
import sqlglot
from hypothesis import example, given
from hypothesis import strategies as st
from sqlglot import exp

from minsheng.conditions import ConditionError, bound, left_out_if_unknown

COLUMNS = ("age_years", "total_yuan", "is_on_roll", "village_code", "paid_month")
PLAIN = {
    "is_on_roll": "rows.is_on_roll",
    "true": "TRUE",
    "age_years >= 60 and not is_on_roll": "rows.age_years >= 60 AND NOT rows.is_on_roll",
    "(age_years < 6 or age_years > 14)": "(rows.age_years < 6 OR rows.age_years > 14)",
    "age_years between 6 and 14": "rows.age_years BETWEEN 6 AND 14",
    "village_code in ('330324001001', null)": "rows.village_code IN ('330324001001', NULL)",
    "village_code not in ('a')": "NOT rows.village_code IN ('a')",
    "village_code like '3303%'": "rows.village_code LIKE '3303%'",
    "village_code is not null": "NOT rows.village_code IS NULL",
    "village_code = 'it''s'": "rows.village_code = 'it''s'",
    "total_yuan / nullif(age_years, 0)": "rows.total_yuan / NULLIF(rows.age_years, 0)",
    "coalesce(total_yuan, 0) - 1.5 * -2": "COALESCE(rows.total_yuan, 0) - 1.5 * -2",
    "case when is_on_roll then 1 else 0 end": "CASE WHEN rows.is_on_roll THEN 1 ELSE 0 END",
    "round(abs(total_yuan), 2)": "ROUND(ABS(rows.total_yuan), 2)",
    "least(age_years, 9) + greatest(1, 2)": "LEAST(rows.age_years, 9) + GREATEST(1, 2)",
    "substr(village_code, 1, 6)": "SUBSTRING(rows.village_code, 1, 6)",
    "length(village_code) <> 12": "LENGTH(rows.village_code) <> 12",
    "year(paid_month) = 2020": "YEAR(rows.paid_month) = 2020",
    "month(last_day(paid_month))": "MONTH(LAST_DAY(rows.paid_month))",
    "paid_month >= make_date(2020, 1, 1)": "rows.paid_month >= MAKE_DATE(2020, 1, 1)",
    "paid_month + interval 1 month": "rows.paid_month + INTERVAL '1' MONTH",
    "date_trunc('month', paid_month)": "DATE_TRUNC('MONTH', rows.paid_month)",
    "paid_month = date '2020-01-01'": "rows.paid_month = CAST('2020-01-01' AS DATE)",
    "total_yuan::decimal(18, 2)": "CAST(rows.total_yuan AS DECIMAL(18, 2))",
    "try_cast(village_code as integer)": "TRY_CAST(rows.village_code AS INT)",
}
MORE_THAN_PLAIN = (
    "(select 1)",
    "select 1",
    "from household",
    "with secret as (select 1) select 1",
    "values (1)",
    "exists (select 1)",
    "age_years in (select age_years from linked.person)",
    "age_years = any (select 1)",
    "age_years between (select 1) and 2",
    "case when (select true) then 1 end",
    "coalesce((from linked.person), 1)",
    "cast((select 1) as integer)",
    "interval (select 1) day",
    "substr(village_code, (select 1))",
    "last_day(paid_month, (select 1))",
    "read_csv('/etc/passwd')",
    "read_text('/etc/passwd') = ''",
    "getenv('HOME') = ''",
    "main.read_csv(1)",
    "age_years.read_csv(1)",
    "now()",
    "current_date",
    "random() < 0.5",
    "sum(total_yuan)",
    "count(*)",
    "count(*) filter (where is_on_roll)",
    "abs(age_years) filter (where is_on_roll)",
    "row_number() over ()",
    "round(age_years) over (partition by village_code)",
    "sum(total_yuan) over (order by age_years)",
    "*",
    "columns(*)",
    "#1",
    "?",
    "$1",
    "[age_years]",
    "{'a': age_years}",
    "age_years[1]",
    "x -> x",
    "age_years + (y := 1)",
    "drop table linked.person",
    "copy linked.person to '/tmp/x'",
    "attach '/tmp/x'",
    "pragma database_list",
    "set threads = 1",
    "install httpfs",
)
SEVERAL = (
    "true; true",
    "true; drop table linked.person",
    "; true; false",
    "",
    " ",
    ";",
    "-- nothing but a remark",
)
UNREADABLE = ("age_years >", "(age_years", "village_code = 'open", "age_years and", "\x00", "a b c")
SMUGGLED = (
    'age_years::"x) or exists (select 1 from linked.person"',
    'try_cast(age_years as "x) or (select true")',
    'age_years::main."x) or (select true"',
    'cast(age_years as decimal("x) or (select 1"))',
    'last_day(paid_month, "x) or (select 1")',
    "last_day(paid_month, 'x) or (select 1')",
    "age_years::some_type",
)
"""Texts of names that stand without quotes in what is made of them."""

fragments = st.sampled_from(
    (
        *COLUMNS,
        *("(", ")", ",", ";", "'", '"', "--", "/*", "*/", ".", "::", "[", "]", "{", "}", "$", "?"),
        *("and", "or", "not", "in", "between", "is", "null", "true", "like", "case", "when"),
        *("then", "end", "select", "from", "over", "filter", "where", "cast", "as", "interval"),
        *("date_trunc", "last_day", "coalesce", "integer", "decimal", "month", "1", "2.5", "'a'"),
        *("=", "<", ">=", "+", "-", "*", "/", "%", "||", "->", ":=", "sum", "now"),
    )
)


def of_rows(node: exp.Column) -> exp.Expr:
    if node.name not in COLUMNS or node.table:
        raise ConditionError(f"no column {node.sql()!r}")
    return exp.column(node.name, table="rows")


def outcome(text: str) -> str | None:
    """What the text is bound to, or nothing if it is refused; any other error is a fault."""
    try:
        return bound(text, of_rows)
    except ConditionError:
        return None


@pytest.fixture(autouse=True)
def no_remarks_of_the_parser() -> None:
    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)


@pytest.mark.parametrize(("text", "sql"), PLAIN.items())
def test_what_is_plain_is_bound_to_the_columns_it_names(text: str, sql: str) -> None:
    assert bound(text, of_rows) == sql


@pytest.mark.parametrize("text", MORE_THAN_PLAIN)
def test_what_is_more_than_plain_is_refused_and_told(text: str) -> None:
    with pytest.raises(ConditionError) as raised:
        bound(text, of_rows)
    assert text in str(raised.value)


@pytest.mark.parametrize("text", SEVERAL)
def test_a_text_that_is_no_condition_or_several_is_refused(text: str) -> None:
    with pytest.raises(ConditionError, match="is not one condition"):
        bound(text, of_rows)


@pytest.mark.parametrize("text", UNREADABLE)
def test_what_cannot_be_read_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ConditionError) as raised:
        bound(text, of_rows)
    assert len(str(raised.value).splitlines()) <= 1


@pytest.mark.parametrize("text", SMUGGLED)
def test_a_name_in_quotes_does_not_smuggle_sql_past_its_quotes(text: str) -> None:
    with pytest.raises(ConditionError):
        bound(text, of_rows)


@pytest.mark.parametrize("text", ["(" * 3000 + "true" + ")" * 3000, "not " * 5000 + "true"])
def test_a_condition_nested_too_deeply_is_refused(text: str) -> None:
    with pytest.raises(ConditionError):
        bound(text, of_rows)


def test_a_remark_does_not_reach_what_follows_the_condition() -> None:
    sql = bound("is_on_roll -- */ or true /*", of_rows)
    [tree] = sqlglot.parse(f"select 1 where {sql} and age_years", dialect="duckdb")
    assert tree is not None
    assert {column.name for column in tree.find_all(exp.Column)} == {"is_on_roll", "age_years"}
    assert not list(tree.find_all(exp.Or))


@pytest.mark.parametrize("text", ["id_number = '1'", "person.age_years", "secret.person.age_years"])
def test_whoever_binds_says_which_columns_there_are(text: str) -> None:
    with pytest.raises(ConditionError, match="no column"):
        bound(text, of_rows)


def test_a_lookup_stands_for_what_the_caller_makes_of_it() -> None:
    def looked_up(node: exp.Anonymous, bind: object) -> exp.Expr:
        assert callable(bind)
        if node.name != "at_least":
            raise ConditionError(f"no lookup {node.name!r}")
        value, limit = node.expressions
        return exp.GTE(this=bind(value), expression=bind(limit))

    assert bound("at_least(age_years, 6)", of_rows, looked_up) == "rows.age_years >= 6"
    for text in ("at_least((select 1), 6)", "at_least(id_number, 6)", "read_csv('x')"):
        with pytest.raises(ConditionError):
            bound(text, of_rows, looked_up)


@given(st.text())
@example("\x00")
@example("\ud800")
@example("{{ x }}")
@example("{% x %}")
def test_of_any_text_nothing_comes_but_sql_or_a_refusal(text: str) -> None:
    outcome(text)


@given(st.lists(fragments, max_size=12).map(" ".join))
def test_pieces_of_sql_come_to_plain_sql_or_a_refusal(text: str) -> None:
    sql = outcome(text)
    if sql is None:
        return
    [tree] = sqlglot.parse(f"select 1 where {sql}", dialect="duckdb")
    assert tree is not None
    made = tree.find(exp.Where)
    assert made is not None
    assert {column.table for column in made.find_all(exp.Column)} <= {"rows"}
    refused = (exp.Query, exp.Window, exp.AggFunc, exp.Anonymous, exp.Placeholder, exp.Star)
    assert not list(made.find_all(*refused))


@pytest.mark.parametrize(
    ("where", "told", "left_out"),
    [
        ("is_on_roll and total_yuan is not null", "total_yuan / 2", ["total_yuan"]),
        ("(total_yuan is not null)", "total_yuan", ["total_yuan"]),
        ("not total_yuan is null", "total_yuan", ["total_yuan"]),
        ("link_code is not null", "household_id", []),
        ("total_yuan is not null or is_on_roll", "total_yuan", []),
        ("total_yuan is null", "total_yuan", []),
        ("granted_date is not null", "granted_date - applied_date", []),
    ],
)
def test_a_condition_says_which_columns_of_a_value_it_wants_known_unless_they_are_days(
    where: str, told: str, left_out: list[str]
) -> None:
    assert left_out_if_unknown(where, told) == left_out

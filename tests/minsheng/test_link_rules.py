"""A rule table that cannot be used is told in one line; a rule sees the values of two records."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from minsheng.link_rules import (
    MACROS,
    ROW_FUNCTIONS,
    LinkRule,
    LinkRuleError,
    RuleTable,
    columns_of,
    load_rules,
    misfit,
    pair_select,
)
from minsheng.settings import PROJECT_ROOT

FIELDS = "fields: {id: rec_id, name: given_name, number: soc_sec_id}\n"
RULE = "{name: number_and_name, equal: [number, name]}"
COLUMNS = ("node", "id", "name", "number")


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "rules.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def loaded(folder: Path, text: str) -> RuleTable:
    return load_rules(written(folder, text))


def rule_of(folder: Path, **entries: str) -> LinkRule:
    """The one rule with the entries, each written in YAML."""
    listed = {"name": "tried", "equal": "[number]", **entries}
    text = ", ".join(f"{name}: {value}" for name, value in listed.items())
    return loaded(folder, f"rules: [{{{text}}}]").rules[0]


def told(folder: Path, text: str | bytes) -> str:
    """Why a table is refused, which has to be one line that begins with its name."""
    with pytest.raises(LinkRuleError) as refused:
        load_rules(written(folder, text))
    message = str(refused.value)
    assert message.startswith("rules.yaml: ") and "\n" not in message
    return message


# ── tables ──────────────────────────────────────────────────────────────────────────────────────


def test_a_table_has_its_rules_in_order_with_what_they_do_not_say(tmp_path: Path) -> None:
    table = loaded(
        tmp_path,
        FIELDS
        + """
rules:
  - {name: strict, equal: [number, name], why: both agree}
  - name: loose
    label_zh: 姓名
    any_equal: [[name], [number]]
    agree: one.name = other.number
    of: number is null
    outcome: review
limits: {largest_cluster: 3}
rolls: [agriculture__household_roll]
""",
    )
    strict, loose = table.rules
    assert (strict.name, strict.evidence, strict.label_zh) == ("strict", "strict", "strict")
    assert strict.blocks == (("number", "name"),)
    assert (strict.outcome, strict.agree, strict.of, strict.to) == ("link", "", "", "")
    assert (loose.outcome, loose.label_zh, loose.label_en) == ("review", "姓名", "loose")
    assert loose.blocks == (("name",), ("number",))
    assert loose.expressions == ("name", "number", "number is null")
    assert table.fields == {"id": "rec_id", "name": "given_name", "number": "soc_sec_id"}
    assert (table.limits, table.rolls) == (
        {"largest_cluster": 3.0},
        ("agriculture__household_roll",),
    )


def test_what_is_equal_in_any_case_stands_in_every_alternative(tmp_path: Path) -> None:
    rule = rule_of(tmp_path, equal="[number]", any_equal="[[name], [id]]")
    assert rule.blocks == (("number", "name"), ("number", "id"))


@pytest.mark.parametrize("path", ["policies/linkage.yaml", "examples/febrl/rules.yaml"])
def test_the_tables_of_the_project_are_read(path: str) -> None:
    assert len(load_rules(PROJECT_ROOT / path).rules) > 5


def test_a_table_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(LinkRuleError, match=r"missing\.yaml: No such file"):
        load_rules(tmp_path / "missing.yaml")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("rules: [", "is no YAML"),
        ("rules: !!python/object:os.system {}", "is no YAML"),
        ("rules: [2022-02-30]", "is no YAML"),
        ("a: b: c", "is no YAML"),
        ("\x07", "is no YAML"),
        ("规则".encode("gb18030"), "byte 0 is no UTF-8"),
        ("", "needs a list of `rules`"),
        ("- rules", "needs a list of `rules`"),
        ("rules: {name: a}", "needs a list of `rules`"),
        ("rules: [a]", "every rule needs a name"),
        ("rules: [{equal: [number]}]", "every rule needs a name"),
        ("rules: [{name: 1, equal: [number]}]", "every rule needs a name"),
        ("rules: []\nfield: {}\n1: 2", "unknown entries ['1', 'field']"),
        (
            "rules: [{name: a, equal: [number], agrees: b, 1: 2}]",
            "rule a: unknown entries ['1', 'agrees']",
        ),
        (f"rules: [{RULE}, {RULE}]", "two rules are called ['number_and_name']"),
        ("rules: [{name: a}]", "rule a: something has to be equal"),
        ("rules: [{name: a, equal: []}]", "rule a: something has to be equal"),
        ("rules: [{name: a, equal: null}]", "rule a: something has to be equal"),
        ("rules: [{name: a, equal: [\"'1'\", 1 = 1]}]", "rule a: something has to be equal"),
        ("rules: [{name: a, any_equal: [[number], []]}]", "rule a: something has to be equal"),
        ("rules: [{name: a, agree: one.name = other.name}]", "rule a: something has to be equal"),
        ("rules: [{name: a, equal: number}]", "rule a: `equal`: 'number' is no list"),
        ("rules: [{name: a, equal: [1]}]", "rule a: `equal`: 1 is no text"),
        ("rules: [{name: a, any_equal: [number]}]", "rule a: `any_equal`: 'number' is no list"),
        ("rules: [{name: a, any_equal: number}]", "rule a: `any_equal`: 'number' is no list"),
        ("rules: [{name: a, equal: [number], agree: true}]", "rule a: `agree`: True is no text"),
        ("rules: [{name: a, equal: [number], why: [b]}]", "rule a: `why`: ['b'] is no text"),
        ("rules: [{name: a, equal: [number], outcome: maybe}]", "neither link nor review"),
        ("rules: [{name: a, equal: [number], outcome: [link]}]", "neither link nor review"),
        ("rules: []\nrolls: 5", "`rolls`: 5 is no list"),
        ("rules: []\nrolls: [5]", "`rolls`: 5 is no text"),
        ("rules: []\nfields: [a]", "`fields`: ['a'] is no mapping"),
        ("rules: []\nfields: {a: 1}", "field a: 1 is no text"),
        ("rules: []\nfields: {1: a}", "field 1: 1 cannot be the name of a field"),
        ("rules: []\nfields: {node: a}", "field node: 'node' cannot be the name of a field"),
        ("rules: []\nfields: {'a, b': a}", "field a, b: 'a, b' cannot be the name of a field"),
        ("rules: []\nfields: {a: t.b}", "field a: t.b is no column of a file"),
        ("rules: []\nlimits: 5", "`limits`: 5 is no mapping"),
    ],
)
def test_a_table_that_cannot_be_used_is_told_in_one_line(
    tmp_path: Path, text: str | bytes, reason: str
) -> None:
    assert reason in told(tmp_path, text)


@pytest.mark.parametrize("value", ["many", "'12'", "true", "null", "[1]", "-1", ".inf", ".nan"])
def test_a_limit_is_a_number(tmp_path: Path, value: str) -> None:
    message = told(tmp_path, f"rules: []\nlimits: {{largest_cluster: {value}}}")
    assert "limit largest_cluster: " in message and "is no number from 0 on" in message


# ── expressions ─────────────────────────────────────────────────────────────────────────────────

BEYOND = [
    "(select name)",
    "name in (select name from vault.node)",
    "name in (from 'persons.csv')",
    "exists (select 1)",
    "not exists (from read_text('persons.csv'))",
    "name = any (select 'a')",
    "array(select 'a')",
    "(from read_text('persons.csv') select content)",
    "(values ('a'))",
    "(table node)",
    "(describe node)",
    "(with a as (select 1 as b) select b from a)",
    "row_number() over ()",
    "*",
    "columns('.*')",
    "?",
    "$1",
    "#1",
]
NO_ROW_FUNCTIONS = [
    "read_text('persons.csv')",
    "read_csv('persons.csv')",
    "read_parquet('persons.parquet')",
    "read_text('persons.csv')[1].content",
    "main.read_text('persons.csv')",
    "glob('*')",
    "query('select 1')",
    "getenv('HOME')",
    "getvariable('lake_key')",
    "current_setting('temp_directory')",
    "current_user",
    "error(name)",
    "write_log(name)",
    "nextval('sequence')",
    "random()",
    "uuid()",
    "now()",
    "unnest([name])",
    "sum(number)",
    "count(*)",
    "bool_or(true)",
    "histogram(name)",
    "list(name)",
    "first(name)",
    "hash(name)",
    "list_transform([name], each -> each || 'a')",
    "no_such_function(name)",
    "name.upper()",
    "other_schema.lower(name)",
]
NOT_ONE = [
    "",
    "  ",
    "name, number",
    "name; drop table node",
    "name as named",
    "name limit 5",
    "name where true",
    "name order by 1",
    "name from vault.node",
    "distinct name",
    "name union all select number",
]
NO_SQL = ["name =", "(name", "'name", "select name", "name number number", "name = number = name"]
PLACES = ["equal", "of", "to", "agree", "fields"]


def table_with(expression: str, place: str) -> str:
    """A table with an expression in the entry `place`."""
    text = "'" + expression.replace("'", "''") + "'"
    if place == "fields":
        return f"rules: []\nfields: {{id: {text}}}"
    entry = f"equal: [{text}]" if place == "equal" else f"equal: [number], {place}: {text}"
    return f"rules: [{{name: tried, {entry}}}]"


@pytest.mark.parametrize("place", PLACES)
def test_an_expression_sees_the_values_of_a_record_alone(tmp_path: Path, place: str) -> None:
    for expression in BEYOND:
        message = told(tmp_path, table_with(expression, place))
        assert "looks beyond the values of a record" in message, expression


@pytest.mark.parametrize("place", PLACES)
def test_an_expression_calls_functions_of_a_record_alone(tmp_path: Path, place: str) -> None:
    for expression in NO_ROW_FUNCTIONS:
        message = told(tmp_path, table_with(expression, place))
        assert "which is no function that rules may call" in message, expression


@pytest.mark.parametrize("place", ["equal", "agree", "fields"])  # `of` may be left out
def test_an_entry_holds_one_expression(tmp_path: Path, place: str) -> None:
    for expression in NOT_ONE:
        if expression or place != "agree":
            message = told(tmp_path, table_with(expression, place))
            assert "is not one expression" in message, expression


def test_what_is_no_sql_is_told(tmp_path: Path) -> None:
    for expression in NO_SQL:
        message = told(tmp_path, table_with(expression, "equal"))
        assert "is no SQL expression" in message, expression


@pytest.mark.parametrize("word", ["current_date", "today()", "current_timestamp", "localtime"])
def test_the_time_is_no_value_of_a_record(tmp_path: Path, word: str) -> None:
    assert word in told(tmp_path, table_with(f"name = {word}::varchar", "of"))


@pytest.mark.parametrize(
    "expression",
    [
        "substr(number, 1, 8)",
        "right(number, 8)",
        "number is not null and not (name like '王%' or name in ('甲', '乙'))",
        "case when number between '1' and '2' then name else upper(name) end",
        "coalesce(nullif(trim(name), ''), number)",
        "try_cast(number as date) - interval 3 day",
        "date_part('year', number::date) + 1",
        "regexp_replace(name, '[0-9]', '', 'g') || number",
        "list_sort(string_split(name, ' '))[1]",
        "length(name) > 2 -- a remark */ of any kind",
    ],
)
def test_an_expression_may_be_any_sql_over_a_record(tmp_path: Path, expression: str) -> None:
    loaded(tmp_path, table_with(expression, "equal"))
    loaded(tmp_path, table_with(expression, "of"))


def test_every_function_of_rules_is_the_engine_s_and_answers_the_same_every_time() -> None:
    with duckdb.connect() as connection:
        for macro in MACROS:
            connection.execute(macro)
        kinds = dict[str, set[tuple[str, str]]]()
        for name, kind, stability in connection.execute(
            "select function_name, function_type, coalesce(stability, '') from duckdb_functions()"
        ).fetchall():
            kinds.setdefault(name, set()).add((kind, stability))
    for name in ROW_FUNCTIONS:
        assert kinds[name] <= {("scalar", "CONSISTENT"), ("macro", "")}, name


@pytest.mark.parametrize("expression", ["one.name = other.name", "t.name"])
def test_what_one_record_has_to_be_names_no_side(tmp_path: Path, expression: str) -> None:
    for place in ("equal", "of", "to"):
        assert "is no field of one record" in told(tmp_path, table_with(expression, place))


@pytest.mark.parametrize("expression", ["name = other.name", "one.name = third.name"])
def test_what_two_records_have_to_agree_in_names_the_side(tmp_path: Path, expression: str) -> None:
    assert "in `agree` is of neither side" in told(tmp_path, table_with(expression, "agree"))


def test_columns_are_those_that_an_expression_names_in_order() -> None:
    assert columns_of("""coalesce("家庭 编号", lower(name)) || name""") == ["家庭 编号", "name"]


# ── pairs ───────────────────────────────────────────────────────────────────────────────────────

RECORDS = [
    (1, "a", "王小伟", "11"),
    (2, "b", "王小玮", "11"),
    (3, "c", "李四", "12"),
    (4, "d", "李四", None),
    (5, "e", None, "12"),
]


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        for macro in MACROS:
            opened.execute(macro)
        opened.execute("create table record (node int, id text, name text, number text)")
        opened.executemany("insert into record values (?, ?, ?, ?)", RECORDS)
        yield opened


def pairs(connection: duckdb.DuckDBPyConnection, rule: LinkRule) -> list[tuple[int, int]]:
    select = pair_select(rule, 3, "record", COLUMNS)
    return connection.execute(f"select one, other from ({select}) order by all").fetchall()


def test_a_rule_finds_each_pair_once_and_nothing_by_what_is_unknown(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    assert pairs(connection, rule_of(tmp_path)) == [(1, 2), (3, 5)]
    assert pairs(connection, rule_of(tmp_path, equal="[name]")) == [(3, 4)]


def test_a_pair_that_several_alternatives_find_is_one(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    rule = rule_of(tmp_path, equal="[]", any_equal="[[number], ['substr(number, 1, 1)']]")
    found = pairs(connection, rule)
    assert len(found) == len(set(found))
    assert (1, 2) in found and (1, 3) in found


def test_a_rule_says_who_may_be_one_and_who_the_other(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    assert pairs(connection, rule_of(tmp_path, of="name is null")) == [(5, 3)]
    assert pairs(connection, rule_of(tmp_path, to="name is null")) == [(3, 5)]


@pytest.mark.parametrize(
    ("agree", "found"),
    [
        ("replaced_characters(one.name, other.name) = 1", [(1, 2)]),
        ("is_one_character_less(one.name, other.name || '先生')", []),
        ("one.name <> other.name or false", [(1, 2)]),
    ],
)
def test_what_has_to_agree_is_compared_by_character(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection, agree: str, found: list[object]
) -> None:
    assert pairs(connection, rule_of(tmp_path, agree=f'"{agree}"')) == found


def test_the_evidence_shows_what_was_compared(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    rule = rule_of(
        tmp_path, equal="[\"replace(number, '1', 'x')\"]", agree='"one.name <> other.name"'
    )
    assert connection.execute(pair_select(rule, 3, "record", COLUMNS)).fetchall() == [
        (3, 1, 2, "replace(number, '1', 'x') = xx; name: 王小伟 / 王小玮")
    ]


@pytest.mark.parametrize(
    "entries",
    [
        {"equal": "[phone]"},
        {"of": "phone is null"},
        {"to": "phone is null"},
        {"agree": '"one.phone = other.phone"'},
    ],
)
def test_a_field_that_no_record_has_is_told(tmp_path: Path, entries: dict[str, str]) -> None:
    with pytest.raises(LinkRuleError, match=r"tried: no record has .*phone"):
        pair_select(rule_of(tmp_path, **entries), 0, "record", COLUMNS)


def test_a_trait_is_compared_as_it_is(tmp_path: Path) -> None:
    rule = rule_of(tmp_path, equal="[lower(phone)]")
    with pytest.raises(LinkRuleError, match="a trait is compared as it is"):
        pair_select(rule, 0, "record", COLUMNS, ["phone"])


def test_a_fault_of_the_engine_is_told_without_the_values_of_rows(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    rule = rule_of(tmp_path, of="name::integer > 3")
    with pytest.raises(duckdb.Error) as fault:
        pairs(connection, rule)
    assert "李四" in str(fault.value) or "王小" in str(fault.value)
    message = str(misfit("rule tried", fault.value))
    assert message.startswith("rule tried: Conversion Error")
    assert not {"李四", "王小伟", "王小玮"} & set(message.split("'")) and "\n" not in message


def test_a_name_that_stands_unquoted_in_a_fault_is_not_told() -> None:
    fault = duckdb.ConversionException("Conversion Error: cannot read 欧阳·小玮 (33) as a day")
    assert str(misfit("rule tried", fault)) == (
        "rule tried: Conversion Error: cannot read … (33) as a day"
    )


def test_a_fault_of_the_table_itself_is_told_in_its_own_words() -> None:
    fault = duckdb.BinderException('Binder Error: column "姓名" not found')
    assert "姓名" in str(misfit("rule tried", fault))

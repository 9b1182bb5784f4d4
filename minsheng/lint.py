"""What may not stand in `sql/`: what another engine reads otherwise, and what no rebuild repeats.

The models run on DuckDB and, transpiled by sqlglot, on Spark. A rule here refuses what changes
meaning on the way without an error, what may differ between two builds of the same inputs, and
what belongs into `policies/` or `expectations/`. `python -m minsheng.lint` prints `file:line:
message` for each finding and exits 1 if there is one.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify

from minsheng.contracts import Contract, load_contracts
from minsheng.policies import reference_rows
from minsheng.settings import Settings, load_settings
from minsheng.warehouse import REPORTED_COLUMNS, REPORTED_SCHEMA

DIALECT = "duckdb"
HEADER = "-- One row"
LARGEST_CALENDAR_NUMBER = 31
PER_CENT = 100
"""Whole numbers up to it count months and days; a policy's number among them cannot be told."""

UNORDERED = (exp.AnyValue, exp.First, exp.Last, exp.Mode, exp.ArgMax, exp.ArgMin)
RANKING = (
    exp.RowNumber,
    exp.Rank,
    exp.DenseRank,
    exp.PercentRank,
    exp.CumeDist,
    exp.Ntile,
    exp.Lag,
    exp.Lead,
    exp.FirstValue,
    exp.LastValue,
    exp.NthValue,
)
CLOCK_AND_CHANCE = (exp.CurrentDate, exp.CurrentTime, exp.CurrentTimestamp, exp.Rand, exp.Uuid)
QUANTILES = (exp.PercentileCont, exp.PercentileDisc, exp.Quantile)
FLOATING = (exp.DataType.Type.DOUBLE, exp.DataType.Type.FLOAT)
FRACTIONAL = (*FLOATING, exp.DataType.Type.DECIMAL)
DAYS = (exp.DataType.Type.DATE, exp.DataType.Type.TIMESTAMP)

Schema = Mapping[str, Mapping[str, Mapping[str, str]]]
"""Layer -> table -> column -> type."""


@dataclass(frozen=True)
class Finding:
    """One thing that may not stand where it stands."""

    line: int
    rule: str
    message: str


@dataclass(frozen=True)
class Statement:
    """A parsed model with what the rules ask about it."""

    tree: exp.Query
    schema: Schema
    policy_numbers: frozenset[Decimal]

    @cached_property
    def typed(self) -> exp.Expr:
        """The tree with a type at every expression; a division is a DOUBLE, as in DuckDB."""
        # a name without its schema, told of by a rule of its own, may be that of several tables
        is_clear = next(tables_without_schema(self), None) is None
        schema: dict[str, object] = dict(self.schema) if is_clear else {}
        tree = qualify(
            self.tree.copy(), schema=schema, dialect=DIALECT, validate_qualify_columns=False
        )
        divided = tree.transform(
            lambda node: exp.cast(node, "double") if isinstance(node, exp.Div) else node
        )
        return annotate_types(divided, schema=schema, dialect=DIALECT)

    @cached_property
    def selected(self) -> tuple[exp.Select, ...]:
        """The SELECTs whose columns are the result: the last one, or all that a UNION joins."""
        found: list[exp.Select] = []
        waiting: list[exp.Expr] = [self.tree]
        while waiting:
            query = waiting.pop()
            if isinstance(query, exp.SetOperation):
                waiting += [query.this, query.expression]
            elif isinstance(query, exp.Subquery):
                waiting.append(query.this)
            elif isinstance(query, exp.Select):
                found.append(query)
        return tuple(found)


Found = Iterator[tuple[exp.Expr, str]]


def tables_without_schema(statement: Statement) -> Found:
    named = {cte.alias for cte in statement.tree.find_all(exp.CTE)}
    for table in statement.tree.find_all(exp.Table):
        is_name = isinstance(table.this, exp.Identifier) and not _is_file(table)
        if is_name and not table.db and table.name not in named:
            yield table, f"table {table.name} needs its schema"


def files_and_table_functions(statement: Statement) -> Found:
    for table in statement.tree.find_all(exp.Table):
        if _is_file(table) or isinstance(table.this, exp.Func):
            yield table, f"a model reads tables, not {table.this.sql(DIALECT)}"


def columns_not_listed(statement: Statement) -> Found:
    for select in statement.selected:
        for column in select.expressions:
            if column.find(exp.Star, exp.Columns) and not column.find(exp.Count):
                yield select, "list the columns of the result"


def rewritten_stars(statement: Statement) -> Found:
    for star in statement.tree.find_all(exp.Star):
        if star.args.get("replace") or star.args.get("except_") or star.args.get("except"):
            yield star, "`* replace` and `* exclude` do not exist elsewhere; list the columns"


def group_by_all(statement: Statement) -> Found:
    for group in statement.tree.find_all(exp.Group):
        if group.args.get("all"):
            yield group, "`group by all` does not exist elsewhere; list the columns"
    for ordered in statement.tree.find_all(exp.Ordered):
        if isinstance(ordered.this, exp.Var) and ordered.name.upper() == "ALL":
            yield ordered, "`order by all` does not exist elsewhere; list the columns"


def pivots(statement: Statement) -> Found:
    for pivot in statement.tree.find_all(exp.Pivot):
        yield pivot, "pivot does not exist elsewhere; write `sum(..) filter (where ..)`"


def asof_joins(statement: Statement) -> Found:
    for join in statement.tree.find_all(exp.Join):
        if join.method == "ASOF":
            yield join, "asof join does not exist elsewhere; take the latest row by a window"


def percentiles_within_group(statement: Statement) -> Found:
    for node in statement.tree.find_all(exp.WithinGroup):
        yield node, "a percentile within group is approximate on Spark; write quantile_cont(x, q)"


def lists(statement: Statement) -> Found:
    for node in statement.tree.find_all(exp.ArrayAgg):
        if not isinstance(node.parent, exp.ArraySort):
            yield node, "a list has no order on Spark; write string_agg(.. order by ..) or sort it"


def text_aggregates_without_order(statement: Statement) -> Found:
    for node in statement.tree.find_all(exp.GroupConcat):
        if not node.find(exp.Order):
            yield node, "string_agg needs an order by"


def averages_of_decimal_cases(statement: Statement) -> Found:
    for average in statement.tree.find_all(exp.Avg):
        for case in average.find_all(exp.Case):
            if any("." in n.name and "e" not in n.name.lower() for n in _numbers(case)):
                yield average, "an average of decimals is cut to few places on Spark; write 1e0"


def differences_in_months(statement: Statement) -> Found:
    for node in statement.tree.find_all(exp.DateDiff):
        unit = node.args.get("unit")
        if unit is not None and unit.name.upper() != "DAY":
            yield (
                node,
                f"date_diff in {unit.name.lower()}s counts otherwise on Spark; "
                "write (year(b) - year(a)) * 12 + month(b) - month(a)",
            )


def differences_of_dates(statement: Statement) -> Found:
    for node in statement.typed.find_all(exp.Sub):
        if _is(node.this, DAYS) and _is(node.expression, DAYS):
            yield node, "date - date is an interval on Spark; write date_diff('day', a, b)"


def casts_of_fractions(statement: Statement) -> Found:
    for cast in statement.typed.find_all(exp.Cast):
        is_rounded = isinstance(cast.this, exp.Round | exp.Floor | exp.Ceil)
        is_whole = cast.to.this in exp.DataType.INTEGER_TYPES
        if is_whole and not is_rounded and _is(cast.this, FRACTIONAL):
            yield cast, "a cast to a whole number truncates on Spark; round or floor first"


def replacements_of_the_first_match(statement: Statement) -> Found:
    for node in statement.tree.find_all(exp.RegexpReplace):
        modifiers = node.args.get("modifiers")
        if modifiers is None or "g" not in modifiers.name:
            yield node, "regexp_replace replaces all on Spark; say 'g'"


def logarithms_without_base(statement: Statement) -> Found:
    for node in statement.tree.find_all(exp.Log):
        if node.expression is None:
            yield node, "log(x) is natural on Spark; write log10 or ln"


def unknown_functions(statement: Statement) -> Found:
    for node in statement.tree.find_all(exp.Anonymous):
        yield node, f"{node.name.lower()}() cannot be translated to another engine"


def aggregates_of_any_row(statement: Statement) -> Found:
    for node in statement.tree.find_all(*UNORDERED):
        yield (
            node,
            f"{node.sql_name().lower()} takes a row by chance; "
            "write min, max or `qualify row_number() over (.. order by ..) = 1`",
        )


def windows_without_order(statement: Statement) -> Found:
    for window in statement.tree.find_all(exp.Window):
        ranked = window.find(*RANKING)
        if ranked and ranked.find_ancestor(exp.Window) is window and not window.args.get("order"):
            yield window, f"{ranked.sql_name().lower()} over rows without order differs by chance"


def rows_by_chance(statement: Statement) -> Found:
    for select in statement.tree.find_all(exp.Select):
        distinct = select.args.get("distinct")
        if distinct is not None and distinct.args.get("on"):
            yield select, "distinct on does not exist elsewhere; take the row by a window"
        if select.args.get("limit") and not select.args.get("order"):
            yield select.args["limit"], "a limit without order by takes rows by chance"
    for sample in statement.tree.find_all(exp.TableSample):
        yield sample, "a sample takes rows by chance"


def clock_and_chance(statement: Statement) -> Found:
    for node in statement.tree.find_all(*CLOCK_AND_CHANCE):
        yield node, f"{node.sql(DIALECT).lower()} is no input of a build; read meta.build"


def floating_sums(statement: Statement) -> Found:
    for node in statement.typed.find_all(exp.Sum, exp.Avg):
        # 1e0 for a case is floating too, but whole numbers add up in any order
        if _is(node.this, FLOATING) and any(
            _is(part, FLOATING)
            for part in node.this.find_all(exp.Column, exp.Cast, exp.Func)
            if not isinstance(part, exp.Case | exp.If | exp.Coalesce)
        ):
            yield (
                node,
                f"a {node.sql_name().lower()} of floating-point numbers depends on their order; "
                "sum decimals",
            )


def policy_numbers(statement: Statement) -> Found:
    for number in _numbers(statement.tree):
        if Decimal(number.name) in statement.policy_numbers and not number.find_ancestor(
            *QUANTILES
        ):
            yield number, f"{number.name} is decided by a policy; join its table of reference"


def decoded_labels(statement: Statement) -> Found:
    for case in statement.tree.find_all(exp.Case):
        branches = case.args["ifs"]
        if case.this is not None and all(
            _is_text(branch.this) and _is_text(branch.args["true"]) for branch in branches
        ):
            yield case, "a list of codes and labels belongs into policies/; join reference.code"


RULES = (
    tables_without_schema,
    files_and_table_functions,
    columns_not_listed,
    rewritten_stars,
    group_by_all,
    pivots,
    asof_joins,
    percentiles_within_group,
    lists,
    text_aggregates_without_order,
    averages_of_decimal_cases,
    differences_in_months,
    differences_of_dates,
    casts_of_fractions,
    replacements_of_the_first_match,
    logarithms_without_base,
    unknown_functions,
    aggregates_of_any_row,
    windows_without_order,
    rows_by_chance,
    clock_and_chance,
    floating_sums,
    policy_numbers,
    decoded_labels,
)


def lint(sql: str, schema: Schema, policy_numbers: frozenset[Decimal]) -> tuple[Finding, ...]:
    """What may not stand in the model `sql`, by line."""
    findings: list[Finding] = []
    if not sql.startswith(HEADER):
        findings.append(Finding(1, "header", f"the first line says the grain: `{HEADER} per ..`"))
    try:
        trees = [tree for tree in sqlglot.parse(sql, dialect=DIALECT) if tree is not None]
    except SqlglotError as fault:
        return (*findings, Finding(1, "one_select", f"cannot be read: {fault}".splitlines()[0]))
    if len(trees) != 1 or not isinstance(trees[0], exp.Query):
        kinds = ", ".join(tree.key for tree in trees)
        return (*findings, Finding(1, "one_select", f"a model is one SELECT, found: {kinds}"))
    statement = Statement(trees[0], schema, policy_numbers)
    for rule in RULES:
        for node, message in rule(statement):
            findings.append(Finding(_line(node), rule.__name__, message))
    return tuple(sorted(findings, key=lambda finding: finding.line))


def lint_models(settings: Settings) -> dict[Path, tuple[Finding, ...]]:
    """Findings of every model that has any, by its path below the checkout."""
    schema = table_schema(load_contracts(settings))
    numbers = decided_numbers(settings)
    found = {
        path.relative_to(settings.root): lint(path.read_text(encoding="utf-8"), schema, numbers)
        for path in sorted((settings.root / "sql").glob("*/*.sql"))
    }
    return {path: findings for path, findings in found.items() if findings}


def table_schema(contracts: Mapping[str, Contract]) -> Schema:
    """Columns and types of every table, from its contract, and of the reports of ledgers."""
    schema: dict[str, dict[str, dict[str, str]]] = {}
    told = {name: kind for name, (_, kind) in REPORTED_COLUMNS.items()}
    for contract in contracts.values():
        types = {column.name: column.duckdb_type for column in contract.columns}
        schema.setdefault(contract.layer, {})[contract.table] = types
        if contract.delivery and contract.delivery.mode == "upsert":
            schema.setdefault(REPORTED_SCHEMA, {})[contract.table] = types | told
    return schema


def decided_numbers(settings: Settings) -> frozenset[Decimal]:
    """Numbers that policies decide, without their sign; calendar-sized whole ones are left out."""
    columns = (
        ("rule_value", "value"),
        ("target", "threshold"),
        ("risk_level", "minimum_points"),
        ("signal", "points"),
    )
    numbers = (
        abs(Decimal(str(row[column])))
        for table, column in columns
        for row in reference_rows(settings, table)
        if row[column] is not None
    )
    return frozenset(
        number
        for number in numbers
        if (number > LARGEST_CALENDAR_NUMBER or number % 1 != 0) and number != PER_CENT
    )


def main(settings: Settings) -> int:
    """Print what is found in `sql/`; 1 if there is anything."""
    found = lint_models(settings)
    for path, findings in found.items():
        for finding in findings:
            print(f"{path}:{finding.line}: {finding.message}")
    return 1 if found else 0


def _numbers(tree: exp.Expr) -> Iterator[exp.Literal]:
    return (literal for literal in tree.find_all(exp.Literal) if not literal.is_string)


def _is_text(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and node.is_string


def _is(node: exp.Expr | None, types: tuple[object, ...]) -> bool:
    return node is not None and node.type is not None and node.type.this in types


def _is_file(table: exp.Table) -> bool:
    return isinstance(table.this, exp.Identifier) and bool({".", "/", "*"} & set(table.name))


def _line(node: exp.Expr) -> int:
    """The line of the first name in `node`, or of the last name before it where it has none."""
    before = 1
    is_inside = False
    for other in node.root().walk(bfs=False):
        line = int(other.meta.get("line", 0))
        is_inside = is_inside or other is node
        if line:
            before = line
        if is_inside and (line or not any(part.meta.get("line") for part in node.walk())):
            break
    return before


if __name__ == "__main__":
    sys.exit(main(load_settings()))

"""Conditions that data may hold: SQL of columns, literals and plain functions, and nothing else.

Policies and the catalogue of contradictions say with them which rows they mean; before one runs it
is parsed, its columns are bound to documented ones, and whatever is more than that is refused.
"""

from collections.abc import Callable

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

PLAIN = (
    *(exp.And, exp.Or, exp.Not, exp.Paren, exp.Boolean, exp.Null, exp.Literal),
    *(exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between, exp.In, exp.Is, exp.Like),
    *(exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Neg, exp.Abs, exp.Round, exp.Least, exp.Greatest),
    *(exp.Coalesce, exp.Nullif, exp.Case, exp.If, exp.Cast, exp.DataType, exp.DataTypeParam),
    *(exp.Year, exp.Month, exp.LastDay, exp.TimestampTrunc, exp.DateTrunc, exp.DateFromParts),
    *(exp.Interval, exp.Var, exp.Length, exp.Substring),
)
"""Nodes of which a condition is made beside columns and lookups."""

INCOMES = frozenset(
    {
        "wage_yuan",
        "business_yuan",
        "property_yuan",
        "transfer_yuan",
        "total_yuan",
        "per_capita_yuan",
        "rural_income_yuan",
    }
)
"""Columns that hold an income of a concept, in a table that has the column `income_concept`."""

Bind = Callable[[exp.Expr], exp.Expr]


class ConditionError(ValueError):
    """A text that is no plain condition, or names what is not there."""


def bound(
    text: str,
    column: Callable[[exp.Column], exp.Expr],
    lookup: Callable[[exp.Anonymous, Bind], exp.Expr] | None = None,
) -> str:
    """The condition or value `text` as SQL, each column replaced by what `column` gives for it.

    `lookup` gives what a function stands for that is no plain one. Raises ConditionError.
    """
    try:
        return _bound(text, column, lookup)
    except RecursionError:
        raise ConditionError(f"{text[:60]!r}... is nested too deeply") from None


def _bound(
    text: str,
    column: Callable[[exp.Column], exp.Expr],
    lookup: Callable[[exp.Anonymous, Bind], exp.Expr] | None,
) -> str:
    try:
        trees = sqlglot.parse(text, dialect="duckdb")
    except SqlglotError as fault:
        raise ConditionError(f"{text!r} cannot be read: {fault}".splitlines()[0]) from None
    if len(trees) != 1 or trees[0] is None:
        raise ConditionError(f"{text!r} is not one condition")

    def bind(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column):
            return column(node)
        if isinstance(node, exp.Anonymous) and lookup:
            return lookup(node, bind)
        if not isinstance(node, PLAIN) or _is_raw(node):
            raise ConditionError(f"{text!r} is no plain condition: {node.sql('duckdb')}")
        for name, value in list(node.args.items()):
            if isinstance(value, exp.Expr):
                node.set(name, bind(value))
            elif isinstance(value, list):
                node.set(name, [bind(part) for part in value])
        return node

    return bind(trees[0]).sql("duckdb")


def income_of(income: exp.Column, concept: str) -> exp.Expr:
    """The income where the row's is one of the concept, and unknown where it is not."""
    of_concept = exp.column("income_concept", income.table).eq(exp.Literal.string(concept))
    return exp.Case().when(of_concept, income)


def columns_of(text: str) -> frozenset[str]:
    """Names of the columns that the condition or value reads."""
    return frozenset(column.name for column in _parsed(text).find_all(exp.Column))


def names_one_concept(where: str) -> bool:
    """Whether every row that the condition means has the same income concept."""
    return "income_concept" in asked_for(where)


def asked_for(where: str) -> dict[str, str]:
    """Columns that the condition wants to equal a literal in every row that it means."""
    return {
        each.this.name: each.expression.name
        for each in _all_of(where)
        if isinstance(each, exp.EQ)
        and isinstance(each.this, exp.Column)
        and isinstance(each.expression, exp.Literal)
    }


def left_out_if_unknown(where: str, told: str) -> list[str]:
    """Columns of `told` that the condition wants to be known in every row that it means.

    A day is none of them: what has no day yet has not happened.
    """
    wanted = {
        each.this.this.name
        for each in _all_of(where)
        if isinstance(each, exp.Not)
        and isinstance(each.this, exp.Is)
        and isinstance(each.this.expression, exp.Null)
    }
    return sorted(
        name for name in wanted & columns_of(told) if not name.endswith(("_date", "_month"))
    )


def _all_of(where: str) -> list[exp.Expr]:
    """The conditions that all have to hold."""
    tree = _parsed(where)
    return [each.unnest() for each in (tree.flatten() if isinstance(tree, exp.And) else [tree])]


def _parsed(text: str) -> exp.Expr:
    try:
        return sqlglot.parse_one(text, dialect="duckdb")
    except SqlglotError as fault:
        raise ConditionError(f"{text!r} cannot be read: {fault}".splitlines()[0]) from None
    except RecursionError:
        raise ConditionError(f"{text[:60]!r}... is nested too deeply") from None


def _is_raw(node: exp.Expr) -> bool:
    """Whether a name stands in the SQL as it was written, outside of any quotes."""
    if isinstance(node, exp.DataType):
        return bool(node.this == exp.DType.USERDEFINED)
    return isinstance(node, exp.Var) and not node.name.isalpha()

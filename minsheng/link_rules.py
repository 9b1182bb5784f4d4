"""The rule table of linkage: ordered rules in YAML, and the SQL that finds the pairs of each.

A rule says which records may be `one`, which the `other`, what has to be equal and what more has to
agree. Its expressions are plain SQL over the fields of a record; they are parsed before they run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import sqlglot
import yaml
from sqlglot import exp

Outcome = Literal["link", "review"]

SIDES = ("one", "other")
TRAIT_TABLE = "vault.trait"
ENTRIES = frozenset(
    [
        "name",
        "label_zh",
        "label_en",
        "evidence",
        "outcome",
        "equal",
        "any_equal",
        "agree",
        "of",
        "to",
        "why",
    ]
)

MACROS = (
    # names are compared by character; DuckDB's own distances count bytes
    """create or replace temp macro replaced_characters(one, other) as
        case when length(one) = length(other) then len(list_filter(
            range(1, length(one) + 1), place -> substr(one, place, 1) <> substr(other, place, 1)
        )) end""",
    """create or replace temp macro is_one_character_less(shorter, longer) as
        length(shorter) + 1 = length(longer) and len(list_filter(
            range(1, length(longer) + 1),
            place -> substr(longer, 1, place - 1) || substr(longer, place + 1) = shorter
        )) > 0""",
)
"""What rules may use beside the engine's own functions."""


class LinkRuleError(ValueError):
    """A rule table that cannot be used: the message names the file or the rule."""


@dataclass(frozen=True)
class LinkRule:
    """One rule. Empty texts ask for nothing; `blocks` are alternatives of what has to be equal."""

    name: str
    evidence: str
    outcome: Outcome
    blocks: tuple[tuple[str, ...], ...]
    agree: str
    of: str
    to: str
    why: str
    label_zh: str
    label_en: str

    @property
    def expressions(self) -> tuple[str, ...]:
        """Expressions over one record; that of `agree` is over two."""
        return (
            *(each for block in self.blocks for each in block),
            *filter(None, (self.of, self.to)),
        )


@dataclass(frozen=True)
class RuleTable:
    """The rules in order, the fields they compare and the limits of what may be published."""

    rules: tuple[LinkRule, ...]
    fields: Mapping[str, str]
    """Field -> expression over the columns of a file; empty where the caller makes the fields."""
    limits: Mapping[str, float]
    rolls: tuple[str, ...]
    """Sources in which a person stands once a period."""


def load_rules(path: Path) -> RuleTable:
    """Read a rule table. Raises LinkRuleError naming what is wrong."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as fault:
        raise LinkRuleError(f"{path.name}: {fault}") from None
    if not isinstance(document, dict) or not isinstance(document.get("rules"), list):
        raise LinkRuleError(f"{path.name}: needs a list of `rules`")
    unknown = sorted(set(document) - {"fields", "rules", "limits", "rolls"})
    if unknown:
        raise LinkRuleError(f"{path.name}: unknown entries {unknown}")
    rules = tuple(_rule(entry, path.name) for entry in document["rules"])
    names = [rule.name for rule in rules]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise LinkRuleError(f"{path.name}: two rules are called {repeated}")
    fields = {str(name): str(text) for name, text in (document.get("fields") or {}).items()}
    for name, text in fields.items():
        _parsed(text, f"{path.name}: field {name}")
    return RuleTable(
        rules,
        fields,
        {str(name): float(value) for name, value in (document.get("limits") or {}).items()},
        tuple(document.get("rolls") or ()),
    )


def _rule(entry: object, file: str) -> LinkRule:
    if not isinstance(entry, dict) or "name" not in entry:
        raise LinkRuleError(f"{file}: every rule needs a name")
    where = f"{file}: rule {entry['name']}"
    unknown = sorted(set(entry) - ENTRIES)
    if unknown:
        raise LinkRuleError(f"{where}: unknown entries {unknown}")
    equal = [str(each) for each in entry.get("equal", [])]
    alternatives = entry.get("any_equal") or [[]]
    blocks = tuple((*equal, *map(str, each)) for each in alternatives)
    if not all(blocks):
        raise LinkRuleError(f"{where}: something has to be equal, or every pair is compared")
    outcome = entry.get("outcome", "link")
    if outcome not in ("link", "review"):
        raise LinkRuleError(f"{where}: outcome {outcome!r} is neither link nor review")
    rule = LinkRule(
        name=str(entry["name"]),
        evidence=str(entry.get("evidence", entry["name"])),
        outcome=outcome,
        blocks=blocks,
        agree=str(entry.get("agree", "")),
        of=str(entry.get("of", "")),
        to=str(entry.get("to", "")),
        why=str(entry.get("why", "")),
        label_zh=str(entry.get("label_zh", entry["name"])),
        label_en=str(entry.get("label_en", entry["name"])),
    )
    for text in rule.expressions:
        _parsed(text, where)
    if rule.agree:
        for column in _parsed(rule.agree, where).find_all(exp.Column):
            if column.table not in SIDES:
                raise LinkRuleError(f"{where}: {column.sql()} in `agree` is of neither side")
    return rule


def _parsed(text: str, where: str) -> exp.Expr:
    try:
        tree = sqlglot.parse_one(f"select {text}", dialect="duckdb")
    except sqlglot.errors.SqlglotError as fault:
        told = str(fault).partition("\n")[0]
        raise LinkRuleError(f"{where}: {text!r} is no SQL expression: {told}") from None
    expression: exp.Expr | None = tree.expressions[0] if isinstance(tree, exp.Select) else None
    if expression is None or len(tree.args.get("expressions", ())) != 1 or tree.find(exp.From):
        raise LinkRuleError(f"{where}: {text!r} is more than one expression")
    if tree.find(exp.Subquery, exp.Window, exp.AggFunc):
        raise LinkRuleError(f"{where}: {text!r} looks beyond two records")
    return expression


def pair_select(
    rule: LinkRule, place: int, nodes: str, columns: Sequence[str], traits: Sequence[str] = ()
) -> str:
    """The SELECT of a rule's pairs: `rule_place, one, other, evidence`.

    The table `nodes` has one row per node with `columns`; the table of traits beside it any number
    of rows (`node, kind, value`) for each kind of `traits`, of which one has to be equal.
    Raises LinkRuleError if the rule names a field that is neither.
    """
    tree = _parsed(rule.agree, rule.name) if rule.agree else None
    compared = dict.fromkeys(column.name for column in tree.find_all(exp.Column)) if tree else {}
    unknown = sorted(set(compared) - set(columns))
    if unknown:
        raise LinkRuleError(f"{rule.name}: no record has the fields {unknown}")
    selects = []
    for block in rule.blocks:
        # each side with all that has to be equal, so that one hash join compares it at once
        sides = []
        for side, predicate in zip(SIDES, (rule.of, rule.to), strict=True):
            values, joins = [], []
            for number, text in enumerate(block):
                expression = _parsed(text, rule.name)
                if not {column.name for column in expression.find_all(exp.Column)} & set(traits):
                    value = _of_node(expression, columns, rule.name)
                elif expression.sql() in traits:
                    value = f"trait_{number}.value"
                    joins.append(
                        f"join {TRAIT_TABLE} as trait_{number} on trait_{number}.node = node.node "
                        f"and trait_{number}.kind = '{text}'"
                    )
                else:
                    raise LinkRuleError(f"{rule.name}: {text!r}: a trait is compared as it is")
                values.append(f"{value} as equal_{number}")
            fields = [f"node.{name}" for name in ("node", *compared)]
            where = (
                f"where {_of_node(_parsed(predicate, rule.name), columns, rule.name)}"
                if predicate
                else ""
            )
            sides.append(
                f"{side} as materialized (select {', '.join((*fields, *values))} "
                f"from {nodes} as node {' '.join(joins)} {where})"
            )
        equal = " and ".join(f"one.equal_{n} = other.equal_{n}" for n in range(len(block)))
        shown = [
            f"'{text.replace(chr(39), chr(39) * 2)} = ' || one.equal_{number}"
            for number, text in enumerate(block)
        ]
        shown += [
            f"'{name}: ' || coalesce(one.{name}::varchar, '') || ' / ' "
            f"|| coalesce(other.{name}::varchar, '')"
            for name in compared
        ]
        # a rule that asks the same of both sides would find every pair twice
        order = "one.node < other.node" if rule.of == rule.to else "one.node <> other.node"
        agree = f"and ({tree.sql(dialect='duckdb')})" if tree else ""
        selects.append(
            f"""
            (with {", ".join(sides)}
            select {place} as rule_place, one.node as one, other.node as other,
                {" || '; ' || ".join(shown)} as evidence
            from one
            join other on {equal}
            where {order} {agree})
            """
        )
    return (
        "select rule_place, one, other, min(evidence) as evidence "
        f"from ({' union all '.join(selects)}) group by rule_place, one, other"
    )


def _of_node(expression: exp.Expr, columns: Sequence[str], rule: str) -> str:
    tree = expression.copy()
    for column in tree.find_all(exp.Column):
        if column.table or column.name not in columns:
            raise LinkRuleError(f"{rule}: no record has a field {column.sql()}")
        column.set("table", exp.to_identifier("node"))
    return tree.sql(dialect="duckdb")

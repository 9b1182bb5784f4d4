"""The rule table of linkage: ordered rules in YAML, and the SQL that finds the pairs of each.

A rule says which records may be `one`, which the `other`, what has to be equal and what more has to
agree. Its expressions are plain SQL over the fields of a record; they are parsed before they run,
and can neither read a file or a table nor call what answers otherwise tomorrow.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from math import inf
from pathlib import Path
from typing import Literal

import duckdb
import sqlglot
import yaml
from sqlglot import exp

from minsheng.faults import CHINESE, READ_NO_ROW, without_values

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
    # where dialects do not tell sounds apart: n and l, h and f, flat and curled tongue, final g
    """create or replace temp macro near_sound(pinyin) as
        translate(regexp_replace(regexp_replace(pinyin, '([zcs])h', '\\1', 'g'),
            'ng\\b', 'n', 'g'), 'lf', 'nh')""",
)
"""What rules may use beside the engine's own functions."""

ROW_FUNCTIONS = frozenset(
    """
    lower lcase upper ucase trim ltrim rtrim lpad rpad reverse replace translate left right
    substr substring split_part concat concat_ws nfc_normalize strip_accents length len strlen
    strpos instr position contains starts_with ends_with prefix suffix like_escape
    not_like_escape regexp_matches regexp_full_match regexp_replace regexp_extract
    regexp_extract_all regexp_escape ascii unicode chr md5 sha256 levenshtein
    damerau_levenshtein editdist3 hamming mismatches jaccard jaro_similarity
    jaro_winkler_similarity replaced_characters is_one_character_less near_sound abs ceil floor
    round
    trunc sign mod greatest least nullif year month day dayofyear last_day date_part
    date_trunc date_diff datediff date_sub make_date strftime strptime try_strptime to_days
    to_months to_years list_value list_extract list_slice list_concat list_contains
    list_distinct list_sort list_has_all list_has_any list_intersect list_position
    array_contains array_extract array_slice array_to_string string_split str_split
    string_split_regex str_split_regex flatten
    """.split()  # noqa: SIM905  # a hundred lines of one word each would hide it
)
"""What a rule may call: functions whose result follows from the values of a record alone."""
ROW_EXPRESSIONS = frozenset(
    (
        *("BETWEEN", "CASE", "CAST", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT"),
        *("FUNCTION", "OPERATOR"),
    )
)
"""What a rule may be made of, as the engine names the nodes of an expression."""
OWN_COLUMNS = frozenset({"side", "node"})
"""What records have beside the fields of a table."""


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
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except UnicodeDecodeError as fault:
        raise LinkRuleError(f"{path.name}: byte {fault.start} is no UTF-8") from None
    except OSError as fault:
        raise LinkRuleError(f"{path}: {fault.strerror}") from None
    except (yaml.YAMLError, ValueError) as fault:  # the second of a day that is none
        told = " ".join(str(fault).split())
        raise LinkRuleError(f"{path.name}: is no YAML: {told}") from None
    if not isinstance(document, dict) or not isinstance(document.get("rules"), list):
        raise LinkRuleError(f"{path.name}: needs a list of `rules`")
    _refuse_unknown(document, {"fields", "rules", "limits", "rolls"}, path.name)
    rules = tuple(_rule(entry, path.name) for entry in document["rules"])
    names = [rule.name for rule in rules]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise LinkRuleError(f"{path.name}: two rules are called {repeated}")
    return RuleTable(
        rules,
        _fields(_mapping(document, "fields", path.name), path.name),
        _limits(_mapping(document, "limits", path.name), path.name),
        _texts(document.get("rolls"), f"{path.name}: `rolls`"),
    )


def columns_of(text: str, where: str = "fields") -> list[str]:
    """The columns that an expression names, in order."""
    found = _parsed(text, where).find_all(exp.Column, bfs=False)
    return list(dict.fromkeys(column.name for column in found))


def misfit(where: str, fault: duckdb.Error) -> LinkRuleError:
    """What the engine says of an expression, in one line and without the values of rows."""
    told = str(fault)
    if not isinstance(fault, READ_NO_ROW):
        told = CHINESE.sub("…", without_values(told))
    return LinkRuleError(f"{where}: {told.partition(chr(10))[0]}")


def _fields(entries: dict[object, object], file: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    for name, text in entries.items():
        where = f"{file}: field {name}"
        if not isinstance(name, str) or not name.isidentifier() or name in OWN_COLUMNS:
            raise LinkRuleError(f"{where}: {name!r} cannot be the name of a field")
        expression = _parsed(_text(text, where), where)
        for column in expression.find_all(exp.Column):
            if column.table:
                raise LinkRuleError(f"{where}: {column.sql()} is no column of a file")
        fields[name] = _written(expression)
    return fields


def _limits(entries: dict[object, object], file: str) -> dict[str, float]:
    limits: dict[str, float] = {}
    for name, value in entries.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < inf:
            raise LinkRuleError(f"{file}: limit {name}: {value!r} is no number from 0 on")
        limits[str(name)] = float(value)
    return limits


def _rule(entry: object, file: str) -> LinkRule:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise LinkRuleError(f"{file}: every rule needs a name")
    where = f"{file}: rule {entry['name']}"
    _refuse_unknown(entry, ENTRIES, where)

    def text(name: str, otherwise: str = "") -> str:
        return _text(entry.get(name, otherwise), f"{where}: `{name}`")

    equal = _texts(entry.get("equal"), f"{where}: `equal`")
    any_equal = f"{where}: `any_equal`"
    alternatives = [_texts(each, any_equal) for each in _list(entry.get("any_equal"), any_equal)]
    blocks = tuple((*equal, *each) for each in alternatives or [()])
    if not all(any(columns_of(each, where) for each in block) for block in blocks):
        raise LinkRuleError(f"{where}: something has to be equal, or every pair is compared")
    outcome = entry.get("outcome", "link")
    if outcome not in ("link", "review"):
        raise LinkRuleError(f"{where}: outcome {outcome!r} is neither link nor review")
    rule = LinkRule(
        name=entry["name"],
        evidence=text("evidence", entry["name"]),
        outcome=outcome,
        blocks=blocks,
        agree=text("agree"),
        of=text("of"),
        to=text("to"),
        why=text("why"),
        label_zh=text("label_zh", entry["name"]),
        label_en=text("label_en", entry["name"]),
    )
    for each in rule.expressions:
        for column in _parsed(each, where).find_all(exp.Column):
            if column.table:
                raise LinkRuleError(f"{where}: {column.sql()} is no field of one record")
    if rule.agree:
        for column in _parsed(rule.agree, where).find_all(exp.Column):
            if column.table not in SIDES:
                raise LinkRuleError(f"{where}: {column.sql()} in `agree` is of neither side")
    return rule


def _refuse_unknown(entries: Mapping[object, object], known: Collection[str], where: str) -> None:
    unknown = [str(name) for name in entries if name not in known]
    if unknown:
        raise LinkRuleError(f"{where}: unknown entries {sorted(unknown)}")


def _mapping(entries: Mapping[str, object], name: str, where: str) -> dict[object, object]:
    value = entries.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise LinkRuleError(f"{where}: `{name}`: {value!r} is no mapping")
    return value


def _list(value: object, where: str) -> list[object]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise LinkRuleError(f"{where}: {value!r} is no list")
    return value


def _texts(value: object, where: str) -> tuple[str, ...]:
    return tuple(_text(each, where) for each in _list(value, where))


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise LinkRuleError(f"{where}: {value!r} is no text")
    return value


def _parsed(text: str, where: str) -> exp.Expr:
    try:
        return _row_expression(text)
    except LinkRuleError as fault:
        raise LinkRuleError(f"{where}: {text!r} {fault}") from None


@lru_cache(maxsize=1000)
def _row_expression(text: str) -> exp.Expr:
    """The tree of an expression over the values of a record, which nobody may change.

    Raises LinkRuleError with what else it is.
    """
    try:
        trees = sqlglot.parse(f"select {text}", dialect="duckdb")
    except (sqlglot.errors.SqlglotError, IndexError) as fault:
        told = str(fault).partition("\n")[0]
        raise LinkRuleError(f"is no SQL expression: {told}") from None
    tree = trees[0] if len(trees) == 1 else None
    if not isinstance(tree, exp.Select) or [name for name, each in tree.args.items() if each] != [
        "expressions"
    ]:
        raise LinkRuleError("is not one expression")
    if len(tree.expressions) != 1 or isinstance(tree.expressions[0], exp.Alias):
        raise LinkRuleError("is not one expression")
    expression: exp.Expr = tree.expressions[0]
    # what runs is what the tree is written as, and the engine knows best what that will call
    columns = {column.name for column in expression.find_all(exp.Column)}
    for node in _engine_nodes(f"select {_written(expression)}"):
        kind = str(node["class"])
        if kind not in ROW_EXPRESSIONS:
            raise LinkRuleError(f"looks beyond the values of a record ({kind.lower()})")
        if kind == "COLUMN_REF":
            parts = [str(each) for each in _list(node["column_names"], kind)]
            if len(parts) > 2 or parts[-1] not in columns:
                raise LinkRuleError(f"names {'.'.join(parts)}, which is no field of a record")
        if kind == "FUNCTION" and not node["is_operator"]:
            name = str(node["function_name"])
            if name not in ROW_FUNCTIONS or node["schema"] not in ("", "main") or node["catalog"]:
                raise LinkRuleError(f"calls {name}, which is no function that rules may call")
    return expression


def _engine_nodes(statement: str) -> Iterator[dict[str, object]]:
    """The nodes of the one expression of a SELECT, as the engine parses it."""
    [(text,)] = _parser().execute("select json_serialize_sql(?)", [statement]).fetchall()
    document = json.loads(text)
    if document["error"]:
        raise LinkRuleError(f"is no SQL expression: {document['error_message']}")
    unseen = list(document["statements"][0]["node"]["select_list"])
    while unseen:
        value = unseen.pop()
        if isinstance(value, dict):
            if "class" in value:
                yield value
            unseen += value.values()
        elif isinstance(value, list):
            unseen += value


@cache
def _parser() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"threads": 1})


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
        raise LinkRuleError(
            f"rule {rule.name}: no record has the fields {', '.join(unknown)}; it has "
            f"{', '.join(columns)}"
        )
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
                    raise LinkRuleError(f"rule {rule.name}: {text!r}: a trait is compared as it is")
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
        agree = f"and ({_written(tree)})" if tree else ""
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
            raise LinkRuleError(
                f"rule {rule}: no record has a field {column.sql()}; it has {', '.join(columns)}"
            )
        column.set("table", exp.to_identifier("node"))
    return _written(tree)


def _written(expression: exp.Expr) -> str:
    return expression.sql(dialect="duckdb", comments=False)

"""Which delivered header is which column of a contract, and in which unit its amounts stand."""

import re
from collections.abc import Iterable, Sequence

from minsheng.contracts import Column, Contract
from minsheng.quoting import literal, quoted
from minsheng.reasons import Refusal

BLANKS = " \t\r\n\u3000\u00a0"  # the wide and the hard blank are meant
"""What is trimmed from the ends of a cell."""


NOTHING = ("-", "--", "—", "——", "－", "/", "／", "无")  # full-width ones on purpose
"""What is written into a cell of a number or a date that is not known."""
QUANTITIES = ("integer", "year", "month", "date", "yuan", "number")
"""Types of which `NOTHING` says that a value is not known."""


class UnknownUnit(Refusal):
    """Amounts whose unit is not told, or told and not convertible."""


ONE_FORM = str.maketrans("（）［］【】〔〕[]：／\u3000", "()()()()():/ ")  # full-width on purpose
"""Brackets, colons and blanks of a header in one form."""
ASTERISKS = re.compile(r"^[*＊※]+|[*＊※]+(?=$|\()")  # the full-width one is meant
"""With which templates mark a column that must be filled: before its name or behind it."""


def header_key(header: str) -> str:
    """A header as it is compared: half-width, without blanks and line breaks, in lower case.

    The asterisks before and behind the name are left out.
    """
    key = "".join(header.translate(ONE_FORM).split()).lower()
    return ASTERISKS.sub("", key) or key


def column_sources(contract: Contract, delivered: Sequence[str]) -> dict[str, str]:
    """The SQL text expression of each delivered column of `contract`, found among the headers.

    Of several that stand for one column the first that is filled counts. A column that was not
    delivered has no entry.
    """
    return {name: _first_filled(texts) for name, texts in column_texts(contract, delivered).items()}


def column_texts(contract: Contract, delivered: Sequence[str]) -> dict[str, list[str]]:
    """The SQL text expressions of all delivered columns that stand for a column of `contract`.

    They are in the order of the contract's synonyms.
    """
    by_key = _by_key(delivered)

    def texts_of(keys: Iterable[str]) -> list[str]:
        return [quoted(header) for key in keys for header in by_key.get(key, ())]

    found: dict[str, list[str]] = {}
    for column in contract.columns:
        if column.composed_of:
            parts = [texts_of([header_key(name)]) for name in column.composed_of]
            if all(parts):
                found[column.name] = [f"concat_ws('-', {', '.join(map(_first_filled, parts))})"]
            continue
        texts = texts_of(_keys(column))
        if not texts:
            continue
        unknown_when = column.unknown_when
        deciding = texts_of([header_key(unknown_when.header)]) if unknown_when else []
        if unknown_when and deciding:
            values = ", ".join(literal(value) for value in unknown_when.values)
            is_unknown = f"trim({_first_filled(deciding)}) in ({values})"
            texts = [f"case when {is_unknown} then null else {text} end" for text in texts]
        if len(texts) > 1 and column.type in QUANTITIES:
            texts = [f"case when not {says_nothing(text)} then {text} end" for text in texts]
        found[column.name] = texts
    return found


def says_nothing(text: str) -> str:
    """Whether a text (as SQL) is a mark for a quantity that is not known; unknown if it is null."""
    return f"(trim({text}, '{BLANKS}') in ({', '.join(map(literal, NOTHING))}))"


def _first_filled(texts: Sequence[str]) -> str:
    if len(texts) == 1:
        return texts[0]
    filled = (f"nullif(trim({each}, '{BLANKS}'), '')" for each in texts)
    return f"coalesce({', '.join(filled)})"


def understood_headers(contract: Contract) -> set[str]:
    """Header keys that the contract knows, for telling unknown columns."""
    keys: set[str] = set()
    for column in contract.columns:
        keys.update(_keys(column), map(header_key, column.composed_of))
        if column.unknown_when:
            keys.add(header_key(column.unknown_when.header))
    return keys


def headers_of(column: Column, delivered: Sequence[str]) -> list[str]:
    """The delivered headers that stand for a column or for a part of it."""
    keys = {*_keys(column), *map(header_key, column.composed_of)}
    return [header for header in delivered if header_key(header) in keys]


def delivered_units(
    contract: Contract, delivered: Sequence[str], stated: Sequence[Sequence[str]]
) -> dict[str, str]:
    """The unit of every column that was delivered in another one than its own.

    A header's own unit counts before what the lines above it state (`stated`, sheet by sheet; of
    what may stand there only units count). Raises UnknownUnit where units contradict each other,
    or are over something that the contract does not convert.
    """
    found: dict[str, str] = {}
    for column in contract.columns:
        if not column.units:
            continue
        headers = headers_of(column, delivered)
        own = {_unit_at_end(column, header) for header in headers}
        if None in own and stated:
            own = own - {None} | {_one_unit(column, candidates) for candidates in stated}
        bases = {key.partition("(")[0] for key in _keys(column)}
        for header in delivered:
            base, _, bracket = header_key(header).rstrip(")").partition("(")
            if base in bases:
                _one_unit(column, [bracket])
        sizes = {column.units[unit] if unit else 1: unit for unit in own}
        if len(sizes) > 1:
            raise UnknownUnit(
                "units_are_several",
                headers="、".join(headers),
                units=(
                    "、".join(unit or "未写明" for unit in sizes.values()),
                    "、".join(unit or "none" for unit in sizes.values()),
                ),
            )
        for size, unit in sizes.items():
            if unit and size != 1:
                found[column.name] = unit
    return found


def _unit_at_end(column: Column, header: str) -> str | None:
    key = header_key(header)
    return next((u for u in column.units if key.endswith((f"({u})", f"(单位:{u})"))), None)


def _one_unit(column: Column, candidates: Sequence[str]) -> str | None:
    """The unit among the candidates, None if there is none; raises UnknownUnit if in doubt."""
    keys = [header_key(candidate) for candidate in candidates]
    units = {key for key in keys if key in column.units}
    others = [key for key in keys if key not in units and key.partition("/")[0] in column.units]
    if others or len({column.units[unit] for unit in units}) > 1:
        raise UnknownUnit(
            "unit_is_unknown",
            advice=f"the contract may say what {column.name} may be per",
            column=column.label_zh,
            stated="、".join([*sorted(units), *others]),
            known="、".join(column.units),
        )
    return min(units, default=None)


def _keys(column: Column) -> dict[str, None]:
    """How the headers of a column are compared: every name alone and with every unit."""
    names = [header_key(name) for name in (*column.headers, column.label_zh, column.name)]
    marks = ("", *(f"({unit})" for unit in column.units), *(f"(单位:{u})" for u in column.units))
    return dict.fromkeys(name + mark for mark in marks for name in names)


def _by_key(delivered: Sequence[str]) -> dict[str, list[str]]:
    by_key: dict[str, list[str]] = {}
    for header in delivered:
        by_key.setdefault(header_key(header), []).append(header)
    return by_key


def missing_required(contract: Contract, delivered: Sequence[str]) -> list[Column]:
    """Required columns that no header stands for and nothing else can supply."""
    found = column_sources(contract, delivered)
    return [
        column
        for column in contract.columns
        if column.required
        and column.name not in found
        and column.default is None
        and column.otherwise is None
    ]

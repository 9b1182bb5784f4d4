"""What may be told of a fault: never the values of rows, which engines like to repeat."""

import re
from collections.abc import Collection

import duckdb

OWN_PACKAGES = ("minsheng", "assets", "pipelines", "dagster")
"""Whose messages are written with care and told as they are."""
READ_NO_ROW = (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException)
"""What DuckDB says of a statement before it has looked at any row."""
CHINESE = re.compile("[\u3400-\u9fff\U00020000-\U0003ffff·]+")
NUMBER_OF_A_PERSON = re.compile(
    r"(?<!\d)(\d{17}[\dXxＸｘ](\d{2}([Bb]\d)?)?|\d{15}|1[3-9]\d{9})(?!\d)"
)
"""Of an identity, a certificate or a mobile phone, as it may stand in the name of a file."""


class ForeignFault(RuntimeError):
    """A fault of a library, told without the values that it may repeat."""


def told(fault: BaseException) -> str:
    """What may be told of `fault`: of our own messages all but numbers, of libraries' no values."""
    if type(fault).__module__.partition(".")[0] in OWN_PACKAGES or isinstance(fault, OSError):
        return without_numbers(str(fault))
    if isinstance(fault, READ_NO_ROW):
        return str(fault)
    return f"{type(fault).__name__}: {CHINESE.sub('…', without_values(str(fault)))}"


def without_values(message: str, names: Collection[str] = ()) -> str:
    """The first line of an engine's message without the values of rows that it may repeat.

    What is quoted goes, unless it is one of `names`, and so do numbers of six and more digits. A
    value may hold quotation marks of its own: all up to the last one goes.
    """
    kept = "|".join(map(re.escape, names)) or "(?!)"
    repeated = rf"""(?P<mark>["'])(?:{kept})(?P=mark)|["'“].*["'”]|\d{{6,}}"""
    cut = re.sub(
        repeated, lambda found: found[0] if found["mark"] else "…", message, flags=re.DOTALL
    )
    return cut.partition("\n")[0]


def without_numbers(text: str) -> str:
    """`text` without what looks like a person's number."""
    return NUMBER_OF_A_PERSON.sub("…", text)

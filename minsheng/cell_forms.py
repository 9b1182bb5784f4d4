"""The forms in which a cell may state its value, and how each is read, as SQL over its text."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from minsheng import identity
from minsheng.contracts import Column, ContractError
from minsheng.headers import BLANKS, QUANTITIES, says_nothing
from minsheng.quoting import literal

Codes = Mapping[str, Mapping[str, str]]
"""Code list -> text as written (label, synonym or the code itself) -> code."""

EARLIEST_YEAR, LATEST_YEAR = 1900, 2100
"""A date outside is a slip of the keyboard and not understood."""
PLAIN_YEAR = "(19|20)[0-9]{2}"
"""Years that are surely within; the last one is left to the other forms."""
SERIAL_ZERO = "1899-12-30"
"""The day from which spreadsheets count."""
EARLIEST_SERIAL = 21_000
"""A lower number may be a year and a month: 20226 is a day of 1955, or June 2022."""

FLAGS = {"是": "true", "否": "false", "1": "true", "0": "false"}

NUMBERS_AS_TEXT = ("id_number", "certificate_number", "number_text")
TEXTS = ("text", "name", *NUMBERS_AS_TEXT)
"""Types whose value is the text itself, mended at the most."""

CURRENCY_SIGNS = "¥￥"  # the half-width and the full-width sign


@dataclass(frozen=True)
class CellForm:
    """How the text of a column becomes its value, as SQL over the text.

    The typed row has the text as `<column>__text` and the plain form's value as `<column>__plain`.
    """

    plain: str
    """The value of the plain form, else null."""
    mended: str | None = None
    """The value of every other form that is understood, else null; None if there is no other."""
    kinds: tuple[tuple[str, str], ...] = ()
    """What other forms are called, and the pattern of each; the first that fits."""
    odd: str = ""
    """A text in the plain form of whose value more is to be told, as a test."""
    others: tuple[tuple[str, str], ...] = ()
    """What is told of it: a test of the typed row, and what it is called."""
    unit: str = ""
    """What reading every plain value in another unit is called."""

    def has_others(self, name: str) -> str:
        """Whether a text is not of the plain form, or more is to be told of it."""
        other = f"{name} is not null and {name}__plain is null"
        return f"{other} or {self.odd}" if self.odd else other

    def value(self, name: str, only_plain: bool) -> str:
        plain = f"{name}__plain"
        if only_plain or self.mended is None:
            return f"{plain} as {name}"
        return f"case when {plain} is not null then {plain} else {self.mended} end as {name}"

    def conversions(self, name: str, only_plain: bool) -> list[tuple[str, str]]:
        """Tests of the typed row and what each is called, as SQL."""
        found = []
        if only_plain:
            if self.unit:
                found.append((f"{name} is not null", literal(f"{name}: {self.unit}")))
            return found
        if self.mended is not None:
            text = f"{name}__text"
            tests = [
                (kind, f"regexp_full_match({_half_width(text)}, '{pattern}')")
                for kind, pattern in self.kinds
            ]
            tests += [("full width", f"{_half_width(text)} <> {text}"), ("other form", "true")]
            named = " ".join(f"when {test} then '{name}: {kind}'" for kind, test in tests)
            found.append((f"{name}__plain is null and {name} is not null", f"case {named} end"))
        found += [(test, literal(f"{name}: {kind}")) for test, kind in self.others]
        return found


def _half_width(text: str) -> str:
    half_width = f"translate({text}, '{identity.FULL_WIDTH}', '{identity.HALF_WIDTH}')"
    return f"trim({half_width}, '{BLANKS}')"


DATE_KINDS = (
    ("Excel serial", "[0-9]{5}([.][0-9]+)?"),
    ("time of day left out", ".*[ T][0-9:.]+"),
    ("年月日", ".*年.*"),
    ("digits alone", "[0-9]{6,8}([.]0+)?"),
    ("slashes", ".*/.*"),
    ("dots", ".*[.].*"),
)
GROUPED = "[+-]?([0-9]+|[0-9]{1,3}(,[0-9]{3})+)?([.][0-9]*)?"
DECIMAL_PLACES = {"yuan": 2, "number": 6}
NUMBER_KINDS = (("thousands separators", ".*,.*"),)
AREA_KINDS = (("short code", "[0-9]{2,9}"),)


def form_of(column: Column, codes: Codes, unit: str | None) -> CellForm | None:
    """None if the value is the text itself."""
    name = column.name
    if column.type in TEXTS:
        return None
    if column.type in ("code", "flag"):
        words = codes.get(column.codes or "") if column.type == "code" else FLAGS
        if not words:
            raise ContractError(f"column {name}: no code list {column.codes!r} in policies/")
        listed = ", ".join(f"{literal(text)}: {literal(code)}" for text, code in words.items())
        decoded = f"map {{{listed}}}[{name}]"
        return CellForm(f"{decoded}::{column.duckdb_type}")
    mended = _half_width(name)
    if column.type == "area_code":
        whole = _without_zero_decimals(mended)
        return CellForm(
            f"case when regexp_full_match({name}, '[0-9]{{12}}') then {name} end",
            f"case when regexp_full_match({whole}, '([0-9]{{2}}){{1,3}}|[0-9]{{9}}|[0-9]{{12}}') "
            f"then rpad({whole}, 12, '0') end",
            AREA_KINDS,
        )
    if column.type in ("integer", "year"):
        digits = f"regexp_extract({mended}, '^(-?[0-9]+)(\\.0*)?年?$', 1)"
        return CellForm(
            f"case when regexp_full_match({name}, '-?[0-9]+') "
            f"then try_cast({name} as {column.duckdb_type}) end",
            f"try_cast({digits} as {column.duckdb_type})",
        )
    if column.type in ("yuan", "number"):
        return _quantity(column, unit)
    if column.type == "date":
        plain = f"regexp_full_match({name}, '{PLAIN_YEAR}-[0-9]{{2}}-[0-9]{{2}}')"
        return CellForm(
            f"case when {plain} then try_cast({name} as date) end",
            _date(mended),
            DATE_KINDS,
        )
    if column.type == "month":
        whole = _without_zero_decimals(mended)
        # a spreadsheet shows October, entered as 2022.10, as 2022.1: that may be either
        digits = (
            f"try_strptime(regexp_extract({whole}, "
            "'^([0-9]{6}|[0-9]{4}[-/年][0-9]{1,2}|[0-9]{4}[.]([0-9]{2}|[2-9]))月?$', 1), "
            "['%Y%m', '%Y-%m', '%Y/%m', '%Y.%m', '%Y年%m'])::date"
        )
        plain = f"regexp_full_match({name}, '{PLAIN_YEAR}-[0-9]{{2}}')"
        return CellForm(
            f"case when {plain} then try_cast({name} || '-01' as date) end",
            f"date_trunc('month', coalesce({_in_range(digits)}, {_date(mended)}))::date",
            (
                *DATE_KINDS[:1],
                ("day left out", ".*[-/.月][0-9]{1,2}[-/.月][0-9]+.*"),
                *DATE_KINDS[2:],
            ),
        )
    raise ContractError(f"column {name}: a delivered column cannot be of type {column.type!r}")


def _quantity(column: Column, unit: str | None) -> CellForm:
    """A number, or an amount in `unit`; a cell that states a unit itself is read by that one."""
    name, text = column.name, f"{column.name}__text"
    # programs write `1e+05` when it is exact; a spreadsheet's `1.23E+05` has lost digits
    plain = f"regexp_full_match({name}, '-?[0-9]+([.][0-9]+)?(e[+-]?[0-9]+)?')"
    size = _size(column, unit)
    sizes = _sizes_in_cells(column, unit)
    any_unit = "|".join(map(re.escape, sizes))
    # a sign of the currency does not tell whether 万元 are meant where the file is in those
    sign = f"[{CURRENCY_SIGNS}]?" if sizes and _size(column, _base(unit)) == 1 else ""
    behind = f"[{BLANKS}]*({any_unit})?" if sizes else ""
    pattern = literal(f"^{sign}({GROUPED}){behind}$")

    def digits(cell: str) -> str:
        return f"replace(regexp_extract({_half_width(cell)}, {pattern}, 1), ',', '')"

    def stated(cell: str) -> str:
        """The size of the unit that the cell states, else null."""
        listed = ", ".join(f"{literal(each)}: {factor}" for each, factor in sizes.items())
        return f"map {{{listed}}}[regexp_extract({_half_width(cell)}, '({any_unit})$', 1)]"

    mended = _sized(column, digits(name), size)
    exact = (
        f"coalesce(try_cast({text} as decimal(28,8)), try_cast({digits(text)} as decimal(28,8)))"
    )
    exact = f"{exact} * {size}::decimal(10,0)"
    in_unit = f"{unit} to {column.type}" if unit else ""
    kinds: tuple[tuple[str, str], ...] = NUMBER_KINDS
    others: list[tuple[str, str]] = []
    if sizes:
        own = _sized(column, digits(name), stated(name))
        mended = f"case when {stated(name)} is null then {mended} else {own} end"
        kinds = (("its own unit", f".*({any_unit})"), ("sign", f"[{CURRENCY_SIGNS}].*"), *kinds)
        is_own = f"({name}__plain is null and {stated(text)} is not null)"
        in_own = f"try_cast({digits(text)} as decimal(28,8)) * {stated(text)}::decimal(10,0)"
        exact = f"case when {is_own} then {in_own} else {exact} end"
        if unit:
            others.append((f"{name} is not null and not {is_own}", in_unit))
    # nearly no text has so many decimals, and to look for them costs next to nothing
    more = "_" * (DECIMAL_PLACES[column.type] + 1)
    has_more = f"({text} like '%.{more}%' or {text} like '%e-%' or {name}__plain is null)"
    others.append((f"{name} is not null and {has_more} and {exact} <> {name}", "rounded"))
    return CellForm(
        f"case when {plain} then {_sized(column, name, size)} end",
        mended,
        kinds,
        f"{name} like '%.{more}%' or {name} like '%e-%'",
        tuple(others),
        in_unit,
    )


def _sized(column: Column, number: str, size: int | str) -> str:
    """The value of a number's text (as SQL) in a unit of `size`."""
    if size == 1:
        return f"try_cast({number} as {column.duckdb_type})"
    amount = f"try_cast({number} as decimal(28,8)) * {size}::decimal(10,0)"
    return f"try_cast({amount} as {column.duckdb_type})"


def _size(column: Column, unit: str | None) -> int:
    """How many of the column's own unit one `unit` is."""
    if unit is None:
        return 1
    if unit not in column.units:
        raise ContractError(
            f"column {column.name}: a delivery is in {unit}, which the contract no longer reads"
        )
    return column.units[unit]


def _base(unit: str | None) -> str | None:
    """A unit without what it is over."""
    return unit.partition("/")[0] if unit else None


def _sizes_in_cells(column: Column, unit: str | None) -> dict[str, int]:
    """The size of each unit that a cell may state in a file in `unit`.

    80元 under a header in 元/月 is a month's, as all of the column is.
    """
    over = _size(column, unit) // _size(column, _base(unit))
    return {each: size if "/" in each else size * over for each, size in column.units.items()}


def _date(mended: str) -> str:
    """Whole dates, a time of day after them left out; a mere cast takes `epoch` for one."""
    formats = ["%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%Y年%m月%d日", "%Y.%m.%d"]
    listed = ", ".join(literal(entry) for entry in formats)
    shape = "([0-9]{8}|[0-9]{4}[-/.年][0-9]{1,2}[-/.月][0-9]{1,2}日?)([ T][0-9:.]+)?"
    whole = _without_zero_decimals(mended)
    written = f"try_strptime(regexp_extract({whole}, '^{shape}$', 1), [{listed}])::date"
    days = (
        f"floor(try_cast(regexp_extract({mended}, '^[0-9]{{5}}([.][0-9]+)?$') as double))::integer"
    )
    serial = f"case when {days} >= {EARLIEST_SERIAL} then date '{SERIAL_ZERO}' + {days} end"
    return _in_range(f"coalesce({written}, {serial})")


def _in_range(day: str) -> str:
    return f"case when year({day}) between {EARLIEST_YEAR} and {LATEST_YEAR} then {day} end"


def _without_zero_decimals(text: str) -> str:
    """Five digits and more without the `.0` of a program that took them for a quantity."""
    return f"regexp_replace({text}, '^([0-9]{{5,}})[.]0+$', '\\1')"


def is_plain_number(text: str) -> str:
    """Whether the text of a number that is no quantity stands as it is kept."""
    return f"regexp_full_match({text}, '[0-9A-Z]+')"


def odd_text(column: Column) -> str:
    """A test of text that is its own value: whether a rule or a mending has to look at it."""
    if column.type in NUMBERS_AS_TEXT:
        return f"not {is_plain_number(column.name)}"
    return f"regexp_matches({column.name}, '[eE.]')" if is_number_in_text(column) else ""


def is_number_in_text(column: Column) -> bool:
    """Whether the column's text is a number of a person or household that may hold other signs."""
    return column.type == "text" and column.sensitivity == "direct"


def clean_text(column: Column, source: str | None, only_plain: bool) -> str:
    """The text of a cell as it is read, null if it says nothing; `source` is the delivered one."""
    if source is None:
        return "null::varchar"
    if column.type in NUMBERS_AS_TEXT and not only_plain:
        # the common case first: mending costs several times what recognising does
        return (
            f"case when {is_plain_number(source)} then {source} "
            f"else nullif({identity.normalised_id(source)}, '') end"
        )
    is_quantity = column.type in QUANTITIES
    if column.type not in ("text", "name", "code", "flag") and not (
        column.otherwise or column.default
    ):
        # trimming costs more than reading a number: left to what is not read at once
        return f"nullif({source}, '')"
    text = f"nullif(trim({source}, '{BLANKS}'), '')"
    # what stands in its place is not known either, and the other source of the value is asked
    return f"case when not {says_nothing(text)} then {text} end" if is_quantity else text

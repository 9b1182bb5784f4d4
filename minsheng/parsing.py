"""From delivered text to typed rows: one SELECT per dataset, made from its contract.

Text that is not of its column's type becomes null and its column is named in `unreadable`, so that
a rule can refuse the row; nothing is guessed. Amounts are rounded to the fen.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from minsheng import identity
from minsheng.contracts import Column, Contract, ContractError, Rule
from minsheng.headers import BLANKS, QUANTITIES, column_sources, column_texts, says_nothing
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

READABLE_AS: Mapping[str, str] = {
    "date": "请按 2022-06-01 的样式填写",
    "month": "请按 2022-06 的样式填写",
    "year": "请填四位年份，如 2022",
    "integer": "请填整数",
    "number": "请只填数字",
    "flag": "请填“是”或“否”",
    "area_code": "请填12位行政区划代码",
    "code": "请按代码表中的名称填写",
}
"""How a cell that could not be read is to be filled in, where no unit is in force."""

CURRENCY_SIGNS = "¥￥"  # the half-width and the full-width sign

TELLING_APART = (
    "birth_date",
    "village_code",
    "household_number",
    "phone",
    "student_number",
    "certificate_number",
)
"""What tells the records of a dataset apart beside the name, where there is no number."""

SYNONYMS_RULE = "columns_of_one_meaning_agree"
DATED_RULE = "date_lies_in_the_period"

HOUSEHOLD_NUMBERS: Mapping[str, str] = {
    "household_identity": "household_number",
    "co_living_identity": "co_living_number",
    "registration_identity": "hukou_number",
}
"""What tells households apart, and the number it is made from."""


def readable_as(column: Column, unit: str | None) -> str:
    """How a cell of the column is to be filled in, in a file whose amounts are in `unit`.

    None is the column's own unit.
    """
    if not column.units:
        return READABLE_AS.get(column.type, "")
    return f"请只填数字，以{unit or own_unit(column)}为单位；单位不同的，请在数字后写明单位"


def own_unit(column: Column) -> str:
    """The unit in which the column's values stand."""
    return next(unit for unit, size in column.units.items() if size == 1)


def row_rules(contract: Contract) -> tuple[Rule, ...]:
    """Every rule a row is held to: those that follow from the columns, then the contract's own."""
    rules: list[Rule] = []
    for column in contract.columns:
        name, label = column.name, column.label_zh
        if not (column.headers or column.composed_of or column.otherwise):
            continue
        unread = f"coalesce(contains(unreadable, ',{name},'), false)"
        if column.type not in TEXTS:
            rules.append(
                _critical(
                    f"{name}_is_readable",
                    name,
                    f"not {unread}",
                    f"{label}无法识别",
                    readable_as(column, None),
                )
            )
        if column.required:
            rules.append(
                _critical(
                    f"{name}_is_given",
                    name,
                    f"{name} is not null or {unread}",
                    f"{label}未填",
                    f"请补填{label}",
                )
            )
        if column.minimum is not None:
            rules.append(
                _critical(
                    f"{name}_is_not_too_small",
                    name,
                    f"{name} >= {column.minimum}",
                    f"{label}小于{_limit(column, column.minimum)}",
                )
            )
        if column.maximum is not None:
            rules.append(
                _critical(
                    f"{name}_is_not_too_large",
                    name,
                    f"{name} <= {column.maximum}",
                    f"{label}大于{_limit(column, column.maximum)}",
                )
            )
        if column.not_future:
            rules.append(
                _critical(
                    f"{name}_is_not_in_the_future",
                    name,
                    f"{name} <= delivered_on",
                    f"{label}晚于送达日期",
                )
            )
        is_number_in_text = column.type == "text" and column.sensitivity == "direct"
        if column.type in NUMBERS_AS_TEXT or is_number_in_text:
            rules.append(
                _critical(
                    f"{name}_is_not_scientific",
                    name,
                    f"not {identity.is_scientific(name)}",
                    f"{label}被电子表格改成科学计数法，末位已丢失",
                    "请先将该列设为文本格式，再按原始证件重新填写",
                )
            )
            rules.append(
                _critical(
                    f"{name}_is_not_rounded",
                    name,
                    f"not {identity.is_rounded(name)}",
                    f"{label}被当作数值，带有小数点，末位可能已丢失",
                    "请先将该列设为文本格式，再按原始证件重新填写",
                )
            )
        if column.type == "id_number":
            rules.append(
                Rule(
                    f"{name}_has_its_shape",
                    "warning",
                    identity.has_id_shape(name),
                    (name,),
                    f"{label}应为18位或15位，无法据以关联",
                )
            )
            rules.append(
                Rule(
                    f"{name}_has_a_known_province",
                    "warning",
                    identity.has_known_province(name),
                    (name,),
                    f"{label}前两位不是省级代码",
                )
            )
            rules.append(
                Rule(
                    f"{name}_has_a_real_birth_date",
                    "warning",
                    identity.has_real_birth_date(name),
                    (name,),
                    f"{label}中的出生日期不是实有的日期，无法据以关联",
                    "请按原始证件核对",
                )
            )
            rules.append(
                Rule(
                    f"{name}_has_its_check_digit",
                    "warning",
                    f"not coalesce(contains(misspelt, ',{name},'), false)",
                    (name,),
                    f"{label}的校验码不符，有一位或几位填错，无法据以关联",
                    "请按原始证件核对",
                )
            )
            rules.append(
                _critical(
                    f"{name}_is_born_before_delivery",
                    name,
                    f"length({name}) <> 18 or substr({name}, 7, 8) "
                    "<= strftime(delivered_on, '%Y%m%d')",
                    f"{label}中的出生日期晚于送达日期",
                )
            )
    if contract.delivery:
        rules.append(
            Rule(
                SYNONYMS_RULE,
                "critical",
                "disagreeing is null",
                (),
                "同一内容的两列填写不一致",
                "请核对后填写一致，或清空有误的一格",
            )
        )
    rules += _declared_rules(contract)
    dated_by = contract.delivery.dated_by if contract.delivery else None
    if contract.delivery and dated_by:
        label = contract.column(dated_by).label_zh
        rules.append(
            Rule(
                DATED_RULE,
                "warning",
                f"date_trunc('{contract.delivery.period}', {dated_by}) "
                f"= date_trunc('{contract.delivery.period}', period_month)",
                (dated_by,),
                f"{label}不在本期之内",
                "请核对日期；属于其他期的，请随该期报送",
            )
        )
    return (*rules, *contract.rules)


def _limit(column: Column, limit: float) -> str:
    """A limit as it is told; a file may state its amounts in another unit."""
    return f"{limit}{own_unit(column)}" if column.units else str(limit)


def _declared_rules(contract: Contract) -> Iterator[Rule]:
    """What a department declares of a person, against what a valid number says."""
    columns = {column.name: column for column in contract.columns}
    if "id_number" not in columns:
        return
    number = identity.resident_number("id_number")
    says = {"birth_date": identity.birth_date(number), "sex_code": identity.sex_code(number)}
    for name, expression in says.items():
        if name in columns:
            label = columns[name].label_zh
            yield Rule(
                f"{name}_agrees_with_the_number",
                "warning",
                f"{name} is null or {identity.id_status(number)} <> 'valid' "
                f"or {name} = {expression}",
                (name, "id_number"),
                f"{label}与证件号码不一致",
                "请核对证件号码和本项，改正有误的一项",
            )


def typed_select(
    contract: Contract,
    codes: Codes,
    delivered: Sequence[str],
    rows: str,
    constants: Mapping[str, str],
    units: Mapping[str, str],
) -> str:
    """The SELECT that types the rows of one delivery and names the critical rules each breaks.

    `rows` is the FROM item that has the delivered headers and `__row_number`; `constants` are the
    received columns as SQL (`delivery_id`, `sender`, `period`, `period_month`, `delivered_on`);
    `units` are the delivered units of columns that are not in their own.
    Columns out: the contract's, `delivered_on`, `unreadable` (columns whose text is not
    understood), `disagreeing` (columns for which two delivered ones stand that say different
    things), `misspelt` (identity numbers with a wrong check character), `converted` (each value
    that was not read from its plain form, `column: kind`; null if all were), and the names of the
    rules that the row breaks: `refused_by` (critical; null if accepted) and `warned_by` (warnings).
    """
    sources = column_sources(contract, delivered)
    identities = _identities(contract)
    made = {*constants, "row_number", *identities}
    own = [column for column in contract.columns if column.name not in made]
    synonyms: dict[str, Column] = {}
    for name, columns_text in column_texts(contract, delivered).items():
        for place, text in enumerate(columns_text[1:], start=2):
            synonyms[f"{name}__{place}"] = contract.column(name)
            sources[f"{name}__{place}"] = text
    every = own + [
        replace(column, name=name, default=None, otherwise=None)
        for name, column in synonyms.items()
    ]
    forms = {column.name: _form(column, codes, units.get(column.name)) for column in every}
    read = [name for name, form in forms.items() if form]
    mended = [
        column.name for column in own if column.type in NUMBERS_AS_TEXT and column.name in sources
    ]
    marked = {
        column.name: f"{column.name} is null and {says_nothing(f'{column.name}__text')}"
        for column in own
        if column.type in QUANTITIES
    }
    unread = {
        name: f"{name} is null and nullif(trim({name}__text, '{BLANKS}'), '') is not null"
        + (f" and not {says_nothing(f'{name}__text')}" if name in marked else "")
        for name in read
        if name not in synonyms
    }
    rules = row_rules(contract)
    broken = {
        severity: {
            rule.name: f"not coalesce({rule.expression}, true)"
            for rule in rules
            if rule.severity == severity
        }
        for severity in ("critical", "warning")
    }
    # what has a plain form is read from it first, so that the other forms cost nothing where there
    # are none, and telling which was read costs nothing either
    texts = [f"{_clean(column, sources.get(column.name))} as {column.name}" for column in every]
    texts += [f"{sources[name]} as {name}__delivered" for name in mended]
    supplied = [f"{_supplied(column)} as {column.name}" for column in every]
    supplied += [f"{name}__delivered" for name in mended]
    plain = [column.name for column in every] + [f"{name}__delivered" for name in mended]
    with_plain = {name: form.plain for name, form in forms.items() if form and form.plain}
    plain += [f"{form} as {name}__plain" for name, form in with_plain.items()]
    typed = [form.value(name) if form else name for name, form in forms.items()]
    typed += [f"{name} as {name}__text" for name in read]
    typed += [f"{name}__plain" for name in with_plain]
    typed += [f"{name}__delivered" for name in mended]
    numbers = [column.name for column in own if column.type == "id_number"]
    typed += [f"{identity.has_wrong_check_digit(name)} as {name}__misspelt" for name in numbers]
    misspelt = [(f"{name}__misspelt", literal(name)) for name in numbers]
    typed += [f"{expression} as {name}" for name, expression in constants.items()]
    disagreeing = [
        (_disagree(name, column, is_read=forms[name] is not None), literal(column.name))
        for name, column in synonyms.items()
    ]
    conversions = [
        each
        for name, form in forms.items()
        if form and name not in synonyms
        for each in form.conversions(name)
    ]
    conversions += [
        (f"{name} is not null", literal(f"{name}: one of several columns"))
        for name in dict.fromkeys(column.name for column in synonyms.values())
    ]
    conversions += [(test, literal(f"{name}: a mark for nothing")) for name, test in marked.items()]
    conversions += [
        (f"{name}__delivered <> {name}", f"'{name}: one form of digits'") for name in mended
    ]
    kept = [column.name for column in contract.columns if column in own]
    kept += ["row_number", *constants]
    identified = [f"{expression} as {name}" for name, expression in identities.items()]
    return f"""
with texts as (
    select __row_number as row_number, {", ".join(texts)}
    from {rows}
),
supplied as (
    select row_number, {", ".join(supplied)}
    from texts
),
plain as (
    select row_number, {", ".join(plain)}
    from supplied
),
typed as (
    select row_number, {", ".join(typed)}
    from plain
),
judged as (
    select {", ".join(kept + identified)},
        ',' || {_named(_faults(unread))} || ',' as unreadable,
        {_named(disagreeing)} as disagreeing,
        ',' || {_named(misspelt)} || ',' as misspelt,
        {_named(conversions)} as converted
    from typed
)
select
    {", ".join([*kept, *identities])}, unreadable, disagreeing, misspelt, converted,
    {_named(_faults(broken["critical"]))} as refused_by,
    {_named(_faults(broken["warning"]))} as warned_by
from judged
"""


def _disagree(synonym: str, column: Column, is_read: bool) -> str:
    """Whether a further delivered column says something else than the one that counts."""
    name = column.name
    if is_read:
        filled = f"nullif(trim({synonym}__text, '{BLANKS}'), '')"
        return f"{filled} <> trim({name}__text, '{BLANKS}') and {synonym} is distinct from {name}"
    if column.type == "name":
        return f"{identity.name_key(synonym)} <> {identity.name_key(name)}"
    return f"{synonym} <> {name}"


def _identities(contract: Contract) -> dict[str, str]:
    """Columns made of the typed ones: what tells the persons and households of a dataset apart."""
    columns = {column.name for column in contract.columns}
    found: dict[str, str] = {}
    if "record_identity" in columns:
        named = f"coalesce(id_number, '') || '|' || {identity.name_key('person_name')}"
        others = [name for name in TELLING_APART if name in columns]
        if others:
            # without a number the name alone does not tell two persons of a dataset apart
            listed = ", ".join(f"coalesce({name}::varchar, '')" for name in others)
            named = (
                f"case when length(id_number) >= {identity.SHORTEST} then {named} "
                f"else concat_ws('|', {named}, {listed}) end"
            )
        found["record_identity"] = named
    for name, number in HOUSEHOLD_NUMBERS.items():
        if name in columns:
            areas = [c.name for c in contract.columns if "area_code" in (c.type, c.name)]
            if not areas:
                raise ContractError(f"{contract.name}: {number} needs an area code beside it")
            told = f"substr({areas[0]}, 1, 6) || '|' || {number}"
            # each department numbers for itself: only the roll's number stands without its notion
            notion = name.removesuffix("_identity")
            found[name] = told if notion == "household" else f"'{notion}|' || {told}"
    return found


def _faults(faults: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(test, literal(name)) for name, test in faults.items()]


def _named(tests: Sequence[tuple[str, str]]) -> str:
    """The names (as SQL) whose predicate is true, joined by commas; null if there are none."""
    if not tests:
        return "null::varchar"
    named = ", ".join(f"case when {test} then {name} end" for test, name in tests)
    # nearly every row is good: one conjunction tells it, and only the others are taken apart
    any_of_them = " or ".join(f"({test})" for test, _ in tests)
    return f"case when {any_of_them} then concat_ws(',', {named}) end"


def _critical(name: str, column: str, expression: str, why: str, mend: str = "") -> Rule:
    return Rule(name, "critical", expression, (column,), why, mend)


def _clean(column: Column, source: str | None) -> str:
    if source is None:
        return "null::varchar"
    if column.type in NUMBERS_AS_TEXT:
        # the common case first: mending costs several times what recognising does
        shape = "[0-9A-Z]+" if column.type == "number_text" else "[0-9]{17}[0-9X]"
        return (
            f"case when regexp_full_match({source}, '{shape}') then {source} "
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


def _supplied(column: Column) -> str:
    options = [column.name]
    if column.otherwise is not None:
        options.append(f"({column.otherwise})")
    if column.default is not None:
        options.append(literal(column.default))
    return f"coalesce({', '.join(options)})" if len(options) > 1 else column.name


@dataclass(frozen=True)
class _Form:
    """How the text of a column becomes its value, as SQL over the text."""

    plain: str | None
    """The value of the plain form, else null; None where all forms are equal."""
    mended: str
    """The value of every other form that is understood, else null."""
    kinds: tuple[tuple[str, str], ...] = ()
    """What other forms are called, and the pattern of each; the first that fits."""
    others: tuple[tuple[str, str], ...] = ()
    """What else is counted: a test of the typed row, and what it is called."""

    def value(self, name: str) -> str:
        if self.plain is None:
            return f"{self.mended} as {name}"
        plain = f"{name}__plain"
        return f"case when {plain} is not null then {plain} else {self.mended} end as {name}"

    def conversions(self, name: str) -> list[tuple[str, str]]:
        """Tests of the typed row and what each is called, as SQL."""
        found = []
        if self.plain is not None:
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


def _form(column: Column, codes: Codes, unit: str | None) -> _Form | None:
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
        return _Form(None, f"{decoded}::{column.duckdb_type}")
    mended = _half_width(name)
    if column.type == "area_code":
        whole = _without_zero_decimals(mended)
        return _Form(
            f"case when regexp_full_match({name}, '[0-9]{{12}}') then {name} end",
            f"case when regexp_full_match({whole}, '([0-9]{{2}}){{1,3}}|[0-9]{{9}}|[0-9]{{12}}') "
            f"then rpad({whole}, 12, '0') end",
            AREA_KINDS,
        )
    if column.type in ("integer", "year"):
        digits = f"regexp_extract({mended}, '^(-?[0-9]+)(\\.0*)?年?$', 1)"
        return _Form(
            f"case when regexp_full_match({name}, '-?[0-9]+') "
            f"then try_cast({name} as {column.duckdb_type}) end",
            f"try_cast({digits} as {column.duckdb_type})",
        )
    if column.type in ("yuan", "number"):
        return _quantity(column, unit)
    if column.type == "date":
        plain = f"regexp_full_match({name}, '{PLAIN_YEAR}-[0-9]{{2}}-[0-9]{{2}}')"
        return _Form(
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
        return _Form(
            f"case when {plain} then try_cast({name} || '-01' as date) end",
            f"date_trunc('month', coalesce({_in_range(digits)}, {_date(mended)}))::date",
            (
                *DATE_KINDS[:1],
                ("day left out", ".*[-/.月][0-9]{1,2}[-/.月][0-9]+.*"),
                *DATE_KINDS[2:],
            ),
        )
    raise ContractError(f"column {name}: a delivered column cannot be of type {column.type!r}")


def _quantity(column: Column, unit: str | None) -> _Form:
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
            others.append((f"{name} is not null and not {is_own}", f"{unit} to {column.type}"))
    # nearly no text has so many decimals, and to look for them costs next to nothing
    more = "_" * (DECIMAL_PLACES[column.type] + 1)
    has_more = f"({text} like '%.{more}%' or {name}__plain is null)"
    others.append((f"{name} is not null and {has_more} and {exact} <> {name}", "rounded"))
    return _Form(
        f"case when {plain} then {_sized(column, name, size)} end", mended, kinds, tuple(others)
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

"""From delivered text to typed rows: one SELECT per dataset, made from its contract.

Text that is not of its column's type becomes null and its column is named in `unreadable`, so that
a rule can refuse the row; nothing is guessed. Amounts are rounded to the fen.
"""

from collections.abc import Mapping, Sequence

from minsheng import identity
from minsheng.contracts import Column, Contract, ContractError, Rule

Codes = Mapping[str, Mapping[str, str]]
"""Code list -> text as written (label, synonym or the code itself) -> code."""

EARLIEST_YEAR, LATEST_YEAR = 1900, 2100
"""A date outside is a slip of the keyboard and not understood."""

READABLE_AS: Mapping[str, str] = {
    "date": "请按 2022-06-01 的样式填写",
    "month": "请按 2022-06 的样式填写",
    "year": "请填四位年份，如 2022",
    "integer": "请填整数",
    "yuan": "请只填数字，以元为单位，如 1234.50",
    "number": "请只填数字",
    "flag": "请填“是”或“否”",
    "area_code": "请填12位行政区划代码",
    "code": "请按代码表中的名称填写",
}
"""How a cell that could not be read is to be filled in."""

DATED_RULE = "date_lies_in_the_period"

BLANKS = " \t\r\n\u3000\u00a0"  # the wide and the hard blank are meant
"""What is trimmed from the ends of a cell."""


def quoted(name: str) -> str:
    """`name` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """`text` as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def header_key(header: str) -> str:
    """A header as it is compared: half-width, without blanks and line breaks, in lower case."""
    table = str.maketrans("（）：　", "(): ")  # full-width forms to be mended
    return "".join(header.translate(table).split()).lower()


def column_sources(contract: Contract, delivered: Sequence[str]) -> dict[str, str]:
    """The SQL text expression of each delivered column of `contract`, found among the headers.

    A column that was not delivered has no entry.
    """
    by_key: dict[str, list[str]] = {}
    for header in delivered:
        by_key.setdefault(header_key(header), []).append(header)

    def text_of(*names: str) -> str | None:
        keys = dict.fromkeys(header_key(name) for name in names)
        present = [quoted(header) for key in keys for header in by_key.get(key, ())]
        if len(present) > 1:
            filled = (f"nullif(trim({each}, '{BLANKS}'), '')" for each in present)
            return f"coalesce({', '.join(filled)})"
        return present[0] if present else None

    found: dict[str, str] = {}
    for column in contract.columns:
        if column.composed_of:
            parts = [part for name in column.composed_of if (part := text_of(name))]
            if len(parts) == len(column.composed_of):
                found[column.name] = f"concat_ws('-', {', '.join(parts)})"
            continue
        text = text_of(*column.headers, column.label_zh, column.name)
        if text is None:
            continue
        deciding = text_of(column.unknown_when.header) if column.unknown_when else None
        if column.unknown_when and deciding:
            values = ", ".join(literal(value) for value in column.unknown_when.values)
            text = f"case when trim({deciding}) in ({values}) then null else {text} end"
        found[column.name] = text
    return found


def understood_headers(contract: Contract) -> set[str]:
    """Header keys that the contract knows, for telling unknown columns."""
    keys: set[str] = set()
    for column in contract.columns:
        names = [*column.headers, *column.composed_of, column.label_zh, column.name]
        if column.unknown_when:
            names.append(column.unknown_when.header)
        keys.update(header_key(name) for name in names)
    return keys


def missing_required(contract: Contract, delivered: Sequence[str]) -> list[str]:
    """Labels of required columns that no header stands for and nothing else can supply."""
    found = column_sources(contract, delivered)
    return [
        f"{column.label_zh} ({' / '.join(column.headers or column.composed_of)})"
        for column in contract.columns
        if column.required
        and column.name not in found
        and column.default is None
        and column.otherwise is None
    ]


def row_rules(contract: Contract) -> tuple[Rule, ...]:
    """Every rule a row is held to: those that follow from the columns, then the contract's own."""
    rules: list[Rule] = []
    for column in contract.columns:
        name, label = column.name, column.label_zh
        if not (column.headers or column.composed_of or column.otherwise):
            continue
        unread = f"coalesce(contains(unreadable, ',{name},'), false)"
        if column.type not in ("text", "name"):
            rules.append(
                _critical(
                    f"{name}_is_readable",
                    name,
                    f"not {unread}",
                    f"{label}无法识别",
                    READABLE_AS.get(column.type, ""),
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
                    f"{label}小于{column.minimum}",
                )
            )
        if column.maximum is not None:
            rules.append(
                _critical(
                    f"{name}_is_not_too_large",
                    name,
                    f"{name} <= {column.maximum}",
                    f"{label}大于{column.maximum}",
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
        if column.type in ("id_number", "certificate_number") or is_number_in_text:
            rules.append(
                _critical(
                    f"{name}_is_not_scientific",
                    name,
                    f"not {identity.is_scientific(name)}",
                    f"{label}被电子表格改成科学计数法，末位已丢失",
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
                _critical(
                    f"{name}_is_born_before_delivery",
                    name,
                    f"length({name}) <> 18 or substr({name}, 7, 8) "
                    "<= strftime(delivered_on, '%Y%m%d')",
                    f"{label}中的出生日期晚于送达日期",
                )
            )
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


def typed_select(
    contract: Contract,
    codes: Codes,
    delivered: Sequence[str],
    rows: str,
    constants: Mapping[str, str],
) -> str:
    """The SELECT that types the rows of one delivery and names the critical rules each breaks.

    `rows` is the FROM item that has the delivered headers and `__row_number`; `constants` are the
    received columns as SQL (`delivery_id`, `sender`, `period`, `period_month`, `delivered_on`).
    Columns out: the contract's, `delivered_on`, `unreadable`, and the names of the rules that the
    row breaks: `refused_by` (critical; null if accepted) and `warned_by` (warnings).
    """
    sources = column_sources(contract, delivered)
    identities = _identities(contract)
    made = {*constants, "row_number", *identities}
    own = [column for column in contract.columns if column.name not in made]
    typed = {column.name: _typed(column, codes) for column in own}
    read = [name for name, expression in typed.items() if expression != name]
    unread = {
        name: f"{name} is null and nullif(trim({name}__text, '{BLANKS}'), '') is not null"
        for name in read
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
    texts = [f"{_clean(column, sources.get(column.name))} as {column.name}" for column in own]
    supplied = [f"{_supplied(column)} as {column.name}" for column in own]
    decoded = [f"{expression} as {name}" for name, expression in typed.items()]
    decoded += [f"{name} as {name}__text" for name in read]
    decoded += [f"{expression} as {name}" for name, expression in constants.items()]
    kept = [column.name for column in contract.columns if column.name in typed]
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
typed as (
    select row_number, {", ".join(decoded)}
    from supplied
),
judged as (
    select {", ".join(kept + identified)}, ',' || {_names_of(unread)} || ',' as unreadable
    from typed
)
select
    {", ".join([*kept, *identities])}, unreadable,
    {_names_of(broken["critical"])} as refused_by,
    {_names_of(broken["warning"])} as warned_by
from judged
"""


def _identities(contract: Contract) -> dict[str, str]:
    """Columns made of the typed ones: what tells the persons and households of a dataset apart."""
    columns = {column.name for column in contract.columns}
    found: dict[str, str] = {}
    if "record_identity" in columns:
        found["record_identity"] = (
            f"coalesce(id_number, '') || '|' || {identity.name_key('person_name')}"
        )
    if "household_identity" in columns:
        areas = [c.name for c in contract.columns if "area_code" in (c.type, c.name)]
        if not areas:
            raise ContractError(f"{contract.name}: a household number needs an area code beside it")
        found["household_identity"] = f"substr({areas[0]}, 1, 6) || '|' || household_number"
    return found


def _names_of(faults: Mapping[str, str]) -> str:
    """The names whose predicate is true, joined by commas; null if there are none."""
    if not faults:
        return "null::varchar"
    named = ", ".join(f"case when {test} then {literal(name)} end" for name, test in faults.items())
    # nearly every row is good: one conjunction tells it, and only the others are taken apart
    any_fault = " or ".join(f"({test})" for test in faults.values())
    return f"case when {any_fault} then concat_ws(',', {named}) end"


def _critical(name: str, column: str, expression: str, why: str, mend: str = "") -> Rule:
    return Rule(name, "critical", expression, (column,), why, mend)


def _clean(column: Column, source: str | None) -> str:
    if source is None:
        return "null::varchar"
    if column.type in ("id_number", "certificate_number"):
        # the common case first: mending costs several times what recognising does
        return (
            f"case when regexp_full_match({source}, '[0-9]{{17}}[0-9X]') then {source} "
            f"else nullif({identity.normalised_id(source)}, '') end"
        )
    if column.type not in ("text", "name", "code", "flag") and not (
        column.otherwise or column.default
    ):
        # trimming costs more than reading a number: left to what is not read at once
        return f"nullif({source}, '')"
    return f"nullif(trim({source}, '{BLANKS}'), '')"


def _supplied(column: Column) -> str:
    options = [column.name]
    if column.otherwise is not None:
        options.append(f"({column.otherwise})")
    if column.default is not None:
        options.append(literal(column.default))
    return f"coalesce({', '.join(options)})" if len(options) > 1 else column.name


def _typed(column: Column, codes: Codes) -> str:
    name = column.name
    if column.type in ("text", "name", "id_number", "certificate_number"):
        return name
    if column.type == "code":
        words = codes.get(column.codes or "")
        if not words:
            raise ContractError(f"column {name}: no code list {column.codes!r} in policies/")
        listed = ", ".join(f"{literal(text)}: {literal(code)}" for text, code in words.items())
        return f"map {{{listed}}}[{name}]"
    half_width = f"translate({name}, '{identity.FULL_WIDTH}', '{identity.HALF_WIDTH}')"
    mended = f"trim({half_width}, '{BLANKS}')"
    if column.type == "area_code":
        return (
            f"case when regexp_full_match({name}, '[0-9]{{12}}') then {name} "
            f"when regexp_full_match({mended}, '([0-9]{{2}}){{1,3}}|[0-9]{{9}}|[0-9]{{12}}') "
            f"then rpad({mended}, 12, '0') end"
        )
    if column.type in ("integer", "year"):
        digits = f"regexp_extract({mended}, '^(-?[0-9]+)(\\.0*)?年?$', 1)"
        return (
            f"case when regexp_full_match({name}, '-?[0-9]+') "
            f"then try_cast({name} as {column.duckdb_type}) "
            f"else try_cast({digits} as {column.duckdb_type}) end"
        )
    if column.type in ("yuan", "number"):
        # programs write `1e+05` when it is exact; a spreadsheet's `1.23E+05` has lost digits
        grouped = "[+-]?([0-9]+|[0-9]{1,3}(,[0-9]{3})+)?([.][0-9]*)?"
        digits = f"replace(regexp_extract({mended}, '^({grouped})$', 1), ',', '')"
        return (
            f"case when regexp_full_match({name}, '-?[0-9]+([.][0-9]+)?(e[+-]?[0-9]+)?') "
            f"then try_cast({name} as {column.duckdb_type}) "
            f"else try_cast({digits} as {column.duckdb_type}) end"
        )
    if column.type == "date":
        return _date(name, mended)
    if column.type == "month":
        digits = (
            f"try_strptime(regexp_extract({mended}, "
            "'^([0-9]{6}|[0-9]{4}[-/.年][0-9]{1,2})月?$', 1), "
            "['%Y%m', '%Y-%m', '%Y/%m', '%Y.%m', '%Y年%m'])"
        )
        return f"date_trunc('month', coalesce({digits}::date, {_date(name, mended)}))::date"
    if column.type == "flag":
        return f"map {{'是': true, '否': false, '1': true, '0': false}}[{name}]"
    raise ContractError(f"column {name}: a delivered column cannot be of type {column.type!r}")


def _date(name: str, mended: str) -> str:
    """Whole dates, a time of day after them left out; a mere cast takes `epoch` for one."""
    formats = ["%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%Y年%m月%d日", "%Y.%m.%d"]
    listed = ", ".join(literal(entry) for entry in formats)
    shape = "([0-9]{8}|[0-9]{4}[-/.年][0-9]{1,2}[-/.月][0-9]{1,2}日?)([ T][0-9:.]+)?"
    parsed = (
        f"case when regexp_full_match({name}, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}') "
        f"then try_cast({name} as date) "
        f"else try_strptime(regexp_extract({mended}, '^{shape}$', 1), [{listed}])::date end"
    )
    return f"case when year({parsed}) between {EARLIEST_YEAR} and {LATEST_YEAR} then {parsed} end"

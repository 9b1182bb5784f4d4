"""From delivered text to typed rows: one SELECT per dataset, made from its contract.

Text that is not of its column's type becomes null and its column is named in `unreadable`, so that
a rule can refuse the row; nothing is guessed. Amounts are rounded to the fen.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from minsheng import identity
from minsheng.cell_forms import (
    NUMBERS_AS_TEXT,
    CellForm,
    Codes,
    clean_text,
    form_of,
    odd_text,
)
from minsheng.contracts import RECEIVED, Column, Contract, ContractError
from minsheng.headers import BLANKS, QUANTITIES, column_sources, column_texts, says_nothing
from minsheng.quoting import literal
from minsheng.row_rules import kept_if_plain, row_rules

TELLING_APART = (
    "birth_date",
    "village_code",
    "household_number",
    "phone",
    "student_number",
    "certificate_number",
)
"""What tells the records of a dataset apart beside the name, where there is no number."""

HOUSEHOLD_NUMBERS: Mapping[str, str] = {
    "household_identity": "household_number",
    "co_living_identity": "co_living_number",
    "registration_identity": "hukou_number",
}
"""What tells households apart, and the number it is made from."""


@dataclass(frozen=True)
class Typing:
    """How the rows of deliveries are typed: their contract, code lists, headers and units.

    `rows` is the FROM item that has the delivered headers and `__row_number`; `units` are the
    delivered units of columns that are not in their own.
    """

    contract: Contract
    codes: Codes
    delivered: Sequence[str]
    rows: str
    units: Mapping[str, str]

    def others_select(self) -> str:
        """One row, a flag a column: whether any cell of it is in another than the plain form.

        To look first costs little, and what need not be read otherwise nothing.
        """
        looked = {}
        for name, column in self._columns.items():
            form = self._forms[name]
            # what is made of another column's text is known when that one is mended
            looked[name] = (
                "true" if column.otherwise else form.has_others(name) if form else odd_text(column)
            )
        flags = [
            f"coalesce(bool_or({test}), false) as {name}" for name, test in looked.items() if test
        ]
        return f"{self._plain_stage({}, ())} select {', '.join(flags) or 'true as none'} from plain"

    def select(self, received: Mapping[str, str], others: Collection[str]) -> str:
        """The SELECT that types the rows and names the rules that each breaks.

        `received` are what no cell says, as SQL over `rows` (`delivery_id`, `sender`, `period`,
        `period_month`, `delivered_on`); `others` the columns that `others_select` flags.
        Columns out: the contract's, `delivered_on`, `unreadable` (columns whose text is not
        understood), `disagreeing` (columns for which two delivered ones stand that say different
        things), `misspelt` (identity numbers with a wrong check character), `converted` (each value
        that was not read from its plain form, `column: kind`; null if all were), and the names of
        the rules that the row breaks: `refused_by` (critical; null if accepted) and `warned_by`
        (warnings).
        """
        own, synonyms = self._own, self._synonyms
        identities = _identities(self.contract)
        forms = {name: form for name, form in self._forms.items() if form}
        paired = {*synonyms, *(column.name for column in synonyms.values())}
        read = [name for name in forms if name in others or name in paired]
        mended = self._mended(others)
        marked = {
            column.name: f"{column.name} is null and {says_nothing(f'{column.name}__text')}"
            for column in own
            if column.type in QUANTITIES and column.name in others
        }
        unread = {
            name: f"{name} is null and nullif(trim({name}__text, '{BLANKS}'), '') is not null"
            + (f" and not {says_nothing(f'{name}__text')}" if name in marked else "")
            for name in forms
            if name in others and name not in synonyms
        }
        typed = [
            forms[name].value(name, name not in others) if name in forms else name
            for name in self._columns
        ]
        typed += [f"{name} as {name}__text" for name in read]
        typed += [f"{name}__plain" for name in forms if name in others]
        typed += [f"{name}__delivered" for name in mended]
        numbers = [column.name for column in own if column.type == "id_number"]
        typed += [f"{identity.has_wrong_check_digit(name)} as {name}__misspelt" for name in numbers]
        misspelt = [(f"{name}__misspelt", literal(name)) for name in numbers]
        typed += received
        disagreeing = [
            (_disagree(name, column, is_read=name in forms), literal(column.name))
            for name, column in synonyms.items()
        ]
        conversions = [
            each
            for name, form in forms.items()
            if name not in synonyms
            for each in form.conversions(name, name not in others)
        ]
        conversions += [
            (f"{name} is not null", literal(f"{name}: one of several columns"))
            for name in dict.fromkeys(column.name for column in synonyms.values())
        ]
        conversions += [
            (test, literal(f"{name}: a mark for nothing")) for name, test in marked.items()
        ]
        conversions += [
            (f"{name}__delivered <> {name}", f"'{name}: one form of digits'") for name in mended
        ]
        certain = {
            rule for name in self._columns if name not in others for rule in kept_if_plain(name)
        }
        rules = [rule for rule in row_rules(self.contract) if rule.name not in certain]
        broken = {
            severity: [
                (f"not coalesce({rule.expression}, true)", literal(rule.name))
                for rule in rules
                if rule.severity == severity
            ]
            for severity in ("critical", "warning")
        }
        kept = [column.name for column in own] + ["row_number", *received]
        identified = [f"{expression} as {name}" for name, expression in identities.items()]
        unreadable = [(test, literal(name)) for name, test in unread.items()]
        return f"""{self._plain_stage(received, others)},
typed as (
    select row_number, {", ".join(typed)}
    from plain
),
judged as (
    select {", ".join(kept + identified)},
        {_named(unreadable, ",")} as unreadable,
        {_named(disagreeing)} as disagreeing,
        {_named(misspelt, ",")} as misspelt,
        {_named(conversions)} as converted
    from typed
)
select
    {", ".join([*kept, *identities])}, unreadable, disagreeing, misspelt, converted,
    {_named(broken["critical"])} as refused_by,
    {_named(broken["warning"])} as warned_by
from judged
"""

    def _plain_stage(self, received: Mapping[str, str], others: Collection[str]) -> str:
        """Common table expressions up to `plain`: the texts, and what the plain form says."""
        columns = self._columns
        mended = self._mended(others)
        texts = [
            f"{clean_text(column, self._sources.get(name), name not in others)} as {name}"
            for name, column in columns.items()
        ]
        texts += [f"{self._sources[name]} as {name}__delivered" for name in mended]
        texts += [f"{expression} as {name}" for name, expression in received.items()]
        passed = [*(f"{name}__delivered" for name in mended), *received]
        supplied = [f"{_supplied(column)} as {name}" for name, column in columns.items()]
        supplied += passed
        plain = [*columns, *passed]
        plain += [f"{form.plain} as {name}__plain" for name, form in self._forms.items() if form]
        return f"""
with texts as (
    select __row_number as row_number, {", ".join(texts)}
    from {self.rows}
),
supplied as (
    select row_number, {", ".join(supplied)}
    from texts
),
plain as (
    select row_number, {", ".join(plain)}
    from supplied
)"""

    def _mended(self, others: Collection[str]) -> list[str]:
        """Delivered numbers whose digits may stand in another form."""
        return [
            column.name
            for column in self._own
            if column.type in NUMBERS_AS_TEXT
            and column.name in others
            and column.name in self._sources
        ]

    @cached_property
    def _own(self) -> list[Column]:
        """Columns that a cell is read for; the others are made or received."""
        made = {*RECEIVED, "delivered_on", *_identities(self.contract)}
        return [column for column in self.contract.columns if column.name not in made]

    @cached_property
    def _synonyms(self) -> dict[str, Column]:
        """Further delivered columns of a meaning, under names of their own."""
        found = {}
        for name, texts in column_texts(self.contract, self.delivered).items():
            for place in range(2, len(texts) + 1):
                found[f"{name}__{place}"] = self.contract.column(name)
        return found

    @cached_property
    def _sources(self) -> dict[str, str]:
        """The delivered text of each column, as SQL."""
        sources = dict(column_sources(self.contract, self.delivered))
        for name, texts in column_texts(self.contract, self.delivered).items():
            sources |= {f"{name}__{place}": text for place, text in enumerate(texts[1:], start=2)}
        return sources

    @cached_property
    def _columns(self) -> dict[str, Column]:
        """Everything that a cell is read for, by its name in the SELECT."""
        return {column.name: column for column in self._own} | {
            name: replace(column, name=name, default=None, otherwise=None)
            for name, column in self._synonyms.items()
        }

    @cached_property
    def _forms(self) -> dict[str, CellForm | None]:
        meanings = {name: column.name for name, column in self._synonyms.items()}
        return {
            name: form_of(column, self.codes, self.units.get(meanings.get(name, name)))
            for name, column in self._columns.items()
        }


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
            # without a number the name alone does not tell two persons of a dataset apart, and
            # what may stand in the place of one, such as eighteen noughts, is none
            listed = ", ".join(f"coalesce({name}::varchar, '')" for name in others)
            is_proven = identity.is_proven("id_number", "id_number__misspelt")
            named = f"case when {is_proven} then {named} else concat_ws('|', {named}, {listed}) end"
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


def _named(tests: Sequence[tuple[str, str]], around: str = "") -> str:
    """The names (as SQL) whose predicate is true, joined by commas; null if there are none.

    `around` is a sign before the first and behind the last.
    """
    if not tests:
        return "null::varchar"
    named = ", ".join(f"case when {test} then {name} end" for test, name in tests)
    # nearly every row is good: one conjunction tells it, and only the others are taken apart
    any_of_them = " or ".join(f"({test})" for test, _ in tests)
    listed = f"concat_ws(',', {named})"
    if around:
        listed = f"{literal(around)} || {listed} || {literal(around)}"
    return f"case when {any_of_them} then {listed} end"


def _supplied(column: Column) -> str:
    options = [column.name]
    if column.otherwise is not None:
        options.append(f"({column.otherwise})")
    if column.default is not None:
        options.append(literal(column.default))
    return f"coalesce({', '.join(options)})" if len(options) > 1 else column.name

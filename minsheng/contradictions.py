"""Contradictions: what departments say of one person or household that cannot all be true.

The catalogue `expectations/contradictions.yaml` says which rows contradict each other; from it come
the rows of `quality.contradiction`, which name both sides and hold no personal value. Conditions
are SQL over the columns of the contracts and nothing else: columns, literals, plain functions, and

    attribute(code_column)             what the list of the code in policies/ asks of it
    rule('rule_id', day)               the value in force that day in the county of the left row
    standard('dibao', 'rural', day)    the monthly standard in force there

A condition that is unknown finds nothing.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import sqlglot
from sqlglot import exp

from minsheng import conditions
from minsheng.contracts import Contract, ContractError, Rule, Severity
from minsheng.documents import read_document
from minsheng.linkage import is_personal
from minsheng.policies import NATION
from minsheng.quoting import literal
from minsheng.settings import Settings

CATALOGUE_FILE = "contradictions.yaml"
CATALOGUE = "reference.contradiction"
CONTRADICTION = "quality.contradiction"
Same = Literal["person", "household"]

KEYS: Mapping[str, frozenset[str]] = {
    "left": frozenset({"source", "where"}),
    "right": frozenset({"source", "where", "every", "same", "when"}),
    "without": frozenset({"source", "where", "same", "within", "when"}),
    "unless": frozenset({"source", "where", "same", "when"}),
}
"""The sides of an entry and what each may say."""

PERSON_COLUMNS = ("birth_month",)
"""What is known of a person beside the columns of the row."""

READS = (
    "bridge.person",
    "bridge.household",
    "linked.household",
    "linked.household_member",
    "linked.person",
    "linked.unconfirmed_record",
    "indicators.complete_roll",
    "meta.delivery",
    "reference.area",
    "reference.area_ancestor",
    "reference.code",
    "reference.rule_value",
    "staged.civil_affairs__dibao_standard",
)
"""What the SELECT reads beside the datasets that the catalogue names."""


class ContradictionError(ContractError):
    """An entry of the catalogue that cannot be used; names the contradiction."""


@dataclass(frozen=True)
class Side:
    """Rows of one dataset.

    `where` says which of them, `every` of a right side what all of them say, `when` what holds
    between them and the left row. `within` says which periods of `without` are searched.
    """

    source: str
    where: str = "true"
    every: str = ""
    same: Same = "person"
    within: str = "true"
    when: str = "true"


@dataclass(frozen=True)
class Contradiction:
    """One entry: a left row contradicts a right row, or the absence of a row, or both.

    `without` is a row that should be there; it is only missed where its dataset has come whole.
    `unless` is a row that explains the rest.
    """

    name: str
    severity: Severity
    label_zh: str
    label_en: str
    why: str
    mend: str
    left: Side
    right: Side | None = None
    without: Side | None = None
    unless: Side | None = None

    @property
    def sides(self) -> tuple[tuple[str, Side], ...]:
        named = (("left", self.left), ("right", self.right), ("without", self.without))
        return tuple((n, s) for n, s in (*named, ("unless", self.unless)) if s is not None)


def load_catalogue(settings: Settings) -> tuple[Contradiction, ...]:
    """The catalogue by name; a deployment's entry replaces the project's, or by null removes it."""
    entries: dict[str, object] = {}
    for folder in settings.overlaid("expectations"):
        path = folder / CATALOGUE_FILE
        if path.is_file():
            found = read_document(path) or {}
            if not isinstance(found, dict):
                raise ContradictionError(f"{path}: expected names and conditions")
            entries |= found
    return tuple(
        _contradiction(name, entry) for name, entry in sorted(entries.items()) if entry is not None
    )


def catalogue_hash(catalogue: Sequence[Contradiction]) -> str:
    """Changes when anything that the catalogue says changes."""
    return hashlib.sha256(repr(catalogue).encode()).hexdigest()[:16]


def promised(contract: Contract, catalogue: Sequence[Contradiction]) -> Contract:
    """The contract of `quality.contradiction` with a rule for each contradiction.

    The checks count by it how many rows each contradiction has.
    """
    rules = tuple(
        Rule(
            name=each.name,
            severity=each.severity,
            expression=f"contradiction <> {literal(each.name)}",
            columns=("contradiction",),
            why=each.why,
            mend=each.mend,
        )
        for each in catalogue
    )
    return replace(contract, rules=(*contract.rules, *rules))


def reference_rows(catalogue: Sequence[Contradiction]) -> list[dict[str, object]]:
    """The rows of `reference.contradiction`: what each is called, and why it is one."""
    return [
        {
            "contradiction": each.name,
            "severity": each.severity,
            "label_zh": each.label_zh,
            "label_en": each.label_en,
            "why": each.why,
            "mend": each.mend,
            "left_source": each.left.source,
            "right_source": each.right.source if each.right else None,
            "without_source": each.without.source if each.without else None,
        }
        for each in catalogue
    ]


def tables_read(catalogue: Sequence[Contradiction]) -> tuple[str, ...]:
    """Names of the tables that the SELECT of the catalogue reads."""
    staged = {f"staged.{side.source}" for each in catalogue for _, side in each.sides}
    return tuple(sorted({*READS, *staged}))


def contradiction_selects(
    catalogue: Sequence[Contradiction],
    contracts: Mapping[str, Contract],
    rule_ids: frozenset[str],
) -> Iterator[str]:
    """The SELECTs of `quality.contradiction`: each has one row per left row that is contradicted.

    The right row is the first by period, delivery and row of `pair_count`; it is empty where
    nothing but an absence contradicts. Raises ContradictionError if a condition is more than plain
    SQL over columns of the contracts or looks up what nobody decides.
    """
    for each in catalogue:
        yield _Statement(each, contracts, rule_ids).sql()


_COMMON = f"""
with membership as (
    -- a person belongs to the household of the last roll that lists the person
    select person_id, household_id, year as from_year,
        coalesce(lead(year) over (partition by person_id order by year), 9999) as before_year
    from (
        select person_id, household_id, year from linked.household_member
        qualify row_number() over (partition by person_id, year order by household_id) = 1
    )
),
period as (
    -- of a month that nobody delivered between two that somebody did nothing is known
    select source, unnest(range(first_month, last_month + interval 1 day,
        to_months(step)))::date as period_month
    from (
        select department || '__' || dataset as source, min(period_month) as first_month,
            max(period_month) as last_month,
            case when bool_and(month(period_month) = 12) then 12 else 1 end as step
        from meta.delivery where delivery_status = 'effective'
        group by all
    )
),
judged as (
    select period.source, county.county_code, period.period_month,
        bool_or(complete.delivery_id is not null) as is_complete
    from period
    cross join (
        select area_code as county_code from reference.area where area_level = 'county'
    ) as county
    left join indicators.complete_roll as complete
        on complete.source = period.source and complete.county_code = county.county_code
        and complete.period_month = period.period_month
    group by period.source, county.county_code, period.period_month
),
rule_span as (
    select rule.rule_id, county.area_code as county_code, rule.effective_from, rule.effective_to,
        rule.value, ancestor.distance
    from (
        -- the nation's values hold where the county is not known
        select area_code from reference.area where area_level = 'county'
        union all
        select '{NATION}' as area_code
    ) as county
    cross join reference.rule_value as rule
    left join reference.area_ancestor as ancestor
        on ancestor.area_code = county.area_code and ancestor.ancestor_code = rule.area_code
    where ancestor.area_code is not null or rule.area_code = '{NATION}'
),
standard_span as (
    select standard.assistance_code, standard.residence_code, county.area_code as county_code,
        standard.effective_from, coalesce(standard.effective_to, date '9999-12-31') as effective_to,
        standard.standard_yuan as value, ancestor.distance
    from reference.area as county
    join reference.area_ancestor as ancestor
        on county.area_level = 'county' and ancestor.area_code = county.area_code
    join staged.civil_affairs__dibao_standard as standard
        on standard.area_code = ancestor.ancestor_code
)
"""


@dataclass(frozen=True)
class _Statement:
    """The SELECT of one contradiction."""

    contradiction: Contradiction
    contracts: Mapping[str, Contract]
    rule_ids: frozenset[str]

    def sql(self) -> str:
        each = self.contradiction
        left = each.left
        right = each.right
        if right is None:
            chosen = """
            select left_row.*, null as right_delivery_id, null as right_row_number, 0 as pair_count
            from left_row
            """
        else:
            every = self._expression(right.every or "true", "left", "right")
            chosen = f"""
            select *, count(*) over same_row as pair_count
            from (
                select left_row.*, right_row.period_month as right_month,
                    right_row.delivery_id as right_delivery_id,
                    right_row.row_number as right_row_number,
                    coalesce({every}, false) as agrees
                from left_row
                join right_row on right_row.{right.same}_id = left_row.{right.same}_id
                where ({self._expression(right.when, "left", "right")})
                    and (right_row.delivery_id, right_row.row_number)
                        <> (left_row.delivery_id, left_row.row_number)
            )
            window same_row as (partition by delivery_id, row_number)
            qualify bool_and(agrees) over same_row and row_number() over (
                partition by delivery_id, row_number
                order by right_month, right_delivery_id, right_row_number
            ) = 1
            """
        rows = ", ".join(
            f"{name}_row as (select * from ({self._rows(name, side)}) as record "
            f"where {self._expression(side.where, name, plain=True)})"
            for name, side in each.sides
        )
        conditions = " and ".join(["true", *self._absences()])
        return f"""
        {_COMMON},
        {rows},
        chosen as ({chosen})
        select {literal(each.name)} as contradiction, {literal(each.severity)} as severity,
            person_id, household_id, county_code, period_month,
            {literal(left.source)} as left_source, delivery_id as left_delivery_id,
            row_number as left_row_number,
            {literal(right.source) if right else "null"} as right_source,
            right_delivery_id, right_row_number, pair_count
        from chosen as left_row
        where {conditions}
        """

    def _rows(self, name: str, side: Side) -> str:
        """The dataset's rows with the person and the household that they are about.

        A person is known by a valid number; who has none is nobody that another row could name.
        """
        source = self._contract(side)
        columns = {column.name for column in source.columns}
        selected, joins = ["record.*"], ""
        if is_personal(source):
            joins += f"""
            left join bridge.person as identity on identity.source = {literal(source.table)}
                and identity.delivery_id = record.delivery_id
                and identity.row_number = record.row_number
                and (identity.is_confirmed or identity.id_status_code = 'valid')
            """
            selected += [
                "identity.person_id",
                "identity.birth_month",
                "identity.is_confirmed as is_linked",
            ]
        elif name != "left" and side.same == "person":
            raise self._error(f"rows of {source.table} are about no person")
        else:
            selected += ["null::varchar as person_id", "false as is_linked"]
        if name != "left" and side.same == "person":
            return f"select {', '.join(selected)} from {source.name} as record {joins}"
        if "household_identity" in columns:
            joins += f"""
            left join bridge.household as home on home.source = {literal(source.table)}
                and home.household_notion = 'roll'
                and home.delivery_id = record.delivery_id
                and home.row_number = record.row_number
            """
        elif is_personal(source):
            joins += """
            left join membership as home on home.person_id = identity.person_id
                and year(record.period_month) >= home.from_year
                and year(record.period_month) < home.before_year
            """
        else:
            raise self._error(f"rows of {source.table} are about no household")
        selected.append("home.household_id")
        if name == "left":
            # a row that names no place is of the county whose office sends it
            place = next((c for c in ("village_code", "area_code") if c in columns), "sender")
            joins += f"""
            left join linked.household as household on household.household_id = home.household_id
            left join reference.area as area
                on area.area_code
                    = substr(coalesce(record.{place}, record.sender), 1, 6) || '000000'
                and area.area_level = 'county'
            """
            selected.append("coalesce(area.area_code, household.county_code) as county_code")
        return f"select {', '.join(selected)} from {source.name} as record {joins}"

    def _absences(self) -> Iterator[str]:
        """What must hold of the left row for rows that are not there."""
        each = self.contradiction
        if each.right and each.right.every:
            yield self._nobody_hides(each.right, "right", "true")
        for name, side in each.sides:
            if name in ("unless", "without"):
                between = self._expression(side.when, "left", name)
                searched = self._searched(name, side)
                yield f"""
                not exists (
                    select 1 from {name}_row
                    where {name}_row.{side.same}_id = left_row.{side.same}_id
                    and ({searched}) and ({between}))
                and left_row.{side.same}_id is not null
                """
            if name == "without":
                yield from self._proof(side)

    def _proof(self, side: Side) -> Iterator[str]:
        """What lets an absence be told: the dataset has come whole and nobody may hide in it."""
        asked = {
            f"{c.table}.{c.name}"
            for c in sqlglot.parse_one(side.within, dialect="duckdb").find_all(exp.Column)
        }
        if any(c.startswith("without.") and c != "without.period_month" for c in asked):
            raise self._error(f"{side.within!r}: within asks for no more than without.period_month")
        within = self._expression(side.within, "left", "without")
        yield f"""
        (select bool_and(is_complete) from judged as without_row
        where without_row.source = {literal(side.source)}
        and without_row.county_code = left_row.county_code and ({within}))
        """
        yield self._nobody_hides(side, "without", self._searched("without", side))
        columns = {column.name for column in self._contract(side).columns}
        if side.same == "person":
            yield "left_row.is_linked"
        elif "household_identity" not in columns:
            yield """
            (select bool_and(person.is_confirmed)
            from linked.household_member as member
            join linked.person as person using (person_id)
            where member.household_id = left_row.household_id)
            """

    def _nobody_hides(self, side: Side, name: str, searched: str) -> str:
        """No record of the dataset that does not link may be the person's or a member's."""
        whose = (
            f"{name}_row.person_id = left_row.person_id"
            if side.same == "person"
            else f"{name}_row.person_id in (select member.person_id "
            "from linked.household_member as member "
            "where member.household_id = left_row.household_id)"
        )
        return f"""
        not exists (
            select 1 from linked.unconfirmed_record as {name}_row
            where {name}_row.source = {literal(side.source)} and {whose} and ({searched}))
        """

    def _searched(self, name: str, side: Side) -> str:
        """Which periods' rows are searched: all, where deliveries add up to one register."""
        delivery = self._contract(side).delivery
        is_register = delivery is not None and delivery.mode != "snapshot"
        return self._expression("true" if is_register else side.within, "left", name)

    def _expression(self, text: str, *names: str, plain: bool = False) -> str:
        """The condition over the rows that `names` name, or, if `plain`, over those of one."""
        alias = {name: "record" if plain else f"{name}_row" for name in names}

        def column(node: exp.Column) -> exp.Expr:
            return exp.column(node.name, alias[self._side_of(node, text, alias)])

        def lookup(call: exp.Anonymous, bind: conditions.Bind) -> exp.Expr:
            return self._lookup(call, text, alias, bind)

        try:
            return conditions.bound(text, column, lookup)
        except conditions.ConditionError as fault:
            raise self._error(str(fault)) from None

    def _side_of(self, column: exp.Column, text: str, alias: Mapping[str, str]) -> str:
        """The side that a column belongs to."""
        side = column.table
        is_plain = set(alias.values()) == {"record"}
        if is_plain and not side:
            (side,) = alias
        elif is_plain or side not in alias or column.args.get("db"):
            wanted = "no name before it" if is_plain else f"one of {sorted(alias)} before it"
            raise self._error(f"{text!r}: column {column.sql('duckdb')} needs {wanted}")
        contract = self._contract(dict(self.contradiction.sides)[side])
        known = {each.name for each in contract.columns}
        if is_personal(contract):
            known |= set(PERSON_COLUMNS)
        if column.name not in known:
            raise self._error(f"{text!r}: {contract.table} has no column {column.name!r}")
        return side

    def _lookup(
        self,
        call: exp.Anonymous,
        text: str,
        alias: Mapping[str, str],
        bound: conditions.Bind,
    ) -> exp.Expr:
        """The value that a lookup stands for, as a scalar subquery."""
        name, arguments = call.name.lower(), call.expressions
        texts = [str(each.name) for each in arguments if each.is_string]
        if name == "attribute" and len(arguments) == 1 and isinstance(arguments[0], exp.Column):
            side = self._side_of(arguments[0], text, alias)
            contract = self._contract(dict(self.contradiction.sides)[side])
            codes = contract.column(arguments[0].name).codes
            if codes is None:
                raise self._error(f"{text!r}: {arguments[0].name} is no code")
            code = bound(arguments[0]).sql("duckdb")
            return _scalar(
                "select listed.has_attribute from reference.code as listed "
                f"where listed.code_list = {literal(codes)} and listed.code = {code}"
            )
        if "left" not in alias:
            raise self._error(f"{text!r}: {name}() is looked up for the left row; use `when`")
        if name == "rule" and len(arguments) == 2 and len(texts) == 1:
            if texts[0] not in self.rule_ids:
                raise self._error(f"{text!r}: nobody decides {texts[0]!r}; see policies/")
            wanted = f"span.rule_id = {literal(texts[0])}"
            table = "rule_span"
        elif name == "standard" and len(arguments) == 3 and len(texts) == 2:
            wanted = (
                f"span.assistance_code = {literal(texts[0])} "
                f"and span.residence_code in ({literal(texts[1])}, 'all')"
            )
            table = "standard_span"
        else:
            raise self._error(f"{text!r} is no plain condition: {call.sql('duckdb')}")
        day = bound(arguments[-1]).sql("duckdb")
        return _scalar(
            f"select span.value from {table} as span where {wanted} "
            f"and span.county_code = coalesce({alias['left']}.county_code, {literal(NATION)}) "
            f"and {day} between span.effective_from and span.effective_to "
            "order by span.distance nulls last, span.effective_from desc, span.value limit 1"
        )

    def _contract(self, side: Side) -> Contract:
        contract = self.contracts.get(f"staged.{side.source}")
        if contract is None:
            raise self._error(f"there is no dataset {side.source!r}")
        return contract

    def _error(self, message: str) -> ContradictionError:
        return ContradictionError(f"contradiction {self.contradiction.name}: {message}")


def _scalar(select: str) -> exp.Expr:
    return sqlglot.parse_one(f"({select})", dialect="duckdb")


def _contradiction(name: str, entry: object) -> Contradiction:
    try:
        if not isinstance(entry, dict):
            raise TypeError("expected names and values")
        sides = {key: _side(key, entry[key]) for key in KEYS if entry.get(key) is not None}
        contradiction = Contradiction(name=name, **{"severity": "warning", **entry, **sides})
    except TypeError as fault:
        raise ContradictionError(f"contradiction {name}: {fault}") from None
    if contradiction.right is None and contradiction.without is None:
        raise ContradictionError(f"contradiction {name}: names no `right` and no `without`")
    if contradiction.severity not in get_args(Severity):
        raise ContradictionError(f"contradiction {name}: severity {contradiction.severity!r}")
    return contradiction


def _side(key: str, entry: Mapping[str, str]) -> Side:
    unknown = sorted(set(entry) - KEYS[key])
    if unknown:
        raise TypeError(f"{key} has {unknown}, known are {sorted(KEYS[key])}")
    side = Side(**entry)  # type: ignore[arg-type]  # a wrong `same` is refused just below
    if side.same not in get_args(Same):
        raise TypeError(f"{key} is of the same {side.same!r}, not one of {get_args(Same)}")
    return side

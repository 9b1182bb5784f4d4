"""Dated series that departments deliver, and values of rules that are formulas of them.

A series is an entry of a `series.yaml`: a value of an area from a day to a day, such as the monthly
standard of dibao. A value of a rule may be a formula of series and of rules that are plain numbers:
`24 * dibao_rural_month` is twice the standard of that county and month, for a year.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from minsheng import conditions
from minsheng.contracts import Contract
from minsheng.policies import NATION, PolicyError, load_series
from minsheng.quoting import literal
from minsheng.settings import Settings

SERIES_VALUE = "indicators.series_value"
FORMULA_VALUE = "indicators.formula_value"
FORMULA_READS = (
    "indicators.household_year",
    "meta.build",
    SERIES_VALUE,
    "reference.area",
    "reference.area_ancestor",
    "reference.period",
    "reference.rule_value",
)
"""What the SELECTs of formulas read."""
NUMBER = "decimal(18, 6)"


def tables_read(settings: Settings) -> tuple[str, ...]:
    """Names of the tables that the SELECTs of series read."""
    sources = {f"staged.{each.dataset}" for each in load_series(settings).values()}
    return tuple(sorted({"reference.area_today", *sources}))


def series_selects(settings: Settings, contracts: Mapping[str, Contract]) -> Iterator[str]:
    """The SELECTs of `indicators.series_value`, one a series.

    Of several rows of one area and first day the preferred one holds, and of these the one that
    was told last. Raises PolicyError by the series' name.
    """
    for name, series in load_series(settings).items():
        table = f"staged.{series.dataset}"
        if table not in contracts:
            raise PolicyError(f"series {name}: no dataset {series.dataset!r}")
        bound = {
            field: _bound(name, text, contracts[table])
            for field, text in (
                ("where", series.where),
                ("value", series.value),
                ("from", series.effective_from),
                ("until", series.effective_to),
                ("prefer", series.prefer),
            )
        }
        yield f"""
        select {literal(name)} as series_id, area_code, effective_from, effective_to, value,
            delivery_id, row_number
        from (
            select coalesce(place.today_code, record.area_code) as area_code,
                ({bound["from"]})::date as effective_from,
                coalesce(({bound["until"]})::date, date '9999-12-31') as effective_to,
                ({bound["value"]})::{NUMBER} as value,
                coalesce({bound["prefer"]}, false) as is_preferred, record.period_month,
                record.delivery_id, record.row_number
            from {table} as record
            left join reference.area_today as place on place.area_code = record.area_code
            where {bound["where"]}
        )
        where effective_from is not null and value is not null
        qualify row_number() over (
            partition by area_code, effective_from
            order by is_preferred desc, period_month desc, delivery_id, row_number
        ) = 1
        """


def formula_selects(rules: Sequence[Mapping[str, object]], settings: Settings) -> Iterator[str]:
    """The SELECTs of `indicators.formula_value`, one a value of a rule that is a formula.

    `rules` are the rows of `reference.rule_value`. A month has the values in force on its first
    day; where one of them is missing the formula has none, and says which.
    """
    series = load_series(settings)
    plain = {str(row["rule_id"]) for row in rules if row["value"] is not None}
    for row in rules:
        if row["formula"] is not None:
            yield _Formula(row, str(row["formula"]), frozenset(series), frozenset(plain)).select()


@dataclass(frozen=True)
class _Formula:
    """One value of a rule that is a formula."""

    row: Mapping[str, object]
    text: str
    series: frozenset[str]
    rules: frozenset[str]

    def select(self) -> str:
        names: dict[str, str] = {}

        def operand(node: exp.Column) -> exp.Expr:
            name = node.name
            if node.table or not (name in self.series or name in self.rules):
                raise conditions.ConditionError(
                    f"{self.text!r}: {node.sql()!r} is no series and no rule with plain values"
                )
            names.setdefault(name, f"operand_{len(names)}")
            return exp.column("value", names[name])

        try:
            value = conditions.bound(self.text, operand)
        except conditions.ConditionError as fault:
            raise PolicyError(f"rule {self.row['rule_id']}: {fault}") from None
        tables = ", ".join(f"{alias} as ({self._operand(name)})" for name, alias in names.items())
        joins = " ".join(
            f"left join {alias} "
            f"on {alias}.area_code = place.area_code and {alias}.month = place.month"
            for alias in names.values()
        )
        missing = ", ".join(
            f"case when {alias}.value is null then {literal(name)} end"
            for name, alias in names.items()
        )
        ruled = str(self.row["area_code"])
        first, last = _date(self.row["effective_from"]), _date(self.row["effective_to"])
        return f"""
        with year as (
            select distinct year from indicators.household_year
            union
            select year(as_of_month) from meta.build
        ),
        place as (
            select area.area_code, make_date(year.year::integer, period.month_of_year::integer, 1)
                as month
            from reference.area as area
            cross join year
            join reference.period as period on period.period_type = 'month'
            where area.area_level in ('city', 'county', 'town') and area.effective_to is null
                and ({literal(ruled)} = '{NATION}' or area.area_code in (
                    select area_code from reference.area_ancestor
                    where ancestor_code = {literal(ruled)}))
                and make_date(year.year::integer, period.month_of_year::integer, 1)
                    between {first} and {last}
        ),
        {tables}
        select {literal(str(self.row["rule_id"]))} as rule_id, {literal(ruled)} as decided_by_code,
            {first} as effective_from, place.area_code, place.month,
            ({value})::{NUMBER} as value, nullif(concat_ws(',', {missing}), '') as missing_series
        from place
        {joins}
        """

    def _operand(self, name: str) -> str:
        """The value of a series or rule by area and month: the nearest area's, and its latest."""
        if name in self.series:
            given, is_everywhere = f"{SERIES_VALUE} as given", "false"
            condition = f"given.series_id = {literal(name)}"
        else:
            given, is_everywhere = "reference.rule_value as given", f"given.area_code = '{NATION}'"
            condition = f"given.rule_id = {literal(name)} and given.value is not null"
        return f"""
            select place.area_code, place.month, given.value
            from place
            join {given} on {condition}
                and place.month between given.effective_from and given.effective_to
            left join reference.area_ancestor as above on above.area_code = place.area_code
                and above.ancestor_code = given.area_code
            where above.area_code is not null or {is_everywhere}
            qualify row_number() over (
                partition by place.area_code, place.month
                order by above.distance nulls last, given.effective_from desc
            ) = 1
        """


def _bound(name: str, text: str, source: Contract) -> str:
    """A condition or value over the columns of the dataset of a series."""
    known = {column.name for column in source.columns if column.sensitivity != "direct"}

    def column(node: exp.Column) -> exp.Expr:
        if node.table or node.name not in known:
            raise conditions.ConditionError(f"{text!r}: {source.name} has no column {node.sql()!r}")
        return exp.column(node.name, "record")

    try:
        return conditions.bound(text, column)
    except conditions.ConditionError as fault:
        raise PolicyError(f"series {name}: {fault}") from None


def _date(value: object) -> str:
    return f"date {literal(str(value))}"

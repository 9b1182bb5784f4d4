"""The figures of plan items that are computed from rows: `indicators.item_figure`.

A part of an item names a base (a table of rows with an area and a period) and says with plain
conditions over its documented columns which rows are meant and what is counted of them. All parts
of one base and plan are computed in one reading of the rows in the plan's area and years.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import duckdb
from sqlglot import exp

from minsheng import conditions
from minsheng.contracts import RECEIVED, Contract
from minsheng.linkage import is_personal
from minsheng.plans import PERIODS, ROLL, Part, Plan, PlanError
from minsheng.quoting import literal, quoted

ITEM_FIGURE = "indicators.item_figure"
SHORTFALL = "indicators.item_shortfall"

PROFILES: Mapping[str, tuple[str, str]] = {
    "household_profile": ("household", "household_id"),
    "person_profile": ("person", "person_id"),
    "village_profile": ("village", "village_code"),
}
"""Bases that have one row per entity and year: what the entity is and the column that names it."""
OF_BASE = {
    "year": "integer",
    "month": "date",
    "is_on_roll": "boolean",
    "person_id": "varchar",
    "household_id": "varchar",
    "left_roll_year": "integer",
    "age_years": "integer",
}
"""Columns of the rows of a dataset beside its own: the year for which the row stands, the month of
its period, whose row it is, and whether the person or household stands on the roll of the period's
year, unknown while that of its county has not come; the year from which on the roll lists the
household no longer, unknown while it does or all its members have died; and how old by the last
roll the person is at the end of the period's year. A row of a ledger stands for each year for which
it is the last report."""

READS = (
    "bridge.person",
    "bridge.household",
    "indicators.covered_year",
    "linked.household",
    "linked.household_member",
    "linked.household_year_roll",
    "linked.status_interval",
    "reference.area",
    "reference.area_ancestor",
    "reference.area_today",
    "reference.plan_area",
)
"""What the SELECTs read beside the bases."""

NUMBER = "decimal(38, 6)"
ROW = "rows.delivery_id || '/' || rows.row_number"
"""What names a row of a dataset."""


@dataclass(frozen=True)
class Figure:
    """One computed part of one plan."""

    plan: Plan
    item_id: str
    part: Part

    @property
    def name(self) -> str:
        return f"{self.plan.policy_id} {self.item_id} {self.part.part}"


def figures_of(plans: Sequence[Plan]) -> list[Figure]:
    """The parts that are computed from the rows of a base."""
    return [
        Figure(plan, item.item_id, part)
        for plan in plans
        for item in plan.items
        for part in item.parts
        if part.evaluation == "computed" and part.base
    ]


def check_figures(figures: Sequence[Figure], contracts: Mapping[str, Contract]) -> None:
    """Bind every condition, so that a wrong column or function is told before anything is made.

    Raises PlanError if a base is none or a condition is more than plain SQL over its documented
    columns.
    """
    for figure in figures:
        part = figure.part
        for text in (part.where, part.value, part.over, part.meets):
            if text is not None:
                _bound(figure, text, contracts)


def tables_read(figures: Sequence[Figure]) -> tuple[str, ...]:
    """Names of the tables that the SELECTs read."""
    bases = {_table_of(str(figure.part.base)) for figure in figures}
    return tuple(sorted({*READS, *bases}))


def _table_of(base: str) -> str:
    return f"indicators.{base}" if base in PROFILES else f"staged.{base}"


def figure_selects(
    connection: duckdb.DuckDBPyConnection,
    figures: Sequence[Figure],
    contracts: Mapping[str, Contract],
) -> Iterator[str]:
    """The SELECTs of `indicators.item_figure`, each to be run before the next is asked for.

    They read temporary tables that are made on the way. The figures are such as `check_figures`
    lets pass.
    """
    for of_plan in _with_rows(connection, figures, contracts):
        every = [(f"p{place}", figure) for place, figure in enumerate(of_plan)]
        for period in PERIODS:
            of_period = [each for each in every if each[1].part.period == period]
            for distinct_since, chosen in _of_one_kind(of_period):
                if distinct_since is None:
                    connection.execute(_rolled(period, chosen, contracts))
                else:
                    connection.execute(_rolled_distinct(period, chosen, contracts, distinct_since))
                yield from _figure_selects(chosen)
    connection.execute("drop table if exists temp.rolled")


def _of_one_kind(
    figures: Sequence[tuple[str, Figure]],
) -> Iterator[tuple[str | None, list[tuple[str, Figure]]]]:
    """Figures that are rolled up together; of those that count different values with their rows."""
    kinds: dict[str | None, list[tuple[str, Figure]]] = {}
    for key, figure in figures:
        is_distinct = figure.part.aggregate == "distinct"
        kinds.setdefault(_standing_rows(figure) if is_distinct else None, []).append((key, figure))
    yield from kinds.items()


def shortfall_selects(
    connection: duckdb.DuckDBPyConnection,
    figures: Sequence[Figure],
    contracts: Mapping[str, Contract],
) -> Iterator[str]:
    """The SELECTs of `indicators.item_shortfall`, each to be run before the next is asked for.

    The entities that miss what all have to meet are rows that do not meet a share of 1, and rows of
    which there may be none; of what is not known nobody is named. Where a dataset beside the rows'
    own has not come for their county and year nobody is named either.
    """
    judged = [figure for figure in figures if _names_who_misses(figure)]
    for of_plan in _with_rows(connection, judged, contracts):
        yield from (_shortfall_select(figure, contracts) for figure in of_plan)


def _with_rows(
    connection: duckdb.DuckDBPyConnection,
    figures: Sequence[Figure],
    contracts: Mapping[str, Contract],
) -> Iterator[list[Figure]]:
    """The parts of each base and plan with rows, while `base_rows` has the base's of the plan.

    Those are of the plan's area and years, and of the year before, from which a change is told.
    """
    by_base: dict[str, list[Figure]] = {}
    for figure in figures:
        by_base.setdefault(str(figure.part.base), []).append(figure)
    for base, of_base in sorted(by_base.items()):
        connection.execute(_every_row(base, of_base, contracts))
        areas = connection.execute(
            "select distinct ancestor_code from reference.area_ancestor "
            "semi join (select distinct area_code from every_row) using (area_code)"
        ).fetchall()
        with_rows = {code for (code,) in areas}
        for plan in {each.plan.policy_id: each.plan for each in of_base}.values():
            if plan.area_code in with_rows:
                connection.execute(_base_rows(plan))
                yield [each for each in of_base if each.plan.policy_id == plan.policy_id]
    connection.execute("drop view if exists temp.base_rows; drop table if exists temp.every_row")


def _figure_selects(figures: Sequence[tuple[str, Figure]]) -> list[str]:
    units = [each for each in figures if each[1].part.area_set or each[1].part.unit_level]
    pooled = [each for each in figures if each not in units]
    return [_unit_select(*each) for each in units] + ([_pooled_select(pooled)] if pooled else [])


def _names_who_misses(figure: Figure) -> bool:
    part = figure.part
    limits = set(part.thresholds.values())
    all_must = part.aggregate == "share" and limits == {1} and part.comparator == ">="
    none_may = part.aggregate == "count" and limits == {0} and part.comparator == "<="
    return (all_must or none_may) and not part.change


def _shortfall_select(figure: Figure, contracts: Mapping[str, Contract]) -> str:
    plan, part = figure.plan, figure.part
    entity, column = _entity(part, contracts)
    missed = f"({_where(figure, contracts)})"
    if part.aggregate == "share":
        missed += f" and not ({_meets(figure, contracts)})"
    if part.area_set:
        missed += (
            " and rows.area_code in (select area_code from reference.area_ancestor "
            f"where ancestor_code in ({_members(figure)}))"
        )
    years = ", ".join(map(str, part.thresholds))
    first = str(plan.start_year) if part.since else "standing.year"
    beside = [each for each in part.datasets if each != part.base]
    covered = ""
    if beside:
        covered = f"""
    join (
        select county_code, standing.year
        from indicators.covered_year
        join (select unnest([{years}]) as year) as standing
            on covered_year.year between {first} and standing.year
        where source in ({", ".join(map(literal, beside))})
        group by county_code, standing.year
        having count(*) = {len(beside)} * (standing.year - {first} + 1)
    ) as covered on covered.county_code = area.county_code and covered.year = rows.year
        """
    return f"""
    select distinct {literal(plan.policy_id)} as policy_id,
        {literal(figure.item_id)} as item_id, {literal(part.part)} as part, rows.year,
        {literal(entity)} as entity_type, {column} as entity_id, area.county_code, area.town_code
    from base_rows as rows
    join reference.area as area on area.area_code = rows.area_code
    {covered}
    where {missed} and {column} is not null
        and rows.year in ({years})
    """


def _members(figure: Figure) -> str:
    """A SELECT of the areas of the part's set."""
    return (
        "select area_code from reference.plan_area where area_code is not null "
        f"and policy_id = {literal(figure.plan.policy_id)} "
        f"and area_set = {literal(str(figure.part.area_set))}"
    )


def _entity(part: Part, contracts: Mapping[str, Contract]) -> tuple[str, str]:
    """What an entity is that misses a part, and the column that names it."""
    base = str(part.base)
    if base in PROFILES:
        entity, column = PROFILES[base]
        return entity, f"rows.{column}"
    contract = contracts[_table_of(base)]
    if part.entity != "row":
        if is_personal(contract) and part.entity != "household":
            return "person", "rows.person_id"
        if is_personal(contract) or _names_households(contract):
            return "household", "rows.household_id"
    return "row", ROW


def _names_households(source: Contract) -> bool:
    return any(column.name == "household_identity" for column in source.columns)


def _base_rows(plan: Plan) -> str:
    return f"""
    create or replace temp view base_rows as
    select *
    from every_row
    semi join (
        select area_code from reference.area_ancestor
        where ancestor_code = {literal(plan.area_code)}
    ) using (area_code)
    where year between {plan.start_year - 1} and {plan.end_year}
    """


def _every_row(base: str, figures: Sequence[Figure], contracts: Mapping[str, Contract]) -> str:
    """The rows of a base in the years that its parts need, with `area_code`, `year` and `month`."""
    contract = contracts[_table_of(base)]
    first = min(figure.plan.start_year for figure in figures) - 1
    last = max(figure.plan.end_year for figure in figures)
    rows = (
        f"select *, make_date(year, 12, 1) as month from {contract.name}"
        if base in PROFILES
        else _dataset_select(contract, first)
    )
    met = "".join(
        f", {_met_so_far(figure, contracts)} as {_met(figure)}"
        for figure in figures
        if figure.part.since and figure.part.meets
    )
    return f"""
    create or replace temp table every_row as
    select *{met} from ({rows}) as rows
    where year between {first} and {last} and area_code is not null
    """


def _meets(figure: Figure, contracts: Mapping[str, Contract]) -> str:
    """Whether a row meets a share, or its entity has since the plan began."""
    if figure.part.since:
        return f"rows.{_met(figure)}"
    return f"({_bound(figure, str(figure.part.meets), contracts)})"


def _met(figure: Figure) -> str:
    return quoted(f"met {figure.name}")


def _met_so_far(figure: Figure, contracts: Mapping[str, Contract]) -> str:
    """True once a year met it; until then unknown if nobody told of one of the years."""
    meets = _bound(figure, str(figure.part.meets), contracts)
    met = f"rows.year >= {figure.plan.start_year} and ({meets})"
    _, entity = PROFILES[str(figure.part.base)]
    window = f"over (partition by rows.{entity} order by rows.year)"
    return (
        f"case when bool_or({met}) {window} then true "
        f"when not bool_or(({met}) is null) {window} then false end"
    )


def _standing_rows(figure: Figure) -> str:
    """A FROM item of the rows, each in the years for which it counts.

    Since the plan began a row counts in each later year to which the base goes on in the plan's
    area.
    """
    plan = figure.plan
    if not figure.part.since:
        return "base_rows"
    return f"""(
        select base_rows.* replace (standing.year as year)
        from base_rows
        join (
            select unnest(range({plan.start_year}, {plan.end_year} + 1))::integer as year
        ) as standing on standing.year >= base_rows.year
        where base_rows.year >= {plan.start_year}
            and standing.year <= (select max(told.year) from base_rows as told)
    )"""


def _rolled(
    period: str, figures: Sequence[tuple[str, Figure]], contracts: Mapping[str, Contract]
) -> str:
    """Numerators, denominators and unknown rows of the parts by area of every level and period."""
    aggregates, folds = [], []
    for key, figure in figures:
        numerator, denominator, unknown, fold = _aggregates(figure, contracts)
        aggregates += [
            f"{numerator} as {key}_num",
            f"{denominator} as {key}_den",
            f"{unknown} as {key}_unk",
            f"{_missing(figure, contracts)} as {key}_mis",
        ]
        folds += [
            f"{fold}({key}_num) as {key}_num",
            f"sum({key}_den) as {key}_den",
            f"sum({key}_unk) as {key}_unk",
            f"sum({key}_mis) as {key}_mis",
        ]
    return f"""
    create or replace temp table rolled as
    with finest as (
        select area_code, year, {_period_start(period)} as period_start,
            {", ".join(aggregates)}
        from base_rows as rows
        group by all
    )
    select ancestor.ancestor_code as area_code, ancestor.ancestor_level as area_level,
        finest.year, finest.period_start, {", ".join(folds)}
    from finest
    join reference.area_ancestor as ancestor on ancestor.area_code = finest.area_code
    group by all
    """


def _rolled_distinct(
    period: str,
    figures: Sequence[tuple[str, Figure]],
    contracts: Mapping[str, Contract],
    standing_rows: str,
) -> str:
    """How many different values there are, which do not add up over areas.

    A value of one of the finest areas alone counts once in each area above it, so its counts add
    up; only values of several areas are brought to the areas above. One part is in memory.
    """
    start = _period_start(period)
    counted = [
        f"""
    insert into rolled_value
    with finest as (
        select distinct rows.area_code, rows.year, {start} as period_start, {value} as value
        from {standing_rows} as rows
        where ({_where(figure, contracts)}) and ({value}) is not null
    ),
    of_value as (
        select year, period_start, value, min(area_code) as area_code, count(*) as area_count
        from finest group by year, period_start, value
    ),
    of_one_area as (
        select area_code, year, period_start, count(*) as value_count
        from of_value where area_count = 1 group by area_code, year, period_start
    ),
    of_several as (
        select distinct ancestor.ancestor_code as area_code, ancestor.ancestor_level as area_level,
            year, period_start, value
        from (
            from finest semi join (from of_value where area_count > 1)
            using (year, period_start, value)
        )
        join reference.area_ancestor as ancestor using (area_code)
    )
    select {literal(key)}, ancestor.ancestor_code, ancestor.ancestor_level, year, period_start,
        sum(value_count), 0
    from of_one_area join reference.area_ancestor as ancestor using (area_code)
    group by all
    union all
    select {literal(key)}, area_code, area_level, year, period_start, count(*), 0
    from of_several group by all
    union all
    select {literal(key)}, ancestor.ancestor_code, ancestor.ancestor_level, rows.year, {start},
        0, count(*)
    from {standing_rows} as rows join reference.area_ancestor as ancestor using (area_code)
    where ({_where(figure, contracts)}) and ({value}) is null
    group by all;
    """
        for key, figure in figures
        for value in (_bound(figure, str(figure.part.value), contracts),)
    ]
    columns = ", ".join(
        f"coalesce(sum(value_count) filter (where part_key = {literal(key)}), 0)::{NUMBER} "
        f"as {key}_num, null::{NUMBER} as {key}_den, "
        f"coalesce(sum(unknown_count) filter (where part_key = {literal(key)}), 0)::{NUMBER} "
        f"as {key}_unk, null::{NUMBER} as {key}_mis"
        for key, _ in figures
    )
    return f"""
    create or replace temp table rolled_value as
    with place as (
        select distinct rows.area_code, rows.year, {start} as period_start
        from {standing_rows} as rows
    )
    select distinct null::varchar as part_key, ancestor.ancestor_code as area_code,
        ancestor.ancestor_level as area_level, place.year, place.period_start,
        null::hugeint as value_count, null::hugeint as unknown_count
    from place
    join reference.area_ancestor as ancestor using (area_code);
    {" ".join(counted)}
    create or replace temp table rolled as
    select area_code, area_level, year, period_start, {columns}
    from rolled_value
    group by all;
    drop table rolled_value;
    """


def _period_start(period: str) -> str:
    months = PERIODS[period]
    month = f"1 + (month(rows.month) - 1) // {months} * {months}"
    return f"make_date(rows.year, ({month})::integer, 1)"


def _aggregates(figure: Figure, contracts: Mapping[str, Contract]) -> tuple[str, str, str, str]:
    """Numerator, denominator and unknown rows of an area, and how numerators of areas fold.

    Unknown is a row that a count may mean, and one that is meant whose value or answer nobody told;
    it stands in neither numerator nor denominator.
    """
    part = figure.part
    chosen = _where(figure, contracts)
    where = f"filter (where {chosen})"

    def counted(condition: str) -> str:
        return f"(count(*) filter (where {condition}))::{NUMBER}"

    def summed(value: str, condition: str) -> str:
        return f"coalesce(sum(({value})::{NUMBER}) filter (where {condition}), 0)::{NUMBER}"

    none = f"null::{NUMBER}"
    if part.aggregate == "count":
        return counted(chosen), none, counted(f"({chosen}) is null"), "sum"
    if part.aggregate == "share":
        meets = f"({_meets(figure, contracts)})"
        known = counted(f"({chosen}) and {meets} is not null")
        return (
            counted(f"({chosen}) and {meets}"),
            known,
            counted(f"({chosen}) and {meets} is null"),
            "sum",
        )
    value = f"({_bound(figure, str(part.value), contracts)})"
    if part.aggregate == "ratio":
        over = f"({_bound(figure, str(part.over), contracts)})"
        both = f"({chosen}) and {value} is not null and {over} is not null"
        unknown = counted(f"({chosen}) and ({value} is null or {over} is null)")
        return summed(value, both), summed(over, both), unknown, "sum"
    unknown = counted(f"({chosen}) and {value} is null")
    if part.aggregate == "mean":
        return summed(value, chosen), counted(f"({chosen}) and {value} is not null"), unknown, "sum"
    if part.aggregate == "sum":
        return summed(value, chosen), none, unknown, "sum"
    fold = "min" if part.aggregate == "minimum" else "max"
    return f"({fold}({value}::{NUMBER}) {where})::{NUMBER}", none, unknown, fold


def _missing(figure: Figure, contracts: Mapping[str, Contract]) -> str:
    """How many entities are counted of which there may be none; null of any other part."""
    part = figure.part
    if part.aggregate != "count" or not _names_who_misses(figure):
        return f"null::{NUMBER}"
    entity, column = _entity(part, contracts)
    each = "*"
    if part.base not in PROFILES and entity != "row":
        each = f"distinct coalesce({column}, {ROW})"
    years = ", ".join(map(str, part.thresholds))
    counted = f"(count({each}) filter (where {_where(figure, contracts)}))::{NUMBER}"
    return f"case when any_value(rows.year) in ({years}) then {counted} end"


def _lowest(aggregate: str, numerator: str, denominator: str, unknown: str) -> str:
    """The least that the unknown rows can make of a figure; null where nothing bounds it.

    What is summed is not negative, so that a row that is not told can only add. `aggregate` is SQL.
    """
    return f"""case
        when {aggregate} = 'share' then {numerator} / nullif({denominator} + {unknown}, 0)
        when {aggregate} in ('count', 'distinct', 'sum', 'maximum') or {unknown} = 0
            and {aggregate} = 'minimum' then {numerator}
        when {unknown} = 0 then {numerator} / nullif({denominator}, 0)
    end::double"""


def _highest(aggregate: str, numerator: str, denominator: str, unknown: str) -> str:
    """The greatest that the unknown rows can make of a figure; null where nothing bounds it."""
    return f"""case
        when {aggregate} = 'share'
            then ({numerator} + {unknown}) / nullif({denominator} + {unknown}, 0)
        when {aggregate} in ('count', 'distinct') then {numerator} + {unknown}
        when {aggregate} = 'minimum' or {unknown} = 0 and {aggregate} in ('sum', 'maximum')
            then {numerator}
        when {unknown} = 0 then {numerator} / nullif({denominator}, 0)
    end::double"""


def _bounds(changed: str) -> str:
    """Columns of a figure `now` that say how many rows are unknown and what they can make of it.

    Of a change from `before`, which is SQL, nothing bounds it.
    """
    if changed == "now.value":
        return "now.unknown_count::bigint as unknown_count, now.lowest_value, now.highest_value"
    both = "now.unknown_count + before.unknown_count"
    known = f"case when {both} = 0 then {changed} end"
    return f"({both})::bigint as unknown_count, {known} as lowest_value, {known} as highest_value"


def _pooled_select(figures: Sequence[tuple[str, Figure]]) -> str:
    """The rows of all parts that pool the rows of an area, of what was rolled up."""
    spec = ", ".join(
        "("
        + ", ".join(
            literal(text)
            for text in (
                key,
                figure.plan.policy_id,
                figure.item_id,
                figure.part.part,
                figure.plan.area_code,
                figure.part.period,
                str(figure.part.aggregate),
                figure.part.change or "",
            )
        )
        + f", {figure.plan.start_year}, {figure.plan.end_year})"
        for key, figure in figures
    )
    levels = ", ".join(
        f"({literal(key)}, {literal(level)})"
        for key, figure in figures
        for level in figure.part.area_levels
    )
    columns = ", ".join(
        f"({key}_num, {key}_den, {key}_unk, {key}_mis) as {key}" for key, _ in figures
    )
    return f"""
    with spec (key, policy_id, item_id, part, plan_area, period_type, aggregate, change,
        start_year, end_year) as (values {spec}),
    wanted (key, area_level) as (values {levels}),
    told as (
        from rolled
        unpivot include nulls (
            (numerator, denominator, unknown_count, missing_count) for key in ({columns})
        )
    ),
    valued as (
        select told.*, spec.* exclude (key),
            case when aggregate in ('share', 'mean', 'ratio')
                then numerator / nullif(denominator, 0) else numerator end::double as value,
            {_lowest("aggregate", "numerator", "denominator", "unknown_count")} as lowest_value,
            {_highest("aggregate", "numerator", "denominator", "unknown_count")} as highest_value
        from told
        join spec using (key)
        join reference.area_ancestor as within
            on within.area_code = told.area_code and within.ancestor_code = spec.plan_area
        where told.year between spec.start_year - 1 and spec.end_year
    )
    select now.policy_id, now.item_id, now.part, now.area_code, now.area_level, now.year,
        now.period_type, now.period_start,
        case now.change
            when 'growth' then now.value / nullif(before.value, 0) - 1
            when 'difference' then now.value - before.value
            else now.value
        end as value,
        now.numerator::double as numerator, now.denominator::double as denominator,
        case when now.aggregate = 'share' and now.change = ''
            then now.denominator - now.numerator else now.missing_count end::bigint
            as shortfall_count,
        case when now.change = '' then now.unknown_count
            else now.unknown_count + before.unknown_count end::bigint as unknown_count,
        case when now.change = '' then now.lowest_value
            when now.unknown_count + before.unknown_count > 0 then null
            when now.change = 'growth' then now.value / nullif(before.value, 0) - 1
            else now.value - before.value end as lowest_value,
        case when now.change = '' then now.highest_value
            when now.unknown_count + before.unknown_count > 0 then null
            when now.change = 'growth' then now.value / nullif(before.value, 0) - 1
            else now.value - before.value end as highest_value
    from valued as now
    join wanted on wanted.key = now.key and wanted.area_level = now.area_level
    left join valued as before on before.key = now.key and before.area_code = now.area_code
        and before.period_start = (now.period_start - interval 1 year)::date
    where now.year >= now.start_year and (now.change = '' or before.key is not null)
    """


def _unit_select(key: str, figure: Figure) -> str:
    """The rows of one part that looks at units: every unit of a level, or a set of areas.

    An area above the units of a set pools those units alone.
    """
    plan, part = figure.plan, figure.part
    has_denominator = part.aggregate in ("share", "mean", "ratio")
    value = f"{key}_num / nullif({key}_den, 0)" if has_denominator else f"{key}_num"
    fold = {"minimum": "min", "maximum": "max"}.get(str(part.aggregate), "sum")
    levels = ", ".join(literal(level) for level in part.area_levels)
    within = (
        "select area_code from reference.area_ancestor "
        f"where ancestor_code = {literal(plan.area_code)}"
    )
    rows = f"""
        select area_code, area_level, year, period_start,
            {key}_num, {key}_den, {key}_unk, {key}_mis
        from rolled where area_code in ({within})
            and year between {plan.start_year - 1} and {plan.end_year}
    """
    if part.area_set:
        member = _members(figure)
        rows = f"""
        from ({rows}) where area_code in (
            select area_code from reference.area_ancestor where ancestor_code in ({member}))
        union all
        select above.ancestor_code, above.ancestor_level, unit.year, unit.period_start,
            {fold}(unit.{key}_num), sum(unit.{key}_den), sum(unit.{key}_unk),
            sum(unit.{key}_mis)
        from ({rows}) as unit
        join reference.area_ancestor as above
            on above.area_code = unit.area_code and above.distance > 0
        where unit.area_code in ({member}) and above.ancestor_code in ({within})
        group by all
        """
    told = literal(str(part.aggregate)), f"{key}_num", f"{key}_den", f"{key}_unk"
    valued = f"""
        select area_code, area_level, year, period_start,
            ({value})::double as value, {key}_num as numerator, {key}_den as denominator,
            {key}_unk as unknown_count, {key}_mis as missing_count,
            {_lowest(*told)} as lowest_value, {_highest(*told)} as highest_value
        from ({rows})
    """
    if part.geography == "every":
        valued = _of_every_unit(figure, valued)
    changed, joined = "now.value", ""
    if part.change:
        changed = (
            "now.value / nullif(before.value, 0) - 1"
            if part.change == "growth"
            else "now.value - before.value"
        )
        joined = (
            "join valued as before on before.area_code = now.area_code "
            "and before.period_start = (now.period_start - interval 1 year)::date"
        )
    missed = "now.missing_count::bigint"
    if part.geography == "every" and not part.change:
        missed = "now.missed_count"
    elif part.aggregate == "share" and not part.change:
        missed = "(now.denominator - now.numerator)::bigint"
    return f"""
    with valued as ({valued})
    select {literal(plan.policy_id)} as policy_id, {literal(figure.item_id)} as item_id,
        {literal(part.part)} as part, now.area_code, now.area_level, now.year,
        {literal(part.period)} as period_type, now.period_start, {changed} as value,
        now.numerator::double as numerator, now.denominator::double as denominator,
        {missed} as shortfall_count, {_bounds(changed)}
    from valued as now {joined}
    where now.area_level in ({levels}) and now.year >= {plan.start_year}
    """


def _of_every_unit(figure: Figure, valued: str) -> str:
    """The figure of the worst unit within an area; how many units reach the threshold, and miss it.

    A unit is asked from the first period on that began when it was there. One without rows counts
    nothing; of what is no count its figure is unknown, and then whether all units reach it is not
    known either, unless one is known that does not.
    """
    plan, part = figure.plan, figure.part
    worst = "min" if part.comparator in (">", ">=") else "max"
    years = " ".join(f"when {year} then {limit}" for year, limit in part.thresholds.items())
    none = "0" if part.aggregate in ("count", "sum", "distinct") else "null"
    told = ", ".join(
        f"case when unit_value.area_code is null then {none} else unit_value.{each} end as {each}"
        for each in ("value", "lowest_value", "highest_value")
    )
    bounds = (
        "case when count(*) = count(lowest_value) then min(lowest_value) end as lowest_value, "
        "min(highest_value) as highest_value"
        if worst == "min"
        else "max(lowest_value) as lowest_value, "
        "case when count(*) = count(highest_value) then max(highest_value) end as highest_value"
    )
    reached = f"value {part.comparator} case year {years} end"
    asked = ", ".join(map(str, part.thresholds))
    units = _members(figure) if part.area_set else "select area_code from reference.area"
    return f"""
    with unit_value as ({valued}),
    unit as (
        select area.area_code, period.year, period.period_start, {told},
            unit_value.unknown_count, period.year in ({asked}) as is_asked
        from reference.area as area
        join reference.area_ancestor as within on within.area_code = area.area_code
            and within.ancestor_code = {literal(plan.area_code)}
        cross join (select distinct year, period_start from unit_value) as period
        left join unit_value on unit_value.area_code = area.area_code
            and unit_value.period_start = period.period_start
        where area.area_level = {literal(str(part.unit_level))} and area.effective_to is null
            and area.area_code in ({units})
            and coalesce(area.existing_from <= period.period_start, true)
    )
    select ancestor.ancestor_code as area_code, ancestor.ancestor_level as area_level, unit.year,
        unit.period_start,
        case when count(*) = count(value) or bool_or(not ({reached})) then {worst}(value) end
            as value,
        (case when is_asked then count(*) filter (where {reached}) end)::{NUMBER} as numerator,
        count(*)::{NUMBER} as denominator,
        case when is_asked then count(*) filter (where not ({reached})) end as missed_count,
        coalesce(sum(unknown_count), 0) as unknown_count, {bounds}
    from unit
    join reference.area_ancestor as ancestor on ancestor.area_code = unit.area_code
    group by ancestor.ancestor_code, ancestor.ancestor_level, unit.year, unit.period_start, is_asked
    """


def _dataset_select(source: Contract, first_year: int) -> str:
    """The rows of a dataset with whose they are and where.

    Of a list that comes every month the last of each year tells how many there are; amounts are of
    all months. A report of a ledger is a row of each year for which it stands, `first_year` and
    later; where its rows name their year themselves, the last report of a key alone counts. The
    place is the row's, else that of the household on the roll, else the sender's.
    """
    columns = {column.name for column in source.columns}
    records, year = source.name, "year(record.period_month)"
    counted = "record.delivery_id", "record.row_number"
    if "year" in columns:
        year = f"coalesce(record.year, {year})"
    elif source.delivery and source.delivery.mode == "upsert":
        first = f"greatest(report.first_year, {first_year})"
        records = f"""(
            select report.*, unnest(range({first}, report.last_year + 1)) as standing_year
            from reported.{source.table} as report
        )"""
        year = "record.standing_year"
        counted = "record.counted_delivery_id", "record.counted_row_number"
    joins = ""
    person, household = "null::varchar", "null::varchar"
    last_household, age = "null::varchar", "null"
    if is_personal(source):
        joins += f"""
        left join bridge.person as identity on identity.source = {literal(source.table)}
            and identity.delivery_id = {counted[0]}
            and identity.row_number = {counted[1]}
        left join (
            select person_id, year, min(household_id) as household_id
            from linked.household_member group by person_id, year
        ) as member on member.person_id = identity.person_id
            and member.year = year(record.period_month)
        left join (
            select person_id, max({{'year': year, 'household_id': household_id,
                'age_years': age_years}}) as latest
            from linked.household_member group by person_id
        ) as listed on listed.person_id = identity.person_id
        """
        person, household = "identity.person_id", "member.household_id"
        last_household = "listed.latest.household_id"
        age = "listed.latest.age_years + year(record.period_month) - listed.latest.year"
    if _names_households(source):
        joins += f"""
        left join bridge.household as home on home.source = {literal(source.table)}
            and home.household_notion = 'roll'
            and home.delivery_id = {counted[0]}
            and home.row_number = {counted[1]}
        """
        household = last_household = "home.household_id"
    place = next((c for c in ("village_code", "area_code") if c in columns), None)
    told = f"record.{place}" if place else "null::varchar"
    own = [
        f"record.{column.name}"
        for column in source.columns
        if column.sensitivity != "direct" and column.name not in ("area_code", "year", "month")
    ]
    if _comes_every_month(source):
        own.append(
            "record.period_month = max(record.period_month) over ("
            "partition by year(record.period_month), record.sender) as is_last_month"
        )
    places = ("village", "town", "county", "household", "sender")
    of_county = f"coalesce({', '.join(f'{each}.county_code' for each in places)})"
    return f"""
    select {", ".join(own)}, {person} as person_id, {household} as household_id,
        case when roll.household_id is not null then true
            when {of_county} is null or rolled.year is not null then false end as is_on_roll,
        leaver.left_roll_year,
        cast({age} as integer) as age_years,
        cast({year} as integer) as year, record.period_month as month,
        coalesce(village.today_code, town.today_code, county.today_code, roll.area_code,
            household.area_code, sender.today_code) as area_code
    from {records} as record
    {joins}
    left join linked.household_year_roll as roll
        on roll.household_id = {household} and roll.year = year(record.period_month)
    left join (
        select entity_id, cast(max(year(start_month)) as integer) as left_roll_year
        from linked.status_interval
        where entity_type = 'household' and status_code = 'exited' and end_month is null
        group by entity_id
    ) as leaver on leaver.entity_id = {last_household}
    left join linked.household as household on household.household_id = {household}
    left join reference.area_today as village on village.area_code = {told}
    left join reference.area_today as town on town.area_code = substr({told}, 1, 9) || '000'
    left join reference.area_today as county
        on county.area_code = substr({told}, 1, 6) || '000000'
    left join reference.area_today as sender on sender.area_code = record.sender
    left join indicators.covered_year as rolled on rolled.source = {literal(ROLL)}
        and rolled.county_code = {of_county} and rolled.year = year(record.period_month)
    """


def _comes_every_month(source: Contract) -> bool:
    """Whether each month's list names again whom the last one named."""
    return bool(
        source.delivery and source.delivery.mode == "snapshot" and source.delivery.period == "month"
    )


def _where(figure: Figure, contracts: Mapping[str, Contract]) -> str:
    """Which rows of the base a part means.

    Of a month's list it is the last one of the year, unless amounts are summed or years are.
    """
    part = figure.part
    where = _bound(figure, part.where, contracts)
    is_flow = part.aggregate in ("sum", "ratio") or part.period != "year" or part.value == "month"
    if not (is_flow or part.since) and _comes_every_month(contracts[_table_of(str(part.base))]):
        return f"({where}) and rows.is_last_month"
    return where


def _bound(figure: Figure, text: str, contracts: Mapping[str, Contract]) -> str:
    """A condition or value over the rows of the part's base; all else is refused by name.

    An income is one of the plan's concept, unless the part asks for the rows of another.
    """
    base = str(figure.part.base)
    contract = contracts.get(_table_of(base))
    if contract is None:
        raise PlanError(
            f"{figure.name}: no base {base!r}; a base is one of {list(PROFILES)} or a dataset such "
            "as finance__small_loan"
        )
    known = {
        column.name
        for column in contract.columns
        if column.sensitivity != "direct" and column.name not in RECEIVED
    }
    if base not in PROFILES:
        known |= set(OF_BASE)

    def column(node: exp.Column) -> exp.Expr:
        if node.table or node.name not in known:
            raise conditions.ConditionError(
                f"{text!r}: {base} has no column {node.sql()!r}; it has {', '.join(sorted(known))}"
            )
        named = exp.column(node.name, "rows")
        is_of_a_concept = node.name in conditions.INCOMES and "income_concept" in known
        if is_of_a_concept and not conditions.names_one_concept(figure.part.where):
            return conditions.income_of(named, figure.plan.income_concept)
        return named

    try:
        return conditions.bound(text, column)
    except conditions.ConditionError as fault:
        raise PlanError(f"{figure.name}: {fault}") from None

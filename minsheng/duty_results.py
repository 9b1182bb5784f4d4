"""Whether each duty was done on time, late or not: `indicators.duty_result`.

A row is what one household or county owes in one period. Only periods that have begun have rows. A
duty whose day has passed is missing where the deliveries that would tell of it have all come, and
no data where they have not.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from minsheng import conditions
from minsheng.contracts import Contract
from minsheng.duties import Event, PlanDuty
from minsheng.linkage import is_personal
from minsheng.plans import PERIODS, PlanError
from minsheng.quoting import literal

DUTY_RESULT = "indicators.duty_result"
PROFILE = "indicators.household_profile"
READS = (
    "bridge.household",
    "bridge.person",
    PROFILE,
    "linked.expected_delivery",
    "linked.household",
    "linked.household_member",
    "linked.status_interval",
    "meta.build",
    "meta.delivery",
    "reference.area",
    "reference.area_ancestor",
    "reference.area_today",
    "reference.period",
    "reference.plan_area",
)
"""What the SELECTs read beside the datasets of the events."""


def tables_read(duties: Sequence[PlanDuty]) -> tuple[str, ...]:
    """Names of the tables that the SELECTs read."""
    return tuple(sorted({*READS, *(f"staged.{each.duty.rows.dataset}" for each in duties)}))


def duty_selects(duties: Sequence[PlanDuty], contracts: Mapping[str, Contract]) -> Iterator[str]:
    """The SELECTs of `indicators.duty_result`, one a duty.

    Raises PlanError if a condition is more than plain SQL over documented columns.
    """
    for each in duties:
        select = _Select(each, contracts)
        rows = select.buffer() if each.duty.begins else select.calendar()
        dataset = literal(each.duty.rows.dataset)
        yield (
            f"select *, case when duty_status = 'no_data' then {dataset} end as wanted_datasets "
            f"from ({rows})"
        )


@dataclass(frozen=True)
class _Select:
    """The SELECT of one duty."""

    of: PlanDuty
    contracts: Mapping[str, Contract]

    def calendar(self) -> str:
        """What is owed in each period of the calendar, and the first event that tells it done."""
        duty = self.of.duty
        months = PERIODS[str(duty.period)]
        return f"""
        with owed as ({self._owed()}),
        told as ({self._told(months)}),
        done as (
            select entity_id, period_start, count(*) as done_count,
                min({{'day': coalesce(day, date '9999-12-31'), 'delivery_order': delivery_order,
                    'row_number': row_number}}) as first_row
            from told
            group by entity_id, period_start
        ),
        office as (
            -- the office that a household's last row of the year names
            {self._office()}
        ),
        searched as (
            -- periods of which every month has come
            select county_code, {_period_start("month", months)} as period_start
            from ({self._covered()})
            group by all
            having count(*) = {months}
        )
        select {self._names()},
            owed.entity_id, owed.area_code, owed.county_code,
            coalesce(office.unit, {literal(duty.responsible)}) as responsible_unit,
            {literal(str(duty.period))} as period_type, owed.period_start, owed.due_date,
            nullif(done.first_row.day, date '9999-12-31') as done_date,
            coalesce(done.done_count, 0) as done_count,
            case
                when done.first_row.day = date '9999-12-31' then 'no_data'
                when done.first_row.day <= owed.due_date then 'on_time'
                when done.first_row.day is not null then 'late'
                when owed.due_date > last_day(build.as_of_month) then 'not_yet_due'
                when searched.county_code is not null then 'missing'
                else 'no_data'
            end as duty_status,
            delivery.delivery_id, done.first_row.row_number as row_number
        from owed
        join meta.build as build on true
        left join done using (entity_id, period_start)
        left join office
            on office.entity_id = owed.entity_id and office.year = year(owed.period_start)
        left join searched
            on searched.county_code = owed.county_code
            and searched.period_start = owed.period_start
        left join meta.delivery as delivery
            on delivery.delivery_order = done.first_row.delivery_order
        """

    def buffer(self) -> str:
        """How long each household kept what it is to keep, counted in months that were told."""
        duty = self.of.duty
        return f"""
        with held as ({self._held()}),
        begun as ({self._begun()}),
        owed as (
            select begun.entity_id, begun.area_code, begun.county_code, begun.start_month,
                last_day(begun.start_month + interval {int(duty.buffer_months or 0) - 1} month)
                    as due_date
            from begun
            join meta.build as build on begun.start_month <= build.as_of_month
            join reference.area_ancestor as within on within.area_code = begun.area_code
                and within.ancestor_code = {literal(self.of.plan.area_code)}
            where year(begun.start_month) between {self._years()}
        ),
        ended as (
            -- whose members have all died
            select entity_id, end_month
            from linked.status_interval
            where entity_type = 'household' and end_event_code = 'death'
        ),
        owed_month as (
            select owed.*, unnest(range(start_month,
                (start_month + interval {int(duty.buffer_months or 0)} month)::date,
                interval 1 month))::date as month
            from owed
            where not exists (
                select 1 from ended where ended.entity_id = owed.entity_id
                    and ended.end_month between owed.start_month - interval 1 month
                        and owed.due_date
            )
        ),
        judged as (
            select owed_month.entity_id, owed_month.area_code, owed_month.county_code,
                owed_month.start_month, owed_month.due_date,
                count(held.entity_id) as kept_count,
                bool_or(held.entity_id is null and searched.month is not null) as is_broken,
                max({{'month': owed_month.month, 'delivery_id': held.delivery_id,
                    'row_number': held.row_number}}) filter (held.entity_id is not null)
                    as last_row
            from owed_month
            left join held on held.entity_id = owed_month.entity_id
                and owed_month.month between held.from_month and held.to_month
            left join ({self._covered()}) as searched
                on searched.county_code = owed_month.county_code
                and searched.month = owed_month.month
            group by all
        )
        select {self._names()},
            judged.entity_id, judged.area_code, judged.county_code,
            {literal(duty.responsible)} as responsible_unit,
            null as period_type, judged.start_month as period_start, judged.due_date,
            case when kept_count = {duty.buffer_months} then judged.due_date end as done_date,
            judged.kept_count as done_count,
            case
                when kept_count = {duty.buffer_months} then 'on_time'
                when is_broken then 'missing'
                when due_date > last_day(build.as_of_month) then 'not_yet_due'
                else 'no_data'
            end as duty_status,
            last_row.delivery_id as delivery_id, last_row.row_number as row_number
        from judged
        join meta.build as build on true
        """

    def _names(self) -> str:
        duty = self.of.duty
        kind = "household" if duty.entity == "household" else "area"
        return (
            f"{literal(self.of.plan.policy_id)} as policy_id, {literal(duty.duty_id)} as duty_id, "
            f"{literal(kind)} as entity_type"
        )

    def _years(self) -> str:
        return f"{self.of.plan.start_year} and {self.of.plan.end_year}"

    def _owed(self) -> str:
        """Who owes the duty in which period that has begun, and until when."""
        duty = self.of.duty
        last = PERIODS[str(duty.period)] - 1 + int(duty.due_months or 0)
        there = ""
        if duty.entity == "household":
            entity = f"""
            select household_id as entity_id, year, coalesce(place.today_code, area_code)
                as area_code, place.county_code
            from {PROFILE} as record
            left join reference.area_today as place using (area_code)
            where {self._bound(duty.who, PROFILE)}
            """
        else:
            years = ", ".join(f"({year})" for year in self.of.plan.years)
            entity = f"""
            select area_code as entity_id, year, area_code, area_code as county_code
            from reference.area
            cross join (values {years}) as plan_year (year)
            where area_level = 'county' and effective_to is null {self._of_set()}
            """
            there = "join reference.area as area on area.area_code = entity.area_code "
            there += "and coalesce(area.existing_from <= begun.period_start, true)"
        return f"""
            select entity.entity_id, entity.area_code, entity.county_code, begun.period_start,
                last_day(begun.period_start + interval {last} month) as due_date
            from ({entity}) as entity
            join reference.area_ancestor as within on within.area_code = entity.area_code
                and within.ancestor_code = {literal(self.of.plan.area_code)}
            join (
                select year, make_date(year, month_of_year::integer, 1) as period_start
                from reference.period
                cross join (select unnest(range({self.of.plan.start_year},
                    {self.of.plan.end_year + 1}))::integer as year)
                where period_type = {literal(str(duty.period))}
            ) as begun using (year)
            join meta.build as build on begun.period_start <= build.as_of_month
            {there}
        """

    def _of_set(self) -> str:
        if self.of.duty.area_set is None:
            return ""
        return f"""and area_code in (
                select area_code from reference.plan_area where area_code is not null
                    and policy_id = {literal(self.of.plan.policy_id)}
                    and area_set = {literal(self.of.duty.area_set)}
            )"""

    def _told(self, months: int) -> str:
        """The rows that tell an event, with whose it is, its period and its day."""
        event = self.of.duty.rows
        source = self._source(event)
        of = self._of_row(event.of, "record.period_month", source)
        day = self._of_row(event.day, "delivered.first_day", source)
        unit = self._of_row(event.unit, "null::varchar", source)
        entity, joined = self._entity(source)
        return f"""
            select {entity} as entity_id, {_period_start(of, months)} as period_start,
                ({day})::date as day, {unit} as unit, delivered.delivery_order, record.row_number
            from {source.name} as record
            {joined}
            join ({_FIRST_DAY}) as delivered on delivered.delivery_id = record.delivery_id
            where ({self._bound(event.where, source.name)}) and {entity} is not null
                and ({of}) is not null
        """

    def _office(self) -> str:
        if self.of.duty.rows.unit is None:
            return (
                "select null::varchar as entity_id, null::bigint as year, null as unit where false"
            )
        return """
            select entity_id, year(period_start) as year,
                max({'day': day, 'delivery_order': delivery_order, 'row_number': row_number,
                    'unit': unit}).unit as unit
            from told
            where unit is not null
            group by entity_id, year(period_start)
        """

    def _held(self) -> str:
        """The months in which rows tell that a household holds what it is to keep."""
        event = self.of.duty.rows
        source = self._source(event)
        entity, joined = self._entity(source)
        is_yearly = bool(source.delivery and source.delivery.period == "year")
        start = "date_trunc('year', to_month)" if is_yearly else "to_month"
        return f"""
            select entity_id, {start}::date as from_month, to_month,
                last_row.delivery_id as delivery_id, last_row.row_number as row_number
            from (
                select {entity} as entity_id, record.period_month as to_month,
                    max({{'delivery_id': record.delivery_id, 'row_number': record.row_number}})
                        as last_row
                from {source.name} as record
                {joined}
                where ({self._bound(event.where, source.name)}) and {entity} is not null
                group by all
            )
        """

    def _begun(self) -> str:
        begins = self.of.duty.begins
        if begins is None:
            raise PlanError(f"{self.of.name}: a buffer that never begins")
        if begins.where is not None:
            return f"""
            select household_id as entity_id, coalesce(place.today_code, met.area_code)
                as area_code, place.county_code, make_date(year + 1, 1, 1) as start_month
            from (
                select household_id, year, area_code,
                    lag(year) over (partition by household_id order by year) as year_before
                from {PROFILE} as record
                where {self._bound(begins.where, PROFILE)}
            ) as met
            left join reference.area_today as place on place.area_code = met.area_code
            where year_before is distinct from year - 1
            """
        before = """
            and exists (select 1 from held where held.entity_id = status.entity_id
                and (status.start_month - interval 1 month)::date
                    between held.from_month and held.to_month)
        """
        return f"""
            select distinct status.entity_id, household.area_code, household.county_code,
                status.start_month
            from linked.status_interval as status
            join linked.household as household on household.household_id = status.entity_id
            where status.entity_type = 'household'
                and status.status_code = {literal(str(begins.status))}
                {before if begins.held_before else ""}
        """

    def _covered(self) -> str:
        """Counties and months for which all that is expected of the dataset has come."""
        return f"""
            select distinct county_code, unnest(range(period_start,
                (period_month + interval 1 month)::date, interval 1 month))::date as month
            from linked.expected_delivery
            where is_complete and source = {literal(self.of.duty.rows.dataset)}
        """

    def _entity(self, source: Contract) -> tuple[str, str]:
        """Whose a row of the dataset is, and the joins that tell it."""
        columns = {column.name for column in source.columns}
        if self.of.duty.entity == "county":
            if "area_code" not in columns:
                raise PlanError(f"{self.of.name}: rows of {source.table} name no area")
            return "area.county_code", (
                "left join reference.area_today as area on area.area_code = record.area_code "
                "and area.today_code = area.county_code"
            )
        if "household_identity" in columns:
            return (
                "home.household_id",
                f"""
            left join bridge.household as home on home.source = {literal(source.table)}
                and home.household_notion = 'roll'
                and home.delivery_id = record.delivery_id and home.row_number = record.row_number
            """,
            )
        if not is_personal(source):
            raise PlanError(f"{self.of.name}: rows of {source.table} name no household")
        return (
            "member.household_id",
            f"""
            left join bridge.person as identity on identity.source = {literal(source.table)}
                and identity.delivery_id = record.delivery_id
                and identity.row_number = record.row_number
            left join (
                -- whose roll lists the person, and after that whose did last
                select person_id, household_id, year as from_year, coalesce(
                    lead(year) over (partition by person_id order by year), 9999) as before_year
                from (
                    select person_id, year, min(household_id) as household_id
                    from linked.household_member group by person_id, year
                )
            ) as member on member.person_id = identity.person_id
                and year(record.period_month) >= member.from_year
                and year(record.period_month) < member.before_year
            """,
        )

    def _source(self, event: Event) -> Contract:
        source = self.contracts.get(f"staged.{event.dataset}")
        if source is None:
            raise PlanError(f"{self.of.name}: no dataset {event.dataset!r}")
        return source

    def _of_row(self, text: str | None, otherwise: str, source: Contract) -> str:
        return otherwise if text is None else self._bound(text, source.name)

    def _bound(self, text: str, table: str) -> str:
        """A condition or value over the columns of `table`; all else is refused by name.

        An income is one of the plan's concept.
        """
        known = {
            column.name
            for column in self.contracts[table].columns
            if column.sensitivity != "direct"
        }

        def column(node: exp.Column) -> exp.Expr:
            if node.table or node.name not in known:
                raise conditions.ConditionError(f"{text!r}: {table} has no column {node.sql()!r}")
            named = exp.column(node.name, "record")
            if node.name in conditions.INCOMES and "income_concept" in known:
                return conditions.income_of(named, self.of.plan.income_concept)
            return named

        try:
            return conditions.bound(str(text), column)
        except conditions.ConditionError as fault:
            raise PlanError(f"{self.of.name}: {fault}") from None


_FIRST_DAY = """
    -- a file that is sent again keeps the day of the first
    select delivery_id, delivery_order, min(delivered_at)
        filter (delivery_status in ('effective', 'superseded'))
        over (partition by department, dataset, sender, period)::date as first_day
    from meta.delivery
"""


def _period_start(day: str, months: int) -> str:
    month = f"1 + (month({day}) - 1) // {months} * {months}"
    return f"make_date(year({day})::integer, ({month})::integer, 1)"

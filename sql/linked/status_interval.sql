-- One row per person or household and status, for the months in which it held without a break.
-- A status told by rolls breaks at a complete roll that does not list it; a roll that has not come
-- breaks nothing, nor does one with a record that may be the person's. Its start is what the roll
-- states, or the first month of the first roll after a complete one without it; where no complete roll
-- came before, or months lie between, the start is not known and start_month is the first one told.
-- Ends likewise: end_month is empty while no complete roll has come without it. A household that left
-- the roll has exited, unless all its members died. What a register states with dates is as stated.
-- Months are whole: start and end hold in part at least.
with everywhere as (
    select
        source,
        period_month,
        min(period_start) as period_start,
        min(case when is_complete then 1 else 0 end) = 1 as is_complete
    from linked.expected_delivery
    group by source, period_month
),
period as (
    select distinct source, county_code, period_month, period_start, is_complete
    from linked.expected_delivery
    union all
    select
        source,
        cast(null as varchar) as county_code,
        period_month,
        period_start,
        is_complete
    from everywhere
),
calendar as (
    select
        source,
        county_code,
        period_month,
        sum(case when is_complete then 1 else 0 end) over (
            partition by source, county_code order by period_month
        ) as complete_upto,
        sum(case when is_complete then 1 else 0 end) over (
            partition by source, county_code order by period_month
        ) - case when is_complete then 1 else 0 end as complete_before,
        max(case when is_complete then period_month end) over (
            partition by source, county_code order by period_month
            rows between unbounded preceding and 1 preceding
        ) as complete_month_before,
        min(case when is_complete then period_start end) over (
            partition by source, county_code order by period_month
            rows between 1 following and unbounded following
        ) as complete_start_after
    from period
),
sighted as (
    select
        sighting.entity_type,
        sighting.entity_id,
        sighting.status_code,
        sighting.source,
        sighting.county_code,
        sighting.period_month,
        sighting.first_month,
        sighting.last_month,
        sighting.stated_start_month,
        sighting.is_confirmed,
        sighting.delivery_id,
        sighting.row_number,
        coalesce(calendar.complete_upto, 0) as complete_upto,
        coalesce(calendar.complete_before, 0) as complete_before,
        -- what lies after its period does so by as much before and after
        cast(calendar.complete_month_before + interval 1 month * (
            (year(sighting.last_month) - year(sighting.period_month)) * 12
            + month(sighting.last_month) - month(sighting.period_month)
        ) as date) as last_absent_month,
        cast(calendar.complete_start_after + interval 1 month * (
            (year(sighting.last_month) - year(sighting.period_month)) * 12
            + month(sighting.last_month) - month(sighting.period_month)
        ) as date) as first_absent_month
    from linked.status_sighting as sighting
    left join calendar
        on calendar.source = sighting.source
        and calendar.county_code is not distinct from sighting.county_code
        and calendar.period_month = sighting.period_month
),
broken as (
    select
        *,
        case
            when complete_before > lag(complete_upto) over (
                partition by entity_type, entity_id, status_code, county_code
                order by period_month
            ) then 1
            else 0
        end as is_break
    from sighted
),
island as (
    select
        *,
        sum(is_break) over (
            partition by entity_type, entity_id, status_code, county_code
            order by period_month
        ) as island
    from broken
),
edged as (
    select
        *,
        row_number() over (
            partition by entity_type, entity_id, status_code, county_code, island
            order by period_month
        ) = 1 as is_first,
        row_number() over (
            partition by entity_type, entity_id, status_code, county_code, island
            order by period_month desc
        ) = 1 as is_last,
        row_number() over (
            partition by entity_type, entity_id, status_code, county_code, island, is_confirmed
            order by period_month
        ) = 1 as is_first_of_its_kind,
        row_number() over (
            partition by entity_type, entity_id, status_code, county_code, island, is_confirmed
            order by period_month desc
        ) = 1 as is_last_of_its_kind
    from island
),
span as (
    select
        entity_type,
        entity_id,
        status_code,
        source,
        county_code,
        island,
        min(case when is_first then last_absent_month end) as last_absent_month,
        min(case when is_first and is_confirmed then true end) as begins_confirmed,
        min(case when is_last then first_absent_month end) as first_absent_month,
        min(case when is_last and is_confirmed then true end) as ends_confirmed,
        min(case when is_confirmed then first_month end) as first_month,
        min(case when is_confirmed and is_first_of_its_kind then last_month end)
            as first_sighting_end,
        min(case when is_confirmed and is_first_of_its_kind then stated_start_month end)
            as stated_start_month,
        min(case when is_confirmed and is_last_of_its_kind then first_month end)
            as last_sighting_start,
        max(case when is_confirmed then last_month end) as last_seen_month,
        min(case when is_confirmed and is_first_of_its_kind then delivery_id end)
            as first_delivery_id,
        min(case when is_confirmed and is_first_of_its_kind then row_number end)
            as first_row_number,
        min(case when is_confirmed and is_last_of_its_kind then delivery_id end)
            as last_delivery_id,
        min(case when is_confirmed and is_last_of_its_kind then row_number end)
            as last_row_number
    from edged
    group by entity_type, entity_id, status_code, source, county_code, island
    having max(case when is_confirmed then 1 else 0 end) = 1
),
death as (
    select person_id, min(month) as month
    from linked.vital_event
    where vital_event_code = 'death'
    group by person_id
),
died as (
    -- a household of a year by the members of that year's roll, a person of any year
    select
        'person' as entity_type,
        person_id as entity_id,
        0 as year,
        month
    from death
    union all
    select
        'household' as entity_type,
        member.household_id as entity_id,
        member.year,
        max(death.month) as month
    from linked.household_member as member
    left join death using (person_id)
    group by member.household_id, member.year
    having count(*) = count(death.month)
),
born as (
    select 'person' as entity_type, person_id, birth_month
    from linked.person
),
dated as (
    -- a start that the roll states before the person's birth is the family's
    select
        span.*,
        case
            when born.birth_month > span.stated_start_month
                and born.birth_month <= span.first_sighting_end then born.birth_month
            else span.stated_start_month
        end as own_start_month
    from span
    left join born on born.entity_type = span.entity_type and born.person_id = span.entity_id
),
judged as (
    select
        span.entity_type,
        span.entity_id,
        span.status_code,
        span.source,
        span.county_code,
        span.first_month,
        span.own_start_month as stated_start_month,
        coalesce(
            span.own_start_month <= span.first_sighting_end
            and (span.last_absent_month is null
                or span.own_start_month > span.last_absent_month),
            false
        ) as is_start_stated,
        coalesce(
            span.begins_confirmed
            and cast(span.last_absent_month + interval 1 month as date) = span.first_month,
            false
        ) as begins_at_once,
        died.month as death_month,
        coalesce(
            died.month >= span.last_sighting_start
            and coalesce(died.month < span.first_absent_month, true),
            false
        ) as is_ended_by_death,
        coalesce(
            span.ends_confirmed
            and cast(span.last_seen_month + interval 1 month as date) = span.first_absent_month,
            false
        ) as ends_at_once,
        span.last_absent_month,
        span.first_absent_month,
        span.last_seen_month,
        span.first_delivery_id,
        span.first_row_number,
        span.last_delivery_id,
        span.last_row_number
    from dated as span
    left join died
        on died.entity_type = span.entity_type
        and died.entity_id = span.entity_id
        and died.year = case span.entity_type when 'person' then 0 else year(span.last_seen_month) end
),
told_by_rolls as (
    select
        entity_type,
        entity_id,
        status_code,
        source,
        county_code,
        case when is_start_stated then stated_start_month else first_month end as start_month,
        case
            when is_ended_by_death
                then greatest(
                    death_month,
                    case when is_start_stated then stated_start_month else first_month end
                )
            when first_absent_month is not null then last_seen_month
        end as end_month,
        is_start_stated or begins_at_once as is_start_known,
        is_ended_by_death or ends_at_once as is_end_known,
        case
            when is_start_stated then 'stated'
            when last_absent_month is null then 'first_delivery'
            else 'listed'
        end as begin_event_code,
        case
            when is_ended_by_death then 'death'
            when first_absent_month is not null then 'unlisted'
        end as end_event_code,
        last_absent_month,
        first_absent_month,
        last_seen_month,
        first_delivery_id,
        first_row_number,
        last_delivery_id,
        last_row_number
    from judged
),
exited as (
    select
        entity_type,
        entity_id,
        'exited' as status_code,
        source,
        county_code,
        first_absent_month as start_month,
        cast(lead(start_month) over (partition by entity_id order by start_month, county_code)
            - interval 1 month as date) as end_month,
        is_end_known,
        end_event_code,
        last_seen_month,
        last_delivery_id,
        last_row_number
    from told_by_rolls
    where status_code = 'low_income'
)
select
    entity_type,
    entity_id,
    status_code,
    source,
    county_code,
    start_month,
    end_month,
    is_start_known,
    is_end_known,
    begin_event_code,
    end_event_code,
    last_absent_month,
    first_absent_month,
    last_seen_month,
    first_delivery_id,
    first_row_number,
    last_delivery_id,
    last_row_number
from told_by_rolls
union all
select
    entity_type,
    entity_id,
    status_code,
    source,
    county_code,
    start_month,
    end_month,
    is_end_known as is_start_known,
    end_month is not null as is_end_known,
    'unlisted' as begin_event_code,
    case when end_month is not null then 'listed' end as end_event_code,
    last_seen_month as last_absent_month,
    cast(end_month + interval 1 month as date) as first_absent_month,
    cast(null as date) as last_seen_month,
    last_delivery_id as first_delivery_id,
    last_row_number as first_row_number,
    last_delivery_id,
    last_row_number
from exited
where end_event_code = 'unlisted' and coalesce(end_month >= start_month, true)
union all
select
    entity_type,
    entity_id,
    status_code,
    source,
    county_code,
    start_month,
    end_month,
    is_start_known,
    is_end_known,
    'stated' as begin_event_code,
    end_event_code,
    cast(null as date) as last_absent_month,
    cast(null as date) as first_absent_month,
    known_month as last_seen_month,
    delivery_id as first_delivery_id,
    row_number as first_row_number,
    delivery_id as last_delivery_id,
    row_number as last_row_number
from linked.status_statement

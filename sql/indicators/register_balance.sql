-- One row per status, county and month in which its register has come whole, or in which a register
-- that states its own dates begins or ends one; the first month of a register has no row. Who is in
-- no county that is known has rows of its own, in months in which the register of all has come whole.
-- What stood before and what came in less what went out should be what stands now. The stock of a roll
-- is counted in the roll itself, that of a register with dates of its own by its persons or households,
-- each once; what came and went is what linked.register_flow says, and counts there. Of a roll the
-- month before is that of the last complete roll, of the others the last one with a row.
-- A negative difference lacks persons or households, a positive one has too many.
with roll as (
    -- '' stands for the unknown county until the end
    select distinct source, county_code, period_month as month
    from linked.expected_delivery
    where is_complete
    union all
    select source, '' as county_code, period_month as month
    from linked.expected_delivery
    group by source, period_month
    having min(case when is_complete then 1 else 0 end) = 1
),
status as (
    select
        entity_type,
        status_code,
        source,
        count(*) > count(county_code) as is_unknown_somewhere
    from linked.status_sighting
    group by entity_type, status_code, source
),
listed as (
    select
        status_code,
        source,
        coalesce(county_code, '') as county_code,
        period_month as month,
        count(*) as stock_count
    from linked.status_sighting
    where is_confirmed
    group by status_code, source, coalesce(county_code, ''), period_month
),
roll_stock as (
    select
        status.entity_type,
        status.status_code,
        status.source,
        roll.county_code,
        roll.month,
        coalesce(listed.stock_count, 0) as stock_count
    from roll
    join status
        on status.source = roll.source
        and (roll.county_code <> '' or status.is_unknown_somewhere)
    left join listed
        on listed.source = roll.source
        and listed.status_code = status.status_code
        and listed.county_code = roll.county_code
        and listed.month = roll.month
),
stated as (
    select
        entity_type,
        entity_id,
        status_code,
        source,
        coalesce(county_code, '') as county_code,
        start_month,
        coalesce(end_month, date '9999-12-01') as end_month,
        max(coalesce(end_month, date '9999-12-01')) over (
            partition by entity_type, entity_id, status_code, county_code
            order by start_month, delivery_id, row_number
            rows between unbounded preceding and 1 preceding
        ) as end_before,
        delivery_id,
        row_number
    from linked.status_statement
),
held as (
    select
        entity_type,
        entity_id,
        status_code,
        source,
        county_code,
        start_month,
        end_month,
        sum(case when start_month < end_before then 0 else 1 end) over (
            partition by entity_type, entity_id, status_code, county_code
            order by start_month, delivery_id, row_number
            rows between unbounded preceding and current row
        ) as island
    from stated
),
once as (
    select
        entity_type,
        status_code,
        source,
        county_code,
        min(start_month) as start_month,
        max(end_month) as end_month
    from held
    group by entity_type, entity_id, status_code, source, county_code, island
),
turned as (
    select entity_type, status_code, source, county_code, start_month as month, 1 as change
    from once
    union all
    select entity_type, status_code, source, county_code, end_month as month, -1 as change
    from once
    where end_month < date '9999-12-01'
    union all
    -- months of a start or an end that changes no stock
    select distinct entity_type, status_code, source, county_code, start_month as month, 0 as change
    from stated
    union all
    select distinct entity_type, status_code, source, county_code, end_month as month, 0 as change
    from stated
    where end_month < date '9999-12-01'
),
changed as (
    select entity_type, status_code, source, county_code, month, sum(change) as change
    from turned
    group by entity_type, status_code, source, county_code, month
),
stock as (
    select entity_type, status_code, source, county_code, month, stock_count
    from roll_stock
    union all
    select
        entity_type,
        status_code,
        source,
        county_code,
        month,
        sum(change) over (
            partition by entity_type, status_code, source, county_code order by month
        ) as stock_count
    from changed
),
followed as (
    select
        *,
        lag(month) over (
            partition by entity_type, status_code, source, county_code order by month
        ) as prior_month,
        lag(stock_count) over (
            partition by entity_type, status_code, source, county_code order by month
        ) as prior_count
    from stock
),
flow as (
    select
        status_code,
        source,
        coalesce(county_code, '') as county_code,
        month,
        sum(case when is_counted and is_in then 1 else 0 end) as in_count,
        sum(case when is_counted and not is_in then 1 else 0 end) as out_count,
        sum(case when is_finding then 1 else 0 end) as finding_count
    from linked.register_flow
    group by status_code, source, coalesce(county_code, ''), month
)
select
    followed.entity_type,
    followed.status_code,
    followed.source,
    nullif(followed.county_code, '') as county_code,
    followed.month,
    followed.prior_month,
    followed.prior_count,
    coalesce(flow.in_count, 0) as in_count,
    coalesce(flow.out_count, 0) as out_count,
    followed.stock_count,
    followed.stock_count
        - (followed.prior_count + coalesce(flow.in_count, 0) - coalesce(flow.out_count, 0))
        as difference_count,
    coalesce(flow.finding_count, 0) as finding_count
from followed
left join flow
    on flow.status_code = followed.status_code
    and flow.source = followed.source
    and flow.county_code = followed.county_code
    and flow.month = followed.month
where followed.prior_month is not null

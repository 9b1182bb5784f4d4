-- One row per household whose signals add up to the points of entry, as of the build's month.
-- The monitored type is the first that fits of reference.object_type; a household has left the roll
-- when it is not on the latest that covers its county. The main cause has the most points, and of
-- equals the first in alphabetical order.
with build as (
    select
        as_of_month,
        cast(as_of_month + interval 1 month as date) as after_month,
        cast(year(as_of_month) as integer) as as_of_year
    from meta.build
),
cause as (
    select household_id, cause_code, sum(points) as points
    from risk.household_signal
    group by household_id, cause_code
),
causes as (
    select
        household_id,
        string_agg(cause_code, ',' order by cause_code) as cause_codes
    from cause
    group by household_id
),
main_cause as (
    select household_id, cause_code
    from cause
    qualify row_number() over (partition by household_id order by points desc, cause_code) = 1
),
totals as (
    select
        signal.household_id,
        signal.as_of_month,
        sum(signal.points) as points,
        count(*) as signal_count,
        min(signal.first_month) as first_signal_month
    from risk.household_signal as signal
    group by signal.household_id, signal.as_of_month
),
income as (
    select household_id, value as income_per_head
    from indicators.household_measure
    where measure_id = 'income_per_head'
),
latest_roll as (
    select roll.county_code, max(year(roll.period_month)) as year
    from indicators.complete_roll as roll
    join build
        on roll.source = 'agriculture__household_roll'
        and year(roll.period_month) <= build.as_of_year
    group by roll.county_code
),
described as (
    select
        totals.household_id,
        place.county_code,
        place.town_code,
        place.village_code,
        totals.as_of_month,
        totals.points,
        totals.signal_count,
        totals.first_signal_month,
        income.income_per_head,
        line.value as line,
        coalesce(income.income_per_head < line.value, false) as is_below_line,
        coalesce(household.roll_year < latest_roll.year, false) as left_roll
    from totals
    join linked.household as place using (household_id)
    join indicators.watched_household as household using (household_id)
    join indicators.rule_in_force as entry
        on entry.county_code = household.county_code
        and entry.rule_id = 'entry_points'
        and totals.points >= entry.value
    left join indicators.rule_in_force as line
        on line.county_code = household.county_code and line.rule_id = 'monitoring_line'
    left join income using (household_id)
    left join latest_roll on latest_roll.county_code = household.county_code
),
typed as (
    select described.household_id, object_type.object_type_code
    from described
    join reference.object_type as object_type
        on (not object_type.requires_left_roll or described.left_roll)
        and (not object_type.requires_income_below_line or described.is_below_line)
    qualify row_number() over (
        partition by described.household_id order by object_type.priority
    ) = 1
),
levelled as (
    select described.household_id, risk_level.level
    from described
    join reference.risk_level as risk_level on described.points >= risk_level.minimum_points
    qualify row_number() over (
        partition by described.household_id order by risk_level.minimum_points desc
    ) = 1
)
select
    described.household_id,
    described.county_code,
    described.town_code,
    described.village_code,
    described.as_of_month,
    typed.object_type_code,
    levelled.level,
    described.points,
    main_cause.cause_code as main_cause_code,
    causes.cause_codes,
    described.signal_count,
    described.first_signal_month,
    date_diff('day', described.first_signal_month, build.after_month) as days_open,
    round(described.income_per_head, 2) as per_capita_yuan,
    round(described.line, 2) as line_yuan,
    (select stale_since from meta.table_freshness where table_name = 'risk.return_to_poverty') as stale_since
from described
join build on true
join typed using (household_id)
join levelled using (household_id)
join main_cause using (household_id)
join causes using (household_id)

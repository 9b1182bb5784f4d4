-- One row per household, signal and source row behind it.
-- counted rows make the value, compared rows are what it is measured against: for an absence the
-- roll's row of the member who was not found or the last payment. The complete rolls of the county
-- that were searched are named as absent_from, without a row.
with build as (
    select cast(year(as_of_month) as integer) as as_of_year
    from meta.build
),
fired as (
    select household_id, signal_id, as_of_month, measure_id, first_month
    from risk.household_signal
),
income as (
    select
        fired.household_id,
        fired.signal_id,
        fired.as_of_month,
        ledger.delivery_id,
        ledger.row_number,
        case when ledger.year = year(fired.first_month) then 'counted' else 'compared' end as role
    from fired
    join linked.household_year_income as ledger
        on ledger.household_id = fired.household_id
        and (
            ledger.year = year(fired.first_month)
            or (
                ledger.year = year(fired.first_month) - 1
                and fired.measure_id in ('income_change_rate', 'wage_change_rate')
            )
        )
    where fired.measure_id in (
        'income_per_head', 'income_change_rate', 'wage_change_rate', 'business_loss_yuan',
        'transfer_share'
    )
),
medical as (
    select
        fired.household_id,
        fired.signal_id,
        fired.as_of_month,
        settlement.delivery_id,
        settlement.row_number,
        'counted' as role
    from fired
    join indicators.watched_member as member using (household_id)
    join indicators.watch_window as watch using (county_code)
    join linked.medical_settlement as settlement
        on settlement.person_id = member.person_id
        and settlement.month >= watch.watch_from
        and settlement.month < watch.after_month
    where fired.measure_id in ('medical_self_paid_yuan', 'medical_burden_ratio')
),
rural_income as (
    select
        fired.household_id,
        fired.signal_id,
        fired.as_of_month,
        benchmark.delivery_id,
        benchmark.row_number,
        'compared' as role
    from fired
    join build on fired.measure_id = 'medical_burden_ratio'
    join indicators.watched_household as household using (household_id)
    join reference.area_ancestor as area
        on area.area_code = household.county_code and area.ancestor_level = 'province'
    join indicators.area_benchmark as benchmark
        on benchmark.area_code = area.ancestor_code and benchmark.year = build.as_of_year - 1
    join reference.income_concept as concept using (income_concept)
    qualify row_number() over (
        partition by fired.household_id, fired.signal_id order by benchmark.income_concept
    ) = 1
),
disability as (
    select
        fired.household_id,
        fired.signal_id,
        fired.as_of_month,
        disabled.delivery_id,
        disabled.row_number,
        'counted' as role
    from fired
    join indicators.newly_disabled_member as disabled using (household_id)
    where fired.measure_id = 'new_severe_disability_count'
),
missing as (
    select
        fired.household_id,
        fired.signal_id,
        fired.as_of_month,
        fired.measure_id,
        missing.person_id,
        missing.source,
        missing.year
    from fired
    join indicators.missing_member as missing using (household_id, measure_id)
),
missing_member as (
    select
        missing.household_id,
        missing.signal_id,
        missing.as_of_month,
        member.delivery_id,
        member.row_number,
        'compared' as role
    from missing
    join indicators.watched_member as member using (household_id, person_id)
),
schooling as (
    select
        missing.household_id,
        missing.signal_id,
        missing.as_of_month,
        enrolment.delivery_id,
        enrolment.row_number,
        'counted' as role
    from missing
    join linked.enrolment as enrolment using (person_id, year)
    where missing.measure_id = 'unenrolled_child_count'
),
insurance as (
    select
        missing.household_id,
        missing.signal_id,
        missing.as_of_month,
        insurance.delivery_id,
        insurance.row_number,
        'counted' as role
    from missing
    join linked.insurance as insurance using (person_id, year)
    where missing.measure_id = 'uninsured_member_count'
),
last_payment as (
    select
        fired.household_id,
        fired.signal_id,
        fired.as_of_month,
        stopped.delivery_id,
        stopped.row_number,
        'compared' as role
    from fired
    join indicators.stopped_benefit as stopped using (household_id)
    where fired.measure_id = 'benefit_stopped_count'
),
searched as (
    select
        missing.household_id,
        missing.signal_id,
        missing.as_of_month,
        roll.delivery_id,
        cast(null as bigint) as row_number,
        'absent_from' as role
    from missing
    join indicators.watched_household as household using (household_id)
    join indicators.complete_roll as roll
        on roll.source = missing.source
        and roll.county_code = household.county_code
        and year(roll.period_month) = missing.year
    union all
    select
        fired.household_id,
        fired.signal_id,
        fired.as_of_month,
        roll.delivery_id,
        cast(null as bigint) as row_number,
        'absent_from' as role
    from fired
    join indicators.watched_household as household using (household_id)
    join indicators.complete_roll as roll
        on roll.source = 'civil_affairs__relief_payment'
        and roll.county_code = household.county_code
        and roll.period_month between fired.first_month and fired.as_of_month
    where fired.measure_id = 'benefit_stopped_count'
),
labour as (
    select
        fired.household_id,
        fired.signal_id,
        fired.as_of_month,
        roll.delivery_id,
        roll.row_number,
        case when roll.year = year(fired.first_month) then 'counted' else 'compared' end as role
    from fired
    join linked.household_member as roll
        on roll.household_id = fired.household_id
        and roll.year between year(fired.first_month) - 1 and year(fired.first_month)
    where fired.measure_id = 'lost_labour_count'
),
evidence as (
    select * from income
    union all
    select * from medical
    union all
    select * from rural_income
    union all
    select * from disability
    union all
    select * from missing_member
    union all
    select * from schooling
    union all
    select * from insurance
    union all
    select * from last_payment
    union all
    select * from searched
    union all
    select * from labour
)
select distinct
    household_id,
    signal_id,
    as_of_month,
    delivery_id,
    row_number,
    role
from evidence

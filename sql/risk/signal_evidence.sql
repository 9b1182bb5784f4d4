-- One row per household, signal and source row behind it.
-- counted rows make the value, compared rows are what it is measured against; for an absence the
-- complete rolls that were searched are named, without a row.
with build as (
    select
        as_of_month,
        cast(as_of_month + interval 1 month as date) as after_month,
        cast(year(as_of_month) as integer) as as_of_year
    from meta.build
),
watch as (
    select
        build.as_of_month,
        build.after_month,
        cast(build.after_month - to_months(cast(rule.value as integer)) as date) as watch_from
    from build
    join reference.rule_value as rule
        on rule.rule_id = 'watch_months'
        and build.as_of_month between rule.effective_from and rule.effective_to
),
fired as (
    select household_id, signal_id, as_of_month, measure_id, first_month
    from risk.household_signal
),
effective as (
    select department || '__' || dataset as source, period, delivery_id
    from meta.delivery
    where delivery_status = 'effective'
),
latest_roll as (
    select household_id, max(year) as year
    from linked.household_year_roll
    join build on year <= build.as_of_year
    group by household_id
),
member as (
    select
        member.household_id,
        member.person_id,
        member.delivery_id,
        member.row_number
    from linked.household_member as member
    join latest_roll using (household_id, year)
    join linked.person as person using (person_id)
    where person.link_rule_code = 'id_and_name'
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
    join member using (household_id)
    join linked.medical_settlement as settlement using (person_id)
    join watch on settlement.month >= watch.watch_from and settlement.month < watch.after_month
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
    join linked.household as household using (household_id)
    join reference.area_ancestor as area
        on area.area_code = household.county_code and area.ancestor_level = 'province'
    join indicators.area_benchmark as benchmark
        on benchmark.area_code = area.ancestor_code and benchmark.year = build.as_of_year - 1
),
disability as (
    select
        fired.household_id,
        fired.signal_id,
        fired.as_of_month,
        certificate.delivery_id,
        certificate.row_number,
        'counted' as role
    from fired
    join member using (household_id)
    join linked.disability as certificate using (person_id)
    join watch
        on certificate.issue_month >= watch.watch_from
        and certificate.issue_month < watch.after_month
    where fired.measure_id = 'new_severe_disability_count' and certificate.is_severe
),
schooling as (
    select
        fired.household_id,
        fired.signal_id,
        fired.as_of_month,
        enrolment.delivery_id,
        enrolment.row_number,
        'counted' as role
    from fired
    join member using (household_id)
    join linked.enrolment as enrolment
        on enrolment.person_id = member.person_id
        and enrolment.year = year(fired.first_month)
        and not enrolment.is_enrolled
    where fired.measure_id = 'unenrolled_child_count'
),
schooling_searched as (
    select
        fired.household_id,
        fired.signal_id,
        fired.as_of_month,
        effective.delivery_id,
        cast(null as bigint) as row_number,
        'absent_from' as role
    from fired
    join effective
        on effective.source = 'education__student_enrolment'
        and effective.period = cast(year(fired.first_month) as varchar)
    where fired.measure_id = 'unenrolled_child_count'
),
insurance as (
    select
        fired.household_id,
        fired.signal_id,
        fired.as_of_month,
        insurance.delivery_id,
        insurance.row_number,
        'counted' as role
    from fired
    join member using (household_id)
    join linked.insurance as insurance
        on insurance.person_id = member.person_id
        and insurance.year = year(fired.first_month)
        and not insurance.is_insured
    where fired.measure_id = 'uninsured_member_count'
),
insurance_searched as (
    select
        fired.household_id,
        fired.signal_id,
        fired.as_of_month,
        effective.delivery_id,
        cast(null as bigint) as row_number,
        'absent_from' as role
    from fired
    join effective
        on effective.source = 'health__insurance_enrolment'
        and effective.period = cast(year(fired.first_month) as varchar)
    where fired.measure_id = 'uninsured_member_count'
),
payment as (
    select
        fired.household_id,
        fired.signal_id,
        fired.as_of_month,
        payment.delivery_id,
        payment.row_number,
        'compared' as role
    from fired
    join member using (household_id)
    join linked.relief_payment as payment using (person_id)
    join watch on payment.month >= watch.watch_from and payment.month < fired.first_month
    where fired.measure_id = 'benefit_stopped_count' and payment.is_regular
    qualify row_number() over (
        partition by fired.household_id, fired.signal_id, payment.person_id, payment.programme_code
        order by payment.month desc, payment.delivery_id, payment.row_number
    ) = 1
),
payment_searched as (
    select distinct
        fired.household_id,
        fired.signal_id,
        fired.as_of_month,
        effective.delivery_id,
        cast(null as bigint) as row_number,
        'absent_from' as role
    from fired
    join effective
        on effective.source = 'civil_affairs__relief_payment'
        and effective.period >= strftime(fired.first_month, '%Y-%m')
        and effective.period <= strftime(fired.as_of_month, '%Y-%m')
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
enrolled_child as (
    select
        fired.household_id,
        fired.signal_id,
        fired.as_of_month,
        member.delivery_id,
        member.row_number,
        'compared' as role
    from fired
    join member using (household_id)
    where fired.measure_id in ('unenrolled_child_count', 'uninsured_member_count')
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
    select * from schooling
    union all
    select * from schooling_searched
    union all
    select * from insurance
    union all
    select * from insurance_searched
    union all
    select * from payment
    union all
    select * from payment_searched
    union all
    select * from labour
    union all
    select * from enrolled_child
)
select distinct
    household_id,
    signal_id,
    as_of_month,
    delivery_id,
    row_number,
    role
from evidence

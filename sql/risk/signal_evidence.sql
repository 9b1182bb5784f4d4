-- One row per household, signal and source row behind it.
-- counted rows make the value, compared rows are what it is measured against: for an absence the
-- roll's row of the member who was not found or the last payment. The complete rolls that were
-- searched are named as absent_from, without a row.
with build as (
    select
        as_of_month,
        cast(as_of_month + interval 1 month as date) as after_month,
        cast(year(as_of_month) as integer) as as_of_year
    from meta.build
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
        person.birth_month,
        watch.watch_from,
        watch.after_month,
        watch.gap_months,
        watch.age_from,
        watch.age_to,
        member.delivery_id,
        member.row_number
    from linked.household_member as member
    join latest_roll using (household_id, year)
    join linked.person as person using (person_id)
    join linked.household as household using (household_id)
    join indicators.watch_window as watch using (county_code)
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
    join linked.medical_settlement as settlement
        on settlement.person_id = member.person_id
        and settlement.month >= member.watch_from
        and settlement.month < member.after_month
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
        certificate.delivery_id,
        certificate.row_number,
        'counted' as role
    from fired
    join member using (household_id)
    join linked.disability as certificate
        on certificate.person_id = member.person_id
        and certificate.issue_month >= member.watch_from
        and certificate.issue_month < member.after_month
    where fired.measure_id = 'new_severe_disability_count' and certificate.is_severe
),
absent_child as (
    select
        fired.household_id,
        fired.signal_id,
        fired.as_of_month,
        cast(year(fired.first_month) as integer) as year,
        member.person_id,
        member.delivery_id,
        member.row_number
    from fired
    join member using (household_id)
    left join linked.enrolment as attended
        on attended.person_id = member.person_id
        and attended.year = year(fired.first_month)
        and attended.is_enrolled
    where fired.measure_id = 'unenrolled_child_count'
        and attended.person_id is null
        and year(fired.first_month) - year(member.birth_month)
            - case when month(member.birth_month) >= 9 then 1 else 0 end
            between member.age_from and member.age_to
),
uninsured as (
    select
        fired.household_id,
        fired.signal_id,
        fired.as_of_month,
        cast(year(fired.first_month) as integer) as year,
        member.person_id,
        member.delivery_id,
        member.row_number
    from fired
    join member using (household_id)
    left join linked.insurance as insured
        on insured.person_id = member.person_id
        and insured.year = year(fired.first_month)
        and insured.is_insured
    where fired.measure_id = 'uninsured_member_count' and insured.person_id is null
),
absent_member as (
    select household_id, signal_id, as_of_month, delivery_id, row_number, 'compared' as role
    from absent_child
    union all
    select household_id, signal_id, as_of_month, delivery_id, row_number, 'compared' as role
    from uninsured
),
schooling as (
    select
        absent_child.household_id,
        absent_child.signal_id,
        absent_child.as_of_month,
        enrolment.delivery_id,
        enrolment.row_number,
        'counted' as role
    from absent_child
    join linked.enrolment as enrolment using (person_id, year)
),
insurance as (
    select
        uninsured.household_id,
        uninsured.signal_id,
        uninsured.as_of_month,
        insurance.delivery_id,
        insurance.row_number,
        'counted' as role
    from uninsured
    join linked.insurance as insurance using (person_id, year)
),
paid_month as (
    select distinct month
    from linked.relief_payment
),
last_payment as (
    select
        fired.household_id,
        fired.signal_id,
        fired.as_of_month,
        payment.month,
        member.after_month,
        member.gap_months,
        payment.delivery_id,
        payment.row_number
    from fired
    join member using (household_id)
    join linked.relief_payment as payment
        on payment.person_id = member.person_id
        and payment.month >= member.watch_from
        and payment.month < member.after_month
    where fired.measure_id = 'benefit_stopped_count'
        and payment.is_regular
        and payment.amount_yuan > 0
    qualify row_number() over (
        partition by fired.household_id, fired.signal_id, payment.person_id, payment.programme_code
        order by payment.month desc, payment.delivery_id, payment.row_number
    ) = 1
),
payment as (
    select
        last_payment.household_id,
        last_payment.signal_id,
        last_payment.as_of_month,
        last_payment.delivery_id,
        last_payment.row_number,
        'compared' as role
    from last_payment
    join paid_month
        on paid_month.month > last_payment.month and paid_month.month < last_payment.after_month
    group by
        last_payment.household_id,
        last_payment.signal_id,
        last_payment.as_of_month,
        last_payment.delivery_id,
        last_payment.row_number,
        last_payment.gap_months
    having count(*) >= last_payment.gap_months
),
absence as (
    select distinct measure_id, as_of_month, first_month
    from fired
),
searched_delivery as (
    select absence.measure_id, absence.first_month, effective.delivery_id
    from absence
    join effective
        on (
            absence.measure_id = 'unenrolled_child_count'
            and effective.source = 'education__student_enrolment'
            and effective.period = cast(year(absence.first_month) as varchar)
        )
        or (
            absence.measure_id = 'uninsured_member_count'
            and effective.source = 'health__insurance_enrolment'
            and effective.period = cast(year(absence.first_month) as varchar)
        )
        or (
            absence.measure_id = 'benefit_stopped_count'
            and effective.source = 'civil_affairs__relief_payment'
            and effective.period between strftime(absence.first_month, '%Y-%m')
                and strftime(absence.as_of_month, '%Y-%m')
        )
),
searched as (
    select
        fired.household_id,
        fired.signal_id,
        fired.as_of_month,
        searched_delivery.delivery_id,
        cast(null as bigint) as row_number,
        'absent_from' as role
    from fired
    join searched_delivery using (measure_id, first_month)
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
    select * from absent_member
    union all
    select * from schooling
    union all
    select * from insurance
    union all
    select * from payment
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

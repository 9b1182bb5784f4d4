-- One row per person, year and fact that a department's rows tell of the person: a service, a status or
-- a payment, with how many rows tell it and what they sum to.
-- The year is that of the rows' period. Of rolls that list a status every month it is one that some
-- month of the year lists; work is counted in months.
with told as (
    select
        'civil_affairs__assistance_roll' as source,
        delivery_id,
        row_number,
        period_month,
        assistance_code as fact_code,
        cast(null as decimal(18, 2)) as amount_yuan
    from staged.civil_affairs__assistance_roll
    union all
    select
        'civil_affairs__care_register' as source,
        delivery_id,
        row_number,
        period_month,
        'in_care' as fact_code,
        cast(null as decimal(18, 2)) as amount_yuan
    from staged.civil_affairs__care_register
    union all
    select
        'civil_affairs__temporary_relief' as source,
        delivery_id,
        row_number,
        period_month,
        'temporary_relief' as fact_code,
        amount_yuan
    from staged.civil_affairs__temporary_relief
    union all
    select
        'civil_affairs__relief_payment' as source,
        delivery_id,
        row_number,
        period_month,
        'relief' as fact_code,
        amount_yuan
    from staged.civil_affairs__relief_payment
    union all
    select
        'disability_federation__disability_certificate' as source,
        delivery_id,
        row_number,
        period_month,
        case when grade.has_attribute then 'severely_disabled' else 'disabled' end as fact_code,
        cast(null as decimal(18, 2)) as amount_yuan
    from staged.disability_federation__disability_certificate as record
    left join reference.code as grade
        on grade.code_list = 'disability_grade' and grade.code = record.disability_grade_code
    union all
    select
        'disability_federation__disability_subsidy' as source,
        delivery_id,
        row_number,
        period_month,
        'disability_subsidy' as fact_code,
        record.amount_yuan
    from staged.disability_federation__disability_subsidy as record
    join reference.code as status
        on status.code_list = 'payment_status' and status.code = record.payment_status_code
        and status.has_attribute
    union all
    select
        'education__student_aid' as source,
        delivery_id,
        row_number,
        period_month,
        'student_aid' as fact_code,
        record.aid_yuan as amount_yuan
    from staged.education__student_aid as record
    join reference.code as status
        on status.code_list = 'payment_status' and status.code = record.payment_status_code
        and status.has_attribute
    union all
    select
        'health__family_doctor' as source,
        delivery_id,
        row_number,
        period_month,
        'family_doctor' as fact_code,
        service_fee_yuan as amount_yuan
    from staged.health__family_doctor
    union all
    select
        'health__serious_illness' as source,
        delivery_id,
        row_number,
        period_month,
        case when treatment.has_attribute then 'illness_treated' else 'illness_untreated' end
            as fact_code,
        cast(null as decimal(18, 2)) as amount_yuan
    from staged.health__serious_illness as record
    left join reference.code as treatment
        on treatment.code_list = 'treatment' and treatment.code = record.treatment_code
    union all
    select
        'health__medical_settlement' as source,
        delivery_id,
        row_number,
        period_month,
        part.fact_code,
        case part.fact_code
            when 'medical_cost' then record.total_cost_yuan
            else record.self_paid_yuan
        end as amount_yuan
    from staged.health__medical_settlement as record
    cross join (
        select 'medical_cost' as fact_code
        union all
        select 'medical_self_paid' as fact_code
    ) as part
    union all
    select
        'human_resources__employment_month' as source,
        delivery_id,
        row_number,
        period_month,
        'work' as fact_code,
        record.monthly_wage_yuan as amount_yuan
    from staged.human_resources__employment_month as record
    join reference.code as work
        on work.code_list = 'work_state' and work.code = record.work_state_code
        and work.has_attribute
    union all
    select
        'human_resources__pension_enrolment' as source,
        delivery_id,
        row_number,
        period_month,
        case when state.has_attribute then 'pension' else 'pension_insurance' end as fact_code,
        record.pension_yuan as amount_yuan
    from staged.human_resources__pension_enrolment as record
    join reference.code as insured
        on insured.code_list = 'insured_status' and insured.code = record.insured_status_code
        and insured.has_attribute
    left join reference.code as state
        on state.code_list = 'pension_state' and state.code = record.pension_state_code
    union all
    select
        'human_resources__public_post' as source,
        delivery_id,
        row_number,
        period_month,
        'public_post' as fact_code,
        monthly_wage_yuan as amount_yuan
    from staged.human_resources__public_post
    union all
    select
        'human_resources__training' as source,
        delivery_id,
        row_number,
        period_month,
        'training' as fact_code,
        cast(null as decimal(18, 2)) as amount_yuan
    from staged.human_resources__training
),
monthly as (
    select
        identity.person_id,
        told.period_month,
        told.fact_code,
        count(*) as row_count,
        sum(told.amount_yuan) as amount_yuan
    from told
    join bridge.person as identity
        on identity.source = told.source
        and identity.delivery_id = told.delivery_id
        and identity.row_number = told.row_number
    group by identity.person_id, told.period_month, told.fact_code
)
select
    person_id,
    cast(year(period_month) as integer) as year,
    fact_code,
    cast(sum(row_count) as bigint) as row_count,
    count(*) as month_count,
    sum(amount_yuan) as amount_yuan
from monthly
group by person_id, year(period_month), fact_code

-- One row per person or household, status, county and period in which a roll lists it.
-- A school year lasts from September to August, every other yearly roll for its year.
-- The county is that of the row's area as it is called today, else of the sender, else of the person's
-- household. Where is_confirmed is false only a record that could not be linked may be the person's.
with listed as (
    select
        'person' as entity_type,
        identity.person_id as entity_id,
        record.assistance_code as status_code,
        'civil_affairs__assistance_roll' as source,
        record.village_code as area_code,
        record.sender,
        record.period,
        record.period_month,
        record.start_month as stated_start_month,
        record.delivery_id,
        record.row_number
    from staged.civil_affairs__assistance_roll as record
    join bridge.person as identity
        on identity.source = 'civil_affairs__assistance_roll'
        and identity.delivery_id = record.delivery_id and identity.row_number = record.row_number
    union all
    select
        'person' as entity_type,
        identity.person_id as entity_id,
        'in_care' as status_code,
        'civil_affairs__care_register' as source,
        record.village_code as area_code,
        record.sender,
        record.period,
        record.period_month,
        record.start_month as stated_start_month,
        record.delivery_id,
        record.row_number
    from staged.civil_affairs__care_register as record
    join bridge.person as identity
        on identity.source = 'civil_affairs__care_register'
        and identity.delivery_id = record.delivery_id and identity.row_number = record.row_number
    union all
    select
        'person' as entity_type,
        identity.person_id as entity_id,
        held.status_code,
        'disability_federation__disability_certificate' as source,
        cast(null as varchar) as area_code,
        record.sender,
        record.period,
        record.period_month,
        cast(date_trunc('month', record.issue_date) as date) as stated_start_month,
        record.delivery_id,
        record.row_number
    from staged.disability_federation__disability_certificate as record
    join bridge.person as identity
        on identity.source = 'disability_federation__disability_certificate'
        and identity.delivery_id = record.delivery_id and identity.row_number = record.row_number
    left join reference.code as grade
        on grade.code_list = 'disability_grade' and grade.code = record.disability_grade_code
    join (
        select 'disabled' as status_code
        union all
        select 'severely_disabled' as status_code
    ) as held on held.status_code = 'disabled' or grade.has_attribute
    union all
    select
        'person' as entity_type,
        identity.person_id as entity_id,
        'enrolled' as status_code,
        'education__student_enrolment' as source,
        cast(null as varchar) as area_code,
        record.sender,
        record.period,
        record.period_month,
        cast(null as date) as stated_start_month,
        record.delivery_id,
        record.row_number
    from staged.education__student_enrolment as record
    join bridge.person as identity
        on identity.source = 'education__student_enrolment'
        and identity.delivery_id = record.delivery_id and identity.row_number = record.row_number
    join reference.code as enrolment
        on enrolment.code_list = 'enrolment_status'
        and enrolment.code = record.enrolment_status_code
        and enrolment.has_attribute
    union all
    select
        'person' as entity_type,
        identity.person_id as entity_id,
        'insured' as status_code,
        'health__insurance_enrolment' as source,
        cast(null as varchar) as area_code,
        record.sender,
        record.period,
        record.period_month,
        cast(null as date) as stated_start_month,
        record.delivery_id,
        record.row_number
    from staged.health__insurance_enrolment as record
    join bridge.person as identity
        on identity.source = 'health__insurance_enrolment'
        and identity.delivery_id = record.delivery_id and identity.row_number = record.row_number
    join reference.code as insured
        on insured.code_list = 'insured_status'
        and insured.code = record.insured_status_code
        and insured.has_attribute
    union all
    select
        'household' as entity_type,
        roll.household_id as entity_id,
        'low_income' as status_code,
        'agriculture__household_roll' as source,
        roll.area_code,
        cast(null as varchar) as sender,
        cast(roll.year as varchar) as period,
        make_date(roll.year, 12, 1) as period_month,
        cast(null as date) as stated_start_month,
        roll.delivery_id,
        roll.row_number
    from linked.household_year_roll as roll
),
home as (
    select 'person' as entity_type, member.person_id, household.county_code
    from linked.household_member as member
    join linked.household as household using (household_id)
    qualify row_number() over (
        partition by member.person_id order by member.year desc, member.household_id
    ) = 1
),
placed as (
    select
        listed.entity_type,
        listed.entity_id,
        listed.status_code,
        listed.source,
        coalesce(
            village.county_code, town.county_code, county.county_code, sender.county_code,
            home.county_code
        ) as county_code,
        listed.period,
        listed.period_month,
        listed.stated_start_month,
        listed.delivery_id,
        listed.row_number
    from listed
    left join reference.area_today as village on village.area_code = listed.area_code
    left join reference.area_today as town
        on town.area_code = substr(listed.area_code, 1, 9) || '000'
    left join reference.area_today as county
        on county.area_code = substr(listed.area_code, 1, 6) || '000000'
    left join reference.area_today as sender on sender.area_code = listed.sender
    left join home
        on home.entity_type = listed.entity_type and home.person_id = listed.entity_id
),
confirmed as (
    select *
    from placed
    qualify row_number() over (
        partition by entity_type, entity_id, status_code, county_code, period_month
        order by stated_start_month nulls last, delivery_id, row_number
    ) = 1
),
unconfirmed as (
    select
        held.entity_type,
        held.entity_id,
        held.status_code,
        held.source,
        held.county_code,
        held.period_length,
        record.period_month
    from (
        select distinct
            entity_type,
            entity_id,
            status_code,
            source,
            county_code,
            length(period) as period_length
        from confirmed
        where entity_type = 'person'
    ) as held
    join linked.unconfirmed_record as record
        on record.source = held.source and record.person_id = held.entity_id
    left join confirmed
        on confirmed.entity_type = held.entity_type
        and confirmed.entity_id = held.entity_id
        and confirmed.status_code = held.status_code
        and confirmed.county_code is not distinct from held.county_code
        and confirmed.period_month = record.period_month
    where confirmed.entity_id is null
),
sighted as (
    select
        entity_type,
        entity_id,
        status_code,
        source,
        county_code,
        length(period) as period_length,
        period_month,
        stated_start_month,
        true as is_confirmed,
        delivery_id,
        row_number
    from confirmed
    union all
    select
        entity_type,
        entity_id,
        status_code,
        source,
        county_code,
        period_length,
        period_month,
        cast(null as date) as stated_start_month,
        false as is_confirmed,
        cast(null as varchar) as delivery_id,
        cast(null as bigint) as row_number
    from unconfirmed
)
select
    entity_type,
    entity_id,
    status_code,
    source,
    county_code,
    period_month,
    case
        when source = 'education__student_enrolment' then make_date(year(period_month), 9, 1)
        when period_length = 4 then make_date(year(period_month), 1, 1)
        else period_month
    end as first_month,
    case
        when source = 'education__student_enrolment' then make_date(year(period_month) + 1, 8, 1)
        else period_month
    end as last_month,
    stated_start_month,
    is_confirmed,
    delivery_id,
    row_number
from sighted

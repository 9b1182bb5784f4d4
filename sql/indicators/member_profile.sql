-- One row per member of a household of the roll or the ledger and year, with what departments tell of the
-- person in that year. Members of a household off the roll are those of its last roll who have not died
-- and whom no later roll lists elsewhere.
-- A flag is false, an amount 0 where no row of the year tells it and deliveries of the year came complete
-- for the county; else, or where a record that could not be linked may be the member's, it is empty. Off
-- the roll a member lacks school or insurance by not being listed only if another department's row of
-- that year or later knows the person; the register of certificates says nothing, it keeps the dead.
-- Illness is told by any row up to the year, a case by a register that came up to it. Age is completed at
-- the end of the year, school age by the birthday before the school year of the year begins.
with off_roll as (
    select household.household_id, household.year, household.area_code, max(roll.year) as roll_year
    from indicators.household_year as household
    join linked.household_year_roll as roll
        on roll.household_id = household.household_id and roll.year < household.year
    where not household.is_on_roll
    group by household.household_id, household.year, household.area_code
),
listed as (
    select
        household_id,
        year,
        area_code,
        year as roll_year,
        true as is_on_roll
    from linked.household_year_roll
    union all
    select
        household_id,
        year,
        area_code,
        roll_year,
        false as is_on_roll
    from off_roll
),
last_roll as (
    -- the last roll up to a year in which one of its households is off the roll
    select member.person_id, off_year.year, max(member.year) as roll_year
    from linked.household_member as member
    join (select distinct year from off_roll) as off_year on member.year <= off_year.year
    group by member.person_id, off_year.year
),
death as (
    select person_id, min(year(month)) as year
    from linked.vital_event
    where vital_event_code = 'death'
    group by person_id
),
member as (
    select
        member.person_id,
        member.household_id,
        listed.year,
        listed.is_on_roll,
        listed.roll_year,
        member.age_years + listed.year - listed.roll_year as age_years,
        member.labour_code,
        member.has_labour,
        roll.cause_code,
        listed.area_code,
        place.county_code,
        person.sex_code,
        person.birth_month
    from listed
    join linked.household_member as member
        on member.household_id = listed.household_id and member.year = listed.roll_year
    join linked.household_year_roll as roll
        on roll.household_id = listed.household_id and roll.year = listed.roll_year
    left join linked.person as person on person.person_id = member.person_id
    left join death on death.person_id = member.person_id
    left join reference.area_today as place on place.area_code = listed.area_code
    left join last_roll
        on last_roll.person_id = member.person_id and last_roll.year = listed.year
    where listed.is_on_roll
        or (
            coalesce(death.year > listed.year, true)
            and coalesce(last_roll.roll_year = listed.roll_year, true)
        )
    qualify row_number() over (
        partition by member.person_id, listed.year
        order by listed.roll_year desc, member.household_id
    ) = 1
),
complete as (
    select distinct source, county_code, cast(year(period_month) as integer) as year
    from indicators.complete_roll
),
unconfirmed as (
    select distinct source, person_id, cast(year(period_month) as integer) as year
    from linked.unconfirmed_record
),
sighting as (
    select person_id, max(year) as last_year
    from (
        select person_id, year
        from linked.enrolment
        union all
        select person_id, year
        from linked.insurance
        union all
        select person_id, year
        from linked.person_fact
        where fact_code not in ('disabled', 'severely_disabled')
    ) as told
    group by person_id
),
searched as (
    -- the datasets that would tell of the member, had they anything to tell
    select
        member.person_id,
        member.year,
        bool_or(complete.source = 'civil_affairs__assistance_roll') as assistance_roll,
        bool_or(complete.source = 'civil_affairs__care_register') as care_register,
        bool_or(complete.source = 'civil_affairs__temporary_relief') as temporary_relief,
        bool_or(complete.source = 'civil_affairs__relief_payment') as relief_payment,
        bool_or(complete.source = 'disability_federation__disability_certificate')
        as disability_certificate,
        bool_or(complete.source = 'disability_federation__disability_subsidy')
        as disability_subsidy,
        bool_or(complete.source = 'education__student_aid') as student_aid,
        bool_or(
            complete.source = 'education__student_enrolment'
            and (member.is_on_roll or coalesce(sighting.last_year >= member.year, false))
        ) as student_enrolment,
        bool_or(complete.source = 'health__family_doctor') as family_doctor,
        bool_or(
            complete.source = 'health__insurance_enrolment'
            and (member.is_on_roll or coalesce(sighting.last_year >= member.year, false))
        ) as insurance_enrolment,
        bool_or(complete.source = 'health__medical_settlement') as medical_settlement,
        bool_or(complete.source = 'health__serious_illness') as serious_illness,
        bool_or(complete.source = 'human_resources__employment_month') as employment_month,
        bool_or(complete.source = 'human_resources__pension_enrolment') as pension_enrolment,
        bool_or(complete.source = 'human_resources__public_post') as public_post,
        bool_or(complete.source = 'human_resources__training') as training
    from member
    join complete using (county_code, year)
    left join sighting on sighting.person_id = member.person_id
    left join unconfirmed
        on unconfirmed.source = complete.source
        and unconfirmed.person_id = member.person_id
        and unconfirmed.year = member.year
    where unconfirmed.person_id is null
    group by member.person_id, member.year
),
monitoring as (
    select county_code, min(year) as first_year
    from complete
    where source = 'agriculture__monitoring_case'
    group by county_code
),
fact as (
    select
        person_id,
        year,
        max(case when fact_code = 'dibao' then 1 else 0 end) = 1 as is_dibao,
        max(case when fact_code = 'dibao_margin' then 1 else 0 end) = 1 as is_margin,
        max(case when fact_code = 'tekun' then 1 else 0 end) = 1 as is_tekun,
        max(case when fact_code = 'in_care' then 1 else 0 end) = 1 as is_in_care,
        max(case when fact_code in ('disabled', 'severely_disabled') then 1 else 0 end) = 1
            as is_disabled,
        max(case when fact_code = 'severely_disabled' then 1 else 0 end) = 1
            as is_severely_disabled,
        max(case when fact_code in ('pension', 'pension_insurance') then 1 else 0 end) = 1
            as is_pension_insured,
        max(case when fact_code = 'pension' then 1 else 0 end) = 1 as draws_pension,
        max(case when fact_code = 'family_doctor' then 1 else 0 end) = 1 as has_family_doctor,
        max(case when fact_code = 'illness_untreated' then 1 else 0 end) = 1 as is_untreated,
        max(case when fact_code = 'training' then 1 else 0 end) = 1 as is_trained,
        max(case when fact_code = 'public_post' then 1 else 0 end) = 1 as holds_public_post,
        max(case when fact_code = 'work' then month_count end) as worked_months,
        sum(case when fact_code = 'student_aid' then amount_yuan end) as aid_yuan,
        sum(case when fact_code = 'relief' then amount_yuan end) as relief_yuan,
        sum(case when fact_code = 'temporary_relief' then amount_yuan end)
            as temporary_relief_yuan,
        sum(case when fact_code = 'disability_subsidy' then amount_yuan end)
            as disability_subsidy_yuan,
        sum(case when fact_code = 'medical_cost' then amount_yuan end) as medical_cost_yuan,
        sum(case when fact_code = 'medical_self_paid' then amount_yuan end)
            as medical_self_paid_yuan
    from linked.person_fact
    group by person_id, year
),
illness as (
    select
        person_id,
        min(year) as ill_since,
        min(case when fact_code = 'illness_treated' then year end) as treated_since
    from linked.person_fact
    where fact_code in ('illness_treated', 'illness_untreated')
    group by person_id
),
schooling as (
    select
        person_id,
        year,
        max(case when is_enrolled then 1 else 0 end) = 1 as is_enrolled,
        max(case when is_enrolled then education_stage_code end) as education_stage_code
    from linked.enrolment
    group by person_id, year
),
insurance as (
    select person_id, year, max(case when is_insured then 1 else 0 end) = 1 as is_insured
    from linked.insurance
    group by person_id, year
),
watched as (
    -- a case is open until its risk is cleared
    select distinct member.household_id, member.year
    from member
    join linked.monitoring_case as told
        on told.household_id = member.household_id
        and year(told.identified_month) <= member.year
        and (told.cleared_month is null or year(told.cleared_month) >= member.year)
)
select
    member.person_id,
    member.household_id,
    member.year,
    member.is_on_roll,
    cast(member.roll_year as integer) as roll_year,
    member.area_code,
    cast(member.age_years as integer) as age_years,
    member.year - year(member.birth_month)
        - case when month(member.birth_month) >= school.school_month then 1 else 0 end
        between school.age_from and school.age_to as is_of_school_age,
    member.sex_code,
    member.labour_code,
    member.has_labour,
    member.cause_code,
    case when fact.is_dibao then true when searched.assistance_roll then false end as is_dibao,
    case when fact.is_margin then true when searched.assistance_roll then false end as is_margin,
    case when fact.is_tekun then true when searched.assistance_roll then false end as is_tekun,
    case when fact.is_in_care then true when searched.care_register then false end as is_in_care,
    case when fact.is_disabled then true when searched.disability_certificate then false end
        as is_disabled,
    case
        when fact.is_severely_disabled then true
        when fact.is_disabled or searched.disability_certificate then false
    end as is_severely_disabled,
    case
        when watched.household_id is not null then true
        when monitoring.first_year <= member.year then false
    end as is_monitored,
    coalesce(schooling.is_enrolled, case when searched.student_enrolment then false end)
        as is_enrolled,
    schooling.education_stage_code,
    coalesce(insurance.is_insured, case when searched.insurance_enrolment then false end)
        as is_insured,
    case when fact.is_pension_insured then true when searched.pension_enrolment then false end
        as is_pension_insured,
    case
        when fact.draws_pension then true
        when fact.is_pension_insured or searched.pension_enrolment then false
    end as draws_pension,
    case when fact.has_family_doctor then true when searched.family_doctor then false end
        as has_family_doctor,
    case
        when illness.ill_since <= member.year then true
        when searched.serious_illness then false
    end as is_seriously_ill,
    case
        when illness.treated_since <= member.year then true
        when fact.is_untreated or searched.serious_illness then false
    end as is_treated,
    case when fact.is_trained then true when searched.training then false end as is_trained,
    coalesce(fact.worked_months, case when searched.employment_month then 0 end) as worked_months,
    case when fact.holds_public_post then true when searched.public_post then false end
        as holds_public_post,
    coalesce(fact.aid_yuan, case when searched.student_aid then 0 end) as aid_yuan,
    coalesce(fact.relief_yuan, case when searched.relief_payment then 0 end) as relief_yuan,
    coalesce(fact.temporary_relief_yuan, case when searched.temporary_relief then 0 end)
        as temporary_relief_yuan,
    coalesce(fact.disability_subsidy_yuan, case when searched.disability_subsidy then 0 end)
        as disability_subsidy_yuan,
    coalesce(fact.medical_cost_yuan, case when searched.medical_settlement then 0 end)
        as medical_cost_yuan,
    coalesce(fact.medical_self_paid_yuan, case when searched.medical_settlement then 0 end)
        as medical_self_paid_yuan
from member
left join indicators.school_age as school
    on school.county_code = member.county_code and school.year = member.year
left join searched on searched.person_id = member.person_id and searched.year = member.year
left join monitoring on monitoring.county_code = member.county_code
left join fact on fact.person_id = member.person_id and fact.year = member.year
left join illness on illness.person_id = member.person_id
left join schooling on schooling.person_id = member.person_id and schooling.year = member.year
left join insurance on insurance.person_id = member.person_id and insurance.year = member.year
left join watched
    on watched.household_id = member.household_id and watched.year = member.year

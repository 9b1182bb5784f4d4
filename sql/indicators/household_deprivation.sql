-- One row per household and year: which of the two assurances, three guarantees and safe water it lacks.
-- Empty is what no row tells; it is neither lacking nor secure.
-- Food and clothing are judged by the income that policies/*/deprivations.yaml names a line for.
-- A member on the roll lacks schooling (at compulsory age) or insurance who is listed as not enrolled or
-- not insured, or is not on a roll that came complete for the county and year, where no record that
-- could not be linked may be the member's. A house is as last told up to the year; water is told by
-- village, of the year.
with household as (
    select
        household.household_id,
        household.year,
        household.area_code,
        household.village_code,
        round(household.total_yuan / nullif(household.member_count, 0), 6) as income_per_head,
        place.county_code
    from indicators.household_year as household
    left join reference.area_today as place on place.area_code = household.area_code
),
place as (
    select distinct area_code, year
    from household
),
line as (
    select
        place.area_code,
        place.year,
        deprivation.dimension_id,
        decided.line_yuan
    from place
    join reference.area_ancestor as ancestor on ancestor.area_code = place.area_code
    join reference.deprivation as deprivation on deprivation.line_id is not null
    join indicators.poverty_line as decided
        on decided.area_code = ancestor.ancestor_code
        and decided.year = place.year
        and decided.line_id = deprivation.line_id
    qualify row_number() over (
        partition by place.area_code, place.year, deprivation.dimension_id
        order by ancestor.distance
    ) = 1
),
floor as (
    select
        area_code,
        year,
        max(case when dimension_id = 'food' then line_yuan end) as food_yuan,
        max(case when dimension_id = 'clothing' then line_yuan end) as clothing_yuan
    from line
    group by area_code, year
),
complete as (
    select distinct source, county_code, cast(year(period_month) as integer) as year
    from indicators.complete_roll
),
listed as (
    select
        'education__student_enrolment' as source,
        person_id,
        year,
        max(case when is_enrolled then 1 else 0 end) = 1 as is_covered
    from linked.enrolment
    group by person_id, year
    union all
    select
        'health__insurance_enrolment' as source,
        person_id,
        year,
        max(case when is_insured then 1 else 0 end) = 1 as is_covered
    from linked.insurance
    group by person_id, year
),
unconfirmed as (
    select distinct source, person_id, cast(year(period_month) as integer) as year
    from linked.unconfirmed_record
),
covering as (
    select 'education__student_enrolment' as source
    union all
    select 'health__insurance_enrolment' as source
),
member as (
    select
        member.household_id,
        member.year,
        covering.source,
        case
            when covering.source = 'education__student_enrolment'
                and not coalesce(profile.is_of_school_age, false) then profile.is_of_school_age
            when listed.person_id is not null then not listed.is_covered
            when complete.source is not null and unconfirmed.person_id is null then true
        end as lacks_it
    from linked.household_member as member
    join household using (household_id, year)
    cross join covering
    left join indicators.member_profile as profile
        on profile.person_id = member.person_id and profile.year = member.year
    left join listed
        on listed.source = covering.source
        and listed.person_id = member.person_id
        and listed.year = member.year
    left join complete
        on complete.source = covering.source
        and complete.county_code = household.county_code
        and complete.year = member.year
    left join unconfirmed
        on unconfirmed.source = covering.source
        and unconfirmed.person_id = member.person_id
        and unconfirmed.year = member.year
),
covered as (
    select
        household_id,
        year,
        source,
        case
            when max(case when lacks_it then 1 else 0 end) = 1 then true
            when count(lacks_it) = count(*) then false
        end as lacks_it
    from member
    group by household_id, year, source
),
by_source as (
    select
        household_id,
        year,
        max(case when source = 'education__student_enrolment' then lacks_it end)
            as lacks_schooling,
        max(case when source = 'health__insurance_enrolment' then lacks_it end)
            as lacks_medical_care
    from covered
    group by household_id, year
),
house as (
    select
        household.household_id,
        household.year,
        told.fact_code = 'house_unsafe' as lacks_safe_house
    from household
    join linked.household_fact as told
        on told.household_id = household.household_id
        and told.year <= household.year
        and told.fact_code in ('house_safe', 'house_unsafe')
    qualify row_number() over (
        partition by household.household_id, household.year
        order by told.year desc, told.last_told_month desc, told.fact_code desc
    ) = 1
)
select
    household.household_id,
    household.year,
    household.income_per_head < floor.food_yuan as lacks_food,
    household.income_per_head < floor.clothing_yuan as lacks_clothing,
    by_source.lacks_schooling,
    by_source.lacks_medical_care,
    house.lacks_safe_house,
    not village.has_tap_water as lacks_safe_water
from household
left join floor using (area_code, year)
left join by_source using (household_id, year)
left join house using (household_id, year)
left join indicators.village_profile as village
    on village.village_code = household.village_code and village.year = household.year

-- One row per watched member who should stand on a yearly roll and does not, by its measure.
-- The roll is the latest that covers the member's county and has begun. Who is listed as not attending
-- or not insured is missing. Who is not listed at all is missing if the household's own roll or another
-- department's row of that year or later knows the member, who else may have died or moved away; the
-- register of certificates says nothing, it keeps the dead. Who may stand there under a mistyped number
-- or name is not missing.
-- A child is of school age by its birthday before the school year begins.
with build as (
    select as_of_month
    from meta.build
),
begun as (
    select
        roll.source,
        roll.county_code,
        cast(year(roll.period_month) as integer) as year,
        case
            when roll.source = 'education__student_enrolment'
                then make_date(year(roll.period_month), watch.school_month, 1)
            else make_date(year(roll.period_month), 1, 1)
        end as first_month,
        watch.school_month,
        watch.age_from,
        watch.age_to
    from indicators.complete_roll as roll
    join indicators.watch_window as watch using (county_code)
),
latest as (
    select begun.*
    from begun
    join build on begun.first_month <= build.as_of_month
    qualify row_number() over (
        partition by begun.source, begun.county_code order by begun.year desc
    ) = 1
),
listed as (
    select
        'education__student_enrolment' as source,
        person_id,
        year,
        is_enrolled as is_covered
    from linked.enrolment
    union all
    select 'health__insurance_enrolment' as source, person_id, year, is_insured as is_covered
    from linked.insurance
),
judged as (
    select
        listed.source,
        listed.person_id,
        listed.year,
        max(case when listed.is_covered then 1 else 0 end) = 1 as is_covered
    from listed
    join (select distinct source, year from latest) as wanted using (source, year)
    group by listed.source, listed.person_id, listed.year
),
uncovered as (
    select
        member.household_id,
        member.person_id,
        member.birth_month,
        latest.source,
        latest.year,
        latest.first_month,
        latest.school_month,
        latest.age_from,
        latest.age_to,
        judged.person_id is not null as is_listed,
        member.roll_year >= latest.year as is_on_roll
    from indicators.watched_member as member
    join latest on latest.county_code = member.county_code
    left join judged
        on judged.person_id = member.person_id
        and judged.source = latest.source
        and judged.year = latest.year
    where not coalesce(judged.is_covered, false)
),
sighting as (
    select person_id, year
    from linked.enrolment
    union all
    select person_id, year
    from linked.insurance
    union all
    select person_id, cast(year(month) as integer) as year
    from linked.medical_settlement
    union all
    select person_id, cast(year(month) as integer) as year
    from linked.relief_payment
    union all
    select person_id, cast(year(month) as integer) as year
    from linked.assistance
),
sought as (
    select distinct person_id
    from uncovered
    where not is_on_roll
),
last_sighting as (
    select sighting.person_id, max(sighting.year) as year
    from sighting
    join sought using (person_id)
    group by sighting.person_id
),
absent as (
    select uncovered.*
    from uncovered
    left join last_sighting using (person_id)
    left join linked.unconfirmed_record as unconfirmed
        on unconfirmed.person_id = uncovered.person_id
        and unconfirmed.source = uncovered.source
        and year(unconfirmed.period_month) = uncovered.year
    where uncovered.is_listed
        or (
            unconfirmed.person_id is null
            and (uncovered.is_on_roll or last_sighting.year >= uncovered.year)
        )
)
select
    household_id,
    person_id,
    'unenrolled_child_count' as measure_id,
    source,
    year,
    first_month
from absent
where source = 'education__student_enrolment'
    and year - year(birth_month)
        - case when month(birth_month) >= school_month then 1 else 0 end
        between age_from and age_to
union all
select
    household_id,
    person_id,
    'uninsured_member_count' as measure_id,
    source,
    year,
    first_month
from absent
where source = 'health__insurance_enrolment'

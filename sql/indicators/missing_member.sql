-- One row per watched member who should stand on a yearly roll and does not, by its measure.
-- The roll is the latest that covers the member's county and has begun. A child is of school age by
-- its birthday before the school year begins; who is listed as not attending or not insured is
-- missing too.
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
child as (
    select
        member.household_id,
        member.person_id,
        'unenrolled_child_count' as measure_id,
        latest.source,
        latest.year,
        latest.first_month
    from indicators.watched_member as member
    join latest
        on latest.county_code = member.county_code
        and latest.source = 'education__student_enrolment'
    left join linked.enrolment as attended
        on attended.person_id = member.person_id
        and attended.year = latest.year
        and attended.is_enrolled
    where attended.person_id is null
        and latest.year - year(member.birth_month)
            - case when month(member.birth_month) >= latest.school_month then 1 else 0 end
            between latest.age_from and latest.age_to
),
uninsured as (
    select
        member.household_id,
        member.person_id,
        'uninsured_member_count' as measure_id,
        latest.source,
        latest.year,
        latest.first_month
    from indicators.watched_member as member
    join latest
        on latest.county_code = member.county_code
        and latest.source = 'health__insurance_enrolment'
    left join linked.insurance as insured
        on insured.person_id = member.person_id
        and insured.year = latest.year
        and insured.is_insured
    where insured.person_id is null
)
select household_id, person_id, measure_id, source, year, first_month
from child
union all
select household_id, person_id, measure_id, source, year, first_month
from uninsured

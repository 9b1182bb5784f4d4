-- One row per two households of different notions that share a person, and years of the same overlap.
-- Counted are the persons whom rows of the year name; a book or a family may have others whom no row
-- names. The row goes on until a later year names both households otherwise.
with named as (
    select distinct
        household_notion,
        household_id,
        person_id,
        cast(year(period_month) as integer) as year
    from linked.membership_sighting
    where is_confirmed
),
size as (
    select household_notion, household_id, year, count(*) as person_count
    from named
    group by household_notion, household_id, year
),
pair as (
    select 'roll' as household_notion, 'co_living' as other_notion
    union all
    select 'roll' as household_notion, 'registration' as other_notion
    union all
    select 'co_living' as household_notion, 'registration' as other_notion
),
shared as (
    select
        pair.household_notion,
        one.household_id,
        pair.other_notion,
        other.household_id as other_household_id,
        one.year,
        count(*) as shared_person_count
    from pair
    join named as one on one.household_notion = pair.household_notion
    join named as other
        on other.household_notion = pair.other_notion
        and other.person_id = one.person_id
        and other.year = one.year
    group by
        pair.household_notion,
        one.household_id,
        pair.other_notion,
        other.household_id,
        one.year
),
compared as (
    select
        known.household_notion,
        known.household_id,
        known.other_notion,
        known.other_household_id,
        one.year,
        coalesce(shared.shared_person_count, 0) as shared_person_count,
        one.person_count,
        other.person_count as other_person_count
    from (
        select distinct household_notion, household_id, other_notion, other_household_id
        from shared
    ) as known
    join size as one
        on one.household_notion = known.household_notion
        and one.household_id = known.household_id
    join size as other
        on other.household_notion = known.other_notion
        and other.household_id = known.other_household_id
        and other.year = one.year
    left join shared
        on shared.household_notion = known.household_notion
        and shared.household_id = known.household_id
        and shared.other_notion = known.other_notion
        and shared.other_household_id = known.other_household_id
        and shared.year = one.year
),
changed as (
    select
        *,
        case
            when shared_person_count = lag(shared_person_count) over (
                partition by household_notion, household_id, other_notion, other_household_id
                order by year
            ) and person_count = lag(person_count) over (
                partition by household_notion, household_id, other_notion, other_household_id
                order by year
            ) and other_person_count = lag(other_person_count) over (
                partition by household_notion, household_id, other_notion, other_household_id
                order by year
            ) then 0
            else 1
        end as is_change
    from compared
),
phased as (
    select
        *,
        sum(is_change) over (
            partition by household_notion, household_id, other_notion, other_household_id
            order by year
        ) as phase,
        sum(is_change) over (
            partition by household_notion, household_id, other_notion, other_household_id
        ) as phase_count
    from changed
)
select
    household_notion,
    household_id,
    other_notion,
    other_household_id,
    make_date(min(year), 1, 1) as start_month,
    case when phase < min(phase_count) then make_date(max(year), 12, 1) end as end_month,
    min(shared_person_count) as shared_person_count,
    min(person_count) as person_count,
    min(other_person_count) as other_person_count,
    case
        when min(shared_person_count) < min(person_count)
            and min(shared_person_count) < min(other_person_count) then 'overlaps'
        when min(shared_person_count) < min(person_count) then 'contains'
        when min(shared_person_count) < min(other_person_count) then 'part_of'
        else 'same'
    end as overlap_code
from phased
where shared_person_count > 0
group by household_notion, household_id, other_notion, other_household_id, phase

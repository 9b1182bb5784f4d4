-- One row per notion of a household, predecessor, successor, year and kind of what connects them.
-- A person whom the next listing names in another household has moved there. A household that is not
-- listed again continues in a new one, merges into one that was there before or has members of others
-- too, or splits into several; one that is listed again had a part split off into a new household, or
-- members move to another. Where the head is another person than before the household is its own
-- predecessor.
-- Births, deaths and moves of single members stand in linked.membership_interval with their rows.
with listed as (
    select
        household_notion,
        household_id,
        person_id,
        cast(year(period_month) as integer) as year,
        is_head,
        delivery_id,
        row_number
    from linked.membership_sighting
    where is_confirmed
    qualify row_number() over (
        partition by household_notion, person_id, year(period_month)
        order by period_month desc, household_id
    ) = 1
),
household_year as (
    select household_notion, household_id, year, count(*) as person_count
    from listed
    group by household_notion, household_id, year
),
household_span as (
    select household_notion, household_id, min(year) as first_year, max(year) as last_year
    from household_year
    group by household_notion, household_id
),
followed as (
    select
        household_notion,
        household_id,
        person_id,
        year,
        lag(household_id) over (
            partition by household_notion, person_id order by year
        ) as predecessor_id,
        lag(year) over (partition by household_notion, person_id order by year)
            as predecessor_year,
        lag(delivery_id) over (partition by household_notion, person_id order by year)
            as predecessor_delivery_id,
        lag(row_number) over (partition by household_notion, person_id order by year)
            as predecessor_row_number,
        delivery_id,
        row_number
    from listed
),
moved as (
    select *
    from followed
    where predecessor_id <> household_id
),
pair as (
    select
        household_notion,
        predecessor_id,
        household_id as successor_id,
        year,
        max(predecessor_year) as predecessor_year,
        count(*) as moved_person_count
    from moved
    group by household_notion, predecessor_id, household_id, year
),
evidence as (
    select
        household_notion,
        predecessor_id,
        household_id as successor_id,
        year,
        predecessor_delivery_id,
        predecessor_row_number,
        delivery_id as successor_delivery_id,
        row_number as successor_row_number
    from moved
    qualify row_number() over (
        partition by household_notion, predecessor_id, household_id, year
        order by delivery_id, row_number, person_id
    ) = 1
),
fan as (
    select
        *,
        count(*) over (partition by household_notion, predecessor_id, year) as successor_count,
        count(*) over (partition by household_notion, successor_id, year) as predecessor_count
    from pair
),
connected as (
    select
        fan.household_notion,
        fan.predecessor_id,
        fan.successor_id,
        fan.year,
        case
            when predecessor.last_year >= fan.year and successor.first_year < fan.year
                then 'members_move'
            when predecessor.last_year >= fan.year then 'splits_off'
            when successor.first_year < fan.year then 'merges_into'
            when fan.successor_count > 1 then 'splits_into'
            when fan.predecessor_count > 1 then 'merges_into'
            else 'continues'
        end as lineage_code,
        fan.moved_person_count,
        before.person_count as predecessor_person_count,
        after.person_count as successor_person_count,
        evidence.predecessor_delivery_id,
        evidence.predecessor_row_number,
        evidence.successor_delivery_id,
        evidence.successor_row_number
    from fan
    join evidence
        on evidence.household_notion = fan.household_notion
        and evidence.predecessor_id = fan.predecessor_id
        and evidence.successor_id = fan.successor_id
        and evidence.year = fan.year
    join household_span as predecessor
        on predecessor.household_notion = fan.household_notion
        and predecessor.household_id = fan.predecessor_id
    join household_span as successor
        on successor.household_notion = fan.household_notion
        and successor.household_id = fan.successor_id
    join household_year as before
        on before.household_notion = fan.household_notion
        and before.household_id = fan.predecessor_id
        and before.year = fan.predecessor_year
    join household_year as after
        on after.household_notion = fan.household_notion
        and after.household_id = fan.successor_id
        and after.year = fan.year
),
head as (
    select
        listed.household_notion,
        listed.household_id,
        listed.person_id,
        listed.year,
        household_year.person_count,
        listed.delivery_id,
        listed.row_number
    from listed
    join household_year
        on household_year.household_notion = listed.household_notion
        and household_year.household_id = listed.household_id
        and household_year.year = listed.year
    where listed.is_head
    qualify row_number() over (
        partition by listed.household_notion, listed.household_id, listed.year
        order by listed.delivery_id, listed.row_number
    ) = 1
),
headed as (
    select
        household_notion,
        household_id,
        person_id,
        year,
        person_count,
        delivery_id,
        row_number,
        lag(person_id) over (
            partition by household_notion, household_id order by year
        ) as person_id_before,
        lag(person_count) over (
            partition by household_notion, household_id order by year
        ) as person_count_before,
        lag(delivery_id) over (
            partition by household_notion, household_id order by year
        ) as delivery_id_before,
        lag(row_number) over (
            partition by household_notion, household_id order by year
        ) as row_number_before
    from head
)
select
    household_notion,
    predecessor_id,
    successor_id,
    year,
    lineage_code,
    moved_person_count,
    predecessor_person_count,
    successor_person_count,
    predecessor_delivery_id,
    predecessor_row_number,
    successor_delivery_id,
    successor_row_number
from connected
union all
select
    household_notion,
    household_id as predecessor_id,
    household_id as successor_id,
    year,
    'head_changes' as lineage_code,
    0 as moved_person_count,
    person_count_before as predecessor_person_count,
    person_count as successor_person_count,
    delivery_id_before as predecessor_delivery_id,
    row_number_before as predecessor_row_number,
    delivery_id as successor_delivery_id,
    row_number as successor_row_number
from headed
where person_id_before <> person_id

-- One row per notion of a household, household, person and period in which a row lists the person in it.
-- The roll's household is that of the low-income roll, a year long; the co-living family that of civil
-- affairs' roll, in its month; the registered household that of the hukou book, as the roll of a year
-- names it at its end or the police in the month of an event. Where is_confirmed is false only a record
-- that could not be linked may be the person's.
with listed as (
    select
        'roll' as household_notion,
        member.household_id,
        member.person_id,
        make_date(member.year, 12, 1) as period_month,
        make_date(member.year, 1, 1) as first_month,
        member.relation_code,
        member.is_head,
        member.delivery_id,
        member.row_number
    from linked.household_member as member
    union all
    select
        'co_living' as household_notion,
        household.household_id,
        identity.person_id,
        record.period_month,
        record.period_month as first_month,
        cast(null as varchar) as relation_code,
        cast(null as boolean) as is_head,
        record.delivery_id,
        record.row_number
    from staged.civil_affairs__assistance_roll as record
    join bridge.person as identity
        on identity.source = 'civil_affairs__assistance_roll'
        and identity.delivery_id = record.delivery_id and identity.row_number = record.row_number
    join bridge.household as household
        on household.source = 'civil_affairs__assistance_roll' and household.household_notion = 'co_living'
        and household.delivery_id = record.delivery_id and household.row_number = record.row_number
    union all
    select
        'registration' as household_notion,
        household.household_id,
        identity.person_id,
        record.period_month,
        record.period_month as first_month,
        cast(null as varchar) as relation_code,
        cast(null as boolean) as is_head,
        record.delivery_id,
        record.row_number
    from staged.agriculture__household_roll as record
    join bridge.person as identity
        on identity.source = 'agriculture__household_roll'
        and identity.delivery_id = record.delivery_id and identity.row_number = record.row_number
    join bridge.household as household
        on household.source = 'agriculture__household_roll' and household.household_notion = 'registration'
        and household.delivery_id = record.delivery_id and household.row_number = record.row_number
    union all
    select
        'registration' as household_notion,
        event.household_id,
        event.person_id,
        event.month as period_month,
        event.month as first_month,
        cast(null as varchar) as relation_code,
        cast(null as boolean) as is_head,
        event.delivery_id,
        event.row_number
    from linked.vital_event as event
    where event.household_id is not null
        and event.vital_event_code in ('birth', 'death', 'move_in', 'move_out')
),
confirmed as (
    select *
    from listed
    qualify row_number() over (
        partition by household_notion, household_id, person_id, period_month
        order by delivery_id, row_number
    ) = 1
),
unconfirmed as (
    select
        held.household_notion,
        held.household_id,
        held.person_id,
        household.period_month,
        household.first_month
    from (
        select distinct
            household_notion,
            household_id,
            person_id,
            case
                when household_notion = 'roll' then 'agriculture__household_roll'
                else 'civil_affairs__assistance_roll'
            end as source
        from confirmed
        where household_notion <> 'registration'
    ) as held
    join linked.unconfirmed_record as record
        on record.source = held.source and record.person_id = held.person_id
    join (
        select distinct household_notion, household_id, period_month, first_month
        from confirmed
    ) as household
        on household.household_notion = held.household_notion
        and household.household_id = held.household_id
        and household.period_month = record.period_month
    left join confirmed
        on confirmed.household_notion = held.household_notion
        and confirmed.household_id = held.household_id
        and confirmed.person_id = held.person_id
        and confirmed.period_month = record.period_month
    where confirmed.person_id is null
)
select
    household_notion,
    household_id,
    person_id,
    period_month,
    first_month,
    period_month as last_month,
    relation_code,
    is_head,
    true as is_confirmed,
    delivery_id,
    row_number
from confirmed
union all
select
    household_notion,
    household_id,
    person_id,
    period_month,
    first_month,
    period_month as last_month,
    cast(null as varchar) as relation_code,
    cast(null as boolean) as is_head,
    false as is_confirmed,
    cast(null as varchar) as delivery_id,
    cast(null as bigint) as row_number
from unconfirmed

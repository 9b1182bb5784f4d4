-- One row per status that a register states with its own dates, and the row that states it.
-- Monitored from the identification to the clearing of the risk, observed from there until identified
-- again; relocated since the move, until the ledger says that the household came back; under
-- verification while a clue is open. An end without a date is that of the delivery that tells it.
-- The relocated household is told by its head. Months are whole: start and end hold in part at least.
with death as (
    select person_id, month, delivery_id, row_number, county_code
    from linked.vital_event
    where vital_event_code = 'death'
    qualify row_number() over (
        partition by person_id order by month, delivery_id, row_number
    ) = 1
),
monitored as (
    select
        household_id,
        'monitored_' || object_type_code as status_code,
        county_code,
        identified_month,
        is_cleared,
        case
            when is_cleared
                then coalesce(cleared_month, greatest(known_month, identified_month))
        end as cleared_month,
        cleared_month is not null as is_month_stated,
        known_month,
        lead(identified_month) over (
            partition by household_id order by identified_month, delivery_id, row_number
        ) as identified_again_month,
        delivery_id,
        row_number
    from linked.monitoring_case
),
moved as (
    select
        person_id,
        month,
        vital_event_code,
        county_code,
        lead(month) over (
            partition by person_id order by month, event_place, vital_event_code, delivery_id, row_number
        ) as next_month,
        lead(vital_event_code) over (
            partition by person_id order by month, event_place, vital_event_code, delivery_id, row_number
        ) as next_event_code,
        delivery_id,
        row_number
    from linked.vital_event
    where vital_event_code in ('move_in', 'move_out')
),
relocated as (
    select
        identity.person_id,
        coalesce(village.county_code, town.county_code, county.county_code) as county_code,
        cast(date_trunc('month', record.moved_date) as date) as moved_month,
        record.relocation_state_code,
        record.period_month as known_month,
        record.delivery_id,
        record.row_number
    from staged.housing__relocation as record
    join bridge.person as identity
        on identity.source = 'housing__relocation'
        and identity.delivery_id = record.delivery_id and identity.row_number = record.row_number
    left join reference.area_today as village on village.area_code = record.village_code
    left join reference.area_today as town
        on town.area_code = substr(record.village_code, 1, 9) || '000'
    left join reference.area_today as county
        on county.area_code = substr(record.village_code, 1, 6) || '000000'
    where record.relocation_state_code in ('moved', 'returned')
),
verified as (
    select
        identity.person_id,
        coalesce(village.county_code, town.county_code, county.county_code) as county_code,
        cast(date_trunc('month', record.received_date) as date) as received_month,
        cast(date_trunc('month', coalesce(record.verified_date, record.closed_date)) as date)
            as verified_month,
        record.period_month as known_month,
        record.delivery_id,
        record.row_number
    from staged.casework__clue as record
    join bridge.person as identity
        on identity.source = 'casework__clue'
        and identity.delivery_id = record.delivery_id and identity.row_number = record.row_number
    left join reference.area_today as village on village.area_code = record.village_code
    left join reference.area_today as town
        on town.area_code = substr(record.village_code, 1, 9) || '000'
    left join reference.area_today as county
        on county.area_code = substr(record.village_code, 1, 6) || '000000'
)
select
    'household' as entity_type,
    household_id as entity_id,
    status_code,
    'agriculture__monitoring_case' as source,
    county_code,
    identified_month as start_month,
    cleared_month as end_month,
    true as is_start_known,
    coalesce(is_cleared and is_month_stated, false) as is_end_known,
    case when is_cleared then 'cleared' end as end_event_code,
    known_month,
    delivery_id,
    row_number
from monitored
union all
select
    'household' as entity_type,
    household_id as entity_id,
    'observed' as status_code,
    'agriculture__monitoring_case' as source,
    county_code,
    cleared_month as start_month,
    identified_again_month as end_month,
    is_month_stated as is_start_known,
    identified_again_month is not null as is_end_known,
    case when identified_again_month is not null then 'identified_again' end
        as end_event_code,
    greatest(known_month, cleared_month) as known_month,
    delivery_id,
    row_number
from monitored
where is_cleared and (identified_again_month is null
    or identified_again_month >= cleared_month)
union all
select
    'person' as entity_type,
    person_id as entity_id,
    'relocated' as status_code,
    'housing__relocation' as source,
    county_code,
    coalesce(moved_month, known_month) as start_month,
    case
        when relocation_state_code = 'returned'
            then greatest(known_month, coalesce(moved_month, known_month))
    end as end_month,
    moved_month is not null as is_start_known,
    false as is_end_known,
    case when relocation_state_code = 'returned' then 'returned' end as end_event_code,
    known_month,
    delivery_id,
    row_number
from relocated
union all
select
    'person' as entity_type,
    person_id as entity_id,
    'under_verification' as status_code,
    'casework__clue' as source,
    county_code,
    received_month as start_month,
    verified_month as end_month,
    true as is_start_known,
    verified_month is not null as is_end_known,
    case when verified_month is not null then 'stated' end as end_event_code,
    known_month,
    delivery_id,
    row_number
from verified
union all
select
    'person' as entity_type,
    person_id as entity_id,
    'deceased' as status_code,
    'public_security__vital_event' as source,
    county_code,
    month as start_month,
    cast(null as date) as end_month,
    true as is_start_known,
    false as is_end_known,
    cast(null as varchar) as end_event_code,
    month as known_month,
    delivery_id,
    row_number
from death
union all
select
    'person' as entity_type,
    person_id as entity_id,
    'moved_out' as status_code,
    'public_security__vital_event' as source,
    county_code,
    month as start_month,
    case when next_event_code = 'move_in' then next_month end as end_month,
    true as is_start_known,
    coalesce(next_event_code = 'move_in', false) as is_end_known,
    case when next_event_code = 'move_in' then 'move_in' end as end_event_code,
    month as known_month,
    delivery_id,
    row_number
from moved
where vital_event_code = 'move_out'

-- One row per person and event that the police have registered, by the month in which it happened.
-- Events of a person stand in the order of their days; on one day a move out comes before a move in.
-- The county is that of the person's registration, as it is called today.
select
    record.delivery_id,
    record.row_number,
    identity.person_id,
    cast(date_trunc('month', record.event_date) as date) as month,
    record.vital_event_code,
    household.household_id,
    coalesce(village.county_code, town.county_code, county.county_code) as county_code,
    row_number() over (
        partition by identity.person_id
        order by
            record.event_date,
            case record.vital_event_code when 'move_out' then 1 else 2 end,
            record.delivery_id,
            record.row_number
    ) as event_place
from staged.public_security__vital_event as record
join bridge.person as identity
    on identity.source = 'public_security__vital_event'
    and identity.delivery_id = record.delivery_id and identity.row_number = record.row_number
left join bridge.household as household
    on household.source = 'public_security__vital_event' and household.household_notion = 'registration'
    and household.delivery_id = record.delivery_id and household.row_number = record.row_number
left join reference.area_today as village on village.area_code = record.area_code
left join reference.area_today as town on town.area_code = substr(record.area_code, 1, 9) || '000'
left join reference.area_today as county
    on county.area_code = substr(record.area_code, 1, 6) || '000000'

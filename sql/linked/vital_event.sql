-- One row per person and event that the police have registered, by the month in which it happened.
-- The county is that of the person's registration, as it is called today.
select
    record.delivery_id,
    record.row_number,
    identity.person_id,
    cast(date_trunc('month', record.event_date) as date) as month,
    record.vital_event_code,
    household.household_id,
    coalesce(village.county_code, town.county_code, county.county_code) as county_code
from staged.public_security__vital_event as record
join vault.identity as identity
    on identity.source = 'public_security__vital_event'
    and identity.record_identity = record.record_identity
left join vault.household as household
    on household.household_identity = record.registration_identity
left join reference.area_today as village on village.area_code = record.area_code
left join reference.area_today as town on town.area_code = substr(record.area_code, 1, 9) || '000'
left join reference.area_today as county
    on county.area_code = substr(record.area_code, 1, 6) || '000000'

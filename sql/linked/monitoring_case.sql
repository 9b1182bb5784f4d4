-- One row per monitored household and identification, as the register said last.
-- known_month is the month up to which the register tells of the case.
select
    record.delivery_id,
    record.row_number,
    household.household_id,
    record.identified_month,
    record.object_type_code,
    record.risk_status_code,
    status.has_attribute as is_cleared,
    record.cleared_month,
    record.period_month as known_month,
    coalesce(village.county_code, town.county_code, county.county_code) as county_code
from staged.agriculture__monitoring_case as record
join bridge.household as household
    on household.source = 'agriculture__monitoring_case' and household.household_notion = 'roll'
    and household.delivery_id = record.delivery_id and household.row_number = record.row_number
left join reference.code as status
    on status.code_list = 'risk_status' and status.code = record.risk_status_code
left join reference.area_today as village on village.area_code = record.village_code
left join reference.area_today as town
    on town.area_code = substr(record.village_code, 1, 9) || '000'
left join reference.area_today as county
    on county.area_code = substr(record.village_code, 1, 6) || '000000'

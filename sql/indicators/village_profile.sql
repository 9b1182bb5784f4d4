-- One row per village and year that a list of villages or the roll tells of: its collective income, what
-- the village has, and how many low-income households and persons live in it.
-- A household lives in the village that the roll states. None does where no row names the village and the
-- roll of the year came complete for the county; else their number is empty.
-- A village that is not listed lies in its town, and a town that is not in its county.
with income as (
    select *
    from staged.agriculture__village_collective_income
    qualify row_number() over (
        partition by village_code, year(period_month) order by delivery_id desc, row_number
    ) = 1
),
condition as (
    select *
    from staged.agriculture__village_condition
    qualify row_number() over (
        partition by village_code, year(period_month) order by delivery_id desc, row_number
    ) = 1
),
household as (
    select
        village_code,
        year,
        count(*) as household_count,
        sum(member_count) as person_count
    from linked.household_year_roll
    group by village_code, year
),
complete_roll as (
    select distinct county_code, cast(year(period_month) as integer) as year
    from indicators.complete_roll
    where source = 'agriculture__household_roll'
),
village as (
    select village_code, cast(year(period_month) as integer) as year
    from income
    union
    select village_code, cast(year(period_month) as integer) as year
    from condition
    union
    select village_code, year
    from household
)
select
    village.village_code,
    village.year,
    coalesce(listed.today_code, town.today_code, county.today_code, village.village_code)
        as area_code,
    coalesce(income.is_key_village, condition.is_key_village) as is_key_village,
    income.is_weak_village,
    income.collective_total_yuan,
    income.collective_operating_yuan,
    income.collective_disposable_yuan,
    condition.has_hard_road,
    condition.has_bus,
    condition.has_tap_water,
    condition.tap_water_household_count,
    condition.village_household_count,
    condition.village_person_count,
    condition.has_power,
    condition.has_broadband,
    condition.has_clinic,
    condition.has_doctor,
    condition.has_culture_room,
    condition.has_express,
    condition.has_sewage,
    condition.has_waste_service,
    condition.has_cooperative,
    condition.has_pillar_industry,
    condition.has_technician,
    condition.has_first_secretary,
    condition.team_count,
    condition.sanitary_toilet_percent,
    coalesce(household.household_count, case when complete_roll.year is not null then 0 end)
        as low_income_household_count,
    cast(
        coalesce(household.person_count, case when complete_roll.year is not null then 0 end)
        as bigint
    ) as low_income_person_count
from village
left join income
    on income.village_code = village.village_code and year(income.period_month) = village.year
left join condition
    on condition.village_code = village.village_code
    and year(condition.period_month) = village.year
left join household
    on household.village_code = village.village_code and household.year = village.year
left join reference.area_today as listed on listed.area_code = village.village_code
left join reference.area_today as town
    on town.area_code = substr(village.village_code, 1, 9) || '000'
left join reference.area_today as county
    on county.area_code = substr(village.village_code, 1, 6) || '000000'
left join complete_roll
    on complete_roll.county_code
    = coalesce(listed.county_code, town.county_code, county.county_code)
    and complete_roll.year = village.year
where village.village_code is not null

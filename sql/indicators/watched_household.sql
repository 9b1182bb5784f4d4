-- One row per household that warnings look at: of this year's or last year's roll or ledger.
-- roll_year is that of its latest roll, empty where it was never on one.
with build as (
    select cast(year(as_of_month) as integer) as as_of_year
    from meta.build
),
latest_roll as (
    select roll.household_id, max(roll.year) as year
    from linked.household_year_roll as roll
    join build on roll.year <= build.as_of_year
    group by roll.household_id
)
select
    household.household_id,
    household.county_code,
    latest_roll.year as roll_year
from linked.household as household
join build
    on household.first_year <= build.as_of_year and household.last_year >= build.as_of_year - 1
left join latest_roll using (household_id)
where household.county_code is not null

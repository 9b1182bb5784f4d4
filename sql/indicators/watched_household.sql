-- One row per household that warnings look at: in the deployment's area, of this year's or last year's
-- roll or ledger. Households elsewhere, which are there for the plan of their area, are not watched.
-- roll_year is that of its latest roll, empty where it was never on one.
with build as (
    select cast(year(as_of_month) as integer) as as_of_year, area_code
    from meta.build
),
sighting as (
    select household_id, year, year as roll_year
    from linked.household_year_roll
    union all
    select household_id, year, cast(null as integer) as roll_year
    from linked.household_year_income
),
latest as (
    select
        sighting.household_id,
        max(sighting.year) as last_year,
        max(sighting.roll_year) as roll_year
    from sighting
    join build on sighting.year <= build.as_of_year
    group by sighting.household_id
)
select
    latest.household_id,
    household.county_code,
    latest.roll_year
from latest
join build on latest.last_year >= build.as_of_year - 1
join linked.household as household using (household_id)
join reference.area_ancestor as own
    on (own.area_code = household.county_code and own.ancestor_code = build.area_code)
    or (own.area_code = build.area_code and own.ancestor_code = household.county_code)
where household.county_code is not null

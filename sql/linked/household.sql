-- One row per household of any roll or ledger; its area is the latest one known.
-- County, town and village are those that hold the place today, whatever its code was then.
with sightings as (
    select household_id, year, area_code, 1 as preference
    from linked.household_year_roll
    union all
    select household_id, year, area_code, 2 as preference
    from linked.household_year_income
),
spans as (
    select household_id, min(year) as first_year, max(year) as last_year
    from sightings
    group by household_id
),
latest as (
    select household_id, area_code
    from sightings
    qualify row_number() over (
        partition by household_id order by year desc, preference, area_code
    ) = 1
)
select
    spans.household_id,
    latest.area_code,
    place.county_code,
    place.town_code,
    place.village_code,
    spans.first_year,
    spans.last_year
from spans
join latest using (household_id)
left join reference.area_today as place using (area_code)

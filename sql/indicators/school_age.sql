-- One row per county and year with the ages of compulsory education and the month in which the school year
-- of the year begins, as decided for the county by December. Ages are those at the end of the month before.
with place as (
    select distinct area.county_code, household.year
    from indicators.household_year as household
    join reference.area_today as area on area.area_code = household.area_code
    where area.county_code is not null
),
decided as (
    select
        place.county_code,
        place.year,
        rule.rule_id,
        rule.value
    from place
    join reference.rule_value as rule
        on rule.rule_id in ('compulsory_age_from', 'compulsory_age_to', 'school_year_month')
        and make_date(place.year, 12, 1) between rule.effective_from and rule.effective_to
    left join reference.area_ancestor as ancestor
        on ancestor.area_code = place.county_code and ancestor.ancestor_code = rule.area_code
    where ancestor.area_code is not null or rule.area_code = '000000000000'
    qualify row_number() over (
        partition by place.county_code, place.year, rule.rule_id
        order by ancestor.distance nulls last
    ) = 1
)
select
    county_code,
    year,
    max(case when rule_id = 'compulsory_age_from' then value end) as age_from,
    max(case when rule_id = 'compulsory_age_to' then value end) as age_to,
    cast(round(max(case when rule_id = 'school_year_month' then value end)) as integer)
        as school_month
from decided
group by county_code, year

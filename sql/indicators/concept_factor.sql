-- One row per area, year and two income concepts that can be compared: what last year's income in
-- base_concept is times factor in income_concept, that of the year. One concept is compared with itself
-- as it stands; another one only where a chain says so, that of the nearest area above which has one.
with place as (
    select distinct
        ancestor.ancestor_code as area_code,
        household.year,
        household.income_concept
    from (
        select distinct area_code, year, income_concept
        from indicators.household_year
    ) as household
    join reference.area_ancestor as ancestor on ancestor.area_code = household.area_code
    where ancestor.ancestor_level in ('province', 'city', 'county', 'town')
        and household.income_concept is not null
),
chained as (
    select
        place.area_code,
        place.year,
        place.income_concept,
        chain.base_concept,
        chain.factor
    from place
    join reference.income_chain as chain
        on chain.income_concept = place.income_concept and chain.base_year = place.year - 1
    left join reference.area_ancestor as ancestor
        on ancestor.area_code = place.area_code and ancestor.ancestor_code = chain.area_code
    where ancestor.area_code is not null or chain.area_code = '000000000000'
    qualify row_number() over (
        partition by place.area_code, place.year, place.income_concept, chain.base_concept
        order by ancestor.distance nulls last
    ) = 1
)
select area_code, year, income_concept, income_concept as base_concept, 1 as factor
from place
union all
select area_code, year, income_concept, base_concept, factor
from chained

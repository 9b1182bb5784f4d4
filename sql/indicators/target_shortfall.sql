-- One row per item part, year and entity that misses it: households below a minimum, areas below a
-- growth target on the refreshed list at current prices.
with minimums as (
    select distinct
        policy_id,
        item_id,
        part,
        year,
        population,
        income_concept,
        threshold,
        area_code
    from reference.target
    where aggregate = 'minimum'
)
select
    target.policy_id,
    target.item_id,
    target.part,
    target.year,
    'household' as entity_type,
    household.household_id as entity_id,
    household.county_code,
    household.town_code,
    cast(household.total_yuan / nullif(household.member_count, 0) as decimal(18, 6)) as value,
    target.threshold
from minimums as target
join reference.area_ancestor as ancestor on ancestor.ancestor_code = target.area_code
join indicators.household_year as household
    on household.area_code = ancestor.area_code
    and household.year = target.year
    and household.income_concept = target.income_concept
    and list_contains(string_split(household.population_codes, ','), target.population)
where household.total_yuan < target.threshold * household.member_count
union all
select
    result.policy_id,
    result.item_id,
    result.part,
    result.year,
    'area' as entity_type,
    result.area_code as entity_id,
    area.county_code,
    area.town_code,
    result.value,
    result.threshold
from indicators.target_result as result
join reference.area as area using (area_code)
where result.status = 'missed'
    and result.shortfall_count is null
    and result.list_basis = 'refreshed'
    and result.price_basis = 'nominal'

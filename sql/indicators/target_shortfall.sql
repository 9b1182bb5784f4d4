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
        area_code,
        area_set
    from reference.target
    where aggregate = 'minimum'
),
member_area as (
    -- the areas of a set, with what lies below them
    select distinct member.policy_id, member.area_set, below.area_code
    from reference.plan_area as member
    join reference.area_ancestor as below on below.ancestor_code = member.area_code
),
named as (
    -- parts that are told by who misses them
    select policy_id, item_id, part
    from minimums
    where population is not null
    union
    select policy_id, item_id, part
    from indicators.item_shortfall
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
left join member_area
    on member_area.policy_id = target.policy_id
    and member_area.area_set = target.area_set
    and member_area.area_code = household.area_code
where household.total_yuan < target.threshold * household.member_count
    and (target.area_set is null or member_area.area_code is not null)
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
left join named using (policy_id, item_id, part)
where result.status = 'missed'
    and (result.shortfall_count is null or named.item_id is null)
    and result.list_basis = 'refreshed'
    and result.price_basis = 'nominal'
qualify row_number() over (
    partition by result.policy_id, result.item_id, result.part, result.year, result.area_code
    order by result.period_start desc
) = 1
union all
select
    missed.policy_id,
    missed.item_id,
    missed.part,
    missed.year,
    missed.entity_type,
    missed.entity_id,
    missed.county_code,
    missed.town_code,
    cast(null as decimal(18, 6)) as value,
    cast(null as decimal(18, 6)) as threshold
from indicators.item_shortfall as missed

-- One row per pool of households, area, population, year, income concept, list basis and price basis.
-- The pool `all` has every household of the area, and so has that of a plan (pool plan), in the plan's
-- areas. Others have those of a set of areas that a plan judges together (pool plan/set), in each area
-- above one of the set; growth of all rural residents and their prices are those of the whole area.
-- Refreshed compares this year's list with last year's; fixed follows the households of the first
-- roll of the pool's plan, in `all` of the plan in force (the nearest area's); stayers are on both
-- years' lists. Fixed and stayers count households whose income is known in both years. The mean is
-- the sum of income over the sum of persons.
-- Growth is within one income concept, or over a change of it where a chain restates last year's
-- income. On the real basis this year's income is at last year's prices.
with pooled_set as (
    select distinct policy_id, area_set
    from reference.target
    where population is not null and area_set is not null
),
pooled_area as (
    select
        'all' as pool,
        'nearest' as followed_plan,
        area_code as within_code,
        ancestor_code as area_code,
        ancestor_level as area_level
    from reference.area_ancestor
    where ancestor_level in ('province', 'city', 'county', 'town')
    union all
    select
        plan.policy_id as pool,
        plan.policy_id as followed_plan,
        within.area_code as within_code,
        within.ancestor_code as area_code,
        within.ancestor_level as area_level
    from reference.plan as plan
    join reference.area_ancestor as inside on inside.ancestor_code = plan.area_code
    join reference.area_ancestor as within on within.ancestor_code = inside.area_code
    where within.ancestor_level in ('province', 'city', 'county', 'town')
    union all
    select distinct
        pooled_set.policy_id || '/' || pooled_set.area_set as pool,
        pooled_set.policy_id as followed_plan,
        within.area_code as within_code,
        above.ancestor_code as area_code,
        above.ancestor_level as area_level
    from pooled_set
    join reference.plan_area as member using (policy_id, area_set)
    join reference.area_ancestor as within on within.ancestor_code = member.area_code
    join reference.area_ancestor as above
        on above.area_code = member.area_code and above.distance > 0
    where above.ancestor_level in ('province', 'city', 'county', 'town')
),
listed as (
    select
        household.household_id,
        household.year,
        household.income_concept,
        population.population,
        household.area_code,
        household.total_yuan * household.weight as income,
        household.member_count * household.weight as persons,
        household.total_yuan is not null and household.member_count is not null as is_known
    from indicators.household_year as household
    join reference.population as population
        on list_contains(string_split(household.population_codes, ','), population.population)
),
known as (
    select household_id, year, income_concept, population, area_code, income, persons
    from listed
    where is_known
),
cohort as (
    select plan.policy_id, listed.household_id, listed.population
    from listed
    join reference.area_ancestor as ancestor using (area_code)
    join reference.plan as plan
        on plan.first_roll_year = listed.year and plan.area_code = ancestor.ancestor_code
),
place as (
    select distinct area_code, year
    from indicators.household_year
),
plan_in_force as (
    select
        place.area_code,
        place.year,
        plan.policy_id,
        row_number() over (
            partition by place.area_code, place.year order by ancestor.distance, plan.policy_id
        ) as nearness
    from place
    join reference.area_ancestor as ancestor using (area_code)
    join reference.plan as plan
        on plan.area_code = ancestor.ancestor_code
        and place.year between plan.start_year and plan.end_year
),
followed as (
    select policy_id, policy_id as followed_plan, area_code, year
    from plan_in_force
    union all
    select policy_id, 'nearest' as followed_plan, area_code, year
    from plan_in_force
    where nearness = 1
),
ledger as (
    select
        household_id,
        year,
        income_concept,
        area_code,
        total_yuan * weight as income,
        member_count * weight as persons
    from indicators.household_year
    where total_yuan is not null and member_count is not null
),
paired as (
    select
        'stayers' as list_basis,
        'any' as followed_plan,
        known.population,
        known.year,
        known.income_concept,
        known.area_code,
        known.income,
        known.persons,
        previous.income_concept as base_concept,
        previous.income as base_income,
        previous.persons as base_persons
    from known
    join known as previous
        on previous.household_id = known.household_id
        and previous.population = known.population
        and previous.year = known.year - 1
    union all
    select
        'fixed' as list_basis,
        followed.followed_plan,
        cohort.population,
        ledger.year,
        ledger.income_concept,
        ledger.area_code,
        ledger.income,
        ledger.persons,
        previous.income_concept as base_concept,
        previous.income as base_income,
        previous.persons as base_persons
    from cohort
    join ledger using (household_id)
    join followed
        on followed.policy_id = cohort.policy_id
        and followed.area_code = ledger.area_code
        and followed.year = ledger.year
    join ledger as previous
        on previous.household_id = cohort.household_id
        and previous.year = ledger.year - 1
),
finest as (
    select
        'refreshed' as list_basis,
        'any' as followed_plan,
        population,
        year,
        income_concept,
        area_code,
        sum(income) as income,
        sum(persons) as persons,
        count(*) as household_count,
        income_concept as base_concept,
        cast(null as decimal(38, 8)) as base_income,
        cast(null as decimal(38, 8)) as base_persons
    from known
    group by population, year, income_concept, area_code
    union all
    select
        list_basis,
        followed_plan,
        population,
        year,
        income_concept,
        area_code,
        sum(income) as income,
        sum(persons) as persons,
        count(*) as household_count,
        base_concept,
        sum(base_income) as base_income,
        sum(base_persons) as base_persons
    from paired
    group by
        list_basis, followed_plan, population, year, income_concept, area_code, base_concept
),
by_concept as (
    select
        pooled_area.pool,
        pooled_area.area_code,
        pooled_area.area_level,
        finest.list_basis,
        finest.population,
        finest.year,
        finest.income_concept,
        sum(finest.income) as income,
        sum(finest.persons) as persons,
        sum(finest.household_count) as household_count,
        finest.base_concept,
        sum(finest.base_income) as base_income,
        sum(finest.base_persons) as base_persons
    from finest
    join pooled_area
        on pooled_area.within_code = finest.area_code
        and finest.followed_plan in ('any', pooled_area.followed_plan)
    group by
        pooled_area.pool,
        pooled_area.area_code,
        pooled_area.area_level,
        finest.list_basis,
        finest.population,
        finest.year,
        finest.income_concept,
        finest.base_concept
),
areas as (
    select
        listed.pool,
        listed.area_code,
        listed.area_level,
        listed.list_basis,
        listed.population,
        listed.year,
        listed.income_concept,
        sum(listed.income) as income,
        sum(listed.persons) as persons,
        sum(listed.household_count) as household_count,
        max(listed.base_concept <> listed.income_concept) as is_chained,
        sum(
            case
                when listed.base_concept = listed.income_concept then listed.base_income
                else cast(cast(listed.base_income as double) * chain.factor as decimal(38, 8))
            end
        ) as base_income,
        sum(listed.base_persons) as base_persons
    from by_concept as listed
    join indicators.concept_factor as chain
        using (area_code, year, income_concept, base_concept)
    group by
        listed.pool,
        listed.area_code,
        listed.area_level,
        listed.list_basis,
        listed.population,
        listed.year,
        listed.income_concept
),
restated as (
    -- last year's list in this year's concept
    select
        areas.pool,
        chain.area_code,
        areas.population,
        chain.year,
        chain.income_concept,
        max(chain.base_concept <> chain.income_concept) as is_chained,
        sum(
            case
                when chain.base_concept = chain.income_concept then areas.income
                else cast(cast(areas.income as double) * chain.factor as decimal(38, 8))
            end
        ) as income,
        sum(areas.persons) as persons
    from areas
    join indicators.concept_factor as chain
        on chain.area_code = areas.area_code
        and chain.base_concept = areas.income_concept
        and chain.year = areas.year + 1
    where areas.list_basis = 'refreshed'
    group by areas.pool, chain.area_code, areas.population, chain.year, chain.income_concept
),
compared as (
    select
        areas.pool,
        areas.area_code,
        areas.area_level,
        areas.list_basis,
        areas.population,
        areas.year,
        areas.income_concept,
        areas.household_count,
        areas.persons,
        areas.is_chained or coalesce(previous.is_chained, false) as is_chained,
        areas.income / nullif(areas.persons, 0) as mean,
        coalesce(
            areas.base_income / nullif(areas.base_persons, 0),
            previous.income / nullif(previous.persons, 0)
        ) as base_mean
    from areas
    left join restated as previous
        on areas.list_basis = 'refreshed'
        and previous.pool = areas.pool
        and previous.area_code = areas.area_code
        and previous.population = areas.population
        and previous.income_concept = areas.income_concept
        and previous.year = areas.year
),
priced as (
    select
        compared.pool,
        compared.area_code,
        compared.area_level,
        compared.list_basis,
        compared.population,
        compared.year,
        compared.income_concept,
        compared.household_count,
        compared.persons,
        compared.is_chained,
        compared.base_mean,
        'nominal' as price_basis,
        compared.mean,
        benchmark.rural_growth_rate
    from compared
    left join indicators.area_benchmark as benchmark using (area_code, year, income_concept)
    union all
    select
        compared.pool,
        compared.area_code,
        compared.area_level,
        compared.list_basis,
        compared.population,
        compared.year,
        compared.income_concept,
        compared.household_count,
        compared.persons,
        compared.is_chained,
        compared.base_mean,
        'real' as price_basis,
        compared.mean / prices.price_change as mean,
        (1 + benchmark.rural_growth_rate) / prices.price_change - 1 as rural_growth_rate
    from compared
    join indicators.price_change as prices using (area_code, year, income_concept)
    left join indicators.area_benchmark as benchmark using (area_code, year, income_concept)
)
select
    pool,
    area_code,
    area_level,
    population,
    year,
    income_concept,
    list_basis,
    price_basis,
    round(cast(mean as decimal(28, 10)), 2) as mean_yuan,
    round(cast(base_mean as decimal(28, 10)), 2) as base_mean_yuan,
    mean / nullif(base_mean, 0) - 1 as growth_rate,
    rural_growth_rate,
    is_chained,
    household_count,
    cast(round(persons) as bigint) as person_count
from priced

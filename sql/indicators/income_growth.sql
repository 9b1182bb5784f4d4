-- One row per area, population, year, income concept, list basis and price basis.
-- Refreshed compares this year's list with last year's; fixed follows the households of the first
-- roll of the plan in force (the nearest area's); stayers are on both years' lists. Fixed and stayers
-- count households whose income is known in both years. The mean is the sum of income over the sum
-- of persons.
-- Growth is within one income concept. On the real basis this year's income is at last year's
-- prices, by the index of the area or of the nearest area above it that has one.
with listed as (
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
    select place.area_code, place.year, plan.policy_id
    from place
    join reference.area_ancestor as ancestor using (area_code)
    join reference.plan as plan
        on plan.area_code = ancestor.ancestor_code
        and place.year between plan.start_year and plan.end_year
    qualify row_number() over (
        partition by place.area_code, place.year order by ancestor.distance, plan.policy_id
    ) = 1
),
ledger as (
    select
        household.household_id,
        household.year,
        household.income_concept,
        household.area_code,
        household.total_yuan * household.weight as income,
        household.member_count * household.weight as persons,
        plan.policy_id
    from indicators.household_year as household
    left join plan_in_force as plan
        on plan.area_code = household.area_code and plan.year = household.year
    where household.total_yuan is not null and household.member_count is not null
),
paired as (
    select
        'stayers' as list_basis,
        known.population,
        known.year,
        known.income_concept,
        known.area_code,
        known.income,
        known.persons,
        previous.income as base_income,
        previous.persons as base_persons
    from known
    join known as previous
        on previous.household_id = known.household_id
        and previous.population = known.population
        and previous.income_concept = known.income_concept
        and previous.year = known.year - 1
    union all
    select
        'fixed' as list_basis,
        cohort.population,
        ledger.year,
        ledger.income_concept,
        ledger.area_code,
        ledger.income,
        ledger.persons,
        previous.income as base_income,
        previous.persons as base_persons
    from cohort
    join ledger
        on ledger.household_id = cohort.household_id and ledger.policy_id = cohort.policy_id
    join ledger as previous
        on previous.household_id = cohort.household_id
        and previous.income_concept = ledger.income_concept
        and previous.year = ledger.year - 1
),
finest as (
    select
        'refreshed' as list_basis,
        population,
        year,
        income_concept,
        area_code,
        sum(income) as income,
        sum(persons) as persons,
        count(*) as household_count,
        cast(null as decimal(38, 8)) as base_income,
        cast(null as decimal(38, 8)) as base_persons
    from known
    group by population, year, income_concept, area_code
    union all
    select
        list_basis,
        population,
        year,
        income_concept,
        area_code,
        sum(income) as income,
        sum(persons) as persons,
        count(*) as household_count,
        sum(base_income) as base_income,
        sum(base_persons) as base_persons
    from paired
    group by list_basis, population, year, income_concept, area_code
),
areas as (
    select
        ancestor.ancestor_code as area_code,
        ancestor.ancestor_level as area_level,
        finest.list_basis,
        finest.population,
        finest.year,
        finest.income_concept,
        sum(finest.income) as income,
        sum(finest.persons) as persons,
        sum(finest.household_count) as household_count,
        sum(finest.base_income) as base_income,
        sum(finest.base_persons) as base_persons
    from finest
    join reference.area_ancestor as ancestor on ancestor.area_code = finest.area_code
    where ancestor.ancestor_level in ('city', 'county', 'town')
    group by
        ancestor.ancestor_code,
        ancestor.ancestor_level,
        finest.list_basis,
        finest.population,
        finest.year,
        finest.income_concept
),
compared as (
    select
        areas.area_code,
        areas.area_level,
        areas.list_basis,
        areas.population,
        areas.year,
        areas.income_concept,
        areas.household_count,
        areas.persons,
        areas.income / nullif(areas.persons, 0) as mean,
        coalesce(
            areas.base_income / nullif(areas.base_persons, 0),
            previous.income / nullif(previous.persons, 0)
        ) as base_mean
    from areas
    left join areas as previous
        on areas.list_basis = 'refreshed'
        and previous.list_basis = 'refreshed'
        and previous.area_code = areas.area_code
        and previous.population = areas.population
        and previous.income_concept = areas.income_concept
        and previous.year = areas.year - 1
),
prices as (
    select
        ancestor.area_code,
        benchmark.year,
        benchmark.income_concept,
        benchmark.rural_price_index / 100 as price_change
    from reference.area_ancestor as ancestor
    join indicators.area_benchmark as benchmark
        on benchmark.area_code = ancestor.ancestor_code
        and benchmark.rural_price_index is not null
    qualify row_number() over (
        partition by ancestor.area_code, benchmark.year, benchmark.income_concept
        order by ancestor.distance
    ) = 1
),
priced as (
    select
        compared.area_code,
        compared.area_level,
        compared.list_basis,
        compared.population,
        compared.year,
        compared.income_concept,
        compared.household_count,
        compared.persons,
        compared.base_mean,
        'nominal' as price_basis,
        compared.mean,
        benchmark.rural_growth_rate
    from compared
    left join indicators.area_benchmark as benchmark using (area_code, year, income_concept)
    union all
    select
        compared.area_code,
        compared.area_level,
        compared.list_basis,
        compared.population,
        compared.year,
        compared.income_concept,
        compared.household_count,
        compared.persons,
        compared.base_mean,
        'real' as price_basis,
        compared.mean / prices.price_change as mean,
        (1 + benchmark.rural_growth_rate) / prices.price_change - 1 as rural_growth_rate
    from compared
    join prices using (area_code, year, income_concept)
    left join indicators.area_benchmark as benchmark using (area_code, year, income_concept)
)
select
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
    household_count,
    cast(round(persons) as bigint) as person_count,
    (select stale_since from meta.table_freshness where table_name = 'indicators.income_growth') as stale_since
from priced

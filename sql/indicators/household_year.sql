-- One row per household and year with its income, its place and the populations it belongs to.
-- A household with a weight was drawn for a sample and stands for others.
-- Income per head divides by the members that the ledger declares with it, rounded to the fen.
with households as (
    select
        household_id,
        year,
        income.income_concept,
        coalesce(income.member_count, roll.member_count) as member_count,
        income.wage_yuan,
        income.business_yuan,
        income.property_yuan,
        income.transfer_yuan,
        income.total_yuan,
        coalesce(income.weight, 1) as weight,
        income.weight is not null as is_sample,
        roll.household_id is not null as is_on_roll,
        roll.has_labour,
        roll.cause_code,
        coalesce(roll.area_code, income.area_code) as area_code
    from linked.household_year_income as income
    full join linked.household_year_roll as roll using (household_id, year)
),
kinds as (
    select distinct is_on_roll, has_labour
    from households
),
populations as (
    select
        kinds.is_on_roll,
        kinds.has_labour,
        string_agg(population.population, ',' order by population.population)
            as population_codes
    from kinds
    join reference.population as population
        on (not population.requires_roll or kinds.is_on_roll)
        and (not population.requires_labour or coalesce(kinds.has_labour, false))
    group by kinds.is_on_roll, kinds.has_labour
)
select
    households.household_id,
    households.year,
    households.income_concept,
    households.member_count,
    households.wage_yuan,
    households.business_yuan,
    households.property_yuan,
    households.transfer_yuan,
    households.total_yuan,
    round(
        cast(households.total_yuan / nullif(households.member_count, 0) as decimal(18, 6)), 2
    ) as per_capita_yuan,
    households.weight,
    households.is_sample,
    households.is_on_roll,
    households.has_labour,
    households.cause_code,
    populations.population_codes,
    households.area_code,
    area.county_code,
    area.town_code,
    area.village_code
from households
left join populations
    on populations.is_on_roll = households.is_on_roll
    and populations.has_labour is not distinct from households.has_labour
left join reference.area as area using (area_code)

-- One row per area, population, year, income concept and price basis: growth of the mean income of the
-- poorest four tenths, whoever they are in each year, beside that of all; the premium is the difference.
with growth as (
    select
        area_code,
        area_level,
        population,
        year,
        income_concept,
        price_basis,
        income_group_code,
        base_mean_yuan,
        mean_yuan,
        growth_rate,
        is_chained
    from indicators.growth_incidence
    where income_group_code in ('bottom_40', 'all')
)
select
    poorest.area_code,
    poorest.area_level,
    poorest.population,
    poorest.year,
    poorest.income_concept,
    poorest.price_basis,
    poorest.mean_yuan,
    poorest.base_mean_yuan,
    poorest.growth_rate,
    everybody.growth_rate as all_growth_rate,
    poorest.growth_rate - everybody.growth_rate as shared_prosperity_premium,
    poorest.is_chained
from growth as poorest
join growth as everybody
    using (area_code, population, year, income_concept, price_basis)
where poorest.income_group_code = 'bottom_40' and everybody.income_group_code = 'all'

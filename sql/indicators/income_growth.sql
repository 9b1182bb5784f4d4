-- One row per area, population, year, income concept, list basis and price basis: growth of the mean
-- income of every household of the area, as indicators.pooled_growth makes it.
select
    area_code,
    area_level,
    population,
    year,
    income_concept,
    list_basis,
    price_basis,
    mean_yuan,
    base_mean_yuan,
    growth_rate,
    rural_growth_rate,
    is_chained,
    household_count,
    person_count,
    (select stale_since from meta.table_freshness where table_name = 'indicators.income_growth') as stale_since
from indicators.pooled_growth
where pool = 'all'

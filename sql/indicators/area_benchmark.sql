-- One row per area, year and income concept with the published income of all rural residents.
-- Growth is within one income concept; real growth takes out the change of rural prices.
with latest as (
    select
        area_code,
        year,
        income_concept,
        rural_income_yuan,
        rural_price_index,
        delivery_id,
        row_number
    from staged.statistics__area_benchmark
    qualify row_number() over (
        partition by area_code, year, income_concept
        order by period_month desc, delivery_id, row_number
    ) = 1
),
compared as (
    select
        latest.area_code,
        latest.year,
        latest.income_concept,
        latest.rural_income_yuan,
        latest.rural_price_index,
        latest.rural_income_yuan / nullif(previous.rural_income_yuan, 0) - 1 as growth_rate,
        latest.delivery_id,
        latest.row_number
    from latest
    left join latest as previous
        on previous.area_code = latest.area_code
        and previous.income_concept = latest.income_concept
        and previous.year = latest.year - 1
)
select
    area_code,
    year,
    income_concept,
    rural_income_yuan,
    growth_rate as rural_growth_rate,
    rural_price_index,
    (1 + growth_rate) * 100 / nullif(rural_price_index, 0) - 1 as rural_real_growth_rate,
    delivery_id,
    row_number
from compared

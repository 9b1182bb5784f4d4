-- One row per area with households, year and income concept whose prices are known: rural prices of the
-- year over those of the year before, by the index of the area or of the nearest area above it that has
-- one.
select
    place.area_code,
    place.year,
    place.income_concept,
    benchmark.rural_price_index / 100 as price_change
from indicators.concept_factor as place
join reference.area_ancestor as ancestor on ancestor.area_code = place.area_code
join indicators.area_benchmark as benchmark
    on benchmark.area_code = ancestor.ancestor_code
    and benchmark.year = place.year
    and benchmark.income_concept = place.income_concept
    and benchmark.rural_price_index is not null
where place.base_concept = place.income_concept
qualify row_number() over (
    partition by place.area_code, place.year, place.income_concept
    order by ancestor.distance
) = 1

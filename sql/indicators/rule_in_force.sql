-- One row per county and rule whose value is in force there in the build's month.
-- The value of the nearest area decides: the county's own, its city's, its province's, the nation's.
-- A formula has the value of the county and month; where a series of it is missing there is no row.
with nearest as (
    select
        county.area_code as county_code,
        build.as_of_month,
        rule.rule_id,
        rule.area_code as decided_by_code,
        rule.effective_from,
        rule.value,
        rule.unit,
        rule.document,
        rule.clause
    from reference.area as county
    join meta.build as build on county.area_level = 'county'
    join reference.rule_value as rule
        on build.as_of_month between rule.effective_from and rule.effective_to
    left join reference.area_ancestor as ancestor
        on ancestor.area_code = county.area_code and ancestor.ancestor_code = rule.area_code
    where ancestor.area_code is not null or rule.area_code = '000000000000'
    qualify row_number() over (
        partition by county.area_code, rule.rule_id order by ancestor.distance nulls last
    ) = 1
)
select
    nearest.county_code,
    nearest.rule_id,
    coalesce(nearest.value, formula.value) as value,
    nearest.unit,
    nearest.document,
    nearest.clause
from nearest
left join indicators.formula_value as formula
    on formula.rule_id = nearest.rule_id
    and formula.decided_by_code = nearest.decided_by_code
    and formula.effective_from = nearest.effective_from
    and formula.area_code = nearest.county_code
    and formula.month = nearest.as_of_month
where coalesce(nearest.value, formula.value) is not null

-- One row per area, population, year, line and measure; persons are the unit, poor is below the line.
-- A register has no sampling error, so the standard error is empty.
with lines as (
    select
        ancestor.area_code,
        rule.rule_id as line_id,
        rule.value as line,
        rule.effective_from,
        rule.effective_to
    from reference.rule_value as rule
    join reference.area_ancestor as ancestor on ancestor.ancestor_code = rule.area_code
    where rule.is_line
),
households as (
    select
        household.area_code,
        population.population,
        household.year,
        lines.line_id,
        lines.line,
        household.member_count * household.weight as persons,
        household.total_yuan < lines.line * household.member_count as is_poor,
        greatest(lines.line * household.member_count - household.total_yuan, 0)
            * household.weight as shortfall
    from indicators.household_year as household
    join reference.population as population
        on (not population.requires_roll or household.is_on_roll)
        and (not population.requires_labour or coalesce(household.has_labour, false))
    join lines
        on lines.area_code = household.area_code
        and make_date(household.year, 12, 31) between lines.effective_from and lines.effective_to
    where household.total_yuan is not null and household.member_count is not null
),
areas as (
    select
        ancestor.ancestor_code as area_code,
        ancestor.ancestor_level as area_level,
        households.population,
        households.year,
        households.line_id,
        households.line,
        count(*) as household_count,
        sum(households.persons) as persons,
        sum(case when households.is_poor then households.persons else 0 end) as poor_persons,
        sum(households.shortfall) as shortfall
    from households
    join reference.area_ancestor as ancestor on ancestor.area_code = households.area_code
    where ancestor.ancestor_level in ('city', 'county', 'town')
    group by all
),
measured as (
    select *, 'headcount' as measure, poor_persons / nullif(persons, 0) as value
    from areas
    union all
    select *, 'poverty_gap' as measure, shortfall / nullif(persons * line, 0) as value
    from areas
)
select
    area_code,
    area_level,
    population,
    year,
    line_id,
    cast(line as decimal(18, 2)) as line_yuan,
    measure,
    value,
    cast(null as double) as standard_error,
    cast(round(persons) as bigint) as person_count,
    household_count
from measured

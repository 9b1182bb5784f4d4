-- One row per area, population, year, income concept, line and measure; persons are the unit, poor is
-- below the line. The line is the one in force in the area at the end of the year; the nearest area decides.
-- A register has no sampling error, so the standard error is empty.
with years as (
    select distinct year
    from indicators.household_year
),
line as (
    select
        area.area_code,
        area.area_level,
        years.year,
        rule.rule_id as line_id,
        rule.value as line
    from reference.area as area
    join years on area.area_level in ('city', 'county', 'town')
    join reference.rule_value as rule
        on rule.is_line
        and make_date(years.year, 12, 31) between rule.effective_from and rule.effective_to
    left join reference.area_ancestor as ancestor
        on ancestor.area_code = area.area_code and ancestor.ancestor_code = rule.area_code
    where ancestor.area_code is not null or rule.area_code = '000000000000'
    qualify row_number() over (
        partition by area.area_code, years.year, rule.rule_id
        order by ancestor.distance nulls last
    ) = 1
),
households as (
    select
        household.area_code,
        population.population,
        household.year,
        household.income_concept,
        household.total_yuan,
        household.member_count,
        household.weight
    from indicators.household_year as household
    join reference.population as population
        on list_contains(string_split(household.population_codes, ','), population.population)
    where household.total_yuan is not null and household.member_count is not null
),
compared as (
    select
        line.area_code,
        line.area_level,
        households.population,
        households.year,
        households.income_concept,
        line.line_id,
        line.line,
        households.member_count * households.weight as persons,
        households.total_yuan < line.line * households.member_count as is_poor,
        greatest(line.line * households.member_count - households.total_yuan, 0)
            * households.weight as shortfall
    from households
    join reference.area_ancestor as ancestor on ancestor.area_code = households.area_code
    join line on line.area_code = ancestor.ancestor_code and line.year = households.year
),
areas as (
    select
        area_code,
        area_level,
        population,
        year,
        income_concept,
        line_id,
        line,
        count(*) as household_count,
        sum(persons) as persons,
        sum(case when is_poor then persons else 0 end) as poor_persons,
        sum(shortfall) as shortfall
    from compared
    group by area_code, area_level, population, year, income_concept, line_id, line
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
    income_concept,
    line_id,
    cast(line as decimal(18, 2)) as line_yuan,
    measure,
    value,
    cast(null as double) as standard_error,
    cast(round(persons) as bigint) as person_count,
    household_count,
    (select stale_since from meta.table_freshness where table_name = 'indicators.poverty_measure') as stale_since
from measured

-- One row per item part, area, year, list basis and price basis of every plan.
-- Growth items take the mean's growth; minimum items take the poorest household on the year's list.
-- Incomes are those of the plan's concept; unknown_count households of the refreshed list have none,
-- and while there are such, a minimum is not met.
-- While the roll or the ledger of one of its counties is not complete, for the year or the one that
-- growth is measured against, an area has a value and no verdict.
-- Before its deadline an item is on track once reached and not due until then; a year whose ledger is
-- not over is not due.
-- What is judged is the value as published, to six decimals: exactly 10 % is not above 10 %.
with areas as (
    select distinct ancestor.ancestor_code as area_code, ancestor.ancestor_level as area_level
    from indicators.household_year as household
    join reference.area_ancestor as ancestor on ancestor.area_code = household.area_code
),
growth as (
    select
        'growth' as aggregate,
        area_code,
        year,
        population,
        income_concept,
        list_basis,
        price_basis,
        growth_rate as value,
        cast(mean_yuan as double) as numerator,
        cast(base_mean_yuan as double) as denominator
    from indicators.income_growth
    union all
    select
        'growth_over_rural' as aggregate,
        area_code,
        year,
        population,
        income_concept,
        list_basis,
        price_basis,
        growth_rate - rural_growth_rate as value,
        growth_rate as numerator,
        rural_growth_rate as denominator
    from indicators.income_growth
),
expected as (
    select
        target.policy_id,
        target.item_id,
        target.part,
        areas.area_code,
        areas.area_level,
        target.year,
        target.population,
        target.income_concept,
        target.aggregate,
        target.comparator,
        target.threshold,
        target.deadline_year,
        target.datasets,
        target.document,
        target.clause
    from reference.target as target
    join areas on areas.area_level = target.area_level
    join reference.area_ancestor as ancestor
        on ancestor.area_code = areas.area_code and ancestor.ancestor_code = target.area_code
),
finest as (
    select
        population.population,
        household.year,
        household.area_code,
        household.income_concept,
        count(*) as household_count,
        sum(
            case
                when household.total_yuan is null or household.member_count is null then 1
                else 0
            end
        ) as unknown_count
    from indicators.household_year as household
    join reference.population as population
        on list_contains(string_split(household.population_codes, ','), population.population)
    group by
        population.population, household.year, household.area_code, household.income_concept
),
unknown as (
    select
        expected.policy_id,
        expected.item_id,
        expected.part,
        expected.area_code,
        expected.year,
        'refreshed' as list_basis,
        cast(sum(
            case
                when finest.income_concept = expected.income_concept then finest.unknown_count
                else finest.household_count
            end
        ) as bigint) as unknown_count
    from expected
    join reference.area_ancestor as ancestor on ancestor.ancestor_code = expected.area_code
    join finest
        on finest.area_code = ancestor.area_code
        and finest.year = expected.year
        and finest.population = expected.population
    group by
        expected.policy_id,
        expected.item_id,
        expected.part,
        expected.area_code,
        expected.year
),
minimum as (
    select
        'minimum' as aggregate,
        expected.policy_id,
        expected.item_id,
        expected.part,
        expected.area_code,
        expected.year,
        'refreshed' as list_basis,
        'nominal' as price_basis,
        min(household.total_yuan / nullif(household.member_count, 0)) as value,
        cast(count(*) filter (where household.total_yuan
            >= expected.threshold * household.member_count) as double) as numerator,
        cast(count(*) as double) as denominator,
        count(*) filter (where household.total_yuan
            < expected.threshold * household.member_count) as shortfall_count
    from expected
    join reference.area_ancestor as ancestor on ancestor.ancestor_code = expected.area_code
    join indicators.household_year as household
        on household.area_code = ancestor.area_code
        and household.year = expected.year
        and household.income_concept = expected.income_concept
        and list_contains(string_split(household.population_codes, ','), expected.population)
    where expected.aggregate = 'minimum'
        and household.total_yuan is not null
        and household.member_count is not null
    group by
        expected.policy_id,
        expected.item_id,
        expected.part,
        expected.area_code,
        expected.year
),
valued as (
    select
        expected.policy_id,
        expected.item_id,
        expected.part,
        expected.area_code,
        expected.year,
        growth.list_basis,
        growth.price_basis,
        cast(growth.value as decimal(18, 6)) as value,
        growth.numerator,
        growth.denominator,
        cast(null as bigint) as shortfall_count
    from expected
    join growth using (aggregate, area_code, year, population, income_concept)
    union all
    select
        policy_id,
        item_id,
        part,
        area_code,
        year,
        list_basis,
        price_basis,
        cast(value as decimal(18, 6)) as value,
        numerator,
        denominator,
        shortfall_count
    from minimum
),
county as (
    select distinct county_code
    from linked.household
    where county_code is not null
),
county_of_area as (
    select ancestor.ancestor_code as area_code, county.county_code
    from county
    join reference.area_ancestor as ancestor on ancestor.area_code = county.county_code
    union
    select area.area_code, county.county_code
    from county
    join reference.area as area using (county_code)
),
covered as (
    select distinct source, county_code, cast(year(period_month) as integer) as year
    from indicators.complete_roll
    where source in ('agriculture__household_roll', 'agriculture__household_income')
),
basis as (
    select
        expected.policy_id,
        expected.item_id,
        expected.part,
        expected.area_code,
        expected.year,
        county.county_code,
        source.source,
        expected.year - case when expected.aggregate = 'minimum' then 0 else 1 end as from_year
    from expected
    join county_of_area as county using (area_code)
    join (select distinct source from covered) as source
        on contains(',' || expected.datasets || ',', ',' || source.source || ',')
),
late as (
    select
        basis.policy_id,
        basis.item_id,
        basis.part,
        basis.area_code,
        basis.year,
        count(distinct basis.county_code) as late_county_count
    from basis
    left join covered as last_year
        on last_year.source = basis.source
        and last_year.county_code = basis.county_code
        and last_year.year = basis.from_year
    left join covered as this_year
        on this_year.source = basis.source
        and this_year.county_code = basis.county_code
        and this_year.year = basis.year
    where this_year.year is null or last_year.year is null
    group by
        basis.policy_id, basis.item_id, basis.part, basis.area_code, basis.year
),
wanted as (
    select
        needed.policy_id,
        needed.item_id,
        needed.part,
        string_agg(distinct needed.dataset, ',' order by needed.dataset) as wanted_datasets
    from (
        select policy_id, item_id, part, unnest(string_split(datasets, ',')) as dataset
        from reference.target
    ) as needed
    left join meta.source as source on source.source = needed.dataset
    where source.delivered_at is null
    group by needed.policy_id, needed.item_id, needed.part
),
stale as (
    select target.policy_id, target.item_id, target.part, min(source.stale_since) as stale_since
    from reference.target as target
    join meta.source as source
        on contains(',' || target.datasets || ',', ',' || source.source || ',')
    group by target.policy_id, target.item_id, target.part
),
judged as (
    select
        expected.policy_id,
        expected.item_id,
        expected.part,
        expected.area_code,
        expected.area_level,
        expected.year,
        make_date(expected.year, coalesce(concept.accounting_month, 12), 1) as ledger_month,
        expected.population,
        coalesce(valued.list_basis, 'refreshed') as list_basis,
        coalesce(valued.price_basis, 'nominal') as price_basis,
        expected.aggregate,
        valued.value,
        expected.comparator,
        expected.threshold,
        expected.deadline_year,
        case expected.comparator
            when '<' then valued.value < expected.threshold
            when '<=' then valued.value <= expected.threshold
            when '>' then valued.value > expected.threshold
            when '>=' then valued.value >= expected.threshold
        end as is_reached,
        valued.numerator,
        valued.denominator,
        valued.shortfall_count,
        expected.document,
        expected.clause
    from expected
    left join reference.income_concept as concept using (income_concept)
    left join valued using (policy_id, item_id, part, area_code, year)
)
select
    judged.policy_id,
    judged.item_id,
    judged.part,
    judged.area_code,
    judged.area_level,
    judged.year,
    'year' as period_type,
    make_date(judged.year, 1, 1) as period_start,
    judged.population,
    judged.list_basis,
    judged.price_basis,
    judged.value,
    judged.comparator,
    judged.threshold,
    case
        when judged.ledger_month > build.as_of_month then 'not_due'
        when judged.value is null or late.late_county_count > 0 then 'no_data'
        when judged.is_reached and judged.aggregate = 'minimum' and unknown.unknown_count > 0
            then 'no_data'
        when judged.is_reached and judged.year < judged.deadline_year then 'on_track'
        when judged.year < judged.deadline_year then 'not_due'
        when judged.is_reached then 'met'
        else 'missed'
    end as status,
    judged.value - judged.threshold as gap,
    judged.numerator,
    judged.denominator,
    judged.shortfall_count,
    unknown.unknown_count,
    coalesce(late.late_county_count, 0) as late_county_count,
    stale.stale_since,
    wanted.wanted_datasets,
    judged.document,
    judged.clause
from judged
join meta.build as build on true
left join unknown using (policy_id, item_id, part, area_code, year, list_basis)
left join late using (policy_id, item_id, part, area_code, year)
left join stale using (policy_id, item_id, part)
left join wanted using (policy_id, item_id, part)

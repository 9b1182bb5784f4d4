-- One row per area, population, year and income concept with a mean on this year's list and on last
-- year's: the growth of the refreshed list taken apart, exactly, into four effects that sum to it.
-- Who is on the area's list of this year alone entered, who is on last year's alone left, also by
-- moving to another area, whatever is known of their income. Who is on both stayed; stayers have an
-- income in both years, of others it became known or unknown. Counts and means are of those with an
-- income: an income of another concept is none, unless a chain restates last year's.
-- From last year's mean of all to this year's: leavers go (leavers' effect), then of those on both
-- lists who has no income this year; the mean of stayers grows (stayers' effect); who had no income
-- last year joins (with the former the effect of what is known), then who entered (entrants' effect).
-- A step to nobody changes nothing, and the next one is measured from where the mean stands: without
-- anybody on both lists all growth is the entrants' effect, measured from last year's whole list.
-- Each effect is a share of last year's mean of the whole list.
with listed as (
    select
        household.household_id,
        household.year,
        population.population,
        household.area_code,
        case
            when household.total_yuan is not null and household.member_count is not null
                then household.income_concept
        end as income_concept,
        household.total_yuan * household.weight as income,
        household.member_count * household.weight as persons
    from indicators.household_year as household
    join reference.population as population
        on list_contains(string_split(household.population_codes, ','), population.population)
),
previous as (
    select household_id, year + 1 as year, population, area_code, income_concept, income, persons
    from listed
),
paired as (
    -- the concept is null of who has no income in the year, the area of who is not on its list
    select
        coalesce(listed.population, previous.population) as population,
        coalesce(listed.year, previous.year) as year,
        listed.area_code,
        listed.income_concept,
        previous.area_code as area_before,
        previous.income_concept as base_concept,
        sum(listed.income) as income,
        sum(listed.persons) as persons,
        sum(previous.income) as base_income,
        sum(previous.persons) as base_persons,
        count(*) as household_count
    from listed
    full join previous
        on previous.household_id = listed.household_id
        and previous.population = listed.population
        and previous.year = listed.year
    where listed.income_concept is not null or previous.income_concept is not null
    group by
        coalesce(listed.population, previous.population),
        coalesce(listed.year, previous.year),
        listed.area_code,
        listed.income_concept,
        previous.area_code,
        previous.income_concept
),
now_by_concept as (
    select
        ancestor.ancestor_code as area_code,
        ancestor.ancestor_level as area_level,
        paired.population,
        paired.year,
        paired.income_concept,
        before.area_code is not null as was_listed,
        case when before.area_code is not null then paired.base_concept end as base_concept,
        sum(paired.income) as income,
        sum(paired.persons) as persons,
        sum(paired.household_count) as household_count
    from paired
    join reference.area_ancestor as ancestor on ancestor.area_code = paired.area_code
    left join reference.area_ancestor as before
        on before.area_code = paired.area_before and before.ancestor_code = ancestor.ancestor_code
    where paired.income_concept is not null
        and ancestor.ancestor_level in ('province', 'city', 'county', 'town')
    group by
        ancestor.ancestor_code,
        ancestor.ancestor_level,
        paired.population,
        paired.year,
        paired.income_concept,
        before.area_code is not null,
        case when before.area_code is not null then paired.base_concept end
),
now_listed as (
    select
        now.area_code,
        now.area_level,
        now.population,
        now.year,
        now.income_concept,
        sum(now.income) as income,
        sum(now.persons) as persons,
        sum(now.income) filter (where now.was_listed) as income_of_both,
        sum(now.persons) filter (where now.was_listed) as persons_of_both,
        sum(now.income) filter (where chain.factor is not null) as stayer_income,
        sum(now.persons) filter (where chain.factor is not null) as stayer_persons,
        sum(now.household_count) filter (where chain.factor is not null) as stayer_count,
        sum(now.income) filter (where now.was_listed and chain.factor is null) as found_income,
        sum(now.persons) filter (where now.was_listed and chain.factor is null) as found_persons,
        sum(now.household_count) filter (where now.was_listed and chain.factor is null)
            as found_count,
        sum(now.income) filter (where not now.was_listed) as entrant_income,
        sum(now.persons) filter (where not now.was_listed) as entrant_persons,
        sum(now.household_count) filter (where not now.was_listed) as entrant_count
    from now_by_concept as now
    left join indicators.concept_factor as chain
        using (area_code, year, income_concept, base_concept)
    group by now.area_code, now.area_level, now.population, now.year, now.income_concept
),
before_by_concept as (
    select
        ancestor.ancestor_code as area_code,
        paired.population,
        paired.year,
        paired.base_concept,
        now.area_code is not null as is_listed,
        case when now.area_code is not null then paired.income_concept end as concept_now,
        sum(paired.base_income) as income,
        sum(paired.base_persons) as persons,
        sum(paired.household_count) as household_count
    from paired
    join reference.area_ancestor as ancestor on ancestor.area_code = paired.area_before
    left join reference.area_ancestor as now
        on now.area_code = paired.area_code and now.ancestor_code = ancestor.ancestor_code
    where paired.base_concept is not null
        and ancestor.ancestor_level in ('province', 'city', 'county', 'town')
    group by
        ancestor.ancestor_code,
        paired.population,
        paired.year,
        paired.base_concept,
        now.area_code is not null,
        case when now.area_code is not null then paired.income_concept end
),
restated as (
    -- last year's list in this year's concept
    select
        chain.area_code,
        before.population,
        chain.year,
        chain.income_concept,
        chain.base_concept <> chain.income_concept as is_chained,
        before.is_listed,
        coalesce(before.concept_now = chain.income_concept, false) as is_stayer,
        case
            when chain.base_concept = chain.income_concept then before.income
            else cast(cast(before.income as double) * chain.factor as decimal(38, 8))
        end as income,
        before.persons,
        before.household_count
    from before_by_concept as before
    join indicators.concept_factor as chain using (area_code, year, base_concept)
),
before_listed as (
    select
        area_code,
        population,
        year,
        income_concept,
        max(is_chained) as is_chained,
        sum(income) as income,
        sum(persons) as persons,
        sum(income) filter (where is_listed) as income_of_both,
        sum(persons) filter (where is_listed) as persons_of_both,
        sum(income) filter (where is_stayer) as stayer_income,
        sum(persons) filter (where is_stayer) as stayer_persons,
        sum(income) filter (where is_listed and not is_stayer) as lost_income,
        sum(persons) filter (where is_listed and not is_stayer) as lost_persons,
        sum(household_count) filter (where is_listed and not is_stayer) as lost_count,
        sum(income) filter (where not is_listed) as leaver_income,
        sum(persons) filter (where not is_listed) as leaver_persons,
        sum(household_count) filter (where not is_listed) as leaver_count
    from restated
    group by area_code, population, year, income_concept
),
means as (
    select
        now.area_code,
        now.area_level,
        now.population,
        now.year,
        now.income_concept,
        before.is_chained,
        coalesce(now.stayer_count, 0) as stayer_count,
        coalesce(now.entrant_count, 0) as entrant_count,
        coalesce(before.leaver_count, 0) as leaver_count,
        coalesce(now.found_count, 0) as newly_known_count,
        coalesce(before.lost_count, 0) as newly_unknown_count,
        cast(now.income as double) / nullif(cast(now.persons as double), 0) as mean,
        cast(before.income as double) / nullif(cast(before.persons as double), 0) as base_mean,
        cast(now.income_of_both as double) / nullif(cast(now.persons_of_both as double), 0)
            as mean_of_both,
        cast(before.income_of_both as double) / nullif(cast(before.persons_of_both as double), 0)
            as base_mean_of_both,
        cast(now.stayer_income as double) / nullif(cast(now.stayer_persons as double), 0)
            as stayer_mean,
        cast(before.stayer_income as double) / nullif(cast(before.stayer_persons as double), 0)
            as stayer_base_mean,
        cast(now.entrant_income as double) / nullif(cast(now.entrant_persons as double), 0)
            as entrant_mean,
        cast(before.leaver_income as double) / nullif(cast(before.leaver_persons as double), 0)
            as leaver_mean,
        cast(now.found_income as double) / nullif(cast(now.found_persons as double), 0)
            as newly_known_mean,
        cast(before.lost_income as double) / nullif(cast(before.lost_persons as double), 0)
            as newly_unknown_mean
    from now_listed as now
    join before_listed as before using (area_code, population, year, income_concept)
),
steps as (
    -- the mean after each step
    select
        area_code,
        population,
        year,
        income_concept,
        coalesce(base_mean_of_both, base_mean) as without_leavers,
        coalesce(stayer_base_mean, base_mean_of_both, base_mean) as of_stayers_before,
        coalesce(stayer_mean, base_mean_of_both, base_mean) as of_stayers,
        coalesce(mean_of_both, base_mean_of_both, base_mean) as without_entrants
    from means
)
select
    means.area_code,
    means.area_level,
    means.population,
    means.year,
    means.income_concept,
    cast(means.stayer_count as bigint) as stayer_count,
    cast(means.entrant_count as bigint) as entrant_count,
    cast(means.leaver_count as bigint) as leaver_count,
    cast(means.newly_known_count as bigint) as newly_known_count,
    cast(means.newly_unknown_count as bigint) as newly_unknown_count,
    cast(means.mean as decimal(18, 2)) as mean_yuan,
    cast(means.base_mean as decimal(18, 2)) as base_mean_yuan,
    cast(means.stayer_mean as decimal(18, 2)) as stayer_mean_yuan,
    cast(means.stayer_base_mean as decimal(18, 2)) as stayer_base_mean_yuan,
    cast(means.entrant_mean as decimal(18, 2)) as entrant_mean_yuan,
    cast(means.leaver_mean as decimal(18, 2)) as leaver_mean_yuan,
    cast(means.newly_known_mean as decimal(18, 2)) as newly_known_mean_yuan,
    cast(means.newly_unknown_mean as decimal(18, 2)) as newly_unknown_mean_yuan,
    means.mean / nullif(means.base_mean, 0) - 1 as growth_rate,
    means.stayer_mean / nullif(means.stayer_base_mean, 0) - 1 as stayer_growth_rate,
    (steps.of_stayers - steps.of_stayers_before) / nullif(means.base_mean, 0) as stayer_effect,
    (means.mean - steps.without_entrants) / nullif(means.base_mean, 0) as entrant_effect,
    (steps.without_leavers - means.base_mean) / nullif(means.base_mean, 0) as leaver_effect,
    (
        (steps.of_stayers_before - steps.without_leavers)
        + (steps.without_entrants - steps.of_stayers)
    ) / nullif(means.base_mean, 0) as known_effect,
    means.is_chained
from means
join steps using (area_code, population, year, income_concept)
where means.mean is not null and means.base_mean is not null

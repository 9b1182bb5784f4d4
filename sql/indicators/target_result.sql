-- One row per item part, area, period, list basis and price basis of every plan.
-- Growth items take the mean's growth; minimum items take the poorest household on the year's list.
-- An item of a set of areas counts, in an area above them, the households of the set alone.
-- Incomes are those of the plan's concept; unknown_count households of the refreshed list have none.
-- A verdict is open while what is unknown could change it: while the least and the greatest that it can
-- make of the value are not judged alike. Growth of incomes is judged by those that are known.
-- While a dataset that a computed item reads is not complete for one of its counties, for the year or
-- the one that a change is measured against, or was never delivered, an area has no verdict and, beside
-- a count of none, the value of what came; wanted_datasets says what has to come.
-- Before its deadline an item is on track once reached, or while it has grown (or fallen, where it has
-- to) as fast a year since the plan's first figure as it still has to; off track if slower, and not due
-- where neither can be told. A year whose ledger is not over is not due. An item without a target has its
-- figure and no verdict. A task is as the last attestation of its period says.
-- Where every unit of a level has to reach what is reported or attested, an area above is as its worst
-- unit, whatever is said of the area itself, and unknown while a unit is and none is known to miss it.
-- Counties and what lies above them, and the plan's own area, have a row for every part and period;
-- towns and villages where there are households, and of parts without a target where there is a figure.
-- An area has rows from the first period on that began when it was there.
-- What is judged is the value as published, to six decimals: exactly 10 % is not above 10 %.
with set_area as (
    -- the areas of a set, with what lies above and below them
    select member.policy_id, member.area_set, above.ancestor_code as area_code
    from reference.plan_area as member
    join reference.area_ancestor as above on above.area_code = member.area_code
    union
    select member.policy_id, member.area_set, below.area_code
    from reference.plan_area as member
    join reference.area_ancestor as below on below.ancestor_code = member.area_code
),
member_area as (
    -- the areas of a set, with what lies below them
    select distinct member.policy_id, member.area_set, below.area_code
    from reference.plan_area as member
    join reference.area_ancestor as below on below.ancestor_code = member.area_code
),
lived_in as (
    select distinct ancestor.ancestor_code as area_code
    from indicators.household_year as household
    join reference.area_ancestor as ancestor on ancestor.area_code = household.area_code
),
areas as (
    -- counties and above, and the plan's own area, always; towns and villages with households
    select
        within.ancestor_code as plan_area_code,
        area.area_code,
        area.area_level,
        area.existing_from
    from reference.area as area
    join reference.area_ancestor as within on within.area_code = area.area_code
    left join lived_in on lived_in.area_code = area.area_code
    where area.effective_to is null
        and (area.area_level in ('province', 'city', 'county')
            or within.ancestor_code = area.area_code
            or lived_in.area_code is not null)
),
growth as (
    select
        'growth' as aggregate,
        pool,
        area_code,
        year,
        population,
        income_concept,
        list_basis,
        price_basis,
        growth_rate as value,
        cast(mean_yuan as double) as numerator,
        cast(base_mean_yuan as double) as denominator
    from indicators.pooled_growth
    union all
    select
        'growth_over_rural' as aggregate,
        pool,
        area_code,
        year,
        population,
        income_concept,
        list_basis,
        price_basis,
        growth_rate - rural_growth_rate as value,
        growth_rate as numerator,
        rural_growth_rate as denominator
    from indicators.pooled_growth
),
target as (
    select
        *,
        max(year) filter (where threshold is not null) over (
            partition by policy_id, item_id, part
        ) as last_target_year
    from reference.target
),
expected as (
    select
        target.policy_id,
        target.item_id,
        target.part,
        areas.area_code,
        areas.area_level,
        areas.plan_area_code,
        target.year,
        target.period_type,
        make_date(target.year, period.month_of_year, 1) as period_start,
        make_date(target.year, period.month_of_year + period.month_count - 1, 1) as period_end,
        target.population,
        target.area_set,
        case
            when target.area_set is null or member_area.area_code is not null
                then target.policy_id
            else target.policy_id || '/' || target.area_set
        end as pool,
        target.income_concept,
        target.evaluation,
        target.aggregate,
        target.change,
        target.since_year,
        target.comparator,
        target.threshold,
        target.deadline_year,
        target.has_target,
        target.last_target_year,
        target.unit,
        target.unit_level
    from target
    join reference.period as period using (period_type)
    join areas on areas.area_level = target.area_level and areas.plan_area_code = target.area_code
    left join set_area
        on set_area.policy_id = target.policy_id
        and set_area.area_set = target.area_set
        and set_area.area_code = areas.area_code
    left join member_area
        on member_area.policy_id = target.policy_id
        and member_area.area_set = target.area_set
        and member_area.area_code = areas.area_code
    where (target.area_set is null or set_area.area_code is not null)
        and coalesce(
            areas.existing_from <= make_date(target.year, period.month_of_year, 1), true
        )
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
    left join member_area
        on member_area.policy_id = expected.policy_id
        and member_area.area_set = expected.area_set
        and member_area.area_code = finest.area_code
    where expected.area_set is null or member_area.area_code is not null
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
        case
            when min(expected.threshold) is not null
                then cast(count(*) filter (where household.total_yuan
                    >= expected.threshold * household.member_count) as double)
        end as numerator,
        cast(count(*) as double) as denominator,
        case
            when min(expected.threshold) is not null
                then count(*) filter (where household.total_yuan
                    < expected.threshold * household.member_count)
        end as shortfall_count
    from expected
    join reference.area_ancestor as ancestor on ancestor.ancestor_code = expected.area_code
    join indicators.household_year as household
        on household.area_code = ancestor.area_code
        and household.year = expected.year
        and household.income_concept = expected.income_concept
        and list_contains(string_split(household.population_codes, ','), expected.population)
    left join member_area
        on member_area.policy_id = expected.policy_id
        and member_area.area_set = expected.area_set
        and member_area.area_code = household.area_code
    where expected.aggregate = 'minimum'
        and (expected.area_set is null or member_area.area_code is not null)
        and household.total_yuan is not null
        and household.member_count is not null
    group by
        expected.policy_id,
        expected.item_id,
        expected.part,
        expected.area_code,
        expected.year
),
reported as (
    -- an office's last word on the period, in the item's unit; unknown in a unit that it cannot be in
    select
        expected.policy_id,
        expected.item_id,
        expected.part,
        expected.area_code,
        expected.period_start,
        case
            when report.unit is null or report.unit = expected.unit then report.value
            else try_cast(
                cast(report.value as double) * cast(stated.unit_factor as double) as decimal(18, 6)
            )
        end as value,
        cast(report.numerator as double) as numerator,
        cast(report.denominator as double) as denominator
    from expected
    join staged.general__area_report as report
        on report.policy_id = expected.policy_id
        and report.item_id = expected.item_id
        and report.part = expected.part
        and report.area_code = expected.area_code
        and report.year = expected.year
        and coalesce(report.month, make_date(expected.year, 12, 1))
            between expected.period_start and expected.period_end
    left join reference.report_unit as stated
        on stated.unit_text = report.unit and stated.unit = expected.unit
    where expected.evaluation = 'reported'
        and (expected.unit_level is null or expected.unit_level = expected.area_level)
    qualify row_number() over (
        partition by
            expected.policy_id,
            expected.item_id,
            expected.part,
            expected.area_code,
            expected.period_start
        order by coalesce(report.month, expected.period_end) desc, report.month nulls first
    ) = 1
),
task as (
    -- of the month that is named, else of the part of the year in which it was done, else of all of it
    select
        attestation.*,
        period_type,
        coalesce(
            attestation.month,
            case
                when period_type <> 'year' and attestation.done_date is not null
                    then greatest(
                        least(
                            cast(date_trunc('month', attestation.done_date) as date),
                            make_date(attestation.year, 12, 1)
                        ),
                        make_date(attestation.year, 1, 1)
                    )
            end
        ) as placed_month
    from staged.general__task_attestation as attestation
    cross join (select distinct period_type from expected)
),
attested as (
    select
        expected.policy_id,
        expected.item_id,
        expected.part,
        expected.area_code,
        expected.period_start,
        task.task_status_code
    from expected
    join task
        on task.policy_id = expected.policy_id
        and task.item_id = expected.item_id
        and task.part = expected.part
        and task.area_code = expected.area_code
        and task.year = expected.year
        and task.period_type = expected.period_type
        and coalesce(task.placed_month, expected.period_end)
            between expected.period_start and expected.period_end
    where expected.evaluation = 'attested'
        and (expected.unit_level is null or expected.unit_level = expected.area_level)
    qualify row_number() over (
        partition by
            expected.policy_id,
            expected.item_id,
            expected.part,
            expected.area_code,
            expected.period_start
        order by coalesce(task.placed_month, expected.period_end) desc, task.month nulls first
    ) = 1
),
unit_area as materialized (
    select
        above.policy_id,
        above.item_id,
        above.part,
        above.area_code,
        above.period_start,
        above.comparator,
        above.threshold,
        below.area_code as unit_code
    from expected as above
    join reference.area_ancestor as ancestor
        on ancestor.ancestor_code = above.area_code and ancestor.distance > 0
    join reference.area as below
        on below.area_code = ancestor.area_code and below.area_level = above.unit_level
    where above.evaluation in ('reported', 'attested') and above.unit_level is not null
),
unit as (
    -- where every unit of a level has to reach it, what was reported or attested of each
    select
        above.policy_id,
        above.item_id,
        above.part,
        above.area_code,
        above.period_start,
        above.comparator,
        reported.value,
        case
            when above.comparator = '<' then reported.value < above.threshold
            when above.comparator = '<=' then reported.value <= above.threshold
            when above.comparator = '>' then reported.value > above.threshold
            when above.comparator = '>=' then reported.value >= above.threshold
        end as is_reached,
        attested.task_status_code
    from unit_area as above
    join expected as unit
        on unit.policy_id = above.policy_id
        and unit.item_id = above.item_id
        and unit.part = above.part
        and unit.area_code = above.unit_code
        and unit.period_start = above.period_start
    left join reported
        on reported.policy_id = unit.policy_id
        and reported.item_id = unit.item_id
        and reported.part = unit.part
        and reported.area_code = unit.area_code
        and reported.period_start = unit.period_start
    left join attested
        on attested.policy_id = unit.policy_id
        and attested.item_id = unit.item_id
        and attested.part = unit.part
        and attested.area_code = unit.area_code
        and attested.period_start = unit.period_start
),
of_units as (
    -- the worst unit; unknown while one is unknown and none is known to miss it
    select
        policy_id,
        item_id,
        part,
        area_code,
        period_start,
        case
            when count(value) < count(*) and bool_and(coalesce(is_reached, true)) then null
            when max(comparator) in ('<', '<=') then max(value)
            else min(value)
        end as value,
        case
            when count(is_reached) > 0 then cast(count(*) filter (where is_reached) as double)
        end as numerator,
        cast(count(*) as double) as denominator,
        case
            when count(*) filter (where task_status_code = 'not_done') > 0 then 'not_done'
            when count(*) filter (where task_status_code = 'in_progress') > 0 then 'in_progress'
            when count(task_status_code) < count(*) then null
            when count(*) filter (where task_status_code = 'done') > 0 then 'done'
            else 'not_applicable'
        end as task_status_code
    from unit
    group by policy_id, item_id, part, area_code, period_start
),
county as (
    select
        area.area_code as county_code,
        area.existing_from,
        household.county_code is not null as has_households
    from reference.area as area
    left join (select distinct county_code from linked.household) as household
        on household.county_code = area.area_code
    where area.area_level = 'county'
        and (area.effective_to is null or household.county_code is not null)
),
county_of_area as (
    select
        ancestor.ancestor_code as area_code,
        county.county_code,
        county.existing_from,
        county.has_households
    from county
    join reference.area_ancestor as ancestor on ancestor.area_code = county.county_code
    union
    select area.area_code, county.county_code, county.existing_from, county.has_households
    from county
    join reference.area as area using (county_code)
),
needed as (
    select policy_id, item_id, part, unnest(string_split(datasets, ',')) as source
    from (
        select distinct policy_id, item_id, part, datasets
        from reference.target
        where datasets <> ''
    )
),
basis as (
    select
        expected.policy_id,
        expected.item_id,
        expected.part,
        expected.area_code,
        expected.year,
        county.county_code,
        county.existing_from,
        needed.source,
        case
            when expected.since_year is not null then expected.since_year
            when expected.change is not null
                or expected.aggregate in ('growth', 'growth_over_rural')
                    and needed.source in (
                        'agriculture__household_roll', 'agriculture__household_income'
                    )
                then expected.year - 1
            else expected.year
        end as from_year
    from expected
    join county_of_area as county using (area_code)
    join needed using (policy_id, item_id, part)
    left join set_area
        on set_area.policy_id = expected.policy_id
        and set_area.area_set = expected.area_set
        and set_area.area_code = county.county_code
    where expected.evaluation = 'computed'
        and (expected.area_set is null or set_area.area_code is not null)
        -- of a county without households nothing is asked, but where every unit is
        and (
            county.has_households
            or expected.unit_level is not null
            and coalesce(county.existing_from <= make_date(expected.year, 1, 1), true)
        )
),
late as (
    select
        basis.policy_id,
        basis.item_id,
        basis.part,
        basis.area_code,
        basis.year,
        count(distinct basis.county_code) as late_county_count,
        string_agg(distinct basis.source, ',' order by basis.source) as late_datasets
    from basis
    cross join lateral (select unnest(range(basis.from_year, basis.year + 1)) as year) as asked
    left join indicators.covered_year as covered
        on covered.source = basis.source
        and covered.county_code = basis.county_code
        and covered.year = asked.year
    where covered.year is null
        -- of the years before the county was there its predecessors told
        and (asked.year = basis.year or coalesce(asked.year >= year(basis.existing_from), true))
    group by
        basis.policy_id, basis.item_id, basis.part, basis.area_code, basis.year
),
wanted as (
    select
        needed.policy_id,
        needed.item_id,
        needed.part,
        string_agg(distinct needed.source, ',' order by needed.source) as wanted_datasets
    from needed
    left join meta.source as source on source.source = needed.source
    where source.delivered_at is null
    group by needed.policy_id, needed.item_id, needed.part
),
term as (
    -- where a part stands in its plan, what it reads, and since when a dataset of it is stale
    select
        target.policy_id,
        target.item_id,
        target.part,
        min(target.document) as document,
        min(target.clause) as clause,
        min(target.datasets) as datasets,
        min(target.aggregate) as aggregate,
        min(target.change) as change,
        min(source.stale_since) as stale_since
    from target
    left join meta.source as source
        on contains(',' || target.datasets || ',', ',' || source.source || ',')
    group by target.policy_id, target.item_id, target.part
),
figure as (
    -- while a county has still to deliver, none counted is not none
    select
        figure.*,
        coalesce(
            late.late_county_count > 0
            and figure.value = 0
            and term.aggregate in ('count', 'distinct', 'sum')
            and term.change is null,
            false
        ) as is_untold
    from indicators.item_figure as figure
    join term using (policy_id, item_id, part)
    left join late using (policy_id, item_id, part, area_code, year)
),
told as (
    select policy_id, item_id, part, area_code, period_start, value, numerator, denominator
    from reported
    union all
    select policy_id, item_id, part, area_code, period_start, value, numerator, denominator
    from of_units
    where value is not null
),
valued as (
    select
        expected.policy_id,
        expected.item_id,
        expected.part,
        expected.area_code,
        expected.period_start,
        growth.list_basis,
        growth.price_basis,
        cast(growth.value as decimal(18, 6)) as value,
        growth.numerator,
        growth.denominator,
        cast(null as bigint) as shortfall_count,
        cast(null as bigint) as unknown_count,
        cast(null as double) as lowest_value,
        cast(null as double) as highest_value
    from expected
    join growth using (aggregate, pool, area_code, year, population, income_concept)
    union all
    select
        policy_id,
        item_id,
        part,
        area_code,
        make_date(year, 1, 1) as period_start,
        list_basis,
        price_basis,
        cast(value as decimal(18, 6)) as value,
        numerator,
        denominator,
        shortfall_count,
        unknown.unknown_count,
        case when coalesce(unknown.unknown_count, 0) = 0 then value end as lowest_value,
        cast(value as double) as highest_value
    from minimum
    left join unknown using (policy_id, item_id, part, area_code, year, list_basis)
    union all
    select
        policy_id,
        item_id,
        part,
        area_code,
        period_start,
        'refreshed' as list_basis,
        'nominal' as price_basis,
        case when not is_untold then cast(value as decimal(18, 6)) end as value,
        case when not is_untold then numerator end as numerator,
        denominator,
        case when not is_untold then shortfall_count end as shortfall_count,
        unknown_count,
        lowest_value,
        highest_value
    from figure
    union all
    select
        policy_id,
        item_id,
        part,
        area_code,
        period_start,
        'refreshed' as list_basis,
        'nominal' as price_basis,
        cast(value as decimal(18, 6)) as value,
        numerator,
        denominator,
        cast(null as bigint) as shortfall_count,
        cast(null as bigint) as unknown_count,
        cast(value as double) as lowest_value,
        cast(value as double) as highest_value
    from told
),
judged as (
    select
        expected.policy_id,
        expected.item_id,
        expected.part,
        expected.area_code,
        expected.area_level,
        expected.plan_area_code,
        expected.year,
        expected.period_type,
        expected.period_start,
        case
            when expected.population is null then expected.period_end
            else make_date(expected.year, coalesce(concept.accounting_month, 12), 1)
        end as due_month,
        expected.population,
        coalesce(valued.list_basis, 'refreshed') as list_basis,
        coalesce(valued.price_basis, 'nominal') as price_basis,
        expected.evaluation,
        expected.aggregate,
        valued.value,
        expected.comparator,
        expected.threshold,
        expected.deadline_year,
        expected.has_target,
        expected.last_target_year,
        case
            -- one in millions is lost in six decimals, and yet not all meet it
            when expected.comparator = '>=' and expected.threshold = 1
                and valued.shortfall_count > 0 then false
            when expected.comparator = '<' then valued.value < expected.threshold
            when expected.comparator = '<=' then valued.value <= expected.threshold
            when expected.comparator = '>' then valued.value > expected.threshold
            when expected.comparator = '>=' then valued.value >= expected.threshold
        end as is_reached,
        coalesce(valued.unknown_count, 0) > 0 and case
            -- neither reached whatever is unknown, nor missed whatever is unknown
            when expected.comparator = '<' then not (
                coalesce(round(valued.highest_value, 6) < expected.threshold, false)
                or coalesce(round(valued.lowest_value, 6) >= expected.threshold, false)
            )
            when expected.comparator = '<=' then not (
                coalesce(round(valued.highest_value, 6) <= expected.threshold, false)
                or coalesce(round(valued.lowest_value, 6) > expected.threshold, false)
            )
            when expected.comparator = '>' then not (
                coalesce(round(valued.lowest_value, 6) > expected.threshold, false)
                or coalesce(round(valued.highest_value, 6) <= expected.threshold, false)
            )
            when expected.comparator = '>=' and expected.threshold = 1
                and expected.aggregate = 'share' then coalesce(valued.shortfall_count, 0) = 0
            when expected.comparator = '>=' then not (
                coalesce(round(valued.lowest_value, 6) >= expected.threshold, false)
                or coalesce(round(valued.highest_value, 6) < expected.threshold, false)
            )
        end as is_open,
        coalesce(attested.task_status_code, of_units.task_status_code) as task_status_code,
        coalesce(expected.deadline_year > expected.year, false) as is_before_deadline,
        valued.numerator,
        valued.denominator,
        valued.shortfall_count,
        valued.unknown_count,
        cast(valued.lowest_value as decimal(18, 6)) as lowest_value,
        cast(valued.highest_value as decimal(18, 6)) as highest_value
    from expected
    left join reference.income_concept as concept using (income_concept)
    left join valued using (policy_id, item_id, part, area_code, period_start)
    left join attested using (policy_id, item_id, part, area_code, period_start)
    left join of_units using (policy_id, item_id, part, area_code, period_start)
),
first_figure as (
    select
        policy_id,
        item_id,
        part,
        area_code,
        list_basis,
        price_basis,
        month(period_start) as month_of_year,
        year as first_year,
        cast(value as double) as first_value
    from judged
    where value is not null
    qualify row_number() over (
        partition by
            policy_id, item_id, part, area_code, list_basis, price_basis, month(period_start)
        order by year
    ) = 1
),
paced as (
    select
        judged.policy_id,
        judged.item_id,
        judged.part,
        judged.area_code,
        judged.period_start,
        judged.list_basis,
        judged.price_basis,
        power(
            cast(judged.threshold as double) / cast(judged.value as double),
            1e0 / (judged.deadline_year - judged.year)
        ) - 1 as needed_growth,
        case
            when judged.year > first_figure.first_year and first_figure.first_value > 0
                then power(
                    cast(judged.value as double) / first_figure.first_value,
                    1e0 / (judged.year - first_figure.first_year)
                ) - 1
        end as achieved_growth
    from judged
    join first_figure
        on first_figure.policy_id = judged.policy_id
        and first_figure.item_id = judged.item_id
        and first_figure.part = judged.part
        and first_figure.area_code = judged.area_code
        and first_figure.list_basis = judged.list_basis
        and first_figure.price_basis = judged.price_basis
        and first_figure.month_of_year = month(judged.period_start)
    where judged.is_before_deadline and not judged.is_reached
        and judged.value > 0 and judged.threshold > 0
)
select
    judged.policy_id,
    judged.item_id,
    judged.part,
    judged.area_code,
    judged.area_level,
    judged.year,
    judged.period_type,
    judged.period_start,
    judged.population,
    judged.list_basis,
    judged.price_basis,
    judged.evaluation,
    judged.value,
    judged.comparator,
    judged.threshold,
    case
        when not judged.has_target then 'not_applicable'
        when judged.evaluation = 'attested' then
            case
                when judged.task_status_code = 'done' then 'met'
                when judged.task_status_code = 'not_applicable' then 'not_applicable'
                when judged.due_month > build.as_of_month then 'not_due'
                when judged.task_status_code is null then 'no_data'
                when not judged.is_before_deadline then 'missed'
                when judged.task_status_code = 'in_progress' then 'on_track'
                else 'not_due'
            end
        when judged.threshold is null and judged.year > judged.last_target_year
            then 'not_applicable'
        when judged.threshold is null or judged.due_month > build.as_of_month then 'not_due'
        when judged.value is null or late.late_county_count > 0 then 'no_data'
        when judged.evaluation = 'computed' and wanted.wanted_datasets is not null then 'no_data'
        when judged.is_open then 'no_data'
        when judged.is_reached and judged.is_before_deadline then 'on_track'
        when judged.is_before_deadline then
            case
                when paced.achieved_growth is null then 'not_due'
                when judged.comparator in ('>', '>=')
                    and round(paced.achieved_growth, 9) >= round(paced.needed_growth, 9)
                    then 'on_track'
                when judged.comparator in ('<', '<=')
                    and round(paced.achieved_growth, 9) <= round(paced.needed_growth, 9)
                    then 'on_track'
                else 'off_track'
            end
        when judged.is_reached then 'met'
        else 'missed'
    end as status,
    judged.value - judged.threshold as gap,
    paced.needed_growth,
    paced.achieved_growth,
    judged.numerator,
    judged.denominator,
    judged.shortfall_count,
    coalesce(judged.unknown_count, unknown.unknown_count) as unknown_count,
    -- what a county has still to deliver is bounded by nothing
    case when late.late_county_count is null then judged.lowest_value end as lowest_value,
    case when late.late_county_count is null then judged.highest_value end as highest_value,
    coalesce(late.late_county_count, 0) as late_county_count,
    term.stale_since,
    coalesce(
        late.late_datasets,
        wanted.wanted_datasets,
        case
            -- the word of an office is waited for
            when judged.evaluation <> 'computed'
                and judged.value is null
                and judged.task_status_code is null then nullif(term.datasets, '')
        end
    ) as wanted_datasets,
    term.document,
    term.clause
from judged
left join paced
    using (policy_id, item_id, part, area_code, period_start, list_basis, price_basis)
left join unknown using (policy_id, item_id, part, area_code, year, list_basis)
left join late using (policy_id, item_id, part, area_code, year)
join term using (policy_id, item_id, part)
left join wanted using (policy_id, item_id, part)
join meta.build as build on true
where judged.area_level in ('province', 'city', 'county')
    or judged.has_target
    or judged.value is not null
    or judged.area_code = judged.plan_area_code

-- One row per household and measure that a signal compares, as of the build's month.
-- Income is that of the latest ledger that covers the county and whose month has come: without a row
-- there it is unknown, not last year's. first_month is the month since which the fact stands as far
-- as its source says.
with build as (
    select as_of_month, cast(year(as_of_month) as integer) as as_of_year
    from meta.build
),
ledger_span as (
    select distinct
        income.year,
        income.income_concept,
        concept.accounting_month,
        make_date(income.year, coalesce(concept.accounting_month, 12), 1) as ledger_month
    from linked.household_year_income as income
    join reference.income_concept as concept using (income_concept)
),
ledger_year as (
    select roll.county_code, max(span.year) as year
    from ledger_span as span
    join build on span.ledger_month <= build.as_of_month
    join indicators.complete_roll as roll
        on roll.source = 'agriculture__household_income'
        and year(roll.period_month) = span.year
        and (
            span.accounting_month is null
            or month(roll.period_month) = span.accounting_month
        )
    group by roll.county_code
),
ledger as (
    select
        income.household_id,
        income.year,
        income.total_yuan / nullif(income.member_count, 0) as income_per_head,
        income.per_capita_yuan,
        income.wage_yuan,
        income.business_yuan,
        income.transfer_yuan,
        income.total_yuan,
        previous.per_capita_yuan as previous_yuan,
        previous.wage_yuan as previous_wage_yuan,
        span.ledger_month
    from indicators.watched_household as household
    join ledger_year using (county_code)
    join indicators.household_year as income
        on income.household_id = household.household_id and income.year = ledger_year.year
    join ledger_span as span
        on span.year = income.year and span.income_concept = income.income_concept
    left join indicators.household_year as previous
        on previous.household_id = income.household_id
        and previous.income_concept = income.income_concept
        and previous.year = income.year - 1
    where income.per_capita_yuan is not null
),
roll as (
    select
        latest.household_id,
        latest.year,
        latest.labour_count,
        previous.labour_count as previous_labour_count
    from indicators.watched_household as household
    join linked.household_year_roll as latest
        on latest.household_id = household.household_id and latest.year = household.roll_year
    left join linked.household_year_roll as previous
        on previous.household_id = latest.household_id and previous.year = latest.year - 1
),
medical as (
    select
        member.household_id,
        sum(settlement.self_paid_yuan) as self_paid_yuan,
        min(settlement.month) as first_month
    from indicators.watched_member as member
    join linked.medical_settlement as settlement using (person_id)
    join indicators.watch_window as watch
        on watch.county_code = member.county_code
        and settlement.month >= watch.watch_from
        and settlement.month < watch.after_month
    group by member.household_id
),
disabled as (
    select
        household_id,
        count(distinct person_id) as person_count,
        min(issue_month) as first_month
    from indicators.newly_disabled_member
    group by household_id
),
missing as (
    select household_id, measure_id, count(*) as member_count, min(first_month) as first_month
    from indicators.missing_member
    group by household_id, measure_id
),
stopped as (
    select
        household_id,
        count(*) as benefit_count,
        cast(min(last_month) + interval 1 month as date) as first_month
    from indicators.stopped_benefit
    group by household_id
),
province as (
    select
        area.area_code as county_code,
        benchmark.rural_income_yuan
    from reference.area_ancestor as area
    join indicators.area_benchmark as benchmark on benchmark.area_code = area.ancestor_code
    join reference.income_concept as concept using (income_concept)
    join build on benchmark.year = build.as_of_year - 1
    where area.ancestor_level = 'province'
    qualify row_number() over (
        partition by area.area_code order by benchmark.income_concept
    ) = 1
),
measured as (
    select household_id, 'income_per_head' as measure_id,
        income_per_head as value, ledger_month as first_month
    from ledger
    union all
    select household_id, 'income_change_rate' as measure_id,
        per_capita_yuan / previous_yuan - 1 as value, ledger_month as first_month
    from ledger
    where previous_yuan > 0
    union all
    select household_id, 'wage_change_rate' as measure_id,
        wage_yuan / previous_wage_yuan - 1 as value, ledger_month as first_month
    from ledger
    where previous_wage_yuan > 0
    union all
    select household_id, 'business_loss_yuan' as measure_id,
        cast(-business_yuan as double) as value, ledger_month as first_month
    from ledger
    where business_yuan < 0
    union all
    select household_id, 'transfer_share' as measure_id,
        transfer_yuan / total_yuan as value, ledger_month as first_month
    from ledger
    where total_yuan > 0
    union all
    select household_id, 'medical_self_paid_yuan' as measure_id,
        cast(self_paid_yuan as double) as value, first_month
    from medical
    union all
    select medical.household_id, 'medical_burden_ratio' as measure_id,
        medical.self_paid_yuan / nullif(province.rural_income_yuan, 0) as value,
        medical.first_month
    from medical
    join indicators.watched_household as household using (household_id)
    join province using (county_code)
    union all
    select household_id, measure_id, cast(member_count as double) as value, first_month
    from missing
    union all
    select household_id, 'new_severe_disability_count' as measure_id,
        cast(person_count as double) as value, first_month
    from disabled
    union all
    select household_id, 'benefit_stopped_count' as measure_id,
        cast(benefit_count as double) as value, first_month
    from stopped
    union all
    select household_id, 'lost_labour_count' as measure_id,
        cast(previous_labour_count as double) as value, make_date(year, 1, 1) as first_month
    from roll
    join build on roll.year >= build.as_of_year - 1
    where labour_count = 0 and previous_labour_count > 0
)
select
    measured.household_id,
    measured.measure_id,
    build.as_of_month,
    measured.value,
    measured.first_month,
    household.county_code
from measured
join indicators.watched_household as household using (household_id)
join build on true
where measured.value is not null

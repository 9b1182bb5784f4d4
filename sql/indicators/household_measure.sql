-- One row per household and measure that a signal compares, as of the build's month.
-- Households of this year's or last year's roll or ledger; members are those of their latest roll,
-- income is that of the latest ledger whose month has come: without a row there it is unknown, not
-- last year's. first_month is the month since which the fact stands as far as its source says.
-- A benefit has stopped when so many months with payments to anybody have passed without one.
with build as (
    select
        as_of_month,
        cast(as_of_month + interval 1 month as date) as after_month,
        cast(year(as_of_month) as integer) as as_of_year
    from meta.build
),
household as (
    select household.household_id, household.county_code
    from linked.household as household
    join build on household.last_year >= build.as_of_year - 1
    where household.county_code is not null
),
ledger_year as (
    select max(income.year) as year
    from linked.household_year_income as income
    join reference.income_concept as concept using (income_concept)
    join build
        on make_date(income.year, coalesce(concept.accounting_month, 12), 1) <= build.as_of_month
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
        make_date(income.year, coalesce(concept.accounting_month, 12), 1) as ledger_month
    from indicators.household_year as income
    join ledger_year on income.year = ledger_year.year
    join reference.income_concept as concept using (income_concept)
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
    from linked.household_year_roll as latest
    join build on latest.year <= build.as_of_year
    left join linked.household_year_roll as previous
        on previous.household_id = latest.household_id and previous.year = latest.year - 1
    qualify row_number() over (partition by latest.household_id order by latest.year desc) = 1
),
member as (
    select
        member.household_id,
        member.person_id,
        person.birth_month,
        household.county_code
    from linked.household_member as member
    join roll on roll.household_id = member.household_id and roll.year = member.year
    join household on household.household_id = member.household_id
    join linked.person as person using (person_id)
    where person.link_rule_code = 'id_and_name'
),
school_year as (
    select max(enrolment.year) as year
    from linked.enrolment as enrolment
    join build on make_date(enrolment.year, 9, 1) <= build.as_of_month
),
attending as (
    select distinct enrolment.person_id
    from linked.enrolment as enrolment
    join school_year using (year)
    where enrolment.is_enrolled
),
child as (
    select member.household_id, school_year.year
    from member
    join school_year on member.birth_month is not null
    join indicators.watch_window as watch
        on watch.county_code = member.county_code
        and school_year.year - year(member.birth_month)
            - case when month(member.birth_month) >= 9 then 1 else 0 end
            between watch.age_from and watch.age_to
    left join attending using (person_id)
    where attending.person_id is null
),
insurance_year as (
    select max(insurance.year) as year
    from linked.insurance as insurance
    join build on insurance.year <= build.as_of_year
),
insured as (
    select distinct insurance.person_id
    from linked.insurance as insurance
    join insurance_year using (year)
    where insurance.is_insured
),
uninsured as (
    select member.household_id, insurance_year.year
    from member
    join insurance_year on insurance_year.year is not null
    left join insured using (person_id)
    where insured.person_id is null
),
medical as (
    select
        member.household_id,
        sum(settlement.self_paid_yuan) as self_paid_yuan,
        min(settlement.month) as first_month
    from member
    join linked.medical_settlement as settlement using (person_id)
    join indicators.watch_window as watch
        on watch.county_code = member.county_code
        and settlement.month >= watch.watch_from
        and settlement.month < watch.after_month
    group by member.household_id
),
disabled as (
    select
        member.household_id,
        count(distinct member.person_id) as person_count,
        min(disability.issue_month) as first_month
    from member
    join linked.disability as disability using (person_id)
    join indicators.watch_window as watch
        on watch.county_code = member.county_code
        and disability.issue_month >= watch.watch_from
        and disability.issue_month < watch.after_month
    where disability.is_severe
    group by member.household_id
),
paid_month as (
    select distinct month
    from linked.relief_payment
),
benefit as (
    select
        member.household_id,
        member.person_id,
        member.county_code,
        payment.programme_code,
        max(payment.month) as last_month
    from member
    join linked.relief_payment as payment using (person_id)
    join indicators.watch_window as watch
        on watch.county_code = member.county_code
        and payment.month >= watch.watch_from
        and payment.month < watch.after_month
    where payment.is_regular and payment.amount_yuan > 0
    group by
        member.household_id, member.person_id, member.county_code, payment.programme_code
),
stopped_benefit as (
    select benefit.household_id, benefit.person_id, benefit.programme_code, benefit.last_month
    from benefit
    join indicators.watch_window as watch using (county_code)
    join paid_month
        on paid_month.month > benefit.last_month and paid_month.month < watch.after_month
    group by
        benefit.household_id,
        benefit.person_id,
        benefit.programme_code,
        benefit.last_month,
        watch.gap_months
    having count(*) >= watch.gap_months
),
stopped as (
    select
        household_id,
        count(*) as benefit_count,
        cast(min(last_month) + interval 1 month as date) as first_month
    from stopped_benefit
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
    join household using (household_id)
    join province using (county_code)
    union all
    select household_id, 'unenrolled_child_count' as measure_id,
        cast(count(*) as double) as value, make_date(min(year), 9, 1) as first_month
    from child
    group by household_id
    union all
    select household_id, 'new_severe_disability_count' as measure_id,
        cast(person_count as double) as value, first_month
    from disabled
    union all
    select household_id, 'uninsured_member_count' as measure_id,
        cast(count(*) as double) as value, make_date(min(year), 1, 1) as first_month
    from uninsured
    group by household_id
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
join household using (household_id)
join build on true
where measured.value is not null

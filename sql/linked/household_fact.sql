-- One row per household, year and fact that rows about it tell: measures, visits, loans, its house, its
-- relocation. Rows about a person count for the household that the last roll up to the year lists the
-- person in, else the first roll after it.
-- Of a ledger each year has what it reported then: a measure is counted in each year that reports it.
-- A visit counts in the month of its day, and is one at home where nobody tells that it was a call.
-- A house and a relocation have a row in the year from which on they are as reported, and stand until
-- another row of the household tells otherwise; a grant is told again by each of them. A completion or
-- a move holds from its own date, whenever it was reported; a dangerous house was so from its appraisal
-- on, until a report says otherwise.
with member as (
    select person_id, year, household_id
    from linked.household_member
    qualify row_number() over (partition by person_id, year order by household_id) = 1
),
change_of_household as (
    select
        person_id,
        household_id,
        year,
        lag(household_id) over (partition by person_id order by year) as household_before
    from member
),
home as (
    select
        person_id,
        household_id,
        case when household_before is not null then year end as from_year,
        lead(year) over (partition by person_id order by year) as next_year
    from change_of_household
    where household_before is null or household_before <> household_id
),
house_report as (
    select
        report.counted_delivery_id as delivery_id,
        report.counted_row_number as row_number,
        report.period_month,
        report.first_year,
        year(report.appraised_date) as appraised_year,
        year(report.completed_date) as completed_year,
        coalesce(grade.has_attribute, false) as is_dangerous,
        coalesce(grade.has_attribute, false) and not coalesce(state.has_attribute, false)
            as is_unsafe,
        report.grant_yuan as amount_yuan
    from reported.housing__house_safety as report
    left join reference.code as grade
        on grade.code_list = 'house_grade' and grade.code = report.house_grade_code
    left join reference.code as state
        on state.code_list = 'house_state' and state.code = report.house_state_code
),
entry as (
    -- what each entry of a ledger tells from which year on, in the order of its reports
    select
        'housing__house_safety' as source,
        delivery_id,
        row_number,
        period_month,
        case when is_unsafe then first_year else least(first_year, completed_year) end as year,
        1 as place,
        case when is_unsafe then 'house_unsafe' else 'house_safe' end as fact_code,
        amount_yuan
    from house_report
    union all
    select
        'housing__house_safety' as source,
        delivery_id,
        row_number,
        period_month,
        appraised_year as year,
        0 as place,
        'house_unsafe' as fact_code,
        cast(null as decimal(18, 2)) as amount_yuan
    from (
        select *
        from house_report
        qualify row_number() over (
            partition by delivery_id, row_number order by period_month
        ) = 1
    ) as first_report
    where is_dangerous and appraised_year is not null
    union all
    select
        'housing__relocation' as source,
        report.counted_delivery_id as delivery_id,
        report.counted_row_number as row_number,
        report.period_month,
        case
            when state.has_attribute then least(report.first_year, year(report.moved_date))
            else year(report.period_month)
        end as year,
        1 as place,
        case when state.has_attribute then 'relocated' else 'not_relocated' end as fact_code,
        report.grant_yuan as amount_yuan
    from reported.housing__relocation as report
    join reference.code as state
        on state.code_list = 'relocation_state' and state.code = report.relocation_state_code
),
dated as (
    select
        entry.*,
        min(year) over (
            partition by source, delivery_id, row_number
            order by place, period_month
            rows between 1 following and unbounded following
        ) as next_year
    from entry
),
standing as (
    -- a report that a later one of the entry dates back to its year or before tells nothing
    select *
    from dated
    where next_year is null or next_year > year
),
by_household as (
    select
        'agriculture__assistance_measure' as source,
        counted_delivery_id as delivery_id,
        counted_row_number as row_number,
        period_month,
        part.fact_code,
        1 as fact_count,
        case part.fact_code when 'measure' then support_yuan else dividend_yuan end as amount_yuan
    from reported.agriculture__assistance_measure
    join (
        select 'measure' as fact_code
        union all
        select 'dividend' as fact_code
    ) as part on part.fact_code = 'measure' or dividend_yuan > 0
    union all
    select
        'agriculture__cadre_visit' as source,
        delivery_id,
        row_number,
        cast(date_trunc('month', coalesce(visit_date, period_month)) as date) as period_month,
        part.fact_code,
        case part.fact_code
            when 'problem' then coalesce(problem_count, 0)
            when 'problem_solved' then coalesce(solved_count, 0)
            else 1
        end as fact_count,
        cast(null as decimal(18, 2)) as amount_yuan
    from staged.agriculture__cadre_visit
    left join reference.code as way on way.code_list = 'visit_way' and way.code = visit_way_code
    join (
        select 'visit' as fact_code
        union all
        select 'home_visit' as fact_code
        union all
        select 'problem' as fact_code
        union all
        select 'problem_solved' as fact_code
    ) as part on part.fact_code <> 'home_visit' or coalesce(way.has_attribute, true)
),
loan as (
    select
        delivery_id,
        row_number,
        period_month,
        case when is_overdue then 'loan_overdue' else 'loan' end as fact_code,
        balance_yuan as amount_yuan
    from staged.finance__small_loan
    qualify period_month = max(period_month) over (partition by year(period_month), sender)
),
by_person as (
    select
        'finance__small_loan' as source,
        delivery_id,
        row_number,
        period_month,
        year(period_month) as year,
        year(period_month) + 1 as next_year,
        fact_code,
        amount_yuan
    from loan
    union all
    select
        source,
        delivery_id,
        row_number,
        period_month,
        year,
        next_year,
        fact_code,
        amount_yuan
    from standing
),
told as (
    select
        home.household_id,
        greatest(by_person.year, coalesce(home.from_year, by_person.year)) as year,
        by_person.period_month,
        by_person.fact_code,
        1 as fact_count,
        by_person.amount_yuan
    from by_person
    join bridge.person as identity
        on identity.source = by_person.source
        and identity.delivery_id = by_person.delivery_id
        and identity.row_number = by_person.row_number
    join home
        on home.person_id = identity.person_id
        and (home.next_year is null or home.next_year > by_person.year)
        and (
            home.from_year is null
            or by_person.next_year is null
            or home.from_year < by_person.next_year
        )
    union all
    select
        home.household_id,
        year(by_household.period_month) as year,
        by_household.period_month,
        by_household.fact_code,
        by_household.fact_count,
        by_household.amount_yuan
    from by_household
    join bridge.household as home
        on home.source = by_household.source
        and home.household_notion = 'roll'
        and home.delivery_id = by_household.delivery_id
        and home.row_number = by_household.row_number
),
monthly as (
    select
        household_id,
        year,
        period_month,
        fact_code,
        sum(fact_count) as fact_count,
        sum(amount_yuan) as amount_yuan
    from told
    group by household_id, year, period_month, fact_code
)
select
    household_id,
    cast(year as integer) as year,
    fact_code,
    cast(sum(fact_count) as bigint) as fact_count,
    count(*) as month_count,
    count(distinct case when fact_count > 0 then quarter(period_month) end) as quarter_count,
    max(period_month) as last_told_month,
    sum(amount_yuan) as amount_yuan
from monthly
group by household_id, year, fact_code

-- One row per household and year of the roll or the ledger, with what is known of its income, its
-- members, its house and the help it gets. Counts and amounts are of the year and 0, flags false,
-- where no row tells any and deliveries of the year came complete for the county; else they are
-- empty. A house, a relocation and a case are as last told up to the year, and false where their
-- register came up to it. Members who lack or have something are those of whom it is known; their
-- number is empty where nobody is known to and not of all is it known. Those of a household off the
-- roll are of its last one; record_count and head_count are of the year's roll. A newborn is of the
-- household whose first roll lists it, else of the one whose members share its book: the roll of
-- the year of birth may not have it yet. Compulsory age is that of the pupils' watch. Income per
-- head is to a millionth of a yuan, so that plans compare totals: 28,799.99 yuan of three are not
-- 9,600 each.
with household as (
    select household.*, place.county_code as today_county_code
    from indicators.household_year as household
    left join reference.area_today as place on place.area_code = household.area_code
),
came as (
    select
        county_code as today_county_code,
        cast(year(period_month) as integer) as year,
        bool_or(source = 'agriculture__assistance_measure') as assistance_measure,
        bool_or(source = 'agriculture__cadre_visit') as cadre_visit,
        bool_or(source = 'finance__small_loan') as small_loan,
        bool_or(source = 'public_security__vital_event') as vital_event
    from indicators.complete_roll
    group by county_code, year(period_month)
),
register as (
    select
        county_code as today_county_code,
        min(case when source = 'agriculture__monitoring_case' then year(period_month) end)
            as monitored_from,
        min(case when source = 'housing__house_safety' then year(period_month) end)
            as appraised_from,
        min(case when source = 'housing__relocation' then year(period_month) end)
            as relocated_from
    from indicators.complete_roll
    group by county_code
),
fact as (
    select
        household_id,
        year,
        sum(case when fact_code = 'measure' then fact_count end) as measure_count,
        sum(case when fact_code = 'measure' then coalesce(amount_yuan, 0) end) as support_yuan,
        sum(case when fact_code = 'dividend' then amount_yuan end) as dividend_yuan,
        sum(case when fact_code in ('loan', 'loan_overdue') then fact_count end) as loan_count,
        sum(case when fact_code in ('loan', 'loan_overdue') then coalesce(amount_yuan, 0) end)
            as loan_yuan,
        sum(
            case fact_code when 'loan_overdue' then fact_count when 'loan' then 0 end
        ) as overdue_count,
        sum(case when fact_code = 'visit' then fact_count end) as visit_count,
        max(
            case fact_code when 'home_visit' then month_count when 'visit' then 0 end
        ) as visited_months,
        sum(case when fact_code = 'problem' then fact_count end) as problem_count,
        sum(case when fact_code = 'problem_solved' then fact_count end) as solved_count,
        max(case when fact_code = 'problem_solved' then quarter_count end) as solved_quarters
    from linked.household_fact
    group by household_id, year
),
house as (
    select
        household.household_id,
        household.year,
        told.fact_code = 'house_unsafe' as is_unsafe
    from household
    join linked.household_fact as told
        on told.household_id = household.household_id
        and told.year <= household.year
        and told.fact_code in ('house_safe', 'house_unsafe')
    qualify row_number() over (
        partition by household.household_id, household.year
        order by told.year desc, told.last_told_month desc, told.fact_code desc
    ) = 1
),
relocated as (
    select
        household.household_id,
        household.year,
        told.fact_code = 'relocated' as is_relocated
    from household
    join linked.household_fact as told
        on told.household_id = household.household_id
        and told.year <= household.year
        and told.fact_code in ('relocated', 'not_relocated')
    qualify row_number() over (
        partition by household.household_id, household.year
        order by told.year desc, told.last_told_month desc, told.fact_code desc
    ) = 1
),
person as (
    select
        person.household_id,
        person.year,
        person.is_insured,
        case
            when person.is_of_school_age then not person.is_enrolled
            when not person.is_of_school_age then false
        end as is_out_of_school,
        person.is_dibao,
        person.is_tekun,
        person.is_disabled
    from indicators.member_profile as person
),
member as (
    select
        household_id,
        year,
        count(*) as record_count,
        sum(case when not is_insured then 1 else 0 end) as uninsured_count,
        count(*) - count(is_insured) as insurance_unknown,
        sum(case when is_out_of_school then 1 else 0 end) as out_of_school_count,
        count(*) - count(is_out_of_school) as schooling_unknown,
        sum(case when is_dibao then 1 else 0 end) as dibao_count,
        count(*) - count(is_dibao) as dibao_unknown,
        sum(case when is_tekun then 1 else 0 end) as tekun_count,
        count(*) - count(is_tekun) as tekun_unknown,
        sum(case when is_disabled then 1 else 0 end) as disabled_count,
        count(*) - count(is_disabled) as disabled_unknown
    from person
    group by household_id, year
),
head as (
    select household_id, year, sum(case when is_head then 1 else 0 end) as head_count
    from linked.household_member
    group by household_id, year
),
first_listed as (
    select person_id, household_id
    from linked.household_member
    qualify row_number() over (partition by person_id order by year, household_id) = 1
),
newborn as (
    select
        event.person_id,
        year(event.month) as year,
        coalesce(first_listed.household_id, book.household_id) as household_id
    from linked.vital_event as event
    left join first_listed on first_listed.person_id = event.person_id
    left join linked.household_crosswalk as book
        on book.household_notion = 'roll' and book.other_notion = 'registration'
        and book.other_household_id = event.household_id
        and book.start_month <= event.month and coalesce(book.end_month >= event.month, true)
    where event.vital_event_code = 'birth'
    qualify row_number() over (
        partition by event.person_id
        order by
            event.event_place,
            book.shared_person_count desc,
            book.household_id
    ) = 1
),
birth as (
    select household_id, year, count(*) as birth_count
    from newborn
    where household_id is not null
    group by household_id, year
),
watched as (
    -- a case is open until its risk is cleared
    select distinct household.household_id, household.year
    from household
    join linked.monitoring_case as told
        on told.household_id = household.household_id
        and year(told.identified_month) <= household.year
        and (told.cleared_month is null or year(told.cleared_month) >= household.year)
),
cleared as (
    select household_id, min(year(cleared_month)) as since
    from linked.monitoring_case
    where cleared_month is not null
    group by household_id
)
select
    household.household_id,
    household.year,
    household.area_code,
    household.income_concept,
    household.member_count,
    household.wage_yuan,
    household.business_yuan,
    household.property_yuan,
    household.transfer_yuan,
    household.total_yuan,
    cast(household.total_yuan / nullif(household.member_count, 0) as decimal(18, 6))
        as per_capita_yuan,
    household.is_on_roll,
    household.has_labour,
    household.cause_code,
    case
        when watched.household_id is not null then true
        when register.monitored_from <= household.year then false
    end as is_monitored,
    case
        when cleared.since <= household.year then true
        when register.monitored_from <= household.year then false
    end as was_cleared,
    coalesce(house.is_unsafe, case when register.appraised_from <= household.year then false end)
        as house_is_unsafe,
    coalesce(
        relocated.is_relocated,
        case when register.relocated_from <= household.year then false end
    ) as is_relocated,
    coalesce(fact.measure_count, case when came.assistance_measure then 0 end) as measure_count,
    coalesce(fact.support_yuan, case when came.assistance_measure then 0 end) as support_yuan,
    coalesce(fact.dividend_yuan, case when came.assistance_measure then 0 end) as dividend_yuan,
    coalesce(fact.loan_count, case when came.small_loan then 0 end) as loan_count,
    coalesce(fact.loan_yuan, case when came.small_loan then 0 end) as loan_yuan,
    coalesce(fact.overdue_count, case when came.small_loan then 0 end) as overdue_count,
    coalesce(fact.visit_count, case when came.cadre_visit then 0 end) as visit_count,
    coalesce(fact.visited_months, case when came.cadre_visit then 0 end) as visited_months,
    coalesce(fact.visit_count > 0, case when came.cadre_visit then false end)
        as has_paired_cadre,
    coalesce(fact.problem_count, case when came.cadre_visit then 0 end) as problem_count,
    coalesce(fact.solved_count, case when came.cadre_visit then 0 end) as solved_count,
    coalesce(fact.solved_quarters, case when came.cadre_visit then 0 end) as solved_quarters,
    case
        when member.uninsured_count > 0 or member.insurance_unknown = 0 then member.uninsured_count
    end as uninsured_count,
    case
        when member.out_of_school_count > 0 or member.schooling_unknown = 0 then member.out_of_school_count
    end as out_of_school_count,
    case
        when member.dibao_count > 0 or member.dibao_unknown = 0 then member.dibao_count
    end as dibao_count,
    case
        when member.tekun_count > 0 or member.tekun_unknown = 0 then member.tekun_count
    end as tekun_count,
    case
        when member.disabled_count > 0 or member.disabled_unknown = 0 then member.disabled_count
    end as disabled_count,
    case when household.is_on_roll then member.record_count end as record_count,
    cast(case when household.is_on_roll then head.head_count end as bigint) as head_count,
    coalesce(birth.birth_count, case when came.vital_event then 0 end) as birth_count
from household
left join came using (today_county_code, year)
left join register using (today_county_code)
left join fact using (household_id, year)
left join house using (household_id, year)
left join member using (household_id, year)
left join head using (household_id, year)
left join birth using (household_id, year)
left join watched using (household_id, year)
left join relocated using (household_id, year)
left join cleared using (household_id)

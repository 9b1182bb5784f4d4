-- One row per area, year and line that somebody has decided for the area: what it asks of a person's
-- income. The value of the nearest area that decides one counts, in each month the one in force on its
-- first day. The year's line is read of its months as the rule says: the mean of all, the last or the
-- first. Where these are not all decided the year has no line, and says why; nothing is carried forward.
with years as (
    select distinct year
    from indicators.household_year
),
months as (
    select years.year, make_date(years.year, cast(period.month_of_year as integer), 1) as month
    from years
    join reference.period as period on period.period_type = 'month'
),
decided as (
    select
        area.area_code,
        area.area_level,
        rule.rule_id,
        rule.area_code as decided_by_code,
        rule.effective_from,
        rule.effective_to,
        rule.value,
        rule.year_reading,
        ancestor.distance
    from reference.area as area
    join reference.rule_value as rule
        on rule.is_line and area.area_level in ('city', 'county', 'town')
    left join reference.area_ancestor as ancestor
        on ancestor.area_code = area.area_code and ancestor.ancestor_code = rule.area_code
    where ancestor.area_code is not null or rule.area_code = '000000000000'
),
monthly as (
    select
        decided.area_code,
        decided.rule_id,
        months.year,
        months.month,
        coalesce(decided.value, formula.value) as value,
        formula.missing_series
    from decided
    join months on months.month between decided.effective_from and decided.effective_to
    left join indicators.formula_value as formula
        on formula.rule_id = decided.rule_id
        and formula.decided_by_code = decided.decided_by_code
        and formula.effective_from = decided.effective_from
        and formula.area_code = decided.area_code
        and formula.month = months.month
    qualify row_number() over (
        partition by decided.area_code, decided.rule_id, months.month
        order by decided.distance nulls last, decided.effective_from desc
    ) = 1
),
line as (
    -- how a year is read the nearest area says
    select area_code, area_level, rule_id, year_reading
    from decided
    qualify row_number() over (
        partition by area_code, rule_id order by distance nulls last, effective_from desc
    ) = 1
),
yearly as (
    select
        line.area_code,
        line.area_level,
        months.year,
        line.rule_id,
        line.year_reading,
        count(monthly.value) as decided_month_count,
        case line.year_reading
            when 'last_month' then max(monthly.value) filter (
                where months.month = make_date(months.year, 12, 1))
            when 'first_month' then max(monthly.value) filter (
                where months.month = make_date(months.year, 1, 1))
            else case
                when count(monthly.value) = count(*) then sum(monthly.value) / count(*)
            end
        end as value,
        max(monthly.missing_series) as missing_series
    from line
    join months on true
    left join monthly
        on monthly.area_code = line.area_code
        and monthly.rule_id = line.rule_id
        and monthly.month = months.month
    group by line.area_code, line.area_level, months.year, line.rule_id, line.year_reading
)
select
    area_code,
    area_level,
    year,
    rule_id as line_id,
    cast(value as decimal(18, 2)) as line_yuan,
    case when value is null then 'no_data' else 'decided' end as line_status,
    year_reading,
    decided_month_count,
    case
        when value is not null then null
        when missing_series is not null
            then '公式缺少 ' || missing_series || ' · the formula lacks ' || missing_series
        when decided_month_count = 0 then '当年无人决定 · nobody decided it for the year'
        else '只决定了部分月份 · decided for a part of the months alone'
    end as line_reason
from yearly

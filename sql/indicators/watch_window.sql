-- One row per county with the spans and the ages that its warnings look at, in the build's month.
-- Sudden events count from watch_from until before after_month.
with build as (
    select cast(as_of_month + interval 1 month as date) as after_month
    from meta.build
)
select
    rule.county_code,
    cast(build.after_month - interval 1 month * cast(round(max(rule.value) filter (
        where rule.rule_id = 'watch_months')) as integer) as date) as watch_from,
    build.after_month,
    max(rule.value) filter (where rule.rule_id = 'benefit_gap_months') as gap_months,
    max(rule.value) filter (where rule.rule_id = 'compulsory_age_from') as age_from,
    max(rule.value) filter (where rule.rule_id = 'compulsory_age_to') as age_to,
    cast(round(max(rule.value) filter (
        where rule.rule_id = 'school_year_month')) as integer) as school_month
from indicators.rule_in_force as rule
join build on true
group by rule.county_code, build.after_month

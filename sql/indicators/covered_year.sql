-- One row per source, county and year for which everything expected of a period in the year has come.
-- Rows of a source that reaches back stand for the years before their period too, so that of such a
-- source a later period covers the years of plans.
with complete as (
    select distinct source, county_code, cast(year(period_month) as integer) as year
    from indicators.complete_roll
)
select source, county_code, year
from complete
union
select complete.source, complete.county_code, plan_year.year
from complete
join meta.source as source on source.source = complete.source and source.reaches_back
join (select distinct year from reference.target) as plan_year on plan_year.year < complete.year

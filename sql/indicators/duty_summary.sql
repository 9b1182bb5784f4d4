-- One row per duty, area, responsible unit and period with how many were done on time, late or not.
-- An area counts what is owed by households in it, or by the counties that it holds; towns are the
-- finest, the households of a village stand in duty_result.
-- The share on time is of what can be judged: what is not yet due or has no data is left out.
with finest as (
    select
        policy_id,
        duty_id,
        area_code,
        responsible_unit,
        period_type,
        period_start,
        count(*) as due_count,
        count(*) filter (where duty_status = 'on_time') as on_time_count,
        count(*) filter (where duty_status = 'late') as late_count,
        count(*) filter (where duty_status = 'missing') as missing_count,
        count(*) filter (where duty_status = 'not_yet_due') as not_yet_due_count,
        count(*) filter (where duty_status = 'no_data') as no_data_count,
        max(wanted_datasets) as wanted_datasets
    from indicators.duty_result
    group by policy_id, duty_id, area_code, responsible_unit, period_type, period_start
),
pooled as (
    select
        finest.policy_id,
        finest.duty_id,
        ancestor.ancestor_code as area_code,
        ancestor.ancestor_level as area_level,
        finest.responsible_unit,
        finest.period_type,
        finest.period_start,
        cast(sum(finest.due_count) as bigint) as due_count,
        cast(sum(finest.on_time_count) as bigint) as on_time_count,
        cast(sum(finest.late_count) as bigint) as late_count,
        cast(sum(finest.missing_count) as bigint) as missing_count,
        cast(sum(finest.not_yet_due_count) as bigint) as not_yet_due_count,
        cast(sum(finest.no_data_count) as bigint) as no_data_count,
        max(finest.wanted_datasets) as wanted_datasets
    from finest
    join reference.area_ancestor as ancestor
        on ancestor.area_code = finest.area_code and ancestor.ancestor_level <> 'village'
    group by
        finest.policy_id,
        finest.duty_id,
        ancestor.ancestor_code,
        ancestor.ancestor_level,
        finest.responsible_unit,
        finest.period_type,
        finest.period_start
)
select
    pooled.policy_id,
    pooled.duty_id,
    pooled.area_code,
    pooled.area_level,
    pooled.responsible_unit,
    pooled.period_type,
    pooled.period_start,
    pooled.due_count,
    pooled.on_time_count,
    pooled.late_count,
    pooled.missing_count,
    pooled.not_yet_due_count,
    pooled.no_data_count,
    cast(pooled.on_time_count as double)
        / nullif(pooled.on_time_count + pooled.late_count + pooled.missing_count, 0)
        as on_time_rate,
    pooled.wanted_datasets,
    freshness.stale_since
from pooled
left join meta.table_freshness as freshness
    on freshness.table_name = 'indicators.duty_summary'

-- One row per household and signal whose measure passes the threshold in force in its county.
-- The value of the nearest area decides; a signal gives way to the stronger one it names.
with threshold as (
    select
        ancestor.area_code as county_code,
        rule.rule_id,
        rule.value,
        rule.document,
        rule.clause
    from (
        select area_code, ancestor_code, distance
        from reference.area_ancestor
        union all
        select area_code, '000000000000' as ancestor_code, 99 as distance
        from reference.area
    ) as ancestor
    join reference.rule_value as rule on rule.area_code = ancestor.ancestor_code
    join meta.build as build
        on build.as_of_month between rule.effective_from and rule.effective_to
    join reference.area as county
        on county.area_code = ancestor.area_code and county.area_level = 'county'
    qualify row_number() over (
        partition by ancestor.area_code, rule.rule_id order by ancestor.distance
    ) = 1
),
compared as (
    select
        measure.household_id,
        signal.signal_id,
        measure.as_of_month,
        measure.measure_id,
        measure.value,
        signal.comparator,
        threshold.value * coalesce(factor.value, 1) as threshold,
        signal.cause_code,
        signal.points,
        signal.unless_signal_id,
        threshold.document,
        threshold.clause,
        measure.first_month
    from indicators.household_measure as measure
    join reference.signal as signal using (measure_id)
    join threshold
        on threshold.county_code = measure.county_code
        and threshold.rule_id = signal.threshold_rule_id
    left join threshold as factor
        on factor.county_code = measure.county_code and factor.rule_id = signal.factor_rule_id
    where signal.factor_rule_id is null or factor.value is not null
),
fired as (
    select *
    from compared
    where case comparator
        when '<' then value < threshold
        when '<=' then value <= threshold
        when '>' then value > threshold
        when '>=' then value >= threshold
    end
)
select
    fired.household_id,
    fired.signal_id,
    fired.as_of_month,
    fired.measure_id,
    fired.value,
    fired.comparator,
    fired.threshold,
    fired.cause_code,
    fired.points,
    fired.document,
    fired.clause,
    fired.first_month
from fired
left join fired as stronger
    on stronger.household_id = fired.household_id
    and stronger.signal_id = fired.unless_signal_id
where stronger.household_id is null

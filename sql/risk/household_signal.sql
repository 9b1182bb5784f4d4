-- One row per household and signal whose measure passes the threshold in force in its county.
-- The value of the nearest area decides; a signal gives way to the stronger one it names.
with compared as (
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
    join indicators.rule_in_force as threshold
        on threshold.county_code = measure.county_code
        and threshold.rule_id = signal.threshold_rule_id
    left join indicators.rule_in_force as factor
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

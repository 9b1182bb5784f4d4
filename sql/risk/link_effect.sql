-- One row per rule of linkage and how much of the warnings rests on it. Were all its links wrong, at
-- most household_count warnings would lose a reason and dependent_household_count all of theirs.
-- Incomes come by the number of the household, so that no growth figure rests on a person's link.
with rested as (
    select distinct evidence.household_id, evidence.signal_id, link.link_rule_code
    from risk.signal_evidence as evidence
    join linked.record_link as link using (delivery_id, row_number)
),
warned as (
    select household_id, link_rule_code, count(*) as signals
    from rested
    group by household_id, link_rule_code
),
used as (
    select link_rule_code, count(*) as record_count
    from linked.record_link
    group by link_rule_code
)
select
    used.link_rule_code,
    used.record_count,
    coalesce(sum(warned.signals), 0) as resting_signal_count,
    count(warned.household_id) as resting_household_count,
    count(case when warned.signals = risk.signal_count then 1 end) as dependent_household_count
from used
left join warned using (link_rule_code)
left join risk.return_to_poverty as risk using (household_id)
group by used.link_rule_code, used.record_count

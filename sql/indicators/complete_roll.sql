-- One row per source, county, period and delivery whose deliveries together cover the county.
-- Who is not found there is absent; where a part is still to come nobody is.
-- A sender named by an area's code speaks for that area, a dataset without senders for every county,
-- any other unit for a part of every county. A period is complete when every sender that is expected
-- has delivered it: from its first period until it has been silent for sender_silence_months, or
-- until another has taken its place (for a whole county any sender that began after it ended, for a
-- part one that speaks for the whole).
with county as (
    select distinct household.county_code, rule.value as silence_months
    from linked.household as household
    left join indicators.rule_in_force as rule
        on rule.county_code = household.county_code and rule.rule_id = 'sender_silence_months'
    where household.county_code is not null
),
effective as (
    select department || '__' || dataset as source, sender, period_month, delivery_id
    from meta.delivery
    where delivery_status = 'effective'
),
sender as (
    select source, sender, min(period_month) as first_month, max(period_month) as last_month
    from effective
    group by source, sender
),
speaker as (
    select
        sender.source,
        sender.sender,
        county.county_code,
        sender.sender is null or ancestor.ancestor_code is not null as is_whole,
        sender.first_month,
        sender.last_month,
        cast(sender.last_month + interval 1 month
            * cast(round(county.silence_months) as integer) as date) as silent_month
    from sender
    join county on true
    left join reference.area as area on area.area_code = sender.sender
    left join reference.area_ancestor as ancestor
        on ancestor.area_code = county.county_code and ancestor.ancestor_code = sender.sender
    where area.area_code is null
        or ancestor.ancestor_code is not null
        or area.county_code = county.county_code
),
succeeded as (
    select distinct speaker.source, speaker.sender, speaker.county_code
    from speaker
    join speaker as successor
        on successor.source = speaker.source
        and successor.county_code = speaker.county_code
        and successor.first_month > speaker.last_month
        and (speaker.is_whole or successor.is_whole)
),
expected as (
    select
        speaker.source,
        speaker.sender,
        speaker.county_code,
        speaker.first_month,
        case
            when succeeded.county_code is null then speaker.silent_month
            else speaker.last_month
        end as until_month
    from speaker
    left join succeeded
        on succeeded.source = speaker.source
        and succeeded.sender is not distinct from speaker.sender
        and succeeded.county_code = speaker.county_code
),
period as (
    select distinct source, period_month
    from effective
),
awaited as (
    select
        expected.source,
        expected.county_code,
        period.period_month,
        effective.delivery_id
    from expected
    join period
        on period.source = expected.source
        and period.period_month >= expected.first_month
        and (expected.until_month is null or period.period_month <= expected.until_month)
    left join effective
        on effective.source = expected.source
        and effective.sender is not distinct from expected.sender
        and effective.period_month = period.period_month
),
incomplete as (
    select distinct source, county_code, period_month
    from awaited
    where delivery_id is null
)
select
    awaited.source,
    awaited.county_code,
    awaited.period_month,
    awaited.delivery_id
from awaited
left join incomplete
    on incomplete.source = awaited.source
    and incomplete.county_code = awaited.county_code
    and incomplete.period_month = awaited.period_month
where incomplete.county_code is null

-- One row per source, county, period and delivery whose deliveries together cover the county.
-- Who is not found there is absent; where a part is still to come nobody is.
-- A sender named by the code of an area speaks for it, a dataset without senders for every county.
-- One delivery for the whole county is complete. Parts (of towns, or of units that are no area) are
-- complete once every part that ever came for the county has come for the period.
with county as (
    select distinct county_code
    from linked.household
    where county_code is not null
),
effective as (
    select department || '__' || dataset as source, sender, period_month, delivery_id
    from meta.delivery
    where delivery_status = 'effective'
),
sender as (
    select distinct source, sender
    from effective
),
speaker as (
    select
        sender.source,
        sender.sender,
        county.county_code,
        sender.sender is null or ancestor.ancestor_code is not null as is_whole
    from sender
    join county on true
    left join reference.area as area on area.area_code = sender.sender
    left join reference.area_ancestor as ancestor
        on ancestor.area_code = county.county_code and ancestor.ancestor_code = sender.sender
    where area.area_code is null
        or ancestor.ancestor_code is not null
        or area.county_code = county.county_code
),
part as (
    select
        source,
        county_code,
        sum(case when is_whole then 0 else 1 end) as part_count
    from speaker
    group by source, county_code
),
delivered as (
    select
        speaker.source,
        speaker.county_code,
        speaker.is_whole,
        effective.period_month,
        effective.delivery_id
    from speaker
    join effective
        on effective.source = speaker.source
        and effective.sender is not distinct from speaker.sender
),
period as (
    select
        source,
        county_code,
        period_month,
        bool_or(is_whole) as has_whole,
        sum(case when is_whole then 0 else 1 end) as part_count
    from delivered
    group by source, county_code, period_month
)
select
    delivered.source,
    delivered.county_code,
    delivered.period_month,
    delivered.delivery_id
from delivered
join period using (source, county_code, period_month)
join part using (source, county_code)
where period.has_whole or period.part_count = part.part_count

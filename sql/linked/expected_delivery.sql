-- One row per source, county, period and sender whose part of the county is expected.
-- A sender named by an area's code speaks for that area, until then also for what became of a part of
-- it; files without a sender speak for the whole place that is served, any other unit for a part of
-- every county.
-- A sender is expected from its first period until it has been silent for sender_silence_months, or
-- until another has taken its place (for a whole county any sender that began after it ended, for a
-- part one that speaks for the whole). A period is complete when all that is expected has come.
-- A unit that is no area and came after its source had begun is expected from its second period on:
-- its name may be a slip, and it would be waited for in every county.
with county as (
    select distinct
        household.county_code,
        build.as_of_month,
        area.area_code is null or ancestor.ancestor_code is not null as is_served
    from linked.household as household
    join meta.build as build on true
    left join reference.area as area on area.area_code = build.area_code
    left join reference.area_ancestor as ancestor
        on ancestor.area_code = household.county_code and ancestor.ancestor_code = area.area_code
    where household.county_code is not null
),
silence as (
    select county.county_code, cast(round(rule.value) as integer) as months
    from county
    join reference.rule_value as rule
        on rule.rule_id = 'sender_silence_months'
        and county.as_of_month between rule.effective_from and rule.effective_to
    left join reference.area_ancestor as ancestor
        on ancestor.area_code = county.county_code and ancestor.ancestor_code = rule.area_code
    where ancestor.area_code is not null or rule.area_code = '000000000000'
    qualify row_number() over (
        partition by county.county_code order by ancestor.distance nulls last
    ) = 1
),
effective as (
    select
        department || '__' || dataset as source,
        sender,
        period_month,
        period,
        delivery_id
    from meta.delivery
    where delivery_status = 'effective'
),
sender as (
    select
        source,
        sender,
        min(period_month) as first_month,
        max(period_month) as last_month,
        count(distinct period_month) = 1 as came_once
    from effective
    group by source, sender
),
placed as (
    select
        sender.source,
        sender.sender,
        county.county_code,
        sender.sender is null or ancestor.ancestor_code is not null as is_whole,
        sender.came_once
        and sender.sender is not null
        and area.area_code is null
        and sender.first_month
            > min(sender.first_month) over (partition by sender.source, county.county_code)
            as is_passing,
        sender.first_month,
        case
            when sender.sender is null or area.area_code is null
                or ancestor.ancestor_code is not null or place.county_code = county.county_code
                then sender.last_month
            else least(
                sender.last_month,
                cast(date_trunc('month', succession.effective_from) - interval 1 month as date)
            )
        end as last_month
    from sender
    join county on sender.sender is not null or county.is_served
    left join reference.area as area on area.area_code = sender.sender
    left join reference.area_today as place on place.area_code = sender.sender
    left join reference.area_ancestor as ancestor
        on ancestor.area_code = county.county_code and ancestor.ancestor_code = place.today_code
    left join reference.area_succession as succession
        on succession.old_code = sender.sender and succession.new_code = county.county_code
    where area.area_code is null
        or ancestor.ancestor_code is not null
        or place.county_code = county.county_code
        or succession.new_code is not null
),
speaker as (
    select
        placed.source,
        placed.sender,
        placed.county_code,
        placed.is_whole,
        placed.is_passing,
        placed.first_month,
        placed.last_month,
        cast(placed.last_month + interval 1 month * silence.months as date) as silent_month
    from placed
    left join silence using (county_code)
    where placed.first_month <= placed.last_month
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
            when succeeded.county_code is null and not speaker.is_passing then speaker.silent_month
            else speaker.last_month
        end as until_month
    from speaker
    left join succeeded
        on succeeded.source = speaker.source
        and succeeded.sender is not distinct from speaker.sender
        and succeeded.county_code = speaker.county_code
),
period as (
    select distinct source, period_month, period
    from effective
),
awaited as (
    select
        expected.source,
        expected.county_code,
        period.period_month,
        period.period,
        expected.sender,
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
)
select
    source,
    county_code,
    period_month,
    case
        when length(period) = 4 then make_date(year(period_month), 1, 1)
        else period_month
    end as period_start,
    sender,
    delivery_id,
    count(delivery_id) over (partition by source, county_code, period_month)
        = count(*) over (partition by source, county_code, period_month) as is_complete
from awaited

-- One row per person or household that comes into a register or leaves it, and month of the roll that
-- shows it; of a register that states its own dates, one per start and per end that it states.
-- Two complete rolls of a county that follow each other are compared. Who is new counts as in if the
-- roll states a start since the roll before, if the roll before had the person under another status or
-- county, or if the register states no starts at all. Who was on the roll before counts as out by a
-- registered death or move since, by another status or county now, or else by being missing.
-- Not counted, and a finding, is who is new with a start before the roll that did not list it, and who
-- comes or goes because a record does not link. A death or a move counts though the person is still
-- listed, which is a finding too, and so is a start that a register states before the end of another.
-- Who is in no county that is known is followed from register to register of all counties.
with complete as (
    select
        source,
        county_code,
        period_month as month,
        min(period_start) as period_start
    from linked.expected_delivery
    where is_complete
    group by source, county_code, period_month
    union all
    -- '' stands for the unknown county until the end
    select source, '' as county_code, period_month as month, min(period_start) as period_start
    from linked.expected_delivery
    group by source, period_month
    having min(case when is_complete then 1 else 0 end) = 1
),
begun as (
    select source, period_month as month, min(first_month) as first_month
    from linked.status_sighting
    group by source, period_month
),
calendar as (
    select
        complete.source,
        complete.county_code,
        complete.month,
        coalesce(begun.first_month, complete.period_start) as first_month,
        lag(complete.month) over (
            partition by complete.source, complete.county_code order by complete.month
        ) as prior_month,
        lag(coalesce(begun.first_month, complete.period_start)) over (
            partition by complete.source, complete.county_code order by complete.month
        ) as prior_first_month
    from complete
    left join begun on begun.source = complete.source and begun.month = complete.month
),
stating as (
    select
        source,
        status_code,
        max(case when stated_start_month is not null then 1 else 0 end) = 1 as states_starts
    from linked.status_sighting
    group by source, status_code
),
listed as (
    select
        entity_type,
        entity_id,
        status_code,
        source,
        coalesce(county_code, '') as county_code,
        period_month as month,
        stated_start_month,
        delivery_id,
        row_number
    from linked.status_sighting
    where is_confirmed
),
unconfirmed as (
    select
        entity_type,
        entity_id,
        status_code,
        coalesce(county_code, '') as county_code,
        period_month as month
    from linked.status_sighting
    where not is_confirmed
),
unlinked as (
    select person_id
    from linked.person
    where not is_confirmed
),
listed_somewhere as (
    select distinct entity_type, entity_id, source, month
    from listed
),
arrived as (
    select
        listed.*,
        calendar.prior_month,
        elsewhere.entity_id is not null as was_elsewhere,
        unconfirmed.entity_id is not null as was_unconfirmed,
        unlinked.person_id is not null as is_unlinked,
        -- a start before the person's birth is the family's
        stating.states_starts
            and coalesce(person.birth_month <= listed.stated_start_month, true)
            as states_start
    from listed
    join calendar
        on calendar.source = listed.source
        and calendar.county_code = listed.county_code
        and calendar.month = listed.month
    join stating
        on stating.source = listed.source and stating.status_code = listed.status_code
    left join listed as before
        on before.entity_type = listed.entity_type
        and before.entity_id = listed.entity_id
        and before.status_code = listed.status_code
        and before.county_code = listed.county_code
        and before.month = calendar.prior_month
    left join listed_somewhere as elsewhere
        on elsewhere.entity_type = listed.entity_type
        and elsewhere.entity_id = listed.entity_id
        and elsewhere.source = listed.source
        and elsewhere.month = calendar.prior_month
    left join unconfirmed
        on unconfirmed.entity_type = listed.entity_type
        and unconfirmed.entity_id = listed.entity_id
        and unconfirmed.status_code = listed.status_code
        and unconfirmed.county_code = listed.county_code
        and unconfirmed.month = calendar.prior_month
    left join unlinked on unlinked.person_id = listed.entity_id
    left join linked.person as person on person.person_id = listed.entity_id
    where calendar.prior_month is not null and before.entity_id is null
),
was_listed as (
    select
        listed.*,
        calendar.month as next_month,
        calendar.first_month as next_first_month,
        calendar.prior_first_month as this_first_month,
        after.entity_id is not null as is_listed,
        elsewhere.entity_id is not null as is_elsewhere,
        unconfirmed.entity_id is not null as is_unconfirmed,
        unlinked.person_id is not null as is_unlinked
    from listed
    join calendar
        on calendar.source = listed.source
        and calendar.county_code = listed.county_code
        and calendar.prior_month = listed.month
    left join listed as after
        on after.entity_type = listed.entity_type
        and after.entity_id = listed.entity_id
        and after.status_code = listed.status_code
        and after.county_code = listed.county_code
        and after.month = calendar.month
    left join listed_somewhere as elsewhere
        on elsewhere.entity_type = listed.entity_type
        and elsewhere.entity_id = listed.entity_id
        and elsewhere.source = listed.source
        and elsewhere.month = calendar.month
    left join unconfirmed
        on unconfirmed.entity_type = listed.entity_type
        and unconfirmed.entity_id = listed.entity_id
        and unconfirmed.status_code = listed.status_code
        and unconfirmed.county_code = listed.county_code
        and unconfirmed.month = calendar.month
    left join unlinked on unlinked.person_id = listed.entity_id
),
death as (
    select person_id, month, delivery_id, row_number
    from linked.vital_event
    where vital_event_code = 'death'
    qualify row_number() over (
        partition by person_id order by month, delivery_id, row_number
    ) = 1
),
ended as (
    -- a household ends with the death of the last of the members whom its roll lists in that year, a
    -- person in any year
    select
        'person' as entity_type,
        person_id as entity_id,
        0 as year,
        month,
        delivery_id,
        row_number
    from death
    union all
    select
        'household' as entity_type,
        member.household_id as entity_id,
        member.year,
        death.month,
        death.delivery_id,
        death.row_number
    from linked.household_member as member
    left join death using (person_id)
    qualify count(*) over (partition by member.household_id, member.year)
        = count(death.month) over (partition by member.household_id, member.year)
        and row_number() over (
            partition by member.household_id, member.year
            order by death.month desc, death.delivery_id, death.row_number
        ) = 1
),
move as (
    select
        person_id,
        county_code,
        month,
        vital_event_code,
        delivery_id,
        row_number,
        lead(vital_event_code) over (
            partition by person_id, county_code
            order by month, event_place, vital_event_code, delivery_id, row_number
        ) as next_event_code
    from linked.vital_event
    where vital_event_code in ('move_in', 'move_out')
),
moved_out as (
    select 'person' as entity_type, person_id, county_code, month, delivery_id, row_number
    from move
    where vital_event_code = 'move_out' and next_event_code is null
),
gone as (
    select
        was_listed.*,
        ended.delivery_id as death_delivery_id,
        ended.row_number as death_row_number,
        moved_out.delivery_id as move_delivery_id,
        moved_out.row_number as move_row_number,
        case
            when ended.entity_id is not null then 'death'
            when moved_out.person_id is not null then 'move_out'
            when is_listed then null
            when is_elsewhere then 'transferred_out'
            when is_unconfirmed then 'unconfirmed'
            when is_unlinked then 'unlinked_out'
            else 'unlisted'
        end as flow_code
    from was_listed
    left join ended
        on ended.entity_type = was_listed.entity_type
        and ended.entity_id = was_listed.entity_id
        and ended.year = case was_listed.entity_type when 'person' then 0 else year(was_listed.month) end
        and ended.month >= was_listed.this_first_month
        and ended.month < was_listed.next_first_month
    left join moved_out
        on moved_out.entity_type = was_listed.entity_type
        and moved_out.person_id = was_listed.entity_id
        and moved_out.county_code = was_listed.county_code
        and moved_out.month >= was_listed.this_first_month
        and moved_out.month < was_listed.next_first_month
),
stated as (
    select
        entity_type,
        entity_id,
        status_code,
        source,
        coalesce(county_code, '') as county_code,
        start_month,
        end_month,
        delivery_id,
        row_number,
        max(coalesce(end_month, date '9999-12-01')) over (
            partition by entity_type, entity_id, status_code, county_code
            order by start_month, delivery_id, row_number
            rows between unbounded preceding and 1 preceding
        ) as end_before
    from linked.status_statement
),
flow as (
    select
        entity_type,
        entity_id,
        status_code,
        source,
        county_code,
        month,
        case
            when stated_start_month >= prior_month then 'stated_start'
            when was_elsewhere then 'transferred_in'
            when was_unconfirmed then 'confirmed'
            when is_unlinked then 'unlinked_in'
            when states_start then 'late_start'
            else 'listed'
        end as flow_code,
        true as is_listed,
        delivery_id,
        row_number
    from arrived
    union all
    select
        entity_type,
        entity_id,
        status_code,
        source,
        county_code,
        next_month as month,
        flow_code,
        is_listed,
        case flow_code
            when 'death' then death_delivery_id
            when 'move_out' then move_delivery_id
            else delivery_id
        end as delivery_id,
        case flow_code
            when 'death' then death_row_number
            when 'move_out' then move_row_number
            else row_number
        end as row_number
    from gone
    where flow_code is not null
    union all
    select
        entity_type,
        entity_id,
        status_code,
        source,
        county_code,
        start_month as month,
        case when start_month < end_before then 'repeated_start' else 'stated_start' end
            as flow_code,
        true as is_listed,
        delivery_id,
        row_number
    from stated
    union all
    select
        entity_type,
        entity_id,
        status_code,
        source,
        county_code,
        end_month as month,
        'stated_end' as flow_code,
        false as is_listed,
        delivery_id,
        row_number
    from stated
    where end_month is not null
)
select
    flow.entity_type,
    flow.entity_id,
    flow.status_code,
    flow.source,
    nullif(flow.county_code, '') as county_code,
    flow.month,
    flow.flow_code,
    kind.has_attribute as is_in,
    flow.is_counted,
    not flow.is_counted
        or flow.flow_code = 'repeated_start'
        or (flow.flow_code in ('death', 'move_out') and flow.is_listed) as is_finding,
    flow.delivery_id,
    flow.row_number
from (
    select
        *,
        flow_code not in (
            'late_start', 'confirmed', 'unconfirmed', 'unlinked_in', 'unlinked_out'
        ) as is_counted
    from flow
) as flow
join reference.code as kind
    on kind.code_list = 'register_flow' and kind.code = flow.flow_code

-- One row per notion of a household, household, person and relation, for the months without a change.
-- A membership ends when the household is listed without the person, or with death; while the household
-- is not listed nothing is known and it goes on. A registration ends when the person moves out or is
-- found in another book. It begins with birth where the person was born since the household was last
-- listed without it, with the move into the book, else with the first period that lists it.
-- A new relation to the head begins a new row.
with observed as (
    -- the roll and civil affairs list a whole household; a book is told by its persons alone
    select
        household_notion,
        case when household_notion = 'registration' then person_id else household_id end
            as observed_id,
        period_month,
        min(first_month) as first_month,
        max(last_month) as last_month
    from linked.membership_sighting
    where is_confirmed
    group by
        household_notion,
        case when household_notion = 'registration' then person_id else household_id end,
        period_month
),
calendar as (
    select
        household_notion,
        observed_id,
        period_month,
        row_number() over (
            partition by household_notion, observed_id order by period_month
        ) as place,
        lag(first_month) over (
            partition by household_notion, observed_id order by period_month
        ) as first_month_before,
        lag(last_month) over (
            partition by household_notion, observed_id order by period_month
        ) as last_month_before,
        lead(first_month) over (
            partition by household_notion, observed_id order by period_month
        ) as first_month_after
    from observed
),
placed as (
    select
        sighting.household_notion,
        sighting.household_id,
        sighting.person_id,
        sighting.period_month,
        sighting.first_month,
        sighting.last_month,
        sighting.relation_code,
        sighting.is_head,
        sighting.is_confirmed,
        sighting.delivery_id,
        sighting.row_number,
        calendar.first_month_before,
        calendar.last_month_before,
        calendar.first_month_after,
        case
            when calendar.place > 1 + lag(calendar.place) over (
                partition by sighting.household_notion, sighting.household_id, sighting.person_id
                order by sighting.period_month
            ) then 1
            else 0
        end as is_break
    from linked.membership_sighting as sighting
    join calendar
        on calendar.household_notion = sighting.household_notion
        and calendar.period_month = sighting.period_month
        and calendar.observed_id = case
            when sighting.household_notion = 'registration' then sighting.person_id
            else sighting.household_id
        end
),
stayed as (
    select
        *,
        sum(is_break) over (
            partition by household_notion, household_id, person_id order by period_month
        ) as stay
    from placed
),
bounded as (
    -- what is known before and after a stay; a record that may be the person's denies nothing
    select
        *,
        first_value(first_month_before) over (
            partition by household_notion, household_id, person_id, stay order by period_month
        ) as first_month_without,
        first_value(last_month_before) over (
            partition by household_notion, household_id, person_id, stay order by period_month
        ) as last_month_without,
        first_value(is_confirmed) over (
            partition by household_notion, household_id, person_id, stay order by period_month
        ) as begins_confirmed,
        first_value(first_month_after) over (
            partition by household_notion, household_id, person_id, stay
            order by period_month desc
        ) as next_month_without,
        first_value(is_confirmed) over (
            partition by household_notion, household_id, person_id, stay
            order by period_month desc
        ) as ends_confirmed
    from stayed
),
changed as (
    select
        *,
        case
            when relation_code is distinct from lag(relation_code) over (
                partition by household_notion, household_id, person_id, stay
                order by period_month
            ) then 1
            else 0
        end as is_change
    from bounded
    where is_confirmed
),
related as (
    select
        *,
        sum(is_change) over (
            partition by household_notion, household_id, person_id, stay order by period_month
        ) as relation
    from changed
),
edged as (
    select
        *,
        row_number() over (
            partition by household_notion, household_id, person_id, stay, relation
            order by period_month
        ) = 1 as is_first,
        row_number() over (
            partition by household_notion, household_id, person_id, stay, relation
            order by period_month desc
        ) = 1 as is_last
    from related
),
span as (
    select
        household_notion,
        household_id,
        person_id,
        stay,
        relation,
        min(relation_code) as relation_code,
        min(is_head) as is_head,
        min(first_month) as first_month,
        min(last_month) as first_period_end,
        max(last_month) as last_seen_month,
        min(first_month_without) as first_month_without,
        min(last_month_without) as last_month_without,
        min(begins_confirmed) as begins_confirmed,
        min(next_month_without) as next_month_without,
        min(ends_confirmed) as ends_confirmed,
        min(case when is_first then delivery_id end) as first_delivery_id,
        min(case when is_first then row_number end) as first_row_number,
        min(case when is_last then delivery_id end) as last_delivery_id,
        min(case when is_last then row_number end) as last_row_number
    from edged
    group by household_notion, household_id, person_id, stay, relation
),
followed as (
    select
        span.*,
        lag(last_seen_month) over (
            partition by household_notion, household_id, person_id, stay order by relation
        ) as other_relation_until,
        lead(first_month) over (
            partition by household_notion, household_id, person_id, stay order by relation
        ) as other_relation_from,
        lag(household_id) over (
            partition by household_notion, person_id
            order by first_month, last_seen_month, household_id, stay, relation
        ) as household_before,
        lead(household_id) over (
            partition by household_notion, person_id
            order by first_month, last_seen_month, household_id, stay, relation
        ) as household_after,
        lead(first_month) over (
            partition by household_notion, person_id
            order by first_month, last_seen_month, household_id, stay, relation
        ) as month_after
    from span
),
death as (
    select person_id, month, delivery_id, row_number
    from linked.vital_event
    where vital_event_code = 'death'
    qualify row_number() over (
        partition by person_id order by month, delivery_id, row_number
    ) = 1
),
birth as (
    select person_id, delivery_id, row_number
    from linked.vital_event
    where vital_event_code = 'birth'
    qualify row_number() over (
        partition by person_id order by month, delivery_id, row_number
    ) = 1
),
move as (
    select person_id, household_id, vital_event_code, month, delivery_id, row_number
    from linked.vital_event
    where vital_event_code in ('move_in', 'move_out')
    qualify row_number() over (
        partition by person_id, household_id, vital_event_code, month
        order by delivery_id, row_number
    ) = 1
),
begun as (
    select
        followed.*,
        case
            when followed.other_relation_until is not null then 'relation_changed'
            when moved_in.person_id is not null then 'move_in'
            when person.birth_month <= followed.first_period_end
                and person.birth_month
                    >= coalesce(followed.first_month_without, followed.first_month)
                then 'birth'
            when followed.household_before <> followed.household_id then 'other_household'
            when followed.last_month_without is null then 'first_delivery'
            else 'listed'
        end as begin_event_code,
        person.birth_month,
        birth.delivery_id as birth_delivery_id,
        birth.row_number as birth_row_number,
        moved_in.delivery_id as move_in_delivery_id,
        moved_in.row_number as move_in_row_number
    from followed
    left join linked.person as person using (person_id)
    left join birth using (person_id)
    left join move as moved_in
        on followed.household_notion = 'registration'
        and moved_in.vital_event_code = 'move_in'
        and moved_in.person_id = followed.person_id
        and moved_in.household_id = followed.household_id
        and moved_in.month = followed.first_month
),
started as (
    select
        *,
        case when begin_event_code = 'birth' then birth_month else first_month end
            as start_month,
        case
            when begin_event_code in ('birth', 'move_in') then true
            when begin_event_code = 'relation_changed'
                then cast(other_relation_until + interval 1 month as date) = first_month
            else coalesce(
                begins_confirmed
                and cast(last_month_without + interval 1 month as date) = first_month,
                false
            )
        end as is_start_known,
        case
            when begin_event_code = 'birth' then cast(birth_month - interval 1 month as date)
            when begin_event_code = 'relation_changed' then other_relation_until
            else last_month_without
        end as last_absent_month,
        case
            when other_relation_from is not null then other_relation_from
            when household_after <> household_id and month_after > last_seen_month
                then least(month_after, coalesce(next_month_without, month_after))
            else next_month_without
        end as first_absent_month
    from begun
),
ended as (
    select
        started.*,
        case
            when death.month >= started.start_month
                and coalesce(death.month < started.first_absent_month, true)
                then 'death'
            when started.other_relation_from is not null then 'relation_changed'
            when moved_out.person_id is not null then 'move_out'
            when started.household_after <> started.household_id
                and started.month_after > started.last_seen_month
                then 'other_household'
            when started.first_absent_month is not null then 'unlisted'
        end as end_event_code,
        death.month as death_month,
        death.delivery_id as death_delivery_id,
        death.row_number as death_row_number,
        moved_out.delivery_id as move_out_delivery_id,
        moved_out.row_number as move_out_row_number
    from started
    left join death using (person_id)
    left join move as moved_out
        on started.household_notion = 'registration'
        and moved_out.vital_event_code = 'move_out'
        and moved_out.person_id = started.person_id
        and moved_out.household_id = started.household_id
        and moved_out.month = started.last_seen_month
)
select
    household_notion,
    household_id,
    person_id,
    relation_code,
    is_head,
    start_month,
    case
        when end_event_code = 'death' then death_month
        when end_event_code is not null then last_seen_month
    end as end_month,
    is_start_known,
    case
        when end_event_code in ('death', 'move_out') then true
        when end_event_code is null then false
        else coalesce(
            (ends_confirmed or end_event_code = 'relation_changed')
            and cast(last_seen_month + interval 1 month as date) = first_absent_month,
            false
        )
    end as is_end_known,
    begin_event_code,
    end_event_code,
    last_absent_month,
    first_absent_month,
    last_seen_month,
    first_delivery_id,
    first_row_number,
    last_delivery_id,
    last_row_number,
    case
        when begin_event_code = 'birth' then birth_delivery_id
        when begin_event_code = 'move_in' then move_in_delivery_id
    end as begin_delivery_id,
    case
        when begin_event_code = 'birth' then birth_row_number
        when begin_event_code = 'move_in' then move_in_row_number
    end as begin_row_number,
    case
        when end_event_code = 'death' then death_delivery_id
        when end_event_code = 'move_out' then move_out_delivery_id
    end as end_delivery_id,
    case
        when end_event_code = 'death' then death_row_number
        when end_event_code = 'move_out' then move_out_row_number
    end as end_row_number
from ended

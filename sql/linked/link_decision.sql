-- One row per delivered decision on who is one person, and whether it is followed.
-- Of the decisions on the same keys and dataset that of the latest day counts, on one day the one
-- delivered last after a withdrawal. Where two of one day contradict each other neither is followed.
-- A link is not possible where others part the two, a roll of one period lists both, or too many
-- records would come together; a split moves nothing where the dataset has no record under the key.
with stated as (
    select
        record.delivery_id,
        record.row_number,
        least(record.one_key, record.other_key) as one_key,
        greatest(record.one_key, record.other_key) as other_key,
        coalesce(record.decided_from, '') as decided_from,
        record.link_decision_code,
        record.decided_date,
        delivery.delivery_order
    from staged.casework__link_decision as record
    join meta.delivery as delivery using (delivery_id)
    where record.link_decision_code is not null
),
followed as (
    select
        *,
        max(decided_date) over (partition by one_key, other_key, decided_from) as last_date,
        count(case when link_decision_code = 'withdraw' then 1 end) over (
            partition by one_key, other_key, decided_from, decided_date
            order by delivery_order, row_number
            rows between 1 following and unbounded following
        ) as later_withdrawal_count
    from stated
),
known as (
    select alias_id, max(node) as node
    from vault.membership
    group by alias_id
),
refused as (
    select one, other
    from vault.pair
    where link_rule_code = 'decided' and not is_linked
),
parted as (
    select one as node, other as other_node
    from vault.pair
    where doubt_code = 'decided'
    union
    select other as node, one as other_node
    from vault.pair
    where doubt_code = 'decided'
),
moved as (
    select source, split_from
    from vault.record
    where split_from is not null
    union
    -- what a rule would link to the person and the split keeps away
    select record.source, member.alias_id as split_from
    from parted
    join vault.membership as near on near.node = parted.node
    join vault.membership as member on member.person_id = near.person_id
    join vault.record as record on record.node = parted.other_node
)
select
    followed.delivery_id,
    followed.row_number,
    followed.one_key,
    followed.other_key,
    nullif(followed.decided_from, '') as decided_from,
    followed.link_decision_code,
    followed.decided_date,
    case
        when followed.decided_date < followed.last_date or followed.later_withdrawal_count > 0
            then 'replaced'
        when followed.link_decision_code = 'withdraw' then 'followed'
        when standing.delivery_id is null then 'contradicted'
        when standing.delivery_id <> followed.delivery_id
            or standing.row_number <> followed.row_number then 'replaced'
        when moved.source is not null then 'followed'
        when one.node is null or other.node is null then 'about_nobody'
        when followed.link_decision_code = 'split' then 'without_records'
        when refused.one is not null then 'impossible'
        else 'followed'
    end as link_decision_state_code
from followed
left join vault.decision as standing
    on standing.one_key = followed.one_key
    and standing.other_key = followed.other_key
    and standing.decided_from = followed.decided_from
left join known as one on one.alias_id = followed.one_key
left join known as other on other.alias_id = followed.other_key
left join refused
    on least(refused.one, refused.other) = least(one.node, other.node)
    and greatest(refused.one, refused.other) = greatest(one.node, other.node)
    and followed.link_decision_code = 'link'
left join moved
    on moved.source = followed.decided_from
    and moved.split_from = followed.one_key
    and followed.link_decision_code = 'split'

-- One row per source, county and what became of its records; with the rows whose key another delivery
-- decides the counts add up to its accepted rows. The county is that of the sender, where it is one.
with on_roll as (
    select distinct person_id
    from linked.household_member
),
judged as (
    select
        identity.source,
        area.county_code,
        case
            when on_roll.person_id is not null then 'on_roll'
            when identity.is_confirmed then 'not_on_roll'
            when identity.link_rule_code = 'name_conflict' then 'name_conflict'
            else 'no_valid_id'
        end as outcome
    from bridge.person as identity
    left join on_roll using (person_id)
    left join meta.delivery as delivery using (delivery_id)
    left join reference.area as area on area.area_code = delivery.sender
)
select source, county_code, outcome, count(*) as record_count
from judged
group by source, county_code, outcome

-- One row per household and year in which it stands on the roll of low-income households.
-- Cause, area and source row are those of the head, or of the first member listed.
-- A village that reference.area does not know counts for its town, else for its county; its code is as
-- the roll states it.
-- Labour is unknown where no member is known to have it and the roll does not say it of all.
with members as (
    select
        member.household_id,
        member.year,
        member.is_head,
        member.has_labour,
        roll.cause_code,
        roll.village_code,
        member.delivery_id,
        member.row_number
    from linked.household_member as member
    join staged.agriculture__household_roll as roll using (delivery_id, row_number)
),
counted as (
    select
        household_id,
        year,
        count(*) as member_count,
        sum(cast(has_labour as integer)) as labour_count,
        case
            when max(cast(has_labour as integer)) = 1 then true
            when count(has_labour) = count(*) then false
        end as has_labour
    from members
    group by household_id, year
),
heads as (
    select household_id, year, cause_code, village_code, delivery_id, row_number
    from members
    qualify row_number() over (
        partition by household_id, year
        order by coalesce(is_head, false) desc, delivery_id, row_number
    ) = 1
)
select
    counted.household_id,
    counted.year,
    counted.member_count,
    case when counted.has_labour is not null then counted.labour_count end as labour_count,
    counted.has_labour,
    heads.cause_code,
    coalesce(village.area_code, town.area_code, county.area_code, heads.village_code)
        as area_code,
    heads.village_code,
    heads.delivery_id,
    heads.row_number
from counted
join heads using (household_id, year)
left join reference.area as village on village.area_code = heads.village_code
left join reference.area as town
    on town.area_code = substr(heads.village_code, 1, 9) || '000'
left join reference.area as county
    on county.area_code = substr(heads.village_code, 1, 6) || '000000'

-- One row per household and year in which it stands on the roll of low-income households.
-- Cause, area and source row are those of the head, or of the first member listed.
with members as (
    select
        household.household_id,
        cast(year(roll.period_month) as integer) as year,
        roll.cause_code,
        roll.village_code,
        roll.delivery_id,
        roll.row_number,
        relation.has_attribute as is_head,
        labour.has_attribute as has_labour
    from staged.agriculture__household_roll as roll
    join vault.household as household using (household_number)
    left join reference.code as relation
        on relation.code_list = 'relation' and relation.code = roll.relation_code
    left join reference.code as labour
        on labour.code_list = 'labour' and labour.code = roll.labour_code
),
counted as (
    select
        household_id,
        year,
        count(*) as member_count,
        count(*) filter (where has_labour) as labour_count,
        max(cast(has_labour as integer)) = 1 as has_labour
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
    counted.labour_count,
    counted.has_labour,
    heads.cause_code,
    heads.village_code as area_code,
    heads.delivery_id,
    heads.row_number
from counted
join heads using (household_id, year)

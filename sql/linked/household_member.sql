-- One row per household, person and year in which the roll lists the person in the household.
-- A person listed twice in a household of one year counts with the first row.
select
    household.household_id,
    identity.person_id,
    cast(year(roll.period_month) as integer) as year,
    roll.relation_code,
    relation.has_attribute as is_head,
    roll.labour_code,
    labour.has_attribute as has_labour,
    year(roll.period_month) - year(identity.birth_month) as age_years,
    roll.delivery_id,
    roll.row_number
from staged.agriculture__household_roll as roll
join bridge.household as household
    on household.source = 'agriculture__household_roll' and household.household_notion = 'roll'
    and household.delivery_id = roll.delivery_id and household.row_number = roll.row_number
join bridge.person as identity
    on identity.source = 'agriculture__household_roll'
    and identity.delivery_id = roll.delivery_id and identity.row_number = roll.row_number
left join reference.code as relation
    on relation.code_list = 'relation' and relation.code = roll.relation_code
left join reference.code as labour
    on labour.code_list = 'labour' and labour.code = roll.labour_code
qualify row_number() over (
    partition by household.household_id, identity.person_id, year(roll.period_month)
    order by roll.delivery_id, roll.row_number
) = 1

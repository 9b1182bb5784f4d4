-- One row per watched household and member who can be looked for in other departments' rolls.
-- Members are those of the household's latest roll with a valid number and the agreeing name; who
-- stands in two households counts in the one of the later roll.
select
    member.household_id,
    member.person_id,
    household.county_code,
    household.roll_year,
    person.birth_month,
    member.delivery_id,
    member.row_number
from indicators.watched_household as household
join linked.household_member as member
    on member.household_id = household.household_id and member.year = household.roll_year
join linked.person as person using (person_id)
where person.is_confirmed
qualify row_number() over (
    partition by member.person_id order by household.roll_year desc, member.household_id
) = 1

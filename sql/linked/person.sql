-- One row per person whom any department's record names.
-- A person is a valid identity number with the name it was first delivered with; every other
-- identity as delivered is a person of its own, so that nothing is linked on a guess.
select
    person_id,
    min(id_status_code) as id_status_code,
    min(link_rule_code) as link_rule_code,
    min(sex_code) as sex_code,
    min(birth_month) as birth_month,
    count(distinct source) as source_count
from vault.identity
group by person_id

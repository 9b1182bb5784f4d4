-- One row per person whom a record that counts names, or that ever counted and has a key.
-- Records are linked by the rules of policies/linkage.yaml; every other identity as delivered is a
-- person of its own, so that nothing is linked on a guess. Sources are those whose records count.
select
    person_id,
    bool_or(is_confirmed) as is_confirmed,
    min(sex_code) as sex_code,
    min(birth_month) as birth_month,
    count(distinct case when record_count > 0 then source end) as source_count
from vault.identity
group by person_id

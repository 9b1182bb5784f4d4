-- One row per source and rule that says why its records belong to their persons.
select
    source,
    link_rule_code,
    count(*) as record_count,
    count(distinct person_id) as linked_person_count
from bridge.person
group by source, link_rule_code

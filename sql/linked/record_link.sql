-- One row per delivered row that is its person's by another rule than number and name: what a wrong
-- link would have brought there.
select source, delivery_id, row_number, person_id, link_rule_code
from bridge.person
where link_rule_code not in ('id_and_name', 'name_conflict', 'own_record')

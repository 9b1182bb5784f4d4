-- One row per person, source and period with a record that was refused or does not link and may be the
-- person's: it has the number under another name, or the name with no number, one of another length or
-- one that differs in at most two characters. Such a person is not absent from that source and period.
with person as (
    select membership.person_id, node.number as id_number, node.name_key
    from vault.node as node
    join vault.membership as membership using (node)
    where membership.is_confirmed
),
same_name as (
    select loose.source, person.person_id, loose.period_month
    from vault.loose_record as loose
    join person on person.name_key = loose.name_key
    where loose.id_number is null
        or length(loose.id_number) <> length(person.id_number)
        or levenshtein(loose.id_number, person.id_number) <= 2
),
same_number as (
    select loose.source, person.person_id, loose.period_month
    from vault.loose_record as loose
    join person on person.id_number = loose.id_number
)
select source, person_id, period_month
from same_name
union
select source, person_id, period_month
from same_number

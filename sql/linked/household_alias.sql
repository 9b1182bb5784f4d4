-- One row per notion of a household and key that any delivery gave; a household's own is one of them.
-- A key that was published once resolves here for ever, since deliveries stay in the lake. A household
-- that has got another number keeps the key of the first delivered; a number that was replaced by
-- several, or put together with others, leads to the household that has most of its members.
-- What became of households from roll to roll stands in linked.household_lineage.
select
    household.alias_id,
    household.household_notion,
    household.household_id,
    household.lineage_code,
    household.moved_person_count,
    household.predecessor_person_count,
    household.successor_person_count
from vault.household as household

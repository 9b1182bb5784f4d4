-- One row per key that any delivery gave; a person's own key is one of them.
-- A key that was published once resolves here for ever, since deliveries stay in the lake.
select
    membership.alias_id,
    membership.person_id
from vault.membership as membership

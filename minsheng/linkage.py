"""Who is who: from identities as delivered to persons and households with keys that name nobody.

The rule of this version is the strictest: a valid identity number and the agreeing name. The person
of a number is the name it was first delivered with; the same number under another name stays apart,
and so does a record without a valid number. Nothing is guessed, everything is kept and counted.
"""

from collections.abc import Sequence

from minsheng import identity
from minsheng.contracts import Contract
from minsheng.pseudonyms import PseudonymKey, mint
from minsheng.quoting import literal


def identity_select(sources: Sequence[Contract], secret: PseudonymKey) -> str:
    """The SELECT of `vault.identity`: one row per source and identity as delivered."""
    records = (
        " union all ".join(
            f"""
        select {literal(source.table)} as source, record.record_identity,
            any_value(record.id_number) as id_number, count(*) as record_count,
            min(delivery.delivery_order * 4294967296 + record.row_number) as first_record
        from {source.name} as record
        join meta.delivery as delivery using (delivery_id)
        group by record.record_identity
        """
            for source in sources
            if is_personal(source)
        )
        or _NO_RECORDS
    )
    return f"""
with delivered as ({records}),
numbers as (
    select id_number, {identity.id_status("id_number")} as id_status_code
    from (select distinct id_number from delivered)
),
identities as (
    select
        delivered.*,
        substr(delivered.record_identity, instr(delivered.record_identity, '|') + 1) as name_key,
        numbers.id_status_code
    from delivered
    join numbers on numbers.id_number is not distinct from delivered.id_number
),
valid as (
    select id_number, record_identity, min(first_record) as first_record
    from identities
    where id_status_code = 'valid'
    group by id_number, record_identity
),
holders as (
    select
        record_identity,
        {mint(secret, "'id|' || record_identity")} as person_id,
        row_number() over (partition by id_number order by first_record, record_identity) = 1
            as is_holder
    from valid
)
select
    identities.source,
    identities.record_identity,
    identities.id_number,
    identities.name_key,
    identities.id_status_code,
    case
        when holders.is_holder then 'id_and_name'
        when holders.record_identity is not null then 'name_conflict'
        else 'own_record'
    end as link_rule_code,
    coalesce(
        holders.person_id,
        {mint(secret, "identities.source || '|' || identities.record_identity")}
    ) as person_id,
    case when holders.record_identity is not null
        then {identity.birth_month("identities.id_number")} end as birth_month,
    case when holders.record_identity is not null
        then case when (ascii(substr(identities.id_number, 17, 1)) - 48) % 2 = 1
            then '1' else '2' end end as sex_code,
    identities.first_record,
    identities.record_count
from identities
left join holders using (record_identity)
"""


def household_select(sources: Sequence[Contract], secret: PseudonymKey) -> str:
    """The SELECT of `vault.household`: one row per county and household number of any source."""
    delivered = (
        " union all ".join(
            f"select household_identity from {source.name}"
            for source in sources
            if any(column.name == "household_identity" for column in source.columns)
        )
        or "select null::varchar as household_identity where false"
    )
    return f"""
select household_identity, {mint(secret, "'household|' || household_identity")} as household_id
from (select distinct household_identity from ({delivered}))
"""


def loose_record_selects(sources: Sequence[Contract], received: str) -> list[str]:
    """The SELECTs of `vault.loose_record`, one a source: identities of rows refused or not linked.

    `received` is the schema of the rows as received, refused ones too.
    """
    return [
        f"""
select {literal(source.table)} as source, record.record_identity, record.period_month,
    any_value(record.id_number) as id_number,
    substr(record.record_identity, instr(record.record_identity, '|') + 1) as name_key
from {received}.{source.table} as record
left join vault.identity as identity
    on identity.source = {literal(source.table)}
    and identity.record_identity = record.record_identity
    and identity.link_rule_code = 'id_and_name'
where record.record_identity is not null
    and (record.refused_by is not null or identity.record_identity is null)
group by record.record_identity, record.period_month
"""
        for source in sources
        if is_personal(source)
    ]


def is_personal(source: Contract) -> bool:
    """Whether rows of the source name persons."""
    return any(column.name == "record_identity" for column in source.columns)


_NO_RECORDS = """
    select null::varchar as source, null::varchar as record_identity, null::varchar as id_number,
        0 as record_count, 0 as first_record
    where false
"""

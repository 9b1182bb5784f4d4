"""Who is who: from identities as delivered to persons and households with keys that name nobody.

A node is one valid number with one name in every source that has the two alike, or else what one
source has delivered; so is a number of 15 digits, which no check digit proves. The rules of
`policies/linkage.yaml` link nodes to persons; what could be two persons stays apart and is kept
for review. Every delivery that was ever taken has its nodes here, so that a key that was
published once resolves for ever.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import duckdb

from minsheng import identity, link_pairs, notions, pinyin
from minsheng.contracts import Contract, Rule
from minsheng.headers import NOTHING
from minsheng.link_review import review_select
from minsheng.link_rules import RuleTable
from minsheng.notions import PLACES
from minsheng.pseudonyms import PseudonymKey, mint
from minsheng.quoting import literal

TRAITS = ("village_code", "phone", "birth_date", "household_identity", "student_number")
"""Columns of sources that rules may compare as they are."""
HELD_NUMBER = "held_number"
HOLDERS = ("certificate_number", "student_number")
"""Columns whose number holds an identity number."""
NODE_FIELDS = (
    "number",
    "id_status_code",
    "name_key",
    "pinyin",
    "is_anchor",
    "source_count",
)
TRAIT_KINDS = (*TRAITS, HELD_NUMBER)
EVIDENCE = {
    "phone": "regexp_full_match(phone, '1[0-9]{10}') and ltrim(phone, '1') <> ''",
    "student_number": "regexp_full_match(student_number, '[GJL][0-9]{17}[0-9X]')",
    # what stands behind the area; noughts and a mark for nothing are no number
    "household_identity": "ltrim(split_part(household_identity, '|', 2), '0') not in ('', "
    f"{', '.join(map(literal, NOTHING))})",
    HELD_NUMBER: f"{identity.id_status(HELD_NUMBER)} = 'valid'",
}
"""When a value says whose a record is: of the kinds that may hold anything."""
MOST_NAMES = {
    "phone": "most_names_of_a_value",
    "student_number": "most_names_of_a_value",
    HELD_NUMBER: "most_names_of_a_value",
    "household_identity": "most_names_of_a_household",
}
"""The limit of the rule table beyond which a value is so many persons' that it is nobody's."""

DECISIONS = "casework__link_decision"
"""The dataset of what persons have decided."""

IS_SHARED = f"id_status_code = 'valid' and length(id_number) > {identity.SHORTEST}"
"""Whether a record (as SQL) is of whoever has its number and name, in any source: 15 digits have no
check digit, and prove nothing without the 18."""

READS: Mapping[str, frozenset[str]] = {
    "decision": frozenset({"staged", "meta.delivery"}),
    "record": frozenset({"staged", "meta.delivery", "vault.decision"}),
    "node": frozenset({"vault.record"}),
    "trait": frozenset({"staged", "vault.record", "vault.node"}),
    "pair": frozenset({"staged", "vault.decision", "vault.record", "vault.node", "vault.trait"}),
    "membership": frozenset({"vault.node", "vault.pair"}),
    "review": frozenset(
        {"staged", "reference.code"}
        | {f"vault.{table}" for table in ("record", "node", "trait", "pair", "membership")}
    ),
    "identity": frozenset({"vault.record", "vault.membership"}),
    "household": frozenset({"staged", "meta.delivery", "reference.area_today"}),
    "loose_record": frozenset({"staged", "vault.identity"}),
}
"""What each table of the layer is made from; `staged` stands for every source."""


@dataclass(frozen=True)
class Given:
    """What the tables of the layer are made from, beside each other."""

    sources: Sequence[Contract]
    earlier: Mapping[str, str]
    """For each dataset a FROM item of accepted rows of deliveries that count no more or in part."""
    rules: RuleTable
    secret: PseudonymKey
    received: str
    """The schema of the rows as received."""


def table_selects(connection: duckdb.DuckDBPyConnection, table: str, given: Given) -> Sequence[str]:
    """The SELECTs whose rows are `vault.<table>`; the tables that it reads have to be there."""
    if table == "loose_record":
        # one statement a source, so that memory holds the identities of one
        return loose_record_selects(given.sources, given.received)
    if table == "decision":
        return [DECISION_SELECT]
    if table == "record":
        splits = "select count(*) from vault.decision where link_decision_code = 'split'"
        ((count,),) = connection.execute(splits).fetchall()
        return [record_select(given, count > 0)]
    if table == "node":
        pinyin.keep_readings(connection)
        return [node_select(given.sources, given.secret)]
    if table == "trait":
        return [trait_select(given.sources, given.earlier, given.rules.limits)]
    if table == "pair":
        fields = (NODE_FIELDS, TRAIT_KINDS)
        return [link_pairs.make_pairs(connection, given.rules, given.sources, *fields)]
    if table == "membership":
        return [link_pairs.membership_select(connection)]
    if table == "review":
        return [review_select(given.sources)]
    if table == "identity":
        return [IDENTITY_SELECT]
    return [notions.household_select(given.sources, given.earlier, given.secret)]


DECISION_SELECT = f"""
with stated as (
    select
        least(one_key, other_key) as one_key,
        greatest(one_key, other_key) as other_key,
        coalesce(decided_from, '') as decided_from,
        link_decision_code,
        decided_date,
        delivery_id,
        row_number,
        delivery_order * {PLACES} + row_number as place
    from staged.{DECISIONS}
    join meta.delivery as delivery using (delivery_id)
    where link_decision_code is not null
),
latest as (
    select one_key, other_key, decided_from, max(decided_date) as decided_date
    from stated
    group by all
),
withdrawn as (
    select one_key, other_key, decided_from, decided_date, max(place) as until
    from stated
    where link_decision_code = 'withdraw'
    group by all
)
select
    one_key,
    other_key,
    decided_from,
    max(link_decision_code) as link_decision_code,
    decided_date,
    arg_max(stated.delivery_id, place) as delivery_id,
    arg_max(stated.row_number, place) as row_number
from stated
join latest using (one_key, other_key, decided_from, decided_date)
left join withdrawn using (one_key, other_key, decided_from, decided_date)
where place > coalesce(withdrawn.until, -1)
group by one_key, other_key, decided_from, decided_date
having count(distinct link_decision_code) = 1
"""
"""The SELECT of `vault.decision`: what stands decided last of a pair of keys and a dataset.

Where two of one day contradict each other, and no withdrawal lies between, neither stands.
"""


def promised_of_decisions(decision: Contract, sources: Sequence[Contract]) -> Contract:
    """The contract of decisions, in which a split names one of the `sources` that name persons."""
    known = [source for source in sources if is_personal(source)]
    listed = ", ".join(literal(source.table) for source in known)
    words = "、".join(f"{source.table}（{source.description_zh}）" for source in known)
    rule = Rule(
        "split_names_a_known_dataset",
        "critical",
        f"decided_from is null or decided_from in ({listed or 'null'})",
        ("decided_from",),
        "移出数据集不是本地已启用的、按人填报的数据集",
        f"请填写以下之一：{words}",
    )
    return replace(decision, rules=(*decision.rules, rule))


def record_select(given: Given, has_splits: bool = True) -> str:
    """The SELECT of `vault.record`: one row per source and identity as delivered.

    What somebody has split from a key is a node of its own; to look for it every key is minted.
    A number of 15 digits is valid where the 18 characters stand somewhere too, and `unproven`
    otherwise; one that many names share is none.
    """
    sources, earlier = given.sources, given.earlier
    most_names = f"{given.rules.limits['most_names_of_a_value']:g}"
    held = " union ".join(_held_selects(sources, earlier)) or "select null::varchar as number"
    delivered = " union all ".join(
        f"""
        select {literal(source.table)} as source, record_identity,
            any_value(id_number) as id_number, sum(counted) as record_count,
            min(first_record) as first_record
        from (
            select record.record_identity, record.id_number,
                delivery.delivery_order * {PLACES} + record.row_number as first_record, 1 as counted
            from {source.name} as record
            join meta.delivery as delivery using (delivery_id)
            {_earlier(earlier.get(source.table))}
        )
        group by record_identity
        """
        for source in sources
        if is_personal(source)
    )
    return f"""
with delivered as ({delivered or _NO_RECORDS}),
numbers as (
    select id_number, number, {identity.id_status("number")} as id_status_code
    from (
        select id_number, {identity.resident_number("id_number")} as number
        from (select distinct id_number from delivered)
    )
),
told as (
    select delivered.*, numbers.number, numbers.id_status_code,
        split_part(delivered.record_identity, '|', 2) as name_key
    from delivered
    join numbers on numbers.id_number is not distinct from delivered.id_number
),
proven as (
    select number
    from numbers
    where id_status_code = 'valid' and length(id_number) > {identity.SHORTEST}
    union
    select number from ({held})
),
short as (
    select id_number, case
        when any_value(number) in (from proven) then 'valid'
        when count(distinct name_key) > {most_names} then 'bad_shape'
        else 'unproven' end as short_status_code
    from told
    where id_status_code = 'valid' and length(id_number) = {identity.SHORTEST}
    group by id_number
),
named as (
    select told.* replace (coalesce(short.short_status_code, id_status_code) as id_status_code)
    from told
    left join short using (id_number)
),
parted as ({_split_select(given.secret) if has_splits else _NO_SPLITS})
select source, record_identity, id_number, number, id_status_code, name_key, record_count,
    first_record,
    md5_number(
        case when {IS_SHARED} and not is_split then number || '|' || name_key
        else source || '|' || record_identity end
    ) as node,
    is_split,
    split_from
from (
    select named.*, parted.split_from is not null as is_split, parted.split_from
    from named
    left join parted using (source, record_identity)
)
"""


def _split_select(secret: PseudonymKey) -> str:
    """The identities that somebody has split from a key, of those that are `named`.

    The key stays where it was minted from: of a key whose records are all split off, those of the
    dataset that came first stay, and keep apart from the others (see `link_pairs`).
    """
    own_text = (
        f"case when {IS_SHARED} then 'id|' || number || '|' || name_key "
        "else source || '|' || record_identity end"
    )
    return f"""
    with splits as (
        select distinct one_key, decided_from from vault.decision where link_decision_code = 'split'
    )
    select source, record_identity, one_key as split_from
    from (
        select source, record_identity, keyed.one_key, decided_from is not null as is_decided,
            bool_and(decided_from is not null) over same_key as is_whole,
            first_value(source) over (same_key order by first_record, source) as first_source
        from (select *, {mint(secret, own_text)} as one_key from named) as keyed
        semi join splits using (one_key)
        left join splits on splits.one_key = keyed.one_key and splits.decided_from = keyed.source
        window same_key as (partition by keyed.one_key)
    )
    where is_decided and not (is_whole and source = first_source)
"""


def _held_selects(sources: Sequence[Contract], earlier: Mapping[str, str]) -> list[str]:
    """SELECTs of the valid numbers that certificates and school numbers hold."""
    return [
        f"""
        select number
        from (select distinct {_held(name)} as number from {item})
        where {identity.id_status("number")} = 'valid'
        """
        for source in sources
        for name in HOLDERS
        if is_personal(source) and any(column.name == name for column in source.columns)
        for item in (source.name, *filter(None, [earlier.get(source.table)]))
    ]


def _held(name: str) -> str:
    """The number inside that of a certificate or of a pupil, which may hold anything else."""
    return (
        f"case when length({name}) > {identity.SHORTEST} then {identity.resident_number(name)} end"
    )


def _earlier(rows: str | None) -> str:
    if rows is None:
        return ""
    return f"""
            union all
            select record.record_identity, record.id_number,
                delivery.delivery_order * {PLACES} + record.row_number, 0
            from {rows} as record
            join meta.delivery as delivery using (delivery_id)
    """


def node_select(sources: Sequence[Contract], secret: PseudonymKey) -> str:
    """The SELECT of `vault.node`: one row per node, with what rules compare and its own key."""
    listed = ", ".join(literal(source.table) for source in sources)
    text = "coalesce(first_source || '|' || first_identity, 'id|' || number || '|' || name_key)"
    return f"""
with grouped as (
    select
        node,
        bool_or(is_split) as is_split,
        any_value(number) as number,
        any_value(id_status_code) as id_status_code,
        any_value(name_key) as name_key,
        bit_count(bit_or(1::bigint << source_place)) as source_count,
        sum(record_count)::bigint as record_count,
        min(first_record) as first_record,
        min(case when has_own_key then source end) as first_source,
        min(case when has_own_key then record_identity end) as first_identity
    from (
        select *, not ({IS_SHARED}) or is_split as has_own_key,
            list_position([{listed}], source) as source_place
        from vault.record
    )
    group by node
),
ranked as (
    select
        *,
        id_status_code = 'valid' and row_number() over (
            partition by id_status_code, number
            order by is_split, first_source is null desc, source_count desc, first_record, name_key
        ) = 1 as is_anchor
    from grouped
)
select
    ranked.node,
    ranked.number,
    ranked.id_status_code,
    ranked.name_key,
    sound.pinyin,
    ranked.is_anchor,
    ranked.source_count,
    ranked.record_count,
    ranked.first_record,
    {mint(secret, text)} as alias_id
from ranked
left join ({pinyin.pinyin_select("select distinct name_key from ranked", "name_key")}) as sound
    using (name_key)
"""


def trait_select(
    sources: Sequence[Contract], earlier: Mapping[str, str], limits: Mapping[str, float]
) -> str:
    """The SELECT of `vault.trait`: one row per node, kind and value that its records have.

    What stands where nothing is known (`无`, `0`), and what many names share, is not there.
    """
    selects = []
    for source in sources:
        if not is_personal(source):
            continue
        columns = {column.name for column in source.columns}
        values = {kind: f"{kind}::varchar" for kind in TRAITS if kind in columns}
        held = [_held(name) for name in HOLDERS if name in columns]
        if held:
            values[HELD_NUMBER] = f"coalesce({', '.join(held)})"
        if not values:
            continue
        listed = ", ".join(f"{value} as {kind}" for kind, value in values.items())
        items = [source.name, *filter(None, [earlier.get(source.table)])]
        rows = " union ".join(
            f"select distinct record_identity, {listed} from {item} as record" for item in items
        )
        kinds = ", ".join(values)
        told = ", ".join(
            f"case when {EVIDENCE[kind]} then {kind} end as {kind}" if kind in EVIDENCE else kind
            for kind in values
        )
        selects.append(
            f"""
            select record.node, kind, value
            from (
                unpivot (select record_identity, {told} from ({rows}))
                on {kinds} into name kind value value
            ) as trait
            join vault.record as record on record.source = {literal(source.table)}
                and record.record_identity = trait.record_identity
            """
        )
    selects += [
        # what a number says of its holder
        f"select node, 'birth_date' as kind, {identity.birth_date('number')}::varchar as value "
        "from vault.node where is_anchor or id_status_code = 'unproven'",
        f"select node, '{HELD_NUMBER}', number from vault.node where is_anchor",
    ]
    names = " ".join(f"when '{kind}' then {limits[name]:g}" for kind, name in MOST_NAMES.items())
    return f"""
with trait as materialized (
    select distinct node, kind, value from ({" union all ".join(selects)})
),
shared as (
    select kind, value, case kind {names} end as most_names
    from trait
    where kind in ({", ".join(map(literal, MOST_NAMES))})
    group by kind, value
    having count(*) > most_names
),
crowded as (
    select kind, value
    from shared
    join trait using (kind, value)
    join vault.node as node using (node)
    group by kind, value
    having count(distinct node.name_key) > any_value(most_names)
)
select node, kind, value
from trait
anti join crowded using (kind, value)
"""


IDENTITY_SELECT = """
select
    record.source,
    record.record_identity,
    record.id_status_code,
    membership.link_rule_code,
    membership.is_confirmed,
    membership.person_id,
    nullif(membership.alias_id, membership.person_id) as alias_id,
    membership.birth_month,
    membership.sex_code,
    record.first_record,
    record.record_count
from vault.record as record
join vault.membership as membership using (node)
"""
"""The SELECT of `vault.identity`: one row per source and identity as delivered, with its person."""


def loose_record_selects(sources: Sequence[Contract], received: str) -> list[str]:
    """The SELECTs of `vault.loose_record`, one a source: identities of rows refused or not linked.

    `received` is the schema of the rows as received, refused ones too.
    """
    return [
        f"""
select {literal(source.table)} as source, record.record_identity, record.period_month,
    any_value(record.id_number) as id_number,
    split_part(record.record_identity, '|', 2) as name_key
from {received}.{source.table} as record
left join vault.identity as identity
    on identity.source = {literal(source.table)}
    and identity.record_identity = record.record_identity
    and identity.is_confirmed
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


_NO_SPLITS = """
    select null::varchar as source, null::varchar as record_identity, null::varchar as split_from
    where false
"""
_NO_RECORDS = """
    select null::varchar as source, null::varchar as record_identity, null::varchar as id_number,
        0 as record_count, 0 as first_record
    where false
"""

"""Who is who: from identities as delivered to persons and households with keys that name nobody.

A node is one valid number with one name in every source that has the two alike, or else what one
source has delivered. The rules of `policies/linkage.yaml` link nodes to persons; what could be two
persons stays apart and is kept for review. Every delivery that was ever taken has its nodes here,
so that a key that was published once resolves for ever.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb

from minsheng import clusters, identity, pinyin
from minsheng.contracts import Contract
from minsheng.faults import told
from minsheng.link_review import review_select
from minsheng.link_rules import MACROS, LinkRuleError, RuleTable, pair_select
from minsheng.pseudonyms import PseudonymKey, mint
from minsheng.quoting import literal

EXACT_RULE = "id_and_name"
CONFLICT_RULE = "name_conflict"
ALONE_RULE = "own_record"
DECIDED_RULE = "decided"
OWN_RULES = (EXACT_RULE, CONFLICT_RULE, ALONE_RULE, DECIDED_RULE)
"""Why a record belongs to its person where no rule of the table says it."""

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
    "bearers",
    "source_count",
)
TRAIT_KINDS = (*TRAITS, HELD_NUMBER)

DECISIONS = "casework__link_decision"
"""The dataset of what persons have decided."""

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
    "identity": frozenset({"vault.record", "vault.node", "vault.membership"}),
    "household": frozenset({"staged"}),
    "loose_record": frozenset({"staged", "vault.identity"}),
}
"""What each table of the layer is made from; `staged` stands for every source."""

DECIDED_PLACE = -1
"""Of what persons have decided, before the first rule of the table."""
PLACES = 4294967296
"""More than a delivery has rows: orders of delivery times this plus the row number."""


@dataclass(frozen=True)
class Given:
    """What the tables of the layer are made from, beside each other."""

    sources: Sequence[Contract]
    earlier: Mapping[str, str]
    """For each dataset a FROM item of accepted rows of deliveries that no longer count."""
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
        return [record_select(given)]
    if table == "node":
        pinyin.keep_readings(connection)
        return [node_select(given.secret)]
    if table == "trait":
        return [trait_select(given.sources, given.earlier)]
    if table == "pair":
        return [make_pairs(connection, given.rules, given.sources)]
    if table == "membership":
        return [membership_select(connection)]
    if table == "review":
        return [review_select(given.sources)]
    if table == "identity":
        return [IDENTITY_SELECT]
    return [household_select(given.sources, given.secret)]


DECISION_SELECT = f"""
select
    least(one_key, other_key) as one_key,
    greatest(one_key, other_key) as other_key,
    coalesce(decided_from, '') as decided_from,
    arg_max(link_decision_code, (decided_date, delivery_order, row_number)) as link_decision_code,
    max(decided_date) as decided_date
from staged.{DECISIONS}
join meta.delivery as delivery using (delivery_id)
where link_decision_code is not null
group by all
having arg_max(link_decision_code, (decided_date, delivery_order, row_number)) <> 'withdraw'
"""
"""The SELECT of `vault.decision`: what stands decided last of a pair of keys and a dataset."""


def record_select(given: Given) -> str:
    """The SELECT of `vault.record`: one row per source and identity as delivered.

    What somebody has split from a key is a node of its own.
    """
    sources, earlier = given.sources, given.earlier
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
named as (
    select delivered.*, numbers.number, numbers.id_status_code,
        split_part(delivered.record_identity, '|', 2) as name_key
    from delivered
    join numbers on numbers.id_number is not distinct from delivered.id_number
),
to_split as (
    select distinct one_key, decided_from
    from vault.decision
    where link_decision_code = 'split'
),
parted as (
    select named.source, named.record_identity
    from (select * from named semi join to_split on to_split.decided_from = named.source) as named
    join to_split on to_split.decided_from = named.source
        and to_split.one_key = {mint(given.secret, _own_text("source", "record_identity"))}
)
select source, record_identity, id_number, number, id_status_code, name_key, record_count,
    first_record,
    md5_number(
        case when id_status_code = 'valid' and parted.source is null then number || '|' || name_key
        else source || '|' || record_identity end
    ) as node,
    parted.source is not null as is_split
from named
left join parted using (source, record_identity)
"""


def _own_text(source: str, identity_: str) -> str:
    """What the key of a node is minted from, as an expression over its first record."""
    return (
        "case when id_status_code = 'valid' then 'id|' || number || '|' || name_key "
        f"else {source} || '|' || {identity_} end"
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


def node_select(secret: PseudonymKey) -> str:
    """The SELECT of `vault.node`: one row per node, with what rules compare and its own key."""
    text = (
        "case when is_split then first_source || '|' || first_identity "
        f"else {_own_text('first_source', 'first_identity')} end"
    )
    return f"""
with grouped as (
    select
        node,
        bool_or(is_split) as is_split,
        any_value(number) as number,
        any_value(id_status_code) as id_status_code,
        any_value(name_key) as name_key,
        count(distinct source) as source_count,
        sum(record_count) as record_count,
        min(first_record) as first_record,
        min(source) as first_source,
        min(record_identity) as first_identity
    from vault.record
    group by node
),
ranked as (
    select
        *,
        id_status_code = 'valid' and row_number() over (
            partition by id_status_code, number
            order by source_count desc, first_record, name_key
        ) = 1 as is_anchor
    from grouped
),
borne as (
    select name_key, count(*) as bearers
    from ranked
    where is_anchor
    group by name_key
)
select
    ranked.node,
    ranked.number,
    ranked.id_status_code,
    ranked.name_key,
    sound.pinyin,
    ranked.is_anchor,
    coalesce(borne.bearers, 0) as bearers,
    ranked.source_count,
    ranked.record_count,
    ranked.first_record,
    {mint(secret, text)} as alias_id
from ranked
left join borne using (name_key)
left join ({pinyin.pinyin_select("select distinct name_key from ranked", "name_key")}) as sound
    using (name_key)
"""


def trait_select(sources: Sequence[Contract], earlier: Mapping[str, str]) -> str:
    """The SELECT of `vault.trait`: one row per node, kind and value that its records have."""
    selects = []
    for source in sources:
        if not is_personal(source):
            continue
        columns = {column.name for column in source.columns}
        values = {kind: f"{kind}::varchar" for kind in TRAITS if kind in columns}
        held = [identity.resident_number(name) for name in HOLDERS if name in columns]
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
        selects.append(
            f"""
            select record.node, kind, value
            from (unpivot ({rows}) on {kinds} into name kind value value) as trait
            join vault.record as record on record.source = {literal(source.table)}
                and record.record_identity = trait.record_identity
            """
        )
    selects += [
        # what a valid number says of its holder
        f"select node, 'birth_date', {identity.birth_date('number')}::varchar "
        "from vault.node where is_anchor",
        f"select node, '{HELD_NUMBER}', number from vault.node where is_anchor",
    ]
    return f"select distinct node, kind, value from ({' union all '.join(selects)})"


def make_pairs(
    connection: duckdb.DuckDBPyConnection, table: RuleTable, sources: Sequence[Contract]
) -> str:
    """Find and judge the pairs of all rules; return the SELECT of `vault.pair`.

    Raises LinkRuleError if a rule does not fit.
    """
    for macro in MACROS:
        connection.execute(macro)
    connection.execute(
        "create or replace temp table found (rule_place integer, one uhugeint, other uhugeint, "
        "evidence varchar)"
    )
    for place, rule in enumerate(table.rules):
        select = pair_select(rule, place, "vault.node", NODE_FIELDS, TRAIT_KINDS)
        try:
            connection.execute(f"insert into found {select}")
        except duckdb.Error as fault:
            raise LinkRuleError(f"rule {rule.name}: {told(fault)}") from None
    pairs = [
        clusters.Pair(*row)
        for row in connection.execute("select rule_place, one, other from found").fetchall()
    ]
    decided = _decided(connection)
    connection.execute(
        "create or replace temp table concerned as "
        "select one as node from found union select other from found "
        "union select one from decided union select other from decided"
    )
    facts = clusters.Facts(
        numbers=dict(
            connection.execute(
                "select node, number from vault.node semi join concerned using (node) "
                "where is_anchor"
            ).fetchall()
        ),
        rolls=_rolls(connection, table, sources),
        linked=decided["link"],
        parted=decided["part"],
        barred=_sets(
            connection,
            "select node.node, decided_from from vault.decision "
            "join vault.node as node on node.alias_id = one_key "
            "where link_decision_code = 'split'",
        ),
        sources=_sets(
            connection,
            "select distinct record.node, source from vault.record "
            "semi join concerned using (node) "
            "where source in (select decided_from from vault.decision)",
        ),
    )
    resolution = clusters.resolve(pairs, table.rules, facts, int(table.limits["largest_cluster"]))
    connection.execute(
        "create or replace temp table judged (rule_place integer, link_rule_code varchar, "
        "one uhugeint, other uhugeint, is_linked boolean, doubt varchar)"
    )
    connection.execute(
        "create or replace temp table refused (one uhugeint, other uhugeint, doubt varchar)"
    )
    _insert(connection, "refused", [(*pair, doubt) for pair, doubt in resolution.refused])
    rows: list[tuple[object, ...]] = [
        (pair.rule, table.rules[pair.rule].name, pair.one, pair.other, True, None)
        for pair in resolution.links
    ]
    rows += [
        (pair.rule, table.rules[pair.rule].name, pair.one, pair.other, False, doubt)
        for pair, doubt in resolution.reviews
    ]
    _insert(connection, "judged", rows)
    return f"""
        select judged.rule_place, judged.link_rule_code, judged.one, judged.other,
            judged.is_linked, judged.doubt as doubt_code, found.evidence
        from judged
        join found using (rule_place, one, other)
        union all
        select {DECIDED_PLACE}, {literal(DECIDED_RULE)}, one, other, doubt is null, doubt,
            'decided ' || decided_date
        from (select * from decided where link_decision_code = 'link')
        left join refused using (one, other)
    """


def _decided(connection: duckdb.DuckDBPyConnection) -> dict[str, list[tuple[int, int]]]:
    """Make `decided`: what is decided of two nodes; a key that nothing has is left out."""
    connection.execute(
        """
        create or replace temp table decided as
        select distinct one.node as one, other.node as other, link_decision_code, decided_date
        from vault.decision
        join vault.node as one on one.alias_id = one_key
        join vault.node as other on other.alias_id = other_key
        where one.node <> other.node and link_decision_code in ('link', 'part')
        """
    )
    rows = connection.execute("select link_decision_code, one, other from decided").fetchall()
    return {
        kind: [(one, other) for each, one, other in rows if each == kind]
        for kind in ("link", "part")
    }


def _sets(connection: duckdb.DuckDBPyConnection, select: str) -> dict[int, frozenset[str]]:
    """The values of each node that a SELECT lists."""
    found: dict[int, set[str]] = {}
    for node, value in connection.execute(select).fetchall():
        found.setdefault(node, set()).add(value)
    return {node: frozenset(values) for node, values in found.items()}


def _rolls(
    connection: duckdb.DuckDBPyConnection, table: RuleTable, sources: Sequence[Contract]
) -> dict[int, frozenset[str]]:
    """The rolls with their periods in which the nodes of pairs stand."""
    enabled = {source.table for source in sources}
    selects = [
        f"""
        select distinct record.node, '{roll} ' || staged.period
        from (select * from vault.record semi join concerned using (node)
            where source = {literal(roll)}) as record
        join staged.{roll} as staged using (record_identity)
        """
        for roll in table.rolls
        if roll in enabled
    ]
    return _sets(connection, " union all ".join(selects)) if selects else {}


def membership_select(connection: duckdb.DuckDBPyConnection) -> str:
    """The SELECT of `vault.membership`: one row per node, with its person and why it is theirs."""
    linked = connection.execute(
        "select one, other from vault.pair where is_linked order by one, other"
    ).fetchall()
    joined = clusters.resolve([], (), clusters.Facts(linked=linked), largest=len(linked) + 1).roots
    connection.execute("create or replace temp table cluster (node uhugeint, root uhugeint)")
    _insert(connection, "cluster", list(joined.items()))
    return f"""
with placed as (
    select node.*, coalesce(cluster.root, node.node) as root
    from vault.node as node
    left join cluster using (node)
),
person as (
    -- the first record of the cluster gives the key
    select
        root,
        arg_min(alias_id, (first_record, alias_id)) as person_id,
        bool_or(is_anchor) as is_confirmed
    from placed
    group by root
),
rule as (
    select node, arg_min(link_rule_code, (place, rule_place)) as link_rule_code
    from (
        select one as node, link_rule_code, rule_place, 1 as place from vault.pair where is_linked
        union all
        select other, link_rule_code, rule_place, 2 from vault.pair where is_linked
    )
    group by node
)
select
    placed.node,
    person.person_id,
    placed.alias_id,
    case
        when placed.is_anchor then '{EXACT_RULE}'
        when rule.link_rule_code is not null then rule.link_rule_code
        when placed.id_status_code = 'valid' then '{CONFLICT_RULE}'
        else '{ALONE_RULE}'
    end as link_rule_code,
    person.is_confirmed
from placed
join person using (root)
left join rule on rule.node = placed.node
"""


IDENTITY_SELECT = f"""
with anchor as (
    select membership.person_id,
        min(date_trunc('month', {identity.birth_date("node.number")})::date) as birth_month,
        min({identity.sex_code("node.number")}) as sex_code
    from vault.node as node
    join vault.membership as membership using (node)
    where node.is_anchor
    group by membership.person_id
)
select
    record.source,
    record.record_identity,
    record.id_number,
    record.name_key,
    record.id_status_code,
    membership.link_rule_code,
    membership.is_confirmed,
    membership.person_id,
    nullif(membership.alias_id, membership.person_id) as alias_id,
    anchor.birth_month,
    anchor.sex_code,
    record.first_record,
    record.record_count
from vault.record as record
join vault.membership as membership using (node)
left join anchor using (person_id)
"""
"""The SELECT of `vault.identity`: one row per source and identity as delivered, with its person."""


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


def _insert(
    connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Sequence[object]]
) -> None:
    import pyarrow as pa

    if not rows:
        return
    columns = list(zip(*rows, strict=True))
    texts = pa.table(
        {
            f"column_{place}": pa.array(
                [None if v is None else str(v) for v in values], pa.string()
            )
            for place, values in enumerate(columns)
        }
    )
    connection.register("rows_to_insert", texts)
    connection.execute(f"insert into {table} select * from rows_to_insert")
    connection.unregister("rows_to_insert")


_NO_RECORDS = """
    select null::varchar as source, null::varchar as record_identity, null::varchar as id_number,
        0 as record_count, 0 as first_record
    where false
"""

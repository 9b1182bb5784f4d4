"""From rules and decisions to persons: the pairs of all rules, judged, and the nodes of a person.

Python sees a node by its place among those that stand in a pair; 128 bits are slow to bring there.
"""

from collections.abc import Sequence

import duckdb
import pyarrow as pa

from minsheng import clusters, identity
from minsheng.contracts import Contract
from minsheng.link_rules import MACROS, RuleTable, misfit, pair_select
from minsheng.quoting import literal

EXACT_RULE = "id_and_name"
CONFLICT_RULE = "name_conflict"
ALONE_RULE = "own_record"
DECIDED_RULE = "decided"
"""Why a record belongs to its person where no rule of the table says it."""
DECIDED_PLACE = -1
"""Of what persons have decided, before the first rule of the table."""


def make_pairs(
    connection: duckdb.DuckDBPyConnection,
    table: RuleTable,
    sources: Sequence[Contract],
    fields: Sequence[str],
    traits: Sequence[str],
) -> str:
    """Find and judge the pairs of all rules; return the SELECT of `vault.pair`.

    `fields` are columns of `vault.node`, `traits` kinds of `vault.trait` that rules may name.
    Raises LinkRuleError if a rule does not fit.
    """
    _find_pairs(connection, table, fields, traits)
    connection.execute(
        """
        create or replace temp table decided as
        select one.node as one, other.node as other, max(decided_date) as decided_date,
            -- of two on one day the one that keeps apart
            arg_max(link_decision_code, (decided_date, link_decision_code)) as link_decision_code
        from vault.decision
        join vault.node as one on one.alias_id = one_key
        join vault.node as other on other.alias_id = other_key
        where one.node <> other.node and link_decision_code in ('link', 'part')
        group by one.node, other.node
        """
    )
    _place_nodes(connection, "found", "decided")
    pairs = [
        clusters.Pair(*row)
        for row in _rows(
            connection,
            # a rule that asks nothing else of the other side finds a pair from both
            "select rule_place, one.place, other.place from found "
            "join concerned as one on one.node = found.one "
            "join concerned as other on other.node = found.other "
            "qualify row_number() over (partition by rule_place, "
            "least(one.place, other.place), greatest(one.place, other.place) "
            "order by one.place) = 1",
        )
    ]
    largest = int(table.limits["largest_cluster"])
    resolution = clusters.resolve(pairs, table.rules, _facts(connection, table, sources), largest)
    _insert(
        connection,
        "refused (one bigint, other bigint, doubt varchar)",
        [(*pair, doubt) for pair, doubt in resolution.refused],
    )
    _insert(
        connection,
        "judged (rule_place integer, rule varchar, one bigint, other bigint, doubt varchar)",
        [
            (pair.rule, table.rules[pair.rule].name, pair.one, pair.other, doubt)
            for pair, doubt in (*((pair, None) for pair in resolution.links), *resolution.reviews)
        ],
    )
    return f"""
        select judged.rule_place, judged.rule as link_rule_code, found.one, found.other,
            judged.doubt is null as is_linked, judged.doubt as doubt_code, found.evidence
        from judged
        join concerned as one on one.place = judged.one
        join concerned as other on other.place = judged.other
        join found on found.rule_place = judged.rule_place
            and found.one = one.node and found.other = other.node
        union all
        select {DECIDED_PLACE}, {literal(DECIDED_RULE)}, decided.one, decided.other,
            refused.doubt is null, refused.doubt, 'decided ' || decided.decided_date
        from (select * from decided where link_decision_code = 'link') as decided
        join concerned as one on one.node = decided.one
        join concerned as other on other.node = decided.other
        left join refused on refused.one = one.place and refused.other = other.place
    """


def membership_select(connection: duckdb.DuckDBPyConnection) -> str:
    """The SELECT of `vault.membership`: one row per node, with its person and why it is theirs."""
    _place_nodes(connection, "(from vault.pair where is_linked)")
    linked = _rows(
        connection,
        "select one.place, other.place from (from vault.pair where is_linked) as pair "
        "join concerned as one on one.node = pair.one "
        "join concerned as other on other.node = pair.other",
    )
    facts = clusters.Facts(linked=[(one, other) for one, other in linked])
    joined = clusters.resolve([], (), facts, largest=len(linked) + 1).roots
    _insert(connection, "joined (place bigint, root bigint)", list(joined.items()))
    connection.execute(
        """
        create or replace temp table cluster as
        select one.node, root.node as root
        from joined
        join concerned as one using (place)
        join concerned as root on root.place = joined.root
        """
    )
    birth_month = f"date_trunc('month', {identity.birth_date('number')})::date"
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
        bool_or(is_anchor) as is_confirmed,
        min(case when is_anchor then {birth_month} end) as birth_month,
        min(case when is_anchor then {identity.sex_code("number")} end) as sex_code
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
    person.is_confirmed,
    person.birth_month,
    person.sex_code
from placed
join person using (root)
left join rule on rule.node = placed.node
"""


BARRED = """
with split as (
    select distinct
        node.node,
        concerned.place,
        decision.decided_from,
        held.node is not null as is_own
    from (from vault.decision where link_decision_code = 'split') as decision
    join vault.node as node on node.alias_id = decision.one_key
    join concerned on concerned.node = node.node
    left join vault.record as held on held.node = node.node and held.source = decision.decided_from
)
select place, decided_from as value from split where not is_own
union
select place, source
from split
join (select distinct source from vault.record) as other on other.source <> split.decided_from
where is_own
"""
"""The sources whose records may not come to a key (`place, value`): the one that was split off, or
all others where the key itself was minted from that one.
"""
COMPARED = """
create or replace temp table compared as
with misnamed as (
    select node, number, name_key
    from vault.node
    where id_status_code in ('valid', 'unproven') and not is_anchor
),
bearer as (
    -- whoever else has the name: a slip of the number is no other's
    select misnamed.node as misnamed, misnamed.number, other.node, other.is_anchor
    from misnamed
    join vault.node as other using (name_key)
    where other.number is distinct from misnamed.number
        and not (
            other.id_status_code in ('bad_checksum', 'bad_shape')
            and damerau_levenshtein(other.number, misnamed.number) = 1
        )
),
place as (
    from vault.trait where kind in ('household_identity', 'village_code', 'phone')
),
around as (
    -- where the holder of the number lives
    select distinct misnamed.number, place.kind, place.value
    from misnamed
    join vault.node as holder using (number)
    join place on place.node = holder.node
),
neighbour as (
    select distinct bearer.misnamed, bearer.node
    from bearer
    join place using (node)
    join around using (number, kind, value)
),
elsewhere as (
    select distinct bearer.misnamed, bearer.node
    from bearer
    semi join (from place where kind <> 'phone') using (node)
    semi join (from around where kind <> 'phone') using (number)
    anti join neighbour using (misnamed, node)
),
borne as (
    select bearer.misnamed as node,
        count(*) filter (elsewhere.node is null or is_anchor) as bearers,
        count(*) filter (elsewhere.node is null) as bearers_near
    from bearer
    left join elsewhere using (misnamed, node)
    group by bearer.misnamed
)
select
    node.*,
    coalesce(borne.bearers, 0) as bearers,
    coalesce(borne.bearers_near, 0) as bearers_near
from vault.node as node
left join borne using (node)
"""
"""Nodes as rules see them.

Of a name that stands on the number of another: `bearers` counts who else has it with a valid
number, or without one unless known to live elsewhere; `bearers_near` neither.
"""
BORNE = ("bearers", "bearers_near")


def _find_pairs(
    connection: duckdb.DuckDBPyConnection,
    table: RuleTable,
    fields: Sequence[str],
    traits: Sequence[str],
) -> None:
    """Make `found`: the pairs of every rule with what was compared."""
    for macro in MACROS:
        connection.execute(macro)
    connection.execute(
        "create or replace temp table found (rule_place integer, one uhugeint, other uhugeint, "
        "evidence varchar)"
    )
    connection.execute(COMPARED)
    for place, rule in enumerate(table.rules):
        select = pair_select(rule, place, "compared", (*fields, *BORNE), traits)
        try:
            connection.execute(f"insert into found {select}")
        except duckdb.Error as fault:
            raise misfit(f"rule {rule.name}", fault) from None


def _place_nodes(connection: duckdb.DuckDBPyConnection, *pairs: str) -> None:
    """Make `concerned`: the nodes of pairs (FROM items with `one`, `other`) with their places."""
    sides = [f"select {side} as node from {each}" for each in pairs for side in ("one", "other")]
    connection.execute(
        "create or replace temp table concerned as "
        "select node, row_number() over (order by node) as place "
        f"from ({' union '.join(sides)})"
    )


def _facts(
    connection: duckdb.DuckDBPyConnection, table: RuleTable, sources: Sequence[Contract]
) -> clusters.Facts:
    enabled = {source.table for source in sources}
    rolls = [
        f"""
        select place, '{roll} ' || staged.period as value
        from (select * from vault.record where source = {literal(roll)}) as record
        join concerned using (node)
        join staged.{roll} as staged using (record_identity)
        """
        for roll in table.rolls
        if roll in enabled
    ]
    decided = _rows(
        connection,
        "select link_decision_code, one.place, other.place from decided "
        "join concerned as one on one.node = decided.one "
        "join concerned as other on other.node = decided.other",
    )
    return clusters.Facts(
        numbers=dict(
            _rows(
                connection,
                "select place, number from vault.node join concerned using (node) "
                "where is_anchor or id_status_code = 'unproven'",
            )
        ),
        rolls=_sets(connection, " union all ".join(rolls)) if rolls else {},
        linked=[(one, other) for kind, one, other in decided if kind == "link"],
        parted=[(one, other) for kind, one, other in decided if kind == "part"],
        barred=_sets(connection, BARRED),
        sources=_sets(
            connection,
            "select place, source as value from vault.record join concerned using (node) "
            "where exists (from vault.decision where link_decision_code = 'split')",
        ),
    )


def _sets(connection: duckdb.DuckDBPyConnection, select: str) -> dict[int, frozenset[str]]:
    """The values of each node that a SELECT of `place, value` lists."""
    rows = _rows(connection, f"select place, list(distinct value) from ({select}) group by place")
    return {place: frozenset(values) for place, values in rows}


def _rows(connection: duckdb.DuckDBPyConnection, select: str) -> list[tuple]:  # type: ignore[type-arg]
    return connection.execute(select).fetchall()


def _insert(
    connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Sequence[object]]
) -> None:
    """Make a temporary table, named with its columns, of rows."""
    connection.execute(f"create or replace temp table {table}")
    if not rows:
        return
    columns = list(zip(*rows, strict=True))
    given = pa.table({f"column_{place}": pa.array(values) for place, values in enumerate(columns)})
    connection.register("rows_to_insert", given)
    connection.execute(f"insert into {table.partition(' ')[0]} select * from rows_to_insert")
    connection.unregister("rows_to_insert")

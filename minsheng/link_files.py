"""Who is who in any two files, by a rule table: `minsheng link`.

Every row of the left file is a record of one roll, every row of the right file of another, so that
a row has one partner at the most.
"""

import secrets
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from minsheng import clusters, readers
from minsheng.encryption import Keys, sealed_parquet, unlock
from minsheng.faults import told
from minsheng.headers import header_key
from minsheng.link_rules import MACROS, LinkRuleError, RuleTable, load_rules, pair_select
from minsheng.quoting import quoted

ID_FIELD = "id"
SIDES = ("left", "right")
LARGEST_CLUSTER = 2
TRUTH_COLUMNS = ("left_id", "right_id")


@dataclass(frozen=True)
class FileLinks:
    """What linking two files came to; the last three are null without a truth.

    `links` are pairs of ids with the rule, `review` those left to a person with the doubt.
    """

    links: tuple[tuple[str, str, str], ...]
    review: tuple[tuple[str, str, str, str], ...]
    rules: dict[str, int]
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None

    def summary(self) -> dict[str, object]:
        return {
            "links": len(self.links),
            "rules": self.rules,
            "review": len(self.review),
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
        }


def link_files(left: Path, right: Path, rules: Path, truth: Path | None = None) -> FileLinks:
    """Link the rows of two files and, with a truth, say how well.

    The rule table needs `fields`, among them `id`, which tells the rows of a file apart.
    Raises LinkRuleError, UnreadableFile, or ValueError if ids repeat or the truth names others.
    """
    table = load_rules(rules)
    if ID_FIELD not in table.fields:
        raise LinkRuleError(f"{rules.name}: `fields` has to say what `{ID_FIELD}` is")
    with duckdb.connect() as connection, tempfile.TemporaryDirectory() as folder:
        # the copies hold names, and nobody needs their key once they are gone
        unlock(connection, Keys(secrets.token_bytes(32)))
        for macro in MACROS:
            connection.execute(macro)
        _read_records(connection, (left, right), table, Path(folder))
        found = _linked(connection, table)
        if truth is None:
            return found
        return _compared(found, _pairs_of(connection, truth, Path(folder)))


def _read_records(
    connection: duckdb.DuckDBPyConnection, files: Sequence[Path], table: RuleTable, folder: Path
) -> None:
    """Make `record`: one row per row of either file, with the fields of the rule table."""
    wanted = {header_key(name) for name in _columns_named(table)}
    selects = []
    for side, path in zip(SIDES, files, strict=True):
        rows = folder / f"{side}.parquet"
        reading = readers.read_rows(
            connection, path, lambda cells: sum(header_key(cell) in wanted for cell in cells), rows
        )
        if reading.malformed:
            raise ValueError(f"{path.name}: line {reading.malformed[0].row_number} is malformed")
        named = ", ".join(
            f"nullif(trim({quoted(header)}), '') as {quoted(header.strip())}"
            for header in reading.headers
        )
        fields = ", ".join(f"{text} as {name}" for name, text in table.fields.items())
        selects.append(
            f"select '{side}' as side, {fields} from (select {named} from {sealed_parquet(rows)})"
        )
    try:
        connection.execute(
            "create temp table record as select row_number() over (order by side, id) as node, * "
            f"from ({' union all '.join(selects)})"
        )
    except duckdb.BinderException as fault:
        raise LinkRuleError(f"`fields`: {str(fault).partition(chr(10))[0]}") from None
    for side, path in zip(SIDES, files, strict=True):
        repeated = connection.execute(
            "select count(*) from (select id from record where side = ? "
            "group by id having count(*) > 1 or id is null)",
            [side],
        ).fetchall()[0][0]
        if repeated:
            raise ValueError(f"{path.name}: {repeated} ids are empty or not of one row alone")


def _columns_named(table: RuleTable) -> set[str]:
    import sqlglot
    from sqlglot import exp

    return {
        column.name
        for text in table.fields.values()
        for column in sqlglot.parse_one(text, dialect="duckdb").find_all(exp.Column)
    }


def _linked(connection: duckdb.DuckDBPyConnection, table: RuleTable) -> FileLinks:
    columns = [row[0] for row in connection.execute("describe record").fetchall()]
    pairs = []
    for place, rule in enumerate(table.rules):
        sided = replace(
            rule,
            of=" and ".join(filter(None, ("side = 'left'", rule.of and f"({rule.of})"))),
            to=" and ".join(filter(None, ("side = 'right'", rule.to and f"({rule.to})"))),
        )
        select = pair_select(sided, place, "record", columns)
        try:
            rows = connection.execute(f"select rule_place, one, other from ({select})").fetchall()
        except duckdb.Error as fault:
            raise LinkRuleError(f"rule {rule.name}: {told(fault)}") from None
        pairs += [clusters.Pair(*row) for row in rows]
    ids: dict[int, str] = {}
    rolls: dict[int, frozenset[str]] = {}
    for node, side, id_ in connection.execute("select node, side, id from record").fetchall():
        ids[node] = str(id_)
        rolls[node] = frozenset((side,))
    resolution = clusters.resolve(pairs, table.rules, clusters.Facts(rolls=rolls), LARGEST_CLUSTER)
    used = Counter(table.rules[pair.rule].name for pair in resolution.links)
    return FileLinks(
        links=tuple(
            (ids[pair.one], ids[pair.other], table.rules[pair.rule].name)
            for pair in resolution.links
        ),
        review=tuple(
            (ids[pair.one], ids[pair.other], table.rules[pair.rule].name, doubt)
            for pair, doubt in resolution.reviews
            if pair.one not in resolution.roots and pair.other not in resolution.roots
        ),
        rules={rule.name: used[rule.name] for rule in table.rules},
    )


def _pairs_of(
    connection: duckdb.DuckDBPyConnection, truth: Path, folder: Path
) -> set[tuple[str, str]]:
    rows = folder / "truth.parquet"
    readers.read_rows(connection, truth, lambda cells: len({*cells} & {*TRUTH_COLUMNS}), rows)
    try:
        found = {
            (str(left), str(right))
            for left, right in connection.execute(
                f"select trim(left_id), trim(right_id) from {sealed_parquet(rows)}"
            ).fetchall()
        }
    except duckdb.BinderException:
        raise ValueError(f"{truth.name}: needs the columns {', '.join(TRUTH_COLUMNS)}") from None
    for place, side in enumerate(SIDES):
        ids = {
            str(row[0])
            for row in connection.execute("select id from record where side = ?", [side]).fetchall()
        }
        strange = sorted(pair[place] for pair in found if pair[place] not in ids)
        if strange:
            raise ValueError(f"{truth.name}: no {side} row has the id {strange[0]!r}")
    return found


def _compared(found: FileLinks, truth: set[tuple[str, str]]) -> FileLinks:
    linked = {(left, right) for left, right, _ in found.links}
    right_ones = len(linked & truth)
    precision = right_ones / len(linked) if linked else None
    recall = right_ones / len(truth) if truth else None
    f1 = 2 * right_ones / (len(linked) + len(truth)) if linked or truth else None
    return replace(found, precision=precision, recall=recall, f1=f1)

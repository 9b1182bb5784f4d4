"""Who is who in any two files, by a rule table: `minsheng link`.

Every row of the left file is a record of one roll, every row of the right file of another, so that
a row has one partner at the most.
"""

import secrets
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from minsheng import clusters, readers
from minsheng.encryption import Keys, sealed_parquet, unlock
from minsheng.headers import BLANKS, header_key
from minsheng.link_rules import (
    MACROS,
    LinkRuleError,
    RuleTable,
    columns_of,
    load_rules,
    misfit,
    pair_select,
)
from minsheng.quoting import literal, quoted

ID_FIELD = "id"
SIDES = ("left", "right")
LARGEST_CLUSTER = 2
TRUTH_COLUMNS = ("left_id", "right_id")
BLANK = literal(BLANKS)


class LinkFileError(ValueError):
    """A file that cannot be linked: the message names it, and no value of its rows."""


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
    Raises LinkRuleError, OSError, and LinkFileError if a file cannot be read or lacks a column, ids
    repeat or the truth names others.
    """
    table = load_rules(rules)
    if ID_FIELD not in table.fields:
        raise LinkRuleError(f"{rules.name}: `fields` has to say what `{ID_FIELD}` is")
    with duckdb.connect() as connection, tempfile.TemporaryDirectory() as folder:
        # the copies hold names, and nobody needs their key once they are gone
        unlock(connection, Keys(secrets.token_bytes(32)))
        for macro in MACROS:
            connection.execute(macro)
        _read_records(connection, (left, right), table, rules, Path(folder))
        # whether the truth fits is known before the work begins
        known = None if truth is None else _pairs_of(connection, truth, (left, right), Path(folder))
        try:
            found = _linked(connection, table)
        except LinkRuleError as fault:
            raise LinkRuleError(f"{rules.name}: {fault}") from None
    return found if known is None else _compared(found, known)


def _read_records(
    connection: duckdb.DuckDBPyConnection,
    files: Sequence[Path],
    table: RuleTable,
    rules: Path,
    folder: Path,
) -> None:
    """Make `record`: one row per row of either file, with the fields of the rule table."""
    wanted = {
        column: f"the field {name} of {rules.name}"
        for name, text in table.fields.items()
        for column in columns_of(text)
    }
    fields = ", ".join(f"{text} as {quoted(name)}" for name, text in table.fields.items())
    rows = [
        _columns(connection, path, wanted, folder / f"{side}.parquet")
        for side, path in zip(SIDES, files, strict=True)
    ]
    selects = [
        f"select '{side}' as side, {readers.ROW_NUMBER}, {fields} from ({each})"
        for side, each in zip(SIDES, rows, strict=True)
    ]
    try:
        connection.execute(
            "create temp table record as select row_number() over (order by side, id) as node, "
            f"* from ({' union all '.join(selects)})"
        )
    except duckdb.Error as fault:
        told = _misfitting_field(connection, files, rows, table) or misfit("`fields`", fault)
        raise LinkRuleError(f"{rules.name}: {told}") from None
    for side, path in zip(SIDES, files, strict=True):
        [(repeated, first)] = connection.execute(
            f"select count(*), min(first_row) from (select min({readers.ROW_NUMBER}) as first_row "
            "from record where side = ? group by id having count(*) > 1 or id is null)",
            [side],
        ).fetchall()
        if repeated:
            raise LinkFileError(
                f"{path}: {repeated} ids ({table.fields[ID_FIELD]}, the field {ID_FIELD} of "
                f"{rules.name}) are empty or not of one row alone, the first of them that of row "
                f"{first}"
            )


def _misfitting_field(
    connection: duckdb.DuckDBPyConnection,
    files: Sequence[Path],
    rows: Sequence[str],
    table: RuleTable,
) -> LinkRuleError | None:
    """What the engine says of the first field that it cannot make of a file."""
    for path, select in zip(files, rows, strict=True):
        for name, text in table.fields.items():
            try:
                connection.execute(
                    f"select count(*) from (select {text} as made from ({select})) "
                    "where made is not null"
                )
            except duckdb.Error as fault:
                return misfit(f"field {name} of {path}", fault)
    return None


def _columns(
    connection: duckdb.DuckDBPyConnection, path: Path, wanted: Mapping[str, str], copy: Path
) -> str:
    """The SELECT of the wanted columns of a file and its row numbers; blank texts are null.

    A column is told by its header as headers are compared: blanks, width and case count for
    nothing. `wanted` says of each who wants it.
    """
    if path.is_dir():
        raise LinkFileError(f"{path}: is a folder; name a file in it")
    keys = {header_key(name) for name in wanted}

    def score(cells: Sequence[str]) -> int:
        named = len(keys & set(map(header_key, cells)))
        # a row that names all there is to name is a header, were it but one column
        return named + 1 if named == len(keys) else named

    try:
        reading = readers.read_rows(connection, path, score, copy)
    except readers.UnreadableFile as fault:
        told = f"; wanted are {', '.join(wanted)}" if fault.name == "no_header" else ""
        raise LinkFileError(f"{path}: {fault}{told}") from None
    if reading.malformed:
        row = reading.malformed[0]
        raise LinkFileError(
            f"{path}: row {row.row_number} has {row.cells} cells and its header "
            f"{len(reading.headers)}"
        )
    headers = {header_key(header): header for header in reading.headers}
    missing = [name for name in wanted if header_key(name) not in headers]
    if missing:
        asked = ", ".join(f"{name}, which {wanted[name]} asks for" for name in missing)
        raise LinkFileError(
            f"{path}: has no column {asked}; those of its header are {', '.join(reading.headers)}"
        )
    named = {
        name.lower(): f"nullif(trim({quoted(headers[header_key(name)])}, {BLANK}), '') "
        f"as {quoted(name)}"
        for name in wanted
    }
    columns = ", ".join([readers.ROW_NUMBER, *named.values()])
    return f"select {columns} from {sealed_parquet(copy)}"


def _linked(connection: duckdb.DuckDBPyConnection, table: RuleTable) -> FileLinks:
    columns = ["side", "node", *table.fields]
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
            raise misfit(f"rule {rule.name}", fault) from None
        pairs += [clusters.Pair(*row) for row in rows]
    ids: dict[int, str] = {}
    rolls: dict[int, frozenset[str]] = {}
    for node, side, id_ in connection.execute("select node, side, id from record").fetchall():
        ids[node] = str(id_)
        rolls[node] = frozenset((side,))
    resolution = clusters.resolve(pairs, table.rules, clusters.Facts(rolls=rolls), LARGEST_CLUSTER)
    used = Counter(table.rules[pair.rule].name for pair in resolution.links)
    doubts: dict[tuple[str, str], tuple[str, str, str, str]] = {}
    for pair, doubt in resolution.reviews:
        # a row that has found its partner has no other, and a pair is looked at once
        if pair.one not in resolution.roots and pair.other not in resolution.roots:
            one, other = ids[pair.one], ids[pair.other]
            doubts.setdefault((one, other), (one, other, table.rules[pair.rule].name, doubt))
    return FileLinks(
        links=tuple(
            (ids[pair.one], ids[pair.other], table.rules[pair.rule].name)
            for pair in resolution.links
        ),
        review=tuple(doubts.values()),
        rules={rule.name: used[rule.name] for rule in table.rules},
    )


def _pairs_of(
    connection: duckdb.DuckDBPyConnection, truth: Path, files: Sequence[Path], folder: Path
) -> set[tuple[str, str]]:
    wanted = dict.fromkeys(TRUTH_COLUMNS, "a truth")
    select = _columns(connection, truth, wanted, folder / "truth.parquet")
    rows = connection.execute(f"{select} order by {readers.ROW_NUMBER}").fetchall()
    for place, (side, path) in enumerate(zip(SIDES, files, strict=True), start=1):
        ids = {
            str(row[0])
            for row in connection.execute("select id from record where side = ?", [side]).fetchall()
        }
        strange = [row[0] for row in rows if row[place] not in ids]
        if strange:
            raise LinkFileError(
                f"{truth}: {len(strange)} rows, the first of them row {strange[0]}, have a "
                f"{TRUTH_COLUMNS[place - 1]} that is no id of the {side} file, {path}"
            )
    return {(left, right) for _, left, right in rows}


def _compared(found: FileLinks, truth: set[tuple[str, str]]) -> FileLinks:
    linked = {(left, right) for left, right, _ in found.links}
    right_ones = len(linked & truth)
    precision = right_ones / len(linked) if linked else None
    recall = right_ones / len(truth) if truth else None
    f1 = 2 * right_ones / (len(linked) + len(truth)) if linked or truth else None
    return replace(found, precision=precision, recall=recall, f1=f1)

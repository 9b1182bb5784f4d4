"""The SQL models: one file, one SELECT, one table; what each reads, where its columns come from."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import sqlglot
from sqlglot import exp
from sqlglot.lineage import lineage
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import build_scope

from minsheng.contracts import Contract
from minsheng.warehouse import REPORTED_COLUMNS, REPORTED_SCHEMA

MAY_READ: Mapping[str, frozenset[str]] = {
    "linked": frozenset({"linked", "staged", "vault", "bridge", "reference", "meta"}),
    "indicators": frozenset({"indicators", "linked", "staged", "reference", "meta"}),
    "risk": frozenset({"risk", "indicators", "linked", "reference", "meta"}),
}
"""What a model of a layer may read; a staged model reads its own source alone and needs no SQL.

`reported.<source>` is made with `staged.<source>` and read where that may be read.
"""


class ModelError(ValueError):
    """A model that reads what it may not or names what does not exist."""


@dataclass(frozen=True)
class Model:
    """One SQL model."""

    layer: str
    table: str
    sql: str

    @property
    def name(self) -> str:
        return f"{self.layer}.{self.table}"

    @property
    def header(self) -> str:
        """The comment at the top: grain first, then meaning."""
        lines = []
        for line in self.sql.splitlines():
            if not line.startswith("--"):
                break
            lines.append(line.removeprefix("--").strip())
        return " ".join(lines)

    @property
    def hash(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @cached_property
    def tree(self) -> exp.Query:
        tree = sqlglot.parse_one(self.sql, dialect="duckdb")
        if not isinstance(tree, exp.Query):
            raise ModelError(f"{self.name}: expected one SELECT")
        return tree

    @cached_property
    def reads(self) -> tuple[str, ...]:
        """Tables the model reads, by name; a ledger's reports are read as its rows."""
        return tuple(sorted({_made_with(name) for name in _tables(self.tree)}))


def tables_read(query: str) -> set[str]:
    """Names of the tables that a query reads."""
    return _tables(sqlglot.parse_one(query, dialect="duckdb"))


@lru_cache(maxsize=256)
def _model(layer: str, table: str, sql: str) -> Model:
    """The model of these words, which is parsed once however often it is asked for."""
    return Model(layer, table, sql)


def load_models(root: Path) -> dict[str, Model]:
    """Every model under `sql/`, in an order in which each comes after what it reads.

    Raises ModelError if a model reads a layer it may not or models read each other in a circle.
    """
    models = {}
    for path in sorted((root / "sql").glob("*/*.sql")):
        model = _model(path.parent.name, path.stem, path.read_text(encoding="utf-8"))
        forbidden = [
            name
            for name in model.reads
            if name.split(".")[0] not in MAY_READ.get(model.layer, frozenset())
        ]
        if forbidden:
            raise ModelError(f"{model.name} may not read {forbidden}")
        models[model.name] = model
    ordered: dict[str, Model] = {}
    waiting = dict(models)
    while waiting:
        ready = [
            name
            for name, model in waiting.items()
            if all(read not in waiting for read in model.reads)
        ]
        if not ready:
            raise ModelError(f"models read each other in a circle: {sorted(waiting)}")
        for name in ready:
            ordered[name] = waiting.pop(name)
    return ordered


def column_lineage(
    model: Model, contracts: Mapping[str, Contract]
) -> dict[str, tuple[tuple[str, str], ...]]:
    """For each column of the model the (table, column) pairs it is made of."""
    schema: dict[str, object] = {}
    for name in sorted(_tables(model.tree)):
        contract = contracts.get(_made_with(name))
        if contract is None:
            raise ModelError(f"{model.name} reads {name}, which has no contract")
        layer, table = name.split(".")
        tables = schema.setdefault(layer, {})
        assert isinstance(tables, dict)
        tables[table] = {c.name: c.duckdb_type for c in contract.columns}
        if layer == REPORTED_SCHEMA:
            tables[table] |= {column: kind for column, (_, kind) in REPORTED_COLUMNS.items()}
    tree = qualify(model.tree.copy(), schema=schema, dialect="duckdb")
    roots = lineage(
        None,
        tree,
        schema,
        scope=build_scope(tree),
        dialect="duckdb",
        trim_selects=False,
        copy=False,
    )
    assert isinstance(roots, dict)
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    for column, root in roots.items():
        pairs: set[tuple[str, str]] = set()
        for node in root.walk():
            if isinstance(node.expression, exp.Table) and node.expression.db:
                table = f"{node.expression.db}.{node.expression.name}"
                name = node.name.rsplit(".", 1)[-1].strip('"')
                if node.expression.db == REPORTED_SCHEMA:
                    name, _ = REPORTED_COLUMNS.get(name, (name, ""))
                pairs.add((_made_with(table), name))
        found[column] = tuple(sorted(pairs))
    return found


def _made_with(name: str) -> str:
    """The table that is made in the same step as `name`."""
    layer, table = name.split(".")
    return f"staged.{table}" if layer == REPORTED_SCHEMA else name


def _tables(tree: exp.Expr) -> set[str]:
    return {f"{table.db}.{table.name}" for table in tree.find_all(exp.Table) if table.db}

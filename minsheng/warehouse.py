"""A build's three files, and how tables are written.

`vault.duckdb` holds `vault`, who is who, and is open in one step alone; `restricted.duckdb` holds
`raw`, `staged` and `bridge`. Both are encrypted and owner-only. `minsheng.duckdb` holds all from
`reference` and `linked` on and names nobody. SQL writes `layer.table`, the search path finds it.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

from minsheng import encryption, openings
from minsheng.contracts import LAYERS, RESTRICTED_LAYERS, Contract
from minsheng.openings import Opening
from minsheng.quoting import literal, quoted
from minsheng.settings import (
    PUBLISHED_FILE_MODE,
    RESTRICTED_FILE_MODE,
    RESTRICTED_FOLDER_MODE,
    Settings,
)
from minsheng.spill import spill_folder

WAREHOUSE_FILE = "minsheng.duckdb"
RESTRICTED_FILE = "restricted.duckdb"
VAULT_FILE = "vault.duckdb"
VAULT_CATALOG = "who_is_who"
VAULT_LAYER = "vault"
RECEIVED_SCHEMA = "received"
"""Typed rows as received, refused ones too: what the checks of a source look at."""
REPORTED_SCHEMA = "reported"
"""Rows of ledgers as they were last reported in each year: what the figures of items look at."""
REPORTED_COLUMNS: Mapping[str, tuple[str, str]] = {
    "counted_delivery_id": ("delivery_id", "VARCHAR"),
    "counted_row_number": ("row_number", "BIGINT"),
    "first_year": ("period_month", "INTEGER"),
    "last_year": ("period_month", "INTEGER"),
}
"""Columns of that schema beside the source's own: what each is made of, and its type."""
BESIDE_LAYERS = (RECEIVED_SCHEMA, REPORTED_SCHEMA)


class WarehouseError(RuntimeError):
    """A table that does not come out as its contract promises."""


@dataclass(frozen=True)
class Warehouse:
    """An open build: its folder and the one connection that writes it."""

    settings: Settings
    folder: Path
    connection: duckdb.DuckDBPyConnection

    def rows(self, query: str, parameters: Sequence[object] = ()) -> list[tuple[object, ...]]:
        return self.connection.execute(query, list(parameters)).fetchall()


LEAST_MEMORY_BYTES = 800 << 20
DELIVERED_SHARE = 0.7
MACHINE_SHARE = 0.8


@contextmanager
def open_warehouse(
    settings: Settings, folder: Path, delivered_bytes: int = 0
) -> Iterator[Warehouse]:
    """Open the build in `folder`, made if it is not there yet; closing checkpoints both files.

    DuckDB keeps 0.7 of the bytes delivered in memory, at least 800 MB and at most 0.8 of the
    machine, and spills the rest.
    """
    folder.mkdir(parents=True, exist_ok=True)
    settings.builds.chmod(RESTRICTED_FOLDER_MODE)
    keys = encryption.load_keys(settings)
    with duckdb.connect(str(folder / WAREHOUSE_FILE)) as connection:
        encryption.unlock(connection, keys)
        connection.execute(f"set temp_directory = {literal(str(spill_folder(settings)))}")
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        memory = min(
            max(LEAST_MEMORY_BYTES, int(DELIVERED_SHARE * delivered_bytes)),
            int(MACHINE_SHARE * machine),
        )
        connection.execute(f"set memory_limit = '{memory}B'")
        connection.execute("set preserve_insertion_order = false")
        connection.execute("set enable_progress_bar = false")
        _attach(connection, folder / RESTRICTED_FILE, "restricted", keys.of("restricted"))
        (folder / WAREHOUSE_FILE).chmod(PUBLISHED_FILE_MODE)
        schemas = [schema for schema in (*LAYERS, *BESIDE_LAYERS) if schema != VAULT_LAYER]
        for schema in schemas:
            connection.execute(f"create schema if not exists {_catalog(schema)}.{schema}")
        _search(connection, schemas)
        yield Warehouse(settings, folder, connection)
        connection.execute("checkpoint minsheng")
        connection.execute("checkpoint restricted")


@contextmanager
def open_vault(warehouse: Warehouse, opening: Opening) -> Iterator[None]:
    """Open the build's vault, made if it is not there yet, and note that; closing checkpoints it.

    While it is open the tables of the layer `vault` can be read and written, and at no other time.
    """
    settings, connection = warehouse.settings, warehouse.connection
    file = warehouse.folder / VAULT_FILE
    openings.note(settings, file, opening)
    keys = encryption.load_keys(settings)
    _attach(connection, file, VAULT_CATALOG, keys.of("vault"))
    try:
        connection.execute(f"create schema if not exists {VAULT_CATALOG}.{VAULT_LAYER}")
        _search(connection, (*LAYERS, *BESIDE_LAYERS))
        yield
        connection.execute(f"checkpoint {VAULT_CATALOG}")
    finally:
        _search(connection, [each for each in (*LAYERS, *BESIDE_LAYERS) if each != VAULT_LAYER])
        connection.execute(f"detach {VAULT_CATALOG}")
        _drop_temporary_tables(connection)


def _drop_temporary_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Forget what the linkage has worked with: it names persons, and outlives the vault."""
    temporary = "select table_name from duckdb_tables() where temporary"
    for (name,) in connection.execute(temporary).fetchall():
        connection.execute(f"drop table temp.main.{quoted(name)}")


def _attach(connection: duckdb.DuckDBPyConnection, file: Path, name: str, key: bytes) -> None:
    """Attach an encrypted file, made if it is not there yet."""
    connection.execute(f"attach {literal(str(file))} as {name} (encryption_key ?)", [key.hex()])
    file.chmod(RESTRICTED_FILE_MODE)


def _search(connection: duckdb.DuckDBPyConnection, schemas: Sequence[str]) -> None:
    path = ",".join(f"{_catalog(schema)}.{schema}" for schema in schemas)
    connection.execute(f"set search_path = {literal(path)}")


@contextmanager
def attached(warehouse: Warehouse, file: Path, name: str) -> Iterator[None]:
    """Another database file beside the build, for reading only."""
    warehouse.connection.execute(f"attach {literal(str(file))} as {name} (read_only)")
    try:
        yield
    finally:
        warehouse.connection.execute(f"detach {name}")


def write_table(
    warehouse: Warehouse, contract: Contract, select: str, *, commented: bool = True
) -> int:
    """Make the table of `contract` from `select` and return its rows.

    Columns come in the contract's order and types. Raises WarehouseError if the SELECT lacks a
    column or has one that nobody promised.
    """
    connection = warehouse.connection
    found = [row[0] for row in connection.execute(f"describe {select}").fetchall()]
    promised = [column.name for column in contract.columns]
    if set(found) != set(promised):
        raise WarehouseError(
            f"{contract.name}: columns that are promised and not made "
            f"{sorted(set(promised) - set(found))}, made and not promised "
            f"{sorted(set(found) - set(promised))}"
        )
    cast = ", ".join(f"cast({c.name} as {c.duckdb_type}) as {c.name}" for c in contract.columns)
    name = qualified(contract)
    with one_commit(connection):
        rows = connection.execute(
            f"create or replace table {name} as select {cast} from ({select})"
        ).fetchall()
        if commented:
            _comment(connection, "table", name, contract)
    return int(str(rows[0][0]))


def append_rows(warehouse: Warehouse, contract: Contract, select: str) -> int:
    """Add the rows of `select` to the table of `contract` and return their number."""
    rows = warehouse.rows(f"insert into {qualified(contract)} by name {select}")
    return int(str(rows[0][0]))


def write_rows(
    warehouse: Warehouse,
    contract: Contract,
    rows: Sequence[Mapping[str, object]],
    *,
    commented: bool = True,
) -> int:
    """Make the table of `contract` from rows of Python values."""
    columns = [column.name for column in contract.columns]
    for row in rows:
        if set(row) != set(columns):
            raise WarehouseError(
                f"{contract.name}: a row has {sorted(row)}, promised are {sorted(columns)}"
            )
    frame = pl.DataFrame(
        {
            name: pl.Series(name, [_text(row[name]) for row in rows], dtype=pl.String)
            for name in columns
        }
    )
    with _registered(warehouse.connection, frame) as name:
        return write_table(warehouse, contract, f"select * from {name}", commented=commented)


def write_view(
    warehouse: Warehouse, contract: Contract, schema: str, select: str, *, commented: bool = True
) -> None:
    """Make a view of the contract's name in `schema`."""
    name = f"{_catalog(schema)}.{schema}.{quoted(contract.table)}"
    with one_commit(warehouse.connection):
        warehouse.connection.execute(f"create or replace view {name} as {select}")
        if commented and schema == contract.layer:
            _comment(warehouse.connection, "view", name, contract)


def table_digest(warehouse: Warehouse, contract: Contract) -> tuple[int, str]:
    """Rows and digest of a table; it depends neither on the order of rows nor on the clock."""
    columns = ", ".join(column.name for column in contract.columns if not column.clock)
    rows = warehouse.rows(
        f"""
        select count(*), coalesce(sum(md5_number_lower(to_json(t)::varchar)::hugeint), 0)
        from (select {columns} from {qualified(contract)}) as t
        """
    )
    count, total = rows[0]
    return int(str(count)), f"{int(str(total)):x}"


def quick_digest(warehouse: Warehouse, contract: Contract) -> str:
    """A digest that holds within one version of the engine, at a tenth of the cost."""
    rows = warehouse.rows(
        f"select coalesce(sum(hash(t)::hugeint), 0) from {qualified(contract)} as t"
    )
    return f"{int(str(rows[0][0])):x}"


def table_exists(warehouse: Warehouse, contract: Contract) -> bool:
    rows = warehouse.rows(
        "select 1 from information_schema.tables "
        "where table_catalog = ? and table_schema = ? and table_name = ?",
        [_catalog(contract.layer), contract.layer, contract.table],
    )
    return bool(rows)


def qualified(contract: Contract) -> str:
    return f"{_catalog(contract.layer)}.{contract.layer}.{quoted(contract.table)}"


def _catalog(schema: str) -> str:
    if schema == VAULT_LAYER:
        return VAULT_CATALOG
    is_restricted = schema in RESTRICTED_LAYERS or schema in BESIDE_LAYERS
    return "restricted" if is_restricted else "minsheng"


@contextmanager
def one_commit(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Write to disk once, and all of it or nothing."""
    connection.begin()
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


@contextmanager
def _registered(connection: duckdb.DuckDBPyConnection, frame: pl.DataFrame) -> Iterator[str]:
    connection.register("rows_to_write", frame)
    try:
        yield "rows_to_write"
    finally:
        connection.unregister("rows_to_write")


def _comment(
    connection: duckdb.DuckDBPyConnection, kind: str, name: str, contract: Contract
) -> None:
    comments = {f"{kind} {name}": contract.comment} | {
        f"column {name}.{quoted(column.name)}": column.comment for column in contract.columns
    }
    connection.execute(
        ";".join(f"comment on {what} is {literal(text)}" for what, text in comments.items())
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)

"""A dataset in a department's front-end database (前置库): each period becomes a file in the inbox.

`deployments/<name>/databases.yaml` says which table or SELECT delivers which dataset. What is read
is read only, as text, and ordered by all its columns, so that rows that have not changed give the
bytes that were delivered before, and no new delivery.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import duckdb
import sqlglot
import yaml

from minsheng import encryption, extensions, judging, lake
from minsheng.cell_forms import Codes
from minsheng.contracts import Contract
from minsheng.faults import without_values
from minsheng.lake import Receipt
from minsheng.project import Project
from minsheng.quoting import literal, quoted
from minsheng.readers import UnreadableFile
from minsheng.readers.parquet import text_of
from minsheng.settings import (
    RESTRICTED_FILE_MODE,
    Settings,
    SettingsError,
)

CONFIGURATION = "databases.yaml"
ENVIRONMENT_KEYS = ("host", "port", "dbname", "user", "password")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
NAME = re.compile(r"[a-z_]+")
"""A database's name stands in the names of its files, where digits would be taken for a period."""

STATEMENT = re.compile(r'"(?:select|copy) .*?":(?!:)', re.DOTALL | re.IGNORECASE)
"""Our own SQL, as it stands in an engine's message."""

MOST_PERIOD_VALUES = 10_000
ROWS_OF_A_GROUP = 122_880
PLACEHOLDERS = {"{year}": r"((?:19|20)\d{2})", "{month}": r"(0[1-9]|1[0-2])"}


@dataclass(frozen=True)
class Engine:
    """What PostgreSQL and MySQL call differently."""

    quote: str
    text: str
    schema: str
    """The schema of a table that is named without one."""
    shown_by_source: tuple[str, ...]
    """DuckDB types of columns that the source has to turn into text.

    A number of any precision comes as a DOUBLE, MySQL's date 0000-00-00 as null.
    """
    escapes: bool
    """Whether a backslash in its literals stands for something else."""
    connect: str
    settings: Mapping[str, str]

    def quoted(self, name: str) -> str:
        return self.quote + name.replace(self.quote, self.quote * 2) + self.quote

    def literal(self, text: str) -> str:
        return literal(text.replace("\\", "\\\\") if self.escapes else text)


ENGINES = {
    "postgres": Engine(
        quote='"',
        text="text",
        schema="current_schema()",
        shown_by_source=("DOUBLE", "FLOAT"),
        escapes=False,
        # a server that is gone must not hold the night up
        connect="client_encoding=utf8 connect_timeout=10 "
        "keepalives_idle=60 keepalives_interval=10 keepalives_count=3",
        settings={},
    ),
    "mysql": Engine(
        quote="`",
        text="char",
        schema="database()",
        shown_by_source=("DOUBLE", "FLOAT", "DATE", "TIMESTAMP"),
        escapes=True,
        connect="",
        # tinyint(1) holds codes too; a long month may take its time
        settings={"mysql_tinyint1_as_boolean": "false", "mysql_query_timeout_enabled": "false"},
    ),
}


@dataclass(frozen=True)
class Database:
    """A database and the environment variables that hold where it is and who reads it."""

    name: str
    engine: str
    variables: Mapping[str, str]


@dataclass(frozen=True)
class Relation:
    """What delivers a dataset: a table, tables named by period, or a SELECT."""

    source: Contract
    database: Database
    table: str
    select: str
    period_column: str
    """Empty if the table's name holds {year} and {month}."""
    compared_again: int
    """How many periods before the latest are read again, in case they were corrected."""
    sender: str | None

    @property
    def title(self) -> str:
        assert self.source.delivery
        delivery = self.source.delivery
        parts = (delivery.department, delivery.dataset, self.sender)
        return "/".join(part for part in parts if part)

    @property
    def engine(self) -> Engine:
        return ENGINES[self.database.engine]

    @property
    def period_kind(self) -> Literal["year", "month"]:
        assert self.source.delivery
        return self.source.delivery.period

    def folder(self, inbox: Path) -> Path:
        return inbox / self.title

    def file_name(self, period: str) -> str:
        return f"{self.database.name}-{period}.parquet"


class DatabaseFault(RuntimeError):
    """A relation that could not be read, or not whole; the message holds no password."""


def fetch(project: Project, now: datetime) -> tuple[str, ...]:
    """Put what is new in the databases into the inbox; return a line for each relation that failed.

    Read are the periods that the lake lacks, the latest, and those before it that are compared
    again; what has not begun is left. A failure leaves the last good delivery in force.
    The caller holds the home's lock. Raises SettingsError if `databases.yaml` is wrong.
    """
    faults = []
    for relation in load_relations(project.settings, project.sources):
        try:
            _fetch_relation(project, relation, now)
        except (DatabaseFault, UnreadableFile, OSError) as fault:
            faults.append(
                f"not fetched: {relation.title} from {relation.database.name}: {fault}; "
                "the last good delivery stays in force and the next refresh tries again"
            )
    return tuple(faults)


def load_relations(settings: Settings, sources: Sequence[Contract]) -> tuple[Relation, ...]:
    """What the deployment's `databases.yaml` configures; nothing if there is none."""
    path = settings.deployment / CONFIGURATION
    if not path.is_file():
        return ()
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        databases = {
            name: _database(name, dict(each)) for name, each in dict(values["databases"]).items()
        }
        by_table = {source.table: source for source in sources}
        relations = tuple(
            _relation(dict(each), databases, by_table) for each in values["relations"]
        )
    except (yaml.YAMLError, TypeError, KeyError, ValueError) as fault:
        told = f"{fault} is missing" if isinstance(fault, KeyError) else str(fault)
        raise SettingsError(f"{path}: {told}") from None
    titles = [relation.title for relation in relations]
    repeated = sorted({title for title in titles if titles.count(title) > 1})
    if repeated:
        raise SettingsError(f"{path}: {repeated} stand in it more than once")
    return relations


def _database(name: str, values: dict[str, str]) -> Database:
    if not NAME.fullmatch(name):
        raise SettingsError(f"database {name!r} must be named in small letters and underscores")
    engine = values.pop("engine")
    if engine not in ENGINES:
        raise SettingsError(f"database {name}: engine {engine!r} is none of {sorted(ENGINES)}")
    if set(values) != set(ENVIRONMENT_KEYS):
        raise SettingsError(f"database {name} wants engine and {', '.join(ENVIRONMENT_KEYS)}")
    for key, variable in values.items():
        # what stands there is not repeated: it may be the password itself
        if not VARIABLE.fullmatch(str(variable)):
            raise SettingsError(f"database {name}: {key} must name an environment variable")
    return Database(name, engine, values)


def _relation(
    values: dict[str, object],
    databases: Mapping[str, Database],
    sources: Mapping[str, Contract],
) -> Relation:
    dataset, database = str(values.pop("dataset")), str(values.pop("database"))
    if dataset not in sources:
        raise SettingsError(f"{dataset} is no enabled dataset")
    if database not in databases:
        raise SettingsError(f"{dataset}: there is no database {database!r}")
    sender = values.pop("sender", None)
    relation = Relation(
        source=sources[dataset],
        database=databases[database],
        table=str(values.pop("table", "")),
        select=str(values.pop("select", "")).strip().rstrip(";"),
        period_column=str(values.pop("period_column", "")),
        compared_again=int(str(values.pop("compared_again"))),
        sender=None if sender is None else str(sender),
    )
    if values:
        raise SettingsError(f"{dataset}: {sorted(values)} are not known")
    if relation.compared_again < 0:
        raise SettingsError(f"{dataset}: compared_again is less than 0")
    if bool(relation.table) == bool(relation.select):
        raise SettingsError(f"{dataset}: either a table or a select delivers it")
    if relation.select and not _is_select(relation):
        raise SettingsError(f"{dataset}: its select is not one SELECT of {database}'s engine")
    wanted = ["{year}"] if relation.period_kind == "year" else ["{year}", "{month}"]
    named = [each for each in PLACEHOLDERS if each in relation.table]
    if bool(relation.period_column) == bool(named) or named not in ([], wanted):
        raise SettingsError(
            f"{dataset}: either a period_column tells its {relation.period_kind}, "
            f"or {' and '.join(wanted)} in the table's name"
        )
    return relation


def _is_select(relation: Relation) -> bool:
    try:
        parsed = sqlglot.parse(relation.select, dialect=relation.database.engine)
    except sqlglot.errors.SqlglotError:
        return False
    return len(parsed) == 1 and isinstance(parsed[0], sqlglot.exp.Query)


def _fetch_relation(project: Project, relation: Relation, now: datetime) -> None:
    settings = project.settings
    receipts = lake.read_receipts(settings.lake, relation.source.table)
    last = {
        receipt.period: receipt
        for receipt in receipts
        if receipt.sender == relation.sender
        and receipt.file_name == relation.file_name(receipt.period)
    }
    today = now.astimezone(settings.time_zone).date()
    with open_source(settings, relation) as connection:
        parts, rows_without = _parts(connection, relation)
        begun = sorted(period for period in parts if lake.first_month(period) <= today)
        compared = begun[-1 - relation.compared_again :]
        for period in begun:
            receipt = last.get(period)
            if receipt is None or receipt.status == "refused" or period in compared:
                _extract(connection, project, relation, period, parts[period], receipt)
    if rows_without:
        raise DatabaseFault(
            f"{rows_without} rows tell no {relation.period_kind} in {relation.period_column} and "
            "were left behind; mend them at the source"
        )


@contextmanager
def open_source(settings: Settings, relation: Relation) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that reads the relation's database as `source` and can write nothing there.

    Raises DatabaseFault if it cannot be reached or a query fails; what the source says of a query
    is told without the values of its rows.
    """
    engine, database = relation.engine, relation.database
    values = _environment(database)
    secret = {
        "host": values["host"],
        "port": values["port"],
        "database": values["dbname"],
        "user": values["user"],
        "password": values["password"],
    }
    told = ", ".join(f"{name} {literal(value)}" for name, value in secret.items())
    try:
        with encryption.new_database(settings) as connection:
            connection.execute(extensions.load(f"{database.engine}_scanner"))
            for name, value in engine.settings.items():
                connection.execute(f"set {name} = {value}")
            # moments are shown as they are read on the clocks of the place; one thread writes the
            # same rows to the same bytes
            connection.execute(f"set TimeZone = {literal(settings.time_zone.key)}")
            connection.execute("set threads = 1")
            connection.execute(f"create secret source (type {database.engine}, {told})")
            connection.execute(
                f"attach {literal(engine.connect)} as source "
                f"(type {database.engine}, secret source, read_only)"
            )
            try:
                yield connection
            except duckdb.Error as fault:
                said = STATEMENT.sub("", str(fault))
                told = without_values(said, _own_names(relation, values["dbname"]))
                raise _database_fault(told, values["password"]) from None
    except duckdb.Error as fault:
        raise _database_fault(str(fault), values["password"]) from None


def _database_fault(told: str, password: str) -> DatabaseFault:
    # without the place in the query that follows
    line = " ".join(told.partition("\nLINE ")[0].split())
    return DatabaseFault(
        f"{blotted(line, password)}; "
        f"check the server, what the account may read, and {CONFIGURATION}"
    )


def _own_names(relation: Relation, dbname: str) -> frozenset[str]:
    """Names of tables and columns as the configuration writes them: no value of any row."""
    names = {relation.period_column, relation.table, *relation.table.split(".")}
    names.add(f"{dbname}.{relation.table}")
    if relation.select:
        parsed = sqlglot.parse_one(relation.select, dialect=relation.database.engine)
        names |= {identifier.name for identifier in parsed.find_all(sqlglot.exp.Identifier)}
    return frozenset(names - {""})


def _environment(database: Database) -> dict[str, str]:
    missing = [name for name in database.variables.values() if name not in os.environ]
    if missing:
        raise DatabaseFault(f"the environment variables {', '.join(missing)} are not set")
    values = {key: os.environ[name] for key, name in database.variables.items()}
    if not values["port"].isdecimal():
        raise DatabaseFault(f"{database.variables['port']} holds no port number")
    return values


def blotted(text: str, password: str) -> str:
    """`text` without the password, however the engine or its driver may have quoted it."""
    escaped = password.replace("\\", "\\\\").replace("'", "\\'")
    for form in (escaped, literal(password)[1:-1], password):
        if form:
            text = text.replace(form, "***")
    return text


def _parts(connection: duckdb.DuckDBPyConnection, relation: Relation) -> tuple[dict[str, str], int]:
    """The FROM clause of each period in the source's SQL, and how many rows belong to none."""
    if relation.period_column:
        return _parts_by_column(connection, relation)
    return _parts_by_name(connection, relation), 0


def _parts_by_column(
    connection: duckdb.DuckDBPyConnection, relation: Relation
) -> tuple[dict[str, str], int]:
    engine = relation.engine
    column = engine.quoted(relation.period_column)
    relation_sql = f"({relation.select}\n)" if relation.select else _table(engine, relation.table)
    rows = f"from {relation_sql} as delivered"
    # also tells whether the source has to show it
    ((_, kind, *_),) = _columns(connection, relation, f"select {column} {rows}")
    shown = f"cast({column} as {engine.text})" if kind in engine.shown_by_source else column
    counted = f"select {shown} as value, count(*) as row_count {rows} group by {column}"
    found = connection.execute(
        f"select value::varchar, row_count from {_query(relation, counted)} "
        f"limit {MOST_PERIOD_VALUES + 1}"
    ).fetchall()
    if len(found) > MOST_PERIOD_VALUES:
        raise DatabaseFault(
            f"{relation.period_column} has more than {MOST_PERIOD_VALUES:,} different values; "
            f"use a select with a column of {relation.period_kind}s"
        )
    values: dict[str, list[str]] = {}
    rows_without = 0
    for value, row_count in found:
        period = lake.period_in(value or "", relation.period_kind)
        if period:
            values.setdefault(period, []).append(value)
        else:
            rows_without += row_count
    return {
        period: f"{rows} where {column} in ({', '.join(map(engine.literal, sorted(each)))})"
        for period, each in values.items()
    }, rows_without


def _parts_by_name(connection: duckdb.DuckDBPyConnection, relation: Relation) -> dict[str, str]:
    schema, _, table = relation.table.rpartition(".")
    place = literal(schema) if schema else relation.engine.schema
    named = connection.execute(
        "select name from "
        + _query(
            relation,
            "select table_name as name from information_schema.tables "
            f"where table_schema = {place}",
        )
    ).fetchall()
    pattern = re.escape(table).replace(r"\{", "{").replace(r"\}", "}")
    for placeholder, digits in PLACEHOLDERS.items():
        pattern = pattern.replace(placeholder, digits)
    found = {
        "-".join(match.groups()): name
        for (name,) in named
        if (match := re.fullmatch(pattern, name))
    }
    if not found:
        raise DatabaseFault(f"there is no table {relation.table} that the account may read")
    prefix = f"{schema}." if schema else ""
    return {
        period: f"from {_table(relation.engine, prefix + name)} as delivered"
        for period, name in found.items()
    }


def _table(engine: Engine, name: str) -> str:
    return ".".join(engine.quoted(part) for part in name.split("."))


def _columns(
    connection: duckdb.DuckDBPyConnection, relation: Relation, select: str
) -> list[tuple[str, str]]:
    """Names and DuckDB types of the columns of a SELECT of the source."""
    described = connection.execute(f"describe select * from {_query(relation, select)}")
    return [(name, kind) for name, kind, *_ in described.fetchall()]


def _query(relation: Relation, select: str) -> str:
    """A FROM item that has the source run `select`."""
    return f"{relation.database.engine}_query('source', {literal(select)})"


def _extract(
    connection: duckdb.DuckDBPyConnection,
    project: Project,
    relation: Relation,
    period: str,
    rows: str,
    last: Receipt | None,
) -> None:
    """Put one period into the inbox unless it is empty or was delivered just so the last time."""
    engine = relation.engine
    taken, shown = [], []
    for name, kind in _columns(connection, relation, f"select * {rows}"):
        column = engine.quoted(name)
        if kind in engine.shown_by_source:
            taken.append(f"cast({column} as {engine.text}) as {column}")
            shown.append(quoted(name))
        elif kind == "TIMESTAMP WITH TIME ZONE":
            taken.append(column)
            shown.append(f"{quoted(name)}::timestamp::varchar as {quoted(name)}")
        else:
            taken.append(column)
            shown.append(f"{text_of(name, kind)} as {quoted(name)}")
    taking = _query(relation, f"select {', '.join(taken)} {rows}")
    texts = f"select {', '.join(shown)} from {taking}"
    path = relation.folder(project.settings.inbox) / relation.file_name(period)
    path.parent.mkdir(parents=True, exist_ok=True)
    # a name that is not taken for a file that waits
    unfinished = path.with_name(f".{path.name}.part")
    try:
        unfinished.touch(RESTRICTED_FILE_MODE)
        ((row_count,),) = connection.execute(
            f"copy ({texts} order by all) to {literal(str(unfinished))} "
            f"(format parquet, row_group_size {ROWS_OF_A_GROUP}, use_tmp_file false)"
        ).fetchall()
        if row_count and not _is_repeated(unfinished, last, relation, project.codes):
            unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _is_repeated(path: Path, last: Receipt | None, relation: Relation, codes: Codes) -> bool:
    """Whether the same bytes were delivered last, and would be judged now as they were then."""
    if last is None:
        return False
    with path.open("rb") as stream:
        if hashlib.file_digest(stream, "sha256").hexdigest() != last.sha256:
            return False
    version = judging.typed_version(relation.source, codes)
    return last.status == "taken" or last.contract_hash == version

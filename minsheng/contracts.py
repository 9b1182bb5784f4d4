"""Contracts: what each table promises, read from `expectations/` and its overlay.

A staged contract also says how its dataset arrives, and the contracts of the rows as received
(`raw`) derive from it. Everything else that knows of columns, types or rules asks here.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from difflib import get_close_matches
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal, get_args

import duckdb

from minsheng.documents import read_document
from minsheng.settings import Settings

Severity = Literal["critical", "warning"]
Mode = Literal["snapshot", "append", "upsert"]
PeriodKind = Literal["year", "month"]
LAYERS = (
    *("raw", "reference", "staged", "vault", "bridge"),
    *("linked", "indicators", "risk", "quality", "meta"),
)
RESTRICTED_LAYERS = ("raw", "staged", "vault", "bridge")

DUCKDB_TYPES: Mapping[str, str] = {
    "text": "VARCHAR",
    "name": "VARCHAR",
    "id_number": "VARCHAR",
    "certificate_number": "VARCHAR",
    "number_text": "VARCHAR",
    "code": "VARCHAR",
    "area_code": "VARCHAR",
    "integer": "BIGINT",
    "hash": "UHUGEINT",
    "year": "INTEGER",
    "month": "DATE",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "flag": "BOOLEAN",
    "yuan": "DECIMAL(18,2)",
    "number": "DECIMAL(18,6)",
    "rate": "DOUBLE",
}


class ContractError(ValueError):
    """A contract that contradicts itself or names what does not exist."""


@dataclass(frozen=True)
class UnknownWhen:
    """A column is unknown where another delivered column holds one of these texts."""

    header: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Column:
    """One column of a table; the delivery part is empty for tables that are not delivered."""

    name: str
    label_zh: str
    label_en: str
    type: str
    sensitivity: Literal["direct", "quasi", "none"]
    meaning: str
    unit: str | None = None
    units: Mapping[str, int] = field(default_factory=dict)
    """Units that a delivered file may state, and how many of the column's own unit each is."""
    codes: str | None = None
    required: bool = False
    headers: tuple[str, ...] = ()
    composed_of: tuple[str, ...] = ()
    default: str | None = None
    otherwise: str | None = None
    unknown_when: UnknownWhen | None = None
    minimum: float | None = None
    maximum: float | None = None
    not_future: bool = False
    clock: bool = False
    """The value comes from the wall clock, so it is left out of the table's digest."""

    @property
    def duckdb_type(self) -> str:
        return DUCKDB_TYPES[self.type]

    @property
    def comment(self) -> str:
        unit = f" [{self.unit}]" if self.unit else ""
        return f"{self.label_zh} · {self.label_en}{unit}: {self.meaning}"


@dataclass(frozen=True)
class Rule:
    """A predicate over the typed columns of one row; false is a fault, unknown is not."""

    name: str
    severity: Severity
    expression: str
    columns: tuple[str, ...]
    why: str
    mend: str = ""
    """What the sender should do; where it is empty the reason says it."""


@dataclass(frozen=True)
class Reference:
    """A foreign key: the columns, where known, stand in another table."""

    columns: tuple[str, ...]
    table: str
    target: tuple[str, ...]
    severity: Severity


@dataclass(frozen=True)
class TableCheck:
    """A query on the finished tables that returns the offending rows or groups."""

    name: str
    severity: Severity
    query: str
    why: str


@dataclass(frozen=True)
class Delivery:
    """How a dataset arrives."""

    department: str
    dataset: str
    period: PeriodKind
    usual_lag_days: int
    promised_days: int
    mode: Mode = "snapshot"
    """Snapshot: a delivery replaces the earlier one of its sender and period. Append: all count, a
    key delivered before is a repetition. Upsert: all count, of a key the row of the latest period
    and of this the one delivered last."""
    dated_by: str | None = None
    """The column whose dates lie in the period of the delivery."""
    minimum_accepted_rate: float = 0.5
    """Below this share of good rows the whole file is refused and the last good one stays."""
    moves_as_of: bool = True
    """Whether figures describe the latest month that the dataset covers."""
    stands_from: str | None = None
    """In a ledger (upsert) whose rows stand until they are reported otherwise, the column with the
    day from which on a row is as it says."""
    asked_by: str | None = None
    """The table whose workbook is filled in and delivered; it shows its columns beside."""


@dataclass(frozen=True)
class Contract:
    """What one table promises."""

    layer: str
    table: str
    description_zh: str
    description_en: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...] = ()
    checks: tuple[TableCheck, ...] = ()
    references: tuple[Reference, ...] = ()
    figures: tuple[str, ...] = ()
    """Columns that are published figures: a later version says when they have moved, and why."""
    of_history: bool = False
    """The rows depend on what was published before, so the table has no digest."""
    delivery: Delivery | None = None
    shown_beside: tuple[str, ...] = ()
    """Headers of the workbook that is filled in and delivered whose cells name nobody."""

    @property
    def name(self) -> str:
        """`layer.table`, as SQL writes it."""
        return f"{self.layer}.{self.table}"

    @property
    def comment(self) -> str:
        return f"{self.description_zh} · {self.description_en} ({self.grain})"

    @cached_property
    def hash(self) -> str:
        """Changes when anything the contract says changes."""
        text = json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def column(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise ContractError(f"{self.name} has no column {name!r}")


def _fields_of(kind: type) -> frozenset[str]:
    return frozenset(each.name for each in fields(kind))


CONTRACT_ENTRIES = _fields_of(Contract) - {"layer", "table", "shown_beside"}
COLUMN_ENTRIES = _fields_of(Column) - {"name", "units"} | {"per"}
JUDGED_BESIDE = {
    "delivered_on": "date",
    **dict.fromkeys(("unreadable", "disagreeing", "misspelt"), "varchar"),
}
"""What a rule of a delivered row may ask for beside the contract's columns."""


def load_contracts(settings: Settings) -> dict[str, Contract]:
    """Every contract by `layer.table`, the deployment's overlay merged over the project's."""
    folders = settings.overlaid("expectations")
    texts = tuple((path, path.read_bytes()) for each in folders for path in _documents(each))
    # where the home is changes nothing
    return dict(_loaded(replace(settings, home=settings.root), texts))


def _documents(folder: Path) -> list[Path]:
    return sorted([*folder.glob("*.yaml"), *folder.glob("*/*.yaml")])


@lru_cache(maxsize=8)
def _loaded(settings: Settings, _: tuple[tuple[Path, bytes], ...]) -> dict[str, Contract]:
    """The contracts of documents with these bytes; every project asks for them."""
    vocabulary: dict[str, dict[str, object]] = {}
    units: dict[str, object] = {}
    documents: dict[str, dict[str, object]] = {}
    files: dict[str, list[str]] = {}
    for folder in settings.overlaid("expectations"):
        shared = folder / "columns.yaml"
        if shared.is_file():
            for name, words in _read(shared).items():
                vocabulary[name] = {
                    **vocabulary.get(name, {}),
                    **_mapping(words, f"{shared}: {name}"),
                }
        if (folder / "units.yaml").is_file():
            units = _merged(units, _read(folder / "units.yaml"))
        for path in sorted(folder.glob("*/*.yaml")):
            key = f"{path.parent.name}.{path.stem}"
            documents[key] = _merged(documents.get(key, {}), _read(path))
            files.setdefault(key, []).append(_shown(path, settings))
    contracts = {
        key: _contract(key, " with ".join(files[key]), document, vocabulary, units, settings)
        for key, document in documents.items()
    }
    _bind(contracts, {key: " with ".join(names) for key, names in files.items()})
    contracts |= {key: _with_workbook(each, contracts) for key, each in contracts.items()}
    return {**contracts, **{f"raw.{c.table}": _raw(c) for c in contracts.values() if c.delivery}}


def _with_workbook(contract: Contract, contracts: Mapping[str, Contract]) -> Contract:
    """The contract with what the workbook shows that asks for its deliveries, if one does."""
    if not contract.delivery or not contract.delivery.asked_by:
        return contract
    asking = contracts.get(contract.delivery.asked_by)
    if not asking:
        raise ContractError(
            f"{contract.name}: asked_by {contract.delivery.asked_by!r} is no table's name"
        )
    shown = tuple(each.label_zh for each in asking.columns if each.sensitivity == "none")
    return replace(contract, shown_beside=shown)


def enabled_sources(contracts: Mapping[str, Contract], settings: Settings) -> tuple[Contract, ...]:
    """Staged contracts of the datasets that the deployment enables, by name."""
    sources = [contract for contract in contracts.values() if contract.layer == "staged"]
    names = {contract.table for contract in sources}
    unknown = sorted(set(settings.datasets or ()) - names)
    if unknown:
        raise ContractError(f"{settings.deployment}: enabled datasets without contract {unknown}")
    enabled = names if settings.datasets is None else set(settings.datasets)
    return tuple(sorted((c for c in sources if c.table in enabled), key=lambda c: c.table))


RECEIVED = ("delivery_id", "row_number", "sender", "period", "period_month")
"""What every staged row carries beside its columns: where it came from and its period."""

IDENTITIES: Mapping[str, frozenset[str]] = {
    "record_identity": frozenset({"id_number", "person_name"}),
    "household_identity": frozenset({"household_number"}),
    "co_living_identity": frozenset({"co_living_number"}),
    "registration_identity": frozenset({"hukou_number"}),
}
"""Staged columns that are made where a dataset has certain others: who a row is about."""


def _contract(
    key: str,
    file: str,
    document: Mapping[str, object],
    vocabulary: Mapping[str, Mapping[str, object]],
    units: Mapping[str, object],
    settings: Settings,
) -> Contract:
    """The contract `key` as `file` says it."""
    layer, table = key.split(".")
    _only(file, document, CONTRACT_ENTRIES)
    listed = document.get("columns")
    if layer not in LAYERS or not isinstance(listed, dict):
        raise ContractError(f"{file}: needs a known layer and columns")
    names = list(listed)
    if layer == "staged":
        names += [name for name, parts in IDENTITIES.items() if parts <= set(listed)]
        names += [name for name in RECEIVED if name not in listed]
    columns = tuple(
        _column(
            file,
            name,
            vocabulary,
            units if document.get("delivery") else {},
            listed.get(name) or {},
            settings,
        )
        for name in names
    )
    try:
        contract = Contract(
            layer=layer,
            table=table,
            description_zh=str(document["description_zh"]),
            description_en=str(document["description_en"]),
            grain=str(document["grain"]),
            key=_names(document["key"]),
            columns=columns,
            rules=tuple(_rule(file, entry) for entry in _entries(file, document, "rules")),
            checks=tuple(_check(file, entry) for entry in _entries(file, document, "checks")),
            references=tuple(
                _reference(file, entry) for entry in _entries(file, document, "references")
            ),
            figures=_names(document.get("figures", ())),
            of_history=bool(document.get("of_history")),
            delivery=_delivery(file, document.get("delivery")),
        )
    except KeyError as missing:
        raise ContractError(f"{file}: {missing} is missing") from None
    except TypeError as fault:
        raise ContractError(f"{file}: {fault}") from None
    delivery = contract.delivery
    dates = (delivery.dated_by, delivery.stands_from) if delivery else ()
    for name in (*contract.key, *contract.figures, *filter(None, dates)):
        if not any(column.name == name for column in columns):
            raise ContractError(f"{file}: names the column {name!r}, which it does not list")
    return contract


def _only(where: str, entries: Mapping[str, object], known: Collection[str]) -> None:
    """Raise ContractError if there is an entry that is not known."""
    for name in entries:
        if name not in known:
            near = get_close_matches(name, known, 1)
            meant = f" (is {near[0]!r} meant?)" if near else ""
            raise ContractError(
                f"{where}: unknown entry {name!r}{meant}; known are {', '.join(sorted(known))}"
            )


def _column(
    file: str,
    name: str,
    vocabulary: Mapping[str, Mapping[str, object]],
    units: Mapping[str, object],
    own: Mapping[str, object],
    settings: Settings,
) -> Column:
    where = f"{file}: column {name!r}"
    words = vocabulary.get(name)
    if words is None:
        raise ContractError(f"{where} is not in expectations/columns.yaml")
    values: dict[str, object] = {**words, **_mapping(own, where)}
    _only(where, values, COLUMN_ENTRIES)
    for plural in ("headers", "composed_of"):
        values[plural] = _names(values.get(plural, ()))
    unknown_when = values.get("unknown_when")
    if isinstance(unknown_when, dict):
        _only(f"{where}: unknown_when", unknown_when, _fields_of(UnknownWhen))
        values["unknown_when"] = UnknownWhen(
            header=str(unknown_when["header"]), values=_names(unknown_when["values"])
        )
    values["units"] = _units(units.get(str(values.get("type"))), values.pop("per", None))
    if isinstance(values.get("unit"), str):
        values["unit"] = str(values["unit"]).replace("currency", settings.currency_en)
    try:
        column = Column(name=name, **values)  # type: ignore[arg-type]  # checked just below
    except TypeError as fault:
        raise ContractError(f"{where}: {fault}") from None
    if column.type not in DUCKDB_TYPES:
        raise ContractError(f"{where} has unknown type {column.type!r}")
    return column


def _units(units: object, per: object) -> dict[str, int]:
    """The units of a type, each alone and over what the column says its amounts are per."""
    alone = units if isinstance(units, dict) else {}
    over = per if isinstance(per, dict) else {}
    joined = {
        f"{u}/{each}": size * count for u, size in alone.items() for each, count in over.items()
    }
    return {**alone, **joined}


def _raw(staged: Contract) -> Contract:
    """The contract of a dataset's rows as received: the same columns, as text."""
    received = set(RECEIVED)
    columns = tuple(
        column if column.name in received else replace(column, type="text", codes=None, unit=None)
        for column in staged.columns
        if column.name not in IDENTITIES
    )
    return replace(
        staged,
        layer="raw",
        grain="one row as received",
        key=("delivery_id", "row_number"),
        columns=columns,
        rules=(),
        checks=(),
        references=(),
    )


def _delivery(file: str, entry: object) -> Delivery | None:
    if entry is None:
        return None
    values = _mapping(entry, f"{file}: delivery")
    _only(f"{file}: delivery", values, _fields_of(Delivery))
    delivery = Delivery(**values)  # type: ignore[arg-type]  # what is missing raises TypeError
    for name, value, known in (
        ("mode", delivery.mode, get_args(Mode)),
        ("period", delivery.period, get_args(PeriodKind)),
    ):
        if value not in known:
            raise ContractError(
                f"{file}: delivery has the {name} {value!r}, not one of {', '.join(known)}"
            )
    if delivery.stands_from and delivery.mode != "upsert":
        raise ContractError(f"{file}: delivery has stands_from, which only the mode upsert has")
    return delivery


def _rule(file: str, entry: Mapping[str, object]) -> Rule:
    where = f"{file}: rule {entry.get('name')!r}"
    _only(where, entry, _fields_of(Rule))
    rule = Rule(**{**entry, "columns": _names(entry["columns"])})  # type: ignore[arg-type]
    if rule.severity not in get_args(Severity):
        raise ContractError(f"{where} has severity {rule.severity!r}")
    return rule


def _check(file: str, entry: Mapping[str, object]) -> TableCheck:
    _only(f"{file}: check {entry.get('name')!r}", entry, _fields_of(TableCheck))
    return TableCheck(**entry)  # type: ignore[arg-type]  # what is missing raises TypeError


def _reference(file: str, entry: Mapping[str, object]) -> Reference:
    _only(f"{file}: reference", entry, _fields_of(Reference))
    return Reference(
        columns=_names(entry["columns"]),
        table=str(entry["table"]),
        target=_names(entry.get("target", entry["columns"])),
        severity="warning" if entry.get("severity") == "warning" else "critical",
    )


def _bind(contracts: Mapping[str, Contract], files: Mapping[str, str]) -> None:
    """Raise ContractError naming the rule whose SQL cannot be read or names unknown columns."""
    with duckdb.connect() as connection:
        for key, contract in contracts.items():
            judged = {column.name: column.duckdb_type for column in contract.columns}
            if contract.delivery:
                judged |= JUDGED_BESIDE
            texts = dict.fromkeys((column.name for column in contract.columns), "varchar")
            rules = {f"rule {rule.name!r}": rule.expression for rule in contract.rules}
            supplied = {
                f"column {column.name!r}: otherwise": column.otherwise
                for column in contract.columns
                if column.otherwise
            }
            for expressions, columns in ((rules, judged), (supplied, texts)):
                _bind_expressions(connection, files[key], expressions, columns)
            for check in contract.checks:
                try:
                    connection.extract_statements(check.query)
                except duckdb.Error as fault:
                    raise _unbound(files[key], f"check {check.name!r}", fault) from None


def _bind_expressions(
    connection: duckdb.DuckDBPyConnection,
    file: str,
    expressions: Mapping[str, str],
    columns: Mapping[str, str],
) -> None:
    """Look whether all expressions can be read; if not, which of them cannot."""
    row = ", ".join(f"null::{kind} as {name}" for name, kind in columns.items())

    def bind(listed: str) -> None:
        connection.execute(f"select {listed} from (select {row}) where false")

    if not expressions:
        return
    try:
        bind(", ".join(f"({each})" for each in expressions.values()))
    except duckdb.Error:
        for what, expression in expressions.items():
            try:
                bind(f"({expression})")
            except duckdb.Error as fault:
                raise _unbound(file, what, fault) from None
        raise


def _unbound(file: str, what: str, fault: duckdb.Error) -> ContractError:
    return ContractError(f"{file}: {what}: {str(fault).partition(chr(10))[0]}")


def _shown(path: Path, settings: Settings) -> str:
    """A file by its place in the checkout, if it lies there."""
    inside = path.is_relative_to(settings.root)
    return str(path.relative_to(settings.root) if inside else path)


def _entries(file: str, document: Mapping[str, object], name: str) -> list[dict[str, object]]:
    entries = document.get(name) or []
    if not isinstance(entries, list):
        raise ContractError(f"{file}: {name} must be a list")
    return [_mapping(entry, f"{file}: an entry of {name}") for entry in entries]


def _names(value: object) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list | tuple) else (str(value),)


def _merged(base: Mapping[str, object], over: Mapping[str, object]) -> dict[str, object]:
    """`over` laid on `base`: mappings merge, everything else replaces, null removes."""
    merged = dict(base)
    for name, value in over.items():
        below = merged.get(name)
        if value is None and name in merged:
            del merged[name]
        elif isinstance(value, dict) and isinstance(below, dict):
            merged[name] = _merged(below, value)
        else:
            merged[name] = value
    return merged


def _read(path: Path) -> dict[str, object]:
    return _mapping(read_document(path), str(path))


def _mapping(value: object, where: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ContractError(f"{where}: expected names and values")
    return value

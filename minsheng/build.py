"""A build: from the lake to a file of tables. What it is made of, and the making of each table.

Everything here takes what it needs as arguments; nothing asks the clock.
"""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

import duckdb

from minsheng import (
    contradictions,
    ingest,
    judging,
    lake,
    linkage,
    models,
    parsing,
    policies,
    pseudonyms,
    quality,
)
from minsheng.checks import CheckResult, Unchecked, check_received, check_table
from minsheng.contracts import RESTRICTED_LAYERS, Contract, enabled_sources, load_contracts
from minsheng.contradictions import Contradiction, ContradictionError
from minsheng.lake import Receipt
from minsheng.models import Model
from minsheng.parsing import literal
from minsheng.settings import Settings
from minsheng.warehouse import (
    RECEIVED_SCHEMA,
    WAREHOUSE_FILE,
    Warehouse,
    append_rows,
    attached,
    qualified,
    quick_digest,
    table_digest,
    table_exists,
    without_values,
    write_rows,
    write_table,
    write_view,
)

ENGINES = ("duckdb", "polars", "pyarrow", "great-expectations", "sqlglot")
CODE_FOLDERS = ("minsheng", "sql", "assets", "pipelines")
CODE_SUFFIXES = (".py", ".sql")


@dataclass(frozen=True)
class Project:
    """Everything a build is a function of, beside the deliveries."""

    settings: Settings
    known_on: date | None = None
    as_of: date | None = None

    @cached_property
    def contracts(self) -> dict[str, Contract]:
        contracts = load_contracts(self.settings)
        found = contradictions.promised(contracts[contradictions.CONTRADICTION], self.catalogue)
        return {**contracts, found.name: found}

    @cached_property
    def catalogue(self) -> tuple[Contradiction, ...]:
        """The contradictions between departments that are looked for."""
        return contradictions.load_catalogue(self.settings)

    @cached_property
    def sources(self) -> tuple[Contract, ...]:
        """Staged contracts of the enabled datasets."""
        return enabled_sources(self.contracts, self.settings)

    @cached_property
    def absent_sources(self) -> tuple[Contract, ...]:
        """Staged contracts of the datasets that are not enabled."""
        return tuple(
            contract
            for contract in self.contracts.values()
            if contract.layer == "staged" and contract not in self.sources
        )

    @cached_property
    def codes(self) -> dict[str, dict[str, str]]:
        return policies.code_words(self.settings)

    @cached_property
    def models(self) -> dict[str, Model]:
        return models.load_models(self.settings.root)

    @cached_property
    def secret(self) -> bytes:
        """The secret of the keys; raises if it is gone although something is published."""
        if (self.settings.published / "current").exists():
            pseudonyms.require_secret(self.settings.vault)
        return pseudonyms.load_secret(self.settings.vault)

    @cached_property
    def reads(self) -> dict[str, tuple[str, ...]]:
        """What each table is made from or checked against, by name."""
        return table_reads(self)


@dataclass(frozen=True)
class Inputs:
    """The declared inputs of a build; their hash is its `build_id`."""

    deliveries: tuple[Receipt, ...]
    """Every delivery known, in order of delivery."""
    effective: tuple[Receipt, ...]
    as_of_month: date | None
    known_on: date | None
    code_version: str
    policy_hash: str
    contract_hash: str
    engine_versions: str
    secret_fingerprint: str
    settings_hash: str

    @cached_property
    def build_id(self) -> str:
        parts = {
            "deliveries": [(r.delivery_id, r.status, r.delivered_at) for r in self.deliveries],
            "as_of_month": str(self.as_of_month),
            "known_on": str(self.known_on),
            "code": self.code_version,
            "policies": self.policy_hash,
            "contracts": self.contract_hash,
            "engines": self.engine_versions,
            "secret": self.secret_fingerprint,
            "settings": self.settings_hash,
        }
        text = json.dumps(parts, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def gather_inputs(project: Project) -> Inputs:
    """What a build made now would be made of; reads receipts and hashes, no data."""
    tables = {source.table for source in project.sources}
    receipts = tuple(
        receipt
        for receipt in lake.read_receipts(project.settings.lake)
        if receipt.table in tables
        and (project.known_on is None or receipt.delivered_on <= project.known_on)
    )
    effective = lake.effective(receipts, project.known_on)
    contracts = sorted((name, contract.hash) for name, contract in project.contracts.items())
    settings = (project.settings.deployment / "settings.yaml").read_bytes()
    return Inputs(
        deliveries=receipts,
        effective=effective,
        as_of_month=_as_of_month(project, effective),
        known_on=project.known_on,
        code_version=code_version(project.settings.root),
        policy_hash=policies.policy_hash(project.settings)[:16],
        contract_hash=_hash(f"{contracts}{contradictions.catalogue_hash(project.catalogue)}"),
        engine_versions=" ".join(f"{name} {version(name)}" for name in ENGINES),
        secret_fingerprint=pseudonyms.secret_fingerprint(project.secret),
        settings_hash=hashlib.sha256(settings).hexdigest()[:16],
    )


def _as_of_month(project: Project, effective: Sequence[Receipt]) -> date | None:
    if not effective:
        return None
    latest = lake.latest_month(effective)
    if project.as_of and project.as_of > latest:
        raise lake.DeliveryError(
            f"nothing delivered covers {project.as_of:%Y-%m}; the latest month is {latest:%Y-%m}"
        )
    return project.as_of or latest


def code_version(root: Path) -> str:
    """Hash of the source tree that makes tables; the demo generator makes none."""
    digest = hashlib.sha256()
    for folder in CODE_FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in CODE_SUFFIXES and "demo" not in path.relative_to(root).parts:
                digest.update(path.relative_to(root).as_posix().encode() + b"\0")
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def ingest_source(project: Project, source: Contract, now: datetime) -> ingest.Ingested:
    """Take the waiting files of one dataset into the lake."""
    return ingest.ingest_dataset(project.settings, source, project.sources, project.codes, now)


def make_raw(warehouse: Warehouse, project: Project, source: Contract) -> int:
    """Make `raw.<source>`, the rows of the deliveries in force as text; return the rows received.

    Beside it `received.<source>` has the same rows typed, with what each was refused for.
    """
    known = lake.read_receipts(project.settings.lake, source.table)
    receipts = [
        judging.ensure_typed(project.settings, source, project.codes, receipt, known)
        for receipt in _in_force(project, source)
    ]
    raw = project.contracts[f"raw.{source.table}"]
    folders = [lake.delivery_folder(project.settings.lake, receipt) for receipt in receipts]
    version_of_rows = judging.typed_version(source, project.codes)
    typed = [judging.typed_path(folder, version_of_rows) for folder in folders]
    write_view(warehouse, source, RECEIVED_SCHEMA, _received_select(source, typed))
    write_view(warehouse, raw, "raw", _raw_select(raw, source, receipts, folders))
    return sum(receipt.rows_received for receipt in receipts)


def make_absent(warehouse: Warehouse, project: Project) -> None:
    """Make `staged.<source>` of the datasets that are not enabled: empty, so that models bind."""
    for source in project.absent_sources:
        columns = ", ".join(f"null::{c.duckdb_type} as {c.name}" for c in source.columns)
        write_view(warehouse, source, "staged", f"select {columns} where false", commented=False)


def _in_force(project: Project, source: Contract) -> tuple[Receipt, ...]:
    """The deliveries of one dataset that count."""
    receipts = lake.read_receipts(project.settings.lake, source.table)
    return lake.effective(receipts, project.known_on)


def make_staged(warehouse: Warehouse, project: Project, source: Contract) -> int:
    """Make `staged.<source>`, the rows that count of the deliveries in force; return their number.

    A row that a correction brings back stands in the place of the row that was sent back. Where
    deliveries add up, of the rows of one key the first delivered stands (append), or that of the
    latest period and of this the last delivered (upsert).
    """
    assert source.delivery
    receipts = _in_force(project, source)
    columns = ", ".join(column.name for column in source.columns)
    received = f"restricted.{RECEIVED_SCHEMA}.{parsing.quoted(source.table)}"
    select = f"select {columns} from {received} as own where refused_by is null"
    replaced = [
        (earlier.delivery_id, receipt.delivery_id)
        for receipt in receipts
        for earlier in lake.corrected_by(receipt, receipts)
    ]
    if replaced:
        pairs = ", ".join(f"({literal(before)}, {literal(after)})" for before, after in replaced)
        select += f"""
            and not exists (
                select 1 from {received} as mended
                join (values {pairs}) as chain (before, after) on mended.delivery_id = chain.after
                where chain.before = own.delivery_id and mended.row_number = own.row_number)
        """
    if source.delivery.mode != "snapshot" and receipts:
        is_upsert = source.delivery.mode == "upsert"
        whole = {receipt.delivery_id: receipt.order for receipt in receipts}
        for receipt in receipts:
            for earlier in lake.corrected_by(receipt, receipts)[:1]:
                whole[receipt.delivery_id] = earlier.order
        ordered = sorted(
            receipts,
            key=lambda r: (
                r.period_month if is_upsert else date.min,
                whole[r.delivery_id],
                r.order,
            ),
        )
        places = ", ".join(f"({literal(r.delivery_id)}, {n})" for n, r in enumerate(ordered))
        select += f"""
            qualify row_number() over (
                partition by {", ".join(source.key)}
                order by (select place from (values {places}) as listed (id, place)
                    where id = delivery_id) {"desc" if is_upsert else "asc"}
            ) = 1
        """
    elif not replaced:
        write_view(warehouse, source, "staged", select)
        return sum(receipt.rows_accepted for receipt in receipts)
    write_view(warehouse, source, "staged", select)
    return int(str(warehouse.rows(f"select count(*) from {source.name}")[0][0]))


def make_meta(
    warehouse: Warehouse, project: Project, contract: Contract, inputs: Inputs, now: datetime
) -> int:
    """Make a table of what the build is made of: `meta.build`, `delivery`, `source` and so on."""
    if inputs.as_of_month is None:
        raise lake.DeliveryError("the lake holds no good delivery; put files into the inbox first")
    if contract.table == "delivery":
        effective = {receipt.delivery_id for receipt in inputs.effective}
        gone = lake.withdrawn(inputs.deliveries)
        rows = [
            _delivery_row(receipt, order, _delivery_status(receipt, effective, gone))
            for order, receipt in enumerate(inputs.deliveries, start=1)
        ]
    elif contract.table == "table_freshness":
        rows = _freshness_rows(project, inputs)
    elif contract.table == "source":
        rows = [_source_row(source, inputs, project.settings) for source in project.sources]
    else:
        rows = [_build_row(inputs, now)]
    return write_rows(warehouse, contract, rows)


def make_quality(warehouse: Warehouse, project: Project, contract: Contract, inputs: Inputs) -> int:
    """Make `quality.contradiction`, `quality.finding` or `quality.restatement`."""
    if contract.name == contradictions.CONTRADICTION:
        return _make_contradictions(warehouse, project, contract)
    if contract.table == "finding":
        selects = [quality.finding_select(project.settings.lake, inputs.deliveries)]
        selects += [
            quality.repeated_select(source)
            for source in project.sources
            if any(r.mode != "snapshot" or r.corrects for r in _in_force(project, source))
        ]
        return write_table(warehouse, contract, " union all ".join(selects))
    published = project.settings.published / "current" / WAREHOUSE_FILE
    if not published.exists():
        return write_table(warehouse, contract, quality.NO_RESTATEMENTS)
    with attached(warehouse, published.resolve(), quality.PREVIOUS):
        above = {
            contract.name: _datasets_above(project, contract.name)
            for contract in project.contracts.values()
            if contract.figures
        }
        select = quality.restatement_select(warehouse, project.contracts, above)
        return write_table(warehouse, contract, select)


def _make_contradictions(warehouse: Warehouse, project: Project, contract: Contract) -> int:
    """One statement a contradiction, so that memory holds the rows of one."""
    decided = policies.reference_rows(project.settings, "rule_value")
    selects = contradictions.contradiction_selects(
        project.catalogue, project.contracts, frozenset(str(row["rule_id"]) for row in decided)
    )
    count = write_rows(warehouse, contract, [])
    for each, select in zip(project.catalogue, selects, strict=True):
        try:
            count += append_rows(warehouse, contract, select)
        except duckdb.BinderException as fault:  # it has read no row
            raise ContradictionError(f"contradiction {each.name}: {fault}") from None
        except duckdb.Error as fault:
            told = without_values(str(fault))
            raise ContradictionError(f"contradiction {each.name}: {told}") from None
    return count


def _freshness_rows(project: Project, inputs: Inputs) -> list[dict[str, object]]:
    """Of each model, the datasets that it is made from and since when the first of them is late."""
    rows = [_source_row(source, inputs, project.settings) for source in project.sources]
    late = {row["source"]: row["stale_since"] for row in rows if row["stale_since"]}
    return [
        {
            "table_name": name,
            "datasets": ",".join(sorted(datasets)),
            "stale_datasets": ",".join(sorted(datasets & late.keys())) or None,
            "stale_since": min((str(late[each]) for each in datasets & late.keys()), default=None),
        }
        for name in sorted(project.models)
        for datasets in [_datasets_above(project, name)]
    ]


def _datasets_above(project: Project, table: str) -> frozenset[str]:
    """The enabled datasets whose rows a table is made from, as its SQL and those above it say.

    Through the vault every dataset gives keys to every table; that does not count.
    """
    seen: set[str] = set()
    waiting = [table]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting.extend(project.models[name].reads if name in project.models else ())
    return frozenset(source.table for source in project.sources if source.name in seen)


def make_columns(warehouse: Warehouse, project: Project) -> int:
    """Make `meta.columns`: every column of every table of the published file."""
    return write_rows(warehouse, project.contracts["meta.columns"], _column_rows(project))


def make_reference(warehouse: Warehouse, project: Project, contract: Contract) -> int:
    """Make a table of policies, `reference.<table>` or `meta.policy_item`, or the catalogue's."""
    if contract.name == contradictions.CATALOGUE:
        rows = contradictions.reference_rows(project.catalogue)
    else:
        rows = policies.reference_rows(project.settings, contract.table)
    return write_rows(warehouse, contract, rows)


def make_vault(warehouse: Warehouse, project: Project, contract: Contract) -> int:
    """Make a table of who is who."""
    sources = project.sources
    if contract.table == "loose_record":
        # one statement a source, so that memory holds the identities of one
        selects = linkage.loose_record_selects(sources, RECEIVED_SCHEMA)
        none = write_rows(warehouse, contract, [])
        return none + sum(append_rows(warehouse, contract, select) for select in selects)
    makers = {"identity": linkage.identity_select, "household": linkage.household_select}
    return write_table(warehouse, contract, makers[contract.table](sources, project.secret))


def make_model(warehouse: Warehouse, project: Project, model: Model) -> int:
    """Make the table of one SQL model."""
    return write_table(warehouse, project.contracts[model.name], model.sql)


def record_digest(warehouse: Warehouse, project: Project, contract: Contract, run_id: str) -> str:
    """Note rows and digest of a table in `meta.table_digest`; return the digest.

    Until the build is published the table carries the run that made it, since the build's own id is
    known only when every delivery is in. Restricted tables are not noted, the note is published:
    a source's version is its deliveries and its contract, that of the vault a quick hash.
    """
    if contract.layer == "vault":
        return quick_digest(warehouse, contract)
    if contract.layer in RESTRICTED_LAYERS:
        source = project.contracts[f"staged.{contract.table}"]
        deliveries = [r.delivery_id for r in _in_force(project, source)]
        return _hash(f"{deliveries} {judging.typed_version(source, project.codes)}")
    row_count, digest = table_digest(warehouse, contract)
    if contract.of_history:
        digest = ""
    _replace_rows(
        warehouse,
        project.contracts["meta.table_digest"],
        f"schema_name = {literal(contract.layer)} and table_name = {literal(contract.table)}",
        [(contract.layer, contract.table, row_count, digest, run_id, False)],
    )
    return digest


def check(warehouse: Warehouse, project: Project, contract: Contract) -> tuple[CheckResult, ...]:
    """Hold a table to its contract and note the results in `quality.check_result`."""
    if contract.layer == "raw":
        results = _check_received(warehouse, project, project.contracts[f"staged.{contract.table}"])
    else:
        results = check_table(warehouse, contract, project.contracts)
    _replace_rows(
        warehouse,
        project.contracts["quality.check_result"],
        f"table_name = {literal(contract.name)}",
        [
            (
                r.table_name,
                r.check_name,
                r.severity,
                r.passed,
                r.failing_rows,
                r.is_refused_at_ingest,
                r.why,
            )
            for r in results
        ],
    )
    return results


def _check_received(
    warehouse: Warehouse, project: Project, source: Contract
) -> tuple[CheckResult, ...]:
    """Hold the rows as received to their contract: those of deliveries that were not yet checked.

    What a delivery was found to hold does not change, so it is counted once and noted.
    """
    receipts = _in_force(project, source)
    version = judging.typed_version(source, project.codes)
    unchecked = [receipt for receipt in receipts if receipt.checked_hash != version]
    known = lake.read_receipts(project.settings.lake, source.table)
    results = check_received(
        warehouse,
        source,
        receipts,
        [
            Unchecked(
                receipt,
                judging.typed_rows(project.settings, receipt),
                tuple(
                    judging.typed_rows(project.settings, each)
                    for each in lake.corrected_by(receipt, known)
                ),
            )
            for receipt in unchecked
        ],
    )
    if not any(result.blocks for result in results):
        for receipt in unchecked:
            folder = lake.delivery_folder(project.settings.lake, receipt)
            lake.write_receipt(folder, replace(receipt, checked_hash=version))
    return results


def mark_stale(warehouse: Warehouse, project: Project, names: Sequence[str]) -> None:
    """Mark tables as stale because something above them was made again without them."""
    for name in names:
        layer, table = name.split(".")
        warehouse.connection.execute(
            "update minsheng.meta.table_digest set is_stale = true "
            "where schema_name = ? and table_name = ?",
            [layer, table],
        )


def table_reads(project: Project) -> dict[str, tuple[str, ...]]:
    """What each table is made from or checked against, by name.

    Nobody writes it twice: the SQL and the contracts say it.
    """
    raw = tuple(f"raw.{source.table}" for source in project.sources)
    staged = tuple(source.name for source in project.sources)
    absent = {source.name for source in project.absent_sources}
    reads: dict[str, tuple[str, ...]] = dict.fromkeys(raw, ())
    reads |= {source.name: (f"raw.{source.table}",) for source in project.sources}
    for contract in project.contracts.values():
        if contract.layer == "vault":
            reads[contract.name] = (*staged, "meta.delivery")
            if contract.table == "loose_record":
                reads[contract.name] += ("vault.identity",)
        elif contract.layer == "reference" or contract.name in ("meta.policy_item", "meta.columns"):
            reads[contract.name] = ()
    reads["meta.delivery"] = reads["quality.finding"] = (*raw, *staged)
    reads[contradictions.CONTRADICTION] = contradictions.tables_read(project.catalogue)
    reads["quality.restatement"] = (
        "meta.delivery",
        "meta.build",
        *(contract.name for contract in project.contracts.values() if contract.figures),
    )
    reads["meta.source"] = reads["meta.build"] = ("meta.delivery",)
    reads["meta.table_freshness"] = ("meta.source",)
    reads |= {name: model.reads for name, model in project.models.items()}
    for name, contract in project.contracts.items():
        if name in reads:
            read = {*reads[name], *_tables_checked_against(contract)}
            reads[name] = tuple(sorted(read - absent))
    return reads


def _tables_checked_against(contract: Contract) -> set[str]:
    tables = {reference.table for reference in contract.references}
    for each in contract.checks:
        tables.update(models.tables_read(each.query))
    if contract.layer not in RESTRICTED_LAYERS and any(c.codes for c in contract.columns):
        tables.add("reference.code")
    return tables - {contract.name}


def downstream(project: Project, remade: str, selected: Collection[str]) -> tuple[str, ...]:
    """Tables that read `remade`, directly or not, and are not `selected` themselves."""
    touched = {remade}
    while True:
        more = {
            name for name, above in project.reads.items() if touched.intersection(above)
        } - touched
        if not more:
            return tuple(sorted(touched - set(selected) - {remade}))
        touched |= more


def _received_select(source: Contract, typed: Sequence[Path]) -> str:
    columns = [column.name for column in source.columns]
    if typed:
        listed = ", ".join(columns)
        return (
            f"select {listed}, delivered_on, unreadable, refused_by, warned_by "
            f"from read_parquet({_paths(typed)})"
        )
    empty = ", ".join(f"null::{c.duckdb_type} as {c.name}" for c in source.columns)
    return (
        f"select {empty}, null::date as delivered_on, null::varchar as unreadable, "
        "null::varchar as refused_by, null::varchar as warned_by where false"
    )


def _raw_select(
    raw: Contract, source: Contract, receipts: Sequence[Receipt], folders: Sequence[Path]
) -> str:
    received = {"sender", "period", "period_month"}
    if not receipts:
        empty = ", ".join(f"null::{c.duckdb_type} as {c.name}" for c in raw.columns)
        return f"select {empty} where false"
    headers = tuple(dict.fromkeys(header for r in receipts for header in r.headers))
    found = parsing.column_sources(source, headers)
    listed = []
    for column in raw.columns:
        if column.name == "delivery_id":
            listed.append(
                "regexp_extract(filename, '([0-9a-f]{16})/rows.parquet$', 1) as delivery_id"
            )
        elif column.name == "row_number":
            listed.append("__row_number as row_number")
        elif column.name not in received:
            text = found.get(column.name, "null::varchar")
            listed.append(f"{text} as {column.name}")
    rows = [folder / "rows.parquet" for folder in folders]
    deliveries = ", ".join(
        f"({literal(r.delivery_id)}, {literal(r.sender) if r.sender else 'null'}, "
        f"{literal(r.period)}, date '{r.period_month}')"
        for r in receipts
    )
    return f"""
        select texts.*, delivery.sender, delivery.period, delivery.period_month
        from (
            select {", ".join(listed)}
            from read_parquet({_paths(rows)}, union_by_name = true, filename = true)
        ) as texts
        join (values {deliveries}) as delivery (delivery_id, sender, period, period_month)
            using (delivery_id)
    """


def _paths(paths: Sequence[Path]) -> str:
    return f"[{', '.join(literal(str(path)) for path in paths)}]"


def _delivery_status(receipt: Receipt, effective: Collection[str], gone: Collection[str]) -> str:
    if receipt.status != "taken":
        return receipt.status
    if receipt.delivery_id in gone:
        return "withdrawn"
    return "effective" if receipt.delivery_id in effective else "superseded"


def _delivery_row(receipt: Receipt, order: int, status: str) -> dict[str, object]:
    return {
        "delivery_id": receipt.delivery_id,
        "department": receipt.department,
        "dataset": receipt.dataset,
        "sender": receipt.sender,
        "period": receipt.period,
        "period_month": receipt.period_month if receipt.period else None,
        "delivered_at": _moment(receipt.delivered_at),
        "ingested_at": _moment(receipt.ingested_at),
        "sha256": receipt.sha256,
        "rows_received": receipt.rows_received,
        "rows_accepted": receipt.rows_accepted,
        "rows_refused": receipt.rows_refused,
        "delivery_status": status,
        "delivery_order": order,
        "corrects": receipt.corrects or None,
        "withdraws": receipt.withdraws or None,
        "reason": "; ".join(part for part in (receipt.message, *receipt.doubts) if part) or None,
    }


def _source_row(source: Contract, inputs: Inputs, settings: Settings) -> dict[str, object]:
    assert source.delivery and inputs.as_of_month
    receipts = [receipt for receipt in inputs.effective if receipt.table == source.table]
    latest = max(receipts, key=lambda each: (each.period_month, each.delivered_at), default=None)
    due, stale_since = due_and_stale(settings, source, receipts, inputs.as_of_month)
    return {
        "source": source.table,
        "department": source.delivery.department,
        "dataset": source.delivery.dataset,
        "period_month": latest.period_month if latest else None,
        "delivered_at": _moment(latest.delivered_at) if latest else None,
        "due_date": due,
        "stale_since": stale_since,
        "rows_accepted": sum(receipt.rows_accepted for receipt in receipts),
        "rows_refused": sum(receipt.rows_refused for receipt in receipts),
        "is_personal": linkage.is_personal(source),
    }


def due_and_stale(
    settings: Settings, source: Contract, receipts: Sequence[Receipt], as_of_month: date
) -> tuple[date | None, date | None]:
    """When a dataset's next delivery is due, and the same if it is later than that by the month."""
    assert source.delivery
    rule, end = "sender_silence_months", lake.last_day(as_of_month)
    silence = policies.rule_value(settings, rule, settings.area_code, end) if receipts else 0
    due = lake.next_due(receipts, source.delivery.promised_days, round(silence))
    return due, due if due and due <= end else None


def _moment(text: str) -> str:
    """A moment as the deployment's clock showed it."""
    return datetime.fromisoformat(text).replace(tzinfo=None).isoformat(sep=" ")


def _replace_rows(
    warehouse: Warehouse, contract: Contract, where: str, rows: Sequence[tuple[object, ...]]
) -> None:
    if not table_exists(warehouse, contract):
        write_rows(warehouse, contract, [])
    name = qualified(contract)
    warehouse.connection.execute(f"delete from {name} where {where}")
    if rows:
        places = ", ".join("?" for _ in contract.columns)
        warehouse.connection.executemany(f"insert into {name} values ({places})", rows)


def _build_row(inputs: Inputs, now: datetime) -> dict[str, object]:
    return {
        "version": f"{now:%Y%m%dT%H%M%S}-{inputs.build_id[:8]}",
        "build_id": inputs.build_id,
        "built_at": now.replace(tzinfo=None).isoformat(sep=" ", timespec="seconds"),
        "known_on": inputs.known_on,
        "as_of_month": inputs.as_of_month,
        "code_version": inputs.code_version,
        "policy_hash": inputs.policy_hash,
        "contract_hash": inputs.contract_hash,
        "engine_versions": inputs.engine_versions,
    }


def _column_rows(project: Project) -> list[dict[str, object]]:
    return [
        {
            "schema_name": contract.layer,
            "table_name": contract.table,
            "column_name": column.name,
            "label_zh": column.label_zh,
            "label_en": column.label_en,
            "unit": column.unit,
            "meaning": column.meaning,
        }
        for contract in sorted(project.contracts.values(), key=lambda each: each.name)
        if contract.layer not in RESTRICTED_LAYERS
        for column in contract.columns
    ]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]

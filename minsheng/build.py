"""A build: from the lake to a file of tables, and the making and the checking of each table.

Everything here takes what it needs as arguments; nothing asks the clock.
"""

from collections.abc import Sequence
from dataclasses import replace

import duckdb

from minsheng import (
    bridge,
    contradictions,
    judging,
    lake,
    link_review,
    linkage,
    policies,
    pseudonyms,
    quality,
)
from minsheng.checks import CheckResult, Unchecked, check_received, check_table
from minsheng.contracts import RESTRICTED_LAYERS, Contract
from minsheng.contradictions import ContradictionError
from minsheng.faults import told
from minsheng.meta import datasets_above
from minsheng.models import Model
from minsheng.project import Inputs, Project, in_force, short_hash
from minsheng.quoting import literal
from minsheng.source_tables import earlier_rows
from minsheng.warehouse import (
    RECEIVED_SCHEMA,
    WAREHOUSE_FILE,
    Warehouse,
    append_rows,
    attached,
    one_commit,
    qualified,
    quick_digest,
    table_digest,
    table_exists,
    write_rows,
    write_table,
)


def make_quality(warehouse: Warehouse, project: Project, contract: Contract, inputs: Inputs) -> int:
    """Make a table of the layer that no model can make."""
    if contract.name == contradictions.CONTRADICTION:
        return _make_contradictions(warehouse, project, contract)
    if contract.table == "finding":
        selects = [quality.finding_select(project.settings.lake, inputs.deliveries)]
        for source in project.sources:
            receipts = in_force(project, source)
            if quality.has_repeated(receipts):
                selects.append(quality.repeated_select(source, receipts))
            if source.table == linkage.DECISIONS and receipts:
                selects.append(quality.unfollowed_select(source))
        return write_table(warehouse, contract, " union all ".join(selects))
    is_link_change = contract.name == quality.LINK_CHANGE
    published = project.settings.published / "current" / WAREHOUSE_FILE
    if not published.exists():
        nothing = quality.NO_LINK_CHANGES if is_link_change else quality.NO_RESTATEMENTS
        return write_table(warehouse, contract, nothing)
    with attached(warehouse, published.resolve(), quality.PREVIOUS):
        if is_link_change:
            return write_table(
                warehouse, contract, quality.link_change_select(warehouse, project.contracts)
            )
        above = {
            contract.name: datasets_above(project, contract.name)
            for contract in project.contracts.values()
            if contract.figures
        }
        rows = write_rows(warehouse, contract, [])
        for select in quality.restatement_selects(warehouse, project.contracts, above):
            rows += append_rows(warehouse, contract, select)
        return rows


def _make_contradictions(warehouse: Warehouse, project: Project, contract: Contract) -> int:
    """One statement a contradiction, so that memory holds the rows of one."""
    decided = policies.reference_rows(project.settings, "rule_value")
    selects = contradictions.contradiction_selects(
        project.catalogue,
        project.contracts,
        frozenset(str(row["rule_id"]) for row in decided if row["value"] is not None),
    )
    count = write_rows(warehouse, contract, [])
    for each, select in zip(project.catalogue, selects, strict=True):
        try:
            count += append_rows(warehouse, contract, select)
        except duckdb.Error as fault:
            raise ContradictionError(f"contradiction {each.name}: {told(fault)}") from None
    return count


def make_figures(warehouse: Warehouse, project: Project, contract: Contract) -> int:
    """Make a table of figures that no single SELECT makes: measures, items, duties, formulas.

    Raises PlanError if an item or a duty cannot be computed, PolicyError if a formula cannot.
    """
    count = write_rows(warehouse, contract, [])
    for select in project.figure_tables[contract.name].selects(warehouse.connection):
        count += append_rows(warehouse, contract, select)
    return count


def make_reference(warehouse: Warehouse, project: Project, contract: Contract) -> int:
    """Make a table of policies, `reference.<table>` or `meta.policy_item`, or the catalogue's."""
    if contract.name == contradictions.CATALOGUE:
        rows = contradictions.reference_rows(project.catalogue)
    else:
        rows = policies.reference_rows(project.settings, contract.table)
    return write_rows(warehouse, contract, rows)


def make_linked(warehouse: Warehouse, project: Project, contract: Contract) -> int:
    """Make a table of who is who, of the bridge, or of a model that reads the vault."""
    if contract.name in project.models:
        return make_model(warehouse, project, project.models[contract.name])
    if contract.layer == bridge.LAYER:
        selects = bridge.table_selects(contract, project.sources)
    else:
        pseudonyms.prepare(warehouse.connection, project.pseudonym_key)
        given = linkage.Given(
            project.sources,
            earlier_rows(project) if "staged" in linkage.READS[contract.table] else {},
            policies.load_link_rules(project.settings),
            project.pseudonym_key,
            RECEIVED_SCHEMA,
        )
        selects = linkage.table_selects(warehouse.connection, contract.table, given)
    none = write_rows(warehouse, contract, [])
    rows = none + sum(append_rows(warehouse, contract, select) for select in selects)
    if contract.name == link_review.REVIEW:
        decision = project.contracts[f"staged.{linkage.DECISIONS}"]
        link_review.keep_workbook(warehouse.connection, warehouse.folder, contract, decision)
    return rows


def make_model(warehouse: Warehouse, project: Project, model: Model) -> int:
    """Make the table of one SQL model."""
    return write_table(warehouse, project.contracts[model.name], model.sql)


def record_digest(warehouse: Warehouse, project: Project, contract: Contract, run_id: str) -> str:
    """Note rows and digest of a table in `meta.table_digest`; return the digest.

    Until the build is published the table carries the run that made it, since the build's own id is
    known only when every delivery is in. Restricted tables are not noted, the note is published:
    a source's version is its deliveries and its contract, that of the vault and the bridge a quick
    hash.
    """
    if contract.layer in ("vault", bridge.LAYER):
        return quick_digest(warehouse, contract)
    if contract.layer in RESTRICTED_LAYERS:
        source = project.contracts[f"staged.{contract.table}"]
        deliveries = [r.delivery_id for r in in_force(project, source)]
        return short_hash(f"{deliveries} {judging.typed_version(source, project.codes)}")
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
    receipts = in_force(project, source)
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


def _replace_rows(
    warehouse: Warehouse, contract: Contract, where: str, rows: Sequence[tuple[object, ...]]
) -> None:
    if not table_exists(warehouse, contract):
        write_rows(warehouse, contract, [])
    name = qualified(contract)
    with one_commit(warehouse.connection):
        warehouse.connection.execute(f"delete from {name} where {where}")
        if rows:
            places = ", ".join("?" for _ in contract.columns)
            warehouse.connection.executemany(f"insert into {name} values ({places})", rows)

"""Layer raw: a row as delivered, as text. Taking the inbox into the lake is the first step."""

from collections.abc import Sequence

import dagster as dg

from assets.tables import Metadata, TableNames, row_count, table_asset
from assets.warehouse_resource import Build
from minsheng.contracts import Contract
from minsheng.faults import without_numbers
from minsheng.project import Project
from minsheng.source_tables import ingest_source, make_raw
from minsheng.warehouse import Warehouse

SHOWN_FILES = 20


def raw_assets(project: Project, everything: TableNames) -> list[dg.AssetsDefinition]:
    """One asset a dataset that the deployment enables."""
    return [_raw_asset(project, source, everything) for source in project.sources]


def _raw_asset(project: Project, source: Contract, everything: TableNames) -> dg.AssetsDefinition:
    def make(warehouse: Warehouse, build: Build) -> Metadata:
        shown = _taken(build, source)
        return row_count(make_raw(warehouse, build.project, source)) | shown

    raw = project.contracts[f"raw.{source.table}"]
    return table_asset(project, raw, everything, make, kinds=["file"])


def _taken(build: Build, source: Contract) -> Metadata:
    ingested = ingest_source(build.project, source, build.now)
    refused = [receipt.message for receipt in ingested.receipts if receipt.message]
    return {
        "deliveries_taken": len(ingested.receipts) - len(refused),
        "files_refused": _listed(refused),
        "files_delivered_before": _listed(ingested.repeated),
        "files_left_in_inbox": _listed(ingested.left),
        "rows_refused_now": sum(receipt.rows_refused for receipt in ingested.receipts),
    }


def _listed(lines: Sequence[str]) -> dg.MarkdownMetadataValue:
    shown = [f"- {without_numbers(line)}" for line in lines[:SHOWN_FILES]]
    if len(lines) > SHOWN_FILES:
        shown.append(f"- and {len(lines) - SHOWN_FILES} more")
    return dg.MetadataValue.md("\n".join(shown) or "-")

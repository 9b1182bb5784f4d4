"""Layer raw: a row as delivered, as text. Taking the inbox into the lake is the first step."""

from collections.abc import Callable

import dagster as dg

from assets.tables import table_asset
from assets.warehouse_resource import Build
from minsheng.build import Project, ingest_source, make_raw
from minsheng.contracts import Contract
from minsheng.warehouse import Warehouse

SHOWN_FILES = 20


def raw_assets(
    project: Project, everything: Callable[[], frozenset[str]]
) -> list[dg.AssetsDefinition]:
    """One asset a dataset; one that the deployment does not enable is empty."""
    return [_raw_asset(project, source, everything) for source in project.all_sources]


def _raw_asset(
    project: Project, source: Contract, everything: Callable[[], frozenset[str]]
) -> dg.AssetsDefinition:
    raw = project.contracts[f"raw.{source.table}"]
    assert source.delivery

    def make(warehouse: Warehouse, build: Build) -> dict[str, object]:
        shown: dict[str, object] = {}
        if build.project.is_enabled(source):
            ingested = ingest_source(build.project, source, build.now)
            refused = [receipt.message for receipt in ingested.receipts if receipt.message]
            shown = {
                "deliveries_taken": len(ingested.receipts) - len(refused),
                "files_refused": dg.MetadataValue.md(_listed(refused)),
                "files_delivered_before": dg.MetadataValue.md(_listed(ingested.repeated)),
                "files_left_in_inbox": dg.MetadataValue.md(_listed(ingested.left)),
                "rows_refused_now": sum(receipt.rows_refused for receipt in ingested.receipts),
            }
        return {"row_count": make_raw(warehouse, build.project, source), **shown}

    return table_asset(
        raw,
        make,
        reads=(),
        code_version=source.hash[:16],
        kinds={"duckdb", "file"},
        everything=everything,
        owner=f"team:{source.delivery.department}",
    )


def _listed(lines: tuple[str, ...] | list[str]) -> str:
    shown = [f"- {line}" for line in lines[:SHOWN_FILES]]
    if len(lines) > SHOWN_FILES:
        shown.append(f"- and {len(lines) - SHOWN_FILES} more")
    return "\n".join(shown) or "-"

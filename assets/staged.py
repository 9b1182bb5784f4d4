"""Layer staged: a row of one source, typed and decoded, of the delivery in force. Restricted."""

from collections.abc import Callable

import dagster as dg

from assets.tables import table_asset
from assets.warehouse_resource import Build
from minsheng.build import Project, make_staged, table_reads
from minsheng.contracts import Contract
from minsheng.warehouse import Warehouse


def staged_assets(
    project: Project, everything: Callable[[], frozenset[str]]
) -> list[dg.AssetsDefinition]:
    """One asset a dataset, made from its contract."""
    return [_staged_asset(project, source, everything) for source in project.all_sources]


def _staged_asset(
    project: Project, source: Contract, everything: Callable[[], frozenset[str]]
) -> dg.AssetsDefinition:
    assert source.delivery

    def make(warehouse: Warehouse, build: Build) -> dict[str, object]:
        return {"row_count": make_staged(warehouse, build.project, source)}

    return table_asset(
        source,
        make,
        reads=table_reads(project)[source.name],
        code_version=source.hash[:16],
        kinds={"duckdb"},
        everything=everything,
        owner=f"team:{source.delivery.department}",
    )

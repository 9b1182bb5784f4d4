"""Layer meta: what the build is made of. Frozen once every delivery is in the lake."""

from collections.abc import Callable

import dagster as dg

from assets.tables import table_asset
from assets.warehouse_resource import Build
from minsheng.build import Project, make_columns, make_meta, make_reference, table_reads
from minsheng.contracts import Contract
from minsheng.warehouse import Warehouse

TABLES = ("meta.delivery", "meta.source", "meta.build", "meta.columns", "meta.policy_item")


def meta_assets(
    project: Project, everything: Callable[[], frozenset[str]]
) -> list[dg.AssetsDefinition]:
    """`meta.delivery` first; the others follow from it or from the contracts and plans."""
    return [_meta_asset(project, project.contracts[name], everything) for name in TABLES]


def _meta_asset(
    project: Project, contract: Contract, everything: Callable[[], frozenset[str]]
) -> dg.AssetsDefinition:
    def make(warehouse: Warehouse, build: Build) -> dict[str, object]:
        if contract.table == "policy_item":
            return {"row_count": make_reference(warehouse, build.project, contract)}
        if contract.table == "columns":
            return {"row_count": make_columns(warehouse, build.project)}
        rows = make_meta(warehouse, build.project, contract, build.inputs, build.now)
        return {"row_count": rows, "build_id": build.inputs.build_id}

    return table_asset(
        contract,
        make,
        reads=table_reads(project)[contract.name],
        code_version=contract.hash[:16],
        kinds={"duckdb"},
        everything=everything,
    )

"""Layer meta: what the build is made of. Frozen once every delivery is in the lake."""

import dagster as dg

from assets.tables import Metadata, TableNames, row_count, table_asset
from assets.warehouse_resource import Build
from minsheng.build import make_reference
from minsheng.contracts import Contract
from minsheng.meta import make_columns, make_meta
from minsheng.project import Project
from minsheng.warehouse import Warehouse

FROM_DELIVERIES = ("meta.delivery", "meta.source", "meta.build", "meta.table_freshness")


def meta_assets(project: Project, everything: TableNames) -> list[dg.AssetsDefinition]:
    """Deliveries, sources and the build's inputs; columns and policy items beside them."""

    def make_columns_table(warehouse: Warehouse, build: Build) -> Metadata:
        return row_count(make_columns(warehouse, build.project))

    def make_items(warehouse: Warehouse, build: Build) -> Metadata:
        contract = build.project.contracts["meta.policy_item"]
        return row_count(make_reference(warehouse, build.project, contract))

    columns, items = project.contracts["meta.columns"], project.contracts["meta.policy_item"]
    return [
        *[_inputs_asset(project, project.contracts[name], everything) for name in FROM_DELIVERIES],
        table_asset(project, columns, everything, make_columns_table, kinds=["yaml"]),
        table_asset(project, items, everything, make_items, kinds=["yaml"]),
    ]


def _inputs_asset(
    project: Project, contract: Contract, everything: TableNames
) -> dg.AssetsDefinition:
    def make(warehouse: Warehouse, build: Build) -> Metadata:
        rows = make_meta(warehouse, build.project, contract, build.inputs, build.now)
        return row_count(rows) | {"build_id": build.inputs.build_id}

    return table_asset(project, contract, everything, make, kinds=[])

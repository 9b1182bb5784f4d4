"""Layer staged: a row of one source, typed and decoded, of the delivery in force. Restricted."""

import dagster as dg

from assets.tables import Metadata, TableNames, row_count, table_asset
from assets.warehouse_resource import Build
from minsheng.contracts import Contract
from minsheng.project import Project
from minsheng.source_tables import make_staged
from minsheng.warehouse import Warehouse


def staged_assets(project: Project, everything: TableNames) -> list[dg.AssetsDefinition]:
    """One asset a dataset, made from its contract."""
    return [_staged_asset(project, source, everything) for source in project.sources]


def _staged_asset(
    project: Project, source: Contract, everything: TableNames
) -> dg.AssetsDefinition:
    def make(warehouse: Warehouse, build: Build) -> Metadata:
        return row_count(make_staged(warehouse, build.project, source))

    return table_asset(project, source, everything, make, kinds=["parquet"])

"""Layer quality: faults of rows as delivered, contradictions, and published figures that moved."""

import dagster as dg

from assets.tables import Metadata, TableNames, row_count, table_asset
from assets.warehouse_resource import Build
from minsheng.build import make_quality
from minsheng.contracts import Contract
from minsheng.contradictions import CONTRADICTION, catalogue_hash
from minsheng.project import Project
from minsheng.warehouse import Warehouse

TABLES = (
    "quality.finding",
    "quality.contradiction",
    "quality.link_change",
    "quality.restatement",
)
"""The results of the checks are no asset: every table's asset writes its own."""


def quality_assets(project: Project, everything: TableNames) -> list[dg.AssetsDefinition]:
    """Faults row by row and pair by pair, and what has moved against the version readers have."""
    return [_quality_asset(project, project.contracts[name], everything) for name in TABLES]


def _quality_asset(
    project: Project, contract: Contract, everything: TableNames
) -> dg.AssetsDefinition:
    def make(warehouse: Warehouse, build: Build) -> Metadata:
        return row_count(make_quality(warehouse, build.project, contract, build.inputs))

    is_catalogue = contract.name == CONTRADICTION
    version = f"-{catalogue_hash(project.catalogue)}" if is_catalogue else ""
    return table_asset(project, contract, everything, make, kinds=["parquet"], code_version=version)

"""Layer indicators: figures that no single SELECT makes: measures, items, duties, formulas."""

import dagster as dg

from assets.tables import Metadata, TableNames, row_count, table_asset
from assets.warehouse_resource import Build
from minsheng.build import make_figures
from minsheng.contracts import Contract
from minsheng.policies import policy_hash
from minsheng.project import Project
from minsheng.warehouse import Warehouse


def figure_assets(project: Project, everything: TableNames) -> list[dg.AssetsDefinition]:
    """Measures of all areas, what `policies/` wants computed, who misses it, and who did what."""
    contracts = [project.contracts[name] for name in project.figure_tables]
    return [_figure_asset(project, contract, everything) for contract in contracts]


def _figure_asset(
    project: Project, contract: Contract, everything: TableNames
) -> dg.AssetsDefinition:
    def make(warehouse: Warehouse, build: Build) -> Metadata:
        return row_count(make_figures(warehouse, build.project, contract))

    version = f"-{policy_hash(project.settings)}"
    return table_asset(project, contract, everything, make, kinds=["python"], code_version=version)

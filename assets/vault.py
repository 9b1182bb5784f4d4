"""Layer vault: who is who. The only tables that stand between names and keys. Restricted."""

import dagster as dg

from assets.tables import Metadata, TableNames, row_count, table_asset
from assets.warehouse_resource import Build
from minsheng.build import make_vault
from minsheng.contracts import Contract
from minsheng.project import Project
from minsheng.warehouse import Warehouse


def vault_assets(project: Project, everything: TableNames) -> list[dg.AssetsDefinition]:
    """Identities and households with their keys."""
    return [
        _vault_asset(project, contract, everything)
        for contract in project.contracts.values()
        if contract.layer == "vault"
    ]


def _vault_asset(
    project: Project, contract: Contract, everything: TableNames
) -> dg.AssetsDefinition:
    def make(warehouse: Warehouse, build: Build) -> Metadata:
        return row_count(make_vault(warehouse, build.project, contract))

    return table_asset(project, contract, everything, make, kinds=[])

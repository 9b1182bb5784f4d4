"""Layer vault: who is who. The only tables that stand between names and keys. Restricted."""

from collections.abc import Callable

import dagster as dg

from assets.tables import table_asset
from assets.warehouse_resource import Build
from minsheng.build import Project, make_vault, table_reads
from minsheng.contracts import Contract
from minsheng.warehouse import Warehouse


def vault_assets(
    project: Project, everything: Callable[[], frozenset[str]]
) -> list[dg.AssetsDefinition]:
    """Identities and households with their keys."""
    return [
        _vault_asset(project, contract, everything)
        for contract in project.contracts.values()
        if contract.layer == "vault"
    ]


def _vault_asset(
    project: Project, contract: Contract, everything: Callable[[], frozenset[str]]
) -> dg.AssetsDefinition:
    def make(warehouse: Warehouse, build: Build) -> dict[str, object]:
        return {"row_count": make_vault(warehouse, build.project, contract)}

    return table_asset(
        contract,
        make,
        reads=table_reads(project)[contract.name],
        code_version=contract.hash[:16],
        kinds={"duckdb"},
        everything=everything,
    )

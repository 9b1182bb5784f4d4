"""Layer reference: policy values, codes and areas with their dates, from `policies/`."""

from collections.abc import Callable

import dagster as dg

from assets.tables import table_asset
from assets.warehouse_resource import Build
from minsheng.build import Project, make_reference, table_reads
from minsheng.contracts import Contract
from minsheng.policies import policy_hash
from minsheng.warehouse import Warehouse


def reference_assets(
    project: Project, everything: Callable[[], frozenset[str]]
) -> list[dg.AssetsDefinition]:
    """One asset a table of policies."""
    version = policy_hash(project.settings)[:16]
    return [
        _reference_asset(project, contract, version, everything)
        for contract in project.contracts.values()
        if contract.layer == "reference"
    ]


def _reference_asset(
    project: Project, contract: Contract, version: str, everything: Callable[[], frozenset[str]]
) -> dg.AssetsDefinition:
    def make(warehouse: Warehouse, build: Build) -> dict[str, object]:
        return {"row_count": make_reference(warehouse, build.project, contract)}

    return table_asset(
        contract,
        make,
        reads=table_reads(project)[contract.name],
        code_version=f"{contract.hash[:16]}-{version}",
        kinds={"duckdb", "yaml"},
        everything=everything,
    )

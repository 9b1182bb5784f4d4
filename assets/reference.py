"""Layer reference: policy values, codes and areas with their dates, from `policies/`.

The catalogue of contradictions is the one that stands in `expectations/`.
"""

import dagster as dg

from assets.tables import Metadata, TableNames, row_count, table_asset
from assets.warehouse_resource import Build
from minsheng.build import make_reference
from minsheng.contracts import Contract
from minsheng.contradictions import catalogue_hash
from minsheng.policies import policy_hash
from minsheng.project import Project
from minsheng.warehouse import Warehouse


def reference_assets(project: Project, everything: TableNames) -> list[dg.AssetsDefinition]:
    """One asset a table of policies, and one of the catalogue."""
    version = policy_hash(project.settings)[:16] + catalogue_hash(project.catalogue)
    return [
        _reference_asset(project, contract, version, everything)
        for contract in project.contracts.values()
        if contract.layer == "reference"
    ]


def _reference_asset(
    project: Project, contract: Contract, version: str, everything: TableNames
) -> dg.AssetsDefinition:
    def make(warehouse: Warehouse, build: Build) -> Metadata:
        return row_count(make_reference(warehouse, build.project, contract))

    return table_asset(
        project, contract, everything, make, kinds=["yaml"], code_version=f"-{version}"
    )

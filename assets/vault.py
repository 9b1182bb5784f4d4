"""Layers vault and bridge: who is who, and the keys of delivered rows. Restricted.

One step makes them, and the models that read the vault; the vault is open in no other.
"""

from collections.abc import Iterator

import dagster as dg

from assets.models import lineage_of
from assets.tables import (
    TableNames,
    check_spec,
    make_table,
    row_count,
    table_spec,
    telling_no_value,
)
from assets.warehouse_resource import WarehouseResource
from minsheng.build import make_linked
from minsheng.contracts import Contract
from minsheng.project import Project, linking_tables
from minsheng.warehouse import open_vault

STEP = "vault__link"


def vault_assets(project: Project, everything: TableNames) -> list[dg.AssetsDefinition]:
    """Identities and households with their keys, and what is made while they may be read."""
    contracts = [project.contracts[name] for name in linking_tables(project)]

    @dg.multi_asset(
        name=STEP,
        specs=[_spec(project, contract) for contract in contracts],
        check_specs=[check_spec(contract) for contract in contracts],
    )
    def link(
        context: dg.AssetExecutionContext, warehouse: WarehouseResource
    ) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]  # no value is passed on
        build = warehouse.build
        opened = build.open(context, everything())
        why = f"link the records of {len(build.project.sources)} datasets"
        made = []
        with telling_no_value(context), open_vault(opened, build.opening(STEP, why)):
            for contract in contracts:
                metadata = row_count(make_linked(opened, build.project, contract))
                if contract.name in build.project.models:
                    metadata |= lineage_of(build.project, build.project.models[contract.name])
                made.append(make_table(opened, build, contract, metadata))
        # told when the vault is closed again
        yield from made

    return [link]


def _spec(project: Project, contract: Contract) -> dg.AssetSpec:
    model = project.models.get(contract.name)
    return table_spec(
        project,
        contract,
        kinds=["sql"] if model else [],
        code_version=f"-{model.hash[:16]}" if model else "",
        description=model.header if model else "",
    )

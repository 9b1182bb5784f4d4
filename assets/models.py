"""Layers linked, indicators and risk: one asset a SELECT in `sql/`, wired by what it reads."""

from collections.abc import Callable

import dagster as dg

from assets.tables import asset_key, table_asset
from assets.warehouse_resource import Build
from minsheng.build import Project, make_model, table_reads
from minsheng.models import Model, column_lineage
from minsheng.warehouse import Warehouse


def model_assets(
    project: Project, everything: Callable[[], frozenset[str]]
) -> list[dg.AssetsDefinition]:
    """One asset a model, in an order in which each comes after what it reads."""
    return [_model_asset(project, model, everything) for model in project.models.values()]


def _model_asset(
    project: Project, model: Model, everything: Callable[[], frozenset[str]]
) -> dg.AssetsDefinition:
    contract = project.contracts[model.name]

    def make(warehouse: Warehouse, build: Build) -> dict[str, object]:
        return {"row_count": make_model(warehouse, build.project, model)}

    def lineage() -> dg.TableColumnLineage:
        return dg.TableColumnLineage(
            {
                column: [
                    dg.TableColumnDep(asset_key=asset_key(table), column_name=name)
                    for table, name in pairs
                ]
                for column, pairs in column_lineage(model, project.contracts).items()
            }
        )

    return table_asset(
        contract,
        make,
        reads=table_reads(project)[model.name],
        code_version=f"{model.hash[:16]}-{contract.hash[:16]}",
        kinds={"duckdb", "sql"},
        everything=everything,
        description=model.header,
        lineage=lineage,
    )

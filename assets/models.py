"""Layers linked, indicators and risk: one asset a SELECT in `sql/`, wired by what it reads."""

import dagster as dg

from assets.tables import Metadata, TableNames, asset_key, row_count, table_asset
from assets.warehouse_resource import Build
from minsheng.build import make_model
from minsheng.models import Model, column_lineage
from minsheng.project import Project
from minsheng.warehouse import Warehouse


def model_assets(project: Project, everything: TableNames) -> list[dg.AssetsDefinition]:
    """One asset a model, in an order in which each comes after what it reads."""
    return [_model_asset(project, model, everything) for model in project.models.values()]


def _model_asset(project: Project, model: Model, everything: TableNames) -> dg.AssetsDefinition:
    def make(warehouse: Warehouse, build: Build) -> Metadata:
        rows = make_model(warehouse, build.project, model)
        return row_count(rows) | {"dagster/column_lineage": _lineage(build.project, model)}

    return table_asset(
        project,
        project.contracts[model.name],
        everything,
        make,
        kinds=["sql"],
        code_version=f"-{model.hash[:16]}",
        description=model.header,
    )


def _lineage(project: Project, model: Model) -> dg.TableColumnLineage:
    return dg.TableColumnLineage(
        {
            column: [
                dg.TableColumnDep(asset_key=asset_key(table), column_name=name)
                for table, name in pairs
            ]
            for column, pairs in column_lineage(model, project.contracts).items()
        }
    )

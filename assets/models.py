"""Layers linked, indicators and risk: one asset a SELECT in `sql/`, wired by what it reads.

Those that read the vault are made by the step that links, in `assets.vault`.
"""

import dagster as dg

from assets.tables import Metadata, TableNames, asset_key, row_count, table_asset
from assets.warehouse_resource import Build
from minsheng.build import make_model
from minsheng.models import Model, column_lineage
from minsheng.project import Project, linking_tables
from minsheng.warehouse import Warehouse


def model_assets(project: Project, everything: TableNames) -> list[dg.AssetsDefinition]:
    """One asset a model, in an order in which each comes after what it reads."""
    linking = linking_tables(project)
    return [
        _model_asset(project, model, everything)
        for model in project.models.values()
        if model.name not in linking
    ]


def _model_asset(project: Project, model: Model, everything: TableNames) -> dg.AssetsDefinition:
    def make(warehouse: Warehouse, build: Build) -> Metadata:
        rows = make_model(warehouse, build.project, model)
        return row_count(rows) | lineage_of(build.project, model)

    return table_asset(
        project,
        project.contracts[model.name],
        everything,
        make,
        kinds=["sql"],
        code_version=f"-{model.hash[:16]}",
        description=model.header,
    )


def lineage_of(project: Project, model: Model) -> Metadata:
    """From which columns each column of the model is made, as metadata."""
    lineage = dg.TableColumnLineage(
        {
            column: [
                dg.TableColumnDep(asset_key=asset_key(table), column_name=name)
                for table, name in pairs
            ]
            for column, pairs in column_lineage(model, project.contracts).items()
        }
    )
    return {"dagster/column_lineage": lineage}

"""What exists: one module a layer, in flow order.

`all_assets` is the list; every table of the warehouse is one asset, and the release is the last.
"""

from functools import cache
from pathlib import Path

import dagster as dg

from assets.figures import figure_assets
from assets.meta import meta_assets
from assets.models import model_assets
from assets.published import release_asset
from assets.quality import quality_assets
from assets.raw import raw_assets
from assets.reference import reference_assets
from assets.staged import staged_assets
from assets.vault import vault_assets
from minsheng.project import Project
from minsheng.settings import load_settings


@cache
def all_assets(deployment: Path) -> tuple[dg.AssetsDefinition, ...]:
    """Every asset of a deployment, in flow order."""
    project = Project(load_settings(deployment=str(deployment)))

    def names() -> frozenset[str]:
        return table_names(deployment)

    tables = (
        *raw_assets(project, names),
        *meta_assets(project, names),
        *reference_assets(project, names),
        *staged_assets(project, names),
        *vault_assets(project, names),
        *model_assets(project, names),
        *figure_assets(project, names),
        *quality_assets(project, names),
    )
    return (*tables, release_asset([key for asset in tables for key in asset.keys]))


@cache
def table_names(deployment: Path) -> frozenset[str]:
    """Names of all tables that a whole build makes."""
    assets = all_assets(deployment)[:-1]
    return frozenset(".".join(key.path) for asset in assets for key in asset.keys)

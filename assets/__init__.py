"""What exists: one module a layer, in flow order.

`all_assets` is the list; every table of the warehouse is one asset, and the release is the last.
"""

from functools import cache

import dagster as dg

from assets.meta import meta_assets
from assets.models import model_assets
from assets.published import release_asset
from assets.quality import quality_assets
from assets.raw import raw_assets
from assets.reference import reference_assets
from assets.staged import staged_assets
from assets.vault import vault_assets
from minsheng.build import Project
from minsheng.settings import load_settings


@cache
def all_assets() -> tuple[dg.AssetsDefinition, ...]:
    """Every asset of the deployment, in flow order."""
    project = Project(load_settings())
    tables = (
        *raw_assets(project, table_names),
        *meta_assets(project, table_names),
        *reference_assets(project, table_names),
        *staged_assets(project, table_names),
        *vault_assets(project, table_names),
        *model_assets(project, table_names),
        *quality_assets(project, table_names),
    )
    return (*tables, release_asset([asset.key for asset in tables]))


@cache
def table_names() -> frozenset[str]:
    """Names of all tables that a whole build makes."""
    return frozenset(".".join(asset.key.path) for asset in all_assets()[:-1])

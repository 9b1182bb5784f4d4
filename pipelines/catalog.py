"""Everything Dagster knows of a deployment, in one list."""

from functools import cache
from pathlib import Path

import dagster as dg

from assets import all_assets
from assets.warehouse_resource import WarehouseResource
from pipelines.freshness import with_freshness
from pipelines.jobs import refresh
from pipelines.schedules import nightly_refresh
from pipelines.sensors import inbox, note_failure, note_success


@cache
def definitions_of(deployment: Path) -> dg.Definitions:
    """What Dagster knows of a deployment: the assets are those of its datasets."""
    return dg.Definitions(
        assets=with_freshness(all_assets(deployment)),
        jobs=[refresh],
        schedules=[nightly_refresh],
        sensors=[inbox, note_failure, note_success],
        resources={"warehouse": WarehouseResource()},
        executor=dg.in_process_executor,
    )

"""The code location: everything Dagster knows, in one list."""

import dagster as dg

from assets import all_assets
from assets.warehouse_resource import WarehouseResource
from pipelines.freshness import with_freshness
from pipelines.jobs import refresh
from pipelines.schedules import nightly_refresh
from pipelines.sensors import inbox

defs = dg.Definitions(
    assets=with_freshness(all_assets()),
    jobs=[refresh],
    schedules=[nightly_refresh],
    sensors=[inbox],
    resources={"warehouse": WarehouseResource()},
    executor=dg.in_process_executor,
)

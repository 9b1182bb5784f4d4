"""Jobs: verbs that a person or a schedule starts."""

import dagster as dg

refresh = dg.define_asset_job(
    "refresh",
    selection=dg.AssetSelection.all(),
    description="The whole flow: take the inbox, build, audit, publish.",
    executor_def=dg.in_process_executor,
)

"""Schedules: what runs while nobody watches."""

import dagster as dg

from minsheng.settings import load_settings
from pipelines.jobs import refresh
from pipelines.refresh import has_news


@dg.schedule(
    name="nightly_refresh",
    job=refresh,
    cron_schedule="0 2 * * *",
    execution_timezone="Asia/Shanghai",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every night at two: take what has arrived, build, audit, publish.",
)
def nightly_refresh() -> dg.RunRequest | dg.SkipReason:
    """Skips the night if nothing has arrived and nothing else has changed."""
    if has_news(load_settings()):
        return dg.RunRequest()
    return dg.SkipReason("nothing new since the last refresh")

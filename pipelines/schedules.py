"""Schedules: what runs while nobody watches."""

import dagster as dg

from pipelines.jobs import refresh

nightly_refresh = dg.ScheduleDefinition(
    name="nightly_refresh",
    job=refresh,
    cron_schedule="0 2 * * *",
    execution_timezone="Asia/Shanghai",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every night at two: take what has arrived, build, audit, publish.",
)

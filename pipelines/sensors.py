"""Sensors: what starts a run when something arrives."""

import hashlib
import os

import dagster as dg

from minsheng.inbox import waiting_files
from minsheng.settings import load_settings
from pipelines.jobs import refresh

LOOK_EVERY_SECONDS = 60


@dg.sensor(
    name="inbox",
    job=refresh,
    minimum_interval_seconds=LOOK_EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts a refresh when files have lain in the inbox unchanged for one look.",
)
def inbox(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """A file that still grows is left until it holds still."""
    digest = hashlib.sha256()
    files = waiting_files(load_settings().inbox)
    for path in files:
        state = path.stat()
        digest.update(os.fsencode(path))  # its name may be no UTF-8
        digest.update(f"\0{state.st_size}\0{state.st_mtime_ns}\n".encode())
    seen = digest.hexdigest()[:32] if files else ""
    if not files:
        return dg.SkipReason("the inbox is empty")
    if seen != context.cursor:
        context.update_cursor(seen)
        return dg.SkipReason(f"{len(files)} files have arrived; waiting for them to hold still")
    return dg.SensorResult(run_requests=[dg.RunRequest(run_key=seen)], cursor=seen)

"""Sensors: what starts a run when something arrives, and what notes how a run has ended."""

import hashlib
import os
from datetime import datetime

import dagster as dg

from minsheng.inbox import waiting_files
from minsheng.outcome import note_refresh
from minsheng.release import current
from minsheng.settings import load_settings
from pipelines.jobs import refresh
from pipelines.runs import NOTED_TAG, told_error

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


@dg.run_failure_sensor(
    name="note_failure",
    monitored_jobs=[refresh],
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Notes in the home that a refresh has failed, for `minsheng status`.",
)
def note_failure(context: dg.RunFailureSensorContext) -> None:
    """A run of `minsheng refresh` notes its own end."""
    if NOTED_TAG in context.dagster_run.tags:
        return
    told = (told_error(event) for event in context.get_step_failure_events())
    settings = load_settings()
    message = next(filter(None, told), context.failure_event.message or "the run failed")
    note_refresh(settings, "failed", message, datetime.now(settings.time_zone))


@dg.run_status_sensor(
    name="note_success",
    run_status=dg.DagsterRunStatus.SUCCESS,
    monitored_jobs=[refresh],
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Notes in the home which version a refresh has published, for `minsheng status`.",
)
def note_success(context: dg.RunStatusSensorContext) -> None:
    """A run of `minsheng refresh` notes its own end."""
    if NOTED_TAG in context.dagster_run.tags:
        return
    settings = load_settings()
    version = current(settings)
    message = f"published {version.version if version else '?'}"
    note_refresh(settings, "published", message, datetime.now(settings.time_zone))

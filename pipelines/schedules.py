"""Schedules: what runs while nobody watches."""

from datetime import datetime

import dagster as dg

from minsheng.databases import fetch
from minsheng.lock import refresh_lock
from minsheng.news import has_news
from minsheng.originals import remove_old
from minsheng.outcome import note_refresh
from minsheng.project import Project
from minsheng.settings import load_settings, require_home
from pipelines.jobs import refresh


@dg.schedule(
    name="nightly_refresh",
    job=refresh,
    cron_schedule="0 2 * * *",
    execution_timezone="Asia/Shanghai",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every night at two: fetch and take what has arrived, build, audit, publish.",
)
def nightly_refresh(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Skips the night if nothing has arrived and nothing else has changed."""
    settings = load_settings()
    require_home(settings)
    now = datetime.now(settings.time_zone)
    with refresh_lock(settings.home):
        unfetched = fetch(Project(settings), now)
        remove_old(settings, now)
    for line in unfetched:
        context.log.warning(line)
    if has_news(Project(settings)):
        note_refresh(settings, "started", "the nightly run has not ended yet", now, unfetched)
        return dg.RunRequest()
    nothing = "nothing new since the last refresh"
    note_refresh(settings, "nothing_new", nothing, now, unfetched)
    return dg.SkipReason("; ".join((nothing, *unfetched)))

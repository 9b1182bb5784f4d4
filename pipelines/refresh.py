"""One refresh as one Dagster run, after deciding without Dagster whether anything is new."""

import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from sqlite3 import Error as SqliteError
from sqlite3 import connect
from typing import TYPE_CHECKING
from uuid import uuid4

from minsheng import databases, encryption, lake, originals
from minsheng.coverage import coverage_lines, item_coverage
from minsheng.disk import full_disk
from minsheng.faults import told
from minsheng.inbox import misplaced_files
from minsheng.lock import AnotherRefreshRuns, refresh_lock
from minsheng.news import has_news
from minsheng.outcome import State, known_before, note_refresh, read_note, told_of
from minsheng.project import Project
from minsheng.release import Version, current, remove_unfinished
from minsheng.settings import Settings
from minsheng.spill import is_alive
from minsheng.warehouse import WAREHOUSE_FILE
from pipelines.runs import NOTED_TAG, PROCESS_TAG, told_error

if TYPE_CHECKING:
    from dagster import DagsterEvent, DagsterInstance, ExecuteInProcessResult


@dataclass(frozen=True)
class Outcome:
    """What a refresh came to; `message` says it in one line."""

    state: State
    message: str
    version: Version | None
    misplaced: tuple[Path, ...] = ()
    taken: tuple[str, ...] = ()
    """What became of the files that waited: one line for all, one for each that does not count."""
    unfetched: tuple[str, ...] = ()
    """What a department's database did not give: one line for each relation."""
    untold: str = ""
    """Since when refreshes were ended from outside before they could say what they had taken."""
    items: tuple[str, ...] = ()
    """How many items of the plans the new version has data for, in lines."""


class StoreError(RuntimeError):
    """The orchestrator's own store, in which the run would be shown, cannot be written."""


def refresh(
    settings: Settings,
    known_on: date | None = None,
    as_of: date | None = None,
    progress: Callable[[str], None] = lambda line: None,
    rotate_keys: bool = False,
) -> Outcome:
    """Fetch from the databases, take the inbox, build, audit, publish; or find nothing new.

    The current version changes only if everything went well. What it came to is noted in the home.
    Raises SettingsError if the home's keys are gone or others, unless `rotate_keys` asks for other
    pseudonyms.
    """
    try:
        with refresh_lock(settings.home):
            return _noted(settings, known_on, as_of, progress, rotate_keys)
    except AnotherRefreshRuns as other:
        return Outcome("failed", str(other), current(settings))


def _noted(
    settings: Settings,
    known_on: date | None,
    as_of: date | None,
    progress: Callable[[str], None],
    rotate_keys: bool,
) -> Outcome:
    """Refresh, and note in the home that it has begun and how it ended."""
    remove_unfinished(settings)
    before = read_note(settings)
    # whoever has the lock may say so: the one that noted it has neither ended nor lives
    untold = before.untold_since if before and before.state == "started" else ""
    now = datetime.now(settings.time_zone)
    note_refresh(settings, "started", "it has not ended yet, or was ended from outside", now)
    try:
        outcome = _refresh(settings, now, known_on, as_of, progress, rotate_keys, untold)
    except Exception as fault:
        note_refresh(settings, "failed", told(fault), datetime.now(settings.time_zone))
        raise
    if outcome.state == "failed":
        told_of_disk = full_disk(settings, outcome.message, _written(settings))
        if told_of_disk:
            remove_unfinished(settings)
            outcome = replace(outcome, message=told_of_disk)
    ended = datetime.now(settings.time_zone)
    note_refresh(settings, outcome.state, outcome.message, ended, outcome.unfetched)
    return outcome


def _refresh(
    settings: Settings,
    now: datetime,
    known_on: date | None,
    as_of: date | None,
    progress: Callable[[str], None],
    rotate_keys: bool,
    untold: str,
) -> Outcome:
    project = Project(settings, known_on, as_of, rotate_keys)
    # before anything else: a home whose keys are gone is left as it is
    encryption.load_keys(settings)
    _ = project.pseudonym_key
    unfetched = databases.fetch(project, now)
    originals.remove_old(settings, now)
    misplaced = misplaced_files(settings, project.sources)
    published = current(settings)
    receipts = lake.read_receipts(settings.lake)
    known = known_before(receipts, datetime.fromisoformat(untold) if untold else None)
    if not has_news(project):
        message = "nothing new since the last refresh"
        taken = told_of(receipts, known)
        return Outcome("nothing_new", message, published, misplaced, taken, unfetched, untold)
    fault = ""
    try:
        result, events = _run(settings, known_on, as_of, progress, rotate_keys)
        fault = "" if result.success else _reason(result, events)
    except StoreError as broken:
        fault = str(broken)
    made = current(settings)
    taken = told_of(lake.read_receipts(settings.lake), known)
    if fault and made == published:
        return Outcome("failed", fault, published, misplaced, taken, unfetched, untold)
    message = f"published {made.version if made else '?'}" + (f", but {fault}" if fault else "")
    items = coverage_lines(item_coverage(settings.published / "current" / WAREHOUSE_FILE))
    return Outcome("published", message, made, misplaced, taken, unfetched, untold, items)


def dagster_instance(settings: Settings) -> "DagsterInstance":
    """The instance whose UI shows the runs, in DAGSTER_HOME or `dagster/` of the data home."""
    from dagster import DagsterInstance

    home = _dagster_home(settings)
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "dagster.yaml").is_file():
        shutil.copyfile(settings.root / "dagster.yaml", home / "dagster.yaml")
    return DagsterInstance.from_config(str(home))


def _dagster_home(settings: Settings) -> Path:
    return Path(os.environ.get("DAGSTER_HOME") or settings.home / "dagster")


def _written(settings: Settings) -> tuple[Path, ...]:
    """Where a refresh writes beside the home."""
    return _dagster_home(settings), Path(tempfile.gettempdir())


def _run(
    settings: Settings,
    known_on: date | None,
    as_of: date | None,
    progress: Callable[[str], None],
    rotate_keys: bool,
) -> tuple["ExecuteInProcessResult", list["DagsterEvent"]]:
    from dagster import DagsterEvent, DagsterEventType, EventLogEntry
    from sqlalchemy.exc import SQLAlchemyError

    from pipelines.catalog import definitions_of
    from pipelines.jobs import refresh as job

    events: list[DagsterEvent] = []

    def listen(entry: EventLogEntry) -> None:
        if entry.dagster_event:
            events.append(entry.dagster_event)
            if (
                entry.dagster_event.event_type is DagsterEventType.ASSET_MATERIALIZATION
                and entry.dagster_event.asset_key
            ):
                progress(entry.dagster_event.asset_key.to_user_string())

    try:
        with ExitStack() as store, dagster_instance(settings) as instance:
            _end_dead_runs(instance)
            run_id = str(uuid4())
            store.enter_context(_held_store(instance, run_id))
            instance.add_event_listener(run_id, listen)
            config = {
                "home": str(settings.home),
                "deployment": str(settings.deployment),
                "known_on": known_on.isoformat() if known_on else "",
                "as_of": as_of.isoformat() if as_of else "",
                "rotate_keys": rotate_keys,
                "is_locked": True,
            }
            result = (
                definitions_of(settings.deployment)
                .resolve_job_def(job.name)
                .execute_in_process(
                    instance=instance,
                    run_id=run_id,
                    tags={NOTED_TAG: "true", PROCESS_TAG: _this_process()},
                    raise_on_error=False,
                    run_config={
                        "resources": {"warehouse": {"config": config}},
                        "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
                    },
                )
            )
    except (SQLAlchemyError, SqliteError, OSError) as fault:
        cause = getattr(fault, "orig", None) or fault
        place = _dagster_home(settings)
        raise StoreError(f"the run cannot be noted in {place}: {told(cause)}") from fault
    return result, events


@contextmanager
def _held_store(instance: "DagsterInstance", run_id: str) -> Iterator[None]:
    """Hold the files of the run's events open while it runs.

    Dagster opens them anew for every event, and whenever the last connection closes SQLite folds
    its log into the file: a tenth of the time of a small refresh.
    """
    from dagster._core.storage.event_log import SqliteEventLogStorage

    events = instance.event_log_storage
    with ExitStack() as held:
        if isinstance(events, SqliteEventLogStorage):
            instance.all_logs(run_id)  # makes the run's file
            for shard in ("index", run_id):
                connection = held.enter_context(closing(connect(events.path_for_shard(shard))))
                connection.execute("select 1 from sqlite_master").fetchall()
        yield


def _this_process() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def _end_dead_runs(instance: "DagsterInstance") -> None:
    """Show runs as failed whose process on this machine was killed and could not say so."""
    from dagster import DagsterRunStatus, RunsFilter

    begun = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED]
    for run in instance.get_runs(RunsFilter(statuses=begun)):
        host, _, process = run.tags.get(PROCESS_TAG, "").partition(":")
        if host == socket.gethostname() and not is_alive(int(process)):
            instance.report_run_failed(run, "the process of this run was ended from outside")


def _reason(result: "ExecuteInProcessResult", events: list["DagsterEvent"]) -> str:
    """Why the run failed, in one line: the failed checks, or the first error's innermost cause."""
    for evaluation in result.get_asset_check_evaluations():
        if not evaluation.passed:
            failures = evaluation.metadata["failures"].value
            return f"{evaluation.asset_key.to_user_string()} breaks its contract: {failures}"
    for event in events:
        if message := told_error(event):
            return message
    return "the run failed; look at it with `dagster dev`"

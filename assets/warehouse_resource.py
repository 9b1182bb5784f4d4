"""The resource that every asset writes through: one lock, one connection and one build a run."""

import shutil
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from datetime import date, datetime
from functools import cached_property
from pathlib import Path

import dagster as dg
from pydantic import PrivateAttr

from minsheng import openings, sealing
from minsheng.build import mark_stale
from minsheng.lake import delivered_bytes
from minsheng.lock import refresh_lock
from minsheng.openings import Opening
from minsheng.project import Inputs, Project, downstream, gather_inputs
from minsheng.release import WORK_PREFIX, current, remove_unfinished
from minsheng.settings import Settings, load_settings
from minsheng.source_tables import make_absent
from minsheng.warehouse import RESTRICTED_FILE, WAREHOUSE_FILE, Warehouse, open_warehouse

PARTIAL_PREFIX = "partial-"


class Build:
    """One run's build: a whole one in a new folder, or a copy with some tables remade.

    Opened by the first asset that asks, because only an asset knows what the run has selected.
    """

    def __init__(self, project: Project, now: datetime, run_id: str) -> None:
        self.project = project
        self.now = now
        self.run_id = run_id
        self._stack = ExitStack()
        self._warehouse: Warehouse | None = None
        self._selected: frozenset[str] = frozenset()
        self.is_whole = False

    @property
    def settings(self) -> Settings:
        return self.project.settings

    @property
    def folder(self) -> Path:
        prefix = WORK_PREFIX if self.is_whole else PARTIAL_PREFIX
        return self.settings.builds / f"{prefix}{self.run_id}"

    @cached_property
    def inputs(self) -> Inputs:
        """The declared inputs; ask after the deliveries are in the lake."""
        return gather_inputs(self.project)

    def open(self, context: dg.AssetExecutionContext, everything: Collection[str]) -> Warehouse:
        """The open warehouse; the run is whole if it has selected `everything` there is."""
        if self._warehouse is None:
            selection = context.job_def.asset_layer.selected_asset_keys
            self._selected = frozenset(".".join(key.path) for key in selection)
            self.is_whole = self._selected.issuperset(everything)
            opening = self.opening(
                context.op_execution_context.op.name, f"make {len(self._selected)} tables"
            )
            for file in (self.settings.lake, self.folder / RESTRICTED_FILE):
                openings.note(self.settings, file, opening)
            sealing.seal_home(self.settings)
            self._prepare_folder()
            self._warehouse = self._stack.enter_context(
                open_warehouse(
                    self.settings,
                    self.folder,
                    delivered_bytes(self.settings.inbox, self.settings.lake),
                )
            )
            make_absent(self._warehouse, self.project)
        return self._warehouse

    def table_is_made(self, name: str) -> None:
        """In a partial run, mark what is downstream and not selected as stale."""
        if self._warehouse is not None and not self.is_whole:
            stale = downstream(self.project, name, self._selected)
            mark_stale(self._warehouse, self.project, stale)

    def opening(self, step: str, why: str) -> Opening:
        """What the log of openings says of a step of this run."""
        return Opening(datetime.now(self.settings.time_zone), f"run {self.run_id} {step}", why)

    def close(self) -> None:
        self._warehouse = None
        self._stack.close()

    def _prepare_folder(self) -> None:
        builds = self.settings.builds
        builds.mkdir(parents=True, exist_ok=True)
        # a re-execution of a run that died goes on in its folder
        remove_unfinished(self.settings, self.folder)
        if self.is_whole or self.folder.exists():
            return
        latest = current(self.settings)
        if latest is None:
            raise dg.Failure(
                "a run of selected assets starts from the latest complete build, and there is "
                "none; run `minsheng refresh` first"
            )
        complete = builds / latest.build_id
        self.folder.mkdir(parents=True)
        for name in (WAREHOUSE_FILE, RESTRICTED_FILE):
            if not (complete / name).is_file():
                raise dg.Failure(
                    f"the latest complete build has no {name} that is encrypted; "
                    "run `minsheng refresh` first"
                )
            shutil.copyfile(complete / name, self.folder / name)


class WarehouseResource(dg.ConfigurableResource):  # type: ignore[type-arg]  # no value type
    """Where the run writes.

    `home` and `deployment` are empty for what the environment says; `known_on` (a day) and `as_of`
    (a month) are ISO dates or empty; `rotate_keys` asks for other pseudonyms than the current ones;
    `is_locked` says that whoever started the run in this process holds the home's lock.
    """

    home: str = ""
    deployment: str = ""
    known_on: str = ""
    as_of: str = ""
    rotate_keys: bool = False
    is_locked: bool = False

    _build: Build | None = PrivateAttr(default=None)

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["WarehouseResource"]:
        settings = load_settings(Path(self.home) if self.home else None, self.deployment or None)
        project = Project(
            settings,
            known_on=date.fromisoformat(self.known_on) if self.known_on else None,
            as_of=date.fromisoformat(self.as_of).replace(day=1) if self.as_of else None,
            may_rotate_keys=self.rotate_keys,
        )
        run = context.run
        run_id = (run.root_run_id or run.run_id) if run else "in-memory"
        with nullcontext() if self.is_locked else refresh_lock(settings.home):
            self._build = Build(project, datetime.now(settings.time_zone), run_id)
            try:
                yield self
            finally:
                self._build.close()

    @property
    def build(self) -> Build:
        assert self._build is not None, "the resource is used outside a run"
        return self._build

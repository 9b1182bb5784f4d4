"""Audit and publish: what keeps a build back, the atomic swap of versions, and the way back.

`published/<version>/` holds `minsheng.duckdb`, `parquet/` and `build.json`; `published/current` is
a link that one rename moves, so that a reader finds either the old version or the new one.
"""

import json
import os
import shutil
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from minsheng import link_review, pseudonyms
from minsheng.build import record_digest
from minsheng.contracts import RESTRICTED_LAYERS, Contract
from minsheng.dated_views import make_dated_views
from minsheng.encryption import scratch_database
from minsheng.lookups import make_lookups
from minsheng.project import Project
from minsheng.quoting import literal, quoted
from minsheng.settings import (
    BUILD_NOTE,
    PUBLISHED_FILE_MODE,
    Settings,
)
from minsheng.spill import remove_left_spill
from minsheng.warehouse import WAREHOUSE_FILE, Warehouse, qualified

CURRENT = "current"
WITHDRAWN = "withdrawn.json"
WORK_PREFIX = ".work-"
PUBLISHED_LAYERS = ("indicators", "risk", "quality", "meta")
"""Layers whose tables are exported as Parquet too."""


class AuditFailure(RuntimeError):
    """A build that must not be published; the last good version stays current."""


@dataclass(frozen=True)
class Version:
    """A published version, as its note says."""

    version: str
    build_id: str
    as_of_month: str
    built_at: str
    folder: Path
    pseudonym_key: str = ""
    """The name of the key that it was published under; earlier releases noted none."""


def audit(warehouse: Warehouse, project: Project, run_id: str) -> None:
    """Raise AuditFailure unless this run made every table and no critical check failed."""
    promised = {
        (contract.layer, contract.table)
        for contract in project.contracts.values()
        if contract.layer not in RESTRICTED_LAYERS and contract.name != "meta.table_digest"
    }
    rows = warehouse.rows(
        "select schema_name, table_name, build_id, is_stale from minsheng.meta.table_digest"
    )
    missing = promised - {(row[0], row[1]) for row in rows}
    others = sorted(f"{row[0]}.{row[1]}" for row in rows if row[2] != run_id)
    stale = sorted(f"{row[0]}.{row[1]}" for row in rows if row[3])
    if missing or others or stale:
        raise AuditFailure(
            "the build is not whole: tables missing "
            f"{sorted(f'{layer}.{table}' for layer, table in missing)}, of another build {others}, "
            f"stale {stale}; run the whole refresh to publish"
        )
    failed = warehouse.rows(
        "select table_name, check_name, failing_rows, why from minsheng.quality.check_result "
        "where not passed and severity = 'critical' and not is_refused_at_ingest order by all"
    )
    if failed:
        raise AuditFailure(
            "critical checks failed: "
            + "; ".join(f"{row[0]} {row[1]} ({row[2]} rows: {row[3]})" for row in failed)
        )


def export(warehouse: Warehouse, project: Project, folder: Path) -> None:
    """Write the published tables as Parquet with their contract in the file's metadata."""
    for contract in project.contracts.values():
        if contract.layer in PUBLISHED_LAYERS:
            target = folder / contract.layer / f"{contract.table}.parquet"
            target.parent.mkdir(parents=True, exist_ok=True)
            metadata = ", ".join(
                f"{quoted(name)}: {literal(text)}"
                for name, text in _parquet_metadata(contract).items()
            )
            warehouse.connection.execute(
                f"copy (select * from {qualified(contract)} order by {', '.join(contract.key)}) "
                f"to {literal(str(target))} "
                f"(format parquet, compression zstd, kv_metadata {{{metadata}}})"
            )
            target.chmod(PUBLISHED_FILE_MODE)


def publish_build(
    warehouse: Warehouse, project: Project, run_id: str, close: Callable[[], None]
) -> Version:
    """Audit the open build, export it, close it with `close` and make it current.

    Raises AuditFailure and publishes nothing if the build is not whole or a critical check failed.
    """
    record_digest(warehouse, project, project.contracts["quality.check_result"], run_id)
    audit(warehouse, project, run_id)
    warehouse.connection.execute(
        "update minsheng.meta.table_digest "
        "set build_id = (select build_id from minsheng.meta.build)"
    )
    make_dated_views(warehouse)
    make_lookups(warehouse)
    exported = warehouse.folder / "parquet"
    export(warehouse, project, exported)
    close()
    return publish(project.settings, warehouse.folder)


def publish(settings: Settings, work: Path) -> Version:
    """Make the closed build in `work` the current version and return it.

    Every step leaves `current` whole; a crash between two leaves files that the next run clears.
    """
    import duckdb

    with duckdb.connect(str(work / WAREHOUSE_FILE), read_only=True) as connection:
        row = connection.execute(
            "select version, build_id, as_of_month::varchar, built_at::varchar, pseudonym_key "
            "from meta.build"
        ).fetchall()[0]
    name, build_id, as_of_month, built_at, key = (str(value) for value in row)
    published = current(settings)
    if published is not None and published.build_id == build_id:
        # the same inputs once more: what readers have is what they would get
        shutil.rmtree(work)
        return published
    home = settings.builds / build_id
    _remove(home)
    work.rename(home)
    incoming = settings.published / f".{name}.incoming"
    shutil.rmtree(incoming, ignore_errors=True)
    incoming.mkdir(parents=True)
    # one copy on disk: the published name is a second link to the build's file
    os.link(home / WAREHOUSE_FILE, incoming / WAREHOUSE_FILE)
    (incoming / WAREHOUSE_FILE).chmod(PUBLISHED_FILE_MODE)
    (home / "parquet").rename(incoming / "parquet")
    note = {
        "version": name,
        "build_id": build_id,
        "as_of_month": as_of_month,
        "built_at": built_at,
        pseudonyms.NOTED_AS: key,
    }
    (incoming / BUILD_NOTE).write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")
    folder = settings.published / name
    incoming.rename(folder)
    _point_current(settings, name)
    _give_review(settings, home, as_of_month)
    _prune(settings)
    return Version(name, build_id, as_of_month, built_at, folder, key)


def versions(settings: Settings) -> tuple[Version, ...]:
    """Published versions, oldest first."""
    found = []
    for path in sorted(settings.published.glob(f"[0-9]*/{BUILD_NOTE}")):
        note = json.loads(path.read_text(encoding="utf-8"))
        found.append(Version(folder=path.parent, **note))
    return tuple(version for version in found if _is_readable(version))


def current(settings: Settings) -> Version | None:
    """The version that readers open, if any."""
    link = settings.published / CURRENT
    if not link.is_symlink():
        return None
    name = str(link.readlink())
    return next((each for each in versions(settings) if each.version == name), None)


def rollback(settings: Settings, version: str | None = None) -> Version:
    """Make `version`, or the one before the current, current again and return it."""
    published = versions(settings)
    now = current(settings)
    earlier = [each for each in published if now is None or each.version < now.version]
    wanted = [each for each in published if each.version == version] if version else earlier[-1:]
    if not wanted:
        raise AuditFailure(
            f"no version {version or 'before the current one'}; published are "
            f"{[each.version for each in published]}"
        )
    later = {each.build_id for each in published if each.version > wanted[0].version}
    _write_withdrawn(settings, (withdrawn(settings) | later) - {wanted[0].build_id})
    _point_current(settings, wanted[0].version)
    return wanted[0]


def withdrawn(settings: Settings) -> frozenset[str]:
    """Builds that a rollback left behind; a refresh whose inputs are theirs has nothing new."""
    path = settings.published / WITHDRAWN
    return (
        frozenset(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else frozenset()
    )


def _write_withdrawn(settings: Settings, builds: Collection[str]) -> None:
    path = settings.published / WITHDRAWN
    temporary = path.with_name(f".{WITHDRAWN}.{os.getpid()}")
    temporary.write_text(json.dumps(sorted(builds)) + "\n", encoding="utf-8")
    temporary.replace(path)


def _is_readable(version: Version) -> bool:
    return (version.folder / WAREHOUSE_FILE).is_file()


def _give_review(settings: Settings, build: Path, as_of_month: str) -> None:
    """Put the workbook of links to decide on where it is looked for."""
    with scratch_database(settings) as connection:
        link_review.give_workbook(
            connection, build, settings.worklists / f"link_decision_{as_of_month[:7]}.xlsx"
        )


def _point_current(settings: Settings, name: str) -> None:
    temporary = settings.published / f".{CURRENT}.{os.getpid()}"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(name, target_is_directory=True)
    temporary.replace(settings.published / CURRENT)


def _prune(settings: Settings) -> None:
    """Keep the last versions and the current one, and their builds."""
    now = current(settings)
    published = versions(settings)
    kept = published[-settings.keep_versions :] + ((now,) if now else ())
    for each in published:
        if each not in kept:
            _remove(each.folder)
    kept_builds = {each.build_id for each in kept}
    for folder in settings.builds.iterdir():
        # a partial build is a copy of the version before; with a new version it is past
        if folder.is_dir() and folder.name not in kept_builds:
            _remove(folder)
    for leftover in settings.published.glob(".*.incoming"):
        shutil.rmtree(leftover)


def remove_unfinished(settings: Settings, kept: Path | None = None) -> None:
    """Remove what runs that died or failed have left: their builds but for `kept`, their spill."""
    remove_left_spill(settings)
    for leftover in settings.builds.glob(f"{WORK_PREFIX}*"):
        if leftover != kept:
            shutil.rmtree(leftover)


def _remove(folder: Path) -> None:
    """Remove a folder so that a death in between leaves nothing that looks whole."""
    if folder.exists():
        aside = folder.with_name(f".{folder.name.lstrip('.')}.removed")
        shutil.rmtree(aside, ignore_errors=True)
        folder.rename(aside)
        shutil.rmtree(aside)


def _parquet_metadata(contract: Contract) -> dict[str, str]:
    columns = {
        column.name: {
            "label_zh": column.label_zh,
            "label_en": column.label_en,
            "unit": column.unit,
            "meaning": column.meaning,
        }
        for column in contract.columns
    }
    return {
        "table": contract.name,
        "description": contract.comment,
        "grain": contract.grain,
        "columns": json.dumps(columns, ensure_ascii=False),
    }

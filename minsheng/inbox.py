"""The inbox: files that wait, and what their place, their name and their sidecar say of them."""

import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import yaml

from minsheng import corrections, lake, senders
from minsheng.contracts import Contract, PeriodKind
from minsheng.faults import without_numbers, without_values
from minsheng.lake import Receipt
from minsheng.readers import is_litter
from minsheng.reasons import Refusal, Words
from minsheng.settings import Settings

SIDECAR_SUFFIX = ".yaml"
USUAL = "usual"
"""As `delivered_at` in a sidecar, for a backlog: the usual lag of the dataset after its period."""

KINDS: Mapping[PeriodKind, Words] = {"year": ("年", "year"), "month": ("月", "month")}

IGNORED_SUFFIXES = (".tmp", ".part", ".crdownload")

MOST_NAME_BYTES = 255 - len(SIDECAR_SUFFIX)
"""Of a name that a file of its own is given, so that its sidecar has a name too."""


@dataclass(frozen=True)
class Incoming:
    """A file in the inbox and what its place and sidecar say of it."""

    path: Path
    state: tuple[int, int, int]
    """Which file it was, how long and how old, when it was found."""
    department: str
    dataset: str
    sender: str | None
    named: str
    """The name of the area in the place of whose code the folder stands; empty if it is a code."""
    period: str
    """Empty if neither the sidecar nor the file's name states one."""
    delivered_at: datetime
    stated_rows: int | None
    corrects: str
    """The delivery whose refused rows it brings back, if it is such a workbook."""
    fault: Refusal | None
    """Why its place or its sidecar cannot be believed, if so."""

    @property
    def byte_count(self) -> int:
        return self.state[1]

    @property
    def file_name(self) -> str:
        """What the file is called from here on."""
        return _kept_name(self.path.name)


def waiting_files(inbox: Path) -> tuple[Path, ...]:
    """Files in the inbox that a refresh would look at, in order of name; sidecars are not."""
    return tuple(
        path
        for path in sorted(inbox.rglob("*"))
        if path.is_file()
        and path.suffix != SIDECAR_SUFFIX
        and not any(map(is_litter, path.relative_to(inbox).parts))
        and not path.name.lower().endswith(IGNORED_SUFFIXES)
    )


def misplaced_files(settings: Settings, sources: Sequence[Contract]) -> tuple[Path, ...]:
    """Files in the inbox that no enabled dataset's folder holds."""
    homes = {
        settings.inbox / source.delivery.department / source.delivery.dataset
        for source in sources
        if source.delivery
    }
    return tuple(
        path
        for path in waiting_files(settings.inbox)
        if path.parent not in homes and path.parent.parent not in homes
    )


def waiting_of(settings: Settings, source: Contract) -> tuple[Path, ...]:
    """Files that wait in the dataset's folder or in a sender's below it."""
    assert source.delivery
    folder = settings.inbox / source.delivery.department / source.delivery.dataset
    return tuple(
        path for path in waiting_files(folder) if folder in (path.parent, path.parent.parent)
    )


def arrivals(
    settings: Settings,
    source: Contract,
    paths: Sequence[Path],
    known: Sequence[Receipt],
    now: datetime,
) -> Iterator[Incoming]:
    assert source.delivery
    department, dataset = source.delivery.department, source.delivery.dataset
    areas = senders.Areas(settings)
    by_id = {receipt.delivery_id: receipt for receipt in known}
    for path in paths:
        try:
            found = path.stat()
        except FileNotFoundError:  # taken away since the folder was listed
            continue
        file_date = datetime.fromtimestamp(found.st_mtime, tz=settings.time_zone)
        name = readable(path.name)
        period = lake.period_in(name, source.delivery.period) or ""
        delivered_at, rows = file_date, None
        fault: Refusal | None = None
        sender = None if path.parent.name == dataset else readable(path.parent.name)
        named = sender if sender and sender in areas.by_name else ""
        corrects = corrections.delivery_of(name)
        base = by_id.get(corrects)
        try:
            if corrects:
                if base is None or base.status != "taken":
                    raise _no_delivery_of(settings, corrects)
                sender, period = base.sender, base.period
            elif named:
                sender = areas.code_of(named)
            elif sender:
                areas.require_known(sender)
            stated = _stated(path)
            if not corrects:
                period = _stated_period(stated, source.delivery.period) or period
            usual = _usual_moment(period, source.delivery.usual_lag_days, settings)
            delivered_at = _stated_moment(stated, usual, settings, now) or file_date
            if corrects and base:  # a workbook may carry the date of an older file
                delivered_at = max(delivered_at, datetime.fromisoformat(base.delivered_at))
            rows = _stated_rows(stated)
            if period and lake.first_month(period) > min(delivered_at, now).date():
                raise Refusal("period_has_not_begun", period=period)
        except Refusal as wrong:
            fault = wrong
        yield Incoming(
            path,
            file_state(found),
            department,
            dataset,
            sender=without_numbers(sender) if sender else None,
            named=without_numbers(named) if named and sender != named else "",
            period=period,
            # a clock that is ahead does not make a delivery a later one
            delivered_at=min(delivered_at, now).replace(microsecond=0),
            stated_rows=rows,
            corrects=corrects,
            fault=fault,
        )


def _no_delivery_of(settings: Settings, delivery_id: str) -> Refusal:
    """Why a workbook corrects no delivery of its folder; perhaps it is one of another."""
    for receipt in lake.read_receipts(settings.lake):
        if receipt.delivery_id == delivery_id and receipt.status == "taken":
            folder = f"inbox/{receipt.department}/{receipt.dataset}"
            return Refusal("correction_is_of_another_folder", folder=folder)
    return Refusal("corrected_delivery_is_unknown", delivery=delivery_id)


def readable(name: str) -> str:
    """A file's name as a receipt and a message can hold it.

    One whose bytes are no UTF-8 was sent by a program that writes names in GBK. In UTF-8 it is
    longer; too long a name keeps its end.
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        told = os.fsencode(name).decode("gb18030", errors="replace")
        return told.encode()[-MOST_NAME_BYTES:].decode(errors="ignore")
    return name


def _kept_name(name: str) -> str:
    """A file's name without what looks like a person's number: receipts and letters tell it."""
    return without_numbers(readable(name))


def readable_path(path: Path) -> str:
    """A path as a message can hold it; each folder may be named in its own encoding."""
    return str(Path(*map(readable, path.parts)))


def sidecar_of(path: Path) -> Path:
    return path.with_name(path.name + SIDECAR_SUFFIX)


def has_sidecar(path: Path) -> bool:
    """Whether a sidecar lies beside the file; beside a name too long for one none can."""
    try:
        return sidecar_of(path).is_file()
    except OSError as fault:
        if fault.errno != errno.ENAMETOOLONG:
            raise
        return False


def drop_orphan_sidecars(settings: Settings, source: Contract) -> None:
    """Remove the sidecars of files that are taken and gone, lest they govern the next of the name.

    A process that dies after it has removed a file leaves its sidecar. What is known by the bytes
    kept with the delivery, and older than those, is such a one; any other may wait for its file.
    """
    assert source.delivery
    department, dataset = source.delivery.department, source.delivery.dataset
    folder = settings.inbox / department / dataset
    deliveries = settings.lake / department / dataset
    for sidecar in (*folder.glob(f"*{SIDECAR_SUFFIX}"), *folder.glob(f"*/*{SIDECAR_SUFFIX}")):
        if not sidecar.with_suffix("").exists() and any(
            sidecar.stat().st_ctime_ns <= kept.stat().st_mtime_ns
            and sidecar.read_bytes() == kept.read_bytes()
            for original in deliveries.glob("*/original")
            for kept in [sidecar_of(original / _kept_name(sidecar.stem))]
            if kept.is_file()
        ):
            sidecar.unlink(missing_ok=True)


def _stated(path: Path) -> Mapping[str, object]:
    """What the sidecar of a file says, if it has one; raises Refusal if nobody can tell."""
    if not has_sidecar(path):
        return {}
    sidecar = sidecar_of(path)
    name = readable(sidecar.name)
    try:
        stated = yaml.safe_load(sidecar.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError) as fault:
        mark = getattr(fault, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        # the parser may repeat what stands there, and that may be one of the rows
        problem = getattr(fault, "problem", None)
        advice = without_values(str(problem)) if problem else "it is no text in UTF-8"
        raise Refusal("sidecar_is_no_yaml", advice=advice, name=name, line=line) from None
    if not isinstance(stated, dict):
        raise Refusal("sidecar_has_no_names", name=name)
    return stated


def _stated_period(stated: Mapping[str, object], kind: PeriodKind) -> str | None:
    if stated.get("period") is None:
        return None
    period = str(stated["period"])
    if not lake.is_period(period, kind):
        raise Refusal("stated_period_is_none", period=period, kind=KINDS[kind])
    return period


def _usual_moment(period: str, lag_days: int, settings: Settings) -> datetime | None:
    """When files of the period usually come, for a backlog whose files say it no longer."""
    if not period:
        return None
    day = lake.last_day(lake.last_month(period)) + timedelta(days=lag_days)
    return datetime(day.year, day.month, day.day, tzinfo=settings.time_zone)


def _stated_moment(
    stated: Mapping[str, object], usual: datetime | None, settings: Settings, now: datetime
) -> datetime | None:
    if stated.get("delivered_at") is None:
        return None
    text = str(stated["delivered_at"])
    if text == USUAL:
        return usual
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Refusal("stated_moment_is_none", moment=text) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=settings.time_zone)
    if moment > now:
        raise Refusal("stated_moment_is_to_come", moment=text)
    return moment.astimezone(settings.time_zone)


def _stated_rows(stated: Mapping[str, object]) -> int | None:
    rows = stated.get("rows")
    try:
        return None if rows is None else int(str(rows))
    except ValueError:
        raise Refusal("stated_rows_are_no_number", rows=str(rows)) from None


def file_state(stat: os.stat_result) -> tuple[int, int, int]:
    return stat.st_ino, stat.st_size, stat.st_mtime_ns

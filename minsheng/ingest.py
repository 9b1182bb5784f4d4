"""From the inbox to the lake: one file becomes one delivery, or is refused whole with a reason.

A file leaves the inbox only after its delivery stands in the lake, so that a refresh that dies at
any instruction is mended by the next one.
"""

import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from uuid import uuid4

import duckdb
from xlsxwriter.exceptions import XlsxWriterException

from minsheng import (
    corrections,
    encryption,
    inbox,
    judging,
    lake,
    limits,
    originals,
    rejects,
    row_rules,
)
from minsheng.cell_forms import Codes
from minsheng.contracts import Column, Contract, Delivery
from minsheng.faults import without_numbers
from minsheng.headers import (
    column_sources,
    delivered_units,
    header_key,
    missing_required,
    understood_headers,
)
from minsheng.inbox import Incoming
from minsheng.lake import DeliveryError, Receipt
from minsheng.quoting import quoted
from minsheng.readers import Reading, read_rows
from minsheng.reasons import CHINESE, ENGLISH, Refusal, Words, words_of
from minsheng.settings import RESTRICTED_FILE_MODE, RESTRICTED_FOLDER_MODE, Settings

COPY_BYTES = 4 << 20
BATCH_FILES = 32
BATCH_BYTES = 16 << 20
"""What is judged by one statement at the most: to plan it takes longer than to read a small file.

A larger file is alone.
"""
TOLD_HEADERS, TOLD_CHARACTERS = 20, 30
"""How many headers a message lists at the most, and how much of each."""
WRITE_FAULTS = (OSError, duckdb.IOException, XlsxWriterException)
"""What a full or broken disk is called by those who write to it."""

REPLACED: Words = ("将被替换的文件", "the file that it would replace")
PERIOD_BEFORE: Words = ("上一期", "the period before")


@dataclass(frozen=True)
class Ingested:
    """What one look into a dataset's inbox did."""

    receipts: tuple[Receipt, ...]
    repeated: tuple[str, ...]
    """Files whose bytes had come before, and count or are refused for the same reason."""
    left: tuple[str, ...]
    """Files left in the inbox because they changed while they were read."""


class ChangedWhileRead(DeliveryError):
    """The file in the inbox was replaced, still being written, or cannot be opened."""


@dataclass(frozen=True)
class _Desk:
    """What every file of one dataset is taken with."""

    settings: Settings
    source: Contract
    delivery: Delivery
    sources: Sequence[Contract]
    codes: Codes
    known: Sequence[Receipt]
    """Receipts of what the lake held before."""
    database: duckdb.DuckDBPyConnection

    @cached_property
    def gone(self) -> tuple[Receipt, ...]:
        """Those of them that were withdrawn."""
        withdrawn = lake.withdrawn(self.known)
        return tuple(each for each in self.known if each.delivery_id in withdrawn)

    @cached_property
    def understood(self) -> frozenset[str]:
        """Keys of the headers that the dataset's contract knows."""
        return frozenset(understood_headers(self.source))

    @cached_property
    def vocabularies(self) -> tuple[frozenset[str], ...]:
        """Those of every dataset, its own first."""
        return (self.understood, *(frozenset(understood_headers(each)) for each in self.sources))

    @cached_property
    def any_header(self) -> frozenset[str]:
        return frozenset().union(*self.vocabularies)

    def columns_named(self, cells: Sequence[str]) -> int:
        """Columns named, of whichever dataset: a wrong department's file is told by its header."""
        keys = self.any_header.intersection(map(header_key, cells))
        # a row of data names none, and nearly every row is one
        return max(len(keys & each) for each in self.vocabularies) if keys else 0

    @property
    def workshop(self) -> Path:
        return _workshop(self.settings, self.source)


@dataclass(frozen=True)
class _Prepared:
    """A file that was read in a folder of the workshop, and has yet to be judged or taken."""

    arrival: Incoming
    folder: Path
    receipt: Receipt


def ingest_dataset(
    settings: Settings,
    source: Contract,
    sources: Sequence[Contract],
    codes: Codes,
    now: datetime,
) -> Ingested:
    """Take every waiting file of one dataset into the lake; one caller at a time.

    A row that breaks a critical rule is refused alone; a file that cannot be read is refused whole.
    Batches of files are read and judged side by side. The files are taken one after the other,
    period by period, so that each is compared with those before it. Raises DeliveryError if the
    lake cannot be written; the file is then still in the inbox.
    """
    assert source.delivery
    now = now.astimezone(settings.time_zone).replace(microsecond=0)
    # what a process left that was killed in the middle
    shutil.rmtree(_workshop(settings, source), ignore_errors=True)
    inbox.drop_orphan_sidecars(settings, source)
    paths = inbox.waiting_of(settings, source)
    if not paths:
        return Ingested((), (), ())
    known = lake.read_receipts(settings.lake, source.table)
    arrivals = sorted(
        inbox.arrivals(settings, source, paths, known, now),
        key=lambda each: (each.period, each.sender or "", each.delivered_at, each.path),
    )
    if any(arrival.corrects for arrival in arrivals):
        # what is corrected is compared with, under today's contract
        known = tuple(
            judging.ensure_typed(settings, source, codes, each, known)
            if each.status == "taken"
            else each
            for each in known
        )
    # of files of one moment the one taken later counts as the later word
    moments = [now + timedelta(microseconds=place) for place in range(len(arrivals))]
    receipts: list[Receipt] = []
    repeated: list[str] = []
    left: list[str] = []
    with (
        encryption.scratch_database(settings) as database,
        ThreadPoolExecutor(max_workers=os.cpu_count()) as pool,
    ):
        desk = _Desk(settings, source, source.delivery, sources, codes, known, database)
        try:
            waiting = [
                pool.submit(_prepare, desk, batch)
                for batch in _batches(zip(arrivals, moments, strict=True))
            ]
            prepared = (each for batch in waiting for each in batch.result())
            for arrival, outcome in zip(arrivals, prepared, strict=True):
                try:
                    if isinstance(outcome, Exception):
                        raise outcome
                    receipt = _land(desk, outcome, receipts)
                except ChangedWhileRead:
                    left.append(arrival.file_name)
                    continue
                except WRITE_FAULTS as fault:
                    raise DeliveryError(
                        f"{inbox.readable_path(arrival.path)}: cannot be taken into "
                        f"{settings.home}: {fault}; the file is still in the inbox; "
                        "mend the disk and refresh again"
                    ) from fault
                if not _remove(arrival):
                    left.append(arrival.file_name)
                if receipt is None:
                    repeated.append(arrival.file_name)
                else:
                    receipts.append(receipt)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            shutil.rmtree(desk.workshop, ignore_errors=True)
            raise
    return Ingested(tuple(receipts), tuple(repeated), tuple(left))


def _workshop(settings: Settings, source: Contract) -> Path:
    """Where deliveries are made before they are moved to their place."""
    return settings.lake / ".incoming" / source.table


def _batches(
    arrivals: Iterable[tuple[Incoming, datetime]],
) -> Iterator[Sequence[tuple[Incoming, datetime]]]:
    """The arrivals in their order, those together that are judged together."""
    batch: list[tuple[Incoming, datetime]] = []
    byte_count = 0
    for arrival, moment in arrivals:
        byte_count += arrival.byte_count
        if batch and (len(batch) == BATCH_FILES or byte_count > BATCH_BYTES):
            yield batch
            batch, byte_count = [], arrival.byte_count
        batch.append((arrival, moment))
    if batch:
        yield batch


def _prepare(
    desk: _Desk, batch: Sequence[tuple[Incoming, datetime]]
) -> list[_Prepared | Exception]:
    """Copy, read and judge files, each as it would be alone.

    What keeps a file from being taken is in its receipt; what makes it impossible to tell is in the
    file's place, to be raised when its turn comes.
    """
    with desk.database.cursor() as connection:
        outcomes = [_read(desk, connection, *each) for each in batch]
        groups: dict[tuple[object, ...], dict[int, _Prepared]] = {}
        seen = Counter[str]()
        for place, each in enumerate(outcomes):
            if isinstance(each, Exception) or each.receipt.status == "refused":
                continue
            receipt = each.receipt
            alike = receipt.headers, tuple(sorted(receipt.units.items()))
            # a file may come twice, and a correction is judged with what it corrects
            apart = seen[receipt.delivery_id], receipt.corrects and receipt.delivery_id
            seen[receipt.delivery_id] += 1
            groups.setdefault((alike, apart), {})[place] = each
        for group in groups.values():
            judged = _judge(desk, connection, list(group.values()))
            for place, each in zip(group, judged, strict=True):
                outcomes[place] = each
    return outcomes


def _judge(
    desk: _Desk, connection: duckdb.DuckDBPyConnection, together: Sequence[_Prepared]
) -> list[_Prepared | Exception]:
    """Judge files of the same headers and units; a fault is that of its file alone."""
    first = together[0].receipt
    earlier = [
        judging.typed_rows(desk.settings, each) for each in lake.corrected_by(first, desk.known)
    ]
    deliveries = [(each.folder, each.receipt) for each in together]
    try:
        receipts = judging.judge(connection, desk.source, desk.codes, deliveries, earlier)
    except Exception as fault:
        if len(together) == 1:
            return [fault]
        return [judged for each in together for judged in _judge(desk, connection, [each])]
    return [
        replace(each, receipt=_unless_whole_is_faulty(desk, receipt))
        for each, receipt in zip(together, receipts, strict=True)
    ]


def _unless_whole_is_faulty(desk: _Desk, receipt: Receipt) -> Receipt:
    fault = _fault_of_the_whole(desk.source, desk.delivery, receipt)
    return _refused(receipt, fault) if fault else receipt


def _read(
    desk: _Desk, connection: duckdb.DuckDBPyConnection, arrival: Incoming, now: datetime
) -> _Prepared | Exception:
    """Copy and read one file, or say what makes it impossible."""
    try:
        return _read_arrival(desk, connection, arrival, now)
    except Exception as fault:
        return fault


def _read_arrival(
    desk: _Desk, connection: duckdb.DuckDBPyConnection, arrival: Incoming, now: datetime
) -> _Prepared:
    """Copy and read one file; what keeps it from being judged is in its receipt."""
    folder = desk.workshop / uuid4().hex
    (folder / originals.FOLDER).mkdir(parents=True, mode=RESTRICTED_FOLDER_MODE)
    desk.settings.lake.chmod(RESTRICTED_FOLDER_MODE)
    original = folder / originals.FOLDER / arrival.file_name
    original.touch(RESTRICTED_FILE_MODE)
    sha256 = _copy(arrival, original)
    if inbox.has_sidecar(arrival.path):
        shutil.copyfile(inbox.sidecar_of(arrival.path), inbox.sidecar_of(original))
    delivered_at = arrival.delivered_at.isoformat()
    key = [desk.source.table, arrival.sender, arrival.period, sha256, delivered_at]
    if arrival.corrects:
        key.append(arrival.corrects)
    # sent again after it was withdrawn it is another delivery
    if withdrawals := sum(each.sha256 == sha256 for each in desk.gone):
        key.append(str(withdrawals))
    receipt = Receipt(
        delivery_id=lake.delivery_key(*key),
        department=arrival.department,
        dataset=arrival.dataset,
        sender=arrival.sender,
        sender_named=arrival.named,
        period=arrival.period,
        file_name=arrival.file_name,
        sha256=sha256,
        byte_count=original.stat().st_size,
        delivered_at=delivered_at,
        ingested_at=now.isoformat(),
        status="taken",
        contract_hash=judging.typed_version(desk.source, desk.codes),
        mode=desk.delivery.mode,
        corrects=arrival.corrects,
    )
    try:
        receipt = _read_rows(desk, connection, folder, original, arrival, receipt)
    except Refusal as fault:
        receipt = _refused(receipt, fault)
    return _Prepared(arrival, folder, receipt)


def _refused(receipt: Receipt, fault: Refusal) -> Receipt:
    return replace(
        receipt,
        status="refused",
        message=without_numbers(f"{receipt.file_name}: {fault.words[ENGLISH]}"),
        message_zh=without_numbers(f"{receipt.file_name}：{fault.words[CHINESE]}"),
        advice=without_numbers(fault.advice),
    )


def _land(desk: _Desk, prepared: _Prepared, landed: Sequence[Receipt]) -> Receipt | None:
    """Move a prepared delivery to its place and return its receipt; None if it stands there."""
    receipt, folder = prepared.receipt, prepared.folder
    known = (*desk.known, *landed)
    standing = _standing(receipt, known)
    if standing:
        lake.note_sent_again(desk.settings.lake, standing, receipt)
        shutil.rmtree(folder)
        return None
    if receipt.status == "taken":
        fault, doubt = _compared(desk.source, prepared.arrival, receipt, known)
        fault = _lost_columns(desk, receipt, known) or fault
        receipt = replace(receipt, doubts=(doubt[ENGLISH],) if doubt else ())
        receipt = _refused(receipt, fault) if fault else receipt
    # before the delivery stands: after it the file counts as taken and nobody would write them
    rejects.write(desk.database, desk.settings.rejects, folder, desk.source, desk.codes, receipt)
    lake.write_receipt(folder, receipt)
    home = lake.delivery_folder(desk.settings.lake, receipt)
    if home.exists():  # the same file when it was refused whole
        shutil.rmtree(home)
    home.parent.mkdir(parents=True, exist_ok=True)
    folder.rename(home)
    return receipt


def _standing(receipt: Receipt, known: Sequence[Receipt]) -> Receipt | None:
    """The delivery that a file says once more: it counts, or is refused for the same reason."""
    in_force = {each.delivery_id for each in lake.effective(known, None)}
    gone = lake.withdrawn(known)
    for each in known:
        if each.delivery_id in gone or not _is_same_file(each, receipt):
            continue
        if each.status == "taken" and (
            each.delivery_id in in_force or each.delivered_at == receipt.delivered_at
        ):
            return each
        if each.status == receipt.status == "refused" and _reason(each) == _reason(receipt):
            return each
    return None


def _reason(receipt: Receipt) -> str:
    """Why a file was refused, without its name."""
    return receipt.message.replace(without_numbers(receipt.file_name), "")


def _is_same_file(one: Receipt, other: Receipt) -> bool:
    """Whether two deliveries bring the same bytes for the same sender and period."""
    return (one.table, one.sender, one.period, one.sha256, one.corrects) == (
        other.table,
        other.sender,
        other.period,
        other.sha256,
        other.corrects,
    )


def _copy(arrival: Incoming, destination: Path) -> str:
    """Copy the file and return its SHA-256; raises ChangedWhileRead if it did not hold still."""
    digest = hashlib.sha256()
    path = arrival.path
    try:
        delivered = path.open("rb")
    except OSError as fault:
        raise ChangedWhileRead(f"{path.name} cannot be opened; it stays in the inbox") from fault
    try:
        with delivered as stream, destination.open("wb") as copy:
            before = os.fstat(stream.fileno())
            while block := stream.read(COPY_BYTES):
                digest.update(block)
                copy.write(block)
            after = os.fstat(stream.fileno())
        named = path.stat()
    except FileNotFoundError:
        raise ChangedWhileRead(f"{path.name} was taken away while it was read") from None
    if any(inbox.file_state(each) != arrival.state for each in (before, after, named)):
        raise ChangedWhileRead(f"{path.name} changed while it was read; it stays in the inbox")
    return digest.hexdigest()


def _remove(arrival: Incoming) -> bool:
    """Remove a file that is taken; a newer one that has come to its place stays for the next."""
    try:
        if inbox.file_state(arrival.path.stat()) != arrival.state:
            return False
    except FileNotFoundError:
        return True
    arrival.path.unlink(missing_ok=True)
    if inbox.has_sidecar(arrival.path):
        inbox.sidecar_of(arrival.path).unlink(missing_ok=True)
    return True


def _read_rows(
    desk: _Desk,
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    original: Path,
    arrival: Incoming,
    receipt: Receipt,
) -> Receipt:
    """The receipt with how the file was read; raises if it is none of the dataset and period."""
    settings, source = desk.settings, desk.source
    if arrival.fault:
        raise arrival.fault
    if not arrival.period:
        raise Refusal(
            "name_states_no_period",
            kind=inbox.KINDS[desk.delivery.period],
            example="2022" if desk.delivery.period == "year" else "2022-06",
            sidecar=f"{arrival.file_name}{inbox.SIDECAR_SUFFIX}",
        )
    reading = read_rows(connection, original, desk.columns_named, folder / rejects.ROWS_FILE)
    headers = reading.headers
    if arrival.corrects:
        [base] = [each for each in desk.known if each.delivery_id == arrival.corrects]
        headers, units = base.headers, base.units
        sent = rejects.refused_rows(connection, lake.delivery_folder(settings.lake, base))
        if not corrections.is_workbook(reading.headers):
            raise Refusal("workbook_has_lost_its_numbers", column=corrections.ROW_HEADER)
        corrections.merge(connection, folder / rejects.ROWS_FILE, base, source, sent)
    elif corrections.is_workbook(reading.headers):
        raise Refusal("workbook_has_another_name")
    else:
        units = delivered_units(source, headers, reading.stated_units)
    unknown = tuple(each for each in headers if header_key(each) not in desk.understood)
    missing = missing_required(source, headers)
    if missing:
        raise _missing(missing, reading, unknown, source, desk.sources)
    received = reading.row_count + len(reading.malformed)
    if received == 0:
        raise Refusal("file_has_no_rows")
    if arrival.stated_rows not in (None, received):
        raise Refusal("rows_are_not_as_stated", stated=arrival.stated_rows or 0, found=received)
    found = column_sources(source, headers)
    receipt = replace(
        receipt,
        form=reading.form,
        header_row=reading.header_row,
        headers=headers,
        unknown_columns=unknown,
        absent_columns=tuple(
            column.name for column in source.columns if column.headers and column.name not in found
        ),
        units=units,
        blank_rows=reading.blank_rows,
        note_rows=reading.note_rows,
    )
    rejects.keep_malformed(connection, folder, reading.malformed)
    return receipt


def _fault_of_the_whole(source: Contract, delivery: Delivery, receipt: Receipt) -> Refusal | None:
    """Why the file as a whole must not count though its rows can be read, if so."""
    if receipt.corrects:
        return None
    accepted = receipt.rows_accepted
    if accepted < delivery.minimum_accepted_rate * receipt.rows_received:
        return Refusal(
            "too_few_rows_are_good",
            accepted=accepted,
            received=receipt.rows_received,
            rules=_told_rules(source, receipt),
        )
    elsewhere = receipt.rows_elsewhere
    if delivery.dated_by and accepted - elsewhere < delivery.minimum_accepted_rate * accepted:
        column = source.column(delivery.dated_by)
        return Refusal(
            "rows_are_of_another_period",
            elsewhere=elsewhere,
            accepted=accepted,
            period=receipt.period,
            column=(column.label_zh, column.label_en),
        )
    return None


def _told_rules(source: Contract, receipt: Receipt) -> Words:
    """How many rows each rule refuses, the first of them first."""
    reasons = {rule.name: rule.why for rule in row_rules.row_rules(source)} | rejects.REASONS
    ordered = sorted(receipt.refused_by_rule.items(), key=lambda each: (-each[1], each[0]))
    return (
        "；".join(f"{reasons[name]}：{count}行" for name, count in ordered),
        ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in ordered),
    )


def _compared(
    source: Contract, arrival: Incoming, receipt: Receipt, known: Sequence[Receipt]
) -> tuple[Refusal | None, Words | None]:
    """A fault and a doubt of a snapshot, told by what its sender delivered before.

    A sender that states the number of rows stands by it.
    """
    if receipt.mode != "snapshot" or receipt.corrects or arrival.stated_rows is not None:
        return None, None
    others = [
        each
        for each in lake.effective(known, None)
        if each.sender == receipt.sender and not each.corrects
    ]
    before = [each.rows_accepted for each in others if each.period < receipt.period]
    replaced = [each.rows_accepted for each in others if each.period == receipt.period]

    def refusal(reason: Words, mend: Words) -> Refusal:
        return Refusal(
            "unless_it_is_right",
            reason=reason,
            mend=mend,
            sidecar=f"{arrival.file_name}{inbox.SIDECAR_SUFFIX}",
            rows=receipt.rows_received,
        )

    same = [e.period for e in others if e.sha256 == receipt.sha256 and e.period != receipt.period]
    if same:
        told = words_of("file_is_that_of_another_period", period=same[-1])
        chance = limits.chance_of_no_change(before)
        if chance is None:
            return None, told
        mend = words_of("ask_for_the_file_of_the_period", period=receipt.period)
        return (refusal(told, mend) if chance < limits.RARE else None), None
    last = _delivery_before(receipt, known)
    if last:
        usual = last.medians
        moved = limits.amount_of_another_size(usual, receipt.medians)
        if moved:
            name, factor = moved
            column = source.column(name)
            told = words_of(
                "amounts_are_of_another_size",
                column=(column.label_zh, column.label_en),
                median=receipt.medians[name],
                before=REPLACED if replaced else PERIOD_BEFORE,
                usual=usual[name],
                factor=factor,
            )
            return refusal(told, words_of("ask_for_the_unit_of_before")), None
    unusual = limits.unusual_count(
        before, replaced[-1] if replaced else None, receipt.rows_accepted
    )
    if not unusual:
        return None, None
    told = words_of(
        "rows_are_unusually_many_or_few",
        accepted=receipt.rows_accepted,
        before=REPLACED if replaced else PERIOD_BEFORE,
        usual=unusual.usual,
        factor=unusual.factor,
    )
    if not unusual.is_refused:
        return None, told
    return refusal(told, words_of("ask_for_the_whole_file")), None


def _lost_columns(desk: _Desk, receipt: Receipt, known: Sequence[Receipt]) -> Refusal | None:
    """The refusal of a file in which a column of the delivery before may have another name.

    It lacks a column that was filled there, and has a header that nobody knows and that was not
    there. Whether a sender stands by the number of its rows says nothing of that.
    """
    before = _delivery_before(receipt, known)
    if not before or receipt.corrects:
        return None
    seen = set(map(header_key, before.headers))
    strange = [each for each in receipt.unknown_columns if header_key(each) not in seen]
    had = column_sources(desk.source, before.headers)
    absent = [name for name in receipt.absent_columns if name in had]
    if not strange or not absent:
        return None
    lost = _filled(desk, before, absent, known)
    if not lost:
        return None
    return Refusal(
        "columns_may_be_renamed",
        advice=_advice_on_names(desk.source),
        columns=_told_columns([desk.source.column(name) for name in lost]),
        period=before.period,
        unknown=_listed(strange),
    )


def _delivery_before(receipt: Receipt, known: Sequence[Receipt]) -> Receipt | None:
    """The delivery of the sender that a file replaces, or else its last of a period before."""
    earlier = [
        each
        for each in lake.effective(known, None)
        if each.sender == receipt.sender and not each.corrects and each.period <= receipt.period
    ]
    return max(earlier, key=lambda each: (each.period, each.order), default=None)


def _filled(
    desk: _Desk, receipt: Receipt, columns: Sequence[str], known: Sequence[Receipt]
) -> list[str]:
    """Those of the columns of which a delivery has at least one value."""
    typed = judging.ensure_typed(desk.settings, desk.source, desk.codes, receipt, known)
    counts = ", ".join(f"count({quoted(name)})" for name in columns)
    rows = encryption.sealed_parquet(judging.typed_rows(desk.settings, typed))
    counted = desk.database.execute(f"select {counts} from {rows}").fetchone() or ()
    return [name for name, count in zip(columns, counted, strict=True) if count]


def _told_columns(columns: Sequence[Column]) -> Words:
    """Columns with the names that departments write."""
    named = [(each, " / ".join(each.headers or each.composed_of)) for each in columns]
    return (
        "；".join(f"{each.label_zh}（{names}）" for each, names in named),
        "; ".join(f"{each.label_en} ({names})" for each, names in named),
    )


def _listed(headers: Sequence[str]) -> str:
    """Headers as a message tells them: the first of them, none at length."""
    shown = [
        each if len(each) <= TOLD_CHARACTERS else f"{each[:TOLD_CHARACTERS]}…"
        for each in headers[:TOLD_HEADERS]
    ]
    return "、".join([*shown, "…"] if len(headers) > TOLD_HEADERS else shown)


def _advice_on_names(source: Contract) -> str:
    return f"a new name of a column goes into expectations/staged/{source.table}.yaml"


def _missing(
    missing: Sequence[Column],
    reading: Reading,
    unknown: Sequence[str],
    source: Contract,
    sources: Sequence[Contract],
) -> Refusal:
    """The refusal of a file that lacks required columns."""
    header: Words = ("文件", "it")
    if reading.header_row:
        header = (
            f"以第{reading.header_row}行为表头，",
            f"row {reading.header_row} is taken as the header and",
        )
    others = [
        other
        for other in sources
        if other.table != source.table and not missing_required(other, reading.headers)
    ]
    like: Words = ("", "")
    if others:
        best = max(others, key=lambda other: len(column_sources(other, reading.headers)))
        place = best.table.replace("__", "/")
        like = (
            f"；看来是“{best.description_zh}”的文件",
            f"; it looks like a file of {place}",
        )
    strange: Words = ("", "")
    if unknown:
        strange = words_of("headers_are_not_recognised", headers=_listed(unknown))
    return Refusal(
        "columns_are_missing",
        advice=_advice_on_names(source),
        header=header,
        columns=_told_columns(missing),
        unknown=strange,
        like=like,
    )

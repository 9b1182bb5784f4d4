"""From the inbox to the lake: one file becomes one delivery, or is refused whole with a reason.

A file leaves the inbox only after its delivery stands in the lake, so that a refresh that dies at
any instruction is mended by the next one.
"""

import hashlib
import inspect
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Literal
from uuid import uuid4

import duckdb
import yaml
from xlsxwriter.exceptions import XlsxWriterException

from minsheng import identity, lake, parsing, policies, rejects
from minsheng.contracts import Contract
from minsheng.lake import DeliveryError, Receipt
from minsheng.readers import Reading, UnreadableFile, read_rows
from minsheng.settings import RESTRICTED_FOLDER_MODE, Settings

SIDECAR_SUFFIX = ".yaml"
USUAL = "usual"
"""As `delivered_at` in a sidecar, for a backlog: the usual lag of the dataset after its period."""

IGNORED_PREFIXES = ("~$", ".")
IGNORED_SUFFIXES = (".tmp", ".part", ".crdownload")
COPY_BYTES = 4 << 20
MEMORY_LIMIT = "500MB"
WRITE_FAULTS = (OSError, duckdb.IOException, XlsxWriterException)
"""What a full or broken disk is called by those who write to it."""


@dataclass(frozen=True)
class Ingested:
    """What one look into a dataset's inbox did."""

    receipts: tuple[Receipt, ...]
    repeated: tuple[str, ...]
    """Files that had been delivered before with the same bytes."""
    left: tuple[str, ...]
    """Files left in the inbox because they changed while they were read."""


@dataclass(frozen=True)
class Incoming:
    """A file in the inbox and what its place and sidecar say of it."""

    path: Path
    state: tuple[int, int, int]
    """Which file it was, how long and how old, when it was found."""
    department: str
    dataset: str
    sender: str | None
    period: str
    """Empty if neither the sidecar nor the file's name states one."""
    delivered_at: datetime
    stated_rows: int | None
    fault: str
    """Why its sidecar cannot be believed, if so."""


class ChangedWhileRead(DeliveryError):
    """The file in the inbox was replaced or still being written."""


def waiting_files(inbox: Path) -> tuple[Path, ...]:
    """Files in the inbox that a refresh would look at, in order of name; sidecars are not."""
    return tuple(
        path
        for path in sorted(inbox.rglob("*"))
        if path.is_file()
        and path.suffix != SIDECAR_SUFFIX
        and not any(p.startswith(IGNORED_PREFIXES) for p in path.relative_to(inbox).parts)
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


def ingest_dataset(
    settings: Settings,
    source: Contract,
    sources: Sequence[Contract],
    codes: parsing.Codes,
    now: datetime,
) -> Ingested:
    """Take every waiting file of one dataset into the lake; one caller at a time.

    A row that breaks a critical rule is refused alone; a file that cannot be read is refused whole.
    Raises DeliveryError if the lake cannot be written; the file is then still in the inbox.
    """
    now = now.astimezone(settings.time_zone).replace(microsecond=0)
    waiting: dict[tuple[str | None, str], list[Incoming]] = {}
    for arrival in sorted(
        _incoming(settings, source, now), key=lambda each: (each.delivered_at, each.path)
    ):
        waiting.setdefault((arrival.sender, arrival.period), []).append(arrival)
    # what a process left that was killed in the middle
    shutil.rmtree(_workshop(settings, source), ignore_errors=True)
    if not waiting:
        return Ingested((), (), ())
    known = lake.read_receipts(settings.lake, source.table)

    def take_all(arrivals: Sequence[Incoming]) -> Ingested:
        """Take the files of one sender and period, one after the other."""
        receipts: list[Receipt] = []
        repeated: list[str] = []
        left: list[str] = []
        with database.cursor() as connection:
            for arrival in arrivals:
                try:
                    receipt = _take(
                        arrival,
                        settings,
                        source,
                        sources,
                        codes,
                        # of files of one moment the one taken later counts as the later word
                        now + timedelta(microseconds=len(receipts)),
                        connection,
                        (*known, *receipts),
                    )
                    is_removed = _remove(arrival)
                except ChangedWhileRead:
                    left.append(arrival.path.name)
                    continue
                except WRITE_FAULTS as fault:
                    raise DeliveryError(
                        f"{arrival.path}: cannot be taken into {settings.home}: {fault}; "
                        "the file is still in the inbox; mend the disk and refresh again"
                    ) from fault
                if not is_removed:
                    left.append(arrival.path.name)
                if receipt is None:
                    repeated.append(arrival.path.name)
                else:
                    receipts.append(receipt)
        return Ingested(tuple(receipts), tuple(repeated), tuple(left))

    with (
        _database(settings) as database,
        ThreadPoolExecutor(max_workers=os.cpu_count()) as pool,
    ):
        parts = list(pool.map(take_all, waiting.values()))
    return Ingested(
        tuple(receipt for part in parts for receipt in part.receipts),
        tuple(name for part in parts for name in part.repeated),
        tuple(name for part in parts for name in part.left),
    )


def ensure_typed(
    settings: Settings, source: Contract, codes: parsing.Codes, receipt: Receipt
) -> Receipt:
    """The receipt under today's contract, its rows typed again if the contract has changed."""
    folder = lake.delivery_folder(settings.lake, receipt)
    version = typed_version(source, codes)
    if receipt.contract_hash == version and typed_path(folder, version).is_file():
        return receipt
    with _database(settings) as connection:
        judged = _judge(connection, folder, source, codes, receipt, receipt.headers)
    rejects.write(settings.rejects, folder, source, judged)
    lake.write_receipt(folder, judged)
    return judged


def typed_version(source: Contract, codes: parsing.Codes) -> str:
    """Changes when the same text would be typed or judged otherwise."""
    lists = {column.codes: codes.get(column.codes or "") for column in source.columns}
    text = f"{source.hash}{sorted(lists.items(), key=str)}{_reading_code()}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def _reading_code() -> str:
    """Changes when the modules that type and judge rows change."""
    modules = (parsing, identity)
    return "".join(inspect.getsource(module) for module in modules)


def typed_path(folder: Path, version: str) -> Path:
    return folder / "typed" / f"{version}.parquet"


def _database(settings: Settings) -> duckdb.DuckDBPyConnection:
    """A database in memory; what does not fit there is nobody else's to read."""
    spill = settings.home / "tmp"
    spill.mkdir(parents=True, exist_ok=True, mode=RESTRICTED_FOLDER_MODE)
    return duckdb.connect(config={"temp_directory": str(spill), "memory_limit": MEMORY_LIMIT})


def _workshop(settings: Settings, source: Contract) -> Path:
    """Where deliveries are made before they are moved to their place."""
    return settings.lake / ".incoming" / source.table


def _incoming(settings: Settings, source: Contract, now: datetime) -> Iterator[Incoming]:
    assert source.delivery
    department, dataset = source.delivery.department, source.delivery.dataset
    folder = settings.inbox / department / dataset
    waiting = waiting_files(folder)
    areas = policies.area_codes(settings) if waiting else frozenset()
    for path in waiting:
        if folder not in (path.parent, path.parent.parent):
            continue
        try:
            found = path.stat()
        except FileNotFoundError:  # taken away since the folder was listed
            continue
        file_date = datetime.fromtimestamp(found.st_mtime, tz=settings.time_zone)
        period = lake.period_in(path.name, source.delivery.period) or ""
        delivered_at, rows, fault = file_date, None, ""
        sender = None if path.parent == folder else path.parent.name
        try:
            if sender and sender.isdigit() and sender not in areas:
                raise DeliveryError(f"its folder {sender} is the code of no area that is known")
            stated = _stated(_sidecar(path))
            period = _stated_period(stated, source.delivery.period) or period
            usual = _usual_moment(period, source.delivery.usual_lag_days, settings)
            delivered_at = _stated_moment(stated, usual, settings, now) or file_date
            rows = _stated_rows(stated)
            if period and lake.first_month(period) > min(delivered_at, now).date():
                raise DeliveryError(f"its period {period} has not begun when it was delivered")
        except DeliveryError as wrong:
            fault = str(wrong)
        yield Incoming(
            path,
            _state(found),
            department,
            dataset,
            sender=sender,
            period=period,
            # a clock that is ahead does not make a delivery a later one
            delivered_at=min(delivered_at, now).replace(microsecond=0),
            stated_rows=rows,
            fault=fault,
        )


def _sidecar(path: Path) -> Path:
    return path.with_name(path.name + SIDECAR_SUFFIX)


def _stated(sidecar: Path) -> Mapping[str, object]:
    """What a sidecar says; raises DeliveryError if nobody can tell."""
    if not sidecar.is_file():
        return {}
    try:
        stated = yaml.safe_load(sidecar.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError) as fault:
        raise DeliveryError(f"{sidecar.name} cannot be read as YAML: {fault}") from None
    if not isinstance(stated, dict):
        raise DeliveryError(f"{sidecar.name} holds no names and values, such as period: '2022'")
    return stated


def _stated_period(stated: Mapping[str, object], kind: Literal["year", "month"]) -> str | None:
    if stated.get("period") is None:
        return None
    period = str(stated["period"])
    if not lake.is_period(period, kind):
        raise DeliveryError(f"its sidecar states the period {period!r}, which is no {kind}")
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
        raise DeliveryError(
            f"its sidecar states delivered_at {text!r}, which is no moment like 2022-07-05 09:30 "
            f"(nor {USUAL!r}, for a backlog)"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=settings.time_zone)
    if moment > now:
        raise DeliveryError(f"its sidecar states delivered_at {text!r}, which is still to come")
    return moment.astimezone(settings.time_zone)


def _stated_rows(stated: Mapping[str, object]) -> int | None:
    rows = stated.get("rows")
    try:
        return None if rows is None else int(str(rows))
    except ValueError:
        raise DeliveryError(f"its sidecar states {rows!r} rows, which is no number") from None


def _take(
    arrival: Incoming,
    settings: Settings,
    source: Contract,
    sources: Sequence[Contract],
    codes: parsing.Codes,
    now: datetime,
    connection: duckdb.DuckDBPyConnection,
    known: Sequence[Receipt],
) -> Receipt | None:
    """The receipt of one file, or None if the lake has it already."""
    folder = _workshop(settings, source) / uuid4().hex
    (folder / "original").mkdir(parents=True, mode=RESTRICTED_FOLDER_MODE)
    settings.lake.chmod(RESTRICTED_FOLDER_MODE)
    try:
        original = folder / "original" / arrival.path.name
        sha256 = _copy(arrival, original)
        if _sidecar(arrival.path).is_file():
            shutil.copyfile(_sidecar(arrival.path), _sidecar(original))
        delivered_at = arrival.delivered_at.isoformat()
        place = (source.table, arrival.sender, arrival.period)
        in_force = {receipt.delivery_id for receipt in lake.effective(known, None)}
        same_bytes = [
            receipt
            for receipt in known
            if (receipt.table, receipt.sender, receipt.period) == place
            and receipt.sha256 == sha256
            and receipt.status == "taken"
        ]
        if any(
            receipt.delivery_id in in_force or receipt.delivered_at == delivered_at
            for receipt in same_bytes
        ):
            shutil.rmtree(folder)
            return None
        # the same bytes once more after a correction: a later word, so a delivery of its own
        later = (delivered_at,) if same_bytes else ()
        receipt = Receipt(
            delivery_id=lake.delivery_key(*place, sha256, *later),
            department=arrival.department,
            dataset=arrival.dataset,
            sender=arrival.sender,
            period=arrival.period,
            file_name=arrival.path.name,
            sha256=sha256,
            byte_count=original.stat().st_size,
            delivered_at=delivered_at,
            ingested_at=now.isoformat(),
            status="taken",
        )
        try:
            receipt = _read_and_judge(
                connection, folder, original, arrival, source, sources, codes, receipt
            )
        except (UnreadableFile, parsing.UnknownUnit, DeliveryError) as fault:
            receipt = replace(receipt, status="refused", message=f"{arrival.path.name}: {fault}")
        # before the delivery stands: after it the file counts as taken and nobody would write them
        rejects.write(settings.rejects, folder, source, receipt)
        lake.write_receipt(folder, receipt)
        home = lake.delivery_folder(settings.lake, receipt)
        if home.exists():  # the same file when it was refused whole
            shutil.rmtree(home)
        home.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(home)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return receipt


def _copy(arrival: Incoming, destination: Path) -> str:
    """Copy the file and return its SHA-256; raises ChangedWhileRead if it did not hold still."""
    digest = hashlib.sha256()
    path = arrival.path
    try:
        with path.open("rb") as stream, destination.open("wb") as copy:
            before = os.fstat(stream.fileno())
            while block := stream.read(COPY_BYTES):
                digest.update(block)
                copy.write(block)
            after = os.fstat(stream.fileno())
        named = path.stat()
    except FileNotFoundError:
        raise ChangedWhileRead(f"{path.name} was taken away while it was read") from None
    if any(_state(each) != arrival.state for each in (before, after, named)):
        raise ChangedWhileRead(f"{path.name} changed while it was read; it stays in the inbox")
    return digest.hexdigest()


def _state(stat: os.stat_result) -> tuple[int, int, int]:
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _remove(arrival: Incoming) -> bool:
    """Remove a file that is taken; a newer one that has come to its place stays for the next."""
    try:
        if _state(arrival.path.stat()) != arrival.state:
            return False
    except FileNotFoundError:
        return True
    arrival.path.unlink(missing_ok=True)
    _sidecar(arrival.path).unlink(missing_ok=True)
    return True


def _read_and_judge(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    original: Path,
    arrival: Incoming,
    source: Contract,
    sources: Sequence[Contract],
    codes: parsing.Codes,
    receipt: Receipt,
) -> Receipt:
    assert source.delivery
    if arrival.fault:
        raise DeliveryError(f"{arrival.fault}; mend it and send the file again")
    if not arrival.period:
        example = "2022" if source.delivery.period == "year" else "2022-06"
        raise DeliveryError(
            f"its name states no {source.delivery.period}, or more than one; put one into the name "
            f"(such as {example}.csv) or into {_sidecar(arrival.path).name} as period: '{example}'"
        )
    known = parsing.understood_headers(source)
    vocabularies = [known, *(parsing.understood_headers(other) for other in sources)]

    def score(cells: Sequence[str]) -> int:
        """Columns named, of whichever dataset: a wrong department's file is told by its header."""
        keys = {parsing.header_key(cell) for cell in cells}
        return max(len(keys & vocabulary) for vocabulary in vocabularies)

    reading = read_rows(original, score, folder / "rows.parquet")
    units = parsing.delivered_units(source, reading.headers, reading.stated_units)
    missing = parsing.missing_required(source, reading.headers)
    if missing:
        raise DeliveryError(_missing_message(missing, reading, source, sources))
    received = reading.row_count + len(reading.malformed)
    if received == 0:
        raise DeliveryError("the file holds a header and no rows; send it again with its rows")
    if arrival.stated_rows not in (None, received):
        raise DeliveryError(
            f"its sidecar states {arrival.stated_rows} rows and {received} were found; "
            "the file may be cut off; send it again"
        )
    found = parsing.column_sources(source, reading.headers)
    receipt = replace(
        receipt,
        form=reading.form,
        header_row=reading.header_row,
        headers=reading.headers,
        unknown_columns=tuple(h for h in reading.headers if parsing.header_key(h) not in known),
        absent_columns=tuple(
            column.name for column in source.columns if column.headers and column.name not in found
        ),
        units=units,
        blank_rows=reading.blank_rows,
        note_rows=reading.note_rows,
    )
    rejects.keep_malformed(folder, reading.malformed)
    receipt = _judge(connection, folder, source, codes, receipt, reading.headers)
    if receipt.rows_accepted < source.delivery.minimum_accepted_rate * receipt.rows_received:
        raise DeliveryError(
            f"only {receipt.rows_accepted} of {receipt.rows_received} rows are good "
            f"({receipt.refused_by_rule}); the last good delivery stays in force"
        )
    return receipt


def _missing_message(
    missing: Sequence[str], reading: Reading, source: Contract, sources: Sequence[Contract]
) -> str:
    text = (
        f"row {reading.header_row} is taken as the header and has no column for "
        f"{'; '.join(missing)}; add it or name it in expectations/staged/{source.table}.yaml"
    )
    others = [
        other
        for other in sources
        if other.table != source.table and not parsing.missing_required(other, reading.headers)
    ]
    if others:
        best = max(others, key=lambda other: len(parsing.column_sources(other, reading.headers)))
        text += f"; it looks like a file of {best.table.replace('__', '/')}"
    return text


def _judge(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    source: Contract,
    codes: parsing.Codes,
    receipt: Receipt,
    headers: Sequence[str],
) -> Receipt:
    """Type the rows in `folder` and count what the critical rules refuse."""
    version = typed_version(source, codes)
    target = typed_path(folder, version)
    target.parent.mkdir(exist_ok=True)
    constants = {
        "delivery_id": parsing.literal(receipt.delivery_id),
        "sender": parsing.literal(receipt.sender) if receipt.sender else "null::varchar",
        "period": parsing.literal(receipt.period),
        "period_month": f"date '{receipt.period_month}'",
        "delivered_on": f"date '{receipt.delivered_on}'",
    }
    rows = f"read_parquet({parsing.literal(str(folder / 'rows.parquet'))})"
    select = parsing.typed_select(source, codes, headers, rows, constants, receipt.units)
    temporary = target.with_suffix(".tmp")
    connection.execute(f"copy ({select}) to {parsing.literal(str(temporary))} (format parquet)")
    _refuse_repeated_keys(connection, temporary, source)
    temporary.replace(target)
    counted = connection.execute(
        "select refused_by, count(*) from read_parquet(?) group by refused_by", [str(target)]
    ).fetchall()
    conversions = connection.execute(
        "select kind, count(*) from (select unnest(string_split(converted, ',')) as kind "
        "from read_parquet(?) where converted is not null) group by kind order by kind",
        [str(target)],
    ).fetchall()
    malformed = rejects.malformed_count(folder)
    by_rule: dict[str, int] = {rejects.MALFORMED_RULE: malformed} if malformed else {}
    accepted = 0
    refused = malformed
    for rules, count in counted:
        if rules is None:
            accepted = count
            continue
        refused += count
        for rule in rules.split(","):
            by_rule[rule] = by_rule.get(rule, 0) + count
    return replace(
        receipt,
        contract_hash=version,
        conversions=dict(conversions),
        rows_received=accepted + refused,
        rows_accepted=accepted,
        rows_refused=refused,
        refused_by_rule=dict(sorted(by_rule.items())),
    )


def _refuse_repeated_keys(
    connection: duckdb.DuckDBPyConnection, path: Path, source: Contract
) -> None:
    """Of accepted rows with the same key the first stays, the later ones are refused."""
    key = ", ".join(source.key)
    rows = f"read_parquet({parsing.literal(str(path))})"
    repeated = connection.execute(
        f"select 1 from {rows} where refused_by is null group by {key} having count(*) > 1 limit 1"
    ).fetchall()
    if not repeated:
        return
    mended = path.with_suffix(".mended")
    connection.execute(
        f"""
        copy (
            select * replace (
                case when refused_by is null and row_number > min(row_number)
                    filter (where refused_by is null) over (partition by {key})
                then '{rejects.REPEATED_KEY_RULE}' else refused_by end as refused_by)
            from {rows}
        ) to {parsing.literal(str(mended))} (format parquet)
        """
    )
    mended.replace(path)

"""Archives: the tables packed in one file, one below the other."""

import lzma
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from zipfile import BadZipFile, ZipFile, ZipInfo

import duckdb

from minsheng.encryption import SEALED, sealed_parquet
from minsheng.faults import without_values
from minsheng.headers import header_key
from minsheng.quoting import literal, quoted
from minsheng.readers.common import (
    ROW_NUMBER,
    SHEET_STEP,
    Reading,
    UnreadableFile,
    is_litter,
)

SUFFIX = ".zip"
TEXT_SUFFIX = ".txt"
"""Of tables, and of what is written to go with them."""
MOST_UNPACKED_BYTES = 4 << 30
IS_LOCKED = 0x1
IS_UTF8 = 0x800
COPY_BYTES = 4 << 20
# ValueError: a place before the start of the file, a name that is no text
DAMAGES = (
    BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    NotImplementedError,
    ValueError,
)
"""What the archive module raises on a damaged archive, or on one packed in an unusual way."""

ReadTable = Callable[[Path, Path], Reading]
"""Reads the table in the first file and writes its rows to the second."""


def read(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    suffixes: Sequence[str],
    destination: Path,
    read_table: ReadTable,
) -> Reading:
    """The tables of an archive, which must have the same columns.

    Rows of a later table are numbered as those of a later sheet. Files of other kinds than
    `suffixes`, and texts without a header beside a table, are named in the form; what programs
    leave beside their files is passed over.
    """
    parts: list[tuple[Path, Reading]] = []
    without_header: UnreadableFile | None = None
    try:
        with _opened(path) as archive:
            tables, others = _members(archive, suffixes)
            for place, member in enumerate(tables):
                unpacked = destination.with_name(f"unpacked-{place}{_suffix(member)}")
                part = destination.with_name(f"part-{place}.parquet")
                try:
                    _unpack(archive, member, unpacked)
                    parts.append((part, read_table(unpacked, part)))
                except UnreadableFile as fault:
                    if len(tables) == 1:
                        raise
                    if _suffix(member) == TEXT_SUFFIX and fault.name == "no_header":
                        others.append(member)
                        without_header = fault
                        continue
                    raise UnreadableFile(
                        "table_in_the_archive",
                        advice=fault.advice,
                        member=_name(member),
                        reason=fault.words,
                    ) from None
                finally:
                    unpacked.unlink(missing_ok=True)
        if without_header and not parts:
            raise without_header
        reading = _joined(connection, parts, destination)
    finally:
        for part in destination.parent.glob("part-*.parquet"):
            part.unlink()
    names = "、".join(_name(member) for member in others)
    return replace(reading, form=f"zip, {reading.form}" + (f"; not read: {names}" if names else ""))


def _opened(path: Path) -> ZipFile:
    try:
        return ZipFile(path)
    except DAMAGES as fault:
        raise _damaged(fault) from None


def _damaged(fault: Exception) -> UnreadableFile:
    return UnreadableFile("archive_cannot_be_opened", advice=without_values(str(fault)))


def _members(archive: ZipFile, suffixes: Sequence[str]) -> tuple[list[ZipInfo], list[ZipInfo]]:
    """The members that are tables, and the others."""
    members = [member for member in archive.infolist() if not _is_litter(member)]
    if any(member.flag_bits & IS_LOCKED for member in members):
        raise UnreadableFile("archive_has_a_password")
    tables = [member for member in members if _suffix(member) in suffixes]
    byte_count = sum(member.file_size for member in tables)
    if not tables or byte_count > MOST_UNPACKED_BYTES:
        names = "、".join(_name(member) for member in members)
        raise UnreadableFile(
            "archive_holds_no_table",
            tables=len(tables),
            bytes=byte_count,
            names=names,
            suffixes=", ".join(suffixes),
            most=MOST_UNPACKED_BYTES,
        )
    return tables, [member for member in members if member not in tables]


def _is_litter(member: ZipInfo) -> bool:
    name = _name(member)
    return member.is_dir() or is_litter(Path(name).name) or name.startswith("__MACOSX/")


def _name(member: ZipInfo) -> str:
    """The member's name; without the mark of UTF-8 it is in the code page of its sender."""
    if member.flag_bits & IS_UTF8:
        return member.filename
    try:
        return member.filename.encode("cp437").decode("gb18030")
    except UnicodeError:
        return member.filename


def _suffix(member: ZipInfo) -> str:
    return Path(member.filename).suffix.lower()


def _unpack(archive: ZipFile, member: ZipInfo, target: Path) -> None:
    with target.open("wb") as stream:
        for block in _blocks(archive, member):
            stream.write(block)


def _blocks(archive: ZipFile, member: ZipInfo) -> Iterator[bytes]:
    try:
        with archive.open(member) as packed:
            while block := packed.read(COPY_BYTES):
                yield block
    except DAMAGES as fault:
        raise _damaged(fault) from None
    except OSError as fault:
        if fault.errno is not None:  # the disk's own; damaged data has none
            raise
        raise _damaged(fault) from None


def _joined(
    connection: duckdb.DuckDBPyConnection,
    parts: Sequence[tuple[Path, Reading]],
    destination: Path,
) -> Reading:
    """One table of the parts, whose columns are told by their names."""
    if len(parts) == 1:
        parts[0][0].rename(destination)
        return parts[0][1]
    headers = parts[0][1].headers
    readings: list[Reading] = []
    selects: list[str] = []
    first_number = 0
    for path, reading in parts:
        own = {header_key(header): header for header in reading.headers}
        if set(own) != set(map(header_key, headers)):
            raise UnreadableFile(
                "archive_tables_differ",
                first="、".join(headers),
                second="、".join(reading.headers),
            )
        columns = [f"{quoted(own[header_key(name)])} as {quoted(name)}" for name in headers]
        numbered = f"{ROW_NUMBER} + {first_number} as {ROW_NUMBER}"
        selects.append(f"select {', '.join([numbered, *columns])} from {sealed_parquet(path)}")
        readings.append(_renumbered(reading, first_number))
        [(last_number,)] = connection.execute(
            f"select max({ROW_NUMBER}) from {sealed_parquet(path)}"
        ).fetchall()
        first_number += ((last_number or 0) // SHEET_STEP + 1) * SHEET_STEP
    connection.execute(
        f"copy ({' union all '.join(selects)}) to {literal(str(destination))} ({SEALED})"
    )
    return Reading(
        form="; ".join(reading.form for reading in readings),
        header_row=readings[0].header_row,
        headers=headers,
        row_count=sum(reading.row_count for reading in readings),
        blank_rows=sum(reading.blank_rows for reading in readings),
        note_rows=sum(reading.note_rows for reading in readings),
        malformed=tuple(chain.from_iterable(reading.malformed for reading in readings)),
        stated_units=tuple(chain.from_iterable(reading.stated_units for reading in readings)),
    )


def _renumbered(reading: Reading, first_number: int) -> Reading:
    malformed = tuple(
        replace(row, row_number=row.row_number + first_number) for row in reading.malformed
    )
    return replace(reading, malformed=malformed)

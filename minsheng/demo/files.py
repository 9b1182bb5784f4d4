"""Writes the departments' files chunk by chunk, then the special deliveries and the sidecars."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import xlsxwriter  # type: ignore[import-untyped, unused-ignore]
import yaml
from xlsxwriter.workbook import Workbook  # type: ignore[import-untyped, unused-ignore]
from xlsxwriter.worksheet import Worksheet  # type: ignore[import-untyped, unused-ignore]

from minsheng.demo.plan import (
    CORRECTION_DAYS,
    REPEATED,
    REPETITION_DAYS,
    PlannedFile,
)
from minsheng.demo.reference import Integers
from minsheng.demo.rows import DatasetRows

# A workbook states when it was made; the same run must give the same bytes.
WORKBOOK_CREATED = datetime(2023, 1, 31, 9, 0, 0)
WRONG_AMOUNT_EVERY = 9
PLAIN_AMOUNT = re.compile(r"[0-9]+\.[0-9]{2}")


@dataclass(frozen=True)
class Delivered:
    """A file that stands in the inbox with the number of its data rows."""

    file: PlannedFile
    rows: int


class Inbox:
    """Open files of a run. Rows are appended; `close` completes what was begun."""

    def __init__(self, folder: Path, plans: dict[str, tuple[PlannedFile, ...]]) -> None:
        self.folder = folder
        self.plans = plans
        self.counts = {
            dataset: np.zeros(len(files), dtype=np.int64) for dataset, files in plans.items()
        }
        self.sheets: dict[str, tuple[Workbook, Worksheet]] = {}
        for files in plans.values():
            for file in files:
                self.begin(file)

    def begin(self, file: PlannedFile) -> None:
        """Write what stands above the rows of data."""
        path = self.folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if file.is_sheet:
            title = f"{file.period}年持证残疾人登记册"
            self.sheets[file.path] = begin_sheet(
                path, file.header, [title, f"填报单位：{file.sender}残疾人联合会"]
            )
        else:
            line = ",".join(file.header) + line_end(file)
            # The encoding with a mark writes it here only: later chunks are appended without.
            path.write_bytes(line.encode(file.encoding))

    def append(self, rows: DatasetRows) -> Integers:
        """Append rows to their files; returns the number of each row in its file."""
        files = self.plans[rows.dataset]
        counts = self.counts[rows.dataset]
        added = np.bincount(rows.file, minlength=len(files))
        starts = np.r_[0, np.cumsum(added)]
        before = np.array([file.header_rows for file in files]) + counts - starts[:-1]
        row_numbers: Integers = before[rows.file] + np.arange(len(rows.file)) + 1
        counts += added
        frame = rows.frame.select(files[0].columns)
        if files[0].is_sheet:
            for position in np.flatnonzero(added).tolist():
                _, sheet = self.sheets[files[position].path]
                part = frame.slice(int(starts[position]), int(added[position]))
                first = int(row_numbers[starts[position]]) - 1
                for offset, cells in enumerate(part.iter_rows()):
                    write_cells(sheet, first + offset, cells)
            return row_numbers
        buffer = io.BytesIO()
        # A cell is never quoted, so that a comma in it makes a cell too many.
        frame.write_csv(
            buffer,
            include_header=False,
            quote_style="never",
            null_value="",
            line_terminator=line_end(files[0]),
        )
        content = buffer.getbuffer()
        line_ends = np.flatnonzero(np.frombuffer(content, dtype=np.uint8) == ord("\n")) + 1
        offsets = np.r_[0, line_ends][starts]
        for position in np.flatnonzero(added).tolist():
            file = files[position]
            part_bytes = content[offsets[position] : offsets[position + 1]]
            with (self.folder / file.path).open("ab") as target:
                if file.encoding == "gb18030":
                    target.write(str(part_bytes, "utf-8").encode("gb18030"))
                else:
                    target.write(part_bytes)
        return row_numbers

    def close(self) -> list[Delivered]:
        """Close the workbooks and take back lists on which nothing stands.

        Returns the files with their numbers of rows.
        """
        for workbook, _ in self.sheets.values():
            workbook.close()
        delivered = []
        for dataset, files in self.plans.items():
            for file, count in zip(files, self.counts[dataset], strict=True):
                if count or not file.is_left_out_if_empty:
                    delivered.append(Delivered(file, int(count)))
                else:
                    (self.folder / file.path).unlink()
        return delivered


def line_end(file: PlannedFile) -> str:
    """Line ends as the sending programs write them."""
    return "\r\n" if file.encoding == "gb18030" else "\n"


def begin_sheet(
    path: Path, header: tuple[str, ...], titles: list[str]
) -> tuple[Workbook, Worksheet]:
    """Open a workbook and write its title rows, the first one merged, and its header row."""
    workbook = xlsxwriter.Workbook(str(path), {"constant_memory": True})
    workbook.set_properties({"created": WORKBOOK_CREATED})
    sheet = workbook.add_worksheet("Sheet1")
    sheet.merge_range(0, 0, 0, len(header) - 1, titles[0])
    for row, title in enumerate(titles[1:], start=1):
        sheet.write_string(row, 0, title)
    write_cells(sheet, len(titles), header)
    return workbook, sheet


def write_cells(sheet: Worksheet, row: int, cells: tuple[str | None, ...]) -> None:
    """Write a row of text; an empty cell is left out."""
    for column, cell in enumerate(cells):
        if cell is not None:
            sheet.write_string(row, column, cell)


def add_special_deliveries(folder: Path, delivered: list[Delivered]) -> list[Delivered]:
    """Deliver one file twice, and one file's earlier version with wrong amounts before it."""
    added = []
    for item in delivered:
        file = item.file
        path = folder / file.path
        if (file.dataset, file.period, file.sender) == REPEATED:
            copy = replace(
                file,
                path=file.path.replace(".csv", "_重报.csv"),
                delivered_at=file.delivered_at + timedelta(days=REPETITION_DAYS),
                status="repeated",
                has_sidecar=True,
            )
            with path.open("rb") as source, (folder / copy.path).open("wb") as target:
                while block := source.read(1 << 20):
                    target.write(block)
            added.append(Delivered(copy, item.rows))
        if file.path.endswith("_更正.csv"):
            earlier = replace(
                file,
                path=file.path.replace("_更正", ""),
                delivered_at=file.delivered_at - timedelta(days=CORRECTION_DAYS),
                status="superseded",
            )
            with (folder / earlier.path).open("wb") as target:
                target.writelines(lines_with_wrong_amounts(path, file))
            added.append(Delivered(earlier, item.rows))
    return added


def lines_with_wrong_amounts(path: Path, file: PlannedFile) -> Iterator[bytes]:
    """The file's lines with every few amounts ten times too high; the amount stands last."""
    end = line_end(file)
    with path.open(encoding=file.encoding, newline="") as source:
        for number, line in enumerate(source):
            start, _, amount = line.rstrip("\r\n").rpartition(",")
            is_wrong = number % WRONG_AMOUNT_EVERY == 1 and PLAIN_AMOUNT.fullmatch(amount)
            if is_wrong:
                line = f"{start},{float(amount) * 10:.2f}{end}"
            yield line.encode(file.encoding)


def finish_files(folder: Path, delivered: list[Delivered]) -> None:
    """Write the sidecars and set each file's time to its delivery."""
    for item in delivered:
        file = item.file
        path = folder / file.path
        paths = [path]
        if file.has_sidecar:
            sidecar = path.with_name(path.name + ".yaml")
            content = {
                "delivered_at": file.delivered_at.isoformat(),
                "period": file.period,
                "rows": item.rows,
            }
            sidecar.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
            paths.append(sidecar)
        moment = file.delivered_at.timestamp()
        for written in paths:
            os.utime(written, (moment, moment))

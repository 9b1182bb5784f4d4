"""What goes back to a department: refused rows in a workbook, refused files with a letter."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xlsxwriter

from minsheng import parsing
from minsheng.contracts import Contract
from minsheng.lake import Receipt
from minsheng.readers import ROW_NUMBER, MalformedRow
from minsheng.settings import RESTRICTED_FOLDER_MODE

MALFORMED_RULE = "row_has_as_many_cells_as_the_header"
REPEATED_KEY_RULE = "key_is_unique"
MALFORMED_FILE = "malformed.parquet"
REASONS = {
    MALFORMED_RULE: "该行的单元格数与表头不符，请检查逗号和引号",
    REPEATED_KEY_RULE: "同一文件内主键重复，保留第一行",
}
REFUSED_FILE = "refused.parquet"
WORKBOOK_ROWS = 100_000
"""Refused rows that a workbook lists at the most; all of them stand in `refused.parquet`."""
WORKBOOK_CHARACTERS = 200
"""Of a value that a workbook shows; a spreadsheet's cell does not hold more than 32767."""
WORKBOOK_COLUMNS = ("行号", "列", "原值（已脱敏）", "规则", "原因")


WORKBOOK_WIDTHS = (8, 20, 28, 36, 44)
REFUSED_SCHEMA = pa.schema(
    {
        "row_number": pa.int64(),
        "column": pa.string(),
        "value": pa.string(),
        "rule": pa.string(),
        "reason": pa.string(),
    }
)


class RefusedCell(TypedDict):
    """What a department is told of one refused row and one rule."""

    row_number: int
    column: str
    value: str
    rule: str
    reason: str


def keep_malformed(folder: Path, rows: Sequence[MalformedRow]) -> None:
    """Keep the lines that are no rows beside the rows."""
    if rows:
        table = pa.table(
            {
                "row_number": [row.row_number for row in rows],
                "cells": [row.cells for row in rows],
                "text": [row.text for row in rows],
            }
        )
        pq.write_table(table, folder / MALFORMED_FILE)


def malformed_count(folder: Path) -> int:
    path = folder / MALFORMED_FILE
    return int(pq.read_metadata(path).num_rows) if path.is_file() else 0


def write(rejects: Path, delivery: Path, source: Contract, receipt: Receipt) -> None:
    """Write the workbook of refused rows, or the letter about a file that was refused whole.

    `delivery` is the delivery's folder; `refused.parquet` is put there. What an earlier judgement
    of the same delivery wrote is replaced.
    """
    folder = rejects / receipt.department
    stem = "-".join(
        part
        for part in (receipt.dataset, receipt.sender, receipt.period, receipt.delivery_id)
        if part
    )
    letter, workbook = folder / f"{stem}.txt", folder / f"{stem}.xlsx"
    for path in (letter, workbook, delivery / REFUSED_FILE):
        path.unlink(missing_ok=True)
    if receipt.status == "taken" and not receipt.rows_refused:
        return
    folder.mkdir(parents=True, exist_ok=True, mode=RESTRICTED_FOLDER_MODE)
    if receipt.status == "refused":
        letter.write_text(
            f"{receipt.message}\n\n文件 {receipt.file_name} 整件退回，未采用其中任何一行。"
            f"\nThe file was refused whole; the last good delivery stays in force.\n",
            encoding="utf-8",
        )
        return
    refused = refused_cells(delivery, source, receipt)
    pq.write_table(pa.Table.from_pylist(refused, schema=REFUSED_SCHEMA), delivery / REFUSED_FILE)
    _write_workbook(workbook, refused)


def _write_workbook(path: Path, refused: Sequence[RefusedCell]) -> None:
    """A delivered text is text: not a formula that the reader's program would run, not a link."""
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(path, options) as workbook:
        sheet = workbook.add_worksheet("退回")
        sheet.write_row(0, 0, WORKBOOK_COLUMNS, workbook.add_format({"bold": True}))
        for place, cell in enumerate(refused[:WORKBOOK_ROWS], start=1):
            shown = {**cell, "value": str(cell["value"])[:WORKBOOK_CHARACTERS]}
            sheet.write_row(place, 0, shown.values())
        for place, width in enumerate(WORKBOOK_WIDTHS):
            sheet.set_column(place, place, width)


def refused_cells(delivery: Path, source: Contract, receipt: Receipt) -> list[RefusedCell]:
    """One entry per refused row and rule it breaks, in order.

    Keys: row_number, column (label), value (masked), rule, reason.
    """
    rules = {rule.name: rule for rule in parsing.row_rules(source)}
    typed = delivery / "typed" / f"{receipt.contract_hash}.parquet"
    judged = pq.read_table(typed, columns=["row_number", "refused_by"])
    refused = judged.filter(pc.is_valid(judged["refused_by"])).to_pylist()
    texts = _texts(delivery, [row["row_number"] for row in refused])
    sources = {
        column.name: parsing.headers_of(column, receipt.headers) for column in source.columns
    }
    cells: list[RefusedCell] = []
    for row in refused:
        for name in row["refused_by"].split(","):
            rule = rules.get(name)
            columns = [source.column(each) for each in (rule.columns if rule else ())]
            headers = [header for column in columns for header in sources[column.name]]
            value = " / ".join(texts[row["row_number"]].get(header) or "" for header in headers)
            direct = any(column.sensitivity == "direct" for column in columns)
            cells.append(
                {
                    "row_number": row["row_number"],
                    "column": "、".join(column.label_zh for column in columns),
                    "value": masked(value) if direct else value,
                    "rule": name,
                    "reason": rule.why if rule else REASONS[name],
                }
            )
    path = delivery / MALFORMED_FILE
    for row in pq.read_table(path).to_pylist() if path.is_file() else ():
        cells.append(
            {
                "row_number": row["row_number"],
                "column": "",
                "value": str(row["cells"]),
                "rule": MALFORMED_RULE,
                "reason": REASONS[MALFORMED_RULE],
            }
        )
    return sorted(cells, key=lambda cell: (cell["row_number"], cell["rule"]))


def masked(value: str) -> str:
    """`value` with all but its outer characters hidden."""
    if len(value) <= 2:
        return "*" * len(value)
    shown = 3 if len(value) > 8 else 1
    return value[:shown] + "*" * (len(value) - shown - 1) + value[-1]


def _texts(delivery: Path, row_numbers: Sequence[int]) -> dict[int, dict[str, str]]:
    """The delivered texts of the given rows."""
    wanted = pa.array(row_numbers, pa.int64())
    found: dict[int, dict[str, str]] = {}
    with pq.ParquetFile(delivery / "rows.parquet") as rows:
        for batch in rows.iter_batches():
            kept = batch.filter(pc.is_in(batch[ROW_NUMBER], value_set=wanted))
            found.update((row[ROW_NUMBER], row) for row in kept.to_pylist())
    return found

"""What goes back to a department: refused rows in a workbook, refused files with a letter."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import xlsxwriter

from minsheng import parsing
from minsheng.contracts import Column, Contract
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


def keep_malformed(folder: Path, rows: Sequence[MalformedRow]) -> None:
    """Keep the lines that are no rows beside the rows."""
    if rows:
        frame = pl.DataFrame(
            {
                "row_number": [row.row_number for row in rows],
                "cells": [row.cells for row in rows],
                "text": [row.text for row in rows],
            }
        )
        _write_parquet(folder / MALFORMED_FILE, frame)


def malformed_count(folder: Path) -> int:
    path = folder / MALFORMED_FILE
    return pl.scan_parquet(path).select(pl.len()).collect().item() if path.is_file() else 0


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
    _write_parquet(delivery / REFUSED_FILE, refused)
    _write_workbook(workbook, refused)


def _write_parquet(path: Path, frame: pl.DataFrame) -> None:
    """By pyarrow, which says that a disk is full by an OSError."""
    pq.write_table(frame.to_arrow(), path)


def _write_workbook(path: Path, refused: pl.DataFrame) -> None:
    """A delivered text is text: not a formula that the reader's program would run, not a link."""
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    shown = refused.head(WORKBOOK_ROWS).with_columns(
        pl.col("value").str.slice(0, WORKBOOK_CHARACTERS)
    )
    with xlsxwriter.Workbook(path, options) as workbook:
        sheet = workbook.add_worksheet("退回")
        sheet.write_row(0, 0, WORKBOOK_COLUMNS, workbook.add_format({"bold": True}))
        for place, line in enumerate(shown.iter_rows(), start=1):
            sheet.write_row(place, 0, line)
        sheet.autofit()


def refused_cells(delivery: Path, source: Contract, receipt: Receipt) -> pl.DataFrame:
    """One row per refused row and rule it breaks.

    Columns: row_number, column (label), value (masked), rule, reason.
    """
    rules = {rule.name: rule for rule in parsing.row_rules(source)}
    typed = delivery / "typed" / f"{receipt.contract_hash}.parquet"
    refused = (
        pl.scan_parquet(typed)
        .filter(pl.col("refused_by").is_not_null())
        .select("row_number", pl.col("refused_by").str.split(",").alias("rule"))
        .explode("rule")
        .sort("row_number", "rule")
        .collect()
    )
    texts = _texts(delivery, refused["row_number"])
    sources = {column.name: _headers_of(column, receipt.headers) for column in source.columns}
    lines: list[dict[str, object]] = []
    for row_number, name in refused.iter_rows():
        rule = rules.get(name)
        columns = rule.columns if rule else source.key[:0]
        headers = [header for column in columns for header in sources.get(column, ())]
        value = " / ".join(texts[row_number].get(header) or "" for header in headers)
        direct = any(source.column(column).sensitivity == "direct" for column in columns)
        lines.append(
            {
                "row_number": row_number,
                "column": "、".join(source.column(column).label_zh for column in columns),
                "value": masked(value) if direct else value,
                "rule": name,
                "reason": rule.why if rule else REASONS[name],
            }
        )
    path = delivery / MALFORMED_FILE
    if path.is_file():
        for row_number, cells, _ in pl.read_parquet(path).iter_rows():
            lines.append(
                {
                    "row_number": row_number,
                    "column": "",
                    "value": f"{cells}",
                    "rule": MALFORMED_RULE,
                    "reason": REASONS[MALFORMED_RULE],
                }
            )
    schema = {
        "row_number": pl.Int64,
        "column": pl.String,
        "value": pl.String,
        "rule": pl.String,
        "reason": pl.String,
    }
    return pl.DataFrame(lines, schema=schema).sort("row_number", "rule")


def masked(value: str) -> str:
    """`value` with all but its outer characters hidden."""
    if len(value) <= 2:
        return "*" * len(value)
    shown = 3 if len(value) > 8 else 1
    return value[:shown] + "*" * (len(value) - shown - 1) + value[-1]


def _texts(delivery: Path, row_numbers: pl.Series) -> dict[int, dict[str, str]]:
    rows = (
        pl.scan_parquet(delivery / "rows.parquet")
        .filter(pl.col(ROW_NUMBER).is_in(row_numbers.unique().to_list()))
        .collect()
    )
    return {row[ROW_NUMBER]: row for row in rows.iter_rows(named=True)}


def _headers_of(column: Column, headers: Sequence[str]) -> list[str]:
    names = {
        parsing.header_key(name)
        for name in (*column.headers, *column.composed_of, column.label_zh, column.name)
    }
    return [header for header in headers if parsing.header_key(header) in names]

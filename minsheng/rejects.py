"""What goes back to a department: refused rows in a workbook, refused files with a letter."""

import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypedDict

import duckdb
import polars as pl
import xlsxwriter

from minsheng import corrections, row_rules
from minsheng.cell_forms import Codes
from minsheng.contracts import Column, Contract, Rule
from minsheng.encryption import sealed_parquet, write_sealed
from minsheng.headers import headers_of
from minsheng.lake import Receipt
from minsheng.readers import MalformedRow, where
from minsheng.settings import RESTRICTED_FILE_MODE, RESTRICTED_FOLDER_MODE

MALFORMED_RULE = "row_has_as_many_cells_as_the_header"
REPEATED_KEY_RULE = "key_is_unique"
MALFORMED_FILE = "malformed.parquet"
REFUSED_FILE = "refused.parquet"
ROWS_FILE = "rows.parquet"
FINDINGS_FILE = "findings.parquet"
"""Row, rule and severity of every fault of a delivery; none if it has none."""
REASONS = {
    MALFORMED_RULE: "该行的单元格数与表头不符",
    REPEATED_KEY_RULE: "主键重复，保留第一行",
}
MENDS = {
    MALFORMED_RULE: "请检查逗号和引号，按表头逐格填写",
    REPEATED_KEY_RULE: "同一对象只报一行；确非同一对象的，请核对证件号码和姓名",
}
WORKBOOK_ROWS = 100_000
"""Refused rows that a workbook lists at the most; all of them stand in `refused.parquet`."""
REASONS_SHEET, MENDING_SHEET = "退回原因", "请在此改正"
REASON_COLUMNS = {
    "行号": 10,
    "列": 20,
    "原值（已脱敏）": 28,
    "规则": 36,
    "原因": 44,
    "如何改正": 44,
}
MENDING_WIDTH = 18
SHOWN_WORDS = 15
INSTRUCTION = (
    "请改正标黄的单元格，不要改动“退件行号”一列，然后以原文件名放回报送目录。"
    "带星号的内容已脱敏，不改动即按原报送的内容处理；不再报送的行请整行删除。"
)
Texts = Mapping[int, Mapping[str, str]]
"""Delivered texts by header, by the row's number; a line that was no row of the table has none."""

REFUSED_SCHEMA = {
    "row_number": pl.Int64(),
    **dict.fromkeys(("column", "value", "rule", "reason", "mend"), pl.String()),
}


class RefusedCell(TypedDict):
    """What a department is told of one refused row and one rule."""

    row_number: int
    column: str
    value: str
    rule: str
    reason: str
    mend: str


def keep_malformed(
    connection: duckdb.DuckDBPyConnection, folder: Path, rows: Sequence[MalformedRow]
) -> None:
    """Keep the lines that are no rows beside the rows."""
    if rows:
        write_sealed(connection, pl.DataFrame(rows), folder / MALFORMED_FILE)


def malformed_rows(connection: duckdb.DuckDBPyConnection, folder: Path) -> list[MalformedRow]:
    """The lines that are no rows."""
    path = folder / MALFORMED_FILE
    if not path.is_file():
        return []
    found = connection.execute(f"select row_number, cells, text from {sealed_parquet(path)}")
    return [MalformedRow(*row) for row in found.fetchall()]


def write(
    connection: duckdb.DuckDBPyConnection,
    rejects: Path,
    delivery: Path,
    source: Contract,
    codes: Codes,
    receipt: Receipt,
) -> None:
    """Write the workbook of refused rows and, of a file refused whole, the letter about it.

    `delivery` is the delivery's folder; `refused.parquet` is put there. What an earlier judgement
    of the same delivery wrote is replaced.
    """
    folder = rejects / receipt.department
    stem = corrections.workbook_name(receipt)
    letter, workbook = folder / f"{stem}.txt", folder / f"{stem}.xlsx"
    for path in (letter, workbook, delivery / REFUSED_FILE):
        path.unlink(missing_ok=True)
    if receipt.status == "taken" and not receipt.rows_refused:
        return
    for each in (rejects, folder):
        each.mkdir(parents=True, exist_ok=True, mode=RESTRICTED_FOLDER_MODE)
    if receipt.status == "refused":
        letter.write_text(
            f"{receipt.message_zh}\n文件整件退回，未采用其中任何一行；继续沿用上一次合格的交付。\n\n"
            f"{receipt.message}\n"
            "The file was refused whole; the last good delivery stays in force.\n",
            encoding="utf-8",
        )
    if receipt.rows_refused:
        refused = _refused_by(connection, delivery, source, receipt)
        malformed = malformed_rows(connection, delivery)
        numbers = {*refused, *(line.row_number for line in malformed)}
        texts = corrections.texts_of(connection, delivery / ROWS_FILE, numbers)
        cells = _refused_cells(codes, receipt, refused, malformed, texts)
        listed = pl.DataFrame(cells, schema=REFUSED_SCHEMA)
        write_sealed(connection, listed, delivery / REFUSED_FILE)
        faulty = {
            number: {header for fault in faults for header in fault.headers}
            for number, faults in refused.items()
        }
        _write_workbook(workbook, source, receipt, cells, faulty, texts)
    for path in (letter, workbook):
        if path.exists():
            path.chmod(RESTRICTED_FILE_MODE)


def refused_rows(
    connection: duckdb.DuckDBPyConnection, delivery: Path
) -> dict[int, dict[str, str]]:
    """The refused rows of a delivery: their texts by header, by their number in the file."""
    path = delivery / REFUSED_FILE
    if not path.is_file():
        return {}
    found = connection.execute(f"select row_number from {sealed_parquet(path)}").fetchall()
    return corrections.texts_of(connection, delivery / ROWS_FILE, [number for (number,) in found])


def _write_workbook(
    path: Path,
    source: Contract,
    receipt: Receipt,
    refused: Sequence[RefusedCell],
    faulty: Mapping[int, Collection[str]],
    texts: Texts,
) -> None:
    """A delivered text is text: not a formula that the reader's program would run, not a link."""
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    listed = refused[:WORKBOOK_ROWS]
    # not to the path at once: on a full disk the half archive would fail a second time, unasked
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, options) as workbook:
        bold = workbook.add_format({"bold": True})
        sheet = workbook.add_worksheet(REASONS_SHEET)
        sheet.write_row(0, 0, REASON_COLUMNS, bold)
        for place, cell in enumerate(listed, start=1):
            value = str(cell["value"])[: corrections.SHOWN_CHARACTERS]
            shown = {**cell, "row_number": where(cell["row_number"]), "value": value}
            sheet.write_row(place, 0, shown.values())
        for place, width in enumerate(REASON_COLUMNS.values()):
            sheet.set_column(place, place, width)
        if receipt.status == "taken":
            _write_mending_sheet(workbook, source, receipt, listed, faulty, texts)
    path.write_bytes(content.getvalue())


def _write_mending_sheet(
    workbook: xlsxwriter.Workbook,
    source: Contract,
    receipt: Receipt,
    refused: Sequence[RefusedCell],
    faulty: Mapping[int, Collection[str]],
    texts: Texts,
) -> None:
    """The refused rows as delivered; `faulty` has the headers of the cells to mark, row by row."""
    hidden = corrections.masked_headers(source, receipt.headers)
    marked = workbook.add_format({"bg_color": "#FFF2CC", "num_format": "@"})
    plain = workbook.add_format({"num_format": "@"})
    bold = workbook.add_format({"bold": True})
    sheet = workbook.add_worksheet(MENDING_SHEET)
    sheet.write_string(0, 0, INSTRUCTION)
    sheet.write_row(1, 0, [corrections.ROW_HEADER, *receipt.headers], bold)
    sheet.set_column(0, len(receipt.headers), MENDING_WIDTH, plain)
    sheet.freeze_panes(2, 1)
    for place, number in enumerate(sorted({cell["row_number"] for cell in refused}), start=2):
        row = texts[number]
        sheet.write_string(place, 0, str(number), plain)
        for column, header in enumerate(receipt.headers, start=1):
            text = corrections.shown(row.get(header), header in hidden)
            is_faulty = header in faulty.get(number, ()) or not row
            sheet.write_string(place, column, text, marked if is_faulty else plain)


@dataclass(frozen=True)
class _Fault:
    """A rule that refuses a row, and what it is about."""

    rule: Rule | None
    """None for those that no contract declares."""
    name: str
    columns: tuple[Column, ...]
    headers: tuple[str, ...]
    """How the file names the columns; empty if it has none of them."""


def _refused_by(
    connection: duckdb.DuckDBPyConnection, delivery: Path, source: Contract, receipt: Receipt
) -> dict[int, list[_Fault]]:
    """What refuses each row, by its number in the file."""
    typed = delivery / "typed" / f"{receipt.contract_hash}.parquet"
    rules = {rule.name: rule for rule in row_rules.row_rules(source)}

    def fault(name: str, disagreeing: str | None) -> _Fault:
        rule = rules.get(name)
        named = rule.columns if rule else ()
        if name == row_rules.SYNONYMS_RULE:
            named = tuple((disagreeing or "").split(","))
        columns = tuple(map(source.column, named))
        headers = [header for each in columns for header in headers_of(each, receipt.headers)]
        return _Fault(rule, name, columns, tuple(dict.fromkeys(headers)))

    known = cache(fault)
    rows = connection.execute(
        f"select row_number, refused_by, disagreeing from {sealed_parquet(typed)} "
        "where refused_by is not null"
    ).fetchall()
    return {
        number: [known(name, disagreeing) for name in names.split(",")]
        for number, names, disagreeing in rows
    }


def _refused_cells(
    codes: Codes,
    receipt: Receipt,
    refused: Mapping[int, Sequence[_Fault]],
    malformed: Sequence[MalformedRow],
    texts: Texts,
) -> list[RefusedCell]:
    """One entry per refused row and rule it breaks, in order.

    Keys: row_number, column (as the file names it), value (masked), rule, reason, mend (what the
    sender should do).
    """
    cells: list[RefusedCell] = []
    for number, faults in refused.items():
        for fault in faults:
            value = " / ".join(texts[number].get(header) or "" for header in fault.headers)
            direct = any(column.sensitivity == "direct" for column in fault.columns)
            labels = fault.headers or [column.label_zh for column in fault.columns]
            cells.append(
                {
                    "row_number": number,
                    "column": "、".join(labels),
                    "value": corrections.told(value, direct),
                    "rule": fault.name,
                    "reason": fault.rule.why if fault.rule else REASONS[fault.name],
                    "mend": _how_to_mend(fault, codes, receipt),
                }
            )
    for line in malformed:
        cells.append(
            {
                "row_number": line.row_number,
                "column": "",
                "value": f"{line.cells} 格",
                "rule": MALFORMED_RULE,
                "reason": REASONS[MALFORMED_RULE],
                "mend": MENDS[MALFORMED_RULE],
            }
        )
    return sorted(cells, key=lambda cell: (cell["row_number"], cell["rule"]))


def _how_to_mend(fault: _Fault, codes: Codes, receipt: Receipt) -> str:
    """What the rule says, amounts in the file's unit; where words are listed, which they are."""
    if fault.rule is None:
        return MENDS[fault.name]
    mend = fault.rule.mend
    words: dict[str, str] = {}
    for column in fault.columns if mend else ():
        if mend == row_rules.readable_as(column, None):
            mend = row_rules.readable_as(column, receipt.units.get(column.name))
        for text, code in codes.get(column.codes or "", {}).items():
            if text != code:
                words.setdefault(code, text)
    if not words:
        return mend
    shown = "、".join(list(words.values())[:SHOWN_WORDS])
    return f"{mend}：{shown}{'等' if len(words) > SHOWN_WORDS else ''}"

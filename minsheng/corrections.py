"""The way back of refused rows: as a sheet to be mended, and as a delivery when it returns.

The sheet has the refused rows as delivered. What names a person is masked there, since workbooks
travel; a cell that comes back as it was shown stands for the text that was delivered.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import duckdb
import polars as pl

from minsheng.contracts import Contract
from minsheng.encryption import sealed_parquet, write_sealed
from minsheng.faults import without_numbers
from minsheng.headers import header_key, headers_of
from minsheng.lake import Receipt
from minsheng.pseudonyms import MINT_LENGTH
from minsheng.readers import ROW_NUMBER, SHEET_STEP, where
from minsheng.reasons import Refusal

ROW_HEADER = "退件行号"
"""The sheet's first column: which row of the file that was sent back the cells are of."""
WORKBOOK_NAME = re.compile(r"退件-([0-9a-f]{16})")
MINTED = re.compile(rf"[0-9a-f]{{{MINT_LENGTH}}}")
SHOWN_CHARACTERS = 200
"""Of a text that a workbook shows; a spreadsheet's cell does not hold more than 32767."""


def workbook_name(receipt: Receipt) -> str:
    """The workbook's file name without its ending; it says which delivery it belongs to."""
    parts = (receipt.dataset, receipt.sender, receipt.period)
    return "-".join(["退件", receipt.delivery_id, *(part for part in parts if part)])


def delivery_of(file_name: str) -> str:
    """The delivery whose workbook a file of this name is; empty if it is none."""
    named = WORKBOOK_NAME.search(file_name)
    return named.group(1) if named else ""


def is_workbook(headers: Sequence[str]) -> bool:
    return any(header_key(header) == ROW_HEADER for header in headers)


def shown(text: str | None, is_masked: bool) -> str:
    """A delivered text as the workbook shows it."""
    return told((text or "")[:SHOWN_CHARACTERS], is_masked)


def told(value: str, is_masked: bool) -> str:
    """What a department is told of its own value; a person's number may stand in any column.

    A key names nobody, though digits of it may look like a number: it says which row is meant.
    """
    is_key = MINTED.fullmatch(value) is not None
    has_number = not is_key and without_numbers(value) != value
    return masked(value) if is_masked or has_number else value


def masked(value: str) -> str:
    """`value` with all but its outer characters hidden."""
    if len(value) <= 2:
        return "*" * len(value)
    visible = 3 if len(value) > 8 else 1
    return value[:visible] + "*" * (len(value) - visible - 1) + value[-1]


def masked_headers(source: Contract, headers: Sequence[str]) -> frozenset[str]:
    """Delivered headers whose texts may name persons; a header that is not known may, too."""
    found = {True: set[str](), False: set[str]()}
    for column in source.columns:
        found[column.sensitivity == "direct"].update(headers_of(column, headers))
    beside = {header for header in headers if header_key(header) in _keys(source.shown_beside)}
    return frozenset(headers) - (found[False] - found[True]) - beside


def _keys(headers: Iterable[str]) -> frozenset[str]:
    return frozenset(map(header_key, headers))


def merge(
    connection: duckdb.DuckDBPyConnection,
    rows: Path,
    base: Receipt,
    source: Contract,
    sent: Mapping[int, Mapping[str, str]],
) -> None:
    """Rewrite the returned rows in the file `rows` as rows of the delivery that they correct.

    They keep the numbers that they had there. `sent` has the rows that were sent back, their texts
    by header. Raises Refusal if a row is none of them.
    """
    returned = connection.sql(f"from {sealed_parquet(rows)}").pl()
    by_key = {header_key(header): header for header in returned.columns}
    number_header = by_key[ROW_HEADER]
    hidden = masked_headers(source, base.headers)
    merged: list[dict[str, object]] = []
    taken: set[int] = set()
    for row in returned.iter_rows(named=True):
        number = _number(row[number_header])
        if number not in sent or number in taken:
            # what stands there instead may be anything, a person's number too, and is not repeated
            raise Refusal(
                "workbook_has_other_numbers",
                place=(where(row[ROW_NUMBER]), f"row {row[ROW_NUMBER] % SHEET_STEP}"),
                column=ROW_HEADER,
            )
        taken.add(number)
        texts = sent[number]
        cells: dict[str, object] = {ROW_NUMBER: number}
        for header in base.headers:
            place = by_key.get(header_key(header))
            cell = str(row[place] or "") if place else ""
            text = texts.get(header)
            is_untouched = not place or cell.strip() == shown(text, header in hidden).strip()
            cells[header] = text if is_untouched else cell
        merged.append(cells)
    schema = {ROW_NUMBER: pl.Int64, **dict.fromkeys(base.headers, pl.String)}
    temporary = rows.with_suffix(".merged")
    write_sealed(connection, pl.DataFrame(merged, schema=schema), temporary)
    temporary.replace(rows)


def texts_of(
    connection: duckdb.DuckDBPyConnection, rows: Path, numbers: Iterable[int]
) -> dict[int, dict[str, str]]:
    """Delivered texts of rows by their numbers; a row that has none was no row of the table."""
    wanted = sorted(set(numbers))
    texts: dict[int, dict[str, str]] = {number: {} for number in wanted}
    found = connection.execute(
        f"from {sealed_parquet(rows)} where {ROW_NUMBER} in (select unnest(?::bigint[]))", [wanted]
    )
    names = [name for name, *_ in found.description or ()]
    for values in found.fetchall():
        row = dict(zip(names, values, strict=True))
        texts[row.pop(ROW_NUMBER)] = row
    return texts


def _number(cell: str | None) -> int:
    text = (cell or "").strip()
    return int(text) if text.isdecimal() else -1

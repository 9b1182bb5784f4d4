"""Dirt: what goes wrong in a share of the rows, and whether such a row must be refused.

Identity numbers and names that are wrong lose the link to the person but the row stays readable,
except a number in scientific notation: its last digits are gone and nobody may guess them.
Upper and lower case, spaces and full-width digits are harmless.  A row is refused where a cell
that the contract requires is missing, where a cell cannot be read or lies outside what the
contract allows, where the row repeats another, and where it has a cell too many.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from minsheng.demo.reference import Contract, Integers
from minsheng.demo.rows import DatasetRows


@dataclass(frozen=True)
class ErrorKind:
    """A kind of error, its weight among the errors of a dataset, and whether it is refused."""

    name: str
    weight: float
    is_refused: bool


ERROR_KINDS = (
    ErrorKind("id_wrong_digit", 0.20, False),
    ErrorKind("id_missing", 0.15, False),
    ErrorKind("name_wrong_character", 0.12, False),
    ErrorKind("id_scientific_notation", 0.08, True),
    ErrorKind("id_lower_case_or_spaces", 0.08, False),
    ErrorKind("id_full_width_digits", 0.06, False),
    ErrorKind("date_unreadable", 0.06, True),
    ErrorKind("date_in_2035", 0.04, True),
    ErrorKind("amount_negative", 0.06, True),
    ErrorKind("amount_unreadable", 0.03, True),
    ErrorKind("code_unknown", 0.04, True),
    ErrorKind("duplicate_row", 0.04, True),
    ErrorKind("required_cell_missing", 0.03, True),
    ErrorKind("cell_too_many", 0.01, True),
)
KIND_NAMES = tuple(kind.name for kind in ERROR_KINDS)
NO_ERROR = -1

UNREADABLE_DATES = ("2019-13-45", "上月底", "待补录", "2018.2.30")
UNREADABLE_AMOUNTS = ("约一万", "待核实", "12o0.5", "1.2.3")
UNKNOWN_CODES = ("未分类", "详见附件", "A9类", "待定类别")
WRONG_CHARACTERS = "囝圳埔塅屿岙嶴泮浃湫"
FULL_WIDTH = str.maketrans("0123456789X", "０１２３４５６７８９Ｘ")

# What is paid out or paid by the patient must not be negative; incomes are never spoiled so.
AMOUNTS_OF_DATASET = {
    "household_income": ("wage_yuan", "business_yuan", "transfer_yuan", "total_yuan"),
    "assistance_roll": ("monthly_yuan",),
    "relief_payment": ("amount_yuan",),
    "medical_settlement": ("self_paid_yuan",),
    "temporary_relief": ("amount_yuan",),
    "student_aid": ("aid_yuan",),
    "disability_subsidy": ("amount_yuan",),
    "public_post": ("monthly_wage_yuan",),
    "pension_enrolment": ("premium_yuan",),
}


@dataclass(frozen=True)
class SpoiledRows:
    """Rows with errors; `error` is a position in ERROR_KINDS or NO_ERROR.

    `origin` is the position of each row before some were repeated.
    """

    rows: DatasetRows
    error: Integers
    origin: Integers


def spoil(
    rows: DatasetRows, contract: Contract, dirty_rate: float, rng: np.random.Generator
) -> SpoiledRows:
    """Give a share of the rows one error each."""
    count = len(rows.file)
    error = np.full(count, NO_ERROR, dtype=np.int64)
    if dirty_rate <= 0 or not count:
        return SpoiledRows(rows, error, np.arange(count))
    weights = np.array([weight_in(kind, rows, contract) for kind in ERROR_KINDS])
    chosen = np.flatnonzero(rng.random(count) < dirty_rate)
    error[chosen] = rng.choice(len(ERROR_KINDS), size=len(chosen), p=weights / weights.sum())
    changes: dict[str, dict[int, str | None]] = {name: {} for name in rows.frame.columns}
    for index, kind in enumerate(ERROR_KINDS):
        if kind.name == "duplicate_row":
            continue
        for row in np.flatnonzero(error == index).tolist():
            column, value = change(kind.name, rows, row, contract, rng)
            if column is None:
                error[row] = NO_ERROR
            else:
                changes[column][row] = value
    frame = rows.frame.with_columns(
        rows.frame[name].scatter(list(cells), list(cells.values()))
        for name, cells in changes.items()
        if cells
    )
    return with_duplicates(rows, frame, error)


def weight_in(kind: ErrorKind, rows: DatasetRows, contract: Contract) -> float:
    """Weight of a kind in a dataset; zero where the dataset has no cell for it."""
    name = kind.name
    is_income = rows.dataset == "household_income"
    if name.startswith(("id_", "name_")):
        is_possible = "id_number" in rows.frame.columns
    elif name.startswith("date_"):
        is_possible = bool(date_columns(rows, contract))
    elif name == "amount_negative":
        is_possible = rows.dataset in AMOUNTS_OF_DATASET and not is_income
    elif name == "amount_unreadable":
        is_possible = rows.dataset in AMOUNTS_OF_DATASET
    elif name == "code_unknown":
        is_possible = bool(code_columns(rows, contract))
    elif name == "cell_too_many":
        # A sheet has no separator that could slip in, a standard nothing that one could slip into.
        is_possible = rows.dataset not in ("disability_certificate", "dibao_standard")
    else:
        is_possible = True
    return kind.weight if is_possible else 0.0


def date_columns(rows: DatasetRows, contract: Contract) -> list[str]:
    """Columns with a day or month that may not lie in the future; a birth has its own errors."""
    return [
        name
        for name in rows.frame.columns
        if contract.columns[name].is_not_future and name != "birth_date"
    ]


def code_columns(rows: DatasetRows, contract: Contract) -> list[str]:
    """Required columns with a code, areas left out; a row cannot do without them."""
    return [
        name
        for name in required_columns(rows, contract)
        if name.endswith("_code") and name not in ("village_code", "area_code")
    ]


def required_columns(rows: DatasetRows, contract: Contract) -> list[str]:
    """Required columns that the contract cannot fill from another."""
    if rows.dataset == "household_income":
        return ["household_number"]
    return [
        name
        for name in rows.frame.columns
        if contract.columns[name].is_required and not contract.columns[name].has_otherwise
    ]


def change(
    kind: str, rows: DatasetRows, row: int, contract: Contract, rng: np.random.Generator
) -> tuple[str | None, str | None]:
    """The column and the cell's wrong value; no column where the row has no such cell."""
    if kind.startswith("id_"):
        number = rows.frame["id_number"][row]
        # A number that is broken already stays as it is.
        if not is_plain(number):
            return None, None
        return "id_number", wrong_number(kind, number, rng)
    if kind == "name_wrong_character":
        name = rows.frame["person_name"][row]
        return "person_name", name[:-1] + pick(rng, tuple(WRONG_CHARACTERS))
    if kind.startswith("date_"):
        column = pick(rng, tuple(date_columns(rows, contract)))
        value = rows.frame[column][row]
        if value is None:
            return None, None
        return column, "2035" + value[4:] if kind == "date_in_2035" else pick(rng, UNREADABLE_DATES)
    if kind.startswith("amount_"):
        column = pick(rng, AMOUNTS_OF_DATASET[rows.dataset])
        value = rows.frame[column][row]
        if value is None or (kind == "amount_negative" and float(value) == 0.0):
            return None, None
        return column, "-" + value if kind == "amount_negative" else pick(rng, UNREADABLE_AMOUNTS)
    if kind == "code_unknown":
        return pick(rng, tuple(code_columns(rows, contract))), pick(rng, UNKNOWN_CODES)
    if kind == "required_cell_missing":
        return pick(rng, tuple(required_columns(rows, contract))), None
    wanted = ("person_name", "household_number", *rows.frame.columns)
    column = next(name for name in wanted if name in rows.frame.columns)
    value = rows.frame[column][row]
    return column, f"{value[:1]},{value[1:]}"


def is_plain(number: str | None) -> bool:
    """Whether a number has eighteen characters of which the first seventeen are digits."""
    return number is not None and len(number) == 18 and number[:17].isdecimal()


def wrong_number(kind: str, number: str, rng: np.random.Generator) -> str | None:
    """A wrong or oddly written identity number."""
    if kind == "id_missing":
        return None
    if kind == "id_scientific_notation":
        return f"{int(number[:17]) * 10:.5E}"
    if kind == "id_full_width_digits":
        return number.translate(FULL_WIDTH)
    if kind == "id_lower_case_or_spaces":
        return number.lower() if number.endswith("X") else f" {number} "
    # The check digit catches every single wrong digit.
    position = int(rng.integers(6, 17))
    digit = (int(number[position]) + int(rng.integers(1, 10))) % 10
    return number[:position] + str(digit) + number[position + 1 :]


def pick(rng: np.random.Generator, choices: tuple[str, ...]) -> str:
    """One of the choices."""
    return choices[int(rng.integers(0, len(choices)))]


def with_duplicates(rows: DatasetRows, frame: pl.DataFrame, error: Integers) -> SpoiledRows:
    """Repeat the rows marked as duplicates; the second of the two carries the error."""
    is_duplicate = error == KIND_NAMES.index("duplicate_row")
    index = np.repeat(np.arange(len(error)), 1 + is_duplicate)
    is_first = np.r_[index[1:] == index[:-1], False]
    repeated = DatasetRows(
        dataset=rows.dataset,
        frame=frame.select(pl.all().gather(index)),
        file=rows.file[index],
        person=rows.person[index],
        household=rows.household[index],
    )
    return SpoiledRows(repeated, np.where(is_first, NO_ERROR, error[index]), index)

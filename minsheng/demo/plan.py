"""Which files the demo delivers: name, form, encoding, sender, and the day of delivery."""

from __future__ import annotations

import calendar
import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from minsheng.demo.benefits import SNAPSHOT_MONTHS
from minsheng.demo.reference import (
    COUNTY_CODES,
    FIRST_YEAR,
    MONTH_COUNT,
    YEARS,
    Contract,
    Reference,
)
from minsheng.demo.rural_rows import RURAL_PERIODS
from minsheng.demo.social_lives import FIRST_MONTHS, HALF_YEARLY

CHINA = timezone(timedelta(hours=8))
SENDING_DATASETS = (
    "household_roll",
    "household_income",
    "assistance_roll",
    "relief_payment",
    "disability_certificate",
)
ENCODINGS = {
    "household_roll": "utf-8-sig",
    "household_income": "utf-8",
    "assistance_roll": "gb18030",
    "relief_payment": "gb18030",
    "student_enrolment": "utf-8-sig",
    "insurance_enrolment": "utf-8",
    "medical_settlement": "utf-8",
    "disability_certificate": "utf-8",
    **dict.fromkeys(RURAL_PERIODS, "utf-8-sig"),
    "vital_event": "gb18030",
    "accident": "gb18030",
    "temporary_relief": "gb18030",
    "dibao_standard": "gb18030",
    "care_register": "gb18030",
    "student_aid": "utf-8-sig",
    "dropout_case": "utf-8-sig",
    "serious_illness": "utf-8",
    "family_doctor": "utf-8",
    "disability_subsidy": "utf-8",
    "house_safety": "utf-8-sig",
    "relocation": "utf-8-sig",
    "employment_month": "utf-8",
    "training": "utf-8",
    "public_post": "utf-8",
    "pension_enrolment": "utf-8",
}
NAMES = {"household_roll": "低收入农户名册_{period}", "insurance_enrolment": "参保_{period}"}
# The ledger's weight is 1 in a register, which is what an absent column means.
UNWRITTEN_COLUMNS = {
    "household_income": frozenset({"weight"}),
    "village_collective_income": frozenset({"area_name"}),
    "village_condition": frozenset({"area_name"}),
    "area_report": frozenset({"month", "document"}),
    "task_attestation": frozenset({"month", "remark"}),
    "disability_certificate": frozenset({"birth_date"}),
}
MAXIMUM_SHEET_ROWS = 200_000
# Bound on the certificates in the largest county's last register, a household of the run.
CERTIFICATES_PER_HOUSEHOLD = 0.20
SHEET_TITLE_ROWS = 2
STATISTICS_TITLE_ROWS = 1

SYNONYM_SENDER = "330328000000"
SYNONYM_YEAR = 2019

CORRECTED = ("relief_payment", "2021-06", "330328000000")
REPEATED = ("student_enrolment", "2020", None)
CORRECTION_DAYS, REPETITION_DAYS = 18, 6


@dataclass(frozen=True)
class PlannedFile:
    """A file of the inbox. `path` is relative to the inbox; `encoding` is empty for a sheet.

    `title_rows` stand above the header row. Who has no event to report sends no file. `status` is
    effective, superseded or repeated.
    """

    department: str
    dataset: str
    period: str
    sender: str | None
    path: str
    encoding: str
    title_rows: int
    header: tuple[str, ...]
    columns: tuple[str, ...]
    delivered_at: datetime
    has_sidecar: bool
    is_left_out_if_empty: bool = False
    status: str = "effective"

    @property
    def is_sheet(self) -> bool:
        """Whether the file is a workbook."""
        return not self.encoding

    @property
    def header_rows(self) -> int:
        """Rows above the first row of data."""
        return self.title_rows + 1


def plan_files(
    reference: Reference, households: int, has_dirt: bool
) -> dict[str, tuple[PlannedFile, ...]]:
    """Files of every dataset that follows from lives, by period and then sender."""
    as_sheet = households * CERTIFICATES_PER_HOUSEHOLD <= MAXIMUM_SHEET_ROWS
    plans = {}
    for dataset in ENCODINGS:
        contract = reference.contracts[dataset]
        senders: tuple[str | None, ...] = COUNTY_CODES if dataset in SENDING_DATASETS else (None,)
        plans[dataset] = tuple(
            plan_file(contract, period, sender, as_sheet, has_dirt)
            for period in periods_of(contract)
            for sender in senders
        )
    return plans


def plan_file(
    contract: Contract, period: str, sender: str | None, as_sheet: bool, has_dirt: bool
) -> PlannedFile:
    """One file; the later version where a correction follows."""
    dataset = contract.dataset
    is_sheet = as_sheet and dataset == "disability_certificate"
    is_corrected = has_dirt and (dataset, period, sender) == CORRECTED
    stem = NAMES.get(dataset, "{period}").format(period=period)
    stem += "_更正" if is_corrected else ""
    folder = f"{contract.department}/{dataset}" + (f"/{sender}" if sender else "")
    # Named by its period alone, so that a file's delivery does not depend on its form.
    delivered = delivered_at(contract, period, f"{folder}/{period}")
    return PlannedFile(
        department=contract.department,
        dataset=dataset,
        period=period,
        sender=sender,
        path=f"{folder}/{stem}.{'xlsx' if is_sheet else 'csv'}",
        encoding="" if is_sheet else ENCODINGS[dataset],
        title_rows=SHEET_TITLE_ROWS if is_sheet else 0,
        header=headers(contract, period, sender),
        columns=written_columns(contract),
        delivered_at=delivered + timedelta(days=CORRECTION_DAYS if is_corrected else 0),
        has_sidecar=is_corrected or (dataset, period) in (
            ("household_income", "2018"),
            ("relief_payment", "2022-12"),
        ),
        is_left_out_if_empty=contract.mode != "snapshot" or contract.dataset in RURAL_PERIODS,
    )  # fmt: skip


def periods_of(contract: Contract) -> tuple[str, ...]:
    """Periods that a dataset is delivered for."""
    if contract.dataset in RURAL_PERIODS:
        return RURAL_PERIODS[contract.dataset]
    first = FIRST_MONTHS.get(contract.dataset, 0)
    if contract.period_type == "year":
        return tuple(str(year) for year in YEARS[first // 12 :])
    is_half_yearly = contract.dataset in HALF_YEARLY | {"assistance_roll"}
    months = SNAPSHOT_MONTHS if is_half_yearly else range(first, MONTH_COUNT)
    return tuple(f"{FIRST_YEAR + month // 12}-{month % 12 + 1:02d}" for month in months)


def written_columns(contract: Contract) -> tuple[str, ...]:
    """Columns that stand in the files, in the order of the contract."""
    unwritten = UNWRITTEN_COLUMNS.get(contract.dataset, frozenset())
    return tuple(name for name in contract.columns if name not in unwritten)


def headers(contract: Contract, period: str, sender: str | None) -> tuple[str, ...]:
    """The first header of each column; the second for one sender and for one year."""
    uses_synonym = sender == SYNONYM_SENDER or (
        sender is None and period.startswith(str(SYNONYM_YEAR))
    )
    return tuple(
        contract.columns[name].headers[
            1 if uses_synonym and len(contract.columns[name].headers) > 1 else 0
        ]
        for name in written_columns(contract)
    )


def delivered_at(contract: Contract, period: str, key: str) -> datetime:
    """End of the period and a lag within the usual one; the same for the same file."""
    year, _, month = period.partition("-")
    last_month = int(month or 12)
    end = datetime(
        int(year), last_month, calendar.monthrange(int(year), last_month)[1], tzinfo=CHINA
    )
    draw = zlib.crc32(key.encode("utf-8"))
    lag = 2 + draw % (contract.usual_lag_days - 1)
    minutes = draw // 64 % 480
    return end + timedelta(days=min(lag, contract.usual_lag_days), hours=8.5, minutes=minutes)

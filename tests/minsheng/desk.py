"""A desk to deliver to: a data home of its own, with files put into its inbox and taken."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import polars as pl

from minsheng import encryption, inbox, judging, lake
from minsheng.contracts import Contract
from minsheng.ingest import Ingested
from minsheng.lake import Receipt
from minsheng.project import Project
from minsheng.settings import load_settings
from minsheng.source_tables import ingest_source

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2023, 3, 1, 9, 0, tzinfo=ZONE)

INCOME = "agriculture__household_income"
INCOME_HEADER = "户编号,家庭人口数,行政村代码,生产经营性净收入\n"
PAYMENT = "civil_affairs__relief_payment"
PAYMENT_HEADER = "身份证号码,姓名,发放项目,发放金额\n"
ROLL = "civil_affairs__assistance_roll"
ROLL_HEADER = "身份证号码,姓名,救助类别,起始月份,月保障金\n"
VILLAGE = "330302001201"
# numbers of nobody: the region is assigned to no place and the check digit is wrong
ZHANG, WANG, LI = "990101197001010011", "990101197001010022", "990101197001010033"


@dataclass(frozen=True)
class Desk:
    """A project over one data home."""

    project: Project

    @property
    def lake(self) -> Path:
        return self.project.settings.lake

    @property
    def inbox(self) -> Path:
        return self.project.settings.inbox

    @property
    def rejects(self) -> Path:
        return self.project.settings.rejects

    def source(self, table: str) -> Contract:
        return self.project.contracts[f"staged.{table}"]

    def folder(self, table: str) -> Path:
        """Where the files of a dataset wait."""
        department, dataset = table.split("__")
        return self.inbox / department / dataset

    def put(
        self,
        table: str,
        name: str,
        content: str | bytes,
        day: str = "2023-01-10",
        sidecar: str = "",
    ) -> Path:
        """A file in the inbox, dated noon of `day`; `name` may start with a sender."""
        path = self.folder(table) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        noon = datetime.fromisoformat(f"{day}T12:00:00").replace(tzinfo=ZONE).timestamp()
        os.utime(path, (noon, noon))
        if sidecar:
            path.with_name(f"{path.name}.yaml").write_text(sidecar, encoding="utf-8")
        return path

    def ingest(self, table: str, now: datetime = NOW) -> Ingested:
        return ingest_source(self.project, self.source(table), now)

    def take(
        self,
        table: str,
        name: str,
        content: str | bytes,
        day: str = "2023-01-10",
        sidecar: str = "",
    ) -> Receipt:
        """The receipt of one file that is put into the inbox and ingested."""
        self.put(table, name, content, day, sidecar)
        (receipt,) = self.ingest(table).receipts
        return receipt

    def receipts(self) -> tuple[Receipt, ...]:
        return lake.read_receipts(self.lake)

    def waiting(self) -> list[str]:
        return [path.name for path in inbox.waiting_files(self.inbox)]

    def delivery(self, receipt: Receipt) -> Path:
        return lake.delivery_folder(self.lake, receipt)

    def database(self) -> duckdb.DuckDBPyConnection:
        """A database that can read the lake."""
        return encryption.scratch_database(self.project.settings)

    def sealed(self, path: Path) -> pl.DataFrame:
        """The rows of an encrypted Parquet file."""
        return self.database().sql(f"from {encryption.sealed_parquet(path)}").pl()

    def texts(self, receipt: Receipt) -> pl.DataFrame:
        """The rows as received."""
        return self.sealed(self.delivery(receipt) / "rows.parquet")

    def typed(self, receipt: Receipt) -> pl.DataFrame:
        """The rows as typed, in the order of the file."""
        path = judging.typed_path(self.delivery(receipt), receipt.contract_hash)
        return self.sealed(path).sort("row_number")

    def refused(self, receipt: Receipt) -> pl.DataFrame:
        return self.sealed(self.delivery(receipt) / "refused.parquet")

    def letters(self, department: str) -> list[str]:
        """The letters to a department about files refused whole."""
        return [
            path.read_text(encoding="utf-8")
            for path in sorted((self.rejects / department).glob("*.txt"))
        ]

    def with_contract(self, changed: Contract) -> "Desk":
        """The same home under a changed contract."""
        project = Project(self.project.settings)
        contracts: Mapping[str, Contract] = {**project.contracts, changed.name: changed}
        project.__dict__["contracts"] = dict(contracts)
        return Desk(project)


def desk_at(home: Path) -> Desk:
    return Desk(Project(load_settings(home, deployment="demo")))


def with_header(source: Contract, column: str, header: str) -> Contract:
    """`source` with one more synonym of a column."""
    columns = tuple(
        replace(each, headers=(*each.headers, header)) if each.name == column else each
        for each in source.columns
    )
    return replace(source, columns=columns)

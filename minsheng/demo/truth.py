"""The truth beside the files, in Parquet, written chunk by chunk."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import polars as pl
import pyarrow as pa  # type: ignore[import-untyped, unused-ignore]
import pyarrow.parquet as pq  # type: ignore[import-untyped, unused-ignore]

from minsheng.demo.departments import MISTAKE_NAMES, Mistakes
from minsheng.demo.errors import ERROR_KINDS, KIND_NAMES, NO_ERROR, SpoiledRows
from minsheng.demo.events import SHOCK_KINDS
from minsheng.demo.files import Delivered
from minsheng.demo.households import NEVER
from minsheng.demo.lives import Lives
from minsheng.demo.oddities import SECOND, SHARED, Identities
from minsheng.demo.offices import item_statements
from minsheng.demo.plan import PlannedFile
from minsheng.demo.reference import (
    FIRST_YEAR,
    MONTH_COUNT,
    YEAR_COUNT,
    Areas,
    Flags,
    Integers,
    Reference,
)
from minsheng.demo.registers import Register
from minsheng.demo.rural_rows import RuralRows
from minsheng.demo.social_lives import Facts
from minsheng.demo.text import first_day_of_month, moved_days
from minsheng.demo.wrong_names import NAME_ERROR_NAMES
from minsheng.demo.wrong_numbers import NUMBER_ERROR_NAMES

Table = dict[str, pa.Array]

IDENTITY_KINDS = ("first", "shared_number", "reregistered", "second_number", "former_name")

SCHEMAS = {
    "person": pa.schema(
        {
            "person_key": pa.int64(),
            "id_number": pa.string(),
            "person_name": pa.string(),
            "sex_code": pa.string(),
            "birth_date": pa.date32(),
            "household_number": pa.string(),
            "died_on": pa.date32(),
            "twin_key": pa.int64(),
        }
    ),
    "identity": pa.schema(
        {
            "person_key": pa.int64(),
            "id_number": pa.string(),
            "person_name": pa.string(),
            "kind": pa.string(),
            "since": pa.date32(),
            "until": pa.date32(),
        }
    ),
    "kept_error": pa.schema(
        {
            "department": pa.string(),
            "person_key": pa.int64(),
            "column": pa.string(),
            "kind": pa.string(),
            "written": pa.string(),
            "first_month": pa.date32(),
            "last_month": pa.date32(),
        }
    ),
    "household_year": pa.schema(
        {
            "household_number": pa.string(),
            "year": pa.int64(),
            "is_on_roll": pa.bool_(),
            "member_count": pa.int64(),
            "has_labour": pa.bool_(),
            "wage_fen": pa.int64(),
            "business_fen": pa.int64(),
            "property_fen": pa.int64(),
            "transfer_fen": pa.int64(),
            "total_fen": pa.int64(),
            "village_code": pa.string(),
            "county_code": pa.string(),
            "town_code": pa.string(),
            "is_in_ledger": pa.bool_(),
        }
    ),
    "record": pa.schema(
        {
            "department": pa.dictionary(pa.int32(), pa.string()),
            "dataset": pa.dictionary(pa.int32(), pa.string()),
            "period": pa.dictionary(pa.int32(), pa.string()),
            "sender": pa.dictionary(pa.int32(), pa.string()),
            "file": pa.dictionary(pa.int32(), pa.string()),
            "row_number": pa.int64(),
            "person_key": pa.int64(),
            "household_number": pa.dictionary(pa.int32(), pa.string()),
            "error_kind": pa.dictionary(pa.int32(), pa.string()),
            "is_refused": pa.bool_(),
            "number_error": pa.dictionary(pa.int32(), pa.string()),
            "name_error": pa.dictionary(pa.int32(), pa.string()),
            "sex_error": pa.dictionary(pa.int32(), pa.string()),
            "birth_error": pa.dictionary(pa.int32(), pa.string()),
            "is_number_slip": pa.bool_(),
            "is_name_slip": pa.bool_(),
        }
    ),
    "shock": pa.schema(
        {
            "household_number": pa.string(),
            "person_key": pa.int64(),
            "kind": pa.string(),
            "month": pa.date32(),
            "amount_fen": pa.int64(),
        }
    ),
    "fact": pa.schema(
        {
            "dataset": pa.string(),
            "person_key": pa.int64(),
            "kind": pa.string(),
            "started_on": pa.date32(),
            "ended_on": pa.date32(),
            "amount_fen": pa.int64(),
        }
    ),
    "fall": pa.schema({"household_number": pa.string(), "year": pa.int64()}),
    "statement": pa.schema(
        {
            "dataset": pa.dictionary(pa.int32(), pa.string()),
            "period": pa.dictionary(pa.int32(), pa.string()),
            "household_number": pa.string(),
            "person_key": pa.int64(),
            "area_code": pa.string(),
            "kind": pa.string(),
            "amount_fen": pa.int64(),
        }
    ),
    "item": pa.schema(
        {
            "policy_id": pa.string(),
            "item_id": pa.string(),
            "part": pa.string(),
            "area_code": pa.string(),
            "year": pa.int64(),
            "value": pa.float64(),
            "task_status_code": pa.string(),
        }
    ),
    "delivery": pa.schema(
        {
            "department": pa.string(),
            "dataset": pa.string(),
            "period": pa.string(),
            "sender": pa.string(),
            "file": pa.string(),
            "delivered_at": pa.timestamp("s", "Asia/Shanghai"),
            "row_count": pa.int64(),
            "has_sidecar": pa.bool_(),
            "status": pa.string(),
        }
    ),
}


class Truth:
    """Open Parquet files of a run, or of a place whose years are other than the demo's."""

    def __init__(self, folder: Path, years_later: int = 0) -> None:
        self.years_later = years_later
        folder.mkdir(parents=True, exist_ok=True)
        self.writers = {
            name: pq.ParquetWriter(
                folder / f"{name}.parquet",
                schema,
                compression="zstd",
                # Text comes back as text, not as the dictionaries it is written from.
                store_schema=False,
            )
            for name, schema in SCHEMAS.items()
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for writer in self.writers.values():
            writer.close()

    def write(self, name: str, columns: Table) -> None:
        """Append a table as a row group; nothing where it has no rows."""
        table = pa.table(columns, schema=SCHEMAS[name])
        if len(table):
            self.writers[name].write_table(table)

    def dates(self, days: Integers, is_null: Flags | None = None) -> pa.Array:
        """Days since 1970-01-01 as dates in the years that are written."""
        moved = moved_days(days, self.years_later) if self.years_later else days
        return pa.array(moved.astype(np.int32), pa.int32(), mask=is_null).cast(pa.date32())

    def write_lives(self, lives: Lives, areas: Areas) -> None:
        """Persons, household years, shocks and falls of a chunk."""
        people, members, economy = lives.people, lives.members, lives.economy
        died = people.death != NEVER
        neighbours = np.full(len(people.key) - len(members.household), -1)
        twin = np.r_[members.twin_of, neighbours]
        self.write(
            "person",
            {
                "person_key": pa.array(people.key),
                "id_number": texts(people.id_number),
                "person_name": texts(people.name),
                "sex_code": texts(pl.Series(people.sex).cast(pl.String)),
                "birth_date": self.dates(people.birth),
                "household_number": gathered(lives.household_number, people.household),
                "died_on": self.dates(people.death, ~died),
                "twin_key": keys(people.key, twin),
            },
        )
        year, household = np.nonzero(members.member_count[:, :YEAR_COUNT].T > 0)
        village = lives.village[household]
        component = economy.components_fen[household, year]
        self.write(
            "household_year",
            {
                "household_number": gathered(lives.household_number, household),
                "year": pa.array(year + FIRST_YEAR + self.years_later),
                "is_on_roll": pa.array(economy.on_roll[household, year]),
                "member_count": pa.array(members.member_count[household, year]),
                "has_labour": pa.array(members.has_labour[household, year]),
                "wage_fen": pa.array(component[:, 0]),
                "business_fen": pa.array(component[:, 1]),
                "property_fen": pa.array(component[:, 2]),
                "transfer_fen": pa.array(component[:, 3]),
                "total_fen": pa.array(economy.total_fen[household, year]),
                "village_code": gathered(areas.village_codes, village),
                "county_code": gathered(areas.county_codes, areas.county_of_village[village]),
                "town_code": gathered(areas.town_codes, areas.town_of_village[village]),
                "is_in_ledger": pa.array(economy.in_ledger[household, year]),
            },
        )
        events = lives.events
        self.write(
            "shock",
            {
                "household_number": gathered(lives.household_number, events.household),
                "person_key": keys(people.key, events.person),
                "kind": gathered(pl.Series(SHOCK_KINDS), events.kind),
                "month": self.dates(first_day_of_month(events.month)),
                "amount_fen": pa.array(events.amount_fen, mask=events.amount_fen < 0),
            },
        )
        household, year = np.nonzero(economy.falls)
        self.write(
            "fall",
            {
                "household_number": gathered(lives.household_number, household),
                "year": pa.array(year + FIRST_YEAR + self.years_later),
            },
        )

    def write_identities(self, lives: Lives, identities: Identities) -> None:
        """Every number and name that persons truly have or had, and from when to when.

        The first number and another one stand with the name of today, a former name with the
        first number.
        """
        people = lives.people
        count = len(people.key)
        is_replaced = identities.changed != NEVER
        changed = first_day_of_month(np.where(is_replaced, identities.changed, 0))
        is_shared = (identities.kind == SHARED).astype(np.int64)
        other = np.flatnonzero(identities.other_number.is_not_null().to_numpy())
        former = np.flatnonzero(identities.former_name.is_not_null().to_numpy())
        is_second = (identities.kind[other] == SECOND).astype(np.int64)
        person = np.r_[np.arange(count), other, former]
        kind = np.r_[is_shared, 2 + is_second, np.full(len(former), 4)]
        since = np.r_[
            people.birth,
            np.where(is_second == 1, people.birth[other], changed[other]),
            people.birth[former],
        ]
        until = np.r_[changed - 1, changed[other], identities.former_until[former]]
        lasts = np.r_[~is_replaced, np.ones(len(other), np.bool_), np.zeros(len(former), np.bool_)]
        number = pl.concat(
            [
                people.id_number,
                identities.other_number.gather(other),
                people.id_number.gather(former),
            ]
        )
        name = pl.concat(
            [people.name, people.name.gather(other), identities.former_name.gather(former)]
        )
        self.write(
            "identity",
            {
                "person_key": pa.array(people.key[person]),
                "id_number": texts(number),
                "person_name": texts(name),
                "kind": gathered(pl.Series(IDENTITY_KINDS), kind),
                "since": self.dates(since),
                "until": self.dates(until, lasts),
            },
        )

    def write_kept_errors(self, lives: Lives, registers: dict[str, Register]) -> None:
        """What departments have wrong of whom, and in which months."""
        for department in sorted(registers):
            register = registers[department]
            for column, kept, names in (
                ("id_number", register.numbers, NUMBER_ERROR_NAMES),
                ("person_name", register.names, NAME_ERROR_NAMES),
            ):
                person = kept.person
                first = kept.first_year * 12 - register.phase[person]
                last = kept.last_year * 12 + 11 - register.phase[person]
                self.write(
                    "kept_error",
                    {
                        "department": pa.array([department] * len(person)),
                        "person_key": pa.array(lives.people.key[person]),
                        "column": pa.array([column] * len(person)),
                        "kind": gathered(pl.Series(names), kept.kind),
                        "written": texts(kept.written),
                        "first_month": self.dates(first_day_of_month(np.maximum(first, 0))),
                        "last_month": self.dates(
                            first_day_of_month(np.minimum(last, MONTH_COUNT - 1))
                        ),
                    },
                )

    def write_facts(self, lives: Lives, facts: dict[str, Facts]) -> None:
        """The facts that a chunk's rows tell, once each however often they are told."""
        for dataset, part in facts.items():
            self.write(
                "fact",
                {
                    "dataset": pa.array([dataset] * len(part.kind)),
                    "person_key": keys(lives.people.key, part.person),
                    "kind": gathered(pl.Series(part.kinds), part.kind),
                    "started_on": self.dates(part.start, part.start == NEVER),
                    "ended_on": self.dates(part.end, part.end == NEVER),
                    "amount_fen": pa.array(part.amount_fen, mask=part.amount_fen < 0),
                },
            )

    def write_records(
        self,
        lives: Lives,
        spoiled: SpoiledRows,
        mistakes: Mistakes,
        files: tuple[PlannedFile, ...],
        row_numbers: Integers,
    ) -> None:
        """What each row of a dataset's files is about, and what is wrong with it.

        `is_refused` follows from `error_kind` alone; a number with a wrong digit may say besides
        that its holder is not born yet.
        """
        rows = spoiled.rows
        is_refused = np.array([*(kind.is_refused for kind in ERROR_KINDS), False])
        self.write(
            "record",
            file_columns(files, rows.file)
            | {
                "row_number": pa.array(row_numbers),
                "person_key": keys(lives.people.key, rows.person),
                "household_number": coded(
                    lives.household_number.to_list(), rows.household, rows.household < 0
                ),
                "error_kind": coded(list(KIND_NAMES), spoiled.error, spoiled.error == NO_ERROR),
                "is_refused": pa.array(is_refused[spoiled.error]),
            }
            | mistake_columns(mistakes),
        )

    def write_statements(
        self, lives: Lives, rural: RuralRows, files: tuple[PlannedFile, ...]
    ) -> None:
        """What each row of a rural dataset would say without any error."""
        rows = rural.rows
        place = file_columns(files, rows.file)
        self.write(
            "statement",
            {
                "dataset": place["dataset"],
                "period": place["period"],
                "household_number": gathered(lives.household_number, rows.household),
                "person_key": keys(lives.people.key, rows.person),
                "area_code": texts(rural.area),
                "kind": texts(rural.kind),
                "amount_fen": pa.array(rural.amount_fen, mask=rural.amount_fen < 0),
            },
        )

    def write_benchmark_records(self, delivered: list[Delivered]) -> None:
        """Rows of the statistics office, which are about no person or household."""
        files = tuple(item.file for item in delivered)
        rows = np.array([item.rows for item in delivered])
        position = np.repeat(np.arange(len(files)), rows)
        first = np.array([file.header_rows + 1 for file in files])
        row_number = first[position] + np.concatenate([np.arange(count) for count in rows])
        nothing = np.full(len(position), -1)
        self.write(
            "record",
            file_columns(files, position)
            | {
                "row_number": pa.array(row_number),
                "person_key": keys(np.zeros(1, dtype=np.int64), nothing),
                "household_number": coded([], nothing, nothing < 0),
                "error_kind": coded([], nothing, nothing < 0),
                "is_refused": pa.array(np.zeros(len(position), dtype=np.bool_)),
            }
            | mistake_columns(Mistakes.none(len(position))),
        )

    def write_items(self, reference: Reference) -> None:
        """What offices say of the items of the plan: figures in its units, and states of tasks."""
        said = list(item_statements(reference.plan, tuple(reference.areas.county_codes)))
        self.write(
            "item",
            {
                name: pa.array([getattr(each, name) for each in said], kind)
                for name, kind in zip(SCHEMAS["item"].names, SCHEMAS["item"].types, strict=True)
            },
        )

    def write_deliveries(self, delivered: list[Delivered]) -> None:
        """Every file of the inbox except the sidecars."""
        files = [item.file for item in delivered]
        self.write(
            "delivery",
            {
                "department": pa.array([file.department for file in files]),
                "dataset": pa.array([file.dataset for file in files]),
                "period": pa.array([file.period for file in files]),
                "sender": pa.array([file.sender for file in files], pa.string()),
                "file": pa.array([file.path for file in files]),
                "delivered_at": pa.array([file.delivered_at for file in files]).cast(
                    pa.timestamp("s", "Asia/Shanghai")
                ),
                "row_count": pa.array([item.rows for item in delivered]),
                "has_sidecar": pa.array([file.has_sidecar for file in files]),
                "status": pa.array([file.status for file in files]),
            },
        )


def file_columns(files: tuple[PlannedFile, ...], position: Integers) -> Table:
    """Department, dataset, period, sender and path of the files that rows stand in."""
    none = np.zeros(len(position), dtype=np.bool_)
    senders = [file.sender or "" for file in files]
    lacks_sender = np.array([file.sender is None for file in files], dtype=np.bool_)
    return {
        "department": coded([file.department for file in files], position, none),
        "dataset": coded([file.dataset for file in files], position, none),
        "period": coded([file.period for file in files], position, none),
        "sender": coded(senders, position, lacks_sender[position]),
        "file": coded([file.path for file in files], position, none),
    }


def mistake_columns(mistakes: Mistakes) -> Table:
    """What is wrong with who each row says it is about."""
    return {
        f"{column}_error": coded(list(MISTAKE_NAMES[column]), error, error < 0)
        for column, error in mistakes.by_column.items()
    } | {
        "is_number_slip": pa.array(mistakes.is_number_slip),
        "is_name_slip": pa.array(mistakes.is_name_slip),
    }


def coded(values: list[str], index: Integers, is_null: Flags) -> pa.Array:
    """Texts as positions in a list of values."""
    # A dictionary that repeats a value is written with bytes that differ from run to run.
    distinct = list(dict.fromkeys(values))
    positions = {value: position for position, value in enumerate(distinct)}
    position = np.array([*(positions[value] for value in values), 0], dtype=np.int32)
    indices = pa.array(position[np.where(is_null, -1, index)], mask=is_null)
    return pa.DictionaryArray.from_arrays(indices, pa.array(distinct, pa.string()))


def texts(series: pl.Series) -> pa.Array:
    """A column of text."""
    return series.to_arrow().cast(pa.string())


def gathered(values: pl.Series, index: Integers) -> pa.Array:
    """Texts at positions; null where the position is -1."""
    return texts(values).take(pa.array(index, mask=index < 0))


def keys(values: Integers, index: Integers) -> pa.Array:
    """Keys at positions; null where the position is -1."""
    return pa.array(values[np.maximum(index, 0)], mask=index < 0)

"""The names and numbers of the persons in a home's deliveries, and the search for them.

A number is searched anywhere. So is a name, in UTF-8 and in GB18030, unless it is also a word of the
project's own texts (an area's name, a label): such a name is searched as a whole cell alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from minsheng import lake
from minsheng.encryption import scratch_database, sealed_parquet
from minsheng.headers import headers_of
from minsheng.project import Project
from minsheng.quoting import quoted
from minsheng.settings import PROJECT_ROOT, Settings

OWN_TEXTS = ("policies", "expectations", "sql", "minsheng", "assets", "pipelines", "deployments")
NAMES = ("person_name", "guardian_name", "doctor_name", "contact_name", "cadre_name", "decided_by")
SHORTEST_NUMBER = 8
"""Digits and letters; a shorter number is a count or a year as well."""
SHORTEST_IN_BYTES = 6
"""Fewer bytes stand in an encrypted file by chance."""


@dataclass(frozen=True)
class Personal:
    """What names or numbers a delivered person, household, case or certificate."""

    names: frozenset[str]
    numbers: frozenset[str]

    @cached_property
    def telling(self) -> tuple[str, ...]:
        """All that proves something wherever it stands."""
        words = set(_found_in(_own_texts(), sorted(self.names)))
        return tuple(sorted((self.names - words) | self.numbers))

    def in_text(self, text: str) -> set[str]:
        """What of it stands in a text."""
        return set(_found_in(text, self.telling))

    def in_cells(self, cells: Iterable[str]) -> set[str]:
        """What of it stands in one of the cells, or is one."""
        distinct = set(cells)
        return (distinct & (self.names | self.numbers)) | self.in_text("\n".join(distinct))

    def in_bytes(self, content: bytes) -> set[str]:
        """What of it stands in the bytes of a file, in either encoding."""
        forms = {
            form.decode("latin-1"): each
            for each in self.telling
            for form in (each.encode("utf-8"), each.encode("gb18030"))
            if len(form) >= SHORTEST_IN_BYTES
        }
        return {forms[form] for form in _found_in(content.decode("latin-1"), list(forms))}


def delivered(settings: Settings) -> Personal:
    """The names and numbers in the rows as received, good ones and refused."""
    project = Project(settings)
    names: set[str] = set()
    numbers: set[str] = set()
    for receipt in lake.read_receipts(settings.lake):
        source = project.contracts[f"staged.{receipt.table}"]
        rows = lake.delivery_folder(settings.lake, receipt) / "rows.parquet"
        if not rows.is_file():
            continue
        with scratch_database(settings) as connection:
            frame = connection.sql(f"from {sealed_parquet(rows)}").pl()
        for column in source.columns:
            if column.sensitivity != "direct":
                continue
            found = names if column.name in NAMES else numbers
            for header in headers_of(column, receipt.headers):
                found.update(frame[header].drop_nulls().str.strip_chars())
    return Personal(
        frozenset(name for name in names if len(name) > 1),
        frozenset(number for number in numbers if len(number) >= SHORTEST_NUMBER),
    )


def _found_in(text: str, sought: Sequence[str]) -> list[str]:
    if not sought:
        return []
    found = pl.Series([text]).str.extract_many(sought, overlapping=True)
    return list(found.list.unique()[0])


def _own_texts() -> str:
    paths = (path for folder in OWN_TEXTS for path in (PROJECT_ROOT / folder).rglob("*"))
    kept = (path for path in paths if path.suffix in (".py", ".yaml", ".sql", ".csv", ".md"))
    return "\n".join(path.read_text(encoding="utf-8") for path in kept)

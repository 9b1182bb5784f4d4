"""The names and numbers of the persons in a home's deliveries, and the search for them.

They are searched in UTF-8 and in GB18030. A name that is also a word of the project's own texts
(of an area, a label) proves nothing inside a longer text and is searched as a whole cell alone.
"""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from zipfile import ZipFile, is_zipfile

import polars as pl

from minsheng import lake
from minsheng.encryption import scratch_database, sealed_parquet
from minsheng.headers import headers_of
from minsheng.project import Project
from minsheng.settings import PROJECT_ROOT, Settings

OWN_TEXTS = ("policies", "expectations", "sql", "minsheng", "assets", "pipelines", "deployments")
OWN_SUFFIXES = (".py", ".yaml", ".sql", ".csv")
SHORTEST_NUMBER = 8
"""Digits and letters; a shorter number is a count or a year as well."""
SHORTEST_IN_BYTES = 6
"""Fewer bytes stand in an encrypted file by chance."""
ZEROS = "0000"
"""A number of the sender's own with its leading zeros also stands where two codes meet."""


@dataclass(frozen=True)
class Personal:
    """What names or numbers a person, a household, a case or a certificate."""

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

    def in_file(self, path: Path) -> set[str]:
        """What of it stands in the bytes of a file, or of what is packed in it."""
        forms = {
            form.decode("latin-1"): each
            for each in self.telling
            for form in (each.encode("utf-8"), each.encode("gb18030"))
            if len(form) >= SHORTEST_IN_BYTES and ZEROS not in each
        }
        content = path.read_bytes()
        if is_zipfile(path):
            with ZipFile(io.BytesIO(content)) as packed:
                content = b"\n".join(packed.read(name) for name in packed.namelist())
        return {forms[form] for form in _found_in(content.decode("latin-1"), list(forms))}


def delivered_to(settings: Settings) -> Personal:
    """What the rows as received hold, good ones and refused, in the columns that name somebody."""
    project = Project(settings)
    names: set[str] = set()
    numbers: set[str] = set()
    for receipt in lake.read_receipts(settings.lake):
        source = project.contracts[f"staged.{receipt.table}"]
        rows = lake.delivery_folder(settings.lake, receipt) / "rows.parquet"
        if not receipt.headers:  # no table was found in it
            continue
        with scratch_database(settings) as connection:
            texts = connection.sql(f"from {sealed_parquet(rows)}").pl()
        for column in source.columns:
            # a day of birth alone is many persons', and the month is published
            if column.sensitivity == "direct" and column.type != "date":
                found = names if column.type == "name" else numbers
                for header in headers_of(column, receipt.headers):
                    found.update(texts[header].drop_nulls().str.strip_chars())
    return Personal(
        frozenset(name for name in names if len(name) > 1),
        # one digit over and over is nobody's
        frozenset(n for n in numbers if len(n) >= SHORTEST_NUMBER and len(set(n)) > 1),
    )


def _found_in(text: str, sought: Sequence[str]) -> list[str]:
    found = pl.Series([text]).str.extract_many(sought, overlapping=True) if sought else None
    return [] if found is None else list(found.list.unique()[0])


def _own_texts() -> str:
    paths = (path for folder in OWN_TEXTS for path in (PROJECT_ROOT / folder).rglob("*"))
    return "\n".join(p.read_text(encoding="utf-8") for p in paths if p.suffix in OWN_SUFFIXES)

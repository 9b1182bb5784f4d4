"""Every dataset's rows become what its contract says, or break the rules that they should.

The cases of a dataset stand in `tests/datasets/<department>__<dataset>.yaml`: a delivered header
and rows. A row says what `it` shows, and what its columns become (values as text, `null` for an
empty one), which critical rules it is `refused_by` or which warnings it is `warned_by`; rules that
are not named must not be broken.
"""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import yaml

from minsheng import row_rules
from minsheng.contracts import Contract, load_contracts
from minsheng.encryption import sealed_parquet
from minsheng.judging import typed_path
from minsheng.settings import PROJECT_ROOT, load_settings
from tests.minsheng.desk import Desk

FOLDER = PROJECT_ROOT / "tests" / "datasets"
TABLES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


@dataclass(frozen=True)
class Row:
    """One row of a case file."""

    it: str
    cells: tuple[str, ...]
    becomes: Mapping[str, str]
    refused_by: frozenset[str]
    warned_by: frozenset[str]


@dataclass(frozen=True)
class Case:
    """What one file of a dataset holds and what is expected of each row."""

    period: str
    header: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def content(self) -> str:
        text = io.StringIO()
        csv.writer(text).writerows([self.header, *(row.cells for row in self.rows)])
        return text.getvalue()


def read_case(table: str) -> Case:
    # without types: a cell is what stands in the file, such as 2022-06-01 or 007
    document = yaml.load((FOLDER / f"{table}.yaml").read_text("utf-8"), Loader=yaml.BaseLoader)
    return Case(
        period=document["period"],
        header=tuple(document["header"]),
        rows=tuple(
            Row(
                it=row["it"],
                cells=tuple("" if cell == "null" else cell for cell in row["cells"]),
                becomes=row.get("becomes", {}),
                refused_by=frozenset(row.get("refused_by", ())),
                warned_by=frozenset(row.get("warned_by", ())),
            )
            for row in document["rows"]
        ),
    )


def taking_any_share(source: Contract) -> Contract:
    """The contract without its limit on refused rows, which a file of cases exceeds."""
    assert source.delivery
    return replace(source, delivery=replace(source.delivery, minimum_accepted_rate=0.0))


OF_INVENTED_NUMBERS = ("_has_a_known_province", "_has_its_check_digit")
"""Warnings that the numbers of the cases break on purpose, so that they can be nobody's."""


def warned_by(desk: Desk, source: Contract, typed: Path) -> list[frozenset[str]]:
    """The warnings that each typed row breaks, in the order of the file."""
    tests = ", ".join(
        f"case when not coalesce({rule.expression}, true) then '{rule.name}' end"
        for rule in row_rules.row_rules(source)
        if rule.severity == "warning" and not rule.name.endswith(OF_INVENTED_NUMBERS)
    )
    query = f"select list_value({tests}) from {sealed_parquet(typed)} order by row_number"
    found = desk.database().sql(query).fetchall()
    return [frozenset(name for name in names if name) for (names,) in found]


@pytest.mark.parametrize("table", TABLES)
def test_every_row_becomes_what_its_case_says(desk: Desk, table: str) -> None:
    case = read_case(table)
    source = taking_any_share(desk.source(table))
    desk = desk.with_contract(source)
    receipt = desk.take(table, f"{case.period}.csv", case.content)
    assert (receipt.status, receipt.message, receipt.unknown_columns) == ("taken", "", ())
    path = typed_path(desk.delivery(receipt), receipt.contract_hash)
    found = desk.database().sql(
        f"select columns(*)::varchar from {sealed_parquet(path)} order by row_number::bigint"
    )
    typed = [dict(zip(found.columns, values, strict=True)) for values in found.fetchall()]
    warnings = warned_by(desk, source, path)
    for row, values, warned in zip(case.rows, typed, warnings, strict=True):
        refused = frozenset((values["refused_by"] or "").split(",")) - {""}
        # of a refused row nothing else is counted
        warned = frozenset() if refused else warned
        became = {name: values[name] or "null" for name in row.becomes}
        assert (row.it, refused, warned) == (row.it, row.refused_by, row.warned_by)
        assert (row.it, became) == (row.it, dict(row.becomes))


@pytest.mark.parametrize("table", TABLES)
def test_every_rule_of_a_contract_has_a_row_that_breaks_it(table: str) -> None:
    contract = load_contracts(load_settings(deployment="demo"))[f"staged.{table}"]
    rows = read_case(table).rows
    broken = {name for row in rows for name in (*row.refused_by, *row.warned_by)}
    assert {rule.name for rule in contract.rules} <= broken


@pytest.mark.parametrize("table", TABLES)
def test_every_header_of_a_case_stands_for_a_column_by_a_name_that_is_not_its_first(
    table: str,
) -> None:
    contract = load_contracts(load_settings(deployment="demo"))[f"staged.{table}"]
    first = {column.headers[0] for column in contract.columns if column.headers}
    assert set(read_case(table).header) - first

"""What the ingest refuses by a rule is what Great Expectations finds to break it."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from minsheng import checks, encryption, lake
from minsheng.build import check
from minsheng.checks import ACCEPTED_ROWS, COUNTS_AGREE, CheckResult
from minsheng.demo import generate
from minsheng.lake import Receipt
from minsheng.rejects import MALFORMED_RULE
from minsheng.settings import PROJECT_ROOT
from minsheng.source_tables import make_raw
from minsheng.warehouse import open_warehouse
from tests.minsheng.desk import LI, PAYMENT, PAYMENT_HEADER, WANG, ZHANG, Desk, desk_at


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """The demo's departments, with an error in every fifth row."""
    home = tmp_path_factory.mktemp("dirty")
    generate(
        home / "inbox", home / "truth", project_root=PROJECT_ROOT, households=120, dirty_rate=0.2
    )
    return desk_at(home)


def refused_in_force(desk: Desk, table: str) -> dict[str, int]:
    """Rows by rule in the deliveries that count; a row that breaks two counts for both.

    Rows with another number of cells than the header are in no table that could be checked.
    """
    counted: Counter[str] = Counter()
    for receipt in lake.effective(desk.receipts(), None):
        if receipt.table == table:
            counted.update(receipt.refused_by_rule)
    del counted[MALFORMED_RULE]
    return dict(counted)


def checked(desk: Desk, table: str, folder: Path) -> tuple[CheckResult, ...]:
    """Results of `raw.<table>`, whose deliveries nobody has checked before."""
    with open_warehouse(desk.project.settings, folder) as warehouse:
        make_raw(warehouse, desk.project, desk.source(table))
        return check(warehouse, desk.project, desk.project.contracts[f"raw.{table}"])


def found_by_checks(desk: Desk, table: str, folder: Path) -> dict[str, int]:
    """Failing rows by critical rule, which Great Expectations has counted as the ingest did."""
    results = checked(desk, table, folder)
    assert {
        r.check_name for r in results if r.severity == "critical" and not r.is_refused_at_ingest
    } == {ACCEPTED_ROWS, COUNTS_AGREE}
    assert not any(result.blocks for result in results)
    return {
        result.check_name: result.failing_rows
        for result in results
        if result.severity == "critical" and result.failing_rows
    }


def test_a_row_that_breaks_several_rules_counts_for_each(desk: Desk) -> None:
    rows = (
        f"{ZHANG},张三,低保金,5\n{ZHANG},张三,低保金,6\n{WANG},,救济,-1\n9.9E+17,王五,低保金,abc\n"
    )
    rows += "".join(f"{LI},李{place},低保金,5\n" for place in range(5))
    desk.put(PAYMENT, "2022-06.csv", PAYMENT_HEADER + rows)
    desk.ingest(PAYMENT)
    refused = refused_in_force(desk, PAYMENT)
    assert refused == {
        "amount_yuan_is_not_too_small": 1,
        "amount_yuan_is_readable": 1,
        "id_number_is_not_scientific": 1,
        "key_is_unique": 1,
        "person_name_is_given": 1,
        "programme_code_is_readable": 1,
    }
    assert found_by_checks(desk, PAYMENT, desk.project.settings.builds / "a") == refused


def test_an_accepted_row_that_breaks_a_critical_rule_blocks_the_build(desk: Desk) -> None:
    """As a cache of typed rows would that was made under another rule."""
    desk.put(PAYMENT, "2022-06.csv", f"{PAYMENT_HEADER}{ZHANG},张三,低保金,5\n")
    [receipt] = desk.ingest(PAYMENT).receipts
    [typed] = (desk.delivery(receipt) / "typed").glob("*.parquet")
    negative = desk.sealed(typed).with_columns(amount_yuan=-pl.col("amount_yuan"))
    encryption.write_sealed(desk.database(), negative, typed)
    results = checked(desk, PAYMENT, desk.project.settings.builds / "b")
    assert [r.check_name for r in results if r.blocks] == [ACCEPTED_ROWS, COUNTS_AGREE]


@pytest.mark.parametrize("counts", ["refused_by_rule", "warned_by_rule"])
def test_a_receipt_that_counts_otherwise_blocks_the_build(desk: Desk, counts: str) -> None:
    [receipt] = desk_with_faults(desk)
    wrong = {rule: count + 1 for rule, count in getattr(receipt, counts).items()}
    assert wrong
    lake.write_receipt(desk.delivery(receipt), replace(receipt, **{counts: wrong}))
    for attempt in ("a", "b"):  # nothing is noted as checked that was found to be wrong
        results = checked(desk, PAYMENT, desk.project.settings.builds / attempt)
        assert [r.check_name for r in results if r.blocks] == [COUNTS_AGREE]


def test_a_delivery_is_checked_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk_with_faults(desk)
    first = checked(desk, PAYMENT, desk.project.settings.builds / "a")
    monkeypatch.setattr(checks, "validate", None)
    assert checked(desk, PAYMENT, desk.project.settings.builds / "b") == first
    assert {r.checked_hash == r.contract_hash for r in desk.receipts()} == {True}


def desk_with_faults(desk: Desk) -> tuple[Receipt, ...]:
    rows = f"{ZHANG},张三,低保金,-5\n{WANG[:9]},王五,低保金,5\n{LI},李四,低保金,5\n"
    desk.put(PAYMENT, "2022-06.csv", PAYMENT_HEADER + rows)
    return desk.ingest(PAYMENT).receipts


SPOILED = {
    "agriculture__assistance_measure",
    "agriculture__cadre_visit",
    "agriculture__household_income",
    "agriculture__household_roll",
    "agriculture__project_asset",
    "agriculture__village_collective_income",
    "agriculture__village_condition",
    "civil_affairs__assistance_roll",
    "civil_affairs__relief_payment",
    "disability_federation__disability_certificate",
    "education__student_enrolment",
    "emergency__disaster_event",
    "finance__fund_allocation",
    "health__insurance_enrolment",
    "health__medical_settlement",
}
"""Datasets into which the demo puts rows that must be refused."""

TABLES = sorted(path.stem for path in (PROJECT_ROOT / "expectations" / "staged").glob("*.yaml"))


@pytest.mark.parametrize("table", TABLES)
def test_ingest_and_checks_count_the_same_rows(dirty: Desk, table: str) -> None:
    dirty.ingest(table)
    refused = refused_in_force(dirty, table)
    found = found_by_checks(dirty, table, dirty.project.settings.builds / table)
    assert found == refused
    assert refused or table not in SPOILED

"""What a failing check says of the rows that fail it."""

import pytest

from minsheng.checks import check_table
from minsheng.warehouse import open_warehouse, write_rows
from tests.minsheng.desk import Desk

COUNTY = "330328000000"
DECIDED = (
    *("watch_months", "benefit_gap_months", "compulsory_age_from", "compulsory_age_to"),
    *("school_year_month", "sender_silence_months", "entry_points", "monitoring_line"),
)


def test_what_is_not_decided_is_named_with_its_county_and_month(desk: Desk) -> None:
    contracts = desk.project.contracts
    rows: dict[str, list[dict[str, object]]] = {
        "linked.household": [
            {"household_id": "h", "county_code": COUNTY},
            {"household_id": "elsewhere", "county_code": "370682000000"},
        ],
        "meta.build": [{"as_of_month": "2023-02-01", "area_code": COUNTY}],
        "reference.area_ancestor": [{"area_code": COUNTY, "ancestor_code": COUNTY}],
        "reference.code": [],
        "indicators.rule_in_force": [
            {"county_code": COUNTY, "rule_id": rule, "value": 1}
            for rule in DECIDED
            if rule != "monitoring_line"
        ],
    }
    contract = contracts["indicators.rule_in_force"]
    folder = desk.project.settings.builds / "a"
    with open_warehouse(desk.project.settings, folder) as warehouse:
        for table, given in rows.items():
            names = [column.name for column in contracts[table].columns]
            write_rows(
                warehouse, contracts[table], [{n: row.get(n) for n in names} for row in given]
            )
        results = {each.check_name: each for each in check_table(warehouse, contract, contracts)}
    found = results["what_every_warning_needs_is_decided"]
    assert (found.passed, found.failing_rows) == (False, 1)
    told = f"rule_id county_code as_of_month: monitoring_line {COUNTY} 2023-02-01"
    assert found.examples == told
    assert "--as-of" in found.why
    assert {each.examples for each in results.values() if each.passed} == {""}


@pytest.mark.parametrize(
    ("year", "status", "reason", "stops", "warns"),
    [
        (2020, "decided", None, False, False),
        (2020, "no_data", "当年无人决定 · nobody decided it for the year", True, True),
        (2020, "no_data", "公式缺少 dibao · the formula lacks dibao", False, True),
        (2017, "no_data", "当年无人决定 · nobody decided it for the year", False, True),
        (2020, None, None, False, True),
    ],
)
def test_a_year_with_incomes_and_no_line_stops_within_its_plan_and_warns_elsewhere(
    desk: Desk, year: int, status: str | None, reason: str | None, stops: bool, warns: bool
) -> None:
    contracts = desk.project.contracts
    line = {"area_code": COUNTY, "year": year, "line_id": "floor", "line_status": status}
    rows: dict[str, list[dict[str, object]]] = {
        "indicators.poverty_line": [{**line, "line_reason": reason}] if status else [],
        "indicators.household_year": [{"county_code": COUNTY, "year": year, "total_yuan": 1}],
        "meta.build": [{"as_of_month": "2022-12-01"}],
        "reference.area_ancestor": [{"area_code": COUNTY, "ancestor_code": "330300000000"}],
        "reference.code": [],
        "reference.plan": [
            {"policy_id": "p", "area_code": "330300000000", "start_year": 2018, "end_year": 2022},
            {"policy_id": "q", "area_code": "330300000000", "start_year": 2013, "end_year": 2017},
        ],
        "reference.rule_value": [{"rule_id": "floor", "policy_id": "p"}],
    }
    contract = contracts["indicators.poverty_line"]
    with open_warehouse(desk.project.settings, desk.project.settings.builds / "a") as warehouse:
        for table, given in rows.items():
            names = [column.name for column in contracts[table].columns]
            write_rows(
                warehouse, contracts[table], [{n: row.get(n) for n in names} for row in given]
            )
        results = {each.check_name: each for each in check_table(warehouse, contract, contracts)}
    assert results["a_plan_in_force_has_its_lines"].blocks == stops
    assert results["every_year_with_incomes_has_its_lines"].passed == (not warns)


@pytest.mark.parametrize(
    ("moved", "lost", "holds"), [(0.015, 0.0, True), (0.01, 0.01, True), (0.015, 0.015, False)]
)
def test_keys_that_moved_and_keys_that_are_lost_count_together(
    desk: Desk, moved: float, lost: float, holds: bool
) -> None:
    contracts = desk.project.contracts
    contract = contracts["quality.link_change"]
    shares = {"same": 1 - moved - lost, "moved": moved, "lost": lost}
    rows = [
        {
            "change_kind": kind,
            "key_count": round(share * 1000),
            "key_share": share,
            "largest_share": 0.02,
        }
        for kind, share in shares.items()
    ]
    folder = desk.project.settings.builds / "a"
    with open_warehouse(desk.project.settings, folder) as warehouse:
        write_rows(warehouse, contracts["reference.code"], [])
        write_rows(warehouse, contract, rows)
        results = {each.check_name: each for each in check_table(warehouse, contract, contracts)}
    found = results["not_too_many_keys_have_changed"]
    assert (found.passed, found.failing_rows) == (holds, 0 if holds else 2)

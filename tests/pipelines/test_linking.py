"""Who is who from refresh to refresh: a decision comes back, counts, and can be undone."""

import csv
from datetime import datetime
from pathlib import Path

import openpyxl
import pytest
import yaml

from minsheng import lake
from minsheng.contracts import load_contracts
from minsheng.demo import generate
from minsheng.explain import explain_household
from minsheng.link_report import agreement, report
from minsheng.pseudonyms import keep_demo_secret
from minsheng.settings import PROJECT_ROOT, load_settings
from pipelines.refresh import refresh
from tests.pipelines.conftest import CORE, Home, make_demo

pytestmark = pytest.mark.slow

DECISION = "casework__link_decision"
HOUSEHOLDS = 120
NUMBER_HEADERS = {
    header
    for contract in load_contracts(load_settings(deployment=CORE)).values()
    if contract.name == "staged.agriculture__household_roll"
    for header in contract.column("household_number").headers
}
COUNTY = "330328000000"
ROLL, LEDGER = "agriculture__household_roll", "agriculture__household_income"
ALIASES = "select alias_id, person_id from linked.person_alias order by alias_id"


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A dirty demo that takes decisions, refreshed once."""
    deployment = tmp_path_factory.mktemp("deployment")
    settings = yaml.safe_load((Path(CORE) / "settings.yaml").read_text(encoding="utf-8"))
    settings["datasets"].append(DECISION)
    (deployment / "settings.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    made = make_demo(
        tmp_path_factory.mktemp("decided"), 0.1, HOUSEHOLDS, deployment=str(deployment)
    )
    home = Home(made, refresh(made))
    assert home.outcome.state == "published", home.outcome.message
    return home


def refreshed(home: Home) -> None:
    outcome = refresh(home.settings)
    assert outcome.state == "published", outcome.message


def review_of(home: Home) -> Path:
    (workbook,) = home.settings.worklists.glob("link_decision_*.xlsx")
    return workbook


def send_back(home: Home, decision: str, row: int = 2) -> tuple[str, str]:
    """Decide on one row of the workbook as an official does and put it into the inbox."""
    workbook = openpyxl.load_workbook(review_of(home))
    sheet = workbook["核对"]
    headers = {cell.value: cell.column for cell in sheet[1]}
    for header, value in {
        "核定结果": decision,
        "核定日期": "2023-01-05",
        "核定人": "某镇民政办",
        "核定理由": "入户核对",
    }.items():
        sheet.cell(row, headers[header], value)
    one, other = (str(sheet.cell(row, headers[name]).value) for name in ("甲方标识", "乙方标识"))
    folder = home.settings.inbox / "casework" / "link_decision"
    folder.mkdir(parents=True, exist_ok=True)
    name = f"2022-12_{datetime.now():%H%M%S%f}.xlsx"
    workbook.save(folder / name)
    return one, other


def test_a_decision_comes_back_in_the_workbook_counts_and_is_withdrawn(decided: Home) -> None:
    before = dict(decided.rows(ALIASES))
    one, other = send_back(decided, "同一人")
    assert before[one] != before[other]
    refreshed(decided)

    linked = dict(decided.rows(ALIASES))
    assert linked[one] == linked[other]
    moved = {key for key in before if linked[key] != before[key]}
    assert moved and {before[key] for key in moved} <= {before[one], before[other]}
    assert dict(decided.rows("select change_kind, key_count from quality.link_change")) == {
        "same": len(before) - len(moved),
        "moved": len(moved),
    }

    # it stays decided when other deliveries come, and is no longer asked
    sheet = openpyxl.load_workbook(review_of(decided))["核对"]
    asked = {(row[0], row[1]) for row in sheet.iter_rows(min_row=2, values_only=True)}
    assert (one, other) not in asked
    folder = decided.settings.inbox / "casework" / "link_decision"
    (folder / "2023-01.csv").write_text(
        f"甲方标识,乙方标识,核定结果,核定日期,核定人\n{other},{one},撤销,2023-02-01,某镇民政办\n",
        encoding="utf-8",
    )
    refreshed(decided)
    assert dict(decided.rows(ALIASES)) == before


def test_too_many_changed_keys_publish_nothing_and_say_so(
    decided: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policies = tmp_path / "policies"
    policies.mkdir()
    table = yaml.safe_load((PROJECT_ROOT / "policies" / "linkage.yaml").read_text("utf-8"))
    table["limits"]["largest_changed_share"] = 0.0
    (policies / "linkage.yaml").write_text(yaml.safe_dump(table), encoding="utf-8")
    settings = (decided.settings.deployment / "settings.yaml").read_text(encoding="utf-8")
    (tmp_path / "settings.yaml").write_text(settings, encoding="utf-8")
    strict = load_settings(decided.settings.home, str(tmp_path))

    send_back(decided, "同一人", row=3)
    before = decided.rows(ALIASES)
    outcome = refresh(strict)
    assert outcome.state == "failed"
    assert "not_too_many_keys_have_changed" in outcome.message
    assert decided.rows(ALIASES) == before
    refreshed(decided)  # two in a hundred allow one more
    assert decided.rows(ALIASES) != before


def test_a_decision_without_a_day_or_a_name_is_refused(decided: Home) -> None:
    folder = decided.settings.inbox / "casework" / "link_decision"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "2023-03.csv").write_text(
        "甲方标识,乙方标识,核定结果,核定日期,核定人\na,b,同一人,,某人\nc,d,非同一人,2023-03-01,\n"
        "nobody,nothing,同一人,2023-03-01,某人\n"
        "nobody,nowhere,同一人,2023-03-01,某人\n"
        "nothing,nowhere,非同一人,2023-03-01,某人\n",
        encoding="utf-8",
    )
    refreshed(decided)
    assert decided.rows(
        "select rule, count(*) from quality.finding "
        f"where source = '{DECISION}' and severity = 'critical' group by rule order by rule"
    ) == [("decision_is_attributed", 1), ("decision_is_dated", 1)]
    # the keys of the others are nobody's: told, and nothing changes
    assert decided.rows(
        "select failing_rows from quality.check_result where check_name = 'decided_keys_are_known'"
    ) == [(3,)]
    assert decided.rows(
        "select rule, severity, count(*) from quality.finding "
        f"where source = '{DECISION}' and rule like 'decision%' and severity = 'warning' "
        "group by all"
    ) == [("decision_is_about_nobody", "warning", 3)]


def lines_of(home: Home, table: str, period: str) -> list[list[str]]:
    """The cells of a county's file in force, its header first."""
    receipts = lake.effective(lake.read_receipts(home.settings.lake, table), None)
    [receipt] = [r for r in receipts if (r.sender, r.period) == (COUNTY, period)]
    [original] = (lake.delivery_folder(home.settings.lake, receipt) / "original").glob("*.csv")
    return list(csv.reader(original.read_text(encoding="utf-8-sig").splitlines()))


def place_of_number(header: list[str]) -> int:
    [place] = (place for place, name in enumerate(header) if name in NUMBER_HEADERS)
    return place


def numbers_of(lines: list[list[str]]) -> list[str]:
    place = place_of_number(lines[0])
    return [cells[place] for cells in lines[1:]]


def number_anew(home: Home, table: str, period: str, number: str, other: str) -> None:
    """Put a county's file into the inbox in which a household has another number."""
    lines = lines_of(home, table, period)
    place = place_of_number(lines[0])
    for cells in lines:
        cells[place] = other if cells[place] == number else cells[place]
    department, dataset = table.split("__")
    folder = home.settings.inbox / department / dataset / COUNTY
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{period}更正{other}.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(lines)


def test_a_household_with_another_number_is_the_same_in_the_next_version(own_home: Home) -> None:
    households = "select * from linked.household order by household_id"
    incomes = "select household_id, year, total_yuan from indicators.household_year order by all"
    aliases = "select alias_id, household_id from linked.household_alias"
    renamed = (
        "select household_notion, lineage_code, count(*) from linked.household_alias "
        "where lineage_code is not null group by all order by all"
    )
    before, was_earned, known = (own_home.rows(each) for each in (households, incomes, aliases))
    assert own_home.rows(renamed) == []
    rolls = [numbers_of(lines_of(own_home, ROLL, period)) for period in ("2021", "2022")]
    ledger = numbers_of(lines_of(own_home, LEDGER, "2022"))
    # the members are the same in both years
    number = next(
        each
        for each in ledger
        if rolls[0].count(each) == rolls[1].count(each) > 1 and len(each) == len(ledger[0])
    )
    for table in (ROLL, LEDGER):
        number_anew(own_home, table, "2022", number, "9" * len(number))
    refreshed(own_home)
    assert own_home.rows(households) == before
    assert own_home.rows(incomes) == was_earned
    assert own_home.rows(renamed) == [("roll", "continues", 1)]
    [(old, now)] = own_home.rows(
        "select alias_id, household_id from linked.household_alias "
        "where household_notion = 'roll' and lineage_code = 'continues'"
    )
    told = explain_household(own_home.settings, str(old))
    assert told.startswith(f"户 {old} 现为 · is now {now}\n")
    assert told.endswith(explain_household(own_home.settings, str(now)))
    # and in a third, in which the whole past has the other number
    for period in ("2018", "2019", "2020", "2021"):
        for table in (ROLL, LEDGER):
            if number in numbers_of(lines_of(own_home, table, period)):
                number_anew(own_home, table, period, number, "9" * len(number))
    refreshed(own_home)
    assert own_home.rows(households) == before
    assert own_home.rows(incomes) == was_earned
    assert set(known) < set(own_home.rows(aliases))


def test_the_demos_records_are_linked_as_they_truly_belong(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, CORE)
    keep_demo_secret(settings.vault)
    generate(
        settings.inbox,
        settings.home / "truth",
        project_root=settings.root,
        households=1000,
        dirty_rate=0.02,
        broken_ids=0.02,
        odd_names=0.03,
        datasets=settings.datasets,
    )
    home = Home(settings, refresh(settings))
    assert home.outcome.version, home.outcome.message
    found = agreement(settings, home.outcome.version, datetime.now(settings.time_zone))
    assert found.records > 40_000
    assert found.precision >= 0.9999
    assert found.recall >= 0.99
    by_rule = {rule: (records, wrong) for rule, records, wrong in found.rules}
    assert sum(records for records, _ in by_rule.values()) == found.records
    assert by_rule["id_and_name"][0] > by_rule["slip_of_number_and_name"][0] > 0
    assert sum(wrong for _, wrong in by_rule.values()) == round(
        (1 - found.precision) * found.records
    )
    told = report(settings, datetime.now(settings.time_zone))
    assert f"precision {found.precision:.5f}" in told
    assert "slip_of_number_and_name" in told

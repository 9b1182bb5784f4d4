"""A delivery that is corrected, withdrawn or late: what moves, what is said of it, and to whom."""

import json
import shutil
from datetime import date, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from minsheng import lake
from pipelines.cli import app
from pipelines.refresh import refresh
from tests.pipelines.conftest import CORE, Home

COUNTY, CITY, OTHER_COUNTY = "330328000000", "330300000000", "330329000000"
LEDGER = "agriculture__household_income"


def ledger_of(home: Home, period: str) -> lake.Receipt:
    receipts = lake.effective(lake.read_receipts(home.settings.lake, LEDGER), None)
    [receipt] = [r for r in receipts if (r.sender, r.period) == (COUNTY, period)]
    return receipt


def correct_ledger(home: Home, period: str) -> tuple[str, str]:
    """Send a county's ledger again with every total and wage 1,000 yuan higher; the deliveries."""
    before = ledger_of(home, period)
    [original] = (lake.delivery_folder(home.settings.lake, before) / "original").glob("*.csv")
    header, *lines = original.read_text(encoding="utf-8-sig").splitlines()
    names = header.split(",")
    places = [
        place
        for place, name in enumerate(names)
        if name.startswith(("工资", "家庭总收入", "家庭年收入"))
    ]
    assert len(places) == 2
    changed = []
    for line in lines:
        cells = line.split(",")
        for place in places:
            cells[place] = f"{float(cells[place]) + 1000:.2f}"
        changed.append(",".join(cells))
    folder = home.settings.inbox / "agriculture" / "household_income" / COUNTY
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{period}更正.csv").write_text("\n".join([header, *changed, ""]), encoding="utf-8")
    outcome = refresh(home.settings)
    assert outcome.state == "published", outcome.message
    return before.delivery_id, ledger_of(home, period).delivery_id


@pytest.fixture(scope="module")
def corrected(clean: Home, tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, str, str]:
    """A home whose ledger of one county and 2021 came once more, and the two deliveries."""
    folder = tmp_path_factory.mktemp("corrected") / "home"
    shutil.copytree(clean.settings.home, folder, symlinks=True)
    from minsheng.settings import load_settings

    home = Home(load_settings(folder, CORE), clean.outcome)
    return home, *correct_ledger(home, "2021")


def test_the_first_version_restates_nothing(clean: Home) -> None:
    assert clean.rows("select count(*) from quality.restatement") == [(0,)]


@pytest.mark.slow
def test_a_correction_says_which_published_figures_it_moved(
    clean: Home, corrected: tuple[Home, str, str]
) -> None:
    home, old, new = corrected
    query = (
        "select mean_yuan::varchar from indicators.income_growth where area_code = ? and year = ? "
        "and population = 'low_income' and list_basis = 'refreshed' and price_basis = 'nominal'"
    )
    [(before,)], [(after,)] = (
        clean.rows(query, COUNTY, 2021),
        home.rows(query, COUNTY, 2021),
    )
    assert before != after
    told = home.rows(
        "select old_value, new_value, cause, delivery_id, figure_key from quality.restatement "
        "where table_name = 'indicators.income_growth' and column_name = 'mean_yuan' "
        "and area_code = ? and year = 2021 order by cause",
        COUNTY,
    )
    keys = [json.loads(str(row[4])) for row in told]
    of_all = [
        row[:4]
        for row, key in zip(told, keys, strict=True)
        if (key["population"], key["list_basis"], key["price_basis"])
        == ("low_income", "refreshed", "nominal")
    ]
    assert of_all == [(before, after, "delivered", new), (before, after, "superseded", old)]


@pytest.mark.slow
def test_only_figures_of_its_area_and_of_no_earlier_year_are_put_down_to_it(
    corrected: tuple[Home, str, str],
) -> None:
    home, old, new = corrected
    moved = home.rows("select distinct area_code, year, delivery_id from quality.restatement")
    assert {row[2] for row in moved} == {old, new}
    assert {row[1] for row in moved} <= {2021, 2022}
    areas = {str(row[0]) for row in moved}
    assert {COUNTY, CITY} <= areas
    assert not any(area.startswith(OTHER_COUNTY[:6]) for area in areas)


@pytest.mark.slow
def test_the_delivery_before_counts_again_when_the_correction_is_withdrawn(
    clean: Home, corrected: tuple[Home, str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, old, new = corrected
    copy = tmp_path / "home"
    shutil.copytree(home.settings.home, copy, symlinks=True)
    monkeypatch.setenv("MINSHENG_HOME", str(copy))
    monkeypatch.setenv("MINSHENG_DEPLOYMENT", CORE)
    run = CliRunner()
    assert "no delivery feed" in run.invoke(app, ["withdraw", "feed", "--reason", "-"]).stderr
    withdrawn = run.invoke(app, ["withdraw", new, "--reason", "误报"])
    assert withdrawn.exit_code == 0, withdrawn.stderr
    assert run.invoke(app, ["refresh"]).exit_code == 0
    again = Home(type(home.settings)(**{**home.settings.__dict__, "home": copy}), home.outcome)
    growth = "select * from indicators.income_growth order by all"
    assert again.rows(growth) == clean.rows(growth)
    status = "select delivery_status, reason from meta.delivery where {} = ?"
    assert again.rows(status.format("delivery_id"), new) == [("withdrawn", None)]
    assert again.rows(status.format("delivery_id"), old) == [("effective", None)]
    assert again.rows(status.format("withdraws"), new) == [("withdrawal", "误报")]
    causes = again.rows("select distinct cause, delivery_id from quality.restatement order by 1")
    assert causes == [("delivered", old), ("withdrawn", new)]


def test_each_department_gets_a_letter_with_what_was_refused(dirty: Home) -> None:
    departments = {str(row[0]) for row in dirty.rows("select department from meta.delivery")}
    letters = dirty.settings.letters
    assert {path.name for path in letters.iterdir()} == departments
    text = (letters / "civil_affairs" / "2022-12.md").read_text(encoding="utf-8")
    [(received, refused)] = dirty.rows(
        "select sum(rows_received), sum(rows_refused) from meta.delivery "
        "where department = 'civil_affairs' and delivery_status = 'effective' "
        "and period_month >= date '2022-01-01'"
    )
    assert f"近12个月有效交付共收到{received:,}行，其中退回{refused:,}行" in text
    assert f"in 12 months; of these {refused:,} were refused" in text
    [(rule, count)] = dirty.rows(
        "select rule, count(*) from quality.finding "
        "join meta.delivery as delivery using (delivery_id) "
        "where department = 'civil_affairs' and delivery_status = 'effective' "
        "and period_month >= date '2022-01-01' group by rule order by count(*) desc, rule limit 1"
    )
    assert f"| {rule} |" in text
    assert f"| {rule.replace('_', ' ')} |" in text
    assert f"| {count} |" in text


@pytest.mark.slow
def test_a_figure_says_since_when_a_source_of_it_is_late(own_home: Home) -> None:
    """No bills after May 2022: promised 40 days after June, they are late from 10 August on."""
    now = datetime.now(own_home.settings.time_zone)
    for receipt in lake.read_receipts(own_home.settings.lake, "health__medical_settlement"):
        if receipt.period > "2022-05":
            lake.withdraw(own_home.settings.lake, receipt.delivery_id, "误报", now)
    outcome = refresh(own_home.settings)
    assert outcome.state == "published", outcome.message
    late = date(2022, 8, 10)
    assert own_home.rows(
        "select source, stale_since from meta.source where stale_since is not null"
    ) == [("health__medical_settlement", late)]
    assert own_home.rows(
        "select table_name, stale_since, stale_datasets from meta.table_freshness "
        "where table_name in ('linked.medical_settlement', 'linked.disability') order by all"
    ) == [
        ("linked.disability", None, None),
        ("linked.medical_settlement", late, "health__medical_settlement"),
    ]
    shown = "select distinct stale_since from {}"
    assert own_home.rows(shown.format("risk.return_to_poverty")) == [(late,)]
    assert own_home.rows(shown.format("indicators.income_growth")) == [(None,)]
    letter = own_home.settings.letters / "health" / "2022-12.md"
    assert "| 2022-08-10 |" in letter.read_text(encoding="utf-8")

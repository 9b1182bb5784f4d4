"""Duties are data: one that says it wrongly is refused by its name before anything is computed."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from minsheng.contracts import load_contracts
from minsheng.duties import FILE, PlanDuty, duty_rows, load_duties
from minsheng.duty_results import duty_selects
from minsheng.plans import PlanError
from minsheng.settings import PROJECT_ROOT, Settings, load_settings

Entry = Mapping[str, object]
POLICY = "wenzhou_2018_2022"
VISIT: Entry = {
    "item_id": "W89",
    "label_zh": "家访",
    "label_en": "visit",
    "responsible": "干部",
    "entity": "household",
    "who": "is_on_roll",
    "period": "month",
    "due_months": 0,
    "event": {"dataset": "agriculture__cadre_visit", "of": "visit_date", "day": "visit_date"},
}
KEPT: Entry = {
    "item_id": "W21",
    "label_zh": "观察期",
    "label_en": "observation",
    "responsible": "扶贫办",
    "entity": "household",
    "begins": {"where": "is_on_roll"},
    "buffer_months": 12,
    "keeps": {"dataset": "agriculture__household_roll"},
}
LIST: Entry = {**VISIT, "item_id": "W16", "entity": "county", "who": None, "period": "year"}
ATTESTED: Entry = {"dataset": "general__task_attestation"}
OF_W16 = "policy_id = 'wenzhou_2018_2022' and item_id = 'W16'"
NEITHER = "a duty has period, due_months and event, or begins, buffer_months and keeps"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(tmp_path_factory.mktemp("home"), "demo")


def written(settings: Settings, folder: Path, document: object) -> Settings:
    """A deployment with the plan of Wenzhou alone and these duties."""
    policies = folder / "deployment" / "policies" / POLICY
    policies.mkdir(parents=True)
    plan = (PROJECT_ROOT / "policies" / POLICY / "plan.yaml").read_bytes()
    (policies / "plan.yaml").write_bytes(plan)
    text = yaml.safe_dump(document, allow_unicode=True)
    (policies / FILE).write_text(text, encoding="utf-8")
    return replace(settings, deployment=folder / "deployment")


def one(settings: Settings, folder: Path, entry: Entry) -> tuple[PlanDuty, ...]:
    given = {key: value for key, value in entry.items() if value is not None}
    document = {"policy_id": POLICY, "duties": {"mine": given}}
    return load_duties(written(settings, folder, document))


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({**VISIT, "item_id": "W0"}, "the plan has no item 'W0'"),
        ({**VISIT, "period": "week"}, "period 'week' is none of"),
        ({**VISIT, "period": None}, NEITHER),
        ({**VISIT, "due_months": None}, NEITHER),
        ({**VISIT, "due_months": 0.5}, "due_months 0.5 is no whole number"),
        ({**VISIT, "buffer_months": 12}, NEITHER),
        ({**VISIT, "entity": "cadre"}, "entity 'cadre' is none of"),
        ({**VISIT, "entity": "county"}, "a duty of counties is of each county of the plan"),
        ({**VISIT, "label": "x"}, r"\['label'\] is unknown"),
        ({**VISIT, "label_zh": None}, "label_zh missing"),
        ({**VISIT, "event": {"where": "true"}}, "event: dataset missing"),
        ({**VISIT, "event": {"dataset": "x", "when": "x"}}, r"event: \['when'\] is unknown"),
        ({**VISIT, "area_set": "counties"}, "a set of areas is for duties of counties"),
        ({**LIST, "area_set": "no_such"}, "no set of areas 'no_such'"),
        ({**LIST, "event": {**ATTESTED, "where": "true"}}, r"\[None, None, None\]; of W16"),
        ({**LIST, "event": {**ATTESTED, "where": OF_W16}}, r"'W16', None\]; of W16 the plan has"),
        ({**LIST, "event": {**ATTESTED, "where": f"{OF_W16} and part = 'main'"}}, "'published'"),
        ({**LIST, "event": {**ATTESTED, "where": f"{OF_W16} and"}}, "cannot be read"),
        ({**KEPT, "keeps": None}, NEITHER),
        ({**KEPT, "buffer_months": 0}, "buffer_months 0 is no whole number from 1 up"),
        (
            {**KEPT, "begins": {"held_before": True}},
            "a buffer begins `where` .* or with a `status`",
        ),
        ({**KEPT, "begins": {"where": "true", "status": "exited"}}, "a buffer begins `where`"),
        ({**KEPT, "keeps": {"dataset": "x", "day": "y"}}, "told by the row's period"),
    ],
)
def test_a_duty_that_says_it_wrongly_is_refused_by_its_name(
    settings: Settings, tmp_path: Path, entry: Entry, told: str
) -> None:
    with pytest.raises(PlanError, match=f"wenzhou_2018_2022 mine: .*{told}"):
        one(settings, tmp_path, entry)


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({**VISIT, "who": "is_poor"}, "indicators.household_profile has no column 'is_poor'"),
        ({**VISIT, "event": {"dataset": "no__such"}}, "no dataset 'no__such'"),
        (
            {**VISIT, "event": {"dataset": "agriculture__cadre_visit", "where": "cadre_name = ''"}},
            "staged.agriculture__cadre_visit has no column 'cadre_name'",
        ),
        (
            {**VISIT, "event": {"dataset": "finance__fund_allocation"}},
            "rows of finance__fund_allocation name no household",
        ),
        (
            {**VISIT, "who": "(select true)"},
            "is no plain condition",
        ),
    ],
)
def test_a_duty_over_what_is_not_there_is_refused_by_its_name(
    settings: Settings, tmp_path: Path, entry: Entry, told: str
) -> None:
    duties = one(settings, tmp_path, entry)
    told = told.replace("(", r"\(")
    with pytest.raises(PlanError, match=f"wenzhou_2018_2022 mine: .*{told}"):
        list(duty_selects(duties, load_contracts(settings)))


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ([], "expected names and duties"),
        ({"policy_id": "elsewhere", "duties": {}}, "no plan 'elsewhere'"),
        ({"duties": []}, "duties.yaml has no duties"),
        ({"duties": {"mine": "visit"}}, "wenzhou_2018_2022 mine: 'visit' is no duty"),
    ],
)
def test_a_file_that_holds_no_duties_of_a_plan_is_refused(
    settings: Settings, tmp_path: Path, document: object, told: str
) -> None:
    with pytest.raises(PlanError, match=told):
        load_duties(written(settings, tmp_path, document))


def test_a_duty_says_its_clause_who_answers_for_it_and_when_it_is_due(settings: Settings) -> None:
    rows = {row["duty_id"]: row for row in duty_rows(load_duties(settings))}
    visit, observation = rows["monthly_visit"], rows["observation_year"]
    assert (visit["clause"], visit["period_type"], visit["due_months"]) == ("四（三）", "month", 0)
    assert visit["responsible_unit"] == "结对帮扶干部（党员）"
    assert (observation["period_type"], observation["buffer_months"]) == (None, 12)
    assert rows["yearly_determination"]["entity_type"] == "area"


def test_the_months_of_a_buffer_are_those_that_the_plans_name(settings: Settings) -> None:
    months = {
        (each.plan.policy_id, each.duty.item_id): each.duty.buffer_months
        for each in load_duties(settings)
        if each.duty.buffer_months
    }
    assert months == {
        ("jiangmen_2018", "J07"): 6,
        ("wenzhou_2018_2022", "W21"): 12,
        ("yantai_2016_2020", "Y45"): 3,
    }


def test_a_deployment_moves_a_day_that_is_a_preset_and_takes_a_duty_away(
    settings: Settings, tmp_path: Path
) -> None:
    own = tmp_path / "deployment" / "policies" / POLICY / FILE
    own.parent.mkdir(parents=True)
    check = next(each for each in load_duties(settings) if each.duty.duty_id == "yearly_check")
    assert check.duty.due_months == 3
    changed = {
        "item_id": "W19",
        "label_zh": "一年一核",
        "label_en": "checked once a year",
        "responsible": "乡镇",
        "entity": "household",
        "who": "is_on_roll",
        "period": "year",
        "due_months": 0,
        "event": {"dataset": "agriculture__household_income"},
    }
    document = {"duties": {"yearly_check": changed, "one_file": None}}
    own.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    before = {each.name: each for each in load_duties(settings)}
    after = {
        each.name: each
        for each in load_duties(replace(settings, deployment=tmp_path / "deployment"))
    }
    assert set(before) - set(after) == {f"{POLICY} one_file"}
    assert after[f"{POLICY} yearly_check"].duty.due_months == 0
    assert after[f"{POLICY} monthly_visit"] == before[f"{POLICY} monthly_visit"]

"""Plans are data: what a plan says wrongly is refused by its name, and a plan needs no code."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import fields, replace
from pathlib import Path

import pytest
import yaml

from minsheng.contracts import Contract, load_contracts
from minsheng.figure_tables import figure_tables
from minsheng.plans import (
    EVALUATIONS,
    KINDS,
    Item,
    Part,
    Plan,
    PlanError,
    item_rows,
    load_plans,
    period_rows,
    plan_area_rows,
    plan_rows,
    target_rows,
)
from minsheng.policies import PolicyError, reference_rows
from minsheng.settings import PROJECT_ROOT, Settings, load_settings

Entry = dict[str, object]
ITEMS = {
    "jiangmen_2018": 36,
    "wenzhou_2018_2022": 99,
    "xinhua_2021_2025": 71,
    "yantai_2016_2020": 75,
    "zhejiang_2013_2017": 53,
}
PLAN: Entry = {
    "policy_id": "place_2021_2025",
    "title_zh": "计划",
    "title_en": "plan",
    "document": "文件",
    "area_code": "330324000000",
    "start_year": 2021,
    "end_year": 2025,
    "first_roll_year": 2021,
    "income_concept": "disposable_income",
    "area_sets": {
        "near": {
            "label_zh": "近处",
            "areas": ["330324001000", "330324002000"],
            "without_code": ["功能区"],
        }
    },
}
ITEM: Entry = {
    "item_id": "P01",
    "clause": "一",
    "kind": "target",
    "evaluation": "computed",
    "term_zh": "住房安全",
    "text_en": "No household lives in an unsafe house.",
}
PART: Entry = {
    "part": "main",
    "base": "household_profile",
    "where": "is_on_roll",
    "aggregate": "share",
    "meets": "not house_is_unsafe",
    "comparator": ">=",
    "thresholds": {2022: 1, 2025: 1},
    "unit": "rate",
    "area_levels": ["county", "town"],
    "datasets": ["housing__house_safety"],
}
INCOME: Entry = {
    "part": "main",
    "population": "low_income",
    "aggregate": "growth",
    "comparator": ">",
    "thresholds": {2022: 0.1},
    "unit": "rate",
    "area_levels": ["county"],
    "datasets": ["agriculture__household_income"],
}
TASK: Entry = {"part": "main", "evaluation": "attested", "area_levels": ["county"]}
FIGURE: Entry = {
    "part": "main",
    "evaluation": "reported",
    "unit": "currency",
    "area_levels": ["county"],
}
GONE = object()

WRONG_PARTS: dict[str, tuple[Entry, Entry, str]] = {
    "an unknown key": (PART, {"threshhold": {2022: 1}}, r"\['threshhold'\] is unknown; known are"),
    "no part name": (PART, {"part": GONE}, "part missing"),
    "an empty part name": (PART, {"part": None}, "part missing"),
    "no area levels": (PART, {"area_levels": GONE}, "area_levels missing"),
    "an unknown area level": (PART, {"area_levels": ["ward"]}, "area level 'ward' is none of"),
    "a level that is no list": (PART, {"area_levels": "county"}, "area level 'c' is none of"),
    "an unknown evaluation": (PART, {"evaluation": "guessed"}, "evaluation 'guessed' is none of"),
    "an unknown period": (PART, {"period": "week"}, "period 'week' is none of"),
    "an unknown geography": (PART, {"geography": "some"}, "geography 'some' is none of"),
    "an unknown change": (PART, {"change": "ratio"}, "change 'ratio' is none of"),
    "a comparator without thresholds": (
        PART,
        {"thresholds": GONE},
        "a comparator and thresholds come together",
    ),
    "thresholds without a comparator": (
        PART,
        {"comparator": GONE},
        "a comparator and thresholds come together",
    ),
    "an unknown comparator": (PART, {"comparator": "="}, "comparator '=' is none of"),
    "thresholds before and after the plan": (
        PART,
        {"thresholds": {2020: 1, 2021: 1, 2026: 1}},
        r"thresholds for \[2020, 2026\], outside of the plan's years",
    ),
    "an unknown set of areas": (PART, {"area_set": "far"}, "no set of areas 'far'"),
    "no unit": (PART, {"unit": GONE}, "unit missing"),
    "a report without a unit": (FIGURE, {"unit": GONE}, "unit missing"),
    "every without a unit level": (PART, {"geography": "every"}, "names a unit_level"),
    "a unit level without every": (PART, {"unit_level": "town"}, "names a unit_level"),
    "a report of units that have no row": (
        FIGURE,
        {"geography": "every", "unit_level": "town"},
        r"unit level 'town' is none of \['county'\]",
    ),
    "neither population nor base": (PART, {"base": GONE}, "names a population or a base"),
    "no aggregate": (PART, {"aggregate": GONE}, "aggregate None is none of"),
    "an unknown aggregate": (PART, {"aggregate": "median"}, "aggregate 'median' is none of"),
    "an aggregate of incomes over a base": (
        PART,
        {"aggregate": "growth"},
        "aggregate 'growth' is none of",
    ),
    "an aggregate of rows over a population": (
        INCOME,
        {"aggregate": "share"},
        "aggregate of incomes 'share' is none of",
    ),
    "a share that does not say what meets it": (PART, {"meets": GONE}, r"takes \['meets'\]"),
    "a share of a value": (PART, {"value": "support_yuan"}, r"takes \['meets'\]"),
    "a count that says what meets it": (PART, {"aggregate": "count"}, "a count takes no value"),
    "a sum of nothing": (PART, {"aggregate": "sum", "meets": GONE}, r"takes \['value'\]"),
    "a ratio over nothing": (
        PART,
        {"aggregate": "ratio", "meets": GONE, "value": "loan_yuan"},
        r"a ratio takes \['value', 'over'\]",
    ),
    "a mean over something": (
        PART,
        {"aggregate": "mean", "meets": GONE, "value": "loan_yuan", "over": "member_count"},
        r"a mean takes \['value'\]",
    ),
}
WRONG_ITEMS: dict[str, tuple[Entry, str]] = {
    "an unknown key": ({"clauses": "一"}, r"P01: \['clauses'\] is unknown"),
    "no clause": ({"clause": GONE}, "P01: clause missing"),
    "no words": ({"term_zh": GONE, "text_en": GONE}, "P01: term_zh, text_en missing"),
    "an unknown kind": ({"kind": "wish"}, "P01: kind 'wish' is none of"),
    "an unknown evaluation": ({"evaluation": "guessed"}, "P01: evaluation 'guessed' is none of"),
    "no parts": ({"parts": []}, "P01: no part says what is looked at"),
    "parts that are no list": ({"parts": {"main": PART}}, "P01: parts is no list"),
    "two parts of one name": ({"parts": [PART, PART]}, "P01: two parts have one name"),
}
WRONG_PLANS: dict[str, tuple[Entry, str]] = {
    "an unknown key": ({"titel_zh": "计划"}, r"plan place_2021_2025: \['titel_zh'\] is unknown"),
    "no document": ({"document": GONE}, "plan place_2021_2025: document missing"),
    "no years": ({"start_year": GONE}, "plan place_2021_2025: start_year missing"),
    "no items": ({"items": GONE}, "plan place_2021_2025: items missing"),
    "items that are no list": ({"items": {"P01": ITEM}}, "plan place_2021_2025: items missing"),
}

Written = Callable[..., Settings]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(tmp_path_factory.mktemp("home"), "demo")


@pytest.fixture(scope="module")
def plans(settings: Settings) -> tuple[Plan, ...]:
    return load_plans(settings)


@pytest.fixture(scope="module")
def contracts(settings: Settings) -> dict[str, Contract]:
    return load_contracts(settings)


@pytest.fixture
def written(settings: Settings, tmp_path: Path) -> Written:
    """A deployment whose overlay of policies holds the given plans, one a folder."""

    def write(*documents: object) -> Settings:
        for place, document in enumerate(documents):
            path = tmp_path / "deployment/policies" / f"plan_{place}" / "plan.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            text = yaml.safe_dump(document, allow_unicode=True, sort_keys=False)
            path.write_text(text, encoding="utf-8")
        return replace(settings, deployment=tmp_path / "deployment")

    return write


def changed(entry: Entry, changes: Entry) -> Entry:
    merged = {**deepcopy(entry), **changes}
    return {key: value for key, value in merged.items() if value is not GONE}


def plan_of(*parts: Entry) -> Entry:
    return {**PLAN, "items": [{**ITEM, "parts": list(parts)}]}


def test_the_project_has_five_plans_with_all_their_items(plans: tuple[Plan, ...]) -> None:
    assert {plan.policy_id: len(plan.items) for plan in plans} == ITEMS


@pytest.mark.parametrize("policy_id", ITEMS)
def test_every_item_has_words_a_clause_and_parts(plans: tuple[Plan, ...], policy_id: str) -> None:
    [plan] = [plan for plan in plans if plan.policy_id == policy_id]
    assert (PROJECT_ROOT / "policies" / policy_id / "plan.yaml").is_file()
    assert len({item.item_id for item in plan.items}) == len(plan.items)
    for item in plan.items:
        assert item.term_zh and item.text_en and item.clause and item.parts, item.item_id
        assert all(part.datasets for part in item.parts), item.item_id


@pytest.mark.parametrize(("part", "changes", "message"), WRONG_PARTS.values(), ids=WRONG_PARTS)
def test_a_wrong_part_is_refused_by_the_name_of_its_plan_and_item(
    written: Written, part: Entry, changes: Entry, message: str
) -> None:
    wrong = written(plan_of(changed(part, changes)))
    with pytest.raises(PlanError, match=f"^place_2021_2025 P01 .*{message}"):
        load_plans(wrong)


@pytest.mark.parametrize(("changes", "message"), WRONG_ITEMS.values(), ids=WRONG_ITEMS)
def test_a_wrong_item_is_refused_by_its_name(
    written: Written, changes: Entry, message: str
) -> None:
    item = changed({**ITEM, "parts": [PART]}, changes)
    with pytest.raises(PlanError, match=f"^place_2021_2025 {message}"):
        load_plans(written({**PLAN, "items": [item]}))


def test_an_item_without_an_id_is_refused_by_its_plan(written: Written) -> None:
    item = changed({**ITEM, "parts": [PART]}, {"item_id": GONE})
    with pytest.raises(PlanError, match=r"^place_2021_2025 \?: item_id missing"):
        load_plans(written({**PLAN, "items": [item]}))


def test_two_items_of_one_id_are_refused(written: Written) -> None:
    item = {**ITEM, "parts": [PART]}
    with pytest.raises(PlanError, match=r"^place_2021_2025 P01: the item stands twice"):
        load_plans(written({**PLAN, "items": [item, item]}))


@pytest.mark.parametrize(("changes", "message"), WRONG_PLANS.values(), ids=WRONG_PLANS)
def test_a_wrong_plan_is_refused_by_its_name(
    written: Written, changes: Entry, message: str
) -> None:
    with pytest.raises(PlanError, match=message):
        load_plans(written(changed(plan_of(PART), changes)))


def test_a_file_that_holds_no_plan_is_refused_by_its_path(written: Written) -> None:
    with pytest.raises(PlanError, match=r"plan_0.plan\.yaml: expected names and values"):
        load_plans(written(["P01"]))


@pytest.mark.parametrize("aggregate", ["growth", "growth_over_rural", "minimum"])
def test_incomes_of_a_set_whose_areas_have_no_code_are_refused(
    written: Written, aggregate: str
) -> None:
    sets = {"zones": {"label_zh": "功能区", "without_code": ["功能区"]}}
    part = {**INCOME, "aggregate": aggregate, "area_set": "zones"}
    with pytest.raises(PlanError, match=r"^place_2021_2025 P01 main: incomes of 'zones' cannot"):
        load_plans(written({**plan_of(part), "area_sets": sets}))


def test_a_growth_of_incomes_of_villages_is_refused_and_their_minimum_is_not(
    written: Written,
) -> None:
    part = {**INCOME, "area_levels": ["county", "village"]}
    with pytest.raises(PlanError, match=r"^place_2021_2025 P01 main: area level of a growth"):
        load_plans(written(plan_of({**part, "aggregate": "growth"})))
    assert load_plans(written(plan_of({**part, "aggregate": "minimum"})))


def test_an_area_set_that_is_no_list_is_refused(written: Written) -> None:
    sets = {"near": {"label_zh": "近处", "areas": "330324001000"}}
    plans = load_plans(written({**plan_of(PART), "area_sets": sets}))
    with pytest.raises(PlanError, match="expected a list, found '330324001000'"):
        plan_area_rows(plans)


def test_a_population_that_nobody_defined_is_refused_by_the_name_of_the_part(
    written: Written,
) -> None:
    wrong = written(plan_of({**INCOME, "population": "everybody"}))
    with pytest.raises(PolicyError, match=r"^place_2021_2025 P01 main: no population 'everybody'"):
        reference_rows(wrong, "target")


def test_a_part_that_leaves_out_what_is_unknown_of_its_own_value_is_refused(
    written: Written,
) -> None:
    mean = changed(PART, {"aggregate": "mean", "meets": GONE, "value": "total_yuan"})
    wrong = {**mean, "where": "is_on_roll and total_yuan is not null"}
    message = r"^place_2021_2025 P01 main: `where` leaves out rows whose total_yuan is unknown"
    with pytest.raises(PlanError, match=message):
        reference_rows(written(plan_of(wrong)), "target")
    unreadable = {**mean, "where": "is_on_roll and"}
    with pytest.raises(PlanError, match=r"^place_2021_2025 P01 main: 'is_on_roll and' cannot"):
        reference_rows(written(plan_of(unreadable)), "target")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"base": "village_profile", "meets": "is_key_village"},
            r"'is_on_roll': village_profile has no column 'is_on_roll'; it has area_code, .*"
            "is_key_village, ",
        ),
        ({"meets": "house_unsafe"}, "household_profile has no column 'house_unsafe'; it has .*"),
        (
            {"base": "finance__small_loan", "meets": "person_name = ''"},
            "finance__small_loan has no column 'person_name'; it has .*is_on_roll, ",
        ),
        ({"base": "family_profile"}, r"no base 'family_profile'; a base is one of \['household_"),
        ({"meets": "(select true)"}, "is no plain condition"),
    ],
)
def test_a_part_over_what_no_contract_has_is_refused_before_anything_is_made(
    written: Written, contracts: dict[str, Contract], changes: Entry, message: str
) -> None:
    wrong = written(plan_of(changed(PART, changes)))
    with pytest.raises(PlanError, match=f"^place_2021_2025 P01 main: .*{message}"):
        figure_tables(wrong, contracts)


def test_a_duty_over_what_no_contract_has_is_refused_before_anything_is_made(
    written: Written, contracts: dict[str, Contract]
) -> None:
    wrong = written(plan_of(PART))
    event = {"dataset": "agriculture__cadre_visit", "where": "visit_mood = 'good'"}
    duty = {
        "item_id": "P01",
        "label_zh": "家访",
        "label_en": "a visit",
        "responsible": "干部",
        "entity": "household",
        "period": "month",
        "due_months": 0,
        "event": event,
    }
    path = wrong.deployment / "policies/plan_0/duties.yaml"
    document = {"policy_id": "place_2021_2025", "duties": {"visit": duty}}
    path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    message = "^place_2021_2025 visit: .*agriculture__cadre_visit has no column 'visit_mood'"
    with pytest.raises(PlanError, match=message):
        figure_tables(wrong, contracts)


def test_every_word_that_an_item_may_hold_is_told_to_contributors() -> None:
    told = (PROJECT_ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = told.partition("\nA plan is a folder")[2].partition("\nA duty is an entry")[0]
    words = [*KINDS, *EVALUATIONS, *(each.name for kind in (Item, Part) for each in fields(kind))]
    assert [word for word in words if f"`{word}`" not in section] == []


def test_a_plan_added_as_a_folder_is_read_without_code(written: Written) -> None:
    income = {**ITEM, "item_id": "P02", "parts": [INCOME]}
    attested = {**ITEM, "item_id": "P03", "evaluation": "attested", "parts": [TASK]}
    added = written({**plan_of(PART), "items": [{**ITEM, "parts": [PART]}, income, attested]})
    for table, name in (("plan", "policy_id"), ("plan_area", "policy_id"), ("target", "policy_id")):
        assert {row[name] for row in reference_rows(added, table)} == {"place_2021_2025"}
    items = [row["item_id"] for row in reference_rows(added, "policy_item")]
    assert items == ["P01", "P02", "P03"]


def test_a_deployment_may_bring_several_plans(written: Written) -> None:
    other = {**plan_of(PART), "policy_id": "place_2016_2020", "start_year": 2016, "end_year": 2025}
    names = [plan.policy_id for plan in load_plans(written(plan_of(PART), other))]
    assert names == ["place_2021_2025", "place_2016_2020"]


def test_an_overlay_without_a_plan_keeps_the_plans_of_the_project(
    settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "policies/place").mkdir(parents=True)
    plans = load_plans(replace(settings, deployment=tmp_path))
    assert {plan.policy_id for plan in plans} == set(ITEMS)


def test_a_part_is_asked_in_every_year_and_level_and_has_its_threshold_in_some(
    written: Written, settings: Settings
) -> None:
    rows = target_rows(load_plans(written(plan_of(PART))), settings)
    years = range(2021, 2026)
    assert [(row["year"], row["area_level"]) for row in rows] == [
        (year, level) for year in years for level in ("county", "town")
    ]
    assert {row["year"]: row["threshold"] for row in rows} == {
        2021: None,
        2022: 1,
        2023: None,
        2024: None,
        2025: 1,
    }
    assert {row["has_target"] for row in rows} == {True}
    assert {row["period_type"] for row in rows} == {"year"}


def test_a_figure_without_thresholds_sets_no_target_and_a_task_does(
    written: Written, settings: Settings
) -> None:
    figure = {key: PART[key] for key in PART if key not in ("comparator", "thresholds")}
    parts = (figure, {**TASK, "part": "task"}, {**FIGURE, "part": "figure"})
    rows = target_rows(load_plans(written(plan_of(*parts))), settings)
    assert {row["part"]: row["has_target"] for row in rows} == {
        "main": False,
        "task": True,
        "figure": False,
    }


def test_what_offices_report_and_attest_comes_from_their_own_lists(written: Written) -> None:
    loaded = load_plans(written(plan_of({**TASK, "part": "task"}, FIGURE)))
    [item] = loaded[0].items
    assert {part.part: part.datasets for part in item.parts} == {
        "task": ("general__task_attestation",),
        "main": ("general__area_report",),
    }


def test_a_part_over_a_dataset_needs_it_and_names_it_once(written: Written) -> None:
    loan = {
        **PART,
        "base": "finance__small_loan",
        "datasets": ["agriculture__household_roll", "finance__small_loan"],
    }
    [item] = load_plans(written(plan_of(loan)))[0].items
    assert item.parts[0].datasets == ("finance__small_loan", "agriculture__household_roll")


def test_an_amount_is_in_the_currency_of_the_deployment(
    written: Written, settings: Settings
) -> None:
    loaded = load_plans(written(plan_of(FIGURE)))
    assert {row["unit"] for row in target_rows(loaded, settings)} == {settings.currency_en}


def test_a_set_of_areas_lists_codes_and_then_units_that_have_none(written: Written) -> None:
    rows = plan_area_rows(load_plans(written(plan_of({**PART, "area_set": "near"}))))
    assert [(row["unit_place"], row["area_code"], row["unit_name"]) for row in rows] == [
        (1, "330324001000", None),
        (2, "330324002000", None),
        (3, None, "功能区"),
    ]
    assert {(row["policy_id"], row["area_set"]) for row in rows} == {("place_2021_2025", "near")}


def test_a_plan_and_its_items_keep_what_they_say(written: Written) -> None:
    item = {
        **ITEM,
        "parts": [PART],
        "level": 2,
        "departments": ["housing", "agriculture"],
        "readings": {"unsafe": "grade C or D", "household": "on the roll"},
    }
    loaded = load_plans(written({**PLAN, "items": [item]}))
    [row] = plan_rows(loaded)
    assert row == {name: PLAN[name] for name in PLAN if name != "area_sets"}
    [told] = item_rows(loaded)
    assert told["document"] == "文件"
    assert told["departments"] == "housing,agriculture"
    assert told["item_level"] == 2
    assert told["reading_text"] == "unsafe: grade C or D; household: on the roll"


def test_the_minimum_of_w06_is_a_reading_that_is_named(plans: tuple[Plan, ...]) -> None:
    wenzhou = next(plan for plan in plans if plan.policy_id == "wenzhou_2018_2022")
    item = next(item for item in wenzhou.items if item.item_id == "W06")
    assert item.parts[0].aggregate == "minimum"
    assert set(item.readings) == {"per_head", "minimum"}


def test_a_year_is_divided_into_its_periods() -> None:
    starts: dict[object, list[object]] = {}
    for row in period_rows():
        starts.setdefault(row["period_type"], []).append(row["month_of_year"])
    assert starts == {
        "year": [1],
        "half_year": [1, 7],
        "quarter": [1, 4, 7, 10],
        "month": list(range(1, 13)),
    }


@pytest.mark.parametrize(
    "document",
    [
        {**PLAN, "items": ["P01"]},
        {**PLAN, "items": [{**ITEM, "parts": ["main"]}]},
        {**plan_of(PART), "start_year": "2021"},
        plan_of({**PART, "thresholds": [1]}),
        plan_of({**PART, "thresholds": {2022: "all"}}),
    ],
    ids=[
        "an item that is a word",
        "a part that is a word",
        "a year that is a word",
        "thresholds without years",
        "a threshold that is a word",
    ],
)
def test_words_in_the_place_of_entries_and_numbers_are_refused(
    written: Written, document: Entry
) -> None:
    with pytest.raises(PlanError, match="place_2021_2025"):
        load_plans(written(document))


@pytest.mark.parametrize(
    "changes",
    [
        {**INCOME, "base": "household_profile"},
        {**INCOME, "period": "quarter"},
        {
            **PART,
            "geography": "every",
            "unit_level": "town",
            "comparator": GONE,
            "thresholds": GONE,
        },
        {**PART, "unit_level": "ward", "geography": "every"},
        {**INCOME, "since": "plan_start"},
        {**PART, "since": "first_roll"},
        {**PART, "since": "plan_start", "aggregate": "count", "meets": GONE},
        {**PART, "since": "plan_start", "base": "human_resources__training"},
        {**PART, "since": "plan_start", "period": "month"},
    ],
    ids=[
        "incomes of a population over a base",
        "incomes of a quarter",
        "every unit has to reach nothing",
        "every unit of an unknown level",
        "incomes since the plan began",
        "since an unknown moment",
        "a count since the plan began",
        "a share of rows since the plan began",
        "months since the plan began",
    ],
)
def test_a_part_that_nothing_can_compute_is_refused(written: Written, changes: Entry) -> None:
    with pytest.raises(PlanError, match=r"^place_2021_2025 P01 main"):
        load_plans(written(plan_of(changed({}, changes))))

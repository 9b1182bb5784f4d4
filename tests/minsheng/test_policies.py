"""Policies are dated, by area, and complete; what nobody decided raises."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import yaml

from minsheng.plans import PlanError
from minsheng.policies import (
    PolicyError,
    area_codes,
    code_words,
    load_series,
    policy_hash,
    reference_rows,
    rule_value,
)
from minsheng.settings import PROJECT_ROOT, Settings, load_settings

WENZHOU = "330300000000"
YONGJIA = "330324000000"
PINGYANG = "330326000000"
HANGZHOU = "330100000000"
VILLAGE = "330324001001"
WRONG_RULES = {
    "two values hold in area 000000000000 on 2020-06-01": """
        rule:
          {label_zh: 规则, label_en: rule, unit: persons, areas: ['000000000000'], values: {
            2020-06-01: {value: 2, reference: b},
            2020-01-01: {until: 2020-06-01, value: 1, reference: a}}}
        """,
    "two values hold in area 000000000000 on 2021-01-01": """
        rule:
          {label_zh: 规则, label_en: rule, unit: persons, areas: ['000000000000'], values: {
            2021-01-01: {value: 2, reference: b},
            2020-01-01: {value: 1, reference: a}}}
        """,
    "ends 2019-12-31 before its 2020-01-01": """
        rule:
          {label_zh: 规则, label_en: rule, unit: persons, areas: ['000000000000'], values: {
            2020-01-01: {until: 2019-12-31, value: 1, reference: a}}}
        """,
    "from 2020-01-01 on it has either a value or a formula": """
        rule:
          {label_zh: 规则, label_en: rule, unit: persons, areas: ['000000000000'], values: {
            2020-01-01: {value: 1, formula: 2 * dibao_rural_month, reference: a}}}
        """,
    "from 2020-06-01 on it has either a value or a formula": """
        rule:
          {label_zh: 规则, label_en: rule, unit: persons, areas: ['000000000000'], values: {
            2020-06-01: {reference: a}}}
        """,
    "rule rule: year_reading 'mean' is none of": """
        rule:
          {label_zh: 规则, label_en: rule, unit: persons, areas: ['000000000000'],
            year_reading: mean, values: {2020-01-01: {value: 1, reference: a}}}
        """,
}

Overlay = Callable[..., Settings]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(tmp_path_factory.mktemp("home"), "demo")


@pytest.fixture
def overlay(settings: Settings, tmp_path: Path) -> Overlay:
    """A deployment whose overlay of policies holds the files given by their path."""

    def make(**files: str) -> Settings:
        deployment = tmp_path / "deployment"
        for name, text in files.items():
            folder, file = name.split("__")
            path = deployment / "policies" / folder / f"{file}.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return replace(settings, deployment=deployment)

    return make


@pytest.mark.parametrize(
    ("day", "value"),
    [
        (date(2018, 1, 1), 5000),
        (date(2019, 12, 31), 5000),
        (date(2020, 1, 1), 10000),
        (date(2022, 12, 31), 10000),
    ],
)
def test_a_rule_has_the_value_of_the_day(settings: Settings, day: date, value: float) -> None:
    assert rule_value(settings, "medical_self_paid_yuan", YONGJIA, day) == value


def test_the_city_s_floor_is_9600_and_its_level_18000(settings: Settings) -> None:
    assert rule_value(settings, "income_floor", YONGJIA, date(2022, 6, 1)) == 9600
    assert rule_value(settings, "income_level", WENZHOU, date(2018, 12, 31)) == 18000


@pytest.mark.parametrize(
    ("decided_by", "holds_in", "not_in"),
    [
        ("000000000000", (HANGZHOU, YONGJIA, VILLAGE, "110000000000"), ()),
        ("330000000000", (HANGZHOU, YONGJIA, VILLAGE), ("110000000000",)),
        (WENZHOU, (WENZHOU, YONGJIA, PINGYANG, VILLAGE), (HANGZHOU, "330000000000")),
        (YONGJIA, (YONGJIA, VILLAGE), (PINGYANG, WENZHOU)),
    ],
)
def test_a_value_holds_in_its_area_and_in_all_areas_below(
    overlay: Overlay, decided_by: str, holds_in: tuple[str, ...], not_in: tuple[str, ...]
) -> None:
    found = overlay(
        place__rules=f"""
        rule: {{label_zh: 规则, label_en: rule, unit: persons, areas: ['{decided_by}'],
          values: {{2020-01-01: {{value: 7, reference: a}}}}}}
        """
    )
    for area in holds_in:
        assert rule_value(found, "rule", area, date(2020, 1, 1)) == 7
    for area in not_in:
        with pytest.raises(PolicyError):
            rule_value(found, "rule", area, date(2020, 1, 1))


@pytest.mark.parametrize(
    ("rule", "area", "day"),
    [
        ("income_floor", YONGJIA, date(2023, 1, 1)),
        ("income_floor", YONGJIA, date(2017, 12, 31)),
        ("income_floor", HANGZHOU, date(2022, 1, 1)),
        ("no_such_rule", YONGJIA, date(2022, 1, 1)),
    ],
)
def test_a_day_for_which_nobody_decided_raises_with_rule_area_and_day(
    settings: Settings, rule: str, area: str, day: date
) -> None:
    with pytest.raises(PolicyError) as raised:
        rule_value(settings, rule, area, day)
    assert rule in str(raised.value)
    assert area in str(raised.value)
    assert day.isoformat() in str(raised.value)


@pytest.mark.parametrize(("message", "rules"), WRONG_RULES.items())
def test_values_that_contradict_themselves_raise(
    overlay: Overlay, message: str, rules: str
) -> None:
    with pytest.raises(PolicyError, match=message):
        reference_rows(overlay(place__rules=rules), "rule_value")


def test_a_signal_with_an_unknown_comparator_raises(overlay: Overlay) -> None:
    signal = (
        "s: {label_zh: 信号, label_en: signal, measure_id: m, comparator: '=', "
        "threshold_rule: one_member, cause_code: income, points: 1}"
    )
    with pytest.raises(PolicyError, match="comparator '=' is none of < <= > >="):
        reference_rows(overlay(place__signals=signal), "signal")


@pytest.mark.parametrize(
    "rules", ["threshold_rule: lost", "threshold_rule: one_member, factor_rule: lost"]
)
def test_a_signal_with_a_rule_that_nobody_wrote_raises(overlay: Overlay, rules: str) -> None:
    signal = (
        "s: {label_zh: 信号, label_en: signal, measure_id: m, comparator: '<', "
        f"{rules}, cause_code: income, points: 1}}"
    )
    with pytest.raises(PolicyError, match="signal s: no rule 'lost'"):
        reference_rows(overlay(place__signals=signal), "signal")


@pytest.mark.parametrize(
    ("was", "becomes", "message"),
    [
        ("population: low_income\n", "population: everybody\n", "W01 main: no population 'every"),
        ("comparator: '>'", "comparator: above", "W01 main: comparator 'above' is none of"),
    ],
)
def test_a_target_of_an_unknown_population_or_comparator_raises(
    overlay: Overlay, was: str, becomes: str, message: str
) -> None:
    plan = (PROJECT_ROOT / "policies/wenzhou_2018_2022/plan.yaml").read_text(encoding="utf-8")
    assert was in plan
    with pytest.raises((PolicyError, PlanError), match=message):
        reference_rows(overlay(wenzhou__plan=plan.replace(was, becomes)), "target")


def test_a_deployment_replaces_a_rule_and_keeps_the_others(
    settings: Settings, overlay: Overlay
) -> None:
    replaced = overlay(
        place__rules=f"""
        entry_points:
          {{label_zh: 分值, label_en: points, unit: points, areas: ['{YONGJIA}'],
           values: {{2018-01-01: {{value: 30, clause: 三, reference: 县级文件}}}}}}
        """
    )
    day = date(2022, 6, 1)
    assert rule_value(settings, "entry_points", YONGJIA, day) == 15
    assert rule_value(replaced, "entry_points", YONGJIA, day) == 30
    assert rule_value(replaced, "watch_months", YONGJIA, day) == 12
    with pytest.raises(PolicyError):
        rule_value(replaced, "entry_points", PINGYANG, day)
    assert policy_hash(replaced) != policy_hash(settings)


def test_a_deployment_replaces_a_signal_and_a_code_list(overlay: Overlay) -> None:
    replaced = overlay(
        place__signals="""
        uninsured: {label_zh: 未参保, label_en: uninsured, measure_id: uninsured_member_count,
          comparator: '>', threshold_rule: one_member, cause_code: safety_net, points: 99}
        """,
        place__codes="""
        sex:
          - {code: '1', label_zh: 男, label_en: male, synonyms: [男性]}
          - {code: '2', label_zh: 女, label_en: female}
        """,
    )
    signals = {row["signal_id"]: row for row in reference_rows(replaced, "signal")}
    assert (signals["uninsured"]["comparator"], signals["uninsured"]["points"]) == (">", 99)
    assert signals["benefit_stopped"]["points"] == 15
    words = code_words(replaced)
    assert words["sex"] == {"1": "1", "男": "1", "男性": "1", "2": "2", "女": "2"}
    assert words["relation"]["户主"] == "02"


def test_a_deployment_with_a_plan_of_its_own_has_only_that(overlay: Overlay) -> None:
    plan = """
        policy_id: place_2021_2025
        title_zh: 计划
        title_en: plan
        document: 文件
        area_code: '330324000000'
        start_year: 2021
        end_year: 2025
        first_roll_year: 2021
        income_concept: disposable_income
        items: []
        """
    replaced = overlay(place__plan=plan)
    assert [row["policy_id"] for row in reference_rows(replaced, "plan")] == ["place_2021_2025"]
    assert reference_rows(replaced, "policy_item") == []


def test_every_item_of_every_plan_has_clause_document_and_words(settings: Settings) -> None:
    items = reference_rows(settings, "policy_item")
    wenzhou = [row["item_id"] for row in items if row["policy_id"] == "wenzhou_2018_2022"]
    assert wenzhou == [f"W{number:02}" for number in range(1, 100)]
    for item in items:
        assert all(item[name] for name in ("clause", "document", "term_zh", "text_en")), item


def test_the_targets_of_incomes_are_those_of_the_plan(settings: Settings) -> None:
    targets = {
        (row["item_id"], row["aggregate"], row["comparator"], row["threshold"], row["population"])
        for row in reference_rows(settings, "target")
        if row["policy_id"] == "wenzhou_2018_2022" and row["population"]
    }
    assert targets == {
        ("W01", "growth", ">", 0.10, "low_income"),
        ("W02", "growth_over_rural", ">", 0, "low_income"),
        ("W03", "growth", ">=", 0.15, "low_income_with_labour"),
        ("W05", "minimum", ">=", 9600, "low_income"),
        ("W06", "minimum", ">=", 18000, "low_income_with_labour"),
    }


def test_every_value_of_a_rule_names_its_document(settings: Settings) -> None:
    for row in reference_rows(settings, "rule_value"):
        assert row["document"], row


def test_every_signal_has_a_threshold_in_every_year_of_the_plan(settings: Settings) -> None:
    spans = {
        (row["rule_id"], row["effective_from"], row["effective_to"])
        for row in reference_rows(settings, "rule_value")
        if row["area_code"] in ("000000000000", "330000000000", WENZHOU)
    }
    signals = reference_rows(settings, "signal")
    named = {row[name] for row in signals for name in ("threshold_rule_id", "factor_rule_id")}
    assert len(signals) == 13
    for rule in named - {None}:
        for day in (date(year, month, 1) for year in range(2018, 2023) for month in (1, 12)):
            assert any(
                rule_id == rule and str(start) <= day.isoformat() <= str(end)
                for rule_id, start, end in spans
            ), f"{rule} has no value on {day}"


def test_every_code_list_that_a_column_names_exists(settings: Settings) -> None:
    columns = yaml.safe_load(
        (PROJECT_ROOT / "expectations/columns.yaml").read_text(encoding="utf-8")
    )
    named = {words["codes"] for words in columns.values() if "codes" in words}
    lists = {row["code_list"] for row in reference_rows(settings, "code")}
    assert named <= lists


def test_codes_that_policies_name_stand_in_their_lists(settings: Settings) -> None:
    codes: dict[object, set[object]] = {}
    for row in reference_rows(settings, "code"):
        codes.setdefault(row["code_list"], set()).add(row["code"])
    named = (
        ("signal", "cause_code", "cause"),
        ("risk_level", "level", "risk_level"),
        ("object_type", "object_type_code", "object_type"),
        ("policy_item", "kind", "item_kind"),
        ("policy_item", "evaluation", "evaluation"),
        ("target", "area_level", "area_level"),
        ("target", "evaluation", "evaluation"),
        ("area", "area_level", "area_level"),
        ("area_succession", "succession_code", "area_succession"),
        ("income_concept", "income_concept", "income_concept"),
    )
    for table, column, code_list in named:
        unknown = {row[column] for row in reference_rows(settings, table)} - codes[code_list]
        assert not unknown, f"{table}.{column}: {unknown}"


def test_a_word_that_a_department_writes_means_one_code(settings: Settings) -> None:
    entries = yaml.safe_load(
        (PROJECT_ROOT / "policies/shared/codes.yaml").read_text(encoding="utf-8")
    )
    for name, codes in entries.items():
        texts = [
            text
            for entry in codes
            for text in {entry["code"], entry["label_zh"], *entry.get("synonyms", ())}
        ]
        assert len(texts) == len(set(texts)), name


def test_areas_know_the_city_county_and_town_they_lie_in(settings: Settings) -> None:
    areas = {row["area_code"]: row for row in reference_rows(settings, "area")}
    village = areas["330324001001"]
    assert (village["city_code"], village["county_code"]) == (WENZHOU, YONGJIA)
    assert (village["town_code"], village["village_code"]) == ("330324001000", "330324001001")
    assert (areas[WENZHOU]["city_code"], areas[WENZHOU]["county_code"]) == (WENZHOU, None)


def test_an_area_lies_in_itself_and_in_all_above_it(settings: Settings) -> None:
    ancestors = [
        (row["ancestor_code"], row["ancestor_level"], row["distance"])
        for row in reference_rows(settings, "area_ancestor")
        if row["area_code"] == "330324001000"
    ]
    assert ancestors == [
        ("330324001000", "town", 0),
        (YONGJIA, "county", 1),
        (WENZHOU, "city", 2),
        ("330000000000", "province", 3),
    ]


def test_an_area_that_lies_in_itself_raises(overlay: Overlay, tmp_path: Path) -> None:
    turning = overlay(place__rules="{}")
    (tmp_path / "deployment/policies/place/areas.csv").write_text(
        "area_code,area_level,area_name,parent_code\n"
        "990000000000,county,甲,990100000000\n"
        "990100000000,town,乙,990000000000\n",
        encoding="utf-8",
    )
    with pytest.raises(PolicyError, match="lies in itself"):
        reference_rows(turning, "area")


def test_areas_are_listed_once(settings: Settings) -> None:
    path = PROJECT_ROOT / "policies/shared/areas.csv"
    listed = [line.split(",")[0] for line in path.read_text(encoding="utf-8").splitlines()[1:]]
    rows = reference_rows(settings, "area")
    former = [row["area_code"] for row in rows if row["effective_to"] is not None]
    codes = [str(row["area_code"]) for row in rows]
    assert len(codes) == len(set(codes)) == len(listed) + len(former)
    assert all(len(code) == 12 and code.isdigit() for code in codes)


def test_a_county_that_became_a_district_in_2015_is_found_under_both_codes(
    settings: Settings,
) -> None:
    areas = {row["area_code"]: row for row in reference_rows(settings, "area")}
    county, district = areas["330322000000"], areas["330305000000"]
    assert (county["area_name"], county["effective_to"]) == ("洞头县", date(2015, 7, 22))
    assert (district["area_name"], district["effective_from"]) == ("洞头区", date(2015, 7, 23))
    assert (county["city_code"], county["county_code"]) == (WENZHOU, "330322000000")
    assert {"330322000000", "330305000000"} <= area_codes(settings)


def test_an_area_exists_from_its_first_day_at_its_level_under_whatever_code(
    settings: Settings,
) -> None:
    areas = {row["area_code"]: row["existing_from"] for row in reference_rows(settings, "area")}
    assert areas["330305000000"] is None, "洞头区 took the place of 洞头县"
    assert areas["330383000000"] == date(2019, 8, 16), "龙港市 took that of a town"
    assert areas["330383198000"] == date(2019, 8, 16), "and so did what lies in it"
    assert areas["330114000000"] == date(2021, 3, 11), "钱塘区 was made of parts of others"
    assert areas["330300000000"] is None


def test_an_old_code_leads_to_the_area_that_holds_the_whole_place_today(
    settings: Settings,
) -> None:
    today = {row["area_code"]: row for row in reference_rows(settings, "area_today")}
    assert today["330322000000"]["today_code"] == "330305000000"
    town = today["330327101000"]
    assert (town["today_code"], town["county_code"]) == ("330383000000", "330383000000")
    assert today["330327000000"]["today_code"] == "330327000000", "it lost a town and goes on"
    assert today[VILLAGE]["today_code"] == today[VILLAGE]["village_code"] == VILLAGE
    divided = today["330104000000"]
    assert divided["today_code"] is None, "its parts lie in two districts; nobody guesses"


def test_every_succession_names_its_document_and_its_day(settings: Settings) -> None:
    rows = reference_rows(settings, "area_succession")
    assert {row["succession_code"] for row in rows} >= {"upgraded", "split", "merged"}
    for row in rows:
        assert row["document"] and isinstance(row["effective_from"], date), row


def test_every_town_of_civil_affairs_lies_in_a_listed_county(settings: Settings) -> None:
    towns = reference_rows(settings, "civil_affairs_town")
    codes = [str(row["civil_affairs_code"]) for row in towns]
    assert len(codes) == len(set(codes)) > 0
    for row in towns:
        assert str(row["civil_affairs_code"])[:6] == str(row["county_code"])[:6], row
        assert "民政部" in str(row["origin"])
    assert {row["county_code"] for row in towns} <= area_codes(settings)


AREAS = """area_code,area_level,area_name,parent_code
990000000000,city,甲,
990100000000,county,乙,990000000000
990200000000,county,丙,990000000000
"""


def ended(code: str, *successors: tuple[str, str]) -> str:
    """A county that ended in 2020, with the code and kind of each successor."""
    told = ", ".join(
        f"{{new_code: '{new_code}', from: 2021-01-01, kind: {kind}, reference: a}}"
        for new_code, kind in successors
    )
    return (
        f"'{code}': {{level: county, name: 丁, parent_code: '990000000000', until: 2020-12-31, "
        f"successors: [{told}]}}\n"
    )


@pytest.mark.parametrize(
    ("former", "message"),
    [
        (ended("990300000000", ("990900000000", "recoded")), "no area '990900000000' is listed"),
        (ended("990300000000", ("990100000000", "renamed")), "kind 'renamed' is none of"),
        (
            ended("990300000000", ("990100000000", "merged"), ("990200000000", "merged")),
            "990300000000: the whole area has several successors",
        ),
        (ended("990100000000"), "areas.csv lists it as one of today"),
        ("'990300000000': {successors: []}", "990300000000: no level"),
        (
            ended("990300000000", ("990400000000", "recoded"))
            + ended("990400000000", ("990300000000", "recoded")),
            "is its own successor",
        ),
    ],
)
def test_a_succession_that_leads_nowhere_or_to_several_places_raises(
    overlay: Overlay, tmp_path: Path, former: str, message: str
) -> None:
    wrong = overlay(place__former_areas=former)
    path = tmp_path / "deployment/policies/place/areas.csv"
    path.write_text(AREAS, encoding="utf-8")
    with pytest.raises(PolicyError, match=message):
        reference_rows(wrong, "area_today")


def test_a_deployment_with_areas_of_its_own_has_no_former_areas_of_others(
    overlay: Overlay, tmp_path: Path
) -> None:
    own = overlay(place__rules="{}")
    (tmp_path / "deployment/policies/place/areas.csv").write_text(AREAS, encoding="utf-8")
    assert len(reference_rows(own, "area")) == 3
    assert reference_rows(own, "area_succession") == []
    assert reference_rows(own, "civil_affairs_town") == []


def test_two_plans_may_decide_one_rule_each_for_its_own_areas(overlay: Overlay) -> None:
    mine = "{label_zh: 线, label_en: line, unit: persons, areas: ['%s'], values: %s}"
    settings = overlay(
        plan_a__rules="my_line: "
        + mine % ("330300000000", "{2020-01-01: {value: 1, reference: a}}"),
        plan_b__rules="my_line: "
        + mine % ("330100000000", "{2020-01-01: {value: 2, reference: b}}"),
    )
    assert rule_value(settings, "my_line", "330324000000", date(2021, 1, 1)) == 1
    assert rule_value(settings, "my_line", "330102000000", date(2021, 1, 1)) == 2


def test_a_value_names_the_plan_that_decides_it(settings: Settings) -> None:
    plans = {row["rule_id"]: row["policy_id"] for row in reference_rows(settings, "rule_value")}
    assert plans["income_floor"] == "wenzhou_2018_2022"
    assert plans["watch_months"] is None


def test_a_series_that_does_not_say_where_its_value_comes_from_raises(overlay: Overlay) -> None:
    with pytest.raises(PolicyError, match=r"series mine: value, effective_from.* missing"):
        load_series(overlay(place__series="mine: {dataset: civil_affairs__dibao_standard}"))


CHAIN = """
    net_to_disposable:
      from: net_income
      to: disposable_income
      areas: ['330000000000', '330300000000']
      values: {2013: {value: 1.1, clause: 一, reference: a document}}
    """


def test_a_chain_restates_a_year_of_one_concept_in_each_of_its_areas(overlay: Overlay) -> None:
    rows = reference_rows(overlay(place__income_chains=CHAIN), "income_chain")
    chain = {
        "income_concept": "disposable_income",
        "base_concept": "net_income",
        "base_year": 2013,
        "factor": 1.1,
        "document": "a document",
        "clause": "一",
    }
    assert rows == [{**chain, "area_code": area} for area in ("330000000000", "330300000000")]


def test_the_project_gives_no_chain(settings: Settings) -> None:
    assert reference_rows(settings, "income_chain") == []


@pytest.mark.parametrize(
    ("was", "becomes", "message"),
    [
        ("from: net_income", "from: gross_income", "are not two of"),
        ("from: net_income", "from: disposable_income", "are not two of"),
        ("value: 1.1", "value: 0", "0 is no positive factor"),
        ("value: 1.1", "value: much", "'much' is no positive factor"),
        ("'330300000000'", "'330000000000'", "two factors hold in area 330000000000 for 2013"),
    ],
)
def test_a_chain_that_cannot_restate_is_refused_by_its_name(
    overlay: Overlay, was: str, becomes: str, message: str
) -> None:
    assert was in CHAIN
    with pytest.raises(PolicyError, match=f"net_to_disposable: .*{message}"):
        reference_rows(overlay(place__income_chains=CHAIN.replace(was, becomes)), "income_chain")


def test_there_are_two_assurances_three_guarantees_and_safe_water(settings: Settings) -> None:
    rows = {row["dimension_id"]: row for row in reference_rows(settings, "deprivation")}
    assert sorted(rows) == sorted(
        ["food", "clothing", "schooling", "medical_care", "safe_house", "safe_water"]
    )
    datasets = {path.stem for path in (settings.root / "expectations" / "staged").glob("*.yaml")}
    assert {row["source"] for row in rows.values()} <= datasets


def test_a_deprivation_without_a_positive_weight_is_refused(overlay: Overlay) -> None:
    entry = """
        warmth: {label_zh: 取暖, label_en: warmth, weight: 0, line: null, source: a__b,
          reading: none, clause: 一, reference: a document}
        """
    with pytest.raises(PolicyError, match="deprivation warmth: 0 is no positive weight"):
        reference_rows(overlay(place__deprivations=entry), "deprivation")


def test_a_line_that_a_deployment_lacks_tells_nothing_of_a_deprivation(overlay: Overlay) -> None:
    without = overlay(place__rules="income_floor: null")
    rows = {row["dimension_id"]: row for row in reference_rows(without, "deprivation")}
    assert rows["food"]["line_id"] is None


def test_a_report_in_any_unit_that_is_converted_is_not_doubted() -> None:
    settings = load_settings(PROJECT_ROOT, "demo")
    rows = reference_rows(settings, "report_unit")
    contract = (PROJECT_ROOT / "expectations" / "staged" / "general__area_report.yaml").read_text(
        encoding="utf-8"
    )
    [rule] = [each for each in yaml.safe_load(contract)["rules"] if each["name"] == "unit_is_known"]
    told = {str(row[name]) for row in rows for name in ("unit_text", "unit")}
    assert not sorted(each for each in told if f"'{each}'" not in rule["expression"])

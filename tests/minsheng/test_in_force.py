"""What is in force in an area on a day, and that a day nobody decided raises."""

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from minsheng.contracts import load_contracts
from minsheng.lookups import LOOKUPS, make_lookups
from minsheng.models import load_models
from minsheng.policies import PolicyError, reference_rows, rule_value
from minsheng.series import formula_selects, series_selects
from minsheng.settings import Settings, load_settings
from minsheng.warehouse import (
    WAREHOUSE_FILE,
    append_rows,
    open_warehouse,
    write_rows,
    write_table,
)

WENZHOU, YONGJIA, PINGYANG = "330300000000", "330324000000", "330326000000"
YONGJIA_TOWN, YANTAI, NATION = "330324001000", "370600000000", "000000000000"
RULES = """
twice_dibao:
  label_zh: 两倍低保标准
  label_en: twice the dibao standard
  unit: currency per person and year
  is_line: true
  areas: ['330300000000']
  values:
    2021-01-01:
      until: 2021-12-31
      formula: 12 * times_dibao * dibao_rural_month
      reference: 某通知
    2020-07-01: {until: 2020-12-31, value: 15000, reference: 某通知}

at_year_end:
  label_zh: 年末口径
  label_en: as at the end of the year
  unit: currency per person and year
  is_line: true
  year_reading: last_month
  areas: ['330300000000']
  values:
    2021-01-01:
      until: 2021-12-31
      formula: greatest(24 * dibao_rural_month, 19400)
      reference: 某通知

times_dibao:
  label_zh: 低保标准倍数
  label_en: times the dibao standard
  unit: times the standard
  areas: ['000000000000']
  values:
    2021-01-01: {until: 2021-12-31, value: 2, reference: 某通知}
"""
STANDARDS = (
    ("2020-01-01", None, "rural", 800, YONGJIA),
    ("2021-07-01", None, "rural", 815, YONGJIA),
    ("2021-07-01", None, "all", 1000, YONGJIA),
    ("2021-07-01", None, "urban", 900, YONGJIA),
)
"""From when, until when, for whom, yuan a month, and where; the later one holds."""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("place")
    own = folder / "deployment" / "policies" / "place"
    own.mkdir(parents=True)
    (own / "rules.yaml").write_text(RULES, encoding="utf-8")
    demo = load_settings(folder / "home", "demo")
    text = (demo.deployment / "settings.yaml").read_text(encoding="utf-8")
    (folder / "deployment" / "settings.yaml").write_text(text, encoding="utf-8")
    return load_settings(folder / "home", str(folder / "deployment"))


@pytest.fixture(scope="module")
def published(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """A file with the lines of 2020 and 2021, made as a build makes them, opened to read."""
    contracts = load_contracts(settings)
    rules = reference_rows(settings, "rule_value")
    standards = [
        {
            "delivery_id": "d",
            "row_number": place,
            "period_month": date(2021, 12, 1),
            "area_code": area,
            "assistance_code": "dibao",
            "residence_code": residence,
            "effective_from": first,
            "effective_to": last,
            "standard_yuan": yuan,
        }
        for place, (first, last, residence, yuan, area) in enumerate(STANDARDS)
    ]
    years = [{"household_id": "h", "year": year} for year in (2020, 2021)]
    given: dict[str, list[dict[str, object]]] = {
        "staged.civil_affairs__dibao_standard": standards,
        "staged.statistics__area_benchmark": [],
        "indicators.household_year": years,
        "meta.build": [{"as_of_month": date(2021, 12, 1)}],
        "reference.rule_value": rules,
    }
    for table in ("area", "area_ancestor", "area_today", "period", "plan"):
        given[f"reference.{table}"] = reference_rows(settings, table)
    with open_warehouse(settings, settings.builds / "lines") as warehouse:
        for name, rows in given.items():
            columns = [column.name for column in contracts[name].columns]
            filled = [{column: row.get(column) for column in columns} for row in rows]
            write_rows(warehouse, contracts[name], filled)
        for name, selects in (
            ("indicators.series_value", series_selects(settings, contracts)),
            ("indicators.formula_value", formula_selects(rules, settings)),
        ):
            write_rows(warehouse, contracts[name], [])
            for select in selects:
                append_rows(warehouse, contracts[name], select)
        model = load_models(settings.root)["indicators.poverty_line"]
        write_table(warehouse, contracts[model.name], model.sql)
        make_lookups(warehouse)
    with duckdb.connect(
        str(Path(settings.builds) / "lines" / WAREHOUSE_FILE), read_only=True
    ) as connection:
        yield connection


def asked(file: duckdb.DuckDBPyConnection, lookup: str, *values: object) -> Decimal:
    """What a lookup of the published file answers."""
    marks = ", ".join("?" * len(values))
    return Decimal(file.execute(f"select indicators.{lookup}({marks})", values).fetchall()[0][0])


def test_the_plans_in_force_are_those_of_the_area_and_above_it_on_the_day(
    published: duckdb.DuckDBPyConnection,
) -> None:
    for area, day, plans in (
        (YONGJIA, date(2018, 1, 1), ["wenzhou_2018_2022"]),
        (YONGJIA_TOWN, date(2022, 12, 31), ["wenzhou_2018_2022"]),
        (YONGJIA, date(2017, 12, 31), ["zhejiang_2013_2017"]),
        (YANTAI, date(2020, 6, 1), ["yantai_2016_2020"]),
    ):
        rows = published.execute(
            "select policy_id from reference.plan_on(?, ?)", [area, day]
        ).fetchall()
        assert [row[0] for row in rows] == plans


@pytest.mark.parametrize(
    ("area", "day"), [(YONGJIA, date(2023, 1, 1)), (WENZHOU, date(2012, 12, 31)), ("9", date.min)]
)
def test_a_day_without_a_plan_raises_with_area_and_day(
    published: duckdb.DuckDBPyConnection, area: str, day: date
) -> None:
    told = f"no plan is in force in area {area} on {day}"
    with pytest.raises(duckdb.InvalidInputException, match=told):
        published.execute("from reference.plan_on(?, ?)", [area, day])


@pytest.mark.parametrize(
    ("rule", "area", "day", "value"),
    [
        ("income_floor", YONGJIA, date(2018, 1, 1), "9600"),
        ("income_floor", YONGJIA_TOWN, date(2022, 12, 31), "9600"),
        ("watch_months", WENZHOU, date(2020, 6, 1), "12"),
        ("twice_dibao", YONGJIA, date(2020, 12, 31), "15000"),
        ("twice_dibao", YONGJIA, date(2021, 6, 30), "19200"),
        ("twice_dibao", YONGJIA, date(2021, 7, 1), "19560"),
        ("twice_dibao", YONGJIA_TOWN, date(2021, 7, 15), "19560"),
        ("at_year_end", YONGJIA, date(2021, 6, 30), "19400"),
    ],
)
def test_a_line_is_looked_up_by_area_and_day(
    published: duckdb.DuckDBPyConnection, rule: str, area: str, day: date, value: str
) -> None:
    assert asked(published, "rule_on", rule, area, day) == Decimal(value)


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (
            lambda file: asked(file, "rule_on", "income_floor", YONGJIA, date(2023, 1, 1)),
            f"nobody has decided rule income_floor for area {YONGJIA} on 2023-01-01; its plans: .*"
            "温州市推进低收入农户高水平全面小康计划",
        ),
        (
            lambda file: asked(file, "rule_on", "no_rule", YONGJIA, date(2021, 1, 1)),
            f"nobody has decided rule no_rule for area {YONGJIA} on 2021-01-01; its plans: none",
        ),
        (
            lambda file: asked(file, "rule_on", "income_floor", YANTAI, date(2020, 1, 1)),
            f"nobody has decided rule income_floor for area {YANTAI}",
        ),
        (
            lambda file: asked(file, "rule_on", "twice_dibao", PINGYANG, date(2021, 8, 1)),
            rf"twice_dibao is 12 \* times_dibao \* dibao_rural_month in area {PINGYANG} on "
            "2021-08-01, and what it is made of has no value there",
        ),
        (
            lambda file: asked(file, "line_of", "twice_dibao", YONGJIA, 2020),
            f"twice_dibao has no value in area {YONGJIA} in 2020: .*a part of the months alone",
        ),
        (
            lambda file: asked(file, "line_of", "twice_dibao", PINGYANG, 2021),
            "the formula lacks dibao_rural_month",
        ),
        (
            lambda file: asked(file, "line_of", "twice_dibao", YONGJIA, 2019),
            f"nobody has decided line twice_dibao for area {YONGJIA} in 2019",
        ),
        (
            lambda file: asked(
                file, "standard_on", "dibao_rural_month", PINGYANG, date(2021, 1, 1)
            ),
            f"no dibao_rural_month was delivered for area {PINGYANG} on 2021-01-01",
        ),
    ],
)
def test_what_nobody_decided_raises_with_rule_area_and_day(
    published: duckdb.DuckDBPyConnection,
    ask: Callable[[duckdb.DuckDBPyConnection], Decimal],
    told: str,
) -> None:
    with pytest.raises(duckdb.InvalidInputException, match=told):
        ask(published)


def test_a_year_has_the_mean_of_its_months_or_what_the_rule_reads(
    published: duckdb.DuckDBPyConnection,
) -> None:
    assert asked(published, "line_of", "twice_dibao", YONGJIA, 2021) == Decimal("19380.00")
    assert asked(published, "line_of", "at_year_end", YONGJIA, 2021) == Decimal("19560.00")


@pytest.mark.parametrize(
    ("series", "day", "value"),
    [
        ("dibao_rural_month", date(2020, 1, 1), 800),
        ("dibao_rural_month", date(2021, 6, 30), 800),
        ("dibao_rural_month", date(2021, 7, 1), 815),
        ("dibao_urban_month", date(2021, 7, 1), 900),
    ],
)
def test_a_standard_holds_until_a_later_one_begins(
    published: duckdb.DuckDBPyConnection, series: str, day: date, value: int
) -> None:
    assert asked(published, "standard_on", series, YONGJIA, day) == value


def test_a_formula_is_not_looked_up_without_what_was_delivered(settings: Settings) -> None:
    with pytest.raises(PolicyError, match=r"ask the published file: select indicators\.rule_on"):
        rule_value(settings, "twice_dibao", YONGJIA, date(2021, 6, 1))
    assert rule_value(settings, "twice_dibao", YONGJIA, date(2020, 8, 1)) == 15000


@pytest.mark.parametrize(
    ("formula", "told"),
    [
        ("24 * dibao", "'dibao' is no series and no rule with plain values"),
        ("24 * at_year_end", "'at_year_end' is no series and no rule with plain values"),
        ("24 *", "cannot be read"),
        ("(select 1)", "is no plain condition"),
    ],
)
def test_a_formula_of_what_is_not_there_is_refused_by_its_rule(
    settings: Settings, formula: str, told: str
) -> None:
    rules = [
        {**row, "formula": formula} if row["rule_id"] == "twice_dibao" and row["formula"] else row
        for row in reference_rows(settings, "rule_value")
    ]
    with pytest.raises(PolicyError, match="rule twice_dibao: .*" + told.replace("'", ".")):
        list(formula_selects(rules, settings))


def test_every_lookup_says_in_both_languages_what_it_is(
    published: duckdb.DuckDBPyConnection,
) -> None:
    rows = published.execute(
        "select schema_name || '.' || function_name, comment from duckdb_functions()"
    ).fetchall()
    told = {name: comment for name, comment in rows if name in LOOKUPS}
    assert set(told) == set(LOOKUPS)
    assert all(" · " in comment for comment in told.values())

"""Any CSV or Parquet file is measured, and what cannot be measured is told in a line."""

import csv
import io
import json
import math
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner, Result

from minsheng.measure_files import Roles, measure_file
from minsheng.measures import MEASURES
from pipelines.cli import app

HEADER = "户编号,人均收入,人口,县\n"
ROWS = (
    "1,0,1,甲县\n2,500,2,甲县\n3,1000,1,乙县\n4,1000,3,乙县\n5,2000,2,乙县\n"
    "6,4000,1,甲县\n7,8000,1,甲县\n"
)
HAND = HEADER + ROWS


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_text(text, encoding=encoding)
    return path


@pytest.fixture
def hand(tmp_path: Path) -> Path:
    return write(tmp_path / "hand.csv", HAND)


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["measures", *map(str, words)])


def values(result: Result) -> dict[str, float]:
    assert result.exit_code == 0, result.stderr
    return {row["measure"]: row["value"] for row in json.loads(result.stdout)}


def told(result: Result) -> str:
    assert result.exit_code == 1
    assert not result.stdout
    (line,) = result.stderr.strip().splitlines()
    return line.removeprefix("minsheng: ")


OPTIONS = ("--welfare", "人均收入", "--weight", "人口", "--format", "json")


def test_every_measure_of_a_file_is_printed_as_json(hand: Path) -> None:
    result = run(hand, *OPTIONS, "--line", 1000)
    rows = json.loads(result.stdout)
    assert [row["measure"] for row in rows] == list(MEASURES)
    assert {tuple(row) for row in rows} == {("by", "measure", "value", "standard_error")}
    assert {row["by"] for row in rows} == {None}
    found = values(result)
    assert found["headcount"] == pytest.approx(3 / 11)
    assert found["gini"] == pytest.approx(0.5238095238)


def test_each_value_of_a_column_is_measured_apart(hand: Path) -> None:
    result = run(hand, *OPTIONS, "--line", 1000, "--by", "县")
    rows = json.loads(result.stdout)
    headcounts = {row["by"]: row["value"] for row in rows if row["measure"] == "headcount"}
    assert headcounts == {"甲县": 3 / 5, "乙县": 0}


def test_codes_that_begin_with_zero_stay_texts(tmp_path: Path) -> None:
    path = write(tmp_path / "codes.csv", "code,income\n01,5\n1,7\n")
    rows = json.loads(run(path, "--welfare", "income", "--by", "code", "--format", "json").stdout)
    means = {row["by"]: row["value"] for row in rows if row["measure"] == "mean"}
    assert means == {"01": 5, "1": 7}


def test_columns_may_be_called_as_those_of_the_result(tmp_path: Path) -> None:
    path = write(tmp_path / "names.csv", "by,value\n1,5\n1,7\n2,8\n")
    rows = json.loads(run(path, "--welfare", "by", "--by", "value", "--format", "json").stdout)
    assert {row["by"]: row["value"] for row in rows if row["measure"] == "mean"} == {
        "5": 1,
        "7": 1,
        "8": 2,
    }


def test_a_group_of_parquet_may_be_of_any_type(tmp_path: Path) -> None:
    path = tmp_path / "types.parquet"
    frame = pl.DataFrame(
        {"income": [1.0, 2.0, 4.0], "flag": [True, False, None], "number": [1, 1, 2]}
    ).with_columns(
        pl.date(2020, 1, pl.col("number")).alias("day"),
        pl.col("number").cast(pl.Decimal(9, 2)).alias("amount"),
        pl.col("number").cast(pl.String).cast(pl.Categorical).alias("kind"),
    )
    frame.write_parquet(path)
    for column, first in (("flag", False), ("number", 1), ("day", "2020-01-01"), ("kind", "1")):
        units = ("--household", "amount", "--stratum", "kind")
        result = run(path, "--welfare", "income", "--by", column, "--format", "json", *units)
        assert json.loads(result.stdout)[0]["by"] == first
    units = ("--household", "day", "--stratum", "number")
    assert run(path, "--welfare", "income", *units).exit_code == 0


def test_without_a_line_there_is_no_poverty_to_tell(hand: Path) -> None:
    found = values(run(hand, *OPTIONS))
    assert "headcount" not in found
    assert "gini" in found


def test_parquet_and_csv_give_the_same_digits(hand: Path, tmp_path: Path) -> None:
    path = tmp_path / "hand[1].parquet"
    pl.read_csv(hand).with_columns(pl.col("人均收入").cast(pl.Decimal(12, 2))).write_parquet(path)
    options = (*OPTIONS, "--line", 1000, "--household", "户编号")
    assert run(path, *options).stdout == run(hand, *options).stdout


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030", "utf-16"])
def test_chinese_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path / "hand.csv", HAND, encoding)
    assert values(run(path, *OPTIONS))["population"] == 11


def test_cells_without_a_number_and_the_row_of_totals_are_left_out(tmp_path: Path) -> None:
    text = HEADER + '1,"1,200.50",2,甲\n2,NA,1,甲\n3,—,1,甲\n4, 800 ,1,甲\n合计,2000.5,5,\n'
    found = values(run(write(tmp_path / "cells.csv", text), *OPTIONS))
    assert found["population"] == 3
    assert found["mean"] == pytest.approx((2 * 1200.5 + 800) / 3)


def test_not_a_number_in_parquet_is_unknown(tmp_path: Path) -> None:
    path = tmp_path / "gaps.parquet"
    pl.DataFrame({"income": [1.0, math.nan, None, 3.0]}).write_parquet(path)
    found = measure_file(path, Roles("income"))
    assert found.filter(pl.col("measure") == "mean").row(0)[:3] == (None, "mean", 2.0)


def test_households_as_sampling_units_have_larger_errors(tmp_path: Path) -> None:
    rows = "".join(f"{place // 4},{100 + 7 * (place // 4)}\n" for place in range(200))
    path = write(tmp_path / "persons.csv", "household,income\n" + rows)
    errors = []
    for unit in ((), ("--household", "household")):
        found = run(path, "--welfare", "income", "--format", "json", *unit)
        errors += [r["standard_error"] for r in json.loads(found.stdout) if r["measure"] == "mean"]
    assert errors[1] / errors[0] == pytest.approx(2, rel=0.02)


def test_a_register_has_no_sampling_error(hand: Path) -> None:
    rows = json.loads(run(hand, *OPTIONS, "--register").stdout)
    assert {row["standard_error"] for row in rows} == {None}


def test_csv_has_the_bounds_as_well(hand: Path) -> None:
    result = run(hand, *OPTIONS[:4], "--by", "县", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert list(rows[0]) == ["by", "measure", "value", "standard_error", "lower", "upper"]
    assert len(rows) == 2 * (len(MEASURES) - 5)
    assert float(rows[1]["lower"]) < float(rows[1]["value"]) < float(rows[1]["upper"])


def test_the_table_is_for_readers(hand: Path) -> None:
    alone = run(hand, *OPTIONS[:4], "--line", 1000).stdout.splitlines()
    assert alone[0].split() == ["measure", "value", "standard_error", "lower", "upper"]
    assert alone[2].split()[:2] == ["mean", "1,909.09"]
    apart = run(hand, *OPTIONS[:4], "--by", "县").stdout.splitlines()
    assert apart[1].split()[:2] == ["乙县", "population"]


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        (HAND, ("--welfare", "income"), "data.csv: has no column income"),
        (
            HAND,
            ("--welfare", "人均收入", "--weight", "权重"),
            "data.csv: has no column 权重; it has 户编号, 人均收入, 人口, 县",
        ),
        (
            HAND,
            ("--welfare", "县"),
            "data.csv: 县 has text that is no number, first in row 2",
        ),
        (
            "收入,人口\n10,-1\n20,1\n",
            ("--welfare", "收入", "--weight", "人口"),
            "a weight is negative",
        ),
        (
            "收入,人口\n10,\n20,1\n",
            ("--welfare", "收入", "--weight", "人口"),
            "人口: 1 rows have none",
        ),
        (
            "收入,户\n10,\n20,1\n",
            ("--welfare", "收入", "--household", "户"),
            "户: 1 rows have none",
        ),
        ("收入,人口\n10,0\n", ("--welfare", "收入", "--weight", "人口"), "nobody with a welfare"),
        ("收入,人口\n,1\n", ("--welfare", "收入", "--weight", "人口"), "nobody with a welfare"),
        ("收入,人口\n", ("--welfare", "收入"), "there is nobody with a welfare"),
        ("收入,人口\n1e999,1\n", ("--welfare", "收入"), "a welfare is not a finite number"),
        ("", ("--welfare", "收入"), "empty"),
        (HAND, ("--welfare", "人均收入", "--line", "-5"), "a poverty line is a positive number"),
        (
            "收入,人口\n10,1,3\n",
            ("--welfare", "收入"),
            "data.csv: row 2 has 3 cells and its header 2",
        ),
    ],
)
def test_what_cannot_be_measured_is_told_in_a_line(
    tmp_path: Path, text: str, options: tuple[str, ...], expected: str
) -> None:
    assert expected in told(run(write(tmp_path / "data.csv", text), *options))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert "there is no such file" in told(run(tmp_path / "none.csv", "--welfare", "x"))
    assert "there is no such file" in told(run(tmp_path, "--welfare", "x"))


def test_parquet_that_is_none_and_dates_as_welfare_are_told(tmp_path: Path) -> None:
    broken = write(tmp_path / "broken.parquet", "no parquet at all")
    assert told(run(broken, "--welfare", "x")).startswith("broken.parquet: ")
    dates = tmp_path / "dates.parquet"
    pl.DataFrame({"x": ["2020-01-01"]}).with_columns(pl.col("x").str.to_date()).write_parquet(dates)
    assert told(run(dates, "--welfare", "x")) == "dates.parquet: x is of type Date and no number"
    assert "has no column y; it has x" in told(run(dates, "--welfare", "y"))


def test_no_value_of_a_row_is_repeated(tmp_path: Path) -> None:
    path = write(tmp_path / "names.csv", "姓名,收入\n王小伟,三千\n")
    assert "三千" not in told(run(path, "--welfare", "收入"))

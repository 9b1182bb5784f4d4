"""Real survey households through the same flow; their figures against figures made by hand."""

import codecs
import csv
import gzip
import io
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Literal

import duckdb
import polars as pl
import pytest

from minsheng.lake import Receipt
from minsheng.project import Project
from minsheng.settings import PROJECT_ROOT, load_settings
from tests.minsheng.desk import Desk

ROUNDS = Path(os.environ.get("EPH_ROUNDS") or PROJECT_ROOT / "examples" / "eph" / "rounds")
FILES = {"2020": "usu_hogar_t120.txt.gz", "2021": "usu_hogar_t121.txt.gz"}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all((ROUNDS / name).is_file() for name in FILES.values()),
        reason=f"the survey's rounds are not in {ROUNDS}; set EPH_ROUNDS to a folder that has them",
    ),
]

Household = tuple[Decimal | None, int, int]
"""Income of the month or None if unanswered, members, weight."""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    home = tmp_path_factory.mktemp("eph")
    example = PROJECT_ROOT / "examples" / "eph" / "run.py"
    finished = subprocess.run(
        [sys.executable, str(example), str(ROUNDS), "--home", str(home)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    path = home / "published" / "current" / "minsheng.duckdb"
    with duckdb.connect(str(path), read_only=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def households() -> dict[str, dict[str, Household]]:
    """By year and household, read with nothing but the csv module."""
    found: dict[str, dict[str, Household]] = defaultdict(dict)
    for year, name in FILES.items():
        with gzip.open(ROUNDS / name, "rt", encoding="latin-1", newline="") as stream:
            for row in csv.DictReader(stream, delimiter=";"):
                unanswered = row["DECCFR"] in ("12", "NA")
                income = None if unanswered else Decimal(row["ITF"])
                key = f"{row['CODUSU']}-{row['NRO_HOGAR']}"
                found[year][key] = (income, int(row["IX_TOT"]), int(row["PONDIH"]))
    return found


# ── the same round as other offices might write it ──────────────────────────────────────────────

ROUND = FILES["2021"]
DATASET = "agriculture__household_income"
Rows = list[list[str]]


def eph_desk(home: Path) -> Desk:
    """The deployment's project over an empty home."""
    return Desk(
        Project(load_settings(home, deployment=str(PROJECT_ROOT / "examples/eph/deployment")))
    )


def take_round(home: Path, content: bytes) -> tuple[Receipt, pl.DataFrame]:
    """The receipt of a round, and its typed rows without where they came from."""
    desk = eph_desk(home)
    receipt = desk.take(DATASET, "usu_hogar_2021-03.txt", content, day="2021-10-01")
    return receipt, desk.typed(receipt).drop("delivery_id")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Rows, pl.DataFrame]:
    """The rows of the round as text, its header first, and as they are typed."""
    content = gzip.decompress((ROUNDS / ROUND).read_bytes())
    receipt, typed = take_round(tmp_path_factory.mktemp("original"), content)
    assert (receipt.rows_received, receipt.rows_refused) == (15423, 0)
    lines = io.StringIO(content.decode("latin-1"), newline="")
    return list(csv.reader(lines, delimiter=";")), typed


def written(
    rows: Rows,
    delimiter: str = ";",
    end: str = "\r\n",
    quoting: Literal[0, 1] = csv.QUOTE_MINIMAL,
    after: str = "",
    after_header: str = "",
) -> bytes:
    """Rows as text; each line has something after it."""
    target = io.StringIO(newline="")
    csv.writer(target, delimiter=delimiter, lineterminator="\n", quoting=quoting).writerows(rows)
    header, *lines = target.getvalue().splitlines()
    return "".join([header + after_header + end, *(line + after + end for line in lines)]).encode()


def with_more_columns(rows: Rows) -> Rows:
    added = [[f"MAS{place}" for place in range(9)], *[["NA", "0", "", "1,5"] + ["x"] * 5] * 15423]
    return [row[:20] + more + row[20:] for row, more in zip(rows, added, strict=True)]


def with_other_names(rows: Rows) -> Rows:
    """Income sources that nobody reads are called otherwise, and are unknown."""
    places = [place for place, name in enumerate(rows[0]) if name.startswith("V")]
    assert len(places) > 10
    renamed = [f"{name}_M" if place in places else name for place, name in enumerate(rows[0])]
    return [renamed, *[["NA" if p in places else c for p, c in enumerate(row)] for row in rows[1:]]]


VARIANTS: dict[str, Callable[[Rows], bytes]] = {
    "nine more columns": lambda rows: written(with_more_columns(rows)),
    "every cell quoted": lambda rows: written(rows, quoting=csv.QUOTE_ALL),
    "no cell quoted": written,
    "line feeds alone": lambda rows: written(rows, end="\n"),
    "a delimiter at the end of every line": lambda rows: written(rows, after=";", after_header=";"),
    "a delimiter at the end of every row": lambda rows: written(rows, after=";"),
    "commas": lambda rows: written(rows, delimiter=",", quoting=csv.QUOTE_ALL),
    "tabs": lambda rows: written(rows, delimiter="\t"),
    "other names and NA": lambda rows: written(with_other_names(rows)),
    "a mark of UTF-8": lambda rows: codecs.BOM_UTF8 + written(rows),
    "UTF-16": lambda rows: written(rows).decode().encode("utf-16"),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_round_written_otherwise_gives_the_same_rows(
    tmp_path: Path, original: tuple[Rows, pl.DataFrame], variant: str
) -> None:
    rows, expected = original
    receipt, typed = take_round(tmp_path, VARIANTS[variant](rows))
    assert (receipt.status, receipt.rows_refused) == ("taken", 0)
    assert typed.equals(expected)


def mean(households: list[Household]) -> Decimal:
    income = sum((each[0] * each[2] for each in households if each[0] is not None), Decimal(0))
    return income / sum(each[1] * each[2] for each in households if each[0] is not None)


def test_every_row_of_every_round_is_accepted(database: duckdb.DuckDBPyConnection) -> None:
    rows = database.execute(
        "select period, rows_received, rows_refused from meta.delivery order by period"
    ).fetchall()
    assert [row[0] for row in rows] == ["2020-03", "2020-06", "2021-03"]
    assert [row[1] for row in rows] == [16845, 11976, 15423]
    assert {row[2] for row in rows} == {0}


def test_growth_of_all_and_of_those_met_twice_is_what_a_hand_count_gives(
    database: duckdb.DuckDBPyConnection, households: dict[str, dict[str, Household]]
) -> None:
    growth = dict(
        database.execute(
            "select list_basis, growth_rate from indicators.income_growth "
            "where area_level = 'city' and year = 2021 and price_basis = 'nominal'"
        ).fetchall()
    )
    everyone = mean(list(households["2021"].values())) / mean(list(households["2020"].values())) - 1
    both = [
        key
        for key, household in households["2021"].items()
        if household[0] is not None and households["2020"].get(key, (None,))[0] is not None
    ]
    stayers = (
        mean([households["2021"][key] for key in both])
        / mean([households["2020"][key] for key in both])
        - 1
    )
    assert growth["refreshed"] == pytest.approx(float(everyone), rel=1e-12)
    assert growth["stayers"] == pytest.approx(float(stayers), rel=1e-12)
    assert growth["stayers"] != pytest.approx(growth["refreshed"], rel=0.1)


def test_an_unanswered_income_is_unknown_and_not_zero(
    database: duckdb.DuckDBPyConnection, households: dict[str, dict[str, Household]]
) -> None:
    [(unknown, zero)] = database.execute(
        "select count(*) filter (where total_yuan is null), "
        "count(*) filter (where total_yuan = 0) from indicators.household_year where year = 2021"
    ).fetchall()
    incomes = [household[0] for household in households["2021"].values()]
    assert (unknown, zero) == (incomes.count(None), incomes.count(Decimal(0)))


def test_components_are_unknown_and_the_currency_is_in_the_column_list(
    database: duckdb.DuckDBPyConnection,
) -> None:
    [(components,)] = database.execute(
        "select count(wage_yuan) + count(transfer_yuan) from indicators.household_year"
    ).fetchall()
    assert components == 0
    [(unit,)] = database.execute(
        "select unit from meta.columns "
        "where table_name = 'household_year' and column_name = 'per_capita_yuan'"
    ).fetchall()
    assert unit == "pesos per person"


def test_only_income_signals_fire(database: duckdb.DuckDBPyConnection) -> None:
    fired = {
        row[0]
        for row in database.execute(
            "select distinct signal_id from risk.household_signal"
        ).fetchall()
    }
    assert fired == {"income_below_line", "income_near_line", "income_drop"}

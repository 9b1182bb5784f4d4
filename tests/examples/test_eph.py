"""Real survey households through the same flow; their figures against figures made by hand."""

import csv
import gzip
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from minsheng.settings import PROJECT_ROOT

ROUNDS = Path(os.environ.get("EPH_ROUNDS") or PROJECT_ROOT / "examples" / "eph" / "rounds")
FILES = {"2020": "usu_hogar_t120.txt.gz", "2021": "usu_hogar_t121.txt.gz"}

pytestmark = pytest.mark.skipif(
    not all((ROUNDS / name).is_file() for name in FILES.values()),
    reason=f"the survey's rounds are not in {ROUNDS}; set EPH_ROUNDS to a folder that has them",
)

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

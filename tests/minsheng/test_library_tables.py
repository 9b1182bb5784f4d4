"""What the published tables of the measure library have to add up to, whatever the households."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minsheng.contracts import Contract, load_contracts
from minsheng.distribution import distribution_of
from minsheng.library_tables import LIBRARY_TABLES
from minsheng.measures import OF_LINE, generalised_entropy, measure
from minsheng.poverty_change import growth_incidence, growth_of_poorest, pro_poor_growth
from minsheng.settings import load_settings

Row = Mapping[str, object]

CITY, COUNTY, OTHER_COUNTY = "330300000000", "330324000000", "330326000000"
TOWNS = {"330324001000": COUNTY, "330324002000": COUNTY, "330326100000": OTHER_COUNTY}
LINE = 9600
DIMENSIONS = ("food", "clothing", "schooling", "medical_care", "safe_house", "safe_water")
NOT_READ_TWICE = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

household = st.fixed_dictionaries(
    {
        "area_code": st.sampled_from(sorted(TOWNS)),
        "has_labour": st.sampled_from([True, False, None]),
        "cause_code": st.sampled_from(["illness", "schooling", None]),
        "member_count": st.integers(min_value=1, max_value=5),
        # what each of three years has per head: a loss, nothing, the line, or unknown
        "incomes": st.tuples(
            *[
                st.sampled_from([None, -500, 0, LINE - 1, LINE])
                | st.integers(min_value=1, max_value=30_000)
            ]
            * 3
        ),
        "lacks": st.tuples(*[st.sampled_from([True, False, None])] * len(DIMENSIONS)),
    }
)
households = st.lists(household, min_size=1, max_size=12)


@pytest.fixture(scope="module")
def contracts() -> dict[str, Contract]:
    return load_contracts(load_settings(deployment="demo"))


@pytest.fixture(scope="module")
def connection(contracts: dict[str, Contract]) -> Iterator[duckdb.DuckDBPyConnection]:
    """Every table that the library's tables read, empty but for the areas and the policies."""
    with duckdb.connect() as opened:
        names = {name for table in LIBRARY_TABLES.values() for name in table.reads}
        for name in sorted(names):
            columns = ", ".join(
                f"{each.name} {each.duckdb_type}" for each in contracts[name].columns
            )
            opened.execute(f"create schema if not exists {name.split('.')[0]}")
            opened.execute(f"create table {name} ({columns})")
        above = {CITY: "city", COUNTY: "county", OTHER_COUNTY: "county"}
        ancestors = [(code, code, level, 0) for code, level in above.items()]
        ancestors += [(code, CITY, "city", 1) for code in (COUNTY, OTHER_COUNTY)]
        for town, county in TOWNS.items():
            ancestors += [(town, town, "town", 0), (town, county, "county", 1)]
            ancestors += [(town, CITY, "city", 2)]
        columns_of = ("area_code", "ancestor_code", "ancestor_level", "distance")
        rows = [dict(zip(columns_of, row, strict=True)) for row in ancestors]
        write(opened, "reference.area_ancestor", rows)
        write(
            opened,
            "reference.area",
            [
                {"area_code": town, "county_code": county, "town_code": town}
                for town, county in TOWNS.items()
            ],
        )
        write(opened, "reference.population", [{"population": "low_income"}])
        write(
            opened,
            "reference.deprivation",
            [
                {"dimension_id": name, "dimension_weight": place % 2 + 1, "source": "a__b"}
                for place, name in enumerate(DIMENSIONS)
            ],
        )
        areas = [*above, *TOWNS]
        write(
            opened,
            "indicators.poverty_line",
            [
                {"area_code": area, "year": year, "line_id": "floor", "line_yuan": LINE}
                for area in areas
                for year in (2019, 2020, 2021)
            ],
        )
        write(
            opened,
            "indicators.concept_factor",
            [
                {
                    "area_code": area,
                    "year": year,
                    "income_concept": "disposable_income",
                    "base_concept": "disposable_income",
                    "factor": 1,
                }
                for area in areas
                for year in (2019, 2020, 2021)
            ],
        )
        write(
            opened,
            "reference.rule_value",
            [
                {
                    "rule_id": "deprivation_cutoff",
                    "area_code": "000000000000",
                    "effective_from": "2013-01-01",
                    "effective_to": "2030-12-31",
                    "value": 2,
                }
            ],
        )
        yield opened


def write(connection: duckdb.DuckDBPyConnection, name: str, rows: Sequence[Row]) -> None:
    connection.execute(f"delete from {name}")
    frame = pl.DataFrame(
        {key: [None if row[key] is None else str(row[key]) for row in rows] for key in rows[0]},
        schema=dict.fromkeys(rows[0], pl.String),
    )
    connection.register("rows_to_write", frame)
    connection.execute(f"insert into {name} by name from rows_to_write")
    connection.unregister("rows_to_write")


def fill(connection: duckdb.DuckDBPyConnection, listed: Sequence[Row]) -> None:
    """Write the households' years and what they lack."""
    years, lacking = [], []
    for number, each in enumerate(listed):
        incomes, lacks = each["incomes"], each["lacks"]
        assert isinstance(incomes, tuple) and isinstance(lacks, tuple)
        for year, per_head in zip((2019, 2020, 2021), incomes, strict=True):
            members = int(str(each["member_count"]))
            years.append(
                {
                    "household_id": f"h{number}",
                    "year": year,
                    "income_concept": "disposable_income",
                    "population_codes": "low_income",
                    "weight": 1,
                    "is_sample": False,
                    "total_yuan": None if per_head is None else per_head * members,
                    **{
                        key: each[key]
                        for key in ("area_code", "has_labour", "cause_code", "member_count")
                    },
                }
            )
            told = dict(zip((f"lacks_{name}" for name in DIMENSIONS), lacks, strict=True))
            lacking.append({"household_id": f"h{number}", "year": year, **told})
    write(connection, "indicators.household_year", years)
    write(connection, "indicators.household_deprivation", lacking)


def made(connection: duckdb.DuckDBPyConnection, table: str, where: str = "true") -> list[Row]:
    select = LIBRARY_TABLES[f"indicators.{table}"].select(connection)
    return connection.execute(f"from ({select}) where {where}").pl().to_dicts()


def number(value: object) -> float:
    return float(str(value))


def of_year(listed: Sequence[Row], year: int) -> list[tuple[float, float]]:
    """Income per head and persons of the households whose income of the year is known."""
    found = []
    for each in listed:
        incomes = each["incomes"]
        assert isinstance(incomes, tuple)
        if incomes[year - 2019] is not None:
            found.append((float(incomes[year - 2019]), float(str(each["member_count"]))))
    return found


@NOT_READ_TWICE
@given(households)
def test_growth_of_every_part_is_that_of_the_library(
    connection: duckdb.DuckDBPyConnection, listed: list[Row]
) -> None:
    fill(connection, listed)
    rows = made(connection, "growth_incidence", f"area_code = '{CITY}' and year = 2021")
    before, after = of_year(listed, 2020), of_year(listed, 2021)
    if not before or not after:
        assert rows == []
        return
    first, second = (distribution_of(*zip(*people, strict=True)) for people in (before, after))
    told = {row["income_group_code"]: row for row in rows}
    assert set(told) == {*(f"decile_{n}" for n in range(1, 11)), "bottom_40", "all"}
    for decile, old, new, growth in growth_incidence(first, second).rows():
        row = told[f"decile_{decile}"]
        assert (row["base_mean_yuan"], row["mean_yuan"], row["growth_rate"]) == (old, new, growth)
    assert told["bottom_40"]["growth_rate"] == growth_of_poorest(first, second)
    deciles = [number(told[f"decile_{n}"]["mean_yuan"]) for n in range(1, 11)]
    assert math.fsum(deciles) / 10 == pytest.approx(number(told["all"]["mean_yuan"]), abs=1e-6)
    bottom = number(told["bottom_40"]["mean_yuan"])
    assert math.fsum(deciles[:4]) / 4 == pytest.approx(bottom, abs=1e-6)
    assert deciles == sorted(deciles) or deciles == pytest.approx(sorted(deciles), abs=1e-6)


@NOT_READ_TWICE
@given(households)
def test_a_change_of_poverty_is_its_two_parts_and_goes_from_value_to_value(
    connection: duckdb.DuckDBPyConnection, listed: list[Row]
) -> None:
    fill(connection, listed)
    changes = made(connection, "poverty_change")
    values = {
        (row["area_code"], row["year"], row["measure"]): row["value"]
        for row in made(connection, "poverty_measure")
    }
    for row in changes:
        area, year = row["area_code"], int(str(row["year"]))
        assert row["value"] == values[area, year, row["measure"]]
        assert row["base_value"] == values[area, year - 1, row["measure"]]
        if row["growth_effect"] is not None:
            parts = number(row["growth_effect"]) + number(row["redistribution_effect"])
            change = number(row["value"]) - number(row["base_value"])
            assert parts == pytest.approx(change, abs=1e-9)
    in_city = {row["year"]: row for row in changes if row["area_code"] == CITY}
    for year, row in in_city.items():
        people = [
            distribution_of(*zip(*of_year(listed, int(str(each))), strict=True))
            for each in (int(str(year)) - 1, year)
        ]
        expected = pro_poor_growth(people[0], people[1], LINE)
        found = row["pro_poor_growth_rate"]
        assert (found is None) if math.isnan(expected) else found == pytest.approx(expected)


@NOT_READ_TWICE
@given(households)
def test_groups_add_up_to_the_whole(
    connection: duckdb.DuckDBPyConnection, listed: list[Row]
) -> None:
    fill(connection, listed)
    values = {
        (row["area_code"], row["year"], row["measure"]): number(row["value"])
        for row in made(connection, "poverty_measure")
        if row["value"] is not None
    }
    sums: dict[tuple[object, ...], list[Row]] = {}
    for row in made(connection, "poverty_by_group"):
        key = (row["area_code"], row["year"], row["measure"], row["group_kind_code"])
        sums.setdefault(key, []).append(row)
    assert {key[3] for key in sums} in ({"area", "cause", "labour"}, set())
    for (area, year, name, _), rows in sums.items():
        total = math.fsum(number(row["contribution"]) for row in rows)
        assert total == pytest.approx(values[area, year, name], abs=1e-9)
        assert math.fsum(number(row["population_share"]) for row in rows) == pytest.approx(1)
    for row in made(connection, "inequality_by_group"):
        parts = number(row["within_value"]) + number(row["between_value"])
        assert number(row["value"]) == pytest.approx(parts, abs=1e-9)
        if row["area_code"] == CITY:
            people = [each for each in of_year(listed, int(str(row["year"]))) if each[0] > 0]
            whole = generalised_entropy(distribution_of(*zip(*people, strict=True)), 0).value
            assert parts == pytest.approx(whole, abs=1e-9)


@NOT_READ_TWICE
@given(households)
def test_ways_into_and_out_of_poverty_are_those_counted_by_hand(
    connection: duckdb.DuckDBPyConnection, listed: list[Row]
) -> None:
    fill(connection, listed)
    kinds: dict[int, Counter[str]] = {2020: Counter(), 2021: Counter()}
    poor_years = 0
    for each in listed:
        incomes = each["incomes"]
        assert isinstance(incomes, tuple)
        was_poor = False
        for place, income in enumerate(incomes):
            before = incomes[place - 1] if place else None
            if income is not None and before is not None:
                is_poor, was = income < LINE, before < LINE
                kind = {
                    (True, True): "stays_poor",
                    (True, False): "exit",
                    (False, False): "stays_out",
                    (False, True): "return" if was_poor else "entry",
                }[was, is_poor]
                kinds[2019 + place][kind] += 1
            if income is not None and income < LINE:
                was_poor = True
                poor_years += 1
    found = made(connection, "poverty_transition", f"area_code = '{CITY}'")
    assert {int(str(row["year"])) for row in found} == {y for y, each in kinds.items() if each}
    for row in found:
        counts = {
            kind: row[f"{kind}_count"]
            for kind in ("entry", "return", "exit", "stays_poor", "stays_out")
        }
        told = kinds[int(str(row["year"]))]
        assert counts == {kind: told[kind] for kind in counts}
        assert row["household_count"] == told.total()
    moves = Counter(
        (int(str(row["year"])), str(row["poverty_transition_code"]))
        for row in made(connection, "poverty_move")
    )
    assert moves == Counter(
        {
            (year, kind): told[kind]
            for year, told in kinds.items()
            for kind in ("entry", "return", "exit")
            if told[kind]
        }
    )
    spells = made(connection, "poverty_spell")
    assert sum(int(str(row["spell_year_count"])) for row in spells) == poor_years
    histories = made(connection, "poverty_history")
    assert sum(int(str(row["poor_year_count"])) for row in histories) == poor_years
    assert sum(int(str(row["spell_count"])) for row in histories) == len(spells)


@NOT_READ_TWICE
@given(households)
def test_deprivations_add_up_and_what_is_unknown_lies_between_the_bounds(
    connection: duckdb.DuckDBPyConnection, listed: list[Row]
) -> None:
    fill(connection, listed)
    poverty = {
        (row["area_code"], row["unknown_basis_code"]): row
        for row in made(connection, "multidimensional_poverty", "year = 2021")
    }
    by_dimension: dict[tuple[object, object], list[Row]] = {}
    for row in made(connection, "deprivation_headcount", "year = 2021"):
        key = (row["area_code"], row["unknown_basis_code"])
        by_dimension.setdefault(key, []).append(row)
        counts = [number(row[f"{k}_person_count"]) for k in ("lacking", "secure", "unknown")]
        assert sum(counts) == number(poverty[row["area_code"], "as_secure"]["person_count"])
        assert row["is_measured"] == (counts[0] + counts[1] > 0)
    for key, whole in poverty.items():
        if whole["headcount_rate"] is None:
            continue
        adjusted = number(whole["adjusted_headcount_rate"])
        if whole["intensity_rate"] is not None:
            product = number(whole["headcount_rate"]) * number(whole["intensity_rate"])
            assert adjusted == pytest.approx(product)
        parts = [number(row["contribution"]) for row in by_dimension[key] if row["is_measured"]]
        assert math.fsum(parts) == pytest.approx(adjusted)
        for row in by_dimension[key]:
            if row["is_measured"]:
                assert number(row["censored_rate"]) <= number(row["uncensored_rate"]) + 1e-12
    # a cut-off of two weights, counted by hand in the city
    persons, poor = 0, 0
    measured = [
        place
        for place in range(len(DIMENSIONS))
        if any(each["lacks"][place] is not None for each in listed)  # type: ignore[index]
    ]
    for each in listed:
        lacks, members = each["lacks"], int(str(each["member_count"]))
        assert isinstance(lacks, tuple)
        persons += members
        lacking = sum(place % 2 + 1 for place in measured if lacks[place])
        poor += members if lacking >= 2 else 0
    secure, lacking_all = poverty[CITY, "as_secure"], poverty[CITY, "as_lacking"]
    if secure["headcount_rate"] is not None:
        assert number(secure["headcount_rate"]) == pytest.approx(poor / persons)
        assert number(secure["headcount_rate"]) <= number(lacking_all["headcount_rate"]) + 1e-12


def test_every_measure_of_poverty_of_the_tables_is_that_of_the_library(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    listed: list[Row] = [
        {
            "area_code": "330324001000",
            "has_labour": True,
            "cause_code": None,
            "member_count": members,
            "incomes": incomes,
            "lacks": (None,) * 6,
        }
        for members, incomes in ((2, (4800, 9600, 9000)), (3, (12_000, 9599, 20_000)))
    ]
    fill(connection, listed)
    for row in made(connection, "poverty_change", f"area_code = '{CITY}' and year = 2020"):
        people = distribution_of(*zip(*of_year(listed, 2020), strict=True))
        assert row["value"] == measure(people, str(row["measure"]), LINE).value
        assert row["measure"] in OF_LINE


GROWTH_COMPOSITION = Path("sql/indicators/growth_composition.sql")
listing = st.none() | st.tuples(
    st.sampled_from(sorted(TOWNS)),
    st.none() | st.integers(min_value=1, max_value=30_000),
    st.integers(min_value=1, max_value=5),
)


@NOT_READ_TWICE
@given(st.lists(st.tuples(listing, listing), min_size=1, max_size=12))
def test_the_effects_sum_to_the_growth_and_only_the_lists_tell_who_came_and_left(
    connection: duckdb.DuckDBPyConnection,
    listed: list[tuple[tuple[str, int | None, int] | None, ...]],
) -> None:
    write(
        connection,
        "indicators.household_year",
        [
            {
                "household_id": f"h{number}",
                "year": 2020 + place,
                "income_concept": "disposable_income",
                "population_codes": "low_income" if told else None,
                "weight": 1,
                "area_code": told[0] if told else None,
                "total_yuan": told[1] if told else None,
                "member_count": told[2] if told else None,
            }
            for number, years in enumerate(listed)
            for place, told in enumerate(years)
        ],
    )
    rows = {
        str(row["area_code"]): row
        for row in connection.execute(GROWTH_COMPOSITION.read_text(encoding="utf-8"))
        .pl()
        .to_dicts()
    }
    for area in (CITY, COUNTY, OTHER_COUNTY, *TOWNS):
        within = [
            tuple(
                told if told and area in (CITY, TOWNS[told[0]], told[0]) else None for told in years
            )
            for years in listed
        ]
        means = []
        for place in (0, 1):
            known = [y[place] for y in within if y[place] and y[place][1] is not None]
            persons = sum(members for _, _, members in known)
            means.append(sum(income for _, income, _ in known) / persons if persons else None)
        if means[0] is None or means[1] is None:
            assert area not in rows
            continue
        row = rows.pop(area)
        growth = means[1] / means[0] - 1
        assert row["growth_rate"] == pytest.approx(growth, abs=1e-9)
        effects = [number(row[f"{of}_effect"]) for of in ("stayer", "entrant", "leaver", "known")]
        assert math.fsum(effects) == pytest.approx(growth, abs=1e-9)
        kinds: Counter[str] = Counter()
        for before, now in within:
            knew, knows = (bool(told and told[1] is not None) for told in (before, now))
            if knows and not before:
                kinds["entrant"] += 1
            if knew and not now:
                kinds["leaver"] += 1
            if before and now and (knew or knows):
                both = {(True, True): "stayer", (False, True): "newly_known"}
                kinds[both.get((knew, knows), "newly_unknown")] += 1
        names = ("stayer", "entrant", "leaver", "newly_known", "newly_unknown")
        assert {name: row[f"{name}_count"] for name in names} == {n: kinds[n] for n in names}
        assert kinds["entrant"] or row["entrant_effect"] == 0
        assert kinds["leaver"] or row["leaver_effect"] == 0
        if not kinds["newly_known"] and not kinds["newly_unknown"]:
            assert row["known_effect"] == 0
    assert rows == {}


# stratum, cluster, town, income per head (none: nobody told), members, weight, on low income
SAMPLE = (
    ("s1", "c1", "330324001000", 8_000, 2, 10.0, True),
    ("s1", "c1", "330324001000", 12_000, 3, 10.0, False),
    ("s1", "c2", "330324002000", 9_599, 1, 20.0, True),
    ("s1", "c3", "330324002000", 30_000, 4, 15.0, False),
    ("s2", "c1", "330326100000", 5_000, 5, 12.0, True),
    ("s2", "c4", "330326100000", 20_000, 2, 12.0, False),
    ("s2", "c4", "330326100000", None, 2, 12.0, True),
)


@pytest.fixture
def surveyed(connection: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """The library's tables with a sample of two strata, whose first clusters have one name."""
    columns = ("stratum", "cluster", "area_code", "income", "member_count", "weight")
    rows = []
    for sampled in SAMPLE:
        row = dict(zip(columns, sampled, strict=False))
        income, members = row.pop("income"), int(str(row["member_count"]))
        rows.append(
            {
                **row,
                "is_low_income": sampled[6],
                "income_concept": "disposable_income",
                "period_month": "2021-12-01",
                "total_yuan": None if income is None else int(str(income)) * members,
            }
        )
    survey = "staged.statistics__household_survey"
    write(connection, survey, rows)
    write(
        connection,
        "reference.area_today",
        [{"area_code": town, "today_code": town} for town in TOWNS],
    )
    yield connection
    connection.execute(f"delete from {survey}")


@pytest.mark.parametrize(
    ("area", "population"), [(CITY, "all_rural"), (COUNTY, "all_rural"), (CITY, "low_income")]
)
def test_the_headcount_of_a_survey_has_the_error_of_its_design(
    surveyed: duckdb.DuckDBPyConnection, area: str, population: str
) -> None:
    """By the textbook: clusters' totals of weighted residuals, about their mean in each stratum."""
    asked = [
        row
        for row in SAMPLE
        if row[3] is not None
        and (area == CITY or TOWNS[row[2]] == area)
        and (population == "all_rural" or row[6])
    ]
    persons = math.fsum(row[4] * row[5] for row in asked)
    poor = math.fsum(row[4] * row[5] for row in asked if row[3] is not None and row[3] < LINE)
    rate = poor / persons
    totals = {(row[0], row[1]): 0.0 for row in SAMPLE if row[3] is not None}
    for stratum, cluster, _, income, members, weight, _ in asked:
        assert income is not None
        totals[stratum, cluster] += members * weight * ((income < LINE) - rate) / persons
    variance = 0.0
    for stratum in ("s1", "s2"):
        of_stratum = [total for (name, _), total in totals.items() if name == stratum]
        mean = math.fsum(of_stratum) / len(of_stratum)
        spread = math.fsum((total - mean) ** 2 for total in of_stratum)
        variance += len(of_stratum) / (len(of_stratum) - 1) * spread
    [row] = made(
        surveyed,
        "survey_measure",
        f"area_code = '{area}' and population = '{population}' and measure = 'headcount'",
    )
    assert number(row["value"]) == pytest.approx(rate, rel=1e-12)
    assert number(row["standard_error"]) == pytest.approx(math.sqrt(variance), rel=1e-9)
    assert row["person_count"] == round(persons)
    assert row["household_count"] == len(asked)
    assert (row["line_id"], row["error_basis_code"]) == ("floor", "design")


def test_without_a_survey_there_is_no_measure_of_one(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    assert made(connection, "survey_measure") == []

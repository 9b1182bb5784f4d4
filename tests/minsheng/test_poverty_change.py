"""What of a change is growth, what inequality, and who entered, left and came back."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minsheng.distribution import MeasureError, distribution_of
from minsheng.measures import OF_LINE, fgt, generalised_entropy, measure, watts
from minsheng.poverty_change import (
    count_transitions,
    growth_incidence,
    growth_of_poorest,
    histories,
    inequality_by_group,
    poverty_by_group,
    poverty_changes,
    pro_poor_growth,
    spells,
    transitions,
)

NAMES = ("household_id", "year", "is_poor")

incomes = st.lists(st.integers(min_value=1, max_value=30_000).map(float), min_size=1, max_size=20)


def statuses(**years: str) -> pl.DataFrame:
    """A letter a year from 2018 on: p poor, n not poor, ? not observed."""
    return pl.DataFrame(
        [
            (household, 2018 + place, {"p": True, "n": False, "?": None}[letter])
            for household, letters in years.items()
            for place, letter in enumerate(letters)
        ],
        {"household_id": pl.String, "year": pl.Int64, "is_poor": pl.Boolean},
        orient="row",
    )


@pytest.mark.parametrize(
    ("years", "expected"),
    [
        ("nn", ["stays_out"]),
        ("np", ["entry"]),
        ("pn", ["exit"]),
        ("pp", ["stays_poor"]),
        ("pnp", ["exit", "return"]),
        ("npnp", ["entry", "exit", "return"]),
        ("p?p", []),
        ("p?np", ["return"]),
    ],
)
def test_two_years_in_turn_make_a_transition(years: str, expected: list[str]) -> None:
    assert transitions(statuses(a=years), *NAMES)["transition"].to_list() == expected


def counted(**years: str) -> pl.DataFrame:
    """How many households made which transition, each with a weight of one."""
    changes = transitions(statuses(**years), *NAMES)
    return changes.group_by("from_year", "to_year", "transition").agg(
        pl.len().alias("household_count"), pl.len().alias("weight")
    )


def test_rates_are_of_those_who_could_enter_or_leave() -> None:
    found = count_transitions(counted(a="np", b="nn", c="nn", d="pn", e="pp"))
    assert found.rows(named=True) == [
        {
            "from_year": 2018,
            "to_year": 2019,
            "household_count": 5,
            "entry_count": 1,
            "return_count": 0,
            "exit_count": 1,
            "stays_poor_count": 1,
            "stays_out_count": 2,
            "entry_rate": 1 / 3,
            "exit_rate": 1 / 2,
        }
    ]


def test_where_nobody_was_poor_there_is_no_rate_of_exit() -> None:
    found = count_transitions(counted(a="np"))
    assert found.select("entry_rate", "exit_rate").row(0) == (1.0, None)


def test_a_spell_says_whether_its_ends_were_seen() -> None:
    found = spells(statuses(a="nppn", b="pnnp", c="p?pp", d="nnnn"), *NAMES)
    assert found.rows() == [
        ("a", 2019, 2020, 2, True, True),
        ("b", 2018, 2018, 1, False, True),
        ("b", 2021, 2021, 1, True, False),
        ("c", 2018, 2018, 1, False, False),
        ("c", 2020, 2021, 2, False, False),
    ]


def test_a_household_was_poor_never_always_once_or_again() -> None:
    found = histories(
        statuses(a="nnn", b="ppp", c="npp", d="pnp", e="p?n", f="p?p", g="???"), *NAMES
    )
    assert found.rows() == [
        ("a", 3, 0, 0, "never"),
        ("b", 3, 3, 1, "always"),
        ("c", 3, 2, 1, "once"),
        ("d", 3, 2, 2, "returned"),
        ("e", 2, 1, 1, "once"),
        ("f", 2, 2, 2, "always"),
    ]


def test_rounds_every_second_year_are_in_turn_if_it_is_said() -> None:
    rounds = statuses(a="n?p")
    assert transitions(rounds, *NAMES).is_empty()
    assert transitions(rounds, *NAMES, years_apart=2)["transition"].to_list() == ["entry"]
    assert spells(rounds, *NAMES, years_apart=2).row(0) == ("a", 2020, 2020, 1, True, False)


def test_a_household_with_two_rows_of_a_year_is_refused() -> None:
    twice = pl.concat([statuses(a="np"), statuses(a="p")])
    with pytest.raises(MeasureError, match="2 rows are of a household and year"):
        transitions(twice, *NAMES)


@given(incomes, incomes, st.sampled_from(sorted(OF_LINE)))
def test_growth_and_redistribution_add_up_to_the_change(
    before: list[float], after: list[float], name: str
) -> None:
    old, new = distribution_of(before), distribution_of(after)
    [parts] = poverty_changes(old, new, [name], 8000)
    change = measure(new, name, 8000).value - measure(old, name, 8000).value
    assert parts.total == pytest.approx(change, abs=1e-12)


def test_growth_alike_for_all_is_no_redistribution() -> None:
    before = distribution_of([2000, 5000, 9000, 20_000])
    [parts] = poverty_changes(before, before.scaled(1.5), ["poverty_gap"], 8000)
    assert parts.redistribution == pytest.approx(0, abs=1e-15)
    assert parts.growth < 0


def test_income_and_line_in_the_prices_of_each_year_give_the_same_parts() -> None:
    before, after = distribution_of([2000, 5000, 9000]), distribution_of([3000, 5000, 12_000])
    [real] = poverty_changes(before, after, ["severity"], 8000)
    [nominal] = poverty_changes(before, after.scaled(1.25), ["severity"], 8000, 10_000)
    assert nominal.growth == pytest.approx(real.growth, rel=1e-12)
    assert nominal.redistribution == pytest.approx(real.redistribution, rel=1e-12)


def test_inequality_is_no_poverty_to_decompose() -> None:
    people = distribution_of([1, 2])
    with pytest.raises(MeasureError, match="'gini' is no measure of poverty"):
        poverty_changes(people, people, ["gini"], 1)
    with pytest.raises(MeasureError, match="a poverty line is a positive number, not -1"):
        poverty_changes(people, people, ["headcount"], 1, -1)
    with pytest.raises(MeasureError, match="positive mean"):
        poverty_changes(distribution_of([0]), people, ["headcount"], 1)


COUNTIES = pl.DataFrame(
    {
        "county": ["b", "a", "a", "b", "b"],
        "income": [500.0, 2000.0, 4000.0, 900.0, None],
        "persons": [2, 1, 3, 4, 9],
    }
)


def test_contributions_of_groups_add_up_to_the_poverty_of_all() -> None:
    found = poverty_by_group(COUNTIES, "income", ["county"], "poverty_gap", 1000, "persons")
    everyone = distribution_of([500, 900, 2000, 4000], [2, 4, 1, 3])
    assert found["county"].to_list() == ["a", "b"]
    assert found["population_share"].to_list() == pytest.approx([0.4, 0.6])
    assert found["contribution"].sum() == pytest.approx(fgt(everyone, 1000, 1).value, rel=1e-15)
    assert found["contribution_share"].to_list() == [0, 1]
    with pytest.raises(MeasureError, match="'sen' does not decompose"):
        poverty_by_group(COUNTIES, "income", ["county"], "sen", 1000)


def test_inequality_within_and_between_is_that_of_all() -> None:
    found = inequality_by_group(COUNTIES, "income", ["county"], "persons")
    everyone = distribution_of([500, 900, 2000, 4000], [2, 4, 1, 3])
    assert found.total == pytest.approx(generalised_entropy(everyone, 0).value, rel=1e-12)
    assert 0 < found.within < found.between


def test_pro_poor_growth_is_the_mean_growth_of_the_percentiles_that_were_poor() -> None:
    chance = np.random.default_rng(4)
    income = np.sort(np.exp(chance.normal(9, 0.5, 1000)))
    rise = 1 + 0.1 * np.linspace(1, 0, 1000)
    before, after = distribution_of(income), distribution_of(income * rise)
    line = income[400] - 1e-6  # of a poor person who leaves, the index counts up to the line
    poor_after = income * rise < line
    reached = np.where(poor_after, income * rise, line)[:400]
    expected = float(np.mean(np.log(reached / income[:400])))
    assert pro_poor_growth(before, after, line) == pytest.approx(expected, rel=1e-3)
    exact = (watts(before, line) - watts(after, line)).value / fgt(before, line, 0).value
    assert pro_poor_growth(before, after, line) == pytest.approx(exact, rel=1e-12)
    assert math.isnan(pro_poor_growth(before, after, 1.0))


def test_eight_per_cent_more_for_all_is_the_growth_of_every_part() -> None:
    before = distribution_of([1000, 3000, 7000, 50_000], [3, 2, 2, 1])
    found = growth_incidence(before, before.scaled(1.08), parts=10)
    assert found["part"].to_list() == list(range(1, 11))
    assert found["growth_rate"].to_list() == pytest.approx([0.08] * 10)
    assert growth_of_poorest(before, before.scaled(1.08)) == pytest.approx(0.08)


def test_the_means_of_parts_are_the_mean_of_all() -> None:
    people = distribution_of([0, 1000, 3000, 7000], [3, 2, 2, 1])
    found = growth_incidence(people, people.scaled(2), parts=100)
    assert found["mean_before"].mean() == pytest.approx(people.mean.value)
    assert found["growth_rate"].null_count() == 37  # three eighths had nothing


def test_growth_over_several_years_is_a_rate_per_year() -> None:
    before = distribution_of([1000, 2000, 3000])
    assert growth_of_poorest(before, before.scaled(1.21), years=2) == pytest.approx(0.1)
    assert growth_of_poorest(distribution_of([0, 0, 9]), before) is None
    with pytest.raises(MeasureError, match="one part or more over one year or more"):
        growth_incidence(before, before, years=0)

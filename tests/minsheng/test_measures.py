"""The measures are those that the literature and other programs publish, and keep its axioms."""

import math
import shutil
import subprocess
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minsheng.deprivation import count_deprivations
from minsheng.distribution import Distribution, MeasureError, distribution_of
from minsheng.measure_frames import measure_frame
from minsheng.measures import (
    MEASURES,
    OF_ALL,
    OF_LINE,
    fgt,
    generalised_entropy,
    gini,
    measure,
    quantile,
    share_of_poorest,
)
from minsheng.sampling import rows_drawn

EXACT = 1e-9
"""Relative tolerance of a value that is printed to ten digits."""

HAND_WELFARE = [0, 500, 1000, 1000, 2000, 4000, 8000]
HAND_WEIGHT = [1, 2, 1, 3, 2, 1, 1]
HAND = distribution_of(HAND_WELFARE, HAND_WEIGHT)

KINKS = {"headcount": 5e-5, "s80_s20": 2e-4, "at_risk_rate": 5e-5, "median": 5e-5}
"""Relative tolerance of what jumps from one point of a grid to the next."""
SMOOTH = 1e-8

amounts = st.integers(min_value=0, max_value=30_000).map(float)
positive_amounts = st.integers(min_value=1, max_value=30_000).map(float)
weights = st.integers(min_value=1, max_value=9).map(float)
rows = st.lists(st.tuples(amounts, weights), min_size=2, max_size=30)
positive_rows = st.lists(st.tuples(positive_amounts, weights), min_size=2, max_size=30)
Rows = list[tuple[float, float]]


def people_of(given_rows: Rows) -> Distribution:
    welfare, weight = zip(*given_rows, strict=True)
    return distribution_of(welfare, weight)


def value(people: Distribution, name: str, line: float = 8000.0) -> float:
    return measure(people, name, line).value


def same(one: float, other: float) -> bool:
    is_same = math.isnan(one) and math.isnan(other)
    return is_same or one == pytest.approx(other, rel=1e-9, abs=1e-9)


@pytest.fixture(scope="module")
def lognormal() -> Distribution:
    """Logarithms with mean 9.5 and standard deviation 0.6, on an even grid of 400,001 points."""
    deviation = np.linspace(-9, 9, 400_001)
    return distribution_of(np.exp(9.5 + 0.6 * deviation), np.exp(-deviation * deviation / 2))


@pytest.fixture(scope="module")
def pareto() -> Distribution:
    """Pareto with exponent 2.5 from 1 on, in 400,000 even steps of the logarithm."""
    step = 24 / 400_000
    logarithm = (np.arange(400_000) + 0.5) * step
    return distribution_of(np.exp(logarithm), np.exp(-2.5 * logarithm))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("population", 11.0),
        ("headcount", 3 / 11),
        ("poverty_gap", 2 / 11),
        ("severity", 1.5 / 11),
        ("watts", 2 * math.log(2) / 11),
        ("gini", 0.5238095238095238),
        ("median", 1000.0),
    ],
)
def test_the_hand_sample_with_ties_at_the_line(name: str, expected: float) -> None:
    assert value(HAND, name, 1000.0) == pytest.approx(expected, rel=1e-12)


def test_who_has_exactly_the_line_is_not_poor() -> None:
    assert value(HAND, "headcount", 1000.0) == pytest.approx(3 / 11)
    assert value(HAND, "headcount", math.nextafter(1000.0, 2000)) == pytest.approx(7 / 11)


def test_the_sen_index_has_the_gini_of_the_poor_and_not_of_everyone() -> None:
    poor = distribution_of([0, 500], [1, 2])
    among_poor = value(poor, "gini")
    assert among_poor == pytest.approx(1 / 3)
    expected = 3 / 11 * among_poor + 2 / 11 * (1 - among_poor)
    assert value(HAND, "sen", 1000.0) == pytest.approx(expected, rel=1e-12)


def test_of_an_even_number_the_median_is_the_upper_one() -> None:
    assert value(distribution_of([1, 2, 3, 4]), "median") == 3


def test_a_quantile_is_the_first_welfare_whose_share_exceeds_it() -> None:
    people = distribution_of(range(1, 11))
    assert [quantile(people, p).value for p in (0.05, 0.1, 0.2, 0.8, 0.9)] == [1, 2, 3, 9, 10]


def test_shares_of_deciles_split_a_person_between_two() -> None:
    people = distribution_of([1, 1, 2])
    shares = [value(people, f"decile_share_{decile}") for decile in range(1, 11)]
    assert math.fsum(shares) == pytest.approx(1, rel=1e-15)
    assert shares[6] == pytest.approx((0.2 * 1 + 0.1 * 2) / 4)
    assert share_of_poorest(people, 1 / 3).value == pytest.approx(1 / 4)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mean", 15994.4969270),
        ("gini", 0.3286267595),
        ("ge0", 0.18),
        ("ge1", 0.18),
        ("atkinson_1", 0.1647297886),
        ("headcount", 0.1963663874),
        ("poverty_gap", 0.0506564231),
        ("severity", 0.0192781304),
        ("watts", 0.0654307690),
        ("s80_s20", 5.4151509399),
        ("bottom40_share", 0.1967334231),
        ("palma", 1.2593756117),
        ("at_risk_rate", 0.1972802486),
        ("median", math.exp(9.5)),
        ("ge2", (math.exp(0.36) - 1) / 2),
        ("atkinson_0_5", 1 - math.exp(-0.5 * 0.36 / 2)),
        ("atkinson_2", 1 - math.exp(-2 * 0.36 / 2)),
    ],
)
def test_a_lognormal_distribution_has_its_closed_forms(
    lognormal: Distribution, name: str, expected: float
) -> None:
    tolerance = KINKS.get(name, SMOOTH)
    assert value(lognormal, name, 8000.0) == pytest.approx(expected, rel=tolerance)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("gini", 0.25), ("ge1", 0.1558410429), ("ge0", 0.1108256238), ("mean", 2.5 / 1.5)],
)
def test_a_pareto_distribution_has_its_closed_forms(
    pareto: Distribution, name: str, expected: float
) -> None:
    assert value(pareto, name) == pytest.approx(expected, rel=SMOOTH)


FOUR_PERSONS = [[13.1, 14, 4, 1], [15.2, 7, 5, 0], [12.5, 10, 1, 0], [20, 11, 3, 1]]
CUT_OFFS = [13, 12, 3, 1]


def test_the_worked_example_of_alkire_and_foster() -> None:
    found = count_deprivations(FOUR_PERSONS, CUT_OFFS, 2)
    assert (found.headcount, found.intensity, found.adjusted_headcount) == (0.5, 0.75, 0.375)
    assert found.adjusted_gap == pytest.approx(0.2055288462, rel=EXACT)
    assert found.adjusted_severity == pytest.approx(0.1654570390, rel=EXACT)
    assert found.uncensored_headcounts == (0.25, 0.75, 0.25, 0.5)
    assert found.censored_headcounts == (0.25, 0.5, 0.25, 0.5)
    assert found.contributions == (0.0625, 0.125, 0.0625, 0.125)
    assert found.contribution_shares == pytest.approx((1 / 6, 1 / 3, 1 / 6, 1 / 3), rel=1e-15)


def test_a_person_of_weight_two_counts_as_two_in_deprivation() -> None:
    twice = count_deprivations([*FOUR_PERSONS, FOUR_PERSONS[2]], CUT_OFFS, 2)
    weighted = count_deprivations(FOUR_PERSONS, CUT_OFFS, 2, weight=[1, 1, 2, 1])
    assert weighted.adjusted_gap == pytest.approx(twice.adjusted_gap, rel=1e-15)
    assert weighted.censored_headcounts == pytest.approx(twice.censored_headcounts, rel=1e-15)


def test_weights_of_dimensions_that_are_no_binary_fractions_add_up() -> None:
    found = count_deprivations([[0] * 10], [1] * 10, 1, dimension_weights=[0.1] * 10)
    assert found.headcount == 1


def test_without_poor_the_intensity_is_no_number() -> None:
    found = count_deprivations([[5, 5]], [1, 1], 1)
    assert (found.headcount, found.adjusted_headcount) == (0, 0)
    assert math.isnan(found.intensity)


@pytest.mark.parametrize(
    ("table", "cutoffs", "least", "told"),
    [
        ([[1, 2]], [1], 1, "do not fit"),
        ([[1, math.nan]], [1, 1], 1, "unknown"),
        ([[1, 2]], [1, 0], 1, "positive"),
        ([[1, 2]], [1, 1], 0, "no rule"),
        ([[1, 2]], [1, 1], 3, "no rule"),
    ],
)
def test_a_deprivation_that_cannot_be_counted_is_refused(
    table: list[list[float]], cutoffs: list[float], least: float, told: str
) -> None:
    with pytest.raises(MeasureError, match=told):
        count_deprivations(table, cutoffs, least)


# what laeken, convey and wbpip agree on for eusilc
EUSILC = {
    "mean": 19890.8069313,
    "median": 18098.7266667,
    "at_risk_threshold": 10859.236,
    "at_risk_rate": 0.144442181675,
    "at_risk_median_gap": 0.189285968184,
    "s80_s20": 3.97000432604,
    "gini": 0.264896192113,
    "headcount": 0.1144401292,
    "poverty_gap": 0.0320854180,
    "severity": 0.0161893530,
    "watts": 0.05173331,
    "ge0": 0.1313692,
}
EUSILC_ERRORS = {
    "at_risk_rate": 0.00475698679,
    "gini": 0.00312280759,
    "s80_s20": 0.065212457,
    "at_risk_median_gap": 0.01101424282,
}
"""laeken's bootstrap of households, 400 replicates; its own error is 3.5 %, and peers differ."""
ERROR_BAND = 0.15


@pytest.fixture(scope="module")
def eusilc(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    if shutil.which("Rscript") is None:
        pytest.skip("R, whose package laeken has the data eusilc, is not installed")
    path: Path = tmp_path_factory.mktemp("eusilc") / "eusilc.csv"
    script = f'data(eusilc, package = "laeken"); write.csv(eusilc, "{path}", row.names = FALSE)'
    made = subprocess.run(["Rscript", "-e", script], capture_output=True, check=False)
    if made.returncode or not path.exists():
        pytest.skip("R has no package laeken, which has the data eusilc")
    wanted = ["db030", "rb050", "eqIncome"]
    return pl.read_csv(path, columns=wanted, null_values="NA", infer_schema_length=None)


def test_the_households_of_eusilc_give_what_other_programs_give(eusilc: pl.DataFrame) -> None:
    found = measure_frame(eusilc, "eqIncome", weight="rb050", line=10_000.0, household="db030")
    values = dict(found.select("measure", "value").iter_rows())
    errors = dict(found.select("measure", "standard_error").iter_rows())
    for name, expected in EUSILC.items():
        tolerance = 1e-6 if name in ("watts", "ge0") else EXACT
        # printed to ten decimals
        assert values[name] == pytest.approx(expected, rel=tolerance, abs=5e-11), name
    for name, expected in EUSILC_ERRORS.items():
        assert errors[name] == pytest.approx(expected, rel=ERROR_BAND), name


def test_persons_instead_of_households_understate_the_error_of_eusilc(
    eusilc: pl.DataFrame,
) -> None:
    errors = [
        measure_frame(
            eusilc, "eqIncome", weight="rb050", household=unit, measures=["at_risk_rate"]
        )["standard_error"].item()
        for unit in ("db030", None)
    ]
    assert errors[0] / errors[1] == pytest.approx(1.6, abs=0.15)


# --- what holds for every distribution


@given(rows)
def test_everybody_twice_changes_no_measure_but_the_population(given_rows: Rows) -> None:
    once, twice = people_of(given_rows), people_of(given_rows * 2)
    doubled = people_of([(welfare, 2 * weight) for welfare, weight in given_rows])
    for name in MEASURES[1:]:
        assert same(value(once, name), value(twice, name)), name
        assert same(value(once, name), value(doubled, name)), name
    assert value(twice, "population") == 2 * value(once, "population")


@given(rows, st.sampled_from([0.25, 1.08, 3.0, 1000.0]))
def test_in_another_currency_only_amounts_change(given_rows: Rows, factor: float) -> None:
    people = people_of(given_rows)
    scaled = people.scaled(factor)
    for name in MEASURES:
        if name in ("mean", "median", "at_risk_threshold"):
            assert same(factor * value(people, name), value(scaled, name)), name
        elif name not in ("at_risk_rate", "at_risk_median_gap"):  # six tenths are rounded
            assert same(value(people, name), value(scaled, name, 8000 * factor)), name


@given(rows)
def test_eight_per_cent_more_for_all_is_eight_per_cent_more_for_the_mean_and_every_decile(
    given_rows: Rows,
) -> None:
    people = people_of(given_rows)
    richer = people.scaled(1.08)
    assert same(richer.mean.value, 1.08 * people.mean.value)
    for decile in range(1, 10):
        assert quantile(richer, decile / 10).value == 1.08 * quantile(people, decile / 10).value


@given(rows)
def test_the_order_of_rows_changes_no_digit(given_rows: Rows) -> None:
    people, turned = people_of(given_rows), people_of(given_rows[::-1])
    for name in MEASURES:
        one, other = value(people, name), value(turned, name)
        assert one == other or (math.isnan(one) and math.isnan(other)), name


@given(rows, st.integers(min_value=1, max_value=29))
def test_poverty_of_the_parts_weighted_with_their_size_is_that_of_all(
    given_rows: Rows, cut: int
) -> None:
    cut = min(cut, len(given_rows) - 1)
    parts = [people_of(given_rows[:cut]), people_of(given_rows[cut:])]
    everyone = people_of(given_rows)
    for power in (0, 1, 2):
        weighted = sum(p.population.value * fgt(p, 8000, power).value for p in parts)
        assert same(weighted / everyone.population.value, fgt(everyone, 8000, power).value)


@given(positive_rows, st.integers(min_value=1, max_value=29), st.sampled_from([0, 0.5, 1, 2]))
def test_entropy_is_that_within_parts_and_between_their_means(
    given_rows: Rows, cut: int, power: float
) -> None:
    cut = min(cut, len(given_rows) - 1)
    parts = [people_of(given_rows[:cut]), people_of(given_rows[cut:])]
    everyone = people_of(given_rows)
    between = distribution_of([p.mean.value for p in parts], [p.population.value for p in parts])
    within = sum(
        (p.population.value / everyone.population.value) ** (1 - power)
        * (p.sum.value / everyone.sum.value) ** power
        * generalised_entropy(p, power).value
        for p in parts
    )
    total = generalised_entropy(everyone, power).value
    assert within + generalised_entropy(between, power).value == pytest.approx(total, abs=1e-9)


@given(
    st.lists(positive_amounts, min_size=3, max_size=20, unique=True),
    st.floats(min_value=0.05, max_value=0.45),
)
def test_a_transfer_from_rich_to_poor_lowers_inequality(welfare: list[float], share: float) -> None:
    ordered = sorted(welfare)
    given_away = share * (ordered[-1] - ordered[0])
    after = [ordered[0] + given_away, *ordered[1:-1], ordered[-1] - given_away]
    old, new = distribution_of(ordered), distribution_of(after)
    assert gini(new).value < gini(old).value
    for name in ("ge0", "ge1", "ge2", "atkinson_0_5", "atkinson_1", "atkinson_2"):
        assert value(new, name) < value(old, name), name


@given(rows, st.integers(min_value=100, max_value=20_000))
def test_poverty_measures_are_ordered_and_bounded(given_rows: Rows, line: int) -> None:
    people = people_of(given_rows)
    share, gap, severity = (fgt(people, line, power).value for power in (0, 1, 2))
    assert 0 <= severity <= gap + 1e-12 <= share + 2e-12 <= 1 + 1e-9
    assert gap - 1e-12 <= value(people, "sen", line) <= share + 1e-12


@given(positive_rows)
def test_equal_welfare_is_no_inequality(given_rows: Rows) -> None:
    people = people_of([(700.0, weight) for _, weight in given_rows])
    for name in ("gini", "ge0", "ge1", "ge2", "atkinson_0_5", "atkinson_1", "atkinson_2"):
        assert value(people, name) == pytest.approx(0, abs=1e-12), name
    assert value(people, "at_risk_rate") == 0
    assert math.isnan(value(people, "at_risk_median_gap"))


def test_nothing_divided_by_nothing_is_undefined_and_not_zero() -> None:
    nobody_earns = distribution_of([0, 0, 0])
    for name in MEASURES:
        if name not in ("population", "mean", "median", "at_risk_threshold", "at_risk_rate"):
            is_poverty = name in OF_LINE
            found = value(nobody_earns, name)
            assert math.isfinite(found) if is_poverty else math.isnan(found), name
    assert value(nobody_earns, "headcount") == value(nobody_earns, "sen") == 1


def test_a_loss_is_more_than_a_whole_gap_and_no_part_of_entropy() -> None:
    people = distribution_of([-500, 1000, 3000])
    assert value(people, "poverty_gap", 1000) == pytest.approx(1.5 / 3)
    assert value(people, "watts", 1000) == 0
    assert value(people, "ge0") == value(distribution_of([1000, 3000]), "ge0")


@pytest.mark.parametrize("line", [0.0, -1.0, math.nan, math.inf])
@pytest.mark.parametrize("name", sorted(OF_LINE))
def test_a_line_that_is_no_positive_number_is_refused(name: str, line: float) -> None:
    with pytest.raises(MeasureError, match="a poverty line is a positive number"):
        measure(HAND, name, line)


def test_a_measure_that_there_is_none_of_is_refused_by_name() -> None:
    with pytest.raises(MeasureError, match="'ginny' is no measure"):
        measure(HAND, "ginny")
    with pytest.raises(MeasureError, match="headcount needs a line"):
        measure(HAND, "headcount")


@pytest.mark.parametrize(
    ("welfare", "weight", "told"),
    [
        ([1, math.inf], None, "a welfare is not a finite number"),
        ([1, 2], [1, -1], "a weight is negative"),
        ([1, 2], [1, math.nan], "a weight is not a finite number"),
        ([1, 2], [1], "2 welfares have 1 weights"),
        ([], None, "there is nobody"),
        ([1], [0], "there is nobody"),
    ],
)
def test_what_is_no_distribution_is_refused(
    welfare: list[float], weight: list[float] | None, told: str
) -> None:
    with pytest.raises(MeasureError, match=told):
        distribution_of(welfare, weight)


# --- sampling errors

QUANTILES_IN_IT = {
    "median",
    "s80_s20",
    "p90_p10",
    "at_risk_threshold",
    "at_risk_rate",
    "at_risk_median_gap",
}


@pytest.mark.parametrize("name", [name for name in MEASURES if name not in QUANTILES_IN_IT])
def test_the_linearised_variable_is_the_derivative_by_the_weight(name: str) -> None:
    chance = np.random.default_rng(3)
    welfare = np.exp(chance.normal(9.5, 0.6, 200))
    welfare[:5] = 0
    people = distribution_of(welfare, chance.uniform(0.5, 3, 200))
    influence = people.influence(measure(people, name, 9000.0))
    step = 1e-5
    for place in (0, 7, 50, 150, 199):
        moved = []
        for change in (step, -step):
            weight = people.weight.copy()
            weight[place] += change
            moved.append(value(Distribution(people.welfare, weight), name, 9000.0))
        numeric = (moved[0] - moved[1]) / (2 * step)
        assert influence[place] == pytest.approx(numeric, abs=1e-6 * abs(influence).max())


def test_errors_of_a_simple_sample_are_those_of_the_textbook() -> None:
    chance = np.random.default_rng(5)
    frame = pl.DataFrame({"welfare": chance.normal(100, 15, 400)})
    found = measure_frame(frame, "welfare", line=90.0, measures=["mean", "headcount"])
    share = (frame["welfare"] < 90).mean()
    assert isinstance(share, float)
    deviation = frame["welfare"].std()
    assert isinstance(deviation, float)
    assert found["standard_error"].to_list() == pytest.approx(
        [deviation / 20, math.sqrt(share * (1 - share) / 399)], rel=1e-12
    )
    row = found.row(0, named=True)
    assert row["upper"] - row["value"] == pytest.approx(1.959963984540054 * row["standard_error"])


def test_over_many_samples_figures_vary_as_their_errors_say() -> None:
    chance = np.random.default_rng(11)
    rounds = []
    for number in range(200):
        sizes = chance.integers(1, 6, 300)
        income = np.exp(chance.normal(9.5, 0.6, 300))
        drawn = pl.DataFrame(
            {"income": np.repeat(income, sizes), "household": np.repeat(np.arange(300), sizes)}
        )
        rounds.append(
            measure_frame(drawn, "income", household="household", line=8000.0).with_columns(
                pl.lit(number).alias("round")
            )
        )
    compared = (
        pl.concat(rounds)
        .group_by("measure")
        .agg(pl.col("value").std().alias("seen"), pl.col("standard_error").mean().alias("told"))
        .with_columns((pl.col("told") / pl.col("seen")).alias("ratio"))
    )
    # 200 rounds know the spread to a tenth; linearised errors of heavy tails fall short
    assert compared.filter(~pl.col("ratio").is_between(0.75, 1.3)).is_empty(), compared.rows()


def test_households_as_units_make_errors_larger_than_persons_do() -> None:
    chance = np.random.default_rng(7)
    income = np.repeat(np.exp(chance.normal(9, 0.7, 300)), 4)
    frame = pl.DataFrame({"income": income, "household": np.repeat(np.arange(300), 4)})
    by_person = measure_frame(frame, "income", measures=["mean"])["standard_error"].item()
    by_household = measure_frame(frame, "income", household="household", measures=["mean"])[
        "standard_error"
    ].item()
    assert by_household / by_person == pytest.approx(2, rel=0.01)


STRATA = pl.DataFrame(
    {
        "welfare": [1.0, 3.0, 11.0, 13.0, 12.0],
        "stratum": ["a", "a", "b", "b", "b"],
        "household": [1, 2, 1, 2, 3],
    }
)


def test_what_differs_between_strata_is_no_sampling_error() -> None:
    found = measure_frame(
        STRATA, "welfare", household="household", stratum="stratum", measures=["mean"]
    )
    # of the total: 2 units of variance 2 and 3 of variance 1, each times the number of units
    assert found["standard_error"].item() == pytest.approx(math.sqrt(2 * 2 + 3 * 1) / 5)


def test_a_stratum_with_one_household_is_held_against_all() -> None:
    frame = STRATA.filter(~((pl.col("stratum") == "a") & (pl.col("household") == 2)))
    found = measure_frame(
        frame, "welfare", household="household", stratum="stratum", measures=["mean"]
    )
    mean = (1 + 11 + 13 + 12) / 4
    assert found["standard_error"].item() == pytest.approx(math.sqrt((1 - mean) ** 2 + 3 * 1) / 4)


def test_units_outside_a_group_still_count_as_drawn() -> None:
    frame = pl.DataFrame({"welfare": [1.0, 2.0, 3.0, 4.0], "sex": ["f", "f", "m", "m"]})
    found = measure_frame(frame, "welfare", by=["sex"], measures=["population"])
    # the number of women is a total of 1, 1, 0, 0 over four units
    assert found["standard_error"].to_list() == pytest.approx([math.sqrt(4 / 3)] * 2)


def test_one_household_alone_has_no_sampling_error() -> None:
    frame = pl.DataFrame({"welfare": [1.0, 2.0], "household": [1, 1]})
    found = measure_frame(frame, "welfare", household="household", measures=["mean"])
    assert found.row(0) == ("mean", 1.5, None, None, None, 2)


def test_in_a_register_nothing_has_a_sampling_error() -> None:
    found = measure_frame(STRATA, "welfare", line=5.0, is_sample=False)
    assert found["standard_error"].null_count() == found.height == len(MEASURES)


def test_each_group_is_measured_as_if_it_were_alone() -> None:
    chance = np.random.default_rng(1)
    frame = pl.DataFrame(
        {
            "income": np.round(np.exp(chance.normal(9, 1, 600)), 2),
            "persons": chance.integers(1, 7, 600),
            "county": ["甲县", "乙县", None] * 200,
            "year": chance.choice([2020, 2021], 600),
        }
    )
    found = measure_frame(
        frame, "income", weight="persons", by=["county", "year"], line=8000.0, is_sample=False
    )
    assert found.height == 6 * len(MEASURES)
    for county in ("甲县", "乙县", None):
        here = pl.col("county").eq_missing(pl.lit(county)) & (pl.col("year") == 2021)
        alone = measure_frame(
            frame.filter(here), "income", weight="persons", line=8000.0, is_sample=False
        )
        assert found.filter(here).drop("county", "year").equals(alone)


def test_without_a_line_what_needs_one_is_left_out() -> None:
    found = measure_frame(STRATA, "welfare")
    assert set(found["measure"]) == set(OF_ALL)


def test_each_group_may_have_a_line_of_its_own() -> None:
    frame = pl.DataFrame(
        {"welfare": [5.0, 15.0, 5.0, 15.0], "place": ["a", "a", "b", "b"], "line": [10, 10, 20, 20]}
    )
    found = measure_frame(frame, "welfare", by=["place"], line="line", measures=["headcount"])
    assert found.select("place", "value").rows() == [("a", 0.5), ("b", 1.0)]
    with pytest.raises(MeasureError, match="rows of one group have several lines"):
        measure_frame(frame, "welfare", line="line")


def test_a_group_with_the_name_of_a_result_is_refused() -> None:
    frame = pl.DataFrame({"welfare": [5.0], "value": ["a"]})
    with pytest.raises(MeasureError, match="a group may not be called value"):
        measure_frame(frame, "welfare", by=["value"])


def test_who_has_no_welfare_is_left_out_and_who_has_no_weight_is_refused() -> None:
    frame = pl.DataFrame({"welfare": [1.0, None, 3.0], "weight": [1, 1, None]})
    assert measure_frame(frame, "welfare", measures=["mean"])["value"].item() == 2
    with pytest.raises(MeasureError, match="weight: 1 rows have none"):
        measure_frame(frame, "welfare", weight="weight")


def test_rows_in_another_order_give_the_same_digits() -> None:
    chance = np.random.default_rng(2)
    frame = pl.DataFrame(
        {"income": np.exp(chance.normal(9, 1, 100_000)), "persons": chance.uniform(1, 7, 100_000)}
    )
    order = pl.Series(chance.permutation(100_000))
    one, other = (
        measure_frame(each, "income", weight="persons", line=5000.0)
        for each in (frame, frame[order])
    )
    assert one.drop("standard_error", "lower", "upper").equals(
        other.drop("standard_error", "lower", "upper")
    )
    assert one["standard_error"].to_list() == pytest.approx(
        other["standard_error"].to_list(), rel=1e-9
    )


def test_a_sample_of_rows_is_a_simple_one() -> None:
    people = distribution_of([1.0, 2.0, 6.0])
    error = rows_drawn(3).standard_error(people, people.mean)
    assert error == pytest.approx(math.sqrt(7 / 3))

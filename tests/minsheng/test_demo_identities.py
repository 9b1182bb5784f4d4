"""Who is written down as whom: each error has its share, and the truth says which row has which."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from minsheng.demo import generate
from minsheng.demo.declared import BIRTH_ERROR_NAMES, BIRTH_ERROR_WEIGHTS, draw_declared
from minsheng.demo.identities import RARE_CHARACTERS, UNASSIGNED_REGIONS
from minsheng.demo.linkage_rolls import draw_residents
from minsheng.demo.oddities import Identities, Rates
from minsheng.demo.registers import bearers_of, draw_register, holders_of
from minsheng.demo.text import days_of
from minsheng.demo.wrong_names import NAME_ERROR_NAMES, Bearers, write_names
from minsheng.demo.wrong_names import weights_of as weights_of_names
from minsheng.demo.wrong_numbers import NUMBER_ERROR_NAMES, NUMBER_ERRORS, Holders, write_numbers
from minsheng.demo.wrong_numbers import weights_of as weights_of_numbers
from tests.minsheng.test_demo import (
    PROJECT_ROOT,
    Run,
    file_digests,
    has_valid_shape,
    headers_of,
    read_rows,
)

RATES = Rates(broken_ids=0.1, odd_names=0.1)
NEVER_RIGHT = ("wrong_digit", "swapped_digits", "wrong_birth_digit", "two_errors", "other_region")
MONTHS = [f"{year}-{month:02d}" for year in range(2017, 2023) for month in range(1, 13)]


def run_demo(folder: Path, households: int, rates: Rates, dirty_rate: float = 0.0) -> Run:
    inbox, truth = folder / "inbox", folder / "truth"
    summary = generate(
        inbox,
        truth,
        project_root=PROJECT_ROOT,
        households=households,
        dirty_rate=dirty_rate,
        broken_ids=rates.broken_ids,
        odd_names=rates.odd_names,
    )
    return Run(inbox, truth, summary)


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """No dirt, so that every cell that is not the person's own is one of these errors."""
    return run_demo(tmp_path_factory.mktemp("odd"), 1_500, RATES)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_demo(tmp_path_factory.mktemp("plain"), 500, Rates())


@pytest.fixture(scope="module")
def residents() -> Identities:
    return draw_residents(60_000, 0, 0, Rates(0.05, 0.05), 2022).identities


def written_rows(run: Run) -> pl.DataFrame:
    """What every row with a number writes of who it is about, beside what the truth says of it."""
    wanted = ("id_number", "person_name", "sex_code", "birth_date")
    parts = []
    for (dataset, file), records in run.table("record").group_by("dataset", "file"):
        headers = headers_of(str(dataset))
        rows = read_rows(run.inbox / str(file), str(dataset))
        title_rows = 2 if str(file).endswith(".xlsx") else 0
        names = [headers.get(cell, "") for cell in rows[title_rows]]
        if "id_number" not in names:
            continue
        numbers = records["row_number"].to_list()
        cells = {
            name: [
                (rows[number - 1][names.index(name)] or None) if name in names else None
                for number in numbers
            ]
            for name in wanted
        }
        parts.append(records.with_columns(pl.Series(k, v, pl.String) for k, v in cells.items()))
    return pl.concat(parts)


@pytest.fixture(scope="module")
def rows(odd: Run) -> pl.DataFrame:
    return written_rows(odd)


def first_months(period: pl.Expr) -> pl.Expr:
    """The last month of a period as its first day."""
    month = pl.when(period.str.len_chars() == 4).then(period + "-12").otherwise(period)
    return (month + "-01").str.to_date()


def is_near(count: int, expected: float) -> bool:
    """Within four standard errors and one of what is expected."""
    return abs(count - expected) <= 4 * expected**0.5 + 1


def test_without_rates_every_row_says_who_it_is_about(plain: Run) -> None:
    persons = plain.table("person")
    joined = written_rows(plain).join(persons, on="person_key", suffix="_true")
    assert joined["id_number"].equals(joined["id_number_true"])
    assert joined["person_name"].equals(joined["person_name_true"])
    declared = joined.filter(pl.col("birth_date").is_not_null())
    assert declared["birth_date"].equals(declared["birth_date_true"].cast(pl.String))
    assert set(declared["dataset"]) == {
        "household_roll",
        "student_enrolment",
        "insurance_enrolment",
    }
    sexes = joined.drop_nulls("sex_code").select("dataset", "sex_code", "sex_code_true").unique()
    register = {("男性", "1"), ("女性", "2")}
    for dataset, written, true in sexes.iter_rows():
        is_register = dataset == "disability_certificate"
        assert (written, true) in (register if is_register else {("男", "1"), ("女", "2")})
    identities = plain.table("identity").select("person_key", "id_number", "person_name", "kind")
    assert identities["kind"].unique().to_list() == ["first"]
    assert identities.drop("kind").equals(persons.select(identities.columns[:3]))
    assert plain.table("kept_error").is_empty()
    assert persons["twin_key"].null_count() == len(persons)


def test_the_same_seed_and_rates_give_the_same_bytes(tmp_path: Path) -> None:
    runs = [run_demo(tmp_path / name, 200, RATES, 0.02) for name in ("first", "second")]
    assert file_digests(runs[0]) == file_digests(runs[1])


def test_the_rates_change_no_life_once_they_are_above_zero(tmp_path: Path) -> None:
    low, high = (run_demo(tmp_path / str(rate), 300, Rates(rate, rate)) for rate in (0.001, 0.3))
    for name in ("household_year", "shock", "fall"):
        assert low.table(name).equals(high.table(name))
    births = [
        run.table("person").select("person_key", "birth_date", "sex_code") for run in (low, high)
    ]
    assert births[0].equals(births[1])


def test_a_file_does_not_depend_on_which_others_are_wanted(tmp_path: Path, odd: Run) -> None:
    generate(
        tmp_path / "inbox", tmp_path / "truth", project_root=PROJECT_ROOT, households=1_500,
        dirty_rate=0.0, broken_ids=0.1, odd_names=0.1, datasets={"health__insurance_enrolment"},
    )  # fmt: skip
    files = [path for path in (tmp_path / "inbox").rglob("*.csv") if "参保" in path.name]
    assert len(files) == 6
    for path in files:
        twin = odd.inbox / path.relative_to(tmp_path / "inbox")
        assert path.read_bytes() == twin.read_bytes()


@pytest.mark.parametrize("rate", [-0.1, 0.6])
def test_a_rate_outside_of_its_range_is_refused(tmp_path: Path, rate: float) -> None:
    with pytest.raises(ValueError, match=r"broken_ids must lie between 0 and 0\.5"):
        run_demo(tmp_path, 1, Rates(broken_ids=rate))
    with pytest.raises(ValueError, match=r"odd_names must lie between 0 and 0\.5"):
        run_demo(tmp_path, 1, Rates(odd_names=rate))


def test_a_row_without_an_error_has_an_identity_that_the_person_has_then(
    odd: Run, rows: pl.DataFrame
) -> None:
    month = first_months(pl.col("period"))
    identities = odd.table("identity").filter(pl.col("kind") != "former_name")
    right = rows.filter(pl.col("number_error").is_null()).with_columns(month.alias("month"))
    found = right.join(identities, on=["person_key", "id_number"], suffix="_true").filter(
        pl.col("until").is_null() | (pl.col("until") >= pl.col("month"))
    )
    assert len(found) == len(right)
    persons = odd.table("person")
    named = rows.filter(pl.col("name_error").is_null()).join(
        persons, on="person_key", suffix="_true"
    )
    assert named["person_name"].equals(named["person_name_true"])
    broken = rows.filter(pl.col("number_error").is_in(NEVER_RIGHT))
    assert len(broken) > 1_000
    assert not any(has_valid_shape(number) for number in broken["id_number"])


def test_no_number_is_somebody_elses_by_accident(odd: Run, rows: pl.DataFrame) -> None:
    holders = defaultdict(set)
    for person, number in odd.table("identity").select("person_key", "id_number").iter_rows():
        holders[number].add(person)
    shared = set(odd.table("identity").filter(pl.col("kind") == "shared_number")["id_number"])
    assert shared
    assert {number for number, persons in holders.items() if len(persons) > 1} == shared
    written = rows.select("id_number", "person_key", "number_error").unique()
    for number, person, error in written.drop_nulls("id_number").iter_rows():
        digits = re.sub(r"\D", "", number)
        if error == "made_up":
            assert has_valid_shape(number)
            assert number not in holders
        elif error in ("number_of_relative", "number_of_stranger"):
            assert holders[number]
        elif has_valid_shape(number):
            assert person in holders[number], (number, error)
        elif len(digits) == 18 and has_valid_shape(digits) and error != "student_number":
            # of blanks, apostrophes and full-width digits the number remains
            assert number.startswith("G") or person in holders[digits], (number, error)


def test_every_number_that_passes_the_check_is_nobodys_in_the_world(rows: pl.DataFrame) -> None:
    for number in rows["id_number"].drop_nulls().unique():
        if has_valid_shape(number):
            assert number[:6] in UNASSIGNED_REGIONS


def test_a_number_of_a_relative_is_one_of_the_household(odd: Run, rows: pl.DataFrame) -> None:
    persons = odd.table("person").select("person_key", "household_number", "person_name")
    identities = odd.table("identity").filter(pl.col("kind").is_in(["first", "shared_number"]))
    owners = identities.join(persons.drop("person_name"), on="person_key")
    wrong = rows.filter(pl.col("number_error") == "number_of_relative").drop("household_number")
    assert len(wrong) > 100
    homes = wrong.join(persons, on="person_key", suffix="_true")
    found = homes.join(owners, on=["id_number", "household_number"], suffix="_owner")
    assert len(found.unique(["file", "row_number"])) == len(wrong)
    assert (found["person_key"] != found["person_key_owner"]).all()


def test_a_number_or_name_of_a_stranger_is_of_another_household(
    odd: Run, rows: pl.DataFrame
) -> None:
    persons = odd.table("person").select("person_key", "household_number", "person_name")
    numbers = odd.table("identity").select("id_number", owner="person_key").unique()
    wrong = rows.filter(pl.col("number_error") == "number_of_stranger").drop("household_number")
    assert len(wrong) > 100
    owned = (
        wrong.join(persons.drop("person_name"), on="person_key")
        .join(numbers, on="id_number")
        .join(persons, left_on="owner", right_on="person_key", suffix="_owner")
    )
    assert len(owned.unique(["file", "row_number"])) == len(wrong)
    homes = owned.select("household_number", "household_number_owner")
    assert not homes["household_number"].eq(homes["household_number_owner"]).any()
    named = rows.filter(pl.col("name_error") == "name_of_stranger")
    assert len(named) > 100
    assert set(named["person_name"]) <= set(persons["person_name"])


def test_another_persons_name_never_stands_beside_another_persons_number(
    rows: pl.DataFrame,
) -> None:
    both = rows.filter(
        pl.col("number_error").is_in(["number_of_relative", "number_of_stranger"])
        & pl.col("name_error").is_in(["name_of_relative", "name_of_stranger"])
    )
    assert both.is_empty()


def test_nobody_has_the_number_of_who_is_not_born_yet(odd: Run, rows: pl.DataFrame) -> None:
    births = odd.table("identity").select("id_number", owner="person_key").join(
        odd.table("person").select("person_key", "birth_date"),
        left_on="owner", right_on="person_key",
    )  # fmt: skip
    wrong = rows.filter(
        pl.col("number_error").is_in(["number_of_relative", "number_of_stranger"])
    ).drop("birth_date")
    owned = wrong.join(births, on="id_number")
    assert len(owned) >= len(wrong) > 200
    assert (owned["birth_date"] < date(2017, 1, 1)).all()


def test_a_register_keeps_its_error_until_it_is_corrected(odd: Run, rows: pl.DataFrame) -> None:
    kept = odd.table("kept_error").filter(pl.col("column") == "id_number")
    month = first_months(pl.col("period")).alias("month")
    errors = rows.with_columns(month).join(
        kept, on=["department", "person_key"], suffix="_kept", maintain_order="left"
    )
    is_within = pl.col("month").is_between("first_month", "last_month")
    within = errors.filter(is_within)
    assert len(within) > 2_000
    assert within["id_number"].eq_missing(within["written"]).all()
    assert within["number_error"].eq_missing(within["kind"]).all()
    assert not within["is_number_slip"].any()
    # nothing else is wrong for longer than a row, but what is true of a person
    lasting = rows.filter(
        pl.col("number_error").is_not_null()
        & ~pl.col("is_number_slip")
        & ~pl.col("number_error").is_in(["former_number", "second_number", "shared_number"])
    )
    assert len(lasting) == len(within)
    corrected = errors.filter(pl.col("month") > pl.col("last_month"))
    assert corrected["number_error"].is_null().mean() > 0.7
    assert len(corrected) > 200


def test_the_share_of_broken_numbers_stays_what_it_is(residents: Identities) -> None:
    count = len(residents.kind)
    register = draw_register(residents, "agriculture", Rates(0.02, 0.0), np.random.default_rng(1))
    by_year = (register.numbers.of >= 0).sum(axis=0)
    assert len(by_year) == 7
    assert all(is_near(int(wrong), 0.02 * count) for wrong in by_year)
    is_corrected = register.numbers.last_year < 6
    assert 0.4 < is_corrected.mean() < 0.8


def test_the_police_knows_every_number(rows: pl.DataFrame) -> None:
    police = rows.filter(pl.col("department") == "public_security")
    assert len(police) > 50
    assert set(police["number_error"].drop_nulls()) <= {"shared_number"}
    assert police["name_error"].null_count() == len(police)


def test_slips_have_a_tenth_of_the_rate(odd: Run, rows: pl.DataFrame) -> None:
    others = rows.filter(pl.col("department") != "public_security")
    for column in ("number", "name"):
        is_slip = pl.col(f"is_{column}_slip")
        free = others.filter(pl.col(f"{column}_error").is_null() | is_slip)
        assert free.filter(is_slip)[f"{column}_error"].null_count() == 0
        assert free.select(is_slip.mean()).item() == pytest.approx(0.01, abs=0.0015)
    stated = yaml.safe_load((odd.truth / "summary.yaml").read_text(encoding="utf-8"))
    counted = Counter(odd.table("record")["number_error"].drop_nulls())
    assert {k: n for k, n in stated["counts"]["mistakes_by_kind"]["number"].items() if n} == counted
    assert stated["parameters"]["broken_ids"] == 0.1


@pytest.mark.parametrize("department", ["agriculture", "education", "disability_federation"])
def test_each_kind_of_broken_number_has_its_share(residents: Identities, department: str) -> None:
    rng = np.random.default_rng(3)
    register = draw_register(residents, department, Rates(0.3, 0.0), rng, years=1)
    person = register.numbers.person
    assert is_near(len(person), 0.3 * len(residents.kind))
    weights = weights_of_numbers(holders_of(residents, person, rng), department)
    expected = (weights / weights.sum(axis=1)[:, None]).sum(axis=0)
    counts = np.bincount(register.numbers.kind, minlength=len(NUMBER_ERRORS))
    for kind, count, wanted in zip(NUMBER_ERRORS, counts.tolist(), expected, strict=True):
        # whose relative a number is drawn again, so that few persons are counted otherwise
        assert abs(count - wanted) <= 4 * wanted**0.5 + 1, kind.name
    possible = {kind.name for kind, count in zip(NUMBER_ERRORS, counts, strict=True) if count}
    assert ("student_number" in possible) == (department == "education")
    assert len(possible) >= len(NUMBER_ERRORS) - 1


def test_only_those_to_whom_it_can_happen_have_an_error(residents: Identities) -> None:
    register = draw_register(residents, "health", Rates(0.3, 0.3), np.random.default_rng(4), 1)
    people = residents.population
    kinds = np.array(NUMBER_ERROR_NAMES)[register.numbers.kind]
    person = register.numbers.person
    births = people.birth[person[kinds == "fifteen_digits"]]
    assert len(births) and births.max() < days_of("1999-10-01")
    assert (people.grade[person[kinds == "certificate_number"]] > 0).all()
    names = np.array(NAME_ERROR_NAMES)[register.names.kind]
    person = register.names.person
    for kind, pattern in (
        ("rare_character", f"[{''.join(RARE_CHARACTERS)}]"),
        ("dot_form", "·"),
        ("dropped_character", "^...+$"),
    ):
        bearers = people.name.gather(person[names == kind])
        assert len(bearers)
        assert bearers.str.contains(pattern).all()


def test_each_kind_of_odd_name_has_its_share(residents: Identities) -> None:
    rng = np.random.default_rng(5)
    register = draw_register(residents, "health", Rates(0.0, 0.05), rng, years=1)
    person = register.names.person
    weights = weights_of_names(bearers_of(residents, person, rng))
    expected = (weights / weights.sum(axis=1)[:, None]).sum(axis=0)
    counts = np.bincount(register.names.kind, minlength=len(NAME_ERROR_NAMES))
    for kind, count, wanted in zip(NAME_ERROR_NAMES, counts.tolist(), expected, strict=True):
        assert abs(count - wanted) <= 4 * wanted**0.5 + 1, kind
        assert count, kind
    is_fragile = residents.population.name.str.contains(f"[·{''.join(RARE_CHARACTERS)}]").to_numpy()
    assert is_near(int((~is_fragile[person]).sum()), 0.05 * int((~is_fragile).sum()))
    assert is_near(int(is_fragile[person].sum()), 0.5 * int(is_fragile.sum()))
    written, own = register.names.written, residents.population.name.gather(person)
    assert (written != own).all()


ONE = "33039019850615049X"


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [
        ("wrong_digit", r"[0-9X]{18}"),
        ("swapped_digits", r"[0-9]{17}X"),
        ("wrong_birth_digit", r"33039019[0-9]{6}049X"),
        ("lost_digit", r"[0-9]{16}[0-9X]"),
        ("doubled_digit", r"[0-9]{17}[0-9X]X|[0-9]{18}X"),
        ("two_errors", r"33039019[0-9]{9}X"),
        ("letter_for_digit", r"[0-9OISB]{17}X"),
        ("placeholder", r"\D+|0|0{18}|1{18}"),
        ("other_region", r"33032[789]19850615049X"),
        ("made_up", "330391198506150016"),
        ("number_of_relative", "330390195001010018"),
        ("number_of_stranger", "330390196002020025"),
        ("fifteen_digits", "330390850615049"),
        ("certificate_number", r"33039019850615049X42(B[12])?"),
        (
            "student_number",
            r"G33039019850615049X|J33039\d19850615\d{3}[0-9X]|L33039\d19850615\d{4}",
        ),
        ("lower_case_x", "33039019850615049x"),
        ("full_width", "３３０３９０１９８５０６１５０４９Ｘ"),
        ("blanks", r"\s*330390\s?19850615\s?049X\s*"),
        ("apostrophe", "['’`]33039019850615049X'?"),
    ],
)
def test_a_broken_number_looks_like_its_kind(kind: str, pattern: str) -> None:
    count = 200
    holders = Holders(
        number=pl.Series([ONE] * count),
        birth=np.full(count, days_of("1985-06-15")),
        relative=pl.Series(["330390195001010018"] * count),
        stranger=pl.Series(["330390196002020025"] * count),
        spare=pl.Series(["330391198506150016"] * count),
        disability_type=np.full(count, 3),
        grade=np.full(count, 2),
    )
    index = np.full(count, NUMBER_ERROR_NAMES.index(kind))
    for number in write_numbers(index, holders, np.random.default_rng(6)):
        assert re.fullmatch(pattern, number), number
        assert number != ONE
        if kind in NEVER_RIGHT:
            assert not has_valid_shape(number)


@pytest.mark.parametrize(
    ("kind", "name", "pattern"),
    [
        ("homophone", "陈伟芳", "[谌晨]伟芳|陈[炜玮维卫]芳|陈伟[方访]"),
        ("look_alike", "陈伟芳", "阵伟芳|陈苇芳|陈伟芬"),
        ("near_sound", "黄平", "[王汪]平|黄频"),
        ("traditional", "陈伟芳", "陳偉芳|陳伟芳|陈偉芳"),
        ("dropped_character", "陈伟芳", "陈伟|陈芳"),
        ("doubled_character", "陈伟芳", "陈伟伟芳|陈伟芳芳"),
        ("surname_variant", "萧伟", "肖伟"),
        ("rare_character", "王䶮", "王(岩|YAN|yan|\\(龙天\\)|[?？□*〓\ue863])"),
        ("dot_form", "古丽娜尔·艾山", "古丽娜尔[•．.‧・● -]?艾山"),
        ("note_added", "陈伟", "陈伟(\\(户主\\)|（户主）|（大）|（小）|1|\\*)"),
        ("blanks_inside", "陈伟", "陈[ 　]+伟"),
        ("name_of_relative", "陈伟", "陈芳"),
        ("name_of_stranger", "陈伟", "林静"),
        ("former_name", "陈伟", "陈阿宝"),
    ],
)
def test_an_odd_name_looks_like_its_kind(kind: str, name: str, pattern: str) -> None:
    count = 200
    bearers = Bearers(*(pl.Series([text] * count) for text in (name, "陈芳", "林静", "陈阿宝")))
    index = np.full(count, NAME_ERROR_NAMES.index(kind))
    written = write_names(index, bearers, np.random.default_rng(7))
    for text in written:
        assert re.fullmatch(pattern, text), text
        assert text != name


def test_twins_share_birth_family_and_nearly_the_number(odd: Run) -> None:
    persons = odd.table("person")
    twins = persons.drop_nulls("twin_key").join(
        persons, left_on="twin_key", right_on="person_key", suffix="_first"
    )
    assert len(twins) > 0
    for twin in twins.iter_rows(named=True):
        assert twin["birth_date"] == twin["birth_date_first"]
        assert twin["household_number"] == twin["household_number_first"]
        assert twin["person_name"][:2] == twin["person_name_first"][:2]
        assert twin["person_name"] != twin["person_name_first"]
        assert twin["id_number"] != twin["id_number_first"]
        assert twin["id_number"][6:14] == twin["id_number_first"][6:14]
    next_to_each_other = [
        abs(int(twin["id_number"][14:17]) - int(twin["id_number_first"][14:17])) <= 2
        for twin in twins.iter_rows(named=True)
    ]
    assert any(next_to_each_other)


def test_a_number_that_changed_is_known_to_departments_later(odd: Run, rows: pl.DataFrame) -> None:
    identities = odd.table("identity")
    changed = identities.filter(pl.col("kind") == "reregistered")
    assert len(changed) > 10
    before = identities.join(changed, on="person_key", suffix="_new").filter(
        pl.col("kind").is_in(["first", "shared_number"])
    )
    assert (before["until"] < before["since_new"]).all()
    month = first_months(pl.col("period")).alias("month")
    about = rows.with_columns(month).join(
        before.select("person_key", "since_new", old="id_number", new="id_number_new"),
        on="person_key",
    )
    new = about.filter(pl.col("id_number") == pl.col("new"))
    assert len(new)
    assert (new["month"] >= new["since_new"]).all()
    late = about.filter(pl.col("number_error") == "former_number")
    assert len(late)
    assert (late["month"] >= late["since_new"]).all()
    assert (late["id_number"] == late["old"]).all()


def test_one_person_of_two_numbers_and_two_of_one_number(odd: Run, rows: pl.DataFrame) -> None:
    identities = odd.table("identity")
    second = identities.filter(pl.col("kind") == "second_number")
    assert len(second)
    used = rows.filter(pl.col("number_error") == "second_number")
    assert len(used)
    assert set(used["id_number"]) <= set(second["id_number"])
    shared = identities.filter(pl.col("kind") == "shared_number")
    persons = odd.table("person").select("person_key", "birth_date", "sex_code", "household_number")
    firsts = identities.filter(pl.col("kind") == "first").select("id_number", first="person_key")
    pairs = shared.join(firsts, on="id_number")
    assert len(pairs) == len(shared)
    both = pairs.join(persons, on="person_key").join(
        persons, left_on="first", right_on="person_key", suffix="_first"
    )
    assert (both["birth_date"] == both["birth_date_first"]).all()
    assert (both["sex_code"] == both["sex_code_first"]).all()
    assert not both["household_number"].eq_missing(both["household_number_first"]).any()


def test_former_names_are_those_of_the_truth(odd: Run, rows: pl.DataFrame) -> None:
    former = odd.table("identity").filter(pl.col("kind") == "former_name")
    share = len(former) / len(odd.table("person"))
    assert share == pytest.approx(0.08, abs=0.02)
    written = rows.filter(pl.col("name_error") == "former_name")
    assert len(written)
    assert len(written.join(former, on=["person_key", "person_name"])) == len(written)


def test_namesakes_live_in_one_village(residents: Identities) -> None:
    people = residents.population
    frame = pl.DataFrame({"name": people.name, "village": people.village, "sex": people.sex})
    namesakes = frame.filter(pl.struct("name", "village", "sex").is_duplicated())
    plain = draw_residents(60_000, 0, 0, Rates(0.05, 0.0), 2022).identities.population
    before = pl.DataFrame({"name": plain.name, "village": plain.village, "sex": plain.sex})
    by_chance = before.filter(pl.struct("name", "village", "sex").is_duplicated())
    # each of the 0.2 of the rate makes two of one name, unless it finds itself
    assert len(namesakes) - len(by_chance) == pytest.approx(2 * 0.01 * len(frame), rel=0.2)


def test_declared_births_and_sexes_have_their_errors() -> None:
    count = 200_000
    rng = np.random.default_rng(8)
    birth = rng.integers(days_of("1930-01-01"), days_of("2020-01-01"), count)
    sex = rng.integers(1, 3, count)
    told = draw_declared(sex, birth, "education", True, rng)
    is_wrong = told.birth_error >= 0
    assert ((told.birth != birth) == is_wrong).all()
    assert ((told.sex != sex) == (told.sex_error >= 0)).all()
    assert is_near(int((told.sex_error >= 0).sum()), 0.004 * 0.99 * count)
    for first, last, share in (
        ("1930-01-01", "1960-01-01", 0.06),
        ("1960-01-01", "2000-01-01", 0.015),
        ("2000-01-01", "2020-01-01", 0.005),
    ):
        is_of_age = (birth >= days_of(first)) & (birth < days_of(last))
        expected = share * 0.99 * int(is_of_age.sum())
        assert is_near(int((is_wrong & is_of_age).sum()), expected)
    kinds = np.bincount(told.birth_error[is_wrong], minlength=len(BIRTH_ERROR_NAMES))
    shares = dict(zip(BIRTH_ERROR_NAMES, kinds / kinds.sum(), strict=True))
    wanted = dict(zip(BIRTH_ERROR_NAMES, BIRTH_ERROR_WEIGHTS, strict=True))
    for kind in ("farmers_calendar", "first_of_january", "other_year"):
        assert shares[kind] == pytest.approx(wanted[kind], abs=0.03)
    # of days that cannot be a month another digit is wrong
    both = wanted["wrong_digit"] + wanted["swapped_day_and_month"]
    assert shares["wrong_digit"] + shares["swapped_day_and_month"] == pytest.approx(both, abs=0.03)
    days = pl.Series(told.birth - birth)
    is_farmers = pl.Series(told.birth_error == 0)
    assert days.filter(is_farmers).is_between(-50, -18).all()
    dates = pl.Series(told.birth.astype("datetime64[D]")).filter(pl.Series(told.birth_error == 1))
    assert (dates.dt.ordinal_day() == 1).all()

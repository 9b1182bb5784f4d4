"""The lists to measure linkage with have the demo's errors, and say who each row is about."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import polars as pl
import pytest

from minsheng.demo.linkage_rolls import SOURCES, write_rolls
from tests.minsheng.test_demo import has_valid_shape


@pytest.fixture(scope="module")
def rolls(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pl.DataFrame]:
    folder = tmp_path_factory.mktemp("rolls")
    paths = write_rolls(folder, 120_000)
    assert [path.stem for path in paths] == [source.name for source in SOURCES]
    return {path.stem: pl.read_parquet(path) for path in paths}


def test_each_list_has_as_many_persons_as_wanted(rolls: dict[str, pl.DataFrame]) -> None:
    for source in SOURCES:
        roll = rolls[source.name]
        assert roll["row_number"].to_list() == list(range(1, 120_001))
        assert roll["person"].n_unique() == 120_000
        assert roll["source"].unique().to_list() == [source.name]
        assert (roll["sex_code"].null_count() == len(roll)) == (not source.has_sex)
        assert (roll["birth_date"].null_count() == len(roll)) == (not source.has_birth)
        assert (roll["village_code"].null_count() == len(roll)) == (not source.has_village)
        assert (roll["phone"].null_count() == len(roll)) == (not source.phone_share)
    first, second = (rolls[source.name] for source in SOURCES[:2])
    assert len(first.join(second, on="person")) / 120_000 == pytest.approx(0.8, abs=0.01)


def test_the_lists_have_the_errors_of_the_demo(rolls: dict[str, pl.DataFrame]) -> None:
    owners: dict[str, set[int]] = defaultdict(set)
    persons: dict[str, set[int]] = defaultdict(set)
    for roll in rolls.values():
        # the rate, a tenth of it in single rows, and what is true of persons
        assert roll["number_error"].is_not_null().mean() == pytest.approx(0.0235, abs=0.002)
        assert roll["name_error"].is_not_null().mean() == pytest.approx(0.0345, abs=0.002)
        right = roll.filter(pl.col("number_error").is_null())
        assert all(has_valid_shape(number) for number in right["id_number"].head(2_000))
        for number, person in right.select("id_number", "person").iter_rows():
            owners[number].add(person)
        shared = roll.filter(pl.col("number_error") == "shared_number")
        for number, person in shared.select("id_number", "person").iter_rows():
            persons[number].add(person)
    assert all(len(found) == 1 for found in owners.values())
    assert persons
    assert all(owners[number] - found for number, found in persons.items() if number in owners)
    whole = rolls["agriculture__household_roll"]
    phones = whole["phone"].drop_nulls()
    assert phones.str.contains("^120[0-9]{8}$").all()
    assert whole["village_code"].str.contains("^33039[0-9]{7}$").all()


def test_without_rates_a_person_has_one_number_and_name_on_every_list(tmp_path: Path) -> None:
    paths = write_rolls(tmp_path, 5_000, broken_ids=0.0, odd_names=0.0)
    told = pl.concat(pl.read_parquet(path) for path in paths)
    assert told["number_error"].null_count() == told["name_error"].null_count() == 20_000
    by_person = told.group_by("person").agg(pl.col("id_number", "person_name").n_unique())
    assert (by_person["id_number"] == 1).all()
    assert (by_person["person_name"] == 1).all()
    assert told["id_number"].n_unique() == len(by_person)
    assert told["birth_date"].drop_nulls().len() > 0
    born = told.drop_nulls("birth_date")
    assert (born["birth_date"].dt.strftime("%Y%m%d") == born["id_number"].str.slice(6, 8)).all()


def test_another_seed_gives_other_persons(tmp_path: Path) -> None:
    first, second = (
        pl.read_parquet(write_rolls(tmp_path / str(seed), 1_000, seed=seed)[0]) for seed in (1, 2)
    )
    assert not first["person_name"].equals(second["person_name"])


def test_the_lists_are_the_same_for_the_same_seed(tmp_path: Path) -> None:
    first, second = (write_rolls(tmp_path / name, 3_000) for name in ("first", "second"))
    for left, right in zip(first, second, strict=True):
        assert left.read_bytes() == right.read_bytes()
    with pytest.raises(FileExistsError, match="already holds"):
        write_rolls(tmp_path / "first", 3_000)
    with pytest.raises(ValueError, match="persons must lie between 1 and"):
        write_rolls(tmp_path / "third", 0)

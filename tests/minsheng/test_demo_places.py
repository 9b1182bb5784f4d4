"""Households of other plans' areas live in their plan's years, and nobody has their numbers."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from minsheng.demo import generate
from minsheng.demo.identities import UNASSIGNED_REGIONS, check_digit
from minsheng.demo.places import SENDERS, moved_text, read_places

PROJECT_ROOT = Path(__file__).resolve().parents[2]
YEARS = {
    "xinhua_2021_2025": {2021, 2022, 2023, 2024, 2025},
    "yantai_2016_2020": {2016, 2017, 2018, 2019, 2020},
    "zhejiang_2013_2017": {2013, 2014, 2015, 2016, 2017},
    "jiangmen_2018": {2018, 2019},
}


def make(folder: Path, dirty_rate: float = 0.0, plan_households: int = 10) -> Path:
    generate(
        folder / "inbox",
        folder / "truth",
        project_root=PROJECT_ROOT,
        households=60,
        dirty_rate=dirty_rate,
        plan_households=plan_households,
    )
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("places"))


def files_of(home: Path, policy_id: str) -> dict[str, bytes]:
    sender = SENDERS[policy_id][0]
    return {
        str(path.relative_to(home)): path.read_bytes()
        for path in sorted((home / "inbox").glob(f"*/*/{sender}/*"))
    }


def roll_of(home: Path, policy_id: str) -> pl.DataFrame:
    folder = home / "inbox/agriculture/household_roll" / SENDERS[policy_id][0]
    return pl.concat(
        [pl.read_csv(path, infer_schema=False) for path in sorted(folder.glob("*.csv"))]
    )


def truth_of(home: Path, policy_id: str, table: str) -> pl.DataFrame:
    return pl.read_parquet(home / "truth" / policy_id / f"{table}.parquet")


@pytest.mark.parametrize("policy_id", SENDERS)
def test_a_roll_comes_for_every_year_of_the_plan(home: Path, policy_id: str) -> None:
    delivered = truth_of(home, policy_id, "delivery").filter(pl.col("dataset") == "household_roll")
    assert {int(period) for period in delivered["period"]} == YEARS[policy_id]
    assert set(delivered["sender"]) == {SENDERS[policy_id][0]}


@pytest.mark.parametrize("policy_id", SENDERS)
def test_every_file_is_in_the_truth_with_its_rows(home: Path, policy_id: str) -> None:
    delivered = truth_of(home, policy_id, "delivery")
    found = [name for name in files_of(home, policy_id) if not name.endswith(".yaml")]
    assert sorted(f"inbox/{name}" for name in delivered["file"]) == found
    assert delivered["row_count"].min() != 0


@pytest.mark.parametrize("policy_id", SENDERS)
def test_numbers_are_nobody_s_and_say_the_birth_date(home: Path, policy_id: str) -> None:
    for number, birth in (
        truth_of(home, policy_id, "person").select("id_number", "birth_date").rows()
    ):
        assert number[:6] in UNASSIGNED_REGIONS
        assert number[17] == check_digit(number[:17])
        assert number[6:14] == birth.strftime("%Y%m%d")


def test_no_two_persons_of_a_run_share_a_number(home: Path) -> None:
    tables = [home / "truth" / "person.parquet"]
    tables += [home / "truth" / policy_id / "person.parquet" for policy_id in SENDERS]
    numbers = pl.concat([pl.read_parquet(table)["id_number"] for table in tables])
    assert numbers.is_unique().all()


@pytest.mark.parametrize("policy_id", SENDERS)
def test_what_is_declared_agrees_with_the_number(home: Path, policy_id: str) -> None:
    told = roll_of(home, policy_id).drop_nulls("出生日期")
    assert len(told)
    number = told["证件号码"] if "证件号码" in told.columns else told["身份证号码"]
    assert number.str.slice(6, 8).to_list() == told["出生日期"].str.replace_all("-", "").to_list()


def test_a_dirty_run_spoils_nothing_elsewhere(home: Path, tmp_path: Path) -> None:
    dirty = make(tmp_path, dirty_rate=0.1)
    for policy_id in SENDERS:
        assert files_of(dirty, policy_id) == files_of(home, policy_id)


def test_places_change_nothing_of_the_demo_s_own_area(home: Path, tmp_path: Path) -> None:
    alone = make(tmp_path, plan_households=0)
    own = pl.read_parquet(alone / "truth" / "delivery.parquet")
    assert own.equals(pl.read_parquet(home / "truth" / "delivery.parquet"))
    for name in own["file"]:
        assert (alone / "inbox" / name).read_bytes() == (home / "inbox" / name).read_bytes()


def test_offices_speak_of_every_part_that_is_reported_or_attested(home: Path) -> None:
    for place in read_places(PROJECT_ROOT):
        wanted = {
            (part.item_id, part.part)
            for part in place.plan.parts
            if part.evaluation in ("reported", "attested")
        }
        said = truth_of(home, place.plan.policy_id, "item")
        assert set(said.select("item_id", "part").rows()) == wanted
        assert set(said["year"]) == set(place.plan.years)


@pytest.mark.parametrize(
    ("text", "years", "moved"),
    [
        ("2020-02-29", -2, "2018-02-28"),
        ("2020-02-29", -4, "2016-02-29"),
        ("2022-12", 3, "2025-12"),
        ("2019年第一批", -5, "2014年第一批"),
        ("财农〔2022〕3号", 3, "财农〔2025〕3号"),
        ("33032800000120181234", 3, "33032800000120181234"),
        ("xinhua_2021_2025", 3, "xinhua_2021_2025"),
        (None, 3, None),
    ],
)
def test_a_year_is_moved_wherever_it_stands_alone(
    text: str | None, years: int, moved: str | None
) -> None:
    assert moved_text(text, years) == moved


def test_nobody_is_born_after_the_last_year_of_the_plan(home: Path) -> None:
    births = truth_of(home, "xinhua_2021_2025", "person")["birth_date"]
    assert births.max() is not None
    assert date(1925, 1, 1) < births.min() < births.max() < date(2026, 1, 1)  # type: ignore[operator]

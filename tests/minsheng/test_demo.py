"""The demo's files follow its lives, its truth describes its files, and no number is anyone's."""

from __future__ import annotations

import ast
import csv
import hashlib
import io
import re
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from inspect import isgeneratorfunction
from pathlib import Path
from xml.etree import ElementTree

import polars as pl
import pytest
import yaml

from minsheng import demo
from minsheng.demo import DemoSummary, generate
from minsheng.demo.identities import UNASSIGNED_REGIONS, check_digit
from minsheng.demo.lives import draw_chunks
from minsheng.demo.plan import ENCODINGS, plan_files
from minsheng.demo.reference import read_reference

PROJECT_ROOT = Path(__file__).resolve().parents[2]
TARGET_MEANS = {2017: 9_700, 2018: 11_086, 2019: 12_650, 2020: 14_440, 2021: 16_480, 2022: 18_800}


@dataclass(frozen=True)
class Run:
    """A generated demo."""

    inbox: Path
    truth: Path
    summary: DemoSummary

    def table(self, name: str) -> pl.DataFrame:
        """A table of the truth."""
        return pl.read_parquet(self.truth / f"{name}.parquet")


def run_demo(folder: Path, households: int, *, seed: int = 2022, dirty_rate: float = 0.02) -> Run:
    inbox, truth = folder / "inbox", folder / "truth"
    summary = generate(
        inbox,
        truth,
        project_root=PROJECT_ROOT,
        households=households,
        seed=seed,
        dirty_rate=dirty_rate,
    )
    return Run(inbox, truth, summary)


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_demo(tmp_path_factory.mktemp("dirty"), 2_000)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_demo(tmp_path_factory.mktemp("clean"), 800, dirty_rate=0.0)


def file_digests(run: Run) -> dict[str, str]:
    """Digest of the bytes of every file of the inbox and the truth."""
    digests = {}
    for folder in (run.inbox, run.truth):
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                name = str(path.relative_to(folder.parent))
                digests[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return digests


def read_rows(path: Path, dataset: str) -> list[list[str]]:
    """Every row of a file as text, title rows included."""
    if path.suffix == ".xlsx":
        return list(read_sheet(path))
    text = path.read_bytes().decode(ENCODINGS[dataset], errors="strict")
    return list(csv.reader(io.StringIO(text, newline="")))


def read_sheet(path: Path) -> Iterator[list[str]]:
    """Rows of the first sheet; empty cells are empty text."""
    space = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    with zipfile.ZipFile(path) as archive:
        root = ElementTree.fromstring(archive.read("xl/worksheets/sheet1.xml"))
    for row in root.iter(f"{space}row"):
        cells: dict[int, str] = {}
        for cell in row.iter(f"{space}c"):
            letter = ord(cell.attrib["r"][0]) - ord("A")
            cells[letter] = "".join(cell.itertext())
        yield [cells.get(column, "") for column in range(max(cells) + 1)]


def headers_of(dataset: str) -> dict[str, str]:
    """Column of the contract by header."""
    (path,) = (PROJECT_ROOT / "expectations" / "staged").glob(f"*__{dataset}.yaml")
    columns = yaml.safe_load(path.read_text(encoding="utf-8"))["columns"]
    return {header: name for name, column in columns.items() for header in column["headers"]}


def has_valid_shape(number: str) -> bool:
    if not re.fullmatch(r"[0-9]{17}[0-9X]", number):
        return False
    return number[17] == check_digit(number[:17])


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    first = run_demo(tmp_path / "first", 500)
    second = run_demo(tmp_path / "second", 500)
    assert file_digests(first) == file_digests(second)
    for path in first.inbox.rglob("*.csv"):
        twin = second.inbox / path.relative_to(first.inbox)
        assert path.stat().st_mtime == twin.stat().st_mtime
    assert first.summary == second.summary


def test_another_seed_gives_other_lives(tmp_path: Path, clean: Run) -> None:
    other = run_demo(tmp_path, 800, seed=7, dirty_rate=0.0)
    numbers = [set(run.table("person")["id_number"]) for run in (clean, other)]
    assert numbers[0] != numbers[1]


def test_the_dirty_rate_changes_no_life(tmp_path: Path, dirty: Run) -> None:
    other = run_demo(tmp_path, 2_000, dirty_rate=0.0)
    for name in ("person", "household_year", "shock", "fall"):
        assert dirty.table(name).equals(other.table(name))


def test_the_check_digit_is_that_of_the_standard() -> None:
    # The two examples printed in GB 11643.
    assert check_digit("11010519491231002") == "X"
    assert check_digit("44052418800101001") == "4"


def test_every_number_is_valid_unique_and_nobodys(dirty: Run) -> None:
    areas = PROJECT_ROOT / "policies" / "shared" / "areas.csv"
    codes = pl.read_csv(areas, schema_overrides={"area_code": pl.String})["area_code"]
    assigned = set(codes.str.slice(0, 6))
    persons = dirty.table("person")
    assert persons["id_number"].is_unique().all()
    assert persons["person_key"].is_unique().all()
    for row in persons.iter_rows(named=True):
        number = row["id_number"]
        assert has_valid_shape(number)
        assert number[:6] in UNASSIGNED_REGIONS
        assert number[:6] not in assigned
        assert datetime.strptime(number[6:14], "%Y%m%d").date() == row["birth_date"]
        assert (int(number[16]) % 2 == 1) == (row["sex_code"] == "1")


def test_numbers_stay_unique_from_chunk_to_chunk(tmp_path: Path) -> None:
    run = run_demo(tmp_path, 5_400, dirty_rate=0.0)
    persons = run.table("person")
    assert persons["id_number"].is_unique().all()
    assert persons["person_key"].is_unique().all()
    years = run.table("household_year")
    assert years.select("household_number", "year").is_unique().all()


def test_the_first_chunk_does_not_depend_on_how_many_follow() -> None:
    areas = read_reference(PROJECT_ROOT).areas
    alone, first = (next(draw_chunks(areas, count, 2022)) for count in (5_000, 12_000))
    assert alone.people.id_number.equals(first.people.id_number)
    assert alone.people.name.equals(first.people.name)
    assert (alone.economy.components_fen == first.economy.components_fen).all()
    assert (alone.settlements.self_fen == first.settlements.self_fen).all()
    assert (alone.payments.amount_fen == first.payments.amount_fen).all()


def test_a_clean_demo_has_no_error(clean: Run) -> None:
    records = clean.table("record")
    assert records["error_kind"].null_count() == len(records)
    assert not records["is_refused"].any()
    assert clean.table("delivery")["status"].unique().to_list() == ["effective"]
    for dataset in ENCODINGS:
        headers = headers_of(dataset)
        for path in sorted(clean.inbox.glob(f"*/{dataset}/**/*.*")):
            if path.suffix == ".yaml":
                continue
            rows = read_rows(path, dataset)
            title_rows = 2 if path.suffix == ".xlsx" else 0
            header, data = rows[title_rows], rows[title_rows + 1 :]
            assert set(header) <= set(headers)
            assert len(set(map(tuple, data))) == len(data)
            names = [headers[cell] for cell in header]
            if "id_number" in names:
                position = names.index("id_number")
                assert all(has_valid_shape(row[position]) for row in data)


def test_households_and_incomes_lie_in_their_bands(dirty: Run) -> None:
    on_roll = dirty.table("household_year").filter("is_on_roll")
    by_year = on_roll.group_by("year").agg(
        (pl.col("total_fen").sum() / pl.col("member_count").sum() / 100).alias("mean"),
        pl.col("member_count").mean().alias("size"),
        pl.col("has_labour").mean().alias("labour"),
    )
    assert len(by_year) == 6
    for row in by_year.iter_rows(named=True):
        assert row["mean"] == pytest.approx(TARGET_MEANS[row["year"]], rel=0.05)
        assert 1.6 < row["size"] < 2.4
        assert 0.38 < row["labour"] < 0.52
    last = on_roll.filter(pl.col("year") == 2022)
    below = (last["total_fen"] < 960_000 * last["member_count"]).mean()
    assert 0.005 < float(str(below)) < 0.07


def test_causes_have_their_shares(clean: Run) -> None:
    causes: Counter[str] = Counter()
    for path in sorted(clean.inbox.glob("agriculture/household_roll/*/*_2017.csv")):
        rows = read_rows(path, "household_roll")
        names = [headers_of("household_roll")[cell] for cell in rows[0]]
        number, cause = names.index("household_number"), names.index("cause_code")
        causes.update({row[number]: row[cause] for row in rows[1:]}.values())
    total = causes.total()
    assert causes["因病"] / total == pytest.approx(0.705, abs=0.02)
    assert causes["因残"] / total == pytest.approx(0.173, abs=0.02)
    lacks = sum(causes[text] for text in ("缺劳力", "缺劳动力", "缺技术", "缺资金"))
    assert lacks / total == pytest.approx(0.0914, abs=0.02)


def test_the_four_components_add_up_to_the_total(clean: Run) -> None:
    years = clean.table("household_year")
    parts = pl.sum_horizontal("wage_fen", "business_fen", "property_fen", "transfer_fen")
    assert years.select((parts == pl.col("total_fen")).all()).item()
    lowest = years.select(pl.col("^.*_fen$").min()).row(0, named=True)
    assert lowest.pop("business_fen") < 0
    assert min(lowest.values()) >= 0
    headers = headers_of("household_income")
    incomes = years.filter("is_in_ledger").select("household_number", "year", "total_fen")
    truth = {(number, year): total for number, year, total in incomes.iter_rows()}
    written = {}
    for path in sorted(clean.inbox.glob("agriculture/household_income/*/*.csv")):
        rows = read_rows(path, "household_income")
        names = [headers[cell] for cell in rows[0]]
        for cells in rows[1:]:
            row = dict(zip(names, cells, strict=True))
            fen = {name: round(float(row[name]) * 100) for name in names if "yuan" in name}
            total = fen.pop("total_yuan")
            assert sum(fen.values()) == total
            written[row["household_number"], int(path.stem)] = total
    assert written == truth


def test_bills_add_up_to_the_fen(clean: Run) -> None:
    headers = headers_of("medical_settlement")
    for path in sorted(clean.inbox.glob("health/medical_settlement/2019-*.csv")):
        rows = read_rows(path, "medical_settlement")
        names = [headers[cell] for cell in rows[0]]
        for cells in rows[1:]:
            row = dict(zip(names, cells, strict=True))
            fen = {name: round(float(row[name]) * 100) for name in names if "yuan" in name}
            assert min(fen.values()) >= 0
            assert fen.pop("total_cost_yuan") == sum(fen.values())
            assert row["settled_date"].startswith(path.stem)


def test_the_roll_lists_the_members_the_ledger_declares(clean: Run) -> None:
    records = clean.table("record").filter(pl.col("dataset") == "household_roll")
    year = pl.col("period").cast(pl.Int64).alias("year")
    listed = records.group_by("household_number", year).agg(
        pl.len().cast(pl.Int64).alias("member_count")
    )
    declared = clean.table("household_year").filter("is_on_roll")
    columns = ["household_number", "year", "member_count"]
    assert listed.select(columns).sort(columns).equals(declared.select(columns).sort(columns))


def test_nobody_is_listed_after_the_year_of_death(clean: Run) -> None:
    died = clean.table("person").filter(pl.col("died_on").is_not_null())
    assert len(died) > 0
    rolls = clean.table("record").filter(pl.col("dataset") == "household_roll")
    after = rolls.join(died, on="person_key").filter(
        pl.col("period").cast(pl.Int32) > pl.col("died_on").dt.year()
    )
    assert after.is_empty()


def test_truth_points_at_the_rows_of_the_files(dirty: Run) -> None:
    persons = dict(dirty.table("person").select("person_key", "id_number").iter_rows())
    records = dirty.table("record")
    deliveries = dirty.table("delivery").filter(pl.col("status") == "effective")
    assert sum(deliveries["row_count"]) == len(records)
    by_file = {str(key[0]): part for key, part in records.group_by("file")}
    harmless = {None, "id_lower_case_or_spaces", "id_full_width_digits"}
    full_width = str.maketrans("０１２３４５６７８９Ｘ", "0123456789X")
    for delivery in deliveries.iter_rows(named=True):
        path = dirty.inbox / delivery["file"]
        rows = read_rows(path, delivery["dataset"])
        part = by_file.get(delivery["file"], records.clear()).sort("row_number")
        title_rows = {"disability_certificate": 2, "area_benchmark": 1}.get(delivery["dataset"], 0)
        headers = headers_of(delivery["dataset"])
        names = [headers[cell] for cell in rows[title_rows]]
        assert len(rows) == title_rows + 1 + delivery["row_count"]
        assert part["row_number"].to_list() == list(range(title_rows + 2, len(rows) + 1))
        for record in part.iter_rows(named=True):
            cells = rows[record["row_number"] - 1]
            kind = record["error_kind"]
            assert (len(cells) > len(names)) == (kind == "cell_too_many")
            if "id_number" in names and kind in harmless:
                written = cells[names.index("id_number")].strip().translate(full_width).upper()
                assert written == persons[record["person_key"]]
            if kind == "id_wrong_digit":
                assert not has_valid_shape(cells[names.index("id_number")])
            if kind == "duplicate_row":
                assert cells == rows[record["row_number"] - 2]
            if kind is None and delivery["dataset"] == "household_income":
                assert cells[names.index("household_number")] == record["household_number"]


def test_the_share_of_dirty_rows_is_near_the_rate(dirty: Run) -> None:
    records = dirty.table("record").filter(pl.col("dataset") != "area_benchmark")
    for (dataset,), part in records.group_by("dataset"):
        share = part["error_kind"].is_not_null().mean()
        # Few rows vary more: four standard errors and what falls on empty cells.
        margin = 4 * (0.02 / len(part)) ** 0.5 + 0.001
        assert abs(float(str(share)) - 0.02) < margin, dataset
    kinds = records.drop_nulls("error_kind").group_by("error_kind").len()
    counted = {kind: count for kind, count in kinds.iter_rows() if count}
    assert counted == {kind: n for kind, n in dirty.summary.errors_by_kind.items() if n}
    stated = yaml.safe_load((dirty.truth / "summary.yaml").read_text(encoding="utf-8"))
    assert stated["counts"]["errors_by_kind"] == dirty.summary.errors_by_kind
    income_kinds = set(
        records.filter(pl.col("dataset") == "household_income")["error_kind"].drop_nulls()
    )
    assert income_kinds <= {
        "amount_unreadable",
        "required_cell_missing",
        "duplicate_row",
        "cell_too_many",
    }


def test_one_file_comes_twice_and_one_is_corrected(dirty: Run) -> None:
    deliveries = dirty.table("delivery")
    (repeated,) = deliveries.filter(pl.col("status") == "repeated").iter_rows(named=True)
    original = dirty.inbox / repeated["file"].replace("_重报", "")
    assert (dirty.inbox / repeated["file"]).read_bytes() == original.read_bytes()
    (earlier,) = deliveries.filter(pl.col("status") == "superseded").iter_rows(named=True)
    later_name = earlier["file"].replace(".csv", "_更正.csv")
    (later,) = deliveries.filter(pl.col("file") == later_name).iter_rows(named=True)
    assert later["delivered_at"] > earlier["delivered_at"]
    paths = [dirty.inbox / earlier["file"], dirty.inbox / later_name]
    before, after = (read_rows(path, "relief_payment") for path in paths)
    assert len(before) == len(after)
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert changed
    assert all(old[:-1] == new[:-1] for old, new in changed)
    assert paths[0].stat().st_mtime < paths[1].stat().st_mtime
    sidecar = yaml.safe_load(paths[1].with_name(paths[1].name + ".yaml").read_text("utf-8"))
    assert sidecar["rows"] == len(after) - 1
    assert sidecar["period"] == later["period"]
    assert datetime.fromisoformat(sidecar["delivered_at"]) == later["delivered_at"]


def test_files_come_within_the_usual_lag(clean: Run) -> None:
    for department, dataset in clean.table("delivery")["department", "dataset"].unique().rows():
        path = PROJECT_ROOT / "expectations" / "staged" / f"{department}__{dataset}.yaml"
        delivery = yaml.safe_load(path.read_text(encoding="utf-8"))["delivery"]
        files = clean.table("delivery").filter(pl.col("dataset") == dataset)
        for row in files.iter_rows(named=True):
            year, _, month = row["period"].partition("-")
            end = date(int(year) + int(month or 12) // 12, int(month or 12) % 12 + 1, 1)
            came = datetime.fromtimestamp((clean.inbox / row["file"]).stat().st_mtime).date()
            assert 0 <= (came - end).days <= delivery["usual_lag_days"]


def test_stopped_benefits_and_dropouts_show_in_the_files(clean: Run) -> None:
    shocks = clean.table("shock")
    assert set(shocks["kind"]) >= {"illness", "job_loss", "benefit_stopped", "uninsured"}
    persons = clean.table("person").select("person_key", "died_on")
    stops = shocks.filter(pl.col("kind") == "benefit_stopped").join(persons, on="person_key")
    alive = stops.filter(pl.col("died_on").is_null() | (pl.col("died_on") >= pl.col("month")))
    assert len(alive) > 0.9 * len(stops)
    payments = clean.table("record").filter(pl.col("dataset") == "relief_payment")
    last = stops.with_columns(
        pl.col("month").dt.offset_by("-1mo").dt.strftime("%Y-%m").alias("period")
    )
    assert last.join(payments, on=["person_key", "period"], how="anti").is_empty()
    uninsured = shocks.filter(pl.col("kind") == "uninsured")
    bills = clean.table("household_year").filter("is_in_ledger")
    known = uninsured.join(bills, on="household_number", how="semi")
    assert len(known) == len(uninsured)


def test_falls_are_those_of_the_incomes(clean: Run) -> None:
    years = clean.table("household_year").filter("is_in_ledger")
    per_head = years.select(
        "household_number", "year", (pl.col("total_fen") / pl.col("member_count")).alias("income")
    )
    before = per_head.with_columns(pl.col("year") + 1).rename({"income": "before"})
    fallen = per_head.join(before, on=["household_number", "year"]).filter(
        (pl.col("income") < 960_000) & (pl.col("before") > 960_000)
    )
    columns = ["household_number", "year"]
    expected = fallen.select(columns).sort(columns)
    assert clean.table("fall").select(columns).sort(columns).equals(expected)
    assert len(expected) > 0


def test_neighbours_stand_only_in_files_of_the_whole_population(clean: Run) -> None:
    persons = clean.table("person")
    neighbours = persons.filter(pl.col("household_number").is_null())
    assert len(neighbours) == clean.summary.neighbours
    assert len(neighbours) / clean.summary.members == pytest.approx(0.15, abs=0.01)
    records = clean.table("record").join(neighbours, on="person_key", how="semi")
    # a neighbour's new illness is rare
    assert set(records["dataset"]) - {"serious_illness"} == {
        "student_enrolment",
        "insurance_enrolment",
        "medical_settlement",
        "disability_certificate",
        "vital_event",
        "accident",
        "family_doctor",
        "pension_enrolment",
    }


def test_the_demo_uses_no_other_code_of_the_project() -> None:
    folder = Path(str(demo.__file__)).parent
    for path in sorted(folder.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0
                names = [str(node.module)]
            own = [name for name in names if name.split(".")[0] == "minsheng"]
            assert all(name.startswith("minsheng.demo") for name in own), path


def test_a_folder_with_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "note.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(FileExistsError, match="already holds files"):
        run_demo(tmp_path, 10)
    assert [path.name for path in (tmp_path / "inbox").iterdir()] == ["note.txt"]


def test_a_handful_of_households_still_gets_every_file_but_those_without_events(
    tmp_path: Path,
) -> None:
    run = run_demo(tmp_path, 3)
    assert run.summary.households == 3
    files = run.table("delivery")
    assert run.summary.files == len(files)
    plans = plan_files(read_reference(PROJECT_ROOT), 3, has_dirt=True)
    planned = {file.path: file.is_left_out_if_empty for part in plans.values() for file in part}
    delivered = set(files["file"])
    left_out = set(planned) - delivered
    assert left_out
    assert all(planned[path] for path in left_out)
    assert not any((run.inbox / path).exists() for path in left_out)
    empty = files.filter((pl.col("row_count") == 0) & (pl.col("status") == "effective"))
    assert not any(planned[path] for path in empty["file"])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs the peak of /proc")
def test_memory_does_not_grow_with_the_households(tmp_path: Path) -> None:
    assert isgeneratorfunction(draw_chunks)
    program = (
        "import sys; from pathlib import Path; from minsheng.demo import generate; "
        "folder = Path(sys.argv[1]); "
        "generate(folder / 'inbox', folder / 'truth', project_root=Path(sys.argv[2]), "
        "households=30_000); "
        "print(Path('/proc/self/status').read_text())"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), str(PROJECT_ROOT)],
        check=True,
        capture_output=True,
        text=True,
        cwd=PROJECT_ROOT,
    )
    peak = re.search(r"VmHWM:\s+(\d+) kB", result.stdout)
    assert peak is not None
    assert int(peak.group(1)) / 1024 < 500

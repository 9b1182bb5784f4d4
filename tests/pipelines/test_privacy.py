"""Nothing that names a person leaves the vault and the restricted layers, whatever goes wrong."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
import yaml

from minsheng import encryption, lake
from minsheng.contracts import RESTRICTED_LAYERS, load_contracts
from minsheng.encryption import KEY_FILE
from minsheng.openings import LOG_FILE
from minsheng.project import Project
from minsheng.release import current
from minsheng.settings import PROJECT_ROOT, Settings, SettingsError, load_settings
from minsheng.warehouse import RESTRICTED_FILE, VAULT_FILE
from pipelines.refresh import dagster_instance, refresh
from tests.personal import Personal, delivered_to
from tests.pipelines.conftest import CORE, Home, make_demo

TO_DEPARTMENTS = ("inbox", "rejects", "worklists", "truth")
"""Folders of what departments bring and get, and of the demo's truth."""
ORIGINAL = "original"


def files_of(settings: Settings) -> list[Path]:
    """Files of a home that must name nobody."""
    return [
        path
        for path in settings.home.rglob("*")
        if path.is_file()
        and path.relative_to(settings.home).parts[0] not in TO_DEPARTMENTS
        and ORIGINAL not in path.parts
    ]


def found_in_tables(database: Path, personal: Personal) -> dict[str, set[str]]:
    """What the columns of a published file tell of persons, by column."""
    found = {}
    with duckdb.connect(str(database), read_only=True) as connection:
        columns = connection.execute(
            # a share or a mean may have any digits
            "select schema_name, table_name, column_name from duckdb_columns() "
            "where not internal and data_type <> 'DOUBLE'"
        ).fetchall()
        assert len(columns) > 300
        for schema, table, column in columns:
            cells = connection.execute(
                f'select distinct "{column}"::varchar from "{schema}"."{table}" '
                f'where "{column}" is not null'
            ).fetchall()
            found[f"{schema}.{table}.{column}"] = personal.in_cells(str(row[0]) for row in cells)
    return {column: told for column, told in found.items() if told}


def found_in_files(settings: Settings, personal: Personal) -> dict[str, set[str]]:
    """What the bytes of a home's files tell of persons, by file."""
    found = {
        path.relative_to(settings.home).as_posix(): personal.in_file(path)
        for path in files_of(settings)
    }
    return {path: told for path, told in found.items() if told}


def found_in_parquet(settings: Settings, personal: Personal) -> dict[str, set[str]]:
    found = {}
    for path in (settings.published / "current" / "parquet").rglob("*.parquet"):
        with duckdb.connect() as connection:
            kinds = connection.execute("describe from read_parquet(?)", [str(path)]).fetchall()
            measured = [f'"{name}"' for name, kind, *_ in kinds if kind == "DOUBLE"]
            others = f"* exclude ({', '.join(measured)})" if measured else "*"
            rows = connection.execute(
                f"select t::varchar from (select {others} from read_parquet(?)) as t", [str(path)]
            )
            found[path.name] = personal.in_text("\n".join(str(row[0]) for row in rows.fetchall()))
    assert len(found) > 20
    return {name: told for name, told in found.items() if told}


def test_no_column_behind_the_restricted_layers_may_name_a_person() -> None:
    contracts = load_contracts(load_settings(deployment="demo"))
    named = [
        f"{contract.name}.{column.name}"
        for contract in contracts.values()
        if contract.layer not in RESTRICTED_LAYERS
        for column in contract.columns
        if column.sensitivity == "direct" or column.type in ("name", "id_number")
    ]
    assert named == []


@pytest.fixture(scope="module")
def personal(dirty: Home) -> Personal:
    return delivered_to(dirty.settings)


def test_the_search_finds_what_it_searches(personal: Personal, tmp_path: Path) -> None:
    """Nearly every name tells something, and is found in text, cells and files of each kind."""
    assert len(personal.names) > 500
    assert len(personal.numbers) > 3000
    assert len(personal.telling) > 0.95 * len(personal.names) + len(personal.numbers)
    name = max(personal.names & set(personal.telling), key=len)
    number = next(each for each in sorted(personal.numbers) if len(each) == 18)
    for encoding in ("utf-8", "gb18030"):
        path = tmp_path / encoding
        path.write_bytes(f"甲{name}乙{number}丙".encode(encoding))
        assert personal.in_file(path) == {name, number}
    with duckdb.connect(str(tmp_path / "told.duckdb")) as connection:
        connection.execute("create table told as select ? as text", [f"甲{name}"])
    assert personal.in_file(tmp_path / "told.duckdb") == {name}
    assert personal.in_cells(["甲", name]) == {name}


def test_no_published_table_names_a_delivered_person(dirty: Home, personal: Personal) -> None:
    assert found_in_tables(dirty.database, personal) == {}
    assert found_in_parquet(dirty.settings, personal) == {}


def test_no_file_of_the_home_names_a_delivered_person(dirty: Home, personal: Personal) -> None:
    """The lake, the builds, the vault, the letters and the orchestrator's store, in bytes."""
    kinds = {path.suffix for path in files_of(dirty.settings)}
    assert kinds >= {".parquet", ".duckdb", ".json", ".jsonl", ".md", ".db"}
    assert found_in_files(dirty.settings, personal) == {}


def test_refused_rows_go_back_without_numbers_and_names(dirty: Home, personal: Personal) -> None:
    workbooks = list(dirty.settings.rejects.rglob("*.xlsx"))
    assert len(workbooks) > 20
    for path in workbooks:
        assert personal.in_file(path) == set()


def test_every_opening_is_noted_with_run_step_file_and_reason(own_dirty: Home) -> None:
    """A refresh opens lake and restricted file with its first step, and the vault in one alone."""
    text = (own_dirty.settings.vault / LOG_FILE).read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    with dagster_instance(own_dirty.settings) as instance:
        [run] = instance.get_runs()
    work = f"builds/.work-{run.run_id}"
    files = [line["file"] for line in lines]
    assert files == ["lake", f"{work}/{RESTRICTED_FILE}", f"{work}/{VAULT_FILE}"]
    assert all(re.fullmatch(rf"run {run.run_id} \w+__\w+", line["by"]) for line in lines)
    assert lines[-1]["by"].endswith(" vault__link")
    assert lines[-1]["why"] == "link the records of 9 datasets"


def test_a_lost_key_publishes_nothing_and_says_what_to_do(own_home: Home) -> None:
    settings, before = own_home.settings, current(own_home.settings)
    kept = (settings.vault / KEY_FILE).read_bytes()
    (settings.vault / KEY_FILE).unlink()
    (settings.inbox / "health" / "insurance_enrolment").mkdir(parents=True, exist_ok=True)
    waiting = settings.inbox / "health" / "insurance_enrolment" / "2023.csv"
    waiting.write_text("身份证号,姓名\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"its key is gone.*from its backup"):
        refresh(settings)
    finished = minsheng(PROJECT_ROOT, settings, "refresh")
    assert finished.returncode == 1
    [line] = finished.stderr.splitlines()
    assert line.startswith("minsheng: ")
    assert "its key is gone" in line
    assert current(settings) == before
    assert waiting.is_file()
    assert not (settings.vault / KEY_FILE).exists()
    # from its backup
    encryption.keep_secret(settings.vault / KEY_FILE, kept.decode())
    waiting.unlink()
    assert refresh(settings).state == "nothing_new"


def minsheng(root: Path, settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, run in a checkout on a home."""
    environment = {
        **os.environ,
        "MINSHENG_HOME": str(settings.home),
        "MINSHENG_DEPLOYMENT": str(settings.deployment),
        "PYTHONPATH": str(root),
    }
    return subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *arguments],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


NAME, NUMBER, PHONE = "龘犇骉", "330399199001010011", "13912345678"
CERTIFICATE, STUDENT = "33039919900101001142", "G330399199001010011"
PLANTED = Personal(frozenset({NAME}), frozenset({NUMBER, PHONE, CERTIFICATE, STUDENT}))
"""Of nobody; delivered where nobody expects them."""
PAYMENTS = "身份证号码,姓名,发放项目,发放金额\n"
GOOD_ROWS = "".join(f"9901011970010100{n},甲乙,低保金,{n}\n" for n in range(10, 40))


def plant(settings: Settings) -> None:
    """Files in which persons stand in every column, in names of files, and in what is no table."""
    for source in Project(settings).sources:
        headers = [column.headers[0] for column in source.columns if column.headers]
        assert source.delivery
        period = "2016" if source.delivery.period == "year" else "2016-01"
        folder = settings.inbox / source.delivery.department / source.delivery.dataset
        folder.mkdir(parents=True, exist_ok=True)
        rows = [",".join(headers)]
        rows += [",".join([each] * len(headers)) for each in (NAME, *PLANTED.numbers)]
        (folder / f"{period}.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    payments = settings.inbox / "civil_affairs" / "relief_payment"
    # good rows among which some have the person in a wrong column
    shifted = "".join(
        f"{','.join([*cells[:place], told, *cells[place + 1 :]])}\n"
        for told in (NAME, NUMBER, PHONE, f"{NAME}，电话{PHONE}")
        for cells in [["990101197001010011", "甲乙", "低保金", "1"]]
        for place in range(4)
    )
    files = {
        "2016-02.csv": f"{PAYMENTS}{GOOD_ROWS}{shifted}",
        f"{NUMBER}-2016-03.csv": f"{PAYMENTS}{GOOD_ROWS}",
        f"{NUMBER}.csv": f"{PAYMENTS}{GOOD_ROWS}",
        f"2016-04-{CERTIFICATE}.pdf": "no table",
        "2016-05.csv": f"{NUMBER},{NAME},低保金,100\n{NUMBER},{NAME},低保金,{PHONE}\n",
        "2016-06.csv": f"{PAYMENTS}{NUMBER},{NAME},低保金,100,{PHONE},{NAME}\n{GOOD_ROWS}",
        "2016-07.csv": f"{PAYMENTS}{GOOD_ROWS}",
        "2016-07.csv.yaml": f"period: '2016-07'\n{NAME}: [{PHONE}, {NUMBER}\n",
        "2016-08.csv": f"{PAYMENTS}{GOOD_ROWS}",
        "2016-08.csv.yaml": f"period: '{NUMBER}'\n",
        "2016-09.csv": f'{PAYMENTS}{NUMBER},"{NAME},低保金,100\n{GOOD_ROWS}',
        "2016-10.xlsx": f"{NAME}{NUMBER}",
    }
    for name, content in files.items():
        (payments / name).write_text(content, encoding="utf-8")
    nowhere = settings.inbox / "nowhere"
    nowhere.mkdir()
    (nowhere / f"{PHONE}.csv").write_text(NAME, encoding="utf-8")


FAILING = {
    # a check that fails, and one that cannot be evaluated
    "expectations/linked/relief_payment.yaml": """
  - {name: nobody_is_paid, severity: critical, why: 检查须失败,
     query: "select person_id from linked.relief_payment"}
  - {name: names_are_numbers, severity: critical, why: 检查须出错,
     query: "select * from staged.agriculture__household_roll where cast(person_name as int) > 0"}
""",
    "expectations/contradictions.yaml": """
named_by_a_number:
  label_zh: 姓名是数字
  label_en: named by a number
  why: 须出错
  mend: 须出错
  left: {source: civil_affairs__relief_payment, where: cast(person_name as integer) > 0}
  right: {source: civil_affairs__assistance_roll}
""",
}


def failing_checkout(folder: Path) -> Path:
    """A copy of the checkout in which a model, a check and a contradiction fail on a value."""
    for name in ("minsheng", "assets", "pipelines", "sql", "policies", "expectations"):
        shutil.copytree(PROJECT_ROOT / name, folder / name)
    shutil.copytree(PROJECT_ROOT / "deployments", folder / "deployments")
    for name in ("dagster.yaml", "pyproject.toml"):
        shutil.copyfile(PROJECT_ROOT / name, folder / name)
    for name, more in FAILING.items():
        path = folder / name
        text = path.read_text(encoding="utf-8")
        checks = "\nchecks:" if "expectations/linked" in name and "\nchecks:" not in text else ""
        path.write_text(f"{text.rstrip()}{checks}{more}", encoding="utf-8")
    model = folder / "sql" / "linked" / "insurance.sql"
    model.write_text(
        f"{model.read_text('utf-8')}where cast(record.person_name as integer) > 0\n", "utf-8"
    )
    return folder


@dataclass(frozen=True)
class Spoilt:
    """A home in which much went wrong, and what the commands said."""

    home: Home
    personal: Personal
    good: subprocess.CompletedProcess[str]
    bad: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spoilt]:
    folder = tmp_path_factory.mktemp("spoilt")
    core = yaml.safe_load((Path(CORE) / "settings.yaml").read_text(encoding="utf-8"))
    core["datasets"] += ["agriculture__monitoring_case", "agriculture__cadre_visit"]
    deployment = folder / "deployment"
    deployment.mkdir()
    (deployment / "settings.yaml").write_text(
        yaml.safe_dump(core, allow_unicode=True), encoding="utf-8"
    )
    settings = make_demo(folder / "home", 0.05, 200, str(deployment))
    plant(settings)
    good = minsheng(PROJECT_ROOT, settings, "refresh")
    bad = minsheng(failing_checkout(folder / "checkout"), settings, "refresh")
    found = delivered_to(settings)
    yield Spoilt(
        Home(settings, None),  # type: ignore[arg-type]  # the command has no outcome
        Personal(found.names | PLANTED.names, found.numbers | PLANTED.numbers),
        good,
        bad,
    )


@pytest.mark.slow
def test_what_was_planted_was_met(spoilt: Spoilt) -> None:
    """Otherwise the searches below would prove nothing."""
    assert spoilt.good.returncode == 0, spoilt.good.stderr
    assert "published" in spoilt.good.stdout
    receipts = lake.read_receipts(spoilt.home.settings.lake)
    refused = [receipt for receipt in receipts if receipt.status == "refused"]
    assert {receipt.table for receipt in refused} == {
        source.table for source in Project(spoilt.home.settings).sources
    }
    assert spoilt.good.stdout.count("\nrefused ") == len(refused) > 10
    assert any(receipt.rows_refused and receipt.period == "2016-02" for receipt in receipts)
    assert spoilt.bad.returncode == 1
    assert current(spoilt.home.settings)
    with dagster_instance(spoilt.home.settings) as instance:
        failed, published = instance.get_runs()
        assert (failed.is_failure, published.is_success) == (True, True)
        steps = {
            each.dagster_event.step_key: str(each.dagster_event.event_specific_data)
            for each in instance.all_logs(failed.run_id)
            if each.dagster_event and each.dagster_event.is_step_failure
        }
    assert {"linked__insurance", "linked__relief_payment", "quality__contradiction"} <= set(steps)
    assert "ConversionException" in steps["linked__insurance"]


@pytest.mark.slow
def test_no_command_says_who_somebody_is(spoilt: Spoilt) -> None:
    settings = spoilt.home.settings
    households = spoilt.home.rows(
        "select household_id from risk.return_to_poverty order by household_id limit 3"
    )
    assert households
    said = [
        spoilt.good,
        spoilt.bad,
        minsheng(PROJECT_ROOT, settings, "status"),
        minsheng(PROJECT_ROOT, settings, "status", "--json"),
        *(minsheng(PROJECT_ROOT, settings, "explain", str(row[0])) for row in households),
        minsheng(PROJECT_ROOT, settings, "explain", NUMBER),
    ]
    for each in said[:-1]:
        assert spoilt.personal.in_text(each.stdout + each.stderr) == set()
        assert len(each.stdout + each.stderr) > 40


@pytest.mark.slow
def test_no_table_file_or_log_of_the_spoilt_home_names_anybody(spoilt: Spoilt) -> None:
    settings = spoilt.home.settings
    assert found_in_tables(spoilt.home.database, spoilt.personal) == {}
    assert found_in_parquet(settings, spoilt.personal) == {}
    assert found_in_files(settings, spoilt.personal) == {}


@pytest.mark.slow
def test_no_letter_names_anybody_and_no_workbook_tells_a_number(spoilt: Spoilt) -> None:
    """In a wrong column a name is a word like any other; a number is masked wherever it stands."""
    letters = list(spoilt.home.settings.rejects.rglob("*.txt"))
    assert len(letters) > 10
    for path in letters:
        assert spoilt.personal.in_file(path) == set(), path.name
    workbooks = list(spoilt.home.settings.rejects.rglob("*2016*.xlsx"))
    assert len(workbooks) > 10
    for path in workbooks:
        assert spoilt.personal.in_file(path) <= {NAME}, path.name


@pytest.mark.slow
def test_rotation_gives_every_person_another_key_and_changes_no_figure(
    own_home: Home, tmp_path: Path
) -> None:
    deployment = tmp_path / "sm3"
    shutil.copytree(CORE, deployment)
    with (deployment / "settings.yaml").open("a", encoding="utf-8") as stream:
        stream.write("pseudonyms: {algorithm: sm3, key_version: 2}\n")
    settings = load_settings(own_home.settings.home, str(deployment))
    persons = "select person_id from linked.person"
    figures = "from indicators.income_growth order by all"
    before, growth = own_home.rows(persons), own_home.rows(figures)
    with pytest.raises(SettingsError, match="--rotate-keys"):
        refresh(settings)
    assert own_home.rows(persons) == before
    outcome = refresh(settings, rotate_keys=True)
    assert outcome.state == "published", outcome.message
    after = own_home.rows(persons)
    assert len(after) == len(before)
    assert set(after).isdisjoint(before)
    assert own_home.rows(figures) == growth
    [(key,)] = own_home.rows("select pseudonym_key from meta.build")
    assert str(key).startswith("sm3-2-")
    assert refresh(settings).state == "nothing_new"

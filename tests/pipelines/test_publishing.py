"""What readers see: one whole version or another, and never what is being written."""

import fcntl
import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from pathlib import Path

import duckdb
import pytest
from dagster import DagsterRunStatus, RunsFilter
from typer.testing import CliRunner

from minsheng.contracts import load_contracts
from minsheng.lake import DeliveryError
from minsheng.lock import LOCK_FILE
from minsheng.outcome import note_refresh, read_note
from minsheng.release import WORK_PREFIX, AuditFailure, current, publish, rollback, versions
from minsheng.settings import SettingsError, load_settings
from minsheng.spill import spill_folder
from minsheng.status import status_of, status_text
from pipelines.cli import app
from pipelines.refresh import dagster_instance, refresh
from tests.disk import needs_root, resize, small_disk
from tests.pipelines.conftest import CORE, Home, make_demo

RELIEF_2021_06 = "inbox/civil_affairs/relief_payment/330328000000/2021-06.csv"
LINE = "身份证号码,姓名,发放项目,发放金额\n330399195001010012,甲乙,低保金,{amount}\n"


def deliver(home: Home, name: str, text: str) -> Path:
    path = home.settings.home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    # a few rows in place of a whole month: the sender stands by it
    rows = text.count("\n") - 1
    path.with_name(f"{path.name}.yaml").write_text(f"rows: {rows}\n", encoding="utf-8")
    return path


def files_of(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.slow
def test_two_homes_with_the_same_files_have_the_same_build_and_digests(
    clean: Home, tmp_path: Path
) -> None:
    settings = make_demo(tmp_path / "again", 0.0)
    with duckdb.connect() as connection:
        [(threads,)] = connection.execute("select current_setting('threads')").fetchall()
    assert threads >= 2, "one thread proves nothing here"
    again = Home(settings, refresh(settings))
    query = "select schema_name, table_name, row_count, digest from meta.table_digest order by all"
    assert again.rows(query) == clean.rows(query)
    assert len(clean.rows(query)) > 30
    [(build_id,)] = clean.rows("select build_id from meta.build")
    assert again.rows("select build_id from meta.build") == [(build_id,)]


def test_every_table_of_a_published_version_is_of_its_build(clean: Home) -> None:
    [(build_id,)] = clean.rows("select build_id from meta.build")
    assert clean.rows("select distinct build_id, is_stale from meta.table_digest") == [
        (build_id, False)
    ]


def test_nothing_new_publishes_nothing_and_does_not_load_dagster(own_home: Home) -> None:
    before = files_of(own_home.settings.published)
    probe = (
        "import sys; from pathlib import Path; from minsheng.settings import load_settings; "
        "from pipelines.refresh import refresh; "
        f"outcome = refresh(load_settings(Path({str(own_home.settings.home)!r}), {CORE!r})); "
        "print(outcome.state, 'dagster' in sys.modules)"
    )
    printed = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True
    )
    assert printed.stdout.split() == ["nothing_new", "False"]
    assert files_of(own_home.settings.published) == before


@pytest.mark.slow
def test_a_reader_keeps_the_old_version_while_a_new_reader_sees_the_new(own_home: Home) -> None:
    query = "select count(*), sum(amount_yuan) from linked.relief_payment"
    with duckdb.connect(str(own_home.database), read_only=True) as reader:
        before = reader.execute(query).fetchall()
        deliver(own_home, RELIEF_2021_06, LINE.format(amount="123.45"))
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(refresh, own_home.settings)
            seen = []
            while not running.done():
                seen.append(reader.execute(query).fetchall())
                time.sleep(0.2)
        outcome = running.result()
        assert outcome.state == "published", outcome.message
        assert len(seen) > 5
        assert all(each == before for each in seen)
        assert own_home.rows(query) != before
        assert reader.execute(query).fetchall() == before
    assert own_home.rows(
        "select count(*) from meta.delivery where delivery_status = 'superseded'"
    ) == [(1,)]


@pytest.mark.slow
def test_rollback_makes_the_version_before_current_again(own_home: Home) -> None:
    first = current(own_home.settings)
    deliver(own_home, RELIEF_2021_06, LINE.format(amount="1.00"))
    assert refresh(own_home.settings).state == "published"
    second = current(own_home.settings)
    assert first and second and first != second
    assert rollback(own_home.settings) == first
    assert current(own_home.settings) == first
    assert rollback(own_home.settings, second.version) == second
    assert [each.version for each in versions(own_home.settings)] == [first.version, second.version]


@pytest.mark.slow
def test_a_version_that_was_rolled_back_stays_behind_until_something_new_comes(
    own_home: Home,
) -> None:
    first = current(own_home.settings)
    deliver(own_home, RELIEF_2021_06, LINE.format(amount="1.00"))
    bad = refresh(own_home.settings)
    assert bad.taken == ("took 1 files: 1 rows accepted, 0 refused",)
    assert bad.version and rollback(own_home.settings) == first
    told = (
        f"rollback  from {bad.version.version}: it lasts until a delivery, a rule or the program "
        f"changes, or `minsheng rollback {bad.version.version}`\n"
    )
    assert told in status_text(status_of(own_home.settings))
    assert refresh(own_home.settings).state == "nothing_new"
    assert current(own_home.settings) == first
    deliver(own_home, RELIEF_2021_06, LINE.format(amount="2.00"))
    assert refresh(own_home.settings).state == "published"
    assert "rollback" not in status_text(status_of(own_home.settings))


@pytest.mark.slow
def test_a_refresh_says_which_files_do_not_count(own_home: Home) -> None:
    older = deliver(own_home, RELIEF_2021_06, LINE.format(amount="1.00"))
    os.utime(older, (1_624_000_000, 1_624_000_000))
    deliver(own_home, "inbox/civil_affairs/relief_payment/2035-01.csv", LINE.format(amount="1.00"))
    outcome = refresh(own_home.settings)
    assert outcome.taken[0] == "took 1 files: 1 rows accepted, 0 refused"
    told = "\n".join(outcome.taken)
    assert "its period 2035-01 has not begun when it was delivered" in told
    assert "taken but not in force, a later one is there" in told
    assert outcome.state == "published"


def test_rollback_to_a_version_that_is_not_there_says_which_are(own_home: Home) -> None:
    published = current(own_home.settings)
    assert published
    with pytest.raises(AuditFailure, match=published.version):
        rollback(own_home.settings, "20000101T000000-none")
    with pytest.raises(AuditFailure, match="before the current"):
        rollback(own_home.settings)


@pytest.mark.slow
def test_only_the_last_versions_stay(own_home: Home) -> None:
    settings = own_home.settings
    kept = settings.keep_versions
    published = current(settings)
    assert published
    for number in range(kept + 1):
        copy = settings.published / f"2000010{number}T000000-copy"
        shutil.copytree(published.folder, copy)
        note = copy / "build.json"
        note.write_text(note.read_text().replace(published.version, copy.name))
    deliver(own_home, RELIEF_2021_06, LINE.format(amount="2.00"))
    assert refresh(settings).state == "published"
    newest = current(settings)
    assert newest
    # the copies are older by name; the last of them, the version before and the newest stay
    assert [each.version for each in versions(settings)] == [
        *(f"2000010{number}T000000-copy" for number in range(3, kept + 1)),
        published.version,
        newest.version,
    ]


def test_what_a_killed_refresh_took_is_told_by_the_next(
    own_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the first refresh had died after it had published and before it could say so."""
    settings = own_home.settings
    [(first,)] = own_home.rows("select min(ingested_at)::timestamp from meta.delivery")
    began = datetime.fromisoformat(str(first)).replace(tzinfo=settings.time_zone)
    note_refresh(settings, "started", "it has not ended yet", began)
    monkeypatch.setenv("MINSHENG_HOME", str(settings.home))
    monkeypatch.setenv("MINSHENG_DEPLOYMENT", CORE)
    printed = CliRunner().invoke(app, ["refresh"])
    assert printed.exit_code == 0
    assert printed.stderr.startswith(
        f"the refresh of {began.isoformat(timespec='seconds')} was ended from outside and said "
        "nothing; what it left is mended, and what it took stands here\n"
    )
    [(files, rows)] = own_home.rows("select count(*), sum(rows_accepted) from meta.delivery")
    assert printed.stdout.splitlines() == [
        f"took {files} files: {rows:,} rows accepted, 0 refused",
        "nothing new since the last refresh",
    ]
    again = refresh(settings)
    assert (again.taken, again.untold) == ((), "")


def test_what_a_dead_run_has_left_goes_before_the_next_refresh(own_home: Home) -> None:
    left = own_home.settings.builds / f"{WORK_PREFIX}dead"
    left.mkdir()
    (left / "minsheng.duckdb").write_bytes(b"half a build")
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        pass
    mine = spill_folder(own_home.settings)
    host = socket.gethostname()
    spilled = [mine.parent / f"{host}_{number}_0badcafe" for number in (dead.pid, os.getpid())]
    kept = [
        mine.parent / name
        for name in (
            f"{host}_{os.getppid()}_0badcafe",  # a living process
            f"elsewhere_{dead.pid}_0badcafe",  # another machine on the same home
            "2022-06-01",  # somebody's own
        )
    ]
    for folder in (*spilled, *kept):
        folder.mkdir()
        (folder / "duckdb_temp_storage_DEFAULT-0.tmp").write_bytes(b"half a table")
    assert refresh(own_home.settings).state == "nothing_new"
    assert not left.exists()
    assert not [folder for folder in spilled if folder.exists()]
    assert mine.is_dir()
    assert all(folder.is_dir() for folder in kept)


@pytest.mark.slow
def test_a_second_refresh_while_one_runs_fails_at_once(own_home: Home) -> None:
    path = deliver(own_home, RELIEF_2021_06, LINE.format(amount="3.00"))
    before, noted = current(own_home.settings), read_note(own_home.settings)
    with (own_home.settings.home / LOCK_FILE).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        outcome = refresh(own_home.settings)
    assert outcome.state == "failed"
    assert "another refresh is writing" in outcome.message
    # what the other has noted of itself stays
    assert read_note(own_home.settings) == noted
    assert path.is_file()
    assert current(own_home.settings) == before
    assert refresh(own_home.settings).state == "published"


@pytest.mark.slow
def test_a_failed_critical_check_keeps_the_last_good_version(own_home: Home) -> None:
    before = current(own_home.settings)
    # the plan begins in 2018: nobody has decided thresholds for 2017
    outcome = refresh(own_home.settings, as_of=date(2017, 12, 1))
    assert outcome.state == "failed"
    assert "what_every_warning_needs_is_decided" in outcome.message
    assert "(rule_id county_code as_of_month: benefit_gap_months 330" in outcome.message
    assert "2017-12-01" in outcome.message
    assert "--as-of" in outcome.message
    assert current(own_home.settings) == before


@needs_root
@pytest.mark.slow
def test_a_full_disk_keeps_the_last_good_version_wherever_it_fills(
    clean: Home, tmp_path: Path
) -> None:
    """The disk has ever more room, so that it fills at another step of the refresh each time."""
    home = tmp_path / "home"
    used = sum(path.stat().st_size for path in clean.settings.home.rglob("*")) // 1024
    with small_disk(home, 4 * used):
        shutil.copytree(clean.settings.home, home, symlinks=True, dirs_exist_ok=True)
        own = Home(load_settings(home, CORE), clean.outcome)
        deliver(own, RELIEF_2021_06, LINE.format(amount="8.00"))
        before = own.rows("select build_id from meta.build")
        messages = []
        free = shutil.disk_usage(home).free // 1024
        for room in (100, 4_000, 10_000, 24_000, 60_000, free):
            resize(home, 4 * used - free + room)
            outcome = refresh(own.settings)
            if outcome.state == "published":
                break
            messages.append(outcome.message)
            assert own.rows("select build_id from meta.build") == before
            assert not list(own.settings.builds.glob(f"{WORK_PREFIX}*"))
        assert outcome.state == "published"
        assert own.rows("select build_id from meta.build") != before
    assert len(messages) > 2
    for message in messages:
        assert re.match(
            f"the disk of {home} is full: [0-9.]+ MB free, the last build took [0-9.]+ MB and "
            "0.0 MB wait in the inbox; .*; make room on it and refresh again ",
            message,
        ), message


def test_a_month_that_nothing_delivered_covers_is_refused(own_home: Home) -> None:
    before = current(own_home.settings)
    with pytest.raises(DeliveryError, match="2029-12; the latest month is 2022-12"):
        refresh(own_home.settings, as_of=date(2029, 12, 1))
    assert current(own_home.settings) == before


@pytest.mark.slow
def test_as_it_was_known_on_an_earlier_day(own_home: Home) -> None:
    outcome = refresh(own_home.settings, known_on=date(2020, 12, 31))
    assert outcome.state == "published", outcome.message
    assert own_home.rows(
        "select max(delivered_at)::date <= date '2020-12-31' from meta.delivery"
    ) == [(True,)]
    [(month,)] = own_home.rows("select as_of_month from meta.build")
    assert str(month) == "2020-11-01"


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [4.0, 7.0, 9.0])
def test_a_refresh_killed_at_any_moment_is_mended_by_the_next(
    own_home: Home, seconds: float
) -> None:
    deliver(own_home, RELIEF_2021_06, LINE.format(amount="4.00"))
    before = own_home.rows("select build_id from meta.build")
    environment = {**os.environ, "MINSHENG_HOME": str(own_home.settings.home)}
    command = [str(Path(sys.executable).parent / "minsheng"), "refresh"]
    with subprocess.Popen(command, env=environment, start_new_session=True) as process:
        time.sleep(seconds)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    # whatever it had come to, readers find a whole version, the old one or the new one
    seen = own_home.rows("select build_id from meta.build")
    note = read_note(own_home.settings)
    assert note
    is_dead = note.state == "started"
    assert ("refresh   died: " in status_text(status_of(own_home.settings))) == is_dead
    outcome = refresh(own_home.settings)
    assert outcome.state == ("published" if seen == before else "nothing_new")
    # whoever took the file, the next that ends says so
    assert outcome.untold == note.untold_since
    assert outcome.taken == ("took 1 files: 1 rows accepted, 0 refused",) * is_dead
    with dagster_instance(own_home.settings) as instance:
        assert not instance.get_runs(RunsFilter(statuses=[DagsterRunStatus.STARTED]))
    assert own_home.rows(
        "select rows_accepted from meta.delivery where dataset = 'relief_payment' "
        "and period = '2021-06' and sender = '330328000000' and delivery_status = 'effective'"
    ) == [(1,)]
    assert not list(own_home.settings.builds.glob(".work-*"))
    assert not list(own_home.settings.published.glob(".*.incoming"))


def finished_build(home: Home, build_id: str) -> Path:
    """A closed build as a run leaves it before it is published, with an id of its own."""
    published = current(home.settings)
    assert published
    work = home.settings.builds / f".work-{build_id}"
    shutil.copytree(home.settings.builds / published.build_id, work)
    (work / "parquet").mkdir()
    with duckdb.connect(str(work / "minsheng.duckdb")) as connection:
        connection.execute(
            "update meta.build set build_id = ?, version = ?",
            [build_id, f"29990101T000000-{build_id}"],
        )
    return work


class Died(BaseException):
    """As a kill would end it: nobody catches it."""


@pytest.mark.parametrize("step", range(6))
def test_publishing_may_die_at_every_step(
    own_home: Home, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each rename, link and symlink of the swap dies in turn; the next publication mends it."""
    calls = 0

    def dying(real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **options: object) -> object:
            nonlocal calls
            calls += 1
            if calls > step:
                raise Died
            return real(*arguments, **options)

        return call

    work = finished_build(own_home, "feedfacefeedface")
    with monkeypatch.context() as patch:
        for name in ("rename", "replace", "symlink_to"):
            patch.setattr(Path, name, dying(getattr(Path, name)))
        patch.setattr(os, "link", dying(os.link))
        with pytest.raises(Died):
            publish(own_home.settings, work)
    # a reader finds one whole version, and every version that is listed can be read
    assert len(own_home.rows("select build_id from meta.build")) == 1
    for version in versions(own_home.settings):
        assert rollback(own_home.settings, version.version) == version
        assert own_home.rows("select build_id from meta.build") == [(version.build_id,)]
    mended = publish(own_home.settings, finished_build(own_home, "cafecafecafecafe"))
    assert current(own_home.settings) == mended
    assert own_home.rows("select build_id from meta.build") == [("cafecafecafecafe",)]
    assert not list(own_home.settings.published.glob(".*.incoming"))


def test_the_same_inputs_once_more_are_no_new_version(own_home: Home) -> None:
    published = current(own_home.settings)
    assert published
    work = finished_build(own_home, published.build_id)
    assert publish(own_home.settings, work) == published
    assert not work.exists()
    assert versions(own_home.settings) == (published,)


def test_restricted_files_are_the_owner_s_alone(clean: Home) -> None:
    settings = clean.settings
    for name in ("restricted.duckdb", "vault.duckdb"):
        [restricted] = settings.builds.glob(f"*/{name}")
        assert restricted.stat().st_mode & 0o077 == 0
    assert settings.builds.stat().st_mode & 0o077 == 0
    assert settings.lake.stat().st_mode & 0o077 == 0
    assert settings.vault.stat().st_mode & 0o077 == 0
    assert clean.database.stat().st_mode & 0o007 == 0
    parquet = list((settings.published / "current" / "parquet").rglob("*.parquet"))
    assert parquet
    assert all(path.stat().st_mode & 0o007 == 0 for path in parquet)


def test_the_published_file_holds_no_name_and_no_number(clean: Home) -> None:
    people = clean.rows(f"select id_number, person_name from {clean.truth('person')} limit 200")
    numbers = clean.rows(f"select distinct household_number from {clean.truth('household_year')}")
    with duckdb.connect(str(clean.database), read_only=True) as connection:
        columns = connection.execute(
            "select schema_name, table_name, column_name from duckdb_columns() "
            "where not internal and data_type = 'VARCHAR'"
        ).fetchall()
        found: set[str] = set()
        for schema, table, column in columns:
            values = connection.execute(
                f'select distinct "{column}" from "{schema}"."{table}"'
            ).fetchall()
            found.update(str(row[0]) for row in values)
    direct = {str(value) for row in people for value in row}
    direct |= {str(row[0]) for row in numbers}
    # invented names are drawn from characters of places too; whole values must never be equal
    assert not direct & found


def test_comments_and_parquet_metadata_say_what_the_contract_says(clean: Home) -> None:
    contracts = load_contracts(clean.settings)
    contract = contracts["indicators.income_growth"]
    assert clean.rows("select comment from duckdb_tables() where table_name = 'income_growth'") == [
        (contract.comment,)
    ]
    uncommented = clean.rows(
        "select schema_name, table_name, column_name from duckdb_columns() "
        "where not internal and (comment is null or comment = '')"
    )
    assert uncommented == []
    path = clean.settings.published / "current" / "parquet" / "indicators" / "income_growth.parquet"
    with duckdb.connect() as connection:
        found = connection.execute(
            "select decode(value) from parquet_kv_metadata(?) where decode(key) = 'grain'",
            [str(path)],
        ).fetchall()
    assert found == [(contract.grain,)]


def test_a_lost_secret_stops_a_refresh_before_it_changes_every_key(own_home: Home) -> None:
    (own_home.settings.vault / "pseudonym.key").unlink()
    with pytest.raises(SettingsError, match=r"pseudonym\.key is gone"):
        refresh(own_home.settings)
    assert not (own_home.settings.vault / "pseudonym.key").exists()


def test_settings_of_an_unknown_deployment_name_the_known_ones() -> None:
    with pytest.raises(ValueError, match="demo"):
        load_settings(deployment="nowhere")

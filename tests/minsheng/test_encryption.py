"""What is encrypted at rest cannot be read without the home's key, and the key has rules."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl
import pytest

from minsheng import encryption
from minsheng.encryption import (
    CHECK_FILE,
    KEY_FILE,
    KEY_VARIABLE,
    load_keys,
    new_database,
    scratch_database,
    sealed_parquet,
    unlock,
)
from minsheng.lake import Receipt
from minsheng.openings import LOG_FILE
from minsheng.originals import original_of
from minsheng.quoting import literal
from minsheng.sealing import seal_home
from minsheng.settings import Settings, SettingsError
from minsheng.warehouse import RESTRICTED_FILE, VAULT_FILE, open_vault, open_warehouse
from tests.minsheng.desk import PAYMENT, PAYMENT_HEADER, ZHANG, Desk, desk_at
from tests.opening import OPENING

NAME = "龘犇骉"
PERSON = "13912345678"
ROWS = f"{PAYMENT_HEADER}{ZHANG},{NAME},低保金,100\n{ZHANG},{NAME},没有这一项,100\n"
OTHER_KEY = "5e" * 32


def files_of(settings: Settings) -> list[Path]:
    """Files of a home but those whose bytes are a department's own."""
    return [
        path
        for path in settings.home.rglob("*")
        if path.is_file() and "original" not in path.parts and settings.rejects not in path.parents
    ]


def holding(paths: list[Path], *texts: str) -> list[Path]:
    """The files that hold one of the texts in UTF-8 or GB18030."""
    forms = [text.encode(encoding) for text in texts for encoding in ("utf-8", "gb18030")]
    return [path for path in paths if any(form in path.read_bytes() for form in forms)]


def deliver(desk: Desk) -> Receipt:
    """A delivery of a good row and of a refused one."""
    receipt = desk.take(PAYMENT, "2022-06.csv", ROWS)
    assert (receipt.rows_accepted, receipt.rows_refused) == (1, 1)
    return receipt


def test_no_file_of_the_lake_can_be_read_without_the_key(desk: Desk) -> None:
    receipt = deliver(desk)
    parquet = [
        path for path in desk.delivery(receipt).rglob("*.parquet") if "original" not in path.parts
    ]
    assert {path.name for path in parquet} >= {"rows.parquet", "refused.parquet"}
    for path in parquet:
        with duckdb.connect() as connection, pytest.raises(duckdb.Error, match="encrypted"):
            connection.execute(f"from read_parquet({literal(str(path))})")
        with pytest.raises(Exception, match="encrypt"):
            pl.read_parquet(path)
        assert len(desk.sealed(path)) >= 1
    assert holding([original_of(desk.project.settings, receipt)], NAME, ZHANG)
    assert holding(files_of(desk.project.settings), NAME, ZHANG) == []


def test_another_key_reads_no_file_of_the_lake(desk: Desk) -> None:
    rows = desk.delivery(deliver(desk)) / "rows.parquet"
    with duckdb.connect() as connection:
        unlock(connection, encryption.Keys(bytes.fromhex(OTHER_KEY)))
        with pytest.raises(duckdb.Error, match=r"(?i)key"):
            connection.execute(f"from {sealed_parquet(rows)}")


def warehouse_with_a_person(settings: Settings) -> Path:
    """A build whose restricted file and vault hold a person; returns its folder."""
    folder = settings.builds / "build"
    values = f"select {literal(NAME)} as person_name, {literal(PERSON)} as phone from range(5000)"
    with open_warehouse(settings, folder) as warehouse:
        warehouse.connection.execute(f"create table restricted.bridge.person as {values}")
        with open_vault(warehouse, OPENING):
            warehouse.connection.execute(f"create table who_is_who.vault.identity as {values}")
            warehouse.connection.execute(f"create temp table worked_with as {values}")
    return folder


@pytest.mark.parametrize("name", [RESTRICTED_FILE, VAULT_FILE])
def test_neither_restricted_file_can_be_opened_without_its_key(desk: Desk, name: str) -> None:
    settings = desk.project.settings
    file = warehouse_with_a_person(settings) / name
    assert holding(files_of(settings), NAME, PERSON) == []
    with pytest.raises(duckdb.Error, match="encrypted"):
        duckdb.connect(str(file))
    keys = load_keys(settings)
    # the key of one file opens no other
    for key in (OTHER_KEY, keys.of("lake").hex(), keys.root.hex()):
        with duckdb.connect() as connection, pytest.raises(duckdb.Error, match=r"(?i)key"):
            connection.execute(
                f"attach {literal(str(file))} as file (encryption_key ?, read_only)", [key]
            )
    purpose = "vault" if name == VAULT_FILE else "restricted"
    with duckdb.connect() as connection:
        connection.execute(
            f"attach {literal(str(file))} as file (encryption_key ?, read_only)",
            [keys.of(purpose).hex()],
        )
        assert connection.execute("select count(*) from duckdb_tables()").fetchall() == [(1,)]


def test_the_vault_is_closed_again_and_nothing_of_it_is_left(desk: Desk) -> None:
    settings = desk.project.settings
    with open_warehouse(settings, settings.builds / "build") as warehouse:
        with pytest.raises(duckdb.CatalogException):
            warehouse.rows("from vault.identity")
        with pytest.raises(RuntimeError, match="the step fails"), open_vault(warehouse, OPENING):
            warehouse.connection.execute("create table vault.identity as select 1 as node")
            warehouse.connection.execute("create temp table worked_with as select 1 as node")
            raise RuntimeError("the step fails")
        with pytest.raises(duckdb.CatalogException):
            warehouse.rows("from vault.identity")
        assert warehouse.rows("select * from duckdb_tables() where temporary") == []


def test_every_opening_of_the_vault_is_noted(desk: Desk) -> None:
    settings = desk.project.settings
    warehouse_with_a_person(settings)
    log = settings.vault / LOG_FILE
    assert log.stat().st_mode & 0o077 == 0
    [line] = map(json.loads, log.read_text(encoding="utf-8").splitlines())
    assert line == {
        "at": "2023-03-01T00:00:00+00:00",
        "by": "a test",
        "file": f"builds/build/{VAULT_FILE}",
        "why": "look inside",
    }


def spilled(connection: duckdb.DuckDBPyConnection, folder: Path) -> list[Path]:
    """The files of a table of persons that has no room in memory."""
    connection.execute("set memory_limit = '60MB'")
    connection.execute(
        f"create temp table people as select {literal(NAME)} || range as person_name, "
        "md5(range::varchar) as noise from range(2000000)"
    )
    return [path for path in folder.rglob("*") if path.is_file()]


def test_what_spills_to_the_disk_is_encrypted(desk: Desk, tmp_path: Path) -> None:
    settings = desk.project.settings
    with new_database(settings) as connection:
        assert holding(spilled(connection, settings.home / "tmp"), NAME) == []
    # without what `unlock` sets it would be found
    with duckdb.connect(config={"temp_directory": str(tmp_path / "plain")}) as connection:
        assert holding(spilled(connection, tmp_path / "plain"), NAME)


def test_the_key_is_made_once_for_the_owner_alone(desk: Desk) -> None:
    settings = desk.project.settings
    keys = load_keys(settings)
    assert load_keys(settings) == keys
    assert (settings.vault / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert settings.vault.stat().st_mode & 0o777 == 0o700
    assert keys.root.hex() not in repr(keys)
    # neither the derived keys nor the check give the home's key away
    derived = {keys.of(purpose) for purpose in ("lake", "restricted", "vault", "check")}
    assert len(derived | {keys.root}) == 5
    assert keys.root.hex() not in (settings.vault / CHECK_FILE).read_text()


def test_a_key_in_the_environment_is_taken_and_never_written(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = desk.project.settings
    monkeypatch.setenv(KEY_VARIABLE, OTHER_KEY)
    receipt = deliver(desk)
    assert len(desk.texts(receipt)) == 2
    assert not (settings.vault / KEY_FILE).exists()
    assert holding(files_of(settings), OTHER_KEY) == []
    monkeypatch.delenv(KEY_VARIABLE)
    with pytest.raises(SettingsError, match="its key is gone"):
        load_keys(settings)


@pytest.mark.parametrize("text", ["", "secret", "5e" * 31, "zz" * 32])
def test_a_key_that_is_none_is_refused_and_not_repeated(
    desk: Desk, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, text)
    with pytest.raises(SettingsError, match="64 hexadecimal digits") as refused:
        load_keys(desk.project.settings)
    assert not text or text not in str(refused.value)
    assert not desk.project.settings.vault.exists()


@pytest.mark.parametrize("has_check", [True, False])
def test_a_lost_key_is_not_replaced_by_a_new_one(desk: Desk, has_check: bool) -> None:
    deliver(desk)
    settings = desk.project.settings
    (settings.vault / KEY_FILE).unlink()
    if not has_check:
        (settings.vault / CHECK_FILE).unlink()
    with pytest.raises(SettingsError, match=r"its key is gone.*from its backup"):
        load_keys(settings)
    assert not (settings.vault / KEY_FILE).exists()


@pytest.mark.parametrize("has_check", [True, False])
def test_the_key_of_another_home_is_told_from_the_right_one(
    desk: Desk, has_check: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = deliver(desk)
    settings = desk.project.settings
    if not has_check:
        (settings.vault / CHECK_FILE).unlink()
    with monkeypatch.context() as patch:
        patch.setenv(KEY_VARIABLE, OTHER_KEY)
        with pytest.raises(SettingsError, match="is not the one") as refused:
            load_keys(settings)
        assert OTHER_KEY not in str(refused.value)
    assert len(desk.texts(receipt)) == 2


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_that_others_may_read_is_not_used(desk: Desk, mode: int) -> None:
    load_keys(desk.project.settings)
    path = desk.project.settings.vault / KEY_FILE
    path.chmod(mode)
    with pytest.raises(SettingsError, match=f"mode {mode:o}.*chmod 600"):
        load_keys(desk.project.settings)


def older_home(desk: Desk) -> tuple[list[Path], pl.DataFrame]:
    """A home as a release left it that encrypted nothing, and the rows that it holds."""
    settings = desk.project.settings
    desk.put(PAYMENT, "2022-05.csv", ROWS)
    pl.DataFrame(
        {"身份证号码": [ZHANG], "姓名": [NAME], "发放项目": ["低保金"], "发放金额": ["1"]}
    ).write_parquet(desk.put(PAYMENT, "2022-04.parquet", b""))
    os.utime(desk.folder(PAYMENT) / "2022-04.parquet", (1_673_323_200, 1_673_323_200))
    assert len(desk.ingest(PAYMENT).receipts) == 2
    sealed = [path for path in settings.lake.rglob("*.parquet") if "original" not in path.parts]
    rows = rows_of(desk)
    for path in sealed:
        desk.sealed(path).write_parquet(path)
    for path in settings.vault.iterdir():
        path.unlink()
    restricted = settings.builds / "build" / RESTRICTED_FILE
    restricted.parent.mkdir(parents=True)
    with duckdb.connect(str(restricted)) as connection:
        connection.execute(f"create table person as select {literal(NAME)} as person_name")
    unfinished = sealed[0].with_suffix(".tmp")
    unfinished.write_bytes(sealed[0].read_bytes())
    assert holding(files_of(settings), NAME)
    return sealed, rows


def rows_of(desk: Desk) -> pl.DataFrame:
    """What the lake holds, whatever its files are called."""
    receipts = sorted(desk.receipts(), key=lambda each: each.period)
    return pl.concat([desk.texts(receipt) for receipt in receipts], how="diagonal")


def test_a_home_that_encrypted_nothing_is_encrypted_as_a_whole(desk: Desk) -> None:
    sealed, rows = older_home(desk)
    settings = desk.project.settings
    originals = {path: path.read_bytes() for path in settings.lake.glob("*/*/*/original/*")}
    assert seal_home(settings) == len(sealed)
    assert holding(files_of(settings), NAME, ZHANG) == []
    assert rows_of(desk).equals(rows)
    assert not (settings.builds / "build" / RESTRICTED_FILE).exists()
    assert {path: path.read_bytes() for path in originals} == originals
    assert seal_home(settings) == 0


class Died(BaseException):
    """As a kill would end it: nobody catches it."""


@pytest.mark.parametrize("step", range(6))
def test_a_death_in_the_middle_of_sealing_loses_nothing(
    desk: Desk, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each rename and removal dies in turn; what is not yet sealed is sealed the next time."""
    _, rows = older_home(desk)
    settings = desk.project.settings
    load_keys(settings)
    calls = 0

    def dying(real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **options: object) -> object:
            nonlocal calls
            calls += 1
            if calls > step:
                raise Died
            return real(*arguments, **options)

        return call

    with monkeypatch.context() as patch:
        for name in ("replace", "unlink"):
            patch.setattr(Path, name, dying(getattr(Path, name)))
        with pytest.raises(Died):
            seal_home(settings)
    seal_home(settings)
    assert holding(files_of(settings), NAME, ZHANG) == []
    assert rows_of(desk).equals(rows)


def test_a_kept_database_knows_no_other_home_s_key(tmp_path: Path, desk: Desk) -> None:
    rows = desk.delivery(deliver(desk)) / "rows.parquet"
    other = desk_at(tmp_path / "other").project.settings
    with (
        scratch_database(other) as connection,
        pytest.raises(duckdb.Error, match=r"(?i)key"),
    ):
        connection.execute(f"from {sealed_parquet(rows)}")
    assert len(desk.sealed(rows)) == 2

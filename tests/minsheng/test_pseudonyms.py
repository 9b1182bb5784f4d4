"""Keys that name nobody equal the standard library's HMAC, and change only when that is asked."""

import hashlib
import hmac
import json
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from minsheng import lake
from minsheng.project import Project
from minsheng.pseudonyms import (
    MINT_LENGTH,
    NOTED_AS,
    SECRET_VARIABLE,
    PseudonymKey,
    load_key,
    mint,
    prepare,
)
from minsheng.settings import Settings, SettingsError, load_settings
from tests.minsheng.desk import NOW, Desk

SECRET = bytes(range(32))
ALGORITHMS = ("sha256", "sm3")
TEXTS = ["", "id|990101197001010011|张三", "household|330328|12", "汉" * 500, "𠮷·a'\"\\"]


def minted(key: PseudonymKey, *texts: str | None) -> list[str | None]:
    with duckdb.connect() as connection:
        prepare(connection, key)
        found = connection.execute(
            f"select {mint(key, 'text')} from (select unnest(?::varchar[]) as text)", [list(texts)]
        )
        return [row[0] for row in found.fetchall()]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_mints_equal_the_standard_library_s_hmac(algorithm: str) -> None:
    key = PseudonymKey(SECRET, algorithm=algorithm)
    expected = [hmac.new(SECRET, t.encode(), algorithm).hexdigest()[:MINT_LENGTH] for t in TEXTS]
    assert minted(key, *TEXTS, None) == [*expected, None]


def test_sha256_mints_equal_the_first_case_of_rfc_4231() -> None:
    assert minted(PseudonymKey(b"\x0b" * 20), "Hi There") == [
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"[:MINT_LENGTH]
    ]


def test_this_python_s_sm3_is_that_of_gb_t_32905() -> None:
    assert hashlib.new("sm3", b"abc").hexdigest() == (
        "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    )


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_connection_may_be_prepared_anew(algorithm: str) -> None:
    """The later key counts: a run that is begun again in one process prepares twice."""
    key = PseudonymKey(SECRET, algorithm=algorithm)
    with duckdb.connect() as connection:
        for secret in (b"\1" * 32, SECRET):
            prepare(connection, replace(key, secret=secret))
        [(found,)] = connection.execute(f"select {mint(key, repr('a'))}").fetchall()
    assert [found] == minted(key, "a")


def test_neither_statements_nor_names_hold_the_secret() -> None:
    for algorithm in ALGORITHMS:
        key = PseudonymKey(SECRET, algorithm=algorithm)
        said = f"{mint(key, 'text')} {key.name} {key!r}"
        assert SECRET.hex() not in said
        assert repr(SECRET)[2:-1] not in said
    assert PseudonymKey(SECRET).name != PseudonymKey(SECRET[::-1]).name


def publish_under(settings: Settings, name: str | None) -> None:
    """As if a version were current that says of its key what `name` says."""
    settings.current_note.parent.mkdir(parents=True, exist_ok=True)
    note = {"version": "1", **({NOTED_AS: name} if name is not None else {})}
    settings.current_note.write_text(json.dumps(note), encoding="utf-8")


def secrets_of(settings: Settings) -> list[str]:
    return sorted(path.name for path in settings.vault.glob("pseudonym*"))


def test_the_secret_is_made_once_for_the_owner_alone(desk: Desk) -> None:
    settings = desk.project.settings
    assert load_key(settings) == load_key(settings)
    assert secrets_of(settings) == ["pseudonym.key"]
    assert (settings.vault / "pseudonym.key").stat().st_mode & 0o777 == 0o600


def test_a_secret_in_the_environment_is_taken_and_never_written(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SECRET_VARIABLE, SECRET.hex())
    assert load_key(desk.project.settings).secret == SECRET
    assert secrets_of(desk.project.settings) == []


def test_a_secret_that_others_may_read_is_not_used(desk: Desk) -> None:
    settings = desk.project.settings
    load_key(settings)
    (settings.vault / "pseudonym.key").chmod(0o644)
    with pytest.raises(SettingsError, match="mode 644"):
        load_key(settings)


@pytest.mark.parametrize(
    "changed", [{"pseudonym_key_version": 2}, {"pseudonym_algorithm": "sm3"}], ids=str
)
def test_keys_are_rotated_only_when_that_is_asked(desk: Desk, changed: dict[str, object]) -> None:
    settings = desk.project.settings
    before = load_key(settings)
    publish_under(settings, before.name)
    rotated = replace(settings, **changed)  # type: ignore[arg-type]  # fields of the settings
    with pytest.raises(SettingsError, match=r"was published under sha256-1-.*--rotate-keys"):
        load_key(rotated)
    assert secrets_of(settings) == ["pseudonym.key"]
    after = load_key(rotated, may_rotate=True)
    assert after.name != before.name
    # the earlier secret stays: settings may go back to it
    assert load_key(settings) == before
    publish_under(settings, after.name)
    assert load_key(rotated) == after


DECISION = "casework__link_decision"
DECISIONS = "甲方标识,乙方标识,核定结果,核定日期,核定人\na,b,同一人,2023-01-01,某镇民政办\n"


@pytest.mark.parametrize(
    "changed", [{"pseudonym_key_version": 2}, {"pseudonym_algorithm": "sm3"}, {}], ids=str
)
def test_keys_that_decisions_name_are_not_rotated(
    desk: Desk, changed: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = desk.project.settings
    key = load_key(settings)
    publish_under(settings, key.name)
    desk.put(DECISION, "2022-12.csv", DECISIONS)
    (receipt,) = desk.ingest(DECISION).receipts
    if not changed:
        monkeypatch.setenv(SECRET_VARIABLE, SECRET.hex())
    rotated = replace(settings, **changed)  # type: ignore[arg-type]  # fields of the settings
    with pytest.raises(SettingsError, match=f"{receipt.delivery_id}.*minsheng withdraw"):
        _ = Project(rotated, may_rotate_keys=True).pseudonym_key
    assert secrets_of(settings) == ["pseudonym.key"]
    lake.withdraw(settings.lake, receipt.delivery_id, "decided anew under other keys", NOW)
    assert Project(rotated, may_rotate_keys=True).pseudonym_key != key


def test_decisions_do_not_hinder_who_asks_for_the_keys_that_are_there(desk: Desk) -> None:
    settings = desk.project.settings
    key = load_key(settings)
    publish_under(settings, key.name)
    desk.put(DECISION, "2022-12.csv", DECISIONS)
    desk.ingest(DECISION)
    assert Project(settings, may_rotate_keys=True).pseudonym_key == key


def test_a_lost_secret_is_not_replaced_by_a_new_one(desk: Desk) -> None:
    settings = desk.project.settings
    publish_under(settings, load_key(settings).name)
    (settings.vault / "pseudonym.key").unlink()
    with pytest.raises(SettingsError, match=r"pseudonym\.key is gone.*from its backup"):
        load_key(settings)
    assert secrets_of(settings) == []


def test_another_secret_than_the_published_one_is_told_from_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = desk.project.settings
    publish_under(settings, load_key(settings).name)
    monkeypatch.setenv(SECRET_VARIABLE, SECRET.hex())
    with pytest.raises(SettingsError, match=r"is not the one.*higher key_version") as refused:
        load_key(settings)
    assert SECRET.hex() not in str(refused.value)
    assert load_key(settings, may_rotate=True).secret == SECRET


def test_a_version_that_notes_no_key_was_published_under_the_first(desk: Desk) -> None:
    """As earlier releases left it."""
    settings = desk.project.settings
    key = load_key(settings)
    publish_under(settings, None)
    assert load_key(settings) == key
    with pytest.raises(SettingsError, match="--rotate-keys"):
        load_key(replace(settings, pseudonym_algorithm="sm3"))


def test_a_deployment_names_the_hash_and_the_version(tmp_path: Path) -> None:
    demo = (load_settings(tmp_path, "demo").deployment / "settings.yaml").read_text("utf-8")
    path = tmp_path / "settings.yaml"
    path.write_text(f"{demo}\npseudonyms: {{algorithm: sm3, key_version: 2}}\n", "utf-8")
    settings = load_settings(tmp_path / "home", str(tmp_path))
    assert load_key(settings).name.startswith("sm3-2-")
    assert secrets_of(settings) == ["pseudonym-2.key"]
    path.write_text(f"{demo}\npseudonyms: {{algorithm: md5}}\n", "utf-8")
    with pytest.raises(SettingsError, match=r"'md5', not one of \('sha256', 'sm3'\)"):
        load_settings(tmp_path / "home", str(tmp_path))

"""A data home that is none is told before anything is made in it."""

from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from minsheng.settings import SettingsError, load_settings, require_home
from pipelines.cli import app

COMMANDS = [
    ["refresh"],
    ["status"],
    ["linkage"],
    ["explain", "nobody"],
    ["withdraw", "feed", "--reason", "-"],
    ["rollback"],
]


def refusal(home: Path, command: list[str]) -> str:
    found = CliRunner().invoke(app, command, env={"MINSHENG_HOME": str(home)})
    assert (found.exit_code, found.stdout) == (1, "")
    return found.stderr


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_home_that_is_not_there_is_named_and_not_made(tmp_path: Path, command: list[str]) -> None:
    home = tmp_path / "mistyped"
    assert refusal(home, command) == (
        f"minsheng: {home} is no data home: there is no such folder; set MINSHENG_HOME to the one "
        f"that is meant, or begin one here with `mkdir -p {home}/inbox`\n"
    )
    assert not home.exists()


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_folder_that_is_no_home_is_left_as_it_is(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "letter.txt").write_text("of somebody else", encoding="utf-8")
    assert "it holds none of inbox, lake, published; " in refusal(tmp_path, command)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_the_demo_begins_a_home_but_not_among_files_of_others(tmp_path: Path) -> None:
    for home in (tmp_path / "new", tmp_path):
        require_home(load_settings(home), may_begin=True)
    (tmp_path / "letter.txt").write_text("of somebody else", encoding="utf-8")
    assert "begin one in a new folder" in refusal(tmp_path, ["demo", "--households", "1"])
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_file_is_no_home_and_an_inbox_is_enough(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(SettingsError, match="it is no folder"):
        require_home(load_settings(file))
    (tmp_path / "inbox").mkdir()
    require_home(load_settings(tmp_path))


def test_a_published_file_of_an_earlier_program_is_told_as_one(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "inbox").mkdir(parents=True)
    published = home / "published" / "current" / "minsheng.duckdb"
    published.parent.mkdir(parents=True)
    with duckdb.connect(str(published)) as connection:
        connection.execute("create schema linked")
        connection.execute("create table linked.household (household_id varchar)")
    told = refusal(home, ["explain", "0123456789abcdef01234567"])
    assert "made by an earlier version of the program; run `minsheng refresh`" in told

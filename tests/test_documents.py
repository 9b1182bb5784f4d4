"""What the documents tell a reader to do, done."""

import os
import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from minsheng.databases import load_relations
from minsheng.project import Project
from minsheng.settings import PROJECT_ROOT, load_settings

BIN = Path(sys.executable).parent
SHELL_BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
YAML_BLOCK = re.compile(r"```yaml\n(.*?)```", re.DOTALL)


def commands(document: str) -> list[str]:
    text = (PROJECT_ROOT / document).read_text(encoding="utf-8")
    return [
        line.strip()
        for block in SHELL_BLOCK.findall(text)
        for line in block.splitlines()
        if line.strip()
    ]


def run(command: list[str], home: Path, **more: str) -> str:
    environment = {**os.environ, "MINSHENG_HOME": str(home), **more}
    # under `make test` a make of its own would inherit flags and print where it is
    for name in ("DAGSTER_HOME", "MAKEFLAGS", "MFLAGS", "MAKELEVEL"):
        environment.pop(name, None)
    finished = subprocess.run(
        command, cwd=PROJECT_ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def test_both_readmes_give_the_same_commands() -> None:
    assert commands("README.md") == commands("README.zh-CN.md")


@pytest.mark.slow
def test_the_commands_of_the_readme_run(tmp_path: Path) -> None:
    """As a newcomer would, except that .venv is there and the tests are not run by themselves."""
    printed = {}
    for command in commands("README.md"):
        words = command.split()
        if words == ["make", "test"]:
            dry = run(["make", "-n", "-o", ".venv/.ready", "test"], tmp_path)
            assert "python -m pytest" in dry
        elif words[0] == "make":
            printed[command] = run([*words, "-o", ".venv/.ready"], tmp_path)
        else:
            assert words[0].startswith(".venv/bin/")
            program = BIN / words[0].removeprefix(".venv/bin/")
            printed[command] = run([str(program), *words[1:]], tmp_path)
    assert "published 2" in printed["make demo"]
    assert str(tmp_path / "published" / "current" / "minsheng.duckdb") in printed["make demo"]
    assert "agriculture/household_roll" in printed[".venv/bin/minsheng status"]
    assert "nothing new" in printed[".venv/bin/minsheng refresh"]
    looked_at = printed[".venv/bin/python examples/first_look.py"]
    assert "W01" in looked_at
    assert "依据" in looked_at


def test_contributing_configures_a_database_as_the_product_reads_it(tmp_path: Path) -> None:
    text = (PROJECT_ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (configuration,) = [block for block in YAML_BLOCK.findall(text) if "databases:" in block]
    demo = PROJECT_ROOT / "deployments" / "demo" / "settings.yaml"
    (tmp_path / "settings.yaml").write_text(demo.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "databases.yaml").write_text(configuration, encoding="utf-8")
    project = Project(load_settings(tmp_path / "home", str(tmp_path)))
    (relation,) = load_relations(project.settings, project.sources)
    assert relation.title == "civil_affairs/relief_payment/330328000000"
    assert (relation.database.engine, relation.compared_again) == ("postgres", 2)


@pytest.mark.slow
def test_another_source_is_added_as_contributing_says(tmp_path: Path) -> None:
    columns, contract = YAML_BLOCK.findall(
        (PROJECT_ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    )[:2]
    expectations = tmp_path / "place" / "expectations"
    (expectations / "staged").mkdir(parents=True)
    (expectations / "columns.yaml").write_text(columns, encoding="utf-8")
    path = expectations / "staged" / "education__school_meal.yaml"
    path.write_text(contract, encoding="utf-8")
    demo = PROJECT_ROOT / "deployments" / "demo" / "settings.yaml"
    (tmp_path / "place" / "settings.yaml").write_text(demo.read_text(encoding="utf-8"))
    inbox = tmp_path / "home" / "inbox" / "education" / "school_meal"
    inbox.mkdir(parents=True)
    (inbox / "2022-06.csv").write_text(
        "学生姓名,身份证号,补助金额\n甲乙,330399201001010012,500\n丙丁,330399201101010028,-1\n"
        "戊己,330399201201010033,250.50\n",
        encoding="utf-8",
    )
    home = tmp_path / "home"
    place = {"MINSHENG_DEPLOYMENT": str(tmp_path / "place")}
    run([str(BIN / "minsheng"), "refresh"], home, **place)
    assert "education/school_meal" in run([str(BIN / "minsheng"), "status"], home, **place)
    with duckdb.connect(
        str(home / "published" / "current" / "minsheng.duckdb"), read_only=True
    ) as connection:
        [delivery] = connection.execute(
            "select rows_received, rows_accepted, rows_refused from meta.delivery"
        ).fetchall()
        [(linked,)] = connection.execute(
            "select sum(record_count) from linked.link_coverage "
            "where source = 'education__school_meal'"
        ).fetchall()
        failed = connection.execute(
            "select check_name, failing_rows from quality.check_result "
            "where table_name = 'raw.education__school_meal' and not passed order by all"
        ).fetchall()
    assert delivery == (3, 2, 1)
    assert linked == 2
    assert failed == [("meal_is_whole_yuan", 1), ("meal_yuan_is_not_too_small", 1)]
    assert list((home / "rejects" / "education").glob("*.xlsx"))


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "docs/decisions/README.md"])
def test_links_lead_somewhere(document: str) -> None:
    path = PROJECT_ROOT / document
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), target


def test_the_constraints_pin_every_version_and_name_no_host() -> None:
    lines = (PROJECT_ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert len(lines) > 100
    for line in lines:
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line), line

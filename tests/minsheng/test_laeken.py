"""The measures of the EU by laeken, the R package of the statistical offices, on its own data.

The data are synthetic, of the size of a country's survey: laeken measures everybody and each
region, and `minsheng measures` measures the same file.
"""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines.cli import app

SCRIPT = """
suppressMessages(library(laeken)); data(eusilc)
folder <- commandArgs(TRUE)[1]
write.csv(eusilc, file.path(folder, "eusilc.csv"), row.names = FALSE)
one <- function(d) {
    x <- d$eqIncome; w <- d$rb050
    c(median = weightedMedian(x, w), at_risk_threshold = arpt(x, weights = w),
      at_risk_rate = arpr(x, weights = w)$value / 100,
      at_risk_median_gap = rmpg(x, weights = w)$value / 100,
      s80_s20 = qsr(x, weights = w)$value, gini = gini(x, weights = w)$value / 100,
      p10 = as.numeric(weightedQuantile(x, w, 0.1)), p90 = as.numeric(weightedQuantile(x, w, 0.9)))
}
parts <- c(list(all = eusilc), split(eusilc, eusilc$db040))
told <- do.call(rbind, lapply(names(parts), function(name) {
    v <- one(parts[[name]])
    data.frame(group = name, measure = names(v), value = formatC(v, digits = 17, format = "g"))
}))
write.csv(told, file.path(folder, "laeken.csv"), row.names = FALSE)
"""
OURS = ("median", "at_risk_threshold", "at_risk_rate", "at_risk_median_gap", "s80_s20", "gini")

Values = Mapping[tuple[str, str], float]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds eusilc.csv and what laeken makes of it."""
    if shutil.which("Rscript") is None:
        pytest.skip("R is not installed; on Debian: apt-get install r-cran-laeken")
    made: Path = tmp_path_factory.mktemp("laeken")
    asked = "cat(requireNamespace('laeken', quietly = TRUE))"
    found = subprocess.run(["Rscript", "-e", asked], capture_output=True, text=True, check=False)
    if found.stdout.strip() != "TRUE":
        pytest.skip("R has no package laeken; on Debian: apt-get install r-cran-laeken")
    script = made / "measure.R"
    script.write_text(SCRIPT, encoding="utf-8")
    finished = subprocess.run(
        ["Rscript", str(script), str(made)], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    return made


@pytest.fixture(scope="module")
def laeken(folder: Path) -> Values:
    rows = (folder / "laeken.csv").read_text(encoding="utf-8").splitlines()[1:]
    cells = [[cell.strip('" ') for cell in row.split(",")] for row in rows]
    return {(group, measure): float(value) for group, measure, value in cells}


def measured(folder: Path, *options: str) -> Values:
    asked = ["measures", str(folder / "eusilc.csv"), "--welfare", "eqIncome", "--weight", "rb050"]
    result = CliRunner().invoke(app, [*asked, *options, "--format", "json"])
    assert result.exit_code == 0, result.output
    return {(row["by"] or "all", row["measure"]): row["value"] for row in json.loads(result.stdout)}


def test_everybody_and_each_region_have_what_laeken_finds(folder: Path, laeken: Values) -> None:
    found = {**measured(folder, "--household", "db030"), **measured(folder, "--by", "db040")}
    groups = {group for group, _ in laeken}
    assert len(groups) == 10
    for group in groups:
        for name in OURS:
            assert found[group, name] == pytest.approx(laeken[group, name], rel=1e-9), (group, name)
        ratio = laeken[group, "p90"] / laeken[group, "p10"]
        assert found[group, "p90_p10"] == pytest.approx(ratio, rel=1e-9), group

"""Measure a `minsheng refresh` against the same work done by hand, and what follows on it.

    python benchmarks/refresh.py --households 20000 --rounds 1 --json result.json

From one invented inbox it measures in fresh processes: a refresh; one with nothing new; one after a
month of medical settlements was sent again; the bare script, which takes and judges the same files;
and the version's SELECTs as plain statements. Exit codes: 0 the targets are met, 1 a target is
missed or the bare script took other rows, 2 a command failed, 3 the machine was busy and a wall
time has no verdict.
"""

import argparse
import csv
import io
import json
import os
import platform
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from bisect import bisect
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from statistics import median

from bare import DATASETS
from compare import differences
from selects import part_of

from minsheng.demo import generate
from minsheng.pseudonyms import keep_demo_secret
from minsheng.settings import Settings, load_settings

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PLAN_HOUSEHOLDS = 240
"""As the demo has them, in places of other plans."""

TARGET_INGEST_RATIO = 1.6
"""Taking and judging files takes at most this many times what the bare script takes."""
TARGET_ITEMS_RATIO = 1.0
"""The SELECTs of the plans' items take at most this many times those of the core models."""
TARGET_RESENT_SHARE = 0.05
"""A month that is sent again takes at most this share of a whole refresh."""
TARGET_MEMORY_PER_CSV = 1.2
TARGET_MEMORY_BYTES = 500_000_000
TARGET_NOTHING_NEW_SECONDS = 2.0
OTHERS_SHARE = 0.10
"""Above this share of the cores' time used by others during a run its wall time has no verdict."""

REFRESH, NOTHING_NEW, RESENT, BARE, SELECTS = SIDES = (
    "refresh",
    "nothing new",
    "a month sent again",
    "bare",
    "SELECTs",
)
COMPARED = "raw, compared"
LAYERS_OF_SELECTS = ("linked", "indicators", "risk")
SENT_AGAIN = Path("health", "medical_settlement", "2022-06.csv")
CHANGED_ROWS = 5


class CommandFailed(RuntimeError):
    """A command that ended otherwise than it should; nothing is reported."""


class RowsDiffer(RuntimeError):
    """The two sides took different rows; their times are not reported."""


@dataclass(frozen=True)
class Inbox:
    """The files that both sides start from."""

    files: int
    rows: int
    csv_bytes: int


@dataclass(frozen=True)
class Run:
    """One process: times in seconds, peak memory in bytes, and how busy the machine was.

    See `child.measure` for each. `parts` are CPU seconds: of a refresh by layer, and by layer and
    part (`selects`) of the tables that the SELECTs make again; of the SELECTs by part.
    """

    side: str
    wall: float
    cpu: float
    peak_bytes: int
    load_before: float
    others_share: float
    parts: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """A target and what was measured for it; `is_met` is None where there is no verdict."""

    target: str
    measured: str
    is_met: bool | None


@dataclass(frozen=True)
class Bench:
    """Where it is measured, and under which deployment."""

    work: Path
    deployment: str

    @property
    def home(self) -> Path:
        return self.work / "home"

    @property
    def settings(self) -> Settings:
        return load_settings(home=self.home, deployment=self.deployment)

    def invent(self, households: int, seed: int, dirty: float) -> Inbox:
        """Write the demo's inbox; not timed."""
        datasets = self.settings.datasets
        summary = generate(
            self.work / "inbox",
            self.work / "truth",
            project_root=ROOT,
            households=households,
            seed=seed,
            dirty_rate=dirty,
            plan_households=PLAN_HOUSEHOLDS if datasets is None else 0,
            datasets=datasets,
        )
        files = [each for each in (self.work / "inbox").rglob("*.*") if each.suffix != ".yaml"]
        files = [each for each in files if each.is_file()]
        sizes = [each.stat().st_size for each in files if each.suffix == ".csv"]
        return Inbox(len(files), summary.rows, sum(sizes))

    def round(self) -> list[Run]:
        """Every side once, in a new home whose inbox has the files by hard link.

        A refresh unlinks what it has taken; the files themselves stay.
        """
        self.home.mkdir()
        shutil.copytree(self.work / "inbox", self.home / "inbox", copy_function=os.link)
        keep_demo_secret(self.home / "vault")
        runs = [self.refresh(REFRESH), self.refresh(NOTHING_NEW)]
        folder = self.work / "bare"
        bare = self.run(BARE, str(HERE / "bare.py"), str(self.work / "inbox"), str(folder))
        if found := differences(folder, self.settings):
            raise RowsDiffer("the two sides differ:\n" + "\n".join(found))
        shutil.rmtree(folder)
        arguments = (str(HERE / "selects.py"), str(self.home), "--deployment", self.deployment)
        runs += [bare, self.run(SELECTS, *arguments)]
        send_again(self.work / "inbox" / SENT_AGAIN, self.home / "inbox" / SENT_AGAIN)
        runs.append(self.refresh(RESENT))
        shutil.rmtree(self.home)
        return runs

    def refresh(self, side: str) -> Run:
        """One `minsheng refresh`; raises CommandFailed if it did not come to what it should."""
        return self.run(side, "-m", "pipelines.cli", "refresh")

    def run(self, side: str, *command: str) -> Run:
        """Run Python with `command`; what it took is printed as it ends."""
        kept = {name: each for name, each in os.environ.items() if not name.startswith("MINSHENG_")}
        result = self.work / "run.json"
        with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
            process = subprocess.Popen(
                [sys.executable, str(HERE / "child.py"), str(result), sys.executable, *command],
                cwd=ROOT,
                env={
                    **kept,
                    "MINSHENG_HOME": str(self.home),
                    "MINSHENG_DEPLOYMENT": self.deployment,
                    "DAGSTER_HOME": str(self.home / "dagster"),
                    "PYTHONPATH": str(ROOT),
                },
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                process.wait()
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise
            output.seek(0)
            said = output.read().strip()
        values = json.loads(result.read_text(encoding="ascii")) if result.is_file() else {}
        result.unlink(missing_ok=True)
        expected = {REFRESH: "published", RESENT: "published", NOTHING_NEW: "nothing new"}
        begins = expected.get(side, "{")
        as_expected = any(line.startswith(begins) for line in said.splitlines())
        if values.pop("exit_code", None) != 0 or not as_expected:
            raise CommandFailed(f"{side}:\n{said[-4000:]}")
        clock = values.pop("clock")
        if side in (REFRESH, RESENT):
            parts = parts_of_refresh(self.home / "dagster", clock)
        elif side == NOTHING_NEW:
            parts = {}
        else:
            parts = json.loads(said.splitlines()[-1])
        finished = Run(side=side, parts=parts, **values)
        print(json.dumps(asdict(finished)), file=sys.stderr, flush=True)
        return finished


def send_again(delivered: Path, target: Path) -> None:
    """Deliver a month of settlements once more, a few of its bills and what was paid on them up."""
    header, *rows = csv.reader(io.StringIO(delivered.read_text("utf-8"), newline=""))
    for row in rows[:CHANGED_ROWS]:
        for place in (header.index("总费用"), header.index("个人自付")):
            row[place] = str(Decimal(row[place]) + 1)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])


def parts_of_refresh(dagster_home: Path, clock: Sequence[tuple[float, float]]) -> dict[str, float]:
    """CPU seconds of each layer of the latest run; steps run one after the other.

    The rows as received of the datasets that the bare script reads stand apart. `rest` is starting
    Python, importing, loading definitions and what lies between steps.
    """
    times = [moment for moment, _ in clock]

    def cpu_until(moment: float) -> float:
        place = bisect(times, moment)
        if place in (0, len(clock)):
            return clock[min(place, len(clock) - 1)][1]
        (begin, before), (end, after) = clock[place - 1 : place + 1]
        return before + (after - before) * (moment - begin) / (end - begin)

    files = (dagster_home / "history" / "runs").glob("*-*.db")
    latest = max(files, key=lambda path: path.stat().st_mtime_ns)
    with closing(sqlite3.connect(f"file:{latest}?mode=ro", uri=True)) as connection:
        steps = connection.execute(
            "select step_key, min(json_extract(event, '$.timestamp')), "
            "max(json_extract(event, '$.timestamp')) from event_logs "
            "where dagster_event_type in ('STEP_START', 'STEP_SUCCESS') group by step_key"
        ).fetchall()
    compared = {f"raw__{dataset.source}" for dataset in DATASETS}
    parts: defaultdict[str, float] = defaultdict(float)
    for step, begun, ended in sorted(steps, key=lambda each: each[1]):
        layer, table = step.split("__", 1)
        seconds = cpu_until(ended) - cpu_until(begun)
        parts[COMPARED if step in compared else layer] += seconds
        if layer in LAYERS_OF_SELECTS:
            parts[f"of SELECTs: {part_of(f'{layer}.{table}')}"] += seconds
    layers = {part: seconds for part, seconds in parts.items() if not part.startswith("of ")}
    return {**parts, "rest": clock[-1][1] - sum(layers.values())}


def judge(inbox: Inbox, runs: Sequence[Run]) -> list[Finding]:
    """Hold what was measured to the targets."""

    def of(side: str) -> list[Run]:
        return [run for run in runs if run.side == side]

    def part(side: str, name: str) -> float:
        return median(run.parts[name] for run in of(side))

    whole, resent = (median(run.cpu for run in of(side)) for side in (REFRESH, RESENT))
    ratios = (
        ("ingest and check", "bare", part(REFRESH, COMPARED), part(BARE, "cpu")),
        ("SELECTs of items", "core models", part(SELECTS, "items"), part(SELECTS, "core")),
        (RESENT, "whole refresh", resent, whole),
    )
    targets = (TARGET_INGEST_RATIO, TARGET_ITEMS_RATIO, TARGET_RESENT_SHARE)
    findings = [
        Finding(
            f"{ours} / {theirs}, CPU, at most {target:g}",
            f"{one / other:.2f} ({one:.1f} s / {other:.1f} s)",
            one <= target * other,
        )
        for (ours, theirs, one, other), target in zip(ratios, targets, strict=True)
    ]
    allowed = TARGET_MEMORY_PER_CSV * inbox.csv_bytes + TARGET_MEMORY_BYTES
    peak = max(run.peak_bytes for run in of(REFRESH))
    findings.append(
        Finding(
            f"peak memory at most {TARGET_MEMORY_PER_CSV:g} x CSV bytes + "
            f"{TARGET_MEMORY_BYTES / 1e6:.0f} MB = {allowed / 1e6:,.0f} MB",
            f"{peak / 1e6:,.0f} MB",
            peak <= allowed,
        )
    )
    slowest = max(of(NOTHING_NEW), key=lambda run: run.wall)
    is_disturbed = slowest.others_share > OTHERS_SHARE
    is_met = slowest.wall < TARGET_NOTHING_NEW_SECONDS
    findings.append(
        Finding(
            f"nothing new in under {TARGET_NOTHING_NEW_SECONDS:g} s",
            f"{slowest.wall:.2f} s at the most",
            None if is_disturbed else is_met,
        )
    )
    return findings


def report(title: str, inbox: Inbox, runs: Sequence[Run], findings: Sequence[Finding]) -> str:
    """The Markdown report; where there are several rounds, medians."""
    by_side = {side: [run for run in runs if run.side == side] for side in SIDES}
    compared = by_side[BARE][0].parts["rows"]
    lines = [
        f"### {title}",
        "",
        f"{inbox.rows:,} rows in {inbox.files:,} files, {inbox.csv_bytes / 1e6:,.1f} MB of CSV; "
        f"the bare script takes {compared:,.0f} of the rows, and the same ones as the refresh.",
        f"{', '.join(f'{name} {value}' for name, value in machine().items())}.",
        "",
        "| | wall s | CPU s | peak MB | load before | others |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for side, members in by_side.items():
        wall, cpu, peak, load, others = (
            median(getattr(run, what) for run in members)
            for what in ("wall", "cpu", "peak_bytes", "load_before", "others_share")
        )
        lines.append(
            f"| {side} | {wall:.2f} | {cpu:.2f} | {peak / 1e6:,.0f} | {load:.2f} | {others:.0%} |"
        )
    lines += ["", "| target | measured | |", "|---|---|---|"]
    for each in findings:
        verdict = "no verdict" if each.is_met is None else "met" if each.is_met else "missed"
        lines.append(f"| {each.target} | {each.measured} | {verdict} |")
    lines += ["", "| CPU s of a refresh | whole | a month sent again |", "|---|---:|---:|"]
    sides = (by_side[REFRESH], by_side[RESENT])
    for part in by_side[REFRESH][0].parts:
        if not part.startswith("of "):
            whole, resent = (median(run.parts.get(part, 0) for run in each) for each in sides)
            lines.append(f"| {part} | {whole:.2f} | {resent:.2f} |")
    lines += ["", "| CPU s of tables | refresh | SELECTs | ratio |", "|---|---:|---:|---:|"]
    for part in by_side[SELECTS][0].parts:
        ours = median(run.parts[f"of SELECTs: {part}"] for run in by_side[REFRESH])
        plain = median(run.parts[part] for run in by_side[SELECTS])
        lines.append(f"| {part} | {ours:.2f} | {plain:.2f} | {ours / plain:.2f} |")
    return "\n".join(lines)


def machine() -> dict[str, str]:
    """What the times depend on beside the code."""
    return {
        "cores": str(len(os.sched_getaffinity(0))),
        "Python": platform.python_version(),
        "DuckDB": version("duckdb"),
        "Dagster": version("dagster"),
        "Great Expectations": version("great-expectations"),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; prints a Markdown report and returns the exit code."""
    options = _options(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryDirectory(prefix="minsheng-benchmark-") as name:
        bench = Bench(Path(name), options.deployment)
        try:
            inbox = bench.invent(options.households, options.seed, options.dirty)
            runs = [run for _ in range(options.rounds) for run in bench.round()]
        except (CommandFailed, RowsDiffer) as fault:
            print(f"benchmark: {fault}", file=sys.stderr)
            return 2 if isinstance(fault, CommandFailed) else 1
    findings = judge(inbox, runs)
    title = f"{options.households:,} households, seed {options.seed}, dirty {options.dirty:g}"
    print(report(title, inbox, runs, findings))
    if options.json:
        content: Mapping[str, object] = {
            "title": title,
            "machine": machine(),
            "inbox": asdict(inbox),
            "runs": [asdict(run) for run in runs],
            "findings": [asdict(finding) for finding in findings],
        }
        options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    verdicts = {finding.is_met for finding in findings}
    return 1 if False in verdicts else 3 if None in verdicts else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure a refresh against the work by hand.")
    parser.add_argument("--households", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=2022)
    parser.add_argument("--dirty", type=float, default=0.02, help="Share of rows with an error.")
    parser.add_argument("--deployment", default="demo")
    parser.add_argument("--json", type=Path, help="Write every run to this file.")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())

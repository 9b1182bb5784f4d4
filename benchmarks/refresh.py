"""Measure a whole `minsheng refresh` against the bare script that does the same work.

    python benchmarks/refresh.py --households 100000 --rounds 5 --json result.json

Both start from the same invented inbox, in fresh processes, in turns. Exit codes: 0 the targets
are met, 1 a target is missed or the two sides computed different things, 2 a command failed,
3 the machine was busy and no verdict is given.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Literal

from bare import RESULT_FILE
from compare import checks_lacking, differences, headlines

ROOT = Path(__file__).resolve().parent.parent
HERE = Path(__file__).resolve().parent
DEPLOYMENT = str(HERE / "deployment")
"""The datasets whose figures the bare script makes, linked by the rules that it has."""

TARGET_RATIO = 3.0
"""A refresh takes at most this many times the bare script's time."""
TARGET_INGEST_RATIO = 1.6
"""Its layer of rows as received takes at most this many times what the bare script takes to list,
read and judge the same files."""
TARGET_MEMORY_PER_CSV = 1.2
TARGET_MEMORY_BYTES = 500_000_000
TARGET_NOTHING_NEW_SECONDS = 2.0

LOAD_PER_CORE = 0.5
"""Above this one-minute load average per core before a run the machine counts as busy."""
OTHERS_SHARE = 0.10
"""Above this share of the cores' time used by others during a run the machine counts as busy."""
SETTLE_SECONDS = 120.0
"""How long a run waits at the most for the load to fall."""
SETTLE_STEP_SECONDS = 2.0

BARE_INGEST = ("deliveries", "rows")
"""The parts of the bare script that the refresh does in its layer `raw`."""

LAYERS_OF_A_PHASE = (
    ("raw",),
    ("meta", "reference"),
    ("staged",),
    ("vault",),
    ("linked",),
    ("indicators",),
    ("risk",),
    ("published",),
)

Side = Literal["refresh", "bare", "nothing new"]
SIDES: tuple[Side, ...] = ("refresh", "bare", "nothing new")


class CommandFailed(RuntimeError):
    """A command that ended otherwise than it should; nothing is reported."""


class ResultsDiffer(RuntimeError):
    """The two sides computed different things; their times are not reported."""


@dataclass(frozen=True)
class Bounds:
    """From when on the machine counts as busy, and how long a run waits for it to settle."""

    load: float
    others_share: float
    settle_seconds: float


@dataclass(frozen=True)
class Inbox:
    """The files that both sides start from."""

    files: int
    rows: int
    csv_bytes: int
    all_bytes: int


@dataclass(frozen=True)
class Run:
    """One process: times in seconds, peak memory in bytes, and how busy the machine was.

    See `child.measure` for each. `phases` are the seconds of the refresh's layers, or of the parts
    of the bare script.
    """

    side: Side
    wall: float
    cpu: float
    peak_bytes: int
    load_before: float
    others_share: float
    phases: dict[str, float] = field(default_factory=dict)

    def is_disturbed(self, bounds: Bounds) -> bool:
        """Whether the machine was too busy for the run's times to mean anything.

        A run that follows at once on another finds that one's load, which says nothing of others.
        """
        is_loaded = self.load_before > bounds.load and self.side != "nothing new"
        return is_loaded or self.others_share > bounds.others_share


@dataclass(frozen=True)
class Measurement:
    """All runs, the figures of both sides, and the checks that only the refresh has run."""

    inbox: Inbox
    runs: tuple[Run, ...]
    figures: Mapping[str, tuple[object, ...]]
    checks_lacking: tuple[str, ...]

    def of(self, side: Side) -> list[Run]:
        """The runs of one side, in order."""
        return [run for run in self.runs if run.side == side]


@dataclass(frozen=True)
class Finding:
    """A target and what was measured for it."""

    target: str
    measured: str
    is_met: bool


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; prints a Markdown report and returns the exit code."""
    options = _options(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    bounds = Bounds(options.load_per_core * cores(), options.others_share, options.settle)
    with tempfile.TemporaryDirectory(prefix="minsheng-benchmark-") as name:
        work = Path(name)
        try:
            inbox = invent(work, options.households, options.seed, options.dirty)
            measurement = measure(work, inbox, options.rounds, bounds)
        except CommandFailed as fault:
            print(f"benchmark: {fault}", file=sys.stderr)
            return 2
        except ResultsDiffer as fault:
            print(f"benchmark: {fault}", file=sys.stderr)
            return 1
    findings = judge(measurement)
    is_undisturbed = not any(run.is_disturbed(bounds) for run in measurement.runs)
    title = f"{options.households:,} households, seed {options.seed}, dirty {options.dirty:g}"
    print(report(title, measurement, findings, bounds))
    if options.json:
        content = {
            "title": title,
            "machine": machine(),
            "bounds": asdict(bounds),
            "inbox": asdict(measurement.inbox),
            "runs": [asdict(run) for run in measurement.runs],
            "findings": [asdict(finding) for finding in findings],
            "is_undisturbed": is_undisturbed,
        }
        options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    if not is_undisturbed:
        return 3
    return 0 if all(finding.is_met for finding in findings) else 1


def invent(work: Path, households: int, seed: int, dirty: float) -> Inbox:
    """Write the demo's inbox into `work`; not timed."""
    from minsheng.demo import generate
    from minsheng.settings import load_settings

    summary = generate(
        work / "inbox",
        work / "truth",
        project_root=ROOT,
        households=households,
        seed=seed,
        dirty_rate=dirty,
        datasets=load_settings(deployment=DEPLOYMENT).datasets,
    )
    shutil.rmtree(work / "truth")
    sizes = {
        path: path.stat().st_size
        for path in (work / "inbox").rglob("*")
        if path.is_file() and path.suffix != ".yaml"
    }
    return Inbox(
        files=len(sizes),
        rows=summary.rows,
        csv_bytes=sum(size for path, size in sizes.items() if path.suffix == ".csv"),
        all_bytes=sum(sizes.values()),
    )


def measure(work: Path, inbox: Inbox, rounds: int, bounds: Bounds) -> Measurement:
    """Run both sides in turns. Raises CommandFailed or ResultsDiffer."""
    runs: list[Run] = []
    figures: Mapping[str, tuple[object, ...]] = {}
    lacking: tuple[str, ...] = ()
    for number in range(1, rounds + 1):
        print(f"round {number} of {rounds}", file=sys.stderr)
        home = prepare_home(work)
        settle(bounds)
        runs.append(run_refresh(home, "refresh"))
        runs.append(run_refresh(home, "nothing new"))
        settle(bounds)
        runs.append(run_bare(work, home / "vault" / "pseudonym.key"))
        bare = work / "bare" / RESULT_FILE
        published = home / "published" / "current" / "minsheng.duckdb"
        if number == 1:
            found = differences(bare, published)
            if found:
                raise ResultsDiffer("the two sides differ:\n" + "\n".join(found))
            figures = headlines(published)
            lacking = tuple(checks_lacking(bare, published))
        elif headlines(published) != figures or headlines(bare) != figures:
            raise ResultsDiffer(f"round {number} came to other figures than the first")
        shutil.rmtree(home)
        shutil.rmtree(work / "bare")
    return Measurement(inbox, tuple(runs), figures, lacking)


def prepare_home(work: Path) -> Path:
    """A new data home whose inbox has the files by hard link, with their dates, and the demo's key.

    A refresh unlinks what it has taken; the files themselves stay.
    """
    from minsheng.pseudonyms import keep_demo_secret

    home = work / "home"
    home.mkdir()
    shutil.copytree(work / "inbox", home / "inbox", copy_function=os.link)
    keep_demo_secret(home / "vault")
    return home


def run_refresh(home: Path, side: Side) -> Run:
    """One `minsheng refresh` in a fresh process."""
    environment = {
        "MINSHENG_HOME": str(home),
        "MINSHENG_DEPLOYMENT": DEPLOYMENT,
        "DAGSTER_HOME": str(home / "dagster"),
    }
    finished, output = run(side, home.parent, ["-m", "pipelines.cli", "refresh"], environment)
    expected = "nothing new" if side == "nothing new" else "published"
    if not any(line.startswith(expected) for line in output.splitlines()):
        raise CommandFailed(f"{side}: expected {expected!r}, it said {output!r}")
    if side == "refresh":
        return replace(finished, phases=phases(home / "dagster", finished.wall))
    return finished


def run_bare(work: Path, key: Path) -> Run:
    """One bare script in a fresh process."""
    script = str(HERE / "bare.py")
    command = [script, str(work / "inbox"), str(work / "bare"), "--key", str(key)]
    finished, output = run("bare", work, command, {})
    return replace(finished, phases=json.loads(output.splitlines()[-1]))


def run(
    side: Side, work: Path, command: Sequence[str], environment: Mapping[str, str]
) -> tuple[Run, str]:
    """Run Python with `command`; returns what it took and what it said."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MINSHENG_")}
    result = work / "run.json"
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        process = subprocess.Popen(
            [sys.executable, str(HERE / "child.py"), str(result), sys.executable, *command],
            cwd=ROOT,
            env={**kept, **environment, "PYTHONPATH": str(ROOT)},
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
    if values.pop("exit_code", None) != 0:
        raise CommandFailed(f"{side}:\n{said[-4000:]}")
    return Run(side=side, **values), said


def settle(bounds: Bounds) -> None:
    """Wait until the load average is below its bound, at most as long as the bounds say."""
    until = time.monotonic() + bounds.settle_seconds
    while os.getloadavg()[0] > bounds.load and time.monotonic() < until:
        time.sleep(SETTLE_STEP_SECONDS)


def phases(dagster_home: Path, wall: float) -> dict[str, float]:
    """Seconds of each layer's steps as Dagster noted them, and the rest of the wall time.

    The rest is starting Python, importing, loading definitions and Dagster's own bookkeeping.
    """
    seconds: defaultdict[str, float] = defaultdict(float)
    for path in (dagster_home / "history" / "runs").glob("*.db"):
        with _opened(path) as connection:
            for step, milliseconds in connection.execute(
                "select step_key, "
                "json_extract(event, '$.dagster_event.event_specific_data.duration_ms') "
                "from event_logs where dagster_event_type = 'STEP_SUCCESS'"
            ):
                seconds[step.split("__")[0]] += milliseconds / 1000
    found = {
        " + ".join(layers): sum(seconds[layer] for layer in layers) for layers in LAYERS_OF_A_PHASE
    }
    found["rest"] = wall - sum(seconds.values())
    return found


def judge(measurement: Measurement) -> list[Finding]:
    """Hold what was measured to the targets."""
    refresh, bare = measurement.of("refresh"), measurement.of("bare")
    findings = []
    for what in ("wall", "cpu"):
        ours, theirs = ([getattr(run, what) for run in side] for side in (refresh, bare))
        pairs = [f"{left / right:.2f}" for left, right in zip(ours, theirs, strict=True)]
        ratio = median(ours) / median(theirs)
        findings.append(
            Finding(
                f"{what} time, refresh / bare, at most {TARGET_RATIO:g}",
                f"{ratio:.2f} (pairs {', '.join(pairs)})",
                ratio <= TARGET_RATIO,
            )
        )
    ingests = [
        (ours.phases["raw"], sum(theirs.phases[part] for part in BARE_INGEST))
        for ours, theirs in zip(refresh, bare, strict=True)
    ]
    ratio = median(ours for ours, _ in ingests) / median(theirs for _, theirs in ingests)
    findings.append(
        Finding(
            f"ingest and check, refresh / bare, at most {TARGET_INGEST_RATIO:g}",
            f"{ratio:.2f} (wall s {', '.join(f'{a:.1f} / {b:.1f}' for a, b in ingests)})",
            ratio <= TARGET_INGEST_RATIO,
        )
    )
    allowed = TARGET_MEMORY_PER_CSV * measurement.inbox.csv_bytes + TARGET_MEMORY_BYTES
    peak = max(run.peak_bytes for run in refresh)
    findings.append(
        Finding(
            f"peak memory at most {TARGET_MEMORY_PER_CSV:g} x CSV bytes + "
            f"{TARGET_MEMORY_BYTES / 1e6:.0f} MB = {allowed / 1e6:,.0f} MB",
            f"{peak / 1e6:,.0f} MB",
            peak <= allowed,
        )
    )
    nothing_new = max(run.wall for run in measurement.of("nothing new"))
    findings.append(
        Finding(
            f"nothing new in under {TARGET_NOTHING_NEW_SECONDS:g} s",
            f"{nothing_new:.2f} s at the most",
            nothing_new < TARGET_NOTHING_NEW_SECONDS,
        )
    )
    return findings


def report(
    title: str, measurement: Measurement, findings: Sequence[Finding], bounds: Bounds
) -> str:
    """The Markdown report."""
    inbox = measurement.inbox
    disturbed = [run for run in measurement.runs if run.is_disturbed(bounds)]
    figures = "; ".join(
        f"{table} {values[0]:,} rows" for table, values in measurement.figures.items()
    )
    lines = [
        f"### {title}",
        "",
        f"{inbox.rows:,} rows in {inbox.files} files, {inbox.all_bytes / 1e6:,.1f} MB, of which "
        f"{inbox.csv_bytes / 1e6:,.1f} MB CSV.",
        f"{', '.join(f'{name} {value}' for name, value in machine().items())}.",
        f"Both sides came to the same rows in every table from `reference` on: {figures}.",
        "Checks on finished tables that only the refresh has: "
        f"{', '.join(measurement.checks_lacking) or 'none'}.",
        "",
        "| | min | median | max | load before | others' share |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for side in SIDES:
        members = measurement.of(side)
        busy = (
            f"{max(run.load_before for run in members):.2f} "
            f"| {max(run.others_share for run in members):.0%}"
        )
        for what, unit in (("wall", "s"), ("cpu", "s")):
            lines.append(_row(f"{side}, {what} {unit}", [getattr(run, what) for run in members], 2))
            lines[-1] += f" {busy} |"
        lines.append(_row(f"{side}, peak MB", [run.peak_bytes / 1e6 for run in members], 0))
        lines[-1] += " | |"
    refresh = measurement.of("refresh")
    whole = median(run.wall for run in refresh)
    lines += ["", "| part of the refresh | median s | share |", "|---|---:|---:|"]
    for part in refresh[0].phases:
        seconds = median(run.phases[part] for run in refresh)
        lines.append(f"| {part} | {seconds:.2f} | {seconds / whole:.0%} |")
    lines += ["", "| target | measured | |", "|---|---|---|"]
    for finding in findings:
        verdict = "no verdict" if disturbed else "met" if finding.is_met else "missed"
        lines.append(f"| {finding.target} | {finding.measured} | {verdict} |")
    if disturbed:
        lines += [
            "",
            f"No verdict: the machine was busy in {len(disturbed)} of {len(measurement.runs)} "
            f"runs, with a load above {bounds.load:g} before the run or others using more than "
            f"{bounds.others_share:.0%} of the cores' time during it.",
        ]
    return "\n".join(lines)


def machine() -> dict[str, str]:
    """What the times depend on beside the code."""
    return {
        "cores": str(cores()),
        "Python": platform.python_version(),
        "DuckDB": version("duckdb"),
        "Dagster": version("dagster"),
        "Great Expectations": version("great-expectations"),
    }


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def _row(label: str, values: Sequence[float], decimals: int) -> str:
    shown = (min(values), median(values), max(values))
    return f"| {label} | {' | '.join(f'{value:,.{decimals}f}' for value in shown)} |"


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        yield connection
    finally:
        connection.close()


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure a refresh against the bare script.")
    parser.add_argument("--households", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=2022)
    parser.add_argument("--dirty", type=float, default=0.02, help="Share of rows with an error.")
    parser.add_argument("--json", type=Path, help="Write every run to this file.")
    parser.add_argument("--load-per-core", type=float, default=LOAD_PER_CORE)
    parser.add_argument("--others-share", type=float, default=OTHERS_SHARE)
    parser.add_argument("--settle", type=float, default=SETTLE_SECONDS, help="Seconds to wait.")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())

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
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Literal

from bare import RESULT_FILE
from compare import check_counts, differences, headlines

ROOT = Path(__file__).resolve().parent.parent

TARGET_RATIO = 3.0
"""A refresh takes at most this many times the bare script's time."""
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

PHASES = (
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


class BenchmarkError(RuntimeError):
    """A command that failed or results that differ; no time is reported."""


@dataclass(frozen=True)
class Run:
    """One process: its times in seconds, its peak memory in bytes, and how busy the machine was.

    `cpu` is user and system time of the process and of the children it waited for; `peak_bytes`
    is the resident set of the largest of them; `others_share` is the share of the cores' time that
    went to anybody else while it ran.
    """

    side: Side
    wall: float
    cpu: float
    peak_bytes: int
    load_before: float
    others_share: float
    phases: dict[str, float] = field(default_factory=dict)

    def is_disturbed(self, load_bound: float, share_bound: float) -> bool:
        """Whether the machine was too busy for the run's times to mean anything.

        A run that follows at once on another finds that one's load, which says nothing of others.
        """
        is_loaded = self.load_before > load_bound and self.side != "nothing new"
        return is_loaded or self.others_share > share_bound


@dataclass(frozen=True)
class Settling:
    """Before a run: wait at most `seconds` for the load average to fall to `load_bound`."""

    load_bound: float
    seconds: float


@dataclass(frozen=True)
class Inbox:
    """The files that both sides start from."""

    folder: Path
    files: int
    rows: int
    text_bytes: int
    all_bytes: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; prints a Markdown report and returns the exit code."""
    options = _options(arguments)
    cores = len(os.sched_getaffinity(0))
    load_bound = options.load_per_core * cores
    with tempfile.TemporaryDirectory(prefix="minsheng-benchmark-") as name:
        work = Path(name)
        try:
            inbox = invent(work, options.households, options.seed, options.dirty)
            runs, figures, checks = measure(
                work, inbox, options.rounds, Settling(load_bound, options.settle)
            )
        except BenchmarkError as fault:
            print(f"benchmark: {fault}", file=sys.stderr)
            return 2 if "failed" in str(fault) else 1
    disturbed = [run for run in runs if run.is_disturbed(load_bound, options.others_share)]
    findings = judge(runs, inbox)
    print(report(options, inbox, runs, findings, figures, checks, disturbed, cores, load_bound))
    if options.json:
        content = {
            "households": options.households,
            "seed": options.seed,
            "dirty": options.dirty,
            "inbox": {**asdict(inbox), "folder": None},
            "machine": machine(cores),
            "load_bound": load_bound,
            "others_share_bound": options.others_share,
            "runs": [asdict(run) for run in runs],
            "findings": findings,
            "is_undisturbed": not disturbed,
        }
        options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    if disturbed:
        return 3
    return 0 if all(finding["is_met"] for finding in findings) else 1


def invent(work: Path, households: int, seed: int, dirty: float) -> Inbox:
    """Write the demo's inbox; not timed."""
    from minsheng.demo import generate

    folder = work / "inbox"
    summary = generate(
        folder,
        work / "truth",
        project_root=ROOT,
        households=households,
        seed=seed,
        dirty_rate=dirty,
    )
    shutil.rmtree(work / "truth")
    data = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".yaml"]
    return Inbox(
        folder=folder,
        files=len(data),
        rows=summary.rows,
        text_bytes=sum(path.stat().st_size for path in data if path.suffix == ".csv"),
        all_bytes=sum(path.stat().st_size for path in data),
    )


def measure(
    work: Path, inbox: Inbox, rounds: int, settling: Settling
) -> tuple[list[Run], Mapping[str, tuple[object, ...]], tuple[int, int]]:
    """Run both sides in turns; returns the runs, the headline figures and the checks of each side.

    Raises BenchmarkError if a command fails or the two sides computed different things.
    """
    runs: list[Run] = []
    figures: Mapping[str, tuple[object, ...]] = {}
    checks = (0, 0)
    for round_number in range(rounds):
        print(f"round {round_number + 1} of {rounds}", file=sys.stderr)
        home = prepare_home(work, inbox)
        key = next((home / "vault").iterdir())
        refresh = run_refresh(home, "refresh", settling)
        runs.append(refresh)
        runs.append(run_refresh(home, "nothing new", None))
        folder = work / "bare"
        command = [str(ROOT / "benchmarks" / "bare.py"), str(inbox.folder), str(folder)]
        runs.append(run("bare", [*command, "--key", str(key)], {}, settling)[0])
        published = home / "published" / "current" / "minsheng.duckdb"
        if round_number == 0:
            found = differences(folder / RESULT_FILE, published)
            if found:
                raise BenchmarkError(
                    "the bare script and the refresh computed different things, so their times "
                    "are not reported:\n" + "\n".join(found)
                )
            figures = headlines(published)
            checks = check_counts(folder / RESULT_FILE, published)
        elif headlines(published) != figures or headlines(folder / RESULT_FILE) != figures:
            raise BenchmarkError(f"round {round_number + 1} came to other figures than the first")
        shutil.rmtree(home)
        shutil.rmtree(folder)
    return runs, figures, checks


def prepare_home(work: Path, inbox: Inbox) -> Path:
    """A new data home whose inbox has the files by hard link, with their dates, and the demo's key.

    A refresh unlinks what it has taken; the files themselves stay.
    """
    from minsheng.pseudonyms import keep_demo_secret

    home = work / "home"
    home.mkdir()
    shutil.copytree(inbox.folder, home / "inbox", copy_function=os.link)
    keep_demo_secret(home / "vault")
    return home


def run_refresh(home: Path, side: Side, settling: Settling | None) -> Run:
    """One `minsheng refresh` in a fresh process."""
    environment = {"MINSHENG_HOME": str(home), "DAGSTER_HOME": str(home / "dagster")}
    finished, output = run(side, ["-m", "pipelines.cli", "refresh"], environment, settling)
    expected = "nothing new" if side == "nothing new" else "published"
    if not output.startswith(expected):
        raise BenchmarkError(f"{side} failed: expected {expected!r} and it said {output!r}")
    if side == "refresh":
        return Run(**{**asdict(finished), "phases": phases(home / "dagster", finished.wall)})
    return finished


def run(
    side: Side, command: Sequence[str], environment: Mapping[str, str], settling: Settling | None
) -> tuple[Run, str]:
    """Run Python with `command` and measure it; waits for the machine to settle first."""
    if settling is not None:
        settle(settling)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MINSHENG_")}
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        busy_before = busy_seconds()
        own_before = time.process_time()
        begun = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env={**kept, **environment, "PYTHONPATH": str(ROOT)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        own = time.process_time() - own_before
        busy = busy_seconds() - busy_before
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().strip()
    if process.returncode != 0:
        raise BenchmarkError(f"{side} failed with {process.returncode}:\n{text[-4000:]}")
    cpu = usage.ru_utime + usage.ru_stime
    others = max(0.0, busy - cpu - own) / (wall * len(os.sched_getaffinity(0)))
    finished = Run(
        side=side,
        wall=wall,
        cpu=cpu,
        peak_bytes=usage.ru_maxrss * 1024,
        load_before=load_before,
        others_share=others,
    )
    return finished, text


def settle(settling: Settling) -> None:
    """Wait until the load average is below the bound, at most as long as is said."""
    until = time.monotonic() + settling.seconds
    while os.getloadavg()[0] > settling.load_bound and time.monotonic() < until:
        time.sleep(SETTLE_STEP_SECONDS)


def busy_seconds() -> float:
    """Seconds that the cores of this process have worked for anybody since the machine started."""
    ticks = 0
    own = {f"cpu{number}" for number in os.sched_getaffinity(0)}
    for line in Path("/proc/stat").read_text(encoding="ascii").splitlines():
        name, *values = line.split()
        if name in own:
            user, nice, system, _idle, _iowait, interrupts, soft, stolen = map(int, values[:8])
            ticks += user + nice + system + interrupts + soft + stolen
    return ticks / os.sysconf("SC_CLK_TCK")


def phases(dagster_home: Path, wall: float) -> dict[str, float]:
    """Seconds of each layer's steps as Dagster noted them, and the rest of the wall time.

    The rest is starting Python, importing, loading definitions and Dagster's own bookkeeping.
    """
    seconds: Counter[str] = Counter()
    for path in (dagster_home / "history" / "runs").glob("*.db"):
        with closing_database(path) as connection:
            for step, milliseconds in connection.execute(
                "select step_key, "
                "json_extract(event, '$.dagster_event.event_specific_data.duration_ms') "
                "from event_logs where dagster_event_type = 'STEP_SUCCESS'"
            ):
                seconds[step.split("__")[0]] += milliseconds / 1000
    found = {" + ".join(layers): sum(seconds[each] for each in layers) for layers in PHASES}
    found["rest"] = wall - sum(seconds.values())
    return found


@contextmanager
def closing_database(path: Path) -> Iterator[sqlite3.Connection]:
    """A SQLite database opened for reading."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        yield connection
    finally:
        connection.close()


def judge(runs: Sequence[Run], inbox: Inbox) -> list[dict[str, object]]:
    """The targets, what was measured for each, and whether it is met."""
    refresh, bare = _of(runs, "refresh"), _of(runs, "bare")
    allowed = TARGET_MEMORY_PER_CSV * inbox.text_bytes + TARGET_MEMORY_BYTES
    peak = max(run.peak_bytes for run in refresh)
    nothing_new = max(run.wall for run in _of(runs, "nothing new"))
    rows: list[dict[str, object]] = []
    for what in ("wall", "cpu"):
        ours, theirs = ([getattr(run, what) for run in side] for side in (refresh, bare))
        pairs = [left / right for left, right in zip(ours, theirs, strict=True)]
        ratio = median(ours) / median(theirs)
        rows.append(
            {
                "target": f"{what} time, refresh / bare, at most {TARGET_RATIO:g}",
                "measured": f"{ratio:.2f} (pairs {', '.join(f'{pair:.2f}' for pair in pairs)})",
                "is_met": ratio <= TARGET_RATIO,
            }
        )
    rows.append(
        {
            "target": f"peak memory at most 1.2 x CSV + 500 MB = {allowed / 1e6:,.0f} MB",
            "measured": f"{peak / 1e6:,.0f} MB",
            "is_met": peak <= allowed,
        }
    )
    rows.append(
        {
            "target": f"nothing new in under {TARGET_NOTHING_NEW_SECONDS:g} s",
            "measured": f"{nothing_new:.2f} s at the most",
            "is_met": nothing_new < TARGET_NOTHING_NEW_SECONDS,
        }
    )
    return rows


def report(
    options: argparse.Namespace,
    inbox: Inbox,
    runs: Sequence[Run],
    findings: Sequence[Mapping[str, object]],
    figures: Mapping[str, tuple[object, ...]],
    checks: tuple[int, int],
    disturbed: Sequence[Run],
    cores: int,
    load_bound: float,
) -> str:
    """The Markdown report."""
    named = ", ".join(f"{name} {value}" for name, value in machine(cores).items())
    lines = [
        f"### {options.households:,} households",
        "",
        f"{inbox.rows:,} rows in {inbox.files} files, {inbox.all_bytes / 1e6:,.1f} MB, of which "
        f"{inbox.text_bytes / 1e6:,.1f} MB CSV; seed {options.seed}, dirty {options.dirty:g}.",
        f"{named}.",
        f"Both sides came to the same rows in every table from `reference` on: "
        f"{'; '.join(f'{table} {values[0]:,} rows' for table, values in figures.items())}.",
        f"Checks on finished tables, types left out: bare {checks[0]}, refresh {checks[1]}.",
        "",
        "| | min | median | max | load before | others' share |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    sides: tuple[Side, ...] = ("refresh", "bare", "nothing new")
    for side in sides:
        members = _of(runs, side)
        load = max(run.load_before for run in members)
        others = max(run.others_share for run in members)
        for what in ("wall", "cpu"):
            values = [getattr(run, what) for run in members]
            lines.append(
                f"| {side}, {what} s | {min(values):.2f} | {median(values):.2f} "
                f"| {max(values):.2f} | {load:.2f} | {others:.0%} |"
            )
        peaks = [run.peak_bytes / 1e6 for run in members]
        lines.append(
            f"| {side}, peak MB | {min(peaks):,.0f} | {median(peaks):,.0f} "
            f"| {max(peaks):,.0f} | | |"
        )
    lines += ["", "| part of the refresh | median s | share |", "|---|---:|---:|"]
    measured = _of(runs, "refresh")
    whole = median(run.wall for run in measured)
    for part in measured[0].phases:
        seconds = median(run.phases[part] for run in measured)
        lines.append(f"| {part} | {seconds:.2f} | {seconds / whole:.0%} |")
    lines += ["", "| target | measured | |", "|---|---|---|"]
    for finding in findings:
        verdict = "met" if finding["is_met"] else "missed"
        lines.append(
            f"| {finding['target']} | {finding['measured']} "
            f"| {'no verdict' if disturbed else verdict} |"
        )
    if disturbed:
        lines += [
            "",
            f"No verdict: in {len(disturbed)} of {len(runs)} runs the machine was busy, with a "
            f"load above {load_bound:g} before the run or others using more than "
            f"{options.others_share:.0%} of the cores' time during it.",
        ]
    return "\n".join(lines)


def machine(cores: int) -> dict[str, str]:
    """What the times depend on beside the code."""
    return {
        "cores": str(cores),
        "Python": platform.python_version(),
        "DuckDB": version("duckdb"),
        "Dagster": version("dagster"),
        "Great Expectations": version("great-expectations"),
    }


def _of(runs: Sequence[Run], side: Side) -> list[Run]:
    return [run for run in runs if run.side == side]


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--households", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=2022)
    parser.add_argument("--dirty", type=float, default=0.02, help="Share of rows with an error.")
    parser.add_argument("--json", type=Path, help="Write every run to this file.")
    parser.add_argument("--load-per-core", type=float, default=LOAD_PER_CORE)
    parser.add_argument("--settle", type=float, default=SETTLE_SECONDS, help="Seconds to wait.")
    parser.add_argument("--others-share", type=float, default=OTHERS_SHARE)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())

"""Run one command and write what it took as JSON: `child.py RESULT COMMAND...`.

It stands between the benchmark and what it measures because a process that is started inherits the
peak memory of the one that starts it; this one imports next to nothing.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

STEP_SECONDS = 0.02
TICKS = os.sysconf("SC_CLK_TCK")


def busy_seconds() -> float:
    """Seconds that the cores of this process have worked for anybody since the machine started."""
    ticks = 0
    own = {f"cpu{number}" for number in os.sched_getaffinity(0)}
    for line in Path("/proc/stat").read_text(encoding="ascii").splitlines():
        name, *values = line.split()
        if name in own:
            user, nice, system, _idle, _iowait, interrupts, soft, stolen = map(int, values[:8])
            ticks += user + nice + system + interrupts + soft + stolen
    return ticks / TICKS


def cpu_seconds(process_id: int) -> float:
    """CPU seconds of a process so far, and of the children that it has waited for."""
    fields = Path(f"/proc/{process_id}/stat").read_text(encoding="utf-8").rpartition(")")[2]
    return sum(map(int, fields.split()[11:15])) / TICKS


def measure(command: list[str]) -> dict[str, object]:
    """Run `command`; returns its exit code, times in seconds, peak memory and who else was busy.

    `cpu` is user and system time of the process and the children it waited for, `peak_bytes` the
    resident set of the largest of them, `others_share` the share of the cores' time that went to
    anybody else. `clock` has pairs of the time of day and the CPU seconds until then.
    """
    load_before = os.getloadavg()[0]
    busy_before, own_before = busy_seconds(), time.process_time()
    clock = []
    begun = time.perf_counter()
    process = subprocess.Popen(command)
    ended = 0
    while not ended:
        clock.append((time.time(), cpu_seconds(process.pid)))
        time.sleep(STEP_SECONDS)
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
    wall = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    cpu = usage.ru_utime + usage.ru_stime
    own = time.process_time() - own_before
    others = busy_seconds() - busy_before - cpu - own
    return {
        "exit_code": process.returncode,
        "wall": wall,
        "cpu": cpu,
        "peak_bytes": usage.ru_maxrss * 1024,
        "load_before": load_before,
        "others_share": max(0.0, others) / (wall * len(os.sched_getaffinity(0))),
        "clock": clock,
    }


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(measure(sys.argv[2:])), encoding="ascii")

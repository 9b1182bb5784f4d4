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


def measure(command: list[str]) -> dict[str, float]:
    """Run `command`; returns its exit code, times in seconds, peak memory and who else was busy.

    `cpu` is user and system time of the process and the children it waited for, `peak_bytes` the
    resident set of the largest of them, `others_share` the share of the cores' time that went to
    anybody else.
    """
    load_before = os.getloadavg()[0]
    busy_before, own_before = busy_seconds(), time.process_time()
    begun = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
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
    }


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(measure(sys.argv[2:])), encoding="ascii")

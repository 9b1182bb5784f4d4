"""Run real survey rounds through the whole flow: `python examples/eph/run.py FOLDER_WITH_ROUNDS`.

The rounds are the household files of the EPH as INDEC publishes them (`usu_hogar_tQYY.txt`, plain
or gzipped). They go into the inbox of a deployment and through the refresh that any county runs.
"""

import argparse
import gzip
import os
import re
import subprocess
import sys
from pathlib import Path

import duckdb

HERE = Path(__file__).resolve().parent
ROUND = re.compile(r"usu_hogar_t(?P<quarter>[1-4])(?P<year>\d{2})\.txt(\.gz)?$", re.IGNORECASE)
MONTHS_OF_A_QUARTER = 3

GROWTH = """
select area.area_name, growth.year, growth.list_basis, growth.base_mean_yuan, growth.mean_yuan,
    round(100 * growth.growth_rate, 2) as growth_percent, growth.household_count
from indicators.income_growth as growth
join reference.area as area using (area_code)
where growth.growth_rate is not null and growth.price_basis = 'nominal'
order by area.area_code desc, growth.list_basis
"""
SIGNALS = """
select signal_id, count(*) as households
from risk.household_signal
group by signal_id
order by signal_id
"""


def deliver(rounds: Path, inbox: Path) -> list[str]:
    """Put every round found in `rounds` into `inbox`, named by the last month of its quarter."""
    inbox.mkdir(parents=True, exist_ok=True)
    periods = []
    for path in sorted(rounds.iterdir()):
        found = ROUND.search(path.name)
        if found is None:
            continue
        month = int(found["quarter"]) * MONTHS_OF_A_QUARTER
        period = f"20{found['year']}-{month:02d}"
        packed = path.read_bytes()
        content = gzip.decompress(packed) if path.suffix == ".gz" else packed
        (inbox / f"usu_hogar_{period}.txt").write_bytes(content)
        periods.append(period)
    return periods


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rounds", type=Path, help="folder with usu_hogar_tQYY.txt[.gz]")
    parser.add_argument("--home", type=Path, default=HERE / "data", help="data home to use")
    options = parser.parse_args()
    home = options.home.resolve()
    periods = deliver(options.rounds, home / "inbox" / "agriculture" / "household_income")
    if not periods:
        print(f"no usu_hogar_tQYY.txt in {options.rounds}", file=sys.stderr)
        return 1
    print(f"delivered {', '.join(periods)}")
    environment = {
        **os.environ,
        "MINSHENG_HOME": str(home),
        "MINSHENG_DEPLOYMENT": str(HERE / "deployment"),
        "DAGSTER_HOME": str(home / "dagster"),
    }
    command = [str(Path(sys.executable).parent / "minsheng"), "refresh"]
    finished = subprocess.run(command, env=environment, check=False)
    if finished.returncode:
        return finished.returncode
    published = home / "published" / "current" / "minsheng.duckdb"
    with duckdb.connect(str(published), read_only=True) as connection:
        print("\nGrowth of income per head: all households, and those met in both years (stayers)")
        print(connection.sql(GROWTH))
        print("Signals; only those of income can fire, nothing else is delivered")
        print(connection.sql(SIGNALS))
    print(f"tables: {published}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

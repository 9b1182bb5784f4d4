"""Whether the bare script and the product took the same rows out of the same files.

Compared are the received, accepted and refused rows of every file, the rows that break each rule,
and the accepted rows of every dataset by content, without regard to their order. A benchmark whose
two sides took different rows reports no times.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from bare import DATASETS, DELIVERIES_FILE, RULES_FILE

from minsheng import encryption, openings
from minsheng.openings import Opening
from minsheng.quoting import literal
from minsheng.release import current
from minsheng.settings import Settings
from minsheng.warehouse import RESTRICTED_FILE, WAREHOUSE_FILE

SOURCES = tuple(dataset.source for dataset in DATASETS)
LISTED = ", ".join(map(literal, SOURCES))

FILES_OF_BARE = """
    select source, sender, period, sha256, rows_received, rows_accepted,
        rows_received - rows_accepted, if(is_effective, 'effective', 'superseded')
    from {}
"""
FILES = f"""
    select department || '__' || dataset, sender, period, sha256, rows_received, rows_accepted,
        rows_refused, delivery_status
    from minsheng.meta.delivery
    where department || '__' || dataset in ({LISTED})
"""
RULES = f"""
    select split_part(table_name, '.', 2), check_name, failing_rows
    from minsheng.quality.check_result
    where failing_rows > 0 and check_name <> 'row_has_as_many_cells_as_the_header'
        and table_name in ({", ".join(literal(f"raw.{source}") for source in SOURCES)})
"""


@contextmanager
def opened(settings: Settings, why: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory with the current version attached as `minsheng` and `restricted`.

    The opening of the restricted file is noted.
    """
    version = current(settings)
    assert version
    file = settings.builds / version.build_id / RESTRICTED_FILE
    openings.note(settings, file, Opening(datetime.now(UTC), "benchmark", why))
    keys = encryption.load_keys(settings)
    with duckdb.connect() as connection:
        connection.execute("set enable_progress_bar = false")
        encryption.unlock(connection, keys)
        published = literal(str(version.folder / WAREHOUSE_FILE))
        connection.execute(f"attach {published} as minsheng (read_only)")
        connection.execute(
            f"attach {literal(str(file))} as restricted (encryption_key ?, read_only)",
            [keys.of("restricted").hex()],
        )
        yield connection


def differences(bare: Path, settings: Settings) -> list[str]:
    """What differs between the folder of the bare script and the current version, in lines."""
    with opened(settings, "compare with the bare script") as connection:
        pairs = {
            "rows per file": (FILES_OF_BARE.format(_parquet(bare / DELIVERIES_FILE)), FILES),
            "rows per rule": (f"from {_parquet(bare / RULES_FILE)}", RULES),
        }
        for dataset in DATASETS:
            columns = ", ".join(["sender", "period", *(each.name for each in dataset.columns)])
            rows = _parquet(bare / f"{dataset.source}.parquet")
            pairs[dataset.source] = (
                f"select {columns} from {rows}",
                f"select {columns} from restricted.staged.{dataset.source}",
            )
        found = []
        for label, (ours, theirs) in pairs.items():
            only = [
                connection.execute(f"select count(*) from ({one} except all {other})").fetchall()
                for one, other in ((ours, theirs), (theirs, ours))
            ]
            (((by_bare,),), ((by_product,),)) = only
            if by_bare or by_product:
                found.append(f"{label}: {by_bare} only in bare, {by_product} only in the product")
        return found


def _parquet(path: Path) -> str:
    return f"read_parquet({literal(str(path))})"

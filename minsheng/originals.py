"""Originals: the bytes as received, kept for a time beside the rows that were read from them.

Rows are typed and judged again from `rows.parquet`, never from the original: when it is gone, its
SHA-256 in the receipt still tells whether a file is the one that was delivered.
"""

from datetime import datetime, timedelta
from pathlib import Path

from minsheng import lake
from minsheng.inbox import SIDECAR_SUFFIX
from minsheng.settings import Settings

FOLDER = "original"


def original_of(settings: Settings, receipt: lake.Receipt) -> Path:
    """Where the bytes of a delivery lie, or lay."""
    return lake.delivery_folder(settings.lake, receipt) / FOLDER / receipt.file_name


def remove_old(settings: Settings, now: datetime) -> int:
    """Remove the originals that were taken more days ago than they are kept; return how many.

    What is removed is what `receipt.sha256` was made of. The sidecar stays: it holds no rows, and
    tells one that a killed process left in the inbox from one that waits for its file.
    """
    last = now - timedelta(days=settings.originals_kept_days)
    removed = 0
    for receipt in lake.read_receipts(settings.lake):
        if not receipt.file_name or datetime.fromisoformat(receipt.ingested_at) >= last:
            continue
        original = original_of(settings, receipt)
        if original.suffix != SIDECAR_SUFFIX and original.is_file():
            original.unlink()
            removed += 1
    return removed

"""The log of openings: when which encrypted file was opened, by which run, and what for.

`vault/openings.jsonl` is owner-only and only ever appended to; it holds no secret and no name.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from minsheng.settings import RESTRICTED_FILE_MODE, RESTRICTED_FOLDER_MODE, Settings

LOG_FILE = "openings.jsonl"


@dataclass(frozen=True)
class Opening:
    """When somebody opens a file, who, and what for."""

    at: datetime
    by: str
    """A run of the orchestrator and its step, or a command."""
    why: str


def note(settings: Settings, file: Path, opening: Opening) -> None:
    """Append a line; what cannot be noted must not be opened, so a full disk raises OSError."""
    log = settings.vault / LOG_FILE
    log.parent.mkdir(parents=True, exist_ok=True, mode=RESTRICTED_FOLDER_MODE)
    log.touch(RESTRICTED_FILE_MODE)
    line = {
        "at": opening.at.isoformat(timespec="seconds"),
        "by": opening.by,
        "file": file.relative_to(settings.home).as_posix(),
        "why": opening.why,
    }
    with log.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line, ensure_ascii=False) + "\n")

"""What the log of openings says where a test opens a vault."""

from datetime import UTC, datetime

from minsheng.openings import Opening

OPENING = Opening(datetime(2023, 3, 1, tzinfo=UTC), "a test", "look inside")

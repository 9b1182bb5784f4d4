"""The workbook of links to decide on is given anew, and what somebody wrote in it is not lost."""

from pathlib import Path

import polars as pl

from minsheng.encryption import scratch_database, write_sealed
from minsheng.link_review import WORKBOOK_FILE, give_workbook
from minsheng.settings import load_settings


def test_a_workbook_that_somebody_has_written_in_stays_beside_the_next(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, "demo")
    build, path = tmp_path / "build", tmp_path / "worklists" / "link_decision_2022-12.xlsx"
    build.mkdir()

    def give(content: bytes) -> list[bytes]:
        with scratch_database(settings) as connection:
            frame = pl.DataFrame({"content": [content]})
            write_sealed(connection, frame, build / WORKBOOK_FILE)
            give_workbook(connection, build, path)
        assert path.read_bytes() == content
        return sorted(each.read_bytes() for each in path.parent.glob("*.xlsx"))

    assert give(b"first") == [b"first"]
    assert give(b"second") == [b"second"]
    path.write_bytes(b"decided")
    assert give(b"third") == [b"decided", b"third"]
    assert give(b"third") == [b"decided", b"third"]
    assert all(each.stat().st_mode & 0o077 == 0 for each in path.parent.iterdir() if each != path)

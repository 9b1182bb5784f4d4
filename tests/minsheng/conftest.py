"""Fixtures of the library's tests."""

from pathlib import Path

import pytest

from tests.minsheng.desk import Desk, desk_at


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """An empty data home."""
    return desk_at(tmp_path / "home")

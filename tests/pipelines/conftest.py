"""A clean and a dirty demo, each refreshed once and shared by the tests that only read them.

Tests that run side by side share them too: who writes to one, or opens Dagster's store of it, which
makes files while it is open, takes a copy.
"""

import fcntl
import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from minsheng import encryption
from minsheng.demo import generate
from minsheng.pseudonyms import keep_demo_secret
from minsheng.settings import PROJECT_ROOT, Settings, load_settings
from minsheng.warehouse import VAULT_FILE
from pipelines.cli import PLAN_HOUSEHOLDS
from pipelines.refresh import Outcome, refresh

HOUSEHOLDS = 300
CORE = str(PROJECT_ROOT / "deployments" / "core")
"""A deployment with the nine datasets that the figures of the first plan are made from."""


@dataclass(frozen=True)
class Home:
    """A data home with what it published."""

    settings: Settings
    outcome: Outcome

    @property
    def database(self) -> Path:
        return self.settings.published / "current" / "minsheng.duckdb"

    def rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        with duckdb.connect(str(self.database), read_only=True) as connection:
            return connection.execute(query, list(values)).fetchall()

    def rows_with_lake(self, query: str) -> list[tuple[object, ...]]:
        """The same of a query that reads the lake's files."""
        with duckdb.connect(str(self.database), read_only=True) as connection:
            encryption.unlock(connection, encryption.load_keys(self.settings))
            return connection.execute(query).fetchall()

    def vault_rows(self, query: str) -> list[tuple[object, ...]]:
        """Rows of the current build's vault."""
        assert self.outcome.version
        file = self.settings.builds / self.outcome.version.build_id / VAULT_FILE
        keys = encryption.load_keys(self.settings)
        with duckdb.connect() as connection:
            encryption.unlock(connection, keys)
            connection.execute(
                f"attach '{file}' as opened (encryption_key ?, read_only)", [keys.of("vault").hex()]
            )
            connection.execute("use opened.vault")
            return connection.execute(query).fetchall()

    def truth(self, table: str) -> str:
        """The truth's table as a FROM item."""
        return f"read_parquet('{self.settings.home / 'truth' / table}.parquet')"


MakeHome = Callable[..., Settings]


def make_demo(
    home: Path, dirty_rate: float, households: int = HOUSEHOLDS, deployment: str = CORE
) -> Settings:
    """A home whose inbox holds the demo's files and nothing is ingested yet.

    With every dataset enabled there are the places of the other plans too.
    """
    settings = load_settings(home, deployment)
    keep_demo_secret(settings.vault)
    generate(
        settings.inbox,
        settings.home / "truth",
        project_root=settings.root,
        households=households,
        dirty_rate=dirty_rate,
        plan_households=PLAN_HOUSEHOLDS if settings.datasets is None else 0,
        datasets=settings.datasets,
    )
    return settings


@pytest.fixture(scope="session", autouse=True)
def no_environment() -> Iterator[None]:
    """The tests' homes are named by arguments; the caller's environment must not reach them."""
    kept = {
        name: os.environ.pop(name, None)
        for name in (
            *("MINSHENG_HOME", "MINSHENG_DEPLOYMENT", "DAGSTER_HOME"),
            *("MINSHENG_VAULT_KEY", "MINSHENG_PSEUDONYM_KEY"),
        )
    }
    yield
    os.environ.update({name: value for name, value in kept.items() if value is not None})


def shared_demo(
    factory: pytest.TempPathFactory, name: str, dirty_rate: float, deployment: str = CORE
) -> Home:
    """A demo that is made by whichever process of the session asks for it first."""
    folder = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    made = folder / f"{name}.made"
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.is_file():
            settings = make_demo(folder / name, dirty_rate, deployment=deployment)
            made.write_bytes(pickle.dumps(Home(settings, refresh(settings))))
    home = pickle.loads(made.read_bytes())
    assert isinstance(home, Home)
    return home


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return shared_demo(tmp_path_factory, "clean", 0.0)


@pytest.fixture(scope="session")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return shared_demo(tmp_path_factory, "dirty", 0.02)


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The clean demo of every dataset."""
    return shared_demo(tmp_path_factory, "whole", 0.0, deployment="demo")


@pytest.fixture
def own_home(clean: Home, tmp_path: Path) -> Home:
    """A copy of the clean home that a test may change."""
    return copy_of(clean, tmp_path)


@pytest.fixture
def own_dirty(dirty: Home, tmp_path: Path) -> Home:
    """The same of the dirty one."""
    return copy_of(dirty, tmp_path)


@pytest.fixture
def own_whole(whole: Home, tmp_path: Path) -> Home:
    """The same of every dataset."""
    return copy_of(whole, tmp_path)


def copy_of(original: Home, folder: Path) -> Home:
    home = folder / "home"
    shutil.copytree(original.settings.home, home, symlinks=True)
    settings = load_settings(home, str(original.settings.deployment))
    return Home(settings, original.outcome)

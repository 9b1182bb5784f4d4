"""DuckDB's extensions, each from its own package: nothing is downloaded or installed."""

from importlib.util import find_spec
from pathlib import Path

from minsheng.quoting import literal


def load(name: str) -> str:
    """The statement that loads the extension `name` (`httpfs`, `postgres_scanner`)."""
    return f"load {literal(str(extension_file(name)))}"


def extension_file(name: str) -> Path:
    """The file of an extension in its package `duckdb-extension-<name>`."""
    package = find_spec(f"duckdb_extension_{name}")
    assert package and package.submodule_search_locations
    (file,) = Path(package.submodule_search_locations[0]).rglob("*.duckdb_extension")
    return file

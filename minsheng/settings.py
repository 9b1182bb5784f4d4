"""Where things are and which place is served: the checkout, the data home, the deployment."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from minsheng.documents import read_document

PROJECT_ROOT = Path(__file__).resolve().parent.parent
RESTRICTED_FILE_MODE = 0o600
RESTRICTED_FOLDER_MODE = 0o700
PUBLISHED_FILE_MODE = 0o640
BUILD_NOTE = "build.json"
HOME_FOLDERS = ("inbox", "lake", "published")
"""Of which every data home has one."""
ALGORITHMS = ("sha256", "sm3")


class SettingsError(ValueError):
    """A deployment or an environment variable that cannot be used."""


@dataclass(frozen=True)
class Settings:
    """One deployment's settings; paths are absolute."""

    root: Path
    home: Path
    deployment: Path
    name_zh: str
    area_code: str
    currency_zh: str
    currency_en: str
    time_zone: ZoneInfo
    datasets: tuple[str, ...] | None
    """Enabled datasets as `department__dataset`; None enables all that have a contract."""
    keep_versions: int
    originals_kept_days: int = 90
    """After so many days in the lake the bytes as received go, and their hash stays."""
    pseudonym_algorithm: Literal["sha256", "sm3"] = "sha256"
    pseudonym_key_version: int = 1

    @property
    def inbox(self) -> Path:
        return self.home / "inbox"

    @property
    def lake(self) -> Path:
        return self.home / "lake"

    @property
    def rejects(self) -> Path:
        return self.home / "rejects"

    @property
    def letters(self) -> Path:
        return self.home / "letters"

    @property
    def worklists(self) -> Path:
        """Lists with names for those who have to look: restricted."""
        return self.home / "worklists"

    @property
    def builds(self) -> Path:
        return self.home / "builds"

    @property
    def published(self) -> Path:
        return self.home / "published"

    @property
    def current_note(self) -> Path:
        """What the current version says of itself."""
        return self.published / "current" / BUILD_NOTE

    @property
    def vault(self) -> Path:
        return self.home / "vault"

    def overlaid(self, folder: str) -> tuple[Path, ...]:
        """The project's folder and, after it, the deployment's overlay of the same name."""
        return tuple(
            path for path in (self.root / folder, self.deployment / folder) if path.is_dir()
        )


def require_home(settings: Settings, *, may_begin: bool = False) -> None:
    """Raise SettingsError unless the data home is one, or nothing yet where one `may_begin`.

    A name that is mistyped would else begin a home of its own, with keys of its own.
    """
    home = settings.home
    if any((home / name).is_dir() for name in HOME_FOLDERS):
        return
    if not home.exists():
        fault = "there is no such folder"
    elif not home.is_dir():
        fault = "it is no folder"
    else:
        is_empty = not any(home.iterdir())
        fault = "it is empty" if is_empty else f"it holds none of {', '.join(HOME_FOLDERS)}"
    if may_begin and fault in ("there is no such folder", "it is empty"):
        return
    raise SettingsError(
        f"{home} is no data home: {fault}; set MINSHENG_HOME to the one that is meant, or begin "
        + ("one in a new folder" if may_begin else f"one here with `mkdir -p {home}/inbox`")
    )


def load_settings(home: Path | None = None, deployment: str | None = None) -> Settings:
    """The settings that arguments, `MINSHENG_HOME` and `MINSHENG_DEPLOYMENT` describe.

    A deployment is the name of a folder in `deployments/` or the path of a folder elsewhere.
    Raises SettingsError if the folder or a setting is missing.
    """
    chosen = deployment or os.environ.get("MINSHENG_DEPLOYMENT") or "demo"
    folder = PROJECT_ROOT / "deployments" / chosen
    if not folder.is_dir():
        folder = Path(chosen).expanduser().resolve()
    path = folder / "settings.yaml"
    if not path.is_file():
        known = sorted(child.name for child in (PROJECT_ROOT / "deployments").iterdir())
        raise SettingsError(
            f"deployment {chosen!r} has no settings.yaml; set MINSHENG_DEPLOYMENT to one of "
            f"{known} or to a folder that holds one"
        )
    values: Any = read_document(path)
    if not isinstance(values, dict):
        raise SettingsError(f"{path}: expected names and values")
    pseudonyms = values.get("pseudonyms") or {}
    algorithm = pseudonyms.get("algorithm", "sha256")
    if algorithm not in ALGORITHMS:
        raise SettingsError(f"{path}: pseudonyms by {algorithm!r}, not one of {ALGORITHMS}")
    chosen_home = home or Path(os.environ.get("MINSHENG_HOME") or PROJECT_ROOT / "data")
    try:
        return Settings(
            root=PROJECT_ROOT,
            home=chosen_home.expanduser().resolve(),
            deployment=folder,
            name_zh=values["name_zh"],
            area_code=str(values["area_code"]),
            currency_zh=values["currency_zh"],
            currency_en=values["currency_en"],
            time_zone=ZoneInfo(values["time_zone"]),
            datasets=tuple(values["datasets"]) if values.get("datasets") else None,
            keep_versions=int(values["keep_versions"]),
            originals_kept_days=int(values.get("originals_kept_days", 90)),
            pseudonym_algorithm=algorithm,
            pseudonym_key_version=int(pseudonyms.get("key_version", 1)),
        )
    except KeyError as missing:
        raise SettingsError(f"{path}: setting {missing} is missing") from None

"""What a build is made of: the project, the deliveries in force, and which table reads which."""

import hashlib
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path

from minsheng import (
    bridge,
    contradictions,
    figure_tables,
    lake,
    linkage,
    models,
    policies,
    pseudonyms,
)
from minsheng.contracts import RESTRICTED_LAYERS, Contract, enabled_sources, load_contracts
from minsheng.contradictions import Contradiction
from minsheng.figure_tables import FigureTable
from minsheng.lake import Receipt
from minsheng.models import Model, ModelError
from minsheng.pseudonyms import PseudonymKey
from minsheng.settings import Settings

ENGINES = ("duckdb", "polars", "pyarrow", "great-expectations", "sqlglot", "pypinyin")
CODE_FOLDERS = ("minsheng", "sql", "assets", "pipelines")
CODE_SUFFIXES = (".py", ".sql")


@dataclass(frozen=True)
class Project:
    """Everything a build is a function of, beside the deliveries."""

    settings: Settings
    known_on: date | None = None
    as_of: date | None = None
    may_rotate_keys: bool = False
    """Whether other keys than those of the current version are asked for."""

    @cached_property
    def contracts(self) -> dict[str, Contract]:
        contracts = load_contracts(self.settings)
        found = contradictions.promised(contracts[contradictions.CONTRADICTION], self.catalogue)
        sources = enabled_sources(contracts, self.settings)
        decided = contracts[f"staged.{linkage.DECISIONS}"]
        decided = linkage.promised_of_decisions(decided, sources)
        return {**contracts, found.name: found, decided.name: decided}

    @cached_property
    def catalogue(self) -> tuple[Contradiction, ...]:
        """The contradictions between departments that are looked for."""
        return contradictions.load_catalogue(self.settings)

    @cached_property
    def sources(self) -> tuple[Contract, ...]:
        """Staged contracts of the enabled datasets."""
        return enabled_sources(self.contracts, self.settings)

    @cached_property
    def absent_sources(self) -> tuple[Contract, ...]:
        """Staged contracts of the datasets that are not enabled."""
        return tuple(
            contract
            for contract in self.contracts.values()
            if contract.layer == "staged" and contract not in self.sources
        )

    @cached_property
    def figure_tables(self) -> dict[str, FigureTable]:
        """The tables of figures that no single SELECT makes, by name."""
        return figure_tables.figure_tables(self.settings, self.contracts)

    @cached_property
    def areas_elsewhere(self) -> frozenset[str]:
        """Areas whose deliveries do not tell of the deployment's area."""
        return policies.areas_elsewhere(self.settings)

    @cached_property
    def decided(self) -> Callable[[str, date], float]:
        """The value of a rule in the deployment's area on a day.

        Each is looked up once, since that reads all of `policies/`.
        """
        settings = self.settings
        return cache(lambda rule, day: policies.rule_value(settings, rule, settings.area_code, day))

    @cached_property
    def codes(self) -> dict[str, dict[str, str]]:
        return policies.code_words(self.settings)

    @cached_property
    def models(self) -> dict[str, Model]:
        return models.load_models(self.settings.root)

    @cached_property
    def pseudonym_key(self) -> PseudonymKey:
        """The key of the keys; raises if it is not that of the current version.

        Other keys are refused while decisions stand that name the ones of before.
        """
        receipts = lake.read_receipts(self.settings.lake, linkage.DECISIONS)
        decided = [each for each in lake.effective(receipts, None) if each.rows_accepted]
        return pseudonyms.load_key(
            self.settings, self.may_rotate_keys, [each.delivery_id for each in decided]
        )

    @cached_property
    def reads(self) -> dict[str, tuple[str, ...]]:
        """What each table is made from or checked against, by name."""
        return table_reads(self)


@dataclass(frozen=True)
class Inputs:
    """The declared inputs of a build; their hash is its `build_id`."""

    deliveries: tuple[Receipt, ...]
    """Every delivery known, in order of delivery."""
    effective: tuple[Receipt, ...]
    as_of_month: date | None
    known_on: date | None
    code_version: str
    policy_hash: str
    contract_hash: str
    engine_versions: str
    pseudonym_key: str
    settings_hash: str

    @cached_property
    def build_id(self) -> str:
        parts = {
            "deliveries": [(r.delivery_id, r.status, r.delivered_at) for r in self.deliveries],
            "as_of_month": str(self.as_of_month),
            "known_on": str(self.known_on),
            "code": self.code_version,
            "policies": self.policy_hash,
            "contracts": self.contract_hash,
            "engines": self.engine_versions,
            "pseudonyms": self.pseudonym_key,
            "settings": self.settings_hash,
        }
        text = json.dumps(parts, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def gather_inputs(project: Project) -> Inputs:
    """What a build made now would be made of; reads receipts and hashes, no data."""
    tables = {source.table for source in project.sources}
    receipts = tuple(
        receipt
        for receipt in lake.read_receipts(project.settings.lake)
        if receipt.table in tables
        and (project.known_on is None or receipt.delivered_on <= project.known_on)
    )
    effective = lake.effective(receipts, project.known_on)
    contracts = sorted((name, contract.hash) for name, contract in project.contracts.items())
    settings = (project.settings.deployment / "settings.yaml").read_bytes()
    return Inputs(
        deliveries=receipts,
        effective=effective,
        as_of_month=_as_of_month(project, effective),
        known_on=project.known_on,
        code_version=code_version(project.settings.root),
        policy_hash=policies.policy_hash(project.settings)[:16],
        contract_hash=short_hash(f"{contracts}{contradictions.catalogue_hash(project.catalogue)}"),
        engine_versions=" ".join(f"{name} {version(name)}" for name in ENGINES),
        pseudonym_key=project.pseudonym_key.name,
        settings_hash=hashlib.sha256(settings).hexdigest()[:16],
    )


def latest_month(project: Project, effective: Sequence[Receipt]) -> date | None:
    """The latest month that a delivery of a dataset covers which says how things stood then.

    What an area elsewhere delivers, for a plan of its own, says nothing of the deployment's area.
    """
    dating = {s.table for s in project.sources if s.delivery and s.delivery.moves_as_of}
    found = of_the_area(project, [receipt for receipt in effective if receipt.table in dating])
    return lake.latest_month(found) if found else None


def of_the_area(project: Project, receipts: Sequence[Receipt]) -> list[Receipt]:
    """The deliveries that tell of the deployment's area: all but those of senders elsewhere."""
    return [receipt for receipt in receipts if receipt.sender not in project.areas_elsewhere]


def _as_of_month(project: Project, effective: Sequence[Receipt]) -> date | None:
    latest = latest_month(project, effective)
    if latest is None:
        return None
    if project.as_of and project.as_of > latest:
        raise lake.DeliveryError(
            f"nothing delivered covers {project.as_of:%Y-%m}; the latest month is {latest:%Y-%m}"
        )
    return project.as_of or latest


def code_version(root: Path) -> str:
    """Hash of the source tree that makes tables; the demo generator makes none."""
    digest = hashlib.sha256()
    for folder in CODE_FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in CODE_SUFFIXES and "demo" not in path.relative_to(root).parts:
                digest.update(path.relative_to(root).as_posix().encode() + b"\0")
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def in_force(project: Project, source: Contract) -> tuple[Receipt, ...]:
    """The deliveries of one dataset that count."""
    receipts = lake.read_receipts(project.settings.lake, source.table)
    return lake.effective(receipts, project.known_on)


def linking_tables(project: Project) -> tuple[str, ...]:
    """Tables that are made while the vault is open, each after what it reads.

    They are those of the vault, the bridge, and the models that read the vault. Raises ModelError
    if such a model also reads a table that is not made by then.
    """
    layers = ("vault", bridge.LAYER)
    wanted = [each.name for each in project.contracts.values() if each.layer in layers]
    wanted += [name for name in project.models if any(map(_is_of_the_vault, project.reads[name]))]
    ordered: list[str] = []
    while len(ordered) < len(wanted):
        ordered += [
            name
            for name in wanted
            if name not in ordered and not set(project.reads[name]) & set(wanted) - set(ordered)
        ]
    for name in ordered:
        later = [
            read for read in project.reads[name] if read in project.models and read not in ordered
        ]
        if later:
            raise ModelError(
                f"{name} reads the vault, which is open in one step alone, and {later}, which are "
                f"not made by then; read {bridge.LAYER}.person or {bridge.LAYER}.household instead"
            )
    return tuple(ordered)


def _is_of_the_vault(table: str) -> bool:
    return table.startswith("vault.")


def table_reads(project: Project) -> dict[str, tuple[str, ...]]:
    """What each table is made from or checked against, by name.

    Nobody writes it twice: the SQL and the contracts say it.
    """
    raw = tuple(f"raw.{source.table}" for source in project.sources)
    staged = tuple(source.name for source in project.sources)
    absent = {source.name for source in project.absent_sources}
    reads: dict[str, tuple[str, ...]] = dict.fromkeys(raw, ())
    reads |= {source.name: (f"raw.{source.table}",) for source in project.sources}
    for contract in project.contracts.values():
        if contract.layer == "vault":
            above = linkage.READS[contract.table]
            reads[contract.name] = (*(staged if "staged" in above else ()), *above - {"staged"})
        elif contract.layer == bridge.LAYER:
            known = {"person": "vault.identity", "household": "vault.household"}[contract.table]
            reads[contract.name] = (*staged, known)
        elif contract.layer == "reference" or contract.name in ("meta.policy_item", "meta.columns"):
            reads[contract.name] = ()
    reads["meta.delivery"] = (*raw, *staged)
    reads["quality.finding"] = (*raw, *staged, "linked.link_decision", "reference.code")
    reads[contradictions.CONTRADICTION] = contradictions.tables_read(project.catalogue)
    reads |= {name: table.reads for name, table in project.figure_tables.items()}
    reads["quality.link_change"] = ("linked.person_alias", "meta.build", "reference.link_limit")
    reads["quality.restatement"] = (
        "meta.delivery",
        "meta.build",
        "reference.target",
        *(contract.name for contract in project.contracts.values() if contract.figures),
    )
    reads["meta.source"] = reads["meta.build"] = ("meta.delivery",)
    reads["meta.table_freshness"] = ("meta.source",)
    reads |= {name: model.reads for name, model in project.models.items()}
    for name, contract in project.contracts.items():
        if name in reads:
            read = {*reads[name], *_tables_checked_against(contract)}
            reads[name] = tuple(sorted(read - absent))
    return reads


def _tables_checked_against(contract: Contract) -> set[str]:
    tables = {reference.table for reference in contract.references}
    for each in contract.checks:
        tables.update(models.tables_read(each.query))
    if contract.layer not in RESTRICTED_LAYERS and any(c.codes for c in contract.columns):
        tables.add("reference.code")
    return tables - {contract.name}


def downstream(project: Project, remade: str, selected: Collection[str]) -> tuple[str, ...]:
    """Tables that read `remade`, directly or not, and are not `selected` themselves."""
    touched = {remade}
    while True:
        more = {
            name for name, above in project.reads.items() if touched.intersection(above)
        } - touched
        if not more:
            return tuple(sorted(touched - set(selected) - {remade}))
        touched |= more


def short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]

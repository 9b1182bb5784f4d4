"""Plans as data: the items of each plan, how each is evaluated, and for which years and areas.

A plan is a folder of `policies/` with a `plan.yaml`. An item has parts; a part says by which rows
it is computed, or that an office reports its figure or attests that the task is done.
"""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from minsheng import conditions
from minsheng.documents import read_document
from minsheng.settings import Settings

Row = dict[str, object]
KINDS = (
    "target",
    "rule",
    "benefit",
    "mechanism",
    "indicator",
    "ledger",
    "category",
    "statistic",
)
ROLL = "agriculture__household_roll"
TOLD_BY_ROLL = frozenset({"is_on_roll", "left_roll_year", "age_years", "household_id"})
"""Columns of the rows of a dataset that the roll of households tells."""
EVALUATIONS = ("computed", "reported", "attested")
SAID_BY: Mapping[str, str] = {
    "reported": "general__area_report",
    "attested": "general__task_attestation",
}
"""The dataset in which offices say what is not computed."""
INCOME_AGGREGATES = ("growth", "growth_over_rural", "minimum")
"""Aggregates of a population's income; they are computed with the growth of incomes."""
GROWTH_LEVELS = ("province", "city", "county", "town")
"""Levels of areas that have a growth of incomes."""
AGGREGATES = ("count", "share", "sum", "mean", "ratio", "minimum", "maximum", "distinct")
"""Aggregates of the rows of a base."""
SINCE = ("plan_start",)
CHANGES = ("growth", "difference")
COMPARATORS = ("<", "<=", ">", ">=")
PERIODS: Mapping[str, int] = {"year": 12, "half_year": 6, "quarter": 3, "month": 1}
"""The rhythms of an item, and how many months each has."""
EXPRESSIONS = ("where", "value", "over", "meets")
AREA_LEVELS = ("province", "city", "county", "town", "village")


class PlanError(ValueError):
    """A plan that cannot be used; names the plan, the item and the part."""


@dataclass(frozen=True)
class Part:
    """One figure of an item, or one task of it.

    `thresholds` are by year; without any the part sets no target. `geography` is `pooled`, or
    `every` where each unit of `unit_level` has to reach it. `since: plan_start` is for targets over
    several years: what rows of an earlier year of the plan tell holds in the later ones too.
    """

    part: str
    evaluation: str
    area_levels: tuple[str, ...]
    unit: str = ""
    base: str | None = None
    where: str = "true"
    aggregate: str | None = None
    value: str | None = None
    over: str | None = None
    meets: str | None = None
    change: str | None = None
    since: str | None = None
    entity: str | None = None
    population: str | None = None
    comparator: str | None = None
    thresholds: Mapping[int, float] = field(default_factory=dict)
    deadline_year: int | None = None
    area_set: str | None = None
    geography: str = "pooled"
    unit_level: str | None = None
    period: str = "year"
    datasets: tuple[str, ...] = ()
    label_zh: str | None = None
    label_en: str | None = None

    @property
    def has_target(self) -> bool:
        """Whether the plan sets a target: a threshold, or a task to be done."""
        return bool(self.thresholds) or self.evaluation == "attested"


@dataclass(frozen=True)
class Item:
    """What a plan says in one clause; `readings` say how an ambiguous wording is read, and why."""

    item_id: str
    clause: str
    kind: str
    evaluation: str
    term_zh: str
    text_en: str
    parts: tuple[Part, ...]
    level: int = 1
    departments: tuple[str, ...] = ()
    readings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """One plan and the area and years that it is for."""

    policy_id: str
    title_zh: str
    title_en: str
    document: str
    area_code: str
    start_year: int
    end_year: int
    first_roll_year: int
    income_concept: str
    items: tuple[Item, ...]
    area_sets: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    @property
    def years(self) -> range:
        return range(self.start_year, self.end_year + 1)


def load_plans(settings: Settings) -> tuple[Plan, ...]:
    """Plans of the deployment if it brings its own, else the project's. Raises PlanError."""
    for folder in reversed(settings.overlaid("policies")):
        plans = tuple(_plan(path, path.read_bytes()) for path in sorted(folder.glob("*/plan.yaml")))
        if plans:
            return plans
    return ()


def plan_rows(plans: Sequence[Plan]) -> list[Row]:
    """The rows of `reference.plan`."""
    kept = [each.name for each in fields(Plan) if each.name not in ("items", "area_sets")]
    return [{name: getattr(plan, name) for name in kept} for plan in plans]


def plan_area_rows(plans: Sequence[Plan]) -> list[Row]:
    """The rows of `reference.plan_area`: sets of areas that items of a plan are for.

    A unit that has no national code, like a functional zone, has a name alone.
    """
    rows: list[Row] = []
    for plan in plans:
        for name, entry in plan.area_sets.items():
            units = [(str(code), None) for code in _texts(entry.get("areas", []))]
            named = [(None, str(unit)) for unit in _texts(entry.get("without_code", []))]
            rows += [
                {
                    "policy_id": plan.policy_id,
                    "area_set": name,
                    "unit_place": place,
                    "label_zh": entry["label_zh"],
                    "area_code": code,
                    "unit_name": unit,
                }
                for place, (code, unit) in enumerate((*units, *named), start=1)
            ]
    return rows


def item_rows(plans: Sequence[Plan]) -> list[Row]:
    """The rows of `meta.policy_item`."""
    return [
        {
            "policy_id": plan.policy_id,
            "item_id": item.item_id,
            "clause": item.clause,
            "term_zh": item.term_zh,
            "text_en": item.text_en,
            "kind": item.kind,
            "evaluation": item.evaluation,
            "document": plan.document,
            "item_level": item.level,
            "departments": ",".join(item.departments),
            "reading_text": "; ".join(f"{name}: {why}" for name, why in item.readings.items())
            or None,
        }
        for plan in plans
        for item in plan.items
    ]


def target_rows(plans: Sequence[Plan], settings: Settings) -> list[Row]:
    """The rows of `reference.target`: item parts by year and level, with or without a threshold."""
    return [
        {
            "policy_id": plan.policy_id,
            "item_id": item.item_id,
            "part": part.part,
            "clause": item.clause,
            "area_code": plan.area_code,
            "area_level": level,
            "area_set": part.area_set,
            "unit_level": part.unit_level,
            "population": part.population,
            "income_concept": plan.income_concept,
            "evaluation": part.evaluation,
            "aggregate": part.aggregate,
            "change": part.change,
            "since_year": plan.start_year if part.since else None,
            "comparator": part.comparator,
            "year": year,
            "period_type": part.period,
            "threshold": part.thresholds.get(year),
            "deadline_year": part.deadline_year,
            "has_target": part.has_target,
            "unit": part.unit.replace("currency", settings.currency_en),
            "datasets": ",".join(part.datasets),
            "document": plan.document,
        }
        for plan in plans
        for item in plan.items
        for part in item.parts
        for year in plan.years
        for level in part.area_levels
    ]


def period_rows() -> list[Row]:
    """The rows of `reference.period`: the periods of a year by their first month."""
    return [
        {"period_type": name, "month_of_year": first, "month_count": months}
        for name, months in PERIODS.items()
        for first in range(1, 13, months)
    ]


@lru_cache(maxsize=16)
def _plan(path: Path, _: bytes) -> Plan:
    """The plan of a file with these bytes; every table of a refresh asks for it."""
    content = read_document(path)
    if not isinstance(content, dict):
        raise PlanError(f"{path}: expected names and values")
    name = str(content.get("policy_id", path.parent.name))
    entries = content.pop("items", None)
    if not isinstance(entries, list):
        raise PlanError(f"plan {name}: items missing")
    plan = made(Plan, {**content, "items": ()}, f"plan {name}")
    for year in (plan.start_year, plan.end_year, plan.first_roll_year):
        if not isinstance(year, int):
            raise PlanError(f"plan {name}: {year!r} is no year")
    items = tuple(_item(plan, entry) for entry in entries)
    seen: set[str] = set()
    for item in items:
        if item.item_id in seen:
            raise PlanError(f"{plan.policy_id} {item.item_id}: the item stands twice")
        seen.add(item.item_id)
    return replace(plan, items=items)


def _item(plan: Plan, entry: object) -> Item:
    if not isinstance(entry, dict):
        raise PlanError(f"{plan.policy_id}: {entry!r} is no item")
    name = f"{plan.policy_id} {entry.get('item_id', '?')}"
    given = entry.get("parts") or []
    if not isinstance(given, list):
        raise PlanError(f"{name}: parts is no list")
    item = made(Item, {**entry, "parts": ()}, name)
    one_of(item.kind, KINDS, f"{name}: kind")
    one_of(item.evaluation, EVALUATIONS, f"{name}: evaluation")
    parts = tuple(_part(plan, item, part) for part in given)
    if not parts:
        raise PlanError(f"{name}: no part says what is looked at")
    if len({part.part for part in parts}) < len(parts):
        raise PlanError(f"{name}: two parts have one name")
    return replace(item, parts=parts)


def _part(plan: Plan, item: Item, entry: object) -> Part:
    if not isinstance(entry, dict):
        raise PlanError(f"{plan.policy_id} {item.item_id}: {entry!r} is no part")
    name = f"{plan.policy_id} {item.item_id} {entry.get('part', '?')}"
    texts = {key: str(entry[key]) for key in EXPRESSIONS if entry.get(key) is not None}
    part = made(Part, {"evaluation": item.evaluation, **entry, **texts}, name)
    one_of(part.evaluation, EVALUATIONS, f"{name}: evaluation")
    one_of(part.period, PERIODS, f"{name}: period")
    one_of(part.geography, ("pooled", "every"), f"{name}: geography")
    for level in part.area_levels:
        one_of(level, AREA_LEVELS, f"{name}: area level")
    if part.change:
        one_of(part.change, CHANGES, f"{name}: change")
    if bool(part.comparator) != bool(part.thresholds):
        raise PlanError(f"{name}: a comparator and thresholds come together")
    if part.comparator:
        one_of(part.comparator, COMPARATORS, f"{name}: comparator")
    if not isinstance(part.thresholds, Mapping) or not all(
        isinstance(limit, int | float) for limit in part.thresholds.values()
    ):
        raise PlanError(f"{name}: thresholds are numbers by year")
    if outside := sorted(set(part.thresholds) - set(plan.years)):
        raise PlanError(f"{name}: thresholds for {outside}, outside of the plan's years")
    if part.area_set and part.area_set not in plan.area_sets:
        raise PlanError(f"{name}: no set of areas {part.area_set!r}")
    if not part.unit and part.evaluation != "attested":
        raise PlanError(f"{name}: unit missing")
    if (part.geography == "every") != bool(part.unit_level):
        raise PlanError(f"{name}: geography `every` names a unit_level, and only that does")
    if part.unit_level:
        one_of(part.unit_level, AREA_LEVELS, f"{name}: unit level")
        if part.evaluation != "computed":
            one_of(part.unit_level, part.area_levels, f"{name}: unit level")
    if part.evaluation != "computed":
        return replace(part, datasets=(SAID_BY[part.evaluation],))
    _check_computed(part, plan, name)
    is_dataset = bool(part.base and "__" in part.base)
    read = [str(part.base)] if is_dataset else []
    if _columns_read(part, name) & TOLD_BY_ROLL and is_dataset:
        read.append(ROLL)
    return replace(part, datasets=tuple(dict.fromkeys((*read, *part.datasets))))


def _columns_read(part: Part, name: str) -> set[str]:
    """Columns that the part's expressions name; raises PlanError if its own unknown is left out."""
    told = [text for text in (part.value, part.over, part.meets) if text]
    try:
        columns = {each for text in (part.where, *told) for each in conditions.columns_of(text)}
        left_out = {
            each for text in told for each in conditions.left_out_if_unknown(part.where, text)
        }
    except conditions.ConditionError as fault:
        raise PlanError(f"{name}: {fault}") from None
    if left_out:
        raise PlanError(
            f"{name}: `where` leaves out rows whose {', '.join(sorted(left_out))} is unknown; "
            "leave that to unknown_count, which says of how many rows the figure is not known"
        )
    return columns


def _check_computed(part: Part, plan: Plan, name: str) -> None:
    if part.population:
        one_of(part.aggregate, INCOME_AGGREGATES, f"{name}: aggregate of incomes")
        if part.base or part.since or part.period != "year" or part.unit_level or part.change:
            raise PlanError(f"{name}: incomes of a population are pooled, of a year and of no base")
        if part.aggregate != "minimum":
            for level in part.area_levels:
                one_of(level, GROWTH_LEVELS, f"{name}: area level of a growth of incomes")
        if part.area_set and not plan.area_sets[part.area_set].get("areas"):
            raise PlanError(
                f"{name}: incomes of {part.area_set!r} cannot be pooled, none of its areas has a "
                "code; list codes under `areas`"
            )
        return
    if part.unit_level and not part.thresholds:
        raise PlanError(f"{name}: every unit has to reach a threshold, and there is none")
    if not part.base:
        raise PlanError(f"{name}: a computed part names a population or a base")
    one_of(part.aggregate, AGGREGATES, f"{name}: aggregate")
    if part.since:
        _check_since(part, name)
    wanted = {
        "share": ("meets",),
        "ratio": ("value", "over"),
        "count": (),
    }.get(str(part.aggregate), ("value",))
    for each in ("value", "over", "meets"):
        if (getattr(part, each) is not None) != (each in wanted):
            raise PlanError(f"{name}: a {part.aggregate} takes {list(wanted) or 'no value'}")


def _check_since(part: Part, name: str) -> None:
    one_of(part.since, SINCE, f"{name}: since")
    is_share_of_profile = part.aggregate == "share" and "__" not in str(part.base)
    if part.period != "year" or not (part.aggregate == "distinct" or is_share_of_profile):
        raise PlanError(f"{name}: since {part.since} goes with distinct, or a profile's share")


def one_of(value: object, allowed: object, what: str) -> None:
    """Raise PlanError if `value` is not among `allowed`."""
    listed = list(allowed)  # type: ignore[call-overload]  # a sequence or the keys of a mapping
    if value not in listed:
        raise PlanError(f"{what} {value!r} is none of {listed}")


Made = TypeVar("Made")


def made(kind: type[Made], entry: Mapping[str, object], name: str) -> Made:
    """A dataclass of what YAML holds; raises PlanError for a key too many or too few."""
    known = {each.name: each for each in fields(kind)}  # type: ignore[arg-type]  # a dataclass
    if unknown := sorted(map(str, set(entry) - set(known))):
        raise PlanError(f"{name}: {unknown} is unknown; known are {sorted(known)}")
    needed = [n for n, f in known.items() if f.default is MISSING and f.default_factory is MISSING]
    if missing := [each for each in needed if entry.get(each) is None]:
        raise PlanError(f"{name}: {', '.join(missing)} missing")
    values = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in entry.items()
        if value is not None
    }
    return kind(**values)


def _texts(value: object) -> list[str]:
    if not isinstance(value, list | tuple):
        raise PlanError(f"expected a list, found {value!r}")
    return [str(each) for each in value]

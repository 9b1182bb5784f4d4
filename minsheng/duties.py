"""Duties of the calendar as data: who owes what in which period, by when, and what counts as done.

A plan's folder holds them in `duties.yaml`. A duty belongs to an item of the plan. It is done by an
event that a row of a dataset tells, or, for a buffer, kept by rows of each of its months.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from minsheng import conditions
from minsheng.documents import read_document
from minsheng.plans import PERIODS, SAID_BY, Item, Plan, PlanError, load_plans, made, one_of
from minsheng.settings import Settings

Row = dict[str, object]
FILE = "duties.yaml"
ENTITIES = ("household", "county")


@dataclass(frozen=True)
class Event:
    """Rows of a dataset that tell that a duty is done.

    `of` is the day that says for which period, at first the row's own period; `day` the day on
    which it was done, at first the one on which the row's file was first delivered; `unit` the
    office that did it.
    """

    dataset: str
    where: str = "true"
    of: str | None = None
    day: str | None = None
    unit: str | None = None


@dataclass(frozen=True)
class Beginning:
    """From when a buffer runs: from the January after the first year in which a household's profile
    meets `where`, or from the month in which it takes on a status."""

    where: str | None = None
    status: str | None = None
    held_before: bool = False
    """Only for a household that held what is to be kept in the month before."""


@dataclass(frozen=True)
class Duty:
    """One duty: of each household that `who` means in its year, or of each county of the plan or of
    one of its sets of areas.

    A calendar duty has a `period` and is due at the end of the last month of the period, or
    `due_months` after it (before it, if negative). A buffer has `buffer_months` instead.
    """

    duty_id: str
    item_id: str
    label_zh: str
    label_en: str
    responsible: str
    entity: str
    who: str = "true"
    area_set: str | None = None
    period: str | None = None
    due_months: int | None = None
    event: Event | None = None
    begins: Beginning | None = None
    buffer_months: int | None = None
    keeps: Event | None = None
    readings: Mapping[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> Event:
        """The rows that tell of the duty."""
        told = self.event or self.keeps
        if told is None:
            raise PlanError(f"{self.duty_id}: neither an event nor what is kept")
        return told


@dataclass(frozen=True)
class PlanDuty:
    """A duty with its plan and the item that it is a part of."""

    plan: Plan
    item: Item
    duty: Duty

    @property
    def name(self) -> str:
        return f"{self.plan.policy_id} {self.duty.duty_id}"


def load_duties(settings: Settings) -> tuple[PlanDuty, ...]:
    """The duties of the plans of the deployment. Raises PlanError by plan and duty.

    A duty that an overlay names replaces the project's, or by null removes it.
    """
    plans = {plan.policy_id: plan for plan in load_plans(settings)}
    folders = settings.overlaid("policies")
    with_plans = [place for place, each in enumerate(folders) if any(each.glob("*/plan.yaml"))]
    entries: dict[tuple[str, str], object] = {}
    for folder in folders[with_plans[-1] :] if with_plans else ():
        for path in sorted(folder.glob(f"*/{FILE}")):
            entries |= _entries(path, plans)
    return tuple(
        _of_plan(plans[policy_id], duty_id, entry)
        for (policy_id, duty_id), entry in entries.items()
        if entry is not None
    )


def duty_rows(duties: Sequence[PlanDuty]) -> list[Row]:
    """The rows of `reference.duty`."""
    return [
        {
            "policy_id": each.plan.policy_id,
            "duty_id": each.duty.duty_id,
            "item_id": each.item.item_id,
            "clause": each.item.clause,
            "label_zh": each.duty.label_zh,
            "label_en": each.duty.label_en,
            "responsible_unit": each.duty.responsible,
            "entity_type": "household" if each.duty.entity == "household" else "area",
            "period_type": each.duty.period,
            "due_months": each.duty.due_months,
            "buffer_months": each.duty.buffer_months,
            "datasets": each.duty.rows.dataset,
            "reading_text": "; ".join(f"{name}: {why}" for name, why in each.duty.readings.items())
            or None,
            "document": each.plan.document,
        }
        for each in duties
    ]


def _entries(path: Path, plans: Mapping[str, Plan]) -> dict[tuple[str, str], object]:
    content = read_document(path)
    if not isinstance(content, dict):
        raise PlanError(f"{path}: expected names and duties")
    policy_id = str(content.get("policy_id", path.parent.name))
    if policy_id not in plans:
        raise PlanError(f"{path}: no plan {policy_id!r}")
    entries = content.get("duties")
    if not isinstance(entries, dict):
        raise PlanError(f"{policy_id}: {FILE} has no duties")
    return {(policy_id, str(duty_id)): entry for duty_id, entry in entries.items()}


def _of_plan(plan: Plan, duty_id: str, entry: object) -> PlanDuty:
    duty = _duty(duty_id, entry, plan.policy_id)
    item = next((item for item in plan.items if item.item_id == duty.item_id), None)
    if item is None:
        raise PlanError(f"{plan.policy_id} {duty_id}: the plan has no item {duty.item_id!r}")
    if duty.area_set and duty.area_set not in plan.area_sets:
        raise PlanError(f"{plan.policy_id} {duty_id}: no set of areas {duty.area_set!r}")
    _check_told(plan, duty)
    return PlanDuty(plan, item, duty)


def _check_told(plan: Plan, duty: Duty) -> None:
    """An event that offices report or attest is a part of the plan of which they are asked so."""
    name, rows = f"{plan.policy_id} {duty.duty_id}", duty.rows
    evaluation = next((each for each, said in SAID_BY.items() if said == rows.dataset), None)
    if evaluation is None:
        return
    try:
        asked = conditions.asked_for(rows.where)
    except conditions.ConditionError as fault:
        raise PlanError(f"{name}: {fault}") from None
    wanted = [asked.get(column) for column in ("policy_id", "item_id", "part")]
    parts = [
        [plan.policy_id, item.item_id, part.part]
        for item in plan.items
        for part in item.parts
        if part.evaluation == evaluation
    ]
    if wanted not in parts:
        raise PlanError(
            f"{name}: {rows.dataset} tells of no part with policy_id, item_id and part "
            f"{wanted}; of {duty.item_id} the plan has {evaluation} "
            f"{[part for _, item_id, part in parts if item_id == duty.item_id]}"
        )


def _duty(duty_id: str, entry: object, policy_id: str) -> Duty:
    name = f"{policy_id} {duty_id}"
    if not isinstance(entry, dict):
        raise PlanError(f"{name}: {entry!r} is no duty")
    parts: dict[str, object] = {
        key: made(kind, entry[key], f"{name}: {key}")
        for key, kind in (("event", Event), ("keeps", Event), ("begins", Beginning))
        if isinstance(entry.get(key), dict)
    }
    duty = made(Duty, {**entry, **parts, "duty_id": duty_id}, name)
    one_of(duty.entity, ENTITIES, f"{name}: entity")
    calendar = (duty.period, duty.due_months, duty.event)
    buffer = (duty.begins, duty.buffer_months, duty.keeps)
    if all(each is not None for each in calendar) and not any(buffer):
        one_of(duty.period, PERIODS, f"{name}: period")
        _whole(duty.due_months, f"{name}: due_months", -12)
    elif all(each is not None for each in buffer) and not any(
        each is not None for each in calendar
    ):
        _whole(duty.buffer_months, f"{name}: buffer_months", 1)
        _check_buffer(duty, name)
    else:
        raise PlanError(
            f"{name}: a duty has period, due_months and event, or begins, buffer_months and keeps"
        )
    if duty.entity == "county" and duty.who != "true":
        raise PlanError(
            f"{name}: a duty of counties is of each county of the plan, so not of `who`"
        )
    if duty.entity != "county" and duty.area_set:
        raise PlanError(f"{name}: a set of areas is for duties of counties")
    return duty


def _check_buffer(duty: Duty, name: str) -> None:
    if duty.entity != "household":
        raise PlanError(f"{name}: a buffer is of households")
    begins = duty.begins
    if begins is None or (begins.where is None) == (begins.status is None):
        raise PlanError(f"{name}: a buffer begins `where` a profile says so, or with a `status`")
    if duty.keeps and (duty.keeps.of or duty.keeps.day or duty.keeps.unit):
        raise PlanError(f"{name}: what is kept is told by the row's period, not by a day or unit")


def _whole(value: object, what: str, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise PlanError(f"{what} {value!r} is no whole number from {least} up")

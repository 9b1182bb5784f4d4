"""What offices report and attest for the items of a plan, in the areas of a place.

Figures draw near to what the plan asks and reach it in its last years; a plan's own area has the
sum of what its counties have. Tasks are done, but one county is late with some in the first year.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from minsheng.demo.reference import CodeTexts, Integers, Part, Plan
from minsheng.demo.text import code_texts

ADDED = {
    "count": "个",
    "currency": "元",
    "households": "户",
    "kilometres": "公里",
    "mu": "亩",
    "persons": "人",
    "villages": "个村",
}
"""Units of which a city has as much as its counties together, in the words of offices."""
OFFICES = {
    "agriculture": "农业农村局",
    "civil_affairs": "民政局",
    "disability_federation": "残疾人联合会",
    "education": "教育局",
    "emergency": "应急管理局",
    "finance": "财政局",
    "general": "人民政府办公室",
    "health": "卫生健康局",
    "housing": "住房和城乡建设局",
    "human_resources": "人力资源和社会保障局",
    "public_security": "公安局",
    "statistics": "统计局",
}
WHOLE = 1_000
"""What a share is of in the first county; each other county has a tenth more."""
FIRST_FACTOR, LAST_FACTOR = 0.9, 1.05
USUAL_RATE, USUAL_FIGURE, BELOW = 0.8, 120.0, 0.5
DONE_ON = "01-20"
STATES = ("done", "in_progress")
LATE_EVERY = 7

Row = dict[str, str | None]


@dataclass(frozen=True)
class Statement:
    """What offices say of a part of an item in an area and year of the plan.

    A figure is `counted`, or the share `counted` of `of`; a task has a state.
    """

    policy_id: str
    item_id: str
    part: str
    department: str
    unit: str
    area_code: str
    year: int
    counted: int | None = None
    of: int | None = None
    task_status_code: str | None = None

    @property
    def value(self) -> float | None:
        """The figure in the plan's unit."""
        return self.counted / (self.of or 1) if self.counted is not None else None


def item_statements(plan: Plan, counties: tuple[str, ...]) -> Iterator[Statement]:
    """What is said of the plan in the areas of a place, by year."""
    tasks = [part for part in plan.parts if part.evaluation == "attested"]
    for year in plan.years:
        for part in plan.parts:
            if part.evaluation == "reported":
                yield from figures(plan, part, year, counties)
        for place, part in enumerate(tasks):
            for code in areas_of(plan, part, counties):
                is_late = year == plan.years[0] and code == counties[-1] != counties[0]
                is_late &= place % LATE_EVERY == 1
                yield replace(
                    statement(plan, part, code, year), task_status_code=STATES[int(is_late)]
                )


def statement(plan: Plan, part: Part, area_code: str, year: int) -> Statement:
    """One that says nothing yet."""
    return Statement(
        plan.policy_id, part.item_id, part.part, part.department, part.unit, area_code, year
    )


def areas_of(plan: Plan, part: Part, counties: tuple[str, ...]) -> tuple[str, ...]:
    """Areas of the place that the part is of: its counties, and what lies above them.

    Of a part that is asked of other counties it is the first of those.
    """
    levels = set(part.area_levels)
    if part.asked and not set(part.asked) & set(counties):
        counties = part.asked[:1]
    if plan.area_code in counties:
        return (plan.area_code,) if "town" in levels else ()
    cities = dict.fromkeys(f"{code[:4]}00000000" for code in counties)
    return (
        *(code for code in counties if "county" in levels),
        *(code for code in cities if "city" in levels),
        *([f"{plan.area_code[:2]}0000000000"] if "province" in levels else []),
    )


def figures(plan: Plan, part: Part, year: int, counties: tuple[str, ...]) -> Iterator[Statement]:
    """The figures of a part; above the counties what they have together."""
    weights = {code: 10 + place for place, code in enumerate(counties)}
    wanted = figure_of(plan, part, year)
    is_added = part.unit in ADDED
    wholes = {code: WHOLE * weight // 10 for code, weight in weights.items()}
    shares = {code: weight / sum(weights.values()) for code, weight in weights.items()}
    counted = {
        code: round(wanted * (shares[code] if is_added else wholes[code])) for code in weights
    }
    for area in areas_of(plan, part, counties):
        within = [area] if area in weights else list(weights)
        yield replace(
            statement(plan, part, area, year),
            counted=sum(counted[code] for code in within),
            of=None if is_added else sum(wholes[code] for code in within),
        )


def figure_of(plan: Plan, part: Part, year: int) -> float:
    """What the place has of a part in a year."""
    progress = (year - plan.years[0] + 1) / len(plan.years)
    factor = FIRST_FACTOR + (LAST_FACTOR - FIRST_FACTOR) * progress
    if part.comparator in ("<", "<="):
        return part.threshold(year) - (BELOW if part.comparator == "<" else 0)
    usual = USUAL_RATE if part.unit == "rate" else USUAL_FIGURE
    wanted = (part.threshold(year) if part.comparator else 0) or usual
    return min(wanted * factor, 1.0) if part.unit == "rate" else wanted * factor


def report_columns(plan: Plan, counties: tuple[str, ...]) -> dict[str, pl.Series]:
    """The columns of `area_report`, by year; years are the demo's."""
    said = [each for each in item_statements(plan, counties) if each.counted is not None]
    return columns_of(
        [
            {
                **place_of(plan, each),
                "value": text_of(each),
                "numerator": str(each.counted) if each.of else None,
                "denominator": str(each.of) if each.of else None,
                "unit": "%" if each.unit == "rate" else ADDED.get(each.unit),
            }
            for each in said
        ]
    )


def attestation_columns(
    plan: Plan, counties: tuple[str, ...], texts: CodeTexts
) -> tuple[dict[str, pl.Series], Integers]:
    """The columns of `task_attestation`, by year, and the position of each row's state."""
    said = [each for each in item_statements(plan, counties) if each.task_status_code]
    state = np.array([STATES.index(str(each.task_status_code)) for each in said], dtype=np.int64)
    columns = columns_of(
        [
            {
                **place_of(plan, each),
                "done_date": f"{each.year - plan.years_later}-{DONE_ON}"
                if each.task_status_code == "done"
                else None,
                "document": "任务完成情况报告",
            }
            for each in said
        ]
    )
    plain = np.zeros(len(state), dtype=np.bool_)
    status = code_texts(texts, "task_status", STATES, state, plain)
    return {**columns, "task_status_code": status}, state


def place_of(plan: Plan, said: Statement) -> Row:
    """Of what a row is, and whose word."""
    return {
        "policy_id": said.policy_id,
        "item_id": said.item_id,
        "part": said.part,
        "area_code": said.area_code,
        "year": str(said.year - plan.years_later),
        "reporting_office": OFFICES[said.department],
    }


def text_of(said: Statement) -> str:
    """A figure as offices write it: shares in percent."""
    assert said.value is not None
    if said.of is None:
        return str(said.counted)
    return f"{100 * said.value if said.unit == 'rate' else said.value:.4f}"


def columns_of(rows: list[Row]) -> dict[str, pl.Series]:
    """The cells of rows of the same columns."""
    return {name: pl.Series([row[name] for row in rows], dtype=pl.String) for name in rows[0]}

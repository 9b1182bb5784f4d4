"""Policies: plans, dated rules, signals, code lists and areas as data.

`policies/` and the deployment's overlay hold one folder a plan or subject; every file of the same
name is read, the overlay after the project. Here they become the rows of `reference.*` and
`meta.policy_item`. No number, list or label that a document decides stands in code.
"""

import csv
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path

from minsheng import duties, plans
from minsheng.documents import read_document
from minsheng.link_rules import RuleTable, load_rules
from minsheng.settings import Settings

Row = dict[str, object]
NATION = "000000000000"
FOR_EVER = date(9999, 12, 31)
LINKAGE_FILE = "linkage.yaml"
LINK_LIMITS = frozenset(
    {
        "largest_cluster",
        "largest_changed_share",
        "most_names_of_a_value",
        "most_names_of_a_household",
    }
)
LEVEL_COLUMNS = {
    "city": "city_code",
    "county": "county_code",
    "town": "town_code",
    "village": "village_code",
}
SUCCESSION_KINDS = {
    "recoded": True,
    "upgraded": True,
    "merged": True,
    "split": False,
    "transferred": False,
}
"""How an area's place comes under another code, and whether the whole of it does."""
CHAIN_KEY = ("income_concept", "base_concept", "base_year", "area_code")
BEGINNING_KINDS = ("recoded", "upgraded", "split")
"""Those by which the new code begins."""


YEAR_READINGS = ("mean_of_months", "last_month", "first_month")
"""How the value of a year is read of a rule that changes within it; the first is usual."""


class PolicyError(ValueError):
    """A policy file that cannot be used, or a day for which nobody decided a value."""


@dataclass(frozen=True)
class Series:
    """Values of areas from a day to a day in the rows of a dataset, each a plain expression.

    Where rows of one area begin on the same day, one that meets `prefer` holds.
    """

    dataset: str
    value: str
    effective_from: str
    effective_to: str
    label_zh: str
    label_en: str
    unit: str
    where: str = "true"
    prefer: str = "false"


def policy_hash(settings: Settings) -> str:
    """Changes when any file of `policies/` or of the overlay changes."""
    digest = hashlib.sha256()
    for folder in settings.overlaid("policies"):
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
                digest.update(path.read_bytes())
    return digest.hexdigest()


def code_words(settings: Settings) -> dict[str, dict[str, str]]:
    """What departments may write for a code: list -> text -> code."""
    words: dict[str, dict[str, str]] = {}
    for name, entries in _named(settings, "codes.yaml").items():
        texts = words.setdefault(name, {})
        for entry in _list(entries):
            for text in (entry["code"], entry["label_zh"], *_list(entry.get("synonyms", []))):
                texts[str(text)] = str(entry["code"])
    return words


def reference_rows(settings: Settings, table: str) -> list[Row]:
    """The rows of one table made of policies: `area`, `area_ancestor`, `code`, `rule_value`, ...

    Raises PolicyError if a file names what does not exist or two values of a rule overlap.
    """
    makers = {
        "area": _areas,
        "area_ancestor": _area_ancestors,
        "area_succession": _area_successions,
        "area_today": _areas_today,
        "civil_affairs_town": _civil_affairs_towns,
        "code": _codes,
        "duty": lambda each: duties.duty_rows(duties.load_duties(each)),
        "deprivation": _deprivations,
        "income_chain": _income_chains,
        "income_concept": _income_concepts,
        "link_limit": _link_limits,
        "link_roll": _link_rolls,
        "link_rule": _link_rules,
        "object_type": _object_types,
        "period": lambda each: plans.period_rows(),
        "plan": lambda each: plans.plan_rows(plans.load_plans(each)),
        "plan_area": lambda each: plans.plan_area_rows(plans.load_plans(each)),
        "policy_item": lambda each: plans.item_rows(plans.load_plans(each)),
        "population": _populations,
        "report_unit": _report_units,
        "risk_level": _risk_levels,
        "rule_value": _rule_values,
        "series": _series_rows,
        "signal": _signals,
        "target": _targets,
    }
    return makers[table](settings)


def rule_value(settings: Settings, rule_id: str, area_code: str, day: date) -> float:
    """The value of `rule_id` in the area or the nearest area above it on `day`; raises if none.

    A value that is a formula depends on what was delivered, so it is asked of the published file.
    """
    above = [
        area_code,
        *(
            str(row["ancestor_code"])
            for row in _area_ancestors(settings)
            if row["area_code"] == area_code
        ),
        NATION,
    ]
    in_force = {
        row["area_code"]: row
        for row in _rule_values(settings)
        if row["rule_id"] == rule_id
        and _day(row["effective_from"]) <= day <= _day(row["effective_to"])
    }
    for code in above:
        if code in in_force and in_force[code]["formula"] is not None:
            raise PolicyError(
                f"{rule_id!r} is {in_force[code]['formula']!r} in area {area_code} on {day}; "
                "ask the published file: select indicators.rule_on(rule, area, day)"
            )
        if code in in_force:
            return float(str(in_force[code]["value"]))
    raise PolicyError(
        f"nobody has decided {rule_id!r} for area {area_code} on {day}; "
        "add a dated value with its document to a rules.yaml under policies/"
    )


def area_codes(settings: Settings) -> frozenset[str]:
    """The code of every area that is listed, or was an area's in earlier years."""
    return frozenset(str(row["area_code"]) for row in _area_rows(settings))


def areas_elsewhere(settings: Settings) -> frozenset[str]:
    """The codes of the areas that neither lie in the deployment's area nor hold it."""
    found = {str(row["area_code"]): row for row in _area_rows(settings)}
    above = set(_upwards(settings.area_code, found))
    return frozenset(
        code
        for code in found
        if above and code not in above and settings.area_code not in _upwards(code, found)
    )


SENDING_LEVELS = ("city", "county", "town")
"""Levels whose areas are known by their names; villages and offices may be called alike."""


def areas_by_name(settings: Settings) -> dict[str, list[str]]:
    """The codes of the deployment's area and those in it, by their names."""
    found = {str(row["area_code"]): row for row in _area_rows(settings)}
    named: dict[str, list[str]] = {}
    for code, row in sorted(found.items()):
        if row["area_level"] in SENDING_LEVELS and settings.area_code in _upwards(code, found):
            named.setdefault(str(row["area_name"]), []).append(code)
    return named


def sender_rules(settings: Settings) -> tuple[tuple[str, ...], float, tuple[str, ...]]:
    """How the names of areas end, how like an area's name no unit's may be, marks of a copy."""
    stated = _named(settings, "senders.yaml")
    endings, marks = (
        tuple(str(text) for text in _list(stated[name])) for name in ("area_endings", "copy_marks")
    )
    return endings, float(str(stated["likeness"]["refused_from"])), marks


def _areas(settings: Settings) -> list[Row]:
    found = {str(row["area_code"]): row for row in _area_rows(settings)}
    begun = _begun(settings, found)
    return [
        {
            **area,
            **_levels_above(code, found),
            "existing_from": max(
                (begun[step] for step in _upwards(code, found) if step in begun), default=None
            ),
        }
        for code, area in found.items()
    ]


def _begun(settings: Settings, areas: Mapping[str, Row]) -> dict[str, date]:
    """First days of the areas that have one: of those that took no area's of their level place."""
    days = {code: area["effective_from"] for code, area in areas.items()}
    begun = {code: day for code, day in days.items() if isinstance(day, date)}
    for row in sorted(_area_successions(settings), key=lambda each: str(each["effective_from"])):
        old, new = str(row["old_code"]), str(row["new_code"])
        is_same = row["is_whole"] and areas[old]["area_level"] == areas[new]["area_level"]
        if is_same and new in begun:
            if old in begun:
                begun[new] = min(begun[old], begun[new])
            else:
                del begun[new]
    return begun


def _levels_above(code: str, areas: Mapping[str, Row]) -> Row:
    """The code of each level that the area lies in or is."""
    row: Row = dict.fromkeys(LEVEL_COLUMNS.values())
    for step in _upwards(code, areas):
        column = LEVEL_COLUMNS.get(str(areas[step]["area_level"]))
        if column:
            row[column] = step
    return row


def _areas_today(settings: Settings) -> list[Row]:
    """Each area with the one that holds its place today; a whole area has one successor."""
    found = {str(row["area_code"]): row for row in _area_rows(settings)}
    whole = {
        str(row["old_code"]): str(row["new_code"])
        for row in _area_successions(settings)
        if row["is_whole"]
    }
    rows: list[Row] = []
    for code, area in found.items():
        today, passed = code, {code}
        while today in whole:
            today = whole[today]
            if today in passed:
                raise PolicyError(f"area {code} is its own successor")
            passed.add(today)
        is_there = today in found and found[today]["effective_to"] is None
        levels = _levels_above(today, found) if is_there else dict.fromkeys(LEVEL_COLUMNS.values())
        rows.append(
            {
                "area_code": area["area_code"],
                "today_code": today if is_there else None,
                **levels,
            }
        )
    return rows


def _area_successions(settings: Settings) -> list[Row]:
    """Old and new codes of areas; both are listed, and of a whole area there is one successor."""
    listed = {str(row["area_code"]) for row in _area_rows(settings)}
    rows: list[Row] = []
    for old_code, entry in _former_areas(settings).items():
        for successor in _list(entry.get("successors", [])):
            if successor["kind"] not in SUCCESSION_KINDS:
                raise PolicyError(
                    f"former area {old_code}: kind {successor['kind']!r} is none of "
                    f"{sorted(SUCCESSION_KINDS)}"
                )
            if successor["new_code"] not in listed:
                raise PolicyError(
                    f"former area {old_code}: no area {successor['new_code']!r} is listed"
                )
            rows.append(
                {
                    "old_code": old_code,
                    "new_code": successor["new_code"],
                    "effective_from": _day(successor["from"]),
                    "succession_code": successor["kind"],
                    "is_whole": SUCCESSION_KINDS[successor["kind"]],
                    "document": successor["reference"],
                }
            )
        if sum(bool(row["is_whole"]) for row in rows if row["old_code"] == old_code) > 1:
            raise PolicyError(f"former area {old_code}: the whole area has several successors")
    return rows


def _former_areas(settings: Settings) -> dict[str, dict[str, object]]:
    """Entries of former_areas.yaml beside the areas that the deployment has."""
    folder = _area_folder(settings)
    return {
        str(code): entry
        for path in sorted(folder.glob("*/former_areas.yaml"))
        for code, entry in _mapping(_read(path)).items()
    }


def _area_ancestors(settings: Settings) -> list[Row]:
    found = {str(row["area_code"]): row for row in _area_rows(settings)}
    return [
        {
            "area_code": code,
            "ancestor_code": step,
            "ancestor_level": found[step]["area_level"],
            "distance": distance,
        }
        for code in found
        for distance, step in enumerate(_upwards(code, found))
    ]


def _upwards(code: str, areas: Mapping[str, Row]) -> Iterator[str]:
    """`code` and every area above it."""
    seen: set[str] = set()
    while code in areas:
        if code in seen:
            raise PolicyError(f"area {code} lies in itself")
        seen.add(code)
        yield code
        code = str(areas[code]["parent_code"] or "")


def _area_rows(settings: Settings) -> list[Row]:
    """Areas as listed, then former ones, with the days between which a code was in force.

    Of an area that is not known to have begun under its code, or to have ended, the day is empty.
    """
    folder = _area_folder(settings)
    former = _former_areas(settings)
    begun = {
        str(successor["new_code"]): _day(successor["from"])
        for entry in former.values()
        for successor in _list(entry.get("successors", []))
        if successor["kind"] in BEGINNING_KINDS
    }
    rows: list[Row] = []
    for path in sorted(folder.glob("*/areas.csv")):
        for row, origin in _listed(path):
            dates = {"effective_from": begun.get(row["area_code"]), "effective_to": None}
            parent = row["parent_code"] or None
            rows.append({**row, "parent_code": parent, **dates, "origin": origin})
    listed = {row["area_code"] for row in rows}
    for code, entry in former.items():
        if "level" not in entry:
            if code not in listed:
                raise PolicyError(f"former area {code}: no level, and no areas.csv lists it")
            continue
        if code in listed:
            raise PolicyError(f"former area {code}: areas.csv lists it as one of today")
        rows.append(
            {
                "area_code": code,
                "area_level": entry["level"],
                "area_name": entry["name"],
                "parent_code": entry["parent_code"],
                "effective_from": begun.get(code),
                "effective_to": _day(entry["until"]),
                "origin": "; ".join(str(each["reference"]) for each in _list(entry["successors"])),
            }
        )
    return rows


def _area_folder(settings: Settings) -> Path:
    """The policies that areas are listed in; a deployment that lists its own has only those."""
    for folder in reversed(settings.overlaid("policies")):
        if any(folder.glob("*/areas.csv")):
            return folder
    raise PolicyError("no areas.csv under policies/")


def _civil_affairs_towns(settings: Settings) -> list[Row]:
    """Towns as civil affairs codes them, from the list beside the areas, if there is one."""
    return [
        {
            "civil_affairs_code": row["area_code"],
            "civil_affairs_name": row["area_name"],
            "county_code": row["county_code"],
            "origin": origin,
        }
        for path in sorted(_area_folder(settings).glob("*/civil_affairs_towns.csv"))
        for row, origin in _listed(path)
    ]


def _listed(path: Path) -> Iterator[tuple[dict[str, str], object]]:
    """Rows of a list of areas, each with the origin that is stated beside the list."""
    stated = path.with_suffix(".origin.yaml")
    origin = _read(stated)["origin"] if stated.is_file() else None
    with path.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            yield row, origin


def _report_units(settings: Settings) -> list[Row]:
    return [
        {
            "unit_text": text,
            "unit": unit.replace("currency", settings.currency_en),
            "unit_factor": factor,
        }
        for text, factors in _named(settings, "report_units.yaml").items()
        for unit, factor in factors.items()
    ]


def _codes(settings: Settings) -> list[Row]:
    return [
        {
            "code_list": name,
            "code": entry["code"],
            "label_zh": entry["label_zh"],
            "label_en": entry["label_en"],
            "has_attribute": entry.get("attribute"),
        }
        for name, entries in _named(settings, "codes.yaml").items()
        for entry in _list(entries)
    ] + [
        {
            "code_list": "link_rule",
            "code": rule.name,
            "label_zh": rule.label_zh,
            "label_en": rule.label_en,
            "has_attribute": None,
        }
        for rule in load_link_rules(settings).rules
    ]


def load_link_rules(settings: Settings) -> RuleTable:
    """The rules of who is who; the deployment's file stands for the project's.

    Raises LinkRuleError, or PolicyError if the file does not say one of the limits.
    """
    files = [folder / LINKAGE_FILE for folder in settings.overlaid("policies")]
    table = load_rules([path for path in files if path.is_file()][-1])
    missing = sorted(LINK_LIMITS - table.limits.keys())
    if missing:
        raise PolicyError(f"{LINKAGE_FILE}: `limits` does not say {', '.join(missing)}")
    return table


def _link_rules(settings: Settings) -> list[Row]:
    return [
        {
            "link_rule_code": rule.name,
            "rule_place": place,
            "label_zh": rule.label_zh,
            "label_en": rule.label_en,
            "evidence_class": rule.evidence,
            "rule_outcome": rule.outcome,
            "reason_text": rule.why,
        }
        for place, rule in enumerate(load_link_rules(settings).rules)
    ]


def _link_limits(settings: Settings) -> list[Row]:
    limits = load_link_rules(settings).limits
    return [{"limit_name": name, "value": value} for name, value in limits.items()]


def _link_rolls(settings: Settings) -> list[Row]:
    return [{"source": roll} for roll in load_link_rules(settings).rolls]


def load_series(settings: Settings) -> dict[str, Series]:
    """The series that formulas may name. Raises PolicyError by the series' name."""
    try:
        return {
            name: plans.made(Series, entry, f"series {name}")
            for name, entry in _named(settings, "series.yaml").items()
        }
    except plans.PlanError as fault:
        raise PolicyError(str(fault)) from None


def _series_rows(settings: Settings) -> list[Row]:
    return [
        {
            "series_id": name,
            "label_zh": series.label_zh,
            "label_en": series.label_en,
            "unit": series.unit.replace("currency", settings.currency_en),
            "datasets": series.dataset,
        }
        for name, series in load_series(settings).items()
    ]


def _rule_values(settings: Settings) -> list[Row]:
    rows: list[Row] = []
    spans: dict[tuple[str, str], list[tuple[date, date]]] = {}
    planned = {plan.policy_id for plan in plans.load_plans(settings)}
    for rule_id, subject, rule in _rules(settings):
        reading = str(rule.get("year_reading", YEAR_READINGS[0]))
        if reading not in YEAR_READINGS:
            raise PolicyError(
                f"rule {rule_id}: year_reading {reading!r} is none of {list(YEAR_READINGS)}"
            )
        for area_code in _list(rule["areas"]):
            held = spans.setdefault((rule_id, str(area_code)), [])
            for first_day, entry in _mapping(rule["values"]).items():
                start = _day(first_day)
                until = _day(entry.get("until", FOR_EVER))
                if until < start:
                    raise PolicyError(f"rule {rule_id}: a value ends {until} before its {start}")
                held.append((start, until))
                if ("value" in entry) == ("formula" in entry):
                    raise PolicyError(
                        f"rule {rule_id}: from {start} on it has either a value or a formula"
                    )
                rows.append(
                    {
                        "rule_id": rule_id,
                        "policy_id": subject if subject in planned else None,
                        "area_code": area_code,
                        "effective_from": start,
                        "effective_to": until,
                        "value": entry.get("value"),
                        "formula": entry.get("formula"),
                        "year_reading": reading,
                        "unit": str(rule["unit"]).replace("currency", settings.currency_en),
                        "is_line": bool(rule.get("is_line", False)),
                        "label_zh": rule["label_zh"],
                        "label_en": rule["label_en"],
                        "document": entry["reference"],
                        "clause": entry.get("clause", ""),
                    }
                )
    for (rule_id, area_code), held in spans.items():
        for (_, end), (following, _) in pairwise(sorted(held)):
            if following <= end:
                raise PolicyError(
                    f"rule {rule_id}: two values hold in area {area_code} on {following}"
                )
    return rows


def _rules(settings: Settings) -> list[tuple[str, str, dict[str, object]]]:
    """Rules with the plan or subject that has them; several may decide one, each for its areas.

    A rule that the deployment names replaces the project's, or by null removes it.
    """
    rules: list[tuple[str, str, dict[str, object]]] = []
    for folder in settings.overlaid("policies"):
        own = [
            (rule_id, path.parent.name, rule)
            for path in sorted(folder.glob("*/rules.yaml"))
            for rule_id, rule in _read(path).items()
        ]
        named = {rule_id for rule_id, _, _ in own}
        rules = [each for each in rules if each[0] not in named]
        rules += [
            (rule_id, subject, _mapping(rule))  # type: ignore[misc]
            for rule_id, subject, rule in own
            if rule is not None
        ]
    return rules


def _populations(settings: Settings) -> list[Row]:
    return [
        {"population": name, **entry}
        for name, entry in _named(settings, "populations.yaml").items()
    ]


def _income_concepts(settings: Settings) -> list[Row]:
    return [
        {"income_concept": name, **entry}
        for name, entry in _named(settings, "income_concepts.yaml").items()
    ]


def _deprivations(settings: Settings) -> list[Row]:
    rules = {rule_id for rule_id, _, rule in _rules(settings) if rule.get("is_line")}
    rows: list[Row] = []
    for name, entry in _named(settings, "deprivations.yaml").items():
        weight, line = entry["weight"], entry["line"]
        if not isinstance(weight, int | float) or weight <= 0:
            raise PolicyError(f"deprivation {name}: {weight!r} is no positive weight")
        rows.append(
            {
                "dimension_id": name,
                "label_zh": entry["label_zh"],
                "label_en": entry["label_en"],
                "dimension_weight": weight,
                # a deployment without the line knows nothing of it
                "line_id": line if line in rules else None,
                "source": entry["source"],
                "dimension_reading": entry["reading"],
                "document": entry["reference"],
                "clause": entry["clause"],
            }
        )
    return rows


def _income_chains(settings: Settings) -> list[Row]:
    """What restates incomes of one concept in another; of two that hold at once nobody knows which.

    Raises PolicyError if a concept is none, is chained to itself, or a factor is not positive.
    """
    codes = _codes(settings)
    known = {str(row["code"]) for row in codes if row["code_list"] == "income_concept"}
    rows: dict[tuple[object, ...], Row] = {}
    for name, entry in _named(settings, "income_chains.yaml").items():
        concepts = (entry["to"], entry["from"])
        if not set(concepts) <= known or entry["to"] == entry["from"]:
            raise PolicyError(f"income chain {name}: {concepts} are not two of {sorted(known)}")
        for area_code in _list(entry["areas"]):
            for year, value in _mapping(entry["values"]).items():
                key = (*concepts, year, area_code)
                if key in rows:
                    raise PolicyError(
                        f"income chain {name}: two factors hold in area {area_code} for {year}"
                    )
                factor = value["value"]
                if not isinstance(factor, int | float) or factor <= 0:
                    raise PolicyError(f"income chain {name}: {factor!r} is no positive factor")
                rows[key] = {
                    **dict(zip(CHAIN_KEY, key, strict=True)),
                    "factor": factor,
                    "document": value["reference"],
                    "clause": value.get("clause", ""),
                }
    return list(rows.values())


def _signals(settings: Settings) -> list[Row]:
    rules = {rule_id for rule_id, _, _ in _rules(settings)}
    rows: list[Row] = []
    for signal_id, entry in _named(settings, "signals.yaml").items():
        for rule in (entry["threshold_rule"], entry.get("factor_rule")):
            if rule is not None and rule not in rules:
                raise PolicyError(f"signal {signal_id}: no rule {rule!r} in any rules.yaml")
        rows.append(
            {
                "signal_id": signal_id,
                "label_zh": entry["label_zh"],
                "label_en": entry["label_en"],
                "measure_id": entry["measure_id"],
                "comparator": _comparator(entry["comparator"], signal_id),
                "threshold_rule_id": entry["threshold_rule"],
                "factor_rule_id": entry.get("factor_rule"),
                "unless_signal_id": entry.get("unless"),
                "cause_code": entry["cause_code"],
                "points": entry["points"],
            }
        )
    return rows


def _risk_levels(settings: Settings) -> list[Row]:
    levels = _named(settings, "levels.yaml").get("levels", {})
    return [{"level": name, **_mapping(entry)} for name, entry in levels.items()]


def _object_types(settings: Settings) -> list[Row]:
    types = _named(settings, "levels.yaml").get("object_types", {})
    return [{"object_type_code": name, **_mapping(entry)} for name, entry in types.items()]


def _targets(settings: Settings) -> list[Row]:
    loaded = plans.load_plans(settings)
    populations = _named(settings, "populations.yaml")
    for plan in loaded:
        for item in plan.items:
            for part in item.parts:
                name = f"{plan.policy_id} {item.item_id} {part.part}"
                if part.population and part.population not in populations:
                    raise PolicyError(f"{name}: no population {part.population!r}")
    return plans.target_rows(loaded, settings)


def _comparator(text: object, name: str) -> str:
    if text not in plans.COMPARATORS:
        raise PolicyError(f"{name}: comparator {text!r} is none of {' '.join(plans.COMPARATORS)}")
    return str(text)


def _named(settings: Settings, file_name: str) -> dict[str, dict[str, object]]:
    """Entries of every file of that name; an overlay replaces an entry, or by null removes it."""
    entries: dict[str, dict[str, object]] = {}
    for folder in settings.overlaid("policies"):
        for path in sorted(folder.glob(f"*/{file_name}")):
            for name, entry in _read(path).items():
                if entry is None:
                    entries.pop(name, None)
                else:
                    entries[name] = entry  # type: ignore[assignment]  # mappings, or lists of codes
    return entries


def _read(path: Path) -> dict[str, object]:
    content = read_document(path)
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise PolicyError(f"{path}: expected names and values")
    return content


def _list(value: object) -> list:  # type: ignore[type-arg]  # entries of YAML are of many kinds
    if not isinstance(value, list):
        raise PolicyError(f"expected a list, found {value!r}")
    return value


def _mapping(value: object) -> dict[str, dict[str, object]]:
    if not isinstance(value, dict):
        raise PolicyError(f"expected names and values, found {value!r}")
    return value


def _day(value: object) -> date:
    return value if isinstance(value, date) else date.fromisoformat(str(value))

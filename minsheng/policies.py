"""Policies: plans, dated rules, signals, code lists and areas as data.

`policies/` and the deployment's overlay hold one folder a plan or subject; every file of the same
name is read, the overlay after the project. Here they become the rows of `reference.*` and
`meta.policy_item`. No number, list or label that a document decides stands in code.
"""

import csv
import hashlib
from collections.abc import Iterator, Mapping
from datetime import date
from itertools import pairwise
from pathlib import Path

from minsheng.documents import read_document
from minsheng.link_rules import RuleTable, load_rules
from minsheng.settings import Settings

Row = dict[str, object]
NATION = "000000000000"
FOR_EVER = date(9999, 12, 31)
PLAN_COLUMNS = (
    "policy_id",
    "title_zh",
    "title_en",
    "document",
    "area_code",
    "start_year",
    "end_year",
    "first_roll_year",
    "income_concept",
)
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
BEGINNING_KINDS = ("recoded", "upgraded", "split")
"""Those by which the new code begins."""
AGGREGATES = ("growth", "growth_over_rural", "minimum", "not_computed")


class PolicyError(ValueError):
    """A policy file that cannot be used, or a day for which nobody decided a value."""


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
        "income_concept": _income_concepts,
        "link_limit": _link_limits,
        "link_roll": _link_rolls,
        "link_rule": _link_rules,
        "object_type": _object_types,
        "plan": _plans,
        "policy_item": _policy_items,
        "population": _populations,
        "risk_level": _risk_levels,
        "rule_value": _rule_values,
        "signal": _signals,
        "target": _targets,
    }
    return makers[table](settings)


def rule_value(settings: Settings, rule_id: str, area_code: str, day: date) -> float:
    """The value of `rule_id` in the area or the nearest area above it on `day`; raises if none."""
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
        row["area_code"]: row["value"]
        for row in _rule_values(settings)
        if row["rule_id"] == rule_id
        and _day(row["effective_from"]) <= day <= _day(row["effective_to"])
    }
    for code in above:
        if code in in_force:
            return float(str(in_force[code]))
    raise PolicyError(
        f"nobody has decided {rule_id!r} for area {area_code} on {day}; "
        "add a dated value with its document to a rules.yaml under policies/"
    )


def area_codes(settings: Settings) -> frozenset[str]:
    """The code of every area that is listed, or was an area's in earlier years."""
    return frozenset(str(row["area_code"]) for row in _area_rows(settings))


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


def _areas(settings: Settings) -> list[Row]:
    found = {str(row["area_code"]): row for row in _area_rows(settings)}
    return [{**area, **_levels_above(code, found)} for code, area in found.items()]


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


def _rule_values(settings: Settings) -> list[Row]:
    rows: list[Row] = []
    spans: dict[tuple[str, str], list[tuple[date, date]]] = {}
    for rule_id, rule in _rules(settings):
        for area_code in _list(rule["areas"]):
            held = spans.setdefault((rule_id, str(area_code)), [])
            for first_day, entry in _mapping(rule["values"]).items():
                start = _day(first_day)
                until = _day(entry.get("until", FOR_EVER))
                if until < start:
                    raise PolicyError(f"rule {rule_id}: a value ends {until} before its {start}")
                held.append((start, until))
                rows.append(
                    {
                        "rule_id": rule_id,
                        "area_code": area_code,
                        "effective_from": start,
                        "effective_to": until,
                        "value": entry["value"],
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


def _rules(settings: Settings) -> list[tuple[str, dict[str, object]]]:
    """Rules of every plan and subject; several may decide one rule, each for its own areas.

    A rule that the deployment names replaces the project's, or by null removes it.
    """
    rules: list[tuple[str, dict[str, object]]] = []
    for folder in settings.overlaid("policies"):
        own = [
            (rule_id, rule)
            for path in sorted(folder.glob("*/rules.yaml"))
            for rule_id, rule in _read(path).items()
        ]
        named = {rule_id for rule_id, _ in own}
        rules = [each for each in rules if each[0] not in named]
        rules += [(rule_id, _mapping(rule)) for rule_id, rule in own if rule is not None]  # type: ignore[misc]
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


def _signals(settings: Settings) -> list[Row]:
    rules = {rule_id for rule_id, _ in _rules(settings)}
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


def _plans(settings: Settings) -> list[Row]:
    return [{name: plan[name] for name in PLAN_COLUMNS} for plan in _plan_files(settings)]


def _policy_items(settings: Settings) -> list[Row]:
    return [
        {
            "policy_id": plan["policy_id"],
            "item_id": item["item_id"],
            "clause": item["clause"],
            "term_zh": item["term_zh"],
            "text_en": item["text_en"],
            "kind": item["kind"],
            "evaluation": item["evaluation"],
            "document": plan["document"],
        }
        for plan in _plan_files(settings)
        for item in _list(plan["items"])
    ]


def _targets(settings: Settings) -> list[Row]:
    populations = _named(settings, "populations.yaml")
    rows: list[Row] = []
    for plan in _plan_files(settings):
        for item in _list(plan["items"]):
            for part in _list(item.get("parts", [])):
                name = f"{plan['policy_id']} {item['item_id']} {part['part']}"
                if part["aggregate"] not in AGGREGATES:
                    raise PolicyError(
                        f"{name}: aggregate {part['aggregate']!r} is none of {AGGREGATES}"
                    )
                if part["population"] not in populations:
                    raise PolicyError(f"{name}: no population {part['population']!r}")
                rows += [
                    {
                        "policy_id": plan["policy_id"],
                        "item_id": item["item_id"],
                        "part": part["part"],
                        "clause": item["clause"],
                        "area_code": plan["area_code"],
                        "area_level": level,
                        "population": part["population"],
                        "income_concept": plan["income_concept"],
                        "aggregate": part["aggregate"],
                        "comparator": _comparator(part["comparator"], name),
                        "year": year,
                        "threshold": threshold,
                        "deadline_year": part.get("deadline_year"),
                        "unit": str(part["unit"]).replace("currency", settings.currency_en),
                        "datasets": ",".join(_list(part["datasets"])),
                        "document": plan["document"],
                    }
                    for year, threshold in part["thresholds"].items()
                    for level in part["area_levels"]
                ]
    return rows


def _comparator(text: object, name: str) -> str:
    if text not in ("<", "<=", ">", ">="):
        raise PolicyError(f"{name}: comparator {text!r} is none of < <= > >=")
    return str(text)


def _plan_files(settings: Settings) -> list[dict[str, object]]:
    """Plans of the deployment if it brings its own, else the project's."""
    for folder in reversed(settings.overlaid("policies")):
        plans = [_plan(path) for path in sorted(folder.glob("*/plan.yaml"))]
        if plans:
            return plans
    return []


def _plan(path: Path) -> dict[str, object]:
    plan = _read(path)
    missing = [name for name in (*PLAN_COLUMNS, "items") if name not in plan]
    if missing:
        raise PolicyError(f"{path}: {', '.join(missing)} missing")
    return plan


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

"""What the rural departments report of areas: villages, assets, funds, disasters, figures, tasks.

It is drawn once a run, the same for any number of households; amounts are in fen.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from minsheng.demo.offices import STATES, attestation_columns, report_columns
from minsheng.demo.reference import (
    FIRST_YEAR,
    YEARS,
    Areas,
    CodeTexts,
    Floats,
    Integers,
    Plan,
    Reference,
)
from minsheng.demo.text import code_texts, day_texts, days_of, padded_texts, yuan_texts

AreaRows = tuple[str, Integers, dict[str, pl.Series], pl.Series, Integers]
"""Dataset, position of the file of each row, columns, kind and amount (-1 for none)."""

WEAK_BELOW_FEN = 10_000_000
KEY_VILLAGE_EVERY = 5
PLAN_YEARS = YEARS[1:]

# First day, days, name and kind of the disasters, and the share of villages that each hits.
DISASTERS = (
    ("2019-08-09", 4, "台风利奇马", "typhoon", 0.20),
    ("2020-06-15", 9, "梅汛暴雨", "flood", 0.06),
    ("2021-07-23", 5, "台风烟花", "typhoon", 0.12),
    ("2022-09-13", 4, "台风梅花", "typhoon", 0.10),
)
DISASTER_MONTHS = ("2019-08", "2019-09", "2020-06", "2020-07", "2021-07", "2021-08", "2022-09",
                   "2022-10")  # fmt: skip

AREA_PERIODS = {
    "village_collective_income": tuple(str(year) for year in YEARS),
    "village_condition": tuple(str(year) for year in YEARS),
    "project_asset": tuple(str(year) for year in YEARS),
    "fund_allocation": tuple(str(year) for year in YEARS),
    "disaster_event": DISASTER_MONTHS,
    "area_report": tuple(str(year) for year in PLAN_YEARS),
    "task_attestation": tuple(str(year) for year in PLAN_YEARS),
}

# Chance that a village has each thing in 2017, and what is added to it each year.
CONDITIONS = {
    "has_hard_road": (0.96, 0.008),
    "has_bus": (0.82, 0.03),
    "has_tap_water": (0.93, 0.014),
    "has_power": (0.99, 0.002),
    "has_broadband": (0.90, 0.02),
    "has_clinic": (0.84, 0.03),
    "has_culture_room": (0.80, 0.03),
    "has_express": (0.35, 0.12),
    "has_sewage": (0.50, 0.08),
    "has_waste_service": (0.88, 0.024),
    "has_cooperative": (0.70, 0.05),
    "has_pillar_industry": (0.55, 0.05),
    "has_technician": (0.75, 0.05),
}
ASSETS = (
    ("村级光伏电站", "operating", 40_000_000),
    ("来料加工车间", "operating", 60_000_000),
    ("机耕路", "public", 25_000_000),
    ("饮用水工程", "public", 35_000_000),
)
FUND_USES = ("industry", "infrastructure", "employment", "village")
FUND_LEVELS = ("central", "province", "city", "county")
# Share of the money of each level in 2017 and its growth a year.
FUND_YUAN = {"central": 9_000_000, "province": 6_000_000, "city": 2_500_000, "county": 3_000_000}
FUND_GROWTH = 0.06


def area_rows(reference: Reference, seed: int) -> Iterator[AreaRows]:
    """Rows of the datasets about areas, one dataset at a time."""
    areas, texts, plan = reference.areas, reference.texts, reference.plan
    counties = tuple(areas.county_codes)
    rng = np.random.default_rng([seed, 34])
    yield collective_income(rng, areas)
    yield village_condition(rng, areas)
    yield project_asset(rng, areas, texts)
    yield fund_allocation(counties, texts)
    yield disaster_event(rng, areas, texts)
    yield area_report(plan, counties)
    yield task_attestation(plan, counties, texts)


def no_amounts(count: int) -> Integers:
    """The amounts of rows that have none."""
    return np.full(count, -1, dtype=np.int64)


def every_village(areas: Areas) -> tuple[Integers, Integers]:
    """Year, counted from 2017, and village of a row for each."""
    count = len(areas.village_codes)
    return np.repeat(np.arange(len(YEARS)), count), np.tile(np.arange(count), len(YEARS))


def yes_or_no(is_so: pl.Series) -> pl.Series:
    """Flags as departments write them."""
    return pl.Series(["否", "是"]).gather(is_so.cast(pl.UInt32))


def collective_income(rng: np.random.Generator, areas: Areas) -> AreaRows:
    """Villages grow richer; the disposable income is what the cost and grants leave."""
    year, village = every_village(areas)
    count = len(areas.village_codes)
    level = np.exp(rng.normal(11.0, 0.7, count))[village]
    growth = 1.16**year * np.exp(rng.normal(0.0, 0.08, len(year)))
    operating = np.floor(level * growth * 100).astype(np.int64)
    subsidy = np.floor(rng.uniform(2_000_000, 12_000_000, count))[village].astype(np.int64)
    cost = np.floor(operating * rng.uniform(0.15, 0.4, len(year))).astype(np.int64)
    earmarked = subsidy // 2
    is_weak = pl.Series(operating < WEAK_BELOW_FEN)
    columns = {
        "village_code": areas.village_codes.gather(village),
        "collective_total_yuan": yuan_texts(operating + subsidy),
        "collective_operating_yuan": yuan_texts(operating),
        "collective_disposable_yuan": yuan_texts(operating + subsidy - cost - earmarked),
        "collective_subsidy_yuan": yuan_texts(subsidy),
        "collective_cost_yuan": yuan_texts(cost),
        "is_weak_village": yes_or_no(is_weak),
        "is_key_village": yes_or_no(pl.Series(village % KEY_VILLAGE_EVERY == 0)),
    }
    kind = pl.Series(["sound", "weak"]).gather(is_weak.cast(pl.UInt32))
    return "village_collective_income", year, columns, kind, operating


def village_condition(rng: np.random.Generator, areas: Areas) -> AreaRows:
    """What a village has it keeps."""
    year, village = every_village(areas)
    count = len(areas.village_codes)
    households = rng.integers(80, 520, count)
    is_key = village % KEY_VILLAGE_EVERY == 0
    has = {
        name: rng.random(count)[village] < first + more * year
        for name, (first, more) in CONDITIONS.items()
    }
    share: Floats = rng.uniform(0.7, 1.0, count)[village]
    with_water = np.floor(households[village] * share * has["has_tap_water"]).astype(np.int64)
    toilets = np.round(rng.uniform(55, 75, count)[village] + 5 * year, 1)
    has["has_doctor"] = has["has_clinic"] & (rng.random(count)[village] < 0.9)
    has["has_first_secretary"] = is_key
    columns = {
        "village_code": areas.village_codes.gather(village),
        "is_key_village": yes_or_no(pl.Series(is_key)),
        "village_household_count": pl.Series(households[village]).cast(pl.String),
        "village_person_count": pl.Series(households[village] * 3).cast(pl.String),
        **{name: yes_or_no(pl.Series(flags)) for name, flags in has.items()},
        "tap_water_household_count": pl.Series(with_water).cast(pl.String),
        "team_count": pl.Series(["0", "5"]).gather(is_key.astype(np.int64)),
        "sanitary_toilet_percent": pl.Series(np.minimum(toilets, 100.0)).cast(pl.String),
    }
    kind = pl.Series(["other", "key"]).gather(is_key.astype(np.int64))
    return "village_condition", year, columns, kind, no_amounts(len(year))


def project_asset(rng: np.random.Generator, areas: Areas, texts: CodeTexts) -> AreaRows:
    """The register of each year holds every asset formed by then."""
    count = len(areas.village_codes) // 2
    village = rng.permutation(len(areas.village_codes))[:count]
    kind = rng.integers(0, len(ASSETS), count)
    formed = rng.integers(0, len(YEARS), count)
    value = np.array([fen for _, _, fen in ASSETS])[kind]
    value = np.floor(value * rng.uniform(0.5, 1.5, count)).astype(np.int64)
    year, asset = np.nonzero(np.arange(len(YEARS))[:, None] >= formed)
    is_operating = np.array([code == "operating" for _, code, _ in ASSETS])[kind[asset]]
    is_idle = is_operating & (rng.random(count) < 0.05)[asset]
    net = value[asset] * (20 - year + formed[asset]) // 20
    earns = is_operating & ~is_idle
    income = np.where(earns, value[asset] * 8 // 100, 0)
    upkeep, shared = income // 5, income // 2
    codes = pl.Series([code for _, code, _ in ASSETS])
    plain = np.zeros(len(asset), dtype=np.bool_)
    nothing = np.zeros(len(asset), dtype=np.int64)
    town = areas.town_of_village[village[asset]]
    operators = pl.Series([f"{name}强村发展公司" for name in areas.town_names]).gather(town)
    columns = {
        "asset_number": padded_texts(asset + 1, 8),
        "asset_name": pl.Series([name for name, _, _ in ASSETS]).gather(kind[asset]),
        "asset_code": code_texts(
            texts, "asset", ("public", "operating"), is_operating.astype(np.int64), plain
        ),
        "area_code": areas.village_codes.gather(village[asset]),
        "formed_year": pl.Series(FIRST_YEAR + formed[asset]).cast(pl.String),
        "original_value_yuan": yuan_texts(value[asset]),
        "net_value_yuan": yuan_texts(net),
        "funded_yuan": yuan_texts(value[asset] * 4 // 5),
        "owner_code": code_texts(texts, "asset_owner", ("village",), nothing, plain),
        "is_right_confirmed": yes_or_no(pl.Series(asset % 10 != 0)),
        "operator_name": operators,
        "maintainer_name": operators,
        "asset_income_yuan": yuan_texts(income),
        "income_to_upkeep_yuan": yuan_texts(upkeep),
        "income_to_households_yuan": yuan_texts(shared),
        "income_to_public_yuan": yuan_texts(income - upkeep - shared),
        "asset_status_code": code_texts(
            texts, "asset_status", ("in_use", "idle"), is_idle.astype(np.int64), plain
        ),
    }
    return "project_asset", year, columns, codes.gather(kind[asset]), value[asset]


def fund_allocation(counties: tuple[str, ...], texts: CodeTexts) -> AreaRows:
    """Each level gives each county money for each use, and more every year."""
    shape = (len(YEARS), len(counties), len(FUND_LEVELS), len(FUND_USES))
    year, county, level, use = (index.ravel() for index in np.indices(shape))
    base = np.array([FUND_YUAN[name] for name in FUND_LEVELS])[level] * 100
    allocated = np.floor(base * (1 + FUND_GROWTH) ** year * (1 + 0.1 * use)).astype(np.int64)
    day = (FIRST_YEAR - 1970 + year).astype("datetime64[Y]").astype("datetime64[D]")
    plain = np.zeros(len(year), dtype=np.bool_)
    names = texts.labels["fund_use"]
    projects = pl.Series([f"{names[name]}项目" for name in FUND_USES])
    columns = {
        "document_number": pl.Series(
            [f"财农〔{FIRST_YEAR + y}〕{n + 1}号" for y, n in zip(year, level, strict=True)]
        ),
        "fund_code": code_texts(texts, "fund", ("cohesion",), year * 0, plain),
        "fund_level_code": code_texts(texts, "fund_level", FUND_LEVELS, level, plain),
        "area_code": pl.Series(counties).gather(county),
        "project_number": padded_texts((year * 10 + county) * 100 + level * 10 + use, 6),
        "project_name": projects.gather(use),
        "fund_use_code": code_texts(texts, "fund_use", FUND_USES, use, plain),
        "allocated_yuan": yuan_texts(allocated),
        "disbursed_yuan": yuan_texts(allocated * (88 + 2 * use) // 100),
        "allocated_date": day_texts(day.astype(np.int64) + 45 + 20 * level),
        "benefited_household_count": pl.Series(60 + 15 * use + year).cast(pl.String),
        "is_announced": yes_or_no(pl.Series(~plain)),
    }
    return "fund_allocation", year, columns, pl.Series(FUND_USES).gather(use), allocated


def disaster_event(rng: np.random.Generator, areas: Areas, texts: CodeTexts) -> AreaRows:
    """A first report in the month of the disaster and the verified one in the month after."""
    count = len(areas.village_codes)
    hit = rng.random((len(DISASTERS), count)) < np.array([row[4] for row in DISASTERS])[:, None]
    disaster, village = (np.tile(index, 2) for index in np.nonzero(hit))
    stage = np.repeat([0, 1], len(disaster) // 2)
    order = np.argsort(disaster * 2 + stage, kind="stable")
    first_guess = rng.uniform(0.6, 1.3, len(disaster))
    households = np.tile(rng.integers(5, 60, len(disaster) // 2), 2)
    seen = np.where(stage == 1, households, np.ceil(households * first_guess)).astype(np.int64)
    loss = np.tile(rng.integers(200_000, 3_000_000, len(disaster) // 2), 2) * seen
    disaster, village, stage, seen, loss = (
        values[order] for values in (disaster, village, stage, seen, loss)
    )
    start = np.array([days_of(row[0]) for row in DISASTERS])[disaster]
    end = start + np.array([row[1] for row in DISASTERS])[disaster]
    kinds = tuple(row[3] for row in DISASTERS)
    plain = np.zeros(len(disaster), dtype=np.bool_)
    columns = {
        "disaster_number": pl.Series([row[0].replace("-", "") for row in DISASTERS]).gather(
            disaster
        ),
        "disaster_name": pl.Series([row[2] for row in DISASTERS]).gather(disaster),
        "disaster_code": code_texts(texts, "disaster", kinds, disaster, plain),
        "report_stage_code": code_texts(texts, "report_stage", ("first", "verified"), stage, plain),
        "area_code": areas.village_codes.gather(village),
        "disaster_start_date": day_texts(start),
        "disaster_end_date": day_texts(end),
        "affected_household_count": pl.Series(seen).cast(pl.String),
        "affected_person_count": pl.Series(seen * 3).cast(pl.String),
        "relocated_person_count": pl.Series(seen // 2).cast(pl.String),
        "dead_person_count": pl.Series(seen * 0).cast(pl.String),
        "collapsed_household_count": pl.Series(seen // 25).cast(pl.String),
        "damaged_household_count": pl.Series(seen // 6).cast(pl.String),
        "crop_mu": pl.Series(seen * 4).cast(pl.String),
        "loss_yuan": yuan_texts(loss),
        "relief_yuan": yuan_texts(loss // 10),
    }
    return "disaster_event", disaster * 2 + stage, columns, pl.Series(kinds).gather(disaster), loss


def area_report(plan: Plan, counties: tuple[str, ...]) -> AreaRows:
    """Figures of the areas for each year of the plan."""
    columns = report_columns(plan, counties)
    file = (columns["year"].cast(pl.Int64) - PLAN_YEARS[0]).to_numpy()
    return "area_report", file, columns, columns["item_id"], no_amounts(len(file))


def task_attestation(plan: Plan, counties: tuple[str, ...], texts: CodeTexts) -> AreaRows:
    """Tasks of the areas for each year of the plan."""
    columns, state = attestation_columns(plan, counties, texts)
    file = (columns["year"].cast(pl.Int64) - PLAN_YEARS[0]).to_numpy()
    kind = pl.Series(STATES).gather(state)
    return "task_attestation", file, columns, kind, no_amounts(len(file))

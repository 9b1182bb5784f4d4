"""What a refresh tells of the plans' items."""

from pathlib import Path

import duckdb
import pytest

from minsheng.coverage import ItemCoverage, coverage_lines, item_coverage

REPORT, ROLL = "general__area_report", "agriculture__household_roll"
NOT_ENABLED = "housing__house_safety"


def item(item_id: str, level: int, evaluation: str, *wanted: str) -> ItemCoverage:
    return ItemCoverage("p", item_id, level, evaluation, not wanted, wanted)


def test_items_with_data_are_counted_by_level_and_kind() -> None:
    items = [
        item("a", 1, "computed"),
        item("b", 1, "computed", ROLL),
        item("c", 1, "attested"),
        item("d", 2, "reported"),
    ]
    assert coverage_lines(items) == (
        "items of level 1 with data: computed 1 of 2, attested 1 of 1",
        "items of level 1 without: 1, wanted agriculture__household_roll by 1",
        "items of level 2 with data: reported 1 of 1",
    )


def test_what_most_items_want_is_named_first() -> None:
    items = [item("a", 3, "reported", REPORT), item("b", 3, "computed", ROLL, REPORT)]
    assert coverage_lines(items) == (
        "items of level 3 with data: computed 0 of 1, reported 0 of 1",
        "items of level 3 without: 2, wanted general__area_report by 2, "
        "agriculture__household_roll by 1",
    )


def test_without_plans_nothing_is_told() -> None:
    assert coverage_lines([]) == ()


MAIN, BESIDE = ("main", True), ("beside", False)
TOLD = {
    "figure": ("1", "1", "0", "0"),
    "nothing": ("null", "null", "null", "0"),
    "nobody": ("null", "0", "0", "0"),
    "nobody known": ("null", "0", "3", "0"),
    "nobody yet": ("null", "0", "0", "1"),
    "none so far": ("null", "null", "0", "1"),
}
"""Value, denominator, unknown rows and counties whose deliveries are late."""


@pytest.mark.parametrize(
    ("parts", "results", "has_data"),
    [
        ([MAIN, BESIDE], [("main", "figure", None)], True),
        ([MAIN, BESIDE], [("main", "nothing", None), ("beside", "figure", None)], False),
        ([MAIN, BESIDE], [("beside", "figure", None)], False),
        ([MAIN, ("other", True)], [("main", "figure", None), ("other", "nothing", None)], False),
        ([MAIN], [("main", "nothing", None), ("main", "figure", None)], True),
        ([MAIN], [("main", "figure", ROLL)], False),
        ([MAIN], [("main", "figure", NOT_ENABLED)], False),
        ([MAIN, BESIDE], [("main", "figure", None), ("beside", "figure", ROLL)], True),
        (
            [BESIDE, ("other", False)],
            [("beside", "figure", None), ("other", "nothing", None)],
            True,
        ),
        ([BESIDE], [("beside", "figure", ROLL)], False),
        ([MAIN], [("main", "nobody", None)], True),
        ([MAIN], [("main", "nobody known", None)], False),
        ([MAIN], [("main", "nobody yet", None)], False),
        ([MAIN], [("main", "nobody", ROLL)], False),
        ([MAIN], [("main", "none so far", None)], True),
        ([MAIN], [("main", "none so far", ROLL)], False),
    ],
)
def test_an_item_has_data_if_every_part_with_a_target_has_and_all_was_delivered(
    tmp_path: Path,
    parts: list[tuple[str, bool]],
    results: list[tuple[str, str, str | None]],
    has_data: bool,
) -> None:
    file = tmp_path / "minsheng.duckdb"
    with duckdb.connect(str(file)) as connection:
        for schema in ("meta", "reference", "indicators"):
            connection.execute(f"create schema {schema}")
        connection.execute(
            "create table meta.policy_item as "
            "select 'p' as policy_id, 'a' as item_id, 1 as item_level, 'computed' as evaluation"
        )
        connection.execute(
            "create table reference.target (policy_id varchar, item_id varchar, part varchar, "
            "has_target boolean, datasets varchar)"
        )
        connection.execute(
            "create table indicators.target_result (policy_id varchar, item_id varchar, "
            "part varchar, evaluation varchar, value double, denominator double, "
            "unknown_count bigint, late_county_count bigint, status varchar)"
        )
        connection.execute(
            "create table indicators.item_figure (policy_id varchar, item_id varchar, "
            "part varchar, value double)"
        )
        connection.execute(
            "create table meta.source as from (values "
            f"('{ROLL}', null::timestamp), ('{REPORT}', timestamp '2023-02-01')"
            ") as source (source, delivered_at)"
        )
        wanting = {part: wanted for part, _, wanted in results if wanted}
        for part, has_target in parts:
            connection.execute(
                "insert into reference.target values ('p', 'a', ?, ?, ?)",
                [part, has_target, f"{wanting[part]},{REPORT}" if part in wanting else REPORT],
            )
        for part, told, _ in results:
            value, denominator, unknown, late = TOLD[told]
            connection.execute(
                "insert into indicators.target_result "
                f"values ('p', 'a', ?, 'computed', {value}, {denominator}, {unknown}, {late}, "
                "'met')",
                [part],
            )
            if told == "none so far":
                connection.execute(
                    "insert into indicators.item_figure values ('p', 'a', ?, 0)", [part]
                )
    [found] = item_coverage(file)
    assert found.has_data is has_data
    assert found.wanted == (() if has_data else tuple(wanting.values()) or (REPORT,))

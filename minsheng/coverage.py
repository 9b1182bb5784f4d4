"""How many items of the plans a version has data for, and which datasets the others want."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

EVALUATIONS = ("computed", "reported", "attested")

ITEMS = """
    with read as (
        select distinct policy_id, item_id, part,
            unnest(string_split(nullif(datasets, ''), ',')) as source
        from reference.target
    ),
    undelivered as (
        -- a dataset that is not enabled is no source
        select policy_id, item_id, part,
            string_agg(read.source, ',' order by read.source) as datasets
        from read
        left join meta.source as source using (source)
        where source.delivered_at is null
        group by policy_id, item_id, part
    ),
    counted as (
        -- of what came so far, be it none while a county has still to deliver
        select distinct policy_id, item_id, part
        from indicators.item_figure
        where value is not null
    ),
    part as (
        select policy_id, item_id, part,
            min(undelivered.datasets) as wanted_datasets,
            -- an attested task has no value; without an attestation it is neither of these
            bool_or(value is not null or counted.part is not null or (evaluation = 'attested'
                and status in ('met', 'missed', 'on_track', 'not_applicable'))
                -- complete deliveries tell that there is nobody of whom it could be asked
                or (evaluation = 'computed' and denominator = 0 and unknown_count = 0
                    and late_county_count = 0))
                and count(undelivered.datasets) = 0 as has_data
        from indicators.target_result
        left join undelivered using (policy_id, item_id, part)
        left join counted using (policy_id, item_id, part)
        group by policy_id, item_id, part
    ),
    asked as (
        select distinct policy_id, item_id, part, has_target from reference.target
    ),
    evaluated as (
        select policy_id, item_id,
            coalesce(bool_and(coalesce(has_data, false)) filter (where has_target),
                bool_or(has_data)) as has_data,
            string_agg(distinct wanted_datasets, ',') as wanted_datasets
        from asked
        left join part using (policy_id, item_id, part)
        group by policy_id, item_id
    ),
    needed as (
        select policy_id, item_id, string_agg(distinct datasets, ',') as datasets
        from reference.target
        group by policy_id, item_id
    )
    select item.policy_id, item.item_id, item.item_level, item.evaluation,
        coalesce(evaluated.has_data, false) as has_data,
        coalesce(evaluated.wanted_datasets, needed.datasets, '') as datasets
    from meta.policy_item as item
    left join evaluated using (policy_id, item_id)
    left join needed using (policy_id, item_id)
    order by item.policy_id, item.item_id
"""


@dataclass(frozen=True)
class ItemCoverage:
    """An item of a plan, whether it has data, and, if not, which datasets it wants: those that were
    never delivered, else all that it reads.

    It has data if every part with a target has a figure or an attestation anywhere, or rows in
    which none was counted, or complete deliveries that tell of nobody to ask it of, and all that
    the part reads was delivered; of an item without a target one such part is enough."""

    policy_id: str
    item_id: str
    level: int
    evaluation: str
    has_data: bool
    wanted: tuple[str, ...]


def item_coverage(file: Path) -> list[ItemCoverage]:
    """Every item of the plans of the version in `file`."""
    with duckdb.connect(str(file), read_only=True) as connection:
        rows = connection.execute(ITEMS).fetchall()
    return [
        ItemCoverage(
            policy_id,
            item_id,
            level,
            evaluation,
            has_data,
            () if has_data else tuple(sorted({each for each in datasets.split(",") if each})),
        )
        for policy_id, item_id, level, evaluation, has_data, datasets in rows
    ]


def coverage_lines(items: Sequence[ItemCoverage]) -> tuple[str, ...]:
    """In lines: by level how many items of each kind have data, and what the others want."""
    lines = []
    for level in sorted({item.level for item in items}):
        of_level = [item for item in items if item.level == level]
        counts = []
        for evaluation in EVALUATIONS:
            of_kind = [item for item in of_level if item.evaluation == evaluation]
            if of_kind:
                with_data = sum(item.has_data for item in of_kind)
                counts.append(f"{evaluation} {with_data} of {len(of_kind)}")
        lines.append(f"items of level {level} with data: {', '.join(counts)}")
        without = [item for item in of_level if not item.has_data]
        if without:
            wanted = Counter(dataset for item in without for dataset in item.wanted)
            named = ", ".join(
                f"{dataset} by {count}"
                for dataset, count in sorted(wanted.items(), key=lambda each: (-each[1], each[0]))
            )
            lines.append(f"items of level {level} without: {len(without)}, wanted {named}")
    return tuple(lines)

"""How well the records of the current version are linked: `minsheng linkage`.

What is published says how many records link, by which rules, and what waits for a decision. Where
the truth lies beside a home, as the demo's does, the records are compared with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb

from minsheng import encryption, openings
from minsheng.openings import Opening
from minsheng.quoting import literal
from minsheng.release import Version, current
from minsheng.settings import Settings, SettingsError
from minsheng.warehouse import RESTRICTED_FILE, WAREHOUSE_FILE

SECTIONS = {
    "What became of the records of each source, by county (linked.link_coverage)": """
        select source, coalesce(area_name, '-') as county,
            coalesce(sum(record_count) filter (outcome = 'on_roll'), 0) as on_roll,
            coalesce(sum(record_count) filter (outcome = 'not_on_roll'), 0) as not_on_roll,
            coalesce(sum(record_count) filter (outcome = 'name_conflict'), 0) as name_conflict,
            coalesce(sum(record_count) filter (outcome = 'no_valid_id'), 0) as no_valid_id
        from linked.link_coverage
        left join reference.area as area on area.area_code = link_coverage.county_code
        group by all order by all
    """,
    "Persons whom records name (linked.person): who is unconfirmed has no valid number, or one\n"
    "under a name that is not its holder's, may be one of the others and is not counted": """
        select case when is_confirmed then 'confirmed' else 'unconfirmed' end as person,
            count(*) as persons,
            case when not is_confirmed then (
                select string_agg(record_count || ' records ' || outcome, ', ' order by outcome)
                from (
                    select outcome, sum(record_count) as record_count from linked.link_coverage
                    where outcome in ('name_conflict', 'no_valid_id') group by outcome
                )
            ) else '' end as because_of
        from linked.person where source_count > 0 group by is_confirmed order by is_confirmed desc
    """,
    "Confirmed persons who may have a record that was refused or does not link, and so are not\n"
    "absent from that source and period (linked.unconfirmed_record)": """
        select source, count(distinct person_id) as persons, count(*) as persons_and_periods
        from linked.unconfirmed_record group by source order by source
    """,
    "Rules that say whose a record is (linked.link_rule_use)": """
        select link_rule_code as rule, sum(record_count) as records,
            round(sum(record_count) / sum(sum(record_count)) over (), 5) as share
        from linked.link_rule_use group by all order by records desc, rule
    """,
    "Pairs that wait for a decision (linked.link_backlog)": """
        select link_rule_code as rule, doubt_code as doubt, open_pair_count as pairs,
            household_pair_count as of_the_roll, moved_record_count as records, moved_yuan as yuan
        from linked.link_backlog order by pairs desc, rule, doubt
    """,
    "Warnings that rest on a rule, and on it alone (risk.link_effect)": """
        select link_rule_code as rule, record_count as records,
            resting_signal_count as signals, resting_household_count as households,
            dependent_household_count as on_it_alone
        from risk.link_effect order by households desc, rule
    """,
    "Keys of the version before (quality.link_change)": """
        select change_kind as change, key_count as keys, round(key_share, 6) as share,
            largest_share as allowed
        from quality.link_change order by change
    """,
}


RIGHT_AND_WRONG = """
with cell as (
    select person_id, person_key, count(*) as records from truly group by all
),
meant as (
    select person_id, arg_max(person_key, (records, person_key)) as person_key
    from cell group by person_id
)
select truly.link_rule_code, count(*) as records,
    count(*) filter (truly.person_key <> meant.person_key) as wrong
from truly join meant using (person_id)
group by truly.link_rule_code order by records desc, truly.link_rule_code
"""
"""Of records with their true person, `truly`: how many each rule placed, and where they do not
belong (`link_rule_code, records, wrong`)."""


@dataclass(frozen=True)
class Agreement:
    """Records compared with the truth.

    `precision` is the share of records in a person most of whose records are of the same true one,
    `recall` the share of records that stand with most of those of their true person. `rules` has
    the records that each rule placed, and how many of them stand in a person most of whose records
    are of another: the overall precision is mostly that of equal numbers.
    """

    records: int
    persons: int
    precision: float
    recall: float
    rules: Sequence[tuple[str, int, int]]


def report(settings: Settings, now: datetime) -> str:
    """The report as text. Raises SettingsError if nothing is published yet."""
    version = current(settings)
    if version is None:
        raise SettingsError("nothing is published yet; run `minsheng refresh` first")
    parts = []
    with duckdb.connect(str(version.folder / WAREHOUSE_FILE), read_only=True) as connection:
        for title, query in SECTIONS.items():
            parts.append(f"{title}\n{_table(connection, query)}")
    if (settings.home / "truth" / "record.parquet").is_file():
        found = agreement(settings, version, now)
        parts.append(
            f"Compared with the truth, which lies in {settings.home / 'truth'}\n"
            f"{found.records:,} records in force whose true person it tells, of {found.persons:,} "
            "true persons\n"
            f"precision {found.precision:.5f}, the share of them that stand in a person most of "
            "whose records are of the same true one\n"
            f"recall {found.recall:.5f}, the share of them that stand with most of those of their "
            "true person"
        )
        parts.append(
            "Records that a rule placed, and those of them in another's person\n"
            + _aligned([("rule", "records", "wrong"), *found.rules])
        )
    return "\n\n".join(parts)


def agreement(settings: Settings, version: Version, now: datetime) -> Agreement:
    """Hold the links of a version to the truth beside it; the opening of its rows is noted."""
    file = settings.builds / version.build_id / RESTRICTED_FILE
    openings.note(settings, file, Opening(now, "minsheng linkage", "compare with the truth"))
    keys = encryption.load_keys(settings)
    truth = {
        name: f"read_parquet({literal(str(settings.home / 'truth' / f'{name}.parquet'))})"
        for name in ("record", "delivery")
    }
    with duckdb.connect(str(version.folder / WAREHOUSE_FILE), read_only=True) as connection:
        encryption.unlock(connection, keys)
        connection.execute(
            f"attach {literal(str(file))} as restricted (encryption_key ?, read_only)",
            [keys.of("restricted").hex()],
        )
        connection.execute(
            f"""
            create temp table truly as
            select truth.person_key, linked.person_id, linked.link_rule_code
            from {truth["record"]} as truth
            join {truth["delivery"]} as file using (department, dataset, period, sender, file)
            join meta.delivery as delivery
                on delivery.department = truth.department and delivery.dataset = truth.dataset
                and delivery.period = truth.period
                and delivery.sender is not distinct from truth.sender
                and delivery.delivery_status = 'effective' and delivery.corrects is null
            join restricted.bridge.person as linked
                on linked.delivery_id = delivery.delivery_id
                and linked.row_number = truth.row_number
            where truth.person_key is not null and file.status = 'effective'
            """
        )
        ((records, persons, precision, recall),) = connection.execute(
            """
            with cell as (
                select person_id, person_key, count(*) as records from truly group by all
            ),
            own as (select max(records) as most from cell group by person_id),
            whole as (select max(records) as most from cell group by person_key)
            select count(*), count(distinct person_key),
                (select sum(most) from own) / count(*), (select sum(most) from whole) / count(*)
            from truly
            """
        ).fetchall()
        rules = connection.execute(RIGHT_AND_WRONG).fetchall()
    return Agreement(records, persons, precision, recall, rules)


def _table(connection: duckdb.DuckDBPyConnection, query: str) -> str:
    found = connection.execute(query)
    names = [name for name, *_ in found.description or ()]
    rows = found.fetchall()
    return _aligned([names, *rows]) if rows else "none"


def _aligned(table: Sequence[Sequence[object]]) -> str:
    rows = [[str(cell) for cell in row] for row in table]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )

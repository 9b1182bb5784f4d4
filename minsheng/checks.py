"""Checks: what a contract promises, as checks that Great Expectations runs on the rows."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from minsheng import rejects, row_rules
from minsheng.contracts import RESTRICTED_LAYERS, Contract, Severity
from minsheng.encryption import sealed_parquet
from minsheng.great_expectations_duckdb import QueryCheck, RowCheck, validate
from minsheng.lake import Receipt
from minsheng.quoting import literal
from minsheng.warehouse import Warehouse, qualified

ACCEPTED_ROWS = "no_accepted_row_breaks_a_critical_rule"
COUNTS_AGREE = "counts_agree_with_the_ingest"
SHOWN_EXAMPLES = 5
_ROWS, _CHAINS = "unchecked_rows", "unchecked_chains"
"""Views of rows to be checked, alone and with those of the deliveries that they correct."""


@dataclass(frozen=True)
class CheckResult:
    """What one check found; `is_refused_at_ingest` says that the failing rows were refused."""

    table_name: str
    check_name: str
    severity: Severity
    passed: bool
    failing_rows: int
    is_refused_at_ingest: bool
    why: str
    examples: str = ""
    """Some of the failing rows of a query, in columns that name nobody."""

    @property
    def blocks(self) -> bool:
        """Whether the result keeps the build from being published."""
        return not self.passed and self.severity == "critical" and not self.is_refused_at_ingest


@dataclass(frozen=True)
class _Promise:
    check: RowCheck | QueryCheck
    severity: Severity
    why: str
    is_refused_at_ingest: bool = False


_COUNTS_AGREE = _Promise(
    QueryCheck(COUNTS_AGREE, ""), "critical", "入湖时与检查时数出的问题行数须一致"
)


@dataclass(frozen=True)
class Unchecked:
    """A delivery whose faults were counted when it was taken and by nobody since.

    `typed` holds its rows, `corrected` those of the deliveries that it corrects.
    """

    receipt: Receipt
    typed: Path
    corrected: tuple[Path, ...]


def check_received(
    warehouse: Warehouse,
    source: Contract,
    receipts: Sequence[Receipt],
    unchecked: Sequence[Unchecked],
) -> tuple[CheckResult, ...]:
    """Hold the rows of a dataset as received to its rules.

    The failing rows are those that the ingest counted in the deliveries in force (`receipts`). Of
    the deliveries that nobody has checked since, Great Expectations counts the same faults once
    more, and finds no accepted row that breaks a critical rule; otherwise the result blocks.
    """
    promises = list(_received_promises(source))
    counted = _noted(receipts)
    failing = [counted[promise.check.name] for promise in promises]
    accepted, disagreeing = _verified(warehouse, source, unchecked, promises)
    return tuple(
        CheckResult(
            table_name=f"raw.{source.table}",
            check_name=promise.check.name,
            severity=promise.severity,
            passed=count == 0,
            failing_rows=count,
            is_refused_at_ingest=promise.is_refused_at_ingest,
            why=promise.why,
        )
        for promise, count in zip(
            [*promises, _accepted_rows(source), _COUNTS_AGREE],
            [*failing, accepted, disagreeing],
            strict=True,
        )
    )


def check_table(
    warehouse: Warehouse, contract: Contract, contracts: Mapping[str, Contract]
) -> tuple[CheckResult, ...]:
    """Hold a table to its contract: types, keys, foreign keys, codes and what else it promises."""
    relation = qualified(contract)
    promises = [*_type_promises(contract), *_table_promises(contract, contracts)]
    outcomes = validate(warehouse.connection, relation, [promise.check for promise in promises])
    return tuple(
        CheckResult(
            table_name=contract.name,
            check_name=outcome.name,
            severity=promise.severity,
            passed=outcome.passed,
            failing_rows=outcome.failing_rows,
            is_refused_at_ingest=promise.is_refused_at_ingest,
            why=promise.why,
            examples="" if outcome.passed else _examples(warehouse, contract, promise, contracts),
        )
        for promise, outcome in zip(promises, outcomes, strict=True)
    )


def _examples(
    warehouse: Warehouse,
    contract: Contract,
    promise: _Promise,
    contracts: Mapping[str, Contract],
) -> str:
    """The first rows that a declared query finds; nothing of a table that names persons."""
    queries = {check.name: check.query for check in contract.checks}
    query = queries.get(promise.check.name)
    if query is None or contract.layer in RESTRICTED_LAYERS:
        return ""
    kinds: dict[str, set[str]] = {}
    for each in contracts.values():
        for column in each.columns:
            kinds.setdefault(column.name, set()).add(column.sensitivity)
    names = [
        str(row[0])
        for row in warehouse.rows(f"describe {query}")
        if kinds.get(str(row[0])) == {"none"}
    ]
    if not names:
        return ""
    shown = " || ' ' || ".join(f"coalesce({name}::varchar, '-')" for name in names)
    rows = warehouse.rows(
        f"select distinct {shown} as shown from ({query}) order by shown limit {SHOWN_EXAMPLES + 1}"
    )
    listed = ", ".join(str(row[0]) for row in rows[:SHOWN_EXAMPLES])
    more = " and more" if len(rows) > SHOWN_EXAMPLES else ""
    return f"{' '.join(names)}: {listed}{more}"


def _noted(receipts: Iterable[Receipt]) -> Counter[str]:
    """Failing rows by rule as the ingest counted them; lines that are no rows cannot be counted."""
    noted: Counter[str] = Counter()
    for receipt in receipts:
        noted.update(receipt.refused_by_rule)
        noted.update(receipt.warned_by_rule)
    del noted[rejects.MALFORMED_RULE]
    return noted


def _verified(
    warehouse: Warehouse,
    source: Contract,
    unchecked: Sequence[Unchecked],
    promises: Sequence[_Promise],
) -> tuple[int, int]:
    """Accepted rows that break a critical rule, and rules whose counts do not agree."""
    if not unchecked:
        return 0, 0
    connection = warehouse.connection
    rows = sealed_parquet([each.typed for each in unchecked])
    connection.execute(f"create or replace temp view {_ROWS} as from {rows}")
    chains = " union all ".join(
        f"select *, {literal(each.receipt.delivery_id)} as chain "
        f"from {sealed_parquet(each.typed)} union all "
        f"select *, {literal(each.receipt.delivery_id)} as chain "
        f"from {sealed_parquet(each.corrected)} where row_number not in "
        f"(select row_number from {sealed_parquet(each.typed)})"
        for each in unchecked
        if each.corrected
    )
    wholes = [each.typed for each in unchecked if not each.corrected]
    if wholes:
        chains = f"select *, delivery_id as chain from {sealed_parquet(wholes)}" + (
            f" union all {chains}" if chains else ""
        )
    connection.execute(f"create or replace temp view {_CHAINS} as {chains}")
    expected = [*promises, _accepted_rows(source)]
    outcomes = validate(connection, _ROWS, [promise.check for promise in expected])
    connection.execute(f"drop view {_CHAINS}")
    connection.execute(f"drop view {_ROWS}")
    found = {outcome.name: outcome.failing_rows for outcome in outcomes}
    accepted = found.pop(ACCEPTED_ROWS)
    noted = _noted(each.receipt for each in unchecked)
    return accepted, sum(count != noted[name] for name, count in found.items())


def _received_promises(staged: Contract) -> Iterable[_Promise]:
    for rule in row_rules.row_rules(staged):
        yield _Promise(
            RowCheck(rule.name, rule.expression),
            rule.severity,
            rule.why,
            is_refused_at_ingest=rule.severity == "critical",
        )
    repeated = literal(rejects.REPEATED_KEY_RULE)
    yield _Promise(
        QueryCheck(
            rejects.REPEATED_KEY_RULE,
            f"""
            select chain, unnest(range(count(*) - 1)) as repeated
            from {_CHAINS}
            where refused_by is null or (refused_by = {repeated} and delivery_id = chain)
            group by chain, {", ".join(staged.key)}
            having count(*) > 1
            """,
        ),
        "critical",
        rejects.REASONS[rejects.REPEATED_KEY_RULE],
        is_refused_at_ingest=True,
    )


def _accepted_rows(staged: Contract) -> _Promise:
    critical = [r.expression for r in row_rules.row_rules(staged) if r.severity == "critical"]
    return _Promise(
        RowCheck(
            ACCEPTED_ROWS,
            "refused_by is not null or "
            + " and ".join(f"coalesce({expression}, true)" for expression in critical),
        ),
        "critical",
        "违反严重规则的行不得进入后续各表",
    )


def _type_promises(contract: Contract) -> Iterable[_Promise]:
    promised = ", ".join(
        f"({literal(column.name)}, {literal(column.duckdb_type)})" for column in contract.columns
    )
    yield _Promise(
        QueryCheck(
            "columns_and_types_are_as_promised",
            f"""
            select * from (values {promised}) as promised (column_name, data_type)
            where not exists (
                select 1 from duckdb_columns() as found
                where found.schema_name = '{contract.layer}'
                and found.table_name = '{contract.table}'
                and found.column_name = promised.column_name
                and found.data_type = promised.data_type)
            """,
        ),
        "critical",
        "列名和类型须与约定一致",
    )


def _table_promises(contract: Contract, contracts: Mapping[str, Contract]) -> Iterable[_Promise]:
    name = qualified(contract)
    key = ", ".join(contract.key)
    is_source = contract.layer == "staged"
    yield _Promise(
        QueryCheck("key_is_unique", f"select {key} from {name} group by {key} having count(*) > 1"),
        # two senders may deliver the same row: theirs to mend, and no reason to stop everybody
        "warning" if is_source else "critical",
        f"主键 {key} 不得重复",
    )
    for rule in () if is_source else contract.rules:
        yield _Promise(RowCheck(rule.name, rule.expression), rule.severity, rule.why)
    is_restricted = contract.layer in RESTRICTED_LAYERS
    for column in () if is_restricted else contract.columns:
        if column.codes:
            codes = qualified(contracts["reference.code"])
            yield _Promise(
                QueryCheck(
                    f"{column.name}_is_a_code",
                    f"""
                    select distinct {column.name} from {name}
                    where {column.name} is not null and {column.name} not in (
                        select code from {codes} where code_list = '{column.codes}')
                    """,
                ),
                "critical",
                f"{column.label_zh}须在代码表 {column.codes} 中",
            )
    for reference in contract.references:
        columns = ", ".join(reference.columns)
        target = ", ".join(reference.target)
        known = " and ".join(f"{column} is not null" for column in reference.columns)
        yield _Promise(
            QueryCheck(
                f"{'_and_'.join(reference.columns)}_stands_in_{reference.table.replace('.', '_')}",
                f"""
                select {columns} from {name} where {known}
                except
                select {target} from {qualified(contracts[reference.table])}
                """,
            ),
            reference.severity,
            f"{columns} 须在 {reference.table} 中",
        )
    for check in contract.checks:
        yield _Promise(QueryCheck(check.name, check.query), check.severity, check.why)

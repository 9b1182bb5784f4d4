"""Checks: what a contract promises, as checks that Great Expectations runs on the rows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from minsheng import parsing, rejects
from minsheng.contracts import RESTRICTED_LAYERS, Contract, Severity
from minsheng.great_expectations_duckdb import QueryCheck, RowCheck, validate
from minsheng.warehouse import RECEIVED_SCHEMA, Warehouse, qualified


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


def check_table(
    warehouse: Warehouse, contract: Contract, contracts: Mapping[str, Contract]
) -> tuple[CheckResult, ...]:
    """Hold the table to its contract.

    A source's rules are checked on its rows as received, so that what was refused is counted; keys,
    foreign keys, codes and types are checked on the tables.
    """
    if contract.layer == "raw":
        staged = contracts[f"staged.{contract.table}"]
        relation = f"restricted.{RECEIVED_SCHEMA}.{parsing.quoted(contract.table)}"
        promises = list(_received_promises(staged, relation))
    else:
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
        )
        for promise, outcome in zip(promises, outcomes, strict=True)
    )


def _received_promises(staged: Contract, relation: str) -> Iterable[_Promise]:
    for rule in parsing.row_rules(staged):
        yield _Promise(
            RowCheck(rule.name, rule.expression),
            rule.severity,
            rule.why,
            is_refused_at_ingest=rule.severity == "critical",
        )
    critical = [r.expression for r in parsing.row_rules(staged) if r.severity == "critical"]
    yield _Promise(
        RowCheck(
            "no_accepted_row_breaks_a_critical_rule",
            "refused_by is not null or "
            + " and ".join(f"coalesce({expression}, true)" for expression in critical),
        ),
        "critical",
        "违反严重规则的行不得进入后续各表",
    )
    key = ", ".join(staged.key)
    yield _Promise(
        QueryCheck(
            rejects.REPEATED_KEY_RULE,
            f"""
            select delivery_id, unnest(range(count(*) - 1)) as repeated
            from {relation}
            where refused_by is null or refused_by = '{rejects.REPEATED_KEY_RULE}'
            group by delivery_id, {key}
            having count(*) > 1
            """,
        ),
        "critical",
        rejects.REASONS[rejects.REPEATED_KEY_RULE],
        is_refused_at_ingest=True,
    )


def _type_promises(contract: Contract) -> Iterable[_Promise]:
    promised = ", ".join(
        f"({parsing.literal(column.name)}, {parsing.literal(column.duckdb_type)})"
        for column in contract.columns
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

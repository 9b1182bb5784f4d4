"""How a table becomes an asset: one op that makes it and holds it to its contract."""

import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import dagster as dg

from assets.warehouse_resource import Build, WarehouseResource
from minsheng.build import check, record_digest
from minsheng.checks import CheckResult
from minsheng.contracts import Contract
from minsheng.faults import ForeignFault, told
from minsheng.project import Project
from minsheng.warehouse import Warehouse

CONTRACT_CHECK = "contract"
SHOWN_FAILURES = 20
DEFAULT_OWNER = "statistics"

Metadata = dict[str, object]
Make = Callable[[Warehouse, Build], Metadata]
"""Makes the table; returns metadata to show, of which `dagster/row_count` is required."""

TableNames = Callable[[], frozenset[str]]
"""Names of all tables that a whole build makes, asked for when a run begins."""


def asset_key(name: str) -> dg.AssetKey:
    """`layer.table` as the key `layer/table`."""
    return dg.AssetKey(name.split("."))


def table_asset(
    project: Project,
    contract: Contract,
    everything: TableNames,
    make: Make,
    *,
    kinds: Sequence[str],
    code_version: str = "",
    description: str = "",
) -> dg.AssetsDefinition:
    """The asset of one table; its blocking check holds the table to the contract.

    What it depends on is what its SQL reads; owner, columns and comment come from the contract.
    """
    spec = table_spec(
        project, contract, kinds=kinds, code_version=code_version, description=description
    )

    @dg.multi_asset(name="__".join(spec.key.path), specs=[spec], check_specs=[check_spec(contract)])
    def table(
        context: dg.AssetExecutionContext, warehouse: WarehouseResource
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]  # no value is passed on
        build = warehouse.build
        with telling_no_value(context):
            opened = build.open(context, everything())
            return make_table(opened, build, contract, make(opened, build))

    return table


def table_spec(
    project: Project,
    contract: Contract,
    *,
    kinds: Sequence[str],
    code_version: str = "",
    description: str = "",
) -> dg.AssetSpec:
    """What Dagster knows of a table before it is made."""
    owner = contract.delivery.department if contract.delivery else DEFAULT_OWNER
    return dg.AssetSpec(
        key=asset_key(contract.name),
        deps=[asset_key(name) for name in project.reads[contract.name]],
        group_name=contract.layer,
        description=f"{description or contract.grain}\n\n{contract.comment}",
        code_version=f"{contract.hash[:16]}{code_version}",
        kinds={"duckdb", *kinds},
        owners=[f"team:{owner}"],
        metadata={
            "dagster/column_schema": column_schema(contract),
            "dagster/table_name": contract.name,
        },
    )


def check_spec(contract: Contract) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        CONTRACT_CHECK,
        asset=asset_key(contract.name),
        blocking=True,
        description="Great Expectations holds the table to expectations/",
    )


def make_table(
    warehouse: Warehouse, build: Build, contract: Contract, metadata: Metadata
) -> dg.MaterializeResult:  # type: ignore[type-arg]  # no value is passed on
    """Check and note a table that was just made; `metadata` is shown beside it."""
    results = check(warehouse, build.project, contract)
    digest = record_digest(warehouse, build.project, contract, build.run_id)
    build.table_is_made(contract.name)
    return dg.MaterializeResult(
        asset_key=asset_key(contract.name),
        metadata=metadata,  # type: ignore[arg-type]  # Dagster takes plain values
        data_version=dg.DataVersion(digest),
        check_results=[check_result(contract, results)],
    )


@contextmanager
def telling_no_value(context: dg.AssetExecutionContext) -> Iterator[None]:
    """What fails inside is told without the values of rows, and where it failed is logged."""
    try:
        yield
    except Exception as fault:
        context.log.error("".join(traceback.format_tb(fault.__traceback__)))
        is_ours = told(fault) == str(fault)
        # without its cause, whose message Dagster would keep beside it
        raise (fault if is_ours else ForeignFault(told(fault))) from None


def row_count(rows: int) -> Metadata:
    """The metadata of a table that has nothing else to say."""
    return {"dagster/row_count": rows}


def column_schema(contract: Contract) -> dg.TableSchema:
    """The contract's columns as Dagster shows them."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(column.name, type=column.duckdb_type, description=column.comment)
            for column in contract.columns
        ],
        constraints=dg.TableConstraints(other=[f"primary key ({', '.join(contract.key)})"]),
    )


def check_result(contract: Contract, results: Sequence[CheckResult]) -> dg.AssetCheckResult:
    """One check an asset, its rules beside it; a failure shows counts, never personal data."""
    failing = [result for result in results if not result.passed]
    shown = [
        f"{result.severity}: {result.check_name}: {result.failing_rows} rows: {result.why}"
        + (f" ({result.examples})" if result.examples else "")
        for result in failing[:SHOWN_FAILURES]
    ]
    return dg.AssetCheckResult(
        asset_key=asset_key(contract.name),
        check_name=CONTRACT_CHECK,
        passed=not any(result.blocks for result in results),
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={
            "rules": len(results),
            "failing_rules": len(failing),
            "failures": dg.MetadataValue.md("\n".join(f"- {line}" for line in shown) or "-"),
        },
    )

"""How a table becomes an asset: one op that makes it and holds it to its contract."""

from collections.abc import Callable, Sequence

import dagster as dg

from assets.warehouse_resource import Build, WarehouseResource
from minsheng.build import check, record_digest
from minsheng.checks import CheckResult
from minsheng.contracts import Contract
from minsheng.warehouse import Warehouse

CONTRACT_CHECK = "contract"
SHOWN_FAILURES = 20

Maker = Callable[[Warehouse, Build], dict[str, object]]
"""Makes the table and returns metadata to show beside its rows; `row_count` is required."""


def asset_key(name: str) -> dg.AssetKey:
    """`layer.table` as the key `layer/table`."""
    return dg.AssetKey(name.split("."))


def table_asset(
    contract: Contract,
    make: Maker,
    *,
    reads: Sequence[str],
    code_version: str,
    kinds: set[str],
    everything: Callable[[], frozenset[str]],
    description: str = "",
    lineage: Callable[[], dg.TableColumnLineage | None] = lambda: None,
    owner: str = "team:statistics",
) -> dg.AssetsDefinition:
    """The asset of one table; its blocking check holds the table to the contract."""
    key = asset_key(contract.name)

    @dg.asset(
        key=key,
        deps=[asset_key(name) for name in reads],
        group_name=contract.layer,
        description=f"{description or contract.grain}\n\n{contract.comment}",
        code_version=code_version,
        kinds=kinds,
        owners=[owner],
        metadata={
            "dagster/column_schema": column_schema(contract),
            "dagster/table_name": contract.name,
        },
        check_specs=[
            dg.AssetCheckSpec(
                CONTRACT_CHECK,
                asset=key,
                blocking=True,
                description="Great Expectations holds the table to expectations/",
            )
        ],
    )
    def make_table(
        context: dg.AssetExecutionContext, warehouse: WarehouseResource
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]  # no value is passed on
        build = warehouse.build
        selected = frozenset(
            ".".join(each.path) for each in context.job_def.asset_layer.selected_asset_keys
        )
        opened = build.open(selected, everything())
        made = make(opened, build)
        results = check(opened, build.project, contract)
        digest = record_digest(opened, build.project, contract, build.run_id)
        build.table_is_made(contract.name)
        metadata: dict[str, object] = {"dagster/row_count": made.pop("row_count"), **made}
        found = lineage()
        if found is not None:
            metadata["dagster/column_lineage"] = found
        return dg.MaterializeResult(
            metadata=metadata,  # type: ignore[arg-type]  # Dagster takes plain values
            data_version=dg.DataVersion(digest),
            check_results=[check_result(results)],
        )

    return make_table


def column_schema(contract: Contract) -> dg.TableSchema:
    """The contract's columns as Dagster shows them."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(column.name, type=column.duckdb_type, description=column.comment)
            for column in contract.columns
        ],
        constraints=dg.TableConstraints(other=[f"primary key ({', '.join(contract.key)})"]),
    )


def check_result(results: Sequence[CheckResult]) -> dg.AssetCheckResult:
    """One check an asset, its rules beside it; a failure shows counts, never personal data."""
    failing = [result for result in results if not result.passed]
    shown = [
        f"{result.severity}: {result.check_name}: {result.failing_rows} rows: {result.why}"
        for result in failing[:SHOWN_FAILURES]
    ]
    return dg.AssetCheckResult(
        check_name=CONTRACT_CHECK,
        passed=not any(result.blocks for result in results),
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={
            "rules": len(results),
            "failing_rules": len(failing),
            "failures": dg.MetadataValue.md("\n".join(f"- {line}" for line in shown) or "-"),
        },
    )

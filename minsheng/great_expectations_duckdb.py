"""Great Expectations over an open DuckDB connection.

Great Expectations has no DuckDB datasource. This module defines a small one, and two
expectations whose content is DuckDB SQL, and runs them as one suite on a connection that
the caller already holds.
"""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import duckdb


@dataclass(frozen=True)
class RowCheck:
    """A predicate that every row must satisfy.

    A row fails when the predicate is false; null passes, since unknown is not a fault. The
    predicate is DuckDB SQL over the table's columns, named without the table.
    """

    name: str
    predicate: str


@dataclass(frozen=True)
class QueryCheck:
    """A query that returns the offending rows or groups; it passes when it returns none."""

    name: str
    query: str


@dataclass(frozen=True)
class Outcome:
    """The result of one check, with the exact number of rows that fail it."""

    name: str
    passed: bool
    failing_rows: int


def validate(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    checks: Sequence[RowCheck | QueryCheck],
) -> tuple[Outcome, ...]:
    """Run the checks on a table or view and return their outcomes in the order of the checks.

    `table` is SQL, placed as it is after FROM: `linked.person`, `restricted.raw.x`.

    Everything runs on `connection` itself, so the checks see its search path, attached
    databases, temporary objects, settings and uncommitted rows. Its open transaction is
    neither committed nor rolled back. A result still to be fetched from it is lost, as with
    any other `execute`.

    Raises ValueError when the table cannot be read or a check cannot be evaluated, naming the
    check. An error found only while rows are read (a failed cast, say) aborts a transaction
    that the caller has open, as in any DuckDB statement, and Great Expectations then cannot
    tell the predicates apart: all of them are named, with the first error.

    The statements emitted, as measured: one `SELECT * ... LIMIT 0`, which reads nothing; one
    `SELECT current_schema()` from SQLAlchemy; one SELECT with a `count(*) FILTER` for each
    distinct predicate, a single scan of the table; and one count for each distinct query.
    """
    try:
        connection.execute(f"select * from {table} limit 0")
    except duckdb.Error as error:
        raise ValueError(f"{table} cannot be read: {error}") from error
    # Great Expectations and SQLAlchemy warn about their own internals, which no caller can
    # act on. The caller's warning filters return on exit.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _great_expectations()(connection, table, checks)


@functools.cache
def _great_expectations() -> Callable[
    [duckdb.DuckDBPyConnection, str, Sequence[RowCheck | QueryCheck]], tuple[Outcome, ...]
]:
    """Import Great Expectations, declare our extension of it once, and return its runner."""
    # Imported here because it takes seconds, which no importer of this module should pay.
    import great_expectations
    from duckdb_engine import ConnectionWrapper
    from great_expectations.core.metric_domain_types import MetricDomainTypes
    from great_expectations.core.metric_function_types import MetricPartialFunctionTypes
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )
    from great_expectations.datasource.fluent.sql_datasource import SQLDatasource, TableAsset
    from great_expectations.exceptions.exceptions import MetricResolutionError
    from great_expectations.execution_engine.sqlalchemy_execution_engine import (
        SqlAlchemyExecutionEngine,
    )
    from great_expectations.expectations.expectation import BatchExpectation
    from great_expectations.expectations.metrics.metric_provider import (
        MetricProvider,
        metric_partial,
        metric_value,
    )
    from sqlalchemy import (
        BigInteger,
        StaticPool,
        create_engine,
        literal_column,
        quoted_name,
        select,
    )

    class BorrowedConnection(ConnectionWrapper):
        """The caller's connection, whose life and transactions SQLAlchemy must not manage."""

        def begin(self) -> None: ...

        def commit(self) -> None: ...

        def rollback(self) -> None: ...

        def close(self) -> None: ...

    class DuckDBExecutionEngine(SqlAlchemyExecutionEngine):
        """An execution engine on one connection, kept until the results are fetched."""

        first_error: Exception | None = None

        @contextlib.contextmanager
        def get_connection(self) -> Iterator[Any]:
            # The inherited method closes the connection of most dialects before its caller
            # fetches, and DuckDB's results do not outlive that.
            if self._connection is None:
                self._connection = self.engine.connect()
            yield self._connection

        def execute_query(self, query: Any) -> Any:
            try:
                return super().execute_query(query)
            except Exception as error:
                # After a failure GX tries each predicate alone. In a transaction that the
                # failure aborted these attempts all fail, and say nothing but that.
                self.first_error = self.first_error or error
                raise self.first_error from None

    class DuckDBDatasource(SQLDatasource):
        type: Literal["duckdb"] = "duckdb"  # type: ignore[assignment]  # narrowed, as GX asks
        connection_string: str = "duckdb://"

        def get_execution_engine(self) -> Any:
            return self._execution_engine

    # GX passes `cls` to the metric functions by name, without their being class methods.
    class FailingRows(MetricProvider):
        """How many rows make a predicate false; GX puts all of these in one SELECT."""

        metric_name = "duckdb.failing_rows"
        domain_keys = ("batch_id",)
        value_keys = ("sql",)

        @metric_partial(
            engine=DuckDBExecutionEngine,
            partial_fn_type=MetricPartialFunctionTypes.AGGREGATE_FN,
            domain_type=MetricDomainTypes.TABLE,
        )
        def _count(
            cls, metric_domain_kwargs: Any, metric_value_kwargs: Any, **_: Any
        ) -> tuple[Any, Any, dict[str, Any]]:
            # A literal column goes into the statement untouched, whereas text() takes `:name`
            # for a parameter. The line ends keep a trailing comment inside its parentheses.
            predicate = metric_value_kwargs["sql"]
            count = f"count(*) FILTER (WHERE NOT (\n{predicate}\n))"
            return literal_column(count, BigInteger), metric_domain_kwargs, {}

    class OffendingRows(MetricProvider):
        """How many rows a query returns."""

        metric_name = "duckdb.offending_rows"
        domain_keys = ("batch_id",)
        value_keys = ("sql",)

        @metric_value(engine=DuckDBExecutionEngine)
        def _count(cls, execution_engine: Any, metric_value_kwargs: Any, **_: Any) -> int:
            query = metric_value_kwargs["sql"].rstrip().rstrip(";")
            count = literal_column(f"(SELECT count(*) FROM (\n{query}\n))", BigInteger)
            return int(execution_engine.execute_query(select(count)).scalar_one())

    class ExpectRowsToSatisfy(BatchExpectation):
        """Expect the SQL predicate to be false for no row."""

        sql: str
        metric_dependencies: ClassVar[tuple[str, ...]] = (FailingRows.metric_name,)
        success_keys: ClassVar[tuple[str, ...]] = ("sql",)

        def _validate(self, metrics: dict[str, int], *_: Any, **__: Any) -> dict[str, Any]:
            (count,) = metrics.values()
            return {"success": count == 0, "result": {"unexpected_count": count}}

    class ExpectQueryToReturnNoRows(ExpectRowsToSatisfy):
        """Expect the SQL query to return no rows."""

        metric_dependencies: ClassVar[tuple[str, ...]] = (OffendingRows.metric_name,)

    # A configuration of our own, because the default one creates a temporary directory for
    # data docs and shows progress bars.
    context = great_expectations.get_context(
        mode="ephemeral",
        project_config=DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(),
            progress_bars=ProgressBarsConfig(globally=False),
            analytics_enabled=False,
        ),
    )

    def run(
        connection: duckdb.DuckDBPyConnection,
        table: str,
        checks: Sequence[RowCheck | QueryCheck],
    ) -> tuple[Outcome, ...]:
        execution_engine = DuckDBExecutionEngine(
            engine=create_engine(
                "duckdb://",
                creator=lambda: BorrowedConnection(connection),
                poolclass=StaticPool,
            ),
            create_temp_table=False,
        )
        datasource = DuckDBDatasource(name="duckdb")
        datasource._execution_engine = execution_engine
        datasource._data_context = context
        # The asset is attached by hand: adding it to the datasource would probe it with
        # LIMIT 1, which evaluates the whole of an aggregating view.
        asset = TableAsset(name=table, table_name=quoted_name(table, quote=False))
        asset._datasource = datasource
        expectations = [
            (ExpectRowsToSatisfy if isinstance(check, RowCheck) else ExpectQueryToReturnNoRows)(
                sql=check.predicate if isinstance(check, RowCheck) else check.query,
                meta={"position": position},
            )
            for position, check in enumerate(checks)
        ]
        suite = great_expectations.ExpectationSuite(name=table, expectations=expectations)
        batch = asset.get_batch(asset.build_batch_request())
        validator = context.get_validator(
            batch_list=[batch]  # type: ignore[list-item]  # GX annotates its former Batch
        )
        try:
            # The suite is given here because a validator's own suite keeps only one
            # expectation of each type.
            report: Any = validator.validate(
                expectation_suite=suite, catch_exceptions=False, result_format="BASIC"
            )
        except MetricResolutionError as error:
            faulty = {metric.metric_value_kwargs["sql"] for metric in error.failed_metrics}
            names = [
                check.name
                for check, expectation in zip(checks, expectations, strict=True)
                if expectation.sql in faulty
            ]
            first_error = getattr(execution_engine.first_error, "orig", None) or error
            raise ValueError(
                f"cannot evaluate on {table}: {', '.join(names)}: {first_error}"
            ) from error
        results = {result.expectation_config.meta["position"]: result for result in report.results}
        return tuple(
            Outcome(
                check.name,
                passed=results[position].success,
                failing_rows=results[position].result["unexpected_count"],
            )
            for position, check in enumerate(checks)
        )

    return run

"""Tables of figures that no single SELECT makes: what each reads, and who gives its SELECTs."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import duckdb

from minsheng import duties, duty_results, item_figures, plans, policies, series
from minsheng.contracts import Contract
from minsheng.library_tables import LIBRARY_TABLES
from minsheng.settings import Settings


@dataclass(frozen=True)
class FigureTable:
    """A table of figures that no single SELECT makes.

    `selects` may fill temporary tables of the connection; each SELECT is to be run before the next
    one is asked for. It raises PlanError if an item or a duty cannot be computed, PolicyError if a
    formula or a series cannot.
    """

    reads: tuple[str, ...]
    selects: Callable[[duckdb.DuckDBPyConnection], Iterator[str]]


def figure_tables(settings: Settings, contracts: Mapping[str, Contract]) -> dict[str, FigureTable]:
    """The tables of figures by name: measures, items of plans, who misses them, duties, formulas.

    Raises PlanError if an item or a duty names what no contract has, PlanError or PolicyError if
    `policies/` cannot be read.
    """
    figures = item_figures.figures_of(plans.load_plans(settings))
    item_figures.check_figures(figures, contracts)
    owed = duties.load_duties(settings)
    of_duties = tuple(duty_results.duty_selects(owed, contracts))
    return {
        **{
            name: FigureTable(table.reads, _one(table.select))
            for name, table in LIBRARY_TABLES.items()
        },
        item_figures.ITEM_FIGURE: FigureTable(
            item_figures.tables_read(figures),
            lambda connection: item_figures.figure_selects(connection, figures, contracts),
        ),
        item_figures.SHORTFALL: FigureTable(
            item_figures.tables_read(figures),
            lambda connection: item_figures.shortfall_selects(connection, figures, contracts),
        ),
        duty_results.DUTY_RESULT: FigureTable(
            duty_results.tables_read(owed),
            lambda _: iter(of_duties),
        ),
        series.SERIES_VALUE: FigureTable(
            series.tables_read(settings), lambda _: series.series_selects(settings, contracts)
        ),
        series.FORMULA_VALUE: FigureTable(
            series.FORMULA_READS,
            lambda _: series.formula_selects(
                policies.reference_rows(settings, "rule_value"), settings
            ),
        ),
    }


def _one(
    select: Callable[[duckdb.DuckDBPyConnection], str],
) -> Callable[[duckdb.DuckDBPyConnection], Iterator[str]]:
    return lambda connection: iter((select(connection),))

"""Tables that functions of the measure library make: what each reads, and who gives its SELECT."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import duckdb

from minsheng import (
    area_changes,
    area_deprivations,
    area_groups,
    area_measures,
    poverty_paths,
    survey_measures,
)


@dataclass(frozen=True)
class LibraryTable:
    """A table of the warehouse that no single SELECT makes.

    `select` fills temporary tables of the connection and returns the SELECT that reads them; it is
    to be run before the next one is asked for.
    """

    reads: tuple[str, ...]
    select: Callable[[duckdb.DuckDBPyConnection], str]


LIBRARY_TABLES: Mapping[str, LibraryTable] = {
    area_measures.POVERTY_MEASURE: LibraryTable(
        area_measures.READS, area_measures.poverty_measure_select
    ),
    survey_measures.SURVEY_MEASURE: LibraryTable(
        survey_measures.READS, survey_measures.survey_measure_select
    ),
    area_changes.GROWTH_INCIDENCE: LibraryTable(
        area_changes.INCIDENCE_READS, area_changes.growth_incidence_select
    ),
    area_changes.POVERTY_CHANGE: LibraryTable(
        area_changes.CHANGE_READS, area_changes.poverty_change_select
    ),
    area_groups.POVERTY_BY_GROUP: LibraryTable(
        area_groups.POVERTY_READS, area_groups.poverty_by_group_select
    ),
    area_groups.INEQUALITY_BY_GROUP: LibraryTable(
        area_groups.INEQUALITY_READS, area_groups.inequality_by_group_select
    ),
    poverty_paths.SPELL: LibraryTable(poverty_paths.PATH_READS, poverty_paths.poverty_spell_select),
    poverty_paths.HISTORY: LibraryTable(
        poverty_paths.PATH_READS, poverty_paths.poverty_history_select
    ),
    poverty_paths.MOVE: LibraryTable(poverty_paths.PATH_READS, poverty_paths.poverty_move_select),
    poverty_paths.TRANSITION: LibraryTable(
        poverty_paths.TRANSITION_READS, poverty_paths.poverty_transition_select
    ),
    area_deprivations.MULTIDIMENSIONAL_POVERTY: LibraryTable(
        area_deprivations.READS, area_deprivations.multidimensional_poverty_select
    ),
    area_deprivations.DEPRIVATION_HEADCOUNT: LibraryTable(
        area_deprivations.READS, area_deprivations.deprivation_headcount_select
    ),
}

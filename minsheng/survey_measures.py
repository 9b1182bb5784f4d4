"""Measures of every area that a sample survey reaches, with the errors of its design."""

from collections.abc import Iterator

import duckdb
import polars as pl

from minsheng.area_measures import VALUES, keep_values
from minsheng.measure_frames import measure_frame
from minsheng.measures import MEASURES, OF_LINE

SURVEY_MEASURE = "indicators.survey_measure"
READS = (
    "indicators.poverty_line",
    "meta.table_freshness",
    "reference.area_ancestor",
    "reference.area_today",
    "staged.statistics__household_survey",
)
"""What `survey_measure_select` reads."""
ANY_LINE = 1.0
GROUP = ["area_code", "area_level", "population", "income_concept"]
# a household counts in its county and city, and among those on low income if the survey says so
HOUSEHOLDS = """
select ancestor.ancestor_code as area_code, ancestor.ancestor_level as area_level, population,
    survey.income_concept, year(survey.period_month) as year, survey.stratum, survey.cluster,
    round(coalesce(total_yuan, wage_yuan + business_yuan + property_yuan + transfer_yuan)
        / member_count, 6)::double as welfare,
    (member_count * weight)::double as persons
from staged.statistics__household_survey as survey
left join reference.area_today as village on village.area_code = survey.area_code
left join reference.area_today as town
    on town.area_code = substr(survey.area_code, 1, 9) || '000'
left join reference.area_today as county
    on county.area_code = substr(survey.area_code, 1, 6) || '000000'
join reference.area_ancestor as ancestor on ancestor.area_code
    = coalesce(village.today_code, town.today_code, county.today_code)
join (values ('all_rural'), ('low_income')) as counted (population)
    on population = 'all_rural' or is_low_income
where ancestor.ancestor_level in ('city', 'county') and member_count > 0 and weight > 0
"""
LINES = """
select area_code, year, line_id, line_yuan::double as line_yuan
from indicators.poverty_line
where line_yuan is not null
"""
COLUMNS = (
    *("area_code", "area_level", "population", "year", "income_concept"),
    *("line_id", "line_yuan", "measure", "value", "standard_error"),
    *("lower_bound", "upper_bound", "error_basis_code", "person_count", "household_count"),
)


def survey_measure_select(connection: duckdb.DuckDBPyConnection) -> str:
    """The SELECT of `indicators.survey_measure`, whose rows lie in a temporary table.

    The sampling unit is the cluster within its stratum; strata and clusters without households in
    an area still count as drawn. Households whose income nobody told are left out.
    """
    households = connection.execute(HOUSEHOLDS).pl()
    lines = connection.execute(LINES).pl()
    found = list(_measures(households, lines))
    if not found:
        connection.execute(
            f"create or replace temp table {VALUES} as "
            f"select {', '.join(f'null as {name}' for name in COLUMNS)} where false"
        )
    else:
        keep_values(connection, VALUES, pl.concat(found))
    return f"""
    select {", ".join(COLUMNS)}, (
        select stale_since from meta.table_freshness where table_name = '{SURVEY_MEASURE}'
    ) as stale_since
    from {VALUES}
    """


def _measures(households: pl.DataFrame, lines: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The rows of each year and line; each year has a sample of its own."""
    with_line = [name for name in MEASURES if name in OF_LINE]
    without_line = [name for name in MEASURES if name not in OF_LINE]
    known = households.filter(pl.col("welfare").is_not_null())
    for (year,), of_year in known.group_by("year", maintain_order=True):
        behind = of_year.group_by(GROUP).agg(
            pl.col("persons").sum().round().cast(pl.Int64).alias("person_count"),
            pl.len().cast(pl.Int64).alias("household_count"),
        )
        of_all = _measured(of_year, without_line)
        decided = lines.filter(pl.col("year") == year).drop("year")
        for (line_id,), of_line in decided.group_by("line_id", maintain_order=True):
            line = of_line.drop("line_id")
            # an area without the line stays in the sample, and has no row
            below = of_year.join(line, on="area_code", how="left").with_columns(
                pl.col("line_yuan").fill_null(ANY_LINE)
            )
            yield (
                pl.concat([of_all, _measured(below, with_line, "line_yuan")])
                .join(line, on="area_code")
                .join(behind, on=GROUP)
                .with_columns(
                    pl.lit(year, dtype=pl.Int64).alias("year"),
                    pl.lit(line_id).alias("line_id"),
                    pl.lit("design").alias("error_basis_code"),
                )
                .rename({"lower": "lower_bound", "upper": "upper_bound"})
                .select(COLUMNS)
            )


def _measured(frame: pl.DataFrame, measures: list[str], line: str | None = None) -> pl.DataFrame:
    return measure_frame(
        frame,
        "welfare",
        weight="persons",
        line=line,
        by=GROUP,
        household="cluster",
        stratum="stratum",
        measures=measures,
    ).drop("row_count")

"""Lookups of the published file by area and day: which plan, line or standard is in force.

What nobody decided is an error that names the plan or rule, the area and the day.
"""

from minsheng.policies import NATION
from minsheng.quoting import literal
from minsheng.warehouse import Warehouse

_ABOVE = f"""
    select ancestor_code, distance from reference.area_ancestor
    where area_ancestor.area_code = area
    union all
    select '{NATION}', null
"""
"""The areas whose decisions hold in the area asked for, and how far above it they are."""

LOOKUPS = {
    "reference.plan_on": (
        "(area, day) as table",
        "某地某日有效的计划，最近的地区在前；没有时报错 · Plans in force in an area on a day, the "
        "nearest area's first; an error where there is none",
        """
        select plan.policy_id, plan.title_zh, plan.title_en, plan.document, plan.area_code,
            plan.start_year, plan.end_year, above.distance
        from (select 1 as asked)
        left join (
            reference.plan as plan
            join reference.area_ancestor as above
                on above.area_code = area and above.ancestor_code = plan.area_code
        ) on year(day) between plan.start_year and plan.end_year
        where case when plan.policy_id is null
            then error('no plan is in force in area ' || area || ' on ' || day)::boolean
            else true end
        order by above.distance, plan.policy_id
        """,
    ),
    "indicators.rule_on": (
        "(rule, area, day) as",
        "某地某日的规则或收入线取值，公式按当月计算；无人决定时报错 · Value of a rule or a line "
        "in an area on a day, a formula as of the month; an error where nobody decided it",
        f"""
        coalesce((
            select coalesce(
                decided.value,
                (
                    select formula.value
                    from indicators.formula_value as formula
                    join reference.area_ancestor as place
                        on place.area_code = area and place.ancestor_code = formula.area_code
                    where formula.rule_id = rule
                        and formula.decided_by_code = decided.area_code
                        and formula.effective_from = decided.effective_from
                        and formula.month = date_trunc('month', day)
                    order by place.distance
                    limit 1
                ),
                error('rule ' || rule || ' is ' || decided.formula || ' in area ' || area
                    || ' on ' || day || ', and what it is made of has no value there')
            )
            from reference.rule_value as decided
            join ({_ABOVE}) as above on above.ancestor_code = decided.area_code
            where decided.rule_id = rule
                and day between decided.effective_from and decided.effective_to
            order by above.distance nulls last
            limit 1
        ), error('nobody has decided rule ' || rule || ' for area ' || area || ' on ' || day
            || '; its plans: ' || coalesce((
                select string_agg(distinct decided.document, '; ' order by decided.document)
                from reference.rule_value as decided
                where decided.rule_id = rule
            ), 'none')))
        """,
    ),
    "indicators.line_of": (
        "(line, area, asked_year) as",
        "某地某年的收入线；无人决定时报错 · The line of an area in a year; an error where nobody "
        "decided it",
        """
        coalesce((
            select coalesce(found.line_yuan, error('line ' || line || ' has no value in area '
                || area || ' in ' || asked_year || ': ' || found.line_reason))
            from indicators.poverty_line as found
            where found.line_id = line and found.area_code = area and found.year = asked_year
        ), error('nobody has decided line ' || line || ' for area ' || area || ' in '
            || asked_year))
        """,
    ),
    "indicators.standard_on": (
        "(series, area, day) as",
        "某地某日执行的标准（如低保月标准）；没有时报错 · A standard, such as that of dibao, in "
        "force in an area on a day; an error where none was delivered",
        """
        coalesce((
            select told.value
            from indicators.series_value as told
            join reference.area_ancestor as above
                on above.area_code = area and above.ancestor_code = told.area_code
            where told.series_id = series
                and day between told.effective_from and told.effective_to
            order by above.distance, told.effective_from desc
            limit 1
        ), error('no ' || series || ' was delivered for area ' || area || ' on ' || day))
        """,
    ),
}
"""Name of each lookup, what it takes, its comment and its SQL; without an answer it is an error."""


def make_lookups(warehouse: Warehouse) -> None:
    """Make the lookups in the file that is published; the tables they read have to be there."""
    for name, (takes, comment, sql) in LOOKUPS.items():
        warehouse.connection.execute(f"create or replace macro minsheng.{name}{takes} {sql}")
        kind = "macro table" if takes.endswith("table") else "macro"
        warehouse.connection.execute(f"comment on {kind} minsheng.{name} is {literal(comment)}")

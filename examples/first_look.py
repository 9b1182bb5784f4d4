"""A first look at the published file: the plan's results, households at risk, one explanation."""

import duckdb

from minsheng.explain import explain_household
from minsheng.settings import load_settings

TARGETS = """
select result.item_id, result.part, item.text_en, result.value, result.comparator, result.threshold,
    result.status, result.shortfall_count
from indicators.target_result as result
join meta.policy_item as item using (policy_id, item_id)
join meta.build as build on build.area_code = result.area_code
where result.evaluation = 'computed' and result.threshold is not null
    and result.list_basis = 'refreshed' and result.price_basis = 'nominal'
    and result.year = (
        select max(year) from indicators.target_result
        where area_code = build.area_code and year <= year(build.as_of_month)
    )
order by result.item_id, result.part
"""
AT_RISK = """
select household_id, level, object_type_code, points, main_cause_code, signal_count, days_open
from risk.return_to_poverty
order by points desc, household_id
limit 10
"""


def main() -> None:
    settings = load_settings()
    path = settings.published / "current" / "minsheng.duckdb"
    with duckdb.connect(str(path), read_only=True) as connection:
        print(connection.sql(TARGETS))
        print(connection.sql(AT_RISK))
        first = connection.execute(AT_RISK).fetchall()[0][0]
    print(explain_household(settings, first))


if __name__ == "__main__":
    main()

"""Dated views of the published file: what was true on a day, as far as the version knows.

They are table macros beside the tables that they read: `from linked.status_on(date '2021-06-30')`.
What was known on a day is another axis, and a build of its own: `minsheng refresh --known-on`.
"""

from minsheng.quoting import literal
from minsheng.warehouse import Warehouse

_INTERVAL = """
    start_month <= date_trunc('month', day)
    and coalesce(end_month >= date_trunc('month', day), true)
"""
"""Months are whole: who came or went in the month of the day belongs to both sides."""

_LAST_SEEN = (
    "last_seen_month is the last month of the period of the last row that lists it, and lies after "
    "end_month where a death or a register tells the end within that period"
)

DATED_VIEWS = {
    "reference.area_on": (
        "某日有效的区划代码 · Area codes in force on a day",
        """
        select area_code, area_level, area_name, parent_code, city_code, county_code, town_code,
            village_code, effective_from, effective_to, origin
        from reference.area
        where coalesce(effective_from <= day, true) and coalesce(effective_to >= day, true)
        """,
    ),
    "linked.membership_on": (
        "某日所在月的家庭成员（三种户口径） · Who belonged to which household in the month of "
        f"a day, by notion of a household; {_LAST_SEEN}",
        f"""
        select household_notion, household_id, person_id, relation_code, is_head, start_month,
            end_month, is_start_known, is_end_known, begin_event_code, end_event_code,
            last_seen_month, first_delivery_id, first_row_number, last_delivery_id, last_row_number
        from linked.membership_interval
        where {_INTERVAL}
        """,
    ),
    "linked.status_on": (
        "某日所在月的身份；与 indicators.register_balance 的存量口径不同："
        "登记已死亡而名册仍列的不计，记录未能关联的月份仍计，终止当月仍计 · "
        "Who was what in the month of a day. Other than the stock of indicators.register_balance "
        "it leaves out the dead whom a roll still lists, goes on through months in which a record "
        f"does not link, and counts the month of an end; {_LAST_SEEN}",
        f"""
        select entity_type, entity_id, status_code, source, county_code, start_month, end_month,
            is_start_known, is_end_known, begin_event_code, end_event_code, last_seen_month,
            first_delivery_id, first_row_number, last_delivery_id, last_row_number
        from linked.status_interval
        where {_INTERVAL}
        """,
    ),
}
"""Name of each view, its comment and its SELECT, in which `day` is the day asked for."""


def make_dated_views(warehouse: Warehouse) -> None:
    """Make the dated views in the file that is published; the tables they read have to be there."""
    for name, (comment, select) in DATED_VIEWS.items():
        warehouse.connection.execute(
            f"create or replace macro minsheng.{name}(day) as table {select}"
        )
        warehouse.connection.execute(
            f"comment on macro table minsheng.{name} is {literal(comment)}"
        )

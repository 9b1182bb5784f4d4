"""Cells are looked at first: what is read fast is read as if every form had been tried."""

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minsheng.contracts import Contract
from minsheng.judging import other_forms
from minsheng.parsing import Typing
from minsheng.project import Project
from minsheng.quoting import literal, quoted
from minsheng.settings import load_settings

PROJECT = Project(load_settings(deployment="demo"))
CONSTANTS = {
    "delivery_id": "'d'",
    "sender": "null::varchar",
    "period": "'2022'",
    "period_month": "date '2022-12-01'",
    "delivered_on": "date '2023-01-10'",
}
CELLS = (
    *(
        "",
        " ",
        "　",
        "-",
        "/",
        "无",
        "不详",
        "0",
        "1",
        "-1",
        "1.5",
        "1.005",
        "1e-05",
        "1e+05",
        "12,5",
    ),
    *("1,234.50", "１２３", "1.23E+05", "5万元", "800元/月", "¥30", "2022", "2022年", "2022-06"),
    *(
        "2022-06-01",
        "2022.6",
        "2022.10",
        "20220601",
        "2022年6月1日",
        "44713",
        "2022-06-31",
        "1899-01-01",
    ),
    *("11010519491231002X", "11010519491231002x", "110105491231002", "11010519491231002X44"),
    *("1.10105194912310E+17", "110105194912310020.0", "'11010519491231002X", "G11010519491231002X"),
    *("33010219491231002X", "330102", "330102000000", "33010200000", "男", "女", "1 ", "是", "否"),
    *(
        "低保",
        "dibao",
        "张三",
        "张 三",
        "阿·甲",
        "户主",
        "13800000000.0",
        "A1",
        "E1",
        "1E5",
        "王（大）",
    ),
)


def typed(source: Contract, rows: list[list[str]], every: bool) -> list[tuple[object, ...]]:
    headers = [column.headers[0] for column in source.columns if column.headers]
    with duckdb.connect() as connection:
        listed = ", ".join(
            f"({place}, {', '.join(map(literal, row))})" for place, row in enumerate(rows, start=2)
        )
        named = ", ".join(map(quoted, ("__row_number", *headers)))
        connection.execute(f"create table rows as from (values {listed}) as rows ({named})")
        typing = Typing(source, PROJECT.codes, headers, "rows", units={})
        others = (
            [column.name for column in source.columns] if every else other_forms(connection, typing)
        )
        select = typing.select(CONSTANTS, others)
        return connection.execute(f"from ({select}) order by row_number").fetchall()


@pytest.mark.slow
@pytest.mark.parametrize("source", PROJECT.sources, ids=lambda source: source.table)
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_looking_first_changes_no_value_and_no_verdict(
    source: Contract, data: st.DataObject
) -> None:
    width = sum(bool(column.headers) for column in source.columns)
    # a column of one sort of cell is read fast, so most rows share theirs
    sort = data.draw(st.lists(st.sampled_from(CELLS), min_size=width, max_size=width))
    odd = st.tuples(st.integers(0, width - 1), st.sampled_from(CELLS))
    rows = [
        [cell if place != where else other for place, cell in enumerate(sort)]
        for where, other in data.draw(st.lists(odd, min_size=1, max_size=3))
    ]
    assert typed(source, [sort, *rows], every=False) == typed(source, [sort, *rows], every=True)

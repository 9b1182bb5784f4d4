"""What somebody has to decide: pairs that may be one person and that no rule may link.

A decision comes back like any other delivery, in the columns that the workbook begins with.
"""

import hashlib
import io
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import xlsxwriter

from minsheng.contracts import Contract
from minsheng.encryption import sealed_parquet, write_sealed
from minsheng.quoting import literal
from minsheng.settings import RESTRICTED_FILE_MODE, RESTRICTED_FOLDER_MODE

REVIEW = "vault.review"
WORKBOOK_FILE = "link_review.parquet"
"""Where a build keeps the workbook, encrypted, until it is published."""
WORKBOOK_ROWS = 5000
EDITED = "已填写"
"""In the name of a workbook that somebody has written in, when another takes its place."""
DECISION_WIDTH, TEXT_WIDTH = 14, 24
DECISIONS_SHEET = "核对"
HELP_SHEET = "说明"
HELP = (
    "每行是两份可能属于同一人的记录，按对公布数据的影响由大到小排列：先涉及名册户的，再按金额、行数。",
    "请在“核定结果”填写：同一人、非同一人、移出或撤销（撤销此前的核定），并填写核定日期、核定人和核定理由；不能确定的留空。",
    "“移出”用于把某数据集的记录从一人名下移出：甲方、乙方标识都填该人标识，并在“移出数据集”填写数据集名。",
    "填好后请放入 inbox/casework/link_decision/，文件名须含月份（如 2022-12）。不要改动两列标识。",
    "本表含个人信息，只供核对使用，用后请销毁。",
)
SHOWN_AS = {
    "link_rule_code": "rule.label_zh",
    "doubt_code": "doubt.label_zh",
    "affects_household": "case when affects_household then '是' else '否' end",
}
"""How columns of the review are shown that do not stand as they are."""
NO_AMOUNTS = "select null::uhugeint as node, 0::decimal(18, 2) as yuan where false"


def review_select(sources: Sequence[Contract]) -> str:
    """The SELECT of `vault.review`: one row per pair of nodes that nobody has decided on.

    Of the two the one with fewer records would come to the other: its records and their largest
    amounts are the effect. Pairs whose nodes have come together otherwise are not listed.
    """
    return f"""
with open_pair as (
    select pair.one, pair.other, arg_min(pair.link_rule_code, rule_place) as link_rule_code,
        arg_min(doubt_code, rule_place) as doubt_code
    from vault.pair as pair
    join vault.membership as of_one on of_one.node = pair.one
    join vault.membership as of_other on of_other.node = pair.other
    where not is_linked and doubt_code <> 'decided' and of_one.person_id <> of_other.person_id
    group by pair.one, pair.other
),
concerned as (
    select one as node from open_pair union select other from open_pair
),
held as (
    select node, kind, string_agg(value, '、' order by value) as value
    from vault.trait semi join concerned using (node)
    group by node, kind
),
label as (
    select code as kind, label_zh as label from reference.code where code_list = 'link_trait'
),
told as (
    select node, string_agg(label || '：' || value, '；' order by label) as traits
    from held join label using (kind)
    group by node
),
trait as (
    select node, label, value
    from (
        from held
        union all
        from (
            unpivot (
                select node, name_key as person_name, pinyin, number as id_number
                from vault.node semi join concerned using (node)
            ) on person_name, pinyin, id_number into name kind value value
        )
    )
    join label using (kind)
),
source as (
    select node, string_agg(distinct source, '、' order by source) as sources
    from vault.record semi join concerned using (node)
    group by node
),
in_household as (
    select distinct person_id
    from vault.membership
    semi join (select node from vault.trait where kind = 'household_identity') using (node)
),
amount as (
    select node, sum(yuan) as yuan from ({_amounts(sources)}) group by node
),
compared as (
    select open_pair.one, open_pair.other,
        string_agg(one.label, '、' order by one.label)
            filter (one.value = other.value) as agreeing,
        string_agg(one.label, '、' order by one.label)
            filter (one.value <> other.value) as differing
    from open_pair
    join trait as one on one.node = open_pair.one
    join trait as other on other.node = open_pair.other and other.label = one.label
    group by open_pair.one, open_pair.other
)
select
    one.alias_id as one_key,
    other.alias_id as other_key,
    open_pair.link_rule_code,
    open_pair.doubt_code,
    of_one.person_id in (from in_household) or of_other.person_id in (from in_household)
        as affects_household,
    coalesce(
        case when one.record_count < other.record_count then amount_of_one.yuan
            else amount_of_other.yuan end, 0) as moved_yuan,
    least(one.record_count, other.record_count) as moved_record_count,
    one.name_key as one_name,
    other.name_key as other_name,
    one.number as one_number,
    other.number as other_number,
    told_of_one.traits as one_traits,
    told_of_other.traits as other_traits,
    source_of_one.sources as one_sources,
    source_of_other.sources as other_sources,
    coalesce(compared.agreeing, '') as agreeing,
    coalesce(compared.differing, '') as differing
from open_pair
join vault.node as one on one.node = open_pair.one
join vault.node as other on other.node = open_pair.other
join vault.membership as of_one on of_one.node = open_pair.one
join vault.membership as of_other on of_other.node = open_pair.other
join source as source_of_one on source_of_one.node = open_pair.one
join source as source_of_other on source_of_other.node = open_pair.other
left join told as told_of_one on told_of_one.node = open_pair.one
left join told as told_of_other on told_of_other.node = open_pair.other
left join amount as amount_of_one on amount_of_one.node = open_pair.one
left join amount as amount_of_other on amount_of_other.node = open_pair.other
left join compared on compared.one = open_pair.one and compared.other = open_pair.other
"""


def _amounts(sources: Sequence[Contract]) -> str:
    """Rows of nodes that are concerned with the largest amount of each."""
    selects = []
    for source in sources:
        names = {column.name for column in source.columns}
        yuan = [column.name for column in source.columns if column.type == "yuan"]
        if "record_identity" in names and yuan:
            selects.append(
                f"""
                select record.node, greatest({", ".join(yuan)}) as yuan
                from (select * from vault.record semi join concerned using (node)
                    where source = {literal(source.table)}) as record
                join {source.name} as staged using (record_identity)
                """
            )
    return " union all ".join(selects) or NO_AMOUNTS


def keep_workbook(
    connection: duckdb.DuckDBPyConnection, build: Path, review: Contract, decision: Contract
) -> None:
    """Keep the workbook of the open pairs in a build's folder, encrypted.

    It has the columns in which a decision is delivered and those of the review.
    """
    content = _workbook(connection, review, decision)
    write_sealed(connection, pl.DataFrame({"content": [content]}), build / WORKBOOK_FILE)


def give_workbook(connection: duckdb.DuckDBPyConnection, build: Path, path: Path) -> None:
    """Put the workbook that a build has kept where it is looked for, in the place of the last.

    A workbook that somebody has written in stays beside it, under a name that says so.
    """
    kept = build / WORKBOOK_FILE
    if not kept.is_file():
        return
    [(content,)] = connection.execute(f"select content from {sealed_parquet(kept)}").fetchall()
    path.parent.mkdir(parents=True, exist_ok=True, mode=RESTRICTED_FOLDER_MODE)
    given = path.with_name(f".{path.stem}.given")
    if path.is_file():
        digest = _digest(path.read_bytes())
        if not given.is_file() or given.read_text(encoding="ascii") != digest:
            path.replace(path.with_name(f"{path.stem}_{EDITED}_{digest[:8]}{path.suffix}"))
    for target, written in ((given, _digest(content).encode()), (path, content)):
        temporary = path.with_name(f".{path.name}")
        temporary.unlink(missing_ok=True)
        temporary.touch(RESTRICTED_FILE_MODE)
        temporary.write_bytes(written)
        temporary.replace(target)
    kept.unlink()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _workbook(connection: duckdb.DuckDBPyConnection, review: Contract, decision: Contract) -> bytes:
    """The open pairs as a workbook, those with the largest effect first."""
    asked_for = [column for column in decision.columns if column.headers]
    keys = [column.name for column in asked_for if column.required]
    shown = [column for column in review.columns if column.name not in keys]
    words = connection.execute(
        "select label_zh from reference.code where code_list = 'link_decision' order by code"
    ).fetchall()
    (total,) = connection.execute("select count(*) from vault.review").fetchall()[0]
    rows = connection.execute(
        f"""
        select {", ".join([*keys, *(SHOWN_AS.get(each.name, each.name) for each in shown)])}
        from vault.review as review
        left join reference.code as doubt
            on doubt.code_list = 'link_doubt' and doubt.code = review.doubt_code
        left join reference.code as rule
            on rule.code_list = 'link_rule' and rule.code = review.link_rule_code
        order by affects_household desc, moved_yuan desc, moved_record_count desc,
            one_key, other_key
        limit {WORKBOOK_ROWS}
        """
    ).fetchall()
    content = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(content, options) as workbook:
        bold = workbook.add_format({"bold": True})
        text = workbook.add_format({"num_format": "@"})
        asked = workbook.add_format({"num_format": "@", "bg_color": "#FFF2CC"})
        amount = workbook.add_format({"num_format": "#,##0.00"})
        count = workbook.add_format({"num_format": "0"})
        sheet = workbook.add_worksheet(DECISIONS_SHEET)
        sheet.write_row(0, 0, [column.label_zh for column in (*asked_for, *shown)], bold)
        last = len(asked_for)
        sheet.set_column(0, last - 1, DECISION_WIDTH, text)
        sheet.set_column(last, last + len(shown) - 1, TEXT_WIDTH, text)
        sheet.freeze_panes(1, len(keys))
        for place, values in enumerate(rows, start=1):
            sheet.write_row(place, 0, values[: len(keys)], text)
            for column in range(len(keys), last):
                sheet.write_blank(place, column, None, asked)
            for column, value in enumerate(values[len(keys) :], start=last):
                if isinstance(value, int | Decimal):
                    number = amount if isinstance(value, Decimal) else count
                    sheet.write_number(place, column, value, number)
                else:
                    sheet.write_string(place, column, value or "", text)
        decided = [column.name for column in asked_for].index("link_decision_code")
        if rows:
            listed = {"validate": "list", "source": [word for (word,) in words]}
            sheet.data_validation(1, decided, len(rows), decided, listed)
        page = workbook.add_worksheet(HELP_SHEET)
        page.set_column(0, 0, 100)
        left_out = f"另有 {total - len(rows)} 对影响较小，未列出。" if total > len(rows) else ""
        for place, line in enumerate(filter(None, (*HELP, left_out))):
            page.write_string(place, 0, line)
    return content.getvalue()

"""The monthly letter about the quality of a department's data, in Chinese and English.

`letters/<department>/<month>.md` says what came, how much of it was refused month by month, which
rules were broken most and by whom, what contradicts other rows, what is late, and what was refused
whole and is waited for. It counts rows and names none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from minsheng import lake, rejects
from minsheng.lake import Receipt
from minsheng.project import Project
from minsheng.quoting import literal
from minsheng.reasons import CHINESE, ENGLISH, Words
from minsheng.settings import RESTRICTED_FOLDER_MODE

MONTHS = 12
TOP_RULES = 5
TOP_CONTRADICTIONS = 5
WORST_SENDERS = 3

NOTHING: Words = ("无", "none")
SEVERITIES: Mapping[str, Words] = {"critical": ("退回", "refused"), "warning": ("存疑", "doubted")}
"""What is told of a rule; a severity that is none of these is no fault of the department."""

PERIOD = f"""
    select as_of_month, (as_of_month - interval {MONTHS - 1} month)::date as since from meta.build
"""
# a mended row came once: its delivery brings nothing anew and takes from what was refused
IN_FORCE = """
    select delivery_id, period_month, sender, corrects,
        case when corrects is null then 1 else 0 end as files,
        case when corrects is null then rows_received else 0 end as received,
        received - rows_accepted as refused
    from meta.delivery
    where department = $department and delivery_status = 'effective'
    and period_month between $since and $month
"""
TOTAL = f"""
    select coalesce(sum(received), 0), coalesce(sum(refused), 0) from ({IN_FORCE})
"""
TREND = f"""
    select period_month, sum(files), sum(received), sum(refused)
    from ({IN_FORCE}) group by period_month order by period_month
"""
# of the files as they first came, so that a row that comes back is not counted again
RULES = f"""
    select found.rule, found.severity, any_value(result.why), count(*)
    from ({IN_FORCE}) as delivery
    join quality.finding as found using (delivery_id)
    left join quality.check_result as result
        on result.table_name = 'raw.' || found.source and result.check_name = found.rule
    where delivery.corrects is null and found.severity in ({", ".join(map(literal, SEVERITIES))})
    group by found.rule, found.severity
    order by count(*) desc, found.rule limit {TOP_RULES}
"""
SENDERS = f"""
    select coalesce(area.area_name, delivery.sender), sum(delivery.received), sum(delivery.refused)
    from ({IN_FORCE}) as delivery
    left join reference.area as area on area.area_code = delivery.sender
    where delivery.sender is not null
    group by all
    having sum(delivery.refused) > 0
    order by sum(delivery.refused) / sum(delivery.received) desc, 1
    limit {WORST_SENDERS}
"""
CONTRADICTIONS = f"""
    select contradiction, listed.label_zh, listed.label_en, count(*)
    from quality.contradiction as found
    join reference.contradiction as listed using (contradiction)
    where found.period_month between $since and $month and $department
        in (split_part(found.left_source, '__', 1), split_part(found.right_source, '__', 1))
    group by all
    order by count(*) desc, contradiction limit {TOP_CONTRADICTIONS}
"""
AREAS = "select area_code, area_name from reference.area"
LATE = """
    select dataset, stale_since from meta.source
    where department = $department and stale_since is not null order by stale_since, dataset
"""


@dataclass(frozen=True)
class Section:
    """A table of the letter; a cell that is a pair says the same in both languages."""

    title: Words
    columns: Sequence[Words]
    rows: Sequence[Sequence[object]]

    def text(self, language: int) -> str:
        """The section as Markdown."""
        lines = [
            [column[language] for column in self.columns],
            ["---"] * len(self.columns),
            *([_cell(cell, language) for cell in row] for row in self.rows),
        ]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return f"## {self.title[language]}\n\n{table if self.rows else NOTHING[language]}"


def write_letters(project: Project, database: Path) -> tuple[Path, ...]:
    """Write a letter to each department that has delivered; return their paths.

    `database` is a published file. A letter of the same month is replaced.
    """
    written = []
    with duckdb.connect(str(database), read_only=True) as connection:
        [(month, since)] = connection.execute(PERIOD).fetchall()
        labels = {
            code: (zh, en)
            for code, zh, en in connection.execute(
                "select code, label_zh, label_en from reference.code where code_list = 'department'"
            ).fetchall()
        }
        departments = dict(
            connection.execute("select delivery_id, department from meta.delivery").fetchall()
        )
        # files of the last month come after its end
        waiting = [
            receipt
            for receipt in lake.waited_for(lake.read_receipts(project.settings.lake))
            if receipt.delivery_id in departments and receipt.delivered_on >= since
        ]
        for department in sorted(set(departments.values())):
            values = {"department": department, "since": since, "month": month}
            refused = [receipt for receipt in waiting if receipt.department == department]
            text = _text(
                labels[department],
                month,
                connection.execute(TOTAL, values).fetchall()[0],
                _sections(connection, values, _datasets(project, department), refused),
            )
            folder = project.settings.letters / department
            folder.mkdir(parents=True, exist_ok=True, mode=RESTRICTED_FOLDER_MODE)
            path = folder / f"{month:%Y-%m}.md"
            path.write_text(text, encoding="utf-8")
            written.append(path)
    return tuple(written)


def _datasets(project: Project, department: str) -> Mapping[str, Words]:
    """What the department's datasets are called."""
    return {
        source.delivery.dataset: (source.description_zh, source.description_en)
        for source in project.sources
        if source.delivery and source.delivery.department == department
    }


def _sections(
    connection: duckdb.DuckDBPyConnection,
    values: Mapping[str, object],
    datasets: Mapping[str, Words],
    waiting: Sequence[Receipt],
) -> tuple[Section, ...]:
    """What is told of the department in the months that `values` say."""

    def rows(query: str) -> list[tuple[Any, ...]]:
        asked = {name: value for name, value in values.items() if f"${name}" in query}
        return connection.execute(query, asked).fetchall()

    areas = dict(connection.execute(AREAS).fetchall())
    return (
        Section(
            ("逐月情况", "Month by month"),
            (
                ("月份", "month"),
                ("文件", "files"),
                ("收到行数", "rows received"),
                ("退回行数", "rows refused"),
                ("退回率", "share"),
            ),
            [
                (f"{each:%Y-%m}", files, received, refused, _share(refused, received))
                for each, files, received, refused in rows(TREND)
            ],
        ),
        Section(
            ("问题最多的规则", "Rules broken most"),
            (("规则", "rule"), ("程度", "severity"), ("说明", "meaning"), ("行数", "rows")),
            [
                (
                    rule,
                    SEVERITIES[severity],
                    (why or rejects.REASONS.get(rule, ""), rule.replace("_", " ")),
                    count,
                )
                for rule, severity, why, count in rows(RULES)
            ],
        ),
        Section(
            ("退回率最高的报送单位", "Senders with the largest share refused"),
            (
                ("报送单位", "sender"),
                ("收到行数", "rows received"),
                ("退回行数", "rows refused"),
                ("退回率", "share"),
            ),
            [
                (sender, received, refused, _share(refused, received))
                for sender, received, refused in rows(SENDERS)
            ],
        ),
        Section(
            ("与本部门数据有关的矛盾", "Contradictions in which rows of the department stand"),
            (("矛盾", "contradiction"), ("说明", "meaning"), ("行数", "rows")),
            [
                (name, (label_zh, label_en), count)
                for name, label_zh, label_en, count in rows(CONTRADICTIONS)
            ],
        ),
        Section(
            ("逾期未报", "Late"),
            (("数据", "dataset"), ("自何日起", "since")),
            [(datasets[dataset], since) for dataset, since in rows(LATE)],
        ),
        Section(
            ("整件退回、尚未重报", "Refused whole and not yet sent again"),
            (("数据", "dataset"), ("报送单位", "sender"), ("所属期", "period"), ("原因", "reason")),
            [
                (
                    datasets[each.dataset],
                    areas.get(each.sender or "", each.sender or ""),
                    each.period,
                    (each.message_zh or each.message, each.message),
                )
                for each in reversed(waiting)
            ],
        ),
    )


def _text(
    department: Words, month: date, total: tuple[int, int], sections: Sequence[Section]
) -> str:
    """The letter; `total` has the rows received and refused."""
    received, refused = total
    share = _share(refused, received)
    return "\n\n".join(
        [
            f"# {department[CHINESE]}：数据质量月报（{month:%Y年%m月}）",
            f"近{MONTHS}个月有效交付共收到{received:,}行，其中退回{refused:,}行（{share}）。",
            *(section.text(CHINESE) for section in sections),
            "---",
            f"# {department[ENGLISH]}: data quality in {month:%Y-%m}",
            f"{received:,} rows came in deliveries in force in {MONTHS} months; of these "
            f"{refused:,} were refused ({share}).",
            *(section.text(ENGLISH) for section in sections),
            "",
        ]
    )


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.2%}" if whole else "-"


def _cell(cell: object, language: int) -> str:
    said = cell[language] if isinstance(cell, tuple) else cell
    return str(said).replace("|", "\\|").replace("\n", " ")

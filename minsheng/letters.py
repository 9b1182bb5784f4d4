"""The monthly letter about the quality of a department's data, in Chinese and English.

`letters/<department>/<month>.md` says what came, how much of it was refused month by month, which
rules were broken most and by whom, what is late, and what contradicts other departments. It names
rows by delivery and number, never a person.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from minsheng.build import Project
from minsheng.settings import RESTRICTED_FOLDER_MODE

MONTHS = 12
TOP_RULES = 5
WORST_SENDERS = 3

RECENT = """
    select * from meta.delivery
    where department = $department and delivery_status = 'effective'
    and period_month > $month::date - interval 12 month and period_month <= $month::date
"""
TREND = f"""
    select period_month, count(*), sum(rows_received), sum(rows_refused)
    from ({RECENT}) group by period_month order by period_month
"""
RULES = f"""
    select found.rule, found.severity, any_value(result.why), count(*)
    from ({RECENT}) as delivery
    join quality.finding as found using (delivery_id)
    left join quality.check_result as result
        on result.table_name = 'raw.' || found.source and result.check_name = found.rule
    group by found.rule, found.severity
    order by count(*) desc, found.rule limit {TOP_RULES}
"""
SENDERS = f"""
    select coalesce(area.area_name, delivery.sender), sum(delivery.rows_received),
        sum(delivery.rows_refused)
    from ({RECENT}) as delivery
    left join reference.area as area on area.area_code = delivery.sender
    where delivery.sender is not null
    group by all
    having sum(delivery.rows_refused) > 0
    order by sum(delivery.rows_refused) / sum(delivery.rows_received) desc, 1
    limit {WORST_SENDERS}
"""
LATE = """
    select dataset, stale_since from meta.source
    where department = $department and stale_since is not null order by stale_since, dataset
"""
RETURNED = """
    select refused.dataset, coalesce(refused.sender, ''), coalesce(refused.period, ''),
        refused.reason
    from meta.delivery as refused
    where refused.department = $department and refused.delivery_status = 'refused'
    and not exists (
        select 1 from meta.delivery as good
        where good.delivery_status = 'effective' and good.department = refused.department
        and good.dataset = refused.dataset and good.period = refused.period
        and good.sender is not distinct from refused.sender
        and good.delivered_at > refused.delivered_at)
    order by refused.delivery_order desc
"""


@dataclass(frozen=True)
class Letter:
    """What is known of one department's deliveries up to a month."""

    department: str
    month: date
    trend: Sequence[tuple[date, int, int, int]]
    """Month, files, rows received, rows refused."""
    rules: Sequence[tuple[str, str, str | None, int]]
    """Rule, severity, reason in Chinese, rows; the most broken first."""
    senders: Sequence[tuple[str, int, int]]
    """Sender, rows received, rows refused; the worst first."""
    late: Sequence[tuple[str, date]]
    returned: Sequence[tuple[str, str, str, str]]
    """Dataset, sender, period and reason of files that were refused whole and not replaced."""


def write_letters(project: Project, database: Path) -> tuple[Path, ...]:
    """Write a letter to each department that has delivered; return their paths.

    `database` is a published file. A letter of the same month is replaced.
    """
    names = {
        (source.delivery.department, source.delivery.dataset): source
        for source in project.sources
        if source.delivery
    }
    datasets = {key: (s.description_zh, s.description_en) for key, s in names.items()}
    written = []
    with duckdb.connect(str(database), read_only=True) as connection:
        [(month,)] = connection.execute("select as_of_month from meta.build").fetchall()
        labels = {
            code: (zh, en)
            for code, zh, en in connection.execute(
                "select code, label_zh, label_en from reference.code where code_list = 'department'"
            ).fetchall()
        }
        departments = connection.execute(
            "select distinct department from meta.delivery order by department"
        ).fetchall()
        for (department,) in departments:
            letter = _letter(connection, department, month)
            folder = project.settings.letters / department
            folder.mkdir(parents=True, exist_ok=True, mode=RESTRICTED_FOLDER_MODE)
            path = folder / f"{month:%Y-%m}.md"
            path.write_text(_text(letter, labels[department], datasets), encoding="utf-8")
            written.append(path)
    return tuple(written)


def _letter(connection: duckdb.DuckDBPyConnection, department: str, month: date) -> Letter:
    values = {"department": department, "month": month}

    def rows(query: str) -> list[tuple[object, ...]]:
        named = {name: value for name, value in values.items() if f"${name}" in query}
        return connection.execute(query, named).fetchall()

    return Letter(
        department,
        month,
        trend=rows(TREND),  # type: ignore[arg-type]  # the types of the columns above
        rules=rows(RULES),  # type: ignore[arg-type]
        senders=rows(SENDERS),  # type: ignore[arg-type]
        late=rows(LATE),  # type: ignore[arg-type]
        returned=rows(RETURNED),  # type: ignore[arg-type]
    )


def _text(
    letter: Letter,
    names: tuple[str, str],
    datasets: Mapping[tuple[str, str], tuple[str, str]],
) -> str:
    received = sum(row[2] for row in letter.trend)
    refused = sum(row[3] for row in letter.trend)

    def dataset(name: str, language: int) -> str:
        return datasets.get((letter.department, name), (name, name))[language]

    parts = [
        f"# {names[0]}：数据质量月报（{letter.month:%Y年%m月}）",
        f"近{MONTHS}个月有效交付{received:,}行，退回{refused:,}行（{_share(refused, received)}）。",
        _table(
            ("月份", "文件", "收到行数", "退回行数", "退回率"),
            [(f"{m:%Y-%m}", n, r, f, _share(f, r)) for m, n, r, f in letter.trend],
        ),
        "## 问题最多的规则",
        _table(
            ("规则", "程度", "说明", "行数"),
            [
                (rule, {"critical": "退回", "warning": "存疑"}[severity], why or "", count)
                for rule, severity, why, count in letter.rules
            ],
        ),
        "## 退回率最高的报送单位",
        _table(
            ("报送单位", "收到行数", "退回行数", "退回率"),
            [(name, r, f, _share(f, r)) for name, r, f in letter.senders],
        ),
        "## 逾期未报",
        _table(
            ("数据", "自何日起"), [(dataset(name, 0), str(since)) for name, since in letter.late]
        ),
        "## 整件退回、尚未重报",
        _table(
            ("数据", "报送单位", "所属期", "原因"),
            [(dataset(name, 0), *rest) for name, *rest in letter.returned],
        ),
        "---",
        f"# {names[1]}: data quality in {letter.month:%Y-%m}",
        f"{received:,} rows in force came in {MONTHS} months, {refused:,} were refused "
        f"({_share(refused, received)}).",
        _table(
            ("month", "files", "rows received", "rows refused", "share"),
            [(f"{m:%Y-%m}", n, r, f, _share(f, r)) for m, n, r, f in letter.trend],
        ),
        "## Rules broken most",
        _table(
            ("rule", "severity", "rows"),
            [(rule.replace("_", " "), severity, n) for rule, severity, _, n in letter.rules],
        ),
        "## Senders with the largest share refused",
        _table(
            ("sender", "rows received", "rows refused", "share"),
            [(name, r, f, _share(f, r)) for name, r, f in letter.senders],
        ),
        "## Late",
        _table(("dataset", "since"), [(dataset(name, 1), str(s)) for name, s in letter.late]),
        "## Refused whole and not yet sent again",
        _table(
            ("dataset", "sender", "period", "reason"),
            [(dataset(name, 1), *rest) for name, *rest in letter.returned],
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.2%}" if whole else "-"


def _table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    if not rows:
        return "无 / none"
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(
        "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in line) + " |"
        for line in lines
    )

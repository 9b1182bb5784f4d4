"""Why a household stands on the risk table, in words, down to the delivered rows."""

from collections.abc import Sequence

import duckdb

from minsheng.release import CURRENT
from minsheng.settings import Settings
from minsheng.warehouse import WAREHOUSE_FILE

COMPARISONS = {"<": "低于", "<=": "不高于", ">": "高于", ">=": "达到"}
SHOWN_ROWS = 12

HOUSEHOLD = """
select risk.household_id, county.area_name, town.area_name, village.area_name,
    level.label_zh, object_type.label_zh, risk.points, risk.signal_count,
    risk.first_signal_month, risk.days_open, risk.per_capita_yuan, risk.line_yuan,
    cause.label_zh, risk.as_of_month
from risk.return_to_poverty as risk
left join reference.area as county on county.area_code = risk.county_code
left join reference.area as town on town.area_code = risk.town_code
left join reference.area as village on village.area_code = risk.village_code
left join reference.code as level on level.code_list = 'risk_level' and level.code = risk.level
left join reference.code as object_type
    on object_type.code_list = 'object_type' and object_type.code = risk.object_type_code
left join reference.code as cause
    on cause.code_list = 'cause' and cause.code = risk.main_cause_code
where risk.household_id = ?
"""
SIGNALS = """
select signal.signal_id, description.label_zh, description.label_en, signal.value,
    signal.comparator, signal.threshold, signal.points, signal.first_month, signal.document,
    signal.clause, max(rule.unit)
from risk.household_signal as signal
join reference.signal as description using (signal_id)
left join reference.rule_value as rule on rule.rule_id = description.threshold_rule_id
where signal.household_id = ?
group by all
order by signal.points desc, signal.signal_id
"""
EVIDENCE = """
select role.label_zh, delivery.department, delivery.dataset, delivery.sender, delivery.period,
    evidence.delivery_id, evidence.row_number
from risk.signal_evidence as evidence
join meta.delivery as delivery using (delivery_id)
left join reference.code as role on role.code_list = 'evidence_role' and role.code = evidence.role
where evidence.household_id = ? and evidence.signal_id = ?
order by evidence.role desc, delivery.dataset, delivery.period, evidence.delivery_id,
    evidence.row_number
"""
MEMBERS = """
    select member.person_id
    from linked.household_member as member
    join meta.build as build on member.year <= year(build.as_of_month)
    where member.household_id = $1
    qualify member.year = max(member.year) over ()
"""
ASSISTANCE = f"""
select kind.label_zh, count(distinct roll.person_id), max(roll.month)
from linked.assistance as roll
join reference.code as kind on kind.code_list = 'assistance' and kind.code = roll.assistance_code
where roll.person_id in ({MEMBERS})
    and roll.month = (
        select max(complete.period_month)
        from indicators.complete_roll as complete
        join linked.household as household using (county_code)
        join meta.build as build on complete.period_month <= build.as_of_month
        where household.household_id = $1 and complete.source = 'civil_affairs__assistance_roll'
    )
group by kind.label_zh
order by kind.label_zh
"""
PAYMENTS = f"""
select programme.label_zh, count(*), sum(payment.amount_yuan), max(payment.month)
from linked.relief_payment as payment
join reference.code as programme
    on programme.code_list = 'programme' and programme.code = payment.programme_code
join linked.household as household on household.household_id = $1
join indicators.watch_window as watch
    on watch.county_code = household.county_code
    and payment.month >= watch.watch_from and payment.month < watch.after_month
where payment.person_id in ({MEMBERS})
group by programme.label_zh
order by programme.label_zh
"""


TODAY = """
select household_id
from linked.household
where household_id = coalesce(
    (select household_id from linked.household_alias
        where alias_id = $1 and household_notion = 'roll'),
    $1)
"""
"""The household of a key, which may be one of before."""


class UnknownHousehold(ValueError):
    """No household has the key."""


def explain_household(settings: Settings, household_id: str) -> str:
    """The household's case in words: each signal, its threshold and document, and its rows.

    A key that the household had before leads to it. Reads the current published version. Raises
    UnknownHousehold if no household has the key, and says so plainly if it has no signal.
    """
    path = settings.published / CURRENT / WAREHOUSE_FILE
    if not path.is_file():
        raise UnknownHousehold("nothing is published yet; run `minsheng refresh`")
    with duckdb.connect(str(path), read_only=True) as connection:

        def rows(query: str, *values: object) -> list[tuple[object, ...]]:
            return connection.execute(query, list(values)).fetchall()

        try:
            found = rows(TODAY, household_id)
        except duckdb.CatalogException:
            raise UnknownHousehold(
                f"{path} was made by an earlier version of the program; run `minsheng refresh`"
            ) from None
        if not found:
            raise UnknownHousehold(
                f"no household {household_id!r}; take one from risk.return_to_poverty in {path}"
            )
        before, household_id = household_id, str(found[0][0])
        signals = rows(SIGNALS, household_id)
        lines = [f"户 {before} 现为 · is now {household_id}"] if before != household_id else []
        lines += _headline(rows(HOUSEHOLD, household_id), household_id, settings, bool(signals))
        for signal in signals:
            lines += _signal_lines(signal, settings)
            lines += _evidence_lines(rows(EVIDENCE, household_id, signal[0]))
        assistance, payments = rows(ASSISTANCE, household_id), rows(PAYMENTS, household_id)
        lines += _help_lines(assistance, payments, settings)
    return "\n".join(lines)


def _headline(
    found: Sequence[tuple[object, ...]], household_id: str, settings: Settings, has_signals: bool
) -> list[str]:
    if not found:
        why = "有信号但未达到列入分值" if has_signals else "没有预警信号"
        return [f"户 {household_id}: 不在返贫风险名单（{why}） · not on the risk table"]
    (
        _,
        county,
        town,
        village,
        level,
        kind,
        points,
        count,
        since,
        days,
        income,
        line,
        cause,
        month,
    ) = found[0]
    place = " ".join(str(name) for name in (county, town, village) if name)
    return [
        f"户 {household_id}  {place}",
        f"截至 {_month(month)}：{level}，{kind}，{points} 分，{count} 个信号，主要风险：{cause}",
        f"最早信号 {_month(since)}，已持续 {days} 天；"
        f"人均收入 {_amount(income)} {settings.currency_zh}，监测线 {_amount(line)} "
        f"{settings.currency_zh}",
    ]


def _signal_lines(signal: tuple[object, ...], settings: Settings) -> list[str]:
    (_, label_zh, label_en, value, comparator, threshold, points, since, document, clause, unit) = (
        signal
    )
    compared = COMPARISONS[str(comparator)]
    return [
        "",
        f"■ {label_zh} · {label_en}（{points} 分，自 {_month(since)}）",
        f"  {_quantity(value, str(unit), settings)}，{compared}阈值 "
        f"{_quantity(threshold, str(unit), settings)}",
        f"  依据：{document}（{clause}）",
    ]


def _evidence_lines(found: Sequence[tuple[object, ...]]) -> list[str]:
    lines = []
    for role, department, dataset, sender, period, delivery_id, row_number in found[:SHOWN_ROWS]:
        where = f"第 {row_number} 行" if row_number is not None else "整册"
        part = f" {sender}" if sender else ""
        lines.append(f"  {role}：{department}/{dataset}{part} {period} 交付 {delivery_id} {where}")
    if len(found) > SHOWN_ROWS:
        lines.append(f"  另有 {len(found) - SHOWN_ROWS} 行，见 risk.signal_evidence")
    return lines


def _help_lines(
    assistance: Sequence[tuple[object, ...]],
    payments: Sequence[tuple[object, ...]],
    settings: Settings,
) -> list[str]:
    lines = ["", "现有帮扶 · what it gets"]
    for kind, persons, month in assistance:
        lines.append(f"  {kind}：{persons} 人在册（{_month(month)}）")
    for programme, count, total, month in payments:
        lines.append(
            f"  {programme}：近十二个月 {count} 笔，共 {_amount(total)} {settings.currency_zh}，"
            f"最近 {_month(month)}"
        )
    return lines if len(lines) > 2 else [*lines, "  无 · none"]


def _quantity(value: object, unit: str, settings: Settings) -> str:
    number = float(str(value))
    if unit == "rate":
        return f"{number:.1%}"
    if unit.startswith(settings.currency_en):
        return f"{number:,.2f} {settings.currency_zh}"
    return f"{number:g}"


def _amount(value: object) -> str:
    return "未知" if value is None else f"{float(str(value)):,.2f}"


def _month(value: object) -> str:
    return str(value)[:7]

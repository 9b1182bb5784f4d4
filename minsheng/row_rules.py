"""What every row of a dataset is held to: rules that follow from its columns, then its own.

A rule is a predicate over the typed columns, which the row breaks where it is false.
"""

from collections.abc import Iterator, Mapping

from minsheng import identity
from minsheng.cell_forms import NUMBERS_AS_TEXT, TEXTS, is_number_in_text
from minsheng.contracts import Column, Contract, Rule

READABLE_AS: Mapping[str, str] = {
    "date": "请按 2022-06-01 的样式填写",
    "month": "请按 2022-06 的样式填写",
    "year": "请填四位年份，如 2022",
    "integer": "请填整数",
    "number": "请只填数字",
    "flag": "请填“是”或“否”",
    "area_code": "请填12位行政区划代码",
    "code": "请按代码表中的名称填写",
}
"""How a cell that could not be read is to be filled in, where no unit is in force."""

SYNONYMS_RULE = "columns_of_one_meaning_agree"
DATED_RULE = "date_lies_in_the_period"


def readable_as(column: Column, unit: str | None) -> str:
    """How a cell of the column is to be filled in, in a file whose amounts are in `unit`.

    None is the column's own unit.
    """
    if not column.units:
        return READABLE_AS.get(column.type, "")
    return f"请只填数字，以{unit or own_unit(column)}为单位；单位不同的，请在数字后写明单位"


def own_unit(column: Column) -> str:
    """The unit in which the column's values stand."""
    return next(unit for unit, size in column.units.items() if size == 1)


def row_rules(contract: Contract) -> tuple[Rule, ...]:
    """Every rule a row is held to: those that follow from the columns, then the contract's own."""
    rules: list[Rule] = []
    for column in contract.columns:
        name, label = column.name, column.label_zh
        if not (column.headers or column.composed_of or column.otherwise):
            continue
        unread = f"coalesce(contains(unreadable, ',{name},'), false)"
        if column.type not in TEXTS:
            rules.append(
                _critical(
                    f"{name}_is_readable",
                    name,
                    f"not {unread}",
                    f"{label}无法识别",
                    readable_as(column, None),
                )
            )
        if column.required:
            rules.append(
                _critical(
                    f"{name}_is_given",
                    name,
                    f"{name} is not null or {unread}",
                    f"{label}未填",
                    f"请补填{label}",
                )
            )
        if column.minimum is not None:
            rules.append(
                _critical(
                    f"{name}_is_not_too_small",
                    name,
                    f"{name} >= {column.minimum}",
                    f"{label}小于{_limit(column, column.minimum)}",
                )
            )
        if column.maximum is not None:
            rules.append(
                _critical(
                    f"{name}_is_not_too_large",
                    name,
                    f"{name} <= {column.maximum}",
                    f"{label}大于{_limit(column, column.maximum)}",
                )
            )
        if column.not_future:
            rules.append(
                _critical(
                    f"{name}_is_not_in_the_future",
                    name,
                    f"{name} <= delivered_on",
                    f"{label}晚于送达日期",
                )
            )
        if column.type in NUMBERS_AS_TEXT or is_number_in_text(column):
            rules.append(
                _critical(
                    f"{name}_is_not_scientific",
                    name,
                    f"not {identity.is_scientific(name)}",
                    f"{label}被电子表格改成科学计数法，末位已丢失",
                    "请先将该列设为文本格式，再按原始证件重新填写",
                )
            )
            rules.append(
                _critical(
                    f"{name}_is_not_rounded",
                    name,
                    f"not {identity.is_rounded(name)}",
                    f"{label}被当作数值，带有小数点，末位可能已丢失",
                    "请先将该列设为文本格式，再按原始证件重新填写",
                )
            )
        if column.type == "id_number":
            rules.append(
                Rule(
                    f"{name}_has_its_shape",
                    "warning",
                    identity.has_id_shape(name),
                    (name,),
                    f"{label}应为18位或15位，无法据以关联",
                )
            )
            rules.append(
                Rule(
                    f"{name}_has_a_known_province",
                    "warning",
                    identity.has_known_province(name),
                    (name,),
                    f"{label}前两位不是省级代码",
                )
            )
            rules.append(
                Rule(
                    f"{name}_has_a_real_birth_date",
                    "warning",
                    identity.has_real_birth_date(name),
                    (name,),
                    f"{label}中的出生日期不是实有的日期，无法据以关联",
                    "请按原始证件核对",
                )
            )
            rules.append(
                Rule(
                    f"{name}_has_its_check_digit",
                    "warning",
                    f"not coalesce(contains(misspelt, ',{name},'), false)",
                    (name,),
                    f"{label}的校验码不符，有一位或几位填错，无法据以关联",
                    "请按原始证件核对",
                )
            )
            rules.append(
                _critical(
                    f"{name}_is_born_before_delivery",
                    name,
                    f"length({name}) <> 18 or substr({name}, 7, 8) "
                    "<= strftime(delivered_on, '%Y%m%d')",
                    f"{label}中的出生日期晚于送达日期",
                )
            )
    if contract.delivery:
        rules.append(
            Rule(
                SYNONYMS_RULE,
                "critical",
                "disagreeing is null",
                (),
                "同一内容的两列填写不一致",
                "请核对后填写一致，或清空有误的一格",
            )
        )
    rules += _declared_rules(contract)
    dated_by = contract.delivery.dated_by if contract.delivery else None
    if contract.delivery and dated_by:
        label = contract.column(dated_by).label_zh
        rules.append(
            Rule(
                DATED_RULE,
                "warning",
                f"date_trunc('{contract.delivery.period}', {dated_by}) "
                f"= date_trunc('{contract.delivery.period}', period_month)",
                (dated_by,),
                f"{label}不在本期之内",
                "请核对日期；属于其他期的，请随该期报送",
            )
        )
    return (*rules, *contract.rules)


def kept_if_plain(name: str) -> tuple[str, ...]:
    """Rules that no row breaks if every cell of the column is in its plain form."""
    return (f"{name}_is_readable", f"{name}_is_not_scientific", f"{name}_is_not_rounded")


def _limit(column: Column, limit: float) -> str:
    """A limit as it is told; a file may state its amounts in another unit."""
    return f"{limit}{own_unit(column)}" if column.units else str(limit)


def _declared_rules(contract: Contract) -> Iterator[Rule]:
    """What a department declares of a person, against what a valid number says."""
    columns = {column.name: column for column in contract.columns}
    if "id_number" not in columns:
        return
    number = "id_number"
    says = {"birth_date": identity.birth_date(number), "sex_code": identity.sex_code(number)}
    is_good = (
        f"{identity.has_id_shape(number)} and {identity.has_real_birth_date(number)} "
        f"and not coalesce(contains(misspelt, ',{number},'), false)"
    )
    for name, expression in says.items():
        if name in columns:
            label = columns[name].label_zh
            yield Rule(
                f"{name}_agrees_with_the_number",
                "warning",
                f"{name} is null or {name} = {expression} or not ({is_good})",
                (name, number),
                f"{label}与证件号码不一致",
                "请核对证件号码和本项，改正有误的一项",
            )


def _critical(name: str, column: str, expression: str, why: str, mend: str = "") -> Rule:
    return Rule(name, "critical", expression, (column,), why, mend)

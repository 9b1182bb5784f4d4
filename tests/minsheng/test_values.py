"""Text becomes a value exactly, or its row is refused; nothing is guessed."""

import re
from dataclasses import replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from minsheng.lake import Receipt
from tests.minsheng.desk import (
    INCOME,
    INCOME_HEADER,
    PAYMENT,
    PAYMENT_HEADER,
    ROLL,
    ROLL_HEADER,
    VILLAGE,
    ZHANG,
    Desk,
)

FULL_WIDTH = str.maketrans("０１２３４５６７８９－．，", "0123456789-.,")
LARGEST = Decimal("9999999999999999.99")
SAYS_NOTHING = ("", "-", "--", "—", "——", "－", "/", "／", "无")  # as clerks write it
EXPONENTS = range(-(2**15), 2**15)
"""Those that DuckDB reads; an amount with another is refused."""

many_at_once = settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def business_incomes(desk: Desk, texts: list[str]) -> list[tuple[Decimal | None, str | None]]:
    """What the texts become as a household's business income, and what their rows are refused for.

    As many good rows follow, since a file of mostly bad rows is refused whole.
    """
    cells = [quoted(text) for text in texts] + ["1"] * (len(texts) + 1)
    # the same texts drawn again make another file
    drawing = len(desk.receipts())
    rows = [f"户{drawing}-{place},2,{VILLAGE},{cell}\n" for place, cell in enumerate(cells)]
    receipt = desk.take(INCOME, "2022.csv", INCOME_HEADER + "".join(rows))
    return desk.typed(receipt).select("business_yuan", "refused_by").head(len(texts)).rows()


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def understood(text: str) -> Decimal | None:
    """The amount that a text states, to the fen, or None; written apart from the SQL."""
    text = text.strip(" \t\r\n\u3000\u00a0")
    if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?", text):
        text = re.sub("[ \u3000]*元$", "", text.translate(FULL_WIDTH))
        if not re.fullmatch(r"[+-]?([0-9]+|[0-9]{1,3}(,[0-9]{3})+)?(\.[0-9]*)?", text):
            return None
        if not re.search("[0-9]", text):
            return None
    elif int(text.partition("e")[2] or 0) not in EXPONENTS:
        return None
    amount = Decimal(text.replace(",", ""))
    if abs(amount) > LARGEST:
        return None
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


@many_at_once
@given(st.lists(st.decimals(-LARGEST, LARGEST, places=2), min_size=1, max_size=200))
def test_an_amount_of_whole_fen_is_kept_exactly(desk: Desk, drawn: list[Decimal]) -> None:
    found = business_incomes(desk, [f"{amount:f}" for amount in drawn])
    assert found == [(amount, None) for amount in drawn]


@many_at_once
@example(["0e32767", "0e32768", "0e40000", "1e-32768", "1e-32769"] * 4)
@given(
    st.lists(
        st.text("0123456789.,-+eE 元x１９，．－\u3000", max_size=9)
        | st.from_regex(r"-?[0-9]{1,3}(,[0-9]{3}){0,2}(\.[0-9]{0,4})?", fullmatch=True)
        | st.text(max_size=5),
        min_size=20,
        max_size=200,
    )
)
def test_a_text_is_understood_or_its_row_is_refused(desk: Desk, drawn: list[str]) -> None:
    texts = [text for text in drawn if "\n" not in text]
    for text, (amount, refused_by) in zip(texts, business_incomes(desk, texts), strict=True):
        expected = understood(text)
        is_blank = text.strip(" \t\r\n\u3000\u00a0") in SAYS_NOTHING
        assert (text, amount) == (text, expected)
        is_refused = refused_by is not None
        assert is_refused == (expected is None and not is_blank), (text, refused_by)


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("1,234.56", "1234.56"),
        ("１２３４．５６", "1234.56"),
        ("－１，２３４", "-1234.00"),
        (" 12.3 ", "12.30"),
        ("\u300012.3\u00a0", "12.30"),
        ("12.345", "12.35"),
        ("-12.345", "-12.35"),
        ("12.344999", "12.34"),
        ("+5", "5.00"),
        (".5", "0.50"),
        ("5.", "5.00"),
        ("1e+05", "100000.00"),
        ("-0", "0.00"),
    ],
)
def test_an_amount_is_read_as_departments_write_it(desk: Desk, text: str, amount: str) -> None:
    assert business_incomes(desk, [text]) == [(Decimal(amount), None)]


@pytest.mark.parametrize(
    "text",
    [
        "abc",
        "12,34",
        "1,2,3",
        "1 234",
        "1_000",
        "1.23E+05",
        "12.5角",
        "元",
        "¥",
        "5元元",
        "5元/月",
        "1.2.3",
        "--5",
        "---",
        "NaN",
        "inf",
        "0x10",
        "99999999999999999",
        "（5）",
    ],
)
def test_an_amount_that_is_not_understood_refuses_its_row(desk: Desk, text: str) -> None:
    assert business_incomes(desk, [text]) == [(None, "business_yuan_is_readable")]


@pytest.mark.parametrize("mark", ["-", "--", "—", "——", "－", "/", "无", " / "])
def test_a_mark_for_nothing_in_a_number_or_a_date_is_unknown(desk: Desk, mark: str) -> None:
    header = "身份证号码,姓名,救助类别,起始月份,月保障金\n"
    receipt = desk.take(ROLL, "2022-12.csv", f"{header}{ZHANG},张三,低保,{mark},{mark}\n")
    assert desk.typed(receipt).select("start_month", "monthly_yuan", "refused_by").rows() == [
        (None, None, None)
    ]
    assert receipt.conversions == {
        "monthly_yuan: a mark for nothing": 1,
        "start_month: a mark for nothing": 1,
    }


def test_a_mark_for_nothing_where_a_value_is_required_refuses_its_row(desk: Desk) -> None:
    rows = f"{ZHANG},张三,低保金,-\n{ZHANG},张四,低保金,5\n"
    receipt = desk.take(PAYMENT, "2022-06.csv", PAYMENT_HEADER + rows)
    assert receipt.refused_by_rule == {"amount_yuan_is_given": 1}


def test_of_two_columns_one_with_a_mark_for_nothing_the_other_counts(desk: Desk) -> None:
    header = PAYMENT_HEADER.replace("发放金额", "发放金额,补贴金额")
    receipt = desk.take(PAYMENT, "2022-06.csv", f"{header}{ZHANG},张三,低保金,-,5\n")
    assert desk.typed(receipt)["amount_yuan"].to_list() == [Decimal("5.00")]


def test_a_monthly_standard_marked_as_nothing_is_told_by_the_yearly_one(desk: Desk) -> None:
    header = "行政区划代码,保障类别,城乡类别,执行日期,年标准,月标准"
    row = "330328000000,低保,农村,2022-07-01,12000,/"
    receipt = desk.take("civil_affairs__dibao_standard", "2022.csv", f"{header}\n{row}\n")
    assert desk.typed(receipt)["standard_yuan"].to_list() == [Decimal("1000.00")]


def test_an_amount_left_empty_is_unknown_and_not_zero(desk: Desk) -> None:
    assert business_incomes(desk, [""]) == [(None, None)]


def certificates(desk: Desk, texts: list[str]) -> list[tuple[date | None, str | None]]:
    """What the texts become as the date of issue of a certificate."""
    header = "残疾人证号,姓名,残疾类别,残疾等级,发证日期\n"
    dates = [*texts, *["2020-01-01"] * (len(texts) + 1)]
    rows = [
        f"9901011970010100{place:04},张三,肢体,二级,{text}\n" for place, text in enumerate(dates)
    ]
    receipt = desk.take(
        "disability_federation__disability_certificate", "2022.csv", header + "".join(rows)
    )
    return desk.typed(receipt).select("issue_date", "refused_by").head(len(texts)).rows()


def test_a_date_is_read_as_departments_write_it(desk: Desk) -> None:
    texts = ["2022-06-01", "2022-6-1", "2022/06/01", "2022/6/1", "20220601", "2022年6月1日"]
    texts += ["2022年06月01日", "2022.6.1", "２０２２－０６－０１", " 2022-06-01 "]
    texts += ["2022-06-01 00:00:00", "2022-06-01T08:30:00", "2022/6/1 8:30", "2022.6.1 8:30:15.5"]
    texts += ["44713", "44713.0", "44713.75", "４４７１３", "20220601.0"]
    assert certificates(desk, texts) == [(date(2022, 6, 1), None)] * len(texts)


def test_a_date_that_is_not_understood_refuses_its_row(desk: Desk) -> None:
    texts = [
        "epoch",
        "infinity",
        "today",
        "2022-06-31",
        "2022-13-01",
        "2022111",
        "2022",
        "20226",
        "20999",
        "73416",
        "-44713",
        "44713 8:30",
        "202206",
        "2022年6月",
        "22-06-01",
        "1-6-2022",
        "2022-06",
    ]
    texts += ["2022-06-01 foo", "2022-06/01", "1822-06-01", "2022年6月1", "０", "12022-06-01"]
    assert certificates(desk, texts) == [(None, "issue_date_is_readable")] * len(texts)


def test_a_date_after_the_delivery_refuses_its_row(desk: Desk) -> None:
    texts = ["2023-01-10", "2023-01-11", "2035-01-01"]
    refusals = [refused_by for _, refused_by in certificates(desk, texts)]
    rule = "issue_date_is_not_in_the_future"
    assert refusals == [None, rule, rule]


def start_months(desk: Desk, texts: list[str]) -> pl.DataFrame:
    months = [*texts, *["2020-01"] * (len(texts) + 1)]
    rows = [f"{ZHANG},张{place},低保,{text},500\n" for place, text in enumerate(months)]
    receipt = desk.take(ROLL, "2022-12.csv", ROLL_HEADER + "".join(rows))
    return desk.typed(receipt).select("start_month", "refused_by").head(len(texts))


def test_a_month_is_read_as_departments_write_it(desk: Desk) -> None:
    texts = [
        "2022-06",
        "202206",
        "2022年6月",
        "2022年06月",
        "2022/6",
        "2022.06",
        "2022-6",
        "２０２２０６",
    ]
    texts += ["2022-06-15", "2022年6月1日", "20220601", "2022.6", "2022年6", "202206.0", "44713"]
    assert start_months(desk, texts).rows() == [(date(2022, 6, 1), None)] * len(texts)


def test_a_month_that_is_not_understood_refuses_its_row(desk: Desk) -> None:
    # 2022.1 is what a spreadsheet makes of 2022.10
    texts = [
        "2022",
        "20226",
        "2022.1",
        "2022-06.0",
        "2022-13",
        "六月",
        "2022-06-31",
        "1-2022",
        "infinity",
    ]
    assert start_months(desk, texts).rows() == [(None, "start_month_is_readable")] * len(texts)


def test_a_word_outside_its_code_list_refuses_its_row(desk: Desk) -> None:
    words = ["低保", "农村低保", " 特困 ", "dibao", "贫困", "低保2"]
    rows = "".join(f"{ZHANG},张{place},{word},,\n" for place, word in enumerate(words))
    receipt = desk.take(ROLL, "2022-12.csv", ROLL_HEADER + rows)
    rule = "assistance_code_is_readable"
    assert desk.typed(receipt).select("assistance_code", "refused_by").rows() == [
        ("dibao", None),
        ("dibao", None),
        ("tekun", None),
        ("dibao", None),
        (None, rule),
        (None, rule),
    ]


def test_identity_numbers_are_stored_in_one_form(desk: Desk) -> None:
    written = [
        "99010119700101001x",
        " 990101 19700101 001X",
        "'99010119700101001X",
        "９９０１０１１９７００１０１００１Ｘ",
    ]
    rows = "".join(f"{number},张{place},低保,,\n" for place, number in enumerate(written))
    receipt = desk.take(ROLL, "2022-12.csv", ROLL_HEADER + rows)
    assert desk.typed(receipt)["id_number"].to_list() == ["99010119700101001X"] * len(written)


def rolls(desk: Desk, phones: list[str], certificates: list[str]) -> pl.DataFrame:
    """The members with these telephone and identity numbers."""
    header = "户编号,证件号码,姓名,与户主关系,行政村代码,联系电话\n"
    pairs = zip(phones, certificates, strict=True)
    rows = "".join(
        f"户{n},{number},张{n},户主,{VILLAGE},{phone}\n" for n, (phone, number) in enumerate(pairs)
    )
    rows += "".join(f"户丙{n},,李{n},户主,{VILLAGE},\n" for n in range(len(phones) + 1))
    receipt = desk.take("agriculture__household_roll", "2022.csv", header + rows)
    return desk.typed(receipt).select("phone", "id_number", "refused_by").head(len(phones))


def test_a_number_that_a_program_took_for_a_quantity_is_mended_while_it_is_whole(
    desk: Desk,
) -> None:
    phones = ["13800000000.0", "１３８００００００００", " 138 0000 0000", "'13800000000", ""]
    old = "990101700101001"
    numbers = [f"{old}.0", old, f"{old}.00", f" {old}", ""]
    found = rolls(desk, phones, numbers).rows()
    assert found == [("13800000000", old, None)] * 4 + [(None, None, None)]


@pytest.mark.parametrize(
    ("phone", "number", "rule"),
    [
        ("1.38E+10", "", "phone_is_not_scientific"),
        ("", "9.90101E+17", "id_number_is_not_scientific"),
        ("", f"{ZHANG}.0", "id_number_is_not_rounded"),
    ],
)
def test_a_number_whose_digits_are_lost_refuses_its_row(
    desk: Desk, phone: str, number: str, rule: str
) -> None:
    assert rolls(desk, [phone], [number])["refused_by"].to_list() == [rule]


def test_a_number_that_can_be_nobodys_is_doubted(desk: Desk) -> None:
    numbers = ["330390197001010016", "330390197001010011", "330390197102290010"]
    rows = "".join(f"{number},张三,低保,,\n" for number in numbers)
    receipt = desk.take(ROLL, "2022-12.csv", ROLL_HEADER + rows)
    assert receipt.warned_by_rule == {
        "id_number_has_a_real_birth_date": 1,
        "id_number_has_its_check_digit": 1,
    }
    assert receipt.rows_accepted == 3


def test_a_number_of_the_household_in_scientific_notation_refuses_its_row(desk: Desk) -> None:
    rows = f"9.90101E+17,2,{VILLAGE},1\n户1,2,{VILLAGE},1\n"
    receipt = desk.take(INCOME, "2022.csv", INCOME_HEADER + rows)
    assert receipt.refused_by_rule == {"household_number_is_not_scientific": 1}


# ── units ───────────────────────────────────────────────────────────────────────────────────────

LEDGER = "户编号,家庭人口数,行政村代码,工资性收入{},生产经营性净收入{}"


def ledger(desk: Desk, content: str) -> tuple[Receipt, list[tuple[Decimal | None, ...]]]:
    """The receipt of an income ledger, and its wages and business incomes."""
    receipt = desk.take(INCOME, "2022.csv", content)
    if receipt.status == "refused":
        return receipt, []
    return receipt, desk.typed(receipt).select("wage_yuan", "business_yuan").rows()


ROW = f"户1,2,{VILLAGE},1.23456,-2\n"
IN_YUAN = [(Decimal("12345.60"), Decimal("-20000.00"))]


@pytest.mark.parametrize(
    "header",
    [
        LEDGER.format("（万元）", "(万元)"),
        LEDGER.format(" （单位：万元）", "【万元】"),
        LEDGER.format("（万元/年）", "（万元／户）").replace("工资性收入", "wage_yuan"),
        "单位：万元,,,,\n" + LEDGER.format("", ""),
        "收入台账（单位: 万元、人）,,,,\n" + LEDGER.format("", "（万元）"),
        "填报单位：开元街道,,,金额单位：万元,\n" + LEDGER.format("", ""),
        "户编号,家庭人口数,行政村代码,收入（万元）,\n,,,工资性收入,生产经营性净收入",
    ],
)
def test_amounts_in_another_unit_are_converted(desk: Desk, header: str) -> None:
    receipt, amounts = ledger(desk, f"{header}\n{ROW}")
    assert amounts == IN_YUAN
    units = {kind.split(": ")[0] for kind in receipt.conversions}
    assert units == {"wage_yuan", "business_yuan"} == set(receipt.units)
    assert set(receipt.conversions.values()) == {1}


def test_a_header_says_its_unit_before_the_title_does(desk: Desk) -> None:
    header = "单位：万元,,,,\n" + LEDGER.format("（元）", "")
    receipt, amounts = ledger(desk, f"{header}\n{ROW}")
    assert amounts == [(Decimal("1.23"), Decimal("-20000.00"))]
    assert receipt.units == {"business_yuan": "万元"}


@pytest.mark.parametrize("title", ["单位：元", "单位：开元街道", "（2022年）", "单位：人"])
def test_amounts_in_their_own_unit_are_left_as_they_are(desk: Desk, title: str) -> None:
    receipt, amounts = ledger(desk, f"{title},,,,\n{LEDGER.format('', '')}\n{ROW}")
    assert amounts == [(Decimal("1.23"), Decimal("-2.00"))]
    assert (receipt.units, receipt.conversions) == ({}, {"wage_yuan: rounded": 1})


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (LEDGER.format("（元/月）", ""), "工资性收入 is stated in 元/月; send it in one of 元、"),
        ("单位：元/月,,,,\n" + LEDGER.format("", ""), "工资性收入 is stated in 元/月; send it in"),
        ("（元）,（万元）,,,\n" + LEDGER.format("", ""), "stated in 万元、元; send it in one of"),
        (
            LEDGER.format("（元）", "").replace("生产经营性净收入", "工资性收入（万元）"),
            "is stated in several units",
        ),
    ],
)
def test_a_unit_in_doubt_refuses_the_file(desk: Desk, header: str, message: str) -> None:
    receipt, _ = ledger(desk, f"{header}\n{ROW}")
    assert receipt.status == "refused"
    assert message in receipt.message


def test_amounts_per_month_are_read_where_the_contract_says_how(desk: Desk) -> None:
    source = desk.source(INCOME)
    wage = source.column("wage_yuan")
    monthly = replace(wage, units={**wage.units, "元/月": 12})
    columns = tuple(monthly if column == wage else column for column in source.columns)
    lenient = desk.with_contract(replace(source, columns=columns))
    receipt, amounts = ledger(lenient, f"{LEDGER.format('（元/月）', '')}\n{ROW}")
    assert amounts == [(Decimal("14.81"), Decimal("-2.00"))]
    assert receipt.conversions == {"wage_yuan: 元/月 to yuan": 1, "wage_yuan: rounded": 1}


@many_at_once
@given(st.lists(st.decimals(-(10**11), 10**11, places=6), min_size=1, max_size=50))
def test_an_amount_in_ten_thousands_is_exact_to_the_fen(desk: Desk, drawn: list[Decimal]) -> None:
    rows = [f"户{n},2,{VILLAGE},{amount:f}\n" for n, amount in enumerate(drawn)]
    header = INCOME_HEADER.replace("净收入", "净收入（万元）")
    # another file each time, though the amounts be the same
    desk.put(INCOME, "2022.csv", header + "".join(rows) + "\n" * len(desk.receipts()))
    (receipt,) = desk.ingest(INCOME).receipts
    expected = [(10000 * amount).quantize(Decimal("0.01"), ROUND_HALF_UP) for amount in drawn]
    assert desk.typed(receipt)["business_yuan"].to_list() == expected


TEN_THOUSANDS = INCOME_HEADER.replace("净收入", "净收入（万元）")


@pytest.mark.parametrize(
    ("header", "text", "amount"),
    [
        (INCOME_HEADER, "80元", "80.00"),
        (INCOME_HEADER, "1143.00 元", "1143.00"),
        (INCOME_HEADER, "¥572.00", "572.00"),
        (INCOME_HEADER, "￥5,720", "5720.00"),
        (INCOME_HEADER, "0.3万元", "3000.00"),
        (INCOME_HEADER, "１２元", "12.00"),
        (INCOME_HEADER, "-2百元/年", "-200.00"),
        (TEN_THOUSANDS, "80元", "80.00"),
        (TEN_THOUSANDS, "0.008万元", "80.00"),
        (TEN_THOUSANDS.replace("万元", "万元/年"), "80元", "80.00"),
    ],
)
def test_a_cell_that_states_its_own_unit_is_read_by_it(
    desk: Desk, header: str, text: str, amount: str
) -> None:
    row = f'户1,2,{VILLAGE},"{text}"\n'
    receipt = desk.take(INCOME, "2022.csv", header + row)
    assert desk.typed(receipt)["business_yuan"].to_list() == [Decimal(amount)]
    kind = "sign" if text[0] in "¥￥" else "its own unit"
    assert receipt.conversions == {f"business_yuan: {kind}": 1}


def test_an_amount_of_yuan_in_a_column_of_months_is_a_months(desk: Desk) -> None:
    source = desk.source(INCOME)
    wage = source.column("wage_yuan")
    monthly = replace(wage, units={**wage.units, "万元/月": 120_000})
    columns = tuple(monthly if column == wage else column for column in source.columns)
    lenient = desk.with_contract(replace(source, columns=columns))
    row = f"户1,2,{VILLAGE},80元,\n"
    _, amounts = ledger(lenient, f"{LEDGER.format('（万元/月）', '')}\n{row}")
    assert amounts == [(Decimal("960.00"), None)]


def test_a_sign_of_the_currency_does_not_tell_yuan_from_ten_thousands(desk: Desk) -> None:
    rows = f"户1,2,{VILLAGE},¥80\n户2,2,{VILLAGE},1\n"
    receipt = desk.take(INCOME, "2022.csv", TEN_THOUSANDS + rows)
    assert receipt.refused_by_rule == {"business_yuan_is_readable": 1}


@pytest.mark.parametrize(
    ("header", "text", "amount"),
    [
        (INCOME_HEADER, "1143.005", "1143.01"),
        (INCOME_HEADER, "1143.0010", "1143.00"),
        (INCOME_HEADER, "１１４３．００５", "1143.01"),
        (TEN_THOUSANDS, "0.1234567", "1234.57"),
        (TEN_THOUSANDS, "80.125元", "80.13"),
    ],
)
def test_an_amount_that_is_rounded_is_counted(
    desk: Desk, header: str, text: str, amount: str
) -> None:
    rows = f"户1,2,{VILLAGE},{text}\n户2,2,{VILLAGE},1143.000\n户3,2,{VILLAGE},11.4325e2\n"
    receipt = desk.take(INCOME, "2022.csv", header + rows)
    assert desk.typed(receipt)["business_yuan"].to_list()[0] == Decimal(amount)
    assert receipt.conversions["business_yuan: rounded"] == 1


# ── what the receipt says of it ─────────────────────────────────────────────────────────────────


def test_the_receipt_counts_what_was_not_read_from_its_plain_form(desk: Desk) -> None:
    months = ["2022-06", "44713", "44714", "2022年6月", "202206", "2022/6", "2022-06-01", "x", ""]
    rows = "".join(f'{ZHANG},张{n},低保,{month},"1,00{n}"\n' for n, month in enumerate(months))
    rows += f"９９０１０１１９７００１０１００１Ｘ,李四,低保,2022-06,５00\n{ZHANG},王五,低保,,5.\n"
    receipt = desk.take(ROLL, "2022-12.csv", ROLL_HEADER + rows)
    assert receipt.refused_by_rule == {"start_month_is_readable": 1}
    assert receipt.conversions == {
        "id_number: one form of digits": 1,
        "monthly_yuan: full width": 1,
        "monthly_yuan: other form": 1,
        "monthly_yuan: thousands separators": 9,
        "start_month: Excel serial": 2,
        "start_month: day left out": 1,
        "start_month: digits alone": 1,
        "start_month: slashes": 1,
        "start_month: 年月日": 1,
    }


def test_a_file_in_plain_form_has_no_conversions(desk: Desk) -> None:
    receipt = desk.take(ROLL, "2022-12.csv", ROLL_HEADER + f"{ZHANG},张三,低保,2022-06,500\n")
    assert (receipt.rows_accepted, receipt.conversions, receipt.units) == (1, {}, {})

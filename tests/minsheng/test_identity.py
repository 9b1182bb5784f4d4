"""Identity numbers and names are compared in one form; the check digit is that of GB 11643."""

from collections.abc import Iterator
from datetime import date
from operator import mul

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minsheng import identity


def sql(expression: str, *values: str) -> list[object]:
    """The expression over the column `text` of the values, in order."""
    rows = ", ".join(f"({place}, ?)" for place in range(len(values)))
    return [
        row[0]
        for row in duckdb.execute(
            f"select {expression} from (values {rows}) as t (place, text) order by place",
            list(values),
        ).fetchall()
    ]


def agrees(number: str) -> bool:
    """ISO 7064 MOD 11-2, as GB 11643 asks: the weighted sum with the check character is 1."""
    total = 0
    for character in number:
        total = 2 * total + (10 if character == "X" else int(character))
    return total % 11 == 1


numbers = st.from_regex(r"[0-9]{17}[0-9X]", fullmatch=True)


@settings(max_examples=30, deadline=None)
@given(st.lists(numbers, min_size=40, max_size=200))
def test_the_check_digit_agrees_with_an_independent_computation(drawn: list[str]) -> None:
    found = sql(identity.check_digit_agrees("text"), *drawn)
    assert found == [agrees(number) for number in drawn]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.from_regex(r"[0-9]{17}", fullmatch=True), min_size=1, max_size=20))
def test_exactly_one_character_completes_a_number(drawn: list[str]) -> None:
    for body in drawn:
        candidates = [body + character for character in identity.CHECK_CHARACTERS]
        assert sql(identity.check_digit_agrees("text"), *candidates).count(True) == 1


@pytest.mark.parametrize(
    "written",
    [
        "99010119700101001x",
        " 990101 19700101 001X ",
        "'99010119700101001X",
        "’99010119700101001X",
        "９９０１０１１９７００１０１００１Ｘ",
        "99010119700101001ｘ\u3000",
        "\ufeff99010119700101001X\u00a0\u200b",
        "99010119700101001X\r\n",
    ],
)
def test_a_number_is_brought_into_one_form(written: str) -> None:
    assert sql(identity.normalised_id("text"), written) == ["99010119700101001X"]


@pytest.mark.parametrize(
    ("number", "status"),
    [
        ("11010519491231002X", "valid"),
        ("440524188001010014", "valid"),
        ("110105194912310021", "bad_checksum"),
        ("990101700101001", "bad_shape"),
        ("99010119700101001", "bad_shape"),
        ("99010119701301001X", "bad_shape"),
        ("X90101197001010011", "bad_shape"),
    ],
)
def test_a_number_has_a_status(number: str, status: str) -> None:
    # the two valid ones are the examples printed in GB 11643
    assert sql(identity.id_status("text"), number) == [status]


@pytest.mark.parametrize(
    "number", ["1" * 15, "1" * 18, "1" * 17 + "0", "1" * 18 + "43", "G" + "1" * 18, "0" * 18]
)
def test_digits_of_one_kind_are_no_number(number: str) -> None:
    # of the eleventh of November, and with an 0 at their end the check digit is right
    assert sql(identity.id_status(identity.resident_number("text")), number) == ["bad_shape"]


def test_a_missing_number_has_a_status() -> None:
    assert sql(identity.id_status("nullif(text, '')"), "") == ["missing"]


VALID = "330390197001010016"


@pytest.mark.parametrize(
    ("text", "is_real", "is_wrong"),
    [
        (VALID, True, False),
        ("330390197001010011", True, True),
        ("330390197102290010", False, False),
        ("330390197013010010", False, True),
        ("330390197000000010", False, True),
        (f"{VALID}11", True, False),
        (f"{VALID}11B1", True, False),
        (f"G{VALID}", True, None),
        ("330390700101001", True, None),
        ("330390701301001", False, None),
        ("3303901970010100", True, None),
        ("33039019700101A010", True, None),
        ("", True, None),
    ],
)
def test_a_birth_date_that_is_none_and_a_wrong_check_character_are_told(
    text: str, is_real: bool, is_wrong: bool | None
) -> None:
    assert sql(identity.has_real_birth_date("text"), text) == [is_real]
    assert sql(identity.has_wrong_check_digit("text"), text) == [is_wrong]


@settings(max_examples=30, deadline=None)
@given(st.lists(numbers, min_size=40, max_size=200))
def test_both_computations_of_the_check_character_agree(drawn: list[str]) -> None:
    wrong = sql(identity.has_wrong_check_digit("text"), *drawn)
    assert [not each for each in wrong] == sql(identity.check_digit_agrees("text"), *drawn)


@pytest.mark.parametrize("text", ["99010119700101001.0", "9901011970010100.00"])
def test_a_number_with_decimals_has_lost_digits_and_is_not_scientific(text: str) -> None:
    assert sql(identity.is_rounded("text"), text) == [True]
    assert sql(identity.is_scientific("text"), text) == [False]


@pytest.mark.parametrize(
    ("delivered", "held"),
    [
        ("110105491231002", "11010519491231002X"),
        ("11010519491231002X44", "11010519491231002X"),
        ("11010519491231002X44B1", "11010519491231002X"),
        ("G11010519491231002X", "11010519491231002X"),
        ("11010519491231002X", "11010519491231002X"),
        # J is given by the pattern of an identity number and is none, L until there is one
        ("J11010519491231002X", "J11010519491231002X"),
        ("L11010519491231002X", "L11010519491231002X"),
        ("L110105491231002", "L110105491231002"),
        ("11010519491231002X84", "11010519491231002X84"),
        ("11010519491231002X45B", "11010519491231002X45B"),
    ],
)
def test_a_number_of_another_kind_holds_a_resident_s_number_or_none(
    delivered: str, held: str
) -> None:
    assert sql(identity.resident_number("text"), delivered) == [held]
    is_one = len(held) == 18
    assert sql(identity.has_id_shape("text"), delivered) == [is_one]
    assert sql(identity.id_status(identity.resident_number("text")), delivered) == [
        "valid" if is_one else "bad_shape"
    ]


@pytest.mark.parametrize("letter", "JL")
@pytest.mark.parametrize(
    "written", ["{}11010519491231002x", " {}1101 0519491231002Ｘ", "'{}11010519491231002X"]
)
def test_a_school_number_that_is_no_identity_number_is_none_however_it_is_written(
    letter: str, written: str
) -> None:
    for cased in (letter, letter.lower()):
        number = identity.resident_number(identity.normalised_id("text"))
        assert sql(identity.id_status(number), written.format(cased)) == ["bad_shape"]


# ── a million numbers beside plain Python ───────────────────────────────────────────────────────

MANY = 1_000_000
CHECKS = "10X98765432"
POWERS = [2**place % 11 for place in range(17, 0, -1)]
ZEROS = sum(POWERS) * ord("0")


def check_of(number: str) -> str:
    """The check character of 17 digits, each times 2 to the power of its place from the right."""
    return CHECKS[(sum(map(mul, POWERS, number[:17].encode())) - ZEROS) % 11]


def is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def certified(number: str) -> str:
    """The number inside a disability certificate's, whose type, grade and reissue follow it."""
    kind, grade, reissue = number[18:19], number[19:20], number[20:]
    fits = kind in tuple("1234567") and grade in tuple("1234")
    is_whole = not reissue or (len(reissue) == 2 and reissue[0] == "B" and is_digits(reissue[1]))
    return number[:18] if fits and is_whole else number


def reference(number: str) -> tuple[str, date | None, str | None]:
    """Status, date of birth and sex of a number of any kind; the last two if it is valid."""
    if len(number) == 15 and is_digits(number):
        number = f"{number[:6]}19{number[6:]}"
        number += check_of(number)
    elif len(number) == 19 and number[0] == "G":
        number = number[1:]
    elif len(number) > 18:
        number = certified(number)
    if len(number) != 18 or not is_digits(number[:17]) or number[17] not in CHECKS:
        return "bad_shape", None, None
    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return "bad_shape", None, None
    if check_of(number) != number[17]:
        return "bad_checksum", None, None
    return "valid", born, "1" if int(number[16]) % 2 else "2"


def drawn_numbers(count: int) -> Iterator[str]:
    """Numbers of every kind, most of them right, in regions that were never assigned."""
    draw = np.random.default_rng(2022)

    def between(first: int, last: int) -> list[int]:
        drawn: list[int] = draw.integers(first, last, count, endpoint=True).tolist()
        return drawn

    columns = (between(0, 99), between(0, 9), between(1880, 2030), between(0, 13), between(0, 32))
    orders, others = between(0, 999), between(0, 9)
    for kind, region, year, month, day, order, other in zip(*columns, orders, others, strict=True):
        number = f"33039{region}{year}{month:02}{day:02}{order:03}"
        number += CHECKS[other] if kind < 20 else check_of(number)
        if kind >= 95:
            number = number[:6] + number[8:17]
        elif kind >= 90:
            number += f"{region}{month % 10}" + ("", "", f"B{other}", "B")[order % 4]
        elif kind >= 87:
            number = "GGJL"[order % 4] + number
        elif kind >= 85:
            place = order % 18
            number = number[:place] + ("", "A", "X", "7", "０")[other % 5] + number[place + 1 :]
        yield number


def test_a_million_numbers_are_judged_as_plain_python_judges_them() -> None:
    numbers = list(drawn_numbers(MANY))
    expected = pa.Table.from_arrays(
        [numbers, *map(list, zip(*map(reference, numbers), strict=True))],
        ["number", "status", "born", "sex"],
    )
    with duckdb.connect() as connection:
        connection.register("expected", expected)
        held = identity.resident_number("number")
        connection.execute(
            f"""
            create table found as
            select *, {identity.id_status("held")} as found_status,
                {identity.birth_date("held")} as found_born,
                {identity.sex_code("held")} as found_sex
            from (select *, {held} as held from expected)
            """
        )
        differing = connection.execute(
            """
            select number, status, found_status, born, found_born, sex, found_sex
            from found
            where found_status <> status
                or (status = 'valid' and (found_born <> born or found_sex <> sex))
            limit 5
            """
        ).fetchall()
        counted = dict(
            connection.execute("select status, count(*) from found group by 1").fetchall()
        )
    assert differing == []
    assert sum(counted.values()) == MANY
    assert min(counted.values()) > MANY // 20 and set(counted) == {
        *("valid", "bad_shape", "bad_checksum")
    }


@pytest.mark.parametrize(
    ("text", "is_scientific"),
    [
        ("9.90101E+17", True),
        ("9.9E+17", True),
        ("9E+17", True),
        ("9.90101e17", True),
        ("99010119700101001X", False),
        ("3E12", False),
        ("E+17", False),
    ],
)
def test_scientific_notation_is_told(text: str, is_scientific: bool) -> None:
    assert sql(identity.is_scientific("text"), text) == [is_scientific]


@pytest.mark.parametrize("dot", "·•・‧∙⋅．･.")
def test_names_with_any_middle_dot_are_one_name(dot: str) -> None:
    assert sql(identity.name_key("text"), f"买买提{dot}艾力") == ["买买提·艾力"]


@pytest.mark.parametrize(
    "name", ["欧阳 修", "欧阳\u3000修", " 欧阳修 ", "欧\u00a0阳修", "欧阳修\u200b"]
)
def test_names_are_compared_without_blanks(name: str) -> None:
    assert sql(identity.name_key("text"), name) == ["欧阳修"]

"""Identity numbers and names are compared in one form; the check digit is that of GB 11643."""

import duckdb
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

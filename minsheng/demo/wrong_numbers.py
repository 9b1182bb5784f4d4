"""How an identity number stands in a department's system when it is not the person's own.

What is written, the weight of each kind among the broken numbers of the persons to whom it can
happen, and why.  Where no source is named the weight is a judgement, not a measurement.

Typed by hand, from paper or over the telephone, into a system or a sheet that checks nothing:

    wrong_digit         0.20  a neighbour on the number pad or a look-alike (1 and 7, 3 and 8);
                              seldom in the region and the century, which typists know
    swapped_digits      0.07  two neighbours in the wrong order
    wrong_birth_digit   0.06  in the year, month or day, which are read aloud as a date
    lost_digit          0.05  seventeen characters
    doubled_digit       0.03  nineteen characters
    two_errors          0.03  two digits wrong behind region and century
    letter_for_digit    0.02  O for 0, I for 1, S for 5, B for 8, as recognised from a copy

Not known, or of something else:

    missing             0.14  an empty cell: children, persons without papers, what nobody asked for
    placeholder         0.03  a word or a row of equal digits, because the system wants a number
    other_region        0.04  the first six typed anew as the county of today
    made_up             0.03  a number that passes the check and is nobody's: the last four invented
                              and the check digit calculated until the system took it
    number_of_relative  0.12  the spouse's, child's or head's: who came to the counter, whose
                              account is paid into
    number_of_stranger  0.04  of whom stands one family above in the list: filled down, or slipped
                        by a row
    fifteen_digits      0.10  the number of before October 1999, kept by systems older than that
    certificate_number  0.50  20 characters, or 22 when it was issued again, of who has a disability
                              certificate; the poverty system asks for "ID or disabled number" and
                              knows lengths 18, 20 and 22 (its rule 1_12_002).  Three times that in
                              the disability federation, whose own key it is
    student_number      0.50  in education: G and the number, J and a number made by the same
                              pattern for a child without one, L and school region, birth and four
                              digits for a time

The right number in another form:

    lower_case_x        0.40  where the number ends in X
    blanks              0.06  around it, or between region, birth and sequence
    apostrophe          0.04  before it, so that a sheet does not make 1.1E+17 of it
    full_width          0.03  typed while the input method was in full-width mode

Three more are not drawn here but follow from what is true of a person (see oddities.py):
`former_number`, `second_number`, `shared_number`.

What looks like a number and is none passes no check, so that it can be nobody's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from minsheng.demo.identities import CHECK_CHARACTERS, CHECK_WEIGHTS, UNASSIGNED_REGIONS
from minsheng.demo.reference import COUNTY_CODES, Flags, Floats, Integers
from minsheng.demo.text import days_of, digits_of, fixed_width_texts

Characters = NDArray[np.uint8]


@dataclass(frozen=True)
class NumberError:
    """A kind of broken number, its weight, and whether it also slips into single rows."""

    name: str
    weight: float
    is_slip: bool = False


NUMBER_ERRORS = (
    NumberError("wrong_digit", 0.20, is_slip=True),
    NumberError("swapped_digits", 0.07, is_slip=True),
    NumberError("wrong_birth_digit", 0.06, is_slip=True),
    NumberError("lost_digit", 0.05, is_slip=True),
    NumberError("doubled_digit", 0.03, is_slip=True),
    NumberError("two_errors", 0.03, is_slip=True),
    NumberError("letter_for_digit", 0.02, is_slip=True),
    NumberError("missing", 0.14, is_slip=True),
    NumberError("placeholder", 0.03),
    NumberError("other_region", 0.04),
    NumberError("made_up", 0.03),
    NumberError("number_of_relative", 0.12),
    NumberError("number_of_stranger", 0.04),
    NumberError("fifteen_digits", 0.10),
    NumberError("certificate_number", 0.50),
    NumberError("student_number", 0.50),
    NumberError("lower_case_x", 0.40, is_slip=True),
    NumberError("blanks", 0.06, is_slip=True),
    NumberError("apostrophe", 0.04),
    NumberError("full_width", 0.03, is_slip=True),
)
TRUE_OF_A_PERSON = ("former_number", "second_number", "shared_number")
NUMBER_ERROR_NAMES = (*(kind.name for kind in NUMBER_ERRORS), *TRUE_OF_A_PERSON)
FORMER_NUMBER, SECOND_NUMBER, SHARED_NUMBER = (
    NUMBER_ERROR_NAMES.index(name) for name in TRUE_OF_A_PERSON
)
DISABILITY_FEDERATION_FACTOR = 3.0

# Numbers of eighteen digits are given to newborns and printed on cards since October 1999.
FIRST_DAY_OF_EIGHTEEN_DIGITS = days_of("1999-10-01")
CENTURY = days_of("1900-01-01")

ZERO, LETTER_X = np.uint8(ord("0")), np.uint8(ord("X"))
# For each digit four that are written instead of it.
CONFUSED = np.array(
    [
        (6, 8, 9, 1), (7, 4, 2, 0), (3, 1, 5, 7), (8, 2, 5, 6), (1, 9, 7, 5),
        (6, 3, 2, 8), (0, 8, 5, 9), (1, 4, 8, 2), (3, 0, 6, 9), (0, 6, 8, 4),
    ],
    dtype=np.uint8,
)  # fmt: skip
LETTERS = {ord("0"): ord("O"), ord("1"): ord("I"), ord("5"): ord("S"), ord("8"): ord("B")}
# How easily each character is mistaken: the region of a place and the century are known.
POSITION_WEIGHTS = np.r_[np.full(6, 0.3), 0.1, 0.1, np.ones(10)]
BIRTH_POSITIONS = np.array([8, 9, 11, 12, 13])
PLACEHOLDERS = ("无", "不详", "待补", "暂无", "0", "000000000000000000", "111111111111111111")
REGIONS = np.array([[int(digit) for digit in code[:6]] for code in COUNTY_CODES], dtype=np.uint8)
FULL_WIDTH = str.maketrans("0123456789X", "０１２３４５６７８９Ｘ")
APOSTROPHES = ("'{}", "'{}", "’{}", "`{}", "'{}'")
BLANKS = (" {}", "{} ", " {} ", "{}　", "{}\t", "{}\u00a0")


@dataclass(frozen=True)
class Holders:
    """Whose numbers are broken, one row each: what a wrong number may be made from.

    `number` has eighteen characters. `relative`, `stranger` and `spare` are null where there is
    none, the `grade` of a certificate is 0 where there is none.
    """

    number: pl.Series
    birth: Integers
    relative: pl.Series
    stranger: pl.Series
    spare: pl.Series
    disability_type: Integers
    grade: Integers


def weights_of(holders: Holders, department: str) -> Floats:
    """Weight of each kind for each holder; zero where it cannot happen to them."""
    count = len(holders.birth)
    weights = np.repeat(np.array([[kind.weight for kind in NUMBER_ERRORS]]), count, axis=0)
    is_old = (holders.birth >= CENTURY) & (holders.birth < FIRST_DAY_OF_EIGHTEEN_DIGITS)
    is_holder = holders.grade > 0
    factor = DISABILITY_FEDERATION_FACTOR if department == "disability_federation" else 1.0
    everyone = np.ones(count, dtype=np.bool_)
    for name, share in (
        ("fifteen_digits", is_old),
        ("certificate_number", is_holder * factor),
        ("student_number", everyone * (department == "education")),
        ("number_of_relative", holders.relative.is_not_null().to_numpy()),
        ("number_of_stranger", holders.stranger.is_not_null().to_numpy()),
        ("made_up", holders.spare.is_not_null().to_numpy()),
        ("lower_case_x", holders.number.str.ends_with("X").to_numpy()),
    ):
        weights[:, NUMBER_ERROR_NAMES.index(name)] *= share
    return weights


def slip_weights_of(holders: Holders) -> Floats:
    """The same for an error of a single row: only what a hand or an eye gets wrong."""
    weights = weights_of(holders, "")
    weights[:, [index for index, kind in enumerate(NUMBER_ERRORS) if not kind.is_slip]] = 0.0
    return weights


def chosen_by(weights: Floats, rng: np.random.Generator) -> Integers:
    """A column for each row, as likely as its weight."""
    steps = np.cumsum(weights, axis=1)
    at = rng.random(len(weights)) * steps[:, -1] if len(weights) else np.zeros(0)
    return np.asarray((steps <= at[:, None]).sum(axis=1), dtype=np.int64)


def write_numbers(kind: Integers, holders: Holders, rng: np.random.Generator) -> pl.Series:
    """What is written instead of each number; null for an empty cell."""
    written = np.full(len(kind), None, dtype=object)
    characters = characters_of(holders.number)
    for index, error in enumerate(NUMBER_ERRORS):
        rows = np.flatnonzero(kind == index)
        if not len(rows):
            continue
        match error.name:
            case "missing":
                continue
            case "number_of_relative":
                texts = holders.relative.gather(rows).to_list()
            case "number_of_stranger":
                texts = holders.stranger.gather(rows).to_list()
            case "made_up":
                texts = holders.spare.gather(rows).to_list()
            case "certificate_number":
                texts = certificate_numbers(rows, holders, rng)
            case _:
                texts = WRITERS[error.name](characters[rows], rng)
        written[rows] = texts
    return pl.Series(written.tolist(), dtype=pl.String)


def characters_of(numbers: pl.Series) -> Characters:
    """Numbers as rows of eighteen character codes."""
    joined = "".join(numbers.to_list()).encode("ascii")
    return np.frombuffer(joined, dtype=np.uint8).reshape(-1, 18)


def passes_check(characters: Characters) -> Flags:
    """Whether the last character is the one that GB 11643 asks for."""
    digits = (characters[:, :17] - ZERO).astype(np.int64)
    check = CHECK_CHARACTERS[digits @ CHECK_WEIGHTS % 11]
    return np.asarray(check == characters[:, 17])


def with_wrong_digit(
    characters: Characters, position: Integers, rng: np.random.Generator
) -> Characters:
    """One character of each row replaced by a digit that is taken for it."""
    rows = np.arange(len(characters))
    old = characters[rows, position]
    digit = np.where(old == LETTER_X, 0, old - ZERO)
    changed = characters.copy()
    changed[rows, position] = CONFUSED[digit, rng.integers(0, 4, len(rows))] + ZERO
    return changed


def wrong_digits(characters: Characters, rng: np.random.Generator) -> list[str]:
    """One wrong digit, which the check always finds."""
    shares = POSITION_WEIGHTS / POSITION_WEIGHTS.sum()
    position = rng.choice(18, size=len(characters), p=shares)
    return texts_of(with_wrong_digit(characters, position, rng))


def wrong_birth_digits(characters: Characters, rng: np.random.Generator) -> list[str]:
    """One wrong digit in the date of birth."""
    position = BIRTH_POSITIONS[rng.integers(0, len(BIRTH_POSITIONS), len(characters))]
    return texts_of(with_wrong_digit(characters, position, rng))


def swapped_digits(characters: Characters, rng: np.random.Generator) -> list[str]:
    """Two different neighbours among the first seventeen swapped, which the check always finds."""
    rows = np.arange(len(characters))
    order = rng.random((len(rows), 16))
    order[characters[:, :16] == characters[:, 1:17]] = -1.0
    position = order.argmax(axis=1)
    changed = characters.copy()
    changed[rows, position] = characters[rows, position + 1]
    changed[rows, position + 1] = characters[rows, position]
    return texts_of(changed)


def lost_digits(characters: Characters, rng: np.random.Generator) -> list[str]:
    """One character left out."""
    keep = np.ones(characters.shape, dtype=np.bool_)
    keep[np.arange(len(keep)), rng.integers(0, 18, len(keep))] = False
    return texts_of(characters[keep].reshape(-1, 17))


def doubled_digits(characters: Characters, rng: np.random.Generator) -> list[str]:
    """One character written twice."""
    position = rng.integers(0, 18, len(characters))
    place = np.arange(19)
    source = np.where(place <= position[:, None], place, place - 1)
    return texts_of(np.take_along_axis(characters, source, axis=1))


def two_errors(characters: Characters, rng: np.random.Generator) -> list[str]:
    """Two wrong digits that together do not pass the check either."""
    rows = np.arange(len(characters))
    first = rng.integers(8, 17, len(rows))
    second = 8 + (first - 8 + rng.integers(1, 9, len(rows))) % 9
    changed = with_wrong_digit(with_wrong_digit(characters, first, rng), second, rng)
    for _ in range(2):
        # Of all digits in one place one passes; twice, where the next one is the right digit.
        again = passes_check(changed) | (changed[rows, second] == characters[rows, second])
        digit = changed[rows, second] - ZERO
        changed[rows, second] = np.where(again, (digit + 1) % 10, digit) + ZERO
    return texts_of(changed)


def letters_for_digits(characters: Characters, rng: np.random.Generator) -> list[str]:
    """One of the digits 0, 1, 5 and 8 as the letter that looks like it."""
    rows = np.arange(len(characters))
    order = rng.random((len(rows), 17))
    order[~np.isin(characters[:, :17], list(LETTERS))] = -1.0
    position = order.argmax(axis=1)
    changed = characters.copy()
    letters = [LETTERS[digit] for digit in characters[rows, position].tolist()]
    changed[rows, position] = np.array(letters, dtype=np.uint8)
    return texts_of(changed)


def other_regions(characters: Characters, rng: np.random.Generator) -> list[str]:
    """The first six of one of the counties, one with which the number does not pass the check."""
    changed = characters.copy()
    county = rng.integers(0, len(REGIONS), len(changed))
    for _ in range(2):
        changed[:, :6] = REGIONS[county] + ZERO
        # The counties' codes differ in one digit, so at most one of them passes.
        county = np.where(passes_check(changed), (county + 1) % len(REGIONS), county)
    return texts_of(changed)


def placeholders(characters: Characters, rng: np.random.Generator) -> list[str]:
    """Words and rows of digits that stand for a number that is not known."""
    return [PLACEHOLDERS[i] for i in rng.integers(0, len(PLACEHOLDERS), len(characters)).tolist()]


def fifteen_digits(characters: Characters, _: np.random.Generator) -> list[str]:
    """Without the century and the check digit."""
    return texts_of(np.delete(characters, [6, 7, 17], axis=1))


def certificate_numbers(rows: Integers, holders: Holders, rng: np.random.Generator) -> list[str]:
    """The number with type and grade; some were issued again once or twice."""
    issues = np.searchsorted(np.array([0.85, 0.97]), rng.random(len(rows)), side="right")
    return [
        f"{number}{kind + 1}{grade}{('', 'B1', 'B2')[issue]}"
        for number, kind, grade, issue in zip(
            holders.number.gather(rows).to_list(),
            holders.disability_type[rows].tolist(),
            holders.grade[rows].tolist(),
            issues.tolist(),
            strict=True,
        )
    ]


def student_numbers(characters: Characters, rng: np.random.Generator) -> list[str]:
    """G and the number; J and a made one; L, region, birth and four digits."""
    count = len(characters)
    form = np.searchsorted(np.array([0.6, 0.8]), rng.random(count), side="right")
    region = digits_of(np.full(count, int(UNASSIGNED_REGIONS[0])) + rng.integers(0, 10, count), 6)
    sequence = digits_of(rng.integers(0, 1000, count), 3)
    made = np.concatenate([region + ZERO, characters[:, 6:14], sequence + ZERO], axis=1)
    digits = (made - ZERO).astype(np.int64)
    remainder = (digits @ CHECK_WEIGHTS + rng.integers(1, 11, count)) % 11
    made = np.concatenate([made, CHECK_CHARACTERS[remainder][:, None]], axis=1)
    last = digits_of(rng.integers(0, 10_000, count), 4) + ZERO
    temporary = np.concatenate([region + ZERO, characters[:, 6:14], last], axis=1)
    last_digit = (temporary[:, 17] - ZERO + passes_check(temporary)) % 10
    temporary[:, 17] = last_digit + ZERO
    body = np.where((form == 0)[:, None], characters, made)
    body = np.where((form == 2)[:, None], temporary, body)
    return [f"{'GJL'[f]}{text}" for f, text in zip(form.tolist(), texts_of(body), strict=True)]


def lower_case(characters: Characters, _: np.random.Generator) -> list[str]:
    """With a small x."""
    return [text.lower() for text in texts_of(characters)]


def full_width(characters: Characters, _: np.random.Generator) -> list[str]:
    """In full-width characters."""
    return [text.translate(FULL_WIDTH) for text in texts_of(characters)]


def blanks(characters: Characters, rng: np.random.Generator) -> list[str]:
    """With blanks around, or between region, birth and sequence."""
    forms = rng.integers(0, len(BLANKS) + 2, len(characters)).tolist()
    return [
        BLANKS[form].format(text) if form < len(BLANKS) else f"{text[:6]} {text[6:14]} {text[14:]}"
        for form, text in zip(forms, texts_of(characters), strict=True)
    ]


def apostrophes(characters: Characters, rng: np.random.Generator) -> list[str]:
    """Behind an apostrophe."""
    forms = rng.integers(0, len(APOSTROPHES), len(characters)).tolist()
    texts = texts_of(characters)
    return [APOSTROPHES[form].format(text) for form, text in zip(forms, texts, strict=True)]


def texts_of(characters: Characters) -> list[str]:
    """Rows of character codes as text."""
    return fixed_width_texts(np.ascontiguousarray(characters)).to_list()


WRITERS = {
    "wrong_digit": wrong_digits,
    "swapped_digits": swapped_digits,
    "wrong_birth_digit": wrong_birth_digits,
    "lost_digit": lost_digits,
    "doubled_digit": doubled_digits,
    "two_errors": two_errors,
    "letter_for_digit": letters_for_digits,
    "placeholder": placeholders,
    "other_region": other_regions,
    "fifteen_digits": fifteen_digits,
    "student_number": student_numbers,
    "lower_case_x": lower_case,
    "full_width": full_width,
    "blanks": blanks,
    "apostrophe": apostrophes,
}

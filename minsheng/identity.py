"""Identity numbers (GB 11643) and names, as SQL expressions over text columns.

Shape and check digit follow GB 11643-1999: 17 digits and a check character whose weighted sum
modulo 11 picks one of `10X98765432`. 15-digit numbers (two-digit year, no check) are older ones.
"""

WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CHECK_CHARACTERS = "10X98765432"
FULL_WIDTH = "０１２３４５６７８９Ｘｘ－．，（）"  # the characters to be mended
HALF_WIDTH = "0123456789XX-.,()"
MIDDLE_DOTS = "•・‧∙⋅．･."  # the forms of the dot in minority names
PROVINCES = (
    *range(11, 16),
    *range(21, 24),
    *range(31, 38),
    *range(41, 47),
    *range(50, 55),
    *range(61, 66),
    *(71, 81, 82, 83),
)
"""First two digits of GB/T 2260; 81 to 83 begin residence permits too."""
SHORTEST = 15
"""No identity number has fewer characters."""
SCHOOL_LENGTH = 19
"""A school number is G and the 18 characters of the pupil's number."""
EXACT_DIGITS = 15
"""A spreadsheet keeps this many digits of a number; a longer one in a number cell is ruined."""
PLAIN_DAY = "[0-9]{6}(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|1[0-9]|2[0-8]).*"
"""Nearly every number has a day up to the 28th, and to see that costs a quarter of a cast."""
OPENING, CLOSING = "（(【〔", "）)】〕"
NOTES = f"[{OPENING}][^{OPENING}{CLOSING}]*[{CLOSING}]?"
BLANKS = "\\s\u3000\u00a0\u200b\ufeff"  # blanks of text pasted from documents, seen and unseen


def normalised_id(text: str) -> str:
    """`text` with half-width characters in upper case, without blanks or a leading apostrophe.

    The `.0` of a program that took it for a quantity goes where no digit can have been lost.
    """
    return (
        f"regexp_replace(upper(regexp_replace(translate({text}, '{FULL_WIDTH}', '{HALF_WIDTH}'), "
        f"'[{BLANKS}''‘’`]', '', 'g')), '^([0-9]{{1,{EXACT_DIGITS}}})[.]0+$', '\\1')"
    )


def is_scientific(number: str) -> str:
    """Whether a program has taken the number for a quantity and shows it in scientific notation."""
    shapes = r"[0-9](\.[0-9]+)?[eE]\+[0-9]+|[0-9]\.[0-9]+[eE][0-9]+"
    # every shape has one of these, and to look for them costs a fraction of a pattern; within a
    # rule DuckDB computes both sides of an `and`, of a `case` but the one that is asked for
    marks = " or ".join(f"contains({number}, '{mark}')" for mark in "eE")
    return f"(case when {marks} then regexp_full_match({number}, '{shapes}') else false end)"


def is_rounded(number: str) -> str:
    """Whether `.0` behind more digits than a quantity keeps says that the last ones are lost."""
    pattern = rf"[0-9]{{{EXACT_DIGITS + 1},}}\.0+"
    looked_at = f"regexp_full_match({number}, '{pattern}')"
    return f"(case when contains({number}, '.') then {looked_at} else false end)"


def has_id_shape(number: str) -> str:
    """Whether `number` has the shape of a resident's number, or of one that holds it.

    These are 17 digits and a check character, 15 digits, 20 and 22 characters of a disability
    certificate (type, grade and the count of its reissues behind the number), and a school number
    (G and the number).
    """
    shapes = "[0-9]{15}|[0-9]{17}[0-9X]([1-7][1-4](B[0-9])?)?|G[0-9]{17}[0-9X]"
    return f"regexp_full_match({number}, '{shapes}')"


def _is_of_one_digit(number: str) -> str:
    """Whether a number of the shape is one digit again and again, as who has none types it."""
    first = f"left(ltrim({number}, 'G'), 1)"
    return f"contains({number}, repeat({first}, {SHORTEST}))"


def has_known_province(number: str) -> str:
    """Whether a number of the shape begins with a province of GB/T 2260; true of any other text."""
    listed = ", ".join(f"'{code}'" for code in PROVINCES)
    region = f"substr({number}, case when starts_with({number}, 'G') then 2 else 1 end, 2)"
    return f"(not {has_id_shape(number)} or {region} in ({listed}))"


def resident_number(number: str) -> str:
    """The 18 characters of GB 11643 that a normalised number of any shape holds, else the number.

    A number of 15 digits gets the century 19 and its check character, as GB 11643-1999 changed it:
    that proves nothing. One digit again and again is no number.
    """
    long = f"substr({number}, 1, 6) || '19' || substr({number}, 7, 9)"
    return (
        f"case when length({number}) = 18 or not {has_id_shape(number)} "
        f"or {_is_of_one_digit(number)} then {number} "
        f"when length({number}) = 15 then {long} || {_check_character(long)} "
        f"when starts_with({number}, 'G') then substr({number}, 2) "
        f"else substr({number}, 1, 18) end"
    )


def _check_character(number: str) -> str:
    weighted = " + ".join(
        f"(ascii(substr({number}, {place}, 1)) - 48) * {weight}"
        for place, weight in enumerate(WEIGHTS, start=1)
    )
    return f"substr('{CHECK_CHARACTERS}', (({weighted}) % 11)::integer + 1, 1)"


def check_digit_agrees(number: str) -> str:
    """Whether the 18th character of a number of the right shape is its check character."""
    return f"{_check_character(number)} = substr({number}, 18, 1)"


def has_wrong_check_digit(number: str) -> str:
    """Whether a number of GB 11643, or in a number that holds it, has a wrong check character.

    Unknown for any other text. Worth a column of its own: within a condition DuckDB does the first
    step of it once for every digit.
    """
    digits = f"try_cast(substr({number}, 1, {len(WEIGHTS)}) as bigint)"
    weighted = " + ".join(
        f"(({digits} // {10 ** (len(WEIGHTS) - place)}) % 10) * {weight}"
        for place, weight in enumerate(WEIGHTS, start=1)
    )
    given = f"case when length({number}) in (18, 20, 22) then substr({number}, 18, 1) end"
    return f"(substr('{CHECK_CHARACTERS}', (({weighted}) % 11)::integer + 1, 1) <> {given})"


def has_real_birth_date(number: str) -> str:
    """Whether the birth date in a number of the shape is a day; true of any other text."""
    return (
        f"(case when regexp_full_match({number}, '{PLAIN_DAY}') then true else "
        f"not {has_id_shape(number)} or {birth_date(number)} is not null end)"
    )


def is_proven(number: str, misspelt: str) -> str:
    """Whether a number has its shape, a real day and a right check character.

    Unknown where it may have none.

    `misspelt` names the column of `has_wrong_check_digit`.
    """
    # a right check character behind digits and such a day leaves nothing to ask
    looked_at = (
        f"not {misspelt} and {has_id_shape(number)} and {birth_date(number)} is not null "
        f"and not {_is_of_one_digit(number)}"
    )
    return (
        f"(case when regexp_full_match({number}, '{PLAIN_DAY}') then not {misspelt} "
        f"else {looked_at} end)"
    )


def birth_date(number: str) -> str:
    """Date of birth in a number of any shape; null where it is no day."""
    day = (
        f"case length({number}) when {SHORTEST} then '19' || substr({number}, 7, 6) "
        f"when {SCHOOL_LENGTH} then substr({number}, 8, 8) else substr({number}, 7, 8) end"
    )
    return f"try_cast(regexp_replace({day}, '^(....)(..)(..)$', '\\1-\\2-\\3') as date)"


def sex_code(number: str) -> str:
    """The code of sex (GB/T 2261.1) in a number of any shape: 1 if the last of its order is odd."""
    digit = (
        f"substr({number}, case length({number}) when {SHORTEST} then 15 "
        f"when {SCHOOL_LENGTH} then 18 else 17 end, 1)"
    )
    return f"case when (ascii({digit}) - 48) % 2 = 1 then '1' else '2' end"


def id_status(number: str) -> str:
    """The code of `id_status` for a resident number (see `resident_number`)."""
    return (
        f"case when {number} is null then 'missing' "
        f"when not regexp_full_match({number}, '[0-9]{{17}}[0-9X]') "
        f"or {birth_date(number)} is null or {_is_of_one_digit(number)} then 'bad_shape' "
        f"when not ({check_digit_agrees(number)}) then 'bad_checksum' else 'valid' end"
    )


def name_key(name: str) -> str:
    """`name` as it is compared: without blanks and bracketed notes, and with one form of the dot.

    A note tells who is meant (the head, the younger of two) or how to write a rare character.
    """
    mended = (
        f"regexp_replace(translate({name}, '{MIDDLE_DOTS}', '{'·' * len(MIDDLE_DOTS)}'), "
        f"'[{BLANKS}]', '', 'g')"
    )
    bare = f"regexp_replace({mended}, '{NOTES}', '', 'g')"
    # nearly every name has none of it, and looking costs a sixth of mending
    return (
        f"case when regexp_matches({name}, '[{BLANKS}{MIDDLE_DOTS}{OPENING}]') "
        f"then coalesce(nullif({bare}, ''), {mended}) else {name} end"
    )

"""Who lives in a household: members, births, deaths, the head of each year, labour.

A member stands on the lists of a year from the year after its birth to the year of its death,
so that a death or a birth changes the next list.  Members are ordered by succession: when the
head has died, the first living member is the head of the next list.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minsheng.demo.identities import distinct_births
from minsheng.demo.reference import FIRST_YEAR, YEAR_COUNT, Flags, Integers
from minsheng.demo.text import days_of, year_of

NEVER = 10**6
LIST_YEARS = YEAR_COUNT + 1

ROLES = ("head", "spouse", "child", "son", "daughter_in_law", "grandchild", "mother", "father")
HEAD, SPOUSE, CHILD, SON, DAUGHTER_IN_LAW, GRANDCHILD, MOTHER, FATHER = range(len(ROLES))

RELATIONS = ("02", "10", "20", "30", "38", "41", "42", "51", "52", "61", "62", "70", "97")
LABOUR_CODES = ("ordinary", "skilled", "partial", "lost", "none")
LABOUR_SHARES = (0.48, 0.09, 0.25, 0.12, 0.06)
FIRST_WITHOUT_LABOUR = LABOUR_CODES.index("lost")

Slot = tuple[int, int, int]

# Share of households, share of male heads, and the members with their lowest and highest age at
# the end of 2017. Spouses have an age near the head's. The sizes average about 1.95.
TEMPLATES: tuple[tuple[float, float, tuple[Slot, ...]], ...] = (
    (0.280, 0.60, ((HEAD, 60, 89),)),
    (0.150, 0.72, ((HEAD, 36, 60),)),
    (0.183, 0.92, ((HEAD, 60, 86), (SPOUSE, 0, 0))),
    (0.090, 0.60, ((HEAD, 62, 86), (CHILD, 28, 56))),
    (0.064, 0.90, ((HEAD, 40, 59), (SPOUSE, 0, 0))),
    (0.010, 0.60, ((HEAD, 33, 50), (CHILD, 3, 15))),
    (0.010, 0.60, ((HEAD, 60, 76), (GRANDCHILD, 3, 15))),
    (0.042, 0.90, ((HEAD, 33, 50), (SPOUSE, 0, 0), (CHILD, 2, 17))),
    (0.058, 0.92, ((HEAD, 62, 82), (SPOUSE, 0, 0), (CHILD, 28, 55))),
    (0.020, 0.90, ((HEAD, 58, 74), (SPOUSE, 0, 0), (GRANDCHILD, 3, 16))),
    (0.022, 0.90, ((HEAD, 33, 50), (SPOUSE, 0, 0), (CHILD, 2, 18), (CHILD, 2, 18))),
    (0.018, 0.90, ((HEAD, 36, 50), (SPOUSE, 0, 0), (MOTHER, 62, 85), (CHILD, 3, 18))),
    (
        0.015,
        0.92,
        ((HEAD, 60, 78), (SPOUSE, 0, 0), (CHILD, 28, 50), (GRANDCHILD, 4, 16)),
    ),
    (
        0.015,
        0.90,
        ((HEAD, 34, 50), (SPOUSE, 0, 0), (MOTHER, 62, 85), (CHILD, 2, 18), (CHILD, 2, 18)),
    ),
    (
        0.010,
        0.95,
        (
            (HEAD, 58, 76),
            (SPOUSE, 0, 0),
            (SON, 28, 48),
            (DAUGHTER_IN_LAW, 25, 44),
            (GRANDCHILD, 1, 15),
        ),
    ),
    (
        0.010,
        0.95,
        (
            (HEAD, 36, 50),
            (SPOUSE, 0, 0),
            (FATHER, 62, 84),
            (MOTHER, 60, 82),
            (CHILD, 2, 18),
            (CHILD, 2, 18),
        ),
    ),
)
MAXIMUM_SLOTS = 7
BIRTH_SHARE = 0.30
# Of the pairs of siblings in a household.
TWIN_SHARE = 0.03


@dataclass(frozen=True)
class Members:
    """Members of a chunk's households, ordered by household and succession.

    `death` is in days since 1970-01-01 and NEVER for who lives on. `listed`, `relation` and
    `labour` have one column a list year; `head` has one row a household and holds the position
    of the head, or -1 where nobody is left. `twin_of` holds the position of the twin born before,
    -1 for who is none.
    """

    household: Integers
    start: Integers
    role: Integers
    sex: Integers
    birth: Integers
    death: Integers
    listed: Flags
    relation: Integers
    labour: Integers
    head: Integers
    member_count: Integers
    has_labour: Flags
    size_at_first: Integers
    is_single_elder: Flags
    twin_of: Integers


def draw_members(
    rng: np.random.Generator, count: int, twins: np.random.Generator | None = None
) -> Members:
    """Draw the members of `count` households; `twins` draws which siblings are twins."""
    shares = np.array([share for share, _, _ in TEMPLATES])
    template = rng.choice(len(TEMPLATES), size=count, p=shares / shares.sum())
    roles, lows, highs, sizes = template_tables()
    role, size = roles[template], sizes[template]
    low, high = lows[template], highs[template]
    male = np.array([male for _, male, _ in TEMPLATES])[template]
    head_sex = np.where(rng.random(count) < male, 1, 2)
    age = draw_ages(rng, role, low, high)
    slots = np.arange(MAXIMUM_SLOTS)
    present = slots < size[:, None]
    sex = draw_sexes(rng, role, head_sex)
    birth = days_of("2017-12-31") - (age * 365.25).astype(np.int64)
    birth -= rng.integers(0, 365, birth.shape)

    # A child is born where a young mother lives: the head's spouse or the daughter-in-law.
    young = present & (age <= 40) & (sex == 2)
    has_mother = (young & ((role == SPOUSE) | (role == DAUGHTER_IN_LAW))).any(axis=1)
    born = has_mother & (rng.random(count) < BIRTH_SHARE)
    has_daughter_in_law = (present & (role == DAUGHTER_IN_LAW)).any(axis=1)
    newborn_day = rng.integers(days_of("2017-01-10"), days_of("2022-01-01"), count)
    at = (np.flatnonzero(born), size[born])
    role[at] = np.where(has_daughter_in_law[born], GRANDCHILD, CHILD)
    birth[at] = newborn_day[born]
    sex[at] = rng.integers(1, 3, int(born.sum()))
    present[at] = True

    keep = present.ravel()
    household = np.repeat(np.arange(count), MAXIMUM_SLOTS)[keep]
    start = np.searchsorted(household, np.arange(count))
    flat_role, flat_sex = role.ravel()[keep], sex.ravel()[keep]
    flat_birth = birth.ravel()[keep]
    twin_of = np.full(len(flat_role), -1, dtype=np.int64)
    if twins is not None:
        second = draw_twins(twins, household, flat_role, flat_birth)
        flat_birth[second] = flat_birth[second - 1]
        twin_of[second] = second - 1
    flat_birth = distinct_births(flat_birth, flat_sex)
    twin_of[flat_birth != flat_birth[twin_of]] = -1
    death = draw_deaths(rng, household, flat_role, flat_birth, count)
    listed = listed_years(flat_birth, death)
    head = heads(listed, start)
    labour = draw_labour(rng, flat_birth)
    single_elder = (size == 1) & (age[:, 0] >= 60)
    return Members(
        household=household,
        start=start,
        role=flat_role,
        sex=flat_sex,
        birth=flat_birth,
        death=death,
        listed=listed,
        relation=relations(flat_role, flat_sex, head, household),
        labour=labour,
        head=head,
        member_count=np.add.reduceat(listed.astype(np.int64), start, axis=0),
        has_labour=np.logical_or.reduceat(listed & (labour < FIRST_WITHOUT_LABOUR), start, axis=0),
        size_at_first=size,
        is_single_elder=single_elder,
        twin_of=twin_of,
    )


def draw_twins(
    rng: np.random.Generator, household: Integers, role: Integers, birth: Integers
) -> Integers:
    """Positions of children who are twins of the child before them; the newborn are none."""
    is_child = (role == CHILD) & (birth < days_of(f"{FIRST_YEAR}-01-01"))
    is_sibling = is_child[1:] & is_child[:-1] & (household[1:] == household[:-1])
    sibling = np.flatnonzero(is_sibling) + 1
    return sibling[rng.random(len(sibling)) < TWIN_SHARE]


def template_tables() -> tuple[Integers, Integers, Integers, Integers]:
    """Role, lowest age, highest age and size of the templates as arrays."""
    tables = np.zeros((3, len(TEMPLATES), MAXIMUM_SLOTS), dtype=np.int64)
    sizes = np.zeros(len(TEMPLATES), dtype=np.int64)
    for index, (_, _, slots) in enumerate(TEMPLATES):
        sizes[index] = len(slots)
        tables[:, index, : len(slots)] = np.array(slots).T
    return tables[0], tables[1], tables[2], sizes


def draw_ages(rng: np.random.Generator, role: Integers, low: Integers, high: Integers) -> Integers:
    """Ages at the end of 2017 that keep a generation between parents and children."""
    age = rng.integers(low, high + 1)
    head_age = age[:, :1]
    near = np.round(rng.normal(-2.0, 3.0, role.shape)).astype(np.int64)
    age = np.where(role == SPOUSE, np.maximum(head_age + np.clip(near, -9, 6), 23), age)
    is_child = (role == CHILD) | (role == SON)
    age = np.where(is_child, np.minimum(age, head_age - 19), age)
    age = np.where(role == DAUGHTER_IN_LAW, np.minimum(age, head_age - 17), age)
    age = np.where(role == GRANDCHILD, np.clip(age, 0, np.maximum(head_age - 40, 1)), age)
    is_parent = (role == MOTHER) | (role == FATHER)
    return np.asarray(np.where(is_parent, np.maximum(age, head_age + 19), age))


def draw_sexes(rng: np.random.Generator, role: Integers, head_sex: Integers) -> Integers:
    """Sex of every slot: 1 male, 2 female."""
    sex = rng.integers(1, 3, role.shape)
    sex[:, 0] = head_sex
    sex = np.where(role == SPOUSE, 3 - head_sex[:, None], sex)
    sex = np.where((role == DAUGHTER_IN_LAW) | (role == MOTHER), 2, sex)
    return np.asarray(np.where((role == SON) | (role == FATHER), 1, sex))


def draw_deaths(
    rng: np.random.Generator, household: Integers, role: Integers, birth: Integers, count: int
) -> Integers:
    """Day of death, which becomes more likely with age, or NEVER."""
    years = np.arange(FIRST_YEAR, FIRST_YEAR + YEAR_COUNT)
    age = years - year_of(birth)[:, None]
    chance = np.minimum(0.00003 * np.exp(0.095 * np.maximum(age, 0)), 0.4)
    chance[age < 1] = 0.0
    # A household with minors keeps its head, so that no child is left to head it.
    minors = np.zeros(count, dtype=np.bool_)
    minors[household[birth >= days_of("2002-01-01")]] = True
    chance[(role == HEAD) & minors[household]] = 0.0
    dies = rng.random(chance.shape) < chance
    year = years[dies.argmax(axis=1)]
    day = (year - 1970).astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64)
    day = day + rng.integers(0, 365, len(birth))
    return np.where(dies.any(axis=1), day, NEVER)


def listed_years(birth: Integers, death: Integers) -> Flags:
    """Whether a person stands on the lists of each year from 2017 to 2023."""
    years = np.arange(FIRST_YEAR, FIRST_YEAR + LIST_YEARS)
    last = np.where(death == NEVER, 9999, year_of(np.where(death == NEVER, 0, death)))
    return np.asarray((years > year_of(birth)[:, None]) & (years <= last[:, None]))


def heads(listed: Flags, start: Integers) -> Integers:
    """Position of the first listed member of each household and year, -1 where there is none."""
    position = np.arange(len(listed))[:, None]
    first = np.minimum.reduceat(np.where(listed, position, NEVER), start, axis=0)
    return np.where(first == NEVER, -1, first)


def relations(role: Integers, sex: Integers, head: Integers, household: Integers) -> Integers:
    """Relation of each member to the head of each year, as a position in RELATIONS."""
    plain = {
        HEAD: ("10", "10"),
        SPOUSE: ("10", "10"),
        CHILD: ("20", "30"),
        SON: ("20", "20"),
        DAUGHTER_IN_LAW: ("38", "38"),
        GRANDCHILD: ("41", "42"),
        MOTHER: ("52", "52"),
        FATHER: ("51", "51"),
    }
    # Under a child of the late head: its siblings, its own children, its grandparents.
    under_child = plain | {
        CHILD: ("70", "70"),
        SON: ("70", "70"),
        DAUGHTER_IN_LAW: ("10", "10"),
        GRANDCHILD: ("20", "30"),
        MOTHER: ("62", "62"),
        FATHER: ("61", "61"),
    }
    other = dict.fromkeys(plain, ("97", "97"))
    by_head = {HEAD: plain, SPOUSE: plain, CHILD: under_child, SON: under_child}
    table = np.zeros((len(ROLES), len(ROLES), 3), dtype=np.int64)
    for head_role in range(len(ROLES)):
        for member_role, (male, female) in by_head.get(head_role, other).items():
            table[head_role, member_role, 1] = RELATIONS.index(male)
            table[head_role, member_role, 2] = RELATIONS.index(female)
    head_of_member = head[household]
    relation = table[role[head_of_member], role[:, None], sex[:, None]]
    is_head = head_of_member == np.arange(len(role))[:, None]
    return np.where(is_head, RELATIONS.index("02"), relation)


def draw_labour(rng: np.random.Generator, birth: Integers) -> Integers:
    """Labour ability in each list year; only ages from 18 to 59 have labour."""
    ability = rng.choice(len(LABOUR_CODES), size=len(birth), p=LABOUR_SHARES)
    years = np.arange(FIRST_YEAR, FIRST_YEAR + LIST_YEARS)
    age = years - year_of(birth)[:, None]
    working = (age >= 18) & (age <= 59)
    return np.where(working, ability[:, None], LABOUR_CODES.index("none"))

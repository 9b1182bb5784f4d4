"""Who is who: persons by valid number and agreeing name, keys by HMAC, and every record counted."""

import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from minsheng import linkage, notions
from minsheng.contracts import Contract
from minsheng.parsing import Typing
from minsheng.policies import load_link_rules, reference_rows
from minsheng.project import Project
from minsheng.pseudonyms import PseudonymKey, prepare
from minsheng.quoting import literal, quoted
from minsheng.settings import load_settings
from minsheng.warehouse import (
    Warehouse,
    append_rows,
    open_vault,
    open_warehouse,
    write_rows,
    write_table,
)
from tests.opening import OPENING

SECRET = PseudonymKey(bytes(range(32)))
ROLL = "agriculture__household_roll"
INCOME = "agriculture__household_income"
INSURANCE = "health__insurance_enrolment"
SCHOOL = "education__student_enrolment"
CERTIFICATE = "disability_federation__disability_certificate"
SCHOOL_AID = "education__student_aid"
MONITORING = "agriculture__monitoring_case"
BENCHMARK = "statistics__area_benchmark"
DECISION = "casework__link_decision"
SOURCES = (
    ROLL,
    INCOME,
    INSURANCE,
    SCHOOL,
    SCHOOL_AID,
    CERTIFICATE,
    MONITORING,
    BENCHMARK,
    DECISION,
)
CONSTANTS: Mapping[str, str] = {
    "sender": "null::varchar",
    "period": "'2022'",
    "period_month": "date '2022-12-01'",
    "delivered_on": "date '2023-02-01'",
}
VILLAGE = "330324001001"
VILLAGE_OF_ANOTHER_COUNTY = "330326100013"
Person = tuple[str | None, str] | tuple[str | None, str, Mapping[str, str]]
"""Number and name as delivered, and what else the row says by its headers."""


def valid(body: str) -> str:
    """17 digits with their check character; the region 9901 is assigned to no place."""
    total = 0
    for digit in body:
        total = (total + int(digit)) * 2 % 11
    return body + "0123456789X"[(12 - total) % 11]


WOMAN_BORN_IN_MAY_1980 = valid("99010119800517002")
MAN_BORN_IN_MAY_1980 = valid("99010119800517001")


@dataclass(frozen=True)
class Registry:
    """Staged tables of a build and what the linkage makes of them."""

    warehouse: Warehouse
    project: Project
    village: str = VILLAGE
    filled: set[str] = field(default_factory=set)
    """Datasets whose staged table has rows."""

    @property
    def sources(self) -> list[Contract]:
        return [self.project.contracts[f"staged.{table}"] for table in SOURCES]

    def deliver(self, *deliveries: tuple[str, str, Sequence[Person]]) -> None:
        """Stage deliveries (key, dataset, persons) in their order; they are all there is."""
        contracts = self.project.contracts
        orders = [
            {
                **{column.name: None for column in contracts["meta.delivery"].columns},
                "delivery_id": key,
                "delivery_order": order,
            }
            for order, (key, _, _) in enumerate(deliveries, start=1)
        ]
        write_rows(self.warehouse, contracts["meta.delivery"], orders)
        delivered = {table for _, table, persons in deliveries if persons}
        for source in self.sources:
            if source.table not in self.filled | delivered:
                continue
            columns = ", ".join(column.name for column in source.columns)
            empty = ", ".join(f"null::{c.duckdb_type} as {c.name}" for c in source.columns)
            parts = [
                f"select {columns} from ({self.typed(source, key, persons)})"
                for key, table, persons in deliveries
                if table == source.table and persons
            ]
            write_table(
                self.warehouse,
                source,
                " union all ".join([f"select {empty} where false", *parts]),
            )
        self.filled.clear()
        self.filled.update(delivered)
        self.link(SECRET)

    def decide(self, *decisions: tuple[str, str, str, str | None, str]) -> None:
        """Decide (key, key, decision, dataset, day), each in a delivery after the rest."""
        contract = self.project.contracts[f"staged.{DECISION}"]
        orders = self.project.contracts["meta.delivery"]
        listed = []
        for place, (one, other, code, dataset, day) in enumerate(decisions, start=1):
            listed.append(
                {
                    **{column.name: None for column in contract.columns},
                    "delivery_id": f"decided {place}",
                    "row_number": 2,
                    "one_key": one,
                    "other_key": other,
                    "decided_from": dataset,
                    "link_decision_code": code,
                    "decided_date": day,
                }
            )
            append_rows(
                self.warehouse,
                orders,
                f"select * replace ('decided {place}' as delivery_id, {1000 + place} as "
                "delivery_order) from meta.delivery limit 1",
            )
        write_rows(self.warehouse, contract, listed)
        self.filled.add(DECISION)
        self.link(SECRET)

    def link(self, secret: PseudonymKey) -> None:
        prepare(self.warehouse.connection, secret)
        given = linkage.Given(
            self.sources, {}, load_link_rules(self.project.settings), secret, "received"
        )
        for table in linkage.READS:
            if table != "loose_record":
                (select,) = linkage.table_selects(self.warehouse.connection, table, given)
                write_table(self.warehouse, self.project.contracts[f"vault.{table}"], select)

    def typed(self, source: Contract, delivery_id: str, persons: Sequence[Person]) -> str:
        """The SELECT that types the rows, so that identities are those of the pipeline."""
        given = [
            {
                "证件号码": person[0],
                "姓名": person[1],
                "户编号": "001",
                "行政村代码": self.village,
                **(person[2] if len(person) > 2 else {}),
            }
            for person in persons
        ]
        headers = list(dict.fromkeys(header for row in given for header in row))
        cells = [[row.get(header) for header in headers] for row in given]
        rows = ", ".join(
            f"({place}, {', '.join('null' if cell is None else literal(cell) for cell in row)})"
            for place, row in enumerate(cells, start=2)
        )
        named = ", ".join(map(quoted, ("__row_number", *headers)))
        typing = Typing(
            source, self.project.codes, headers, f"(values {rows}) as rows ({named})", units={}
        )
        constants = {"delivery_id": literal(delivery_id), **CONSTANTS}
        return typing.select(constants, [column.name for column in source.columns])

    def identities(self, columns: str) -> list[tuple[object, ...]]:
        return self.warehouse.rows(
            f"select {columns} from vault.identity join (select source, record_identity, name_key "
            "from vault.record) using (source, record_identity) order by first_record, source"
        )

    def persons(self) -> list[object]:
        """The person of each identity, in order of its first record."""
        return [row[0] for row in self.identities("person_id")]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    settings = load_settings(tmp_path_factory.mktemp("home"), "demo")
    folder: Path = settings.builds / "linkage"
    with open_warehouse(settings, folder) as warehouse, open_vault(warehouse, OPENING):
        project = Project(settings)
        for table in ("area_today", "code"):
            rows = reference_rows(settings, table)
            write_rows(warehouse, project.contracts[f"reference.{table}"], rows)
        yield Registry(warehouse, project, filled=set(SOURCES))


def key(text: str) -> str:
    return hmac.new(SECRET.secret, text.encode(), hashlib.sha256).hexdigest()[:24]


def test_the_helper_knows_a_valid_number() -> None:
    assert valid("11010519491231002") == "11010519491231002X"  # the example of GB 11643


def test_a_person_s_key_is_the_hmac_of_number_and_name(registry: Registry) -> None:
    registry.deliver(("d1", ROLL, [(WOMAN_BORN_IN_MAY_1980, "甲一")]))
    assert registry.persons() == [key(f"id|{WOMAN_BORN_IN_MAY_1980}|甲一")]


def test_a_person_without_a_number_has_the_hmac_of_source_and_identity(
    registry: Registry,
) -> None:
    registry.deliver(("d1", INSURANCE, [(None, "甲一")]))
    assert registry.persons() == [key(f"{INSURANCE}||甲一|")]


def test_without_a_number_the_village_and_household_tell_namesakes_apart(
    registry: Registry,
) -> None:
    registry.deliver(("d1", ROLL, [(None, "甲一")]))
    ((identity,),) = registry.identities("record_identity")
    assert str(identity).startswith("|甲一|")
    assert "330324001001|001" in str(identity)
    assert registry.persons() == [key(f"{ROLL}|{identity}")]


@pytest.mark.parametrize(
    ("number", "are_told_apart"),
    [
        ("000000000000000000", True),
        ("123456789012345678", True),
        ("111111111111111110", True),  # of the eleventh of November 1111, the check digit is right
        (WOMAN_BORN_IN_MAY_1980[:6] + WOMAN_BORN_IN_MAY_1980[8:17], True),  # has no check digit
        (WOMAN_BORN_IN_MAY_1980[:-1] + "01"[WOMAN_BORN_IN_MAY_1980[-1] == "0"], True),
        (valid("99010119800230002"), True),
        ("G" + WOMAN_BORN_IN_MAY_1980, False),
        (WOMAN_BORN_IN_MAY_1980, False),
        (valid("99010119801031002"), False),
        (WOMAN_BORN_IN_MAY_1980 + "43B1", False),
    ],
)
def test_only_a_right_number_tells_namesakes_of_a_source_apart_alone(
    registry: Registry, number: str, are_told_apart: bool
) -> None:
    elsewhere = {"户编号": "002", "行政村代码": "330324001002"}
    registry.deliver(("d1", ROLL, [(number, "甲一"), (number, "甲一", elsewhere)]))
    assert len(set(registry.persons())) == 1 + are_told_apart


def test_a_household_s_key_is_the_hmac_of_its_county_and_number(registry: Registry) -> None:
    registry.deliver(("d1", ROLL, [(None, "甲一"), (None, "甲二")]))
    assert registry.warehouse.rows(
        "select household_identity, household_id from vault.household"
    ) == [("330324|001", key("household|330324|001"))]


def test_the_same_number_in_another_county_is_another_household(registry: Registry) -> None:
    here = ("d1", ROLL, [(None, "甲一")])
    registry.deliver(here)
    first = registry.warehouse.rows("from vault.household")
    replace(registry, village=VILLAGE_OF_ANOTHER_COUNTY).deliver(here)
    second = registry.warehouse.rows("from vault.household")
    assert len(first) == len(second) == 1 and not set(first) & set(second)


def test_a_valid_number_with_the_same_name_is_one_person_in_every_source(
    registry: Registry,
) -> None:
    registry.deliver(
        ("d1", ROLL, [(WOMAN_BORN_IN_MAY_1980, "甲一")]),
        ("d2", INSURANCE, [(WOMAN_BORN_IN_MAY_1980, "甲一")]),
    )
    first, second = registry.persons()
    assert first == second
    assert registry.identities("source, link_rule_code, id_status_code") == [
        (ROLL, "id_and_name", "valid"),
        (INSURANCE, "id_and_name", "valid"),
    ]


def test_two_valid_numbers_under_one_name_are_two_persons(registry: Registry) -> None:
    registry.deliver(
        ("d1", ROLL, [(WOMAN_BORN_IN_MAY_1980, "甲一"), (MAN_BORN_IN_MAY_1980, "甲一")])
    )
    first, second = registry.persons()
    assert first != second


def test_sex_and_month_of_birth_come_from_a_valid_number(registry: Registry) -> None:
    registry.deliver(
        ("d1", ROLL, [(WOMAN_BORN_IN_MAY_1980, "甲一"), (MAN_BORN_IN_MAY_1980, "乙一")])
    )
    assert registry.identities("sex_code, strftime(birth_month, '%Y-%m-%d')") == [
        ("2", "1980-05-01"),
        ("1", "1980-05-01"),
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("阿依古丽·买买提", "阿依古丽•买买提"),
        ("阿依古丽·买买提", "阿依古丽．买买提"),
        ("阿依古丽·买买提", " 阿依古丽 · 买买提 "),
        ("甲一", "甲　一"),
        ("甲一", "甲 一"),
    ],
)
def test_names_agree_whatever_their_dot_and_blanks(
    registry: Registry, one: str, other: str
) -> None:
    registry.deliver(
        ("d1", ROLL, [(WOMAN_BORN_IN_MAY_1980, one)]),
        ("d2", INSURANCE, [(WOMAN_BORN_IN_MAY_1980, other)]),
    )
    first, second = registry.persons()
    assert first == second


@pytest.mark.parametrize("mark", ["'", " ", "　"])
def test_numbers_agree_whatever_the_spreadsheet_put_around_them(
    registry: Registry, mark: str
) -> None:
    number = valid("99010119800517004")
    registry.deliver(
        ("d1", ROLL, [(number, "甲一")]),
        ("d2", INSURANCE, [(mark + number.lower(), "甲一")]),
    )
    first, second = registry.persons()
    assert first == second


def test_the_number_belongs_to_the_name_that_most_sources_have_for_it(registry: Registry) -> None:
    registry.deliver(
        ("d1", INSURANCE, [(WOMAN_BORN_IN_MAY_1980, "乙二"), (WOMAN_BORN_IN_MAY_1980, "甲一")]),
        ("d2", ROLL, [(WOMAN_BORN_IN_MAY_1980, "甲一")]),
    )
    assert registry.identities("source, name_key, link_rule_code") == [
        (INSURANCE, "乙二", "name_conflict"),
        (INSURANCE, "甲一", "id_and_name"),
        (ROLL, "甲一", "id_and_name"),
    ]
    other, holder, again = registry.persons()
    assert holder == again != other


def rules_of(registry: Registry, *records: tuple[str, str, str | None]) -> list[object]:
    """Deliver records (source, name, number), each in a delivery of its own; why each is linked."""
    registry.deliver(
        *(
            (f"d{place}", source, [(number, name)])
            for place, (source, name, number) in enumerate(records)
        )
    )
    return [row[0] for row in registry.identities("link_rule_code")]


def doubts(registry: Registry) -> list[tuple[object, ...]]:
    return registry.warehouse.rows(
        "select link_rule_code, doubt_code from vault.pair where not is_linked order by all"
    )


NUMBER = valid("99010119800517004")


@pytest.mark.parametrize(
    ("name", "number", "rule"),
    [
        ("王小玮", NUMBER, "number_and_homophone"),
        ("王小圳", NUMBER, "number_and_slip_of_name"),
        ("王伟", NUMBER, "number_and_shortened_name"),
        ("王小伟", NUMBER[:10] + "1" + NUMBER[11:], "slip_of_number_and_name"),
        ("王小伟", NUMBER[:6] + NUMBER[7] + NUMBER[6] + NUMBER[8:], "slip_of_number_and_name"),
        ("王小伟", NUMBER[:-1], "slip_of_number_and_name"),
        ("王小伟", NUMBER[:3] + NUMBER[2:], "slip_of_number_and_name"),
        ("王小玮", NUMBER[:10] + "1" + NUMBER[11:], "slip_of_number_and_homophone"),
        ("王小伟", "980101" + NUMBER[6:-1] + "0", "slips_of_number_and_name"),
        ("王小伟", NUMBER[:6] + NUMBER[8:17], "number_and_name"),
        ("王小玮", NUMBER[:6] + NUMBER[8:17], "number_and_homophone"),
        ("王小伟", NUMBER + "44", "id_and_name"),
        ("王小伟", NUMBER + "44B1", "id_and_name"),
        ("王小伟", "G" + NUMBER, "id_and_name"),
    ],
)
def test_a_harmless_error_is_linked_by_its_rule(
    registry: Registry, name: str, number: str, rule: str
) -> None:
    found = rules_of(registry, (ROLL, "王小伟", NUMBER), (INSURANCE, name, number))
    assert found == ["id_and_name", rule]
    assert len(set(registry.persons())) == 1


def test_a_name_of_nearly_the_same_sound_is_linked_unless_somebody_bears_it(
    registry: Registry,
) -> None:
    listed = (ROLL, "林兰", NUMBER), (INSURANCE, "宁南", NUMBER)
    assert rules_of(registry, *listed) == ["id_and_name", "number_and_near_sound"]
    bearer = (ROLL, "宁南", valid("99010119820517001"))
    assert rules_of(registry, *listed, bearer).count("name_conflict") == 1


def test_the_name_of_a_brother_on_ones_number_is_not_linked(registry: Registry) -> None:
    brother = valid("99010119820517001")
    assert rules_of(
        registry,
        (ROLL, "王小伟", NUMBER),
        (ROLL, "王小明", brother),
        (INSURANCE, "王小明", NUMBER),
    ) == ["id_and_name", "id_and_name", "name_conflict"]
    assert doubts(registry) == [("number_of_another", "asked")]


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("王小玮", "number_and_homophone"),
        ("王小圳", "number_and_slip_of_name"),
        ("王小", "number_and_shortened_name"),
        ("宁南", "number_and_near_sound"),
    ],
)
@pytest.mark.parametrize("number", [None, "无", valid("99010119820517001")])
def test_the_name_of_a_relative_of_whatever_number_is_not_linked(
    registry: Registry, name: str, rule: str, number: str | None
) -> None:
    holder = ROLL, NUMBER, "林兰" if name == "宁南" else "王小伟"
    record, relative = (INSURANCE, NUMBER, name), (MONITORING, number, name)

    def rule_of(*records: tuple[str, str | None, str]) -> object:
        registry.deliver(
            *(
                (f"d{place}", source, [(number, name)])
                for place, (source, number, name) in enumerate(records)
            )
        )
        return registry.identities("link_rule_code")[1][0]

    assert rule_of(holder, record) == rule
    assert rule_of(holder, record, relative) == "name_conflict"
    assert ("number_of_another", "asked") in doubts(registry)


@pytest.mark.parametrize(
    ("name", "rule"), [("王小玮", "number_and_homophone"), ("王小圳", "number_and_slip_of_name")]
)
def test_a_namesake_who_lives_elsewhere_is_no_relative(
    registry: Registry, name: str, rule: str
) -> None:
    elsewhere = {"行政村代码": VILLAGE_OF_ANOTHER_COUNTY, "户编号": "009"}
    two = ("d1", ROLL, [(NUMBER, "王小伟")]), ("d2", INSURANCE, [(NUMBER, name)])
    registry.deliver(*two, ("d3", MONITORING, [(None, name, elsewhere)]))
    assert registry.identities("link_rule_code")[1] == (rule,)
    # who has a number of his own could be the one of whom the record is, if the names differ more
    registry.deliver(*two, ("d3", MONITORING, [(valid("99010119820517001"), name, elsewhere)]))
    found = "number_and_homophone" if rule == "number_and_homophone" else "name_conflict"
    assert registry.identities("link_rule_code")[1] == (found,)


def test_a_slip_of_the_number_under_the_misspelt_name_is_no_relative_s(registry: Registry) -> None:
    slipped = NUMBER[:10] + "1" + NUMBER[11:]
    registry.deliver(
        ("d1", ROLL, [(NUMBER, "王小伟")]),
        ("d2", INSURANCE, [(NUMBER, "王小玮")]),
        ("d3", MONITORING, [(slipped, "王小玮"), (SHORT, "王小玮")]),
    )
    assert len(set(registry.persons())) == 1


def test_another_name_on_a_valid_number_is_left_to_a_person(registry: Registry) -> None:
    assert rules_of(registry, (ROLL, "王小伟", NUMBER), (INSURANCE, "李四方", NUMBER)) == [
        "id_and_name",
        "name_conflict",
    ]
    assert doubts(registry) == [("number_of_another", "asked")]


def test_two_records_of_one_roll_are_two_persons(registry: Registry) -> None:
    broken = NUMBER[:10] + "1" + NUMBER[11:]
    registry.deliver(("d1", INSURANCE, [(NUMBER, "王小伟"), (broken, "王小伟")]))
    assert len(set(registry.persons())) == 2
    assert ("slip_of_number_and_name", "one_roll") in doubts(registry)


def test_a_pair_that_a_rule_finds_from_both_sides_is_asked_once(registry: Registry) -> None:
    registry.deliver(("d1", ROLL, [("12", "王小伟"), ("13", "王小伟")]))
    assert doubts(registry).count(("household_and_name", "one_roll")) == 1


def test_a_number_one_slip_from_two_of_a_name_is_linked_to_neither(registry: Registry) -> None:
    body = NUMBER[:17]
    near = [
        valid(body[:15] + f"{digits:02}")
        for digits in range(100)
        if sum(a != b for a, b in zip(valid(body[:15] + f"{digits:02}"), NUMBER, strict=True)) == 2
    ]
    assert near
    other = near[0]
    place = next(at for at, (a, b) in enumerate(zip(other, NUMBER, strict=True)) if a != b)
    broken = NUMBER[:place] + other[place] + NUMBER[place + 1 :]
    assert rules_of(
        registry,
        (ROLL, "王小伟", NUMBER),
        (INSURANCE, "王小伟", other),
        (ROLL, "王小伟", broken),
    ) == ["id_and_name", "id_and_name", "own_record"]
    assert ("slip_of_number_and_name", "ambiguous") in doubts(registry)


# ── fifteen digits ──────────────────────────────────────────────────────────────────────────────

SHORT = NUMBER[:6] + NUMBER[8:17]


def told_of(registry: Registry) -> list[tuple[object, ...]]:
    return registry.identities("id_status_code, link_rule_code")


def test_fifteen_digits_that_nothing_proves_link_with_their_name(registry: Registry) -> None:
    assert rules_of(registry, (ROLL, "王小伟", SHORT), (INSURANCE, "王小伟", SHORT)) == [
        "number_and_name",
        "number_and_name",
    ]
    assert len(set(registry.persons())) == 1
    assert {row[0] for row in told_of(registry)} == {"unproven"}
    assert registry.identities("is_confirmed")[0] == (False,)
    rules_of(registry, (ROLL, "王小伟", SHORT), (INSURANCE, "王小玮", SHORT))
    assert len(set(registry.persons())) == 1


def test_fifteen_digits_that_nothing_proves_say_nothing_alone(registry: Registry) -> None:
    rules_of(registry, (ROLL, "王小伟", SHORT), (INSURANCE, "王小圳", SHORT))
    assert told_of(registry) == [("unproven", "own_record")] * 2
    assert len(set(registry.persons())) == 2
    assert registry.identities("birth_month, sex_code") == [(None, None)] * 2


def test_fifteen_digits_are_proven_by_the_eighteen_of_anybody(registry: Registry) -> None:
    rules_of(registry, (ROLL, "李四方", NUMBER), (INSURANCE, "王小伟", SHORT))
    assert told_of(registry) == [("valid", "id_and_name"), ("valid", "name_conflict")]


def test_fifteen_digits_are_proven_by_a_certificate_that_holds_them(registry: Registry) -> None:
    certificate = {"残疾人证号": f"{NUMBER}43", "身份证号": "无"}
    registry.deliver(
        ("d1", INSURANCE, [(SHORT, "王小伟")]), ("d2", CERTIFICATE, [(None, "王小伟", certificate)])
    )
    assert told_of(registry) == [("valid", "id_and_name"), ("bad_shape", "held_number_and_name")]
    assert len(set(registry.persons())) == 1


@pytest.mark.parametrize("names", [6, 7])
def test_fifteen_digits_of_many_names_are_nobody_s(registry: Registry, names: int) -> None:
    people = [(SHORT, f"甲{'一二三四五六七'[place]}") for place in range(names)]
    registry.deliver(("d1", ROLL, people), ("d2", INSURANCE, people[:1]))
    assert {row[0] for row in told_of(registry)} == {"unproven" if names < 7 else "bad_shape"}
    assert len(set(registry.persons())) == (names if names < 7 else names + 1)


def test_a_key_of_fifteen_digits_stays_when_they_are_proven(registry: Registry) -> None:
    first = ("d1", INSURANCE, [(SHORT, "王小伟")])
    registry.deliver(first)
    (before,) = registry.persons()
    registry.deliver(first, ("d2", ROLL, [(NUMBER, "王小伟")]))
    assert registry.persons() == [before, before]


@pytest.mark.parametrize("name", ["王小伟", "李四方"])
def test_fifteen_digits_of_one_kind_are_no_number(registry: Registry, name: str) -> None:
    rules_of(registry, (ROLL, "王小伟", "1" * 15), (INSURANCE, name, "1" * 15))
    assert told_of(registry) == [("bad_shape", "own_record")] * 2
    assert len(set(registry.persons())) == 2


def test_fifteen_digits_are_not_those_of_another_number(registry: Registry) -> None:
    other = valid("99010119820517001")
    registry.deliver(("d1", ROLL, [(other, "王小伟")]), ("d2", MONITORING, [(SHORT, "王小伟")]))
    assert len(set(registry.persons())) == 2
    assert ("household_and_name", "two_numbers") in doubts(registry)


# ── what is no evidence ─────────────────────────────────────────────────────────────────────────

PHONE, SCHOOL_NUMBER = "13800138000", "J99010120100517004X"


@pytest.mark.parametrize(
    ("phone", "rules"),
    [
        (PHONE, ["id_and_name", "phone_and_name"]),
        ("无", ["id_and_name", "own_record"]),
        ("0", ["id_and_name", "own_record"]),
        ("11111111111", ["id_and_name", "own_record"]),
        ("057788888888", ["id_and_name", "own_record"]),  # an office may give its own
        ("1380013800", ["id_and_name", "own_record"]),
    ],
)
def test_a_phone_links_where_it_is_a_mobile_one(
    registry: Registry, phone: str, rules: list[str]
) -> None:
    of_phone = {"联系电话": phone}
    registry.deliver(
        ("d1", ROLL, [(NUMBER, "王小伟", of_phone)]),
        ("d2", MONITORING, [(None, "王小伟", {**of_phone, "户编号": "002"})]),
    )
    assert [row[0] for row in registry.identities("link_rule_code")] == rules


@pytest.mark.parametrize(("names", "is_evidence"), [(6, True), (7, False)])
def test_a_phone_of_many_names_is_nobody_s(
    registry: Registry, names: int, is_evidence: bool
) -> None:
    of_phone = {"联系电话": PHONE}
    others = [(None, f"甲{'一二三四五六'[place]}", of_phone) for place in range(names - 1)]
    registry.deliver(
        ("d1", ROLL, [(NUMBER, "王小伟", of_phone), *others]),
        ("d2", MONITORING, [(None, "王小伟", {**of_phone, "户编号": "002"})]),
    )
    found = [row[0] for row in registry.identities("link_rule_code")]
    assert ("phone_and_name" in found) == is_evidence


@pytest.mark.parametrize(
    ("number", "rule"),
    [
        (SCHOOL_NUMBER, "student_number_and_name"),
        ("无", "own_record"),
        ("2022001", "own_record"),
        ("G1111111111111111111", "own_record"),
    ],
)
def test_a_school_number_links_where_it_is_one(registry: Registry, number: str, rule: str) -> None:
    registry.deliver(
        ("d1", SCHOOL, [(NUMBER, "王小伟", {"学籍号": number})]),
        ("d2", SCHOOL_AID, [(None, "王小伟", {"学籍号": number})]),
    )
    assert registry.identities("link_rule_code")[1] == (rule,)


@pytest.mark.parametrize("number", ["无", "0", "00", "-"])
def test_a_household_without_a_number_is_no_evidence(registry: Registry, number: str) -> None:
    here, there = ({"行政村代码": code, "户编号": number} for code in (VILLAGE, "330324001002"))
    registry.deliver(
        ("d1", ROLL, [(NUMBER, "王小伟", here)]),
        ("d2", MONITORING, [(None, "王小伟", there)]),
    )
    assert len(set(registry.persons())) == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [("无", "无"), ("0", "0"), ("1", "12"), ("000000000000000000", "000000000000000000")],
)
def test_numbers_that_say_nothing_do_not_make_brothers_one(
    registry: Registry, one: str, other: str
) -> None:
    registry.deliver(("d1", ROLL, [(one, "王小伟")]), ("d2", MONITORING, [(other, "王小玮")]))
    assert len(set(registry.persons())) == 2


def test_what_a_certificate_holds_links_where_it_is_a_number(registry: Registry) -> None:
    for held, rule in ((NUMBER, "held_number_and_name"), ("9" * 18, "own_record")):
        registry.deliver(
            ("d1", INSURANCE, [(NUMBER, "王小伟")]),
            ("d2", CERTIFICATE, [("无", "王小伟", {"残疾人证号": f"{held}43", "身份证号": "无"})]),
        )
        assert registry.identities("link_rule_code")[1] == (rule,)


def test_two_records_that_somebody_says_are_one_person_are_one(registry: Registry) -> None:
    registry.deliver(("d1", ROLL, [(NUMBER, "王小伟")]), ("d2", INSURANCE, [(NUMBER, "李四方")]))
    one, other = map(str, registry.persons())
    registry.decide((one, other, "link", None, "2023-05-01"))
    assert registry.identities("person_id, link_rule_code") == [
        (one, "id_and_name"),
        (one, "decided"),
    ]
    assert doubts(registry) == []


def test_two_records_that_somebody_says_are_two_persons_stay_two(registry: Registry) -> None:
    broken = NUMBER[:10] + "1" + NUMBER[11:]
    registry.deliver(("d1", ROLL, [(NUMBER, "王小伟")]), ("d2", INSURANCE, [(broken, "王小伟")]))
    one, same = map(str, registry.persons())
    assert one == same
    [(other,)] = registry.warehouse.rows(
        "select alias_id from vault.membership where alias_id <> person_id"
    )
    registry.decide((one, str(other), "part", None, "2023-05-01"))
    assert registry.persons() == [one, other]
    assert registry.warehouse.rows("select one_key from vault.review") == []


def test_what_is_decided_last_holds_and_can_be_withdrawn(registry: Registry) -> None:
    registry.deliver(("d1", ROLL, [(NUMBER, "王小伟")]), ("d2", INSURANCE, [(NUMBER, "李四方")]))
    one, other = map(str, registry.persons())
    link, part = (one, other, "link", None, "2023-05-01"), (other, one, "part", None, "2023-06-01")
    registry.decide(part, link)  # the day of the decision tells, not that of its delivery
    assert registry.persons() == [one, other]
    registry.decide(link, (one, other, "withdraw", None, "2023-07-01"))
    assert registry.persons() == [one, other]
    assert doubts(registry) == [("number_of_another", "asked")]
    registry.decide((one, other, "withdraw", None, "2023-04-01"), link)
    assert registry.persons() == [one, one]


def test_who_was_found_to_be_two_is_not_asked_again(registry: Registry) -> None:
    registry.deliver(("d1", ROLL, [(NUMBER, "王小伟")]), ("d2", INSURANCE, [(NUMBER, "李四方")]))
    one, other = map(str, registry.persons())
    assert registry.warehouse.rows("select count(*) from vault.review") == [(1,)]
    registry.decide((one, other, "part", None, "2023-05-01"))
    assert doubts(registry) == [("number_of_another", "decided")]
    assert registry.warehouse.rows("select count(*) from vault.review") == [(0,)]


def test_decisions_of_one_day_that_contradict_each_other_leave_the_pair_open(
    registry: Registry,
) -> None:
    registry.deliver(("d1", ROLL, [(NUMBER, "王小伟")]), ("d2", INSURANCE, [(NUMBER, "李四方")]))
    one, other = map(str, registry.persons())
    day = "2023-05-01"
    link, part = (one, other, "link", None, day), (other, one, "part", None, day)
    registry.decide((one, other, "link", None, "2023-04-01"), link, part)
    assert registry.persons() == [one, other]
    assert doubts(registry) == [("number_of_another", "asked")]
    # a withdrawal between them, or a later day, says which is meant
    registry.decide(part, (one, other, "withdraw", None, day), link)
    assert registry.persons() == [one, one]
    registry.decide(link, part, (one, other, "part", None, "2023-05-02"))
    assert doubts(registry) == [("number_of_another", "decided")]


def test_a_pair_decided_twice_on_one_day_is_one_pair(registry: Registry) -> None:
    registry.deliver(("d1", ROLL, [(NUMBER, "王小伟")]), ("d2", INSURANCE, [(NUMBER, "李四方")]))
    one, other = map(str, registry.persons())
    day = "2023-05-01"
    registry.decide((one, other, "link", None, day), (one, other, "link", INSURANCE, day))
    assert registry.persons() == [one, one]
    key = "select count(*), count(distinct (link_rule_code, one, other)) from vault.pair"
    [(pairs, keys)] = registry.warehouse.rows(key)
    assert pairs == keys > 0
    registry.decide((one, other, "link", None, day), (one, other, "part", INSURANCE, day))
    assert registry.persons() == [one, other]


def test_the_records_of_a_dataset_are_split_from_a_person_and_stay_so(registry: Registry) -> None:
    pair = [("d1", ROLL, [(NUMBER, "王小伟")]), ("d2", INSURANCE, [(NUMBER, "王小伟")])]
    registry.deliver(*pair)
    one, same = map(str, registry.persons())
    assert one == same
    decision = (one, one, "split", INSURANCE, "2023-05-01")
    registry.decide(decision)
    first, split = registry.persons()
    assert first == one != split
    registry.deliver(*pair, ("d3", INSURANCE, [(NUMBER, "王小偉")]))
    registry.decide(decision)
    # what links to the split record by another rule does not come back to the person by it
    assert registry.persons()[:2] == [one, split]
    assert registry.persons()[2] != one


def test_a_split_of_a_dataset_parts_what_a_rule_had_linked(registry: Registry) -> None:
    broken = NUMBER[:10] + "1" + NUMBER[11:]
    registry.deliver(("d1", ROLL, [(NUMBER, "王小伟")]), ("d2", INSURANCE, [(broken, "王小伟")]))
    one, same = map(str, registry.persons())
    assert one == same
    registry.decide((one, one, "split", INSURANCE, "2023-05-01"))
    assert len(set(registry.persons())) == 2


SLIPPED = NUMBER[:10] + "1" + NUMBER[11:]


@pytest.mark.parametrize(
    ("first", "second"), [(NUMBER, NUMBER), (NUMBER, SLIPPED), (SLIPPED, NUMBER), (SHORT, NUMBER)]
)
@pytest.mark.parametrize("split_off", [INSURANCE, ROLL])
def test_a_key_resolves_though_the_dataset_that_it_came_from_is_split_off(
    registry: Registry, first: str, second: str, split_off: str
) -> None:
    two = ("d1", INSURANCE, [(first, "王小伟")]), ("d2", ROLL, [(second, "王小伟")])
    registry.deliver(*two)
    one, same = map(str, registry.persons())
    assert one == same
    split = (one, one, "split", split_off, "2023-05-01")
    registry.decide(split)
    assert len(set(registry.persons())) == 2
    assert one in registry.persons()
    known = "select count(*) from vault.membership where alias_id = ?"
    assert registry.warehouse.rows(known, [one]) == [(1,)]
    # who asks is not asked again, and the decision can be withdrawn
    assert registry.warehouse.rows("from vault.review") == []
    registry.decide(split, (one, one, "withdraw", split_off, "2023-06-01"))
    assert registry.persons() == [one, one]


def test_what_is_split_off_holds_no_number_that_another_holds(registry: Registry) -> None:
    registry.deliver(("d1", INSURANCE, [(NUMBER, "王小伟")]), ("d2", ROLL, [(NUMBER, "王小伟")]))
    one, _ = map(str, registry.persons())
    registry.decide((one, one, "split", INSURANCE, "2023-05-01"))
    split, held = registry.persons()
    assert held == one != split
    assert registry.identities("link_rule_code, is_confirmed") == [
        ("name_conflict", False),
        ("id_and_name", True),
    ]


def test_a_key_resolves_though_every_dataset_is_split_off(registry: Registry) -> None:
    registry.deliver(
        ("d1", INSURANCE, [(NUMBER, "王小伟")]),
        ("d2", ROLL, [(NUMBER, "王小伟")]),
        ("d3", MONITORING, [(SLIPPED, "王小伟")]),
    )
    one = str(registry.persons()[0])
    day = "2023-05-01"
    registry.decide((one, one, "split", INSURANCE, day), (one, one, "split", ROLL, day))
    insured, enrolled, monitored = registry.persons()
    assert insured == one
    assert one not in (enrolled, monitored)


def test_two_rows_of_one_roll_are_not_one_person_though_somebody_says_so(
    registry: Registry,
) -> None:
    registry.deliver(("d1", ROLL, [(NUMBER, "王小伟"), (None, "李四方")]))
    one, other = map(str, registry.persons())
    registry.decide((one, other, "link", None, "2023-05-01"))
    assert registry.persons() == [one, other]
    assert ("decided", "one_roll") in doubts(registry)


def test_a_decision_on_keys_that_nobody_has_changes_nothing(registry: Registry) -> None:
    registry.deliver(("d1", ROLL, [(NUMBER, "王小伟")]))
    before = registry.persons()
    registry.decide(("nobody", str(before[0]), "link", None, "2023-05-01"))
    assert registry.persons() == before


def test_the_review_shows_both_records_and_what_a_decision_would_move(registry: Registry) -> None:
    registry.deliver(
        ("d1", ROLL, [(NUMBER, "王小伟")]),
        ("d2", INSURANCE, [(NUMBER, "李四方"), (NUMBER, "李四方")]),
    )
    assert registry.warehouse.rows(
        "select one_name, other_name, link_rule_code, doubt_code, affects_household, "
        "moved_record_count, agreeing, one_sources from vault.review"
    ) == [("李四方", "王小伟", "number_of_another", "asked", True, 1, "证件号码", INSURANCE)]


def test_a_key_resolves_although_its_record_is_linked_now(registry: Registry) -> None:
    broken = NUMBER[:10] + "1" + NUMBER[11:]
    registry.deliver(("d1", INSURANCE, [(broken, "王小伟")]))
    (alone,) = registry.persons()
    registry.deliver(("d1", INSURANCE, [(broken, "王小伟")]), ("d2", ROLL, [(NUMBER, "王小伟")]))
    assert set(registry.persons()) == {alone}  # the first record gives the key
    aliases = registry.warehouse.rows("select alias_id, person_id from vault.membership")
    assert {(alone, alone), (key(f"id|{NUMBER}|王小伟"), alone)} == set(aliases)


def test_within_one_file_the_first_row_holds_the_number(registry: Registry) -> None:
    registry.deliver(
        ("d1", ROLL, [(WOMAN_BORN_IN_MAY_1980, "乙二"), (WOMAN_BORN_IN_MAY_1980, "甲一")])
    )
    assert registry.identities("name_key, link_rule_code") == [
        ("乙二", "id_and_name"),
        ("甲一", "name_conflict"),
    ]


def test_the_other_name_of_a_number_is_one_person_in_every_source(registry: Registry) -> None:
    registry.deliver(
        ("d1", ROLL, [(WOMAN_BORN_IN_MAY_1980, "甲一"), (WOMAN_BORN_IN_MAY_1980, "乙二")]),
        ("d2", INSURANCE, [(WOMAN_BORN_IN_MAY_1980, "乙二")]),
    )
    _, conflict, elsewhere = registry.persons()
    assert conflict == elsewhere


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (WOMAN_BORN_IN_MAY_1980[:-1] + "01"[WOMAN_BORN_IN_MAY_1980[-1] == "0"], "bad_checksum"),
        (None, "missing"),
        ("99010119800", "bad_shape"),
        (valid("99010119801317002"), "bad_shape"),  # born in a thirteenth month
    ],
)
def test_without_a_valid_number_each_source_has_a_person_of_its_own(
    registry: Registry, number: str | None, status: str
) -> None:
    registry.deliver(
        ("d1", ROLL, [(number, "甲一")]),
        ("d2", INSURANCE, [(number, "甲一")]),
    )
    first, second = registry.persons()
    assert first != second
    found = registry.identities("id_status_code, link_rule_code, sex_code, birth_month")
    assert found == [(status, "own_record", None, None)] * 2


def test_without_a_number_two_names_of_a_source_are_two_persons(registry: Registry) -> None:
    registry.deliver(("d1", ROLL, [(None, "甲一"), (None, "乙二")]))
    first, second = registry.persons()
    assert first != second


def test_a_later_delivery_changes_no_key(registry: Registry) -> None:
    first = (
        "d1",
        ROLL,
        [(WOMAN_BORN_IN_MAY_1980, "甲一"), (WOMAN_BORN_IN_MAY_1980, "乙二"), (None, "丙三")],
    )
    registry.deliver(first)
    columns = "source, record_identity, person_id"
    before = registry.identities(columns)
    registry.deliver(
        first,
        ("d0", ROLL, [(WOMAN_BORN_IN_MAY_1980, "丁四"), (None, "丙三")]),
        ("d2", INSURANCE, [(WOMAN_BORN_IN_MAY_1980, "乙二"), (MAN_BORN_IN_MAY_1980, "甲一")]),
    )
    assert set(before) <= set(registry.identities(columns))


def test_a_thousand_corrected_numbers_change_no_other_key(registry: Registry) -> None:
    numbers = [
        valid(f"9901011{970 + place % 20}0{1 + place % 9}{10 + place % 18}{place % 1000:03}")
        for place in range(3000)
    ]
    assert len(set(numbers)) == len(numbers)
    characters = "一乙丁七万丈三上下丑专且世丘丙业丛东丝丞"
    names = [
        "王" + characters[place // 400 % 20] + characters[place // 20 % 20] + characters[place % 20]
        for place in range(3000)
    ]
    slipped = [
        number if place >= 1000 else number[:16] + str((int(number[16]) + 1) % 10) + number[17:]
        for place, number in enumerate(numbers)
    ]
    first = ("d1", INSURANCE, list(zip(slipped, names, strict=True)))
    registry.deliver(first)
    before = dict(registry.warehouse.rows("select alias_id, person_id from vault.membership"))
    assert len(before) == 3000
    registry.deliver(first, ("d2", ROLL, list(zip(numbers, names, strict=True))))
    after = dict(registry.warehouse.rows("select alias_id, person_id from vault.membership"))
    assert {alias: after[alias] for alias in before} == before
    assert set(after.values()) == set(before.values())  # the corrected ones are who they were


def test_another_secret_makes_other_keys(registry: Registry) -> None:
    registry.deliver(("d1", ROLL, [(WOMAN_BORN_IN_MAY_1980, "甲一")]))
    before = registry.persons()
    registry.link(PseudonymKey(bytes(32), version=2))
    assert registry.persons() != before


def test_every_record_is_counted_once(registry: Registry) -> None:
    registry.deliver(
        ("d1", ROLL, [(WOMAN_BORN_IN_MAY_1980, "甲一"), (None, "乙二"), (None, "乙二")]),
        ("d2", ROLL, [(WOMAN_BORN_IN_MAY_1980, "甲一"), (WOMAN_BORN_IN_MAY_1980, "丙三")]),
        ("d3", INSURANCE, [(WOMAN_BORN_IN_MAY_1980, "甲 一"), ("123", "丁四")]),
    )
    assert registry.identities("source, name_key, record_count") == [
        (ROLL, "甲一", 2),
        (ROLL, "乙二", 2),
        (ROLL, "丙三", 1),
        (INSURANCE, "甲一", 1),
        (INSURANCE, "丁四", 1),
    ]
    [(staged,)] = registry.warehouse.rows(
        f"select (select count(*) from staged.{ROLL}) + (select count(*) from staged.{INSURANCE})"
    )
    [(counted,)] = registry.warehouse.rows("select sum(record_count) from vault.identity")
    assert counted == staged == 7


def test_without_deliveries_nobody_is_there(registry: Registry) -> None:
    registry.deliver()
    assert registry.persons() == []
    assert registry.warehouse.rows("from vault.household") == []


def test_sources_that_name_nobody_make_no_persons_and_no_households(registry: Registry) -> None:
    registry.deliver(("d1", ROLL, [(None, "甲一")]))
    nameless = [registry.project.contracts[f"staged.{BENCHMARK}"]]
    given = linkage.Given(
        nameless, {}, load_link_rules(registry.project.settings), SECRET, "received"
    )
    for select in (linkage.record_select(given), notions.household_select(nameless, {}, SECRET)):
        assert registry.warehouse.rows(select) == []

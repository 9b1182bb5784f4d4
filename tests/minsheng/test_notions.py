"""Households of the three notions, and those whose number or county's code is another."""

import hashlib
import hmac
from collections.abc import Callable, Iterator, Sequence

import pytest

from minsheng.contracts import Contract, load_contracts
from minsheng.notions import household_select
from minsheng.policies import reference_rows
from minsheng.pseudonyms import PseudonymKey, prepare
from minsheng.settings import load_settings
from minsheng.warehouse import open_vault, open_warehouse, write_rows, write_table
from tests.opening import OPENING

SECRET = PseudonymKey(bytes(range(32)))
ROLL = "staged.agriculture__household_roll"
ASSISTANCE = "staged.civil_affairs__assistance_roll"
LEDGER = "staged.agriculture__household_income"
LONGGANG_TOWN, CANGNAN_TOWN = "330327101205", "330327102205"
LONGGANG_CITY = "330383198205"
DONGTOU_COUNTY, DONGTOU_DISTRICT = "330322101205", "330305101205"

Row = tuple[str, str, str, str]
"""Period, area code, number of the household and a member as delivered."""
Households = Callable[..., dict[str, str]]
told: dict[str, object] = {}
"""Of the identities made last the lineage of those that have another's key."""


def key(identity: str) -> str:
    """The key of an identity under the secret."""
    text = f"household|{identity}".encode()
    return hmac.new(SECRET.secret, text, hashlib.sha256).hexdigest()[:24]


@pytest.fixture(scope="module")
def households(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Households]:
    """Makes `vault.household` of rows of the two rolls: key by identity."""
    settings = load_settings(tmp_path_factory.mktemp("home"), "demo")
    contracts = load_contracts(settings)
    folder = settings.builds / "notions"
    with open_warehouse(settings, folder) as warehouse, open_vault(warehouse, OPENING):
        prepare(warehouse.connection, SECRET)
        areas = contracts["reference.area_today"]
        write_rows(warehouse, areas, reference_rows(settings, "area_today"))

        def filled(source: Contract, rows: list[dict[str, str]]) -> None:
            columns = [column.name for column in source.columns]
            write_rows(
                warehouse, source, [{name: row.get(name) for name in columns} for row in rows]
            )

        def fill_roll(rows: Sequence[Row], delivery: str) -> None:
            filled(
                contracts[ROLL],
                [
                    {
                        "period": period,
                        "village_code": area,
                        "household_identity": f"{area[:6]}|{number}",
                        "registration_identity": f"registration|{area[:6]}|{number}",
                        "record_identity": member,
                        "delivery_id": f"{delivery} {period}",
                        "row_number": place,
                    }
                    for place, (period, area, number, member) in enumerate(rows, start=2)
                ],
            )

        def make(
            *roll: Row,
            assistance: tuple[Row, ...] = (),
            ledger: tuple[tuple[str, str, str], ...] = (),
            corrected: tuple[Row, ...] = (),
        ) -> dict[str, str]:
            """`corrected` are rows of the roll's deliveries in whose place those of `roll` came."""
            fill_roll(corrected, "corrected")
            warehouse.connection.execute(f"create or replace temp table gone as from {ROLL}")
            fill_roll(roll, "whole")
            filled(
                contracts[LEDGER],
                [
                    {
                        "period": period,
                        "area_code": area,
                        "household_identity": f"{area[:6]}|{number}",
                        "delivery_id": f"whole {period}",
                        "row_number": place,
                    }
                    for place, (period, area, number) in enumerate(ledger, start=2)
                ],
            )
            filled(
                contracts[ASSISTANCE],
                [
                    {
                        "period": period,
                        "village_code": area,
                        "co_living_identity": f"co_living|{area[:6]}|{number}",
                        "record_identity": member,
                        "delivery_id": f"whole {period}",
                        "row_number": place,
                    }
                    for place, (period, area, number, member) in enumerate(assistance, start=2)
                ],
            )
            periods = sorted({row[0] for row in (*roll, *assistance, *ledger, *corrected)})
            named = [f"{kind} {each}" for kind in ("corrected", "whole") for each in periods]
            filled(
                contracts["meta.delivery"],
                [
                    {"delivery_id": delivery, "delivery_order": str(order)}
                    for order, delivery in enumerate(named)
                ],
            )
            table = contracts["vault.household"]
            sources = [contracts[name] for name in (ROLL, ASSISTANCE, LEDGER)]
            select = household_select(sources, {contracts[ROLL].table: "gone"}, SECRET)
            write_table(warehouse, table, select)
            rows = warehouse.rows("select household_identity, household_id from vault.household")
            assert len(rows) == len({row[0] for row in rows})
            told.clear()
            told.update(
                {
                    str(row[0]): row[1]
                    for row in warehouse.rows(
                        "select household_identity, lineage_code from vault.household "
                        "where household_id <> alias_id"
                    )
                }
            )
            return {str(row[0]): str(row[1]) for row in rows}

        yield make


def test_a_household_of_the_town_that_became_a_city_keeps_its_key(households: Households) -> None:
    made = households(
        ("2018", LONGGANG_TOWN, "001", "1|甲一"),
        ("2018", LONGGANG_TOWN, "001", "2|甲二"),
        ("2019", LONGGANG_CITY, "001", "2|甲二"),
    )
    assert made["330327|001"] == made["330383|001"] == key("330327|001")
    assert made["registration|330327|001"] == made["registration|330383|001"]
    assert made["registration|330327|001"] != made["330327|001"]


def test_one_of_a_county_that_became_a_district_keeps_it_too(households: Households) -> None:
    made = households(
        ("2014", DONGTOU_COUNTY, "001", "1|甲一"), ("2015", DONGTOU_DISTRICT, "001", "1|甲一")
    )
    assert made["330322|001"] == made["330305|001"] == key("330322|001")


def test_one_of_another_town_of_the_county_is_another_household(households: Households) -> None:
    made = households(
        ("2018", CANGNAN_TOWN, "001", "1|甲一"), ("2019", LONGGANG_CITY, "001", "1|甲一")
    )
    assert made["330327|001"] != made["330383|001"]


def test_a_city_that_numbers_anew_has_other_households(households: Households) -> None:
    made = households(
        ("2018", LONGGANG_TOWN, "001", "1|甲一"), ("2019", LONGGANG_CITY, "001", "3|乙一")
    )
    assert made["330383|001"] == key("330383|001") != made["330327|001"]


def test_a_family_of_civil_affairs_goes_on_as_such(households: Households) -> None:
    made = households(
        assistance=(
            ("2019-06", LONGGANG_TOWN, "001", "1|甲一"),
            ("2019-12", LONGGANG_CITY, "001", "1|甲一"),
        )
    )
    assert made["co_living|330327|001"] == made["co_living|330383|001"]


def test_the_same_number_is_another_household_in_each_notion(households: Households) -> None:
    made = households(
        ("2021", CANGNAN_TOWN, "001", "1|甲一"),
        assistance=(("2021-06", CANGNAN_TOWN, "001", "1|甲一"),),
    )
    assert len(set(made.values())) == len(made) == 3


COUPLE = (("2021", CANGNAN_TOWN, "001", "1|甲一"), ("2021", CANGNAN_TOWN, "001", "2|甲二"))
"""Listed in 2021; others below stay listed in 2022, so that the roll has come."""
NEIGHBOUR = tuple((year, CANGNAN_TOWN, "900", "9|乙一") for year in ("2020", "2021", "2022"))


def year_after(number: str, *members: str, year: str = "2022") -> tuple[Row, ...]:
    return tuple((year, CANGNAN_TOWN, number, member) for member in members)


def test_a_household_whose_number_was_corrected_keeps_its_key(households: Households) -> None:
    roll = year_after("101", "1|甲一", "2|甲二", "3|甲三", year="2021")
    made = households(*roll, *NEIGHBOUR, corrected=COUPLE)
    assert made["330327|001"] == made["330327|101"] == key("330327|001")
    assert told == {"330327|101": "continues"}


def test_a_household_that_the_next_roll_numbers_otherwise_keeps_its_key(
    households: Households,
) -> None:
    made = households(*COUPLE, *NEIGHBOUR, *year_after("101", "1|甲一", "2|甲二", "3|甲三"))
    assert made["330327|101"] == made["330327|001"] == key("330327|001")
    # and once more, in a correction of that roll
    made = households(
        *COUPLE,
        *NEIGHBOUR,
        *year_after("201", "1|甲一", "2|甲二"),
        corrected=year_after("101", "1|甲一", "2|甲二"),
    )
    # the number of the roll that was corrected came first
    assert made["330327|001"] == made["330327|201"] == made["330327|101"] == key("330327|101")


def test_a_family_of_civil_affairs_with_another_number_keeps_its_key(
    households: Households,
) -> None:
    rows = [("2022-06", "001", "1|甲一"), ("2022-07", "101", "1|甲一")]
    neighbour = [(month, "900", "9|乙一") for month in ("2022-05", "2022-06", "2022-07")]
    made = households(
        assistance=tuple((month, CANGNAN_TOWN, *row) for month, *row in (*rows, *neighbour))
    )
    assert made["co_living|330327|101"] == key("co_living|330327|001")


@pytest.mark.parametrize(
    "roll",
    [
        # half of them are another household's
        (*COUPLE, *year_after("101", "1|甲一"), *year_after("102", "2|甲二")),
        # they are the lesser part of the other
        (*COUPLE, *year_after("101", "1|甲一", "2|甲二", "3|丙一", "4|丙二")),
        # the number is still in use
        (*COUPLE, *year_after("101", "1|甲一", "2|甲二"), *year_after("001", "5|丁一")),
        # the other was there before
        (
            *COUPLE,
            *year_after("101", "3|丙一", year="2021"),
            *year_after("101", "1|甲一", "2|甲二"),
        ),
    ],
)
def test_what_may_be_another_household_is_one(
    households: Households, roll: tuple[Row, ...]
) -> None:
    made = households(*roll, *NEIGHBOUR)
    assert made["330327|101"] == key("330327|101")
    assert told == {}


def test_numbers_that_a_ledger_has_side_by_side_are_two_households(households: Households) -> None:
    made = households(
        *COUPLE,
        *NEIGHBOUR,
        *year_after("101", "1|甲一", "2|甲二"),
        ledger=(("2022", CANGNAN_TOWN, "001"), ("2022", CANGNAN_TOWN, "101")),
    )
    assert made["330327|101"] == key("330327|101") != made["330327|001"]


def test_a_key_that_a_correction_divided_leads_to_the_larger_part(households: Households) -> None:
    made = households(
        *year_after("101", "1|甲一", year="2021"),
        *year_after("102", "2|甲二", "3|甲三", year="2021"),
        *NEIGHBOUR,
        corrected=(*COUPLE, *year_after("001", "3|甲三", "4|甲四", year="2021")),
    )
    assert made["330327|001"] == made["330327|102"] == key("330327|102")
    assert told == {"330327|001": "splits_into"}


def test_keys_that_a_correction_put_together_lead_to_the_one(households: Households) -> None:
    made = households(
        *year_after("101", "1|甲一", "2|甲二", "5|丙一", "6|丙二", year="2021"),
        *NEIGHBOUR,
        corrected=(*COUPLE, *year_after("002", "5|丙一", "6|丙二", year="2021")),
    )
    assert made["330327|001"] == made["330327|002"] == key("330327|101")
    assert told == {"330327|001": "merges_into", "330327|002": "merges_into"}


def test_a_key_whose_members_nobody_lists_any_more_is_its_own(households: Households) -> None:
    assert households(*NEIGHBOUR, corrected=COUPLE)["330327|001"] == key("330327|001")


def test_sources_that_number_no_households_make_none() -> None:
    assert "where false" in household_select([], {}, SECRET)

"""Households of the three notions, and those whose county has got another code."""

import hashlib
import hmac
from collections.abc import Callable, Iterator

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
LONGGANG_TOWN, CANGNAN_TOWN = "330327101205", "330327102205"
LONGGANG_CITY = "330383198205"
DONGTOU_COUNTY, DONGTOU_DISTRICT = "330322101205", "330305101205"

Row = tuple[str, str, str, str]
"""Period, area code, number of the household and a member as delivered."""
Households = Callable[..., dict[str, str]]


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

        def make(*roll: Row, assistance: tuple[Row, ...] = ()) -> dict[str, str]:
            filled(
                contracts[ROLL],
                [
                    {
                        "period": period,
                        "village_code": area,
                        "household_identity": f"{area[:6]}|{number}",
                        "registration_identity": f"registration|{area[:6]}|{number}",
                        "record_identity": member,
                    }
                    for period, area, number, member in roll
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
                    }
                    for period, area, number, member in assistance
                ],
            )
            table = contracts["vault.household"]
            sources = [contracts[ROLL], contracts[ASSISTANCE]]
            write_table(warehouse, table, household_select(sources, SECRET))
            rows = warehouse.rows("select household_identity, household_id from vault.household")
            assert len(rows) == len({row[0] for row in rows})
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


def test_sources_that_number_no_households_make_none() -> None:
    assert "where false" in household_select([], SECRET)

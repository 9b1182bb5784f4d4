"""What is told of a fault repeats no value of a row."""

from pathlib import Path

import duckdb
import pytest

from minsheng.faults import told, without_numbers
from minsheng.lake import DeliveryError
from minsheng.link_files import link_files
from minsheng.link_rules import LinkRuleError

NAME, NUMBER = "龘犇骉", "330399199001010011"


@pytest.mark.parametrize(
    "query",
    [
        f"select cast(value as integer) from (values ('{NAME}')) as given (value)",
        f"select cast(value as date) from (values ('{NUMBER}')) as given (value)",
        f"select strptime(value, '%Y') from (values ('{NAME}''s \"{NUMBER}\"')) as given (value)",
        f"select error(value) from (values ('{NAME} has {NUMBER}')) as given (value)",
        f"select cast(value as uuid) from (values ('{NAME}\n{NUMBER}')) as given (value)",
    ],
)
def test_the_engine_s_message_is_told_without_the_value_of_the_row(query: str) -> None:
    with duckdb.connect() as connection, pytest.raises(duckdb.Error) as fault:
        connection.execute(query).fetchall()
    assert NAME in str(fault.value) or NUMBER in str(fault.value)
    assert NAME not in told(fault.value)
    assert NUMBER not in told(fault.value)
    assert type(fault.value).__name__ in told(fault.value)


def test_our_own_message_is_told_whole_but_for_numbers_of_persons() -> None:
    fault = DeliveryError(f"{NUMBER}.csv: its name states no month; 30 rows were found")
    assert told(fault) == "….csv: its name states no month; 30 rows were found"


@pytest.mark.parametrize(
    "number",
    [
        NUMBER,
        "33039919900101001X",
        "330399900101001",
        "33039919900101001142",
        "33039919900101001142B1",
        "３３０３９９１９９００１０１００１１",
        "13912345678",
        f"G{NUMBER}",
    ],
)
def test_a_number_of_a_person_is_blotted_in_a_file_s_name(number: str) -> None:
    assert not any(each.isdigit() for each in without_numbers(f"名单{number}.csv"))


@pytest.mark.parametrize("text", ["2022-06.csv", "330328000000", "20221231T090000-0f0f0f0f"])
def test_periods_areas_and_versions_are_no_numbers_of_persons(text: str) -> None:
    assert without_numbers(text) == text


RULES = """
fields: {id: id, name: 姓名}
rules:
- {name: by_number, equal: [cast(name as integer)]}
"""


def test_a_rule_that_does_not_fit_is_told_without_the_name_that_it_fails_on(tmp_path: Path) -> None:
    for side in ("left", "right"):
        (tmp_path / f"{side}.csv").write_text(f"id,姓名\n1,{NAME}\n", encoding="utf-8")
    (tmp_path / "rules.yaml").write_text(RULES, encoding="utf-8")
    with pytest.raises(LinkRuleError, match="rule by_number: Conversion Error") as fault:
        link_files(*(tmp_path / f"{name}" for name in ("left.csv", "right.csv", "rules.yaml")))
    assert NAME not in str(fault.value)

"""The contract is written once: everything that knows of tables and columns agrees with it."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from assets import table_names
from minsheng.contracts import DUCKDB_TYPES, Contract, ContractError, load_contracts
from minsheng.dictionary import TARGET, dictionary
from minsheng.documents import DocumentFault
from minsheng.project import Project
from minsheng.settings import Settings, load_settings
from pipelines.cli import app

CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture(scope="module")
def contracts() -> dict[str, Contract]:
    return load_contracts(load_settings(deployment="demo"))


def deployment(folder: Path, **files: str) -> Settings:
    """A deployment in `folder` with the demo's settings and the given contract files."""
    demo = load_settings(deployment="demo").deployment / "settings.yaml"
    (folder / "settings.yaml").write_text(demo.read_text(encoding="utf-8"), encoding="utf-8")
    for name, text in files.items():
        path = folder / "expectations" / name.replace("__in__", "/")
        path = path.with_suffix(".yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return load_settings(folder / "home", str(folder))


def test_every_table_has_a_contract_and_every_contract_a_table(
    contracts: dict[str, Contract],
) -> None:
    made_at_the_end = {"quality.check_result", "meta.table_digest"}
    assert table_names(load_settings(deployment="demo").deployment) | made_at_the_end == set(
        contracts
    )


def test_every_model_and_every_table_of_figures_has_a_contract(
    contracts: dict[str, Contract],
) -> None:
    project = Project(load_settings(deployment="demo"))
    assert set(project.models) <= set(contracts)
    assert {
        name for name in contracts if name.split(".")[0] in ("linked", "indicators", "risk")
    } == {*project.models, *project.figure_tables}


def test_every_column_has_a_chinese_label_and_an_english_one(
    contracts: dict[str, Contract],
) -> None:
    faults = [
        f"{contract.name}.{column.name}"
        for contract in contracts.values()
        for column in contract.columns
        if not CHINESE.search(column.label_zh)
        or CHINESE.search(column.label_en)
        or not column.meaning
    ]
    assert faults == []


def test_every_table_says_its_grain_and_a_key_of_its_own_columns(
    contracts: dict[str, Contract],
) -> None:
    for contract in contracts.values():
        assert contract.grain.startswith("one row"), contract.name
        assert CHINESE.search(contract.description_zh), contract.name
        assert set(contract.key) <= {column.name for column in contract.columns}


QUANTITIES = {"yuan", "number", "rate", "integer"}
PLACES = {"row_number", "year"}


def test_every_number_of_a_table_of_areas_is_a_figure_whose_moves_are_told(
    contracts: dict[str, Contract],
) -> None:
    tables = [c for c in contracts.values() if c.layer == "indicators" and "area_code" in c.key]
    assert {"indicators.target_result", "indicators.income_growth"} <= {c.name for c in tables}
    for contract in tables:
        numbers = {column.name for column in contract.columns if column.type in QUANTITIES}
        silent = numbers - set(contract.figures) - set(contract.key) - PLACES
        assert (contract.name, silent) == (contract.name, set())


def test_nothing_from_linked_on_promises_a_direct_identifier(
    contracts: dict[str, Contract],
) -> None:
    direct = [
        f"{contract.name}.{column.name}"
        for contract in contracts.values()
        if contract.layer not in ("raw", "staged", "vault")
        for column in contract.columns
        if column.sensitivity == "direct"
    ]
    assert direct == []


def test_the_data_dictionary_is_what_the_contracts_say(contracts: dict[str, Contract]) -> None:
    path = load_settings(deployment="demo").root / TARGET
    assert path.read_text(encoding="utf-8") == dictionary(contracts), "run `make dictionary`"


def test_every_critical_rule_of_a_source_says_why_in_chinese(
    contracts: dict[str, Contract],
) -> None:
    for contract in contracts.values():
        for rule in (*contract.rules, *contract.checks):
            assert CHINESE.search(rule.why), (contract.name, rule.name)


def test_a_column_nobody_described_is_an_error(tmp_path: Path) -> None:
    settings = deployment(
        tmp_path,
        staged__in__education__school_meal="description_zh: 测\ndescription_en: x\n"
        "grain: one row\nkey: [nobody]\ncolumns:\n  nobody: {}\n",
    )
    with pytest.raises(ContractError, match=r"'nobody' is not in expectations/columns\.yaml"):
        load_contracts(settings)


def test_a_word_a_contract_does_not_know_is_an_error(tmp_path: Path) -> None:
    settings = deployment(
        tmp_path,
        staged__in__agriculture__household_roll="columns:\n  person_name: {require: true}\n",
    )
    with pytest.raises(ContractError, match="require"):
        load_contracts(settings)


ROLL = "staged__in__civil_affairs__assistance_roll"
ROLL_FILE = "expectations/staged/civil_affairs__assistance_roll.yaml"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("columns:\n  person_name: {requierd: true}\n", "column 'person_name': unknown entry "),
        (
            "columns:\n  person_name: {requierd: true}\n",
            "'requierd' (is 'required' meant?); known ",
        ),
        ("columns:\n  person_name: required\n", "column 'person_name': expected names and values"),
        ("delivery: {period: week}\n", "delivery has the period 'week', not one of year, month"),
        ("delivery: {modus: append}\n", "delivery: unknown entry 'modus'"),
        ("rulez: []\n", "unknown entry 'rulez' (is 'rules' meant?)"),
        ("key: [nobody]\n", "names the column 'nobody', which it does not list"),
        ("rules:\n  - {name: odd, expression: 1 = 1}\n", "'columns' is missing"),
        ("rules:\n  - {name: odd, cause: x}\n", "rule 'odd': unknown entry 'cause'"),
        ("rules: {name: odd}\n", "rules must be a list"),
        (
            "rules:\n  - {name: odd, severity: warning, columns: [monthly_yuan], why: x, "
            "expression: monthly_yuan >}\n",
            "rule 'odd': Parser Error",
        ),
        (
            "rules:\n  - {name: odd, severity: warning, columns: [monthly_yuan], why: x, "
            "expression: monthly_yaun > 0}\n",
            "rule 'odd': Binder Error",
        ),
        (
            "checks:\n  - {name: odd, severity: warning, why: x, query: selec 1}\n",
            "check 'odd': Parser Error",
        ),
    ],
)
def test_a_mistake_in_a_contract_is_told_with_its_file_and_place(
    tmp_path: Path, text: str, told: str
) -> None:
    settings = deployment(tmp_path, **{ROLL: text})
    with pytest.raises(ContractError) as fault:
        load_contracts(settings)
    assert str(fault.value).startswith(f"{ROLL_FILE} with {tmp_path}/{ROLL_FILE}: ")
    assert told in str(fault.value)
    assert "\n" not in str(fault.value)


def test_yaml_that_is_broken_is_told_with_its_file_and_line(tmp_path: Path) -> None:
    settings = deployment(tmp_path, **{ROLL: "columns:\n  person_name: {required: true\n"})
    with pytest.raises(DocumentFault, match=rf"^{tmp_path}/{ROLL_FILE}, line 3: "):
        load_contracts(settings)


def test_a_mistake_in_a_contract_ends_a_command_in_one_line(tmp_path: Path) -> None:
    settings = deployment(tmp_path, **{ROLL: "columns: [\n"})
    settings.inbox.mkdir(parents=True)
    environment = {"MINSHENG_HOME": str(settings.home), "MINSHENG_DEPLOYMENT": str(tmp_path)}
    found = CliRunner().invoke(app, ["refresh"], env=environment)
    assert (found.exit_code, found.stderr.count("\n")) == (1, 1)
    assert found.stderr.startswith(f"minsheng: {tmp_path}/{ROLL_FILE}, line 2: ")


@pytest.mark.parametrize("text", ["2022-13", "2022", "x", "2022-07-01"])
def test_what_is_no_month_is_asked_for_as_a_month(tmp_path: Path, text: str) -> None:
    environment = {"MINSHENG_HOME": str(tmp_path)}
    found = CliRunner().invoke(app, ["refresh", "--as-of", text], env=environment)
    assert (found.exit_code, found.stderr) == (
        1,
        f"minsheng: {text!r} is not a month such as 2022-07\n",
    )


def test_an_overlay_changes_what_it_names_and_keeps_the_rest(tmp_path: Path) -> None:
    settings = deployment(
        tmp_path,
        staged__in__agriculture__household_roll="columns:\n  cause_code: null\n"
        "  person_name: {headers: [名字]}\n",
    )
    base = load_contracts(load_settings(deployment="demo"))["staged.agriculture__household_roll"]
    mine = load_contracts(settings)["staged.agriculture__household_roll"]
    assert mine.column("person_name").headers == ("名字",)
    assert mine.column("person_name").required
    assert {c.name for c in base.columns} - {c.name for c in mine.columns} == {"cause_code"}
    assert mine.hash != base.hash


def test_an_enabled_dataset_without_a_contract_is_an_error(tmp_path: Path) -> None:
    settings = deployment(tmp_path)
    text = (tmp_path / "settings.yaml").read_text(encoding="utf-8")
    (tmp_path / "settings.yaml").write_text(f"{text}datasets: [nobody__nothing]\n")
    changed = load_settings(settings.home, str(tmp_path))
    with pytest.raises(ContractError, match="nobody__nothing"):
        _ = Project(changed).sources


def test_every_type_has_one_duckdb_type(contracts: dict[str, Contract]) -> None:
    used = {column.type for contract in contracts.values() for column in contract.columns}
    assert used <= set(DUCKDB_TYPES)

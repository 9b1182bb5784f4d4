"""The workbook of links to decide on is given anew, and what somebody wrote in it is not lost."""

import io
from pathlib import Path

import openpyxl
import polars as pl
import pytest

from minsheng.encryption import scratch_database, write_sealed
from minsheng.link_review import REVIEW, WORKBOOK_FILE, give_workbook, keep_workbook
from minsheng.linkage import DECISIONS
from minsheng.policies import reference_rows
from minsheng.settings import load_settings
from minsheng.warehouse import open_vault, open_warehouse, write_rows
from tests.minsheng.desk import ZHANG, Desk
from tests.minsheng.test_datasets import taking_any_share
from tests.opening import OPENING


def row_of_review(**values: object) -> dict[str, object]:
    texts = ("name", "number", "traits", "sources")
    return {
        "one_key": "0a1b2c3d4e5f60718293a4b5",
        "other_key": "f0a1b2c3d4e5f6071829300a",
        "link_rule_code": "number_of_another",
        "doubt_code": "asked",
        "affects_household": True,
        "moved_yuan": "1234.50",
        "moved_record_count": 3,
        **{f"{side}_{text}": "" for side in ("one", "other") for text in texts},
        "agreeing": "",
        "differing": "",
        **values,
    }


@pytest.fixture
def workbook(desk: Desk) -> Path:
    """The workbook of one open pair, as a build gives it."""
    settings, contracts = desk.project.settings, desk.project.contracts
    folder = settings.builds / "a"
    path = settings.worklists / "link_decision_2022-12.xlsx"
    names = {"one_name": "张三丰", "other_name": "张三", "one_number": ZHANG, "other_number": ZHANG}
    with open_warehouse(settings, folder) as warehouse, open_vault(warehouse, OPENING):
        write_rows(warehouse, contracts["reference.code"], reference_rows(settings, "code"))
        write_rows(warehouse, contracts[REVIEW], [row_of_review(**names)])
        decision = contracts[f"staged.{DECISIONS}"]
        keep_workbook(warehouse.connection, folder, contracts[REVIEW], decision)
        give_workbook(warehouse.connection, folder, path)
    return path


def test_amounts_and_counts_stand_as_numbers(workbook: Path) -> None:
    sheet = openpyxl.load_workbook(workbook)["核对"]
    shown = {header.value: cell.value for header, cell in zip(sheet[1], sheet[2], strict=True)}
    assert (shown["涉及金额"], shown["涉及记录数"]) == (1234.5, 3)
    assert shown["甲方标识"] == "0a1b2c3d4e5f60718293a4b5"


def test_a_decision_that_goes_back_shows_all_but_what_names_a_person(
    desk: Desk, workbook: Path
) -> None:
    book = openpyxl.load_workbook(workbook)
    sheet = book["核对"]
    headers = {cell.value: cell.column for cell in sheet[1]}
    # digits in a key may look like a telephone number
    sheet.cell(2, headers["乙方标识"], "f0a13800138000aabbccddee")
    sheet.cell(2, headers["核定结果"], "同一人")
    sheet.cell(2, headers["核定人"], "某镇民政办")
    content = io.BytesIO()
    book.save(content)
    contract = taking_any_share(desk.source(DECISIONS))
    receipt = desk.with_contract(contract).take(DECISIONS, "2022-12.xlsx", content.getvalue())
    assert receipt.refused_by_rule == {"decision_is_dated": 1}

    [path] = (desk.rejects / "casework").glob("*.xlsx")
    back = openpyxl.load_workbook(path)["请在此改正"]
    shown = {header.value: cell.value for header, cell in zip(back[2], back[3], strict=True)}
    assert shown["甲方标识"] == "0a1b2c3d4e5f60718293a4b5"
    assert shown["乙方标识"] == "f0a13800138000aabbccddee"
    assert (shown["关联规则"], shown["存疑原因"]) == ("同一有效证件、姓名不同", "规则要求人工核对")
    assert (shown["涉及金额"], shown["涉及记录数"]) == ("1234.5", "3")
    assert (shown["甲方姓名"], shown["乙方姓名"]) == ("张*丰", "**")
    assert shown["甲方证件号码"] == "990**************1"


def test_a_workbook_that_somebody_has_written_in_stays_beside_the_next(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, "demo")
    build, path = tmp_path / "build", tmp_path / "worklists" / "link_decision_2022-12.xlsx"
    build.mkdir()

    def give(content: bytes) -> list[bytes]:
        with scratch_database(settings) as connection:
            frame = pl.DataFrame({"content": [content]})
            write_sealed(connection, frame, build / WORKBOOK_FILE)
            give_workbook(connection, build, path)
        assert path.read_bytes() == content
        return sorted(each.read_bytes() for each in path.parent.glob("*.xlsx"))

    assert give(b"first") == [b"first"]
    assert give(b"second") == [b"second"]
    path.write_bytes(b"decided")
    assert give(b"third") == [b"decided", b"third"]
    assert give(b"third") == [b"decided", b"third"]
    assert all(each.stat().st_mode & 0o077 == 0 for each in path.parent.iterdir() if each != path)

"""Files that come together are judged together, and each as if it had come alone."""

from dataclasses import replace
from pathlib import Path

import pytest

from minsheng import ingest
from minsheng.lake import Receipt
from minsheng.rejects import FINDINGS_FILE
from tests.minsheng.desk import LI, PAYMENT, PAYMENT_HEADER, WANG, ZHANG, Desk, desk_at

ROWS = f"{ZHANG},张三,低保金,500\n{WANG},王五,低保金,600\n"
OTHER_HEADER = "证件号码,领取人姓名,补贴类型,发放金额（元）\n"
NAMED_AS_WE_DO = "身份证号码,姓名,发放项目,发放金额,filename,file,delivery_id,period,sender\n"
FILES = {
    "2022-01.csv": PAYMENT_HEADER + ROWS,
    "2022-02.csv": PAYMENT_HEADER + ROWS,
    "2022-03.csv": OTHER_HEADER + ROWS,
    "330302000000/2022-03.csv": PAYMENT_HEADER + f"{LI},李四,低保金,7\n",
    "2022-04.csv": PAYMENT_HEADER + ROWS + f"{ZHANG},张三,低保金,500\n",
    "2022-05.csv": PAYMENT_HEADER + ROWS + f"{LI},李四,低保金\n",
    "2022-06.csv": "姓名,发放项目\n张三,低保金\n",
    "2022-07.csv": NAMED_AS_WE_DO + ROWS.replace("\n", ",a,b,c,2019,d\n"),
    "2022-08.csv": NAMED_AS_WE_DO
    + f"{LI},李四,低保金,501.005,,,,,\n{ZHANG},张三,低保金,505,,,,,\n",
    "2022-09.csv": PAYMENT_HEADER + f"{LI},李四,低保金\n",
    "2022-10.csv": PAYMENT_HEADER.replace("金额", "金额（万元）") + f"{LI},李四,低保金,0.05\n",
    "2022-11.csv": PAYMENT_HEADER + f"{LI},李四,低保金,五百\n{ZHANG},张三,低保金,505\n",
    "2022-12.csv": PAYMENT_HEADER + f"{LI},李四,低保金,1.2E+03\n{LI},李四,低保金,505\n",
}


def stands(desk: Desk, receipt: Receipt) -> tuple[object, ...]:
    """A delivery: its receipt but for the moment of its ingest, its typed rows and its faults."""
    folder = desk.delivery(receipt)
    findings = folder / FINDINGS_FILE
    return (
        replace(receipt, ingested_at=""),
        [(path.name, desk.sealed(path).rows()) for path in sorted(folder.glob("typed/*"))],
        desk.sealed(findings).rows() if findings.is_file() else None,
    )


@pytest.mark.parametrize("batch_files", [3, 32])
def test_files_are_judged_together_as_each_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch_files: int
) -> None:
    monkeypatch.setattr(ingest, "BATCH_FILES", batch_files)
    alone, together = desk_at(tmp_path / "alone"), desk_at(tmp_path / "together")
    expected = [
        stands(alone, alone.take(PAYMENT, name, content)) for name, content in FILES.items()
    ]
    for name, content in FILES.items():
        together.put(PAYMENT, name, content)
    receipts = together.ingest(PAYMENT).receipts
    assert [stands(together, receipt) for receipt in receipts] == expected
    refused = [receipt.file_name for receipt in receipts if receipt.status == "refused"]
    assert refused == ["2022-06.csv", "2022-09.csv"]
    assert together.waiting() == []
    assert not list((together.lake / ".incoming").rglob("*.parquet"))


def test_of_two_files_of_the_same_bytes_and_moment_one_is_taken(desk: Desk) -> None:
    for name in ("2022-06.csv", "2022-06_重报.csv"):
        desk.put(PAYMENT, name, PAYMENT_HEADER + ROWS)
    result = desk.ingest(PAYMENT)
    assert [receipt.rows_accepted for receipt in result.receipts] == [2]
    assert result.repeated == ("2022-06_重报.csv",)
    assert desk.typed(result.receipts[0]).height == 2


def test_the_same_household_may_stand_in_each_file_of_a_batch(desk: Desk) -> None:
    for sender in ("330302000000", "330303000000"):
        desk.put(PAYMENT, f"{sender}/2022-06.csv", PAYMENT_HEADER + ROWS)
    receipts = desk.ingest(PAYMENT).receipts
    assert [receipt.rows_accepted for receipt in receipts] == [2, 2]
    assert [desk.typed(receipt)["sender"].unique().to_list() for receipt in receipts] == [
        ["330302000000"],
        ["330303000000"],
    ]

"""To which deliveries a figure that has moved is put down."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from minsheng.quality import PREVIOUS, restatement_selects
from minsheng.warehouse import WAREHOUSE_FILE, Warehouse, attached, open_warehouse, write_rows
from tests.minsheng.desk import Desk

Row = dict[str, object]

COUNTY = "330328000000"
ROLL, LEDGER = "agriculture__household_roll", "agriculture__household_income"
PAYMENT, PRICES = "civil_affairs__relief_payment", "statistics__area_benchmark"
REPORT = "general__area_report"
DATASETS = (ROLL, LEDGER, PAYMENT, PRICES, REPORT)
GROWTH = {"item_id": "W03", "evaluation": "computed", "population": "low_income"}
PAID = {"item_id": "W40", "evaluation": "computed", "population": None}
REPORTED = {"item_id": "W50", "evaluation": "reported", "population": None}
TARGETS = (
    {**GROWTH, "datasets": f"{ROLL},{LEDGER}"},
    {**PAID, "datasets": PAYMENT},
    {**REPORTED, "datasets": REPORT},
)
UPSTREAM = {
    "indicators.target_result": frozenset(DATASETS),
    "indicators.price_change": frozenset({ROLL, LEDGER, PRICES}),
}


@dataclass(frozen=True)
class Build:
    """What a version says of the figures of items, and of the deliveries behind them."""

    value: float
    period_month: str
    policies: str = "same"
    datasets: Sequence[str] = DATASETS
    targets: Sequence[Row] = field(default=TARGETS)

    def tables(self) -> dict[str, list[Row]]:
        place = {"area_code": COUNTY, "year": 2022, "period_start": "2022-01-01"}
        return {
            "meta.build": [{"version": self.period_month, "policy_hash": self.policies}],
            "meta.delivery": [
                {
                    "delivery_id": f"{dataset} {self.period_month}",
                    "department": dataset.split("__")[0],
                    "dataset": dataset.split("__")[1],
                    "sender": COUNTY,
                    "period_month": f"{self.period_month}-01",
                    "delivery_status": "effective",
                }
                for dataset in self.datasets
            ],
            "reference.target": [{"policy_id": "p", "part": "main", **each} for each in TARGETS],
            "indicators.target_result": [
                {
                    "policy_id": "p",
                    "item_id": each["item_id"],
                    "part": "main",
                    **place,
                    "list_basis": "refreshed",
                    "price_basis": prices,
                    "value": self.value,
                }
                for each in self.targets
                for prices in ("nominal", "real")
                if prices == "nominal" or each["population"]
            ],
        }


def write(desk: Desk, warehouse: Warehouse, build: Build) -> None:
    for table, given in build.tables().items():
        contract = desk.project.contracts[table]
        names = [column.name for column in contract.columns]
        write_rows(warehouse, contract, [{n: row.get(n) for n in names} for row in given])


def causes(desk: Desk, before: Build, after: Build) -> Iterator[tuple[object, ...]]:
    """Item, prices, cause and dataset of each row of the restatement."""
    settings = desk.project.settings
    with open_warehouse(settings, settings.builds / "before") as warehouse:
        write(desk, warehouse, before)
    contracts = {
        name: desk.project.contracts[name]
        for name in ("indicators.target_result", "indicators.price_change")
    }
    with open_warehouse(settings, settings.builds / "after") as warehouse:
        write(desk, warehouse, after)
        file = settings.builds / "before" / WAREHOUSE_FILE
        with attached(warehouse, file, PREVIOUS):
            [select] = restatement_selects(warehouse, contracts, UPSTREAM)
            yield from warehouse.rows(
                "select figure_key->>'item_id', figure_key->>'price_basis', cause, "
                f"split_part(delivery_id, ' ', 1) from ({select}) order by all"
            )


def test_a_figure_of_an_item_is_put_down_to_the_datasets_of_its_part(desk: Desk) -> None:
    found = list(causes(desk, Build(0.1, "2022-11", datasets=()), Build(0.2, "2022-12")))
    assert found == [
        ("W03", "nominal", "delivered", LEDGER),
        ("W03", "nominal", "delivered", ROLL),
        ("W03", "real", "delivered", LEDGER),
        ("W03", "real", "delivered", ROLL),
        ("W03", "real", "delivered", PRICES),
        ("W40", "nominal", "delivered", ROLL),
        ("W40", "nominal", "delivered", PAYMENT),
        ("W50", "nominal", "delivered", REPORT),
    ]


@pytest.mark.parametrize(
    ("policies", "came", "told"),
    [
        ("same", [PAYMENT, REPORT], [("delivered", PAYMENT), ("delivered", REPORT)]),
        ("changed", [PAYMENT, REPORT], [("policies", None)]),
        ("same", [], [("other", None)]),
    ],
)
def test_what_no_dataset_of_its_part_explains_is_put_down_to_what_else_changed_or_came(
    desk: Desk, policies: str, came: Sequence[str], told: list[tuple[str, str | None]]
) -> None:
    growth = [each for each in TARGETS if each["item_id"] == "W03"]
    before = Build(0.1, "2022-11", datasets=(), targets=growth)
    after = Build(0.2, "2022-11", policies, datasets=came, targets=growth)
    assert list(causes(desk, before, after)) == [
        ("W03", prices, cause, dataset) for prices in ("nominal", "real") for cause, dataset in told
    ]

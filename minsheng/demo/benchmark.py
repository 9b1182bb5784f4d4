"""The statistics office's yearly sheets: rural income and price index of five areas.

The province's incomes are the published ones of Zhejiang; city, counties and price indices are
invented.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from minsheng.demo.files import Delivered, begin_sheet
from minsheng.demo.plan import STATISTICS_TITLE_ROWS, PlannedFile, delivered_at, headers
from minsheng.demo.plan import written_columns as columns_of
from minsheng.demo.reference import CITY_CODE, COUNTY_CODES, PROVINCE_CODE, Reference

PROVINCE_INCOME_YUAN = {
    2016: 22_866,
    2017: 24_956,
    2018: 27_302,
    2019: 29_876,
    2020: 31_930,
    2021: 35_247,
    2022: 37_565,
}
PRICE_INDEX = {
    2016: "101.9",
    2017: "102.0",
    2018: "102.3",
    2019: "103.1",
    2020: "102.4",
    2021: "101.2",
    2022: "102.1",
}
# Share of the province's income in 2016 and what is added to the share each year.
AREA_SHARES = {
    PROVINCE_CODE: (1.0, 0.0),
    CITY_CODE: (1.005, 0.002),
    COUNTY_CODES[0]: (0.79, 0.004),
    COUNTY_CODES[1]: (0.62, 0.006),
    COUNTY_CODES[2]: (0.63, 0.006),
}


@dataclass(frozen=True)
class Benchmark:
    """Income and price index of an area and year."""

    area_code: str
    year: int
    rural_income_yuan: int
    rural_price_index: str


def benchmarks(year: int) -> list[Benchmark]:
    """The five areas of a year."""
    rows = []
    for code, (share, change) in AREA_SHARES.items():
        income = round(PROVINCE_INCOME_YUAN[year] * (share + change * (year - 2016)))
        rows.append(Benchmark(code, year, income, PRICE_INDEX[year]))
    return rows


def write_benchmarks(inbox: Path, reference: Reference) -> list[Delivered]:
    """Write one sheet a year with a title row."""
    contract = reference.contracts["area_benchmark"]
    concept = reference.texts.labels["income_concept"]["disposable_income"]
    delivered = []
    for year in PROVINCE_INCOME_YUAN:
        folder = f"{contract.department}/{contract.dataset}"
        file = PlannedFile(
            department=contract.department,
            dataset=contract.dataset,
            period=str(year),
            sender=None,
            path=f"{folder}/{year}.xlsx",
            encoding="",
            title_rows=STATISTICS_TITLE_ROWS,
            header=headers(contract, str(year), None),
            columns=columns_of(contract),
            delivered_at=delivered_at(contract, str(year), f"{folder}/{year}"),
            has_sidecar=False,
        )
        path = inbox / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        title = f"{year}年农村居民收入与价格指数"
        workbook, sheet = begin_sheet(path, file.header, [title])
        rows = benchmarks(year)
        for row, item in enumerate(rows, start=file.header_rows):
            values: dict[str, str | float] = {
                "area_code": item.area_code,
                "year": item.year,
                "income_concept": concept,
                "rural_income_yuan": item.rural_income_yuan,
                "rural_price_index": float(item.rural_price_index),
            }
            sheet.write_row(row, 0, [values[column] for column in file.columns])
        workbook.close()
        delivered.append(Delivered(file, len(rows)))
    return delivered

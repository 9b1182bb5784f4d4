"""Ingest and check by hand: what `minsheng refresh` does up to the accepted rows, without a lake.

It lists the files of nine datasets in an inbox, decodes them, reads them as text, types them, holds
every row to the same rules, drops a file that came before, takes the corrected one and writes the
accepted rows as Parquet. It has no lake, no receipts, no encryption, no workbooks for departments,
no contracts and no Great Expectations. Only the words of code lists are the project's own.
"""

import argparse
import csv
import hashlib
import io
import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
import yaml
from python_calamine import CalamineWorkbook

from minsheng import policies
from minsheng.settings import load_settings

DELIVERIES_FILE = "delivery.parquet"
RULES_FILE = "rule.parquet"
CLOCK = ZoneInfo("Asia/Shanghai")
TITLE_ROWS = 20
LONGEST_EXACT_NUMBER = 10**15
LEAST_ACCEPTED_SHARE = 0.5


@dataclass(frozen=True)
class Column:
    """A column: its type, the headers it goes by, and what its values are held to.

    `otherwise` is SQL for the text of an empty cell.
    """

    name: str
    type: str
    headers: str
    required: bool = False
    least: int | None = None
    most: int | None = None
    past: bool = False
    otherwise: str = ""

    @property
    def text(self) -> str:
        """The name of the text that it is read from; of a text itself the same."""
        return f"{self.name}_text" if self.type in ("code", *READ_BY) else self.name


@dataclass(frozen=True)
class Dataset:
    """A dataset: its columns, the key of a file's rows, and the rules of its own.

    A rule is SQL over the typed columns that a good row fulfils; one of `warnings` refuses nothing.
    """

    source: str
    key: str
    columns: tuple[Column, ...]
    is_monthly: bool = False
    refusals: Mapping[str, str] = field(default_factory=dict)
    warnings: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> str:
        return ", ".join(column.name for column in self.columns)

    @cached_property
    def headers(self) -> dict[str, str]:
        """The column of each header that departments write."""
        return {
            header_key(header): column.name
            for column in self.columns
            for header in column.headers.split()
        }


@dataclass(frozen=True)
class Arrival:
    """A file: what its place, sidecar and date say of it, its text and the text's fingerprint."""

    path: Path
    sender: str | None
    period: str
    delivered_at: datetime
    stated_rows: int | None
    sha256: str
    encoding: str


READ_BY = {
    "area": "area",
    "whole": "whole",
    "year": "year_of",
    "yuan": "yuan",
    "number": "number",
    "day": "day_of",
    "month": "month_of",
}
"""The macro that reads a type; codes are looked up, every other value is the text itself."""
NUMBERS = ("identity_number", "certificate_number")

MACROS = r"""
create macro has_blank(t) as
    contains(t, ' ') or contains(t, '　') or contains(t, E'\t') or contains(t, E'\r')
    or contains(t, E'\n');
create macro tidy(t) as
    nullif(case when has_blank(t) then trim(t, E' \t\r\n　') else t end, '');
create macro half(t) as
    translate(t, '０１２３４５６７８９Ｘｘ－．，（）', '0123456789XX-.,()');
create macro tidy_number(t) as
    case when regexp_full_match(t, '[0-9]{17}[0-9X]') then t
    else nullif(upper(regexp_replace(half(t), '[\s''　]', '', 'g')), '') end;
create macro yuan(t) as coalesce(
    try_cast(t as decimal(18, 2)), try_cast(replace(half(t), ',', '') as decimal(18, 2)));
create macro number(t) as coalesce(
    try_cast(t as decimal(18, 6)), try_cast(replace(half(t), ',', '') as decimal(18, 6)));
create macro whole(t) as
    case when regexp_full_match(t, '-?[0-9]+') then try_cast(t as bigint)
    else try_cast(regexp_extract(half(t), '^(-?[0-9]+)(\.0*)?年?$', 1) as bigint) end;
create macro year_of(t) as try_cast(whole(t) as integer);
create macro area(t) as
    case when regexp_full_match(t, '[0-9]{12}') then t
    when regexp_full_match(t, '([0-9]{2}){1,3}|[0-9]{9}') then rpad(t, 12, '0') end;
create macro plausible(d) as case when year(d) between 1900 and 2100 then d end;
create macro day_of(t) as plausible(coalesce(
    try_cast(t as date),
    cast(try_strptime(half(t), ['%Y-%m-%d', '%Y/%m/%d', '%Y%m%d', '%Y年%m月%d日', '%Y.%m.%d',
        '%Y-%m-%d %H:%M:%S']) as date)));
create macro month_of(t) as
    case when regexp_full_match(t, '[0-9]{4}-[0-9]{2}') then try_cast(t || '-01' as date)
    else cast(date_trunc('month', coalesce(
        cast(try_strptime(
            regexp_extract(half(t), '^([0-9]{4}[-/.年]?[0-9]{1,2})月?$', 1),
            ['%Y%m', '%Y-%m', '%Y/%m', '%Y.%m', '%Y年%m']) as date),
        day_of(t))) as date) end;
create macro has_shape(n) as
    regexp_full_match(n, '[0-9]{15}|[0-9]{17}[0-9X]([1-7][1-4](B[0-9])?)?|G[0-9]{17}[0-9X]');
create macro birth_date(n) as cast(try_strptime(case length(n)
    when 15 then '19' || substr(n, 7, 6) when 19 then substr(n, 8, 8) else substr(n, 7, 8) end,
    '%Y%m%d') as date);
create macro sex(n) as case when (ascii(substr(n, case length(n) when 15 then 15 when 19 then 18
    else 17 end, 1)) - 48) % 2 = 1 then '1' else '2' end;
create macro digits_of(n) as try_cast(substr(n, 1, 17) as bigint);
create macro is_misspelt(n) as length(n) in (18, 20, 22)
    and substr('10X98765432', cast(weighted(digits_of(n)) % 11 as integer) + 1, 1)
        <> substr(n, 18, 1);
"""
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
WEIGHTED = " + ".join(
    f"(n // {10 ** (16 - place)}) % 10 * {weight}" for place, weight in enumerate(WEIGHTS)
)
"""Of GB 11643, over the first 17 digits as a number `n`."""

ID_NUMBER = Column(
    "id_number", "identity_number", "身份证号码 证件号码 公民身份号码 身份证号 身份证"
)
SEX = Column("sex_code", "code", "性别")
BIRTH_DATE = Column("birth_date", "day", "出生日期 出生年月日", past=True)
VILLAGE = Column("village_code", "area", "行政村代码 村代码 区划代码 行政区划代码")
HOUSEHOLD_NUMBER = Column("household_number", "text", "户编号 家庭编号 户号", required=True)
INCOME_CONCEPT = Column("income_concept", "code", "收入口径")
MOST_YUAN = 10_000_000


def name_of(headers: str = "") -> Column:
    """The column of a person's name."""
    return Column("person_name", "text", f"姓名 {headers}", required=True)


def bill(name: str, headers: str) -> Column:
    """A column of a bill's amounts."""
    return Column(name, "yuan", headers, required=True, least=0, most=MOST_YUAN)


def income(name: str, headers: str, is_signed: bool = False) -> Column:
    """A column of a household's yearly income; a signed one may be a loss."""
    limits = (None, None) if is_signed else (0, MOST_YUAN)
    return Column(name, "yuan", headers, least=limits[0], most=limits[1])


DATASETS = (
    Dataset(
        "agriculture__household_roll",
        key="substr(village_code, 1, 6), household_number, id_number, person_name",
        columns=(
            HOUSEHOLD_NUMBER,
            ID_NUMBER,
            name_of("家庭成员姓名"),
            SEX,
            BIRTH_DATE,
            Column("relation_code", "code", "与户主关系 关系", required=True),
            Column("labour_code", "code", "劳动技能 劳动能力 劳动力状况"),
            Column("cause_code", "code", "主要致贫原因 致贫原因"),
            replace(VILLAGE, required=True),
            Column("phone", "text", "联系电话 家庭成员联系电话 手机号"),
            Column("hukou_number", "text", "户口簿户号 户籍户号"),
        ),
        refusals={"village_is_a_village": "substr(village_code, 10, 3) <> '000'"},
        warnings={"phone_has_eleven_digits": "regexp_full_match(phone, '[0-9]{11}')"},
    ),
    Dataset(
        "agriculture__household_income",
        key="substr(area_code, 1, 6), household_number",
        columns=(
            HOUSEHOLD_NUMBER,
            Column(
                "member_count",
                "whole",
                "家庭人口数 人口数 家庭人口",
                required=True,
                least=1,
                most=50,
            ),
            replace(VILLAGE, name="area_code", required=True),
            replace(INCOME_CONCEPT, otherwise="'disposable_income'"),
            income("wage_yuan", "工资性收入 工资性收入（元）"),
            income(
                "business_yuan",
                "生产经营性净收入 生产经营性净收入（元） 经营净收入",
                is_signed=True,
            ),
            income("property_yuan", "财产性收入 财产性收入（元） 财产净收入"),
            income("transfer_yuan", "转移性收入 转移性收入（元） 转移净收入"),
            income("total_yuan", "家庭总收入 家庭年收入 家庭总收入（元）", is_signed=True),
            Column("weight", "number", "权数", least=0),
        ),
        warnings={
            "components_add_up": "abs(wage_yuan + business_yuan + property_yuan + transfer_yuan "
            "- total_yuan) <= 1",
            "income_is_given": "total_yuan is not null or "
            "wage_yuan + business_yuan + property_yuan + transfer_yuan is not null",
        },
    ),
    Dataset(
        "civil_affairs__assistance_roll",
        is_monthly=True,
        key="id_number, person_name, assistance_code",
        columns=(
            ID_NUMBER,
            name_of("保障对象姓名"),
            Column("assistance_code", "code", "救助类别 保障类别 低保类别", required=True),
            Column("start_month", "month", "享受起始月份 起始月份", past=True),
            Column(
                "monthly_yuan", "yuan", "月保障金 月保障金（元） 月供养金", least=0, most=100_000
            ),
            VILLAGE,
            Column("co_living_number", "text", "家庭编号 共同生活家庭编号 救助家庭编号 户编号"),
        ),
    ),
    Dataset(
        "civil_affairs__relief_payment",
        is_monthly=True,
        key="id_number, person_name, programme_code",
        columns=(
            ID_NUMBER,
            name_of("领取人姓名"),
            Column("programme_code", "code", "发放项目 补贴类型 项目", required=True),
            replace(bill("amount_yuan", "发放金额 发放金额（元） 补贴金额"), most=1_000_000),
        ),
    ),
    Dataset(
        "disability_federation__disability_certificate",
        key="certificate_number",
        columns=(
            Column(
                "certificate_number",
                "certificate_number",
                "残疾人证号 残疾证号 残疾人证 证件号码 证件号",
                required=True,
            ),
            replace(
                ID_NUMBER,
                headers="身份证号码 身份证号 公民身份号码 身份证",
                otherwise="substr(certificate_number, 1, 18)",
            ),
            name_of(),
            SEX,
            BIRTH_DATE,
            Column(
                "disability_type_code",
                "code",
                "残疾类别 类别",
                required=True,
                otherwise="substr(certificate_number, 19, 1)",
            ),
            Column(
                "disability_grade_code",
                "code",
                "残疾等级 等级",
                required=True,
                otherwise="substr(certificate_number, 20, 1)",
            ),
            Column("issue_date", "day", "发证日期 初次申领日期 初次发证日期", past=True),
        ),
        warnings={
            "certificate_says_the_type": "certificate_number[19] = disability_type_code",
            "certificate_says_the_grade": "certificate_number[20] = disability_grade_code",
        },
    ),
    Dataset(
        "education__student_enrolment",
        key="id_number, person_name, school_name",
        columns=(
            ID_NUMBER,
            name_of("学生姓名"),
            SEX,
            BIRTH_DATE,
            Column("student_number", "text", "学籍号 全国学籍号"),
            Column("education_stage_code", "code", "学段 就读学段", required=True),
            Column("school_name", "text", "学校 学校名称"),
            Column("enrolment_status_code", "code", "就读状态 学生状态", required=True),
        ),
    ),
    Dataset(
        "health__insurance_enrolment",
        key="id_number, person_name, insurance_code",
        columns=(
            ID_NUMBER,
            name_of("参保人姓名"),
            SEX,
            BIRTH_DATE,
            Column("insurance_code", "code", "险种 医保险种", required=True),
            Column("insured_status_code", "code", "参保状态", required=True),
            Column("paid_date", "day", "缴费时间 缴费日期", past=True),
        ),
    ),
    Dataset(
        "health__medical_settlement",
        is_monthly=True,
        key="settlement_number",
        columns=(
            Column("settlement_number", "text", "结算编号 结算单号", required=True),
            ID_NUMBER,
            name_of("患者姓名"),
            Column("settled_date", "day", "结算日期 就医时间 结算时间", required=True, past=True),
            Column("visit_code", "code", "医疗类别 就诊类型", required=True),
            Column("disease_name", "text", "疾病名称 诊断"),
            bill("total_cost_yuan", "总费用 医疗总费用 总费用（元）"),
            bill("basic_paid_yuan", "基本医保支付 基本医保 医保报销"),
            bill("serious_illness_paid_yuan", "大病保险支付 大病保险"),
            bill("medical_aid_paid_yuan", "医疗救助支付 医疗救助 大病救助"),
            bill("self_paid_yuan", "个人自付 自付金额 个人自付（元）"),
        ),
        warnings={
            "layers_add_up_to_the_bill": "abs(basic_paid_yuan + serious_illness_paid_yuan "
            "+ medical_aid_paid_yuan + self_paid_yuan - total_cost_yuan) <= 1",
            "date_lies_in_the_period": "date_trunc('month', settled_date) = period_month",
        },
    ),
    Dataset(
        "statistics__area_benchmark",
        key="area_code, income_concept, year",
        columns=(
            Column("area_code", "area", "行政区划代码 区划代码 地区代码", required=True),
            Column("year", "year", "年份 年度", required=True, least=1978, most=2100),
            replace(INCOME_CONCEPT, required=True),
            replace(
                bill("rural_income_yuan", "农村居民人均收入 农村居民人均收入（元）"), most=1_000_000
            ),
            Column(
                "rural_price_index",
                "number",
                "农村居民消费价格指数（上年=100） 农村居民消费价格指数",
                least=50,
                most=200,
            ),
        ),
    ),
)


class BareError(RuntimeError):
    """An inbox that the script cannot take; the message names the file."""


def run(inbox: Path, folder: Path) -> int:
    """Write the accepted rows of each dataset, the counts of each file and of each rule.

    Returns the rows received.
    """
    folder.mkdir(parents=True)
    with duckdb.connect() as connection:
        connection.execute("set enable_progress_bar = false")
        connection.execute(f"create macro weighted(n) as {WEIGHTED}; {MACROS}")
        connection.execute(
            "create table delivery (file_no integer, source varchar, sender varchar, "
            "period varchar, period_month date, delivered_on date, sha256 varchar, "
            "stated_rows bigint, is_effective boolean, rows_malformed bigint, "
            "rows_received bigint, rows_accepted bigint);"
            "create table rule (source varchar, check_name varchar, failing_rows bigint);"
            "create table word (code_list varchar, word varchar, code varchar)"
        )
        codes = policies.code_words(load_settings())
        words = [(each, *pair) for each, pairs in codes.items() for pair in pairs.items()]
        insert(connection, "word", list(zip(*words, strict=True)))
        for dataset in DATASETS:
            read(connection, dataset, list(arrivals(inbox, dataset)), folder)
            judge(connection, dataset)
            keep(connection, dataset, folder)
        bad = connection.execute(
            "select source, sender, period from delivery "
            f"where rows_accepted < {LEAST_ACCEPTED_SHARE} * rows_received "
            "or stated_rows <> rows_received"
        ).fetchall()
        if bad:
            raise BareError(f"files that are to be refused whole: {bad}")
        connection.execute(f"copy delivery to '{folder / DELIVERIES_FILE}'")
        connection.execute(f"copy rule to '{folder / RULES_FILE}'")
        ((rows,),) = connection.execute("select sum(rows_received) from delivery").fetchall()
        return int(rows)


def arrivals(inbox: Path, dataset: Dataset) -> Iterator[Arrival]:
    """Every file of the dataset but those that bring what their sender and period had before."""
    period_name = re.compile(r"20\d\d-\d\d" if dataset.is_monthly else r"20\d\d")
    home = inbox.joinpath(*dataset.source.split("__"))
    found = []
    for path in home.rglob("*.*"):
        if path.suffix == ".yaml":
            continue
        sidecar = path.with_name(path.name + ".yaml")
        stated = yaml.safe_load(sidecar.read_text("utf-8")) if sidecar.is_file() else {}
        named = period_name.search(path.name)
        period = stated.get("period") or (named and named.group())
        if not period:
            raise BareError(f"{path.name}: no period is stated")
        delivered_at = (
            datetime.fromisoformat(stated["delivered_at"])
            if "delivered_at" in stated
            else datetime.fromtimestamp(path.stat().st_mtime, CLOCK)
        )
        content = path.read_bytes()
        found.append(
            Arrival(
                path=path,
                sender=None if path.parent == home else path.parent.name,
                period=str(period),
                delivered_at=delivered_at.astimezone(CLOCK).replace(microsecond=0),
                stated_rows=stated.get("rows"),
                sha256=hashlib.sha256(content).hexdigest(),
                encoding="utf-8-sig" if is_utf8(content) else "gb18030",
            )
        )
    before: dict[tuple[str, str], str] = {}
    for each in sorted(found, key=lambda each: (each.delivered_at, each.path)):
        key = (each.sender or "", each.period)
        if before.get(key) != each.sha256:
            before[key] = each.sha256
            yield each


def is_utf8(content: bytes) -> bool:
    """Whether the bytes are UTF-8; workbooks, which are not text, do not matter."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def read(
    connection: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    files: Sequence[Arrival],
    folder: Path,
) -> None:
    """Fill `delivered` with all rows as text; files of one header are read by one statement.

    A cell too many or too few is told by a column more than the header has: it is null unless the
    line has that cell, and the last of the header's own is null only where the line lacks it.
    """
    columns = ", ".join(f"{column.name} varchar" for column in dataset.columns)
    connection.execute(
        f"create or replace table delivered (file_no integer, {columns}, "
        "is_malformed boolean default false)"
    )
    ((first,),) = connection.execute("select count(*) from delivery").fetchall()
    last = {(each.sender, each.period): each for each in files}
    groups: dict[tuple[str, ...], list[tuple[int, Path]]] = {}
    for file_no, each in enumerate(files, start=first):
        connection.execute(
            "insert into delivery values (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0)",
            [
                file_no,
                dataset.source,
                each.sender,
                each.period,
                f"{each.period if dataset.is_monthly else f'{each.period}-12'}-01",
                each.delivered_at.date(),
                each.sha256,
                each.stated_rows,
                last[each.sender, each.period] is each,
            ],
        )
        path = each.path
        if path.suffix == ".xlsx":
            names, rows = workbook_rows(path, dataset)
            numbered = [[file_no] * len(rows), *zip(*rows, strict=True)]
            insert(connection, f"delivered (file_no, {', '.join(names)})", numbered)
            continue
        if each.encoding == "gb18030":
            path = folder / f"{file_no}.csv"
            path.write_text(each.path.read_bytes().decode("gb18030").lstrip("\ufeff"), "utf-8")
        with path.open(encoding="utf-8-sig", newline="") as stream:
            header = tuple(next(csv.reader(io.StringIO(stream.readline()))))
        groups.setdefault(header, []).append((file_no, path))
    for header, members in groups.items():
        names = column_names(header, dataset)
        types = ", ".join(f"'{name}': 'varchar'" for name in (*names, "one_more"))
        connection.execute(
            f"insert into delivered by name select "
            f"{[file_no for file_no, _ in members]}[file_index::bigint + 1] as file_no, "
            f"{', '.join(names)}, one_more is not null or {names[-1]} is null as is_malformed "
            f"from read_csv({[str(path) for _, path in members]}, columns = {{{types}}}, "
            "header = true, delim = ',', quote = '\"', escape = '\"', auto_detect = false, "
            "null_padding = true, nullstr = chr(1))"
        )
    for file_no, each in enumerate(files, start=first):
        if each.encoding == "gb18030":
            (folder / f"{file_no}.csv").unlink(missing_ok=True)


def judge(connection: duckdb.DuckDBPyConnection, dataset: Dataset) -> None:
    """Fill `received` with the typed rows, and the rules that each breaks."""
    texts, typed, joins = [], [], []
    for column in dataset.columns:
        name, text = column.name, column.text
        tidied = f"{'tidy_number' if column.type in NUMBERS else 'tidy'}(delivered.{name})"
        told = f"coalesce({tidied}, {column.otherwise})" if column.otherwise else tidied
        texts.append(f"{told} as {text}")
        if column.type == "code":
            typed.append(f"of_{name}.code as {name}")
            joins.append(
                f"left join word as of_{name} on of_{name}.word = {text} "
                f"and of_{name}.code_list = '{name.removesuffix('_code')}'"
            )
        elif column.type in READ_BY:
            typed.append(f"{READ_BY[column.type]}({text}) as {name}")
    refusals, warnings = rules(dataset)
    is_filled = " or ".join(f"coalesce({each.name}, '') <> ''" for each in dataset.columns)
    connection.execute(
        f"""
        create or replace table received as
        with texts as (
            select delivered.rowid as place, file_no, {", ".join(texts)}
            from delivered
            where not is_malformed and ({is_filled})
        ),
        typed as (
            select texts.*, {", ".join(["delivery.* exclude (file_no, source)", *typed])}
            from texts
            join delivery using (file_no)
            {" ".join(joins)}
        )
        select place, file_no, sender, period, is_effective,
            {dataset.names}, {named(refusals)} as refused_by, {named(warnings)} as warned_by
        from typed
        """
    )
    connection.execute(
        f"""
        update received set refused_by = ['key_is_unique']
        from (
            select place from received where refused_by is null
            qualify row_number() over (partition by file_no, {dataset.key} order by place) > 1
        ) as later
        where later.place = received.place
        """
    )


def rules(dataset: Dataset) -> tuple[dict[str, str], dict[str, str]]:
    """What a row must fulfil to be accepted, and what it is only doubted for, by the rule's name.

    Unknown counts as fulfilled.
    """
    refusals: dict[str, str] = {}
    warnings: dict[str, str] = {}
    for column in dataset.columns:
        name = column.name
        if column.text != name:
            refusals[f"{name}_is_readable"] = f"{column.text} is null or {name} is not null"
        if column.required:
            refusals[f"{name}_is_given"] = f"{column.text} is not null"
        if column.least is not None:
            refusals[f"{name}_is_not_too_small"] = f"{name} >= {column.least}"
        if column.most is not None:
            refusals[f"{name}_is_not_too_large"] = f"{name} <= {column.most}"
        if column.past:
            refusals[f"{name}_is_not_in_the_future"] = f"{name} <= delivered_on"
        if column.type in NUMBERS:
            refusals[f"{name}_is_not_scientific"] = (
                rf"not (contains({name}, 'E') and "
                rf"regexp_full_match({name}, '[0-9](\.[0-9]+)?E\+?[0-9]+'))"
            )
            refusals[f"{name}_is_not_rounded"] = (
                rf"not (contains({name}, '.') and regexp_full_match({name}, '[0-9]{{16,}}\.0+'))"
            )
        if column.type == "identity_number":
            refusals[f"{name}_is_born_before_delivery"] = (
                f"length({name}) <> 18 or substr({name}, 7, 8) <= strftime(delivered_on, '%Y%m%d')"
            )
            shaped = f"not has_shape({name})"
            warnings[f"{name}_has_its_shape"] = f"has_shape({name})"
            warnings[f"{name}_has_a_real_birth_date"] = (
                f"{shaped} or birth_date({name}) is not null"
            )
            warnings[f"{name}_has_its_check_digit"] = f"{shaped} or not is_misspelt({name})"
            good = (
                f"has_shape({name}) and birth_date({name}) is not null and not is_misspelt({name})"
            )
            for declared, said in ((SEX, "sex"), (BIRTH_DATE, "birth_date")):
                if declared in dataset.columns:
                    warnings[f"{declared.name}_agrees_with_the_number"] = (
                        f"{declared.name} is null or {declared.name} = {said}({name}) "
                        f"or not ({good})"
                    )
    return {**refusals, **dataset.refusals}, {**warnings, **dataset.warnings}


def named(fulfilled: Mapping[str, str]) -> str:
    """The names of the rules that a row breaks, as an SQL list; null if there are none."""
    if not fulfilled:
        return "null::varchar[]"
    # nearly every row is good: one conjunction tells it, and only the others are taken apart
    good = " and ".join(f"coalesce({test}, true)" for test in fulfilled.values())
    broken = ", ".join(
        f"case when not coalesce({test}, true) then '{name}' end"
        for name, test in fulfilled.items()
    )
    return f"case when not ({good}) then list_filter([{broken}], lambda name: name is not null) end"


def keep(connection: duckdb.DuckDBPyConnection, dataset: Dataset, folder: Path) -> None:
    """Count the rows of each file and those that break each rule; write those that count."""
    connection.execute(
        f"""
        update delivery set rows_malformed = rows
        from (select file_no, count(*) as rows from delivered where is_malformed group by all)
            as malformed
        where malformed.file_no = delivery.file_no;

        update delivery set rows_received = rows + rows_malformed, rows_accepted = accepted
        from (
            select file_no, count(*) as rows, count(*) filter (where refused_by is null) as accepted
            from received
            group by all
        ) as counted
        where counted.file_no = delivery.file_no;

        insert into rule
        select '{dataset.source}', name, count(*)
        from (
            select unnest(list_concat(coalesce(refused_by, []), coalesce(warned_by, []))) as name
            from received
            where is_effective
        )
        group by all;

        copy (
            select sender, period, {dataset.names}
            from received
            where is_effective and refused_by is null
        ) to '{folder / dataset.source}.parquet' (compression zstd)
        """
    )


def workbook_rows(path: Path, dataset: Dataset) -> tuple[list[str], list[list[str]]]:
    """The columns of a workbook and its rows as text; the header is the row that names most."""
    with CalamineWorkbook.from_path(path) as workbook:
        cells = [
            [cell_text(cell) for cell in row]
            for row in workbook.get_sheet_by_index(0).to_python(skip_empty_area=False)
        ]
    header = max(
        range(min(TITLE_ROWS, len(cells))),
        key=lambda place: sum(header_key(cell) in dataset.headers for cell in cells[place]),
    )
    return column_names(cells[header], dataset), cells[header + 1 :]


def cell_text(cell: object) -> str:
    """A cell as the spreadsheet shows it; a number too long to be exact in scientific form."""
    if isinstance(cell, float):
        if abs(cell) >= LONGEST_EXACT_NUMBER:
            return f"{cell:.5E}"
        return str(int(cell)) if cell == int(cell) else repr(cell)
    return str(cell)


def column_names(header: Sequence[str], dataset: Dataset) -> list[str]:
    """The column that each delivered header stands for; raises if one stands for none."""
    keys = [header_key(name) for name in header]
    if unknown := set(keys) - set(dataset.headers):
        raise BareError(f"{dataset.source}: unknown headers {sorted(unknown)}")
    return [dataset.headers[key] for key in keys]


def header_key(header: str) -> str:
    """A header as it is compared."""
    return "".join(header.translate(str.maketrans("（）：", "():")).split()).lower()


def insert(
    connection: duckdb.DuckDBPyConnection, table: str, columns: Sequence[Sequence[object]]
) -> None:
    """Append columns of Python values to a table."""
    rows = pa.table({f"c{place}": pa.array(values) for place, values in enumerate(columns)})
    connection.register("rows_to_insert", rows)
    connection.execute(f"insert into {table} select * from rows_to_insert")
    connection.unregister("rows_to_insert")


def main() -> None:
    """Run from the command line; prints the rows received and the CPU seconds as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("inbox", type=Path)
    parser.add_argument("folder", type=Path, help="A folder that does not exist yet.")
    options = parser.parse_args()
    begun = time.process_time()
    rows = run(options.inbox, options.folder)
    print(json.dumps({"rows": rows, "cpu": time.process_time() - begun}))


if __name__ == "__main__":
    main()

"""The work of `minsheng refresh` as one hand-written DuckDB script, to measure the product against.

It reads the same inbox, holds rows and tables to the same checks and writes the same tables and
Parquet files. Everything up to `vault` is written by hand here, and so is every check. Two things
are shared, because they say what is computed and not how the work is organised: the SELECTs of
`sql/`, run as they stand, and the reader of `policies/` (`minsheng.policies`). The contracts give
the columns of the datasets that nobody delivers here.

It has no orchestrator, no Great Expectations, no lake, no contracts, no lineage, no digests and no
workbooks for departments; direct identifiers stay in memory and never reach its file.
"""

import argparse
import csv
import hashlib
import io
import json
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
import yaml

from minsheng import policies
from minsheng.contracts import load_contracts
from minsheng.settings import load_settings

ROOT = Path(__file__).resolve().parent.parent
RESULT_FILE = "bare.duckdb"
CLOCK = ZoneInfo("Asia/Shanghai")
TITLE_ROWS = 20
LONGEST_EXACT_NUMBER = 10**15
BLOCK_BYTES = 64


@dataclass(frozen=True)
class Dataset:
    """How one dataset arrives: its folder, its columns with the headers they go by, its encoding.

    `key` names the columns in which two rows of one file may not agree; a column that stands in
    `warnings` is counted where its predicate is false, and refuses nothing.
    """

    department: str
    name: str
    promised_days: int
    headers: dict[str, tuple[str, ...]]
    key: tuple[str, ...]
    received: str
    warnings: dict[str, str]
    encoding: str = "utf-8"
    monthly: bool = False

    @property
    def table(self) -> str:
        return f"{self.department}__{self.name}"


MACROS = r"""
-- most cells need no mending, and looking is cheaper than mending
create macro has_blank(t) as
    contains(t, ' ') or contains(t, '　') or contains(t, E'\t') or contains(t, E'\r')
    or contains(t, E'\n');
create macro tidy(t) as
    nullif(case when has_blank(t) then trim(t, E' \t\r\n　') else t end, '');
create macro half(t) as
    translate(t, '０１２３４５６７８９Ｘｘ－．，（）', '0123456789XX-.,()');
create macro identity_number(t) as
    case when regexp_full_match(t, '[0-9]{17}[0-9X]') then t
    else nullif(upper(regexp_replace(half(t), '[\s''　]', '', 'g')), '') end;
create macro yuan(t) as coalesce(
    try_cast(t as decimal(18, 2)), try_cast(replace(half(t), ',', '') as decimal(18, 2)));
create macro number(t) as coalesce(
    try_cast(t as decimal(18, 6)), try_cast(replace(half(t), ',', '') as decimal(18, 6)));
create macro whole(t) as
    case when regexp_full_match(t, '-?[0-9]+') then try_cast(t as bigint)
    else try_cast(regexp_extract(half(t), '^(-?[0-9]+)(\.0*)?年?$', 1) as bigint) end;
create macro area(t) as
    case when regexp_full_match(t, '[0-9]{12}') then t
    when regexp_full_match(t, '([0-9]{2}){1,3}|[0-9]{9}') then rpad(t, 12, '0') end;
create macro plausible(d) as case when year(d) between 1900 and 2100 then d end;
create macro day(t) as plausible(coalesce(
    try_cast(t as date),
    cast(try_strptime(half(t), ['%Y-%m-%d', '%Y/%m/%d', '%Y%m%d', '%Y年%m月%d日', '%Y.%m.%d',
        '%Y-%m-%d %H:%M:%S']) as date)));
create macro month_of(t) as
    case when regexp_full_match(t, '[0-9]{4}-[0-9]{2}') then try_cast(t || '-01' as date)
    else cast(date_trunc('month', coalesce(
        cast(try_strptime(
            regexp_extract(half(t), '^([0-9]{4}[-/.年]?[0-9]{1,2})月?$', 1),
            ['%Y%m', '%Y-%m', '%Y/%m', '%Y.%m', '%Y年%m']) as date),
        day(t))) as date) end;
create macro name_key(t) as
    case when regexp_matches(t, '[•・‧∙．･\s　]')
    then regexp_replace(translate(t, '•・‧∙．･', '······'), '[\s　]', '', 'g') else t end;
create macro weighted(n) as
    (ascii(substr(n, 1, 1)) - 48) * 7 + (ascii(substr(n, 2, 1)) - 48) * 9
    + (ascii(substr(n, 3, 1)) - 48) * 10 + (ascii(substr(n, 4, 1)) - 48) * 5
    + (ascii(substr(n, 5, 1)) - 48) * 8 + (ascii(substr(n, 6, 1)) - 48) * 4
    + (ascii(substr(n, 7, 1)) - 48) * 2 + (ascii(substr(n, 8, 1)) - 48)
    + (ascii(substr(n, 9, 1)) - 48) * 6 + (ascii(substr(n, 10, 1)) - 48) * 3
    + (ascii(substr(n, 11, 1)) - 48) * 7 + (ascii(substr(n, 12, 1)) - 48) * 9
    + (ascii(substr(n, 13, 1)) - 48) * 10 + (ascii(substr(n, 14, 1)) - 48) * 5
    + (ascii(substr(n, 15, 1)) - 48) * 8 + (ascii(substr(n, 16, 1)) - 48) * 4
    + (ascii(substr(n, 17, 1)) - 48) * 2;
create macro birth_month(n) as
    try_cast(substr(n, 7, 4) || '-' || substr(n, 11, 2) || '-01' as date);
create macro number_status(n) as
    case when n is null then 'missing'
    when not regexp_full_match(n, '[0-9]{17}[0-9X]') or birth_month(n) is null then 'bad_shape'
    when substr('10X98765432', cast(weighted(n) % 11 as integer) + 1, 1) <> substr(n, 18, 1)
        then 'bad_checksum'
    else 'valid' end;

create macro identity_of(id_number, person_name) as
    coalesce(id_number, '') || '|' || name_key(person_name);
-- without a number the name alone does not tell two persons of a dataset apart
create macro identity_with(id_number, person_name, others) as
    identity_of(id_number, person_name)
    || case when number_status(id_number) = 'valid' then '' else '|' || others end;
create macro household_of(area_code, household_number) as
    substr(area_code, 1, 6) || '|' || household_number;
create macro household_of_notion(notion, area_code, household_number) as
    notion || '|' || substr(area_code, 1, 6) || '|' || household_number;

-- what a row is refused for: the rule's name where it is broken, else null
create macro scientific(t, rule) as
    case when contains(t, 'E') and regexp_full_match(t, '[0-9](\.[0-9]+)?E\+?[0-9]+')
        then rule end;
create macro unborn(id_number, delivered_on) as
    case when length(id_number) = 18
        and substr(id_number, 7, 8) > strftime(delivered_on, '%Y%m%d')
        then 'id_number_is_born_before_delivery' end;
create macro missing(t, rule) as case when t is null then rule end;
create macro unread(t, typed, rule) as case when t is not null and typed is null then rule end;
create macro below(value, least, rule) as case when value < least then rule end;
create macro above(value, most, rule) as case when value > most then rule end;
"""

ID_HEADERS = ("身份证号码", "证件号码", "公民身份号码", "身份证号", "身份证")
AREA_HEADERS = ("行政村代码", "村代码", "区划代码", "行政区划代码")
HAS_ID_SHAPE = "regexp_full_match(id_number, '[0-9]{17}[0-9X]|[0-9]{15}')"

DATASETS = (
    Dataset(
        "agriculture",
        "household_roll",
        promised_days=90,
        headers={
            "household_number": ("户编号", "家庭编号", "户号"),
            "id_number": ID_HEADERS,
            "person_name": ("姓名", "家庭成员姓名"),
            "relation_code": ("与户主关系", "关系"),
            "labour_code": ("劳动技能", "劳动能力", "劳动力状况"),
            "cause_code": ("主要致贫原因", "致贫原因"),
            "village_code": AREA_HEADERS,
            "phone": ("联系电话", "家庭成员联系电话", "手机号"),
            "hukou_number": ("户口簿户号", "户籍户号"),
        },
        key=("household_identity", "id_number", "person_name"),
        warnings={
            "id_number_has_its_shape": HAS_ID_SHAPE,
            "phone_has_eleven_digits": "regexp_full_match(phone, '[0-9]{11}')",
        },
        received="""
            with texts as (
                select
                    tidy(household_number) as household_number,
                    identity_number(id_number) as id_number,
                    tidy(person_name) as person_name,
                    tidy(relation_code) as relation_text,
                    tidy(labour_code) as labour_text,
                    tidy(cause_code) as cause_text,
                    tidy(village_code) as village_text,
                    tidy(phone) as phone,
                    tidy(hukou_number) as hukou_number,
                    delivery_id, row_number, sender, period, period_month,
                    delivered_on, is_effective
                from numbered
            ),
            typed as (
                select
                    texts.*,
                    relation.code as relation_code,
                    labour.code as labour_code,
                    cause.code as cause_code,
                    area(village_text) as village_code
                from texts
                left join word as relation
                    on relation.code_list = 'relation' and relation.word = relation_text
                left join word as labour
                    on labour.code_list = 'labour' and labour.word = labour_text
                left join word as cause
                    on cause.code_list = 'cause' and cause.word = cause_text
            )
            select
                household_number, id_number, person_name, relation_code, labour_code,
                cause_code, village_code, phone,
                identity_with(id_number, person_name, concat_ws('|', coalesce(village_code, ''),
                    household_number, coalesce(phone, ''))) as record_identity,
                household_of(village_code, household_number) as household_identity,
                household_of_notion('registration', village_code, hukou_number)
                    as registration_identity,
                delivery_id, row_number, sender, period, period_month,
                delivered_on, is_effective,
                nullif(concat_ws(',',
                    missing(household_number, 'household_number_is_given'),
                    scientific(id_number, 'id_number_is_not_scientific'),
                    unborn(id_number, delivered_on),
                    missing(person_name, 'person_name_is_given'),
                    missing(relation_text, 'relation_code_is_given'),
                    unread(relation_text, relation_code, 'relation_code_is_readable'),
                    unread(labour_text, labour_code, 'labour_code_is_readable'),
                    unread(cause_text, cause_code, 'cause_code_is_readable'),
                    missing(village_text, 'village_code_is_given'),
                    unread(village_text, village_code, 'village_code_is_readable'),
                    case when substr(village_code, 10, 3) = '000'
                        then 'village_is_a_village' end
                ), '') as refused_by
            from typed
        """,
    ),
    Dataset(
        "agriculture",
        "household_income",
        promised_days=90,
        headers={
            "household_number": ("户编号", "家庭编号", "户号"),
            "member_count": ("家庭人口数", "人口数", "家庭人口"),
            "area_code": AREA_HEADERS,
            "income_concept": ("收入口径",),
            "wage_yuan": ("工资性收入", "工资性收入（元）"),
            "business_yuan": ("生产经营性净收入", "生产经营性净收入（元）", "经营净收入"),
            "property_yuan": ("财产性收入", "财产性收入（元）", "财产净收入"),
            "transfer_yuan": ("转移性收入", "转移性收入（元）", "转移净收入"),
            "total_yuan": ("家庭总收入", "家庭年收入", "家庭总收入（元）"),
            "weight": ("权数",),
        },
        key=("household_identity",),
        warnings={
            "components_add_up": (
                "abs(wage_yuan + business_yuan + property_yuan + transfer_yuan - total_yuan) <= 1"
            ),
            "income_is_given": (
                "total_yuan is not null or (wage_yuan is not null and business_yuan is not null "
                "and property_yuan is not null and transfer_yuan is not null)"
            ),
        },
        received="""
            with texts as (
                select
                    tidy(household_number) as household_number,
                    tidy(member_count) as member_text,
                    tidy(area_code) as area_text,
                    coalesce(tidy(income_concept), 'disposable_income') as concept_text,
                    tidy(wage_yuan) as wage_text,
                    tidy(business_yuan) as business_text,
                    tidy(property_yuan) as property_text,
                    tidy(transfer_yuan) as transfer_text,
                    tidy(total_yuan) as total_text,
                    coalesce(tidy(weight), '1') as weight_text,
                    delivery_id, row_number, sender, period, period_month,
                    delivered_on, is_effective
                from numbered
            ),
            typed as (
                select
                    texts.*,
                    whole(member_text) as member_count,
                    area(area_text) as area_code,
                    concept.code as income_concept,
                    yuan(wage_text) as wage_yuan,
                    yuan(business_text) as business_yuan,
                    yuan(property_text) as property_yuan,
                    yuan(transfer_text) as transfer_yuan,
                    yuan(total_text) as total_yuan,
                    number(weight_text) as weight
                from texts
                left join word as concept
                    on concept.code_list = 'income_concept' and concept.word = concept_text
            )
            select
                household_number, member_count, area_code, income_concept, wage_yuan,
                business_yuan, property_yuan, transfer_yuan, total_yuan, weight,
                household_of(area_code, household_number) as household_identity,
                delivery_id, row_number, sender, period, period_month,
                delivered_on, is_effective,
                nullif(concat_ws(',',
                    missing(household_number, 'household_number_is_given'),
                    missing(member_text, 'member_count_is_given'),
                    unread(member_text, member_count, 'member_count_is_readable'),
                    below(member_count, 1, 'member_count_is_not_too_small'),
                    above(member_count, 50, 'member_count_is_not_too_large'),
                    missing(area_text, 'area_code_is_given'),
                    unread(area_text, area_code, 'area_code_is_readable'),
                    unread(concept_text, income_concept, 'income_concept_is_readable'),
                    unread(wage_text, wage_yuan, 'wage_yuan_is_readable'),
                    below(wage_yuan, 0, 'wage_yuan_is_not_too_small'),
                    above(wage_yuan, 10000000, 'wage_yuan_is_not_too_large'),
                    unread(business_text, business_yuan, 'business_yuan_is_readable'),
                    unread(property_text, property_yuan, 'property_yuan_is_readable'),
                    below(property_yuan, 0, 'property_yuan_is_not_too_small'),
                    above(property_yuan, 10000000, 'property_yuan_is_not_too_large'),
                    unread(transfer_text, transfer_yuan, 'transfer_yuan_is_readable'),
                    below(transfer_yuan, 0, 'transfer_yuan_is_not_too_small'),
                    above(transfer_yuan, 10000000, 'transfer_yuan_is_not_too_large'),
                    unread(total_text, total_yuan, 'total_yuan_is_readable'),
                    unread(weight_text, weight, 'weight_is_readable'),
                    below(weight, 0, 'weight_is_not_too_small')
                ), '') as refused_by
            from typed
        """,
    ),
    Dataset(
        "civil_affairs",
        "assistance_roll",
        promised_days=40,
        monthly=True,
        encoding="gb18030",
        headers={
            "id_number": ID_HEADERS,
            "person_name": ("姓名", "保障对象姓名"),
            "assistance_code": ("救助类别", "保障类别", "低保类别"),
            "start_month": ("享受起始月份", "起始月份"),
            "monthly_yuan": ("月保障金", "月保障金（元）", "月供养金"),
            "village_code": AREA_HEADERS,
            "co_living_number": ("家庭编号", "共同生活家庭编号", "救助家庭编号", "户编号"),
        },
        key=("id_number", "person_name", "assistance_code"),
        warnings={"id_number_has_its_shape": HAS_ID_SHAPE},
        received="""
            with texts as (
                select
                    identity_number(id_number) as id_number,
                    tidy(person_name) as person_name,
                    tidy(assistance_code) as assistance_text,
                    tidy(start_month) as start_text,
                    tidy(monthly_yuan) as monthly_text,
                    tidy(village_code) as village_text,
                    tidy(co_living_number) as co_living_number,
                    delivery_id, row_number, sender, period, period_month,
                    delivered_on, is_effective
                from numbered
            ),
            typed as (
                select
                    texts.*,
                    assistance.code as assistance_code,
                    month_of(start_text) as start_month,
                    yuan(monthly_text) as monthly_yuan,
                    area(village_text) as village_code
                from texts
                left join word as assistance
                    on assistance.code_list = 'assistance' and assistance.word = assistance_text
            )
            select
                id_number, person_name, assistance_code, start_month, monthly_yuan, village_code,
                identity_with(id_number, person_name, coalesce(village_code, ''))
                    as record_identity,
                household_of_notion('co_living', village_code, co_living_number)
                    as co_living_identity,
                delivery_id, row_number, sender, period, period_month,
                delivered_on, is_effective,
                nullif(concat_ws(',',
                    scientific(id_number, 'id_number_is_not_scientific'),
                    unborn(id_number, delivered_on),
                    missing(person_name, 'person_name_is_given'),
                    missing(assistance_text, 'assistance_code_is_given'),
                    unread(assistance_text, assistance_code, 'assistance_code_is_readable'),
                    unread(start_text, start_month, 'start_month_is_readable'),
                    above(start_month, delivered_on, 'start_month_is_not_in_the_future'),
                    unread(monthly_text, monthly_yuan, 'monthly_yuan_is_readable'),
                    below(monthly_yuan, 0, 'monthly_yuan_is_not_too_small'),
                    above(monthly_yuan, 100000, 'monthly_yuan_is_not_too_large'),
                    unread(village_text, village_code, 'village_code_is_readable')
                ), '') as refused_by
            from typed
        """,
    ),
    Dataset(
        "civil_affairs",
        "relief_payment",
        promised_days=40,
        monthly=True,
        encoding="gb18030",
        headers={
            "id_number": ID_HEADERS,
            "person_name": ("姓名", "领取人姓名"),
            "programme_code": ("发放项目", "补贴类型", "项目"),
            "amount_yuan": ("发放金额", "发放金额（元）", "补贴金额"),
        },
        key=("id_number", "person_name", "programme_code"),
        warnings={"id_number_has_its_shape": HAS_ID_SHAPE},
        received="""
            with texts as (
                select
                    identity_number(id_number) as id_number,
                    tidy(person_name) as person_name,
                    tidy(programme_code) as programme_text,
                    tidy(amount_yuan) as amount_text,
                    delivery_id, row_number, sender, period, period_month,
                    delivered_on, is_effective
                from numbered
            ),
            typed as (
                select
                    texts.*,
                    programme.code as programme_code,
                    yuan(amount_text) as amount_yuan
                from texts
                left join word as programme
                    on programme.code_list = 'programme' and programme.word = programme_text
            )
            select
                id_number, person_name, programme_code, amount_yuan,
                identity_of(id_number, person_name) as record_identity,
                delivery_id, row_number, sender, period, period_month,
                delivered_on, is_effective,
                nullif(concat_ws(',',
                    scientific(id_number, 'id_number_is_not_scientific'),
                    unborn(id_number, delivered_on),
                    missing(person_name, 'person_name_is_given'),
                    missing(programme_text, 'programme_code_is_given'),
                    unread(programme_text, programme_code, 'programme_code_is_readable'),
                    missing(amount_text, 'amount_yuan_is_given'),
                    unread(amount_text, amount_yuan, 'amount_yuan_is_readable'),
                    below(amount_yuan, 0, 'amount_yuan_is_not_too_small'),
                    above(amount_yuan, 1000000, 'amount_yuan_is_not_too_large')
                ), '') as refused_by
            from typed
        """,
    ),
    Dataset(
        "disability_federation",
        "disability_certificate",
        promised_days=90,
        headers={
            "certificate_number": ("残疾人证号", "残疾证号", "残疾人证", "证件号码", "证件号"),
            "id_number": ("身份证号码", "身份证号", "公民身份号码", "身份证"),
            "person_name": ("姓名",),
            "disability_type_code": ("残疾类别", "类别"),
            "disability_grade_code": ("残疾等级", "等级"),
            "issue_date": ("发证日期", "初次申领日期", "初次发证日期"),
        },
        key=("certificate_number",),
        warnings={
            "id_number_has_its_shape": HAS_ID_SHAPE,
            "certificate_says_the_type": "substr(certificate_number, 19, 1) = disability_type_code",
            "certificate_says_the_grade": (
                "substr(certificate_number, 20, 1) = disability_grade_code"
            ),
        },
        received="""
            with cells as (
                select
                    identity_number(certificate_number) as certificate_number,
                    identity_number(id_number) as id_number,
                    tidy(person_name) as person_name,
                    tidy(disability_type_code) as type_text,
                    tidy(disability_grade_code) as grade_text,
                    tidy(issue_date) as issue_text,
                    delivery_id, row_number, sender, period, period_month,
                    delivered_on, is_effective
                from numbered
            ),
            texts as (
                select * replace (
                    coalesce(id_number, substr(certificate_number, 1, 18)) as id_number,
                    coalesce(type_text, substr(certificate_number, 19, 1)) as type_text,
                    coalesce(grade_text, substr(certificate_number, 20, 1)) as grade_text)
                from cells
            ),
            typed as (
                select
                    texts.*,
                    disability_type.code as disability_type_code,
                    grade.code as disability_grade_code,
                    day(issue_text) as issue_date
                from texts
                left join word as disability_type
                    on disability_type.code_list = 'disability_type'
                    and disability_type.word = type_text
                left join word as grade
                    on grade.code_list = 'disability_grade' and grade.word = grade_text
            )
            select
                certificate_number, id_number, person_name, disability_type_code,
                disability_grade_code, issue_date,
                identity_with(id_number, person_name, certificate_number) as record_identity,
                delivery_id, row_number, sender, period, period_month,
                delivered_on, is_effective,
                nullif(concat_ws(',',
                    missing(certificate_number, 'certificate_number_is_given'),
                    scientific(certificate_number, 'certificate_number_is_not_scientific'),
                    scientific(id_number, 'id_number_is_not_scientific'),
                    unborn(id_number, delivered_on),
                    missing(person_name, 'person_name_is_given'),
                    missing(type_text, 'disability_type_code_is_given'),
                    unread(type_text, disability_type_code, 'disability_type_code_is_readable'),
                    missing(grade_text, 'disability_grade_code_is_given'),
                    unread(grade_text, disability_grade_code, 'disability_grade_code_is_readable'),
                    unread(issue_text, issue_date, 'issue_date_is_readable'),
                    above(issue_date, delivered_on, 'issue_date_is_not_in_the_future')
                ), '') as refused_by
            from typed
        """,
    ),
    Dataset(
        "education",
        "student_enrolment",
        promised_days=90,
        headers={
            "id_number": ID_HEADERS,
            "person_name": ("姓名", "学生姓名"),
            "student_number": ("学籍号", "全国学籍号"),
            "education_stage_code": ("学段", "就读学段"),
            "school_name": ("学校", "学校名称"),
            "enrolment_status_code": ("就读状态", "学生状态"),
        },
        key=("id_number", "person_name", "school_name"),
        warnings={"id_number_has_its_shape": HAS_ID_SHAPE},
        received="""
            with texts as (
                select
                    identity_number(id_number) as id_number,
                    tidy(person_name) as person_name,
                    tidy(student_number) as student_number,
                    tidy(education_stage_code) as stage_text,
                    tidy(school_name) as school_name,
                    tidy(enrolment_status_code) as status_text,
                    delivery_id, row_number, sender, period, period_month,
                    delivered_on, is_effective
                from numbered
            ),
            typed as (
                select
                    texts.*,
                    stage.code as education_stage_code,
                    status.code as enrolment_status_code
                from texts
                left join word as stage
                    on stage.code_list = 'education_stage' and stage.word = stage_text
                left join word as status
                    on status.code_list = 'enrolment_status' and status.word = status_text
            )
            select
                id_number, person_name, student_number, education_stage_code, school_name,
                enrolment_status_code,
                identity_with(id_number, person_name, coalesce(student_number, ''))
                    as record_identity,
                delivery_id, row_number, sender, period, period_month,
                delivered_on, is_effective,
                nullif(concat_ws(',',
                    scientific(id_number, 'id_number_is_not_scientific'),
                    unborn(id_number, delivered_on),
                    missing(person_name, 'person_name_is_given'),
                    missing(stage_text, 'education_stage_code_is_given'),
                    unread(stage_text, education_stage_code, 'education_stage_code_is_readable'),
                    missing(status_text, 'enrolment_status_code_is_given'),
                    unread(status_text, enrolment_status_code, 'enrolment_status_code_is_readable')
                ), '') as refused_by
            from typed
        """,
    ),
    Dataset(
        "health",
        "insurance_enrolment",
        promised_days=90,
        headers={
            "id_number": ID_HEADERS,
            "person_name": ("姓名", "参保人姓名"),
            "insurance_code": ("险种", "医保险种"),
            "insured_status_code": ("参保状态",),
            "paid_date": ("缴费时间", "缴费日期"),
        },
        key=("id_number", "person_name", "insurance_code"),
        warnings={"id_number_has_its_shape": HAS_ID_SHAPE},
        received="""
            with texts as (
                select
                    identity_number(id_number) as id_number,
                    tidy(person_name) as person_name,
                    tidy(insurance_code) as insurance_text,
                    tidy(insured_status_code) as status_text,
                    tidy(paid_date) as paid_text,
                    delivery_id, row_number, sender, period, period_month,
                    delivered_on, is_effective
                from numbered
            ),
            typed as (
                select
                    texts.*,
                    insurance.code as insurance_code,
                    status.code as insured_status_code,
                    day(paid_text) as paid_date
                from texts
                left join word as insurance
                    on insurance.code_list = 'insurance' and insurance.word = insurance_text
                left join word as status
                    on status.code_list = 'insured_status' and status.word = status_text
            )
            select
                id_number, person_name, insurance_code, insured_status_code, paid_date,
                identity_of(id_number, person_name) as record_identity,
                delivery_id, row_number, sender, period, period_month,
                delivered_on, is_effective,
                nullif(concat_ws(',',
                    scientific(id_number, 'id_number_is_not_scientific'),
                    unborn(id_number, delivered_on),
                    missing(person_name, 'person_name_is_given'),
                    missing(insurance_text, 'insurance_code_is_given'),
                    unread(insurance_text, insurance_code, 'insurance_code_is_readable'),
                    missing(status_text, 'insured_status_code_is_given'),
                    unread(status_text, insured_status_code, 'insured_status_code_is_readable'),
                    unread(paid_text, paid_date, 'paid_date_is_readable'),
                    above(paid_date, delivered_on, 'paid_date_is_not_in_the_future')
                ), '') as refused_by
            from typed
        """,
    ),
    Dataset(
        "health",
        "medical_settlement",
        promised_days=40,
        monthly=True,
        headers={
            "settlement_number": ("结算编号", "结算单号"),
            "id_number": ID_HEADERS,
            "person_name": ("姓名", "患者姓名"),
            "settled_date": ("结算日期", "就医时间", "结算时间"),
            "visit_code": ("医疗类别", "就诊类型"),
            "disease_name": ("疾病名称", "诊断"),
            "total_cost_yuan": ("总费用", "医疗总费用", "总费用（元）"),
            "basic_paid_yuan": ("基本医保支付", "基本医保", "医保报销"),
            "serious_illness_paid_yuan": ("大病保险支付", "大病保险"),
            "medical_aid_paid_yuan": ("医疗救助支付", "医疗救助", "大病救助"),
            "self_paid_yuan": ("个人自付", "自付金额", "个人自付（元）"),
        },
        key=("settlement_number",),
        warnings={
            "id_number_has_its_shape": HAS_ID_SHAPE,
            "date_lies_in_the_period": "date_trunc('month', settled_date) = period_month",
            "layers_add_up_to_the_bill": (
                "abs(basic_paid_yuan + serious_illness_paid_yuan + medical_aid_paid_yuan "
                "+ self_paid_yuan - total_cost_yuan) <= 1"
            ),
        },
        received="""
            with texts as (
                select
                    tidy(settlement_number) as settlement_number,
                    identity_number(id_number) as id_number,
                    tidy(person_name) as person_name,
                    tidy(settled_date) as settled_text,
                    tidy(visit_code) as visit_text,
                    tidy(disease_name) as disease_name,
                    tidy(total_cost_yuan) as total_text,
                    tidy(basic_paid_yuan) as basic_text,
                    tidy(serious_illness_paid_yuan) as serious_text,
                    tidy(medical_aid_paid_yuan) as aid_text,
                    tidy(self_paid_yuan) as self_text,
                    delivery_id, row_number, sender, period, period_month,
                    delivered_on, is_effective
                from numbered
            ),
            typed as (
                select
                    texts.*,
                    day(settled_text) as settled_date,
                    visit.code as visit_code,
                    yuan(total_text) as total_cost_yuan,
                    yuan(basic_text) as basic_paid_yuan,
                    yuan(serious_text) as serious_illness_paid_yuan,
                    yuan(aid_text) as medical_aid_paid_yuan,
                    yuan(self_text) as self_paid_yuan
                from texts
                left join word as visit
                    on visit.code_list = 'visit' and visit.word = visit_text
            )
            select
                settlement_number, id_number, person_name, settled_date, visit_code, disease_name,
                total_cost_yuan, basic_paid_yuan, serious_illness_paid_yuan,
                medical_aid_paid_yuan, self_paid_yuan,
                identity_of(id_number, person_name) as record_identity,
                delivery_id, row_number, sender, period, period_month,
                delivered_on, is_effective,
                nullif(concat_ws(',',
                    missing(settlement_number, 'settlement_number_is_given'),
                    scientific(id_number, 'id_number_is_not_scientific'),
                    unborn(id_number, delivered_on),
                    missing(person_name, 'person_name_is_given'),
                    missing(settled_text, 'settled_date_is_given'),
                    unread(settled_text, settled_date, 'settled_date_is_readable'),
                    above(settled_date, delivered_on, 'settled_date_is_not_in_the_future'),
                    missing(visit_text, 'visit_code_is_given'),
                    unread(visit_text, visit_code, 'visit_code_is_readable'),
                    missing(total_text, 'total_cost_yuan_is_given'),
                    unread(total_text, total_cost_yuan, 'total_cost_yuan_is_readable'),
                    below(total_cost_yuan, 0, 'total_cost_yuan_is_not_too_small'),
                    above(total_cost_yuan, 10000000, 'total_cost_yuan_is_not_too_large'),
                    missing(basic_text, 'basic_paid_yuan_is_given'),
                    unread(basic_text, basic_paid_yuan, 'basic_paid_yuan_is_readable'),
                    below(basic_paid_yuan, 0, 'basic_paid_yuan_is_not_too_small'),
                    above(basic_paid_yuan, 10000000, 'basic_paid_yuan_is_not_too_large'),
                    missing(serious_text, 'serious_illness_paid_yuan_is_given'),
                    unread(serious_text, serious_illness_paid_yuan,
                        'serious_illness_paid_yuan_is_readable'),
                    below(serious_illness_paid_yuan, 0,
                        'serious_illness_paid_yuan_is_not_too_small'),
                    above(serious_illness_paid_yuan, 10000000,
                        'serious_illness_paid_yuan_is_not_too_large'),
                    missing(aid_text, 'medical_aid_paid_yuan_is_given'),
                    unread(aid_text, medical_aid_paid_yuan, 'medical_aid_paid_yuan_is_readable'),
                    below(medical_aid_paid_yuan, 0, 'medical_aid_paid_yuan_is_not_too_small'),
                    above(medical_aid_paid_yuan, 10000000,
                        'medical_aid_paid_yuan_is_not_too_large'),
                    missing(self_text, 'self_paid_yuan_is_given'),
                    unread(self_text, self_paid_yuan, 'self_paid_yuan_is_readable'),
                    below(self_paid_yuan, 0, 'self_paid_yuan_is_not_too_small'),
                    above(self_paid_yuan, 10000000, 'self_paid_yuan_is_not_too_large')
                ), '') as refused_by
            from typed
        """,
    ),
    Dataset(
        "statistics",
        "area_benchmark",
        promised_days=90,
        headers={
            "area_code": ("行政区划代码", "区划代码", "地区代码"),
            "year": ("年份", "年度"),
            "income_concept": ("收入口径",),
            "rural_income_yuan": ("农村居民人均收入", "农村居民人均收入（元）"),
            "rural_price_index": (
                "农村居民消费价格指数（上年=100）",
                "农村居民消费价格指数",
            ),
        },
        key=("area_code", "income_concept", "year"),
        warnings={},
        received="""
            with texts as (
                select
                    tidy(area_code) as area_text,
                    tidy(year) as year_text,
                    tidy(income_concept) as concept_text,
                    tidy(rural_income_yuan) as income_text,
                    tidy(rural_price_index) as index_text,
                    delivery_id, row_number, sender, period, period_month,
                    delivered_on, is_effective
                from numbered
            ),
            typed as (
                select
                    texts.*,
                    area(area_text) as area_code,
                    try_cast(whole(year_text) as integer) as year,
                    concept.code as income_concept,
                    yuan(income_text) as rural_income_yuan,
                    number(index_text) as rural_price_index
                from texts
                left join word as concept
                    on concept.code_list = 'income_concept' and concept.word = concept_text
            )
            select
                area_code, year, income_concept, rural_income_yuan, rural_price_index,
                delivery_id, row_number, sender, period, period_month,
                delivered_on, is_effective,
                nullif(concat_ws(',',
                    missing(area_text, 'area_code_is_given'),
                    unread(area_text, area_code, 'area_code_is_readable'),
                    missing(year_text, 'year_is_given'),
                    unread(year_text, year, 'year_is_readable'),
                    below(year, 1978, 'year_is_not_too_small'),
                    above(year, 2100, 'year_is_not_too_large'),
                    missing(concept_text, 'income_concept_is_given'),
                    unread(concept_text, income_concept, 'income_concept_is_readable'),
                    missing(income_text, 'rural_income_yuan_is_given'),
                    unread(income_text, rural_income_yuan, 'rural_income_yuan_is_readable'),
                    below(rural_income_yuan, 0, 'rural_income_yuan_is_not_too_small'),
                    above(rural_income_yuan, 1000000, 'rural_income_yuan_is_not_too_large'),
                    unread(index_text, rural_price_index, 'rural_price_index_is_readable'),
                    below(rural_price_index, 50, 'rural_price_index_is_not_too_small'),
                    above(rural_price_index, 200, 'rural_price_index_is_not_too_large')
                ), '') as refused_by
            from typed
        """,
    ),
)

REFERENCE = """
create table reference.area (
    area_code text, area_level text, area_name text, parent_code text, city_code text,
    county_code text, town_code text, village_code text, effective_from date,
    effective_to date, origin text);
create table reference.area_ancestor (
    area_code text, ancestor_code text, ancestor_level text, distance bigint);
create table reference.area_succession (
    old_code text, new_code text, effective_from date, succession_code text, is_whole boolean,
    document text);
create table reference.area_today (
    area_code text, today_code text, city_code text, county_code text, town_code text,
    village_code text);
create table reference.civil_affairs_town (
    civil_affairs_code text, civil_affairs_name text, county_code text, origin text);
create table reference.code (
    code_list text, code text, label_zh text, label_en text, has_attribute boolean);
create table reference.income_concept (income_concept text, accounting_month bigint);
create table reference.object_type (
    object_type_code text, priority bigint, requires_left_roll boolean,
    requires_income_below_line boolean);
create table reference.link_limit (limit_name text, value decimal(18, 6));
create table reference.link_roll (source text);
create table reference.link_rule (
    link_rule_code text, rule_place bigint, label_zh text, label_en text, evidence_class text,
    rule_outcome text, reason_text text);
create table reference.plan (
    policy_id text, title_zh text, title_en text, document text, area_code text,
    start_year integer, end_year integer, first_roll_year integer, income_concept text);
create table reference.population (
    population text, label_zh text, label_en text, requires_roll boolean,
    requires_labour boolean);
create table reference.risk_level (level text, minimum_points bigint);
create table reference.rule_value (
    rule_id text, area_code text, effective_from date, effective_to date, value decimal(18, 6),
    unit text, is_line boolean, label_zh text, label_en text, document text, clause text);
create table reference.signal (
    signal_id text, label_zh text, label_en text, measure_id text, comparator text,
    threshold_rule_id text, factor_rule_id text, unless_signal_id text, cause_code text,
    points bigint);
create table reference.target (
    policy_id text, item_id text, part text, clause text, area_code text, area_level text,
    population text, income_concept text, aggregate text, comparator text, year integer,
    threshold decimal(18, 6), deadline_year integer, unit text, datasets text, document text);
create table meta.policy_item (
    policy_id text, item_id text, clause text, term_zh text, text_en text, kind text,
    evaluation text, document text);
"""

DELIVERIES = """
create table restricted.delivery as
with arrived as (
    select
        *,
        lag(sha256) over (
            partition by department, dataset, sender, period order by delivered_at, path
        ) is not distinct from sha256 as is_repeated,
        row_number() over (
            partition by department, dataset order by period, sender nulls first, delivered_at, path
        ) as place
    from arrival
)
select
    file_no,
    department || '__' || dataset as source,
    department,
    dataset,
    sender,
    period,
    path,
    stated_rows,
    sha256,
    delivered_at,
    place,
    substr(sha256(concat_ws(chr(10),
        department || '__' || dataset, coalesce(sender, ''), period, sha256,
        strftime(delivered_at, '%Y-%m-%dT%H:%M:%S+08:00'))), 1, 16
    ) as delivery_id,
    cast(delivered_at as date) as delivered_on,
    cast(period[1:4] || '-' || case when len(period) = 7 then period[6:7] else '12' end || '-01'
        as date) as period_month,
    row_number() over (
        partition by department, dataset, sender, period order by delivered_at desc, path desc
    ) = 1 as is_effective
from arrived
where not is_repeated;

create table restricted.word (code_list text, word text, code text);
create table restricted.row_count (source text, file_no integer, refused_by text, rows bigint);
create table quality.check_result (
    table_name text, check_name text, severity text, passed boolean, failing_rows bigint,
    is_refused_at_ingest boolean);
"""

# The row number is the one a spreadsheet shows: the header and malformed lines are counted.
NUMBERED = """
create or replace temp view numbered as
with begun as (
    select file_no, min(rowid) as first_row
    from {text}
    group by file_no
)
select
    text.*,
    delivery.delivery_id,
    header.header_row + 1 + text.rowid - begun.first_row as row_number,
    delivery.sender,
    delivery.period,
    delivery.period_month,
    delivery.delivered_on,
    delivery.is_effective
from {text} as text
join begun using (file_no)
join header using (file_no)
join restricted.delivery as delivery using (file_no)
where not text.is_malformed and ({is_filled})
"""

MALFORMED = """
insert into restricted.row_count
select '{source}', file_no, 'row_has_as_many_cells_as_the_header', count(*)
from {text}
where is_malformed
group by file_no
"""

REPEATED_KEYS = """
with repeated as (
    select delivery_id, {key}, min(row_number) as first_row
    from {received}
    where refused_by is null
    group by all
    having count(*) > 1
)
update {received} as received
set refused_by = 'key_is_unique'
from repeated
where received.refused_by is null
    and received.delivery_id = repeated.delivery_id
    and received.row_number > repeated.first_row
    and {agrees}
"""

COUNTS = """
insert into restricted.row_count
select '{source}', delivery.file_no, received.refused_by, count(*)
from {received} as received
join restricted.delivery as delivery using (delivery_id)
group by all;

insert into quality.check_result
select 'raw.{source}', rule, 'critical', false, count(*), true
from (
    select unnest(string_split(refused_by, ',')) as rule
    from {received}
    where is_effective and refused_by is not null
)
group by rule;

create view restricted.staged.{source} as
select * exclude (delivered_on, is_effective, refused_by)
from {received}
where is_effective and refused_by is null;
"""

META = """
create table meta.delivery as
with counted as (
    select
        file_no,
        coalesce(sum(rows) filter (where refused_by is null), 0) as rows_accepted,
        coalesce(sum(rows) filter (where refused_by is not null), 0) as rows_refused
    from restricted.row_count
    group by file_no
)
select
    delivery.delivery_id,
    delivery.department,
    delivery.dataset,
    delivery.sender,
    delivery.period,
    delivery.period_month,
    delivery.delivered_at,
    delivery.sha256,
    cast(counted.rows_accepted + counted.rows_refused as bigint) as rows_received,
    cast(counted.rows_accepted as bigint) as rows_accepted,
    cast(counted.rows_refused as bigint) as rows_refused,
    case when delivery.is_effective then 'effective' else 'superseded' end as delivery_status,
    row_number() over (order by delivery.delivered_at, delivery.place, delivery.delivery_id)
        as delivery_order
from restricted.delivery as delivery
join counted using (file_no);

create table meta.build as
select max(least(period_month, cast(date_trunc('month', delivered_on) as date))) as as_of_month
from restricted.delivery
where is_effective;

create table meta.source as
with latest as (
    select *
    from restricted.delivery
    where is_effective
    qualify row_number() over (
        partition by source order by period_month desc, sender nulls first
    ) = 1
),
counted as (
    select
        department || '__' || dataset as source,
        cast(sum(rows_accepted) as bigint) as rows_accepted,
        cast(sum(rows_refused) as bigint) as rows_refused
    from meta.delivery
    where delivery_status = 'effective'
    group by all
),
promised as (
    select
        latest.*,
        cast(
            latest.period_month
            + to_months(case when len(latest.period) = 7 then 2 else 13 end)
            + to_days(promise.promised_days)
            as date) as due_date
    from latest
    join promise using (source)
)
select
    promised.source,
    promised.department,
    promised.dataset,
    promised.period_month,
    promised.delivered_at,
    promised.due_date,
    case when promised.due_date < cast(build.as_of_month + interval 1 month as date)
        then promised.due_date end as stale_since,
    counted.rows_accepted,
    counted.rows_refused,
    promised.source not in ('agriculture__household_income', 'statistics__area_benchmark')
        as is_personal
from promised
join counted using (source)
cross join meta.build as build;

-- in the demo no source is late; the comparison of the two sides would tell
create table meta.table_freshness as
select cast(null as text) as table_name, min(stale_since) as stale_since
from meta.source
where stale_since is not null;
"""

TOO_BAD = """
select path, 'most of its rows are refused' as fault
from meta.delivery join restricted.delivery using (delivery_id)
where rows_accepted < 0.5 * rows_received
union all
select path, 'its sidecar states another number of rows'
from meta.delivery join restricted.delivery using (delivery_id)
where stated_rows <> rows_received
"""

VAULT = """
create table restricted.vault.household as
select household_identity, {household_mint} as household_id
from (
    select household_identity from staged.agriculture__household_roll
    union
    select household_identity from staged.agriculture__household_income
    union
    select registration_identity from staged.agriculture__household_roll
    where registration_identity is not null
    union
    select co_living_identity from staged.civil_affairs__assistance_roll
    where co_living_identity is not null
);

create table restricted.vault.identity as
with delivered as ({records}),
number as (
    select id_number, number_status(id_number) as id_status_code
    from (select distinct id_number from delivered)
),
valid as (
    select
        delivered.record_identity,
        any_value(delivered.id_number) as id_number,
        min(delivered.first_record) as first_record
    from delivered
    join number on number.id_number = delivered.id_number and number.id_status_code = 'valid'
    group by delivered.record_identity
),
holder as (
    select
        record_identity,
        {person_mint} as person_id,
        birth_month(id_number) as birth_month,
        case when (ascii(substr(id_number, 17, 1)) - 48) % 2 = 1 then '1' else '2' end as sex_code,
        row_number() over (partition by id_number order by first_record, record_identity) = 1
            as is_first
    from valid
)
select
    delivered.source,
    delivered.record_identity,
    delivered.id_number,
    split_part(delivered.record_identity, '|', 2) as name_key,
    number.id_status_code,
    case
        when holder.is_first then 'id_and_name'
        when holder.record_identity is not null then 'name_conflict'
        else 'own_record'
    end as link_rule_code,
    coalesce(holder.is_first, false) as is_confirmed,
    case when holder.record_identity is not null then holder.person_id
        else {record_mint} end as person_id,
    null::varchar as alias_id,
    case when holder.is_first then holder.birth_month end as birth_month,
    case when holder.is_first then holder.sex_code end as sex_code,
    delivered.first_record,
    delivered.record_count
from delivered
join number on number.id_number is not distinct from delivered.id_number
left join holder using (record_identity);

create table restricted.vault.loose_record as
select
    source, record_identity, period_month, any_value(id_number) as id_number,
    split_part(record_identity, '|', 2) as name_key
from ({loose})
group by source, record_identity, period_month;

create table restricted.vault.membership as
select distinct person_id as alias_id, person_id from restricted.vault.identity;

create table restricted.vault.review (
    link_rule_code text, doubt_code text, affects_household boolean, moved_yuan decimal(18, 2),
    moved_record_count bigint);

create table restricted.bridge.person as {persons};

create table restricted.bridge.household as {households};
"""

PERSON_OF_ROW = """
    select '{source}' as source, record.delivery_id, record.row_number, identity.person_id,
        identity.alias_id, identity.id_status_code, identity.link_rule_code,
        identity.is_confirmed, identity.birth_month, identity.sex_code
    from staged.{source} as record
    join restricted.vault.identity as identity
        on identity.source = '{source}' and identity.record_identity = record.record_identity
"""

HOUSEHOLD_OF_ROW = """
    select '{source}' as source, record.delivery_id, record.row_number, household.household_id
    from staged.{source} as record
    join restricted.vault.household as household using (household_identity)
"""

LOOSE = """
    select distinct '{source}' as source, record.record_identity, record.id_number,
        record.period_month
    from restricted.received.{source} as record
    left join restricted.vault.identity as identity
        on identity.source = '{source}'
        and identity.record_identity = record.record_identity
        and identity.link_rule_code = 'id_and_name'
    where record.is_effective and record.record_identity is not null
        and (record.refused_by is not null or identity.record_identity is null)
"""

RECORDS = """
    select
        '{source}' as source,
        record.record_identity,
        any_value(record.id_number) as id_number,
        count(*) as record_count,
        min(delivery.delivery_order * 4294967296 + record.row_number) as first_record
    from staged.{source} as record
    join meta.delivery as delivery using (delivery_id)
    group by record.record_identity
"""

OF_HOUSEHOLDS = ("agriculture__household_roll", "agriculture__household_income")
PERSONAL = (
    "agriculture__household_roll",
    "civil_affairs__assistance_roll",
    "civil_affairs__relief_payment",
    "disability_federation__disability_certificate",
    "education__student_enrolment",
    "health__insurance_enrolment",
    "health__medical_settlement",
)

# Types that follow from no expression: sums of whole numbers are hugeint, quotients double.
TYPES = {
    "linked.household_year_roll": {"labour_count": "bigint"},
    "linked.link_backlog": {"moved_record_count": "bigint", "moved_yuan": "decimal(18, 2)"},
    "linked.link_coverage": {"record_count": "bigint"},
    "indicators.household_measure": {"value": "decimal(18, 6)"},
    "indicators.register_balance": dict.fromkeys(
        (
            "prior_count",
            "in_count",
            "out_count",
            "stock_count",
            "difference_count",
            "finding_count",
        ),
        "bigint",
    ),
    "indicators.income_growth": {
        "mean_yuan": "decimal(18, 2)",
        "base_mean_yuan": "decimal(18, 2)",
        "household_count": "bigint",
        "person_count": "bigint",
    },
    "indicators.poverty_measure": {
        "value": "decimal(18, 6)",
        "household_count": "bigint",
        "person_count": "bigint",
    },
    "indicators.target_result": {
        "value": "decimal(18, 6)",
        "gap": "decimal(18, 6)",
        "numerator": "decimal(18, 6)",
        "denominator": "decimal(18, 6)",
    },
    "indicators.target_shortfall": {"value": "decimal(18, 6)"},
    "indicators.watch_window": {"school_month": "bigint"},
    "risk.link_effect": {"resting_signal_count": "bigint"},
    "risk.household_signal": {"value": "decimal(18, 6)", "threshold": "decimal(18, 6)"},
    "risk.return_to_poverty": {"points": "bigint"},
}

KEYS = {
    "staged.agriculture__household_income": "period, household_identity",
    "staged.agriculture__household_roll": "period, household_identity, id_number, person_name",
    "staged.civil_affairs__assistance_roll": "period, id_number, person_name, assistance_code",
    "staged.civil_affairs__relief_payment": "period, id_number, person_name, programme_code",
    "staged.disability_federation__disability_certificate": "period, certificate_number",
    "staged.education__student_enrolment": "period, id_number, person_name, school_name",
    "staged.health__insurance_enrolment": "period, id_number, person_name, insurance_code",
    "staged.health__medical_settlement": "sender, settlement_number",
    "staged.statistics__area_benchmark": "area_code, income_concept, year",
    "vault.household": "household_identity",
    "vault.identity": "source, record_identity",
    "vault.loose_record": "source, record_identity, period_month",
    "bridge.household": "delivery_id, row_number",
    "bridge.person": "delivery_id, row_number",
    "reference.area": "area_code",
    "reference.area_ancestor": "area_code, ancestor_code",
    "reference.area_succession": "old_code, new_code",
    "reference.area_today": "area_code",
    "reference.civil_affairs_town": "civil_affairs_code",
    "reference.code": "code_list, code",
    "reference.income_concept": "income_concept",
    "reference.link_limit": "limit_name",
    "reference.link_roll": "source",
    "reference.link_rule": "link_rule_code",
    "reference.object_type": "object_type_code",
    "reference.plan": "policy_id",
    "reference.population": "population",
    "reference.risk_level": "level",
    "reference.rule_value": "rule_id, area_code, effective_from",
    "reference.signal": "signal_id",
    "reference.target": "policy_id, item_id, part, year, area_level",
    "meta.delivery": "delivery_id",
    "meta.policy_item": "policy_id, item_id",
    "meta.source": "source",
    "linked.assistance": "delivery_id, row_number",
    "linked.disability": "delivery_id, row_number",
    "linked.enrolment": "delivery_id, row_number",
    "linked.expected_delivery": "source, county_code, period_month, sender, delivery_id",
    "linked.household": "household_id",
    "linked.household_crosswalk": (
        "household_notion, household_id, other_notion, other_household_id, start_month"
    ),
    "linked.household_lineage": "household_notion, predecessor_id, successor_id, year",
    "linked.household_member": "household_id, person_id, year",
    "linked.household_year_income": "household_id, year",
    "linked.household_year_roll": "household_id, year",
    "linked.insurance": "delivery_id, row_number",
    "linked.link_backlog": "link_rule_code, doubt_code",
    "linked.link_coverage": "source, county_code, outcome",
    "linked.link_rule_use": "source, link_rule_code",
    "linked.medical_settlement": "delivery_id, row_number",
    "linked.membership_interval": (
        "household_notion, household_id, person_id, first_delivery_id, first_row_number"
    ),
    "linked.membership_sighting": "household_notion, household_id, person_id, period_month",
    "linked.monitoring_case": "delivery_id, row_number",
    "linked.person": "person_id",
    "linked.person_alias": "alias_id",
    "linked.record_link": "delivery_id, row_number",
    "linked.register_flow": (
        "entity_type, entity_id, status_code, county_code, month, flow_code, delivery_id, "
        "row_number"
    ),
    "linked.relief_payment": "delivery_id, row_number",
    "linked.status_interval": (
        "entity_type, entity_id, status_code, first_delivery_id, first_row_number"
    ),
    "linked.status_sighting": "entity_type, entity_id, status_code, county_code, period_month",
    "linked.status_statement": "status_code, delivery_id, row_number",
    "linked.town_crosswalk": "statistics_code, civil_affairs_code",
    "linked.unconfirmed_record": "source, person_id, period_month",
    "linked.vital_event": "delivery_id, row_number",
    "indicators.area_benchmark": "area_code, year, income_concept",
    "indicators.complete_roll": "source, county_code, period_month, delivery_id",
    "indicators.household_measure": "household_id, measure_id",
    "indicators.household_year": "household_id, year",
    "indicators.income_growth": (
        "area_code, population, year, income_concept, list_basis, price_basis"
    ),
    "indicators.missing_member": "household_id, person_id, measure_id",
    "indicators.newly_disabled_member": "household_id, person_id, delivery_id, row_number",
    "indicators.register_balance": "status_code, source, county_code, month",
    "indicators.poverty_measure": ("area_code, population, year, income_concept, line_id, measure"),
    "indicators.rule_in_force": "county_code, rule_id",
    "indicators.stopped_benefit": "household_id, person_id, programme_code",
    "indicators.target_result": (
        "policy_id, item_id, part, area_code, year, list_basis, price_basis"
    ),
    "indicators.target_shortfall": "policy_id, item_id, part, year, entity_id",
    "indicators.watch_window": "county_code",
    "indicators.watched_household": "household_id",
    "indicators.watched_member": "household_id, person_id",
    "risk.household_signal": "household_id, signal_id, as_of_month",
    "risk.link_effect": "link_rule_code",
    "risk.return_to_poverty": "household_id, as_of_month",
    "risk.signal_evidence": "household_id, signal_id, delivery_id, row_number, role",
}

CODES = (
    ("reference.area", "area_level", "area_level"),
    ("reference.area_ancestor", "ancestor_level", "area_level"),
    ("reference.area_succession", "succession_code", "area_succession"),
    ("reference.income_concept", "income_concept", "income_concept"),
    ("reference.link_rule", "link_rule_code", "link_rule"),
    ("reference.object_type", "object_type_code", "object_type"),
    ("reference.plan", "income_concept", "income_concept"),
    ("reference.risk_level", "level", "risk_level"),
    ("reference.signal", "cause_code", "cause"),
    ("reference.target", "area_level", "area_level"),
    ("reference.target", "income_concept", "income_concept"),
    ("meta.delivery", "delivery_status", "delivery_status"),
    ("meta.policy_item", "kind", "item_kind"),
    ("meta.policy_item", "evaluation", "evaluation"),
    ("linked.assistance", "assistance_code", "assistance"),
    ("linked.disability", "disability_type_code", "disability_type"),
    ("linked.disability", "disability_grade_code", "disability_grade"),
    ("linked.enrolment", "education_stage_code", "education_stage"),
    ("linked.enrolment", "enrolment_status_code", "enrolment_status"),
    ("linked.household_member", "relation_code", "relation"),
    ("linked.household_member", "labour_code", "labour"),
    ("linked.household_year_income", "income_concept", "income_concept"),
    ("linked.household_year_roll", "cause_code", "cause"),
    ("linked.household_crosswalk", "household_notion", "household_notion"),
    ("linked.household_crosswalk", "other_notion", "household_notion"),
    ("linked.household_crosswalk", "overlap_code", "household_overlap"),
    ("linked.household_lineage", "household_notion", "household_notion"),
    ("linked.household_lineage", "lineage_code", "household_lineage"),
    ("linked.insurance", "insurance_code", "insurance"),
    ("linked.insurance", "insured_status_code", "insured_status"),
    ("linked.link_backlog", "link_rule_code", "link_rule"),
    ("linked.link_backlog", "doubt_code", "link_doubt"),
    ("linked.link_coverage", "outcome", "link_outcome"),
    ("linked.link_rule_use", "link_rule_code", "link_rule"),
    ("linked.medical_settlement", "visit_code", "visit"),
    ("linked.membership_interval", "household_notion", "household_notion"),
    ("linked.membership_interval", "relation_code", "relation"),
    ("linked.membership_interval", "begin_event_code", "status_event"),
    ("linked.membership_interval", "end_event_code", "status_event"),
    ("linked.person", "sex_code", "sex"),
    ("linked.record_link", "link_rule_code", "link_rule"),
    ("linked.register_flow", "status_code", "status"),
    ("linked.register_flow", "flow_code", "register_flow"),
    ("linked.relief_payment", "programme_code", "programme"),
    ("linked.status_interval", "status_code", "status"),
    ("linked.status_interval", "begin_event_code", "status_event"),
    ("linked.status_interval", "end_event_code", "status_event"),
    ("linked.town_crosswalk", "town_match_code", "town_match"),
    ("indicators.area_benchmark", "income_concept", "income_concept"),
    ("indicators.household_year", "income_concept", "income_concept"),
    ("indicators.household_year", "cause_code", "cause"),
    ("indicators.income_growth", "area_level", "area_level"),
    ("indicators.income_growth", "income_concept", "income_concept"),
    ("indicators.income_growth", "list_basis", "list_basis"),
    ("indicators.income_growth", "price_basis", "price_basis"),
    ("indicators.poverty_measure", "area_level", "area_level"),
    ("indicators.poverty_measure", "income_concept", "income_concept"),
    ("indicators.stopped_benefit", "programme_code", "programme"),
    ("indicators.target_result", "area_level", "area_level"),
    ("indicators.target_result", "period_type", "period_type"),
    ("indicators.target_result", "list_basis", "list_basis"),
    ("indicators.target_result", "price_basis", "price_basis"),
    ("indicators.target_result", "status", "target_status"),
    ("risk.household_signal", "cause_code", "cause"),
    ("risk.link_effect", "link_rule_code", "link_rule"),
    ("risk.return_to_poverty", "object_type_code", "object_type"),
    ("risk.return_to_poverty", "level", "risk_level"),
    ("risk.return_to_poverty", "main_cause_code", "cause"),
    ("risk.signal_evidence", "role", "evidence_role"),
)

FOREIGN_KEYS = (
    ("linked.assistance", "person_id", "linked.person"),
    ("linked.disability", "person_id", "linked.person"),
    ("linked.enrolment", "person_id", "linked.person"),
    ("linked.household", "area_code", "reference.area"),
    ("linked.household_member", "person_id", "linked.person"),
    ("linked.household_member", "household_id", "linked.household"),
    ("linked.insurance", "person_id", "linked.person"),
    ("linked.medical_settlement", "person_id", "linked.person"),
    ("linked.membership_interval", "person_id", "linked.person"),
    ("linked.person_alias", "person_id", "linked.person"),
    ("linked.record_link", "person_id", "linked.person"),
    ("linked.record_link", "delivery_id", "meta.delivery"),
    ("linked.relief_payment", "person_id", "linked.person"),
    ("linked.unconfirmed_record", "person_id", "linked.person"),
    ("indicators.complete_roll", "delivery_id", "meta.delivery"),
    ("indicators.household_measure", "household_id", "linked.household"),
    ("indicators.household_year", "household_id", "linked.household"),
    ("indicators.watched_household", "household_id", "linked.household"),
    ("risk.household_signal", "household_id", "linked.household"),
    ("risk.return_to_poverty", "household_id", "linked.household"),
    ("risk.signal_evidence", "household_id, signal_id, as_of_month", "risk.household_signal"),
    ("risk.signal_evidence", "delivery_id", "meta.delivery"),
)

QUERIES = (
    (
        "bridge.person",
        "a_person_stands_once_in_a_roll",
        """
        select identity.source, delivery.period_month, identity.person_id
        from bridge.person as identity
        join reference.link_roll as roll using (source)
        join meta.delivery as delivery using (delivery_id)
        group by all
        having count(distinct coalesce(identity.alias_id, identity.person_id)) > 1
        """,
    ),
    (
        "indicators.rule_in_force",
        "what_every_warning_needs_is_decided",
        """
        select county.county_code, needed.rule_id
        from (
            select distinct county_code from linked.household where county_code is not null
        ) as county
        cross join (
            values ('watch_months'), ('benefit_gap_months'), ('compulsory_age_from'),
                ('compulsory_age_to'), ('school_year_month'), ('sender_silence_months'),
                ('entry_points'), ('monitoring_line')
        ) as needed (rule_id)
        anti join indicators.rule_in_force as rule
            on rule.county_code = county.county_code and rule.rule_id = needed.rule_id
        """,
    ),
    (
        "risk.household_signal",
        "every_signal_has_a_threshold_in_force",
        """
        select distinct measure.county_code, signal.signal_id
        from indicators.household_measure as measure
        join reference.signal as signal using (measure_id)
        anti join indicators.rule_in_force as rule
            on rule.county_code = measure.county_code and rule.rule_id = signal.threshold_rule_id
        """,
    ),
)

DOUBTS = (
    (
        "linked.membership_interval",
        "nobody_lives_in_two_households_of_one_notion",
        """
        select person_id
        from (
            select *,
                max(coalesce(end_month, last_seen_month)) over (
                    partition by household_notion, person_id
                    order by start_month, household_id, first_row_number
                    rows between unbounded preceding and 1 preceding
                ) as end_before,
                lag(household_id) over (
                    partition by household_notion, person_id
                    order by start_month, household_id, first_row_number
                ) as household_before
            from linked.membership_interval
        )
        where start_month <= end_before and household_before <> household_id
        """,
    ),
    (
        "linked.status_interval",
        "nobody_holds_a_status_twice_at_once",
        """
        select entity_id
        from (
            select *,
                max(coalesce(end_month, date '9999-12-01')) over (
                    partition by entity_type, entity_id, status_code, county_code
                    order by start_month, first_delivery_id, first_row_number
                    rows between unbounded preceding and 1 preceding
                ) as end_before
            from linked.status_interval
        )
        where start_month <= end_before
        """,
    ),
    (
        "indicators.register_balance",
        "register_balances",
        "select month from indicators.register_balance where difference_count <> 0",
    ),
)
"""Queries whose rows are counted and block nothing."""

EXPORTED = ("indicators", "risk", "quality", "meta")


class BareError(RuntimeError):
    """An inbox that the script cannot take; the message names the file."""


@dataclass(frozen=True)
class Arrival:
    """A file of the inbox: what its place, sidecar and date say, and its fingerprint."""

    path: Path
    dataset: Dataset
    sender: str | None
    period: str
    delivered_at: datetime
    stated_rows: int | None
    sha256: str


def run(inbox: Path, folder: Path, secret: bytes) -> dict[str, float]:
    """Do the whole work from `inbox` into `folder`; returns the seconds of each part."""
    folder.mkdir(parents=True)
    seconds: dict[str, float] = {}
    with duckdb.connect(str(folder / RESULT_FILE)) as connection:
        parts: dict[str, Callable[[], None]] = {
            "prepare": lambda: prepare(connection, folder),
            "deliveries": lambda: take_deliveries(connection, inbox),
            "rows": lambda: read_and_judge(connection, folder),
            "vault": lambda: link(connection, secret),
            "models": lambda: make_models(connection),
            "checks": lambda: check_tables(connection),
            "export": lambda: export(connection, folder),
        }
        for part, work in parts.items():
            begun = time.perf_counter()
            work()
            seconds[part] = time.perf_counter() - begun
        begun = time.perf_counter()
    seconds["close"] = time.perf_counter() - begun
    return seconds


def prepare(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Settings, schemas, macros and the reference tables."""
    connection.execute("set enable_progress_bar = false")
    connection.execute(f"set temp_directory = '{folder / 'spill'}'")
    connection.execute("attach ':memory:' as restricted")
    schemas = ["bare.main"]
    for schema in ("reference", "meta", "linked", "indicators", "risk", "quality"):
        connection.execute(f"create schema bare.{schema}")
        schemas.append(f"bare.{schema}")
    schemas.append("restricted.main")
    for schema in ("text", "received", "staged", "vault", "bridge"):
        connection.execute(f"create schema restricted.{schema}")
        schemas.append(f"restricted.{schema}")
    connection.execute(f"set search_path = '{','.join(schemas)}'")
    connection.execute(MACROS.replace("create macro", "create temp macro"))
    connection.execute(REFERENCE)
    settings = load_settings()
    for (name,) in connection.execute(
        "select schema_name || '.' || table_name from duckdb_tables() "
        "where schema_name = 'reference' or table_name = 'policy_item'"
    ).fetchall():
        insert(connection, name, policies.reference_rows(settings, name.split(".")[1]))
    connection.execute("create temp table promise (source text, promised_days integer)")
    insert(
        connection,
        "promise",
        [{"source": each.table, "promised_days": each.promised_days} for each in DATASETS],
    )


def take_deliveries(connection: duckdb.DuckDBPyConnection, inbox: Path) -> None:
    """List the files; drop repeated ones; the last of a dataset, sender and period is in force."""
    connection.execute(
        "create temp table arrival (file_no integer, department text, dataset text, sender text, "
        "period text, path text, stated_rows bigint, sha256 text, delivered_at timestamp)"
    )
    insert(
        connection,
        "arrival",
        [
            {
                "file_no": file_no,
                "department": arrival.dataset.department,
                "dataset": arrival.dataset.name,
                "sender": arrival.sender,
                "period": arrival.period,
                "path": str(arrival.path),
                "stated_rows": arrival.stated_rows,
                "sha256": arrival.sha256,
                "delivered_at": arrival.delivered_at.replace(tzinfo=None).isoformat(sep=" "),
            }
            for file_no, arrival in enumerate(arrivals(inbox))
        ],
    )
    connection.execute(DELIVERIES)
    insert(
        connection,
        "restricted.word",
        [
            {"code_list": code_list, "word": word, "code": code}
            for code_list, words in policies.code_words(load_settings()).items()
            for word, code in words.items()
        ],
    )


def arrivals(inbox: Path) -> Iterator[Arrival]:
    """Every data file of every dataset, with what its sidecar states where it has one."""
    for dataset in DATASETS:
        for path in sorted((inbox / dataset.department / dataset.name).rglob("*.*")):
            if path.suffix == ".yaml":
                continue
            sidecar = path.with_name(path.name + ".yaml")
            stated = yaml.safe_load(sidecar.read_text("utf-8")) if sidecar.is_file() else {}
            pattern = r"20\d\d-\d\d" if dataset.monthly else r"20\d\d"
            found = re.search(pattern, path.name)
            period = stated.get("period") or (found and found.group())
            if not period:
                raise BareError(f"{path.name}: no period is stated")
            delivered_at = (
                datetime.fromisoformat(stated["delivered_at"])
                if "delivered_at" in stated
                else datetime.fromtimestamp(path.stat().st_mtime, CLOCK)
            )
            with path.open("rb") as stream:
                sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
            yield Arrival(
                path=path,
                dataset=dataset,
                sender=None if path.parent.name == dataset.name else path.parent.name,
                period=str(period),
                delivered_at=delivered_at.astimezone(CLOCK).replace(microsecond=0),
                stated_rows=stated.get("rows"),
                sha256=sha256,
            )


def read_and_judge(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Read every file as text, type it, and set apart the rows that break a rule."""
    connection.execute("create temp table header (file_no integer, header_row integer)")
    decoded = folder / "decoded"
    decoded.mkdir()
    for dataset in DATASETS:
        read_dataset(connection, dataset, decoded)
        judge_dataset(connection, dataset)
    shutil.rmtree(decoded)
    connection.execute(META)
    faults = connection.execute(TOO_BAD).fetchall()
    if faults:
        raise BareError(f"files that must be refused whole: {faults}")
    connection.execute(
        f"copy (select * from restricted.row_count where refused_by is not null) "
        f"to '{folder / 'refused.parquet'}'"
    )


def read_dataset(connection: duckdb.DuckDBPyConnection, dataset: Dataset, decoded: Path) -> None:
    """Fill `text.<dataset>`; files with the same header row are read by one statement.

    A cell too many or too few is told by a column more than the header has: it is null unless the
    line has that cell, and the last of the header's own is null only where the line lacks it.
    """
    table = f"restricted.text.{dataset.table}"
    columns = ", ".join(f"{column} text" for column in dataset.headers)
    connection.execute(
        f"create table {table} (file_no integer, {columns}, is_malformed boolean default false)"
    )
    files = connection.execute(
        "select file_no, path from restricted.delivery where source = ? order by file_no",
        [dataset.table],
    ).fetchall()
    groups: dict[tuple[str, ...], list[tuple[int, Path]]] = {}
    for file_no, name in files:
        path = Path(name)
        if path.suffix == ".xlsx":
            header_row, rows = workbook_rows(path, dataset)
            insert(connection, table, [{"file_no": file_no, **row} for row in rows])
        else:
            header_row = 1
            if dataset.encoding != "utf-8":
                text = path.read_bytes().decode(dataset.encoding)  # strict: raises if damaged
                path = decoded / f"{file_no}.csv"
                path.write_bytes(text.encode())
            with path.open(encoding="utf-8-sig", newline="") as stream:
                header = tuple(next(csv.reader(io.StringIO(stream.readline()))))
            groups.setdefault(header, []).append((file_no, path))
        connection.execute("insert into header values (?, ?)", [file_no, header_row])
    for header, members in groups.items():
        names = column_names(header, dataset)
        types = ", ".join(f"'{name}': 'varchar'" for name in (*names, "one_more"))
        paths = ", ".join(f"'{path}'" for _, path in members)
        numbers = ", ".join(str(file_no) for file_no, _ in members)
        connection.execute(
            f"insert into {table} by name "
            f"select [{numbers}][cast(file_index as bigint) + 1] as file_no, {', '.join(names)}, "
            f"one_more is not null or {names[-1]} is null as is_malformed "
            f"from read_csv([{paths}], columns = {{{types}}}, header = true, delim = ',', "
            "quote = '\"', escape = '\"', auto_detect = false, null_padding = true, "
            "nullstr = chr(1))"
        )


def judge_dataset(connection: duckdb.DuckDBPyConnection, dataset: Dataset) -> None:
    """Fill `received.<dataset>`: typed rows with the rules each is refused for; count them."""
    text = f"restricted.text.{dataset.table}"
    received = f"restricted.received.{dataset.table}"
    is_filled = " or ".join(f"coalesce({column}, '') <> ''" for column in dataset.headers)
    connection.execute(MALFORMED.format(text=text, source=dataset.table))
    connection.execute(NUMBERED.format(text=text, is_filled=is_filled))
    connection.execute(f"create table {received} as {dataset.received}")
    connection.execute(f"drop view numbered; drop table {text}")
    connection.execute(
        REPEATED_KEYS.format(
            received=received,
            key=", ".join(dataset.key),
            agrees=" and ".join(
                f"received.{column} is not distinct from repeated.{column}"
                for column in dataset.key
            ),
        )
    )
    connection.execute(COUNTS.format(received=received, source=dataset.table))
    if dataset.warnings:
        counted = ", ".join(
            f"count(*) filter (where not ({predicate})) as {rule}"
            for rule, predicate in dataset.warnings.items()
        )
        connection.execute(
            f"""
            insert into quality.check_result
            select 'raw.{dataset.table}', rule, 'warning', failing = 0, failing, false
            from (
                unpivot (select {counted} from {received} where is_effective)
                on columns(*) into name rule value failing
            )
            """
        )


def workbook_rows(path: Path, dataset: Dataset) -> tuple[int, list[dict[str, str]]]:
    """The header's row number and the rows below it as text; the header names most columns."""
    from python_calamine import CalamineWorkbook

    with CalamineWorkbook.from_path(path) as workbook:
        cells = [
            [cell_text(cell) for cell in row]
            for row in workbook.get_sheet_by_index(0).to_python(skip_empty_area=False)
        ]
    known = {header_key(name) for names in dataset.headers.values() for name in names}
    header_index = max(
        range(min(TITLE_ROWS, len(cells))),
        key=lambda index: sum(header_key(cell) in known for cell in cells[index]),
    )
    names = column_names(cells[header_index], dataset)
    rows = [
        {name: cell for name, cell in zip(names, row, strict=True) if name in dataset.headers}
        for row in cells[header_index + 1 :]
    ]
    return header_index + 1, rows


def cell_text(cell: object) -> str:
    """A cell as the spreadsheet shows it; a number too long to be exact in scientific form."""
    if isinstance(cell, float):
        if abs(cell) >= LONGEST_EXACT_NUMBER:
            return f"{cell:.5E}"
        return str(int(cell)) if cell == int(cell) else repr(cell)
    return str(cell)


def column_names(header: Sequence[str], dataset: Dataset) -> list[str]:
    """The column that each delivered header stands for; raises if one stands for none."""
    columns = {
        header_key(name): column for column, names in dataset.headers.items() for name in names
    }
    unknown = [name for name in header if header_key(name) not in columns]
    if unknown:
        raise BareError(f"{dataset.table}: unknown headers {unknown}")
    return [columns[header_key(name)] for name in header]


def header_key(header: str) -> str:
    """A header as it is compared."""
    return "".join(header.translate(str.maketrans("（）：", "():")).split()).lower()


def link(connection: duckdb.DuckDBPyConnection, secret: bytes) -> None:
    """Validate each distinct number once and give identities and households their keys."""
    connection.execute(
        VAULT.format(
            household_mint=mint(secret, "'household|' || household_identity"),
            records=" union all ".join(RECORDS.format(source=source) for source in PERSONAL),
            loose=" union ".join(LOOSE.format(source=source) for source in PERSONAL),
            persons=" union all ".join(PERSON_OF_ROW.format(source=each) for each in PERSONAL),
            households=" union all ".join(
                HOUSEHOLD_OF_ROW.format(source=each) for each in OF_HOUSEHOLDS
            ),
            person_mint=mint(secret, "'id|' || record_identity"),
            record_mint=mint(secret, "delivered.source || '|' || delivered.record_identity"),
        )
    )


def mint(secret: bytes, text: str) -> str:
    """HMAC-SHA256 of the SQL expression `text` under `secret`, cut to 24 hexadecimal digits."""
    padded = secret.ljust(BLOCK_BYTES, b"\0")
    inner = "".join(f"\\x{byte ^ 0x36:02X}" for byte in padded)
    outer = "".join(f"\\x{byte ^ 0x5C:02X}" for byte in padded)
    return (
        f"substr(sha256('{outer}'::blob || unhex(sha256('{inner}'::blob || encode({text})))), "
        "1, 24)"
    )


def stage_nothing(connection: duckdb.DuckDBPyConnection) -> None:
    """Empty tables of the datasets that nobody delivers here, for the SELECTs that read them."""
    read = {dataset.table for dataset in DATASETS}
    for contract in load_contracts(load_settings()).values():
        if contract.layer == "staged" and contract.table not in read:
            columns = ", ".join(f"{each.name} {each.duckdb_type}" for each in contract.columns)
            connection.execute(f"create table restricted.{contract.name} ({columns})")


def make_models(connection: duckdb.DuckDBPyConnection) -> None:
    """Run the SELECTs of `sql/` as they stand, each after those it reads."""
    stage_nothing(connection)
    connection.execute("set preserve_insertion_order = false")
    waiting = {
        f"{path.parent.name}.{path.stem}": path.read_text(encoding="utf-8")
        for path in sorted((ROOT / "sql").glob("*/*.sql"))
    }
    while waiting:
        for name, select in list(waiting.items()):
            reads = set(re.findall(r"\b(?:from|join)\s+(\w+\.\w+)", select))
            if not reads & set(waiting):
                typed = ", ".join(
                    f"cast({column} as {data_type}) as {column}"
                    for column, data_type in TYPES.get(name, {}).items()
                )
                replaced = f"replace ({typed})" if typed else ""
                connection.execute(
                    f"create table bare.{name} as select * {replaced} from ({select})"
                )
                del waiting[name]


def check_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Keys, codes and foreign keys of the finished tables; raises if a critical check fails."""
    checks = [
        (
            table,
            "key_is_unique",
            "warning" if table.startswith("staged.") else "critical",
            f"select {key} from {table} group by {key} having count(*) > 1",
        )
        for table, key in KEYS.items()
    ]
    checks += [
        (
            table,
            f"{column}_is_a_code",
            "critical",
            f"select distinct {column} from {table} where {column} is not null and {column} "
            f"not in (select code from reference.code where code_list = '{code_list}')",
        )
        for table, column, code_list in CODES
    ]
    checks += [
        (
            table,
            f"{columns.replace(', ', '_and_')}_stands_in_{target.replace('.', '_')}",
            "critical",
            f"select {columns} from {table} "
            f"where {columns.replace(', ', ' is not null and ')} is not null "
            f"except select {columns} from {target}",
        )
        for table, columns, target in FOREIGN_KEYS
    ]
    checks += [(table, name, "critical", query) for table, name, query in QUERIES]
    checks += [(table, name, "warning", query) for table, name, query in DOUBTS]
    for table, name, severity, query in checks:
        connection.execute(
            f"insert into quality.check_result select '{table}', '{name}', '{severity}', "
            f"count(*) = 0, count(*), false from ({query})"
        )
    failed = connection.execute(
        "select table_name, check_name, failing_rows from quality.check_result "
        "where not passed and severity = 'critical' and not is_refused_at_ingest"
    ).fetchall()
    if failed:
        raise BareError(f"critical checks failed: {failed}")


def export(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Write the tables that are published as Parquet, in the order of their keys."""
    for schema, table in connection.execute(
        "select schema_name, table_name from duckdb_tables() where database_name = 'bare' "
        f"and schema_name in {EXPORTED}"
    ).fetchall():
        target = folder / "parquet" / schema / f"{table}.parquet"
        target.parent.mkdir(parents=True, exist_ok=True)
        order = KEYS.get(f"{schema}.{table}", "all")
        connection.execute(
            f"copy (select * from bare.{schema}.{table} order by {order}) to '{target}' "
            "(format parquet, compression zstd)"
        )


def insert(
    connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[dict[str, object]]
) -> None:
    """Append rows of Python values by the names of their columns."""
    if not rows:
        return
    texts = pa.table(
        {
            name: pa.array(
                [None if row.get(name) is None else str(row[name]) for row in rows], pa.string()
            )
            for name in rows[0]
        }
    )
    connection.register("rows_to_insert", texts)
    connection.execute(f"insert into {table} by name select * from rows_to_insert")
    connection.unregister("rows_to_insert")


def main() -> int:
    """Run from the command line; prints the seconds of each part as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("inbox", type=Path)
    parser.add_argument("folder", type=Path, help="A folder that does not exist yet.")
    parser.add_argument("--key", type=Path, help="A file with the secret in hexadecimal digits.")
    parser.add_argument("--compare", type=Path, help="A published minsheng.duckdb.")
    arguments = parser.parse_args()
    secret = bytes.fromhex(arguments.key.read_text("ascii")) if arguments.key else bytes(32)
    seconds = run(arguments.inbox, arguments.folder, secret)
    print(json.dumps({part: round(value, 3) for part, value in seconds.items()}))
    if arguments.compare:
        from compare import differences

        found = differences(arguments.folder / RESULT_FILE, arguments.compare)
        print("\n".join(found) or "the figures are equal")
        return 1 if found else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())

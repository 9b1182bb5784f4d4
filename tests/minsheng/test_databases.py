"""A dataset that stands in a department's database comes into the lake like a file."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Timer

import pytest
import yaml

from minsheng import databases
from minsheng.lake import Receipt
from minsheng.project import Project
from minsheng.settings import PROJECT_ROOT, SettingsError, load_settings
from tests.minsheng import servers
from tests.minsheng.desk import LI, NOW, PAYMENT, WANG, ZHANG, ZONE, Desk, with_header
from tests.minsheng.servers import HOST, PASSWORD, READER, Server

VARIABLES = {
    "host": "FRONT_HOST",
    "port": "FRONT_PORT",
    "dbname": "FRONT_DBNAME",
    "user": "FRONT_USER",
    "password": "FRONT_PASSWORD",
}
COLUMNS = "身份证号码 varchar(18), 姓名 varchar(50), 发放项目 varchar(20), 发放金额 numeric(12, 2)"
LATER = NOW + timedelta(days=1)


@dataclass(frozen=True)
class Front:
    """A desk beside a department's database."""

    server: Server
    desk: Desk

    @property
    def home(self) -> Path:
        return self.desk.project.settings.home

    def make(self, table: str, columns: str = "月份 varchar(7), " + COLUMNS) -> None:
        """An empty table that the reader may read."""
        self.server.execute(
            f"drop table if exists {table}",
            f"create table {table} ({columns})",
            f"grant select on {table} to {READER}",
        )

    def insert(self, table: str, *rows: str) -> None:
        self.server.execute(f"insert into {table} values {', '.join(f'({row})' for row in rows)}")

    def configure(self, **relation: object) -> None:
        """The deployment's `databases.yaml`; a table `payment` with months unless said."""
        values = {"table": "payment", "period_column": "月份", "compared_again": 1} | relation
        kept = {key: value for key, value in values.items() if value is not None}
        configuration = {
            "databases": {"front": {"engine": self.server.engine, **VARIABLES}},
            "relations": [{"dataset": PAYMENT, "database": "front", **kept}],
        }
        write(self.desk, configuration)

    def fetch(self, now: datetime = NOW) -> tuple[str, ...]:
        return databases.fetch(self.desk.project, now)

    def refresh(self, now: datetime = NOW) -> tuple[Receipt, ...]:
        """The receipts of what was fetched and taken."""
        assert self.fetch(now) == ()
        return self.desk.ingest(PAYMENT, now).receipts

    def files(self) -> list[str]:
        """Every file in the dataset's inbox, hidden ones too."""
        return sorted(path.name for path in self.desk.folder(PAYMENT).rglob("*") if path.is_file())


def write(desk: Desk, configuration: object) -> None:
    path = desk.project.settings.deployment / "databases.yaml"
    path.write_text(yaml.safe_dump(configuration, allow_unicode=True), encoding="utf-8")


@pytest.fixture(scope="session", params=["postgres", "mysql"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Each engine in its turn."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        start = {"postgres": servers.postgres, "mysql": servers.mysql}[request.param]
        started = start(Path(folder))
        yield started
        started.kill()


@pytest.fixture
def place(tmp_path: Path) -> Desk:
    """An empty data home of a deployment of its own."""
    deployment = tmp_path / "place"
    deployment.mkdir()
    demo = PROJECT_ROOT / "deployments" / "demo" / "settings.yaml"
    (deployment / "settings.yaml").write_text(demo.read_text(encoding="utf-8"), encoding="utf-8")
    return Desk(Project(load_settings(tmp_path / "home", str(deployment))))


@pytest.fixture
def front(server: Server, place: Desk, monkeypatch: pytest.MonkeyPatch) -> Front:
    """A database with an empty table `payment`, configured and reachable."""
    values = [HOST, str(server.port), server.dbname, READER, PASSWORD]
    for variable, value in zip(VARIABLES.values(), values, strict=True):
        monkeypatch.setenv(variable, value)
    found = Front(server, place)
    found.make("payment")
    found.configure()
    return found


def test_each_month_of_a_table_is_a_delivery(front: Front) -> None:
    front.insert(
        "payment",
        f"'2022-05', '{ZHANG}', '张三', '低保金', 1600.50",
        f"'2022-06', '{ZHANG}', '张三', '低保金', 1650.00",
        f"'2022-06', '{WANG}', '王𠮷㐂', '低保金', 880.10",
    )
    may, june = sorted(front.refresh(), key=lambda receipt: receipt.period)
    assert (may.period, may.file_name, may.rows_accepted) == ("2022-05", "front-2022-05.parquet", 1)
    assert (june.period, june.form, june.rows_accepted) == ("2022-06", "parquet", 2)
    assert front.desk.texts(june).rows() == [
        (1, "2022-06", ZHANG, "张三", "低保金", "1650.00"),
        (2, "2022-06", WANG, "王𠮷㐂", "低保金", "880.10"),
    ]
    typed = front.desk.typed(june)
    assert [str(amount) for amount in typed["amount_yuan"]] == ["1650.00", "880.10"]
    assert typed["id_number"].to_list() == [ZHANG, WANG]
    assert front.files() == []


def test_what_has_not_changed_makes_no_delivery(front: Front) -> None:
    rows = [f"'2022-06', '{number}', '张三', '低保金', 1650" for number in (ZHANG, WANG, LI)]
    front.insert("payment", *rows)
    assert len(front.refresh()) == 1
    front.server.execute("delete from payment")
    front.insert("payment", *reversed(rows))
    assert (front.fetch(LATER), front.files()) == ((), [])


def test_corrections_are_taken_of_the_latest_period_and_those_compared_again(front: Front) -> None:
    months = ["2022-04", "2022-05", "2022-06"]
    front.insert("payment", *[f"'{month}', '{ZHANG}', '张三', '低保金', 1" for month in months])
    assert [receipt.period for receipt in front.refresh()] == months
    front.server.execute("update payment set 发放金额 = 2")
    front.insert("payment", f"'2022-03', '{ZHANG}', '张三', '低保金', 3")
    assert sorted(receipt.period for receipt in front.refresh(LATER)) == [
        "2022-03",  # the lake has not had it
        "2022-05",
        "2022-06",
    ]


def test_a_file_in_place_of_an_unchanged_table_stays_in_force(front: Front) -> None:
    front.insert("payment", f"'2022-06', '{ZHANG}', '张三', '低保金', 1")
    front.refresh()
    header = "身份证号码,姓名,发放项目,发放金额\n"
    front.desk.take(PAYMENT, "2022-06.csv", f"{header}{ZHANG},张三,低保金,2\n", "2023-02-01")
    assert (front.fetch(LATER), front.files()) == ((), [])


def test_a_month_that_was_refused_is_tried_again_under_another_contract(front: Front) -> None:
    front.make(
        "payment", "月份 varchar(7), 发放对象 varchar(50), 发放项目 varchar(20), 发放金额 int"
    )
    front.insert("payment", "'2022-06', '张三', '低保金', 1")
    (refused,) = front.refresh()
    assert refused.status == "refused"
    assert "文件缺少以下各列：姓名" in refused.message_zh
    assert (front.fetch(LATER), front.files()) == ((), [])
    source = with_header(front.desk.source(PAYMENT), "person_name", "发放对象")
    (taken,) = Front(front.server, front.desk.with_contract(source)).refresh(LATER)
    assert (taken.status, taken.rows_accepted) == ("taken", 1)


TYPES = {
    "postgres": {
        "任意精度 numeric": ("123456789012345678901234567890.12345", None),
        "长小数 numeric(60, 20)": ("1.5", "1.50000000000000000000"),
        "浮点 float8": ("0.1", None),
        "时区 timestamptz": ("'2022-06-01 20:00:00+00'", "2022-06-02 04:00:00"),
        "编号 uuid": (
            "'00000000-0000-0000-0000-000000000001'",
            "00000000-0000-0000-0000-000000000001",
        ),
        "是否 boolean": ("true", "是"),
        "内容 json": ("'{\"甲\": 1}'", '{"甲": 1}'),
    },
    "mysql": {
        "长小数 decimal(65, 20)": (
            "123456789012345678901234567890.12345",
            "123456789012345678901234567890.12345000000000000000",
        ),
        "浮点 double": ("0.1", None),
        "无日期 date": ("'0000-00-00'", "0000-00-00"),
        "等级 tinyint(1)": ("3", None),
        "是否 bit(1)": ("1", "是"),
        "大数 bigint unsigned": ("18446744073709551615", None),
        "国标 varchar(9) character set gbk": ("'张三'", "张三"),
        "反斜线 varchar(9)": (r"'a\\b'", r"a\b"),
    },
}
COMMON_TYPES = {
    "日期 date": ("'2022-06-01'", "2022-06-01"),
    "时刻 timestamp": ("'2022-06-01 10:11:12'", "2022-06-01 10:11:12"),
    "大整数 bigint": ("9007199254740993", None),
    "号码 char(18)": (f"'{LI}'", LI),
    "空 varchar(9)": ("null", ""),
    "空日期 date": ("null", ""),
    "空是否 boolean": ("null", ""),
    "文 text": ("'say \"it''s\",\n换行'", 'say "it\'s",\n换行'),
}


def test_every_value_is_the_text_that_the_source_shows(front: Front) -> None:
    types = COMMON_TYPES | TYPES[front.server.engine]
    names = [f"{COLUMNS.split(', ')[1]}, 发放项目 varchar(20), 发放金额 int", *types]
    front.make("payment", f"月份 int, {', '.join(names)}")
    values = [value for value, _ in types.values()]
    front.insert("payment", f"202206, '张三', '低保金', 1, {', '.join(values)}")
    (receipt,) = front.refresh()
    (row,) = front.desk.texts(receipt).iter_rows(named=True)
    for name, (value, shown) in types.items():
        assert row[name.split()[0]] == (value if shown is None else shown), name
    assert row["月份"] == "202206"


def test_a_day_of_payment_tells_the_month(front: Front) -> None:
    front.make("payment", f"发放日 date, {COLUMNS}")
    front.insert(
        "payment",
        f"'2022-06-01', '{ZHANG}', '张三', '低保金', 1",
        f"'2022-06-30', '{WANG}', '王五', '低保金', 2",
        f"'2022-07-01', '{LI}', '李四', '低保金', 3",
    )
    front.configure(period_column="发放日")
    assert {r.period: r.rows_accepted for r in front.refresh()} == {"2022-06": 2, "2022-07": 1}


def test_a_select_of_the_source_delivers_for_its_sender(front: Front) -> None:
    front.insert(
        "payment",
        f"'2022-06', '{ZHANG}', '张三', '低保金', 1",
        f"'2022-06', '{ZHANG}', '张三', '低保金', 2",
    )
    paid = "select 月份, 姓名, 发放项目, sum(发放金额) as 发放金额\nfrom payment\ngroup by 1, 2, 3"
    front.configure(select=f"{paid} -- each person's", table=None, sender="330328000000")
    (receipt,) = front.refresh()
    assert (receipt.sender, receipt.status) == ("330328000000", "taken")
    assert front.desk.texts(receipt).rows() == [(1, "2022-06", "张三", "低保金", "3.00")]


def test_tables_named_by_month_are_found_by_their_names(front: Front) -> None:
    for name in ("pay_202205", "pay_202206", "pay_202206_old", "pay_all"):
        front.make(name, COLUMNS)
        front.insert(name, f"'{ZHANG}', '张三', '低保金', 1")
    front.make("pay_202207", COLUMNS)  # nothing in it yet
    front.configure(table="pay_{year}{month}", period_column=None)
    assert [receipt.period for receipt in front.refresh()] == ["2022-05", "2022-06"]


def test_rows_without_a_month_are_told_and_the_others_taken(front: Front) -> None:
    front.insert(
        "payment",
        f"'2022-06', '{ZHANG}', '张三', '低保金', 1",
        f"null, '{WANG}', '王五', '低保金', 2",
        f"'六月', '{LI}', '李四', '低保金', 2",
    )
    (fault,) = front.fetch()
    assert "2 rows tell no month in 月份" in fault
    assert front.files() == ["front-2022-06.parquet"]


def test_a_month_that_has_not_begun_is_left_until_it_has(front: Front) -> None:
    front.insert("payment", f"'2023-04', '{ZHANG}', '张三', '低保金', 1")
    assert (front.fetch(NOW), front.files()) == ((), [])
    assert front.fetch(datetime(2023, 4, 1, tzinfo=ZONE)) == ()
    assert front.files() == ["front-2023-04.parquet"]


def test_a_column_of_moments_is_no_column_of_months(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "MOST_PERIOD_VALUES", 2)
    front.insert("payment", *[f"'2022-0{m}', '{ZHANG}', '张三', '低保金', 1" for m in (4, 5, 6)])
    (fault,) = front.fetch()
    assert "more than 2 different values; use a select with a column of months" in fault


def test_a_column_of_bytes_is_refused_by_name(front: Front) -> None:
    kind = {"postgres": "bytea", "mysql": "blob"}[front.server.engine]
    front.make("payment", f"月份 varchar(7), 照片 {kind}, {COLUMNS}")
    front.insert("payment", f"'2022-06', null, '{ZHANG}', '张三', '低保金', 1")
    (fault,) = front.fetch()
    assert "column 照片 is of type BLOB, which has no one text" in fault
    assert front.files() == []


def test_a_missing_table_or_column_or_right_is_told(front: Front) -> None:
    front.configure(table="nowhere")
    (fault,) = front.fetch()
    assert fault.startswith("not fetched: civil_affairs/relief_payment from front: ")
    assert "nowhere" in fault
    assert fault.endswith("stays in force and the next refresh tries again")
    front.configure(table="nowhere_{year}{month}", period_column=None)
    (fault,) = front.fetch()
    assert "no table nowhere_{year}{month} that the account may read" in fault
    front.configure(period_column="季度")
    (fault,) = front.fetch()
    assert "季度" in fault
    front.server.execute(f"revoke select on payment from {READER}")
    front.configure()
    (fault,) = front.fetch()
    assert "denied" in fault
    assert front.files() == []


UNREADABLE = {
    "postgres": ["姓名::integer", "身份证号码::integer", "姓名::date", "姓名::json"],
    "mysql": ["exp(身份证号码)", "-cast(身份证号码 as unsigned) * 1000"],
}


def test_a_fault_of_a_query_tells_no_value_of_a_row(front: Front) -> None:
    front.insert("payment", f"'2022-06', '{ZHANG}', '张\"三''丰', '低保金', 1")
    for expression in UNREADABLE[front.server.engine]:
        front.configure(select=f"select 月份, {expression} as 值 from payment", table=None)
        (fault,) = front.fetch()
        assert fault.startswith("not fetched: civil_affairs/relief_payment from front: ")
        assert "Failed to fetch" in fault
        assert not any(each in fault for each in ("张", "三", "丰", ZHANG[:6], ZHANG[-6:]))


def test_a_name_of_the_configuration_is_told_in_a_fault(front: Front) -> None:
    missing = {"postgres": 'column "季度" does not exist', "mysql": "Unknown column '季度'"}
    front.configure(period_column="季度")
    (fault,) = front.fetch()
    assert missing[front.server.engine] in fault
    front.configure(select="select 月份, 无此列 from payment", table=None)
    (fault,) = front.fetch()
    assert missing[front.server.engine].replace("季度", "无此列") in fault


def test_a_missing_variable_is_told_by_name(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FRONT_PASSWORD")
    (fault,) = front.fetch()
    assert "the environment variables FRONT_PASSWORD are not set" in fault
    monkeypatch.setenv("FRONT_PASSWORD", PASSWORD)
    monkeypatch.setenv("FRONT_PORT", "5432; drop")
    (fault,) = front.fetch()
    assert "FRONT_PORT holds no port number" in fault


@pytest.mark.parametrize("password", ["wrong 'one' \\ \"秘密\"", PASSWORD])
def test_a_password_stands_nowhere(
    front: Front,
    password: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither a wrong one nor a good one, also not in the account's own home."""
    own = tmp_path / "own"
    own.mkdir()
    monkeypatch.setenv("HOME", str(own))
    monkeypatch.setenv("FRONT_PASSWORD", password)
    front.insert("payment", f"'2022-06', '{ZHANG}', '张三', '低保金', 1")
    caplog.set_level(0)
    faults = front.fetch()
    assert len(faults) == (password != PASSWORD)
    if not faults:
        front.desk.ingest(PAYMENT)
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert written
    assert not any(password.encode() in each for each in written)
    told = "".join((*capfd.readouterr(), caplog.text, *faults))
    assert password not in told
    assert list(own.iterdir()) == []


def test_a_password_in_the_words_of_an_engine_is_blotted_out() -> None:
    for quoted in (r"pa'ss\w", r"pa''ss\w", r"pa\'ss\\w"):
        assert databases.blotted(f"cannot read {quoted} here", r"pa'ss\w") == "cannot read *** here"


def test_nothing_can_be_written_to_the_source(front: Front) -> None:
    front.server.execute(f"grant insert on payment to {READER}")
    (relation,) = databases.load_relations(front.desk.project.settings, front.desk.project.sources)
    insert = f"insert into payment values ('2022-06', '{ZHANG}', '张三', '低保金', 1)"
    for statement in (
        f"call {front.server.engine}_execute('source', $${insert}$$)",
        insert.replace("into payment", "into source.payment"),
    ):
        with (
            pytest.raises(databases.DatabaseFault, match=r"read-only"),
            databases.open_source(front.desk.project.settings, relation) as connection,
        ):
            connection.execute(statement)
    assert (front.fetch(), front.files()) == ((), [])


def test_a_server_that_dies_in_the_middle_leaves_nothing_half(front: Front) -> None:
    sleep = {"postgres": "pg_sleep(0.02)::text", "mysql": "sleep(0.02)"}[front.server.engine]
    front.insert("payment", *[f"'2022-06', '{n:018}', '张三', '低保金', 1" for n in range(500)])
    front.configure(select=f"select payment.*, {sleep} as 慢 from payment", table=None)
    dies = Timer(2, front.server.kill)
    dies.start()
    try:
        (fault,) = front.fetch()
        assert "not fetched: civil_affairs/relief_payment from front: " in fault
        assert front.files() == []
        (fault,) = front.fetch()
        assert f"'{HOST}'" in fault or f'"{HOST}"' in fault
    finally:
        dies.join()
        front.server.start()
    front.configure()
    (receipt,) = front.refresh()
    assert receipt.rows_received == 500


@pytest.mark.parametrize(
    ("database", "relation", "told"),
    [
        ({"engine": "oracle"}, {}, "engine 'oracle' is none of ['mysql', 'postgres']"),
        ({"password": "it's me"}, {}, "password must name an environment variable"),
        ({"sslmode": "off"}, {}, "wants engine and host, port, dbname, user, password"),
        ({}, {"dataset": "education__nothing"}, "education__nothing is no enabled dataset"),
        ({}, {"database": "back"}, "there is no database 'back'"),
        ({}, {"select": "select 1"}, "either a table or a select delivers it"),
        (
            {},
            {"table": "a_{year}"},
            "either a period_column tells its month, or {year} and {month}",
        ),
        ({}, {"table": "", "select": "delete from a"}, "its select is not one SELECT"),
        ({}, {"table": "", "select": "select 1; select 2"}, "its select is not one SELECT"),
        ({}, {"order": "a"}, "['order'] are not known"),
        ({}, {"compared_again": "all"}, "invalid literal"),
        ({}, {"compared_again": -1}, "compared_again is less than 0"),
    ],
)
def test_a_wrong_configuration_says_what_is_wrong(
    place: Desk, database: dict[str, str], relation: dict[str, object], told: str
) -> None:
    usual = {"dataset": PAYMENT, "database": "front", "table": "a", "period_column": "b"}
    write(
        place,
        {
            "databases": {"front": {"engine": "postgres", **VARIABLES, **database}},
            "relations": [{**usual, "compared_again": 1, **relation}],
        },
    )
    with pytest.raises(SettingsError) as raised:
        databases.load_relations(place.project.settings, place.project.sources)
    assert told in str(raised.value)
    assert "it's me" not in str(raised.value)


def test_a_dataset_stands_in_the_configuration_once_a_sender(place: Desk) -> None:
    usual = {"dataset": PAYMENT, "database": "front", "table": "a", "period_column": "b"}
    relations = [{**usual, "compared_again": 1}] * 2
    databases_of = {"front": {"engine": "postgres", **VARIABLES}}
    write(place, {"databases": databases_of, "relations": relations})
    with pytest.raises(SettingsError, match=r"relief_payment.* more than once"):
        databases.load_relations(place.project.settings, place.project.sources)

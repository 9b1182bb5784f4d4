"""A refresh asks the departments' databases first, and goes on without those that do not answer."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml
from typer.testing import CliRunner

from minsheng.lake import read_receipts
from minsheng.settings import load_settings
from pipelines.catalog import definitions_of
from pipelines.cli import app
from pipelines.refresh import refresh
from tests.minsheng import servers
from tests.minsheng.servers import HOST, PASSWORD, READER, Server
from tests.pipelines.conftest import Home

SENDER = "330326000000"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        started = servers.postgres(Path(folder))
        yield started
        started.kill()


@pytest.fixture
def front_home(
    server: Server, own_home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Home:
    """The demo's home, one county of which keeps its payments in a database."""
    deployment = tmp_path / "place"
    shutil.copytree(own_home.settings.deployment, deployment)
    variables = {
        "host": HOST,
        "port": str(server.port),
        "dbname": server.dbname,
        "user": READER,
        "password": PASSWORD,
    }
    for key, value in variables.items():
        monkeypatch.setenv(f"FRONT_{key.upper()}", value)
    database = {key: f"FRONT_{key.upper()}" for key in variables}
    relation = {
        "dataset": "civil_affairs__relief_payment",
        "database": "front",
        "table": "payment",
        "period_column": "月份",
        "compared_again": 2,
        "sender": SENDER,
    }
    (deployment / "databases.yaml").write_text(
        yaml.safe_dump(
            {"databases": {"front": {"engine": "postgres", **database}}, "relations": [relation]}
        ),
        encoding="utf-8",
    )
    settings = load_settings(own_home.settings.home, str(deployment))
    monkeypatch.setenv("MINSHENG_HOME", str(settings.home))
    monkeypatch.setenv("MINSHENG_DEPLOYMENT", str(deployment))
    return Home(settings, own_home.outcome)


@pytest.mark.slow
def test_a_month_in_a_database_is_published_and_found_once(
    front_home: Home, server: Server
) -> None:
    server.execute(
        "create table payment "
        "(月份 text, 身份证号码 text, 姓名 text, 发放项目 text, 发放金额 numeric)",
        "insert into payment values ('2021-06', '330399195001010012', '甲乙', '低保金', 987.60)",
        f"grant select on payment to {READER}",
    )
    outcome = refresh(front_home.settings)
    assert (outcome.state, outcome.unfetched) == ("published", ())
    assert outcome.taken == ("took 1 files: 1 rows accepted, 0 refused",)
    receipt = read_receipts(front_home.settings.lake)[-1]
    assert (receipt.file_name, receipt.sender) == ("front-2021-06.parquet", SENDER)
    query = "select period, rows_accepted from meta.delivery where delivery_id = ?"
    assert front_home.rows(query, receipt.delivery_id) == [("2021-06", 1)]
    assert refresh(front_home.settings).state == "nothing_new"


def test_a_database_that_is_down_is_told_and_stops_nothing(
    front_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRONT_PORT", "1")
    told = f"not fetched: civil_affairs/relief_payment/{SENDER} from front: "
    outcome = refresh(front_home.settings)
    assert outcome.state == "nothing_new"
    assert [line.startswith(told) for line in outcome.unfetched] == [True]
    printed = CliRunner().invoke(app, ["refresh"])
    assert printed.exit_code == 0
    assert told in printed.stderr
    assert "nothing new" in printed.stdout
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(instance)
        tick = (
            definitions_of(front_home.settings.deployment)
            .resolve_schedule_def("nightly_refresh")
            .evaluate_tick(context)
        )
    assert tick.run_requests == []
    assert told in (tick.skip_message or "")

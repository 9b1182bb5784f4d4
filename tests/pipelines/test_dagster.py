"""What a data engineer meets in Dagster: definitions, single tables, lineage, schedule, sensor."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import dagster as dg
import duckdb
import pytest

from assets import all_assets, table_names
from assets.warehouse_resource import PARTIAL_PREFIX
from minsheng.outcome import read_note
from minsheng.release import current
from minsheng.settings import load_settings
from pipelines.catalog import definitions_of
from pipelines.refresh import dagster_instance, refresh
from pipelines.runs import NOTED_TAG, PROCESS_TAG
from pipelines.sensors import note_failure, note_success
from tests.pipelines.conftest import CORE, Home

defs = definitions_of(Path(CORE))


def materialise(home: Home, *names: str) -> dg.ExecuteInProcessResult:
    """Run the selected assets as the UI does, in the home's instance."""
    keys = [dg.AssetKey(name.split("/")) for name in names]
    job = dg.define_asset_job("selected", selection=keys)
    chosen = dg.Definitions(
        assets=defs.assets, jobs=[job], resources=defs.resources, executor=dg.in_process_executor
    )
    with dagster_instance(home.settings) as instance:
        return chosen.resolve_job_def("selected").execute_in_process(
            instance=instance,
            raise_on_error=False,
            run_config={
                "resources": {
                    "warehouse": {"config": {"home": str(home.settings.home), "deployment": CORE}}
                },
                "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
            },
        )


def test_the_flow_is_grouped_by_layer_and_every_asset_has_an_owner_and_a_check() -> None:
    graph = defs.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.group_name == key.path[0]
        assert node.owners
        assert node.kinds
        assert node.freshness_policy is not None
    checked = {key.asset_key for key in graph.asset_check_keys}
    assert {".".join(key.path) for key in checked} == table_names(Path(CORE))


def test_dependencies_are_what_the_sql_reads() -> None:
    graph = defs.resolve_asset_graph()
    parents = {
        "/".join(key.path) for key in graph.get(dg.AssetKey(["linked", "insurance"])).parent_keys
    }
    assert {"staged/health__insurance_enrolment", "bridge/person", "reference/code"} <= parents


def test_the_schedule_refreshes_at_two_in_the_night() -> None:
    schedule = defs.resolve_schedule_def("nightly_refresh")
    assert schedule.cron_schedule == "0 2 * * *"
    assert schedule.execution_timezone == "Asia/Shanghai"
    assert schedule.job_name == "refresh"


def test_the_inbox_sensor_waits_until_files_hold_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINSHENG_HOME", str(tmp_path))
    name_in_gbk = os.fsdecode("参保2022.csv".encode("gb18030"))
    sensor = defs.resolve_sensor_def("inbox")
    with dg.DagsterInstance.ephemeral() as instance:

        def look(cursor: str | None) -> tuple[int, str | None]:
            context = dg.build_sensor_context(instance, cursor=cursor)
            data = sensor.evaluate_tick(context)
            return len(data.run_requests or []), data.cursor

        assert look(None)[0] == 0
        path = tmp_path / "inbox" / "health" / "insurance_enrolment" / name_in_gbk
        path.parent.mkdir(parents=True)
        path.write_text("姓名\n")
        requests, cursor = look(None)
        assert requests == 0
        requests, cursor = look(cursor)
        assert requests == 1
        path.write_text("姓名\n甲乙\n")
        assert look(cursor)[0] == 0


def test_one_refresh_is_one_run_with_rows_schema_and_lineage(own_home: Home) -> None:
    with dagster_instance(own_home.settings) as instance:
        [run] = instance.get_runs()
        assert run.job_name == "refresh"
        assert run.status is dg.DagsterRunStatus.SUCCESS
        event = instance.get_latest_materialization_event(
            dg.AssetKey(["risk", "return_to_poverty"])
        )
    assert event and event.asset_materialization
    metadata = event.asset_materialization.metadata
    [(rows,)] = own_home.rows("select count(*) from risk.return_to_poverty")
    assert metadata["dagster/row_count"].value == rows
    lineage = metadata["dagster/column_lineage"].value.deps_by_column
    assert lineage["line_yuan"] == [
        dg.TableColumnDep(
            asset_key=dg.AssetKey(["indicators", "rule_in_force"]), column_name="value"
        )
    ]
    assert set(lineage) == {
        row[0]
        for row in own_home.rows(
            "select column_name from duckdb_columns() where table_name = 'return_to_poverty'"
        )
    }


def test_a_selected_table_is_remade_in_a_copy_and_what_is_below_it_is_stale(
    own_home: Home,
) -> None:
    before = current(own_home.settings)
    result = materialise(own_home, "indicators/income_growth", "indicators/target_result")
    assert result.success
    [partial] = own_home.settings.builds.glob(f"{PARTIAL_PREFIX}*")
    with duckdb.connect(str(partial / "minsheng.duckdb"), read_only=True) as connection:
        stale = {
            row[0]
            for row in connection.execute(
                "select table_name from meta.table_digest where is_stale"
            ).fetchall()
        }
        remade = {
            row[0]
            for row in connection.execute(
                "select table_name from meta.table_digest "
                "where build_id <> (select build_id from meta.build)"
            ).fetchall()
        }
    assert stale == {
        "restatement",
        "target_shortfall",
        "growth_composition",
        "bottom40_growth",
    }
    assert remade == {"income_growth", "target_result"}
    assert current(own_home.settings) == before
    assert own_home.rows("select count(*) from meta.table_digest where is_stale") == [(0,)]


def test_a_run_of_selected_assets_cannot_publish(own_home: Home) -> None:
    before = current(own_home.settings)
    result = materialise(own_home, "indicators/income_growth", "published/release")
    assert not result.success
    assert current(own_home.settings) == before
    # the next refresh is not disturbed by it
    assert refresh(own_home.settings).state == "nothing_new"


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, dict[str, str]]:
    """A home without a file, refreshed once, and runs that had begun there before, by name."""
    with subprocess.Popen(["true"]) as ended:
        ended.wait()
    settings = load_settings(tmp_path_factory.mktemp("empty"), CORE)
    with dagster_instance(settings) as instance:
        runs = {
            name: instance.add_run(
                dg.DagsterRun(
                    job_name="refresh",
                    run_id=str(uuid4()),
                    status=dg.DagsterRunStatus.STARTED,
                    tags={PROCESS_TAG: process} if process else {},
                )
            ).run_id
            for name, process in {
                "killed": f"{socket.gethostname()}:{ended.pid}",
                "alive": f"{socket.gethostname()}:{os.getpid()}",
                "elsewhere": f"another:{ended.pid}",
                "of the daemon": "",
            }.items()
        }
    return Home(settings, refresh(settings)), runs


def test_a_selected_table_without_any_build_says_what_to_do(
    empty: tuple[Home, dict[str, str]],
) -> None:
    home, _ = empty
    assert home.outcome.state == "failed"
    assert "put files into the inbox" in home.outcome.message
    note = read_note(home.settings)
    assert note and (note.state, note.message) == ("failed", home.outcome.message)
    result = materialise(home, "indicators/income_growth")
    assert not result.success


@pytest.mark.parametrize("is_noted", [False, True])
def test_a_run_that_dagster_started_notes_how_it_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_noted: bool
) -> None:
    monkeypatch.setenv("MINSHENG_HOME", str(tmp_path))

    @dg.op
    def fails() -> None:
        raise ValueError("the disk is full")

    @dg.job
    def failing() -> None:
        fails()

    with dg.DagsterInstance.ephemeral() as instance:
        tags = {NOTED_TAG: "true"} if is_noted else {}
        result = failing.execute_in_process(instance=instance, raise_on_error=False, tags=tags)
        [event] = [e for e in result.all_events if e.event_type_value == "PIPELINE_FAILURE"]
        context = dg.build_run_status_sensor_context(
            "note_failure", event, instance, result.dagster_run
        )
        note_failure(context.for_run_failure())
    note = read_note(load_settings())
    if is_noted:
        assert note is None
    else:
        assert note and (note.state, note.message) == ("failed", "fails: the disk is full")


@pytest.mark.parametrize("is_noted", [False, True])
def test_a_run_that_dagster_started_notes_which_version_it_published(
    own_home: Home, monkeypatch: pytest.MonkeyPatch, is_noted: bool
) -> None:
    monkeypatch.setenv("MINSHENG_HOME", str(own_home.settings.home))
    before = read_note(own_home.settings)
    version = current(own_home.settings)
    assert before and version

    @dg.job
    def succeeding() -> None:
        pass

    with dg.DagsterInstance.ephemeral() as instance:
        tags = {NOTED_TAG: "true"} if is_noted else {}
        result = succeeding.execute_in_process(instance=instance, tags=tags)
        [event] = [e for e in result.all_events if e.event_type_value == "PIPELINE_SUCCESS"]
        note_success(
            dg.build_run_status_sensor_context("note_success", event, instance, result.dagster_run)
        )
    note = read_note(own_home.settings)
    assert note and (note.state, note.message) == ("published", f"published {version.version}")
    assert (note.at == before.at) == is_noted


def test_a_run_whose_process_was_killed_is_shown_as_failed_by_the_next(
    empty: tuple[Home, dict[str, str]],
) -> None:
    home, runs = empty
    with dagster_instance(home.settings) as instance:
        found = {name: instance.get_run_by_id(run_id) for name, run_id in runs.items()}
    assert {name for name, run in found.items() if run and run.is_failure} == {"killed"}


def test_the_schedule_of_a_home_that_is_none_says_so_and_makes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "mistyped"
    monkeypatch.setenv("MINSHENG_HOME", str(home))
    schedule = defs.resolve_schedule_def("nightly_refresh")
    with (
        dg.DagsterInstance.ephemeral() as instance,
        pytest.raises(dg.DagsterUserCodeExecutionError) as fault,
    ):
        schedule.evaluate_tick(dg.build_schedule_context(instance))
    assert f"{home} is no data home: there is no such folder" in str(fault.value.user_exception)
    assert not home.exists()


def test_every_asset_is_listed_once_and_the_release_is_last() -> None:
    keys = [key for asset in all_assets(Path(CORE)) for key in asset.keys]
    assert len(keys) == len(set(keys))
    assert keys[-1] == dg.AssetKey(["published", "release"])


@pytest.mark.parametrize(
    "command",
    [["dagster", "definitions", "validate", "-w", "workspace.yaml"], ["dg", "check", "defs"]],
    ids=["dagster", "dg"],
)
def test_both_commands_load_the_code_location(command: list[str], tmp_path: Path) -> None:
    root = load_settings().root
    environment = {**os.environ, "DAGSTER_HOME": str(tmp_path), "HOME": str(tmp_path)}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    finished = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr

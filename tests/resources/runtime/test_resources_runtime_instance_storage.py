"""Storages that keep their connections hold what Dagster's own hold: over threads, forks and batches."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dagster as dg
import pytest

from mev_dagster.platform.dagster_home import dagster_environment, prepare
from mev_dagster.settings import Settings

parts = dg.DynamicPartitionsDefinition(name="blocks")


@dg.asset(partitions_def=parts, check_specs=[dg.AssetCheckSpec("sound", asset="first")])
def first() -> dg.MaterializeResult:
    return dg.MaterializeResult(
        metadata={"rows": 3}, check_results=[dg.AssetCheckResult(check_name="sound", passed=True)]
    )


@dg.asset(partitions_def=parts, deps=[first])
def second() -> dg.MaterializeResult:
    return dg.MaterializeResult(metadata={"rows": 4}, tags={"kind": "test"})


def run(instance: dg.DagsterInstance, key: str) -> str:
    instance.add_dynamic_partitions("blocks", [key])
    result = dg.materialize([first, second], partition_key=key, instance=instance)
    assert result.success
    return result.run_id


def told(instance: dg.DagsterInstance, run_id: str) -> list[tuple[object, ...]]:
    """Return what a run left behind, without times and ids."""
    run = instance.get_run_by_id(run_id)
    checks = instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(dg.AssetKey("first"), "sound"), limit=10
    )
    events = [(record.event_log_entry.dagster_event_type, record.event_log_entry.step_key)
              for record in instance.get_records_for_run(run_id).records]  # fmt: skip
    return [
        run.status if run else None,
        "7" in instance.get_materialized_partitions(dg.AssetKey("second")),
        [check.status for check in checks if check.run_id == run_id],
        *sorted(map(str, events)),
    ]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare(Settings(home=tmp_path_factory.mktemp("kept")))


@pytest.fixture
def kept(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    for name, value in dagster_environment().items():
        monkeypatch.setenv(name, value)
    with dg.DagsterInstance.get() as instance:
        yield instance


def test_a_run_leaves_what_it_leaves_in_dagsters_own_storages(kept, tmp_path, monkeypatch):
    ours = told(kept, run(kept, "7"))
    monkeypatch.delenv("DAGSTER_EVENT_BATCH_SIZE")
    (tmp_path / "stock").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "stock")) as stock:
        assert ours == told(stock, run(stock, "7"))


def test_a_forked_child_writes_over_a_connection_of_its_own(kept):
    run(kept, "7")
    child = os.fork()
    if child == 0:
        with dg.DagsterInstance.get() as own:
            os._exit(0 if run(own, "8") else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert {"7", "8"} <= set(kept.get_materialized_partitions(dg.AssetKey("second")))
    run(kept, "8")


def test_threads_that_write_at_once_lose_nothing(kept):
    keys = [str(number) for number in range(100, 130)]
    kept.add_dynamic_partitions("blocks", keys)
    events = [dg.AssetMaterialization("second", partition=key) for key in keys]
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(kept.report_runless_asset_event, events))
    assert set(keys) <= set(kept.get_materialized_partitions(dg.AssetKey("second")))


def test_what_fails_inside_a_transaction_leaves_nothing_of_it(kept, monkeypatch):
    def failing(*_: object) -> None:
        raise OSError("disk full")

    before = kept.get_run_records()
    with monkeypatch.context() as patched:
        patched.setattr(type(kept.event_log_storage), "_store_asset_event", failing)
        with pytest.raises(OSError, match="disk full"):
            kept.report_runless_asset_event(dg.AssetMaterialization("first", partition="9"))
    assert "9" not in kept.get_materialized_partitions(dg.AssetKey("first"))
    assert kept.get_run_records() == before

"""One job lets everything go that the settings no longer keep; a dry run lists it and changes nothing."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._core.scheduler.instigation import InstigatorType, TickData, TickStatus

from mev_dagster.captures.retention import LARGEST_TRACE_BYTES, prune_folder, rotate_traces
from mev_dagster.chain.keccak import keccak
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.state.prestate_store import PrestateStore
from mev_dagster.evm.types import Account
from mev_dagster.platform.dagster_home import prepare
from mev_dagster.retention import sweep_home
from mev_dagster.settings import settings
from resources.runtime.instance_retention import old_runs
from resources.runtime.instance_sweep import sweep_dagster

DAY_NS = 86_400 * 10**9


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEV_HOME", str(tmp_path))
    monkeypatch.setenv("MEV_BLOCKS_KEPT", "3")
    settings.cache_clear()
    yield tmp_path
    settings.cache_clear()


def aged(path: Path, days: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * 10)
    return aged_in_place(path, days)


def aged_in_place(path: Path, days: int) -> Path:
    stamp = time.time_ns() - days * DAY_NS
    os.utime(path, ns=(stamp, stamp))
    return path


def test_old_recordings_go_and_what_was_written_lately_stays(own_home):
    old = aged(own_home / "captures" / "old" / "capture.json", 40)
    mixed = aged(own_home / "captures" / "mixed" / "a", 40)
    aged(own_home / "captures" / "mixed" / "b", 1)
    listed = {one.what for one in sweep_home(dry_run=True) if one.place == "captures"}
    assert listed == {"old"}
    assert old.exists()
    list(sweep_home(dry_run=False))
    assert not old.parent.exists()
    assert mixed.exists()


def test_old_report_pages_go(own_home):
    old = aged(own_home / "reports" / "2026-01-01-00.html", 40)
    young = aged(own_home / "reports" / "2026-02-01-00.html", 1)
    assert [one.what for one in sweep_home(dry_run=False) if one.place == "reports"] == [old.name]
    assert (old.exists(), young.exists()) == (False, True)


def test_a_folder_that_is_not_there_holds_nothing_old(tmp_path):
    assert prune_folder(tmp_path / "none", time.time_ns()) == []


def test_a_grown_trace_file_is_set_aside_under_a_dated_name(tmp_path):
    trace = tmp_path / "builder.jsonl"
    with trace.open("wb") as file:
        file.truncate(LARGEST_TRACE_BYTES)
    assert [one.path for one in rotate_traces(tmp_path, 7, dry_run=True)] == [trace]
    rotate_traces(tmp_path, 7)
    assert [path.name for path in tmp_path.iterdir()] == ["builder.7.old"]


@pytest.fixture
def instance(own_home: Path) -> Iterator[dg.DagsterInstance]:
    """A Dagster instance on disk, as `mev up` makes it."""
    os.environ["DAGSTER_HOME"] = str(prepare(settings()))
    with dg.DagsterInstance.get() as opened:
        yield opened


@dg.asset(check_specs=[dg.AssetCheckSpec("sound", asset="checked")])
def checked():
    yield dg.MaterializeResult(check_results=[dg.AssetCheckResult(check_name="sound", passed=True)])


GROWING = {
    *("runs", "run_tags", "event_logs", "asset_check_executions", "asset_event_tags", "job_ticks"),
    *("bulk_actions", "backfill_tags"),
}


def rows_of(instance: dg.DagsterInstance) -> dict[str, int]:
    """Count what Dagster's databases hold of runs, table by table."""
    found = {}
    for file in sorted(Path(instance.root_directory).rglob("*.db")):
        with closing(sqlite3.connect(file)) as database:
            listed = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            for table in GROWING & {name for (name,) in listed}:
                (found[table],) = database.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert found.keys() == GROWING
    return found


def a_backfill(instance: dg.DagsterInstance, name: str, status: BulkActionStatus) -> None:
    instance.add_backfill(
        PartitionBackfill(
            name, status, from_failure=False, tags={"mev/lane": "cold"},
            backfill_timestamp=time.time(), asset_selection=[],
        )
    )  # fmt: skip


def a_tick(instance: dg.DagsterInstance) -> None:
    instance.create_tick(
        TickData(
            "origin", "sensor", InstigatorType.SENSOR, TickStatus.SKIPPED, time.time(), selector_id="selector"
        )
    )


def test_a_run_that_goes_takes_everything_it_wrote_with_it(instance, monkeypatch):
    for _ in range(3):
        assert dg.materialize([checked], instance=instance, tags={"mev/block": "7"}).success
    a_backfill(instance, "ended", BulkActionStatus.COMPLETED_SUCCESS)
    a_tick(instance)
    before = rows_of(instance)
    assert all(count for table, count in before.items() if table != "asset_event_tags"), before
    monkeypatch.setenv("MEV_RETENTION_DAYS_RUNS", "-1")
    settings.cache_clear()
    listed = {one.place: one.count for one in sweep_dagster(instance, dry_run=True)}
    assert rows_of(instance) == before
    assert listed == {"runs": 3, "checks": 3, "backfills": 1, "ticks": 1, "keys": 0}
    assert {one.place: one.count for one in sweep_dagster(instance, dry_run=False)} == listed
    assert not any(rows_of(instance).values()), rows_of(instance)


def test_what_is_under_way_or_young_stays(instance, monkeypatch):
    assert dg.materialize([checked], instance=instance).success
    a_backfill(instance, "running", BulkActionStatus.REQUESTED)
    a_tick(instance)
    before = rows_of(instance)
    assert sum(one.count for one in sweep_dagster(instance, dry_run=False)) == 0
    assert rows_of(instance) == before
    monkeypatch.setenv("MEV_RETENTION_DAYS_RUNS", "-1")
    settings.cache_clear()
    list(sweep_dagster(instance, dry_run=False))
    assert rows_of(instance)["bulk_actions"] == 1


def a_prestate(codes: tuple[bytes, ...]) -> Prestate:
    accounts = {
        bytes([number]) * 20: Account(nonce=number, balance_wei=0, code_hash=keccak(code), storage={})
        for number, code in enumerate(codes)
    }
    return Prestate(accounts, {keccak(code): code for code in codes})


def test_old_prestates_go_and_the_codes_that_others_need_stay(own_home):
    folder = settings().prestate_dir
    store, shared, own = PrestateStore(folder), b"\x60\x00", b"\x60\x01"
    old, young = store.put(a_prestate((shared, own))), store.put(a_prestate((shared,)))
    for path in [*(folder / "code").iterdir(), folder / "prestate" / f"{old.hex()}.json.zst"]:
        aged_in_place(path, 40)
    listed = [one.what for one in sweep_home(dry_run=True) if one.place == "prestates"]
    assert listed == [f"prestate {old.hex()}.json.zst", f"code {keccak(own).hex()}"]
    assert store.digests() == sorted([old, young])
    list(sweep_home(dry_run=False))
    assert store.digests() == [young]
    assert store.get(young).code(keccak(shared)) == shared
    assert [path.name for path in (folder / "code").iterdir()] == [keccak(shared).hex()]


def test_a_prestate_stored_anew_is_young_again(own_home):
    folder = settings().prestate_dir
    digest = PrestateStore(folder).put(a_prestate((b"\x60\x00",)))
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        aged_in_place(path, 40)
    PrestateStore(folder).put(a_prestate((b"\x60\x00",)))
    list(sweep_home(dry_run=False))
    assert PrestateStore(folder).digests() == [digest]


def test_a_damaged_prestate_is_a_problem_and_no_reason_to_leave_the_rest(own_home):
    aged(own_home / "captures" / "old" / "capture.json", 40)
    digest = PrestateStore(settings().prestate_dir).put(a_prestate((b"\x60\x00",)))
    (settings().prestate_dir / "prestate" / f"{digest.hex()}.json.zst").write_bytes(b"torn")
    swept = {one.place: one for one in sweep_home(dry_run=False)}
    assert "truncated or altered" in swept["prestates"].problem
    assert (swept["captures"].count, swept["alerts"].problem) == (1, "")


def test_old_runs_and_keys_beyond_the_window_go_and_running_ones_stay(own_home):
    @dg.job
    def nothing():
        pass

    with dg.instance_for_test() as instance:
        instance.add_dynamic_partitions("blocks", ["1", "2", "3", "4", "5"])
        ended = instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.SUCCESS)
        running = instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.STARTED)
        later = datetime.now(UTC) + timedelta(minutes=1)
        assert old_runs(instance, later) == [ended.run_id]
        assert old_runs(instance, datetime.now(UTC) - timedelta(days=1)) == []
        swept = {one.place: one for one in sweep_dagster(instance, dry_run=True)}
        assert (swept["keys"].count, swept["keys"].what) == (2, "1 to 2")
        assert len(instance.get_dynamic_partitions("blocks")) == 5
        list(sweep_dagster(instance, dry_run=False))
        assert list(instance.get_dynamic_partitions("blocks")) == ["3", "4", "5"]
        assert instance.get_run_by_id(running.run_id) is not None

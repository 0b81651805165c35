"""One job lets everything go that the settings no longer keep; a dry run lists it and changes nothing."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from assets.operations import sweep_dagster, sweep_home
from mev_dagster.captures.retention import LARGEST_TRACE_BYTES, prune_folder, rotate_traces
from mev_dagster.events.manifest import Manifest, SealedSegment, prunable
from mev_dagster.settings import settings
from resources.instance_retention import old_runs

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


def test_a_folder_that_is_not_there_holds_nothing_old(tmp_path):
    assert prune_folder(tmp_path / "none", time.time_ns()) == []


def test_a_grown_trace_file_is_set_aside_under_a_dated_name(tmp_path):
    trace = tmp_path / "builder.jsonl"
    with trace.open("wb") as file:
        file.truncate(LARGEST_TRACE_BYTES)
    assert [one.path for one in rotate_traces(tmp_path, 7, dry_run=True)] == [trace]
    rotate_traces(tmp_path, 7)
    assert [path.name for path in tmp_path.iterdir()] == ["builder.7.old"]


def segment(number: int, last_wall_ns: int) -> SealedSegment:
    return SealedSegment(f"{number}", number * 10, number * 10 + 9, 0, last_wall_ns, 100, "", "")


def test_only_segments_that_the_store_holds_go_and_only_from_the_front():
    manifest = Manifest((segment(0, 5), segment(1, 6), segment(2, 50), segment(3, 7)))
    assert [one.name for one in prunable(manifest, 10, stored_seq=99)] == ["0", "1"]
    assert [one.name for one in prunable(manifest, 10, stored_seq=12)] == ["0"]
    assert prunable(manifest, 10, stored_seq=-1) == ()


def test_old_runs_and_keys_beyond_the_window_go_and_running_ones_stay(own_home):
    @dg.job
    def nothing():
        pass

    with dg.DagsterInstance.ephemeral() as instance:
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

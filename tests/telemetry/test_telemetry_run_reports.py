"""What a run counts outlives it: reports are added up by whoever is scraped, each once, and bounded."""

import json
import os

import pytest
from prometheus_client import CollectorRegistry

from mev_dagster.telemetry import run_reports
from mev_dagster.telemetry.catalogue import BlockMetrics, RunMetrics
from mev_dagster.telemetry.metric import MAX_LABEL_SETS, OTHER
from mev_dagster.telemetry.run_reports import FOLDER, ReportedSums, RunRegistry, report, run_registry


@pytest.fixture
def sums():
    return ReportedSums()


def value(sums: ReportedSums, name: str, **labels: str) -> float | None:
    registry = CollectorRegistry()
    registry.register(sums)
    return registry.get_sample_value(name, labels)


def counted(engine: str, times: int) -> RunRegistry:
    registry = RunRegistry()
    RunMetrics.on(registry).rechecks.labels(engine).inc(times)
    return registry


def test_what_two_runs_counted_is_one_sum(tmp_path, sums):
    assert report(tmp_path, counted("revm", 2))
    assert report(tmp_path, counted("revm", 3))
    assert sums.take_up(tmp_path) == {"taken": 2}
    assert value(sums, "mev_sim_rechecks_total", engine="revm") == 5
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_a_report_tells_only_what_has_grown_since_the_last(tmp_path, sums):
    registry = counted("revm", 2)
    report(tmp_path, registry)
    report(tmp_path, registry)
    RunMetrics.on(registry).rechecks.labels("revm").inc()
    report(tmp_path, registry)
    assert sums.take_up(tmp_path) == {"taken": 2}
    assert value(sums, "mev_sim_rechecks_total", engine="revm") == 3


def test_histograms_of_runs_add_up_bucket_by_bucket(tmp_path, sums):
    for seconds in (0.3, 3.0):
        registry = RunRegistry()
        BlockMetrics.on(registry).block_lag.labels("searched").observe(seconds)
        report(tmp_path, registry)
    sums.take_up(tmp_path)
    lag = "mev_block_lag_seconds"
    assert value(sums, f"{lag}_bucket", stage="searched", le="0.5") == 1
    assert value(sums, f"{lag}_bucket", stage="searched", le="+Inf") == 2
    assert value(sums, f"{lag}_sum", stage="searched") == pytest.approx(3.3)


def test_a_forked_child_reports_its_own_counts_and_not_its_parents(tmp_path, sums):
    RunMetrics.on(run_registry()).rechecks.labels("parent").inc()
    pid = os.fork()
    if not pid:
        try:
            RunMetrics.on(run_registry()).rechecks.labels("child").inc()
            report(tmp_path, run_registry())
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    sums.take_up(tmp_path)
    assert value(sums, "mev_sim_rechecks_total", engine="child") == 1
    assert value(sums, "mev_sim_rechecks_total", engine="parent") is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[",
        b'[["mev_sim_rechecks_total",{"engine":"revm"},-1]]',
        b'[["mev_sim_rechecks_total",{"engine":"revm"},1e999]]',
        b'[["mev_sim_rechecks_total",{"peer":"x"},1]]',
        b'[["mev_head_age_seconds",{},1]]',
        b'[["unheard_of_total",{},1]]',
        b'[["mev_block_lag_seconds_bucket",{"stage":"searched"},1]]',
        b"\xff\xfe",
        json.dumps([["mev_sim_rechecks_total", {"engine": "revm"}, 1]] * 40_000).encode(),
    ],
)
def test_a_report_that_is_none_is_counted_and_changes_nothing(tmp_path, sums, content):
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "1-1-1.json").write_bytes(content)
    assert sums.take_up(tmp_path) == {"unreadable": 1}
    assert list(sums.collect()) == []
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_reports_that_find_no_room_are_counted(tmp_path, sums, monkeypatch):
    monkeypatch.setattr(run_reports, "MAX_WAITING", 2)
    assert [report(tmp_path, counted("revm", 1)) for _ in range(4)] == [True, True, False, False]
    assert sums.take_up(tmp_path) == {"taken": 2, "lost": 2}
    assert report(tmp_path, counted("revm", 1))


def test_reported_labels_make_a_bounded_number_of_series(tmp_path, sums):
    for number in range(MAX_LABEL_SETS + 2):
        report(tmp_path, counted(f"engine{number}", 1))
    sums.take_up(tmp_path)
    assert value(sums, "mev_sim_rechecks_total", engine=OTHER) == 2


def test_a_home_that_cannot_be_written_loses_figures_and_not_the_run(tmp_path):
    (tmp_path / FOLDER).write_text("a file where the folder should be")
    assert report(tmp_path, counted("revm", 1)) is False

"""Dagster's queue holds what is not of a head; a run ends wherever it is; who waits grows in rank."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from dagster import DagsterInstance, DagsterRunStatus, build_sensor_context
from dagster._core.remote_origin import (
    GrpcServerCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.run_coordinator.base import SubmitRunContext

from mev_dagster.blockrun.run_tags import (
    COLD,
    HOT,
    HOT_AT_ONCE,
    LANE_TAG,
    PRIORITY_TAG,
    aged,
    niceness_after,
)
from mev_dagster.platform.dagster_home import prepare
from mev_dagster.settings import Settings
from resources.runtime.warm_queue import Queue
from resources.runtime.warm_worker import Interrupts


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an instance folder as `mev up` prepares it, to copy from."""
    return prepare(Settings(home=tmp_path_factory.mktemp("prepared")))


@pytest.fixture(scope="module")
def retain_job():
    from mev_dagster.definitions import defs

    return defs().resolve_job_def("retain")


@pytest.fixture
def instance(tmp_path: Path, prepared: Path, retain_job, monkeypatch: pytest.MonkeyPatch):
    """Yield the instance that `mev up` prepares; what it is told to launch is only noted."""
    home = tmp_path / "dagster"
    shutil.copytree(prepared, home)
    file = home / "dagster.yaml"
    file.write_text(file.read_text().replace(str(prepared), str(home)))
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with DagsterInstance.get() as found:
        launched: list[str] = []

        def launch_run(run_id: str, _workspace: object) -> None:
            launched.append(run_id)

        monkeypatch.setattr(found, "launch_run", launch_run)
        found.launched = launched  # type: ignore[attr-defined]
        found.retain_job = retain_job  # type: ignore[attr-defined]
        yield found


def submitted(instance, tags: dict[str, str], status=DagsterRunStatus.NOT_STARTED):
    origin = RemoteJobOrigin(
        RemoteRepositoryOrigin(
            GrpcServerCodeLocationOrigin(host="127.0.0.1", port=1, location_name="mev_dagster"),
            "__repository__",
        ),
        "retain",
    )
    job = instance.retain_job
    run = instance.create_run_for_job(job, tags=tags, status=status, remote_job_origin=origin)
    return instance.run_coordinator.submit_run(SubmitRunContext(run, workspace=None))


def test_a_head_starts_at_once_and_everything_else_waits_in_dagsters_queue(instance):
    head = submitted(instance, {LANE_TAG: HOT})
    assert instance.launched == [head.run_id]
    for tags in ({LANE_TAG: COLD}, {"dagster/backfill": "a"}, {}):
        run = submitted(instance, tags)
        assert run.status is DagsterRunStatus.QUEUED
        assert run.tags[LANE_TAG] == COLD
    assert instance.launched == [head.run_id]


def test_heads_beyond_the_lanes_room_wait_in_the_queue_too(instance):
    for _ in range(HOT_AT_ONCE):
        submitted(instance, {LANE_TAG: HOT}, status=DagsterRunStatus.STARTED)
    assert submitted(instance, {LANE_TAG: HOT}).status is DagsterRunStatus.QUEUED
    assert instance.launched == []


def test_what_somebody_waits_for_goes_ahead_of_a_backfill(instance):
    clicked, history = submitted(instance, {}), submitted(instance, {"dagster/backfill": "a"})
    assert int(clicked.tags[PRIORITY_TAG]) > int(history.tags.get(PRIORITY_TAG, "0"))


def test_a_run_is_cancelled_in_the_queue(instance):
    run = submitted(instance, {LANE_TAG: COLD})
    assert instance.run_coordinator.cancel_run(run.run_id)
    assert instance.get_run_by_id(run.run_id).status is DagsterRunStatus.CANCELED


def test_one_cold_run_at_a_time_is_what_dagsters_queue_is_told(instance):
    limits = instance.get_concurrency_config().run_queue_config.tag_concurrency_limits
    assert {"key": LANE_TAG, "value": COLD, "limit": 1} in [dict(limit) for limit in limits]


def test_who_waits_grows_by_a_step_a_minute_from_where_it_began():
    assert aged({PRIORITY_TAG: "3"}, 59) == {}
    tags = {PRIORITY_TAG: "3", **aged({PRIORITY_TAG: "3"}, 130)}
    assert tags[PRIORITY_TAG] == "5"
    assert aged(tags, 179) == {}
    assert aged(tags, 180)[PRIORITY_TAG] == "6"


def test_the_sensor_raises_what_has_waited(instance, monkeypatch):
    from sensors.ageing import ageing

    run = submitted(instance, {LANE_TAG: COLD})
    later = time.time() + 600
    monkeypatch.setattr(time, "time", lambda: later)
    ageing(build_sensor_context(instance=instance))
    assert int(instance.get_run_by_id(run.run_id).tags[PRIORITY_TAG]) >= 9


def test_a_cold_run_that_waited_long_steps_back_less():
    assert [niceness_after(minutes * 60) for minutes in (0, 5, 10, 60)] == [10, 5, 0, 0]


def test_a_process_that_does_not_end_when_told_is_killed():
    ready = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('ready', flush=True)\n"
    ready += "time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", ready], stdout=subprocess.PIPE)
    try:
        assert child.stdout.readline() == b"ready\n"
        queue, interrupts = Queue(running={child.pid: ("run", COLD)}), Interrupts()
        queue.to_interrupt.append(child.pid)
        interrupts.send(queue, now=0.0)
        interrupts.send(queue, now=14.0)
        assert child.poll() is None
        interrupts.send(queue, now=15.0)
        assert child.wait(10) == -signal.SIGKILL
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def test_a_run_being_cancelled_before_its_process_looks_at_it_is_not_begun(instance):
    from resources.runtime.warm_child import execute

    run = submitted(instance, {LANE_TAG: HOT}, status=DagsterRunStatus.STARTING)
    instance.report_run_canceling(run)
    execute(instance, run.run_id, "mev_dagster.definitions")
    assert instance.get_run_by_id(run.run_id).status is DagsterRunStatus.CANCELED

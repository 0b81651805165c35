"""The warm worker takes confirmed offers only, and survives whoever hangs up on it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mev_dagster.blockrun.run_tags import COLD, HOT, WORKER_PID_TAG, lane_of
from mev_dagster.serving.liveness import PING, PONG
from resources.runtime.warm_protocol import CONFIRMATION, INTERRUPTED, REMOVED, UNKNOWN, offer
from resources.runtime.warm_queue import MAX_WAITING, Queue, negotiate


def conversation(*sent: bytes) -> tuple[Queue, bytes]:
    """Play the launcher's side of one offer; return the worker's queue and what it answered."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for part in sent:
            ours.sendall(part)
        ours.shutdown(socket.SHUT_WR)
        queue = Queue()
        negotiate(theirs, queue)
        theirs.close()
        return queue, ours.recv(4096)


def test_an_offer_that_is_not_confirmed_is_not_taken():
    queue, answer = conversation(b'{"run_id": "a"}\n')
    assert json.loads(answer) == {"accepted": True}
    assert not any(queue.waiting.values())


@pytest.mark.parametrize(
    "garbage", [b"", b"{}", b"[]", b"\xff\xfe", b"null", b'{"run": 1}', b'{"run_id": "a", "lane": "warp"}']
)
def test_garbage_is_no_offer(garbage: bytes):
    queue, _ = conversation(garbage)
    assert not any(queue.waiting.values())


def test_a_full_worker_refuses_and_says_why():
    queue = Queue()
    queue.waiting[HOT].extend(str(index) for index in range(MAX_WAITING[HOT]))
    answer = queue.answer(HOT)
    assert answer["accepted"] is False
    assert queue.answer(COLD) == {"accepted": True}
    assert str(MAX_WAITING[HOT]) in str(answer["reason"])


def test_a_confirmed_offer_is_queued():
    ours, theirs = socket.socketpair()
    queue = Queue()
    pid = os.fork()
    if pid == 0:
        ours.sendall(b'{"run_id": "a"}\n')
        ours.recv(4096)
        ours.sendall(CONFIRMATION)
        os._exit(0)
    with ours, theirs:
        negotiate(theirs, queue)
    os.waitpid(pid, 0)
    assert list(queue.waiting[HOT]) == ["a"]


def test_a_cold_run_goes_alone_and_waits_for_no_head():
    queue = Queue()
    queue.waiting[COLD].extend(["old", "older"])
    queue.waiting[HOT].extend(["head", "next head", "third head"])
    started = []
    while (taken := queue.next()) is not None:
        queue.running[len(started)] = taken
        started.append(taken)
    assert started == [("head", HOT), ("next head", HOT), ("old", COLD)]


def test_a_run_is_ended_wherever_it_is_in_the_worker():
    queue = Queue(running={7: ("runs", HOT)})
    queue.waiting[COLD].extend(["waits", "waits too"])
    assert queue.cancel("waits") == REMOVED
    assert list(queue.waiting[COLD]) == ["waits too"]
    assert queue.cancel("runs") == INTERRUPTED
    assert queue.to_interrupt == [7]
    assert queue.cancel("nobody's") == UNKNOWN


def test_a_run_asked_of_other_code_is_refused_and_the_worker_hears_of_it():
    queue = Queue(code="mine")
    assert queue.answer(HOT, "mine") == {"accepted": True}
    assert queue.answer(HOT, "other")["accepted"] is False
    assert queue.told == "other"
    queue.stale = True
    assert queue.answer(HOT, "mine")["accepted"] is False


def test_what_the_code_server_has_loaded_is_answered_with_what_the_worker_has():
    ours, theirs = socket.socketpair()
    queue = Queue(code="mine")
    with ours, theirs:
        ours.sendall(b'{"code": "other"}\n')
        negotiate(theirs, queue)
        assert ours.recv(4096) == b"mine"
    assert queue.told == "other"


def test_a_run_takes_the_lane_of_its_tag_and_else_the_cold_one():
    assert lane_of({"dagster/backfill": "a"}) == COLD
    assert lane_of({"dagster/backfill": "a", "mev/lane": HOT}) == HOT
    assert lane_of({"dagster/parent_run_id": "a", "mev/lane": HOT}) == HOT
    assert lane_of({}) == COLD


def test_a_run_that_waits_for_its_turn_is_cancelled_at_once(dagster_home: Path):
    from dagster import DagsterInstance, DagsterRunStatus

    from mev_dagster.blockrun.run_tags import LANE_TAG
    from mev_dagster.definitions import defs
    from resources.runtime.warm_child import execute
    from resources.runtime.warm_launcher import WarmRunLauncher

    with DagsterInstance.get() as instance:
        launcher = WarmRunLauncher(str(dagster_home / "nobody.sock"))
        launcher.register_instance(instance)
        job = defs().resolve_job_def("retain")
        run = instance.create_run_for_job(job, tags={LANE_TAG: COLD}, status=DagsterRunStatus.STARTING)
        assert launcher.terminate(run.run_id)
        assert instance.get_run_by_id(run.run_id).status is DagsterRunStatus.CANCELED
        execute(instance, run.run_id, "mev_dagster.definitions")  # its turn comes all the same
        assert instance.get_run_by_id(run.run_id).status is DagsterRunStatus.CANCELED


def test_a_sign_of_life_is_given_by_the_loop():
    queue, answer = conversation(PING)
    assert answer == PONG
    assert not any(queue.waiting.values())


def test_an_absent_worker_is_no_answer(tmp_path: Path):
    assert offer(str(tmp_path / "nobody.sock"), "a") is None


@pytest.fixture
def dagster_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from mev_dagster.platform.dagster_home import prepare
    from mev_dagster.settings import Settings

    home = prepare(Settings(home=tmp_path))
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    return home


def test_a_run_left_by_a_killed_worker_is_failed_when_the_next_one_starts(dagster_home: Path, tmp_path: Path):
    from dagster import DagsterInstance, DagsterRunStatus

    from mev_dagster.blockrun.run_tags import LANE_TAG
    from mev_dagster.definitions import defs

    job = defs().resolve_job_def("retain")
    dead = subprocess.Popen([sys.executable, "-c", "pass"])
    dead.wait()
    with DagsterInstance.get() as instance:
        tags = {LANE_TAG: HOT, WORKER_PID_TAG: str(dead.pid)}
        run = instance.create_run_for_job(job, tags=tags, status=DagsterRunStatus.STARTED)
    path = tmp_path / "worker.sock"
    worker = subprocess.Popen(
        [sys.executable, "-m", "resources.runtime.warm_worker", str(path), "mev_dagster.definitions"]
    )
    try:
        deadline = time.monotonic() + 90
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        with DagsterInstance.get() as instance:
            found = instance.get_run_by_id(run.run_id)
            assert found is not None
            assert found.status is DagsterRunStatus.FAILURE
    finally:
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(timeout=30) == 0


def test_a_rerun_by_the_stock_launcher_is_not_looked_for_under_its_parents_pid(dagster_home: Path):
    from dagster import DagsterInstance, DagsterRunStatus
    from dagster._core.launcher.base import WorkerStatus

    from mev_dagster.blockrun.run_tags import LANE_TAG, LAUNCHER_TAG, STOCK
    from mev_dagster.definitions import defs
    from resources.runtime.warm_launcher import WarmRunLauncher

    ended = subprocess.Popen([sys.executable, "-c", "pass"])
    ended.wait()
    tags = {LANE_TAG: HOT, WORKER_PID_TAG: str(ended.pid)}
    launcher = WarmRunLauncher(str(dagster_home / "nobody.sock"))
    with DagsterInstance.get() as instance:
        job = defs().resolve_job_def("retain")
        parent = instance.create_run_for_job(job, tags=tags, status=DagsterRunStatus.STARTED)
        rerun = instance.create_run_for_job(
            job, tags=tags | {LAUNCHER_TAG: STOCK}, status=DagsterRunStatus.STARTED
        )
    assert launcher.check_run_worker_health(parent).status is WorkerStatus.NOT_FOUND
    assert launcher.check_run_worker_health(rerun).status is WorkerStatus.RUNNING

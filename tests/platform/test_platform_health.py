"""Health is work done within a bound; a question without an answer holds nobody up."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime

import pytest

from mev_dagster.platform import health
from mev_dagster.platform.deadline import answers_within
from mev_dagster.platform.health import DAEMONS, HEARTBEAT_SECONDS, is_stopped, judged, probe
from mev_dagster.platform.status import ProcessStatus
from mev_dagster.platform.watchdog import PATIENCE_SECONDS, STARTING_SECONDS, Watch

NOW = 1_000_000.0


def test_what_has_no_answer_in_time_is_left_out_and_holds_nothing_up():
    never = threading.Event()

    def fails() -> bool:
        raise OSError("no")

    started = time.monotonic()
    found = answers_within(0.3, {"a": lambda: True, "b": never.wait, "c": fails})
    assert time.monotonic() - started < 2
    assert found["a"] is True
    assert "b" not in found
    assert isinstance(found["c"], OSError)


@pytest.fixture
def accepts_only():
    """Yield a TCP port where the kernel accepts and nobody answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize("form", ["http://127.0.0.1:{}/ping", "grpc://127.0.0.1:{}"])
def test_a_process_that_only_accepts_is_not_healthy(monkeypatch, accepts_only, form):
    monkeypatch.setattr(health, "TIMEOUT_SECONDS", 0.3)
    assert not probe(form.format(accepts_only)).healthy


def test_a_run_worker_that_only_accepts_is_not_healthy(monkeypatch, tmp_path):
    monkeypatch.setattr(health, "TIMEOUT_SECONDS", 0.3)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / "w.sock"))
        listener.listen()
        assert not probe(f"unix://{tmp_path}/w.sock").healthy


@pytest.mark.parametrize("late", DAEMONS)
def test_one_daemon_without_a_heartbeat_is_enough(late):
    beats = dict.fromkeys(DAEMONS, NOW - HEARTBEAT_SECONDS + 1)
    assert judged(beats, NOW).healthy
    assert late in judged(beats | {late: NOW - HEARTBEAT_SECONDS - 1}, NOW).why
    assert late in judged({kind: at for kind, at in beats.items() if kind != late}, NOW).why


def test_heartbeats_are_read_where_dagster_keeps_them(tmp_path):
    database = tmp_path / "runs.db"
    assert not probe(f"heartbeats:{database}").healthy
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE daemon_heartbeats (daemon_type TEXT, timestamp TIMESTAMP)")
        for kind in DAEMONS:
            text = datetime.now(UTC).replace(tzinfo=None).isoformat(" ")
            connection.execute("INSERT INTO daemon_heartbeats VALUES (?, ?)", (kind, text))
    connection.close()
    assert probe(f"heartbeats:{database}").healthy


def test_a_process_that_was_stopped_is_told_from_one_that_runs():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert not is_stopped(child.pid)
        os.kill(child.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOWAIT)
        assert is_stopped(child.pid)
    finally:
        child.kill()
        child.wait()
    assert not is_stopped(child.pid)


def state(healthy: bool, pid: int = 7) -> ProcessStatus:
    return ProcessStatus("store", pid, healthy, None, "")


def test_a_process_that_stops_working_is_restarted_once_its_patience_ends():
    watch = Watch()
    assert watch.hung([state(True)], 0) == []
    assert watch.hung([state(False)], 10) == []
    assert watch.hung([state(False)], 9 + PATIENCE_SECONDS) == []
    assert watch.hung([state(False)], 10 + PATIENCE_SECONDS) == ["store"]
    assert watch.hung([state(False, pid=8)], 11 + PATIENCE_SECONDS) == []  # the next one begins anew


def test_a_process_that_works_again_is_left_alone():
    watch = Watch()
    watch.hung([state(True)], 0)
    watch.hung([state(False)], 10)
    watch.hung([state(True)], 20)
    assert watch.hung([state(False)], 15 + PATIENCE_SECONDS) == []


def test_a_process_that_has_only_begun_gets_longer():
    watch = Watch()
    assert watch.hung([state(False)], 0) == []
    assert watch.hung([state(False)], STARTING_SECONDS - 1) == []
    assert watch.hung([state(False)], STARTING_SECONDS) == ["store"]
    assert watch.hung([state(False, pid=0)], 2 * STARTING_SECONDS) == []  # one that ended is supervisord's

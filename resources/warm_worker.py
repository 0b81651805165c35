"""The warm worker: imports everything once, then forks one child per hot run.

`python -m resources.warm_worker SOCKET` listens for run ids (see `warm_launcher.offer`). The parent stays
single-threaded and opens no database, so a fork copies nothing that must not be shared; each child opens
its own Dagster instance. A child that dies without finishing its run has the run reported as failed, and
so have runs that a killed worker left behind.
"""

import json
import os
import selectors
import signal
import socket
import sys
from collections import deque
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import FrameType

from resources.warm_launcher import CONFIRMATION, HOT, LANE_TAG, MESSAGE_BYTES, WORKER_PID_TAG

MAX_RUNNING = 2
MAX_WAITING = 16
READ_SECONDS = 1.0


@dataclass(slots=True)
class Queue:
    """Runs waiting and running; full means refused, and the launcher then starts a process of its own."""

    waiting: deque[str] = field(default_factory=deque)
    running: dict[int, str] = field(default_factory=dict)

    def answer(self) -> dict[str, object]:
        """Say whether there is room for a run."""
        if len(self.waiting) >= MAX_WAITING:
            return {"accepted": False, "reason": f"has {len(self.waiting)} runs waiting"}
        return {"accepted": True}


def execute(run_id: str) -> None:
    """Execute one run in this process; called in the forked child."""
    from dagster import DagsterInstance
    from dagster._core.execution.api import execute_run
    from dagster._utils.hosted_user_process import recon_job_from_origin

    with DagsterInstance.get() as instance:
        run = instance.get_run_by_id(run_id)
        if run is None or run.is_finished or run.job_code_origin is None:
            return
        instance.add_run_tags(run_id, {WORKER_PID_TAG: str(os.getpid())})
        run = instance.get_run_by_id(run_id)
        assert run is not None
        assert run.job_code_origin is not None
        execute_run(recon_job_from_origin(run.job_code_origin), run, instance)


def fork_child(run_id: str, inherited: list[socket.socket]) -> int:
    """Fork a child that executes `run_id` and exits; return its pid."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        for connection in inherited:
            connection.close()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        execute(run_id)
        status = 0
    except BaseException as error:  # the child must never return into the parent's loop
        print(f"run {run_id}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
    os._exit(status)


def report_lost(run_ids: list[str], reason: str) -> None:
    """Report unfinished runs as failed, from a child of its own so that the parent opens no database."""
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        return
    from dagster import DagsterInstance

    with DagsterInstance.get() as instance:
        for run_id in run_ids:
            run = instance.get_run_by_id(run_id)
            if run is not None and not run.is_finished:
                instance.report_run_failed(run, message=reason)
    os._exit(0)


def reconcile() -> None:
    """Fail the runs that a worker killed earlier left unfinished."""
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        return
    from dagster import DagsterInstance, DagsterRunStatus, RunsFilter

    unfinished = [DagsterRunStatus.STARTED, DagsterRunStatus.STARTING, DagsterRunStatus.CANCELING]
    with DagsterInstance.get() as instance:
        for run in instance.get_runs(RunsFilter(tags={LANE_TAG: HOT}, statuses=unfinished)):
            pid_tag = run.tags.get(WORKER_PID_TAG)
            if pid_tag is None or not Path(f"/proc/{pid_tag}").exists():
                instance.report_run_failed(run, message="the warm worker died while this run was on")
    os._exit(0)


def negotiate(connection: socket.socket, queue: Queue) -> None:
    """Hear one offer out; queue the run when there is room and the launcher confirms in time.

    A health probe connects and says nothing; that is no offer.
    """
    connection.settimeout(READ_SECONDS)
    try:
        run_id = str(json.loads(connection.recv(MESSAGE_BYTES))["run_id"])
        connection.sendall(json.dumps(queue.answer()).encode())
        if connection.recv(MESSAGE_BYTES) == CONFIRMATION:
            queue.waiting.append(run_id)
    except (OSError, ValueError, KeyError, TypeError):
        return


def reap(queue: Queue) -> None:
    """Collect children that have ended, and report the runs of those that died."""
    while queue.running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        run_id = queue.running.pop(pid, None)
        if run_id is not None and status != 0:
            report_lost([run_id], f"the run's process ended with status {os.waitstatus_to_exitcode(status)}")


def serve(path: Path) -> None:
    """Accept offers until SIGTERM; children still running then are left to finish."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(64)
    listener.setblocking(False)
    wake_read, wake_write = socket.socketpair()
    wake_read.setblocking(False)
    wake_write.setblocking(False)
    signal.set_wakeup_fd(wake_write.fileno())
    stopping = False

    def stop(_signal: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGCHLD, lambda _signal, _frame: None)
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    selector.register(wake_read, selectors.EVENT_READ)
    inherited = [listener, wake_read, wake_write]
    queue = Queue()
    while not stopping:
        for key, _ in selector.select():
            if key.fileobj is wake_read:
                wake_read.recv(MESSAGE_BYTES)
                continue
            connection, _address = listener.accept()
            with connection:
                negotiate(connection, queue)
        reap(queue)
        while queue.waiting and len(queue.running) < MAX_RUNNING:
            run_id = queue.waiting.popleft()
            queue.running[fork_child(run_id, inherited)] = run_id
    if queue.waiting:
        report_lost(list(queue.waiting), "the warm worker was stopped before this run began")
    path.unlink(missing_ok=True)


def main() -> None:
    """Import the code location, then serve."""
    import_module("mev_dagster.definitions").defs()
    reconcile()
    serve(Path(sys.argv[1]))


if __name__ == "__main__":
    main()

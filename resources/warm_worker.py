"""The warm worker: imports everything once, then forks one child per run of a lane.

Hot runs go first, two at a time. Cold runs (backfills, repairs) wait until no hot run does and go one at a
time; they are niced besides (`resources.block_search`), so that history never holds up a head.

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

from resources.lanes import COLD, HOT, LANE_TAG
from resources.warm_launcher import CONFIRMATION, MESSAGE_BYTES, WORKER_PID_TAG

MAX_RUNNING = {HOT: 2, COLD: 1}
MAX_WAITING = {HOT: 16, COLD: 512}
READ_SECONDS = 1.0


@dataclass(slots=True)
class Queue:
    """Runs waiting and running, by lane; full means refused, and the launcher starts a process of its own."""

    waiting: dict[str, deque[str]] = field(default_factory=lambda: {HOT: deque(), COLD: deque()})
    running: dict[int, tuple[str, str]] = field(default_factory=dict)

    def answer(self, lane: str) -> dict[str, object]:
        """Say whether there is room for a run."""
        waiting = len(self.waiting[lane])
        if waiting >= MAX_WAITING[lane]:
            return {"accepted": False, "reason": f"has {waiting} {lane} runs waiting"}
        return {"accepted": True}

    def next(self) -> tuple[str, str] | None:
        """Take the run to start now, with its lane: hot before cold, None when every place is taken."""
        for lane in (HOT, COLD):
            if self.waiting[lane]:
                busy = sum(other == lane for _, other in self.running.values())
                return (self.waiting[lane].popleft(), lane) if busy < MAX_RUNNING[lane] else None
        return None


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
        for run in instance.get_runs(RunsFilter(tags={LANE_TAG: [HOT, COLD]}, statuses=unfinished)):
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
        offered = json.loads(connection.recv(MESSAGE_BYTES))
        run_id, lane = str(offered["run_id"]), str(offered.get("lane", HOT))
        connection.sendall(json.dumps(queue.answer(lane)).encode())
        if connection.recv(MESSAGE_BYTES) == CONFIRMATION:
            queue.waiting[lane].append(run_id)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return


def reap(queue: Queue) -> None:
    """Collect children that have ended, and report the runs of those that died."""
    while queue.running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        ended = queue.running.pop(pid, None)
        if ended is not None and status != 0:
            report_lost(
                [ended[0]], f"the run's process ended with status {os.waitstatus_to_exitcode(status)}"
            )


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
        while (taken := queue.next()) is not None:
            queue.running[fork_child(taken[0], inherited)] = taken
    left = [run_id for lane in queue.waiting.values() for run_id in lane]
    if left:
        report_lost(left, "the warm worker was stopped before this run began")
    path.unlink(missing_ok=True)


def main() -> None:
    """Import the code location, then serve."""
    import_module("mev_dagster.definitions").defs()
    reconcile()
    serve(Path(sys.argv[1]))


if __name__ == "__main__":
    main()

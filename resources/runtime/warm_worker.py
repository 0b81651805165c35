"""The warm worker: imports and builds everything once, then forks one child per run of a lane.

Hot runs go first, two at a time. Cold runs (backfills, repairs) wait until no hot run does and go one at a
time; they are niced besides (`resources.block_search`), so that history never holds up a head.

`python -m resources.runtime.warm_worker SOCKET LOCATION` listens for run ids (see `warm_launcher.offer`) and
runs them from the code location that is the module LOCATION. The parent
stays single-threaded and opens no database, so a fork copies nothing that must not be shared; each child
opens its own Dagster instance. One child, the spare, is forked ahead and has opened instance and store
before the next head comes: that head's run starts at once. A child that dies without finishing its run has
the run reported as failed, and so have runs that a killed worker left behind.
"""

import gc
import json
import os
import selectors
import signal
import socket
import sys
from collections import deque
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NamedTuple

from mev_dagster.blockrun.run_tags import COLD, HOT, LANE_TAG, LAUNCHER_TAG, STOCK, WARM
from mev_dagster.errors import plain_refusals
from mev_dagster.serving.liveness import PING, PONG
from mev_dagster.settings import settings
from resources.runtime.warm_launcher import CONFIRMATION, MESSAGE_BYTES, WORKER_PID_TAG

if TYPE_CHECKING:
    from dagster import DagsterInstance, RepositoryDefinition

MAX_RUNNING = {HOT: 2, COLD: 1}
MAX_WAITING = {HOT: 16, COLD: 512}
READ_SECONDS = 1.0
RUN_ID_BYTES = 256


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


class Inherited(NamedTuple):
    """What a child has from its parent: sockets to close, and the name of the code location to run from."""

    sockets: list[socket.socket]
    location: str


@cache
def repository(location: str) -> "RepositoryDefinition":
    """Return the code location, built once and shared with every child by the fork."""
    found: RepositoryDefinition = import_module(location).defs().get_repository_def()
    return found


def execute(instance: "DagsterInstance", run_id: str, location: str) -> None:
    """Execute one run in this process; called in the forked child."""
    from dagster._core.definitions.job_base import InMemoryJob
    from dagster._core.execution.api import execute_run

    run = instance.get_run_by_id(run_id)
    if run is None or run.is_finished:
        return
    instance.add_run_tags(run_id, {WORKER_PID_TAG: str(os.getpid()), LAUNCHER_TAG: WARM})
    run = instance.get_run_by_id(run_id)
    if run is None or run.is_finished:  # it was cancelled while it waited
        return
    execute_run(InMemoryJob(repository(location).get_job(run.job_name)), run, instance)


def fork_child(inherited: Inherited, run_id: str | None = None) -> tuple[int, socket.socket | None]:
    """Fork a child that executes one run and exits; return its pid.

    Without a run id it is the spare: it makes ready and reads the id off the socket that is returned too.
    """
    ours, theirs = socket.socketpair() if run_id is None else (None, None)
    pid = os.fork()
    if pid:
        if theirs is not None:
            theirs.close()
        return pid, ours
    status = 1
    try:
        for connection in (*inherited.sockets, *((ours,) if ours is not None else ())):
            connection.close()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        _child(run_id, theirs, inherited.location)
        status = 0
    except BaseException as error:  # the child must never return into the parent's loop
        print(f"run {run_id}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
    os._exit(status)


def _child(run_id: str | None, orders: socket.socket | None, location: str) -> None:
    from dagster import DagsterInstance

    with DagsterInstance.get() as instance:
        if orders is not None:
            make_ready(instance)
            run_id = orders.recv(RUN_ID_BYTES).decode() or None  # nothing: the parent has gone
        if run_id is not None:
            execute(instance, run_id, location)


def make_ready(instance: "DagsterInstance") -> None:
    """Open what a run will need, so that it does not wait for it."""
    from mev_dagster.errors import MevError
    from resources.store import open_ahead

    instance.get_runs(limit=1)
    instance.get_dynamic_partitions("blocks")
    try:
        open_ahead()
    except MevError:
        return  # the run will open the store itself, or say why it cannot


@dataclass(slots=True)
class Spare:
    """The child that waits for the next hot run, if there is one."""

    inherited: Inherited
    pid: int | None = None
    orders: socket.socket | None = None
    died: bool = False

    def fork(self) -> None:
        """Have a spare; one that died by itself is replaced only after a run has started without it."""
        if self.pid is None and not self.died:
            self.pid, self.orders = fork_child(self.inherited)

    def start(self, run_id: str) -> int:
        """Give a run to the spare, or to a new child where there is none; return the pid."""
        pid, orders = self.pid, self.orders
        self.pid = self.orders = None
        self.died = False
        if pid is None or orders is None:
            return fork_child(self.inherited, run_id)[0]
        with orders:
            try:
                orders.sendall(run_id.encode())
            except OSError:  # it has just died, and nobody has noticed yet
                return fork_child(self.inherited, run_id)[0]
        return pid

    def lost(self, pid: int) -> None:
        """Forget a spare that ended without a run."""
        if pid == self.pid and self.orders is not None:
            self.orders.close()
            self.pid = self.orders = None
            self.died = True

    def dismiss(self) -> None:
        """Let the spare go."""
        if self.orders is not None:
            self.orders.close()


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
            if run.tags.get(LAUNCHER_TAG) == STOCK:
                continue
            pid_tag = run.tags.get(WORKER_PID_TAG)
            if not pid_tag or not Path(f"/proc/{pid_tag}").exists():
                instance.report_run_failed(run, message="the warm worker died while this run was on")
    os._exit(0)


def negotiate(connection: socket.socket, queue: Queue) -> None:
    """Hear one offer out; queue the run when there is room and the launcher confirms in time.

    A health probe asks for a sign of life, which only this loop can give.
    """
    connection.settimeout(READ_SECONDS)
    try:
        message = connection.recv(MESSAGE_BYTES)
        if message == PING:
            connection.sendall(PONG)
            return
        offered = json.loads(message)
        run_id, lane = str(offered["run_id"]), str(offered.get("lane", HOT))
        connection.sendall(json.dumps(queue.answer(lane)).encode())
        if connection.recv(MESSAGE_BYTES) == CONFIRMATION:
            queue.waiting[lane].append(run_id)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return


def reap(queue: Queue, spare: Spare) -> None:
    """Collect children that have ended, and report the runs of those that died."""
    while queue.running or spare.pid is not None:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        spare.lost(pid)
        ended = queue.running.pop(pid, None)
        if ended is not None and status != 0:
            report_lost(
                [ended[0]], f"the run's process ended with status {os.waitstatus_to_exitcode(status)}"
            )


def serve(path: Path, location: str) -> None:
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
    inherited = Inherited([listener, wake_read, wake_write], location)
    queue, spare = Queue(), Spare(inherited)
    spare.fork()
    while not stopping:
        for key, _ in selector.select():
            if key.fileobj is wake_read:
                wake_read.recv(MESSAGE_BYTES)
                continue
            connection, _address = listener.accept()
            with connection:
                negotiate(connection, queue)
        reap(queue, spare)
        while (taken := queue.next()) is not None:
            run_id, lane = taken
            pid = spare.start(run_id) if lane == HOT else fork_child(inherited, run_id)[0]
            queue.running[pid] = taken
        if not any(lane == HOT for _, lane in queue.running.values()):
            spare.fork()  # not beside a head's run, which wants the machine for itself
    spare.dismiss()
    left = [run_id for lane in queue.waiting.values() for run_id in lane]
    if left:
        report_lost(left, "the warm worker was stopped before this run began")
    path.unlink(missing_ok=True)


def main(path: Path, location: str) -> None:
    """Import and build the code location, then serve."""
    from mev_dagster.evm.engines import get_engine

    get_engine(settings().evm.engine)
    for job in repository(location).get_all_jobs():
        job.graph  # noqa: B018 - resolved on first access
    gc.collect()
    gc.freeze()  # children share these pages, as long as no collector writes to them
    reconcile()
    serve(path, location)


if __name__ == "__main__":
    with plain_refusals():
        main(Path(sys.argv[1]), sys.argv[2])

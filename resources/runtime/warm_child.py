"""The warm worker's children: one executes one run and ends; others report what became of runs that died.

The parent opens no database, so a fork copies nothing that must not be shared: each child opens its own
Dagster instance.
"""

import os
import signal
import socket
import sys
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mev_dagster.blockrun.run_tags import COLD, HOT, LANE_TAG, LAUNCHER_TAG, STOCK, WARM, WORKER_PID_TAG
from mev_dagster.blockrun.source_code import CODE_TAG, loaded

if TYPE_CHECKING:
    from dagster import DagsterInstance, RepositoryDefinition

RUN_ID_BYTES = 256
INTERRUPTS = {signal.SIGTERM, signal.SIGINT}


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

    if _left_alone(instance, run_id):
        return
    tags = {WORKER_PID_TAG: str(os.getpid()), LAUNCHER_TAG: WARM, CODE_TAG: loaded()}
    instance.add_run_tags(run_id, tags)
    run = instance.get_run_by_id(run_id)
    if run is None or _left_alone(instance, run_id):  # it was cancelled while it waited
        return
    execute_run(InMemoryJob(repository(location).get_job(run.job_name)), run, instance)


def _left_alone(instance: "DagsterInstance", run_id: str) -> bool:
    """Say whether a run is not to be begun; one that is being cancelled is cancelled by that."""
    from dagster import DagsterRunStatus

    run = instance.get_run_by_id(run_id)
    if run is None or run.is_finished:
        return True
    if run.status is DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run)
        return True
    return False


def fork_child(inherited: Inherited, run_id: str | None = None) -> tuple[int, socket.socket | None]:
    """Fork a child that executes one run and exits; return its pid.

    Without a run id it is the spare: it makes ready and reads the id off the socket that is returned too. An
    interrupt that comes before the child can tell it from its parent's waits until it can.
    """
    ours, theirs = socket.socketpair() if run_id is None else (None, None)
    held = signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)
    pid = os.fork()
    if pid:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
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
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
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
            self.pid = self.orders = None


def report_lost(run_ids: list[str], reason: str) -> None:
    """Report unfinished runs as failed, and those that were being cancelled as cancelled, from a child."""
    if _in_parent():
        return
    from dagster import DagsterInstance, DagsterRunStatus

    with DagsterInstance.get() as instance:
        for run_id in run_ids:
            run = instance.get_run_by_id(run_id)
            if run is None or run.is_finished:
                continue
            if run.status is DagsterRunStatus.CANCELING:
                instance.report_run_canceled(run, message=reason)
            else:
                instance.report_run_failed(run, message=reason)
    os._exit(0)


def reconcile(began: float) -> None:
    """Fail the runs that a worker killed earlier left unfinished; `began` is when this one's process did.

    What changed since then is in a launcher's hands.
    """
    if _in_parent():
        return
    from dagster import DagsterInstance, DagsterRunStatus, RunsFilter

    unfinished = [DagsterRunStatus.STARTED, DagsterRunStatus.STARTING, DagsterRunStatus.CANCELING]
    with DagsterInstance.get() as instance:
        filters = RunsFilter(tags={LANE_TAG: [HOT, COLD]}, statuses=unfinished)
        for record in instance.get_run_records(filters):
            run = record.dagster_run
            pid_tag = run.tags.get(WORKER_PID_TAG)
            if run.tags.get(LAUNCHER_TAG) == STOCK or (
                not pid_tag and record.update_timestamp.timestamp() > began
            ):
                continue
            if not pid_tag or not Path(f"/proc/{pid_tag}").exists():
                instance.report_run_failed(run, message="the warm worker died while this run was on")
    os._exit(0)


def _in_parent() -> bool:
    """Fork, and wait for the child; True in the parent, which opens no database."""
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
    return bool(pid)

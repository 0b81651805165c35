"""The warm worker: executes runs in children forked from a process that has everything imported.

`python -m resources.runtime.warm_worker SOCKET LOCATION` listens for runs (see `warm_protocol`) and runs them
from the code location that is the module LOCATION. Hot runs go two at a time, cold ones beside them one at a
time and niced, so that history never holds up a head. The parent stays single-threaded. One child, the
spare, is forked ahead and has opened instance and store before the next head comes: that head's run starts
at once. A child that dies without finishing its run has the run reported as failed, and so have runs that a
killed worker left behind. Once the code server has loaded other code, what was taken runs to its end and the
worker begins anew, with that code.
"""

import gc
import os
import selectors
import signal
import socket
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from mev_dagster.blockrun.run_tags import HOT
from mev_dagster.blockrun.source_code import loaded, on_disk
from mev_dagster.errors import plain_refusals
from mev_dagster.settings import settings
from resources.runtime.warm_child import Inherited, Spare, fork_child, reconcile, report_lost, repository
from resources.runtime.warm_protocol import MESSAGE_BYTES
from resources.runtime.warm_queue import INTERRUPT_SECONDS, Queue, negotiate

LOOK_AGAIN_SECONDS = 5.0
"""Other code that is not on disk may be a file half edited: it is looked for again."""


@dataclass(slots=True)
class Interrupts:
    """Children that have been told to end, and when they are made to."""

    deadlines: dict[int, float] = field(default_factory=dict)

    def send(self, queue: Queue, now: float) -> None:
        """Interrupt whom the queue names; kill those whose time is over."""
        for pid in queue.to_interrupt:
            _kill(pid, signal.SIGTERM)
            self.deadlines.setdefault(pid, now + INTERRUPT_SECONDS)
        queue.to_interrupt.clear()
        for pid, deadline in list(self.deadlines.items()):
            if pid not in queue.running:
                del self.deadlines[pid]
            elif now >= deadline:
                _kill(pid, signal.SIGKILL)


def _kill(pid: int, with_signal: signal.Signals) -> None:
    try:
        os.kill(pid, with_signal)
    except ProcessLookupError:
        return  # it has just ended, and is about to be collected


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


class Worker:
    """The worker's loop over its socket and its children."""

    def __init__(self, path: Path, location: str) -> None:
        path.unlink(missing_ok=True)
        self._path = path
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        path.chmod(0o600)
        self._listener.listen(64)
        self._listener.setblocking(False)
        self._wake, wake_write = socket.socketpair()
        self._wake.setblocking(False)
        wake_write.setblocking(False)
        signal.set_wakeup_fd(wake_write.fileno())
        self._stopping = False
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        signal.signal(signal.SIGCHLD, lambda _signal, _frame: None)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._inherited = Inherited([self._listener, self._wake, wake_write], location)
        self._queue, self._spare = Queue(loaded()), Spare(self._inherited)
        self._interrupts = Interrupts()
        self._look_again_at = 0.0

    def serve(self) -> bool:
        """Take and execute runs until SIGTERM; return whether to begin anew, with the code now on disk.

        Children still running at SIGTERM are left to finish.
        """
        self._spare.fork()
        while not self._stopping and not (self._queue.stale and self._queue.idle):
            for key, _ in self._selector.select(1.0 if self._interrupts.deadlines else None):
                if key.fileobj is self._wake:
                    self._wake.recv(MESSAGE_BYTES)
                    continue
                connection, _address = self._listener.accept()
                with connection:
                    negotiate(connection, self._queue)
            self._look_at_the_code()
            reap(self._queue, self._spare)
            self._interrupts.send(self._queue, time.monotonic())
            self._start_runs()
        self._spare.dismiss()
        left = [run_id for lane in self._queue.waiting.values() for run_id in lane]
        if left:
            report_lost(left, "the warm worker was stopped before this run began")
        if self._stopping:
            self._path.unlink(missing_ok=True)
        return not self._stopping

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _start_runs(self) -> None:
        while (taken := self._queue.next()) is not None:
            run_id, lane = taken
            pid = self._spare.start(run_id) if lane == HOT else fork_child(self._inherited, run_id)[0]
            self._queue.running[pid] = taken
        if not any(lane == HOT for _, lane in self._queue.running.values()):
            self._spare.fork()  # not beside a head's run, which wants the machine for itself

    def _look_at_the_code(self) -> None:
        """Begin anew when the code that the code server has is the code that would be loaded now."""
        now = time.monotonic()
        if self._queue.told and not self._queue.stale and now >= self._look_again_at:
            self._queue.stale = on_disk() == self._queue.told
            self._queue.told = ""
            self._look_again_at = now + LOOK_AGAIN_SECONDS


def main(path: Path, location: str) -> None:
    """Import and build the code location, then serve."""
    from mev_dagster.evm.engines import get_engine

    began = time.time()
    get_engine(settings().evm.engine)
    for job in repository(location).get_all_jobs():
        job.graph  # noqa: B018 - resolved on first access
    gc.collect()
    gc.freeze()  # children share these pages, as long as no collector writes to them
    reconcile(began)
    if Worker(path, location).serve():
        signal.set_wakeup_fd(-1)
        os.execv(sys.executable, [sys.executable, "-m", "resources.runtime.warm_worker", str(path), location])  # noqa: S606


if __name__ == "__main__":
    with plain_refusals():
        main(Path(sys.argv[1]), sys.argv[2])

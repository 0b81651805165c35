"""Decode on other cores: a fixed number of worker processes behind futures."""

import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue
from typing import IO

from mev_dagster.chain.columns import DecodedBatch
from mev_dagster.errors import WorkerDied
from mev_dagster.windows.decode_frames import pack_request, read_frame, unpack_reply, write_frame

_COMMAND = (sys.executable, "-m", "mev_dagster.windows.decode_worker")


class _Worker:
    """One process, used by one thread at a time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(_COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    @property
    def pid(self) -> int:
        return self._process.pid

    def decode(self, request: bytes) -> DecodedBatch | None:
        """Return the reply, or None when the process died over it."""
        try:
            write_frame(_pipe(self._process.stdin), request)
            reply = read_frame(_pipe(self._process.stdout))
        except BrokenPipeError:
            return None
        return None if reply is None else unpack_reply(reply)

    def close(self) -> None:
        """End the process: an idle one leaves when its input closes, any other is killed."""
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                _pipe(pipe).close()
            except BrokenPipeError:
                continue
        try:
            self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None, "the process was started with pipes"
    return pipe


WORTH_WORKERS_EVENTS = 100_000


@contextmanager
def workers_for(events: int) -> "Iterator[DecodeWorkers | None]":
    """Give workers for as many events as repay their start, on a machine with a core to spare; else None."""
    cores = len(os.sched_getaffinity(0))
    if events < WORTH_WORKERS_EVENTS or cores < 2:
        yield None
        return
    with DecodeWorkers(cores) as workers:
        yield workers


class DecodeWorkers:
    """`count` decode processes. A batch whose worker dies is given to a fresh one once, then refused."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.restarts = 0
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="decode")
        self._lock = threading.Lock()
        self._live = {_Worker() for _ in range(count)}
        for worker in self._live:
            self._idle.put(worker)

    def pids(self) -> list[int]:
        """Return the process ids, for status and for tests that kill one."""
        with self._lock:
            return sorted(worker.pid for worker in self._live)

    def submit(self, raws: Sequence[bytes]) -> "Future[DecodedBatch]":
        """Decode a batch (sidecars are dropped); `asyncio.wrap_future` makes the result awaitable."""
        return self._threads.submit(self._decode, pack_request(raws), len(raws))

    def map(self, batches: Iterable[Sequence[bytes]]) -> Iterator[DecodedBatch]:
        """Decode batches in order, with no more than twice as many in flight as there are workers."""
        flying: deque[Future[DecodedBatch]] = deque()
        for batch in batches:
            flying.append(self.submit(batch))
            if len(flying) >= 2 * self.count:
                yield flying.popleft().result()
        while flying:
            yield flying.popleft().result()

    def _decode(self, request: bytes, count: int) -> DecodedBatch:
        worker = self._idle.get()
        decoded = worker.decode(request)
        if decoded is None:
            # Only a process that starts now proves anything of the batch: the next idle one may be dead too.
            worker = self._replace(worker)
            decoded = worker.decode(request)
        self._idle.put(worker if decoded is not None else self._replace(worker))
        if decoded is None:
            raise WorkerDied(f"two decode workers died over the same batch of {count} transactions")
        return decoded

    def _replace(self, dead: _Worker) -> _Worker:
        dead.close()
        fresh = _Worker()
        with self._lock:
            self.restarts += 1
            self._live.discard(dead)
            self._live.add(fresh)
        return fresh

    def close(self) -> None:
        """Finish what was submitted, then end the processes."""
        self._threads.shutdown()
        for worker in self._live:
            worker.close()

    def __enter__(self) -> "DecodeWorkers":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

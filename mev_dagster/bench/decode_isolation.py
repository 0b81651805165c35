"""Does decoding scale over processes, and does a busy neighbour leave it alone?

Both need cores that nobody else uses, so each asks the machine first: C code on two threads says how much a
second core is worth at this moment. Where it is worth little, the figure is given and not judged.
"""

import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from mev_dagster.bench.harness import Options, Result
from mev_dagster.chain.ecdsa import recover_address
from mev_dagster.chain.envelope import split_transaction
from mev_dagster.ingest.decode_frames import pack_request, write_frame
from mev_dagster.ingest.decode_workers import DecodeWorkers

BATCH = 500
WORKERS_GAIN = 1.7
CORES_FREE = 1.85  # two threads of C that gain less than this share their cores with somebody else
TAIL_GROWTH = 3.0
ROUNDS = 5


def scaling(raws: Sequence[bytes], options: Options) -> Iterator[Result]:
    """Measure how much faster two decode processes are than one, by the wall clock."""
    batches = [raws[start : start + BATCH] for start in range(0, min(len(raws), 5_000), BATCH)]
    cores = _Cores(raws)
    one_best = two_best = float("inf")
    with DecodeWorkers(1) as one, DecodeWorkers(2) as two:
        for workers in (one, two):
            list(workers.map(batches[:2]))  # warm: the first batch pays for imports
        for number in range(2 if options.quick else ROUNDS):
            options.step(f"one and two workers, round {number + 1}")
            one_best = min(one_best, _wall(lambda: list(one.map(batches))))
            two_best = min(two_best, _wall(lambda: list(two.map(batches))))
            cores.probe()
    gain = one_best / two_best
    yield Result(
        "decode_2_workers",
        gain,
        "x",
        peer="one worker",
        peer_value=1.0,
        limit_value=cores.gain,
        ratio_to_peer=gain,
        ratio_to_limit=gain / cores.gain,
        budget=f">= {WORKERS_GAIN:g}x peer",
        ok=gain >= WORKERS_GAIN if cores.free else None,
        note=f"wall clock of two decode processes; {cores}",
    )


def isolation(raws: Sequence[bytes], options: Options) -> Iterator[Result]:
    """Measure the slowest percent of single decodes in a process of its own, beside a busy Python thread."""
    sample = [raw for raw in raws[:2_000] if len(raw) < 1_000]  # a tail of contention, not of sizes
    cores = _Cores(raws)
    idle = busy = shared = float("inf")
    for number in range(2 if options.quick else ROUNDS):
        options.step(f"tail latency, round {number + 1}")
        idle = min(idle, _tail_of_process(sample))
        with _busy_thread():
            busy = min(busy, _tail_of_process(sample))
            if number == 0:
                shared = tail_of(sample[:300])
        cores.probe()
    growth = busy / idle
    yield Result(
        "decode_p99_busy",
        busy,
        "us",
        peer="same process",
        peer_value=shared,
        limit_value=idle,
        ratio_to_peer=shared / busy,
        ratio_to_limit=growth,
        budget=f"<= {TAIL_GROWTH:g}x limit",
        ok=growth <= TAIL_GROWTH if cores.free else None,
        note="p99 of one decode in the decode process while a thread of ours computes (peer: in the thread's "
        f"process; limit: while none does); {cores}",
    )


class _Cores:
    """Asks, again and again, what a second core is worth; remembers the best answer."""

    def __init__(self, raws: Sequence[bytes]) -> None:
        self._signed = [
            (e.signing_hash, e.signature, e.y_parity) for e in map(split_transaction, raws[:BATCH])
        ]
        self.gain = 0.0

    def probe(self) -> None:
        """Compare two threads of libsecp256k1, which runs without the GIL, with one."""

        def recover_all(_: int = 0) -> None:
            for digest, signature, parity in self._signed:
                recover_address(digest, signature, parity)

        alone = _wall(recover_all)
        with ThreadPoolExecutor(2) as threads:
            together = _wall(lambda: list(threads.map(recover_all, range(2))))
        self.gain = max(self.gain, 2 * alone / together)

    @property
    def free(self) -> bool:
        return self.gain >= CORES_FREE

    def __str__(self) -> str:
        verdict = "" if self.free else ": the cores are not free, so this is not judged"
        return f"two threads of C gain {self.gain:.2f}x here and now{verdict}"


def tail_of(raws: Sequence[bytes]) -> float:
    """Return the 99th percentile of decoding one transaction in this process, in microseconds."""
    from mev_dagster.chain.transactions import decode_transaction

    took = []
    for raw in raws:
        start = time.perf_counter_ns()
        decode_transaction(raw)
        took.append(time.perf_counter_ns() - start)
    took.sort()
    return took[len(took) * 99 // 100] / 1_000


def _tail_of_process(raws: Sequence[bytes]) -> float:
    command = [sys.executable, "-m", "mev_dagster.bench.decode_tail"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        write_frame(process.stdin, pack_request(raws))
        [tail] = struct.unpack("<d", process.stdout.read(8))
    return float(tail)


def _wall(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@contextmanager
def _busy_thread() -> Iterator[None]:
    """Compute in pure Python on another thread of this process, as scoring does."""
    done = threading.Event()

    def compute() -> None:
        total = 0
        while not done.is_set():
            total += sum(index * index for index in range(1_000))

    thread = threading.Thread(target=compute, name="busy neighbour")
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()

"""Does decoding scale over processes, and does a busy neighbour leave it alone?

Both need cores that nobody else uses, so every round is held between two probes: C code on two threads says
how much a second core is worth at that moment. Only quiet rounds count; without any, the figure is given and
not judged.
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
from mev_dagster.windows.decode_frames import pack_request, write_frame
from mev_dagster.windows.decode_workers import DecodeWorkers

BATCH = 500
WORKERS_GAIN = 1.7
# Two threads of C that gain less share their cores with somebody else; more, and the one alone was disturbed.
CORES_FREE = (1.8, 2.1)
TAIL_GROWTH = 3.0
QUIET_ROUNDS = 3
MOST_ROUNDS = 12


def scaling(raws: Sequence[bytes], options: Options) -> Iterator[Result]:
    """Measure how much faster two decode processes are than one, by the wall clock."""
    batches = [raws[start : start + BATCH] for start in range(0, min(len(raws), 5_000), BATCH)]
    cores = _Cores(raws)
    with DecodeWorkers(1) as one, DecodeWorkers(2) as two:
        for workers in (one, two):
            list(workers.map(batches[:2]))  # warm: the first batch pays for imports
        walls = cores.measure(
            lambda: (_wall(lambda: list(one.map(batches))), _wall(lambda: list(two.map(batches)))),
            options,
            "one and two workers",
        )
    gain = min(alone for alone, _ in walls) / min(together for _, together in walls)
    yield Result(
        "decode_2_workers",
        gain,
        "x",
        peer="one worker",
        peer_value=1.0,
        ratio_to_peer=gain,
        budget=f">= {WORKERS_GAIN:g}x peer",
        ok=gain >= WORKERS_GAIN if cores.quiet else None,
        note=f"wall clock of two decode processes; {cores}",
    )


def isolation(raws: Sequence[bytes], options: Options) -> Iterator[Result]:
    """Measure the slowest percent of single decodes in a process of its own, beside a busy Python thread."""
    sample = [raw for raw in raws[:2_000] if len(raw) < 1_000]  # a tail of contention, not of sizes
    cores = _Cores(raws)

    def tails() -> tuple[float, float]:
        alone = _tail_of_process(sample)
        with _busy_thread():
            return alone, _tail_of_process(sample)

    found = cores.measure(tails, options, "tail latency")
    with _busy_thread():
        shared = tail_of(sample[:300])
    idle, busy = (min(side) for side in zip(*found, strict=True))
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
        ok=growth <= TAIL_GROWTH if cores.quiet else None,
        note="p99 of one decode in the decode process while a thread of ours computes (peer: in the thread's "
        f"process; limit: while none does); {cores}",
    )


class _Cores:
    """Asks before and after every round what a second core is worth, and tells quiet rounds from others."""

    def __init__(self, raws: Sequence[bytes]) -> None:
        self._signed = [
            (e.signing_hash, e.signature, e.y_parity) for e in map(split_transaction, raws[:BATCH])
        ]
        self._rounds = self.quiet = 0
        self._gains: list[float] = []

    def measure(
        self, work: Callable[[], tuple[float, float]], options: Options, what: str
    ) -> list[tuple[float, float]]:
        """Repeat `work` until enough rounds were quiet; return what those gave, or all where none was."""
        quiet, every = [], []
        before = self._probe()
        for number in range(2 if options.quick else MOST_ROUNDS):
            options.step(f"{what}, round {number + 1}")
            every.append(work())
            after = self._probe()
            if all(CORES_FREE[0] <= gain <= CORES_FREE[1] for gain in (before, after)):
                quiet.append(every[-1])
            before = after
            if len(quiet) == QUIET_ROUNDS:
                break
        self._rounds, self.quiet = len(every), len(quiet)
        return quiet or every

    def _probe(self) -> float:
        """Compare two threads of libsecp256k1, which runs without the GIL, with one."""

        def recover_all(_: int = 0) -> None:
            for digest, signature, parity in self._signed:
                recover_address(digest, signature, parity)

        alone = min(_wall(recover_all) for _ in range(2))
        with ThreadPoolExecutor(2) as threads:
            together = _wall(lambda: list(threads.map(recover_all, range(2))))
        self._gains.append(2 * alone / together)
        return self._gains[-1]

    def __str__(self) -> str:
        verdict = "" if self.quiet else ": the cores are not free, so this is not judged"
        low, high = min(self._gains), max(self._gains)
        return (
            f"two threads of C gain {low:.2f} to {high:.2f}x meanwhile, "
            f"{self.quiet} of {self._rounds} rounds were quiet{verdict}"
        )


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

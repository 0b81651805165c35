"""Marker to opportunities: real blocks played to a platform as heads, through the warm worker and without it.

The marker is the daemon having stored a block's window, which is what the sensor waits for; the end is
Dagster's own materialisation event of `opportunities`. A burst of blocks at once shows the rate; then heads
come at slots of 12 s for the warm worker, then more of them with the worker stopped, so that the stock
launcher takes their runs. A second platform shows heads to py_evm.
"""

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mev_dagster.bench.harness import Options, Result, judge
from mev_dagster.bench.paced_capture import blocks_of_capture, blocks_of_files, paced_capture
from mev_dagster.bench.platform import Platform
from mev_dagster.captures.format import open_capture
from mev_dagster.demo import SHIPPED_CAPTURE
from mev_dagster.errors import MevError
from mev_dagster.store.client import open_store
from mev_dagster.units import NS_PER_SECOND

SLOT_SECONDS = 12
LAG_LIMIT_SECONDS = 2.5
CPU_LIMIT_SECONDS = 1.5
RATE_LIMIT_SECONDS = 3.0
"""A block every three seconds is what the platform must sustain."""
BURST_SECONDS = 180
EVENT_SECONDS = 15.0
"""How long to wait for Dagster's event of an asset behind the rows of its block."""
ASSETS = (
    "ingest_windows", "decoded_txs", "source_coverage", "tx_features", "simulations", "opportunities",
    "block_templates", "relay_submissions", "mev_labels", "backtests",
)  # fmt: skip
ARRIVED_SQL = """SELECT block_number, max(stored_at) FROM ingest_windows FINAL
WHERE block_number IN ({blocks}) GROUP BY block_number"""


@dataclass(frozen=True, slots=True)
class BlockRoles:
    """Which mainnet blocks play which part, ascending; the heads have 103 to 206 transactions.

    None is from before Byzantium, whose receipts only the whole state could prove.
    """

    burst: tuple[int, ...]
    warm: tuple[int, ...]
    stock: tuple[int, ...]
    reference: tuple[int, ...]


FULL = BlockRoles(
    burst=(4370000, 5283152, 5526571, 6196166, 7280000, 8889776),
    warm=(10760440, 11743952, 12159808, 12244000, 18426253, 19426586, 19929064),
    stock=(19932703, 19933597, 22244135),
    reference=(10760440, 11743952, 19933597),
)
QUICK = BlockRoles(
    burst=(5283152, 5526571, 6196166),
    warm=(10760440, 11743952),
    stock=(12159808,),
    reference=(11743952,),
)
DEVNET = BlockRoles(
    burst=(20, 21, 22, 23, 24), warm=(25, 26, 27, 28, 29, 30), stock=(31, 32), reference=(25, 26)
)
"""The shipped capture's own numbers, for a machine without the mainnet blocks."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one platform showed."""

    warm: list[float]
    stock: list[float]
    seconds_a_block: float
    dagster_cpu: float
    work_cpu: float


def run(options: Options) -> Iterator[Result]:
    """Measure the warm worker, the stock launcher and both engines on real blocks."""
    fixtures = os.environ.get("MEV_FIXTURES")
    plan = (QUICK if options.quick else FULL) if fixtures else DEVNET
    folder = Path(fixtures) / "blocks_prestate" if fixtures else None
    try:
        found = _measure(options, folder, plan, engine="auto")
        reference = _measure(
            options, folder, BlockRoles(plan.burst[:1], plan.reference, (), ()), engine="py_evm"
        )
    except MevError as error:
        yield Result("dagster.marker_to_opportunities", 0.0, "s", ok=None, note=str(error))
        return
    kind = "mainnet blocks of 103 to 206 transactions" if fixtures else "the demo's devnet blocks"
    heads = f"{len(found.warm)} heads, {kind}, at slots of {SLOT_SECONDS} s"
    yield judge(
        "dagster.marker_to_opportunities.p50", statistics.median(found.warm), "s",
        peer="stock launcher", peer_value=statistics.median(found.stock), at_least_peer=2, note=heads,
    )  # fmt: skip
    yield judge(
        "dagster.marker_to_opportunities.p95", _p95(found.warm), "s",
        peer="stock launcher", peer_value=_p95(found.stock),
        limit_value=LAG_LIMIT_SECONDS, at_most_limit=1, note=heads,
    )  # fmt: skip
    yield Result(
        "dagster.marker_to_opportunities.py_evm.p50", statistics.median(reference.warm), "s",
        note=f"the reference engine on {len(reference.warm)} of the same heads, warm worker; not budgeted",
    )  # fmt: skip
    yield judge(
        "dagster.cpu_per_block", found.dagster_cpu, "s",
        limit_value=CPU_LIMIT_SECONDS, at_most_limit=1,
        note="CPU of code server, daemon, web server, worker and runs over the warm heads' slots, idle "
        f"polling included, less {found.work_cpu:.2f} s a block that the assets' own work took",
    )  # fmt: skip
    yield judge(
        "dagster.seconds_per_block", found.seconds_a_block, "s",
        limit_value=RATE_LIMIT_SECONDS, at_most_limit=1,
        note=f"{len(plan.burst)} blocks that were there at once, every asset of them, first to last",
    )  # fmt: skip


def _measure(options: Options, folder: Path | None, plan: BlockRoles, *, engine: str) -> Measured:
    with tempfile.TemporaryDirectory(prefix="mev-bench-") as name:
        home, capture, whole = (Path(name) / part for part in ("home", "capture", "whole"))
        home.mkdir()
        options.step(f"{engine}: making the captures")
        heads = (*plan.warm, *plan.stock)
        at_once = [0] * len(plan.burst)
        _make(folder, plan.burst, at_once, capture)
        _make(folder, (*plan.burst, *heads), at_once + [SLOT_SECONDS] * len(heads), whole)
        options.step(f"{engine}: starting a platform")
        with Platform(home, ("--capture", str(capture), "--speed", "max"), MEV_ENGINE=engine) as platform:
            seconds_a_block = _burst(options, platform, plan, engine)
            platform.stop_process("ingest")
            shutil.rmtree(capture)
            whole.rename(capture)
            # The same log goes on behind the burst, at the pace of a chain.
            playing = platform.start("ingest", "--lanes", "capture", "--capture", str(capture),
                                     "--speed", "1", "--once", "--port", "0")  # fmt: skip
            try:
                return _heads(options, platform, plan, engine, seconds_a_block)
            finally:
                playing.terminate()
                playing.wait(60)


def _burst(options: Options, platform: Platform, plan: BlockRoles, engine: str) -> float:
    """Return the seconds a block takes while others wait; it is also what warms the platform up."""
    options.step(f"{engine}: {len(plan.burst)} blocks at once")
    if not platform.await_blocks(plan.burst, BURST_SECONDS, ASSETS[-1]):
        raise MevError(f"{len(plan.burst)} blocks at once were not through in {BURST_SECONDS} s")
    _await_events(platform, ASSETS[-1], plan.burst)
    ends = [one.at_ns for one in platform.materialised(ASSETS[-1]) if one.block in plan.burst]
    return (max(ends) - min(ends)) / NS_PER_SECOND / max(len(ends) - 1, 1)


def _heads(
    options: Options, platform: Platform, plan: BlockRoles, engine: str, seconds_a_block: float
) -> Measured:
    """Watch the heads come, some of them with the warm worker gone."""
    patience = SLOT_SECONDS * (len(plan.warm) + 5)
    options.step(f"{engine}: {len(plan.warm)} heads")
    before, started = platform.dagster_cpu_seconds(), time.monotonic()
    platform.await_blocks(plan.warm, patience)
    slots = (time.monotonic() - started) / SLOT_SECONDS
    cpu_a_slot = (platform.dagster_cpu_seconds() - before) / slots
    if plan.stock:
        platform.stop_process("run-worker")
        options.step(f"{engine}: {len(plan.stock)} heads for the stock launcher")
        platform.await_blocks(plan.stock, SLOT_SECONDS * (len(plan.stock) + 5))
    _await_events(platform, ASSETS[-1], (*plan.warm, *plan.stock))
    work = _work_seconds(platform, plan.warm)
    return Measured(
        _lags(platform, plan.warm), _lags(platform, plan.stock), seconds_a_block, cpu_a_slot - work, work
    )


def _await_events(platform: Platform, asset: str, blocks: Sequence[int]) -> None:
    """Wait, for a while, until Dagster says of all these blocks what the store said already."""
    deadline = time.monotonic() + EVENT_SECONDS
    while not {one.block for one in platform.materialised(asset)} >= set(blocks):
        if time.monotonic() > deadline:
            return
        time.sleep(0.5)


def _make(folder: Path | None, numbers: Sequence[int], slots: Sequence[int], out: Path) -> None:
    """Make the capture of block files, or of the shipped capture where there are none."""
    if folder is not None:
        paced_capture(blocks_of_files(folder, numbers), slots, out, chain_id=1)
        return
    with open_capture(SHIPPED_CAPTURE) as shipped:
        paced_capture(blocks_of_capture(shipped, numbers), slots, out, chain_id=shipped.chain_id)


def _lags(platform: Platform, blocks: Sequence[int]) -> list[float]:
    """Return each block's seconds from its stored window to its materialised opportunities."""
    if not blocks:
        return []
    with open_store(platform.settings, in_process=False, migrate=False) as store:
        listed = ", ".join(str(number) for number in blocks)
        arrived = {int(number): int(at) for number, at in store.rows(ARRIVED_SQL.format(blocks=listed))}
    first: dict[int, int] = {}
    for one in platform.materialised("opportunities"):
        first.setdefault(one.block, one.at_ns)
    missing = [number for number in blocks if number not in first or number not in arrived]
    if missing:
        raise MevError(f"no opportunities of {', '.join(map(str, missing))} in time")
    return [(first[number] - arrived[number]) / NS_PER_SECOND for number in blocks]


def _work_seconds(platform: Platform, blocks: Sequence[int]) -> float:
    """Return the CPU seconds a block that the assets themselves report for their work."""
    total = sum(
        one.figures.get("work_cpu_ms", 0.0)
        for asset in ASSETS
        for one in platform.materialised(asset)
        if one.block in blocks
    )
    return total / 1_000 / len(blocks)


def _p95(values: Sequence[float]) -> float:
    """Return the value that 95 of 100 do not exceed: with fewer than twenty the largest."""
    ranked = sorted(values)
    return ranked[max(-(-len(ranked) * 95 // 100) - 1, 0)]

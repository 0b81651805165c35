"""What a hostile connection costs in memory, at each stage at which it may fall silent.

The strangers are another process, so that what this one allocates is the listener's. A stage's limit is what
one connection may cost; how many there may be is the admission's to say. Allocations are traced: resident
memory moves by whole pages, and a few hundred strangers fit into what start-up left behind.
"""

import asyncio
import gc
import subprocess
import sys
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psutil
from prometheus_client import CollectorRegistry

from mev_dagster.bench.devp2p_traffic import Silence, chain
from mev_dagster.bench.harness import Options, Result
from mev_dagster.devp2p.admission import InboundLimits
from mev_dagster.devp2p.keys import NodeKey
from mev_dagster.devp2p.mempool import Listener
from mev_dagster.devp2p.metrics import P2PMetrics
from mev_dagster.devp2p.network import NetworkConfig, PeerNetwork
from mev_dagster.telemetry.clock import SystemClock

KIB = 1024
MIB = 1024 * KIB
SENDER = "mev_dagster.bench.devp2p_hostile_sender"
STRANGERS = 200
KNOCKS = 10_000
AT_MOST_KNOCKS_MIB = 32.0
WARM_UP = 8
SETTLE_SECONDS = 0.3
READY_SECONDS = 120.0
# stage -> (connections, KiB one may cost)
STAGES = {
    "silent": (STRANGERS, 8.0),
    "half an auth": (STRANGERS, 8.0),
    "no hello": (STRANGERS, 16.0),
    "no status": (STRANGERS, 16.0),
    "half a frame": (STRANGERS // 5, 1_100.0),
}


async def hostile_memory(options: Options) -> list[Result]:
    """Return a row a stage, and one for ten thousand strangers who knock at once."""
    results = []
    tracemalloc.start()
    try:
        for stage, (count, limit_kib) in STAGES.items():
            results.append(await _stage(stage, count // (4 if options.quick else 1), limit_kib))
    finally:
        tracemalloc.stop()
    results.append(await _knocks(KNOCKS // (10 if options.quick else 1)))
    return results


async def _stage(stage: str, count: int, limit_kib: float) -> Result:
    room = max(count, WARM_UP)
    async with _listening(InboundLimits(peers=room, pending=room)) as network:
        async with _strangers(network, stage, WARM_UP):
            pass  # what the first ones cost is code, caches and pools
        before, resident_before = _traced(), _rss()
        async with _strangers(network, stage, count):
            await asyncio.sleep(SETTLE_SECONDS)
            held = network.connections
            cost = (_traced() - before) / max(held, 1) / KIB
            resident = (_rss() - resident_before) / max(held, 1) / KIB
    return Result(
        f"memory of a stranger: {stage}",
        cost,
        "KiB",
        budget=f"<= {limit_kib:g} KiB",
        ok=cost <= limit_kib if held == count else None,
        note=f"{held} of {count} held there, resident memory grew by {max(resident, 0.0):.1f} KiB each"
        + ("" if held == count else "; the clock ended some"),
    )


async def _knocks(count: int) -> Result:
    """Connections come by the thousand; fifty may wait, the rest is hung up on unread."""
    limits = InboundLimits()
    async with _listening(limits) as network:
        before = _rss()
        async with _strangers(network, "knock", count):
            held, grown = network.connections, (_rss() - before) / MIB
    return Result(
        f"memory of {count:,} pending dials",
        max(grown, 0.0),
        "MiB",
        budget=f"<= {AT_MOST_KNOCKS_MIB:g} MiB",
        ok=grown <= AT_MOST_KNOCKS_MIB and held <= limits.pending,
        note=f"{held} held, at most {limits.pending} may be",
    )


@asynccontextmanager
async def _listening(limits: InboundLimits) -> AsyncIterator[PeerNetwork]:
    metrics = P2PMetrics(CollectorRegistry())
    listener = Listener(Silence(), SystemClock(), metrics)
    config = NetworkConfig(listen_port=0, inbound=limits)
    network = PeerNetwork(NodeKey.generate(), listener, chain(), config, metrics=metrics)
    await network.start()
    try:
        yield network
    finally:
        await network.close()


@asynccontextmanager
async def _strangers(network: PeerNetwork, stage: str, count: int) -> AsyncIterator[None]:
    """Hold so many connections at a stage; afterwards wait until the network has forgotten them."""
    command = [sys.executable, "-m", SENDER, str(network.enode), stage, str(count)]
    sender = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert sender.stdout is not None
    try:
        async with asyncio.timeout(READY_SECONDS):
            if not await asyncio.to_thread(sender.stdout.readline):
                raise RuntimeError("the strangers ended early")
        yield
    finally:
        sender.kill()
        sender.wait()
        while network.connections:
            await asyncio.sleep(0.01)


def _traced() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def _rss() -> int:
    return int(psutil.Process().memory_info().rss)

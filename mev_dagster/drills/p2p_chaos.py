"""`mev chaos p2p`: peers, node, store and daemon are broken one after another while traffic goes on.

After each drill everything that honest peers announced so far must be in the store, and everything the event
log acknowledged must still be in it.
"""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mev_dagster.drills.hybrid import TICK_SECONDS, HybridStage, hybrid_stage
from mev_dagster.drills.peers import GarblingGateway, StallingGateway
from mev_dagster.events.verify import verify

RECOVERY_SECONDS = 60.0
LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class ChaosOptions:
    """How much traffic, and how long each fault lasts."""

    per_second: float = 20.0
    hold_seconds: float = 8.0
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Drill:
    """One fault. `lost` counts announced transactions that did not come and logged events that are gone."""

    name: str
    ok: bool
    lost: int
    recovered_s: float
    announced: int
    detail: str


Fault = Callable[[HybridStage, float], Awaitable[str]]


async def chaos_p2p(home: Path, options: ChaosOptions, on_drill: Callable[[Drill], None]) -> list[Drill]:
    """Run every drill on one stage, in a new folder."""
    drills = []
    async with hybrid_stage(home, per_second=options.per_second, seed=options.seed) as stage:
        traffic = asyncio.create_task(_traffic(stage, options.per_second))
        try:
            for name, fault in FAULTS.items():
                drills.append(await _drill(stage, name, fault, options.hold_seconds))
                on_drill(drills[-1])
                if traffic.done():
                    traffic.result()
        finally:
            traffic.cancel()
            await asyncio.gather(traffic, return_exceptions=True)
    return drills


async def _traffic(stage: HybridStage, per_second: float) -> None:
    last = time.monotonic()
    while True:
        await asyncio.sleep(TICK_SECONDS)
        now = time.monotonic()
        await stage.send(now - last, per_second)
        last = now


async def _drill(stage: HybridStage, name: str, fault: Fault, hold_seconds: float) -> Drill:
    acknowledged = await asyncio.to_thread(_acknowledged, stage)
    detail = await fault(stage, hold_seconds)
    healed = time.monotonic()
    due = set(stage.announced.honest)
    missing = due
    while missing and time.monotonic() - healed < RECOVERY_SECONDS:
        await asyncio.sleep(LOOK_SECONDS)
        missing = await asyncio.to_thread(stage.missing, due)
    seconds = round(time.monotonic() - healed, 1)
    gone = await asyncio.to_thread(_events_gone, stage, acknowledged)
    lost = len(missing) + gone
    return Drill(name, lost == 0, lost, seconds, len(due), detail)


def _acknowledged(stage: HybridStage) -> int:
    return int(stage.daemon.health().get("durable_seq", -1))


def _events_gone(stage: HybridStage, acknowledged: int) -> int:
    """Return how many acknowledged events the log does not hold soundly any more."""
    report = verify(stage.settings.events_dir)
    return max(0, acknowledged - report.last_seq) + len(report.errors)


# The faults


async def _peers_killed(stage: HybridStage, hold_seconds: float) -> str:
    """Every honest peer loses its sockets and is away for a while."""
    for peer in stage.honest:
        peer.pull_plug()
        await peer.stop()
    await asyncio.sleep(hold_seconds)
    for peer in stage.honest:
        await peer.start()
    return f"all {len(stage.honest)} honest peers away for {hold_seconds:g} s"


async def _peers_stalled(stage: HybridStage, hold_seconds: float) -> str:
    """All honest peers but one take requests and answer none, longer than a request may take."""
    stalled = [peer.gateway for peer in stage.honest[1:] if isinstance(peer.gateway, StallingGateway)]
    for gateway in stalled:
        gateway.stalled = True
    await asyncio.sleep(hold_seconds)
    for gateway in stalled:
        gateway.stalled = False
    return f"{len(stalled)} of {len(stage.honest)} honest peers answered nothing for {hold_seconds:g} s"


async def _garbage(stage: HybridStage, hold_seconds: float) -> str:
    """The adversary sends noise in place of announcements as often as it is let in."""
    gateway = stage.adversary.gateway
    assert isinstance(gateway, GarblingGateway), "the stage's adversary can do this"
    gateway.garbling = True
    await asyncio.sleep(hold_seconds)
    gateway.garbling = False
    return f"{gateway.garbled} messages of noise"


async def _node_stalled(stage: HybridStage, hold_seconds: float) -> str:
    """The node answers nothing for a moment; peers go on."""
    seconds = min(hold_seconds, 4.0)  # traffic goes through the node too and waits with it
    with _stopped(stage.node.pid):
        await asyncio.sleep(seconds)
    return f"the node stood still for {seconds:g} s"


async def _store_killed(stage: HybridStage, hold_seconds: float) -> str:
    """The store's process is killed; the log takes everything meanwhile."""
    stage.store_process.kill()
    await asyncio.sleep(hold_seconds)
    await asyncio.to_thread(stage.store_process.start)
    return f"the store away for {hold_seconds:g} s"


async def _daemon_killed(stage: HybridStage, hold_seconds: float) -> str:
    """The daemon is killed as by a power cut, and started again."""
    before = await asyncio.to_thread(_acknowledged, stage)
    stage.daemon.kill()
    report = await asyncio.to_thread(verify, stage.settings.events_dir)
    await asyncio.to_thread(stage.daemon.start)
    await asyncio.to_thread(stage.wait_for_lanes)
    return f"killed at event {before}, its log held {report.last_seq}; started again"


FAULTS: Mapping[str, Fault] = {
    "peers_killed": _peers_killed,
    "peers_stalled": _peers_stalled,
    "garbage": _garbage,
    "node_stalled": _node_stalled,
    "store_killed": _store_killed,
    "daemon_killed": _daemon_killed,
}


@contextmanager
def _stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)

"""Record the play into the shipped capture, with the recorder that records any node (`mev capture record`).

The whole state is dumped once, proven by its root, and carried from block to block by executing; so a
finished capture has been executed, every receipt and state root of it.
"""

import asyncio
import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from mev_dagster.captures.manifest import CaptureManifest, SearcherInfo, read_capture_manifest
from mev_dagster.chain.blocks import Block
from mev_dagster.demo.anvil import AnvilNode
from mev_dagster.demo.cast import Cast, phrase_of_role
from mev_dagster.demo.scenario import SLOT_SECONDS, Scenario, anvil_arguments
from mev_dagster.demo.script import SCRIPT, Act
from mev_dagster.demo.slot import Sending
from mev_dagster.ingest.recording import record_node
from mev_dagster.ingest.tasks import run_all
from mev_dagster.node.websocket import NodeConnection
from mev_dagster.telemetry.clock import SystemClock
from mev_dagster.units import NS_PER_SECOND

SOURCE = "devnet"
MOST_LEAD_SECONDS = 4.0

OnBlock = Callable[[Block, Sequence[Sending]], None]


class DevnetClock:
    """Real elapsed time on the devnet's calendar: it starts at a moment of the chain's."""

    def __init__(self, start_ns: int) -> None:
        self._started_ns = time.monotonic_ns()
        self._epoch_ns = start_ns

    def wall_ns(self) -> int:
        """Return the devnet's time in integer nanoseconds since 1970."""
        return self._epoch_ns + self.mono_ns()

    def mono_ns(self) -> int:
        """Return how long this clock has run."""
        return time.monotonic_ns() - self._started_ns

    async def sleep(self, seconds: float) -> None:
        """Wait on the event loop."""
        await asyncio.sleep(seconds)


async def record(
    out: Path,
    *,
    script: Sequence[Act] = SCRIPT,
    slot_seconds: float = SLOT_SECONDS,
    anvil: Path | None = None,
    on_block: OnBlock = lambda block, sent: None,
) -> CaptureManifest:
    """Stage the play on a fresh anvil and write what was seen of it to the capture `out`, old or new."""
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        node = stack.enter_context(AnvilNode(*anvil_arguments(Cast(), folder), binary=anvil))
        control = await NodeConnection.open(node.ws_url, SystemClock())
        stack.push_async_callback(control.close)
        scenario = Scenario(control, clock=SystemClock())
        parent = await scenario.prepare()

        # The clock starts a little before the block that the play begins behind: time to subscribe in.
        lead_ns = round(min(slot_seconds, MOST_LEAD_SECONDS) * NS_PER_SECOND)
        clock = DevnetClock(parent.header.timestamp * NS_PER_SECOND - lead_ns)
        watched, loop = asyncio.Event(), asyncio.get_running_loop()

        async def play() -> None:
            await watched.wait()
            await clock.sleep(max(0, lead_ns - clock.mono_ns()) / NS_PER_SECOND)
            async for block, sent in scenario.play(parent, script=script, slot_seconds=slot_seconds):
                on_block(block, sent)

        async def watch() -> None:
            await record_node(
                node.ws_url,
                folder / "capture",
                blocks=len(script),
                clock=clock,
                source=SOURCE,
                whole_state=True,
                searcher=_searcher(scenario),
                contracts=_contracts(scenario),
                on_start=lambda head: loop.call_soon_threadsafe(watched.set),
            )

        await run_all(watch(), play())
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(folder / "capture", out)
    return read_capture_manifest(out)


def _searcher(scenario: Scenario) -> SearcherInfo:
    searcher, market = scenario.cast.searcher, scenario.market
    executor = market.executors[searcher.address]
    return SearcherInfo(phrase_of_role(searcher.role), searcher.address, executor, market.weth)


def _contracts(scenario: Scenario) -> dict[str, bytes]:
    cast, executors = scenario.cast, scenario.market.executors
    return {
        **scenario.market.names(),
        "searcher's executor": executors[cast.searcher.address],
        "rival's executor": executors[cast.rival.address],
        "keeper's executor": executors[cast.keeper.address],
        "builder": cast.builder.address,
    }

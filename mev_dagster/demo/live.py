"""The devnet as a live node: the play over and over, in real time, for a platform to follow."""

import contextlib
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from mev_dagster.chain.blocks import Block
from mev_dagster.demo.anvil import AnvilNode
from mev_dagster.demo.cast import Cast
from mev_dagster.demo.scenario import Scenario, anvil_arguments
from mev_dagster.demo.script import SCRIPT, Extra
from mev_dagster.node.websocket import NodeConnection
from mev_dagster.telemetry.clock import SystemClock

WEALTH = 10_000
"""Everybody is this much richer than in the recorded play, to last for hours."""

ENCORE = [
    replace(act, extras=tuple(extra for extra in act.extras if extra is not Extra.OVERDRAFT))
    for act in SCRIPT
]
"""The play repeated: who has spent everything once cannot do it again."""

SETUP_BLOCKS = 64
"""More than the market takes; so far before now lies genesis, for no block to come from the future."""


async def live(
    *,
    blocks: int,
    slot_seconds: int,
    on_ready: Callable[[str], None],
    on_block: Callable[[Block, int], None],
    anvil: Path | None = None,
) -> None:
    """Run a fresh node through the play for `blocks` slots of `slot_seconds`, timestamped by the clock.

    `on_ready` gets the node's WebSocket address once the market stands; `on_block` each block and how many
    transactions were sent in its slot.
    """
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        genesis = int(time.time()) - SETUP_BLOCKS * slot_seconds
        arguments = anvil_arguments(Cast(), folder, genesis, WEALTH)
        node = stack.enter_context(AnvilNode(*arguments, binary=anvil))
        control = await NodeConnection.open(node.ws_url, SystemClock())
        stack.push_async_callback(control.close)
        scenario = Scenario(
            control, clock=SystemClock(), timestamp=genesis, seconds_between_blocks=slot_seconds
        )
        parent = await scenario.prepare()
        on_ready(node.ws_url)
        script = (list(SCRIPT) + ENCORE * (blocks // len(SCRIPT)))[:blocks]
        async for block, sent in scenario.play(parent, script=script, slot_seconds=slot_seconds):
            on_block(block, len(sent))

"""The relays that submissions go to: the sandbox of this platform unless told otherwise."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import TypeVar

import dagster as dg

from mev_dagster.pbs.client.registry import relay_clients
from mev_dagster.pbs.client.relay import RelayClient
from mev_dagster.settings import settings
from mev_dagster.telemetry.tracing import Tracing

Answer = TypeVar("Answer")


class RelayResource(dg.ConfigurableResource):
    """Dry-run clients of the settings' relays; their guard talks to loopback only."""

    def ask(self, tracing: Tracing, work: Callable[[Sequence[RelayClient]], Awaitable[Answer]]) -> Answer:
        """Do some work with an open client of each relay, and wait for it."""

        async def asked() -> Answer:
            config = settings()
            async with AsyncExitStack() as stack:
                clients = relay_clients(config.submission_relays, home=config.home, tracing=tracing)
                return await work([await stack.enter_async_context(client) for client in clients])

        return asyncio.run(asked())

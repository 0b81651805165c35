"""The relay that submissions go to: the sandbox of this platform unless told otherwise."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import dagster as dg

from mev_dagster.pbs.client.breaker import CircuitBreaker, FileMemory
from mev_dagster.pbs.client.relay import RelayClient
from mev_dagster.pbs.client.transport import RelayEndpoint
from mev_dagster.settings import settings
from mev_dagster.telemetry.tracing import Tracing

Answer = TypeVar("Answer")


class RelayResource(dg.ConfigurableResource):
    """A dry-run relay client; its guard talks to loopback only."""

    def client(self, tracing: Tracing) -> RelayClient:
        """Return a client; use it as an async context manager."""
        config = settings()
        url = config.submission_relays[0].url
        breaker = CircuitBreaker(FileMemory(config.home / "relays", url))
        return RelayClient(RelayEndpoint(url), tracing=tracing, breaker=breaker)

    def ask(self, tracing: Tracing, work: Callable[[RelayClient], Awaitable[Answer]]) -> Answer:
        """Do some work with an open client, and wait for it."""

        async def asked() -> Answer:
            async with self.client(tracing) as client:
                return await work(client)

        return asyncio.run(asked())

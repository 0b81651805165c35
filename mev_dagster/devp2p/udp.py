"""discv4 on a socket: datagrams in and out, at a bounded rate."""

import asyncio
import os
import random
from collections.abc import Sequence
from contextlib import suppress

from prometheus_client import Counter

from mev_dagster.devp2p.discovery import Address, Datagram, DiscoveryNode
from mev_dagster.devp2p.enode import Enode
from mev_dagster.devp2p.responder import TokenBucket
from mev_dagster.errors import PortInUse
from mev_dagster.telemetry.clock import Clock
from mev_dagster.units import NS_PER_SECOND

TICK_SECONDS = 0.5
BURST, PER_SECOND = 200, 100  # a signature recovered from each: at most a hundredth of a core


class DiscoverySocket(asyncio.DatagramProtocol):
    """One UDP socket and the discovery behind it."""

    def __init__(self, clock: Clock, ignored: Counter) -> None:
        self._ignored = ignored
        self.port = 0
        self._clock = clock
        self._bucket = TokenBucket(burst=BURST, per_second=PER_SECOND)
        self._transport: asyncio.DatagramTransport | None = None
        self._discovery: DiscoveryNode | None = None

    async def open(self, host: str, port: int) -> None:
        """Bind; a port of 0 takes a free one."""
        loop = asyncio.get_running_loop()
        try:
            self._transport, _ = await loop.create_datagram_endpoint(lambda: self, (host, port))
        except OSError as error:
            raise PortInUse(f"UDP port {port}: {error.strerror}") from None
        self.port = self._transport.get_extra_info("sockname")[1]

    async def run(self, discovery: DiscoveryNode, bootnodes: Sequence[Enode]) -> None:
        """Serve and search until cancelled."""
        self._discovery = discovery
        try:
            self._send(discovery.bootstrap(bootnodes, self._now()))
            while True:
                await asyncio.sleep(TICK_SECONDS)
                if not len(discovery.table):
                    self._send(discovery.bootstrap(bootnodes, self._now()))
                self._send(discovery.tick(self._now()))
        finally:
            self.close()

    def close(self) -> None:
        """Let the socket go."""
        if self._transport is not None:
            self._transport.close()

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """Take one datagram, if there is time for it."""
        if self._discovery is None or not self._bucket.take(self._clock.mono_ns()):
            self._ignored.inc()
            return
        self._send(self._discovery.receive(data, (addr[0], addr[1]), self._now()))

    def _send(self, datagrams: list[Datagram]) -> None:
        for data, address in datagrams:
            if self._transport is not None and not self._transport.is_closing():
                with suppress(OSError, ValueError):  # an address that a neighbour made up
                    self._transport.sendto(data, address)

    def _now(self) -> float:
        return self._clock.wall_ns() / NS_PER_SECOND


def seeded() -> random.Random:
    """Return a generator for lookup targets and jitter."""
    return random.Random(os.urandom(16))  # noqa: S311 - spreads load, guards nothing

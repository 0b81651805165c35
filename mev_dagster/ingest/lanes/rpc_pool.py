"""A node's whole pool, asked for beside the subscription: what the subscription did not show is found there.

The answer of a mainnet node is tens of megabytes, some proxies end the connection instead of sending it, and
many nodes have no such method. It is asked for over a connection of its own, so that neither its size nor
its failure touches the one that announces.
"""

from collections.abc import Iterator
from typing import Any

from mev_dagster.errors import MevError, NodeAnswerError, NodeMethodMissing, NodeUnreachable
from mev_dagster.node.websocket import NodeConnection
from mev_dagster.telemetry.clock import Clock
from mev_dagster.units import NS_PER_SECOND

METHODS = ("txpool_content", "eth_pendingTransactions", "parity_pendingTransactions")
READ_SECONDS = 45.0
FIRST_PAUSE_NS = 60 * NS_PER_SECOND
LONGEST_PAUSE_NS = 3_600 * NS_PER_SECOND
MAX_TRANSACTIONS = 500_000


class PoolReader:
    """Reads one provider's pool by the first method that it has. Failing costs time between readings."""

    def __init__(self, url: str, clock: Clock) -> None:
        self.reason = ""
        self._url, self._clock = url, clock
        self._methods = list(METHODS)
        self._pause_ns = FIRST_PAUSE_NS
        self._not_before_ns = 0

    async def read(self) -> list[Any] | None:
        """Return the pool's transactions, None where they cannot be had now; `reason` tells which."""
        if self._clock.mono_ns() < self._not_before_ns:
            return None
        try:
            node = await NodeConnection.open(self._url, self._clock)
        except MevError as error:
            self._failed(str(error))
            return None
        try:
            return await self._ask(node)
        except NodeUnreachable as error:
            self._failed(str(error))
            return None
        finally:
            await node.close()

    async def _ask(self, node: NodeConnection) -> list[Any] | None:
        while self._methods:
            method = self._methods[0]
            try:
                answer = await node.call(method, timeout_seconds=READ_SECONDS)
                found = list(pool_transactions(answer))
            except NodeMethodMissing:
                del self._methods[0]
            except NodeAnswerError as error:
                self._failed(str(error))
                return None
            else:
                self.reason, self._pause_ns = method, FIRST_PAUSE_NS
                return found
        self.reason = "the node has no txpool API"
        return None

    def _failed(self, reason: str) -> None:
        self.reason = reason
        self._not_before_ns = self._clock.mono_ns() + self._pause_ns
        self._pause_ns = min(2 * self._pause_ns, LONGEST_PAUSE_NS)


def pool_transactions(pool: Any) -> Iterator[Any]:
    """Yield what stands where transactions stand in an answer of any of the methods.

    `txpool_content` is {pending|queued|baseFee: {sender: {nonce: transaction}}}, the others a list.
    """
    if pool is None:
        return
    if isinstance(pool, list):
        yield from pool[:MAX_TRANSACTIONS]
        return
    if not isinstance(pool, dict):
        raise NodeAnswerError(f"pool: expected an object or a list, found {type(pool).__name__}")
    left = MAX_TRANSACTIONS
    for part in pool.values():
        for by_nonce in part.values() if isinstance(part, dict) else ():
            for transaction in by_nonce.values() if isinstance(by_nonce, dict) else ():
                if not left:
                    return
                left -= 1
                yield transaction

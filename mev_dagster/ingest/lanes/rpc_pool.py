"""A node's whole pool, asked for beside the subscription: what the subscription did not show is found there.

The answer of a mainnet node is tens of megabytes, some proxies end the connection instead of sending it, and
many nodes have no such method. It is asked for over a connection of its own, so that neither its size nor
its failure touches the one that announces.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mev_dagster.errors import MevError, NodeAnswerError, NodeMethodMissing, NodeTimeout, NodeUnreachable
from mev_dagster.hexadecimal import to_hex
from mev_dagster.node.link import NodeLink
from mev_dagster.node.open import open_node
from mev_dagster.telemetry.clock import Clock
from mev_dagster.units import NS_PER_SECOND

METHODS = (
    "txpool_content",
    "eth_pendingTransactions",
    "parity_pendingTransactions",
    "txpool_contentFrom",
    "eth_getBlockByNumber",
)
"""From all of the pool to parts of it: that of known senders, and what the node would put into a block."""
SENDERS_ASKED = 32
READ_SECONDS = 45.0
FIRST_PAUSE_NS = 60 * NS_PER_SECOND
LONGEST_PAUSE_NS = 3_600 * NS_PER_SECOND
MAX_TRANSACTIONS = 500_000


class PoolReader:
    """Reads one provider's pool by the first method that it has. Failing costs time between readings."""

    def __init__(
        self,
        url: str,
        clock: Clock,
        *,
        senders: Callable[[int], Sequence[bytes]] = lambda _: (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.reason = ""
        self._headers = headers
        self._senders = senders
        self._url, self._clock = url, clock
        self._methods = list(METHODS)
        self._pause_ns = FIRST_PAUSE_NS
        self._not_before_ns = 0

    async def read(self) -> list[Any] | None:
        """Return the pool's transactions, None where they cannot be had now; `reason` tells which."""
        if self._clock.mono_ns() < self._not_before_ns:
            return None
        try:
            node = await open_node(self._url, self._clock, headers=self._headers)
        except MevError as error:
            self._failed(str(error))
            return None
        try:
            return await self._ask(node)
        except NodeUnreachable as error:
            # Some end the connection where others refuse: the next reading begins with the next method.
            self._methods.append(self._methods.pop(0))
            self._failed(str(error))
            return None
        finally:
            await node.close()

    async def _ask(self, node: NodeLink) -> list[Any] | None:
        for method in tuple(self._methods):
            try:
                found = await self._read(node, method)
            except NodeMethodMissing:
                self._methods.remove(method)
            except (NodeAnswerError, NodeTimeout) as error:
                self.reason = str(error)
            else:
                self._methods.remove(method)
                self._methods.insert(0, method)
                self.reason, self._pause_ns = method, FIRST_PAUSE_NS
                return found
        self._failed(self.reason if self._methods else "the node has no txpool API")
        return None

    async def _read(self, node: NodeLink, method: str) -> list[Any]:
        if method == "txpool_contentFrom":
            return await self._of_senders(node)
        params = ("pending", True) if method == "eth_getBlockByNumber" else ()
        answer = await node.call(method, *params, timeout_seconds=READ_SECONDS)
        if method == "eth_getBlockByNumber":
            answer = answer.get("transactions") if isinstance(answer, dict) else None
        return list(pool_transactions(answer))

    async def _of_senders(self, node: NodeLink) -> list[Any]:
        """Return what the pool holds of those who sent lately; who asks nobody learns nothing."""
        senders = self._senders(SENDERS_ASKED)
        if not senders:
            raise NodeAnswerError("txpool_contentFrom: no sender is known yet")
        found: list[Any] = []
        for sender in senders:
            part = await node.call("txpool_contentFrom", to_hex(sender), timeout_seconds=READ_SECONDS)
            found += pool_transactions(part)
        return found

    def _failed(self, reason: str) -> None:
        self.reason = reason
        self._not_before_ns = self._clock.mono_ns() + self._pause_ns
        self._pause_ns = min(2 * self._pause_ns, LONGEST_PAUSE_NS)


def pool_transactions(pool: Any) -> Iterator[Any]:
    """Yield what stands where transactions stand in an answer of any of the methods.

    `txpool_content` is {pending|queued|baseFee: {sender: {nonce: transaction}}}, `txpool_contentFrom` the
    same without senders, the others a list.
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
            for transaction in _of_sender(by_nonce):
                if not left:
                    return
                left -= 1
                yield transaction


def _of_sender(by_nonce: Any) -> Iterator[Any]:
    """Yield one sender's transactions; where no sender was named, what stands here is a transaction."""
    if isinstance(by_nonce, dict):
        yield from (by_nonce,) if "hash" in by_nonce else by_nonce.values()

"""What a mempool node answers: headers it happens to have, bodies from its recent cache, otherwise nothing.

Every request gets an answer in the shape of its version, so that the peer does not wait; a peer that asks
more often than its bucket allows gets none.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Protocol

from mev_dagster.devp2p.eth.messages import (
    BlockAccessLists,
    BlockBodies,
    BlockHeaders,
    GetBlockAccessLists,
    GetBlockBodies,
    GetBlockHeaders,
    GetPooledTransactions,
    GetReceipts,
    Message,
    PooledTransactions,
    Receipts,
)
from mev_dagster.devp2p.eth.pooled import PooledTransaction
from mev_dagster.units import MIB, NS_PER_SECOND

SOFT_ANSWER_BYTES = 2 * MIB
MAX_HEADERS = 192
MAX_POOLED = 256
_NO_ACCESS_LIST = b"\x80"


class Headers(Protocol):
    """Recent headers as RLP."""

    def find(self, start: int | bytes) -> tuple[int, bytes] | None:
        """Return number and RLP of a header by number or hash."""
        ...


class NoHeaders:
    """No chain is at hand."""

    def find(self, start: int | bytes) -> tuple[int, bytes] | None:
        """Know nothing."""
        return None


class RecentTransactions:
    """Bodies by hash, the newest first to stay; bounded in number and in bytes."""

    def __init__(self, *, count: int = 16_384, size: int = 32 * MIB) -> None:
        self.size = 0
        self._count, self._size = count, size
        self._by_hash: OrderedDict[bytes, PooledTransaction] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_hash)

    def __contains__(self, tx_hash: bytes) -> bool:
        return tx_hash in self._by_hash

    def add(self, transaction: PooledTransaction) -> None:
        """Keep a body. What was cut of its sidecar cannot be served, so it is not kept."""
        if transaction.sidecar_bytes or transaction.hash in self._by_hash:
            return
        self._by_hash[transaction.hash] = transaction
        self.size += transaction.size
        while self._by_hash and (len(self._by_hash) > self._count or self.size > self._size):
            self.size -= self._by_hash.popitem(last=False)[1].size

    def get(self, tx_hash: bytes) -> PooledTransaction | None:
        """Return a body, None when it is unknown or was forgotten."""
        return self._by_hash.get(tx_hash)

    def values(self) -> Iterable[PooledTransaction]:
        """Return all bodies, oldest first."""
        return self._by_hash.values()


class Bodies(Protocol):
    """Where pooled transactions are looked up."""

    def get(self, tx_hash: bytes) -> PooledTransaction | None:
        """Return a body that can be served."""
        ...


class TokenBucket:
    """So many at once, so many a second."""

    __slots__ = ("_at_ns", "_burst", "_rate", "_tokens")

    def __init__(self, *, burst: float, per_second: float) -> None:
        self._burst, self._rate = burst, per_second
        self._tokens, self._at_ns = burst, 0

    def take(self, now_ns: int) -> bool:
        """Take one token, if there is one."""
        grown = self._tokens + (now_ns - self._at_ns) * self._rate / NS_PER_SECOND
        self._tokens, self._at_ns = min(self._burst, grown), now_ns
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Responder:
    """Answers requests from what is at hand."""

    def __init__(self, bodies: Bodies, headers: Headers | None = None) -> None:
        self._bodies, self._headers = bodies, headers or NoHeaders()

    def answer(self, message: Message) -> Message | None:
        """Return the answer to a request, None when the message is none."""
        match message:
            case GetPooledTransactions():
                return PooledTransactions(message.request_id, self._pooled(message.hashes))
            case GetBlockHeaders():
                return BlockHeaders(message.request_id, self._find_headers(message))
            case GetBlockBodies():
                return BlockBodies(message.request_id)
            case GetReceipts():
                return Receipts(message.request_id)
            case GetBlockAccessLists():
                return BlockAccessLists(message.request_id, (_NO_ACCESS_LIST,) * len(message.hashes))
            case _:
                return None

    def _pooled(self, hashes: tuple[bytes, ...]) -> tuple[PooledTransaction, ...]:
        found: list[PooledTransaction] = []
        size = 0
        for tx_hash in hashes[:MAX_POOLED]:
            transaction = self._bodies.get(tx_hash)
            if transaction is None:
                continue
            found.append(transaction)
            size += transaction.size
            if size >= SOFT_ANSWER_BYTES:
                break
        return tuple(found)

    def _find_headers(self, query: GetBlockHeaders) -> tuple[bytes, ...]:
        found: list[bytes] = []
        step = (query.skip + 1) * (-1 if query.reverse else 1)
        start: int | bytes = query.start
        while len(found) < min(query.limit, MAX_HEADERS):
            entry = self._headers.find(start)
            if entry is None:
                break
            number, header = entry
            found.append(header)
            start = number + step
            if start < 0:
                break
        return tuple(found)

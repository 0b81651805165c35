"""A serving peer: announces and hands out transactions over real RLPx, as a client with a pool does.

Where the transactions come from is not its business: anvil's pool, a capture or a generator feed `add`.
"""

from collections.abc import Iterable

from mev_dagster.chain.keccak import keccak
from mev_dagster.devp2p.eth.messages import GetPooledTransactions, Message, NewPooledTransactionHashes
from mev_dagster.devp2p.eth.pooled import BLOB_TYPE, PooledTransaction, without_sidecar
from mev_dagster.devp2p.network import Peer
from mev_dagster.devp2p.responder import Headers, RecentTransactions, Responder

ANNOUNCED_AT_ONCE = 4_096  # the protocol's recommended bound


def pooled(raw: bytes) -> PooledTransaction:
    """Return a raw transaction, with its sidecar if it has one, as the gateway serves it."""
    kind = 0 if raw[:1] >= b"\xc0" else raw[0]
    consensus = without_sidecar(raw) if kind == BLOB_TYPE else raw
    return PooledTransaction(keccak(consensus), kind, len(raw), raw)


class Gateway:
    """A pool and the peers that listen to it."""

    def __init__(self, *, headers: Headers | None = None, pool: RecentTransactions | None = None) -> None:
        self.pool = RecentTransactions() if pool is None else pool
        self.requests = 0
        self.served = 0
        self._peers: dict[bytes, Peer] = {}
        self._responder = Responder(self.pool, headers)

    def add(self, raws: Iterable[bytes]) -> int:
        """Take transactions into the pool and announce them to everyone; return how many were new."""
        fresh = [tx for tx in map(pooled, raws) if tx.hash not in self.pool]
        for transaction in fresh:
            self.pool.add(transaction)
        for peer in list(self._peers.values()):
            announce(peer, fresh)
        return len(fresh)

    def joined(self, peer: Peer) -> None:
        """Announce the whole pool to a new peer."""
        self._peers[peer.id] = peer
        announce(peer, list(self.pool.values()))

    def left(self, peer: Peer, reason: str) -> None:
        """Forget a peer."""
        self._peers.pop(peer.id, None)

    def message(self, peer: Peer, message: Message, wall_ns: int, mono_ns: int) -> None:
        """Answer requests; what peers announce or push is not taken."""
        answer = self._responder.answer(message)
        if answer is None:
            return
        if isinstance(message, GetPooledTransactions):
            self.requests += 1
            self.served += len(getattr(answer, "transactions", ()))
        peer.send(answer)

    def tick(self, now_ns: int) -> None:
        """Nothing changes by itself."""

    def is_full(self) -> bool:
        """Read on."""
        return False


def announce(peer: Peer, transactions: list[PooledTransaction]) -> None:
    """Announce transactions to a peer, as many messages as the protocol recommends."""
    for at in range(0, len(transactions), ANNOUNCED_AT_ONCE):
        part = transactions[at : at + ANNOUNCED_AT_ONCE]
        peer.send(
            NewPooledTransactionHashes(
                bytes([tx.type for tx in part]),
                tuple([tx.size for tx in part]),
                tuple([tx.hash for tx in part]),
            )
        )

"""Traffic for the devp2p benchmarks: announcements, bodies, and frames that hold them."""

import random
from collections.abc import Sequence
from functools import cache

from mev_dagster.chain.keccak import keccak
from mev_dagster.devp2p import snappy
from mev_dagster.devp2p.chain import ChainHead, KnownChain
from mev_dagster.devp2p.eth.messages import NewPooledTransactionHashes
from mev_dagster.devp2p.eth.pooled import PooledTransaction
from mev_dagster.devp2p.forkid import ForkTable
from mev_dagster.devp2p.frames import FrameWriter
from mev_dagster.devp2p.handshake import Initiator, Recipient, Secrets
from mev_dagster.devp2p.hello import SUBPROTOCOLS_FROM
from mev_dagster.devp2p.keys import NodeKey
from mev_dagster.devp2p.network import Peer

CONNECTIONS = 50
ANNOUNCED = 20
MEAN_BYTES = 354  # of mainnet's transactions
GENESIS = b"\x47" * 32


def chain() -> KnownChain:
    """Return a chain that both ends are on."""
    return KnownChain(ChainHead(1337, ForkTable(GENESIS), 9, 9, b"\x99" * 32))


def bodies(count: int, *, seed: int) -> list[PooledTransaction]:
    """Return bytes in the form of typed transactions, of mainnet's mean size."""
    rng = random.Random(seed)  # noqa: S311 - traffic, not secrets
    raws = [b"\x02" + rng.randbytes(rng.randrange(100, 2 * MEAN_BYTES - 100)) for _ in range(count)]
    return [PooledTransaction(keccak(raw), 2, len(raw), raw) for raw in raws]


def announcement(
    count: int, *, seed: int = 0, transactions: Sequence[PooledTransaction] | None = None
) -> NewPooledTransactionHashes:
    """Return an announcement of these transactions, or of made-up ones."""
    listed = bodies(count, seed=seed) if transactions is None else transactions
    return NewPooledTransactionHashes(
        bytes([tx.type for tx in listed]),
        tuple([tx.size for tx in listed]),
        tuple([tx.hash for tx in listed]),
    )


def frames(message_id: int, payload: bytes, count: int) -> bytes:
    """Return the same message in `count` frames, as one end of `link_secrets` sends them."""
    writer = FrameWriter(link_secrets()[1])
    data = bytes((SUBPROTOCOLS_FROM + message_id,)) + snappy.compress(payload)
    return b"".join(writer.frame(data) for _ in range(count))


@cache
def link_secrets() -> tuple[Secrets, Secrets]:
    """Return the two ends of one link: who reads, who writes."""
    caller, called = NodeKey(b"\x01" * 32), NodeKey(b"\x02" * 32)
    entropy = random.Random(1).randbytes  # noqa: S311 - the same link every time
    initiator = Initiator(caller, called.id, entropy)
    ack, reading = Recipient(called, entropy).answer(initiator.auth)
    return reading, initiator.finish(ack)


class Silence:
    """An observer that only counts."""

    def __init__(self) -> None:
        self.messages = 0

    def announced(
        self, peer: Peer, announcement: NewPooledTransactionHashes, wall_ns: int, mono_ns: int
    ) -> None:
        """Count."""
        self.messages += 1

    def delivered(self, peer: Peer, transaction: PooledTransaction, wall_ns: int, mono_ns: int) -> bool:
        """Nothing is fetched."""
        return False

    def peers_changed(self, count: int) -> None:
        """The sender knows."""

    def is_full(self) -> bool:
        """Read on."""
        return False

"""A synthetic mempool stream: what an event log sees on a mainnet-like day. Marked synthetic, as it is."""

from collections.abc import Iterable, Iterator

from mev_dagster.chain.keccak import keccak
from mev_dagster.events.types import BlockSeen, Event, Lane, TxBody, TxSeen
from mev_dagster.units import NS_PER_SECOND

START_NS = 1_767_225_600 * NS_PER_SECOND  # 2026-01-01, the day is of no consequence
TRANSACTIONS_PER_SECOND = 25
SECONDS_PER_SLOT = 12
_STEP_NS = NS_PER_SECOND // TRANSACTIONS_PER_SECOND
_PER_SLOT = TRANSACTIONS_PER_SECOND * SECONDS_PER_SLOT
_HEADER_BYTES = 620
_NODE = "ws://127.0.0.1:8546"


def mempool_stream(raws: Iterable[bytes], *, start_ns: int = START_NS) -> Iterator[Event]:
    """Yield a sighting and the body of each transaction, and every 12 s a block that holds them."""
    parent = bytes(32)
    pending: list[bytes] = []
    now = start_ns
    for index, raw in enumerate(raws):
        tx_hash = keccak(raw)
        kind = raw[0] if raw[0] < 0xC0 else 0
        peer = f"enode-{tx_hash[0]:02x}"
        yield TxSeen(-1, now, now, Lane.P2P, "p2p", tx_hash, peer, kind, len(raw), synthetic=True)
        yield TxBody(-1, now, now, Lane.RPC, _NODE, tx_hash, raw, synthetic=True)
        pending.append(tx_hash)
        now += _STEP_NS
        if len(pending) == _PER_SLOT:
            block_hash = keccak(b"".join(pending))
            header = block_hash * (_HEADER_BYTES // 32)
            number = index // _PER_SLOT
            yield BlockSeen(-1, now, now, Lane.RPC, _NODE, number, block_hash, parent, header, tuple(pending))
            parent = block_hash
            pending.clear()

"""Arrival times made up for blocks whose mempool nobody recorded, by a rule that is stated with the data."""

import hashlib
from collections.abc import Iterator

from mev_dagster.chain.blocks import Block, Header, encode_header, header_hash
from mev_dagster.events.types import BlockSeen, Event, Lane, TxBody, TxSeen
from mev_dagster.units import NS_PER_SECOND

RULE = (
    "each transaction of a block arrives u * w before the block's timestamp, u = the first 8 bytes of "
    "sha256(block hash || transaction hash) / 2^64, w = 12 s, or the time since the parent block where "
    "the capture holds it and that is less; the block arrives at its timestamp"
)
SOURCE = "synthetic"
_WINDOW_NS = 12 * NS_PER_SECOND


def synthetic_events(block: Block, parent: Header | None = None) -> Iterator[Event]:
    """Yield the sightings and bodies of a block's transactions as the rule has them, then the block."""
    block_ns = block.header.timestamp * NS_PER_SECOND
    window_ns = _WINDOW_NS
    if parent is not None and header_hash(parent) == block.header.parent_hash:
        window_ns = min(window_ns, block_ns - parent.timestamp * NS_PER_SECOND)
    arrivals = sorted(
        (block_ns - _lead_ns(block.hash, transaction.hash, window_ns), index)
        for index, transaction in enumerate(block.transactions)
    )
    for wall_ns, index in arrivals:
        transaction = block.transactions[index]
        yield TxSeen(
            seq=-1,
            wall_ns=wall_ns,
            mono_ns=wall_ns,
            lane=Lane.CAPTURE,
            source=SOURCE,
            tx_hash=transaction.hash,
            announced_type=transaction.type,
            announced_size=len(transaction.raw),
            synthetic=True,
        )
        yield TxBody(
            seq=-1,
            wall_ns=wall_ns,
            mono_ns=wall_ns,
            lane=Lane.CAPTURE,
            source=SOURCE,
            tx_hash=transaction.hash,
            raw=transaction.raw,
            synthetic=True,
        )
    yield BlockSeen(
        seq=-1,
        wall_ns=block_ns,
        mono_ns=block_ns,
        lane=Lane.CAPTURE,
        source=SOURCE,
        number=block.header.number,
        block_hash=block.hash,
        parent_hash=block.header.parent_hash,
        header_rlp=encode_header(block.header),
        tx_hashes=tuple(transaction.hash for transaction in block.transactions),
    )


def _lead_ns(block_hash: bytes, tx_hash: bytes, window_ns: int) -> int:
    draw = int.from_bytes(hashlib.sha256(block_hash + tx_hash).digest()[:8], "big")
    return window_ns * draw >> 64

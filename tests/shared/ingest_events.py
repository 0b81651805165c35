"""Small chains and the arrivals they make, by hand."""

from dataclasses import replace

from ingest_run import new_pipeline, transfer

from mev_dagster.chain.blocks import Block, Header, header_hash, transactions_root
from mev_dagster.events.types import Lane, TxBody, TxSeen
from mev_dagster.ingest.arrivals import BlockArrived

EMPTY = bytes(32)
GENESIS = Header(
    EMPTY, EMPTY, bytes(20), EMPTY, EMPTY, EMPTY, bytes(256), 0, 0, 30_000_000, 0, 0, b"", EMPTY, bytes(8), 0
)


def block_on(parent: Header, *transactions, fork: bytes = b"") -> Block:
    header = replace(
        GENESIS,
        parent_hash=header_hash(parent),
        number=parent.number + 1,
        timestamp=parent.timestamp + 12,
        extra_data=fork,
        transactions_root=transactions_root(transactions),
    )
    return Block(header_hash(header), header, tuple(transactions))


def arrived(block: Block, at: int = 100) -> BlockArrived:
    return BlockArrived(at, at, Lane.RPC, "node", block)


def body(tx, raw: bytes | None = None, at: int = 10) -> TxBody:
    return TxBody(-1, at, at, Lane.RPC, "node", tx.hash, tx.raw if raw is None else raw)


def seen(tx, at: int = 5) -> TxSeen:
    return TxSeen(-1, at, at, Lane.RPC, "node", tx.hash, announced_type=2)


def numbered(events):
    return [replace(event, seq=seq) for seq, event in enumerate(events)]


def two_blocks_with_a_reorg():
    one = block_on(GENESIS, transfer(0))
    two = block_on(one.header, transfer(1))
    rival = block_on(one.header, transfer(1), transfer(2), fork=b"b")
    three = block_on(rival.header)
    garbage = body(transfer(8), b"\x05\x05")
    arrivals = [seen(transfer(0)), body(transfer(0)), arrived(one, 12), seen(transfer(1)), garbage]
    arrivals += [arrived(two, 24), seen(transfer(2)), body(transfer(2)), arrived(rival, 25)]
    return numbered(new_pipeline().accept([*arrivals, arrived(three, 36)])), one, two, rival, three

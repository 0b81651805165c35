"""Who is pending when a head arrives."""

from dataclasses import replace

import pytest

from mev_dagster.chain.signing import sign_transaction
from mev_dagster.events.types import BlockReverted, BlockSeen, Lane, TxBody, TxSeen
from mev_dagster.features.mempool import pending_sets

KEY = b"\x01" * 32
WHERE = {"lane": Lane.CAPTURE, "source": "test"}


def tx(nonce):
    return sign_transaction(
        KEY,
        chain_id=1,
        nonce=nonce,
        to=b"\x02" * 20,
        gas_limit=21_000,
        max_fee_per_gas_wei=1,
        max_priority_fee_per_gas_wei=1,
    )


def seen(transaction, at):
    return TxSeen(-1, at, at, **WHERE, tx_hash=transaction.hash)


def body(transaction, at):
    return TxBody(-1, at, at, **WHERE, tx_hash=transaction.hash, raw=transaction.raw)


def head(number, *included):
    hashes = tuple(transaction.hash for transaction in included)
    return BlockSeen(
        -1,
        number,
        number,
        **WHERE,
        number=number,
        block_hash=bytes([number]) * 32,
        parent_hash=bytes([number - 1]) * 32,
        header_rlp=b"",
        tx_hashes=hashes,
    )


def hashes(pending):
    return [entry.tx.hash for entry in pending.txs]


def test_a_transaction_is_pending_until_a_block_holds_it():
    a, b = tx(0), tx(1)
    events = [seen(a, 1), body(a, 2), body(b, 3), head(7, a), head(8)]
    first, second = pending_sets(events)
    assert hashes(first) == [a.hash, b.hash]
    assert hashes(second) == [b.hash]


def test_sightings_are_counted_from_the_first():
    a = tx(0)
    (pending,) = pending_sets([seen(a, 5), seen(a, 6), body(a, 7), seen(a, 8), head(7)])
    (entry,) = pending.txs
    assert (entry.first_seen_ns, entry.sightings) == (5, 3)


def test_a_hash_without_a_body_is_not_pending():
    assert [p.txs for p in pending_sets([seen(tx(0), 1), head(7)])] == [()]


def test_a_reverted_block_gives_its_transactions_back():
    a = tx(0)
    reverted = BlockReverted(-1, 9, 9, **WHERE, number=7, block_hash=bytes([7]) * 32)
    first, second = pending_sets([body(a, 1), head(7, a), reverted, head(8)])
    assert hashes(first) == hashes(second) == [a.hash]


def test_a_transaction_that_only_its_block_brought_was_not_pending_until_a_reorg_frees_it():
    private = tx(0)
    brought = replace(body(private, 6), source="node/block")
    reverted = BlockReverted(-1, 9, 9, **WHERE, number=7, block_hash=bytes([7]) * 32)
    first, second = pending_sets([brought, head(7, private), reverted, head(8)])
    assert hashes(first) == []
    assert hashes(second) == [private.hash]


def test_a_head_told_twice_closes_one_set():
    assert len(list(pending_sets([head(7), head(7), head(8)]))) == 2


def test_a_body_that_is_no_transaction_is_counted():
    junk = TxBody(-1, 1, 1, **WHERE, tx_hash=b"\x09" * 32, raw=b"\x02junk")
    (pending,) = pending_sets([junk, head(7)])
    assert (pending.txs, pending.undecodable) == ((), 1)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_order_is_that_of_the_log(order):
    txs = [tx(0), tx(1)]
    events = [body(txs[index], position) for position, index in enumerate(order)]
    (pending,) = pending_sets([*events, head(7)])
    assert hashes(pending) == [txs[index].hash for index in order]

"""What the decode benchmark compares does the same work."""

from collections import Counter

import pytest

from mev_dagster.bench.decode import _eth_account
from mev_dagster.bench.native import build_native_decoder
from mev_dagster.bench.transactions import TYPE_SHARES, generate
from mev_dagster.chain.transactions import decode_transaction

RAWS = list(generate(600, seed=3))


def test_the_transactions_are_the_same_every_time_and_of_the_stated_mix():
    assert RAWS[:50] == list(generate(50, seed=3))
    assert RAWS[:50] != list(generate(50, seed=4))
    found = Counter(decode_transaction(raw).type for raw in RAWS)
    for kind, share in TYPE_SHARES.items():
        assert abs(found[kind] / len(RAWS) * 100 - share) < 5


def test_c_finds_the_same_hashes_and_senders_and_refuses_what_is_cut():
    native = build_native_decoder()
    if native is None:
        pytest.skip("no C compiler")
    inputs = [*RAWS, RAWS[0][:-1], b"\x05", RAWS[1] + b"\0"]
    batch = native.pack(inputs)
    assert native.decode(batch) == len(RAWS)
    expected = [(tx.hash, tx.sender) for tx in map(decode_transaction, RAWS)]
    assert native.hashes_and_senders(batch) == [*expected, None, None, None]


def test_the_peer_finds_the_same_hashes_senders_and_authorities():
    peer = _eth_account()
    assert peer is not None
    for raw in RAWS[:60]:
        ours = decode_transaction(raw)
        _, tx_hash, sender, authorities = peer(raw)
        assert (tx_hash, bytes.fromhex(sender[2:])) == (ours.hash, ours.sender)
        assert [bytes.fromhex(found[2:]) for found in authorities] == [
            a.authority for a in ours.authorization_list
        ]

"""The one path, fed by hand: what is logged for a sighting, a body, a block, and for what is wrong."""

from dataclasses import replace

import pytest
from ingest_events import GENESIS, arrived, block_on, body
from ingest_run import new_pipeline, transfer
from prometheus_client import CollectorRegistry

from mev_dagster.chain.keccak import keccak
from mev_dagster.events.types import (
    BlockReverted,
    Lane,
    LaneState,
    LaneStatus,
    TxBody,
    TxRejected,
    TxReplaced,
    TxSeen,
)
from mev_dagster.ingest.metrics import IngestMetrics
from mev_dagster.ingest.pipeline import REJECTED_RAW_BYTES, Pipeline
from mev_dagster.windows.memory import DecodedTransactions


def kinds(events) -> list[str]:
    return [type(event).__name__ for event in events]


def test_every_sighting_is_logged_and_a_body_once():
    pipeline, tx = new_pipeline(), transfer(0)
    seen = TxSeen(-1, 1, 1, Lane.RPC, "node", tx.hash)
    again = replace(seen, wall_ns=2, source="other")
    assert pipeline.accept([seen, body(tx), again, body(tx)]) == [seen, body(tx), again]
    assert pipeline.knows(tx.hash)


def test_a_block_is_logged_with_all_it_settles_and_its_head_last():
    pipeline, shown, private = new_pipeline(), transfer(0), transfer(1)
    pipeline.accept([body(shown)])
    block = block_on(GENESIS, shown, private)
    events = pipeline.accept([arrived(block)])
    assert kinds(events) == ["TxBody", "TxIncluded", "TxIncluded", "BlockSeen"]
    assert (events[0].tx_hash, events[0].source) == (private.hash, "node/block")
    assert [(event.tx_hash, event.index) for event in events[1:3]] == [(shown.hash, 0), (private.hash, 1)]
    assert events[-1].tx_hashes == (shown.hash, private.hash)
    assert {event.wall_ns for event in events} == {100}


@pytest.mark.parametrize("late_lane", [Lane.P2P, Lane.RPC])
def test_a_cheaper_original_that_comes_late_is_what_was_replaced(late_lane):
    pipeline, cheap, dear = new_pipeline(), transfer(0), transfer(0, tip_gwei=9)
    pipeline.accept([body(dear)])
    events = pipeline.accept([replace(body(cheap), lane=late_lane)])
    assert [(e.old_hash, e.new_hash) for e in events if isinstance(e, TxReplaced)] == [
        (cheap.hash, dear.hash)
    ]
    dearer = transfer(0, tip_gwei=20)
    events = pipeline.accept([body(dearer)])
    assert [(e.old_hash, e.new_hash) for e in events if isinstance(e, TxReplaced)] == [
        (dear.hash, dearer.hash)
    ]


def test_a_transaction_signed_for_another_chain_is_rejected_though_the_lane_has_decoded_it():
    decoded = DecodedTransactions()
    foreign = transfer(0)
    decoded.remember(foreign)
    pipeline = Pipeline(IngestMetrics(CollectorRegistry()), chain_id=1, decoded=decoded)
    (rejected,) = pipeline.accept([body(foreign)])
    assert (type(rejected), rejected.reason) == (TxRejected, "wrong_chain_id")


def test_what_a_node_words_is_cut_before_it_is_logged():
    status = LaneStatus(-1, 1, 1, Lane.RPC, "node", LaneState.GAP, "x" * 17_000_000)
    (logged,) = new_pipeline().accept([status])
    assert len(logged.reason) < 1_000


def test_a_block_that_two_lanes_bring_is_logged_once():
    pipeline, block = new_pipeline(), block_on(GENESIS)
    assert pipeline.accept([arrived(block)])
    assert pipeline.accept([arrived(block, at=101)]) == []


def test_a_reorg_is_logged_newest_first_before_the_new_head():
    pipeline = new_pipeline()
    one = block_on(GENESIS)
    two = block_on(one.header)
    rival = block_on(one.header, fork=b"b")
    pipeline.accept([arrived(one), arrived(two), arrived(block_on(two.header))])
    events = pipeline.accept([arrived(rival)])
    assert kinds(events) == ["BlockReverted", "BlockReverted", "BlockSeen"]
    assert [event.number for event in events] == [3, 2, 2]


def test_a_head_that_skips_blocks_leaves_a_gap():
    pipeline = new_pipeline()
    one = block_on(GENESIS)
    four = block_on(block_on(block_on(one.header).header).header)
    pipeline.accept([arrived(one)])
    gap, head = pipeline.accept([arrived(four)])
    assert (gap.state, gap.count, head.number) == (LaneState.GAP, 2, 4)


def test_a_pending_transaction_displaced_by_a_block_is_named():
    pipeline, pending, winner = new_pipeline(), transfer(0), transfer(0, tip_gwei=7)
    pipeline.accept([body(pending)])
    events = pipeline.accept([arrived(block_on(GENESIS, winner))])
    assert [(e.old_hash, e.new_hash) for e in events if isinstance(e, TxReplaced)] == [
        (pending.hash, winner.hash)
    ]


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: raw[:-1],
        lambda raw: b"",
        lambda raw: b"\x7f" + raw,
        lambda raw: raw[:-1] + bytes([raw[-1] ^ 1]),
    ],
    ids=["cut short", "empty", "unknown type", "another signature"],
)
def test_an_undecodable_body_becomes_a_reject_once_and_the_genuine_bytes_stay_welcome(damage):
    pipeline, tx = new_pipeline(), transfer(0)
    garbage = body(tx, damage(tx.raw))
    (rejected,) = pipeline.accept([garbage])
    assert isinstance(rejected, TxRejected)
    assert (rejected.digest, rejected.raw) == (tx.hash, garbage.raw)
    assert rejected.reason
    assert kinds(pipeline.accept([garbage, body(tx)])) == ["TxBody"]


def test_a_transaction_of_another_chain_is_rejected():
    pipeline, tx = new_pipeline(chain_id=1), transfer(0)
    (rejected,) = pipeline.accept([body(tx)])
    assert (rejected.reason, rejected.detail) == ("wrong_chain_id", "expected chain id 1, found 31337")


def test_rejected_bytes_are_kept_up_to_a_limit():
    pipeline = new_pipeline()
    huge = b"\x05" * 100_000
    offered = TxBody(-1, 1, 1, Lane.RPC, "node", keccak(huge), huge)
    (rejected,) = pipeline.accept([offered])
    assert rejected.raw == huge[:REJECTED_RAW_BYTES]


def test_a_hostile_body_under_a_decoded_hash_does_not_pass():
    pipeline, tx, other = new_pipeline(), transfer(0), transfer(1)
    pipeline.accept([body(tx)])
    twin = new_pipeline()
    twin._decoded.remember(tx)
    (rejected,) = twin.accept([body(tx, other.raw)])
    assert rejected.reason == "hash_mismatch"


def test_a_pipeline_restored_from_its_events_goes_on_as_if_it_had_never_stopped():
    pending, included = transfer(0), transfer(1)
    one = block_on(GENESIS, included)
    two = block_on(one.header)
    first = new_pipeline()
    logged = first.accept([body(pending), body(included), arrived(one), arrived(two)])
    second = new_pipeline()
    second.restore(logged)
    following = [
        body(pending),
        arrived(two),
        body(transfer(0, tip_gwei=5)),
        arrived(block_on(one.header, fork=b"b")),
        arrived(block_on(two.header)),
    ]
    expected = first.accept(following)
    assert second.accept(following) == expected
    assert {TxReplaced, BlockReverted} < {type(event) for event in expected}


def test_other_events_pass_through():
    status = LaneStatus(-1, 1, 1, Lane.RPC, "node", LaneState.CONNECTED, "anvil")
    assert new_pipeline().accept([status]) == [status]


def test_the_same_arrivals_give_the_same_events():
    one = block_on(GENESIS, transfer(0))
    arrivals = [body(transfer(0)), body(transfer(1)), arrived(one), arrived(block_on(one.header))]
    assert new_pipeline().accept(arrivals) == new_pipeline().accept(arrivals)


def test_a_hash_seen_again_outlives_one_that_was_not(monkeypatch):
    monkeypatch.setattr("mev_dagster.ingest.pipeline.KNOWN_HASHES", 2)
    pipeline = new_pipeline()
    for tx_hash in (b"first", b"second", b"first", b"third"):
        pipeline.remember(tx_hash)
    assert [pipeline.knows(tx_hash) for tx_hash in (b"first", b"second", b"third")] == [True, False, True]

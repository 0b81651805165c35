"""The RPC lane on a real anvil: pending bodies, heads, reorgs, what was missed, what went wrong."""

import asyncio

import pytest
from ingest_anvil import Anvil, free_port, until
from ingest_run import new_pipeline, running, transfer

from mev_dagster.chain.blocks import decode_header, header_hash
from mev_dagster.errors import InputError, NodeUnreachable
from mev_dagster.events.types import (
    BlockReverted,
    BlockSeen,
    LaneState,
    LaneStatus,
    TxBody,
    TxIncluded,
    TxReplaced,
    TxSeen,
)
from mev_dagster.ingest.lanes.rpc import RpcLane
from mev_dagster.ingest.lanes.rpc_pending import PendingWatch
from mev_dagster.ingest.queue import ArrivalQueue
from mev_dagster.telemetry.clock import SystemClock

pytestmark = pytest.mark.anvil


def lane_for(anvil: Anvil, pipeline, **options) -> RpcLane:
    return RpcLane(anvil.url, SystemClock(), chain=pipeline.chain.copy(), knows=pipeline.knows, **options)


async def started(run, states=LaneState.RESYNCED):
    await until(lambda: any(event.state == states for event in run.of(LaneStatus)), "the lane to start")


async def test_a_pending_transaction_is_seen_with_its_body_before_its_block(anvil):
    pipeline = new_pipeline()
    async with running(lane_for(anvil, pipeline), pipeline) as run:
        await started(run)
        tx = transfer(0)
        assert await asyncio.to_thread(anvil.send, tx.raw) == tx.hash
        await until(lambda: tx.hash in run.hashes(TxBody), "the body")
        (seen,) = run.of(TxSeen)
        (body,) = run.of(TxBody)
        assert (seen.tx_hash, body.raw, body.source) == (tx.hash, tx.raw, f"127.0.0.1:{anvil.port}")
        anvil.mine()
        await until(lambda: run.head() == 1, "block 1")
    block = run.of(BlockSeen)[-1]
    (included,) = run.of(TxIncluded)
    assert block.tx_hashes == (tx.hash,)
    assert (included.tx_hash, included.number, included.block_hash, included.index) == (
        tx.hash, 1, block.block_hash, 0,
    )  # fmt: skip
    assert header_hash(decode_header(block.header_rlp)) == block.block_hash
    assert len(run.of(TxBody)) == 1


async def test_a_node_that_offers_hashes_only_is_asked_for_bodies(anvil, monkeypatch):
    async def hashes_only(self):
        await self._node.subscribe("newPendingTransactions", notified=self.notified)

    monkeypatch.setattr(PendingWatch, "subscribe", hashes_only)
    pipeline = new_pipeline()
    async with running(lane_for(anvil, pipeline), pipeline) as run:
        await started(run)
        txs = [transfer(nonce) for nonce in range(20)]
        for tx in txs:
            anvil.send(tx.raw)
        await until(lambda: len(run.of(TxBody)) == 20, "twenty bodies")
    assert {body.raw for body in run.of(TxBody)} == {tx.raw for tx in txs}
    assert run.hashes(TxSeen) == {tx.hash for tx in txs}


async def test_a_reorg_reverts_newest_first_and_refetches(anvil):
    pipeline = new_pipeline()
    async with running(lane_for(anvil, pipeline), pipeline) as run:
        await started(run)
        for nonce in range(3):
            anvil.send(transfer(nonce).raw)
            anvil.mine()
        await until(lambda: run.head() == 3, "block 3")
        old = {block.number: block.block_hash for block in run.of(BlockSeen)}
        anvil.call("anvil_reorg", 2, [])
        anvil.mine()
        await until(lambda: run.head() == 4, "block 4 of the new branch")
    assert [(event.number, event.block_hash) for event in run.of(BlockReverted)] == [
        (3, old[3]),
        (2, old[2]),
    ]
    new = [block for block in run.of(BlockSeen) if block.block_hash not in old.values()]
    assert [block.number for block in new] == [2, 3, 4]
    assert new[0].parent_hash == old[1]
    assert pipeline.chain.tip.number == 4


async def test_a_node_wound_back_is_followed_once_it_mines_again(anvil):
    pipeline = new_pipeline()
    async with running(lane_for(anvil, pipeline), pipeline) as run:
        await started(run)
        snapshot = anvil.call("evm_snapshot")
        anvil.mine(2)
        await until(lambda: run.head() == 2, "block 2")
        anvil.call("evm_revert", snapshot)
        anvil.send(transfer(0).raw)
        anvil.mine()
        await until(lambda: run.of(BlockReverted) and len(run.of(BlockSeen)) == 4, "the new block 1")
    assert [event.number for event in run.of(BlockReverted)] == [2, 1]
    assert run.of(BlockSeen)[-1].number == 1


async def test_what_happened_before_the_lane_came_is_reconciled(anvil):
    waiting = transfer(0)
    anvil.send(waiting.raw)
    pipeline = new_pipeline()
    async with running(lane_for(anvil, pipeline), pipeline) as run:
        await started(run)
    (body,) = run.of(TxBody)
    (resynced,) = [event for event in run.of(LaneStatus) if event.state == LaneState.RESYNCED]
    assert (body.tx_hash, body.source, resynced.count) == (
        waiting.hash, f"127.0.0.1:{anvil.port}/txpool", 1,
    )  # fmt: skip


async def test_blocks_missed_between_two_connections_are_filled_in_order(anvil):
    pipeline = new_pipeline()
    lane = lane_for(anvil, pipeline)
    async with running(lane, pipeline) as run:
        await started(run)
    unseen = transfer(0)
    anvil.send(unseen.raw)
    anvil.mine(5)
    async with running(lane, pipeline) as run:
        await until(lambda: run.head() == 5, "block 5")
    assert [block.number for block in run.of(BlockSeen)] == [1, 2, 3, 4, 5]
    (body,) = run.of(TxBody)
    assert (body.tx_hash, body.source) == (unseen.hash, f"127.0.0.1:{anvil.port}/block")
    assert not run.of(TxSeen)


async def test_a_replacement_names_both_transactions(anvil):
    pipeline = new_pipeline()
    async with running(lane_for(anvil, pipeline), pipeline) as run:
        await started(run)
        first, second = transfer(0), transfer(0, tip_gwei=9)
        anvil.send(first.raw)
        anvil.send(second.raw)
        await until(lambda: run.of(TxReplaced), "the replacement")
        anvil.mine()
        await until(lambda: run.head() == 1, "block 1")
    (replaced,) = run.of(TxReplaced)
    assert (replaced.old_hash, replaced.new_hash) == (first.hash, second.hash)


async def test_a_full_queue_drops_are_counted_and_brought_back_by_the_next_resync(anvil):
    pipeline = new_pipeline()
    queue = ArrivalQueue(4)
    lane = lane_for(anvil, pipeline)
    txs = [transfer(nonce) for nonce in range(10)]

    runner = asyncio.create_task(lane.run(queue))
    taken = []
    while not any(getattr(item, "state", None) == LaneState.RESYNCED for item in taken):
        taken += await queue.take(1)
    for tx in txs:
        anvil.send(tx.raw)
    await until(lambda: queue.dropped.total() == 16, "sixteen refusals")  # 20 arrivals, room for 4
    runner.cancel()
    await asyncio.gather(runner, return_exceptions=True)

    async with running(lane, pipeline) as run:
        await until(lambda: len(run.of(TxBody)) == 10, "all ten bodies")
    assert run.hashes(TxBody) == {tx.hash for tx in txs}


async def test_the_lane_ends_with_the_reason_when_its_node_dies(anvil):
    pipeline = new_pipeline()
    async with running(lane_for(anvil, pipeline), pipeline) as run:
        await started(run)
        anvil.process.kill()
        with pytest.raises(NodeUnreachable, match=f"lost ws://127.0.0.1:{anvil.port}"):
            await asyncio.wait_for(run.lane_task, 10)


async def test_an_unreachable_node_is_named():
    port = free_port()
    with pytest.raises(NodeUnreachable, match=f"no answer from ws://127.0.0.1:{port}"):
        await RpcLane(f"ws://127.0.0.1:{port}", SystemClock()).run(ArrivalQueue(10))


async def test_a_node_of_another_chain_is_refused(anvil):
    with pytest.raises(InputError, match="expected chain id 1, the node says 0x7a69"):
        await RpcLane(anvil.url, SystemClock(), chain_id=1).run(ArrivalQueue(10))

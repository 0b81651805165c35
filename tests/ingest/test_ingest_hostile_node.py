"""A node that lies: whatever it sends is refused with a reason, kept, counted, and harms nothing else."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec
import pytest
from ingest_anvil import until
from ingest_run import new_pipeline, running, transfer
from websockets.asyncio.server import serve

from mev_dagster.chain.blocks import header_hash
from mev_dagster.chain.jsonrpc import header_from_rpc, transaction_to_rpc
from mev_dagster.chain.trie import ordered_trie_root
from mev_dagster.events.types import BlockReverted, BlockSeen, LaneState, LaneStatus, TxBody, TxRejected
from mev_dagster.ingest.lanes.rpc import RpcLane
from mev_dagster.ingest.queue import ArrivalQueue
from mev_dagster.telemetry.clock import SystemClock

GENESIS = {"hash": "0x" + "11" * 32, "parentHash": "0x" + "00" * 32, "number": "0x0"}


class HostileNode:
    """Answers what a lane needs to start, and otherwise says what the test wants."""

    def __init__(self, answers=None, pending=()) -> None:
        self.answers = {
            "eth_chainId": "0x7a69",
            "eth_subscribe": lambda params: "0x" + params[0],
            "web3_clientVersion": "liar/1",
            "eth_getBlockByNumber": GENESIS,
            "eth_getBlockByHash": None,
            "txpool_content": {"pending": {}, "queued": {}},
            **(answers or {}),
        }
        self.pending = pending

    async def announce(self, header) -> None:
        note = {"params": {"subscription": "0xnewHeads", "result": header}}
        await self.subscriber.send(msgspec.json.encode(note).decode())

    async def serve(self, websocket) -> None:
        async for message in websocket:
            request = msgspec.json.decode(message)
            if request["method"] == "eth_subscribe":
                self.subscriber = websocket
            answer = self.answers.get(request["method"], "nonsense")
            if callable(answer):
                answer = answer(request["params"])
            await websocket.send(msgspec.json.encode({"id": request["id"], "result": answer}).decode())
            if request["method"] == "txpool_content":
                for body in self.pending:
                    note = {"params": {"subscription": "0xnewPendingTransactions", "result": body}}
                    await self.subscriber.send(msgspec.json.encode(note).decode())


@asynccontextmanager
async def following(node: HostileNode):
    async with serve(node.serve, "127.0.0.1", 0) as server:
        pipeline = new_pipeline()
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        lane = RpcLane(url, SystemClock(), knows=pipeline.knows)
        async with running(lane, pipeline) as run:
            yield run


def altered(**fields):
    return {**transaction_to_rpc(transfer(0)), **fields}


@pytest.mark.parametrize(
    ("offered", "reason"),
    [
        (altered(value="0x5"), "hash_mismatch"),
        (altered(nonce="not a number"), "bad_json_field"),
        (altered(type="0x63"), "unknown_type"),
        (altered(**{"from": "0x" + "22" * 20}), "sender_mismatch"),
        ({"hash": "0x" + "33" * 32}, "bad_json_field"),
        ({"hash": 5}, "bad_notification"),
        ("0x1234", "bad_notification"),
        (["a", "list"], "bad_notification"),
        (None, "bad_notification"),
    ],
)
async def test_what_is_no_transaction_is_rejected_and_the_next_one_is_taken(offered, reason):
    genuine = transfer(1)
    async with following(HostileNode(pending=[offered, transaction_to_rpc(genuine)])) as run:
        await until(lambda: run.of(TxBody), "the genuine transaction")
    (rejected,) = run.of(TxRejected)
    assert rejected.reason == reason
    assert len(rejected.digest) == 32
    assert [body.raw for body in run.of(TxBody)] == [genuine.raw]


async def test_bytes_fetched_for_a_hash_that_are_not_its_transaction_are_rejected():
    wanted, other = transfer(0), transfer(1)
    node = HostileNode(
        {"eth_getRawTransactionByHash": "0x" + other.raw.hex()}, pending=["0x" + wanted.hash.hex()]
    )
    async with following(node) as run:
        await until(lambda: run.of(TxRejected), "the rejection")
    (rejected,) = run.of(TxRejected)
    assert (rejected.reason, rejected.digest) == ("hash_mismatch", wanted.hash)
    assert not run.of(TxBody)


@pytest.mark.parametrize("raw", ["0xzz", 7, {"a": 1}])
async def test_a_fetched_body_that_is_no_hex_is_rejected(raw):
    node = HostileNode({"eth_getRawTransactionByHash": raw}, pending=["0x" + "44" * 32])
    async with following(node) as run:
        await until(lambda: run.of(TxRejected), "the rejection")
    assert run.of(TxRejected)[0].reason == "bad_hex"


async def test_a_body_that_comes_late_is_fetched_again_until_it_is_had():
    wanted, answers = transfer(0), [None, "0x", ""]

    def late(_):
        return answers.pop() if answers else "0x" + wanted.raw.hex()

    node = HostileNode({"eth_getRawTransactionByHash": late}, pending=["0x" + wanted.hash.hex()])
    async with following(node) as run:
        await until(lambda: run.of(TxBody), "the body")
    assert run.of(TxBody)[0].raw == wanted.raw


async def test_a_body_that_its_node_never_gives_is_asked_for_at_the_next_one():
    wanted = transfer(0)
    mute = HostileNode(
        {"eth_getRawTransactionByHash": None, "eth_getTransactionByHash": None},
        pending=["0x" + wanted.hash.hex()],
    )
    helpful = HostileNode({"eth_getTransactionByHash": transaction_to_rpc(wanted)})
    lying = HostileNode({"eth_getTransactionByHash": transaction_to_rpc(transfer(5))})
    together: list[RpcLane] = []
    pipeline, tasks, queue = new_pipeline(), [], ArrivalQueue(1_000)
    async with AsyncExitStack() as stack:
        for node in (mute, lying, helpful):
            server = await stack.enter_async_context(serve(node.serve, "127.0.0.1", 0))
            url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            together.append(RpcLane(url, SystemClock(), knows=pipeline.knows, together=together))
        async with running(together[0], pipeline, queue) as run:
            tasks += [asyncio.create_task(lane.run(queue)) for lane in together[1:]]
            await until(lambda: wanted.hash in run.hashes(TxBody), "the body from the third node")
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    assert run.hashes(TxBody) == {wanted.hash}


@pytest.mark.parametrize(
    "pool", [None, [], {}, {"pending": ["0x1"]}, {"pending": {"0x1": []}}, {"pending": None}, "none", 7]
)
async def test_a_pool_in_the_wrong_form_holds_nobody_up(pool):
    genuine = transfer(1)
    node = HostileNode({"txpool_content": pool}, pending=[transaction_to_rpc(genuine)])
    async with following(node) as run:
        await until(lambda: run.of(TxBody), "the announced transaction")
        assert not run.lane_task.done()


@pytest.mark.parametrize("part", ["pending", "queued", "baseFee"])
async def test_every_part_of_a_pool_is_read(part):
    pool = {part: {"0xa": {"0": transaction_to_rpc(transfer(0))}}}
    async with following(HostileNode({"txpool_content": pool})) as run:
        await until(lambda: run.of(TxBody), "the transaction")
    assert run.of(TxBody)[0].source.endswith("/txpool")


async def test_a_pool_with_garbage_among_transactions_gives_the_transactions():
    genuine = transaction_to_rpc(transfer(0))
    pool = {"pending": {"0xa": {"0": genuine, "1": {"hash": "0x1"}}}, "queued": {"0xb": {"0": 5}}}
    async with following(HostileNode({"txpool_content": pool})) as run:
        await until(lambda: any(e.state == LaneState.RESYNCED for e in run.of(LaneStatus)), "the resync")
    assert [body.tx_hash for body in run.of(TxBody)] == [transfer(0).hash]
    assert len(run.of(TxRejected)) == 2


@pytest.mark.parametrize("head", [{}, [], "latest", {**GENESIS, "hash": "0x12"}, None])
async def test_a_head_in_the_wrong_form_is_set_aside_and_the_lane_goes_on(head):
    genuine = transfer(1)
    node = HostileNode({"eth_getBlockByNumber": head}, pending=[transaction_to_rpc(genuine)])
    async with following(node) as run:
        await until(lambda: run.of(TxBody), "the announced transaction")
        assert not run.lane_task.done()


async def test_the_blocks_after_a_refused_one_come_in_behind_a_gap(anvil):
    """A node that falsifies one block of an otherwise genuine chain."""
    anvil.mine(3)
    real = {n: anvil.call("eth_getBlockByNumber", hex(n), True) for n in range(4)}
    by_hash = {block["hash"]: block for block in real.values()}
    falsified = {**real[2], "gasUsed": "0x1"}
    node = HostileNode(
        {
            "eth_getBlockByNumber": lambda params: real[1],
            "eth_getBlockByHash": lambda params: {**by_hash, real[2]["hash"]: falsified}[params[0]],
        }
    )
    async with following(node) as run:
        await until(lambda: run.head() == 1, "block 1")
        for number in (2, 3):
            await node.announce(real[number])
        await until(lambda: run.head() == 3, "block 3")
    gaps = [event for event in run.of(LaneStatus) if event.state == LaneState.GAP]
    assert [(gap.count, gap.reason) for gap in gaps] == [(1, "no block between the last head and block 3")]


async def test_a_block_refused_once_is_taken_when_the_node_is_honest(anvil):
    anvil.mine(4)
    real = {n: anvil.call("eth_getBlockByNumber", hex(n), True) for n in range(5)}
    by_hash = {block["hash"]: block for block in real.values()}
    served = {**by_hash, real[2]["hash"]: {**real[2], "gasUsed": "0x1"}}
    node = HostileNode(
        {
            "eth_getBlockByNumber": lambda params: real[1],
            "eth_getBlockByHash": lambda params: served[params[0]],
        }
    )
    async with following(node) as run:
        await until(lambda: run.head() == 1, "block 1")
        for number in (2, 3):
            await node.announce(real[number])
        await until(lambda: run.head() == 3, "block 3")
        served.update(by_hash)
        await node.announce(real[4])
        await until(lambda: run.head() == 4, "block 4")
    assert [event.number for event in run.of(BlockSeen)] == [1, 3, 2, 3, 4]
    assert [event.number for event in run.of(BlockReverted)] == [3]


@pytest.mark.parametrize("field", ["number", "timestamp", "gasLimit", "slotNumber"])
async def test_a_block_with_a_field_no_table_holds_is_refused_and_the_lane_goes_on(field):
    block = huge_block(field)
    node = HostileNode({"eth_getBlockByHash": block, "eth_getBlockByNumber": block}, pending=[altered()])
    async with following(node) as run:
        await until(lambda: run.of(TxBody), "the pending transaction")
        await until(lambda: run.queue.dropped, "the refusal")
    assert not run.of(BlockSeen)
    assert [reason for _, _, reason in run.queue.dropped] == ["block_refused"]


def huge_block(field):
    """A block that is its hash, with one number out of all range."""
    zeros = dict.fromkeys(("sha3Uncles", "stateRoot", "receiptsRoot", "mixHash"), "0x" + "00" * 32)
    numbers = dict.fromkeys(("difficulty", "number", "gasLimit", "gasUsed", "timestamp"), "0x0")
    block = {
        **zeros, **numbers, "parentHash": "0x" + "11" * 32, "miner": "0x" + "00" * 20, "extraData": "0x",
        "logsBloom": "0x" + "00" * 256, "nonce": "0x" + "00" * 8, "baseFeePerGas": "0x1",
        "transactionsRoot": "0x" + ordered_trie_root([]).hex(), "uncles": [], "transactions": [],
    }  # fmt: skip
    if field == "slotNumber":
        later = ("withdrawalsRoot", "parentBeaconBlockRoot", "requestsHash", "blockAccessListHash")
        block |= dict.fromkeys(later, "0x" + "00" * 32)
        block |= {"blobGasUsed": "0x0", "excessBlobGas": "0x0"}
    block[field] = hex(2**64)
    return {**block, "hash": "0x" + header_hash(header_from_rpc(block)).hex()}


async def test_a_block_that_is_not_its_hash_is_refused_and_the_lane_goes_on():
    node = HostileNode({"eth_getBlockByHash": {**GENESIS, "transactions": []}}, pending=[altered()])
    async with following(node) as run:
        await until(lambda: run.of(TxBody), "the pending transaction")
    assert not any(type(event).__name__ == "BlockSeen" for event in run.events)

"""What peers are told beside an execution node that is down, late, lost or on another chain."""

import asyncio

import pytest
from ingest_anvil import until

from mev_dagster.chain.forks import DEVNET_CHAIN_ID
from mev_dagster.chain.jsonrpc import quantity
from mev_dagster.errors import NodeAnswerError, NodeUnreachable
from mev_dagster.ingest.lanes.p2p_upgrade import UpgradingChain
from mev_dagster.telemetry.clock import SystemClock

BLOCK = {
    "parentHash": "0x" + "00" * 32, "sha3Uncles": "0x" + "00" * 32, "miner": "0x" + "00" * 20,
    "stateRoot": "0x" + "00" * 32, "transactionsRoot": "0x" + "00" * 32, "receiptsRoot": "0x" + "00" * 32,
    "logsBloom": "0x" + "00" * 256, "difficulty": "0x0", "number": "0x0", "gasLimit": "0x1",
    "gasUsed": "0x0", "timestamp": "0x1", "extraData": "0x", "mixHash": "0x" + "00" * 32,
    "nonce": "0x" + "00" * 8,
}  # fmt: skip


class Node:
    """Answers once it is up; a devnet that every node of ours knows."""

    shown_url = "http://node.example"

    def __init__(self, chain_id: int = DEVNET_CHAIN_ID, *, up: bool = False) -> None:
        self.chain_id, self.up = chain_id, up

    def call(self, method, params=()):
        if not self.up:
            raise NodeUnreachable("down")
        return {"eth_chainId": quantity(self.chain_id), "eth_getBlockByNumber": BLOCK}.get(method)

    def batch_settled(self, calls):
        return [NodeAnswerError("no such method") for _ in calls]


def chain_beside(node: Node, *, chain_id: int | None = None) -> UpgradingChain:
    return UpgradingChain(SystemClock(), chain_id, "", connect=lambda _: node, retry_seconds=0.01)


async def test_a_node_that_is_down_keeps_nobody_from_dialling_and_is_taken_when_it_answers():
    node = Node()
    chain = chain_beside(node)
    await asyncio.wait_for(chain.prepare(), 5)
    assert not chain.upgraded
    following = asyncio.create_task(chain.follow())
    node.up = True
    await until(lambda: chain.upgraded, "the upgrade")
    following.cancel()
    status = chain.statuses.own_status(69, None)
    assert status is not None
    assert status.network_id == DEVNET_CHAIN_ID
    node.up = False
    assert chain.statuses.own_status(69, None) == status  # a node that dies leaves its last head


@pytest.mark.parametrize("answer", [None, "chain", 7, "<html>"])
async def test_an_endpoint_that_is_no_node_is_none(answer):
    node = Node(up=True)
    node.call = lambda method, params=(): answer
    chain = chain_beside(node)
    await asyncio.wait_for(chain.prepare(), 5)
    assert not chain.upgraded


async def test_a_node_of_another_chain_than_the_one_wanted_is_not_believed():
    chain = chain_beside(Node(up=True), chain_id=1)
    await asyncio.wait_for(chain.prepare(), 5)
    assert not chain.upgraded

"""The play on a real anvil: what the script promises happens, and happens the same way every time."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from mev_dagster.chain.blocks import Block
from mev_dagster.chain.envelope import ACCESS_LIST, BLOB, DYNAMIC_FEE, LEGACY, SET_CODE
from mev_dagster.demo.anvil import AnvilNode
from mev_dagster.demo.cast import Cast
from mev_dagster.demo.scenario import Scenario, anvil_arguments
from mev_dagster.demo.script import SCRIPT, Extra, Move
from mev_dagster.demo.slot import Sending
from mev_dagster.node.websocket import NodeConnection
from mev_dagster.telemetry.clock import SystemClock

pytestmark = pytest.mark.anvil


@dataclass(frozen=True)
class Played:
    block: Block
    sent: tuple[Sending, ...]
    reverted: frozenset[bytes]

    @property
    def landed(self) -> list[str]:
        """What landed, in block order."""
        what = {sending.transaction.hash: sending.what for sending in self.sent}
        return [what[transaction.hash] for transaction in self.block.transactions]

    @property
    def missing(self) -> set[str]:
        landed = {transaction.hash for transaction in self.block.transactions}
        return {sending.what for sending in self.sent if sending.transaction.hash not in landed}


async def stage(binary: str, acts: int) -> list[Played]:
    with (
        tempfile.TemporaryDirectory() as folder,
        AnvilNode(*anvil_arguments(Cast(), Path(folder)), binary=Path(binary)) as node,
    ):
        connection = await NodeConnection.open(node.ws_url, SystemClock())
        scenario = Scenario(connection, clock=SystemClock())
        parent = await scenario.prepare()
        played = []
        async for block, sent in scenario.play(parent, script=SCRIPT[:acts], slot_seconds=0.01):
            receipts = await connection.call("eth_getBlockReceipts", hex(block.header.number))
            reverted = frozenset(
                bytes.fromhex(receipt["transactionHash"][2:])
                for receipt in receipts
                if receipt["status"] == "0x0"
            )
            played.append(Played(block, sent, reverted))
        await connection.close()
        return played


@pytest.fixture(scope="module")
async def played(anvil_binary) -> list[Played]:
    return await stage(anvil_binary, len(SCRIPT))


@pytest.mark.asyncio(loop_scope="module")
async def test_played_again_the_same_blocks_come_out_hash_for_hash(played, anvil_binary):
    again = await stage(anvil_binary, 3)
    assert [one.block.hash for one in again] == [one.block.hash for one in played[:3]]


def test_every_slot_brings_a_blockful_of_traffic(played):
    assert all(17 <= len(one.sent) <= 32 for one in played)
    assert sum(len(one.sent) for one in played) > 340


def test_every_type_of_transaction_reaches_the_mempool(played):
    seen = {sending.transaction.type for one in played for sending in one.sent}
    assert seen == {LEGACY, ACCESS_LIST, DYNAMIC_FEE, BLOB, SET_CODE}


def succeeded(one: Played, what: str) -> bool:
    own = {sending.transaction.hash for sending in one.sent if sending.what == what}
    return bool(own) and not own & one.reverted


def test_the_rivals_sandwiches_enclose_their_victims(played):
    for one, act in zip(played, SCRIPT, strict=True):
        if act.rival is Move.SANDWICH:
            front = one.landed.index("rival frontrun")
            assert one.landed[front : front + 3] == ["rival frontrun", "whale", "rival backrun"]
            assert all(succeeded(one, what) for what in ("rival frontrun", "whale", "rival backrun"))


def test_the_rivals_backruns_follow_their_victims(played):
    for one, act in zip(played, SCRIPT, strict=True):
        if act.rival is Move.BACKRUN:
            assert one.landed[one.landed.index("rival backrun") - 1] == "whale"
            assert succeeded(one, "rival backrun")


def test_the_keeper_closes_at_the_top_of_a_block_what_the_last_one_left_open(played):
    closed = 0
    for one in played:
        arbitrages = one.landed.count("keeper arbitrage")
        assert one.landed[:arbitrages] == ["keeper arbitrage"] * arbitrages
        assert not arbitrages or succeeded(one, "keeper arbitrage")
        closed += arbitrages
    assert closed > 15
    # What the rival has closed behind its victim, nobody needs to close again.
    backrun = next(index for index, act in enumerate(SCRIPT) if act.rival is Move.BACKRUN)
    assert played[1].landed.count("keeper arbitrage") == 0
    assert played[2].landed.count("keeper arbitrage") > 0
    assert played[backrun].landed[0] == "whale"


def test_what_is_replaced_overdrawn_or_blobs_never_lands(played):
    for one, act in zip(played, SCRIPT, strict=True):
        expected = {
            Extra.REPLACEMENT: "replaced",
            Extra.OVERDRAFT: "overdraft",
            Extra.BLOB: "blob",
        }
        assert one.missing == {expected[extra] for extra in act.extras if extra in expected}


def test_a_hopeful_swap_lands_and_reverts(played):
    for one, act in zip(played, SCRIPT, strict=True):
        hopeful = [s.transaction.hash for s in one.sent if s.what == "failing swap"]
        assert bool(hopeful) == (Extra.FAILING_SWAP in act.extras)
        assert set(hopeful) <= one.reverted

"""The node engine on a real geth: the same results and digests as the reference, rule by rule."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from conformance_geth import geth
from evm_probes import PROBES
from evm_worlds import (
    ALICE,
    BOB,
    CONTRACT,
    DAVE,
    PRAGUE,
    assert_same_on_a_node,
    push,
    store,
    transaction,
    world,
)

from mev_dagster.chain.forks import Fork
from mev_dagster.errors import UnsupportedFork
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.node.engine import NodeEngine
from mev_dagster.evm.node.forks import schedule_of
from mev_dagster.evm.state.rpc_state import RpcState, fetch_header
from mev_dagster.evm.types import BlockEnv

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]

COUNTER = store(0, push(0) + b"\x54" + push(1) + b"\x01") + b"\x5f\x5f\x5f\x5f\x34\x41\x5a\xf1\x00"
FORKS = [Fork.CANCUN, Fork.PRAGUE, Fork.OSAKA, Fork.BPO2]


@asynccontextmanager
async def node_of(folder: Path, fork: Fork) -> AsyncIterator[NodeEngine]:
    """A geth whose chain consists of a genesis with CONTRACT in it."""
    contract = {"balance": "0x0", "nonce": "0x1", "code": "0x" + COUNTER.hex()}
    alloc = {"0x" + CONTRACT.hex(): contract, "0x" + BOB.hex(): {"balance": hex(10**20)}}
    async with geth(folder, ALICE, chain_id=31_337, fork=fork, alloc=alloc) as client:
        yield NodeEngine(client.rpc)


def above(engine: NodeEngine, env: BlockEnv) -> BlockEnv:
    """Return the same block as the one that follows the node's only one."""
    return replace(env, number=1, parent_hash=fetch_header(engine._rpc, 0).parent_hash)


@pytest.mark.parametrize("fork", FORKS)
async def test_every_rule_gives_on_geth_what_it_gives_on_the_reference(tmp_path, fork, record_property):
    wrong, executed = {}, 0
    async with node_of(tmp_path, fork) as node:
        assert schedule_of(node._rpc).fork_at(1, 1_700_000_000) == fork
        for probe in PROBES:
            env, txs = above(node, probe.environment(fork)), probe.transactions(fork)
            state = replace(probe.state(), block_hashes={0: bytes(32)})
            ours, theirs = (
                engine.simulate(state, env, txs, begin_block=False) for engine in (get_engine(), node)
            )
            executed += len(txs)
            # geth's tracer lists the authority of an authorization for another chain, which nobody looks at.
            authorities = [signed.authority for tx in txs for signed in tx.authorization_list]
            try:
                assert_same_on_a_node(ours, theirs, also_read=authorities)
            except AssertionError as difference:
                wrong[probe.name] = str(difference)[:600]
    record_property("transactions", executed)
    assert not wrong


async def test_a_public_chain_refuses_blocks_past_a_fork_that_only_the_node_knows(tmp_path):
    begins = 1_790_000_000
    async with geth(tmp_path, ALICE, chain_id=1, fork=Fork.OSAKA, since=begins) as client:
        schedule = schedule_of(client.rpc)
        assert schedule.fork_at(25_000_000, begins - 1) == Fork.BPO2
        env = replace(PRAGUE, chain_id=1, number=25_000_000, fork=schedule.fork_at(25_000_000, begins))
        with pytest.raises(UnsupportedFork):
            get_engine().simulate(world(), env, [])


async def test_the_nodes_own_state_is_pinned_and_proven(tmp_path):
    async with node_of(tmp_path, Fork.PRAGUE) as node:
        rpc = node._rpc
        txs = [
            transaction(0, value_wei=3),
            transaction(1, type=0),
            transaction(0, nonce=1, to=None, data=push(1) + b"\x5f\x53" + push(1) + b"\x5f\xf3"),
            transaction(1, nonce=7),
            transaction(0, nonce=2, to=DAVE, value_wei=1),
        ]
        results = [
            engine.simulate(RpcState.at(rpc, 0), above(node, PRAGUE), txs, begin_block=False)
            for engine in (get_engine(), node)
        ]
        assert [tx.error for tx in results[1].txs] == ["", "", "", "nonce_too_high", ""]
        assert results[1].state_diff[CONTRACT].storage == {0: 2}
        assert_same_on_a_node(*results)


async def test_trials_on_geth_leave_nothing(tmp_path):
    async with node_of(tmp_path, Fork.PRAGUE) as node:
        state, env = world(COUNTER), above(node, PRAGUE)
        ours, theirs = (
            engine.session(state, env, [transaction(0)], begin_block=False) for engine in (get_engine(), node)
        )
        bundle = [transaction(1, value_wei=8), transaction(2)]
        assert_same_on_a_node(ours.run(bundle), theirs.run(bundle))
        assert theirs.run(bundle) == theirs.run(bundle)

"""The node engine on a real anvil: the same results and digests as the reference."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from evm_probes import PROBES
from evm_worlds import (
    ALICE,
    BOB,
    CONTRACT,
    GWEI,
    PRAGUE,
    assert_same_on_a_node,
    push,
    store,
    transaction,
    world,
)

from mev_dagster.bench.uniswap import ETHER, SANDWICH_GAS, build, find_modules
from mev_dagster.chain.forks import Fork
from mev_dagster.demo.anvil import AnvilNode
from mev_dagster.errors import InputError, NodeUnreachable, UnsupportedFork
from mev_dagster.evm.block_files import load_block_file
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.node.engine import NodeEngine, has_instruction
from mev_dagster.evm.parity import check_file
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.state.rpc_state import RpcState
from mev_dagster.evm.types import TxStatus
from mev_dagster.node.http import JsonRpc

COUNTER = store(0, push(0) + b"\x54" + push(1) + b"\x01") + b"\x5f\x5f\x5f\x5f\x34\x41\x5a\xf1\x00"
REVERTS = push(1) + b"\x5f\x52" + push(32) + b"\x5f\xfd"
HALTS = b"\xfe"
CLEARS = store(1, push(0)) + store(2, push(9)) + push(7) + push(0) + b"\xa1"


@pytest.fixture(scope="module")
def rpc(anvil_binary) -> Iterator[JsonRpc]:
    with (
        AnvilNode("--hardfork", "prague", "--no-mining", binary=Path(anvil_binary)) as node,
        JsonRpc(node.http_url) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def node(rpc) -> NodeEngine:
    return NodeEngine(rpc)


@pytest.mark.parametrize("code", [COUNTER, REVERTS, HALTS, CLEARS, b""], ids=str)
def test_a_batch_on_a_captured_state_is_the_same(node, code):
    state = world(code, storage={1: 5})
    txs = [
        transaction(0, value_wei=3),
        transaction(1, data=b"\x01\x02"),
        transaction(0, nonce=1, type=0),
        transaction(2, nonce=5),
        transaction(3, to=BOB, value_wei=1),
        transaction(3, nonce=1, to=None, data=push(1) + b"\x5f\x53" + push(1) + b"\x5f\xf3"),
        transaction(1, nonce=1, to=b"\x77" * 20, value_wei=2),
    ]
    ours, theirs = (engine.simulate(state, PRAGUE, txs) for engine in (get_engine(), node))
    assert [tx.error for tx in theirs.txs] == ["", "", "", "nonce_too_high", "", "", ""]
    assert_same_on_a_node(ours, theirs)


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_a_rule_gives_on_the_node_what_it_gives_on_the_reference(node, probe):
    env, txs = probe.environment(Fork.PRAGUE), probe.transactions(Fork.PRAGUE)
    state = replace(probe.state(), block_hashes={number: bytes([number]) * 32 for number in range(100)})
    ours, theirs = (engine.simulate(state, env, txs, begin_block=False) for engine in (get_engine(), node))
    if probe.name == "code that begins with EF":  # anvil creates nothing, so the reference says why it halts
        assert theirs == replace(ours, engine="node")
    else:
        assert_same_on_a_node(ours, theirs)


def test_an_instruction_is_told_from_data_that_looks_like_one():
    wanted = frozenset({0x40})
    assert has_instruction(push(1) + b"\x40", wanted)
    assert not has_instruction(push(0x40) + b"\x50", wanted)
    assert not has_instruction(b"\x7f" + b"\x40" * 32, wanted)
    assert not has_instruction(b"", wanted)


def test_trials_on_a_session_are_the_same_and_leave_nothing(node):
    state, prefix, bundle = world(COUNTER), [transaction(0)], [transaction(1, value_wei=8)]
    ours, theirs = (engine.session(state, PRAGUE, prefix) for engine in (get_engine(), node))
    assert_same_on_a_node(ours.run(bundle), theirs.run(bundle))
    assert theirs.run(bundle) == theirs.run(bundle)


def test_a_uniswap_sandwich_is_the_same(node):
    modules = find_modules(Path(__file__).resolve().parent)
    if modules is None:
        pytest.skip("Uniswap's npm packages are absent: run `make setup` with Node.js installed")
    uniswap = build(get_engine(), modules)
    bundle = (*uniswap.sandwich(), uniswap.swap(0, ETHER, nonce=3, min_out=ETHER))
    ours, theirs = (
        engine.simulate(uniswap.state, uniswap.env, bundle, begin_block=False)
        for engine in (get_engine(), node)
    )
    assert tuple(tx.gas_used for tx in theirs.txs[:3]) == SANDWICH_GAS
    assert_same_on_a_node(ours, theirs)


def test_the_nodes_own_state_needs_no_overrides(node, rpc):
    rpc.call("anvil_setBalance", ["0x" + ALICE.hex(), hex(10 * ETHER)])
    rpc.call("anvil_setCode", ["0x" + CONTRACT.hex(), "0x" + COUNTER.hex()])
    rpc.call("evm_mine")
    number = int(rpc.call("eth_blockNumber"), 16)
    env = replace(PRAGUE, number=number + 1)
    txs = [transaction(0), transaction(0, nonce=1, value_wei=5)]
    ours, theirs = (
        engine.simulate(RpcState.at(rpc, number), env, txs, begin_block=False)
        for engine in (get_engine(), node)
    )
    assert theirs.state_diff[CONTRACT].storage == {0: 2}
    assert_same_on_a_node(ours, theirs)


@pytest.mark.fixtures
def test_a_mainnet_block_comes_out_equal_on_the_node(anvil_binary, fixtures):
    file = load_block_file(fixtures / "blocks_prestate" / "22615247.json.zst")
    flags = ("--hardfork", "prague", "--chain-id", "1", "--no-mining", "--no-request-size-limit")
    with AnvilNode(*flags, binary=Path(anvil_binary)) as process, JsonRpc(process.http_url) as client:
        parity = check_file(file, NodeEngine(client))
    assert parity.differences == ()
    assert parity.receipts_root_matches
    assert parity.state_root_matches
    assert parity.state_diff_hash == check_file(file, get_engine()).state_diff_hash


def test_absent_state_is_missing_though_the_node_would_say_zero(node):
    found = world(push(9) + b"\x54\x00")
    state = Prestate(found.accounts, found.codes, lists_every_account=True)
    result = node.simulate(state, PRAGUE, [transaction(0)], begin_block=False).txs[0]
    assert (result.status, result.error) == (TxStatus.INVALID, "missing_state")
    assert result.detail.startswith("storage 0x" + CONTRACT.hex())


def test_what_a_node_does_not_check_is_judged_before(node):
    txs = [
        transaction(0, nonce=3),
        transaction(0, max_fee_per_gas_wei=GWEI, max_priority_fee_per_gas_wei=0),
        transaction(0, gas_limit=40_000_000),
    ]
    result = node.simulate(world(COUNTER), PRAGUE, txs, begin_block=False)
    assert [tx.error for tx in result.txs] == ["nonce_too_high", "fee_below_base", "gas_limit_above_block"]


def test_another_chain_or_fork_is_refused(node):
    with pytest.raises(InputError, match="runs chain 31337"):
        node.simulate(world(), replace(PRAGUE, chain_id=1), [])
    with pytest.raises(UnsupportedFork, match="as PRAGUE, not OSAKA"):
        node.simulate(world(), replace(PRAGUE, fork=Fork.OSAKA), [])


def test_a_node_that_ends_is_unreachable(anvil_binary):
    with AnvilNode("--hardfork", "prague", binary=Path(anvil_binary)) as process:
        engine = NodeEngine(JsonRpc(process.http_url))
    with pytest.raises(NodeUnreachable, match=r"127\.0\.0\.1"):
        engine.simulate(world(), PRAGUE, [transaction(0)], begin_block=False)

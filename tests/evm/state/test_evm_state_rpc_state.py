"""State loaded from a real anvil node: proven, recorded, replayed offline."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from evm_worlds import COINBASE, KEYS, push, store

from mev_dagster.chain.blocks import Block
from mev_dagster.chain.forks import Fork, devnet_schedule
from mev_dagster.chain.jsonrpc import block_from_rpc
from mev_dagster.chain.keccak import EMPTY_CODE_HASH
from mev_dagster.chain.signing import address_of, create_address, sign_transaction
from mev_dagster.chain.transactions import AccessListEntry
from mev_dagster.demo.anvil import AnvilNode
from mev_dagster.errors import CaptureError, InputError, MissingState, NodeAnswerError
from mev_dagster.evm.blocks import block_env, execute_block
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.native import native_is_installed
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.state.prestate_store import PrestateStore
from mev_dagster.evm.state.rpc_state import RpcState, fetch_header
from mev_dagster.evm.types import ABSENT_ACCOUNT
from mev_dagster.node.http import JsonRpc

SENDER = address_of(KEYS[0])
CHAIN = devnet_schedule(Fork.PRAGUE)
# Counts its calls in slot 0 and keeps the last caller's value in slot 1.
RUNTIME = store(0, push(0) + b"\x54" + push(1) + b"\x01") + store(1, b"\x34") + b"\x00"
INIT = push(len(RUNTIME)) + push(12) + b"\x5f\x39" + push(len(RUNTIME)) + b"\x5f\xf3"
COUNTER = create_address(SENDER, 0)


@pytest.fixture(scope="module")
def rpc(anvil_binary) -> Iterator[JsonRpc]:
    with (
        AnvilNode("--hardfork", "prague", "--no-mining", binary=Path(anvil_binary)) as node,
        JsonRpc(node.http_url) as client,
    ):
        client.call("anvil_setBalance", ["0x" + SENDER.hex(), hex(10**20)])
        client.call("anvil_setCoinbase", ["0x" + COINBASE.hex()])
        mine(client, send(0, to=None, data=INIT.ljust(12, b"\x00") + RUNTIME))
        mine(client, send(1), send(2, value_wei=5))
        mine(client, send(3, value_wei=6))
        yield client


@pytest.fixture(params=["py_evm", "revm"])
def engine(request):
    if request.param == "revm" and not native_is_installed():
        pytest.skip("mev_native is not installed: run `make native`")
    return get_engine(request.param)


def send(nonce: int, **fields):
    defaults = {"chain_id": 31_337, "to": COUNTER, "gas_limit": 200_000}
    fees = {"max_fee_per_gas_wei": 10**10, "max_priority_fee_per_gas_wei": 10**9}
    return sign_transaction(KEYS[0], nonce=nonce, **(defaults | fees | fields))


def mine(rpc: JsonRpc, *txs) -> int:
    for tx in txs:
        rpc.call("eth_sendRawTransaction", ["0x" + tx.raw.hex()])
    rpc.call("evm_mine")
    return int(rpc.call("eth_blockNumber"), 16)


def block(rpc: JsonRpc, number: int) -> Block:
    return block_from_rpc(rpc.call("eth_getBlockByNumber", [hex(number), True]))


def test_a_mined_block_comes_out_equal_from_lazy_state(rpc, engine):
    for number in (2, 3):
        found = block(rpc, number)
        assert found.transactions
        result = execute_block(engine, RpcState.at(rpc, number - 1), found, CHAIN)
        assert result.gas_used == found.header.gas_used
        assert result.receipts_root == found.header.receipts_root


def test_what_was_recorded_gives_the_same_offline(rpc, engine, tmp_path):
    found = block(rpc, 2)
    state = RpcState.at(rpc, 1)
    online = execute_block(engine, state, found, CHAIN)
    recorded = state.recorded()
    offline = execute_block(engine, recorded, found, CHAIN)
    assert offline == online
    store_ = PrestateStore(tmp_path)
    digest = store_.put(recorded)
    assert store_.put(recorded) == digest
    assert store_.digests() == [digest]
    assert execute_block(engine, store_.get(digest), found, CHAIN) == online


def test_a_recording_holds_nothing_that_was_not_read(rpc):
    state = RpcState.at(rpc, 1)
    state.prefetch([(COUNTER, (0, 1, 2)), (b"\x99" * 20, ())], codes=True)
    state.account(COUNTER)
    state.storage(COUNTER, 1)
    recorded = state.recorded()
    assert set(recorded.accounts) == {COUNTER}
    assert recorded.accounts[COUNTER].storage == {1: 0}
    with pytest.raises(MissingState):
        recorded.storage(COUNTER, 0)


def test_an_account_that_is_not_there_is_absent(rpc):
    assert RpcState.at(rpc, 1).account(b"\x98" * 20) == ABSENT_ACCOUNT


def test_code_is_asked_for_once(rpc):
    state = RpcState.at(rpc, 1)
    code_hash = state.account(COUNTER).code_hash
    before = rpc.requests
    assert state.code(code_hash) == state.code(code_hash) == RUNTIME
    assert state.code(EMPTY_CODE_HASH) == b""
    assert rpc.requests - before == 1
    with pytest.raises(MissingState):
        state.code(b"\x01" * 32)


def test_prefetching_takes_two_batches_and_execution_asks_no_more(rpc, engine):
    found = block(rpc, 3)
    state = RpcState.at(rpc, 2)
    tx = send(3, value_wei=6, access_list=[AccessListEntry(COUNTER, ((0).to_bytes(32), (1).to_bytes(32)))])
    state.prefetch_transactions([tx], found.header.coinbase)
    before = rpc.requests
    env = block_env(found.header, CHAIN)
    result = engine.simulate(state, env, [tx], begin_block=False)
    assert result.txs[0].status == "success"
    assert rpc.requests == before


def test_hints_load_what_a_transaction_touches_in_three_round_trips(rpc, engine):
    found = block(rpc, 3)
    state = RpcState.at(rpc, 2)
    before = rpc.round_trips
    state.prefetch_hints([send(3, value_wei=6)])
    state.prefetch_transactions([send(3, value_wei=6)], found.header.coinbase)
    assert rpc.round_trips - before <= 5
    before = rpc.requests
    env = block_env(found.header, CHAIN)
    result = engine.simulate(state, env, [send(3, value_wei=6)], begin_block=False)
    assert result.txs[0].status == "success"
    assert rpc.requests == before


def test_a_node_without_hints_gives_none(rpc, monkeypatch):
    state = RpcState.at(rpc, 2)
    monkeypatch.setattr(
        rpc, "batch_settled", lambda calls: [NodeAnswerError("no such method") for _ in calls]
    )
    state.prefetch_hints([send(3)])
    assert state.recorded().accounts == {}


def test_the_next_block_asks_only_for_what_changed(rpc, engine):
    found = block(rpc, 2)
    state = RpcState.at(rpc, 1)
    result = execute_block(engine, state, found, CHAIN)
    state.prefetch([(COUNTER, (7,))])
    state.advance(found.header, result.state_diff)
    assert state.recorded().accounts == {}
    before = rpc.requests
    assert state.storage(COUNTER, 7) == 0
    assert rpc.requests == before
    assert state.storage(COUNTER, 0) == 2
    assert rpc.requests == before + 1
    following = execute_block(engine, state, block(rpc, 3), CHAIN)
    assert following == execute_block(engine, RpcState.at(rpc, 2), block(rpc, 3), CHAIN)


def test_a_proof_under_another_root_is_refused(rpc):
    other = fetch_header(rpc, 1).state_root
    state = RpcState(rpc, 3, state_root=other)
    with pytest.raises(NodeAnswerError, match=SENDER.hex()):
        state.account(SENDER)


def test_a_block_the_node_does_not_have_is_a_bad_answer(rpc):
    with pytest.raises(NodeAnswerError, match="has no block 99"):
        RpcState.at(rpc, 99)
    with pytest.raises(MissingState, match="block_hash 99"):
        RpcState.at(rpc, 1).block_hash(99)


def test_block_hashes_are_the_nodes(rpc):
    assert RpcState.at(rpc, 2).block_hash(1) == block(rpc, 1).hash


def test_an_altered_prestate_is_refused(tmp_path):
    store_ = PrestateStore(tmp_path)
    digest = store_.put(Prestate({SENDER: ABSENT_ACCOUNT}, {}))
    other = store_.put(Prestate({}, {}))
    folder = tmp_path / "prestate"
    path, swapped = (folder / f"{name.hex()}.json.zst" for name in (digest, other))
    path.write_bytes(swapped.read_bytes())
    with pytest.raises(CaptureError, match="altered"):
        store_.get(digest)
    path.write_bytes(b"\x28\xb5\x2f\xfd")
    with pytest.raises(CaptureError, match="truncated or altered"):
        store_.get(digest)
    with pytest.raises(InputError, match="no such prestate"):
        store_.get(b"\x00" * 32)


def test_a_pinned_state_stays_when_the_chain_goes_on(rpc):
    first = RpcState.at(rpc, 1).account(SENDER)
    mine(rpc, send(4))
    assert RpcState.at(rpc, 1).account(SENDER) == first

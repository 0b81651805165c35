"""State loaded from a real anvil node by the batch, with both local engines."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from evm_worlds import ALICE, BOB, COINBASE, CONTRACT, PRAGUE, push, store, transaction

from mev_dagster.chain.forks import Fork
from mev_dagster.cli import main
from mev_dagster.demo.anvil import AnvilNode
from mev_dagster.errors import InputError
from mev_dagster.evm.blocks import execute_block
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.native import native_is_installed
from mev_dagster.evm.node.blocks import load_block
from mev_dagster.evm.node.forks import schedule_of
from mev_dagster.evm.state.prestate_store import PrestateStore
from mev_dagster.evm.state.rpc_rounds import load_by_rounds
from mev_dagster.evm.state.rpc_state import RpcState, fetch_header
from mev_dagster.node.http import JsonRpc

LIBRARY = bytes.fromhex("1b" * 20)
# Twenty slots in a row are added up; then the account that slot 99 names is called.
READS = b"\x5f" + b"".join(push(slot) + b"\x54\x01" for slot in range(20)) + push(40) + b"\x55"
CALLS = push(0) * 4 + push(0) + push(99) + b"\x54" + push(50_000) + b"\xf1" + push(41) + b"\x55"
READER = READS + CALLS + store(42, push(90) + b"\x40") + b"\x00"
COUNTS = store(0, push(0) + b"\x54" + push(1) + b"\x01") + b"\x00"
# Slot 0 names the slot to read next, thirty times over: every round finds one more.
LINKED = b"\x5f" + b"\x54" * 30 + push(200) + b"\x55\x00"
CHAINED = bytes.fromhex("c4" * 20)


needs_revm = pytest.mark.skipif(
    not native_is_installed(), reason="mev_native is not installed: run `make native`"
)


@pytest.fixture(params=["py_evm", pytest.param("revm", marks=needs_revm)])
def engine(request):
    return get_engine(request.param)


@pytest.fixture(scope="module")
def rpc(anvil_binary) -> Iterator[JsonRpc]:
    with (
        AnvilNode("--hardfork", "prague", "--no-mining", binary=Path(anvil_binary)) as node,
        JsonRpc(node.http_url) as client,
    ):
        for who in (ALICE, BOB):
            client.call("anvil_setBalance", ["0x" + who.hex(), hex(10**20)])
        for address, code in ((CONTRACT, READER), (LIBRARY, COUNTS), (CHAINED, LINKED)):
            client.call("anvil_setCode", ["0x" + address.hex(), "0x" + code.hex()])
        slots = {(CONTRACT, slot): slot * 3 for slot in range(20)}  # the first a zero that anvil keeps
        slots |= {(CONTRACT, 99): int.from_bytes(LIBRARY, "big")}
        slots |= {(CHAINED, slot): slot + 1 for slot in range(30)}
        for (address, slot), value in slots.items():
            words = [f"{number:#066x}" for number in (slot, value)]
            client.call("anvil_setStorageAt", ["0x" + address.hex(), *words])
        client.call("anvil_setCoinbase", ["0x" + COINBASE.hex()])
        for _ in range(100):
            client.call("evm_mine")
        for sent in (transaction(0, gas_limit=500_000), transaction(1, gas_limit=500_000)):
            client.call("eth_sendRawTransaction", ["0x" + sent.raw.hex()])
        client.call("evm_mine")
        yield client


def test_rounds_load_all_that_is_read_and_execution_asks_no_more(rpc, engine):
    state, sent = RpcState.at(rpc, 100), [transaction(0, gas_limit=500_000)]
    env = replace(PRAGUE, number=101)
    lazy = engine.simulate(RpcState.at(rpc, 100), env, sent, begin_block=False)
    before = rpc.round_trips
    rounds = load_by_rounds(state, lambda source: engine.simulate(source, env, sent, begin_block=False))
    assert rounds <= 5  # who takes part, what it runs and reads, whom that calls, what those read
    assert rpc.round_trips - before <= 3 * rounds
    before = rpc.requests
    result = engine.simulate(state, env, sent, begin_block=False)
    assert rpc.requests == before
    assert result == lazy
    assert result.state_diff[CONTRACT].storage[40] == sum(slot * 3 for slot in range(20))
    assert result.state_diff[LIBRARY].storage == {0: 1}


def test_rounds_cost_fewer_round_trips_than_asking_one_by_one(rpc, engine):
    sent, env = [transaction(0, gas_limit=500_000)], replace(PRAGUE, number=101)

    def execute(source):
        return engine.simulate(source, env, sent, begin_block=False)

    state, before = RpcState.at(rpc, 100), rpc.round_trips
    execute(state)
    one_by_one = rpc.round_trips - before
    state, before = RpcState.at(rpc, 100), rpc.round_trips
    load_by_rounds(state, execute)
    assert 2 * (rpc.round_trips - before) < one_by_one


def test_a_recording_made_by_rounds_is_that_of_asking_one_by_one(rpc, engine, tmp_path):
    sent, env = [transaction(0, gas_limit=500_000)], replace(PRAGUE, number=101)
    lazy, loaded = RpcState.at(rpc, 100), RpcState.at(rpc, 100)
    load_by_rounds(loaded, lambda source: engine.simulate(source, env, sent, begin_block=False))
    online = [engine.simulate(state, env, sent, begin_block=False) for state in (lazy, loaded)]
    assert loaded.recorded().digest() == lazy.recorded().digest()
    digest = PrestateStore(tmp_path).put(loaded.recorded())
    offline = engine.simulate(PrestateStore(tmp_path).get(digest), env, sent, begin_block=False)
    assert offline == online[0] == online[1]


def test_what_outlasts_the_rounds_is_asked_for_one_by_one(rpc, engine):
    state, env = RpcState.at(rpc, 100), replace(PRAGUE, number=101)
    sent = [transaction(0, to=CHAINED, gas_limit=500_000)]
    made = load_by_rounds(
        state, lambda source: engine.simulate(source, env, sent, begin_block=False), max_rounds=8
    )
    assert made == 8
    before = rpc.requests
    result = engine.simulate(state, env, sent, begin_block=False)
    assert result.state_diff[CHAINED].storage == {200: 30}
    assert rpc.requests > before


def test_a_mined_block_comes_out_equal_and_needs_nothing_after_loading(rpc, engine):
    loaded = load_block(rpc, 101, engine)
    assert len(loaded.block.transactions) == 2
    before = rpc.requests
    result = execute_block(engine, loaded.state, loaded.block, loaded.schedule)
    assert result.receipts_root == loaded.block.header.receipts_root
    assert result.gas_used == loaded.block.header.gas_used
    assert rpc.requests == before


def test_the_next_block_asks_only_for_what_changed(rpc, engine):
    state, env = RpcState.at(rpc, 100), replace(PRAGUE, number=101)
    mined = load_block(rpc, 101, engine).block

    def execute(source):
        return engine.simulate(source, env, mined.transactions, begin_block=False)

    load_by_rounds(state, execute)
    diff = execute(state).state_diff
    state.advance(fetch_header(rpc, 101), diff)
    before = rpc.requests
    again = [transaction(0, nonce=1, gas_limit=500_000)]
    load_by_rounds(state, lambda source: engine.simulate(source, env, again, begin_block=False))
    # The sender, both contracts and the coinbase have changed, and with them four slots; no code has.
    assert rpc.requests - before <= 8
    fresh = engine.simulate(RpcState.at(rpc, 101), env, again, begin_block=False)
    assert engine.simulate(state, env, again, begin_block=False) == fresh


def test_a_state_that_forgets_asks_again_and_gives_the_same(rpc, engine):
    state = RpcState(rpc, 100, accounts_kept=1, slots_kept=3, codes_kept=1)
    env, sent = replace(PRAGUE, number=101), [transaction(0, gas_limit=500_000)]
    diff = engine.simulate(state, env, sent, begin_block=False).state_diff
    state.advance(fetch_header(rpc, 101), diff)
    before = rpc.requests
    again = [transaction(0, nonce=1, gas_limit=500_000)]
    found = engine.simulate(state, env, again, begin_block=False)
    assert rpc.requests - before > 20
    assert found == engine.simulate(RpcState.at(rpc, 101), env, again, begin_block=False)
    with pytest.raises(InputError, match="does not follow"):
        state.advance(fetch_header(rpc, 101), {})


@pytest.mark.parametrize("name", ["py_evm", "node", pytest.param("revm", marks=needs_revm)])
def test_simulate_takes_a_block_of_a_node_and_tells_its_cost(rpc, name, capsys, tmp_path):
    arguments = ["simulate", "101", "--rpc", rpc.shown_url, "--engine", name, "--store", str(tmp_path)]
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--json"])
    document = json.loads(capsys.readouterr().out)
    assert not ended.value.code
    assert document["receipts_root_matches"] is True
    assert [tx["status"] for tx in document["txs"]] == ["success"] * 2
    assert 0 < document["round_trips"] < document["requests"] < 80
    assert document["bytes_received"] > document["bytes_sent"] > 0
    (digest,) = PrestateStore(tmp_path).digests()
    assert document["prestate"] == "0x" + digest.hex()
    with pytest.raises(SystemExit):
        main(arguments)
    assert "round trips" in capsys.readouterr().out


def test_simulate_says_what_a_node_cannot_give(rpc, capsys):
    for block, says in (("latest", "a block number is expected"), ("0", "only a block with a parent")):
        with pytest.raises(SystemExit) as ended:
            main(["simulate", block, "--rpc", rpc.shown_url])
        assert ended.value.code == 2
        assert says in capsys.readouterr().err


def test_anvil_names_its_fork_whatever_its_chain(rpc):
    assert schedule_of(rpc).fork_at(0, 0) == Fork.PRAGUE

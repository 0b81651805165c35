"""What a live search reads of a node: the same state by rounds as one by one, in fewer round trips."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from evm_worlds import ALICE, BOB, CONTRACT, PRAGUE, push, transaction

from mev_dagster.demo.anvil import AnvilNode
from mev_dagster.events.types import BlockSeen, Lane
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.native import native_is_installed
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.state.rpc_state import RpcState
from mev_dagster.features.mempool import PendingSet, PendingTx
from mev_dagster.node.http import JsonRpc
from mev_dagster.search.from_log import loaded

PAIR = bytes.fromhex("9a" * 20)
READS_TEN_SLOTS = b"".join(push(slot) + b"\x54\x50" for slot in range(10)) + b"\x00"


@pytest.fixture(scope="module")
def rpc(anvil_binary) -> Iterator[JsonRpc]:
    with (
        AnvilNode("--hardfork", "prague", "--no-mining", binary=Path(anvil_binary)) as node,
        JsonRpc(node.http_url) as client,
    ):
        for who in (ALICE, BOB):
            client.call("anvil_setBalance", ["0x" + who.hex(), hex(10**20)])
        client.call("anvil_setCode", ["0x" + CONTRACT.hex(), "0x" + READS_TEN_SLOTS.hex()])
        client.call("anvil_setCode", ["0x" + PAIR.hex(), "0x00"])
        client.call("evm_mine")
        yield client


def load(rpc: JsonRpc, engine: str) -> tuple[Prestate, int]:
    head = BlockSeen(1, 1, 1, Lane.RPC, "test", 2, bytes(32), bytes(32), b"", ())
    sent = (transaction(0, data=b"\x01"), transaction(1, data=b"\x02"))
    pending = PendingSet(head, tuple(PendingTx(tx, 1, 1, False) for tx in sent), 0)
    state, env = RpcState.at(rpc, 1), replace(PRAGUE, number=2)
    before = rpc.round_trips
    prestate = loaded(state, env, pending, get_engine(engine), [PAIR])
    return replace(prestate, fallback=None), rpc.round_trips - before


@pytest.mark.skipif(not native_is_installed(), reason="mev_native is not installed: run `make native`")
def test_both_engines_find_the_same_state_and_the_fast_one_asks_less_often(rpc):
    reference, one_by_one = load(rpc, "py_evm")
    fast, by_rounds = load(rpc, "revm")
    assert fast.digest() == reference.digest()
    assert set(fast.accounts[CONTRACT].storage) == set(range(10))
    assert by_rounds < one_by_one
    assert by_rounds <= 8

"""What engines tell beyond results, call tree and analytics, is equal field by field."""

from dataclasses import fields, replace
from pathlib import Path

import pytest
from evm_programs import FORKS, programs
from evm_worlds import (
    ALICE,
    ETHER,
    LOCAL_ENGINES,
    NEEDS_NATIVE,
    PRAGUE,
    at,
    push,
    store,
    transaction,
    world,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from mev_dagster.chain.forks import Fork
from mev_dagster.chain.signing import create_address
from mev_dagster.demo.anvil import AnvilNode
from mev_dagster.evm.block_files import block_paths, load_block_file
from mev_dagster.evm.blocks import execute_block
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.node.engine import NodeEngine
from mev_dagster.evm.state.prestate import AccountOverride
from mev_dagster.evm.types import CallFrame, Output, TxResult, Want
from mev_dagster.node.http import JsonRpc

ALL = Want(calls=True, analytics=True)
OTHER = bytes.fromhex("dd" * 20)
CALLS_OTHER = b"\x5f" * 5 + push(int.from_bytes(OTHER, "big"))
COUNTS = store(0, push(0) + b"\x54" + push(1) + b"\x01")
RETURNS_WORD = push(7) + b"\x5f\x52" + push(32) + b"\x5f\xf3"
CREATES_NOTHING = b"\x5f\x5f\x5f\xf0\x00"

CASES = {
    "a plain transfer": (b"", b""),
    "calls that answer": (CALLS_OTHER + b"\x5a\xf1\x00", RETURNS_WORD),
    "a call that reverts": (CALLS_OTHER + b"\x5a\xf1\x00", RETURNS_WORD[:-1] + b"\xfd"),
    "a call that halts": (CALLS_OTHER + push(9_000) + b"\xf1\x00", b"\xfe"),
    "a static call that may not write": (b"\x5f" * 4 + CALLS_OTHER[5:] + push(30_000) + b"\xfa\x00", COUNTS),
    "borrowed code": (b"\x5f" * 4 + CALLS_OTHER[5:] + b"\x5a\xf4" + CALLS_OTHER + b"\x5a\xf2\x00", COUNTS),
    "a call of nothing": (b"\x5f" * 4 + push(1) + push(0xEE) + b"\x5a\xf1\x00", b""),
    "a call beyond its funds": (b"\x5f" * 4 + push(ETHER) + CALLS_OTHER[5:] + b"\x5a\xf1\x00", COUNTS),
    "a creation of nothing": (CREATES_NOTHING, b""),
    "code that creates": (push(0x60016000F3) + b"\x5f\x52" + push(5) + push(27) + b"\x5f\xf0\x00", b""),
    "a precompile that fails": (b"\x5f" * 2 + push(1) + b"\x5f" * 2 + push(9) + push(99) + b"\xf1\x00", b""),
    "calls without end": (b"\x5f" * 5 + b"\x30\x5a\xf1\x00", b""),
}


def assert_equal(reference: TxResult, found: TxResult) -> None:
    """Name the first field that differs: a whole result is pages long."""
    for field in fields(TxResult):
        assert getattr(found, field.name) == getattr(reference, field.name), field.name


@NEEDS_NATIVE
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("fork", [Fork.BYZANTIUM, Fork.BERLIN, Fork.PRAGUE])
def test_both_local_engines_tell_the_same(case, fork):
    ours, others = CASES[case]
    state = world(ours).with_overrides({OTHER: AccountOverride(code=others)})
    kind = {"type": 0} if fork < Fork.LONDON else {"type": 2}
    txs = [transaction(0, value_wei=3, **kind), transaction(1, to=None, data=ours, **kind)]
    reference, native = (
        get_engine(name, want=ALL).simulate(state, at(fork), txs).txs for name in ("py_evm", "revm")
    )
    for wanted, found in zip(reference, native, strict=True):
        assert wanted.calls
        assert_equal(wanted, found)


@NEEDS_NATIVE
def test_a_creation_on_a_taken_address_is_a_call_that_failed():
    state = world().with_overrides({create_address(ALICE, 0): AccountOverride(nonce=1)})
    tx = transaction(0, to=None, data=b"\x00")
    reference, native = (
        get_engine(name, want=ALL).simulate(state, PRAGUE, [tx]).txs[0] for name in ("py_evm", "revm")
    )
    assert [call.error for call in reference.calls] == ["ContractCreationCollision"]
    assert_equal(reference, native)


@NEEDS_NATIVE
@settings(max_examples=60, deadline=None)
@given(
    code=programs,
    fork=st.sampled_from([fork for fork in FORKS if fork != Fork.CONSTANTINOPLE]),
    gas=st.sampled_from([60_000, 300_000]),
)
def test_code_that_nobody_would_write_is_metered_the_same(code, fork, gas):
    common = {"type": 0 if fork < Fork.LONDON else 2, "gas_limit": gas}
    common["chain_id"] = 31_337 if fork >= Fork.SPURIOUS_DRAGON else None
    txs = [transaction(0, value_wei=7, **common), transaction(0, nonce=1, to=None, data=code, **common)]
    reference, native = (
        get_engine(name, want=ALL).simulate(world(code, storage={0: 1}), at(fork), txs).txs
        for name in ("py_evm", "revm")
    )
    for wanted, found in zip(reference, native, strict=True):
        assert found.analytics == wanted.analytics
        assert without_reasons(found) == without_reasons(wanted)


def without_reasons(result: TxResult) -> list[CallFrame]:
    """Return the calls. Of several reasons for a halt each engine names the one it meets first."""
    kept = {"": "", "Reverted": "Reverted"}
    return [replace(call, error=kept.get(call.error, "halted")) for call in result.calls]


def assert_block_equal(path: Path) -> None:
    file = load_block_file(path)
    reference, native = (
        execute_block(get_engine(name, want=ALL), file.prestate, file.block, file.chain_id).sim
        for name in ("py_evm", "revm")
    )
    assert native.state_diff_hash == reference.state_diff_hash
    for wanted, found in zip(reference.txs, native.txs, strict=True):
        assert wanted.calls
        assert wanted.analytics is not None
        assert_equal(wanted, found)


@NEEDS_NATIVE
@pytest.mark.fixtures
@pytest.mark.parametrize("number", [1150000, 6196166, 11814555, 12520364])
def test_a_mainnet_block_is_told_the_same(fixtures, number):
    assert_block_equal(fixtures / "blocks_prestate" / f"{number}.json.zst")


@NEEDS_NATIVE
@pytest.mark.fixtures
@pytest.mark.long
def test_every_mainnet_block_is_told_the_same(fixtures):
    paths = block_paths(fixtures / "blocks_prestate")
    assert len(paths) == 40
    for path in paths:
        assert_block_equal(path)


def test_a_node_tells_its_calls_and_says_what_it_lacks(anvil_binary):
    state = world(CASES["borrowed code"][0]).with_overrides({OTHER: AccountOverride(code=COUNTS)})
    txs = [transaction(0, value_wei=3), transaction(1, gas_limit=26_000), transaction(2, to=ALICE)]
    ours = get_engine(want=ALL).simulate(state, PRAGUE, txs)
    with (
        AnvilNode("--hardfork", "prague", "--no-mining", binary=Path(anvil_binary)) as node,
        JsonRpc(node.http_url) as rpc,
    ):
        engine = NodeEngine(rpc, want=ALL)
        theirs = engine.simulate(state, PRAGUE, txs)
    assert {Output.ANALYTICS, Output.HALT_REASON} <= engine.lacks
    assert Output.CALLS not in engine.lacks
    assert any(call.error == "OutOfGas" for call in ours.txs[1].calls)
    for mine, other in zip(ours.txs, theirs.txs, strict=True):
        assert (other.status, other.analytics) == (mine.status, None)
        assert without_reasons(other) == without_reasons(mine)


@pytest.mark.parametrize("name", LOCAL_ENGINES)
def test_the_local_engines_lack_nothing(name):
    assert get_engine(name).lacks == frozenset()

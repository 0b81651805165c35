"""The fast interpreter against py-evm's own loop, on code that nobody would write."""

from dataclasses import replace

import pytest
from evm_programs import FORKS, programs
from evm_worlds import ALICE, at, push, transaction, world
from hypothesis import given, settings
from hypothesis import strategies as st

from mev_dagster.chain.forks import Fork
from mev_dagster.evm.py_evm.engine import PyEvmEngine
from mev_dagster.evm.py_evm.program import InstructionSet
from mev_dagster.evm.state.prestate import AccountOverride
from mev_dagster.evm.types import SimResult, TxStatus, Want

FAST, REFERENCE = PyEvmEngine(want=Want(calls=True)), PyEvmEngine(reference=True, want=Want(calls=True))


def comparable(result: SimResult) -> SimResult:
    """Leave out which of several reasons for a halt was met first."""
    txs = tuple(
        replace(
            tx,
            detail="" if tx.status is TxStatus.HALTED else tx.detail,
            calls=tuple(replace(call, error=call.error and "failed") for call in tx.calls),
        )
        for tx in result.txs
    )
    return replace(result, txs=txs)


@settings(max_examples=150, deadline=None)
@given(
    code=programs,
    data=st.binary(max_size=70),
    fork=st.sampled_from(FORKS),
    gas=st.sampled_from([60_000, 300_000]),
)
def test_both_interpreters_give_the_same(code, data, fork, gas):
    state = world(code, storage={0: 1, 1: 0, 255: 2**255}).with_overrides(
        {ALICE: AccountOverride(balance_wei=10**20)}
    )
    fees = {"type": 0} if fork < Fork.LONDON else {}
    protected = 31_337 if fork >= Fork.SPURIOUS_DRAGON else None
    txs = [
        transaction(0, data=data, gas_limit=gas, value_wei=7, chain_id=protected, **fees),
        transaction(0, nonce=1, to=None, data=code, gas_limit=gas, chain_id=protected, **fees),
        transaction(0, nonce=2, data=b"", gas_limit=gas, chain_id=protected, **fees),
    ]
    fast, reference = (engine.simulate(state, at(fork), txs) for engine in (FAST, REFERENCE))
    assert comparable(fast) == comparable(reference)


@pytest.mark.parametrize("depth", [1023, 1024, 1025])
def test_the_stack_holds_1024_items(depth):
    state = world(push(1) * depth + b"\x00")
    for engine in (FAST, REFERENCE):
        result = engine.simulate(state, at(Fork.PRAGUE), [transaction(0)]).txs[0]
        assert (result.status is TxStatus.SUCCESS) == (depth <= 1024)


def test_growing_within_a_block_counts_even_when_it_shrinks_again():
    state = world(push(1) * 1025 + b"\x50\x00")
    for engine in (FAST, REFERENCE):
        assert engine.simulate(state, at(Fork.PRAGUE), [transaction(0)]).txs[0].detail == "FullStack"


def test_a_jump_into_pushed_data_is_refused():
    jumps = push(3) + b"\x56" + b"\x60\x5b\x00"  # the 0x5b belongs to PUSH1
    for engine in (FAST, REFERENCE):
        assert (
            engine.simulate(world(jumps), at(Fork.PRAGUE), [transaction(0)]).txs[0].status is TxStatus.HALTED
        )


@given(st.binary(max_size=200))
def test_jump_destinations_are_those_outside_of_pushed_data(code):
    expected, pc = set(), 0
    while pc < len(code):
        if code[pc] == 0x5B:
            expected.add(pc)
        pc += 1 + max(0, code[pc] - 0x5F) if 0x60 <= code[pc] <= 0x7F else 1
    program = InstructionSet({}, warmth=True).program(code)
    assert {pc for pc in range(len(code)) if program.jump_target(pc) is not None} == expected

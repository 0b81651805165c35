"""Instruction by instruction, and where two engines part."""

import json
from dataclasses import replace

import pytest
from evm_probes import PROBES
from evm_worlds import ALICE, CONTRACT, PRAGUE, push, transaction, world

from mev_dagster.chain.forks import Fork
from mev_dagster.cli import main
from mev_dagster.errors import InputError
from mev_dagster.evm.block_files import load_block_file
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.explain import explain
from mev_dagster.evm.native import native_is_installed
from mev_dagster.evm.parity import check_file
from mev_dagster.evm.trace import Trace, first_difference, trace

SLOT = push(5) + b"\x54\x50"  # reads slot 5
if native_is_installed():
    from mev_dagster.evm.revm.session import SPECS, RevmSession

needs_revm = pytest.mark.skipif(
    not native_is_installed(), reason="mev_native is not installed: run `make native`"
)


@pytest.fixture(params=["py_evm", pytest.param("revm", marks=needs_revm)])
def engine(request) -> str:
    return request.param


def test_a_trace_shows_every_instruction(engine):
    state = world(SLOT + b"\x00", storage={5: 77})
    steps = trace(state, PRAGUE, [transaction(0), transaction(1)], 1, engine=engine)
    assert [(step.depth, step.pc, step.opcode) for step in steps] == [
        (0, 0, 0x60),
        (0, 2, 0x54),
        (0, 3, 0x50),
        (0, 4, 0x00),
    ]
    assert (steps[1].stack_height, steps[1].stack_top) == (1, (5,))
    assert steps[2].stack_top == (77,)
    assert steps[1].gas_left == 100_000 - 21_000 - 3
    assert str(steps[1]) == "depth 0 pc 2 SLOAD gas 78997 stack [0x5]"


def test_calls_are_shown_below_their_callers(engine):
    called = push(0) * 5 + push(int.from_bytes(ALICE, "big")) + b"\x5a\xf1"
    itself = push(0) * 5 + push(int.from_bytes(CONTRACT, "big")) + push(5_000) + b"\xf1\x00"
    depths = [
        step.depth for step in trace(world(called + itself), PRAGUE, [transaction(0)], 0, engine=engine)
    ]
    assert depths[0] == 0
    assert max(depths) > 0
    assert depths[-1] == 0


def test_no_more_is_kept_than_asked_for(engine):
    assert len(trace(world(SLOT), PRAGUE, [transaction(0)], 0, engine=engine, steps_kept=2)) == 2


def test_a_transaction_that_is_not_executed_has_no_instructions(engine):
    assert len(trace(world(SLOT), PRAGUE, [transaction(0, nonce=9)], 0, engine=engine)) == 0


def test_only_local_engines_show_instructions():
    with pytest.raises(InputError, match="the node engine shows no instructions"):
        trace(world(SLOT), PRAGUE, [transaction(0)], 0, engine="node")


@needs_revm
@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_both_engines_take_the_same_steps_through_every_probe(probe):
    for fork in (Fork.BYZANTIUM, Fork.LONDON, Fork.BPO2):
        env, txs = probe.environment(fork), probe.transactions(fork)
        state = replace(probe.state(), block_hashes={number: bytes([number]) * 32 for number in range(100)})
        for index in range(len(txs)):
            reference, other = (
                trace(state, env, txs, index, engine=name, begin_block=False) for name in ("py_evm", "revm")
            )
            assert first_difference(reference, other) == "", fork


def test_the_first_differing_instruction_is_named(engine):
    ours = trace(world(SLOT + b"\x00", storage={5: 1}), PRAGUE, [transaction(0)], 0)
    theirs = trace(world(SLOT + b"\x00", storage={5: 2}), PRAGUE, [transaction(0)], 0, engine=engine)
    assert first_difference(ours, ours) == ""
    assert first_difference(ours, theirs) == (
        "step 2: reference depth 0 pc 3 POP gas 76897 stack [0x1]; "
        "other depth 0 pc 3 POP gas 76897 stack [0x2]"
    )
    shorter = Trace(b"".join(ours.record(index) for index in range(3)))
    assert first_difference(ours, shorter) == (
        f"step 3: after {ours[2]} only the reference goes on with {ours[3]}"
    )
    assert first_difference(shorter, ours) == (
        f"step 3: after {ours[2]} only the other goes on with {ours[3]}"
    )


@pytest.fixture
def _faulty_fork(monkeypatch):
    """Let the native engine execute Shanghai's blocks by the rules before, which have no PUSH0."""
    monkeypatch.setitem(SPECS, Fork.SHANGHAI, "Merge")


@needs_revm
@pytest.mark.fixtures
@pytest.mark.usefixtures("_faulty_fork")
def test_parity_names_the_instruction_at_which_a_faulty_engine_leaves_the_reference(fixtures, capsys):
    path = fixtures / "blocks_prestate" / "18426253.json.zst"
    with pytest.raises(SystemExit) as ended:
        main(["parity", str(path), "--engine", "revm", "--json"])
    captured = capsys.readouterr()
    failures = json.loads(captured.out)["failures"]
    (explained,) = (failure["explanation"] for failure in failures if "explanation" in failure)
    assert ended.value.code == 1
    assert explained.startswith(
        "transaction 1: py_evm is the reference, revm the other: "
        "step 2055: after depth 0 pc 7292 PUSH0 gas 190357 stack [0x128acb08"
    )
    assert "only the reference goes on with depth 0 pc 7293 MSTORE gas 190355" in explained
    assert explained in captured.err


@needs_revm
@pytest.mark.fixtures
def test_a_file_that_expects_something_else_is_told_from_a_faulty_engine(fixtures):
    file = load_block_file(fixtures / "blocks_prestate" / "22615247.json.zst")
    lied = replace(file.expected[3], gas_used=file.expected[3].gas_used + 1)
    file = replace(file, expected=(*file.expected[:3], lied, *file.expected[4:]))
    assert check_file(file, get_engine("revm")).count("gas") == 1
    assert explain(file) == "both engines give the same results for all 26 transactions"


@needs_revm
@pytest.mark.fixtures
def test_a_wrong_root_alone_names_the_accounts(fixtures, monkeypatch):
    file = load_block_file(fixtures / "blocks_prestate" / "22615247.json.zst")
    monkeypatch.setattr(RevmSession, "credit", lambda *_: None)  # forgets the withdrawals
    found = check_file(file, get_engine("revm"))
    assert [difference.what for difference in found.differences] == ["state_root"]
    assert "0x" + file.block.withdrawals[0].address.hex() in explain(file)

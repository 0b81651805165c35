"""geth's `evm statetest` and `evm blocktest` judge tests that are made here, and agree with what they say."""

from dataclasses import replace

import pytest
from geth_fixtures import block_test, judged, sealed, spoilt, state_test, with_test_hashes
from t8n_blocks import contract, made_block

from mev_dagster.chain.block_rules import check_contents, check_header
from mev_dagster.chain.blocks import check_body
from mev_dagster.chain.forks import Fork, devnet_schedule
from mev_dagster.errors import DecodeError, InvalidBlock
from mev_dagster.evm.engines import executes, get_engine
from mev_dagster.evm.native import native_is_installed
from mev_dagster.evm.parity import check
from mev_dagster.evm.state.prestate import Prestate

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]

FORKS = (Fork.CANCUN, Fork.PRAGUE, Fork.OSAKA, Fork.BPO1, Fork.BPO2, Fork.AMSTERDAM)
ENGINES = ["py_evm", *(["revm"] if native_is_installed() else [])]
STATE_BLOCKS, STATE_SIZE = 90, 4
BLOCKS, SIZE = 12, 40


def engines_of(fork):
    return [name for name in ENGINES if executes(name, fork)]


def small(seed, fork):
    """A block of a few transactions on a state that holds its own senders alone."""
    made = with_test_hashes(made_block(seed, fork, STATE_SIZE))
    senders = {tx.sender for tx in made.txs}
    kept = {
        address: account
        for address, account in made.state.accounts.items()
        if address in senders or account.nonce or address == contract(0)
    }
    state = Prestate(kept, made.state.codes, made.state.block_hashes, complete=True)
    return replace(made, state=state)


@pytest.mark.parametrize("fork", FORKS)
def test_geth_agrees_with_every_state_test(fork, tmp_path, count):
    blocks = [small(50_000 + seed, fork) for seed in range(STATE_BLOCKS)]
    for name in engines_of(fork):
        engine = get_engine(name)
        tests = {
            f"{seed}-{index}": state_test(made, tx, engine)
            for seed, made in enumerate(blocks)
            for index, tx in enumerate(made.txs)
        }
        failed = judged("statetest", tmp_path, tests)
        count(name, fork.name, "state tests (evm statetest)", len(tests), len(failed))
        assert not failed


@pytest.mark.parametrize("fork", FORKS)
def test_geth_imports_every_block_sealed_here_and_refuses_it_with_any_field_wrong(fork, tmp_path, count):
    schedule = devnet_schedule(fork, chain_id=1)
    for name in engines_of(fork):
        engine, tests, txs, refused = get_engine(name), {}, 0, 0
        for seed in range(BLOCKS):
            made = made_block(70_000 + seed, fork, SIZE)
            parent, block, _ = sealed(made, engine)
            check_header(parent, block.header, schedule)
            tests[f"{seed}"] = block_test(made, parent, block)
            txs += len(block.transactions)
            if seed:
                continue
            for field, wrong in spoilt(block):
                assert is_refused(parent, wrong, schedule, made.state, engine), field
                tests[f"{seed}-{field}"] = block_test(made, parent, wrong, valid=False)
                refused += 1
        failed = judged("blocktest", tmp_path, tests)
        count(name, fork.name, "blocks' (evm blocktest)", txs, len(failed))
        count(name, fork.name, "blocks to refuse", refused, 0)
        assert not failed


def is_refused(parent, block, schedule, state, engine):
    """Whether what is here would have the block: its header, its body, and what executing it gives."""
    try:
        check_header(parent, block.header, schedule)
        check_contents(block, schedule)
        check_body(block)
    except (InvalidBlock, DecodeError):
        return True
    state = replace(state, block_hashes={0: block.header.parent_hash})
    return bool(check(block, state, None, engine, chain=schedule).differences)


def test_geth_says_so_where_a_test_states_something_else(tmp_path):
    fork, engine = Fork.PRAGUE, get_engine()
    made = small(50_000, fork)
    right = state_test(made, made.txs[0], engine)
    (post,) = right["post"]["Prague"]
    wrong = [right | {"post": {"Prague": [post | {name: "0x" + "01" * 32}]}} for name in ("hash", "logs")]
    failed = judged("statetest", tmp_path, {"right": right, "0": wrong[0], "1": wrong[1]})
    assert sorted(failed) == ["0", "1"]
    parent, block, _ = sealed(made, engine)
    field, spoiled = next(spoilt(block))
    stated_valid = block_test(made, parent, spoiled)
    stated_invalid = block_test(made, parent, block, valid=False)
    failed = judged("blocktest", tmp_path, {field: stated_valid, "good": stated_invalid})
    assert sorted(failed) == sorted([field, "good"])

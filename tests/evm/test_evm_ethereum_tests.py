"""The Ethereum tests of the forks that shipped, on both local engines; how many ran is printed at the end.

Left out, because no network ever ran their rules: `EIPTests`, drafts of EIP-2537 with other prices and
addresses and of EOF; there the engines are held to each other. Blocks that break a rule of headers alone
(difficulty, gas limit, ancestry) are a consensus client's to refuse. No case is of Constantinople, which
revm lacks.
"""

from collections import Counter
from dataclasses import replace

import pytest
from evm_ethereum_tests import data, load, schedule_of, state_cases, state_of

from mev_dagster.chain.blocks import decode_block
from mev_dagster.chain.receipts import logs_hash
from mev_dagster.chain.transactions import decode_transaction
from mev_dagster.errors import DecodeError, InputError
from mev_dagster.evm.blocks import execute_block
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.native import native_is_installed
from mev_dagster.evm.types import TxStatus

pytestmark = pytest.mark.fixtures

# What a block's execution shows; the other rules that invalid blocks break are of headers alone.
SHOWN_BY_EXECUTION = ("TransactionException.", "BlockException.INVALID_GAS_USED")


@pytest.fixture(params=["py_evm", "revm"])
def engine(request):
    if request.param == "revm" and not native_is_installed():
        pytest.skip("mev_native is not installed: run `make native`")
    return get_engine(request.param)


def test_every_state_test_ends_in_its_state_and_logs(fixtures, engine, record_property):
    wrong, forks = [], Counter()
    for case in state_cases(fixtures, part="GeneralStateTests"):
        assert engine.supports(case.env.fork), case.name
        forks[case.env.fork.name] += 1
        try:
            tx = decode_transaction(case.raw_transaction)
        except DecodeError:
            if not case.expected_error:
                wrong.append(case.name)
            continue
        result = engine.simulate(case.prestate, case.env, [tx], begin_block=False)
        refused = result.txs[0].status is TxStatus.INVALID
        if (
            case.prestate.apply(result.state_diff).state_root() != case.state_root
            or logs_hash(result.txs[0].logs) != case.logs_hash
            or refused != bool(case.expected_error)
        ):
            wrong.append(case.name)
    record_property("state tests", ", ".join(f"{count} {fork}" for fork, count in forks.items()))
    assert not wrong
    assert forks.total() == 740


@pytest.mark.skipif(not native_is_installed(), reason="mev_native is not installed: run `make native`")
def test_on_drafts_the_engines_agree_with_each_other(fixtures, record_property):
    engines = [get_engine(name) for name in ("py_evm", "revm")]
    wrong, executed = [], 0
    for case in state_cases(fixtures, part="EIPTests"):
        tx = decode_transaction(case.raw_transaction)
        results = [engine.simulate(case.prestate, case.env, [tx], begin_block=False) for engine in engines]
        executed += 1
        if results[0].state_diff_hash != results[1].state_diff_hash:
            wrong.append(case.name)
    record_property("state tests of drafts, by the final rules", executed)
    assert not wrong
    assert executed == 945


def test_every_blockchain_test_gives_its_roots(fixtures, engine, record_property):
    forks, left_out, wrong, refused = Counter(), Counter(), [], 0
    for file, tests in load(fixtures / "ethereum_tests" / "blockchain_tests.json.zst").items():
        for name, test in tests.items():
            # Chains branch in these tests: the state after each block, by the block's hash.
            genesis = data(test["genesisBlockHeader"]["hash"])
            states = {genesis: replace(state_of(test["pre"]), block_hashes={0: genesis})}
            for item in test["blocks"]:
                expected = item.get("expectException", "")
                if expected.startswith(SHOWN_BY_EXECUTION):
                    refused += 1
                    if not is_refused(engine, item, states, test["network"]):
                        wrong.append(f"{file}:{name}: {expected}")
                    continue
                if expected:
                    left_out[expected.removeprefix("BlockException.")] += 1
                    continue
                block = decode_block(data(item["rlp"]), allow_high_s=True)
                parent, schedule = (
                    states[block.header.parent_hash],
                    schedule_of(test["network"], block.header),
                )
                result = execute_block(engine, parent, block, schedule)
                after = replace(
                    parent.apply(result.state_diff),
                    block_hashes={**parent.block_hashes, block.header.number: block.hash},
                )
                states[block.hash] = after
                forks[schedule.fork_at(block.header.number, block.header.timestamp).name] += 1
                if (
                    after.state_root() != block.header.state_root
                    or result.gas_used != block.header.gas_used
                    or result.receipts_root not in {None, block.header.receipts_root}
                ):
                    wrong.append(f"{file}:{name}:{block.header.number}")
    record_property("blocks", ", ".join(f"{count} {fork}" for fork, count in sorted(forks.items())))
    record_property("invalid blocks refused", refused)
    record_property("left out, rules of headers", ", ".join(f"{n} {why}" for why, n in left_out.items()))
    assert not wrong
    assert (forks.total(), refused) == (141, 9)


def is_refused(engine, item, states, network) -> bool:
    """Say whether a block is found to be invalid by decoding or executing it."""
    try:
        block = decode_block(data(item["rlp"]), allow_high_s=True)
        result = execute_block(
            engine, states[block.header.parent_hash], block, schedule_of(network, block.header)
        )
    except InputError:
        return True
    return result.gas_used != block.header.gas_used

"""The Ethereum tests of the forks that shipped, on both local engines.

Left out, because no network ever ran them: `EIPTests`, drafts of EIP-2537 with other prices and addresses
and of EOF. The merge by terminal difficulty is left out as well: here a fork starts at a number or a time.
"""

from dataclasses import replace

import pytest
from evm_ethereum_tests import data, load, schedule_of, state_cases, state_of

from mev_dagster.chain.blocks import decode_block
from mev_dagster.chain.receipts import logs_hash
from mev_dagster.chain.transactions import decode_transaction
from mev_dagster.errors import DecodeError
from mev_dagster.evm.blocks import execute_block
from mev_dagster.evm.engines import get_engine, native_is_installed
from mev_dagster.evm.types import TxStatus

pytestmark = pytest.mark.fixtures


@pytest.fixture(params=["py_evm", "revm"])
def engine(request):
    if request.param == "revm" and not native_is_installed():
        pytest.skip("mev_native is not installed: run `make native`")
    return get_engine(request.param)


def test_every_state_test_ends_in_its_state_and_logs(fixtures, engine):
    wrong = []
    for case in state_cases(fixtures, part="GeneralStateTests"):
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
    assert not wrong


def test_every_blockchain_test_gives_its_roots(fixtures, engine):
    checked, wrong = 0, []
    for file, tests in load(fixtures / "ethereum_tests" / "blockchain_tests.json.zst").items():
        for name, test in tests.items():
            if "AtDiff" in test["network"]:
                continue
            schedule = schedule_of(test["network"])
            # Chains branch in these tests: the state after each block, by the block's hash.
            genesis = data(test["genesisBlockHeader"]["hash"])
            states = {genesis: replace(state_of(test["pre"]), block_hashes={0: genesis})}
            for item in test["blocks"]:
                if "expectException" in item:
                    continue
                block = decode_block(data(item["rlp"]), allow_high_s=True)
                parent = states[block.header.parent_hash]
                result = execute_block(engine, parent, block, schedule)
                after = replace(
                    parent.apply(result.state_diff),
                    block_hashes={**parent.block_hashes, block.header.number: block.hash},
                )
                states[block.hash] = after
                checked += 1
                if (
                    after.state_root() != block.header.state_root
                    or result.gas_used != block.header.gas_used
                    or result.receipts_root not in {None, block.header.receipts_root}
                ):
                    wrong.append(f"{file}:{name}:{block.header.number}")
    assert not wrong
    assert checked > 100

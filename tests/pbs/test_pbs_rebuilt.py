"""Blocks of the main network, built again from their own transactions, hold no less than by the tip alone."""

import heapq
from collections import defaultdict

import pytest

from mev_dagster.evm.block_files import block_paths, load_block_file
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.native import native_is_installed
from mev_dagster.evm.state.protocol_accounts import knowing_protocol_accounts
from mev_dagster.evm.types import TxStatus
from mev_dagster.pbs.context import context_of
from mev_dagster.pbs.rebuilt import rebuild
from mev_dagster.search.inputs import known_only

FIRST_OF_PARIS = 15_537_394
FOLDERS = ("blocks_prestate", "blocks_recent")
# On the reference these take seconds; the fast engine is held to it elsewhere.
SMALL = {15_537_394, 19_910_734, 19_929_064, 19_934_116, 21_688_509, 22_615_247, 25_134_887}


def plain_value_wei(engine, block, schedule_id, state):
    """Take the highest tip that comes next of any sender, as a node without a builder does; judge nothing."""
    from mev_dagster.chain.networks import schedule_for

    env = context_of(block, schedule_for(schedule_id), 0).env(block.header.coinbase)
    session = engine.session(knowing_protocol_accounts(state, env), env)
    queues = defaultdict(list)
    for tx in sorted((tx for tx in block.transactions if tx.type != 3), key=lambda tx: tx.nonce):
        queues[tx.sender].append(tx)
    heads = [(-queue[0].effective_priority_fee_wei(env.base_fee_per_gas_wei), sender)
             for sender, queue in queues.items()]  # fmt: skip
    heapq.heapify(heads)
    value, gas_left = 0, env.gas_limit
    while heads:
        _, sender = heapq.heappop(heads)
        tx = queues[sender].pop(0)
        if tx.gas_limit <= gas_left:
            (result,) = session.commit((tx,))
            if result.status is not TxStatus.INVALID:
                value, gas_left = value + result.coinbase_payment_wei, gas_left - result.gas_used
        if queues[sender]:
            tip = queues[sender][0].effective_priority_fee_wei(env.base_fee_per_gas_wei)
            heapq.heappush(heads, (-tip, sender))
    return value


def test_every_block_since_the_merge_is_built_and_holds_no_less_than_plain_ordering(
    fixtures, record_property
):
    engine = get_engine("auto")
    built, better = 0, 0
    for path in (path for folder in FOLDERS for path in block_paths(fixtures / folder)):
        number = int(path.name.split(".")[0])
        if number < FIRST_OF_PARIS or not (native_is_installed() or number in SMALL):
            continue
        file = load_block_file(path)
        known = known_only(file.prestate)
        ours = rebuild(engine, file.block, file.prestate, known, file.chain_id)
        plain = plain_value_wei(engine, file.block, file.chain_id, file.prestate)
        assert "missing_state" not in ours.left_out, number
        assert ours.protocol_accounts_missing == 0, number
        assert ours.value_wei >= plain, number
        assert ours.value_wei == max(ours.values_wei.values())
        assert ours.included + sum(ours.left_out.values()) == ours.transactions
        built, better = built + 1, better + (ours.value_wei > plain)
    assert built == (18 if native_is_installed() else len(SMALL))
    assert better
    record_property("built", built)
    record_property("better than plain", better)


@pytest.mark.parametrize("number", [19_929_064, 22_615_247])
def test_the_landed_block_s_own_value_stands_beside_ours(fixtures, number):
    file = load_block_file(fixtures / "blocks_prestate" / f"{number}.json.zst")
    ours = rebuild(get_engine("auto"), file.block, file.prestate, file.prestate, file.chain_id)
    assert ours.chain_value_wei is not None
    assert ours.chain_value_wei > 0

"""What a block calls by itself is known on every captured state: that, and no more."""

from dataclasses import replace

import pytest

from mev_dagster.chain.forks import Fork
from mev_dagster.chain.requests import BEACON_ROOTS, CONSOLIDATION_REQUESTS, HISTORY, WITHDRAWAL_REQUESTS
from mev_dagster.errors import MissingState
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.state.protocol_accounts import HISTORY_LENGTH, knowing_protocol_accounts
from mev_dagster.evm.types import Account, BlockEnv

ENV = BlockEnv(
    chain_id=1,
    fork=Fork.PRAGUE,
    number=22_615_247,
    timestamp=1_748_747_807,
    coinbase=b"\xcb" * 20,
    gas_limit=30_000_000,
    base_fee_per_gas_wei=7,
    parent_hash=b"\x11" * 32,
    excess_blob_gas=0,
    parent_beacon_block_root=b"\x33" * 32,
)
NOTHING = Prestate({ENV.coinbase: Account(0, 0, bytes.fromhex(
    "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"))}, {})  # fmt: skip


@pytest.mark.parametrize(
    ("address", "code_hash"),  # as the main network has them
    [
        (BEACON_ROOTS, "f57acd40259872606d76197ef052f3d35588dadf919ee1f0e3cb9b62d3f4b02c"),
        (HISTORY, "6e49e66782037c0555897870e29fa5e552daf4719552131a0abce779daec0a5d"),
        (WITHDRAWAL_REQUESTS, "0345a365d2f4c5975b9f1599abe0a2ee76b7a3a731bc68781bd04c84e4858f50"),
        (CONSOLIDATION_REQUESTS, "78c6cb5202685228bbcbfb992b1c4e116c7ec5ef11e25b8e92716cfc628ddd60"),
    ],
)
def test_the_codes_are_the_deployed_ones(address, code_hash):
    assert knowing_protocol_accounts(NOTHING, ENV).account(address).code_hash.hex() == code_hash


def test_a_block_begins_and_ends_on_a_state_that_leaves_them_out():
    state = knowing_protocol_accounts(NOTHING, ENV)
    result = get_engine().simulate(state, ENV, (), end_block=True)
    entry = ENV.timestamp % HISTORY_LENGTH
    assert result.state_diff[BEACON_ROOTS].storage[entry] == ENV.timestamp
    assert set(result.state_diff[HISTORY].storage) == {(ENV.number - 1) % HISTORY_LENGTH}
    assert result.requests == ()


def test_other_entries_of_theirs_stay_unknown():
    state = knowing_protocol_accounts(NOTHING, ENV)
    with pytest.raises(MissingState):
        state.storage(BEACON_ROOTS, (ENV.timestamp - 12) % HISTORY_LENGTH)
    with pytest.raises(MissingState):
        state.storage(HISTORY, (ENV.number - 2) % HISTORY_LENGTH)
    with pytest.raises(MissingState):
        state.storage(WITHDRAWAL_REQUESTS, 4)


def test_what_is_listed_is_kept():
    entry = ENV.timestamp % HISTORY_LENGTH
    known = knowing_protocol_accounts(NOTHING, ENV)
    held = replace(known.accounts[BEACON_ROOTS], storage={entry: 5, 7: 9})
    state = knowing_protocol_accounts(replace(known, accounts={BEACON_ROOTS: held}), ENV)
    assert (state.storage(BEACON_ROOTS, entry), state.storage(BEACON_ROOTS, 7)) == (5, 9)


@pytest.mark.parametrize(
    ("state", "env"),
    [
        (replace(NOTHING, complete=True), ENV),
        (replace(NOTHING, fallback=NOTHING), ENV),
        (NOTHING, replace(ENV, fork=Fork.SHANGHAI)),
        (NOTHING, replace(ENV, may_lack_request_contracts=True)),  # a devnet may have none of them
    ],
)
def test_a_state_that_needs_none_of_it_is_left_alone(state, env):
    assert knowing_protocol_accounts(state, env) is state

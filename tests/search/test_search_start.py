"""Beginning a block on states that hold less than a whole chain."""

from dataclasses import replace

import pytest
from search_market import Devnet, environment

from mev_dagster.chain.forks import Fork
from mev_dagster.errors import MissingState
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.types import Account
from mev_dagster.search.start import CALLED_FIRST, start_block

ENV = replace(environment(2, 1_767_225_612), fork=Fork.PRAGUE, parent_beacon_block_root=b"\x0b" * 32)


@pytest.fixture(scope="module")
def devnet() -> Devnet:
    return Devnet()


def test_a_complete_state_begins_as_it_is(devnet):
    assert start_block(get_engine(), devnet.state, ENV)[1] is devnet.state


def test_contracts_that_a_capture_leaves_out_are_what_the_protocol_says(devnet):
    bare = replace(devnet.state, complete=False)
    session, state = start_block(get_engine(), bare, ENV)
    assert {state.account(address).nonce for address in CALLED_FIRST} == {1}
    assert start_block(get_engine(), state, ENV)[1] is state
    assert session.run(()).txs == ()


def test_where_a_devnet_may_lack_them_contracts_that_only_half_of_are_known_are_unknown(devnet):
    one, other = sorted(CALLED_FIRST)
    code = b"\x5f\x5f\xfd"
    half = replace(
        devnet.state.with_overrides({}),
        accounts={**devnet.state.accounts, one: Account(0, 1, b"\x01" * 32)},
        codes={**devnet.state.codes, b"\x01" * 32: code},
        complete=False,
    )
    _, state = start_block(get_engine(), half, replace(ENV, may_lack_request_contracts=True))
    for address in (one, other):
        with pytest.raises(MissingState):
            state.account(address)

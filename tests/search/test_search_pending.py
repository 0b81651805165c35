"""A sender's transactions are executed one behind the other, each once."""

from types import SimpleNamespace

import pytest
from search_market import FEES, Devnet, ether_for

from mev_dagster.demo.cast import Fees
from mev_dagster.dex.graph import PoolGraph
from mev_dagster.dex.registry import discover
from mev_dagster.errors import MissingState
from mev_dagster.evm.engines import get_engine
from mev_dagster.search.pending import MOST_BEFORE_A_RIVAL, try_pending
from mev_dagster.units import GWEI


@pytest.fixture(scope="module")
def devnet() -> Devnet:
    return Devnet()


class Counting:
    """A session that counts what it executes."""

    def __init__(self, session):
        self.session, self.executed = session, 0

    def run_each(self, txs):
        self.executed += len(txs)
        return self.session.run_each(txs)


def tried(devnet, pending, state=None):
    env = devnet.inputs(pending).env
    session = Counting(get_engine().session(devnet.state, env))
    graph = PoolGraph(discover(SimpleNamespace(state=devnet.state), devnet.state.accounts).pools)
    runs = try_pending(pending, state or devnet.state, session, graph, env)
    return runs, session.executed


def swaps(devnet, whale, count, fees=FEES):
    nonce = devnet.state.account(whale.address).nonce
    return [
        devnet.swap(whale, ether_for("ALPHA", "north", devnet.book, 1, 5_000), fees, nonce=nonce + at)
        for at in range(count)
    ]


def test_a_chain_of_nonces_is_executed_once_and_each_call_is_as_if_run_behind_the_others(devnet):
    chain = swaps(devnet, devnet.cast.whales[0], 5)
    runs, executed = tried(devnet, chain[::-1])
    assert executed == len(chain)
    assert [run.tx for run in runs] == chain[::-1]
    session = get_engine().session(devnet.state, devnet.inputs([]).env)
    for run in runs:
        assert run.sim == session.run((*run.prerequisites, run.tx))
        assert run.prerequisites == tuple(chain[: chain.index(run.tx)])


def test_what_a_pool_was_before_a_call_is_what_the_call_before_it_left(devnet):
    runs, _ = tried(devnet, swaps(devnet, devnet.cast.whales[0], 3))
    assert [run.before for run in runs[1:]] == [run.after for run in runs[:-1]]
    assert all(run.moved == frozenset(run.after) for run in runs)


def test_two_senders_do_not_see_each_other(devnet):
    one, other = (swaps(devnet, whale, 2) for whale in devnet.cast.whales[:2])
    runs, executed = tried(devnet, [one[0], other[0], one[1], other[1]])
    assert executed == 4
    assert runs[0].after == runs[1].after


@pytest.mark.parametrize("before", [0, MOST_BEFORE_A_RIVAL, MOST_BEFORE_A_RIVAL + 1])
def test_a_rival_of_one_nonce_is_tried_alone_where_few_enough_come_before(devnet, before):
    whale = devnet.cast.whales[0]
    chain = swaps(devnet, whale, before + 1)
    rival = swaps(devnet, whale, before + 1, Fees(FEES.max_fee_wei - GWEI, FEES.priority_fee_wei - GWEI))[-1]
    runs, executed = tried(devnet, [*chain, rival])
    found = [run for run in runs if run.tx == rival]
    is_tried = before <= MOST_BEFORE_A_RIVAL
    assert [run.prerequisites for run in found] == [tuple(chain[:before])] * is_tried
    assert executed == len(chain) + (before + 1) * is_tried


def test_a_sender_whose_nonce_is_not_known_is_tried_as_it_comes(devnet):
    def unknown(address):
        raise MissingState("account", address.hex())

    chain = swaps(devnet, devnet.cast.whales[0], 2)
    runs, executed = tried(devnet, chain, SimpleNamespace(account=unknown))
    assert [run.prerequisites for run in runs] == [(), ()]
    assert executed == 2

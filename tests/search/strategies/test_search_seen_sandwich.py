"""Sandwiches around calls that nobody can read, on mainnet blocks: what they sell is in their logs."""

import pytest

from mev_dagster.blockrun.over_capture import backtest_capture
from mev_dagster.captures.format import open_capture
from mev_dagster.captures.importers import import_blocks_prestate
from mev_dagster.dex.crowd_frontrun import crowd_sandwich
from mev_dagster.errors import Unquotable
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.recheck import Recheck
from mev_dagster.search.inputs import capture_inputs
from mev_dagster.search.limits import MOST_EXECUTIONS, SalesInARow, VictimLimits, _amounts
from mev_dagster.search.run import prepare, propose, search_block
from mev_dagster.search.strategies.seen_sandwich import SeenSandwich


@pytest.fixture(scope="module")
def capture_of(fixtures, tmp_path_factory):
    folder = tmp_path_factory.mktemp("captures")

    def make(number):
        path = folder / str(number)
        if not path.exists():
            import_blocks_prestate([fixtures / "blocks_prestate" / f"{number}.json.zst"], path)
        return path

    return make


def inputs_of(path):
    with open_capture(path) as capture:
        (inputs,) = capture_inputs(capture)
        return inputs


def test_a_call_whose_data_nobody_reads_is_found_as_it_was_taken(capture_of):
    with open_capture(capture_of(19933597)) as capture:
        result = backtest_capture(capture, get_engine(), Recheck(0.0))
    (match,) = [match for match in result.matches if match.landed.kind == "sandwich"]
    assert match.way.plan.strategy == "seen_sandwich/1"
    assert match.way.verified
    assert match.way.expected_profit_wei >= match.landed.worth_wei


def test_what_is_promised_is_what_execution_gives_before_gas(capture_of):
    result = search_block(inputs_of(capture_of(18426253)), get_engine(), strategies=[SeenSandwich()])
    verified = [candidate for candidate in result.candidates if candidate.verified]
    assert verified
    for candidate in verified:
        own = {result.searcher.address}
        gas_wei = sum(
            tx.gas_used * result_tx.effective_gas_price_wei(result.env.base_fee_per_gas_wei)
            for tx, result_tx in zip(candidate.verification.sim.txs, candidate.txs, strict=True)
            if result_tx.sender in own
        )
        assert candidate.simulated_profit_wei == candidate.expected_profit_wei - gas_wei


def test_several_sales_into_one_pool_are_taken_together(capture_of):
    result = search_block(inputs_of(capture_of(18426253)), get_engine(), strategies=[SeenSandwich()])
    worth = {len(one.pending_hashes): one.simulated_profit_wei for one in result.candidates if one.verified}
    assert max(worth) >= 2
    assert worth[max(worth)] > worth[1]


def test_the_limit_is_the_last_purchase_that_every_sale_stands(capture_of):
    prepared = prepare(inputs_of(capture_of(19933597)), get_engine())
    found = propose(prepared, strategies=[SeenSandwich()]).candidates
    limits = prepared.view.limits
    assert limits.executions > 0
    for candidate in found:
        if candidate.verified:
            assert candidate.plan.size_wei in limits._known.values() or candidate.plan.size_wei < max(
                limits._known.values()
            )


def test_limits_of_a_block_end_with_their_executions(capture_of):
    prepared = prepare(inputs_of(capture_of(18426253)), get_engine())
    limits = prepared.view.limits
    limits.executions = MOST_EXECUTIONS
    assert propose(prepared, strategies=[SeenSandwich()]).proposed == 0
    assert limits.executions == MOST_EXECUTIONS


def test_both_engines_find_the_same(capture_of):
    revm = pytest.importorskip("mev_dagster.evm.native")
    if not revm.native_is_installed():
        pytest.skip("the native wheel is not installed")
    inputs = inputs_of(capture_of(18426253))
    digests = {
        search_block(inputs, get_engine(name), strategies=[SeenSandwich()]).rank_digest
        for name in ("py_evm", "revm")
    }
    assert len(digests) == 1


def test_amounts_are_found_at_any_offset_of_calldata_and_only_between_the_bounds():
    data = b"\x01\x02\x03\x04" + (500).to_bytes(32, "big") + b"\xff" * 5 + (700).to_bytes(32, "big")
    assert list(_amounts(data, 499, 700)) == [500, 700]
    assert list(_amounts(data, 500, 699)) == []
    assert list(_amounts(bytes(10_000), 0, 10**30)) == []


def test_a_pool_that_cannot_be_called_lets_nobody_in_front(capture_of):
    prepared = prepare(inputs_of(capture_of(19933597)), get_engine())
    view = prepared.view

    class Uncallable:
        address = b"\x07" * 20

        def call(self, trade):
            raise Unquotable("nobody can")

    run = next(run for run in view.runs if run.succeeded)
    pool = next(iter(view.graph.pools.values()))
    hop = pool.constant_product(*pool.tokens)
    row = SalesInARow((run.tx,), 0, Uncallable(), *pool.tokens, hop, ())
    limits = VictimLimits(prepared.session, view.searcher, view.env, view.bid)
    assert crowd_sandwich(10**18, (), hop).front_out > 0
    assert crowd_sandwich(limits.largest(row, 10**18), (), hop).front_out == 0
    assert limits.executions == 0

"""Each strategy on a market where every reserve is known: what it finds is what execution gives."""

from dataclasses import replace

import pytest
from search_market import BASE_FEE_WEI, ETHER, FEES, GWEI, Devnet, ether_for

from mev_dagster.demo.cast import Fees
from mev_dagster.demo.market import WETH
from mev_dagster.dex.constant_product import amounts_along
from mev_dagster.dex.frontrun import ExactInput, ExactOutput, optimal_sandwich, sandwich_of
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.types import TxStatus
from mev_dagster.search.searcher import PRIORITY_FEE_WEI

OUR_GAS_PRICE_WEI = BASE_FEE_WEI + PRIORITY_FEE_WEI


@pytest.fixture(scope="module")
def devnet() -> Devnet:
    return Devnet()


def of_kind(result, kind):
    return [candidate for candidate in result.candidates if candidate.kind is kind]


def test_a_balanced_market_without_pending_swaps_offers_nothing(devnet):
    result = devnet.search([])
    assert (result.candidates, result.proposed) == ((), 0)


def test_every_verified_profit_is_the_formulas_profit_less_the_gas_that_was_used(devnet):
    whale, other = devnet.cast.whales[:2]
    result = devnet.search(
        [
            devnet.swap(whale, ether_for("ALPHA", "north", devnet.book, 20, 100)),
            devnet.swap(other, ether_for("USD", "south", devnet.book, 30, 300)),
        ]
    )
    assert {candidate.kind for candidate in result.candidates} == {"sandwich", "backrun"}
    for candidate in result.candidates:
        assert candidate.verified
        gas_cost = candidate.verification.gas_used * OUR_GAS_PRICE_WEI
        assert candidate.simulated_profit_wei == candidate.expected_profit_wei - gas_cost
        assert candidate.verification.coinbase_payment_wei == (
            candidate.verification.gas_used * PRIORITY_FEE_WEI
        )


def test_a_sandwich_pushes_an_exact_input_to_its_limit_and_not_past_it(devnet):
    swap = ether_for("ALPHA", "north", devnet.book, 20, 100)
    (found,) = of_kind(devnet.search([devnet.swap(devnet.cast.whales[0], swap)]), "sandwich")
    hop = devnet.book.hop("north", WETH, "ALPHA")
    victim = ExactInput(swap.amount, swap.limit)
    assert found.plan.size_wei == optimal_sandwich(victim, hop, 300 * ETHER).front_in
    assert sandwich_of(found.plan.size_wei, victim, hop).victim_out >= swap.limit
    assert sandwich_of(found.plan.size_wei + 10**12, victim, hop) is None


def test_a_sandwich_of_an_exact_output_makes_it_pay_up_to_its_limit(devnet):
    swap = devnet.book.buy("north", (WETH, "ALPHA"), 1_500 * ETHER, 200)
    (found,) = of_kind(devnet.search([devnet.swap(devnet.cast.whales[0], swap)]), "sandwich")
    trades = sandwich_of(
        found.plan.size_wei, ExactOutput(swap.amount, swap.limit), devnet.book.hop("north", WETH, "ALPHA")
    )
    assert found.verified
    assert swap.limit * 999 // 1000 < trades.victim_in <= swap.limit


def test_the_limit_of_a_longer_path_is_carried_back_to_the_hop_that_is_attacked(devnet):
    swap = devnet.book.sell("north", (WETH, "ALPHA", "USD"), 10 * ETHER, 150)
    (found,) = of_kind(devnet.search([devnet.swap(devnet.cast.whales[0], swap)]), "sandwich")
    assert found.verified
    first, second = devnet.book.hop("north", WETH, "ALPHA"), devnet.book.hop("north", "ALPHA", "USD")

    def victim_gets(front_in):
        after = sandwich_of(front_in, ExactInput(swap.amount, 0), first)
        return amounts_along(after.victim_out, [second])[-1]

    assert (
        victim_gets(found.plan.size_wei) >= swap.limit > victim_gets(found.plan.size_wei * 10_001 // 10_000)
    )


def test_a_victim_without_slack_is_not_sandwiched(devnet):
    swap = ether_for("ALPHA", "north", devnet.book, 20, 0)
    assert not of_kind(devnet.search([devnet.swap(devnet.cast.whales[0], swap)]), "sandwich")


def test_a_backrun_stands_right_behind_the_swap_it_restores(devnet):
    tx = devnet.swap(devnet.cast.whales[0], ether_for("BETA", "south", devnet.book, 25, 50))
    found = of_kind(devnet.search([tx]), "backrun")
    moved = devnet.market.pool("south", WETH, "BETA")
    assert all(candidate.tx_hashes[0] == tx.hash and len(candidate.txs) == 2 for candidate in found)
    assert all(moved in candidate.plan.venues for candidate in found)
    assert len(found[0].plan.venues) == 2


def test_a_price_gap_in_the_parent_state_is_an_arbitrage_without_pending_transactions(devnet):
    tx = devnet.swap(devnet.cast.whales[0], ether_for("ALPHA", "north", devnet.book, 40, 500))
    inputs = devnet.inputs([])
    built = get_engine().simulate(devnet.state, inputs.env, [tx], begin_block=False)
    assert built.txs[0].status is TxStatus.SUCCESS
    result = devnet.search([], prestate=devnet.state.apply(built.state_diff))
    assert {candidate.kind for candidate in result.candidates} == {"arbitrage"}
    assert {len(candidate.plan.venues) for candidate in result.candidates} == {2, 3}
    best = result.candidates[0]
    assert (best.rank, best.verified, best.pending_hashes) == (0, True, ())


def test_an_earlier_nonce_of_the_same_sender_comes_along(devnet):
    whale = devnet.cast.whales[2]
    nonce = devnet.state.account(whale.address).nonce
    first = devnet.swap(whale, ether_for("GAMMA", "north", devnet.book, 1, 500))
    second = devnet.swap(whale, ether_for("ALPHA", "north", devnet.book, 20, 100), nonce=nonce + 1)
    result = devnet.search([second, first])
    behind_second = [c for c in result.candidates if second.hash in c.pending_hashes]
    assert behind_second
    for candidate in behind_second:
        assert candidate.verified
        assert candidate.tx_hashes[0] == first.hash


def test_a_transaction_behind_a_nonce_gap_is_left_alone(devnet):
    whale = devnet.cast.whales[2]
    nonce = devnet.state.account(whale.address).nonce
    orphan = devnet.swap(whale, ether_for("ALPHA", "north", devnet.book, 20, 100), nonce=nonce + 1)
    result = devnet.search([orphan])
    assert (result.runs, result.candidates) == ((), ())
    assert result.features[0].nonce_gap == 1


def test_a_profit_that_gas_eats_is_kept_with_its_reason_or_pruned(devnet):
    cheap = devnet.swap(devnet.cast.traders[0], devnet.book.sell("north", (WETH, "USD"), ETHER, 100))
    result = devnet.search([cheap])
    assert not any(candidate.verified for candidate in result.candidates)
    assert result.proposed == result.pruned + len(result.candidates)
    assert {candidate.reason for candidate in result.candidates} <= {"below_gas"}


def test_a_pending_transaction_that_reverts_offers_nothing(devnet):
    whale = devnet.cast.whales[0]
    swap = ether_for("ALPHA", "north", devnet.book, 20, -100)
    result = devnet.search([devnet.swap(whale, swap)])
    assert result.runs[0].result.status is TxStatus.REVERTED
    assert result.candidates == ()


def test_candidates_past_the_budget_are_kept_unexecuted(devnet):
    tx = devnet.swap(devnet.cast.whales[0], ether_for("ALPHA", "north", devnet.book, 20, 100))
    result = devnet.search([tx], budget=1)
    verified = [candidate for candidate in result.candidates if candidate.verified]
    assert len(verified) == 1 < len(result.candidates)
    assert {c.reason for c in result.candidates[1:]} == {"over_budget"}
    assert verified[0].expected_profit_wei == max(c.expected_profit_wei for c in result.candidates)


def test_an_injected_searcher_finds_what_the_deployed_one_finds(devnet):
    tx = devnet.swap(devnet.cast.whales[0], ether_for("ALPHA", "north", devnet.book, 20, 100))
    deployed, injected = devnet.search([tx]), devnet.search([tx], searcher=None)
    assert injected.searcher.injected
    assert [c.expected_profit_wei for c in injected.candidates] == [
        c.expected_profit_wei for c in deployed.candidates
    ]
    assert all(candidate.verified for candidate in injected.candidates)


def test_a_token_the_state_does_not_hold_is_not_made_up_for_the_injected_searcher(devnet):
    alpha = devnet.market.tokens["ALPHA"]
    accounts = {address: account for address, account in devnet.state.accounts.items() if address != alpha}
    result = devnet.search([], searcher=None, prestate=replace(devnet.state, accounts=accounts))
    assert result.searcher.injected
    assert alpha not in result.state.accounts


def test_two_offers_for_one_nonce_are_tried_each_on_its_own(devnet):
    whale = devnet.cast.whales[0]
    swap = ether_for("ALPHA", "north", devnet.book, 20, 100)
    slow = devnet.swap(whale, swap)
    fast = devnet.swap(whale, swap, Fees(FEES.max_fee_wei + GWEI, FEES.priority_fee_wei + GWEI))
    result = devnet.search([slow, fast])
    assert [run.prerequisites for run in result.runs] == [(), ()]
    assert {c.pending_hashes for c in result.candidates} == {(slow.hash,), (fast.hash,)}

"""A bid is held against the payment and the reward of its own sealed block; each lie is named."""

import dataclasses

import pytest
from pbs_devnet import ETHER, PROPOSER, TIP_JAR, Candidate, call, context, state, transfer

from mev_dagster.evm.engines import get_engine
from mev_dagster.pbs import bidding
from mev_dagster.pbs.keys import Keyring
from mev_dagster.pbs.payout import Payment
from mev_dagster.pbs.reward import reward_of, tips_of
from mev_dagster.pbs.template import BlockTemplate, build_template


def build(payment: Payment = Payment.TRANSACTION, **options) -> BlockTemplate:
    pending = [transfer(2, tip_gwei=10), transfer(3, tip_gwei=30)]
    candidate = Candidate((call(0, TIP_JAR), call(1, TIP_JAR)), ETHER)
    keys = Keyring.test_only("reward tests")
    return build_template(
        get_engine("py_evm"), state(), context(), PROPOSER, keys,
        candidates=[candidate], pending=pending, payment=payment, **options,
    )  # fmt: skip


@pytest.fixture(scope="module")
def template() -> BlockTemplate:
    return build()


@pytest.mark.parametrize("payment", list(Payment))
def test_what_is_bid_is_paid_and_earned(payment):
    reward = reward_of(build(payment))
    assert reward.problems == ()
    assert reward.bid_wei == reward.payment_wei > 0
    assert reward.reward_wei >= reward.tips_wei > 0


def test_a_margin_stays_with_the_builder(template):
    kept = reward_of(build(strategy=bidding.FixedMargin(share_bps=1_000)))
    assert kept.problems == ()
    assert kept.bid_wei < reward_of(template).bid_wei


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda one: {"bid_wei": one.bid_wei + 1}, "the proposer is paid"),
        (lambda one: {"block_value_wei": one.block_value_wei - 1}, "the block was valued at"),
        (lambda one: {"payout_cost_wei": one.block_value_wei}, "exceed the reward"),
        (
            lambda one: {"proposer": dataclasses.replace(one.proposer, fee_recipient=bytes(20))},
            "the proposer is paid 0",
        ),
    ],
)
def test_a_figure_that_cannot_be_is_named(template, change, said):
    (problem, *_) = reward_of(dataclasses.replace(template, **change(template))).problems
    assert said in problem


def test_a_tip_the_coinbase_did_not_gain_is_named(template):
    poor = tuple(dataclasses.replace(tx, coinbase_payment_wei=0) for tx in template.sealed.simulation.txs)
    simulation = dataclasses.replace(template.sealed.simulation, txs=poor)
    sealed = dataclasses.replace(template.sealed, simulation=simulation)
    problems = reward_of(dataclasses.replace(template, sealed=sealed)).problems
    assert any("tips" in problem and "gains 0" in problem for problem in problems)


def test_the_paying_transaction_tips_nobody(template):
    assert tips_of(template.sealed.block, template.sealed.receipts)[-1] == 0

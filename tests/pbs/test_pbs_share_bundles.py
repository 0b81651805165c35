"""The nine cases MEV-Share publishes, with transactions of our own; a refund is paid inside its bundle."""

import pytest
from pbs_devnet import ADDRESSES, BASE_FEE, ETHER, PROPOSER, context, state, transfer

from mev_dagster.errors import InputError
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.state.prestate import AccountOverride
from mev_dagster.pbs.keys import Keyring
from mev_dagster.pbs.payout import Payment
from mev_dagster.pbs.refunds import REFUND_GAS
from mev_dagster.pbs.reward import reward_of
from mev_dagster.pbs.share_bundles import ShareBundle, ShareTx, order_of
from mev_dagster.pbs.template import build_template

# Reverts when it is given any data; else hands the coinbase what it was sent.
PAYS_COINBASE = bytes.fromhex("36600d575f5f5f5f34415af1005b5f5ffd")
CONTRACT = b"\xc1" * 20
USER, SEARCHER = 0, 1
PAID = ETHER // 10


def user(nonce: int = 0):
    return transfer(USER, nonce, value_wei=0)


def reverting(nonce: int = 1):
    return transfer(USER, nonce, to=CONTRACT, value_wei=0, gas_limit=60_000, data=b"\x01")


def backrun(nonce: int = 0):
    return transfer(SEARCHER, nonce, to=CONTRACT, value_wei=PAID, gas_limit=60_000)


def bundle(*body, refunds=(), split=()):
    items = [item if isinstance(item, ShareBundle | ShareTx) else ShareTx(item) for item in body]
    return ShareBundle(tuple(items), tuple(refunds), tuple(split))


def build(one: ShareBundle, **options):
    world = state().with_overrides({CONTRACT: AccountOverride(code=PAYS_COINBASE, nonce=1)})
    return build_template(
        get_engine(), world, context(), PROPOSER, Keyring.test_only("share bundles"),
        bundles=[order_of(one)], **options,
    )  # fmt: skip


TWO = bundle(user(), user(1))
SPLIT = ((ADDRESSES[USER], 50), (ADDRESSES[5], 50))
BACKRUN = bundle(user(), backrun(), refunds=[(0, 90)], split=[(ADDRESSES[5], 100)])


@pytest.mark.parametrize(
    "one",
    [bundle(user(), reverting()), bundle(user(), user()), bundle(user(), ShareTx(user(), can_revert=True))],
    ids=["a reverting transaction", "a used nonce", "a used nonce that may revert"],
)
def test_a_bundle_that_cannot_be_executed_whole_stays_out(one):
    template = build(one)
    assert template.included == ()
    assert [item.code for item in template.dropped] == ["not_executable"]


@pytest.mark.parametrize(
    ("one", "refunds"),  # percent of what the backrun paid, and who gets which part of that
    [
        (bundle(user()), []),
        (bundle(user(), ShareTx(reverting(), can_revert=True)), []),
        (bundle(user(), backrun(), refunds=[(0, 90)]), [(90, [(ADDRESSES[USER], 100)])]),
        (bundle(TWO, backrun(), refunds=[(0, 90)]), [(90, [(ADDRESSES[USER], 100)])]),
        (bundle(bundle(*TWO.body, split=SPLIT), backrun(), refunds=[(0, 90)]), [(90, list(SPLIT))]),
        (
            bundle(BACKRUN, backrun(1), refunds=[(0, 80)]),
            [(90, [(ADDRESSES[USER], 100)]), (80, [(ADDRESSES[5], 100)])],
        ),
    ],
    ids=["simple", "may revert", "backrun", "backrun of a bundle", "refund split", "backrun of a backrun"],
)
def test_a_bundle_is_in_the_block_with_the_refunds_it_asks_for(one, refunds):
    template = build(one)
    (item,) = template.included
    order = order_of(one)
    own = len(order.txs)
    assert item.order.txs[:own] == order.txs
    gains = [result.coinbase_payment_wei for result in template.sealed.simulation.txs[:own]]
    backruns = [gain for gain in gains if gain > PAID]
    expected = [
        (address, (value - REFUND_GAS * BASE_FEE * len(split)) * percent // 100 * share // 100)
        for value, (percent, split) in zip(backruns, refunds, strict=len(refunds) > 0)
        for address, share in split
    ]
    assert [(tx.to, tx.value_wei) for tx in item.order.txs[own:]] == expected
    assert reward_of(template).problems == ()
    assert template.block_value_wei > 0


def test_a_refund_that_its_own_cost_eats_keeps_the_bundle_out():
    template = build(bundle(user(), user(1), refunds=[(0, 90)]))  # a tip of 21,000 gas at 1 gwei
    assert [item.code for item in template.dropped] == ["refund_not_payable"]


def test_where_the_proposer_is_the_coinbase_no_refund_can_be_paid():
    template = build(bundle(user(), backrun(), refunds=[(0, 90)]), payment=Payment.COINBASE)
    assert [item.code for item in template.dropped] == ["refund_not_payable"]


@pytest.mark.parametrize(
    "one",
    [
        bundle(),
        bundle(user(), refunds=[(1, 10)]),
        bundle(user(), refunds=[(0, 10), (0, 10)]),
        bundle(user(), refunds=[(0, 101)]),
        bundle(user(), refunds=[(0, -1)]),
        bundle(user(), split=[(ADDRESSES[0], 99)]),
        bundle(*[user(nonce) for nonce in range(51)]),
        bundle(bundle(bundle(bundle(bundle(bundle(user())))))),
    ],
)
def test_a_bundle_that_means_nothing_is_refused(one):
    with pytest.raises(InputError, match="share bundle"):
        order_of(one)

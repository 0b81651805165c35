"""Fee recipients with code, and orders worth more or less than their tips: no block is lost by them."""

import pytest
from pbs_devnet import ADDRESSES, KEYS, PROPOSER, context, state, transfer

from mev_dagster.chain.signing import sign_authorization
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.state.prestate import AccountOverride
from mev_dagster.evm.types import TxStatus
from mev_dagster.pbs.bidding import FixedMargin, Outbid, Subsidised
from mev_dagster.pbs.context import Proposer
from mev_dagster.pbs.keys import Keyring
from mev_dagster.pbs.payout import Payment
from mev_dagster.pbs.template import build_template

ENGINE = get_engine()
BUILDER = Keyring.test_only("payout tests")
ETHER = 10**18
RECIPIENT = b"\xe1" * 20
FORWARDS = (
    bytes.fromhex("5f5f5f5f34" + "73" + "77" * 20 + "5af1" + "602857" + "5f5ffd").ljust(0x28, b"\0")
    + b"\x5b\0"
)
CODES = {
    "stores the amount": bytes.fromhex("34600557" + "00" + "5b345f5500"),
    "refuses nothing": bytes.fromhex("34156006" + "5700" + "5b5f5ffd"),
    "hands it on": FORWARDS,
    "logs it": bytes.fromhex("345f5260205fa000"),
    "wants much gas": bytes.fromhex("5b5a62014c08106000570000"),
}


def build(*, at=None, on=None, proposer=PROPOSER, **options):
    return build_template(ENGINE, on or state(), at or context(), proposer, BUILDER, **options)


def paid_to(code, **options):
    on = state().with_overrides({RECIPIENT: AccountOverride(nonce=1, code=code)})
    pending = [transfer(n, tip_gwei=60) for n in range(6)]
    proposer = Proposer(b"\xa5" * 48, RECIPIENT, 30_000_000)
    return build(pending=pending, on=on, proposer=proposer, **options)


@pytest.mark.parametrize("name", CODES)
def test_a_recipient_with_code_is_paid_the_whole_bid_in_the_block_s_last_transaction(name):
    template = paid_to(CODES[name])
    last = template.sealed.simulation.txs[-1]
    assert template.payment is Payment.TRANSACTION
    assert last.status is TxStatus.SUCCESS
    assert template.payout.value_wei == template.bid_wei > 0
    assert template.profit_wei >= 0


def test_a_recipient_that_got_its_code_in_this_very_block_is_paid():
    on = state().with_overrides({b"\xd1" * 20: AccountOverride(nonce=1, code=CODES["stores the amount"])})
    signed = sign_authorization(KEYS[5], chain_id=context().schedule.chain_id, address=b"\xd1" * 20, nonce=0)
    pending = [
        transfer(0, tip_gwei=60, type=4, authorization_list=(signed,), gas_limit=100_000),
        *(transfer(n, tip_gwei=60) for n in range(1, 4)),
    ]
    proposer = Proposer(b"\xa5" * 48, ADDRESSES[5], 30_000_000)
    template = build(pending=pending, on=on, proposer=proposer)
    assert template.sealed.simulation.txs[-1].status is TxStatus.SUCCESS
    assert template.bid_wei > 0
    assert template.payout.gas_limit > 21_000


def test_a_recipient_that_takes_nothing_is_made_the_coinbase_and_gets_everything():
    template = paid_to(bytes.fromhex("5f5ffd"))
    assert template.payment is Payment.COINBASE
    assert template.bid_wei == template.block_value_wei > 0


@pytest.mark.parametrize("top_wei", [2 * 10**16, 10**15])
@pytest.mark.parametrize("strategy", [FixedMargin(1_000, 0), Outbid()])
def test_a_subsidy_the_builder_does_not_hold_is_not_bid(strategy, top_wei):
    pending = [transfer(n, tip_gwei=60) for n in range(3)]
    template = build(pending=pending, strategy=Subsidised(strategy, ETHER), top_bid_wei=top_wei)
    assert 0 <= template.bid_wei <= template.block_value_wei


# What orders are worth


PAYER = b"\x88" * 20
PAYS_ONE_ETHER = bytes.fromhex("5f5f5f5f670de0b6b3a7640000415af100")


def with_payer():
    return state().with_overrides(
        {PAYER: AccountOverride(nonce=1, code=PAYS_ONE_ETHER, balance_wei=5 * ETHER)}
    )


def test_what_execution_pays_the_coinbase_decides_and_not_the_tip():
    room = context(gas_limit=4 * 21_000 + 60_000)
    pays = transfer(0, tip_gwei=0, to=PAYER, value_wei=0, gas_limit=100_000)
    tips = [transfer(n, tip_gwei=50) for n in range(1, 5)]
    template = build(at=room, pending=[*tips, pays], on=with_payer())
    assert template.block_value_wei >= ETHER
    assert template.included[0].order.txs == (pays,)


def test_a_poor_transaction_does_not_hide_the_rich_one_behind_it():
    room = context(gas_limit=5 * 21_000 + 60_000)
    chain = [transfer(0, 0, tip_gwei=0), transfer(0, 1, tip_gwei=0, to=PAYER, value_wei=0, gas_limit=80_000)]
    tips = [transfer(n, tip_gwei=50) for n in range(1, 5)]
    template = build(at=room, pending=[*tips, *chain], on=with_payer())
    assert template.block_value_wei >= ETHER


def test_a_transaction_that_takes_from_the_coinbase_stays_out_and_the_bid_stands():
    pending = [transfer(n, tip_gwei=60) for n in range(3)]
    plain = build(pending=pending, payment=Payment.COINBASE, proposer=Proposer(b"\xa5" * 48, ADDRESSES[4], 1))
    spends = transfer(4, tip_gwei=90, value_wei=3 * ETHER)  # the coinbase's own payment to somebody else
    template = build(
        pending=[*pending, spends],
        payment=Payment.COINBASE,
        proposer=Proposer(b"\xa5" * 48, ADDRESSES[4], 1),
    )
    assert template.bid_wei == plain.bid_wei > 0
    assert [dropped.code for dropped in template.dropped] == ["costs_the_block"]

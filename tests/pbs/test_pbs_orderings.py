"""The block is the best of several orderings, and never less than any of them."""

from pbs_devnet import BASE_FEE, PROPOSER, TIP_JAR, call, context, state, transfer

from mev_dagster.evm.engines import get_engine
from mev_dagster.pbs.keys import Keyring
from mev_dagster.pbs.payout import TRANSFER_GAS
from mev_dagster.pbs.sim_values import Ordering
from mev_dagster.pbs.template import build_template


def build(pending, gas_limit=30_000_000, **options):
    return build_template(
        get_engine(), state(), context(gas_limit=gas_limit), PROPOSER, Keyring.test_only("orderings"),
        pending=pending, **options,
    )  # fmt: skip


def test_where_room_is_scarce_a_rich_transaction_can_be_worth_more_than_a_dear_one():
    dear, rich = transfer(0, tip_gwei=60), call(1, TIP_JAR, tip_gwei=50)  # 21,000 gas, and up to 100,000
    room = rich.gas_limit + TRANSFER_GAS
    template = build([dear, rich], room)
    assert template.ordering is Ordering.MAX_PROFIT
    assert template.included[0].order.txs == (rich,)
    assert template.block_value_wei == template.values_wei[Ordering.MAX_PROFIT]
    assert template.block_value_wei > template.values_wei[Ordering.GAS_PRICE]


def test_where_orderings_agree_the_first_one_made_the_block():
    template = build([transfer(0, tip_gwei=3), transfer(1, tip_gwei=2)])
    assert len(set(template.values_wei.values())) == 1
    assert template.ordering is Ordering.GAS_PRICE


def test_an_ordering_that_is_not_asked_for_is_not_tried():
    template = build([transfer(0)], orderings=(Ordering.TIP,))
    assert list(template.values_wei) == [Ordering.TIP]


def test_the_tip_alone_puts_a_payment_to_the_coinbase_behind_a_higher_tip():
    paying, tipping = call(0, TIP_JAR), transfer(1, tip_gwei=1)
    by_tip = build([paying, tipping], orderings=(Ordering.TIP,))
    assert [item.order.txs[0] for item in by_tip.included] == [tipping, paying]
    assert by_tip.block_value_wei >= BASE_FEE

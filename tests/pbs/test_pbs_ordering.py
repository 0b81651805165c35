"""What fits into the gas that is left: exactly that much, and not one more."""

import pytest
from evm_worlds import PRAGUE, transaction, world

from mev_dagster.evm.engines import get_engine
from mev_dagster.pbs.ordering import Filling
from mev_dagster.pbs.orders import Order, OrderKind

TX = transaction(gas_limit=60_000)
CANDIDATE = Order(b"\x01" * 32, OrderKind.CANDIDATE, (TX, transaction(1, gas_limit=40_000)))


def filling(gas: int) -> Filling:
    session = get_engine().session(world(), PRAGUE)
    return Filling(session, gas=gas, base_fee_per_gas_wei=PRAGUE.base_fee_per_gas_wei)


@pytest.mark.parametrize(("gas", "included", "dropped"), [(100_000, 1, []), (99_999, 0, ["no_room"])])
def test_a_candidate_enters_where_its_gas_limits_just_fit(gas: int, included: int, dropped: list[str]):
    block = filling(gas)
    block.add_candidates([CANDIDATE])
    assert len(block.included) == included
    assert [order.code for order in block.dropped] == dropped


@pytest.mark.parametrize(("gas", "included", "dropped"), [(60_000, 1, []), (59_999, 0, ["no_room"])])
def test_a_pending_transaction_enters_where_its_gas_limit_just_fits(
    gas: int, included: int, dropped: list[str]
):
    block = filling(gas)
    block.add_pending([TX])
    assert len(block.included) == included
    assert [order.code for order in block.dropped] == dropped


def test_what_an_order_used_and_not_its_limit_is_gone_for_the_next():
    block = filling(60_000 + 21_000)
    block.add_pending([TX, transaction(1, gas_limit=60_000)])
    assert len(block.included) == 2

"""What our own transactions pay: a tip above the base fee, or before London the median of what waits."""

from dataclasses import replace

import pytest
from search_market import environment

from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.signing import sign_transaction
from mev_dagster.search.pending import _last_call
from mev_dagster.search.searcher import PRIORITY_FEE_WEI, GasPrice, bid_for
from mev_dagster.units import GWEI

ENV = environment(2, 1_767_225_612)


def pending(price_gwei, data=b"", to=b"\x01" * 20):
    return sign_transaction(
        keccak(b"bid"),
        type=0,
        chain_id=1,
        nonce=price_gwei,
        to=to,
        gas_limit=100_000,
        data=data,
        gas_price_wei=price_gwei * GWEI,
    )


def test_with_a_base_fee_it_is_the_tip_above_it():
    env = replace(ENV, base_fee_per_gas_wei=7 * GWEI)
    assert bid_for(env, [pending(90)]) == GasPrice(7 * GWEI + PRIORITY_FEE_WEI, PRIORITY_FEE_WEI)


@pytest.mark.parametrize(
    ("prices", "paid"),
    [([10, 80, 30], 30), ([10, 20, 30, 40], 30), ([50], 50), ([60, 10, 20, 70, 40], 40)],
)
def test_without_one_it_is_the_median(prices, paid):
    env = replace(ENV, base_fee_per_gas_wei=None)
    assert bid_for(env, [pending(price) for price in prices]) == GasPrice(paid * GWEI, paid * GWEI)


@pytest.mark.parametrize("prices", [[], [0], [0, 0, 90]])
def test_never_less_than_the_tip(prices):
    env = replace(ENV, base_fee_per_gas_wei=None)
    assert bid_for(env, [pending(price) for price in prices]) == GasPrice(PRIORITY_FEE_WEI, PRIORITY_FEE_WEI)


def test_a_senders_chain_is_executed_as_far_as_its_last_call():
    call, transfer, creation = pending(1, b"\x01"), pending(2), pending(3, b"\x01", to=None)
    assert _last_call([call, transfer]) == 0
    assert _last_call([transfer, call, creation]) == 1
    assert _last_call([transfer, creation]) == -1
    assert _last_call([]) == -1

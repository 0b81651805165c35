"""What a venue of another package says is held against the contract before anything uses it."""

from dataclasses import replace

import pytest

from mev_dagster.dex import said
from mev_dagster.dex.constant_product import STANDARD_FEE, Hop
from mev_dagster.dex.venue import PairSwap, SwapIntent
from mev_dagster.dex.venue_events import LiquidityEvent, SwapEvent

POOL, TOKEN = b"\x01" * 20, b"\x02" * 20
SWAP = SwapEvent("theirs", POOL, POOL, POOL, 5, -4, tokens=(POOL, TOKEN))
INTENT = SwapIntent("theirs", "swap", True, 5, 4, (POOL, TOKEN), POOL, 0)
LIQUIDITY = LiquidityEvent("theirs", POOL, POOL, (b"any", b""), 7, (1, -1))


@pytest.mark.parametrize("event", [SWAP, replace(SWAP, tokens=None), LIQUIDITY])
def test_an_event_in_shape_passes(event):
    assert said.an_event(event) == event


@pytest.mark.parametrize(
    "event",
    [
        None,
        {"pool": POOL},
        INTENT,
        replace(SWAP, amount0=5.0),
        replace(SWAP, amount1="4"),
        replace(SWAP, amount0=True),
        replace(SWAP, pool="0x01"),
        replace(SWAP, sender=b"short"),
        replace(SWAP, tokens=(POOL, 7)),
        replace(SWAP, protocol=b"theirs"),
        replace(SWAP, pool_id=b"short"),
        replace(SWAP, by_address=1),
        replace(SWAP, amount0=1 << 256),
    ],
)
def test_an_event_out_of_shape_is_named(event):
    with pytest.raises((TypeError, ValueError)):
        said.an_event(event)


def test_an_intent_is_held_to_the_same():
    assert said.an_intent(INTENT) == INTENT
    with pytest.raises(ValueError, match="path cannot be"):
        said.an_intent(replace(INTENT, path=(POOL, "token")))


@pytest.mark.parametrize("amount", [None, 1.5, -1, True, "7", 1 << 256])
def test_a_quote_that_is_no_amount_is_named(amount):
    with pytest.raises(ValueError, match="amount cannot be"):
        said.an_amount(amount)


def test_reserves_and_calls_are_held_to_their_shapes():
    assert said.a_hop(Hop(1, 2, STANDARD_FEE)) == Hop(1, 2, STANDARD_FEE)
    assert said.a_hop(None) is None
    for wrong in (Hop(1.0, 2, STANDARD_FEE), Hop(-1, 2, STANDARD_FEE), (1, 2)):
        with pytest.raises((TypeError, ValueError)):
            said.a_hop(wrong)
    for wrong in (None, PairSwap("to", 0, 1, POOL)):
        with pytest.raises((TypeError, ValueError)):
            said.a_call(wrong)

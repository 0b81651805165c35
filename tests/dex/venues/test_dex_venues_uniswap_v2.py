"""The pair's arithmetic against swaps that mainnet executed."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from mev_dagster.chain.receipts import Log
from mev_dagster.dex import constant_product
from mev_dagster.dex.constant_product import Fee, Hop
from mev_dagster.dex.venue import PairSwap, Trade
from mev_dagster.dex.venues.uniswap_v2 import events
from mev_dagster.dex.venues.uniswap_v2.pool import Pair
from mev_dagster.dex.venues.uniswap_v2.venue import FEES, PAIR_CODES
from mev_dagster.errors import DecodeError

TOKEN0, TOKEN1 = b"\x01" * 20, b"\x02" * 20
reserves = st.integers(min_value=10**3, max_value=(1 << 112) - 1)


def load(path: Path):
    return json.loads(zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read())


@pytest.fixture(scope="module")
def swaps(fixtures: Path):
    return load(fixtures / "amm" / "univ2_swaps.json.zst")


@pytest.fixture(scope="module")
def code_hashes(fixtures: Path, swaps):
    found = {}
    for number in {swap["block"] for swap in swaps}:
        prestate = load(fixtures / "blocks_prestate" / f"{number}.json.zst")["pre_state"]
        for swap in swaps:
            if swap["block"] == number:
                found[number, swap["pair"]] = bytes.fromhex(prestate[swap["pair"]]["code_hash"][2:])
    return found


def test_every_mainnet_swap_of_a_listed_pair_obeys_the_formula(swaps, code_hashes):
    outcomes: Counter[str] = Counter()
    for swap in swaps:
        family = PAIR_CODES.get(code_hashes[swap["block"], swap["pair"]])
        if family is None:
            outcomes["not listed"] += 1
            continue
        values = [int(swap[name]) for name in ("amount0In", "amount1In", "amount0Out", "amount1Out")]
        in0, in1, out0, out1 = values
        pair = Pair(
            bytes.fromhex(swap["pair"][2:]),
            TOKEN0,
            TOKEN1,
            int(swap["reserve0_before"]),
            int(swap["reserve1_before"]),
            FEES[family],
        )
        token_in, sold, bought = (TOKEN0, in0, out1) if in0 else (TOKEN1, in1, out0)
        assert pair.allows(*values)
        after = pair.swapped(token_in, sold, bought)
        assert (after.reserve0, after.reserve1) == (int(swap["reserve0_after"]), int(swap["reserve1_after"]))
        hop = pair.hop(token_in)
        most = constant_product.amount_out(sold, hop)
        assert bought <= most
        assert not pair.allows(in0, in1, *(pair.outputs(pair.other(token_in), most + 1)))
        assert constant_product.least_amount_in(bought, hop) <= sold
        outcomes["whole output taken" if bought == most else "less taken than allowed"] += 1
    assert outcomes == {"whole output taken": 270, "less taken than allowed": 42, "not listed": 6}


@given(amount=st.integers(1, 1 << 112), reserve_in=reserves, reserve_out=reserves)
def test_the_pair_allows_the_quoted_output_and_not_one_more(amount, reserve_in, reserve_out):
    pair = Pair(b"\0" * 20, TOKEN0, TOKEN1, reserve_in, reserve_out)
    bought = constant_product.amount_out(amount, pair.hop(TOKEN0))
    assert bought == 0 or pair.allows(amount, 0, 0, bought)
    assert not pair.allows(amount, 0, 0, bought + 1)


@given(data=st.data(), reserve_in=reserves, reserve_out=reserves)
def test_the_least_input_buys_the_wanted_output_and_one_less_does_not(data, reserve_in, reserve_out):
    hop = Hop(reserve_in, reserve_out, Fee())
    wanted = data.draw(st.integers(1, reserve_out - 1))
    least = constant_product.least_amount_in(wanted, hop)
    assert constant_product.amount_out(least, hop) >= wanted > constant_product.amount_out(least - 1, hop)
    assert constant_product.amount_in(wanted, hop) in (least, least + 1)


def test_an_output_of_the_whole_reserve_has_no_input():
    with pytest.raises(ValueError, match="cannot take 100 out of a reserve of 100"):
        constant_product.least_amount_in(100, Hop(50, 100, Fee()))


def test_a_swap_log_is_netted_from_the_pool():
    data = b"".join(value.to_bytes(32, "big") for value in (0, 7, 5, 0))
    log = Log(b"\x11" * 20, (events.SWAP_TOPIC, b"\x0a".rjust(32, b"\0"), b"\x0b".rjust(32, b"\0")), data)
    swap = events.decode_swap(log)
    assert (swap.amount0, swap.amount1, swap.zero_for_one) == (-5, 7, False)
    assert (swap.amount_in, swap.amount_out) == (7, 5)
    assert (swap.sender, swap.recipient) == (b"\x0a".rjust(20, b"\0"), b"\x0b".rjust(20, b"\0"))


def test_a_log_with_the_right_topic_and_the_wrong_shape_is_refused():
    with pytest.raises(DecodeError, match="not_a_v2_swap"):
        events.decode_swap(Log(b"\x11" * 20, (events.SWAP_TOPIC,), bytes(128)))


def test_the_call_of_a_trade_says_what_the_pair_gives_of_each_token():
    pair = Pair(b"\x11" * 20, TOKEN0, TOKEN1, 100, 200)
    for token_in, token_out, outputs in ((TOKEN1, TOKEN0, (4, 0)), (TOKEN0, TOKEN1, (0, 4))):
        call = pair.call(Trade(token_in, token_out, 9, 4, b"\x22" * 20))
        assert call == PairSwap(pair.address, *outputs, b"\x22" * 20)


def test_a_pair_is_told_its_reserves_by_its_sync_alone():
    pair = Pair(b"\x11" * 20, TOKEN0, TOKEN1, 100, 200)
    sync = Log(pair.address, (events.SYNC_TOPIC,), (7).to_bytes(32, "big") + (9).to_bytes(32, "big"))
    assert pair.after(sync) == Pair(pair.address, TOKEN0, TOKEN1, 7, 9)
    assert pair.after(replace(sync, data=b"")) == pair.after(replace(sync, topics=())) == pair

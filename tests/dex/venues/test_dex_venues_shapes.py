"""Events and calldata by hand: what is read where, and where reading ends."""

import pytest

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.venues.native.events import decode_trade
from mev_dagster.dex.venues.uniswap_v4.key import PoolKey, find_key

NONE = bytes(20)
TOKEN = bytes.fromhex("dac17f958d2ee523a2206206994597c13d831ec7")


def words(*values: int | bytes) -> bytes:
    return b"".join(
        value.rjust(32, b"\x00") if isinstance(value, bytes) else value.to_bytes(32, "big")
        for value in values
    )


def test_a_trade_of_a_quote_names_its_signer_and_its_amounts():
    signer = bytes(range(32))
    data = words(b"\xaa" * 20, b"\xbb" * 20, b"\xcc" * 20, 700, 300, 5, signer)
    event = decode_trade(Log(b"\x01" * 20, (b"\x02" * 32,), data))
    assert event.pool_id == signer
    assert (event.amount_in, event.amount_out) == (700, 300)
    assert event.tokens == (b"\xbb" * 20, b"\xcc" * 20)


@pytest.mark.parametrize("place", [4, 1_000, 8_172])
def test_a_token_in_packed_calldata_is_found_as_far_as_calldata_is_read(place):
    key = PoolKey(NONE, TOKEN, 3_000, 60, NONE)
    data = bytes(place) + TOKEN + bytes(64)
    assert find_key(key.pool_id, 3_000, [], data) == key


def test_what_stands_behind_that_is_not_read():
    key = PoolKey(NONE, TOKEN, 3_000, 60, NONE)
    assert find_key(key.pool_id, 3_000, [], bytes(8_173) + TOKEN + bytes(64)) is None

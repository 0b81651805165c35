"""Swap and Sync logs of mainnet receipts against the pools' states before and after."""

import json
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import pytest
import zstandard

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.events import events_of, pools_behind, swaps_of
from mev_dagster.dex.venue_events import FlashLoanEvent, LiquidityEvent, PoolCreated, ReservesEvent
from mev_dagster.dex.venues.uniswap_v2 import events as v2
from mev_dagster.dex.venues.uniswap_v2.pool import Pair
from mev_dagster.dex.venues.uniswap_v3 import events as v3
from mev_dagster.errors import DecodeError
from mev_dagster.evm.block_files import load_block_file


def load(path: Path):
    return json.loads(zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read())


def bytes_of(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def hexadecimal(value: bytes) -> str:
    return "0x" + value.hex()


@pytest.fixture(scope="module")
def logs_of(fixtures):
    """Logs of a transaction, by block number and transaction hash."""
    found = {}

    def read(number, tx_hash):
        if number not in found:
            file = load_block_file(fixtures / "blocks_prestate" / f"{number}.json.zst", {})
            found[number] = {
                hexadecimal(tx.hash): receipt.logs
                for tx, receipt in zip(file.block.transactions, file.expected, strict=True)
            }
        return found[number][tx_hash]

    return read


def by_transaction(swaps):
    key = itemgetter("block", "tx")
    return [(*where, list(own)) for where, own in groupby(sorted(swaps, key=key), key)]


def test_every_v2_swap_of_the_fixtures_is_decoded(fixtures, logs_of):
    for number, tx_hash, expected in by_transaction(load(fixtures / "amm" / "univ2_swaps.json.zst")):
        found = [
            (hexadecimal(swap.pool), swap.amount0, swap.amount1)
            for _, swap in swaps_of(logs_of(number, tx_hash))
            if swap.protocol == "uniswap_v2"
        ]
        assert sorted(found) == sorted(
            (
                swap["pair"],
                int(swap["amount0In"]) - int(swap["amount0Out"]),
                int(swap["amount1In"]) - int(swap["amount1Out"]),
            )
            for swap in expected
        )


def test_every_v3_swap_of_the_fixtures_is_decoded(fixtures, logs_of):
    for number, tx_hash, expected in by_transaction(load(fixtures / "amm" / "univ3_swaps.json.zst")):
        found = {
            (hexadecimal(swap.pool), swap.amount0, swap.amount1)
            for _, swap in swaps_of(logs_of(number, tx_hash))
            if swap.protocol == "uniswap_v3"
        }
        assert {(swap["pool"], int(swap["amount0"]), int(swap["amount1"])) for swap in expected} <= found


def test_the_last_sync_of_a_transaction_is_what_the_pair_was_left_with(fixtures, logs_of):
    for number, tx_hash, expected in by_transaction(load(fixtures / "amm" / "univ2_swaps.json.zst")):
        after = {
            swap["pair"]: (int(swap["reserve0_after"]), int(swap["reserve1_after"])) for swap in expected
        }
        before = {address: Pair(address, b"", b"", 0, 0) for address in map(bytes_of, after)}
        behind, unclear = pools_behind(logs_of(number, tx_hash), before)
        found = {hexadecimal(pool.address): (pool.reserve0, pool.reserve1) for pool in behind.values()}
        assert after.keys() == found.keys()
        assert not unclear
        for pair in after:
            states = [own for own in expected if own["pair"] == pair]
            left = [(int(own["reserve0_after"]), int(own["reserve1_after"])) for own in states]
            assert found[pair] in left


def test_events_of_the_wrong_shape_are_no_events_of_a_venue():
    assert (
        list(events_of([Log(b"\x01" * 20, (v3.SWAP_TOPIC,), bytes(160)), Log(b"\x01" * 20, (), b"")])) == []
    )


@pytest.mark.parametrize("topic", sorted({**v2.EVENTS, **v3.EVENTS}))
def test_every_decoder_refuses_a_log_that_only_has_its_topic(topic):
    decode = {**v2.EVENTS, **v3.EVENTS}[topic]
    with pytest.raises(DecodeError, match=r"not_a_v[23]_"):
        decode(Log(b"\x01" * 20, (topic,), bytes(31)))


def words(*values: int) -> bytes:
    return b"".join((value % (1 << 256)).to_bytes(32, "big") for value in values)


POOL, FACTORY, OWNER = b"\x01" * 20, b"\x02" * 20, b"\x03" * 20
LOWER, UPPER, TOKENS = words(-60), words(60), (b"\x0a" * 20, b"\x0b" * 20)


def indexed(*addresses: bytes) -> tuple[bytes, ...]:
    return tuple(address.rjust(32, b"\0") for address in addresses)


@pytest.mark.parametrize(
    ("log", "event"),
    [
        (Log(POOL, (v2.SYNC_TOPIC,), words(5, 7)), ReservesEvent("uniswap_v2", POOL, (5, 7))),
        (
            Log(POOL, (v2.MINT_TOPIC, *indexed(OWNER)), words(5, 7)),
            LiquidityEvent("uniswap_v2", POOL, OWNER, (), 0, (5, 7)),
        ),
        (
            Log(POOL, (v2.BURN_TOPIC, *indexed(FACTORY, OWNER)), words(5, 7)),
            LiquidityEvent("uniswap_v2", POOL, OWNER, (), 0, (-5, -7)),
        ),
        (
            Log(FACTORY, (v2.PAIR_CREATED_TOPIC, *indexed(*TOKENS)), indexed(POOL)[0] + words(1)),
            PoolCreated("uniswap_v2", POOL, FACTORY, TOKENS),
        ),
        (
            Log(POOL, (v3.MINT_TOPIC, *indexed(OWNER), LOWER, UPPER), indexed(FACTORY)[0] + words(9, 5, 7)),
            LiquidityEvent("uniswap_v3", POOL, OWNER, (LOWER, UPPER), 9, (5, 7)),
        ),
        (
            Log(POOL, (v3.BURN_TOPIC, *indexed(OWNER), LOWER, UPPER), words(9, 5, 7)),
            LiquidityEvent("uniswap_v3", POOL, OWNER, (LOWER, UPPER), -9, (-5, -7)),
        ),
        (
            Log(POOL, (v3.FLASH_TOPIC, *indexed(FACTORY, OWNER)), words(100, 0, 1, 0)),
            FlashLoanEvent("uniswap_v3", POOL, OWNER, (100, 0), (1, 0)),
        ),
        (
            Log(
                FACTORY, (v3.POOL_CREATED_TOPIC, *indexed(*TOKENS), words(3000)), words(60) + indexed(POOL)[0]
            ),
            PoolCreated("uniswap_v3", POOL, FACTORY, TOKENS),
        ),
    ],
)
def test_what_pools_and_factories_log_is_read_into_the_words_of_every_venue(log, event):
    assert list(events_of([log])) == [(0, event)]

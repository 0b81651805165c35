"""Swap and Sync logs of mainnet receipts against the pools' states before and after."""

import json
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import pytest
import zstandard

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.events import reserves_after, swaps_of
from mev_dagster.dex.swaps import Protocol
from mev_dagster.dex.venues.uniswap_v2 import SYNC_TOPIC, decode_sync
from mev_dagster.dex.venues.uniswap_v3 import SWAP_TOPIC, decode_swap
from mev_dagster.errors import DecodeError
from mev_dagster.evm.block_files import load_block_file


def load(path: Path):
    return json.loads(zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read())


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
            if swap.protocol is Protocol.UNISWAP_V2
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
            if swap.protocol is Protocol.UNISWAP_V3
        }
        assert {(swap["pool"], int(swap["amount0"]), int(swap["amount1"])) for swap in expected} <= found


def test_the_last_sync_of_a_transaction_is_what_the_pair_was_left_with(fixtures, logs_of):
    for number, tx_hash, expected in by_transaction(load(fixtures / "amm" / "univ2_swaps.json.zst")):
        after = {
            swap["pair"]: (int(swap["reserve0_after"]), int(swap["reserve1_after"])) for swap in expected
        }
        found = {hexadecimal(pair): left for pair, left in reserves_after(logs_of(number, tx_hash)).items()}
        for pair in after.keys() & found.keys():
            states = [own for own in expected if own["pair"] == pair]
            left = [(int(own["reserve0_after"]), int(own["reserve1_after"])) for own in states]
            assert found[pair] in left


def test_events_of_the_wrong_shape_are_no_swaps():
    assert swaps_of([Log(b"\x01" * 20, (SWAP_TOPIC,), bytes(160)), Log(b"\x01" * 20, (), b"")]) == ()
    with pytest.raises(DecodeError, match="not_a_v3_swap"):
        decode_swap(Log(b"\x01" * 20, (SWAP_TOPIC, bytes(32), bytes(32)), bytes(159)))
    with pytest.raises(DecodeError, match="not_a_v2_sync"):
        decode_sync(Log(b"\x01" * 20, (SYNC_TOPIC,), bytes(63)))

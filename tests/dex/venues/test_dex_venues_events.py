"""Every swap of recent mainnet blocks, whatever venue made it: its amounts and tokens, and nothing forged."""

import json
from collections import Counter
from pathlib import Path

import pytest
import zstandard

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import topic
from mev_dagster.dex.events import swaps_of
from mev_dagster.dex.venues.uniswap_v4.key import PoolKey, find_key
from mev_dagster.evm.block_files import load_block_file
from mev_dagster.labels.sources import landed_blocks
from mev_dagster.labels.swaps import swap_events, swaps_in

BLOCKS = (22825315, 24171384, 24341035, 24628607, 25134887)


def load(path: Path):
    return json.loads(zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read())


@pytest.fixture(scope="module")
def swaps(fixtures):
    """Every swap event of the recent blocks: block, transaction, event."""
    found = []
    for number in BLOCKS:
        file = load_block_file(fixtures / "blocks_recent" / f"{number}.json.zst", {})
        for tx, receipt in zip(file.block.transactions, file.expected, strict=True):
            found += [(number, "0x" + tx.hash.hex(), event) for _, event in swaps_of(receipt.logs)]
    return found


def test_every_v4_swap_has_the_amounts_the_pool_gained(fixtures, swaps):
    """The fixture has them as the event does, signed for the swapper."""
    ours = Counter((tx, e.pool_id, e.amount0, e.amount1) for _, tx, e in swaps if e.protocol == "uniswap_v4")
    expected = Counter(
        (one["tx"], bytes.fromhex(one["pool_id"][2:]), -int(one["amount0"]), -int(one["amount1"]))
        for one in load(fixtures / "amm" / "univ4_swaps.json.zst")
    )
    assert (ours, expected.total()) == (expected, 24)


def test_every_swap_of_the_raw_venue_events_is_decoded(fixtures):
    for one in load(fixtures / "amm" / "venue_events.json.zst"):
        topics = tuple(bytes.fromhex(text[2:]) for text in one["topics"])
        log = Log(bytes.fromhex(one["address"][2:]), topics, bytes.fromhex(one["data"][2:]))
        ((_, event),) = swaps_of([log])
        assert event.protocol.partition("_")[0] in one["event"]
        assert event.amount_in > 0 < event.amount_out


def test_the_venues_of_the_recent_blocks(swaps):
    assert Counter(event.protocol for _, _, event in swaps) == {
        "uniswap_v3": 27,
        "uniswap_v4": 24,
        "uniswap_v2": 7,
        "curve": 3,
        "native": 3,
        "ekubo": 2,
        "algebra": 1,
        "balancer_v3": 1,
        "fluid": 1,
        "maker_psm": 1,
        "maverick_v2": 1,
        "pancake_v3": 1,
    }


def test_the_tokens_of_every_swap_of_the_recent_blocks_are_told(fixtures):
    blocks = list(landed_blocks([fixtures / "blocks_recent" / f"{number}.json.zst" for number in BLOCKS]))
    assert [len(swaps_in(block)) for block in blocks] == [swap_events(block) for block in blocks]


def test_a_key_is_found_among_what_moved_and_hashes_to_the_pools_id():
    tokens = [bytes([number]) * 20 for number in (3, 5, 9)]
    key = PoolKey(bytes(20), tokens[1], 500, 10, bytes(20))
    assert find_key(key.pool_id, 500, tokens, b"") == key
    assert find_key(bytes(32), 500, tokens, b"") is None


@pytest.mark.parametrize(
    "signature",
    [
        "Swap(bytes32,address,int128,int128,uint160,uint128,int24,uint24)",
        "TokenExchange(address,int128,uint256,int128,uint256)",
        "LOG_SWAP(address,address,address,uint256,uint256)",
        "Swap(bytes32,address,address,uint256,uint256)",
        "Swap(address,address,address,uint256,uint256,uint256,uint256)",
        "Swap(bool,uint256,uint256,address)",
        "PoolSwap(address,address,(uint256,bool,bool,int32),uint256,uint256)",
        "DODOSwap(address,address,uint256,uint256,address,address)",
        "Conversion(address,address,address,uint256,uint256,int256)",
        "BuyGem(address,uint256,uint256)",
        "RfqOrderFilled(bytes32,address,address,address,address,uint128,uint128,bytes32)",
    ],
)
def test_a_topic_on_another_shape_is_no_swap(signature):
    assert swaps_of([Log(b"\x11" * 20, (topic(signature), b"\xff" * 32), bytes(31))]) == ()


def test_a_log_without_topics_is_a_swap_of_the_one_contract_alone():
    assert swaps_of([Log(b"\x11" * 20, (), bytes(116))]) == ()

"""Known code against mainnet's states, the npm packages and our own contracts."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from mev_dagster.captures.importers import read_block_file, read_codes
from mev_dagster.chain.keccak import keccak
from mev_dagster.demo.artifacts import contracts
from mev_dagster.dex.registry import discover
from mev_dagster.dex.venues.uniswap_v2.venue import PAIR_CODES
from mev_dagster.dex.wrapped_ether import WRAPPED_ETHER_CODES

ROOT = Path(__file__).resolve().parents[2]
MAINNET_WETH = bytes.fromhex("c02aaa39b223fe8d0a0e5c4f27ead9083c756cc2")


@pytest.fixture(scope="module")
def codes(fixtures: Path):
    return read_codes(fixtures / "blocks_prestate" / "codes.json.zst")


@pytest.mark.parametrize(("number", "pairs", "unreadable"), [(11743952, 20, 0), (12244000, 34, 11)])
def test_the_pairs_of_a_mainnet_block_are_found_by_their_code(fixtures, codes, number, pairs, unreadable):
    state = read_block_file(fixtures / "blocks_prestate" / f"{number}.json.zst", codes).prestate
    found = discover(SimpleNamespace(state=replace(state, lists_every_slot=False)), state.accounts)
    assert (len(found.pools), len(found.unreadable)) == (pairs, unreadable)
    assert found.wrapped_ether == MAINNET_WETH
    assert set(found.families.values()) == {"uniswap_v2", "sushiswap"}
    assert all(reason.startswith("prestate holds no storage") for reason in found.unreadable.values())


def test_the_devnet_contracts_are_listed():
    assert PAIR_CODES[keccak(contracts()["pair"].runtime)] == "devnet"
    weth = WRAPPED_ETHER_CODES[keccak(contracts()["weth"].runtime)]
    assert weth.balances_at == contracts()["weth"].storage_slots["balanceOf"]


def test_the_npm_package_has_the_pair_that_mainnet_runs():
    build = ROOT / "node_modules" / "@uniswap" / "v2-core" / "build" / "UniswapV2Pair.json"
    if not build.exists():
        pytest.skip("the Uniswap packages are absent: run `make setup` with Node.js installed")
    code = bytes.fromhex(json.loads(build.read_text())["evm"]["deployedBytecode"]["object"])
    assert PAIR_CODES[keccak(code)] == "uniswap_v2"

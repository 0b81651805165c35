"""A chain through every fork, block after block on the engine's own state: each state root holds."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard
from evm_ethereum_tests import data, state_of

from mev_dagster.chain import rlp
from mev_dagster.chain.blocks import Block, decode_block
from mev_dagster.chain.forks import Fork, ForkSchedule
from mev_dagster.chain.requests import requests_hash
from mev_dagster.evm.blocks import execute_block
from mev_dagster.evm.py_evm.engine import PyEvmEngine
from mev_dagster.evm.state.prestate import Prestate

pytestmark = pytest.mark.fixtures

BY_NUMBER = {
    "homesteadBlock": Fork.HOMESTEAD,
    "eip150Block": Fork.TANGERINE_WHISTLE,
    "eip158Block": Fork.SPURIOUS_DRAGON,
    "byzantiumBlock": Fork.BYZANTIUM,
    "constantinopleBlock": Fork.CONSTANTINOPLE,
    "petersburgBlock": Fork.PETERSBURG,
    "istanbulBlock": Fork.ISTANBUL,
    "muirGlacierBlock": Fork.MUIR_GLACIER,
    "berlinBlock": Fork.BERLIN,
    "londonBlock": Fork.LONDON,
    "arrowGlacierBlock": Fork.ARROW_GLACIER,
    "grayGlacierBlock": Fork.GRAY_GLACIER,
    "mergeNetsplitBlock": Fork.PARIS,
}
BY_TIME = {
    "shanghaiTime": Fork.SHANGHAI,
    "cancunTime": Fork.CANCUN,
    "pragueTime": Fork.PRAGUE,
    "osakaTime": Fork.OSAKA,
    "bpo1Time": Fork.BPO1,
    "bpo2Time": Fork.BPO2,
}


def read(path: Path) -> bytes:
    return zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read()


def chain(raw: bytes) -> list[Block]:
    blocks, position = [], 0
    while position < len(raw):
        _, _, end = rlp.payload_span(raw, position, len(raw))
        blocks.append(decode_block(raw[position:end]))
        position = end
    return blocks


@pytest.mark.parametrize("reference", [False, True])
def test_every_block_of_every_fork_gives_its_roots(fixtures, reference):
    folder = fixtures / "chain_synthetic"
    genesis = json.loads(read(folder / "genesis.json.zst"))
    config = genesis["config"]
    schedule = ForkSchedule(
        config["chainId"],
        tuple((config[name], fork) for name, fork in BY_NUMBER.items()),
        tuple((config[name], fork) for name, fork in BY_TIME.items()),
    )
    alloc = {
        address: {"code": "0x", "storage": {}, "nonce": "0x0", **fields}
        for address, fields in genesis["alloc"].items()
    }
    state = state_of(alloc)
    blocks = chain(read(folder / "chain.rlp.zst"))
    state = replace(state, block_hashes={0: blocks[0].header.parent_hash})
    engine, seen = PyEvmEngine(reference=reference), set()
    for block in blocks:
        result = execute_block(engine, state, block, schedule)
        header = block.header
        assert result.gas_used == header.gas_used, header.number
        assert result.receipts_root in {None, header.receipts_root}, header.number
        state = next_state(state, block, result.state_diff)
        assert state.state_root() == header.state_root, header.number
        if header.requests_hash is not None:
            assert requests_hash(result.sim.requests) == header.requests_hash, header.number
        seen.add(result.sim.fork)
    assert seen >= set(BY_NUMBER.values()) | set(BY_TIME.values())
    head = json.loads(read(folder / "headstate.json.zst"))
    assert state.state_root().hex() == head["root"]
    for address, account in head["accounts"].items():
        assert state.account(data(address)).balance_wei == int(account["balance"])


def next_state(state: Prestate, block: Block, diff) -> Prestate:
    hashes = {**state.block_hashes, block.header.number: block.hash}
    return replace(state.apply(diff), block_hashes=hashes)

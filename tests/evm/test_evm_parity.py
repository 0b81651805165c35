"""The engine against mainnet. `make test` runs the blocks of SHORT; `pytest -m long` all 40."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard

from mev_dagster.chain.forks import Fork
from mev_dagster.chain.jsonrpc import block_from_rpc
from mev_dagster.errors import InputError, MissingState, UnsupportedFork
from mev_dagster.evm.block_files import BlockFile, block_paths, load_block_file, load_codes
from mev_dagster.evm.blocks import block_env, execute_block
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.parity import check_file
from mev_dagster.evm.state.prestate import Prestate

pytestmark = pytest.mark.fixtures

# One of each fork that is small: 16 of the 40 blocks, a few seconds.
SHORT = [
    *(46147, 116525, 1150000, 2179522, 2462997, 2674998, 2675000, 3356896, 4370000, 6196166, 11814555),
    *(12300570, 19910734, 19934116, 21688509, 22615247),
]


@pytest.fixture(scope="module")
def folder(fixtures) -> Path:
    return fixtures / "blocks_prestate"


@pytest.fixture(scope="module")
def codes(folder):
    return load_codes(folder)


def document(folder: Path, number: str) -> dict:
    with (folder / f"{number}.json.zst").open("rb") as stream:
        return json.loads(zstandard.ZstdDecompressor().stream_reader(stream).read())


def assert_equal_to_mainnet(file: BlockFile) -> None:
    parity = check_file(file, get_engine())
    assert parity.differences == ()
    assert parity.receipts_root_matches is (True if parity.fork >= Fork.BYZANTIUM else None)
    assert parity.state_root_matches is (True if file.witness else None)


@pytest.mark.parametrize("number", SHORT)
def test_a_block_comes_out_as_on_mainnet(folder, codes, number):
    assert_equal_to_mainnet(load_block_file(folder / f"{number}.json.zst", codes))


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_every_block_comes_out_as_on_mainnet(folder, codes):
    paths = block_paths(folder)
    assert len(paths) == 40
    for path in paths:
        assert_equal_to_mainnet(load_block_file(path, codes))


def test_a_witness_alone_is_state_enough(folder, codes):
    file = load_block_file(folder / "22615247.json.zst", codes)
    assert file.witness is not None
    from_witness = execute_block(get_engine(), file.witness, file.block, file.chain_id)
    from_capture = execute_block(get_engine(), file.prestate, file.block, file.chain_id)
    assert from_witness == from_capture
    assert file.witness.root_after(from_witness.state_diff) == file.block.header.state_root


def test_a_lost_sender_is_missing_state(folder, codes):
    found = document(folder, "19934116")
    sender = next(tx["from"] for tx in found["block"]["transactions"] if tx["nonce"] != "0x0")
    del found["pre_state"][sender]
    with pytest.raises(MissingState, match=sender):
        execute_block(get_engine(), Prestate.from_fixture(found, codes), block_from_rpc(found["block"]), 1)


@pytest.mark.parametrize("part", ["slot", "code", "contract"])
def test_lost_state_is_missing_never_zero(folder, codes, tmp_path, part):
    found = document(folder, "19934116")
    tether = found["pre_state"]["0xdac17f958d2ee523a2206206994597c13d831ec7"]
    if part == "slot":
        tether["storage"].popitem()
    elif part == "code":
        tether["code_hash"] = "0x" + "11" * 32
    else:
        del found["pre_state"]["0xdac17f958d2ee523a2206206994597c13d831ec7"]
    path = tmp_path / "19934116.json"
    path.write_text(json.dumps(found))
    with pytest.raises(MissingState, match=r"dac17f958d2ee523a2206206994597c13d831ec7|0x1111"):
        check_file(load_block_file(path, codes), get_engine())


def test_a_fork_without_rules_is_refused(folder, codes):
    file = load_block_file(folder / "22615247.json.zst", codes)
    env = replace(block_env(file.block.header, 1), fork=Fork.AMSTERDAM)
    with pytest.raises(UnsupportedFork, match="AMSTERDAM"):
        get_engine().simulate(file.prestate, env, [])


@pytest.mark.parametrize("keep", [0, 10, 1000])
def test_a_truncated_file_is_named(folder, tmp_path, keep):
    path = tmp_path / "22615247.json.zst"
    path.write_bytes((folder / "22615247.json.zst").read_bytes()[:keep])
    with pytest.raises(InputError, match=r"22615247\.json\.zst"):
        load_block_file(path, {})


@pytest.mark.parametrize("altered", [b"[]", b"{}", b'{"chain_id":1,"block":{}}', b"\xff", b"[" * 100_000])
def test_a_file_of_something_else_is_named(tmp_path, altered):
    path = tmp_path / "1.json"
    path.write_bytes(altered)
    with pytest.raises(InputError, match=r"1\.json"):
        load_block_file(path, {})


def test_an_altered_transaction_is_refused(folder, tmp_path):
    found = document(folder, "46147")
    found["block"]["transactions"][0]["value"] = "0x1"
    path = tmp_path / "46147.json"
    path.write_text(json.dumps(found))
    with pytest.raises(InputError, match=r"46147\.json"):
        load_block_file(path, {})


def test_a_folder_without_blocks_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no block file"):
        block_paths(tmp_path)
    with pytest.raises(InputError, match="no such file"):
        block_paths(tmp_path / "nowhere")


def test_codes_and_witnesses_are_no_blocks(folder, tmp_path):
    for name in ("codes.json.zst", "22615247.json.zst", "22615247.witness.json.zst", "46147.json.zst"):
        shutil.copy(folder / name, tmp_path)
    assert [path.name for path in block_paths(tmp_path)] == ["46147.json.zst", "22615247.json.zst"]

"""Packs that stand alone: imported or recorded with witnesses, proven from the parent's root, checked."""

import json

import pytest
from ingest_anvil import CHAIN_ID, KEYS, Anvil

from mev_dagster.captures.format import open_capture
from mev_dagster.captures.importers.prestate_files import import_blocks_prestate
from mev_dagster.captures.layout import WITNESSES
from mev_dagster.captures.manifest import ArrivalTimes
from mev_dagster.captures.record_blocks import record_blocks
from mev_dagster.captures.record_witness import keys_below, record_witness
from mev_dagster.captures.verify import verify_capture
from mev_dagster.captures.writer import CaptureWriter
from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.networks import MAINNET
from mev_dagster.chain.signing import create_address, sign_transaction
from mev_dagster.errors import CaptureError, InputError, NodeAnswerError
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.state.witness_files import witness_from_json, witness_to_json
from mev_dagster.hexadecimal import to_hex
from mev_dagster.node.http import JsonRpc

NUMBER = 25_134_887


@pytest.fixture
def pack(fixtures, tmp_path):
    source = fixtures / "blocks_recent" / f"{NUMBER}.json.zst"
    import_blocks_prestate([source], tmp_path / "pack")
    return tmp_path / "pack"


@pytest.mark.fixtures
def test_a_block_imported_with_its_witness_is_proven_from_its_parents_state_root(pack):
    report = verify_capture(pack)
    assert report.ok, report.errors
    assert (report.witnesses, report.state_root_checked, report.state_root_matches) == (1, 1, 1)
    assert report.headers_checked == 1  # its parent is in the witness


def rewritten(pack, tmp_path, change):
    """The same capture with another witness."""
    with open_capture(pack) as capture:
        document = witness_to_json(capture.witness(NUMBER))
        witness = witness_from_json(change(document))
        out = tmp_path / "other"
        writer = CaptureWriter(
            out, chain_id=1, arrival_times=ArrivalTimes.SYNTHETIC, synthetic_rule="x", recorded_with="test"
        )
        with writer:
            writer.add_block(
                capture.block(NUMBER), capture.receipts(NUMBER), capture.prestate(NUMBER), witness
            )
    return verify_capture(out)


@pytest.mark.fixtures
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda doc: {**doc, "state": doc["state"][1:]}, "trie_node 0x"),
        (lambda doc: {**doc, "codes": doc["codes"][5:]}, "code 0x"),
        (lambda doc: {**doc, "codes": [*doc["codes"][:-1], "0x00"]}, "code 0x"),
        (lambda doc: {**doc, "headers": []}, "no header of the parent"),
    ],
)
def test_a_witness_that_lacks_something_is_named_with_its_block(pack, tmp_path, change, told):
    report = rewritten(pack, tmp_path, change)
    assert not report.ok
    assert any(f"block {NUMBER}" in error and told in error for error in report.errors), report.errors
    assert report.state_root_matches == 0


@pytest.mark.fixtures
def test_a_witness_of_another_block_is_refused_on_import(fixtures, tmp_path):
    for name in (f"{NUMBER}.json.zst", "codes.json.zst"):
        (tmp_path / name).write_bytes((fixtures / "blocks_recent" / name).read_bytes())
    other = fixtures / "blocks_recent" / "22825315.witness.json.zst"
    (tmp_path / f"{NUMBER}.witness.json.zst").write_bytes(other.read_bytes())
    with pytest.raises(InputError, match="none of its headers is the parent"):
        import_blocks_prestate([tmp_path / f"{NUMBER}.json.zst"], tmp_path / "out")


@pytest.mark.fixtures
def test_a_capture_without_witnesses_has_no_part_for_them(fixtures, tmp_path):
    source = fixtures / "blocks_prestate" / "19932703.json.zst"
    import_blocks_prestate([source], tmp_path / "plain")
    assert not (tmp_path / "plain" / WITNESSES).exists()
    report = verify_capture(tmp_path / "plain")
    assert (report.ok, report.witnesses) == (True, 0)


class Answers:
    """A node with one block, its parent, and a witness in geth's form."""

    shown_url = "made"

    def __init__(self, capture, witness):
        self.block, self.witness = capture.block(NUMBER), witness
        self.parent = max(capture.witness(NUMBER).ancestors, key=lambda header: header.number)

    def call(self, method, params=()):
        if method == "debug_executionWitness":
            if self.witness is None:
                raise NodeAnswerError("no such method")
            return self.witness
        assert (method, params[0]) == ("eth_getBlockByHash", to_hex(self.block.header.parent_hash))
        return rpc_header(self.parent)

    def batch(self, requests):
        raise NodeAnswerError("no proofs either")


def rpc_header(header):
    names = {
        "parentHash": "parent_hash", "sha3Uncles": "uncles_hash", "miner": "coinbase",
        "stateRoot": "state_root",
        "transactionsRoot": "transactions_root", "receiptsRoot": "receipts_root", "logsBloom": "logs_bloom",
        "difficulty": "difficulty", "number": "number", "gasLimit": "gas_limit", "gasUsed": "gas_used",
        "timestamp": "timestamp", "extraData": "extra_data", "mixHash": "mix_hash", "nonce": "nonce",
        "baseFeePerGas": "base_fee_per_gas_wei", "withdrawalsRoot": "withdrawals_root",
        "blobGasUsed": "blob_gas_used", "excessBlobGas": "excess_blob_gas",
        "parentBeaconBlockRoot": "parent_beacon_block_root", "requestsHash": "requests_hash",
    }  # fmt: skip
    values = {name: getattr(header, ours) for name, ours in names.items()}
    return {name: to_hex(value) if isinstance(value, bytes) else hex(value) for name, value in values.items()}


@pytest.mark.fixtures
def test_a_node_that_has_witnesses_is_asked_and_what_it_says_is_proven(pack):
    with open_capture(pack) as capture:
        document = {**witness_to_json(capture.witness(NUMBER)), "headers": []}
        args = (capture.block(NUMBER), MAINNET, get_engine("auto"), capture.prestate(NUMBER))
        found = record_witness(Answers(capture, document), *args)
        assert found.anchored
        assert json.dumps(witness_to_json(found)["state"]) == json.dumps(document["state"])
        for wrong in (None, {**document, "state": document["state"][:-9]}):
            with pytest.raises((CaptureError, NodeAnswerError)):
                record_witness(Answers(capture, wrong), *args)


# sstore(calldataload(0), calldataload(32)), and what deploys it
SETTER = bytes.fromhex("6020355f355500")
INIT = bytes.fromhex("60078060095f395ff3") + SETTER


def send(node, nonce, to, data):
    tx = sign_transaction(
        KEYS[0], type=2, chain_id=CHAIN_ID, nonce=nonce, to=to, data=data, gas_limit=300_000,
        max_fee_per_gas_wei=10**10, max_priority_fee_per_gas_wei=10**9,
    )  # fmt: skip
    node.call("eth_sendRawTransaction", to_hex(tx.raw))
    node.call("evm_mine")
    return tx


@pytest.mark.long
def test_blocks_of_a_node_without_witnesses_are_recorded_from_its_proofs(anvil_binary, tmp_path):
    """No slot is cleared: anvil keeps zeros in its tries, and so has roots of its own (decision 7)."""
    node = Anvil(anvil_binary, "--hardfork", "prague")
    try:
        setter = create_address(send(node, 0, None, INIT).sender, 0)
        stored = [(slot, slot + 1) for slot in range(5)] + [(0, 9), (3, 8)]
        for nonce, pair in enumerate(stored, 1):
            send(node, nonce, setter, b"".join(word.to_bytes(32, "big") for word in pair))
        with JsonRpc(node.url.replace("ws", "http")) as rpc:
            manifest = record_blocks(rpc, tmp_path / "pack", 2, 8, engine=get_engine("auto"))
        assert manifest.block_count == 7  # anvil proves nothing of its genesis
        report = verify_capture(tmp_path / "pack")
        assert report.ok, report.errors
        assert report.state_root_matches == 7
    finally:
        node.process.terminate()
        node.process.wait()


def test_a_key_below_a_path_is_found_by_its_hash_and_none_is_sought_deep_down():
    (found,) = keys_below(b"\x0a\x03\x07", length=32)
    assert len(found) == 32
    assert keccak(found).hex().startswith("a37")
    (address,) = keys_below(b"", length=20)
    assert len(address) == 20
    assert keys_below(bytes(9), length=20) == []

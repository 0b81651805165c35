"""Every transaction, header and root of the real data comes out equal."""

import json

import pytest
import zstandard

from mev_dagster.chain import rlp
from mev_dagster.chain.blocks import decode_block, encode_block, header_hash
from mev_dagster.chain.jsonrpc import block_from_rpc, receipt_from_rpc
from mev_dagster.chain.receipts import decode_receipts, encode_receipt, receipts_root
from mev_dagster.chain.transactions import decode_network_transaction, decode_transaction

pytestmark = pytest.mark.fixtures


def read(path):
    content = path.read_bytes()
    if path.suffix == ".zst":
        content = zstandard.ZstdDecompressor().decompressobj().decompress(content)
    return content


def read_json(path):
    return json.loads(read(path))


def answers(path):
    """The results inside a recorded JSON-RPC conversation."""
    return [entry["response"]["result"] for entry in read_json(path) if entry["response"].get("result")]


def test_captured_mainnet_blocks_come_out_equal(fixtures):
    numbers = transactions = 0
    for path in sorted((fixtures / "blocks_prestate").glob("[0-9]*.json.zst")):
        if "witness" in path.name:
            continue
        answer = read_json(path)["block"]
        block = block_from_rpc(answer)  # hashes, senders and roots are checked inside
        assert block.hash.hex() == answer["hash"][2:]
        assert [tx.hash.hex() for tx in block.transactions] == [
            tx["hash"][2:] for tx in answer["transactions"]
        ]
        assert [tx.sender.hex() for tx in block.transactions] == [
            tx["from"][2:] for tx in answer["transactions"]
        ]
        if not answer.get("uncles"):
            assert decode_block(encode_block(block)) == block
        numbers += 1
        transactions += len(block.transactions)
    assert (numbers, transactions) == (40, 9922)


def test_recorded_rpc_blocks_come_out_equal(fixtures):
    for path in (fixtures / "rpc_mainnet").glob("eth_getBlockByNumber_*.json.zst"):
        for answer in answers(path):
            assert block_from_rpc(answer).hash.hex() == answer["hash"][2:]


def test_raw_blocks_and_raw_receipts_have_the_roots_of_their_header(fixtures):
    for number in (4662649, 18951424, 20000000):
        [raw] = answers(fixtures / "rpc_mainnet" / f"raw_block_{number}.json.zst")
        block = decode_block(bytes.fromhex(raw[2:]))
        assert block.header.number == number
        assert encode_block(block).hex() == raw[2:]
        [encoded] = answers(fixtures / "rpc_mainnet" / f"raw_receipts_{number}.json.zst")
        receipts = decode_receipts([bytes.fromhex(item[2:]) for item in encoded])
        assert ["0x" + encode_receipt(receipt).hex() for receipt in receipts] == encoded
        assert receipts_root(receipts) == block.header.receipts_root
        assert receipts[-1].cumulative_gas_used == block.header.gas_used
        assert sum(receipt.gas_used for receipt in receipts) == block.header.gas_used


@pytest.mark.parametrize(
    ("number", "root"),
    [  # the receipts root of each mainnet block's header
        (18000000, "d925652022fa6da2ca5b9781ab2fd50cb05d3b4741a327f52322e2b7917d3a2f"),
    ],
)
def test_receipts_in_json_give_the_root_of_the_header(fixtures, number, root):
    [answer] = answers(fixtures / "rpc_mainnet" / f"receipts_{number}.json.zst")
    assert receipts_root([receipt_from_rpc(item) for item in answer]).hex() == root


def test_raw_mainnet_transactions_come_out_equal(fixtures):
    cases = read_json(fixtures / "raw_txs" / "mainnet_raw_txs.json.zst")
    cases += read_json(fixtures / "raw_txs" / "block_19807080_txs_receipts.json.zst")["txs"]
    for case in cases:
        transaction = decode_transaction(bytes.fromhex(case["raw"][2:]))
        assert transaction.hash.hex() == case["hash"][2:]
        assert transaction.sender.hex() == case["sender"][2:]
        assert transaction.type == case["type"]


def test_blob_transactions_in_network_form_lose_exactly_their_sidecar(fixtures):
    found = 0
    for path in (fixtures / "raw_txs").glob("blob_network_*"):
        raw = read(path)
        transaction, sidecar_bytes = decode_network_transaction(raw)
        assert transaction.type == 3
        assert transaction.raw_len + sidecar_bytes == len(raw)
        assert decode_transaction(transaction.raw) == transaction
        found += 1
    assert found == 6


def test_the_synthetic_chain_comes_out_equal_and_linked(fixtures):
    raw = read(fixtures / "chain_synthetic" / "chain.rlp.zst")
    position, parent, types = 0, None, set()
    count = 0
    while position < len(raw):
        _, _, end = rlp.payload_span(raw, position, len(raw))
        block = decode_block(raw[position:end])
        assert encode_block(block) == raw[position:end]
        assert parent is None or block.header.parent_hash == parent
        parent, position, count = header_hash(block.header), end, count + 1
        types |= {tx.type for tx in block.transactions}
    assert count == 54
    assert types == {0, 1, 2, 3, 4}

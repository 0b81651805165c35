"""A block that was altered anywhere is refused, and says where."""

from dataclasses import replace

import pytest

from mev_dagster.chain.blocks import (
    Block,
    Header,
    Withdrawal,
    decode_block,
    decode_header,
    encode_block,
    encode_header,
    header_hash,
    transactions_root,
    withdrawals_root,
)
from mev_dagster.chain.keccak import EMPTY_TRIE_ROOT, EMPTY_UNCLES_HASH
from mev_dagster.chain.receipts import Log, Receipt, decode_receipt, encode_receipt, logs_bloom
from mev_dagster.chain.signing import sign_transaction
from mev_dagster.errors import DecodeError

TRANSACTIONS = tuple(
    sign_transaction(
        bytes(31) + b"\x09",
        type=kind,
        chain_id=1,
        nonce=kind,
        to=bytes(20),
        gas_limit=21_000,
        **(
            {"max_fee_per_gas_wei": 9, "max_priority_fee_per_gas_wei": 1}
            if kind == 2
            else {"gas_price_wei": 9}
        ),
    )
    for kind in (0, 1, 2)
)
WITHDRAWALS = (Withdrawal(1, 2, bytes(20), 3),)
HEADER = Header(
    parent_hash=bytes(32),
    uncles_hash=EMPTY_UNCLES_HASH,
    coinbase=bytes(20),
    state_root=EMPTY_TRIE_ROOT,
    transactions_root=transactions_root(TRANSACTIONS),
    receipts_root=EMPTY_TRIE_ROOT,
    logs_bloom=bytes(256),
    difficulty=0,
    number=20_000_000,
    gas_limit=30_000_000,
    gas_used=0,
    timestamp=1_700_000_000,
    extra_data=b"",
    mix_hash=bytes(32),
    nonce=bytes(8),
    base_fee_per_gas_wei=7,
    withdrawals_root=withdrawals_root(WITHDRAWALS),
)
BLOCK = Block(header_hash(HEADER), HEADER, TRANSACTIONS, (), WITHDRAWALS)


def sealed(header, **body):
    return encode_block(replace(BLOCK, hash=header_hash(header), header=header, **body))


def test_a_block_survives_encoding():
    assert decode_block(encode_block(BLOCK)) == BLOCK


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        (sealed(HEADER, transactions=TRANSACTIONS[:2]), "transactions root"),
        (sealed(HEADER, withdrawals=()), "withdrawals root"),
        (sealed(HEADER, withdrawals=None), "withdrawals root"),
        (sealed(HEADER, uncles=(HEADER,)), "uncles hash"),
    ],
)
def test_a_body_that_is_not_the_headers_is_refused(raw, named):
    with pytest.raises(DecodeError, match=f"block 20000000: {named} is"):
        decode_block(raw)


def test_a_header_has_the_fields_of_some_fork_or_none():
    london = replace(HEADER, withdrawals_root=None)
    assert decode_header(encode_header(london)) == london
    cancun = replace(HEADER, blob_gas_used=0, excess_blob_gas=0, parent_beacon_block_root=bytes(32))
    assert decode_header(encode_header(cancun)) == cancun
    with pytest.raises(DecodeError, match="no fork's header has 18 fields"):
        decode_header(encode_header(replace(HEADER, blob_gas_used=1)))
    with pytest.raises(DecodeError, match="withdrawals_root is set but base_fee_per_gas_wei is not"):
        encode_header(replace(HEADER, base_fee_per_gas_wei=None))


def test_every_truncation_of_a_block_is_refused():
    raw = encode_block(BLOCK)
    for length in range(0, len(raw), 7):
        with pytest.raises(DecodeError):
            decode_block(raw[:length])


def test_a_receipt_survives_encoding_and_an_altered_bloom_is_found():
    logs = (Log(b"\x01" * 20, (b"\x02" * 32,), b"data"),)
    for receipt in (
        Receipt(2, 1, None, 50_000, 50_000, logs),
        Receipt(0, None, b"\x07" * 32, 21_000, 21_000, ()),
    ):
        assert decode_receipt(encode_receipt(receipt)) == receipt
    raw = encode_receipt(Receipt(0, 1, None, 1, 1, logs))
    bloom = logs_bloom(logs)
    with pytest.raises(DecodeError, match="bloom"):
        decode_receipt(raw.replace(bloom, bytes(255) + b"\x01"))

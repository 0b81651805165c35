"""Answers of nodes are checked, not believed."""

import pytest

from mev_dagster.chain.columns import transaction_columns
from mev_dagster.chain.jsonrpc import (
    block_from_rpc,
    quantity,
    receipt_from_rpc,
    transaction_from_rpc,
    transaction_to_rpc,
)
from mev_dagster.chain.signing import address_of, create_address, sign_authorization, sign_transaction
from mev_dagster.chain.transactions import AccessListEntry
from mev_dagster.errors import DecodeError

KEY = bytes(31) + b"\x03"
TO = b"\x11" * 20
FEES = {"max_fee_per_gas_wei": 30, "max_priority_fee_per_gas_wei": 2}
ACCESS = [AccessListEntry(TO, (bytes(32),))]
CASES = {
    "unprotected": {"type": 0, "chain_id": None, "gas_price_wei": 7},
    "legacy": {"type": 0, "chain_id": 1, "gas_price_wei": 7},
    "creation": {"type": 0, "chain_id": 1, "gas_price_wei": 7, "to": None, "data": b"\x60\x00"},
    "access list": {"type": 1, "gas_price_wei": 7, "access_list": ACCESS},
    "dynamic fee": {"type": 2, **FEES},
    "blob": {"type": 3, **FEES, "max_fee_per_blob_gas_wei": 9, "blob_versioned_hashes": [b"\x01" * 32]},
    "set code": {
        "type": 4,
        **FEES,
        "authorization_list": [sign_authorization(KEY, chain_id=0, address=TO, nonce=5)],
    },
}


def transaction(name):
    return sign_transaction(KEY, **{"chain_id": 1, "nonce": 3, "to": TO, "gas_limit": 90_000, **CASES[name]})


@pytest.mark.parametrize("name", CASES)
def test_a_transaction_survives_the_journey_through_json(name):
    tx = transaction(name)
    assert tx.sender == address_of(KEY)
    assert transaction_from_rpc(transaction_to_rpc(tx)) == tx
    assert transaction_columns([tx]).num_rows == 1


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("value", "0x1", "hash_mismatch"),
        ("from", "0x" + "22" * 20, "sender_mismatch"),
        ("nonce", "7", "bad_json_field"),
        ("gas", None, "bad_json_field"),
        ("input", "0x123", "bad_json_field"),
        ("type", "0x7f", "unknown_type"),
        ("r", "0x" + "ff" * 32, "signature_out_of_range"),
    ],
)
def test_an_altered_transaction_is_refused_with_the_field_that_is_wrong(field, value, reason):
    answer = transaction_to_rpc(transaction("dynamic fee")) | {field: value}
    with pytest.raises(DecodeError) as refusal:
        transaction_from_rpc(answer)
    assert refusal.value.reason == reason


def test_an_included_transaction_states_what_it_paid_per_gas():
    tx = transaction("dynamic fee")
    assert tx.effective_gas_price_wei(10) == 12
    assert tx.effective_priority_fee_wei(29) == 1
    assert tx.effective_priority_fee_wei(31) == -1
    answer = transaction_to_rpc(tx, block_hash=bytes(32), block_number=5, index=0, base_fee_per_gas_wei=10)
    assert answer["gasPrice"] == quantity(12)


def test_a_block_whose_transactions_are_only_hashes_is_refused():
    with pytest.raises(DecodeError, match="parentHash"):
        block_from_rpc({"transactions": []})


def test_a_receipt_with_a_bloom_of_other_logs_is_refused():
    answer = {
        "cumulativeGasUsed": "0x1",
        "gasUsed": "0x1",
        "status": "0x1",
        "logs": [],
        "logsBloom": "0x" + "00" * 256,
    }
    assert receipt_from_rpc(answer).status == 1
    with pytest.raises(DecodeError, match="bloom"):
        receipt_from_rpc(answer | {"logsBloom": "0x01" + "00" * 255})


def test_a_created_contract_has_the_known_address():
    # the first contract of the well-known anvil account 0
    sender = bytes.fromhex("f39fd6e51aad88f6f4ce6ab8827279cfffb92266")
    assert create_address(sender, 0).hex() == "5fbdb2315678afecb367f032d93f642f64180aa3"

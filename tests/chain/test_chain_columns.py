"""A batch decoded into columns says the same as transactions decoded one by one."""

from mev_dagster.chain.columns import SCHEMA, decode_columns, from_ipc, to_ipc, transaction_columns
from mev_dagster.chain.signing import sign_authorization, sign_transaction
from mev_dagster.chain.transactions import AccessListEntry, decode_transaction

KEY = bytes(31) + b"\x02"
TO = bytes(range(20))
DYNAMIC = {"max_fee_per_gas_wei": 2**100, "max_priority_fee_per_gas_wei": 5}
ACCESS = [AccessListEntry(TO, (bytes(32), b"\x01" * 32)), AccessListEntry(bytes(20), ())]


def one_of_each():
    common = {"chain_id": 1, "nonce": 2**64 - 2, "gas_limit": 90_000, "value_wei": 2**256 - 1}
    authorizations = [
        sign_authorization(KEY, chain_id=0, address=TO, nonce=0),
        sign_authorization(KEY, chain_id=2**255, address=bytes(20), nonce=2**64 - 1),
    ]
    return [
        sign_transaction(KEY, type=0, to=TO, gas_price_wei=0, data=b"\x01\x02\x03\x04\x05", **common),
        sign_transaction(
            KEY, type=0, to=None, gas_price_wei=1, data=b"\x60\x00", **{**common, "chain_id": None}
        ),
        sign_transaction(KEY, type=1, to=TO, gas_price_wei=9, access_list=ACCESS, **common),
        sign_transaction(KEY, type=2, to=None, data=bytes(100), **DYNAMIC, **common),
        sign_transaction(
            KEY,
            type=3,
            to=TO,
            max_fee_per_blob_gas_wei=7,
            blob_versioned_hashes=[b"\x01" + bytes(31), b"\x01" * 32],
            **DYNAMIC,
            **common,
        ),
        sign_transaction(
            KEY, type=4, to=TO, authorization_list=authorizations, access_list=ACCESS, **DYNAMIC, **common
        ),
    ]


def test_both_paths_give_the_same_columns():
    transactions = one_of_each()
    batch = decode_columns([tx.raw for tx in transactions])
    batch.rows.validate(full=True)
    assert batch.rejects == []
    assert batch.positions == list(range(6))
    assert batch.rows.equals(transaction_columns(transactions))


def test_amounts_are_exact_and_absent_fields_are_null():
    rows = decode_columns([tx.raw for tx in one_of_each()]).rows.to_pylist()
    assert int.from_bytes(rows[0]["value_wei"], "little") == 2**256 - 1
    assert int.from_bytes(rows[2]["gas_price_wei"], "little") == 9
    assert [row["gas_price_wei"] is None for row in rows] == [False, False, False, True, True, True]
    assert [row["chain_id"] is None for row in rows] == [False, True, False, False, False, False]
    assert [row["to"] is None for row in rows] == [False, True, False, True, False, False]
    assert [row["selector"] for row in rows] == [b"\x01\x02\x03\x04", None, None, None, None, None]
    assert rows[2]["access_list_addresses"] == [TO, bytes(20)]
    assert rows[2]["access_list_storage_keys"] == [[bytes(32), b"\x01" * 32], []]
    assert rows[5]["authorization_nonces"] == [0, 2**64 - 1]
    assert len(set(rows[5]["authorization_authorities"])) == 1


def test_a_bad_input_is_reported_in_its_place_and_spoils_nothing():
    good = one_of_each()[3].raw
    batch = decode_columns([b"", good, good[:-1], good, b"\x05" + good[1:]])
    assert batch.positions == [1, 3]
    assert [(reject.position, reject.reason) for reject in batch.rejects] == [
        (0, "empty"),
        (2, "rlp_truncated"),
        (4, "unknown_type"),
    ]
    assert batch.rows.num_rows == 2


def test_an_empty_batch_has_the_same_schema():
    assert decode_columns([]).rows.schema == SCHEMA
    assert decode_columns([b"\x00"]).rows.num_rows == 0


def test_a_batch_crosses_a_process_border_unchanged():
    rows = decode_columns([tx.raw for tx in one_of_each()]).rows
    assert from_ipc(bytes(to_ipc(rows))).equals(rows)


def test_an_authorization_that_nobody_signed_has_no_authority_and_spoils_nothing():
    from dataclasses import replace

    from mev_dagster.chain.encoding import UnsignedTransaction
    from mev_dagster.chain.signing import sign

    signed = sign_authorization(KEY, chain_id=1, address=TO, nonce=3)
    broken = [replace(signed, y_parity=7), replace(signed, s=2**256 - 1), replace(signed, r=0)]
    unsigned = UnsignedTransaction(
        type=4, chain_id=1, nonce=0, to=TO, gas_limit=10**6, authorization_list=[*broken, signed], **DYNAMIC
    )
    transaction = decode_transaction(sign(KEY, unsigned))
    assert [item.authority for item in transaction.authorization_list] == [None, None, None, signed.authority]

"""Damaged transactions: both decoders agree on accept or reject, and on everything they found."""

import contextlib
import random
from unittest import mock

import mutations
import plain_decoder
import pytest
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st

from mev_dagster.bench.transactions import generate
from mev_dagster.chain import columns, rlp
from mev_dagster.chain.columns import transaction_columns
from mev_dagster.chain.transactions import decode_network_transaction, decode_transaction
from mev_dagster.errors import DecodeError


def found_by_us(raw):
    try:
        tx = decode_transaction(raw)
    except DecodeError:
        return None
    found = {
        "type": tx.type,
        "chain_id": tx.chain_id,
        "nonce": tx.nonce,
        "gas": tx.gas_limit,
        "to": tx.to or b"",
        "value": tx.value_wei,
        "data": tx.data,
        "v": tx.v,
        "r": tx.r,
        "s": tx.s,
        "hash": tx.hash,
        "sender": tx.sender,
    }
    if tx.type < 2:
        found["gas_price"] = tx.gas_price_wei
    else:
        found |= {"tip": tx.max_priority_fee_per_gas_wei, "fee": tx.max_fee_per_gas_wei}
    if tx.type:
        found["access_list"] = tuple((entry.address, entry.storage_keys) for entry in tx.access_list)
    if tx.type == 3:
        found |= {"blob_fee": tx.max_fee_per_blob_gas_wei, "blobs": tx.blob_versioned_hashes}
    if tx.type == 4:
        found["authorizations"] = tuple(
            (a.chain_id, a.address, a.nonce, a.y_parity, a.r, a.s, a.authority) for a in tx.authorization_list
        )
    return found


def found_plainly(raw):
    try:
        return plain_decoder.decode(raw)
    except plain_decoder.Refused:
        return None


def stricter_than_the_eip(found):
    """EIP-7702 skips an authorization whose y_parity is 2 to 255; eth_account refuses its transaction."""
    return any(authorization[3] > 1 for authorization in found.get("authorizations", ()))


def agree_on_mutations(count, seed):
    """Return how many damaged inputs were accepted; every 20th of those is put to eth_account as well."""
    chance = random.Random(seed)
    seeds = [raw for raw in generate(400, seed=seed) if len(raw) < 1_500]
    accepted = 0
    batch = []
    for _ in range(count):
        raw = mutations.mutate(chance.choice(seeds), chance)
        ours = found_by_us(raw)
        assert ours == found_plainly(raw), raw.hex()
        accepted += ours is not None
        if ours is not None and accepted % 20 == 0 and not stricter_than_the_eip(ours):
            assert bytes.fromhex(Account.recover_transaction(raw)[2:]) == ours["sender"], raw.hex()
        batch.append(raw)
        if len(batch) == 1_000:
            check_columns(batch)
            batch.clear()
    check_columns(batch)
    return accepted


def check_columns(raws):
    """Decoding a batch into columns accepts exactly what decoding one by one accepts, and says the same."""
    transactions, refusals = [], []
    for position, raw in enumerate(raws):
        try:
            transactions.append(decode_transaction(raw))
        except DecodeError as error:
            refusals.append((position, error.reason))
    expected = transaction_columns(transactions)
    for worth_a_vector in (1, len(raws) + 1):  # every type split with numpy, and none
        with mock.patch.object(columns, "_WORTH_A_VECTOR", worth_a_vector):
            batch = columns.decode_columns(raws)
        assert [(reject.position, reject.reason) for reject in batch.rejects] == refusals
        assert batch.rows.equals(expected)


def test_undamaged_transactions_are_accepted_by_both():
    for raw in generate(300, seed=99):
        assert found_by_us(raw) == found_plainly(raw) is not None


def test_damaged_transactions_are_judged_alike():
    accepted = agree_on_mutations(4_000, seed=5)
    assert accepted > 200  # damage to a value leaves a transaction with another sender; those count too


@pytest.mark.long
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("seed", range(10))
def test_a_million_damaged_transactions_are_judged_alike(seed):
    agree_on_mutations(100_000, seed=1_000 + seed)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_but_a_decode_error(raw):
    for decode in (decode_transaction, decode_network_transaction, rlp.decode):
        with contextlib.suppress(DecodeError):
            decode(raw)


items = st.recursive(st.binary(max_size=80), lambda inner: st.lists(inner, max_size=4), max_leaves=20)


@settings(max_examples=300, deadline=None)
@given(items)
def test_rlp_decodes_what_it_encoded_and_the_rlp_package_agrees(item):
    import rlp as reference

    encoded = rlp.encode(item)
    assert encoded == reference.encode(item)
    assert rlp.decode(encoded) == item


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
def test_rlp_accepts_exactly_what_the_rlp_package_accepts_strictly(raw):
    import rlp as reference

    try:
        expected = reference.decode(raw, strict=True)
    except reference.exceptions.RLPException:
        with pytest.raises(DecodeError):
            rlp.decode(raw)
    else:
        assert rlp.decode(raw) == expected

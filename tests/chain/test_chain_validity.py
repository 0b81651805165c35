"""Rules per fork that ethereum/tests' transaction tests do not reach: blobs, set code, Prague and Osaka."""

import pytest

from mev_dagster.chain.forks import Fork
from mev_dagster.chain.signing import sign_authorization, sign_transaction
from mev_dagster.chain.validity import (
    calldata_floor_gas,
    intrinsic_gas,
    validate_for_fork,
    validate_for_some_fork,
)
from mev_dagster.errors import InvalidTransaction, UnsupportedFork

KEY = bytes(31) + b"\x04"
TO = b"\x22" * 20


def dynamic(**changes):
    fields = {"type": 2, "chain_id": 1, "nonce": 0, "to": TO, "gas_limit": 200_000}
    return sign_transaction(
        KEY, **{**fields, "max_fee_per_gas_wei": 9, "max_priority_fee_per_gas_wei": 1, **changes}
    )


def blobs(count, version=1):
    hashes = [bytes([version]) + bytes(31)] * count
    return dynamic(type=3, max_fee_per_blob_gas_wei=1, blob_versioned_hashes=hashes)


def refusal(transaction, fork, **options):
    with pytest.raises(InvalidTransaction) as refused:
        validate_for_fork(transaction, fork, **options)
    return refused.value.reason


def test_types_are_known_from_their_fork_on():
    assert refusal(dynamic(), Fork.BERLIN) == "type_not_supported"
    validate_for_fork(dynamic(), Fork.LONDON, chain_id=1)
    assert refusal(blobs(1), Fork.SHANGHAI) == "type_not_supported"
    validate_for_fork(blobs(6), Fork.CANCUN)


def test_blob_counts_and_versions_are_limited_by_fork():
    assert refusal(blobs(7), Fork.CANCUN) == "too_many_blobs"
    validate_for_fork(blobs(9), Fork.PRAGUE)
    assert refusal(blobs(7), Fork.OSAKA) == "too_many_blobs"  # per transaction since EIP-7594
    assert refusal(blobs(7), Fork.BPO2) == "too_many_blobs"
    assert refusal(blobs(1, version=2), Fork.CANCUN) == "bad_blob_version"


def test_each_authorization_costs_its_gas():
    authorization = sign_authorization(KEY, chain_id=1, address=TO, nonce=1)
    transaction = dynamic(type=4, authorization_list=[authorization] * 2, gas_limit=71_000)
    assert intrinsic_gas(transaction, Fork.PRAGUE) == 71_000
    validate_for_fork(transaction, Fork.PRAGUE)
    short = dynamic(type=4, authorization_list=[authorization] * 2, gas_limit=70_999)
    assert refusal(short, Fork.PRAGUE) == "intrinsic_gas_too_low"


def test_calldata_has_a_floor_since_prague():
    heavy = dynamic(data=b"\x01" * 1_000, gas_limit=40_000)
    assert intrinsic_gas(heavy, Fork.PRAGUE) == 37_000
    assert calldata_floor_gas(heavy, Fork.PRAGUE) == 61_000
    validate_for_fork(heavy, Fork.CANCUN)
    assert refusal(heavy, Fork.PRAGUE) == "intrinsic_gas_too_low"


def test_gas_is_capped_since_osaka():
    large = dynamic(gas_limit=2**24 + 1)
    validate_for_fork(large, Fork.PRAGUE)
    assert refusal(large, Fork.OSAKA) == "gas_limit_too_high"
    assert validate_for_some_fork(large) == Fork.PRAGUE


def test_fees_and_chain_are_checked():
    assert refusal(dynamic(max_priority_fee_per_gas_wei=10), Fork.LONDON) == "priority_fee_above_max_fee"
    assert refusal(dynamic(max_fee_per_gas_wei=2**255), Fork.LONDON) == "gas_cost_overflow"
    assert refusal(dynamic(), Fork.LONDON, chain_id=2) == "wrong_chain_id"
    with pytest.raises(InvalidTransaction, match="asks 21000 gas, the limit is 20999"):
        validate_for_some_fork(dynamic(gas_limit=20_999))


def test_without_a_block_a_transaction_is_held_to_what_its_network_has_scheduled():
    assert validate_for_some_fork(dynamic(gas_limit=20_999, chain_id=11_155_111)) is Fork.AMSTERDAM
    with pytest.raises(InvalidTransaction, match="BPO2 asks 21000"):
        validate_for_some_fork(dynamic(gas_limit=20_999, chain_id=4_242))


def test_init_code_is_limited_since_shanghai():
    creation = dynamic(to=None, data=bytes(49_153), gas_limit=5_000_000)
    validate_for_fork(creation, Fork.PARIS)
    assert refusal(creation, Fork.SHANGHAI) == "init_code_too_large"


def test_an_unknown_fork_is_refused_not_guessed():
    with pytest.raises(UnsupportedFork, match="UNKNOWN"):
        validate_for_fork(dynamic(), Fork.UNKNOWN)

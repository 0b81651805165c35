"""Block access lists: as geth encodes them, in order, and where two of them part."""

import json
from dataclasses import replace

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from mev_dagster.chain.access_lists import (
    AccountAccess,
    access_list_hash,
    check_access_list,
    decode_access_list,
    encode_access_list,
    first_difference,
)
from mev_dagster.errors import DecodeError, InvalidBlock

LOW, HIGH = b"\x01" * 20, b"\x02" * 20
ONE = AccountAccess(
    LOW,
    storage_changes=((3, ((1, 7), (2, 0))),),
    storage_reads=(1, 2),
    balance_changes=((0, 5), (4, 6)),
    nonce_changes=((1, 1),),
    code_changes=((2, b"\x60\x00"),),
)
TWO = AccountAccess(HIGH)
pairs = st.dictionaries(st.integers(0, 90), st.integers(0, 2**64 - 1)).map(lambda d: tuple(sorted(d.items())))
slots = st.integers(0, 2**256 - 1)
accounts = st.builds(
    AccountAccess,
    st.binary(min_size=20, max_size=20),
    st.dictionaries(slots, pairs.filter(bool)).map(lambda d: tuple(sorted(d.items()))),
    st.sets(slots).map(lambda s: tuple(sorted(s))),
    pairs,
    pairs,
    st.dictionaries(st.integers(0, 90), st.binary(max_size=40)).map(lambda d: tuple(sorted(d.items()))),
)


def truths(fixtures):
    for path in sorted((fixtures / "amsterdam_t8n").glob("*.json.zst")):
        yield json.loads(zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes()))["result"]


@pytest.mark.fixtures
def test_geths_lists_decode_keep_their_order_and_give_their_hash(fixtures):
    for result in truths(fixtures):
        raw = bytes.fromhex(result["blockAccessList"][2:])
        listed = decode_access_list(raw)
        assert encode_access_list(listed) == raw
        assert access_list_hash(raw).hex() == result["blockAccessListHash"][2:]
        check_access_list(listed, gas_limit=60_000_000, transactions=len(result["receipts"]))


@given(st.lists(accounts, max_size=4))
def test_what_is_encoded_decodes_to_itself(listed):
    assert decode_access_list(encode_access_list(listed)) == tuple(listed)


@given(st.lists(accounts, max_size=3), st.lists(accounts, max_size=3))
def test_two_lists_differ_where_they_are_not_the_same(one, other):
    told = first_difference(encode_access_list(one), encode_access_list(other))
    assert (told is None) == (one == other)


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ((ONE,), f"account 0x{'02' * 20} is missing"),
        ((ONE, TWO, AccountAccess(b"\x03" * 20)), f"account 0x{'03' * 20} is not expected"),
        ((replace(ONE, nonce_changes=((1, 2),)), TWO), "nonce changes: expected (1, 1), found (1, 2)"),
        ((replace(ONE, storage_reads=(1,)), TWO), "storage reads: expected 2, found nothing"),
        ((ONE, replace(TWO, balance_changes=((1, 1),))), "balance changes: expected nothing, found (1, 1)"),
    ],
)
def test_the_first_difference_is_told_with_its_account_and_kind(found, told):
    assert told in first_difference(encode_access_list((ONE, TWO)), encode_access_list(found))


@pytest.mark.parametrize(
    ("listed", "reason"),
    [
        ((TWO, ONE), "accounts are not"),
        ((ONE, ONE), "accounts are not"),
        ((replace(ONE, storage_reads=(2, 1)),), "slots read are not"),
        ((replace(ONE, storage_reads=(3,)),), "read and as written"),
        ((replace(ONE, storage_changes=((3, ()),)),), "written by nothing"),
        ((replace(ONE, storage_changes=((3, ((2, 7), (1, 0))),)),), "changes are not"),
        ((replace(ONE, balance_changes=((4, 1), (4, 2))),), "balance: changes are not"),
        ((replace(ONE, nonce_changes=((5, 1),)),), "index 5 in a block of 3"),
        ((replace(ONE, code_changes=((1, bytes(65_537)),)),), "a code of 65537 bytes"),
    ],
)
def test_a_list_out_of_order_or_past_its_block_is_refused(listed, reason):
    with pytest.raises(InvalidBlock, match=reason):
        check_access_list(listed, gas_limit=60_000_000, transactions=3)


def test_a_list_may_only_be_as_long_as_the_gas_limit_allows():
    check_access_list((ONE, TWO), gas_limit=10_000, transactions=3)  # two accounts, three slots
    with pytest.raises(InvalidBlock, match="5 accounts and slots, and a gas limit of 9999 allows 4"):
        check_access_list((ONE, TWO), gas_limit=9_999, transactions=3)


@given(st.binary(max_size=80))
def test_bytes_that_are_no_list_are_refused_as_such(raw):
    try:
        decode_access_list(raw)
    except DecodeError:
        return
    assert encode_access_list(decode_access_list(raw)) == raw

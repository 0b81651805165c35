"""Headers of unknown forks keep their fields and their hash; blocks of other chains keep their order."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mev_dagster.chain import rlp
from mev_dagster.chain.blocks import decode_header, encode_header, header_hash
from mev_dagster.chain.forks import Fork
from mev_dagster.chain.jsonrpc import block_from_rpc, header_from_rpc
from mev_dagster.chain.keccak import keccak
from mev_dagster.errors import DecodeError, UnsupportedFork
from mev_dagster.evm.blocks import execute_block
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.state.prestate import Prestate

EMPTY_TRIE = keccak(rlp.encode(b""))


def answer(**changes):
    """An empty block as a node answers it, Amsterdam's fields included; its hash is right."""
    fields = {
        "parentHash": "0x" + "01" * 32, "sha3Uncles": "0x" + keccak(b"\xc0").hex(), "miner": "0x" + "00" * 20,
        "stateRoot": "0x" + "03" * 32, "transactionsRoot": "0x" + EMPTY_TRIE.hex(),
        "receiptsRoot": "0x" + EMPTY_TRIE.hex(), "logsBloom": "0x" + "00" * 256, "difficulty": "0x0",
        "number": "0x8f6f40", "gasLimit": "0x3938700", "gasUsed": "0x0", "timestamp": "0x6ac53f00",
        "extraData": "0x", "mixHash": "0x" + "00" * 32, "nonce": "0x" + "00" * 8, "baseFeePerGas": "0x7",
        "withdrawalsRoot": "0x" + EMPTY_TRIE.hex(), "blobGasUsed": "0x0", "excessBlobGas": "0x0",
        "parentBeaconBlockRoot": "0x" + "07" * 32, "requestsHash": "0x" + "08" * 32,
        "blockAccessListHash": "0x" + keccak(b"\xc0").hex(), "slotNumber": "0xac5f81",
        "transactions": [], "uncles": [], "withdrawals": [], "size": "0x400",
    } | changes  # fmt: skip
    header = header_from_rpc({**fields, "hash": None})
    return fields | {"hash": "0x" + header_hash(header).hex()}


def with_fields(fields, shuffle=0):
    """The answer with fields of a later fork, in an order of JSON that is not the header's."""
    known = {**answer(), "hash": None}
    header = replace(
        header_from_rpc(known),
        later_fields=tuple(
            rlp.encode_int(int(v, 16)) if len(v) < 66 else rlp.encode_bytes(bytes.fromhex(v[2:]))
            for v in fields.values()
        ),
    )
    items = [*known.items(), *fields.items()]
    random.Random(shuffle).shuffle(items)
    return header, dict(items) | {"hash": "0x" + header_hash(header).hex()}


def test_a_header_of_amsterdam_is_read_from_json_and_from_rlp():
    header = header_from_rpc(answer())
    assert header.slot_number == 0xAC5F81
    assert header.block_access_list_hash == keccak(b"\xc0")
    assert decode_header(encode_header(header)) == header


@given(
    st.dictionaries(
        st.sampled_from(["inclusionListHash", "frameRoot", "gasTarget", "epoch"]),
        st.one_of(
            st.integers(0, 2**64 - 1).map(hex),
            st.binary(min_size=32, max_size=32).map(lambda b: "0x" + b.hex()),
        ),
        min_size=1,
    ),
    st.integers(0, 5),
)
def test_fields_of_a_later_fork_are_found_in_any_order_of_json_and_kept(fields, shuffle):
    header, told = with_fields(fields, shuffle)
    found = header_from_rpc({**told, "totalDifficulty": "0x0", "size": "0x2"})
    assert header_hash(found) == header_hash(header)
    assert sorted(found.later_fields) == sorted(header.later_fields)
    assert decode_header(encode_header(found)) == found


def test_a_header_that_does_not_give_its_hash_says_what_may_have_come_with_a_fork():
    told = answer() | {"hash": "0x" + "99" * 32, "inclusionListHash": "0x" + "11" * 32}
    with pytest.raises(DecodeError, match="inclusionListHash") as refused:
        header_from_rpc(told)
    assert refused.value.reason == "unknown_header_fields"
    with pytest.raises(DecodeError) as refused:
        header_from_rpc(answer() | {"hash": "0x" + "99" * 32})
    assert refused.value.reason == "block_mismatch"


def test_a_header_with_a_field_missing_in_between_is_refused():
    header = replace(header_from_rpc(answer()), slot_number=None, later_fields=(b"\x01",))
    with pytest.raises(DecodeError, match="slot_number is not set"):
        encode_header(header)
    for count in (18, 22, 60):
        with pytest.raises(DecodeError, match=f"{count} fields"):
            decode_header(rlp.encode([b""] * count))


FOREIGN = {"hash": "0x" + "aa" * 32, "type": "0x7e", "from": "0x" + "00" * 20, "sourceHash": "0x" + "bb" * 32}


def test_a_block_with_another_chains_transactions_is_kept_by_their_hashes_where_that_is_asked_for():
    told = answer() | {"transactions": [FOREIGN, FOREIGN | {"hash": "0x" + "cc" * 32, "type": "0x6a"}]}
    with pytest.raises(DecodeError, match="unknown_type"):
        block_from_rpc(told)
    block = block_from_rpc(told, keep_foreign=True)
    assert block.transaction_hashes == (b"\xaa" * 32, b"\xcc" * 32)
    assert [one.type for one in block.foreign] == [0x7E, 0x6A]
    with pytest.raises(UnsupportedFork, match="transaction 0 is of type 0x7e"):
        execute_block(get_engine(), Prestate({}, {}, complete=True), block, 1)


def test_no_fork_is_greater_than_the_unknown_one():
    assert max(Fork) is Fork.UNKNOWN

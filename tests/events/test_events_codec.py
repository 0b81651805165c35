"""The binary form of events: every value comes back, nothing else gets in, noise is refused by type."""

import hashlib
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mev_dagster.errors import InputError, LogCorrupt
from mev_dagster.events.codec import CRC_SIZE, PREFIX_SIZE, SCHEMA_VERSION, decode, encode, length_at, raw_at
from mev_dagster.events.types import (
    BlockReverted,
    BlockSeen,
    Event,
    Lane,
    LaneState,
    LaneStatus,
    TxBody,
    TxIncluded,
    TxRejected,
    TxReplaced,
    TxSeen,
)

hashes = st.binary(min_size=32, max_size=32)
times = st.integers(-(2**63), 2**63 - 1)
numbers = st.integers(0, 2**64 - 1)
texts = st.text(st.characters(codec="utf-8"), max_size=40)
head = {
    "seq": st.just(-1),
    "wall_ns": times,
    "mono_ns": times,
    "lane": st.sampled_from(Lane),
    "source": texts,
}
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(
        TxSeen,
        **head,
        tx_hash=hashes,
        peer=texts,
        announced_type=st.none() | st.integers(0, 255),
        announced_size=st.none() | st.integers(0, 2**32 - 1),
        synthetic=st.booleans(),
    ),
    st.builds(TxBody, **head, tx_hash=hashes, raw=st.binary(max_size=300), synthetic=st.booleans()),
    st.builds(TxRejected, **head, digest=hashes, reason=texts, detail=texts, raw=st.binary(max_size=300)),
    st.builds(
        BlockSeen,
        **head,
        number=numbers,
        block_hash=hashes,
        parent_hash=hashes,
        header_rlp=st.binary(max_size=300),
        tx_hashes=st.lists(hashes, max_size=5).map(tuple),
    ),
    st.builds(BlockReverted, **head, number=numbers, block_hash=hashes),
    st.builds(
        TxIncluded,
        **head,
        tx_hash=hashes,
        number=numbers,
        block_hash=hashes,
        index=st.integers(0, 2**32 - 1),
    ),
    st.builds(TxReplaced, **head, old_hash=hashes, new_hash=hashes),
    st.builds(LaneStatus, **head, state=st.sampled_from(LaneState), reason=texts, count=numbers),
)
SEEN = TxSeen(-1, 1, 2, Lane.RPC, "node", bytes(32))


@given(EVENTS, numbers)
def test_every_event_comes_back_as_it_was_with_its_number(event: Event, seq: int):
    record = encode(event, seq)
    assert length_at(record, 0, len(record)) == len(record)
    assert decode(raw_at(record, 0)) == replace(event, seq=seq)


@given(EVENTS, st.data())
def test_a_flipped_bit_anywhere_in_a_record_fails_its_checksum(event: Event, data: st.DataObject):
    record = bytearray(encode(event, 7))
    position = data.draw(st.integers(0, 8 * len(record) - 1))
    record[position // 8] ^= 1 << position % 8
    assert length_at(bytes(record), 0, len(record)) == 0


@given(EVENTS, st.data())
def test_a_record_whose_fields_make_no_event_is_refused_by_type(event: Event, data: st.DataObject):
    """A checksum can be right over nonsense: decoding still gives an event or `LogCorrupt`."""
    body = bytearray(encode(event, 7)[PREFIX_SIZE:])
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    body = body[: data.draw(st.integers(60, len(body)))]
    record = bytes(CRC_SIZE) + len(body).to_bytes(4, "little") + bytes(body)
    with suppress(LogCorrupt):
        decode(raw_at(record, 0))


@pytest.mark.parametrize(
    "event",
    [
        replace(SEEN, tx_hash=bytes(31)),
        replace(SEEN, source="s" * 256),
        replace(SEEN, source="\ud800"),
        replace(SEEN, announced_size=2**32),
        replace(SEEN, wall_ns=2**63),
        TxReplaced(-1, 1, 2, Lane.RPC, "node", bytes(33), bytes(32)),
        TxBody(-1, 1, 2, Lane.RPC, "node", bytes(32), bytes(17 * 1024 * 1024)),
        "no event",
    ],
)
def test_what_does_not_fit_a_record_is_refused_before_it_is_written(event):
    with pytest.raises(InputError):
        encode(event, 0)


# One of each kind. Records are for ever: a change that alters their bytes needs a new SCHEMA_VERSION and a
# reader for the old one.
H1, H2, H3 = (bytes((n,)) * 32 for n in (1, 2, 3))
BODY = TxBody(-1, 10, 20, Lane.RPC, "node", H1, b"raw")
ONE_OF_EACH: list[Event] = [
    TxSeen(-1, 10, 20, Lane.P2P, "p2p", H1, "peer", 2, 300, synthetic=True),
    BODY,
    TxRejected(-1, 10, 20, Lane.PRIVATE, "node", H1, "reason", "detail", b"raw"),
    BlockSeen(-1, 10, 20, Lane.RPC, "node", 7, H1, H2, b"header", (H3, H1)),
    BlockReverted(-1, 10, 20, Lane.RPC, "node", 7, H1),
    TxIncluded(-1, 10, 20, Lane.CAPTURE, "node", H1, 7, H2, 4),
    TxReplaced(-1, 10, 20, Lane.RPC, "node", H1, H2),
    LaneStatus(-1, 10, 20, Lane.RPC, "node", LaneState.GAP, "reason", 9),
]


def test_the_record_form_of_schema_version_1_stays_as_it_is():
    assert SCHEMA_VERSION == 1
    fixed = "43000000 0500000000000000 0a00000000000000 1400000000000000 02 02 00 04"
    assert encode(BODY, 5) == bytes.fromhex("dcc843e2" + fixed) + H1 + b"raw" + b"node"
    records = b"".join(encode(event, seq) for seq, event in enumerate(ONE_OF_EACH))
    assert hashlib.sha256(records).hexdigest() == (
        "5c3ff87cdc1337c6be7b4dd07b9bc8edacd9cac828dabf7110ef4f62a76fcb7e"
    )

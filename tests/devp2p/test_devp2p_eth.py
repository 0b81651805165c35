"""eth messages of every version: the fixtures' wire messages, round trips, and lists that lie."""

from contextlib import suppress

import pytest
import rlp as oracle
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from mev_dagster.chain import rlp
from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.transactions import strip_sidecar
from mev_dagster.devp2p.eth.codec import LENGTHS, TABLE, decode_message, encode_message
from mev_dagster.devp2p.eth.messages import (
    BlockAccessLists,
    BlockBodies,
    BlockHeaders,
    BlockRangeUpdate,
    GetBlockAccessLists,
    GetBlockBodies,
    GetBlockHeaders,
    GetPooledTransactions,
    GetReceipts,
    NewPooledTransactionHashes,
    PooledTransactions,
    Receipts,
    Status,
    Transactions,
    Unread,
)
from mev_dagster.devp2p.eth.pooled import PooledTransaction, read_transactions
from mev_dagster.devp2p.forkid import ForkId
from mev_dagster.errors import DecodeError

H1, H2 = b"\x11" * 32, b"\x22" * 32
LEGACY = oracle.encode([1, 2, 3])
TYPED = b"\x02" + oracle.encode([b"field" * 20])


def pooled(raw: bytes, kind: int) -> PooledTransaction:
    return PooledTransaction(keccak(raw), kind, len(raw), raw)


def decompressed(path) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes())


@pytest.mark.fixtures
def test_an_old_announcement_of_a_real_network_is_read(fixtures):
    payload = (fixtures / "p2p" / "new_pooled_transactions_network_rlp.rlp").read_bytes()
    message = decode_message(0x08, payload, 66)
    assert list(message.hashes) == oracle.decode(payload)
    assert len(message.hashes) == 896
    assert encode_message(message, 66) == (0x08, payload)


@pytest.mark.fixtures
def test_pooled_transactions_with_a_blob_are_split_and_hashed_without_the_sidecar(fixtures):
    payload = decompressed(fixtures / "p2p" / "pooled_transactions_with_blob.rlp.zst")
    listed, blob, legacy = read_transactions(payload, *rlp.list_span(payload, 0, len(payload)))
    assert (listed.type, blob.type, legacy.type) == (1, 3, 0)
    assert (blob.size, blob.sidecar_bytes) == (131_370, 131_370 - len(blob.raw))
    fields = oracle.decode(oracle.decode(payload)[1][1:])[0]
    assert blob.raw == b"\x03" + oracle.encode(fields)
    assert blob.hash == keccak(blob.raw)
    assert legacy.raw == oracle.encode(oracle.decode(payload)[2])


@pytest.mark.fixtures
def test_a_new_block_is_passed_over_but_counted(fixtures):
    payload = decompressed(fixtures / "p2p" / "bsc_new_block_network_one.rlp.zst")
    assert decode_message(0x07, payload, 68) == Unread("NewBlock", len(payload))
    assert decode_message(0x07, payload, 69) == Unread("NewBlock", len(payload))


@pytest.mark.fixtures
def test_blob_transactions_of_both_sidecar_versions_are_cut_where_the_decoder_cuts_them(fixtures):
    files = sorted((fixtures / "raw_txs").glob("blob_network_*"))
    assert len(files) == 6
    for path in files:
        raw = decompressed(path) if path.suffix == ".zst" else path.read_bytes()
        consensus, sidecar_bytes = strip_sidecar(raw)
        payload = oracle.encode([raw])
        (found,) = read_transactions(payload, *rlp.list_span(payload, 0, len(payload)))
        assert (found.raw, found.sidecar_bytes, found.size) == (consensus, sidecar_bytes, len(raw))


FORK = ForkId(b"\x07\xc9\x46\x2e", 17)
EVERY = [
    (68, Status(68, 1, H1, FORK, H2, total_difficulty=2**70)),
    (69, Status(69, 1, H1, FORK, H2, earliest=3, latest=9)),
    (72, Status(72, 1, H1, FORK, H2, earliest=3, latest=9)),
    (68, Transactions((pooled(LEGACY, 0), pooled(TYPED, 2)))),
    (68, NewPooledTransactionHashes(b"\x00\x02\x03", (1, 300, 131_400), (H1, H2, b"\x33" * 32))),
    (71, NewPooledTransactionHashes(b"", (), ())),
    (72, NewPooledTransactionHashes(b"\x03", (500,), (H1,), cells=b"\xff" * 16)),
    (69, GetPooledTransactions(2**64 - 1, (H1, H2))),
    (70, PooledTransactions(5, (pooled(LEGACY, 0), pooled(TYPED, 2)))),
    (70, PooledTransactions(5, ())),
    (68, GetBlockHeaders(1, 17_000_000, 192)),
    (68, GetBlockHeaders(1, H1, 1, skip=2, reverse=True)),
    (68, BlockHeaders(1, (oracle.encode([b"header"]),))),
    (68, GetBlockBodies(2, (H1,))),
    (68, BlockBodies(2, (oracle.encode([[], []]),))),
    (68, GetReceipts(3, (H1,))),
    (70, GetReceipts(3, (H1,), first_index=4)),
    (69, Receipts(3, (oracle.encode([b"receipt"]),))),
    (70, Receipts(3, (oracle.encode([b"receipt"]),), last_incomplete=True)),
    (69, BlockRangeUpdate(1, 2, H1)),
    (71, GetBlockAccessLists(4, (H1, H2))),
    (71, BlockAccessLists(4, (b"\x80", b"\x80"))),
]


@pytest.mark.parametrize(("version", "message"), EVERY, ids=lambda value: type(value).__name__)
def test_every_message_survives_the_wire(version, message):
    message_id, payload = encode_message(message, version)
    assert TABLE[message_id].name == type(message).__name__
    assert message_id < LENGTHS[version]
    assert decode_message(message_id, payload, version) == message
    oracle.decode(payload)


def test_a_message_is_written_only_where_its_version_has_it():
    with pytest.raises(ValueError, match="eth/68 has no BlockRangeUpdate"):
        encode_message(BlockRangeUpdate(1, 2, H1), 68)
    with pytest.raises(DecodeError, match="bad_message_id"):
        decode_message(0x11, b"\xc0", 68)


@pytest.mark.parametrize(
    "fields",
    [
        [b"\x00\x00", [1, 2], [H1]],
        [b"\x00", [1, 2], [H1, H2]],
        [b"\x00", [1], [H1[:31]]],
        [b"\x00", [[1]], [H1]],
        [[0], [1], [H1]],
        [b"\x00", b"\x01", [H1]],
        [b"\x00", [1], H1],
        [b"\x00", [2**32], [H1]],
        [b"\x00", [1], [H1], b"\x01"],
        [b"\x00", [1]],
        [],
    ],
)
def test_an_announcement_whose_lists_lie_is_refused(fields):
    with pytest.raises(DecodeError):
        decode_message(0x08, oracle.encode(fields), 70)


def test_more_hashes_than_anyone_needs_are_refused():
    hashes = [bytes(32)] * 8193
    with pytest.raises(DecodeError, match="too_many_items"):
        decode_message(0x08, oracle.encode([bytes(8193), [1] * 8193, hashes]), 70)


@given(
    st.lists(st.tuples(st.integers(0, 255), st.integers(0, 2**32 - 1), st.binary(min_size=32, max_size=32)))
)
def test_announcements_of_any_content_read_as_the_oracle_reads_them(entries):
    types = bytes(kind for kind, _, _ in entries)
    sizes, hashes = [size for _, size, _ in entries], [tx_hash for _, _, tx_hash in entries]
    message = decode_message(0x08, oracle.encode([types, sizes, hashes]), 71)
    assert (message.types, list(message.sizes), list(message.hashes)) == (types, sizes, hashes)


@given(st.binary(max_size=400), st.sampled_from(sorted(TABLE)), st.integers(66, 72))
def test_no_payload_raises_anything_but_a_decode_error(payload, message_id, version):
    with suppress(DecodeError):
        decode_message(message_id, payload, version)

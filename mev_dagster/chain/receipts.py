"""Receipts, logs and blooms."""

from collections.abc import Sequence
from dataclasses import dataclass

from mev_dagster.chain import rlp
from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.trie import ordered_trie_root
from mev_dagster.errors import DecodeError
from mev_dagster.hexadecimal import to_hex

BLOOM_BYTES = 256


@dataclass(frozen=True, slots=True)
class Log:
    """One log entry."""

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """One receipt. Before Byzantium `status` is None and `post_state` may hold the intermediate root."""

    type: int
    status: int | None
    post_state: bytes | None
    cumulative_gas_used: int
    gas_used: int
    logs: tuple[Log, ...]


def logs_bloom(logs: Sequence[Log]) -> bytes:
    """Return the 2048-bit bloom: three bits for every address and topic."""
    bits = 0
    for value in {part for log in logs for part in (log.address, *log.topics)}:
        digest = keccak(value)
        for index in (0, 2, 4):
            bits |= 1 << (int.from_bytes(digest[index : index + 2], "big") & 0x7FF)
    return bits.to_bytes(BLOOM_BYTES, "big")


def _encode_logs(logs: Sequence[Log]) -> bytes:
    return rlp.encode([[log.address, list(log.topics), log.data] for log in logs])


def logs_hash(logs: Sequence[Log]) -> bytes:
    """Return the keccak of the RLP of a list of logs."""
    return keccak(_encode_logs(logs))


def encode_receipt(receipt: Receipt) -> bytes:
    """Return the consensus encoding: `type || rlp([status or root, cumulative gas, bloom, logs])`."""
    if receipt.status is None:
        if receipt.post_state is None:
            raise DecodeError("no_post_state", "a receipt needs a status or an intermediate state root")
        outcome = receipt.post_state
    else:
        outcome = rlp.big_endian(receipt.status)
    encoded = rlp.encode_list(
        [
            rlp.encode_bytes(outcome),
            rlp.encode_int(receipt.cumulative_gas_used),
            rlp.encode_bytes(logs_bloom(receipt.logs)),
            _encode_logs(receipt.logs),
        ]
    )
    return encoded if receipt.type == 0 else bytes((receipt.type,)) + encoded


def decode_receipt(raw: bytes, *, previous_cumulative_gas: int = 0) -> Receipt:
    """Decode a consensus receipt and check its bloom.

    The encoding holds only cumulative gas; the receipt's own is the difference to its predecessor's.
    """
    if not raw:
        raise DecodeError("empty", "no bytes")
    kind = 0 if raw[0] >= 0xC0 else raw[0]
    if kind > 4 or raw[0] == 0:
        raise DecodeError("unknown_type", f"first byte 0x{raw[0]:02x} is no receipt type")
    fields = rlp.decode_list(raw[1:] if kind else raw)
    if len(fields) != 4:
        raise DecodeError("wrong_field_count", f"a receipt has 4 fields, found {len(fields)}")
    outcome = rlp.text(fields[0], name="status or root")
    status: int | None = None
    post_state: bytes | None = None
    if len(outcome) == 32:
        post_state = outcome
    elif outcome in (b"", b"\x01"):
        status = len(outcome)
    else:
        raise DecodeError("bad_status", f"expected empty, 1 or a 32-byte root, found {to_hex(outcome[:8])}")
    logs = tuple(_log(item) for item in rlp.items(fields[3], name="logs"))
    if logs_bloom(logs) != fields[2]:
        raise DecodeError("wrong_bloom", "the bloom does not match the logs")
    cumulative = rlp.integer(fields[1], bits=64, name="cumulative_gas_used")
    return Receipt(kind, status, post_state, cumulative, cumulative - previous_cumulative_gas, logs)


def _log(item: rlp.Item) -> Log:
    parts = rlp.items(item, name="log")
    if len(parts) != 3:
        raise DecodeError("wrong_field_count", f"a log has 3 fields, found {len(parts)}")
    topics = rlp.items(parts[1], name="topics")
    if len(topics) > 4:
        raise DecodeError("wrong_field_count", f"a log has at most 4 topics, found {len(topics)}")
    return Log(
        rlp.fixed(parts[0], 20, name="log address"),
        tuple(rlp.fixed(topic, 32, name="topic") for topic in topics),
        rlp.text(parts[2], name="log data"),
    )


def decode_receipts(encoded: Sequence[bytes]) -> tuple[Receipt, ...]:
    """Decode a block's receipts in order, so that each knows the gas it used itself."""
    receipts: list[Receipt] = []
    for raw in encoded:
        previous = receipts[-1].cumulative_gas_used if receipts else 0
        receipts.append(decode_receipt(raw, previous_cumulative_gas=previous))
    return tuple(receipts)


def receipts_root(receipts: Sequence[Receipt]) -> bytes:
    """Return the receipts root of a block."""
    return ordered_trie_root([encode_receipt(receipt) for receipt in receipts])

"""Transactions as peers send them: split from a list without decoding, hashed, sidecars cut off.

A legacy transaction is an RLP list in place, a typed one a string that holds `type || rlp(fields)`. A blob
transaction carries its sidecar, which its hash does not cover (EIP-4844, EIP-7594; eth/72 leaves out the
blobs). Whether the fields are a valid transaction is for the pipeline to say.
"""

from typing import NamedTuple

from sha3 import keccak_256

from mev_dagster.chain import rlp
from mev_dagster.chain.transactions import MAX_NETWORK_BYTES
from mev_dagster.errors import DecodeError, ProtocolViolation

BLOB_TYPE = 3
MAX_TRANSACTIONS = 5_000  # geth refuses a longer list


class PooledTransaction(NamedTuple):
    """`raw` is the consensus form that `hash` covers; `size` what the peer should have announced."""

    hash: bytes
    type: int
    size: int
    raw: bytes

    @property
    def sidecar_bytes(self) -> int:
        """How much of what was sent is not part of the transaction."""
        return self.size - len(self.raw)


def read_transactions(data: bytes, start: int, stop: int) -> tuple[PooledTransaction, ...]:
    """Split a list payload of transactions."""
    found: list[PooledTransaction] = []
    append, span = found.append, rlp.payload_span
    while start < stop:
        is_list, at, end = span(data, start, stop)
        if is_list:
            raw, kind = data[start:end], 0
        else:
            raw = data[at:end]
            if not raw:
                raise DecodeError("empty_transaction", f"no bytes at byte {start}")
            kind = raw[0]
        size = len(raw)
        if kind == BLOB_TYPE:
            raw = without_sidecar(raw)
        append(PooledTransaction(keccak_256(raw).digest(), kind, size, raw))
        start = end
    if len(found) > MAX_TRANSACTIONS:
        raise ProtocolViolation("too_many_items", f"{len(found)} transactions, at most {MAX_TRANSACTIONS}")
    return tuple(found)


def without_sidecar(raw: bytes) -> bytes:
    """Return the consensus form of a blob transaction; its fields are copied, its blobs are not."""
    if len(raw) > MAX_NETWORK_BYTES:
        raise DecodeError("too_large", f"{len(raw)} bytes, at most {MAX_NETWORK_BYTES} are read")
    position, end = rlp.list_span(raw, 1, len(raw))
    is_list, _, stop = rlp.payload_span(raw, position, end)
    return raw[:1] + raw[position:stop] if is_list else raw


def item(raw: bytes) -> bytes:
    """Return a transaction in network form as the list item it is sent as."""
    return raw if raw[:1] >= b"\xc0" else rlp.encode_bytes(raw)

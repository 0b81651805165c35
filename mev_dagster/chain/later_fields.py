"""Header fields of a fork that is not known here, found in a node's JSON answer and proven by the hash.

A later fork appends fields to the header. JSON has no order, so which of the names that mean nothing to us
are header fields, and in which order they follow, is found by trying: the block hash covers all of them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import combinations, permutations
from typing import Any

from mev_dagster.chain import rlp
from mev_dagster.chain.blocks import Header, header_hash

MAX_TRIED = 5
"""So many unknown names are tried: 325 orders. A fork has brought three fields at most."""

# What answers hold beside the header, by any client.
_NO_HEADER_FIELDS = {
    *("hash", "transactions", "uncles", "withdrawals", "size", "totalDifficulty", "author", "sealFields"),
    *("blockAccessList", "executionRequests", "requests", "blockExtraData", "committedSeals"),
}
_KNOWN_FIELDS = {
    *("parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom"),
    *("difficulty", "number", "gasLimit", "gasUsed", "timestamp", "extraData", "mixHash", "nonce"),
    *("baseFeePerGas", "withdrawalsRoot", "blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot"),
    *("requestsHash", "blockAccessListHash", "slotNumber"),
}


def unknown_fields(answer: Mapping[str, Any]) -> dict[str, str]:
    """Return what may be header fields of a later fork: names that mean nothing here, with 0x values."""
    return {
        name: value
        for name, value in answer.items()
        if name not in _NO_HEADER_FIELDS | _KNOWN_FIELDS and isinstance(value, str) and value.startswith("0x")
    }


def with_later_fields(header: Header, answer: Mapping[str, Any], block_hash: bytes) -> Header | None:
    """Return the header with its later fields in the order that gives the hash, or None where none does."""
    fields = [encoded for value in unknown_fields(answer).values() if (encoded := _encoded(value))]
    if len(fields) > MAX_TRIED:
        return None
    for ordered in _orders(fields):
        candidate = replace(header, later_fields=ordered)
        if header_hash(candidate) == block_hash:
            return candidate
    return None


def _orders(fields: list[bytes]) -> Iterator[tuple[bytes, ...]]:
    for count in range(1, len(fields) + 1):
        for chosen in combinations(fields, count):
            yield from permutations(chosen)


def _encoded(value: str) -> bytes | None:
    """Return the RLP of a quantity or of bytes; one digit pair is the same as either."""
    digits = value[2:]
    try:
        if len(digits) % 2 or digits == "0":
            return rlp.encode_int(int(digits, 16))
        return rlp.encode_bytes(bytes.fromhex(digits))
    except ValueError:
        return None

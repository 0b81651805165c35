"""The shape of a protocol's events. Anyone may emit a topic; a log of another shape is none of theirs."""

from mev_dagster.chain.receipts import Log
from mev_dagster.errors import DecodeError
from mev_dagster.hexadecimal import to_hex


def check_shape(log: Log, what: str, *, topics: int, words: int) -> None:
    """Raise `DecodeError` unless a log has so many topics, and so many words of data."""
    if len(log.topics) != topics or len(log.data) != words * 32:
        raise DecodeError(f"not_a_{what}", f"{len(log.topics)} topics, {len(log.data)} bytes")


def topic_address(log: Log, index: int) -> bytes:
    """Return the address an indexed argument holds."""
    found = log.topics[index]
    if any(found[:12]):
        raise DecodeError("abi_dirty_address", to_hex(found))
    return found[12:]

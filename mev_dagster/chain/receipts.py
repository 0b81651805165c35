"""Receipts, logs and blooms."""

from dataclasses import dataclass


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

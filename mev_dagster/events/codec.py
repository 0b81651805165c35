"""The binary codec of events: `encode` and `decode`, and the record layout between them (record.py)."""

from mev_dagster.events.decoding import decode
from mev_dagster.events.encoding import encode
from mev_dagster.events.record import (
    CRC_SIZE,
    MAX_RECORD,
    PREFIX_SIZE,
    RECORD,
    SCHEMA_VERSION,
    RawEvent,
    length_at,
    raw_at,
)

__all__ = [
    "CRC_SIZE",
    "MAX_RECORD",
    "PREFIX_SIZE",
    "RECORD",
    "SCHEMA_VERSION",
    "RawEvent",
    "decode",
    "encode",
    "length_at",
    "raw_at",
]

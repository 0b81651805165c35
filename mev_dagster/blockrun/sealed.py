"""What building hands to submitting: the sealed block whole, stored beside its template's row.

The payout is signed inside the block, so its key may die with the process that built it. What is left to sign
is the bid's message, and any builder's key will do for that: the block and its hash stay.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, TraceFlags

from mev_dagster.errors import DecodeError, StepMissing
from mev_dagster.hexadecimal import to_hex
from mev_dagster.pbs import wire
from mev_dagster.pbs.template import BlockTemplate, unsigned_submission
from mev_dagster.pbs.types import ConsensusFork, SubmitBlockRequest
from mev_dagster.store.client import Store
from mev_dagster.telemetry.tracing import span_id_of, trace_id_of
from mev_dagster.units import NS_PER_SECOND

TABLE = "sealed_blocks"
SEALED_BLOCK_SQL = (resources.files("mev_dagster.blockrun") / "sealed_block.sql").read_text()


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """A sealed block read back: unsigned, with its candidates and the span its submission hangs under.

    `relays` are those it is offered to, by name; none named: every relay.
    """

    unsigned: SubmitBlockRequest
    opportunity_ids: tuple[bytes, ...]
    parent: Span
    relays: tuple[str, ...] = ()

    @property
    def block_hash(self) -> bytes:
        """The sealed block's hash."""
        return self.unsigned.message.block_hash

    @property
    def bid_wei(self) -> int:
        """What the proposer is offered; 0 is nothing to submit."""
        return self.unsigned.message.value

    @property
    def trace_id(self) -> bytes:
        """The trace that the block was built under."""
        return trace_id_of(self.parent)


def sealed_columns(
    template: BlockTemplate, landed_hash: bytes, parent: Span, relays: Sequence[str] = ()
) -> dict[str, list[Any]]:
    """Return the `sealed_blocks` row of a template built in the place of block `landed_hash`."""
    unsigned, header = unsigned_submission(template), template.sealed.block.header
    return {
        "block_number": [header.number],
        "block_time": [header.timestamp * NS_PER_SECOND],
        "block_hash": [template.sealed.block.hash],
        "landed_hash": [landed_hash],
        "fork": [unsigned.fork.version],
        "submission": [wire.encode_submission(unsigned, json=False)],
        "trace_id": [trace_id_of(parent)],
        "span_id": [span_id_of(parent)],
        "relays": [list(relays)],
    }


def stored_blocks(store: Store, number: int, landed_hash: bytes) -> tuple[StoredBlock, ...]:
    """Read what was built in a landed block's place, the highest bid first; `StepMissing` without any."""
    found = store.rows(SEALED_BLOCK_SQL, {"number": number, "landed": landed_hash.hex()})
    if not found:
        raise StepMissing(
            f"block {number}: the store holds no sealed block built in the place of {to_hex(landed_hash)}; "
            "run block_templates first"
        )
    read = [_read(number, *row) for row in found]
    return tuple(sorted(read, key=lambda block: (-block.bid_wei, block.block_hash)))


def block_for(relay: str, blocks: Sequence[StoredBlock]) -> StoredBlock:
    """Return the block that a relay is offered; one that none names is offered the lowest bid."""
    named = (block for block in blocks if not block.relays or relay in block.relays)
    return next(named, blocks[-1])


def _read(
    number: int,
    block_hash: bytes,
    opportunity_ids: Sequence[bytes],
    fork: str,
    submission: bytes,
    trace_id: bytes,
    span_id: bytes,
    relays: Sequence[str],
) -> StoredBlock:
    try:
        unsigned = wire.decode_submission(submission, json=False, fork=ConsensusFork[fork.upper()])
    except (KeyError, DecodeError) as error:
        raise StepMissing(
            f"block {number}: the stored block {to_hex(block_hash)} cannot be read ({error}); "
            "run block_templates again"
        ) from error
    return StoredBlock(unsigned, tuple(opportunity_ids), remote_span(trace_id, span_id), tuple(relays))


def remote_span(trace_id: bytes, span_id: bytes) -> Span:
    """Return a span of another process, to continue its trace."""
    ids = (int.from_bytes(trace_id, "big"), int.from_bytes(span_id, "big"))
    return NonRecordingSpan(SpanContext(*ids, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED)))

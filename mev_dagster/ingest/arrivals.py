"""What a lane hands to the queue: events as they came in, and whole blocks not yet judged by the chain."""

from dataclasses import dataclass
from typing import TypeAlias

from mev_dagster.chain.blocks import Block
from mev_dagster.events.types import Lane, LaneStatus, TxBody, TxRejected, TxSeen

UNLOGGED = -1  # `seq` of an event that the log writer has not numbered yet


@dataclass(frozen=True, slots=True)
class BlockArrived:
    """A block that a source calls its head, with its body; the stamps are those of the announcement."""

    wall_ns: int
    mono_ns: int
    lane: Lane
    source: str
    block: Block


_OVERHEAD_BYTES = 400  # of an arrival beside what it carries


def weight_bytes(arrival: "Arrival") -> int:
    """Return about how much memory an arrival keeps while it waits."""
    if isinstance(arrival, TxBody | TxRejected):
        return _OVERHEAD_BYTES + len(arrival.raw)
    if isinstance(arrival, BlockArrived):
        return _OVERHEAD_BYTES + 2 * sum(len(one.raw) for one in arrival.block.transactions)
    return _OVERHEAD_BYTES


Arrival: TypeAlias = TxSeen | TxBody | TxRejected | LaneStatus | BlockArrived

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


Arrival: TypeAlias = TxSeen | TxBody | TxRejected | LaneStatus | BlockArrived

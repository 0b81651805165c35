"""What a lane of another package hands over, held against what the log and the pipeline take."""

from dataclasses import replace
from typing import Any, TypeAlias, get_args

from mev_dagster.chain.blocks import Block
from mev_dagster.errors import MevError
from mev_dagster.events.codec import decode, encode, raw_at
from mev_dagster.events.types import Lane, LaneState, LaneStatus, TxBody, TxRejected, TxSeen, source_name
from mev_dagster.ingest.arrivals import UNLOGGED, Arrival, BlockArrived

Logged: TypeAlias = TxSeen | TxBody | TxRejected | LaneStatus


def checked(arrival: Any, name: str) -> Arrival:
    """Return the arrival, or raise an error that names what is wrong with it.

    An event is right when the log gives it back as it was.
    """
    if type(arrival) not in get_args(Arrival):
        raise TypeError(f"expected an arrival, found {arrival!r:.80}")
    if arrival.lane is not Lane.PRIVATE or source_name(arrival.source) != name:
        found = f"{arrival.lane!r:.40} and {arrival.source!r:.80}"
        raise ValueError(f"expected Lane.PRIVATE with a source that begins with {name!r}, found {found}")
    if isinstance(arrival, BlockArrived):
        return _checked_block(arrival)
    event: Logged = replace(arrival, seq=0)
    try:
        kept = decode(raw_at(encode(event, 0), 0)) == event
    except MevError as error:
        raise ValueError(f"the log cannot hold {arrival!r:.160}: {error}") from error
    if not kept:
        raise ValueError(f"the log gives {arrival!r:.160} back otherwise")
    return replace(event, seq=UNLOGGED)


def checked_source(source: Any, name: str) -> str:
    """Return what a lane is called in the log."""
    status = LaneStatus(UNLOGGED, 0, 0, Lane.PRIVATE, source, LaneState.CONNECTED, "")
    return checked(status, name).source


def _checked_block(arrival: BlockArrived) -> BlockArrived:
    if type(arrival.block) is not Block:
        raise TypeError(f"expected a Block, found {arrival.block!r:.80}")
    checked_source(arrival.source, arrival.source.partition("/")[0])
    stamps = (arrival.wall_ns, arrival.mono_ns)
    if not all(type(stamp) is int and 0 <= stamp < 1 << 63 for stamp in stamps):
        raise ValueError(f"stamps are nanoseconds, found {stamps!r:.80}")
    return arrival

"""A process that writes events and says which are acknowledged, until its parent kills it."""

from multiprocessing.connection import Connection
from random import Random

from mev_dagster.events.log import EventLogWriter
from mev_dagster.events.types import Lane, TxBody


def body(seq: int) -> TxBody:
    """Return the event that belongs under this number."""
    raw = seq.to_bytes(8, "big") * (1 + seq % 40)
    return TxBody(-1, seq * 1_000, seq, Lane.RPC, "node", seq.to_bytes(32, "big"), raw)


def write_until_killed(directory: str, seed: int, acknowledgements: Connection) -> None:
    """Write commits of all sizes, a seal every few of them; send the last durable number after each."""
    chance = Random(seed)
    writer = EventLogWriter(directory, segment_bytes=20_000, fsync_interval_ms=10**9)
    while True:
        start = writer.next_seq
        writer.append_many(body(seq) for seq in range(start, start + chance.randrange(1, 60)))
        acknowledgements.send(writer.commit())

"""What a daemon that starts again needs to remember of the log it continues."""

from mev_dagster.events.codec import decode
from mev_dagster.events.reader import EventLogReader
from mev_dagster.events.types import EventKind
from mev_dagster.ingest.pipeline import KNOWN_HASHES, Pipeline

# Reading back costs a microsecond an event; decoding a body costs a hundred, so fewer of those.
SCANNED_EVENTS = 4 * KNOWN_HASHES
DECODED_EVENTS = 20_000


def restore(pipeline: Pipeline, reader: EventLogReader) -> int:
    """Bring the pipeline to where the log ends; return the log's last event, -1 for an empty one."""
    last = reader.last_seq
    tail = []
    for raw in reader.iter_raw(max(reader.first_seq, last + 1 - SCANNED_EVENTS)):
        if raw.seq > last - DECODED_EVENTS or raw.kind in (EventKind.BLOCK_SEEN, EventKind.BLOCK_REVERTED):
            tail.append(decode(raw))
        elif raw.kind == EventKind.TX_BODY:
            pipeline.remember(raw.subject)
    pipeline.restore(tail)
    return last

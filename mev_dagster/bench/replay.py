"""`mev bench replay`: a log of 25 transactions a second run again from its events, against the time it spans.

Two figures: the rows and digests made again, and that with every row compared with an embedded store. CPU
time of one process, all threads of the store included; no decode workers help.
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from prometheus_client import CollectorRegistry

from mev_dagster.bench.day_stream import SECONDS_PER_SLOT, Stream, arrivals, sign_chunk
from mev_dagster.bench.harness import Options, Result, interleave, judge
from mev_dagster.errors import MevError
from mev_dagster.events.log import EventLogReader, EventLogWriter
from mev_dagster.ingest.backfill import backfill
from mev_dagster.ingest.metrics import IngestMetrics
from mev_dagster.ingest.pipeline import Pipeline
from mev_dagster.replay.report import replay_log
from mev_dagster.settings import Settings
from mev_dagster.store.client import open_store
from mev_dagster.windows.memory import DecodedTransactions

TRANSACTIONS_PER_SECOND = 25
SLOTS = 100
ROUNDS = 3
REAL_TIME = 100


def run(options: Options) -> Iterator[Result]:
    """Yield the figures of replaying."""
    slots = SLOTS // 5 if options.quick else SLOTS
    stream = Stream(slots * SECONDS_PER_SLOT * TRANSACTIONS_PER_SECOND, slots)
    with TemporaryDirectory(prefix="mev-bench-replay-") as folder:
        options.step(f"signing and logging {stream.transactions} transactions")
        log = Path(folder) / "events"
        events = _write(log, stream)
        with open_store(Settings(home=Path(folder))) as store:
            options.step("storing them")
            backfill(store, log)
            reader = EventLogReader(log)

            def compare(_: int) -> None:
                report = replay_log(reader, store)
                if report.parity != 1.0:
                    raise MevError(f"the replay differs from the store: {report.first_divergence}")

            seconds = interleave(
                {"rows": lambda _: replay_log(reader), "compared": compare},
                [0],
                rounds=1 if options.quick else ROUNDS,
                step=options.step,
            )
    limit = stream.seconds / REAL_TIME
    span = f"limit: the {stream.seconds} s that {stream.transactions:,} transactions took, / {REAL_TIME}"
    for name, took in seconds.items():
        yield judge(
            "replay" if name == "rows" else "replay against store",
            took,
            "s",
            limit_value=limit,
            at_most_limit=1.0,
            note=f"{stream.seconds / took:,.0f} times real time, {events:,} events; {span}",
        )


def _write(log: Path, stream: Stream) -> int:
    decoded = DecodedTransactions()
    pipeline = Pipeline(IngestMetrics(CollectorRegistry()), chain_id=1, decoded=decoded)
    signed = (raws for chunk in stream.chunks() for raws in sign_chunk(chunk))
    with EventLogWriter(log) as writer:
        for found in arrivals(signed, decoded):
            writer.append_many(pipeline.accept(found))
        writer.seal()
        return writer.next_seq

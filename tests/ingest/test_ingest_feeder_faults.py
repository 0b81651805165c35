"""The store's writer killed, cut off, made to write again: every row is there once, counted without FINAL."""

import multiprocessing
from random import Random

import pytest
from feeding_child import SMALL_BATCH, feed_until_killed
from ingest_processes import StoreServer
from prometheus_client import CollectorRegistry

from mev_dagster.bench.day_stream import Stream, arrivals, sign_chunk
from mev_dagster.errors import StoreError, StoreUnreachable
from mev_dagster.events.log import EventLogReader, EventLogWriter
from mev_dagster.events.windows import windows
from mev_dagster.ingest import feeder as feeding
from mev_dagster.ingest.backfill import backfill
from mev_dagster.ingest.metrics import IngestMetrics
from mev_dagster.ingest.pipeline import Pipeline
from mev_dagster.replay.report import replay_log
from mev_dagster.settings import Settings
from mev_dagster.store.client import open_store
from mev_dagster.telemetry.clock import SystemClock
from mev_dagster.windows.memory import DecodedTransactions
from mev_dagster.windows.rows import INGEST_TABLES

STREAM = Stream(300, 30)
LONGEST_LIFE_S = 0.3
CHILDREN = multiprocessing.get_context("forkserver")
CHILDREN.set_forkserver_preload(["feeding_child"])


@pytest.fixture(scope="module")
def events():
    decoded = DecodedTransactions()
    pipeline = Pipeline(IngestMetrics(CollectorRegistry()), chain_id=1, decoded=decoded)
    signed = [raws for chunk in STREAM.chunks() for raws in sign_chunk(chunk)]
    return [event for found in arrivals(signed, decoded) for event in pipeline.accept(found)]


def write(directory, events):
    with EventLogWriter(directory) as writer:
        writer.append_many(events)


def digests(store):
    return {table: store.digest(table) for table in (*INGEST_TABLES, "replay_checkpoints")}


def truncate(store):
    for table in (*INGEST_TABLES, "replay_checkpoints", "writer_progress"):
        store.command(f"TRUNCATE TABLE {table}")


def feed_and_kill(home, chance):
    """Let a feeder store a batch or two, then a random moment more; say whether it was killed."""
    ours, theirs = CHILDREN.Pipe(duplex=False)
    child = CHILDREN.Process(target=feed_until_killed, args=(str(home), theirs), daemon=True)
    child.start()
    theirs.close()
    try:
        for _ in range(chance.randrange(2, 4)):
            ours.recv()
    except EOFError:
        child.join()
        return False
    child.join(chance.random() * LONGEST_LIFE_S)  # the random point: there is no condition to wait for
    child.kill()
    child.join()
    return True


def kill_repeatedly(home, store, events, times, seed):
    write(home / "events", events)
    backfill(store, home / "events")
    expected = digests(store)
    chance, killed = Random(seed), 0
    while killed < times:
        truncate(store)
        while feed_and_kill(home, chance):
            killed += 1
        assert digests(store) == expected
    assert replay_log(EventLogReader(home / "events"), store).parity == 1.0


def test_a_feeder_killed_at_random_points_leaves_every_row_once(home, store, events):
    kill_repeatedly(home, store, events, 3, seed=1)


@pytest.mark.long
@pytest.mark.timeout(1_800)
def test_a_feeder_killed_a_hundred_times_leaves_every_row_once(home, store, events):
    kill_repeatedly(home, store, events, 100, seed=2)


def test_segments_written_again_change_nothing(home, store, events):
    write(home / "events", events)
    first = backfill(store, home / "events")
    before = digests(store)
    store.command("TRUNCATE TABLE writer_progress")  # the store no longer knows how far it has come
    again = backfill(store, home / "events")
    assert again["rows_written"] == first["rows_written"] > 0
    assert digests(store) == before


def test_a_store_that_was_away_gets_the_backlog_in_order(tmp_path, events, monkeypatch):
    monkeypatch.setattr(feeding, "BATCH_EVENTS", SMALL_BATCH)
    heads = [window.number for window in windows(events)]
    third = len(events) // 3
    server = StoreServer(tmp_path)
    writer = EventLogWriter(tmp_path / "events")
    feeder = feeding.StoreFeeder(
        tmp_path / "events",
        lambda: open_store(Settings(home=tmp_path), in_process=False),
        IngestMetrics(CollectorRegistry()),
        SystemClock(),
    )
    try:
        writer.append_many(events[:third])
        writer.commit()
        while feeder.step():
            pass
        server.stop()
        backlogs = []
        for event in range(third, len(events), third):
            writer.append_many(events[event : event + third])
            writer.commit()
            with pytest.raises((StoreUnreachable, StoreError)):
                feeder.step()
            backlogs.append(feeder.backlog)
        assert backlogs == sorted(backlogs)
        assert backlogs[-1] == len(events) - third
        server = StoreServer(tmp_path)
        backlogs = [feeder.backlog]
        while feeder.step():
            backlogs.append(feeder.backlog)
        assert len(backlogs) > 3
        assert backlogs == sorted(backlogs, reverse=True)
        assert backlogs[-1] == 0
        with open_store(Settings(home=tmp_path), in_process=False) as store:
            stored = store.rows("SELECT block_number FROM ingest_windows ORDER BY stored_at, block_number")
        assert [number for (number,) in stored] == heads
    finally:
        feeder.close()
        writer.close()
        server.stop()

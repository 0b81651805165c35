"""Log to store on a real store server: exact once, resumable, rebuilt when dropped, patient in an outage."""

from dataclasses import replace

import pytest
from ingest_events import GENESIS, arrived, block_on, body, numbered, seen, two_blocks_with_a_reorg
from ingest_run import new_pipeline, transfer
from prometheus_client import CollectorRegistry

from mev_dagster.errors import LogCorrupt, StoreUnreachable
from mev_dagster.events.log import EventLogWriter
from mev_dagster.ingest.backfill import backfill
from mev_dagster.ingest.feeder import StoreFeeder
from mev_dagster.ingest.metrics import IngestMetrics
from mev_dagster.settings import Settings
from mev_dagster.store.client import Store, open_store
from mev_dagster.telemetry.clock import SystemClock
from mev_dagster.windows.rows import INGEST_TABLES, process


class Session:
    """One log and as many feeders over it as a test starts."""

    def __init__(self, home, store) -> None:
        self.directory = home / "events"
        self.store = store
        self._settings = Settings(home=home)
        self.log = EventLogWriter(self.directory)

    def append(self, events) -> None:
        self.log.append_many(events)
        self.log.commit()

    def feeder(self, connect=None) -> StoreFeeder:
        connect = connect or (lambda: open_store(self._settings, in_process=False))
        return StoreFeeder(self.directory, connect, IngestMetrics(CollectorRegistry()), SystemClock())

    def drain(self, feeder=None) -> None:
        own = feeder or self.feeder()
        while own.step():
            pass
        if feeder is None:
            own.close()

    def digests(self):
        return {table: self.store.digest(table) for table in INGEST_TABLES}


@pytest.fixture
def session(home, store):
    opened = Session(home, store)
    yield opened
    opened.log.close()


def stored_counts(session):
    return {table: session.store.count(table) for table in INGEST_TABLES}


def test_what_is_logged_is_stored_exactly_once_whatever_the_batches(session):
    events = two_blocks_with_a_reorg()[0]
    feeder = session.feeder()
    for event in events:  # one event a batch: every revision that can happen, happens
        session.append([event])
        session.drain(feeder)
    expected = process(events)
    assert stored_counts(session) == {table: len(expected.written[table]) for table in INGEST_TABLES}
    by_batches = session.digests()
    for table in (*INGEST_TABLES, "writer_progress"):
        session.store.command(f"TRUNCATE TABLE {table}")
    feeder.close()
    session.drain()  # a dropped store is rebuilt from the log, in one batch
    assert session.digests() == by_batches


def test_the_reverted_block_is_marked_and_its_window_superseded(session):
    events, one, two, rival, three = two_blocks_with_a_reorg()
    session.append(events)
    session.drain()
    canonical = dict(session.store.rows("SELECT block_hash, canonical FROM blocks"))
    superseded = dict(session.store.rows("SELECT block_hash, superseded FROM ingest_windows"))
    assert canonical == {one.hash: True, two.hash: False, rival.hash: True, three.hash: True}
    assert superseded == {one.hash: False, two.hash: True, rival.hash: False, three.hash: False}


@pytest.mark.parametrize("table", INGEST_TABLES)
def test_a_run_killed_after_writing_a_table_is_repeated_without_a_trace(session, monkeypatch, table):
    events = two_blocks_with_a_reorg()[0]
    session.append(events[:4])
    session.drain()
    session.append(events[4:])

    class Killed(BaseException):
        pass

    def dying_after(method):
        def run(self, name, *arguments, **options):
            written = method(self, name, *arguments, **options)
            if name == table:
                raise Killed
            return written

        return run

    with monkeypatch.context() as patch:
        patch.setattr(Store, "insert", dying_after(Store.insert))
        patch.setattr(Store, "insert_new", dying_after(Store.insert_new))
        with pytest.raises(Killed):
            session.drain()
    session.drain()
    expected = process(events)
    assert stored_counts(session) == {name: len(expected.written[name]) for name in INGEST_TABLES}


def test_an_outage_leaves_a_backlog_that_is_drained_in_order(session):
    answers = [StoreUnreachable("the store did not answer")] * 2

    def connect():
        if answers:
            raise answers.pop()
        return open_store(session._settings, in_process=False)

    feeder = session.feeder(connect)
    session.append(two_blocks_with_a_reorg()[0])
    for _ in range(2):
        with pytest.raises(StoreUnreachable):
            feeder.step()
        assert feeder.backlog == session.log.next_seq
    session.drain(feeder)
    assert feeder.backlog == 0
    assert session.store.count("blocks") == 4
    feeder.close()


def test_a_head_that_reverts_blocks_stored_long_ago_by_another_run_revises_them(session):
    events, _, two, _, _ = two_blocks_with_a_reorg()
    before = next(index for index, event in enumerate(events) if type(event).__name__ == "BlockReverted")
    session.append(events[:before])
    session.drain()
    assert session.store.scalar("SELECT countIf(canonical) FROM blocks") == 2
    session.append(events[before:])
    session.drain()
    [(canonical,)] = session.store.rows(
        f"SELECT canonical FROM blocks WHERE block_hash = unhex('{two.hash.hex()}')"
    )
    assert not canonical


def test_a_hash_that_comes_again_much_later_keeps_its_first_row(session):
    tx = transfer(0)
    again = replace(body(tx), wall_ns=999, source="other")
    one = block_on(GENESIS)
    session.append(numbered([seen(tx), body(tx)]))
    session.drain()
    session.append([*new_pipeline().accept([arrived(one)]), again])
    session.drain()
    [(source, window)] = session.store.rows("SELECT source, window_number FROM transactions")
    assert (source, window) == ("node", 1)


def test_a_log_shorter_than_what_the_store_holds_of_it_is_refused(session):
    session.append(two_blocks_with_a_reorg()[0])
    session.drain()
    feeder = session.feeder()
    feeder.step()
    name = session.store.scalar("SELECT any(log_id) FROM writer_progress")
    session.store.insert("writer_progress", {"log_id": [name], "seq": [10_000]})
    feeder.close()
    with pytest.raises(LogCorrupt, match="the store holds event 10000 of this log"):
        session.feeder().step()


def test_a_backfill_stores_a_log_once_however_often_it_runs(session):
    session.append(two_blocks_with_a_reorg()[0])
    first = backfill(session.store, session.directory)
    digests = session.digests()
    second = backfill(session.store, session.directory)
    assert (first["ok"], first["rows_written"]) == (True, sum(stored_counts(session).values()))
    assert (second["ok"], second["rows_written"]) == (True, 0)
    assert session.digests() == digests

"""What retention let go comes back from the log as it was: two days of a log, a real store server."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from ingest_events import GENESIS, block_on, body, numbered, seen
from ingest_processes import start
from ingest_run import new_pipeline, transfer

from mev_dagster.errors import StoreError
from mev_dagster.events.log import EventLogWriter
from mev_dagster.events.reader import EventLogReader
from mev_dagster.events.types import Lane
from mev_dagster.ingest.arrivals import BlockArrived
from mev_dagster.ingest.backfill import backfill
from mev_dagster.store.retention import prune
from mev_dagster.windows.checkpoints import TABLE as CHECKPOINT_TABLE
from mev_dagster.windows.reimport import reimport
from mev_dagster.windows.rows import INGEST_TABLES

MIDNIGHT = 1_700_006_400
SECOND = 10**9
TABLES = (*INGEST_TABLES, CHECKPOINT_TABLE)
BLOCKS = 6


def two_days():
    """Six blocks, three on either side of midnight, a rival of the last one, pending traffic in between."""
    parent, arrivals = replace(GENESIS, timestamp=MIDNIGHT - 42), []
    for number in range(BLOCKS):
        at = (parent.timestamp + 5) * SECOND
        sent = [transfer(2 * number), transfer(2 * number + 1)]
        for tx in sent:
            arrivals += [seen(tx, at), body(tx, at=at)]
        arrivals.append(body(transfer(100 + number), b"\x05" + bytes([number]), at=at))
        block = block_on(parent, sent[0])
        if number == BLOCKS - 1:
            rival = block_on(parent, sent[1], fork=b"rival")
            arrivals.append(BlockArrived(at + SECOND, at + SECOND, Lane.RPC, "node", rival))
        arrivals.append(BlockArrived(at + 2 * SECOND, at + 2 * SECOND, Lane.RPC, "node", block))
        parent = block.header
    arrivals.append(BlockArrived(at + 12 * SECOND, at + 12 * SECOND, Lane.RPC, "node", block_on(parent)))
    return numbered(new_pipeline().accept(arrivals))


@pytest.fixture
def log(home, store):
    with EventLogWriter(home / "events") as writer:
        writer.append_many(two_days())
        writer.commit()
    assert backfill(store, home / "events")["ok"]
    return EventLogReader(home / "events")


def digests(store):
    return {table: store.digest(table) for table in TABLES}


def day_of(wall_ns: int):
    return datetime.fromtimestamp(wall_ns / SECOND, UTC).date()


def test_a_pruned_day_that_is_imported_again_has_equal_digests(log, store):
    before = digests(store)
    pruned = prune(store, before=day_of(MIDNIGHT * SECOND))
    assert {"blocks", "tx_sightings", "transactions", "ingest_windows"} <= set(pruned.tables)
    assert digests(store) != before
    written = reimport(store, log, upto_seq=log.last_seq)
    assert digests(store) == before
    assert 0 < written["blocks"] < store.count("blocks"), "the day that stayed was not written again"


def test_a_whole_store_that_is_imported_again_has_equal_digests(log, store):
    before = digests(store)
    for table in TABLES:
        store.command(f"TRUNCATE TABLE {table}")
    reimport(store, log, upto_seq=log.last_seq)
    assert digests(store) == before


def test_a_second_time_writes_nothing(log, store):
    before = digests(store)
    assert sum(reimport(store, log, upto_seq=log.last_seq).values()) == 0
    assert digests(store) == before


def test_again_writes_all_and_changes_nothing(log, store):
    before = digests(store)
    written = reimport(store, log, upto_seq=log.last_seq, again=True)
    assert written["ingest_windows"] == store.count("ingest_windows")
    assert digests(store) == before


@pytest.mark.parametrize("table", INGEST_TABLES)
def test_one_table_short_of_a_day_is_made_whole(log, store, table):
    before = digests(store)
    store.command(f"TRUNCATE TABLE {table}")
    reimport(store, log, upto_seq=log.last_seq, again=table == "transactions")
    assert digests(store) == before


@pytest.mark.parametrize("kill_at", range(2, 12, 3))
def test_killed_between_two_writes_and_started_again(log, store, kill_at):
    before = digests(store)
    prune(store, before=day_of((MIDNIGHT + 86_400) * SECOND))
    writes, insert_batch = 0, store.insert_batch

    def failing_insert_batch(table, batch):
        nonlocal writes
        writes += 1
        if writes == kill_at:
            raise StoreError("killed")
        return insert_batch(table, batch)

    store.insert_batch = failing_insert_batch
    with pytest.raises(StoreError, match="killed"):
        reimport(store, log, upto_seq=log.last_seq, windows_at_once=2)
    store.insert_batch = insert_batch
    reimport(store, log, upto_seq=log.last_seq)
    assert digests(store) == before


def test_the_command_prunes_and_imports_again(log, store, home):
    before = digests(store)
    day = day_of(MIDNIGHT * SECOND).isoformat()
    assert start(home, "store", "prune", "--before", day).wait(60) == 0
    assert digests(store) != before
    assert start(home, "store", "backfill", str(home / "events")).wait(60) == 0
    assert digests(store) == before

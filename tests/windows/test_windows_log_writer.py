"""Rows of an event log go in exactly once, wherever the writer was killed."""

from store_rows import sightings, transactions

from mev_dagster.store.client import Store
from mev_dagster.windows.log_writer import LogWriter

TABLES = ("tx_sightings", "transactions")


def test_a_writer_takes_up_work_where_the_store_says_it_ended(store: Store):
    writer = LogWriter(store, "log", TABLES)
    assert writer.resume() == -1
    writer.write("tx_sightings", sightings(10))
    writer.advance(9)
    writer.write("tx_sightings", sightings(10, first_seq=10))
    writer.advance(19)
    assert LogWriter(store, "log", TABLES).resume() == 19
    assert LogWriter(store, "another log", TABLES).resume() == -1
    assert store.count("tx_sightings") == 20


def test_rows_past_the_recorded_place_are_removed_before_they_come_again(store: Store):
    writer = LogWriter(store, "log", TABLES)
    writer.write("tx_sightings", sightings(10))
    writer.advance(9)
    whole = sightings(10, first_seq=10)
    writer.write("tx_sightings", whole)  # killed here, before the place was recorded
    again = LogWriter(store, "log", TABLES)
    assert again.resume() == 9
    again.write("tx_sightings", whole)
    again.advance(19)
    assert store.rows("SELECT seq FROM tx_sightings ORDER BY seq") == [(seq,) for seq in range(20)]


def test_a_hash_that_comes_again_keeps_its_first_row_in_large_batches_too(store: Store):
    writer = LogWriter(store, "log", TABLES)
    first = transactions(40_000) | {"seq": list(range(40_000)), "log_id": ["log"] * 40_000}
    another = {name: [values[0]] for name, values in first.items()} | {"tx_hash": [b"n" * 32]}
    again = {name: [*values, *another[name]] for name, values in first.items()}
    assert writer.write_transactions(first) == 40_000
    assert writer.write_transactions(again) == 1
    assert store.count("transactions") == 40_001


def test_the_rows_of_many_events_are_forgotten_at_once(store: Store):
    writer = LogWriter(store, "log", TABLES)
    writer.write("tx_sightings", sightings(40_000, first_seq=10**12))
    writer.forget("tx_sightings", range(10**12 + 1, 10**12 + 40_000))
    assert store.rows("SELECT seq FROM tx_sightings") == [(10**12,)]

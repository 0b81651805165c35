"""Two writers know a window's rows, the daemon's feeder and a run; between them each row is stored once."""

from itertools import count
from pathlib import Path

import pytest

from mev_dagster.captures.format import open_capture
from mev_dagster.demo import SHIPPED_CAPTURE
from mev_dagster.events.reader import EventLogReader
from mev_dagster.settings import settings
from mev_dagster.store.client import Store, TableDigest, open_store
from mev_dagster.store.tables import TABLES
from mev_dagster.windows.rows import INGEST_TABLES, Rows, window_rows
from mev_dagster.windows.window_store import FEEDER_SECONDS, ensure_window


@pytest.fixture
def store(capture_home: Path) -> Store:
    return open_store(settings(), in_process=False)


@pytest.fixture
def rows(capture_home: Path) -> Rows:
    with open_capture(SHIPPED_CAPTURE) as capture:
        number = capture.numbers[3]
    return window_rows(EventLogReader(settings().events_dir), number)


def stored(store: Store, number: int) -> dict[str, TableDigest]:
    return {table: store.digest(table, {TABLES[table].block_column: number}) for table in INGEST_TABLES}


@pytest.fixture
def half_fed(store: Store, rows: Rows):
    """Yield what the store holds of the window, before the feeder is put back to the middle of it."""
    (window,) = rows.written["ingest_windows"]
    before = stored(store, window["block_number"])
    of_log = {"log_id": window["log_id"]}
    progress = int(store.scalar(f"SELECT max(seq) FROM writer_progress WHERE log_id = '{window['log_id']}'"))
    store.replace("writer_progress", of_log, {"seq": [window["first_seq"] + 1]})
    store.delete("transactions", {"window_number": window["block_number"]})
    yield before
    store.replace("writer_progress", of_log, {"seq": [progress]})


def test_a_feeder_that_is_about_to_store_a_window_is_waited_for(store: Store, rows: Rows, half_fed):
    (window,) = rows.written["ingest_windows"]

    def feeder(_seconds: float) -> None:
        store.insert("transactions", rows.columns("transactions"))
        store.insert("writer_progress", {"log_id": [window["log_id"]], "seq": [window["last_seq"]]})

    assert ensure_window(store, rows, sleep=feeder) == 0
    assert stored(store, window["block_number"]) == half_fed


def test_a_feeder_that_stopped_in_the_window_is_not_waited_for_long(store: Store, rows: Rows, half_fed):
    (window,) = rows.written["ingest_windows"]
    clock = count(0.0, FEEDER_SECONDS / 4)
    slept: list[float] = []
    rewritten = ensure_window(store, rows, clock=lambda: next(clock), sleep=slept.append)
    assert rewritten == len(rows.written["transactions"])
    assert 1 <= len(slept) <= 4
    assert stored(store, window["block_number"]) == half_fed

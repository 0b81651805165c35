"""The log as callers see it: what was acknowledged comes back, in order, once, from every process."""

import hashlib
import json
import multiprocessing
from dataclasses import replace
from pathlib import Path

import pytest

from mev_dagster.errors import InputError, LogCorrupt, LogLocked
from mev_dagster.events.log import EventLogReader, EventLogWriter, verify
from mev_dagster.events.manifest import MANIFEST
from mev_dagster.events.types import Event, Lane, TxBody


def body(index: int, size: int = 100) -> TxBody:
    tx_hash = hashlib.sha256(index.to_bytes(8, "big")).digest()
    return TxBody(-1, index * 1_000_000, index, Lane.RPC, "node", tx_hash, tx_hash * (size // 32 + 1))


def bodies(count: int, start: int = 0) -> list[Event]:
    return [body(index) for index in range(start, start + count)]


def numbered(events: list[Event]) -> list[Event]:
    return [replace(event, seq=seq) for seq, event in enumerate(events)]


class Clock:
    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


def test_events_come_back_in_order_with_their_numbers_across_segments(tmp_path: Path):
    events = bodies(300)
    with EventLogWriter(tmp_path, segment_bytes=4096) as writer:
        assert writer.append_many(events) == range(300)
    assert list(EventLogReader(tmp_path).read()) == numbered(events)
    assert len(list(tmp_path.glob("*.segment"))) > 5
    assert verify(tmp_path).ok


def test_reading_starts_at_any_event(tmp_path: Path):
    with EventLogWriter(tmp_path, segment_bytes=4096) as writer:
        writer.append_many(bodies(100))
    reader = EventLogReader(tmp_path)
    for start in (0, 1, 20, 21, 99, 100, 500):
        assert [event.seq for event in reader.read(start)] == list(range(start, 100))


def test_append_gives_the_event_its_number(tmp_path: Path):
    with EventLogWriter(tmp_path) as writer:
        assert writer.append(body(0)).seq == 0
        assert writer.append(body(1)) == replace(body(1), seq=1)


def test_nothing_is_visible_or_acknowledged_before_the_commit(tmp_path: Path):
    clock = Clock()
    with EventLogWriter(tmp_path, clock=clock, fsync_interval_ms=10) as writer:
        writer.append(body(0))
        assert writer.durable_seq == EventLogReader(tmp_path).last_seq == -1
        clock.now = 9_999_999
        assert not writer.commit_due
        clock.now = 10_000_000
        assert writer.commit_due
        writer.append(body(1))
        assert writer.durable_seq == EventLogReader(tmp_path).last_seq == 1


def test_a_new_writer_goes_on_where_the_last_one_stopped(tmp_path: Path):
    events = bodies(120)
    for start in range(0, 120, 40):
        with EventLogWriter(tmp_path, segment_bytes=4096) as writer:
            assert writer.next_seq == start
            assert writer.torn_tail is None
            writer.append_many(events[start : start + 40])
    assert list(EventLogReader(tmp_path).read()) == numbered(events)


def test_the_same_events_make_the_same_files(tmp_path: Path):
    def files(name: str, stops: int) -> dict[str, bytes]:
        folder = tmp_path / name
        for start in range(0, 200, stops):
            with EventLogWriter(folder, segment_bytes=4096) as writer:
                writer.append_many(bodies(stops, start))
        return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "writer.lock"}

    assert files("in one go", 200) == files("with restarts", 20)


def test_a_segment_is_sealed_when_its_events_span_its_age(tmp_path: Path):
    with EventLogWriter(tmp_path, segment_seconds=60) as writer:
        writer.append_many([replace(body(i), wall_ns=i * 30_000_000_000) for i in range(6)])
    assert [path.name[:12] for path in sorted(tmp_path.glob("*.segment"))] == [
        "000000000000",
        "000000000002",
        "000000000004",
    ]


def test_each_segment_vouches_for_the_one_before_it(tmp_path: Path):
    with EventLogWriter(tmp_path, segment_bytes=4096) as writer:
        writer.append_many(bodies(200))
    manifest = json.loads((tmp_path / MANIFEST).read_text())
    previous = "00" * 32
    for segment in manifest["segments"]:
        assert segment["previous_digest"] == previous
        previous = segment["digest"]


def test_a_second_writer_is_refused_and_told_who_writes(tmp_path: Path):
    with EventLogWriter(tmp_path), pytest.raises(LogLocked, match=r"process \d+ is writing"):
        EventLogWriter(tmp_path)
    EventLogWriter(tmp_path).close()


def test_a_reader_follows_a_growing_log_across_seals(tmp_path: Path):
    total, chunks = 200, iter(range(0, 200, 25))
    writer = EventLogWriter(tmp_path, segment_bytes=4096)

    def grow() -> None:
        start = next(chunks)
        writer.append_many(bodies(25, start))
        writer.commit()

    received = []
    for event in EventLogReader(tmp_path).read(follow=True, wait=grow, stop=lambda: len(received) == total):
        received.append(event)
    writer.close()
    assert received == numbered(bodies(total))


def _write(directory: Path, count: int) -> None:
    with EventLogWriter(directory, segment_bytes=8192) as writer:
        for index in range(count):
            writer.append(body(index))


def test_a_reader_in_another_process_sees_whole_events_only(tmp_path: Path):
    (tmp_path / "log").mkdir()
    child = multiprocessing.get_context("spawn").Process(target=_write, args=(tmp_path / "log", 3000))
    child.start()
    received = []
    reader = EventLogReader(tmp_path / "log")
    for event in reader.read(follow=True, stop=lambda: not child.is_alive() and len(received) >= 3000):
        received.append(event)
    child.join()
    assert received == numbered(bodies(3000))


def test_retention_removes_whole_segments_and_the_rest_still_verifies(tmp_path: Path):
    with EventLogWriter(tmp_path, segment_bytes=4096) as writer:
        writer.append_many(bodies(200))
        removed = writer.prune(before_wall_ns=100 * 1_000_000)
        first = EventLogReader(tmp_path).first_seq
        assert removed
        assert 0 < first <= 100
    report = verify(tmp_path)
    assert (report.ok, report.first_seq, report.events) == (True, first, 200 - first)
    assert next(EventLogReader(tmp_path).read()).seq == first
    with pytest.raises(InputError, match=f"event {first - 1}: retention has removed the events before"):
        next(EventLogReader(tmp_path).read(first - 1))
    with EventLogWriter(tmp_path, segment_bytes=4096) as writer:
        assert writer.append(body(200)).seq == 200


def test_a_reader_whose_segment_is_pruned_under_it_says_so(tmp_path: Path):
    with EventLogWriter(tmp_path, segment_bytes=4096) as writer:
        writer.append_many(bodies(200))
        batches = EventLogReader(tmp_path).batches()
        first = next(batches)
        writer.prune(before_wall_ns=100 * 1_000_000)
        with pytest.raises(InputError, match=f"event {len(first)}: retention has removed"):
            list(batches)


def test_a_missing_log_is_named(tmp_path: Path):
    with pytest.raises(InputError, match="nowhere"):
        EventLogReader(tmp_path / "nowhere")
    with pytest.raises(InputError, match="holds no event log"):
        verify(tmp_path)


def test_a_damaged_acknowledged_event_stops_the_reader(tmp_path: Path):
    with EventLogWriter(tmp_path) as writer:
        writer.append_many(bodies(10))
    path = next(tmp_path.glob("*.segment"))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(LogCorrupt, match="event 9 was acknowledged and is damaged"):
        list(EventLogReader(tmp_path).read())
    with pytest.raises(LogCorrupt, match="event 9 was acknowledged and is damaged"):
        EventLogWriter(tmp_path)

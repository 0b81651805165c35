"""Whatever fails and whenever: what was acknowledged is there afterwards, once, and the failure was loud."""

import errno
import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from faulty_disks import Crash, CrashingDisk, FailingDisk, PowerlessDisk, SwiftDisk

from mev_dagster.errors import LogWriteFailed
from mev_dagster.events.disk import Disk
from mev_dagster.events.log import EventLogReader, EventLogWriter, verify
from mev_dagster.events.types import Event, Lane, TxBody

EVENTS = 27


def body(seq: int) -> TxBody:
    tx_hash = hashlib.sha256(seq.to_bytes(8, "big")).digest()
    return TxBody(-1, seq * 1_000, seq, Lane.RPC, "node", tx_hash, tx_hash * (1 + seq % 5))


def write(directory: Path, disk: Disk, acknowledged: list[int], *, stop: int = EVENTS) -> None:
    """Append up to event `stop`, three to a commit, segments of a few commits, pruned once."""
    writer = EventLogWriter(directory, segment_bytes=900, fsync_interval_ms=10**9, disk=disk)
    try:
        while writer.next_seq < stop:
            start = writer.next_seq
            writer.append_many(body(seq) for seq in range(start, start + 3))
            acknowledged.append(writer.commit())
            if writer.durable_seq == 14:
                writer.prune(before_wall_ns=3_000)
    finally:
        # What a process that ends does not do, the operating system does: it lets go of files and lock.
        writer._release()


def check(directory: Path, acknowledged: list[int]) -> None:
    """Open again with a good disk, finish the work, and look at all of it."""
    with EventLogWriter(directory, segment_bytes=900, disk=SwiftDisk()) as writer:
        assert writer.durable_seq >= max(acknowledged, default=-1)
        writer.append_many(body(seq) for seq in range(writer.next_seq, EVENTS))
    report = verify(directory)
    assert report.ok, report.errors
    found: list[Event] = list(EventLogReader(directory).read())
    first = report.first_seq
    assert found == [replace(body(seq), seq=seq) for seq in range(first, first + len(found))]
    assert found[-1].seq >= EVENTS - 1


def operations(tmp_path: Path) -> int:
    disk = CrashingDisk()
    write(tmp_path / "counted", disk, [])
    return disk.operations


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_a_crash_at_any_disk_operation_loses_nothing_acknowledged(tmp_path: Path, share: float):
    for at in range(operations(tmp_path)):
        directory, acknowledged = tmp_path / f"log-{at}", list[int]()
        with pytest.raises(Crash):
            write(directory, CrashingDisk(at, share), acknowledged)
        check(directory, acknowledged)


def test_a_crash_during_the_recovery_from_a_crash_loses_nothing_either(tmp_path: Path):
    chance = Random(1)
    total = operations(tmp_path)
    for case in range(80):
        directory, acknowledged = tmp_path / f"log-{case}", list[int]()
        for _ in range(3):
            try:
                write(directory, CrashingDisk(chance.randrange(total), chance.random()), acknowledged)
            except Crash:
                continue
        check(directory, acknowledged)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_disk_error_at_any_operation_is_loud_and_final_and_loses_nothing_acknowledged(
    tmp_path: Path, code: int
):
    for at in range(operations(tmp_path)):
        directory, acknowledged = tmp_path / f"log-{at}", list[int]()
        with pytest.raises(LogWriteFailed, match=r"last durable event -?\d+"):
            write(directory, FailingDisk(at, 0.5, code), acknowledged)
        check(directory, acknowledged)


def test_a_writer_whose_sync_failed_takes_nothing_more(tmp_path: Path):
    """The kernel has dropped the pages; a second sync that succeeds would prove nothing (fsyncgate)."""

    class FailsOnce(Disk):
        fails = False

        def sync(self, descriptor: int) -> None:
            if self.fails:
                self.fails = False
                raise OSError(errno.EIO, "Input/output error")
            super().sync(descriptor)

    disk = FailsOnce()
    writer = EventLogWriter(tmp_path, disk=disk)
    writer.append(body(0))
    disk.fails = True
    attempts: list[Callable[[], object]] = [
        writer.commit,
        writer.commit,
        writer.seal,
        lambda: writer.append(body(1)),
        lambda: writer.prune(0),
    ]
    for attempt in attempts:
        with pytest.raises(LogWriteFailed, match="Input/output error; last durable event -1"):
            attempt()
    assert writer.durable_seq == -1
    writer.close()


def test_a_power_failure_that_loses_unsynced_sectors_loses_nothing_acknowledged(tmp_path: Path):
    total = operations(tmp_path)
    for case in range(120):
        chance = Random(case)
        directory, acknowledged = tmp_path / f"log-{case}", list[int]()
        disk = PowerlessDisk(chance.randrange(total), chance.random(), chance)
        with pytest.raises(Crash):
            write(directory, disk, acknowledged)
        disk.lose_power()
        check(directory, acknowledged)


def test_a_torn_tail_is_cut_reported_and_kept(tmp_path: Path):
    with EventLogWriter(tmp_path) as writer:
        writer.append_many(body(seq) for seq in range(5))
    path = next(tmp_path.glob("*.segment"))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[-100:-10])
    report = verify(tmp_path)
    assert (report.ok, report.events, report.torn_bytes) == (True, 5, 90)
    assert [event.seq for event in EventLogReader(tmp_path).read()] == [0, 1, 2, 3, 4]
    with EventLogWriter(tmp_path) as writer:
        tail = writer.torn_tail
        assert tail is not None
        assert (tail.segment, tail.offset, tail.bytes, tail.next_seq) == (path.name, len(whole), 90, 5)
        assert writer.append(body(5)).seq == 5
    assert (tmp_path / tail.kept_in).read_bytes() == whole[-100:-10]
    assert verify(tmp_path).torn_bytes == 0


def test_the_last_word_of_a_log_whose_mark_is_lost_is_its_whole_records(tmp_path: Path):
    with EventLogWriter(tmp_path) as writer:
        writer.append_many(body(seq) for seq in range(5))
    (tmp_path / "durable").unlink()
    assert EventLogReader(tmp_path).last_seq == 4
    assert [event.seq for event in EventLogReader(tmp_path).read()] == [0, 1, 2, 3, 4]
    assert not verify(tmp_path).ok
    with EventLogWriter(tmp_path) as writer:
        assert writer.durable_seq == 4
    assert verify(tmp_path).ok

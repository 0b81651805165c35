"""SIGKILL at random points, and a disk that is really full: what was acknowledged is there, once."""

import errno
import multiprocessing
import os
import resource
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from acknowledging_writer import body, write_until_killed

from mev_dagster.errors import LogWriteFailed
from mev_dagster.events.log import EventLogReader, EventLogWriter, verify

TESTS = Path(__file__).parent
LONGEST_LIFE_S = 0.05
# Children come from a server that has imported everything already, so they start within milliseconds.
CHILDREN = multiprocessing.get_context("forkserver")
CHILDREN.set_forkserver_preload([EventLogWriter.__module__])


def run_and_kill(directory: Path, chance: Random) -> int:
    """Let a writer live for a random moment; return the last event it acknowledged."""
    ours, theirs = CHILDREN.Pipe(duplex=False)
    child = CHILDREN.Process(
        target=write_until_killed, args=(str(directory), chance.randrange(10**9), theirs), daemon=True
    )
    child.start()
    theirs.close()
    acknowledged = ours.recv()
    time.sleep(chance.random() * LONGEST_LIFE_S)  # the random point: there is no condition to wait for
    child.kill()
    child.join()
    while True:
        try:
            acknowledged = ours.recv()
        except (EOFError, OSError):  # the last message may be torn as well
            return acknowledged


def kill_repeatedly(directory: Path, times: int, seed: int) -> None:
    chance = Random(seed)
    for _ in range(times):
        acknowledged = run_and_kill(directory, chance)
        report = verify(directory)
        assert report.ok, report.errors
        assert report.last_seq >= acknowledged
    found = list(EventLogReader(directory).read())
    assert found == [replace(body(seq), seq=seq) for seq in range(len(found))]
    assert len(found) > acknowledged


def test_a_writer_killed_at_random_points_loses_and_doubles_nothing(tmp_path: Path):
    kill_repeatedly(tmp_path / "log", 20, seed=1)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_writer_killed_two_hundred_times_loses_and_doubles_nothing(tmp_path: Path):
    kill_repeatedly(tmp_path / "log", 200, seed=2)


def write_forever(writer: EventLogWriter) -> None:
    while True:
        start = writer.next_seq
        writer.append_many(body(seq) for seq in range(start, start + 10))
        writer.commit()


def test_a_file_that_may_not_grow_fails_the_writer_loudly(tmp_path: Path):
    """The kernel writes what fits and refuses the rest, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    writer = EventLogWriter(tmp_path, fsync_interval_ms=10**9)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, before[1]))
    try:
        with pytest.raises(LogWriteFailed, match=os.strerror(errno.EFBIG)):
            write_forever(writer)
    finally:
        acknowledged = writer.durable_seq
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        writer.close()
    assert acknowledged > 50
    with EventLogWriter(tmp_path) as writer:
        assert writer.torn_tail is not None
        assert writer.durable_seq >= acknowledged
    found = list(EventLogReader(tmp_path).read())
    assert found == [replace(body(seq), seq=seq) for seq in range(len(found))]


FULL_DISK = """
import sys
sys.path[:0] = sys.argv[2:]
from acknowledging_writer import body, write_until_killed
from mev_dagster.errors import LogWriteFailed
from mev_dagster.events.log import EventLogReader, EventLogWriter, verify
log = sys.argv[1] + "/log"
writer, acknowledged = EventLogWriter(log, segment_bytes=20_000), -1
try:
    while True:
        start = writer.next_seq
        writer.append_many(body(seq) for seq in range(start, start + 10))
        acknowledged = writer.commit()
except LogWriteFailed as error:
    print(error)
writer.close()
report = verify(log)
assert report.ok, report.errors
assert report.last_seq >= acknowledged > 50
assert [event.tx_hash for event in EventLogReader(log).read()][:acknowledged + 1] == [
    body(seq).tx_hash for seq in range(acknowledged + 1)
]
"""


def test_a_disk_that_is_really_full_fails_the_writer_loudly(tmp_path: Path):
    script, disk = tmp_path / "fill.py", tmp_path / "disk"
    script.write_text(FULL_DISK)
    disk.mkdir()
    fill = f"{sys.executable} {script} {disk} {TESTS} {TESTS.parents[1]}"
    unshare = shutil.which("unshare")
    if not unshare or subprocess.run([unshare, "-rm", "true"], check=False, capture_output=True).returncode:
        pytest.skip("no user namespaces here to mount a small disk in")
    done = subprocess.run(
        [unshare, "-rm", "sh", "-c", f"mount -t tmpfs -o size=200k none {disk} && {fill}"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert os.strerror(errno.ENOSPC) in done.stdout

"""The synthetic day: the same every time, in order of time, and whole from the log to the store and back."""

import json
import subprocess
import sys
from itertools import pairwise

from mev_dagster.bench.day_stream import SLOTS, TRANSACTIONS, Stream, arrivals, sign_chunk
from mev_dagster.events.log import EventLogReader
from mev_dagster.events.types import TxBody, TxSeen
from mev_dagster.events.windows import windows
from mev_dagster.ingest.arrivals import BlockArrived
from mev_dagster.windows.memory import DecodedTransactions

SMALL = Stream(60, 4)


def slots(stream):
    return [raws for chunk in stream.chunks() for raws in sign_chunk(chunk)]


def test_a_day_has_every_transaction_in_some_slot():
    day = Stream.of(TRANSACTIONS)
    assert sum(size for _, sizes in day.chunks() for size in sizes) == TRANSACTIONS
    assert sum(len(sizes) for _, sizes in day.chunks()) == SLOTS == day.seconds / 12


def test_chunks_are_the_same_whoever_signs_them_and_share_no_transaction():
    first, second = (0, [20]), (1, [20])
    assert sign_chunk(first) == sign_chunk(first)
    assert not set(sign_chunk(first)[0]) & set(sign_chunk(second)[0])


def test_arrivals_come_in_order_of_time_and_a_block_holds_what_was_seen_before_it():
    found = list(arrivals(slots(SMALL), DecodedTransactions()))
    assert len(found) == SMALL.slots
    for slot in found:
        *events, block = slot
        assert isinstance(block, BlockArrived)
        assert all(a.wall_ns <= b.wall_ns for a, b in pairwise(events))
    seen = {event.tx_hash for event in found[0] if isinstance(event, TxBody)}
    assert seen <= {transaction.hash for transaction in found[1][-1].block.transactions}
    sightings = [event for slot in found for event in slot if isinstance(event, TxSeen)]
    assert len({event.lane for event in sightings}) == 3
    assert all(event.synthetic for event in sightings)


def figures(part, home):
    """Run one part in a process of its own, as the bench does: chDB opens one path a process."""
    size = (str(SMALL.transactions), str(SMALL.slots))
    command = [sys.executable, "-m", "mev_dagster.bench.day_part", part, str(home), *size]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    return json.loads(said.splitlines()[-1])


def test_a_small_day_is_logged_stored_and_replayed_without_a_difference(tmp_path):
    logged = figures("ingest", tmp_path)
    assert sum(1 for _ in windows(EventLogReader(tmp_path / "events").read())) == SMALL.slots
    stored = figures("store", tmp_path)
    assert stored["ok"]
    assert stored["events"] == logged["events"]
    replayed = figures("replay", tmp_path)
    assert (replayed["parity"], replayed["divergence"], replayed["windows"]) == (1.0, "", SMALL.slots)

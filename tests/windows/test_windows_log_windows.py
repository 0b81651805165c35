"""A block's window in the log: found from the end backwards, across segments, reverts and repeats."""

from pathlib import Path

import pytest

from mev_dagster.errors import InputError, Superseded
from mev_dagster.events.log import EventLogReader, EventLogWriter
from mev_dagster.events.types import BlockReverted, BlockSeen, Event, Lane, TxSeen
from mev_dagster.windows.log_windows import WindowSpan, find_window


def seen(number: int, fork: int = 0) -> BlockSeen:
    return BlockSeen(
        -1, number * 10, 0, Lane.RPC, "node", number, bytes([number, fork]) * 16, bytes(32), b"", ()
    )


def reverted(number: int, fork: int = 0) -> BlockReverted:
    return BlockReverted(-1, 0, 0, Lane.RPC, "node", number, bytes([number, fork]) * 16)


TX = TxSeen(-1, 0, 0, Lane.RPC, "node", b"\x01" * 32)


def log_of(folder: Path, *segments: list[Event]) -> EventLogReader:
    """Write a log whose segments hold these events, the last one open."""
    with EventLogWriter(folder) as writer:
        for position, events in enumerate(segments):
            if position:
                writer.seal()
            writer.append_many(events)
            writer.commit()
    return EventLogReader(folder)


def test_a_window_begins_behind_the_head_before_it_and_ends_with_its_own(tmp_path):
    reader = log_of(tmp_path, [seen(1), TX, TX, seen(2), TX, seen(3)])
    assert find_window(reader, 2) == WindowSpan(
        2, seen(2).block_hash, first_seq=1, last_seq=3, previous_head_seq=0, head_wall_ns=20
    )


def test_the_first_window_begins_with_the_log(tmp_path):
    reader = log_of(tmp_path, [TX, seen(1), TX])
    found = find_window(reader, 1)
    assert (found.first_seq, found.last_seq, found.previous_head_seq) == (0, 1, -1)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_window_across_segments_is_the_same(tmp_path, number):
    events = [TX, seen(1), TX, seen(2), seen(3), TX, TX, seen(4), TX]
    whole = find_window(log_of(tmp_path / "whole", events), number)
    apart = log_of(tmp_path / "apart", *([event] for event in events))
    assert find_window(apart, number) == whole


def test_of_two_blocks_of_a_number_the_later_one_counts(tmp_path):
    reader = log_of(tmp_path, [seen(1), seen(2)], [reverted(2), seen(2, fork=1), seen(3)])
    found = find_window(reader, 2)
    assert (found.block_hash, found.first_seq) == (seen(2, fork=1).block_hash, 2)


def test_a_reverted_block_without_a_successor_is_superseded(tmp_path):
    reader = log_of(tmp_path, [seen(1), seen(2), reverted(2)])
    with pytest.raises(Superseded, match="block 2 was reverted and has no successor yet"):
        find_window(reader, 2)
    assert find_window(reader, 1).last_seq == 0


def test_a_block_that_came_back_after_its_revert_stands(tmp_path):
    reader = log_of(tmp_path, [seen(1), seen(2), reverted(2), seen(2)])
    assert find_window(reader, 2).last_seq == 3


def test_a_number_that_the_log_never_saw_is_refused(tmp_path):
    with pytest.raises(InputError, match="no window leads to block 9"):
        find_window(log_of(tmp_path, [seen(1)]), 9)

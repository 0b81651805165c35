"""The cursor of the new-block sensor, whatever was stored in it, and the keys it keeps."""

from contextlib import nullcontext
from importlib import import_module

import dagster as dg
import pytest

from mev_dagster.blockrun.new_windows import NewWindow, WindowCursor
from resources.runtime.instance_retention import expired_keys

# The package hands out the sensor under the name of its module.
new_blocks = import_module("sensors.new_blocks")


def test_a_cursor_reads_back_as_it_was_written():
    cursor = WindowCursor("0123456789abcdef", 17)
    assert WindowCursor.parse(cursor.text()) == cursor


@pytest.mark.parametrize(
    "text", [None, "", "{", "null", "[]", "17", '{"seq": "x"}', '{"log_id": 1, "seq": 2}', "\x00"]
)
def test_a_corrupted_cursor_is_none_at_all(text):
    assert WindowCursor.parse(text) is None


def test_keys_leave_in_the_order_they_came_so_that_a_backfilled_block_stays():
    assert expired_keys(["100", "101", "102", "7"], 2) == ["100", "101"]
    assert expired_keys(["100"], 2) == []


def test_the_next_tick_goes_on_behind_the_last_window_that_got_its_run(monkeypatch: pytest.MonkeyPatch):
    windows = [
        NewWindow("log", seq, number, bytes([number]) * 32) for seq, number in ((4, 7), (9, 8), (15, 8))
    ]
    monkeypatch.setattr(new_blocks, "service_store", nullcontext)
    monkeypatch.setattr(new_blocks, "new_windows", lambda store, cursor, limit: windows)
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance=instance, cursor=WindowCursor("log", 3, 6).text())
        asked = new_blocks.new_blocks(context)
    assert [request.partition_key for request in asked.run_requests] == ["7", "8", "8"]
    assert WindowCursor.parse(asked.cursor) == WindowCursor("log", 15, 8)

"""The cursor of the new-block sensor, whatever was stored in it, and the keys it keeps."""

import pytest

from resources.runtime.instance_retention import expired_keys
from sensors.new_blocks import Cursor


def test_a_cursor_reads_back_as_it_was_written():
    cursor = Cursor("0123456789abcdef", 17)
    assert Cursor.parse(cursor.text()) == cursor


@pytest.mark.parametrize(
    "text", [None, "", "{", "null", "[]", "17", '{"seq": "x"}', '{"log_id": 1, "seq": 2}', "\x00"]
)
def test_a_corrupted_cursor_is_none_at_all(text):
    assert Cursor.parse(text) is None


def test_keys_leave_in_the_order_they_came_so_that_a_backfilled_block_stays():
    assert expired_keys(["100", "101", "102", "7"], 2) == ["100", "101"]
    assert expired_keys(["100"], 2) == []

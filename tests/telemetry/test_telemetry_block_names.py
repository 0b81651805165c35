"""Block numbers in labels and tags: what is written is what is read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mev_dagster.errors import DecodeError
from mev_dagster.telemetry.alerts import Alert
from mev_dagster.telemetry.block_names import MAX_BLOCKS, MAX_TEXT, blocks_named, name_blocks


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("17", (17,)),
        ("17,19", (17, 19)),
        ("19, 17, 17", (17, 19)),
        ("100-103", (100, 101, 102, 103)),
        ("100-101,105, 107 - 108", (100, 101, 105, 107, 108)),
        ("103-101", (101, 102, 103)),
        ("7-7", (7,)),
    ],
)
def test_numbers_stretches_and_lists_name_blocks(text, named):
    assert blocks_named(text) == named


@pytest.mark.parametrize(
    "text", ["", "x", "17,", "-17", "17-", "1-2-3", "1.5", "0x11", "٣", "2026-01-01-00:00", "9" * 19]
)
def test_other_texts_name_none(text):
    assert blocks_named(text) is None


def test_a_stretch_without_end_is_cut_off():
    assert len(blocks_named("1-999999999999")) == MAX_BLOCKS
    assert len(blocks_named("1-5000,10000-20000,30000-40000")) == MAX_BLOCKS


@given(st.sets(st.integers(0, 40), min_size=1))
def test_what_is_written_names_exactly_what_was_meant(numbers):
    assert blocks_named(name_blocks(numbers)) == tuple(sorted(numbers))


def test_too_many_gaps_for_a_tag_leave_the_first_and_the_last():
    text = name_blocks(range(1_000_000, 1_000_200, 2))
    assert (text, len(text) <= MAX_TEXT) == ("1000000-1000198", True)


def test_an_alert_s_label_may_name_a_stretch():
    alert = Alert({"alertname": "Slow", "block": "100-102,105"}, "", 0, None, "webhook")
    assert alert.blocks() == (100, 101, 102, 105)


def test_an_alert_s_label_that_names_no_block_is_refused():
    with pytest.raises(DecodeError, match="block numbers"):
        Alert({"alertname": "Slow", "block": "100-"}, "", 0, None, "webhook").blocks()

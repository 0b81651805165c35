"""The hours of a home start where what it holds starts, and stay few enough for Dagster."""

from datetime import UTC, datetime, timedelta

import pytest

from assets.partitions import hours
from mev_dagster.reports.first_hour import DEFAULT, FILE, MOST_HOURS, first_hour, note_hour

NOW = datetime(2026, 11, 30, 14, 25, tzinfo=UTC)
DAGSTERS_LIMIT = 100_000


def test_a_home_without_old_blocks_starts_with_the_shipped_capture(tmp_path):
    assert first_hour(tmp_path, NOW) == DEFAULT
    assert not note_hour(tmp_path, NOW)
    assert first_hour(tmp_path, NOW) == DEFAULT


def test_an_imported_old_block_moves_the_start_to_its_hour(tmp_path):
    assert note_hour(tmp_path, datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC))
    assert first_hour(tmp_path, NOW) == datetime(2024, 5, 6, 7, tzinfo=UTC)
    assert not note_hour(tmp_path, datetime(2025, 1, 1, tzinfo=UTC))  # nothing moves it up again
    assert first_hour(tmp_path, NOW) == datetime(2024, 5, 6, 7, tzinfo=UTC)


def test_a_block_of_mainnets_first_days_does_not_fill_the_set(tmp_path):
    note_hour(tmp_path, datetime(2015, 7, 30, 15, 26, tzinfo=UTC))
    assert NOW - first_hour(tmp_path, NOW) < timedelta(hours=MOST_HOURS + 1)


@pytest.mark.parametrize("text", ["", "yesterday", "2024-13-01-00:00"])
def test_a_note_that_cannot_be_read_is_none(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    assert first_hour(tmp_path, NOW) == DEFAULT


def test_the_hours_leave_room_for_years():
    assert hours.get_num_partitions() + 4 * 365 * 24 < DAGSTERS_LIMIT
    assert hours.has_partition_key("2026-01-01-00:00")  # the shipped capture's

"""A run that is given up leaves one alert that names every block it was about."""

import json
from dataclasses import dataclass, field

import pytest

from mev_dagster.blockrun.failure_causes import FAULT, LOST, REFUSED, UNREACHABLE, cause_of
from mev_dagster.blockrun.gaps import is_due
from mev_dagster.blockrun.retries import (
    MAX_ATTEMPTS,
    attempt_of,
    is_given_up,
    next_tags,
    next_tags_of_block,
    pause_seconds,
    raise_alerts,
)
from mev_dagster.blockrun.run_tags import (
    ATTEMPT_TAG,
    BLOCK_TAG,
    FIRST_FAILED_TAG,
    LANE_TAG,
    PARTITION_TAG,
    RANGE_END_TAG,
    RANGE_START_TAG,
    RETRY_OF_TAG,
)
from mev_dagster.blockrun.stretches import keys_of_range, partitions_of


@dataclass
class Run:
    tags: dict[str, str]
    job_name: str = "backfill_blocks"
    run_id: str = "r"


@dataclass
class Rows:
    """The alerts table, as far as raising alerts needs it."""

    kept: dict[bytes, dict] = field(default_factory=dict)

    def count(self, table, where):
        return int(where["alert_id"] in self.kept)

    def replace(self, table, where, columns):
        assert table == "alerts"
        self.kept[where["alert_id"]] = {name: values[0] for name, values in columns.items()}


def raised(*runs: Run) -> list[dict]:
    rows = Rows()
    raise_alerts(rows, runs)
    return list(rows.kept.values())


@pytest.mark.parametrize(
    ("tags", "blocks"),
    [
        ({BLOCK_TAG: "100-115"}, list(range(100, 116))),
        ({BLOCK_TAG: "17"}, [17]),
        ({BLOCK_TAG: "100-102,105"}, [100, 101, 102, 105]),
        ({BLOCK_TAG: "17,19"}, [17, 19]),
        ({PARTITION_TAG: "17"}, [17]),
        ({RANGE_START_TAG: "100", RANGE_END_TAG: "103"}, [100, 101, 102, 103]),
        ({BLOCK_TAG: "no block"}, []),
        ({}, []),
    ],
)
def test_every_block_of_a_run_that_is_given_up_stands_in_its_alert(tags, blocks):
    [row] = raised(Run(tags))
    assert (row["name"], row["block_numbers"]) == ("BlockRunFailed", blocks)


def test_a_roll_up_s_hour_is_no_list_of_blocks():
    [row] = raised(Run({PARTITION_TAG: "2026-01-01-00:00"}, job_name="roll_up_hours"))
    assert (row["name"], row["block_numbers"]) == ("RollupFailed", [])
    assert json.loads(row["labels"])["partition"] == "2026-01-01-00:00"


def test_a_run_is_told_of_once():
    run = Run({BLOCK_TAG: "17"})
    assert len(raised(run, run, Run({BLOCK_TAG: "17"}, run_id="another"))) == 2


def test_the_next_attempt_is_about_the_same_in_the_same_lane():
    run = Run({BLOCK_TAG: "17", LANE_TAG: "hot", "mev/worker_pid": "12", "dagster/run_key": "k"})
    assert next_tags(run) == {BLOCK_TAG: "17", LANE_TAG: "hot", ATTEMPT_TAG: "2", RETRY_OF_TAG: "r"}


def test_pauses_grow():
    assert [pause_seconds(attempt) for attempt in (1, 2, 3)] == [5, 20, 80]


def test_an_attempt_that_is_no_number_counts_as_the_last_one():
    assert attempt_of({ATTEMPT_TAG: "²"}) == MAX_ATTEMPTS


def test_the_blocks_of_a_range_run_are_all_under_way():
    assert partitions_of({BLOCK_TAG: "100-102,105"}) == {"100", "101", "102", "105"}
    assert partitions_of({PARTITION_TAG: "7", BLOCK_TAG: "1"}) == {"7"}
    assert partitions_of({}) == set()


def test_a_range_is_read_in_the_order_in_which_its_keys_were_added():
    keys = ["100", "35", "7", "99", "36"]
    tags = {RANGE_START_TAG: "35", RANGE_END_TAG: "99"}
    assert keys_of_range(tags, keys) == ["35", "7", "99"]
    assert partitions_of(tags, keys) == {"35", "7", "99"}
    assert keys_of_range(tags, ["35"]) == []  # its end was pruned
    assert keys_of_range({PARTITION_TAG: "35"}, keys) == []


def test_a_block_of_a_failed_range_is_tried_again_for_itself():
    run = Run({LANE_TAG: "cold", RANGE_START_TAG: "35", RANGE_END_TAG: "99", BLOCK_TAG: "7,35,99"})
    tags = next_tags_of_block(run, "7")
    assert tags == {LANE_TAG: "cold", BLOCK_TAG: "7", ATTEMPT_TAG: "2", RETRY_OF_TAG: "r"}


def test_a_cause_is_read_off_the_classes_of_the_errors_that_a_failure_had():
    assert cause_of(["DagsterExecutionStepExecutionError", "NodeTimeout"]) is UNREACHABLE
    assert cause_of(["Failure", "StoreUnreachable", "KeyError"]) is UNREACHABLE
    assert cause_of(["NodeRateLimited"]) is REFUSED
    assert cause_of(["OtherCode"]) is LOST
    assert cause_of([]) is LOST
    assert cause_of(["ZeroDivisionError"]) is FAULT


@pytest.mark.parametrize("cause", [UNREACHABLE, REFUSED, LOST])
def test_what_was_not_answered_is_tried_again_for_its_slots_not_for_four_attempts(cause):
    tags = {ATTEMPT_TAG: "9", FIRST_FAILED_TAG: "1000"}
    assert not is_given_up(tags, cause, failed_at=1000 + cause.slots * 12 - 1)
    assert is_given_up(tags, cause, failed_at=1000 + cause.slots * 12)
    assert not is_given_up({ATTEMPT_TAG: "3", FIRST_FAILED_TAG: "0"}, cause, failed_at=1e9)


def test_a_block_that_fails_by_its_content_is_given_up_after_four_attempts():
    assert is_given_up({ATTEMPT_TAG: "4", FIRST_FAILED_TAG: "1000"}, FAULT, failed_at=1105)
    assert not is_given_up({}, FAULT, failed_at=1105)


def test_every_attempt_tells_when_the_first_one_failed_and_nothing_of_its_own_process():
    first = next_tags(Run({BLOCK_TAG: "17", "mev/code": "old", "mev/launcher": "warm"}), failed_at=1000.7)
    assert first == {BLOCK_TAG: "17", FIRST_FAILED_TAG: "1000", ATTEMPT_TAG: "2", RETRY_OF_TAG: "r"}
    assert next_tags(Run(first), failed_at=1100.0)[FIRST_FAILED_TAG] == "1000"


def test_a_gap_is_never_given_up_and_its_rounds_come_less_often():
    assert is_due(0, 0.0)
    assert not is_due(1, 599.0)
    assert is_due(1, 600.0)
    assert not is_due(3, 2399.0)
    assert is_due(50, 21_600.0)


def test_a_job_of_no_partition_that_fails_is_told_by_its_name():
    [row] = raised(Run({}, job_name="retain"))
    assert row["name"] == "JobFailed"


def test_what_was_clicked_or_backfilled_is_told_by_its_blocks():
    [row] = raised(Run({PARTITION_TAG: "17"}, job_name="__ASSET_JOB"))
    assert (row["name"], row["block_numbers"]) == ("BlockRunFailed", [17])

"""Gaps, failures and alerts become runs of exactly the blocks they are about, once; each skip says why."""

import time
import uuid
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import dagster as dg
import pytest

from mev_dagster.blockrun import alerted, retries
from mev_dagster.blockrun import gaps as fallen_through
from mev_dagster.blockrun.failed_checks import raise_check_alert
from mev_dagster.blockrun.run_tags import (
    ATTEMPT_TAG,
    BLOCK_HASH_TAG,
    COLD,
    ENDED_TAG,
    FIRST_FAILED_TAG,
    LANE_TAG,
    RANGE_END_TAG,
    RANGE_START_TAG,
    RETRY_OF_TAG,
    SUPERSEDED,
)
from mev_dagster.blockrun.stretches import stretches
from mev_dagster.captures.format import open_capture
from mev_dagster.definitions import defs
from mev_dagster.demo import SHIPPED_CAPTURE
from mev_dagster.ingest.alert_inbox import AlertInbox
from mev_dagster.settings import settings
from mev_dagster.store.alerts import keep_alert
from mev_dagster.store.client import Store, open_store
from mev_dagster.telemetry.alerts import Alert
from sensors import resolved_alerts
from sensors.alerts import alerts
from sensors.jobs import backfill_blocks, search_block

# The package hands out the sensors under the names of their modules.
failed_runs, gaps, new_blocks = (
    import_module(f"sensors.{name}") for name in ("failed_runs", "gaps", "new_blocks")
)


@pytest.fixture(scope="module")
def numbers() -> tuple[int, ...]:
    with open_capture(SHIPPED_CAPTURE) as capture:
        return capture.numbers


@pytest.fixture
def store(home: Path):
    with open_store(settings(), in_process=False) as found:
        for table in ("alerts", "block_runs"):  # no block of the capture has been searched, nothing has fired
            found.command(f"TRUNCATE TABLE {table}")
        yield found


@pytest.fixture
def instance(home: Path):
    with dg.DagsterInstance.ephemeral() as found:
        yield found


class Tick(NamedTuple):
    """What a tick came to."""

    run_requests: tuple[dg.RunRequest, ...]
    skip_message: str
    cursor: str | None


def tick(sensor: dg.SensorDefinition, instance: dg.DagsterInstance, cursor: str | None = None):
    context = dg.build_sensor_context(instance=instance, cursor=cursor, definitions=defs())
    result = sensor(context)
    if isinstance(result, dg.SkipReason):
        return Tick((), result.skip_message or "", None)
    said = result.skip_reason.skip_message if result.skip_reason else ""
    return Tick(tuple(result.run_requests or ()), said or "", result.cursor)


def alert(block: str = "", **labels: str) -> Alert:
    named = {"block": block} if block else {}
    return Alert(
        {"alertname": "BlocksNotSearched", **named, **labels}, "slow", time.time_ns(), None, "webhook"
    )


# New blocks


def test_a_corrupted_cursor_goes_on_behind_the_last_searched_block(store, instance, numbers):
    fresh = tick(new_blocks.new_blocks, instance)
    assert [request.partition_key for request in fresh.run_requests][:3] == [str(n) for n in numbers[:3]]
    third = numbers[2]
    searched(store, third)
    try:
        broken = tick(new_blocks.new_blocks, instance, "\x00 not a cursor")
    finally:
        store.delete("block_runs", {"block_number": third})
    assert broken.run_requests[0].partition_key == str(numbers[3])
    assert {request.run_key for request in broken.run_requests} & {r.run_key for r in fresh.run_requests}


def searched(store: Store, number: int) -> None:
    """Leave a block the row of a search."""
    [(block_hash,)] = store.rows(f"SELECT block_hash FROM ingest_windows FINAL WHERE block_number = {number}")
    times = {name: [10**18] for name in ("block_time", "seen_at", "finished_at")}
    counts = {name: [0] for name in ("pending_txs", "candidates", "verified")}
    row = {"block_hash": [block_hash], "engine": ["py_evm"], "rank_digest": [bytes(32)], "live": [False]}
    store.replace("block_runs", {"block_number": number}, row | times | counts)


# Gaps


def test_windows_without_a_result_get_one_cold_run_each(store, instance, numbers, monkeypatch):
    monkeypatch.setattr(fallen_through, "GRACE_SECONDS", 0)
    assert "none fell through" in tick(gaps.gaps, instance).skip_message
    overtaking = numbers[-1]
    searched(store, overtaking)
    try:
        found = tick(gaps.gaps, instance)
    finally:
        store.delete("block_runs", {"block_number": overtaking})
    requested = [request.partition_key for request in found.run_requests]
    assert requested == [str(number) for number in numbers[:-1]]
    assert {request.tags[LANE_TAG] for request in found.run_requests} == {COLD}
    assert all(BLOCK_HASH_TAG in request.tags for request in found.run_requests)


def test_a_window_the_store_lost_is_restored_from_the_log(store, instance, numbers):
    lost = numbers[5]
    row = store.rows(f"SELECT * FROM ingest_windows FINAL WHERE block_number = {lost}")
    assert row
    store.command("CREATE TABLE kept AS ingest_windows")
    store.command(f"INSERT INTO kept SELECT * FROM ingest_windows WHERE block_number = {lost}")
    store.delete("ingest_windows", {"block_number": lost})
    try:
        restorable, never_seen = fallen_through.missing(store)
    finally:
        store.command("INSERT INTO ingest_windows SELECT * FROM kept")
        store.command("DROP TABLE kept")
    assert [window.number for window in restorable] == [lost]
    assert never_seen == []


def test_blocks_the_log_never_saw_are_an_alert_written_once(store):
    for _ in range(2):
        fallen_through.record_lost(store, [7, 8])
    [(name, blocks)] = store.rows("SELECT name, block_numbers FROM alerts FINAL")
    assert (name, list(blocks)) == ("MissingWindows", [7, 8])


# Failures


def failed(instance: dg.DagsterInstance, key: str, **tags: str) -> dg.DagsterRun:
    instance.add_dynamic_partitions("blocks", [key])
    job = defs().resolve_job_def("search_block")
    run = instance.create_run_for_job(job, tags={"dagster/partition": key, **tags})
    instance.report_run_failed(run, message="a test's")
    return run


def test_a_failed_run_is_tried_again_after_its_pause_with_its_tags(instance, monkeypatch):
    run = failed(instance, "17", **{LANE_TAG: "hot", BLOCK_HASH_TAG: "0x11"})
    early = tick(failed_runs.failed_runs, instance)
    assert not early.run_requests
    assert "1 failed runs wait for their pause" in early.skip_message
    monkeypatch.setattr(retries, "FIRST_PAUSE_SECONDS", 0)
    [again] = tick(failed_runs.failed_runs, instance).run_requests
    assert again.partition_key == "17"
    assert again.tags[ATTEMPT_TAG] == "2"
    assert again.tags[RETRY_OF_TAG] == run.run_id
    assert (again.tags[LANE_TAG], again.tags[BLOCK_HASH_TAG]) == ("hot", "0x11")


def test_a_run_that_has_been_tried_again_or_was_superseded_is_left_alone(instance, monkeypatch):
    monkeypatch.setattr(retries, "FIRST_PAUSE_SECONDS", 0)
    first = failed(instance, "17")
    instance.create_run_for_job(search_block_job(), tags={RETRY_OF_TAG: first.run_id})
    failed(instance, "18", **{ENDED_TAG: SUPERSEDED})
    assert tick(failed_runs.failed_runs, instance).skip_message == "no run has failed"


def search_block_job():
    return defs().resolve_job_def(search_block.name)


def test_a_run_that_was_clicked_or_backfilled_is_tried_again_with_the_assets_it_had(instance, monkeypatch):
    monkeypatch.setattr(retries, "FIRST_PAUSE_SECONDS", 0)
    labels, submitted = dg.AssetKey("mev_labels"), dg.AssetKey("relay_submissions")
    for key, assets in (("17", {labels}), ("18", {labels, submitted})):
        instance.add_dynamic_partitions("blocks", [key])
        job = defs().get_implicit_global_asset_job_def().get_subset(asset_selection=assets)
        run = instance.create_run_for_job(
            job, tags={"dagster/partition": key, "dagster/backfill": "b"}, asset_selection=frozenset(assets)
        )
        instance.report_run_failed(run, message="a test's")
    requests = {one.partition_key: one for one in tick(failed_runs.failed_runs, instance).run_requests}
    assert requests["17"].job_name == backfill_blocks.name
    assert set(requests["17"].asset_selection) == {labels}
    assert requests["18"].job_name == search_block.name
    assert set(requests["18"].asset_selection) == {labels, submitted}


def test_a_run_whose_process_was_lost_is_tried_beyond_four_attempts(instance, monkeypatch):
    monkeypatch.setattr(retries, "FIRST_PAUSE_SECONDS", 0)
    monkeypatch.setattr(retries, "LONGEST_PAUSE_SECONDS", 0)
    failed(instance, "17", **{ATTEMPT_TAG: "5", FIRST_FAILED_TAG: str(int(time.time()))})
    [again] = tick(failed_runs.failed_runs, instance).run_requests
    assert again.tags[ATTEMPT_TAG] == "6"


def test_after_the_last_attempt_there_is_one_alert_and_no_run(store, instance, monkeypatch):
    monkeypatch.setattr(retries, "FIRST_PAUSE_SECONDS", 0)
    failed(instance, "17", **{ATTEMPT_TAG: str(retries.MAX_ATTEMPTS)})
    for _ in range(2):
        skipped = tick(failed_runs.failed_runs, instance)
        assert not skipped.run_requests
        assert "1 are given up" in skipped.skip_message
    [(name, blocks)] = store.rows("SELECT name, block_numbers FROM alerts FINAL")
    assert (name, list(blocks)) == ("BlockRunFailed", [17])


def test_a_failed_roll_up_is_tried_again_and_given_up_with_its_hour(store, instance, monkeypatch):
    monkeypatch.setattr(retries, "FIRST_PAUSE_SECONDS", 0)
    hour = "2026-01-01-00:00"

    def failed_roll_up(**tags: str) -> dg.DagsterRun:
        job = defs().resolve_job_def("roll_up_hours")
        run = instance.create_run_for_job(job, tags={"dagster/partition": hour, **tags})
        instance.report_run_failed(run, message="a test's")
        return run

    first = failed_roll_up()
    [again] = tick(failed_runs.failed_runs, instance).run_requests
    assert (again.job_name, again.partition_key) == ("roll_up_hours", hour)
    instance.create_run_for_job(search_block_job(), tags={RETRY_OF_TAG: first.run_id})
    failed_roll_up(**{ATTEMPT_TAG: str(retries.MAX_ATTEMPTS)})
    assert "1 are given up" in tick(failed_runs.failed_runs, instance).skip_message
    [(name, blocks, summary)] = store.rows("SELECT name, block_numbers, summary FROM alerts FINAL")
    assert (name, list(blocks)) == ("RollupFailed", [])
    assert hour in summary


# Alerts


def test_an_alert_becomes_a_run_of_its_block_once_with_its_labels_as_tags(store, instance, numbers, home):
    number = numbers[4]
    inbox = AlertInbox(home)
    fired = alert(str(number), severity="page")
    assert inbox.post(fired, time.time_ns())
    found = tick(alerts, instance)
    [request] = found.run_requests
    assert (request.partition_key, request.job_name) == (str(number), backfill_blocks.name)
    assert request.tags["mev/alert.alertname"] == "BlocksNotSearched"
    assert request.tags["mev/alert.severity"] == "page"
    again = tick(alerts, instance)  # the tick before was not confirmed: the same key, so no second run
    assert [one.run_key for one in again.run_requests] == [request.run_key]
    done = tick(alerts, instance, found.cursor)
    assert done.skip_message == "no alert is waiting"
    assert not inbox.post(fired, time.time_ns())
    [(blocks, action)] = store.rows("SELECT block_numbers, action FROM alerts FINAL")
    assert (list(blocks), action) == ([number], "1 runs over 1 blocks")


def test_an_alert_without_blocks_is_about_the_windows_open_since_it_began(store, instance, numbers, home):
    [(opened, closed)] = store.rows(
        f"SELECT min(opened_at), max(closed_at) FROM ingest_windows FINAL"
        f" WHERE block_number IN ({numbers[3]}, {numbers[4]})"
    )
    fired = Alert({"alertname": "Slow", "mev_rerun": "true"}, "", opened + 1, None, "webhook")
    inbox = AlertInbox(home)
    assert inbox.post(fired, closed - 1)
    found = tick(alerts, instance)
    for one in found.run_requests:
        inbox.done(fired.id)
        assert (one.tags[RANGE_START_TAG], one.tags[RANGE_END_TAG]) == (str(numbers[3]), str(numbers[4]))
    assert len(found.run_requests) == 1


def test_an_alert_about_no_stored_block_is_recorded_and_starts_nothing(store, instance, home):
    fired = alert("999999999")
    AlertInbox(home).post(fired, time.time_ns())
    found = tick(alerts, instance)
    assert not found.run_requests
    assert "no stored block is affected" in found.skip_message
    AlertInbox(home).done(fired.id)


def test_an_alert_of_another_team_has_its_row_and_no_run(store, instance, numbers, home):
    labels = {"alertname": "DiskFull", "block": str(numbers[2])}
    fired = Alert(labels, "", time.time_ns(), None, "webhook")
    AlertInbox(home).post(fired, time.time_ns())
    found = tick(alerts, instance)
    assert not found.run_requests
    [(action,)] = store.rows("SELECT action FROM alerts FINAL WHERE name = 'DiskFull'")
    assert action.startswith("ignored")
    AlertInbox(home).done(fired.id)


def test_an_alert_that_cannot_be_stored_is_set_aside_and_the_next_one_runs(store, instance, numbers, home):
    inbox, now_ns = AlertInbox(home), time.time_ns()
    labels = {"alertname": "IngestLag", "block": str(numbers[1])}
    past_every_day = Alert(labels, "", 253_370_764_800 * 10**9, None, "webhook")  # the year 9999
    good = alert(str(numbers[1]))
    inbox.post(past_every_day, now_ns)
    inbox.post(good, now_ns + 1)
    found = tick(alerts, instance)
    assert [one.partition_key for one in found.run_requests] == [str(numbers[1])]
    [(action,)] = store.rows("SELECT action FROM alerts FINAL WHERE name = 'IngestLag'")
    assert action.startswith("set aside")
    assert tick(alerts, instance, found.cursor).skip_message == "no alert is waiting"


def test_what_is_too_much_for_one_alert_is_said(store, instance, numbers, home, monkeypatch):
    monkeypatch.setattr(alerted, "MAX_BLOCKS", 2)
    fired = alert(f"{numbers[0]}-{numbers[4]}")
    AlertInbox(home).post(fired, time.time_ns())
    found = tick(alerts, instance)
    assert [one.tags["mev/block"] for one in found.run_requests] == [f"{numbers[3]}-{numbers[4]}"]
    [(action,)] = store.rows(
        "SELECT action FROM alerts FINAL WHERE alert_id = unhex({id:String})", {"id": fired.id.hex()}
    )
    assert action == "1 runs over 2 blocks; 3 older ones are not: at most 2 at once"
    AlertInbox(home).done(fired.id)


def test_ranges_follow_the_order_in_which_keys_were_added():
    keys = ["100", "101", "55", "102", "54"]
    assert stretches(keys, ["100", "101", "102"]) == [["100", "101"], ["102"]]
    assert stretches(keys, ["54", "55"]) == [["55"], ["54"]]


# A range in one run


def test_a_range_run_leaves_the_tables_of_single_runs(store: Store, instance, numbers):
    keys = [str(number) for number in numbers[7:10]]
    instance.add_dynamic_partitions("blocks", keys)
    job = defs().resolve_job_def(backfill_blocks.name)
    tables = ("simulations", "opportunities", "mev_labels", "tx_features")
    for key in keys:
        assert job.execute_in_process(partition_key=key, instance=instance).success
    single = {
        (table, key): store.digest(table, {"block_number": int(key)}) for table in tables for key in keys
    }
    for table in tables:
        store.delete(table, {"block_number": [int(key) for key in keys]})
    tags = {RANGE_START_TAG: keys[0], RANGE_END_TAG: keys[-1], LANE_TAG: COLD}
    result = job.execute_in_process(instance=instance, tags=tags)
    assert result.success
    ranged = {
        (table, key): store.digest(table, {"block_number": int(key)}) for table in tables for key in keys
    }
    assert ranged == single
    of_opportunities = [
        event.materialization
        for event in result.get_asset_materialization_events()
        if event.asset_key == dg.AssetKey("opportunities")
    ]
    assert sorted(one.partition for one in of_opportunities) == sorted(keys)
    assert all("rank_digest" in one.metadata for one in of_opportunities)


# The end of the loop


def came_to_its_end(
    instance: dg.DagsterInstance, number: int, *, passed: bool, check: str = "relay_accepted"
):
    """Report what a run of the block leaves: its last asset, and a check of another one."""
    key = str(number)
    instance.report_runless_asset_event(dg.AssetMaterialization("backtests", partition=key))
    verdict = dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey("relay_submissions"), check_name=check, passed=passed, partition=key
    )
    judged = dg.DagsterEvent(
        dg.DagsterEventType.ASSET_CHECK_EVALUATION.value, "a test's", event_specific_data=verdict
    )
    instance.report_dagster_event(judged, run_id=str(uuid.uuid4()))


def resolutions(store: Store) -> dict[str, tuple[bool, str]]:
    rows = store.rows("SELECT name, resolved_at IS NOT NULL, resolution FROM alerts FINAL")
    return {name: (bool(resolved), how) for name, resolved, how in rows}


def test_an_alert_is_resolved_once_its_blocks_came_to_their_end_with_every_check_green(store, instance):
    keep_alert(store, alert("7,8"), received_ns=time.time_ns(), blocks=(7, 8), action="1 runs over 2 blocks")
    instance.add_dynamic_partitions("blocks", ["7", "8"])
    came_to_its_end(instance, 7, passed=True)
    tick(resolved_alerts, instance)
    assert resolutions(store) == {"BlocksNotSearched": (False, "")}  # block 8 has not
    came_to_its_end(instance, 8, passed=False)
    tick(resolved_alerts, instance)
    assert resolutions(store) == {"BlocksNotSearched": (False, "")}  # it has, and a check of it fails
    came_to_its_end(instance, 8, passed=True)
    tick(resolved_alerts, instance)
    [(resolved, how)] = resolutions(store).values()
    assert resolved
    assert how.startswith("every check green in run")
    shown = instance.fetch_observations(dg.AssetKey("opportunities"), limit=10).records
    assert {record.partition_key for record in shown} == {"7", "8"}
    assert "0 resolved" in tick(resolved_alerts, instance).skip_message


def test_what_ran_before_the_alert_mends_nothing(store, instance):
    instance.add_dynamic_partitions("blocks", ["7"])
    came_to_its_end(instance, 7, passed=True)
    keep_alert(store, alert("7"), received_ns=time.time_ns(), blocks=(7,), action="1 runs over 1 blocks")
    tick(resolved_alerts, instance)
    assert resolutions(store) == {"BlocksNotSearched": (False, "")}


def test_the_alert_of_a_check_ends_with_the_check_and_opens_again_with_it(store, instance):
    def fails() -> None:
        raise_check_alert(store, asset="relay_submissions", check="relay_accepted", number=7, why="refused")

    instance.add_dynamic_partitions("blocks", ["7"])
    fails()
    fails()
    [(name, blocks)] = store.rows("SELECT name, block_numbers FROM alerts FINAL")
    assert (name, list(blocks)) == ("CheckFailed", [7])
    came_to_its_end(instance, 7, passed=True, check="another")
    tick(resolved_alerts, instance)
    assert not resolutions(store)["CheckFailed"][0]
    came_to_its_end(instance, 7, passed=True)
    tick(resolved_alerts, instance)
    assert resolutions(store)["CheckFailed"] == (True, "relay_accepted passes")
    fails()
    assert not resolutions(store)["CheckFailed"][0]

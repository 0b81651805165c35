"""While the store is down no sensor fails: each tick is skipped, says why, and loses nothing."""

import time
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from mev_dagster.blockrun.run_tags import ATTEMPT_TAG
from mev_dagster.definitions import defs
from mev_dagster.ingest.alert_inbox import AlertInbox
from mev_dagster.telemetry.alerts import Alert
from sensors import SENSORS
from sensors.schedules import reports_of_newest_hour

SAID = "no embedded store server answers"
BY_NAME = {sensor.name: sensor for sensor in SENSORS}


@pytest.fixture
def store_down(home: Path, monkeypatch: pytest.MonkeyPatch):
    """Hide the store's address, as when its process is gone."""
    hidden = (home / "store.json").rename(home / "store.hidden")
    monkeypatch.setattr("mev_dagster.store.endpoint.REVIVAL_SECONDS", 0.1)
    yield
    hidden.rename(home / "store.json")


def skipped(name: str, instance: dg.DagsterInstance) -> str:
    context = dg.build_sensor_context(instance=instance, definitions=defs())
    result = BY_NAME[name](context)
    assert isinstance(result, dg.SkipReason)
    return result.skip_message or ""


@pytest.mark.parametrize("name", ["new_blocks", "gaps"])
def test_sensors_that_read_the_store_say_that_it_does_not_answer(store_down, name):
    with dg.DagsterInstance.ephemeral() as instance:
        assert SAID in skipped(name, instance)


def test_an_alert_waits_for_the_store(store_down, home):
    inbox = AlertInbox(home)
    fired = Alert({"alertname": "StoreBacklog", "block": "22"}, "", time.time_ns(), None, "webhook")
    assert inbox.post(fired, time.time_ns())
    try:
        with dg.DagsterInstance.ephemeral() as instance:
            said = skipped("alerts", instance)
        assert "1 alerts wait for the store" in said
        assert SAID in said
        assert [one.alert.id for one in inbox.waiting()] == [fired.id]
    finally:
        inbox.done(fired.id)


def test_a_run_that_is_given_up_waits_with_its_alert(store_down):
    with dg.DagsterInstance.ephemeral() as instance:
        job = defs().resolve_job_def("search_block")
        tags = {"dagster/partition": "22", ATTEMPT_TAG: "4"}
        instance.report_run_failed(instance.create_run_for_job(job, tags=tags), message="a test's")
        said = skipped("failed_runs", instance)
    assert "1 are given up; 1 alerts wait for the store" in said


def test_the_schedule_that_asks_the_store_says_that_it_does_not_answer(store_down):
    context = dg.build_schedule_context(scheduled_execution_time=datetime(2026, 1, 2, tzinfo=UTC))
    result = reports_of_newest_hour(context)
    assert isinstance(result, dg.SkipReason)
    assert SAID in (result.skip_message or "")

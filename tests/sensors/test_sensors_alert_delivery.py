"""An alert reaches the sensor over real HTTP, posted or polled, and becomes one run of exactly its blocks."""

import json
import urllib.error
import urllib.request
from pathlib import Path

import dagster as dg
import pytest
from alerting import alertmanager, answer, daemon, prometheus, server_that_answers, until

from mev_dagster.blockrun.run_tags import ALERT_TAG, BLOCK_TAG, COLD, LANE_TAG, RANGE_END_TAG, RANGE_START_TAG
from mev_dagster.captures.format import open_capture
from mev_dagster.definitions import defs
from mev_dagster.demo import SHIPPED_CAPTURE
from mev_dagster.ingest.alert_inbox import AlertInbox
from mev_dagster.settings import settings
from mev_dagster.store.client import open_store
from sensors.alerts import alerts
from sensors.jobs import backfill_blocks

STARTED = "2026-11-22T10:00:00.5Z"


@pytest.fixture(scope="module")
def numbers() -> tuple[int, ...]:
    with open_capture(SHIPPED_CAPTURE) as capture:
        return capture.numbers


@pytest.fixture(scope="module")
def watched(home: Path, tmp_path_factory: pytest.TempPathFactory, numbers: tuple[int, ...]):
    """Yield the address of a daemon whose home and database the sensor looks into."""
    own = tmp_path_factory.mktemp("watched")
    (own / "store.json").symlink_to(home / "store.json")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEV_HOME", str(own))
        patch.setenv("MEV_STORE_DATABASE", "alerts_over_http")
        settings.cache_clear()
        with daemon(own, SHIPPED_CAPTURE) as url, open_store(settings(), in_process=False) as store:
            until(
                lambda: store.count("ingest_windows", {"block_number": list(numbers)}) == len(numbers),
                "every window of the capture in the store",
            )
            yield url
    settings.cache_clear()


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as found:
        yield found


@pytest.fixture
def polled(monkeypatch: pytest.MonkeyPatch):
    """Return a function that points the sensor at services."""

    def point(**urls: str) -> None:
        for name, url in urls.items():
            monkeypatch.setenv(f"MEV_{name.upper()}_URL", url)
        settings.cache_clear()

    yield point
    monkeypatch.undo()
    settings.cache_clear()


def webhook(status: str = "firing", **labels: str) -> bytes:
    one = {
        "status": status, "labels": {"alertname": "BlocksNotSearched", **labels}, "startsAt": STARTED,
        "annotations": {"summary": "slow"}, "endsAt": "2026-11-22T10:05:00Z",
    }  # fmt: skip
    return json.dumps({"version": "4", "receiver": "mev", "status": status, "alerts": [one]}).encode()


def post(url: str, body: bytes) -> dict[str, int]:
    request = urllib.request.Request(f"{url}/alerts", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)


def tick(instance: dg.DagsterInstance, cursor: str | None = None) -> dg.SensorResult | dg.SkipReason:
    return alerts(dg.build_sensor_context(instance=instance, cursor=cursor, definitions=defs()))


def handled(instance: dg.DagsterInstance, result: dg.SensorResult) -> None:
    """Let the sensor tick off what it requested, as its next tick does."""
    assert isinstance(tick(instance, result.cursor), dg.SkipReason)


def test_a_posted_alert_is_one_run_of_its_block_with_its_labels_as_tags(watched, instance, numbers):
    block = str(numbers[4])
    assert post(watched, webhook(block=block, severity="page")) == {"alerts": 1, "new": 1, "ignored": []}
    assert post(watched, webhook(block=block, severity="page")) == {"alerts": 1, "new": 0, "ignored": []}
    result = tick(instance)
    [request] = result.run_requests
    assert (request.job_name, request.partition_key) == (backfill_blocks.name, block)
    assert request.tags["mev/alert.alertname"] == "BlocksNotSearched"
    assert request.tags["mev/alert.severity"] == "page"
    assert (request.tags[LANE_TAG], request.tags[BLOCK_TAG]) == (COLD, block)
    assert len(request.tags[ALERT_TAG]) == 16
    assert [one.partition_keys for one in result.dynamic_partitions_requests] == [[block]]
    handled(instance, result)
    post(watched, webhook(block=block, severity="page"))  # Alertmanager repeats itself for hours
    assert "no alert is waiting" in tick(instance).skip_message


def test_a_posted_range_is_one_run_over_exactly_its_blocks(watched, instance, numbers):
    first, last = numbers[6], numbers[9]
    post(watched, webhook(first_block=str(first), last_block=str(last)))
    result = tick(instance)
    [request] = result.run_requests
    bounds = request.tags[RANGE_START_TAG], request.tags[RANGE_END_TAG]
    assert bounds == (str(first), str(last))
    [added] = result.dynamic_partitions_requests
    assert added.partition_keys == [str(number) for number in range(first, last + 1)]
    handled(instance, result)


def test_a_resolved_alert_and_a_malformed_one_request_nothing(watched, instance, numbers):
    assert post(watched, webhook("resolved", block=str(numbers[1]))) == {"alerts": 1, "new": 0, "ignored": []}
    with pytest.raises(urllib.error.HTTPError) as refused:
        post(watched, webhook(block="0x17"))
    assert refused.value.code == 400
    assert "expected block numbers in decimal" in refused.value.read().decode()
    assert tick(instance).skip_message == "no alert is waiting"


def test_what_prometheus_fires_is_polled_into_one_run(watched, instance, numbers, polled, tmp_path):
    block = str(numbers[2])
    with prometheus(tmp_path, {"block": block, "severity": "warn"}) as url:
        until(lambda: b"firing" in (answer(f"{url}/api/v1/alerts") or b""), "the rule to fire")
        polled(prometheus=url)
        result = tick(instance)
        [request] = result.run_requests
        assert request.partition_key == block
        assert request.tags["mev/alert.severity"] == "warn"
        handled(instance, result)
        assert tick(instance).skip_message == "no alert is waiting"  # it fires on, and is no news


def test_an_alert_that_is_posted_by_alertmanager_and_polled_from_prometheus_is_one_run(
    watched, instance, numbers, polled, tmp_path
):
    block = str(numbers[3])
    with (
        alertmanager(tmp_path, f"{watched}/alerts") as manager,
        prometheus(tmp_path, {"block": block, "severity": "page"}, alertmanager=manager) as source,
    ):
        until(lambda: AlertInbox(settings().home).waiting(), "Alertmanager's post")
        polled(prometheus=source, alertmanager=manager)
        result = tick(instance)
        [request] = result.run_requests
        assert request.partition_key == block
        assert request.tags["mev/alert.alertname"] == "BlocksNotSearched"
        handled(instance, result)


def test_what_alertmanager_lists_is_polled_into_one_run(watched, instance, numbers, polled, tmp_path):
    block = str(numbers[5])
    labels = {"alertname": "Raised", "block": block, "mev_rerun": "true"}
    with alertmanager(tmp_path, "http://127.0.0.1:9/nobody-listens") as manager:
        body = json.dumps([{"labels": labels}]).encode()
        request = urllib.request.Request(
            f"{manager}/api/v2/alerts", body, {"content-type": "application/json"}
        )
        urllib.request.urlopen(request, timeout=10).close()
        until(lambda: b"Raised" in (answer(f"{manager}/api/v2/alerts") or b""), "the alert to be listed")
        polled(alertmanager=manager)
        result = tick(instance)
    [request] = result.run_requests
    assert request.partition_key == block
    handled(instance, result)


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"<html>", 200, "malformed"),
        (b"{}", 200, "Expected `array`"),
        (b"[]" * 2_000_000, 200, "are read"),
        (b"", 503, "503"),
    ],
    ids=["no JSON", "another document", "too large", "an error"],
)
def test_a_service_that_answers_nonsense_is_named_and_stops_nothing(
    watched, instance, numbers, polled, body, status, said
):
    with server_that_answers(body, status) as url:
        polled(alertmanager=url, prometheus="http://127.0.0.1:9")
        skipped = tick(instance)
        assert isinstance(skipped, dg.SkipReason)
        assert "no alert is waiting" in skipped.skip_message
        assert f"{url}/api/v2/alerts" in skipped.skip_message
        assert said in skipped.skip_message
        assert "http://127.0.0.1:9/api/v1/alerts" in skipped.skip_message
    fired = str(numbers[0])
    post(watched, webhook(block=fired, case=said))
    result = tick(instance)
    assert [one.partition_key for one in result.run_requests] == [fired]
    handled(instance, result)

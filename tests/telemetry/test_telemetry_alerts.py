"""Alerts as Alertmanager and Prometheus write them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mev_dagster.errors import DecodeError
from mev_dagster.telemetry.alerts import (
    MAX_ALERTS,
    MAX_BODY_BYTES,
    Heard,
    nanoseconds_of,
    parse_alertmanager,
    parse_prometheus,
    parse_webhook,
)

LABELS = {"alertname": "BlocksNotSearched", "severity": "page", "block": "17"}
STARTS = "2026-11-22T10:00:00.123456789Z"
ONE = {"labels": LABELS, "startsAt": STARTS}
NAMED = {"alertname": "LaneDown"}
NOTHING = Heard((), (), ())


def webhook(**changes) -> bytes:
    alert = {
        "status": "firing",
        "labels": LABELS,
        "annotations": {"summary": "slow"},
        "startsAt": STARTS,
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": "c0ffee",
    }
    document = {"version": "4", "groupKey": "{}", "receiver": "mev", "alerts": [alert | changes]}
    return json.dumps(document).encode()


def prometheus_lists(active) -> bytes:
    return json.dumps({"status": "success", "data": {"alerts": active}}).encode()


def test_a_posted_alert_keeps_its_labels_and_all_nine_digits_of_its_start():
    [alert] = parse_webhook(webhook()).alerts
    assert alert.labels == LABELS
    assert alert.starts_ns == 1_795_341_600_123_456_789
    assert alert.ends_ns is None
    assert (alert.name, alert.summary, alert.blocks()) == ("BlocksNotSearched", "slow", (17,))


def test_the_same_alert_has_one_id_whichever_way_it_came():
    listed = [{"labels": LABELS, "startsAt": STARTS, "endsAt": STARTS, "status": {"state": "active"}}]
    active = [{"labels": LABELS, "state": "firing", "activeAt": STARTS, "value": "1"}]
    ids = {
        parse_webhook(webhook()).alerts[0].id,
        parse_webhook(webhook(startsAt="2026-11-22T10:00:00.123Z")).alerts[0].id,  # as Prometheus sends it on
        parse_alertmanager(json.dumps(listed).encode()).alerts[0].id,
        parse_prometheus(prometheus_lists(active)).alerts[0].id,
    }
    assert len(ids) == 1


def test_suppressed_and_pending_alerts_do_not_fire():
    listed = [{"labels": LABELS, "startsAt": STARTS, "status": {"state": "suppressed"}}]
    active = [{"labels": LABELS, "state": "pending", "activeAt": STARTS}]
    assert parse_alertmanager(json.dumps(listed).encode()) == NOTHING
    assert parse_prometheus(prometheus_lists(active)) == NOTHING


@pytest.mark.parametrize(
    ("labels", "blocks"),
    [
        ({"window": "3,1, 2"}, (1, 2, 3)),
        ({"first_block": "5", "last_block": "7"}, (5, 6, 7)),
        ({"severity": "page"}, None),
    ],
)
def test_labels_name_blocks(labels, blocks):
    [alert] = parse_webhook(webhook(labels={**NAMED, **labels})).alerts
    assert alert.blocks() == blocks


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "bad_json"),
        (b"[]", "bad_json"),
        (b"[" * 100_000, "bad_json"),
        (b'{"version": "3", "alerts": []}', "bad_version"),
        (json.dumps({"version": "4", "alerts": [ONE] * (MAX_ALERTS + 1)}).encode(), "too_many"),
        (b" " * (MAX_BODY_BYTES + 1), "too_large"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{len(value)}_bytes",
)  # fmt: skip
def test_what_is_no_alert_is_refused_with_its_reason(body, reason):
    with pytest.raises(DecodeError) as refused:
        parse_webhook(body)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (webhook(startsAt="yesterday"), "bad_time"),
        (webhook(startsAt="2026-13-40T00:00:00Z"), "bad_time"),
        (webhook(startsAt="1901-01-01T00:00:00Z"), "bad_time"),
        (webhook(labels={"severity": "page"}), "bad_label"),
        (webhook(labels={**NAMED, "block": "latest"}), "bad_label"),
        (webhook(labels={**NAMED, "block": "9" * 40}), "bad_label"),
        (webhook(labels={**NAMED, "first_block": "7", "last_block": "5"}), "bad_label"),
        (webhook(labels={**NAMED, "text": "A" * 2000}), "bad_label"),
        (webhook(startsAt="9999-01-01T00:00:00Z"), "bad_time"),
        (webhook(startsAt="2262-04-12T00:00:00Z"), "bad_time"),
        (webhook(startsAt="2150-01-01T00:00:00Z"), "bad_time"),
        (webhook(status="resolved", endsAt="9999-01-01T00:00:00Z"), "bad_time"),
        (webhook(labels={**NAMED, "first_block": "1", "last_block": "99999"}), "bad_label"),
        (webhook(labels={**NAMED, "block": "1-99999"}), "bad_label"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)  # fmt: skip
def test_an_alert_that_cannot_be_read_is_refused_alone(body, reason):
    beside = json.loads(webhook())
    beside["alerts"] = json.loads(body)["alerts"] + beside["alerts"]
    heard = parse_webhook(json.dumps(beside).encode())
    assert [refused.reason for refused in heard.refused] == [reason]
    assert [alert.blocks() for alert in heard.alerts] == [(17,)]


@pytest.mark.parametrize(
    "labels",
    [
        {"alertname": "PostgresReplicationLag", "team": "billing"},
        {"alertname": "DiskFull", "block": "17"},
        {"alertname": "DiskFull", "block": "sda1"},  # their labels are theirs
        {"alertname": "LaneDown", "component": "road-traffic"},
        {"alertname": "LaneDown", "mev_rerun": "false"},
    ],
)
def test_an_alert_of_another_team_is_ignored_by_name(labels):
    listed = [{"labels": labels, "startsAt": STARTS, "status": {"state": "active"}}]
    active = [{"labels": labels, "state": "firing", "activeAt": STARTS}]
    for heard in (
        parse_webhook(webhook(labels=labels)),
        parse_alertmanager(json.dumps(listed).encode()),
        parse_prometheus(prometheus_lists(active)),
    ):
        assert heard == Heard((), (labels["alertname"],), ())


def test_any_rule_may_ask_for_runs_with_a_label():
    labels = {"alertname": "BuilderLate", "team": "builders", "mev_rerun": "true", "block": "17"}
    [alert] = parse_webhook(webhook(labels=labels)).alerts
    assert alert.name == "BuilderLate"


@given(st.binary(max_size=300))
def test_any_bytes_give_alerts_or_a_typed_error(body):
    for parse in (parse_webhook, parse_alertmanager, parse_prometheus):
        try:
            parse(body)
        except DecodeError:
            continue


@given(st.integers(0, 4_000_000_000), st.integers(0, 999_999_999))
def test_times_are_read_to_the_nanosecond(seconds, nanoseconds):
    from datetime import UTC, datetime

    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{nanoseconds:09d}Z"
    assert nanoseconds_of(text) == seconds * 1_000_000_000 + nanoseconds

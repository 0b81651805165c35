"""Alerts as Alertmanager and Prometheus write them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mev_dagster.errors import DecodeError
from mev_dagster.telemetry.alerts import (
    MAX_ALERTS,
    MAX_BODY_BYTES,
    nanoseconds_of,
    parse_alertmanager,
    parse_prometheus,
    parse_webhook,
)

LABELS = {"alertname": "BlockLagHigh", "severity": "page", "block": "17"}
STARTS = "2026-11-22T10:00:00.123456789Z"
ONE = {"labels": LABELS, "startsAt": STARTS}


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


def test_a_posted_alert_keeps_its_labels_and_all_nine_digits_of_its_start():
    [alert] = parse_webhook(webhook())
    assert alert.labels == LABELS
    assert alert.starts_ns == 1_795_341_600_123_456_789
    assert alert.ends_ns is None
    assert (alert.name, alert.summary, alert.blocks()) == ("BlockLagHigh", "slow", (17,))


def test_the_same_alert_has_one_id_whichever_way_it_came():
    listed = [{"labels": LABELS, "startsAt": STARTS, "endsAt": STARTS, "status": {"state": "active"}}]
    active = [{"labels": LABELS, "state": "firing", "activeAt": STARTS, "value": "1"}]
    ids = {
        parse_webhook(webhook())[0].id,
        parse_webhook(webhook(startsAt="2026-11-22T10:00:00.123Z"))[0].id,  # as Prometheus sends it on
        parse_alertmanager(json.dumps(listed).encode())[0].id,
        parse_prometheus(json.dumps({"status": "success", "data": {"alerts": active}}).encode())[0].id,
    }
    assert len(ids) == 1


def test_suppressed_and_pending_alerts_do_not_fire():
    listed = [{"labels": LABELS, "startsAt": STARTS, "status": {"state": "suppressed"}}]
    active = [{"labels": LABELS, "state": "pending", "activeAt": STARTS}]
    assert parse_alertmanager(json.dumps(listed).encode()) == []
    assert parse_prometheus(json.dumps({"status": "success", "data": {"alerts": active}}).encode()) == []


@pytest.mark.parametrize(
    ("labels", "blocks"),
    [
        ({"window": "3,1, 2"}, (1, 2, 3)),
        ({"first_block": "5", "last_block": "7"}, (5, 6, 7)),
        ({"severity": "page"}, None),
    ],
)
def test_labels_name_blocks(labels, blocks):
    [alert] = parse_webhook(webhook(labels={"alertname": "A", **labels}))
    assert alert.blocks() == blocks


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "bad_json"),
        (b"[]", "bad_json"),
        (b"[" * 100_000, "bad_json"),
        (b'{"version": "3", "alerts": []}', "bad_version"),
        (webhook(startsAt="yesterday"), "bad_time"),
        (webhook(startsAt="2026-13-40T00:00:00Z"), "bad_time"),
        (webhook(startsAt="1901-01-01T00:00:00Z"), "bad_time"),
        (webhook(labels={"severity": "page"}), "bad_label"),
        (webhook(labels={"alertname": "A", "block": "latest"}), "bad_label"),
        (webhook(labels={"alertname": "A", "block": "9" * 40}), "bad_label"),
        (webhook(labels={"alertname": "A", "first_block": "7", "last_block": "5"}), "bad_label"),
        (webhook(labels={"alertname": "A" * 2000}), "bad_label"),
        (json.dumps({"version": "4", "alerts": [ONE] * (MAX_ALERTS + 1)}).encode(), "too_many"),
        (b" " * (MAX_BODY_BYTES + 1), "too_large"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{len(value)}_bytes",
)  # fmt: skip
def test_what_is_no_alert_is_refused_with_its_reason(body, reason):
    with pytest.raises(DecodeError) as refused:
        parse_webhook(body)
    assert refused.value.reason == reason


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

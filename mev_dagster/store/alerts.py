"""Alerts as rows of the `alerts` table: the one place that makes them, whoever raised the alert."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from mev_dagster.store.client import Store
from mev_dagster.telemetry.alerts import Alert

TABLE = "alerts"
Columns = Mapping[str, Sequence[Any]]


def alert_row(alert: Alert, *, received_ns: int, blocks: Sequence[int], action: str) -> Columns:
    """Return the row of an alert: what it said, the blocks it is about, and what was done about it."""
    return {
        "name": [alert.name],
        "source": [alert.source],
        "labels": [_text(alert.labels)],
        "summary": [alert.summary],
        "starts_at": [alert.starts_ns],
        "received_at": [received_ns],
        "block_numbers": [list(blocks)],
        "action": [action],
    }


def keep_alert(store: Store, alert: Alert, *, received_ns: int, blocks: Sequence[int], action: str) -> None:
    """Keep an alert that came in, and what was done about it; the same alert again replaces its row."""
    row = alert_row(alert, received_ns=received_ns, blocks=blocks, action=action)
    store.replace(TABLE, {"alert_id": alert.id}, row)


def raise_once(
    store: Store,
    *,
    source: str,
    labels: Mapping[str, str],
    summary: str,
    blocks: Sequence[int],
    action: str,
    now_ns: int,
) -> None:
    """Raise an alert of the platform's own; what is said with the same labels again changes nothing.

    Its id hangs on the labels alone, not on when it was noticed.
    """
    alert_id = hashlib.sha256(_text(labels).encode()).digest()
    if store.count(TABLE, {"alert_id": alert_id}):
        return
    alert = Alert(labels, summary, now_ns, None, source)
    row = alert_row(alert, received_ns=now_ns, blocks=blocks, action=action)
    store.replace(TABLE, {"alert_id": alert_id}, row)


def _text(labels: Mapping[str, str]) -> str:
    return json.dumps(dict(labels), sort_keys=True)

"""Alerts as rows of the `alerts` table: the one place that makes and resolves them, whoever raised one."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, NamedTuple

from mev_dagster.store.client import Store
from mev_dagster.telemetry.alerts import Alert

TABLE = "alerts"
Columns = Mapping[str, Sequence[Any]]

_SQL = resources.files("mev_dagster.store")
OPEN_SQL = (_SQL / "open_alerts.sql").read_text()
ALERT_SQL = (_SQL / "alert.sql").read_text()


class OpenAlert(NamedTuple):
    """An alert that nothing has mended yet."""

    alert_id: bytes
    name: str
    labels: Mapping[str, str]
    received_ns: int
    block_numbers: tuple[int, ...]


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
    reopen: bool = False,
) -> None:
    """Raise an alert of the platform's own; what is said with the same labels again changes nothing.

    Its id hangs on the labels alone, not on when it was noticed. `reopen`: one that was resolved opens again.
    """
    alert_id = hashlib.sha256(_text(labels).encode()).digest()
    stands = (
        store.rows(ALERT_SQL, {"alert": alert_id.hex()})
        if reopen
        else store.count(TABLE, {"alert_id": alert_id})
    )
    if stands:
        return
    alert = Alert(labels, summary, now_ns, None, source)
    row = alert_row(alert, received_ns=now_ns, blocks=blocks, action=action)
    store.replace(TABLE, {"alert_id": alert_id}, row)


def open_alerts(store: Store, *, after_ns: int, limit: int) -> list[OpenAlert]:
    """Return the alerts about blocks that are not resolved and came in later, the oldest first."""
    return [
        OpenAlert(bytes(alert_id), str(name), json.loads(labels), int(received_ns), tuple(map(int, numbers)))
        for alert_id, name, labels, received_ns, numbers in store.rows(
            OPEN_SQL, {"after_ns": after_ns, "limit": limit}
        )
    ]


def resolve(store: Store, alert_id: bytes, *, resolution: str, now_ns: int) -> None:
    """Say of an alert that it is mended, and by what; one that is resolved stays as it is."""
    for row in store.rows(ALERT_SQL, {"alert": alert_id.hex()}):
        columns: dict[str, Sequence[Any]] = {name: [value] for name, value in zip(KEPT, row, strict=True)}
        columns |= {"resolved_at": [now_ns], "resolution": [resolution]}
        store.replace(TABLE, {"alert_id": alert_id}, columns)


KEPT = ("name", "source", "labels", "summary", "starts_at", "received_at", "block_numbers", "action")


def _text(labels: Mapping[str, str]) -> str:
    return json.dumps(dict(labels), sort_keys=True)

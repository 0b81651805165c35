"""A firing alert becomes runs of exactly the blocks it is about, once.

Alerts wait in the daemon's inbox (`POST /alerts`), and are fetched from Alertmanager and Prometheus where the
settings name them. The labels name the blocks (`block`, `window`, `first_block` and `last_block`); without
such a label they are those whose windows were open since the alert began.
"""

import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from importlib import resources as package_files

import dagster as dg
import msgspec

from assets.partitions import blocks
from mev_dagster.blockrun.run_tags import ALERT_LABEL_TAG, ALERT_TAG, BLOCK_TAG, COLD, LANE_TAG
from mev_dagster.errors import MevError
from mev_dagster.ingest.alert_inbox import AlertInbox, WaitingAlert
from mev_dagster.settings import Settings, settings
from mev_dagster.store.client import Store
from mev_dagster.telemetry.alerts import MAX_BODY_BYTES, Alert, parse_alertmanager, parse_prometheus
from resources.store import service_store
from sensors.jobs import backfill_blocks
from sensors.ranges import run_request, stretches

AFFECTED_SQL = (package_files.files("sensors") / "affected_blocks.sql").read_text()
KNOWN_SQL = (package_files.files("sensors") / "known_blocks.sql").read_text()
POLL_SECONDS = 15
FETCH_SECONDS = 3.0
MAX_BLOCKS = 512
ALERTS_PER_TICK = 16
TAG_TEXT = 255
NOTHING = "no stored block is affected"


def fetch(config: Settings) -> tuple[list[Alert], list[str]]:
    """Ask the services that the settings name; return the firing alerts and who did not answer."""
    asked: list[tuple[str | None, str, Callable[[bytes], list[Alert]]]] = [
        (config.alerts.alertmanager_url, "/api/v2/alerts?active=true", parse_alertmanager),
        (config.alerts.prometheus_url, "/api/v1/alerts", parse_prometheus),
    ]
    found, silent = [], []
    for base, path, parse in asked:
        if base is None:
            continue
        url = base.rstrip("/") + path
        if not url.startswith(("http://", "https://")):
            silent.append(f"{url}: expected http(s)://")
            continue
        try:
            with urllib.request.urlopen(url, timeout=FETCH_SECONDS) as answer:  # noqa: S310 - scheme checked
                found += parse(answer.read(MAX_BODY_BYTES + 1))
        except (OSError, urllib.error.URLError, MevError) as error:
            silent.append(f"{url}: {error}")
    return found, silent


def affected(store: Store, waiting: WaitingAlert) -> list[int]:
    """Return the stored blocks an alert is about, at most `MAX_BLOCKS` and the newest ones."""
    named = waiting.alert.blocks()
    if named is not None:
        found = store.rows(KNOWN_SQL, {"numbers": list(named), "limit": MAX_BLOCKS})
    else:
        until = waiting.ends_ns or waiting.received_ns
        span = {"since": waiting.starts_ns, "until": until, "limit": MAX_BLOCKS}
        found = store.rows(AFFECTED_SQL, span)
    return sorted(int(row[0]) for row in found)


def alert_tags(alert: Alert) -> dict[str, str]:
    """Return an alert's labels as run tags, in the characters Dagster admits."""
    labels = {
        ALERT_LABEL_TAG + re.sub(r"[^A-Za-z0-9_.-]", "_", name)[:56]: value[:TAG_TEXT]
        for name, value in sorted(alert.labels.items())
        if value
    }
    return {**labels, ALERT_TAG: alert.id.hex()[:16]}


def record(store: Store, waiting: WaitingAlert, numbers: list[int], action: str) -> None:
    """Keep what was done about an alert."""
    alert = waiting.alert
    store.replace(
        "alerts",
        {"alert_id": alert.id},
        {
            "name": [alert.name],
            "source": [alert.source],
            "labels": [json.dumps(dict(alert.labels), sort_keys=True)],
            "summary": [alert.summary],
            "starts_at": [alert.starts_ns],
            "received_at": [waiting.received_ns],
            "block_numbers": [numbers],
            "action": [action],
        },
    )


@dg.sensor(
    job=backfill_blocks,
    minimum_interval_seconds=POLL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Turns firing alerts into runs of the blocks they are about, once each.",
)
def alerts(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Request runs for the alerts that came in; what the last tick requested is ticked off first."""
    config = settings()
    inbox = AlertInbox(config.home)
    for alert_id in handled(context.cursor):
        inbox.done(alert_id)
    fetched, silent = fetch(config)
    for alert in fetched:
        inbox.post(alert, time.time_ns())
    waiting = inbox.waiting()[:ALERTS_PER_TICK]
    note = "".join(f"; {why}" for why in silent)
    if not waiting:
        return dg.SkipReason(f"no alert is waiting{note}")
    keys = list(context.instance.get_dynamic_partitions("blocks"))
    requests, added, said = [], [], []
    try:
        with service_store() as store:
            for one in waiting:
                numbers = affected(store, one)
                wanted = [str(number) for number in numbers]
                fresh = [key for key in wanted if key not in set(keys)]
                keys += fresh
                added += fresh
                found = [request(one.alert, stretch) for stretch in stretches(keys, wanted)]
                action = (
                    f"{len(found)} runs over {len(numbers)} blocks"
                    if found
                    else "no stored block is affected"
                )
                record(store, one, numbers, action)
                requests += found
                said.append(f"{one.alert.name}: {action}")
    except MevError as error:
        return dg.SkipReason(f"{len(waiting)} alerts wait for the store: {error}{note}")
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=None if requests else "; ".join(said) + note,
        dynamic_partitions_requests=[blocks.build_add_request(added)] if added else [],
        cursor=msgspec.json.encode([one.alert.id.hex() for one in waiting]).decode(),
    )


def request(alert: Alert, stretch: list[str]) -> dg.RunRequest:
    """Return the run of a stretch of blocks; its key is the alert's and the stretch's, so it runs once."""
    tags = {
        LANE_TAG: COLD,
        BLOCK_TAG: "-".join(dict.fromkeys((stretch[0], stretch[-1]))),
        **alert_tags(alert),
    }
    key = f"alert:{alert.id.hex()}:{stretch[0]}-{stretch[-1]}"
    return run_request(backfill_blocks.name, stretch, run_key=key, tags=tags)


def handled(cursor: str | None) -> list[bytes]:
    """Return the alerts the last tick requested runs for; a corrupted cursor names none.

    Their run keys then keep the repeated requests from running twice.
    """
    try:
        return [bytes.fromhex(text) for text in msgspec.json.decode(cursor or "[]", type=list[str])]
    except (msgspec.DecodeError, ValueError):
        return []

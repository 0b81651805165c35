"""A firing alert becomes runs of exactly the blocks it is about, once.

Alerts wait in the daemon's inbox (`POST /alerts`), and are fetched from Alertmanager and Prometheus where the
settings name them.
"""

import time
from collections.abc import Sequence
from typing import NamedTuple

import dagster as dg

from assets.partitions import blocks
from mev_dagster.blockrun import alerted
from mev_dagster.blockrun.run_tags import BLOCK_PARTITIONS
from mev_dagster.blockrun.stretches import stretches
from mev_dagster.errors import MevError, Unreachable
from mev_dagster.ingest.alert_inbox import AlertInbox, WaitingAlert
from mev_dagster.ingest.alert_sources import fetch
from mev_dagster.settings import settings
from mev_dagster.store.alerts import keep_alert
from mev_dagster.store.client import Store
from mev_dagster.telemetry.alert_rules import OPT_IN_LABEL, is_ours
from resources.store import service_store
from sensors.jobs import backfill_blocks
from sensors.ranges import run_request

POLL_SECONDS = 15
ALERTS_PER_TICK = 16


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
    for alert_id in alerted.read(context.cursor):
        inbox.done(alert_id)
    fetched, silent = fetch(config)
    for alert in fetched:
        inbox.post(alert, time.time_ns())
    waiting = inbox.waiting()[:ALERTS_PER_TICK]
    note = "".join(f"; {why}" for why in silent)
    if not waiting:
        return dg.SkipReason(f"no alert is waiting{note}")
    keys = list(context.instance.get_dynamic_partitions(BLOCK_PARTITIONS))
    requests, added, said = [], [], []
    try:
        with service_store() as store:
            for one in waiting:
                try:
                    found = _acted_on(store, one, keys)
                except Unreachable:
                    raise
                except (MevError, ArithmeticError, ValueError) as error:  # Arrow's own are ValueErrors
                    said.append(f"{one.alert.name}: {alerted.set_aside(store, one, error)}")
                    continue
                keys += found.added
                added += found.added
                requests += found.requests
                said.append(f"{one.alert.name}: {found.action}")
    except MevError as error:
        return dg.SkipReason(f"{len(waiting)} alerts wait for the store: {error}{note}")
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=None if requests else "; ".join(said) + note,
        dynamic_partitions_requests=[blocks.build_add_request(added)] if added else [],
        cursor=alerted.written(waiting),
    )


class ActedOn(NamedTuple):
    """What one alert asks for: runs, the block keys they need, and what its row says of it."""

    requests: list[dg.RunRequest]
    added: list[str]
    action: str


def _acted_on(store: Store, one: WaitingAlert, keys: Sequence[str]) -> ActedOn:
    """Find the blocks of an alert and keep its row; an alert of another team gets a row and no run."""
    if not is_ours(one.labels):
        action = f"ignored: no rule of ours, and no label {OPT_IN_LABEL}"
        keep_alert(store, one.alert, received_ns=one.received_ns, blocks=(), action=action)
        return ActedOn([], [], action)
    affected = alerted.affected(store, one)
    wanted = [str(number) for number in affected.numbers]
    known = set(keys)
    added = [key for key in wanted if key not in known]
    requests = [
        run_request(
            backfill_blocks.name,
            stretch,
            run_key=alerted.run_key(one.alert, stretch),
            tags=alerted.run_tags(one.alert, stretch),
        )
        for stretch in stretches([*keys, *added], wanted)
    ]
    action = affected.action(len(requests))
    keep_alert(store, one.alert, received_ns=one.received_ns, blocks=affected.numbers, action=action)
    return ActedOn(requests, added, action)

"""The end of an alert's loop: firing, run again, checks green, resolved, as a row and on the asset.

An alert is mended once each of its blocks has come to its end again and no check of the block fails. One
about a failed check is mended once that check passes for the block, whoever ran it.
"""

import time
from functools import cache

import dagster as dg
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus as Status

from assets import ingest, labels, pbs, search, simulation
from mev_dagster.errors import MevError
from mev_dagster.store.alerts import OpenAlert, open_alerts, resolve
from mev_dagster.units import NS_PER_SECOND
from resources.store import service_store

EVERY_SECONDS = 30
ALERTS_PER_TICK = 32
SHOWN_ON = dg.AssetKey("opportunities")
LAST_OF_A_BLOCK = dg.AssetKey("backtests")


@dg.sensor(
    minimum_interval_seconds=EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Resolves the alerts whose blocks have been run again with every check green.",
)
def resolved_alerts(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Look at the next open alerts, round and round; resolve those that are mended."""
    cursor = context.cursor or ""
    after_ns = int(cursor) if cursor.isdigit() else 0
    mended = []
    try:
        with service_store() as store:
            found = open_alerts(store, after_ns=after_ns, limit=ALERTS_PER_TICK)
            for alert in found:
                how = mended_by(context.instance, alert)
                if how:
                    resolve(store, alert.alert_id, resolution=how, now_ns=time.time_ns())
                    _show(context.instance, alert, how)
                    mended.append(alert.name)
    except MevError as error:
        return dg.SkipReason(f"the store does not answer: {error}")
    context.update_cursor(str(found[-1].received_ns) if len(found) == ALERTS_PER_TICK else "0")
    return dg.SkipReason(f"{len(found)} open alerts, {len(mended)} resolved: {', '.join(mended)}")


def mended_by(instance: dg.DagsterInstance, alert: OpenAlert) -> str:
    """Say what mended an alert; empty while it is open."""
    keys = [str(number) for number in alert.block_numbers]
    since = alert.received_ns / NS_PER_SECOND
    if "check" in alert.labels and "asset" in alert.labels:
        check = dg.AssetCheckKey(dg.AssetKey(alert.labels["asset"]), alert.labels["check"])
        green = all(_passed(instance, check, key, since) for key in keys)
        return f"{check.name} passes" if green else ""
    run_ids: dict[str | None, str] = {}
    filters = dg.AssetRecordsFilter(LAST_OF_A_BLOCK, asset_partitions=keys, after_timestamp=since)
    for record in instance.fetch_materializations(filters, limit=4 * len(keys)).records:
        run_ids.setdefault(record.partition_key, record.run_id)
    if len(run_ids) < len(set(keys)) or any(_failing(instance, key) for key in keys):
        return ""
    runs = sorted({run_id[:8] for run_id in run_ids.values()})
    return f"every check green in {'runs' if len(runs) > 1 else 'run'} {', '.join(runs[:8])}"


def _passed(instance: dg.DagsterInstance, check: dg.AssetCheckKey, key: str, since: float) -> bool:
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(
        [check], partition_filter=PartitionKeyFilter(key=key)
    ).get(check)
    # The record's own time is of whole seconds: a pass of the second in which it failed would count as older.
    event = None if latest is None or latest.status is not Status.SUCCEEDED else latest.event
    return event is not None and event.timestamp >= since


def _failing(instance: dg.DagsterInstance, key: str) -> bool:
    """Say whether any check of a block fails, or is about to be judged again."""
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(
        check_keys(), partition_filter=PartitionKeyFilter(key=key)
    )
    return any(record.status is Status.FAILED for record in latest.values())


@cache
def check_keys() -> tuple[dg.AssetCheckKey, ...]:
    """Return every check of a block."""
    found = {
        key
        for module in (ingest, simulation, search, pbs, labels)
        for one in vars(module).values()
        if isinstance(one, dg.AssetsDefinition)
        for key in one.check_keys
    }
    return tuple(sorted(found, key=lambda key: (key.asset_key.path, key.name)))


def _show(instance: dg.DagsterInstance, alert: OpenAlert, how: str) -> None:
    asset = (
        dg.AssetKey(alert.labels["asset"])
        if "check" in alert.labels and "asset" in alert.labels
        else SHOWN_ON
    )
    for number in alert.block_numbers:
        instance.report_runless_asset_event(
            dg.AssetObservation(
                asset, partition=str(number), metadata={"alert": alert.name, "resolved": True, "by": how}
            )
        )

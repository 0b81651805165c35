"""What Dagster never deletes and what it leaves behind with a deleted run: rows that would grow for ever.

A run's check results stay when it goes, and on SQLite its tags; ended backfills stay; ticks of a sensor
that is no longer there stay. None of it has a public call in Dagster 1.13, so this asks its storages' own
tables, in whichever database they are, oldest rows first and a few at a time: no statement holds the live
lane up.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from itertools import takewhile
from typing import cast

import dagster as dg
import sqlalchemy as sa
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._core.storage.runs.schema import BackfillTagsTable, BulkActionsTable, RunTagsTable
from dagster._core.storage.runs.sql_run_storage import SqlRunStorage
from dagster._core.storage.schedules.schema import JobTickTable
from dagster._core.storage.schedules.sql_schedule_storage import SqlScheduleStorage

ROWS_AT_ONCE = 2_000
BACKFILL_ENDED = ("COMPLETED", "COMPLETED_SUCCESS", "COMPLETED_FAILED", "FAILED", "CANCELED")


def delete_run_tags(instance: dg.DagsterInstance, run_ids: Sequence[str]) -> None:
    """Delete the tags of runs that are gone."""
    with cast(SqlRunStorage, instance.run_storage).connect() as connection:
        connection.execute(sa.delete(RunTagsTable).where(RunTagsTable.c.run_id.in_(run_ids)))


def sweep_backfills(instance: dg.DagsterInstance, before: datetime, *, dry_run: bool) -> int:
    """Delete the backfills that ended and were asked for before a time; return how many."""
    table = BulkActionsTable
    old = sa.and_(table.c.timestamp < _naive(before), table.c.status.in_(BACKFILL_ENDED))
    with cast(SqlRunStorage, instance.run_storage).connect() as connection:
        keys = [row[0] for row in connection.execute(sa.select(table.c.key).where(old))]
        if not dry_run:
            connection.execute(sa.delete(BackfillTagsTable).where(BackfillTagsTable.c.backfill_id.in_(keys)))
            connection.execute(sa.delete(table).where(table.c.key.in_(keys)))
    return len(keys)


def sweep_checks(instance: dg.DagsterInstance, before: datetime, *, dry_run: bool) -> int:
    """Delete the results of checks of before a time; return how many."""
    storage = cast(SqlEventLogStorage, instance.event_log_storage)
    return _sweep(storage.index_connection, AssetCheckExecutionsTable, "create_timestamp", before, dry_run)


def sweep_ticks(instance: dg.DagsterInstance, before: datetime, *, dry_run: bool) -> int:
    """Delete the ticks of sensors and schedules of before a time; return how many."""
    storage = cast(SqlScheduleStorage, instance.schedule_storage)
    return _sweep(storage.connect, JobTickTable, "timestamp", before, dry_run)


def _sweep(
    connect: Callable[[], AbstractContextManager[sa.Connection]],
    table: sa.Table,
    time_column: str,
    before: datetime,
    dry_run: bool,
) -> int:
    """Delete from the front of a table, whose ids grow with time, until a row is young enough."""
    swept, last_id, limit = 0, -1, _naive(before)
    while True:
        oldest = (
            sa.select(table.c.id, table.c[time_column])
            .where(table.c.id > last_id)
            .order_by(table.c.id)
            .limit(ROWS_AT_ONCE)
        )
        with connect() as connection:
            rows = connection.execute(oldest).all()
            old = list(takewhile(lambda row: row[1] < limit, rows))
            if old and not dry_run:
                connection.execute(sa.delete(table).where(table.c.id.between(old[0][0], old[-1][0])))
        swept += len(old)
        if len(old) < ROWS_AT_ONCE:
            return swept
        last_id = old[-1][0]


def _naive(moment: datetime) -> datetime:
    """Return a time as Dagster's tables hold it: UTC without saying so."""
    return moment.astimezone(UTC).replace(tzinfo=None)

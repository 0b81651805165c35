"""Dagster's SQLite storages with connections that are kept.

Stock, every statement makes a new SQLAlchemy engine: a connection, a compilation and a commit for each of
the hundred events of a run, and a look at the table's columns for each asset event. That is most of what
Dagster costs a block. Here a process keeps its connections, an event is one transaction, and a batch of
events is one too. Commits do not wait for the disk: after a power cut the last of them may be gone, after
a crash of a process none is.

Uses private parts of Dagster 1.13, like `resources.runtime.warm_launcher`; `tests/resources` covers both.
"""

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

import sqlalchemy as db
from dagster._core.storage.event_log import ConsolidatedSqliteEventLogStorage
from dagster._core.storage.runs import SqliteRunStorage
from dagster._core.storage.schedules import SqliteScheduleStorage
from dagster._core.storage.sqlite import create_db_conn_string
from dagster._serdes import ConfigurableClassData
from sqlalchemy.engine import Connection, Engine

if TYPE_CHECKING:
    from dagster._core.events.log import EventLogEntry

BUSY_SECONDS = 30
CONNECTIONS = 4
"""Kept per process and database; more are opened while more threads ask at once."""

_ENGINES: dict[tuple[int, str], Engine] = {}
_OPEN = threading.local()


def engine_of(url: str) -> Engine:
    """Return this process's engine of a database; a forked child gets one of its own."""
    key = os.getpid(), url
    if key not in _ENGINES:
        engine = db.create_engine(
            url, pool_size=CONNECTIONS, max_overflow=-1, connect_args={"timeout": BUSY_SECONDS}
        )
        db.event.listen(engine, "connect", _do_not_wait_for_the_disk)
        _ENGINES[key] = engine
    return _ENGINES[key]


def _do_not_wait_for_the_disk(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA synchronous=NORMAL")


@contextmanager
def transaction(url: str) -> Iterator[Connection]:
    """Yield a connection inside a transaction: the one this thread has under way, else a new one."""
    under_way: dict[str, Connection] = _OPEN.__dict__.setdefault("connections", {})
    if url in under_way:
        yield under_way[url]
        return
    with engine_of(url).connect() as connection, connection.begin():
        under_way[url] = connection
        try:
            yield connection
        finally:
            del under_way[url]


class KeptEventLog(ConsolidatedSqliteEventLogStorage):
    """All events of all runs in one database."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._there: set[str] = set()
        super().__init__(base_dir, inst_data)

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        with transaction(self._conn_string) as connection:
            yield connection

    def store_event(self, event: "EventLogEntry") -> None:
        """Store an event and what follows from it, in one transaction."""
        with self._connect():
            super().store_event(event)

    def store_event_batch(self, events: "Sequence[EventLogEntry]") -> None:
        """Store events in one transaction."""
        with self._connect():
            for event in events:
                super().store_event(event)

    def has_table(self, table_name: str) -> bool:
        """Say whether a table exists; one that does is not asked for again."""
        return self._once(f"table {table_name}", lambda: super(KeptEventLog, self).has_table(table_name))

    def _has_asset_key_col_on_connection(self, conn: Connection, column_name: str) -> bool:
        ask = super()._has_asset_key_col_on_connection
        return self._once(f"column {column_name}", lambda: ask(conn, column_name))

    def _once(self, what: str, ask: Any) -> bool:
        if what not in self._there and ask():
            self._there.add(what)
        return what in self._there


class KeptRuns(SqliteRunStorage):
    """Runs, their tags and snapshots."""

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> Self:
        """Build the storage from `dagster.yaml`."""
        return cls.from_local(inst_data=inst_data, **config_value)

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Yield a connection inside a transaction."""
        with transaction(self._conn_string) as connection:
            yield connection


class KeptSchedules(SqliteScheduleStorage):
    """Ticks and cursors."""

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "KeptSchedules":
        """Build the storage from `dagster.yaml`."""
        SqliteScheduleStorage.from_local(inst_data=inst_data, **config_value)  # makes the database
        return cls(create_db_conn_string(config_value["base_dir"], "schedules"), inst_data)

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Yield a connection inside a transaction."""
        with transaction(self._conn_string) as connection:
            yield connection

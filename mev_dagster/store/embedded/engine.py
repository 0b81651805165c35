"""The one owner of chDB: runs statements on connection handles of its own, from many threads at once.

A handle costs 0.2 ms, so every request gets a fresh one and no setting, database or temporary table leaks
into the next; a session keeps its handle. Rows of an INSERT come from a spooled file: chDB's streaming
inserter reports rows as written even where the table refused them (too many partitions, a constraint),
while FROM INFILE reports the refusal, and a body that broke off is never half inserted.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mev_dagster.errors import StoreError
from mev_dagster.store.embedded import library
from mev_dagster.store.embedded.failures import ENGINE_FAILURES, LOST_MESSAGE_SQL, message
from mev_dagster.store.embedded.http_protocol import (
    Call,
    Code,
    InsertHead,
    QueryError,
    result_format,
    returns_rows,
    streams,
)
from mev_dagster.store.sql import literal, quoted
from mev_dagster.units import NS_PER_SECOND

MAX_SESSIONS = 64


@dataclass(frozen=True, slots=True)
class StatementResult:
    """What a statement gave: pieces of its result (to be read to the end or closed) and the counters."""

    pieces: "Pieces"
    format: str | None
    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    elapsed_ns: int = 0


class Pieces:
    """An iterator over the bytes of a result that lets go of its handle once, at the end or on close."""

    def __init__(
        self,
        pieces: Iterator[bytes],
        release: Callable[[], None],
        failed: Callable[[BaseException], QueryError],
    ):
        self._pieces = pieces
        self._failed = failed
        self._release: Callable[[], None] | None = release

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._pieces)
        except StopIteration:
            self.close()
            raise
        except ENGINE_FAILURES as error:
            self.close()
            raise self._failed(error) from error

    def close(self) -> None:
        """Stop early."""
        if self._release is not None:
            release, self._release = self._release, None
            release()


class Engine:
    """The embedded engine at one path."""

    def __init__(self, path: Path):
        path.mkdir(parents=True, exist_ok=True)
        self._path = str(path.resolve())
        self._chdb = library.load()
        try:
            self._keeper = self._chdb.connect(self._path)
        except RuntimeError as error:
            raise StoreError(f"{path}: cannot open the embedded engine: {error}") from error
        self._sessions: OrderedDict[str, tuple[Any, threading.Lock]] = OrderedDict()
        self._sessions_lock = threading.Lock()
        self.version = _cell(self._keeper, "SELECT version()")
        self.timezone = _cell(self._keeper, "SELECT timezone()")

    def execute(self, call: Call, sql: str) -> StatementResult:
        """Run one statement; raises QueryError. Results of block formats stream, others come whole."""
        handle, release = self._acquire(call)
        kind = result_format(sql, call.default_format)
        try:
            if streams(sql, kind):
                stream = handle.send_query(sql, call.default_format, params=dict(call.bound))
                pieces = (chunk.bytes() for chunk in stream)
                first = next(pieces, b"")  # most failures show here, before the answer has begun
                rest = _after(first, pieces)
                return StatementResult(Pieces(rest, lambda: _end(stream, release), self._failed), kind)
            result = handle.query(sql, call.default_format, params=dict(call.bound))
        except ENGINE_FAILURES as error:
            release()
            raise self._failed(error) from error
        except BaseException:
            release()
            raise
        release()
        return StatementResult(
            Pieces(iter([result.bytes() or b""]), lambda: None, self._failed),
            kind if returns_rows(sql) else None,
            read_rows=result.storage_rows_read(),
            read_bytes=result.storage_bytes_read(),
            written_rows=result.rows_written(),
            written_bytes=result.bytes_written(),
            elapsed_ns=int(result.elapsed() * NS_PER_SECOND),
        )

    def insert(self, call: Call, head: InsertHead, spooled: Path) -> StatementResult:
        """Insert the rows of a spooled file."""
        source = literal(str(spooled))
        return self.execute(call, f"{head.into} FROM INFILE {source} {head.settings} FORMAT {head.format}")

    def warm_up(self) -> float:
        """Make one throw-away insert, because the first of a process costs over a second; return how long."""
        started = time.monotonic()
        database = quoted("_warm_up")
        for sql in (
            f"CREATE DATABASE IF NOT EXISTS {database}",
            f"CREATE OR REPLACE TABLE {database}.rows (at DateTime64(9, 'UTC'), value UInt256)"
            " ENGINE = MergeTree PARTITION BY toDate(at) ORDER BY at",
            f"INSERT INTO {database}.rows SELECT now64(9), number FROM numbers(1000)",
            f"DROP DATABASE {database}",
        ):
            self._keeper.query(sql)
        return time.monotonic() - started

    def close(self) -> None:
        """Close every handle; the path is free for another process afterwards."""
        with self._sessions_lock:
            for handle, _ in self._sessions.values():
                handle.close()
            self._sessions.clear()
        self._keeper.close()

    def _failed(self, error: BaseException) -> QueryError:
        return QueryError.of_engine(message(error, self._last_binary_failure))

    def _last_binary_failure(self) -> bytes:
        handle = self._chdb.connect(self._path)
        try:
            return bytes(handle.query(LOST_MESSAGE_SQL, "RawBLOB").bytes())
        finally:
            handle.close()

    def _acquire(self, call: Call) -> tuple[Any, Callable[[], None]]:
        """Return a handle in the state the call asks for, and what gives it back."""
        if call.session_id is None:
            handle = self._chdb.connect(self._path)
            release: Callable[[], None] = handle.close
        else:
            handle, lock = self._session(call.session_id, must_exist=call.session_check)
            if not lock.acquire(blocking=False):
                raise QueryError(Code.SESSION_IS_LOCKED, f"Session {call.session_id} is locked by a query")
            release = lock.release
        try:
            if call.session_id is not None:
                release = _restoring(handle, call, lock.release)
            if call.database is not None:
                handle.query(f"USE {quoted(call.database)}")
            for name, value in call.settings.items():
                handle.query(f"SET {name} = {literal(value)}")
        except ENGINE_FAILURES as error:
            release()
            raise self._failed(error) from error
        except BaseException:
            release()
            raise
        return handle, release

    def _session(self, name: str, *, must_exist: bool) -> tuple[Any, threading.Lock]:
        with self._sessions_lock:
            if name not in self._sessions:
                if must_exist:
                    raise QueryError(Code.SESSION_NOT_FOUND, f"Session {name} does not exist")
                if len(self._sessions) >= MAX_SESSIONS:
                    self._forget_idle_session()
                self._sessions[name] = (self._chdb.connect(self._path), threading.Lock())
            self._sessions.move_to_end(name)
            return self._sessions[name]

    def _forget_idle_session(self) -> None:
        for name, (handle, lock) in self._sessions.items():
            if lock.acquire(blocking=False):
                del self._sessions[name]
                handle.close()
                return
        raise QueryError(Code.LIMIT_EXCEEDED, f"All of the {MAX_SESSIONS} sessions are busy")


def _after(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest


def _restoring(handle: Any, call: Call, release: Callable[[], None]) -> Callable[[], None]:
    """Return what undoes the settings and database of one call on a session's handle, then releases it.

    What the session itself has SET or USEd stays, as on a ClickHouse server.
    """
    undo = []
    if call.database is not None:
        undo.append(f"USE {quoted(_cell(handle, 'SELECT currentDatabase()'))}")
    for name in call.settings:
        found = _cell(handle, f"SELECT value FROM system.settings WHERE changed AND name = {literal(name)}")
        undo.append(f"SET {name} = {literal(found) if found else 'DEFAULT'}")

    def restore() -> None:
        try:
            for sql in undo:
                handle.query(sql)
        finally:
            release()

    return restore


def _cell(handle: Any, sql: str) -> str:
    return str(handle.query(sql, "TabSeparatedRaw").bytes().decode().removesuffix("\n"))


def _end(stream: Any, release: Callable[[], None]) -> None:
    try:
        stream.close()
    finally:
        release()

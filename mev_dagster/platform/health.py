"""Health probes: each asks a process for work that only its own loop can do, and has a deadline.

That something accepts a connection says nothing: the kernel does that for a process that has stopped. Dagster
itself calls a daemon healthy for half an hour after its last heartbeat.
"""

import socket
import sqlite3
import urllib.request
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple

import msgspec

from mev_dagster.serving.liveness import PING, PONG

TIMEOUT_SECONDS = 3.0
HEARTBEAT_SECONDS = 90.0
"""A daemon says that it lives every 30 s; three times that is a daemon that does not."""
BEAT_SECONDS = 60.0
DAEMONS = ("ASSET", "BACKFILL", "QUEUED_RUN_COORDINATOR", "SCHEDULER", "SENSOR")
DAEMON_QUERY = b'{"query":"{instance{daemonHealth{allDaemonStatuses{daemonType lastHeartbeatTime}}}}"}'
PING_METHOD = "/api.DagsterApi/Ping"
PING_BODY = b"\x0a\x04ping"
"""Dagster's PingRequest with `echo` set: field 1, four bytes."""


class Verdict(NamedTuple):
    """Whether a process does its work, and why not."""

    healthy: bool
    why: str = ""


class StoppedStages(msgspec.Struct):
    """Stages that stand still since a block, and why."""

    stages: list[str]
    since_block: int
    code: str
    why: str

    def sentence(self) -> str:
        """Return it as a person reads it."""
        return f"{', '.join(self.stages)} stopped at block {self.since_block:,}: {self.why}"


class _Health(msgspec.Struct):
    stopped: list[StoppedStages] = []


def probe(address: str) -> Verdict:
    """Ask a process how it is, the way its address says; see `PROBES`, anything else is asked over HTTP."""
    scheme, _, rest = address.partition(":")
    asked = PROBES.get(scheme)
    return asked(rest.removeprefix("//")) if asked is not None else http_ok(address)


def http_ok(url: str) -> Verdict:
    """GET `url`; healthy when it answers 2xx."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - our own http url
            return Verdict(200 <= answer.status < 300)
    except (OSError, HTTPException) as error:
        return Verdict(False, str(error))


def grpc_answers(target: str) -> Verdict:
    """Ping Dagster's code server, which one of its own threads must answer."""
    import grpc

    with grpc.insecure_channel(target) as channel:
        ping = channel.unary_unary(PING_METHOD)
        try:
            ping(PING_BODY, timeout=TIMEOUT_SECONDS)
        except grpc.RpcError as error:
            return Verdict(False, error.code().name.lower())
    return Verdict(True)


def worker_answers(path: str) -> Verdict:
    """Ping the run worker, whose loop must answer: it is the loop that takes runs."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(TIMEOUT_SECONDS)
            connection.connect(path)
            connection.sendall(PING)
            said = connection.recv(len(PONG))
            return Verdict(said == PONG, "" if said == PONG else f"answers {said!r}")
    except OSError as error:
        return Verdict(False, str(error))


def heartbeats_in(database: str) -> Verdict:
    """Read the daemons' heartbeats where they are kept; asks no other process."""
    try:
        uri = f"{Path(database).as_uri()}?mode=ro"
        with sqlite3.connect(uri, uri=True, timeout=TIMEOUT_SECONDS / 2) as connection:
            rows = connection.execute("SELECT daemon_type, timestamp FROM daemon_heartbeats").fetchall()
    except sqlite3.Error as error:
        return Verdict(False, f"no heartbeats to be read: {error}")
    return judged(
        {kind: datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() for kind, text in rows}, _now()
    )


def heartbeats_told(graphql_url: str) -> Verdict:
    """Ask the web server for the daemons' heartbeats, where they are kept in a server."""
    request = urllib.request.Request(  # noqa: S310 - our own http url
        graphql_url, DAEMON_QUERY, {"content-type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            body = msgspec.json.decode(answer.read())
        states = body["data"]["instance"]["daemonHealth"]["allDaemonStatuses"]
        beats = {state["daemonType"]: float(state["lastHeartbeatTime"] or 0) for state in states}
    except (OSError, HTTPException, msgspec.DecodeError, KeyError, TypeError) as error:
        return Verdict(False, f"the web server does not say: {error}")
    return judged(beats, _now())


def judged(beats: Mapping[str, float], now: float) -> Verdict:
    """Hold the last heartbeats, seconds since the epoch, against the bound."""
    late = [kind for kind in DAEMONS if not now - HEARTBEAT_SECONDS <= beats.get(kind, 0.0)]
    if not late:
        return Verdict(True)
    return Verdict(False, f"no heartbeat within {HEARTBEAT_SECONDS:.0f} s from {', '.join(late)}")


def is_stopped(pid: int) -> bool:
    """Say whether a process has been stopped (SIGSTOP, a debugger): it does nothing, whoever accepts."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state in {"T", "t"}


def stopped_stages(url: str) -> list[StoppedStages]:
    """Ask the ingest daemon which stages behind it stand still; one that does not answer names none."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - our own http url
            return msgspec.json.decode(answer.read(), type=_Health).stopped
    except (OSError, HTTPException, msgspec.DecodeError):
        return []


def _now() -> float:
    return datetime.now(UTC).timestamp()


def beats(path: str) -> Verdict:
    """Look when a process last left its mark: it touches a file each time around its loop."""
    try:
        age = _now() - Path(path).stat().st_mtime
    except OSError as error:
        return Verdict(False, str(error))
    return Verdict(age < BEAT_SECONDS, "" if age < BEAT_SECONDS else f"last round {age:.0f} s ago")


PROBES: Mapping[str, Callable[[str], Verdict]] = {
    "grpc": grpc_answers,
    "unix": worker_answers,
    "heartbeats": heartbeats_in,
    "beat": beats,
    "daemon": heartbeats_told,
}

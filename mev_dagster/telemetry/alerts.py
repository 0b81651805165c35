"""Alerts as Alertmanager posts them, and as Alertmanager and Prometheus list them: bytes in, values out.

An alert is its labels and when it began to fire; the same alert has the same id whichever way it came.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeVar

import msgspec

from mev_dagster.errors import DecodeError
from mev_dagster.telemetry.block_names import MAX_BLOCKS, blocks_named
from mev_dagster.units import MIB, NS_PER_MS, NS_PER_SECOND

MAX_BODY_BYTES = MIB
MAX_ALERTS = 256
MAX_LABELS = 64
MAX_TEXT = 1024
BLOCK_LABELS = ("block", "window", "block_number")

T = TypeVar("T")

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert; `ends_ns` is None while it fires."""

    labels: Mapping[str, str]
    summary: str
    starts_ns: int
    ends_ns: int | None
    source: str

    @property
    def name(self) -> str:
        """Return the alert's name."""
        return self.labels.get("alertname", "")

    @property
    def id(self) -> bytes:
        """SHA-256 of the sorted labels and the start in milliseconds.

        Prometheus lists nine digits of it and sends three to Alertmanager: it is one alert either way.
        """
        started_ms = self.starts_ns // NS_PER_MS
        canonical = json.dumps([sorted(self.labels.items()), started_ms], separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).digest()

    def blocks(self) -> tuple[int, ...] | None:
        """Return the blocks the labels name, None when they name none.

        One label `block`, `window` or `block_number` ("17", "17,19", "17-19"), or `first_block` and
        `last_block`.
        """
        for name in BLOCK_LABELS:
            if name in self.labels:
                return _blocks(name, self.labels[name])
        if "first_block" in self.labels and "last_block" in self.labels:
            first = _number("first_block", self.labels["first_block"])
            last = _number("last_block", self.labels["last_block"])
            if last < first:
                raise DecodeError("bad_label", f"first_block {first} lies behind last_block {last}")
            return tuple(range(first, min(last + 1, first + MAX_BLOCKS)))
        return None


class _Posted(msgspec.Struct):
    labels: dict[str, str]
    startsAt: str
    endsAt: str = ""
    annotations: dict[str, str] = {}
    status: Literal["firing", "resolved"] = "firing"

    @property
    def ended(self) -> str:
        """Return when it ended; a firing alert's `endsAt` only says when it would be forgotten."""
        return self.endsAt if self.status == "resolved" else ""


class _Webhook(msgspec.Struct):
    version: str
    alerts: list[_Posted]


class _ListedStatus(msgspec.Struct):
    state: str


class _Listed(msgspec.Struct):
    labels: dict[str, str]
    startsAt: str
    status: _ListedStatus
    endsAt: str = ""
    annotations: dict[str, str] = {}


class _Active(msgspec.Struct):
    labels: dict[str, str]
    state: str
    activeAt: str
    annotations: dict[str, str] = {}


class _ActiveData(msgspec.Struct):
    alerts: list[_Active]


class _Prometheus(msgspec.Struct):
    status: str
    data: _ActiveData


def parse_webhook(body: bytes) -> list[Alert]:
    """Return the alerts of an Alertmanager webhook body (version 4), firing and resolved."""
    posted = _decoded(body, _Webhook)
    if posted.version != "4":
        raise DecodeError("bad_version", f"webhook version {posted.version[:16]!r}, this program reads '4'")
    _limited(posted.alerts)
    return [
        _alert(
            one.labels,
            one.annotations,
            one.startsAt,
            one.endsAt if one.status == "resolved" else "",
            "webhook",
        )
        for one in posted.alerts
    ]


def parse_alertmanager(body: bytes) -> list[Alert]:
    """Return the active alerts of Alertmanager's `/api/v2/alerts`."""
    listed = _decoded(body, list[_Listed])
    _limited(listed)
    return [
        _alert(one.labels, one.annotations, one.startsAt, "", "alertmanager")
        for one in listed
        if one.status.state == "active"
    ]


def parse_prometheus(body: bytes) -> list[Alert]:
    """Return the firing alerts of Prometheus's `/api/v1/alerts`."""
    found = _decoded(body, _Prometheus).data.alerts
    _limited(found)
    return [
        _alert(one.labels, one.annotations, one.activeAt, "", "prometheus")
        for one in found
        if one.state == "firing"
    ]


def nanoseconds_of(text: str) -> int:
    """Return an RFC 3339 time in nanoseconds since the epoch, all nine digits kept."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise DecodeError("bad_time", f"expected an RFC 3339 time, found {text[:40]!r}")
    try:
        moment = datetime.fromisoformat(match[1] + match[3].replace("Z", "+00:00"))
        seconds = int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
    except (ValueError, OverflowError) as error:
        raise DecodeError("bad_time", f"{text[:40]!r}: {error}") from error
    return seconds * NS_PER_SECOND + int((match[2] or "").ljust(9, "0"))


def _decoded(body: bytes, kind: type[T]) -> T:
    if len(body) > MAX_BODY_BYTES:
        raise DecodeError("too_large", f"{len(body)} bytes, at most {MAX_BODY_BYTES} are read")
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError("bad_json", str(error)[:200]) from error


def _limited(alerts: Sequence[object]) -> None:
    if len(alerts) > MAX_ALERTS:
        raise DecodeError("too_many", f"{len(alerts)} alerts, at most {MAX_ALERTS} at once")


def _alert(
    labels: Mapping[str, str], annotations: Mapping[str, str], starts: str, ends: str, source: str
) -> Alert:
    if not labels.get("alertname"):
        raise DecodeError("bad_label", "an alert needs the label alertname")
    if len(labels) > MAX_LABELS or any(len(text) > MAX_TEXT for pair in labels.items() for text in pair):
        raise DecodeError("bad_label", f"at most {MAX_LABELS} labels of {MAX_TEXT} characters")
    summary = annotations.get("summary") or annotations.get("description") or ""
    starts_ns = nanoseconds_of(starts)
    if starts_ns < 0:
        raise DecodeError("bad_time", f"an alert that began at {starts!r}")
    alert = Alert(dict(labels), summary[:MAX_TEXT], starts_ns, nanoseconds_of(ends) if ends else None, source)
    alert.blocks()  # a label that names no block is refused where it comes in
    return alert


def _blocks(name: str, text: str) -> tuple[int, ...]:
    found = blocks_named(text)
    if found is None:
        raise DecodeError("bad_label", f"{name}={text[:40]!r}: expected block numbers in decimal")
    return found


def _number(name: str, text: str) -> int:
    stripped = text.strip()
    if not (stripped.isascii() and stripped.isdigit()) or len(stripped) > 18:
        raise DecodeError("bad_label", f"{name}={text[:40]!r}: expected block numbers in decimal")
    return int(stripped)

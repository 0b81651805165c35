"""Alerts as Alertmanager posts them, and as Alertmanager and Prometheus list them: bytes in, values out.

An alert is its labels and when it began to fire; the same alert has the same id whichever way it came.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeVar

import msgspec

from mev_dagster.errors import DecodeError
from mev_dagster.telemetry.alert_rules import is_ours
from mev_dagster.telemetry.block_names import MAX_BLOCKS, blocks_named
from mev_dagster.units import MIB, NS_PER_MS, NS_PER_SECOND

MAX_BODY_BYTES = MIB
MAX_ALERTS = 256
MAX_LABELS = 64
MAX_TEXT = 1024
MAX_NAME = 64
LATEST_NS = 5_680_281_600 * NS_PER_SECOND
"""The year 2150: the store's days end before it, its nanoseconds in 2262."""
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
            return _all_of(range(first, min(last + 1, first + MAX_BLOCKS)))
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


@dataclass(frozen=True, slots=True)
class Heard:
    """What one answer or one post held: our alerts, other teams' names, and why the rest is refused.

    One alert that cannot be read takes no other with it.
    """

    alerts: tuple[Alert, ...]
    ignored: tuple[str, ...]
    refused: tuple[DecodeError, ...]


def parse_webhook(body: bytes) -> Heard:
    """Return the alerts of an Alertmanager webhook body (version 4), firing and resolved."""
    posted = _decoded(body, _Webhook)
    if posted.version != "4":
        raise DecodeError("bad_version", f"webhook version {posted.version[:16]!r}, this program reads '4'")
    return _heard(
        "webhook", ((one.labels, one.annotations, one.startsAt, one.ended) for one in posted.alerts)
    )


def parse_alertmanager(body: bytes) -> Heard:
    """Return the active alerts of Alertmanager's `/api/v2/alerts`."""
    listed = _decoded(body, list[_Listed])
    active = (one for one in listed if one.status.state == "active")
    return _heard("alertmanager", ((one.labels, one.annotations, one.startsAt, "") for one in active))


def parse_prometheus(body: bytes) -> Heard:
    """Return the firing alerts of Prometheus's `/api/v1/alerts`."""
    listed = _decoded(body, _Prometheus).data.alerts
    firing = (one for one in listed if one.state == "firing")
    return _heard("prometheus", ((one.labels, one.annotations, one.activeAt, "") for one in firing))


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


def _heard(source: str, listed: Iterable[tuple[Mapping[str, str], Mapping[str, str], str, str]]) -> Heard:
    """Sort what was listed; each item is labels, annotations, start and, where it has ended, end."""
    alerts: list[Alert] = []
    ignored: list[str] = []
    refused: list[DecodeError] = []
    for labels, annotations, starts, ends in listed:
        name = labels.get("alertname")
        if name and not is_ours(labels):
            ignored.append(name[:MAX_NAME])
            continue
        try:
            alerts.append(_alert(labels, annotations, starts, ends, source))
        except DecodeError as error:
            refused.append(error)
        if len(alerts) > MAX_ALERTS:
            raise DecodeError("too_many", f"more than {MAX_ALERTS} alerts at once")
    return Heard(tuple(alerts), tuple(sorted(set(ignored))), tuple(refused))


def _alert(
    labels: Mapping[str, str], annotations: Mapping[str, str], starts: str, ends: str, source: str
) -> Alert:
    if not labels.get("alertname"):
        raise DecodeError("bad_label", "an alert needs the label alertname")
    if len(labels) > MAX_LABELS or any(len(text) > MAX_TEXT for pair in labels.items() for text in pair):
        raise DecodeError("bad_label", f"at most {MAX_LABELS} labels of {MAX_TEXT} characters")
    summary = annotations.get("summary") or annotations.get("description") or ""
    starts_ns, ends_ns = _storable("began", starts), _storable("ended", ends) if ends else None
    alert = Alert(dict(labels), summary[:MAX_TEXT], starts_ns, ends_ns, source)
    alert.blocks()  # a label that names no block is refused where it comes in
    return alert


def _storable(what: str, text: str) -> int:
    """Return a time that the store can hold."""
    found = nanoseconds_of(text)
    if not 0 <= found < LATEST_NS:
        raise DecodeError("bad_time", f"an alert that {what} at {text[:40]!r}")
    return found


def _blocks(name: str, text: str) -> tuple[int, ...]:
    found = blocks_named(text)
    if found is None:
        raise DecodeError("bad_label", f"{name}={text[:40]!r}: expected block numbers in decimal")
    return _all_of(found)


def _all_of(numbers: Sequence[int]) -> tuple[int, ...]:
    """Return the blocks of an alert; more than one alert may name are refused, not cut."""
    if len(numbers) >= MAX_BLOCKS:
        raise DecodeError("bad_label", f"{MAX_BLOCKS} blocks or more: an alert names fewer")
    return tuple(numbers)


def _number(name: str, text: str) -> int:
    stripped = text.strip()
    if not (stripped.isascii() and stripped.isdigit()) or len(stripped) > 18:
        raise DecodeError("bad_label", f"{name}={text[:40]!r}: expected block numbers in decimal")
    return int(stripped)

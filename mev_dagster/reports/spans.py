"""The spans of the traces a page shows, read from the home's trace files."""

from collections.abc import Collection, Iterator
from pathlib import Path

import msgspec


class Span(msgspec.Struct, frozen=True):
    """One finished span as the exporters write it (`mev_dagster.telemetry.tracing`)."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_span_id: str
    start_ns: int
    end_ns: int
    status: str
    attributes: dict[str, object] = {}


def spans_of(folder: Path, trace_ids: Collection[str]) -> dict[str, list[Span]]:
    """Return the spans of these traces, each trace's by start; what does not parse is left out."""
    wanted = set(trace_ids)
    found: dict[str, list[Span]] = {trace_id: [] for trace_id in wanted}
    for path in sorted(folder.glob("*.jsonl*")):
        for span in _read(path):
            if span.trace_id in wanted:
                found[span.trace_id].append(span)
    for spans in found.values():
        spans.sort(key=lambda span: (span.start_ns, span.span_id))
    return found


def _read(path: Path) -> Iterator[Span]:
    with path.open("rb") as file:
        for line in file:
            try:
                yield msgspec.json.decode(line, type=Span)
            except msgspec.DecodeError:
                continue

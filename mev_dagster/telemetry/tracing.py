"""Traces: one id from a candidate to the relay's receipt, across processes (W3C `traceparent`).

A process makes one `Tracing` and hands it down; nothing is global. Spans go to whatever exporters it is
given: a JSON-lines file here, an OTLP exporter where one is installed. Replay passes a seed, so that two
runs over one input give equal ids.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.trace import Span, SpanKind, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_PROPAGATOR = TraceContextTextMapPropagator()


class SeededIds(IdGenerator):
    """Ids that are a function of a seed and of how many were drawn before."""

    def __init__(self, seed: bytes) -> None:
        self._seed = seed
        self._drawn = count()

    def _draw(self, size: int) -> int:
        digest = hashlib.sha256(self._seed + next(self._drawn).to_bytes(8, "big")).digest()
        return int.from_bytes(digest[:size], "big") or 1

    def generate_span_id(self) -> int:
        """Return the next 64-bit id."""
        return self._draw(8)

    def generate_trace_id(self) -> int:
        """Return the next 128-bit id."""
        return self._draw(16)


class JsonLinesExporter(SpanExporter):
    """Appends one JSON object for each finished span to a file."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Write the spans."""
        with self._path.open("a", encoding="utf-8") as file:
            for span in spans:
                file.write(json.dumps(span_document(span), separators=(",", ":")) + "\n")
        return SpanExportResult.SUCCESS


class Tracing:
    """The tracer of one process and where its spans go."""

    def __init__(
        self, service: str, exporters: Sequence[SpanExporter] = (), *, seed: bytes | None = None
    ) -> None:
        ids = RandomIdGenerator() if seed is None else SeededIds(seed)
        self._provider = TracerProvider(
            resource=Resource({"service.name": service}), id_generator=ids, shutdown_on_exit=False
        )
        for exporter in exporters:
            self._provider.add_span_processor(SimpleSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("mev_dagster")

    @contextmanager
    def span(
        self,
        name: str,
        *,
        parent: Span | Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        **attributes: Any,
    ) -> Iterator[Span]:
        """Run a block of code as a span below `parent`; without one it begins a trace."""
        context = set_span_in_context(parent) if isinstance(parent, Span) else parent
        with self._tracer.start_as_current_span(
            name, context or Context(), kind=kind, attributes=attributes
        ) as span:
            yield span

    def close(self) -> None:
        """Flush and close the exporters."""
        self._provider.shutdown()


def trace_id_of(span: Span) -> bytes:
    """Return the 16 bytes all spans of a trace share."""
    return span.get_span_context().trace_id.to_bytes(16, "big")


def span_id_of(span: Span) -> bytes:
    """Return the 8 bytes of a span."""
    return span.get_span_context().span_id.to_bytes(8, "big")


def headers_of(span: Span) -> dict[str, str]:
    """Return the HTTP headers that let another process continue the trace."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier, set_span_in_context(span))
    return carrier


def context_from(headers: Mapping[str, str]) -> Context:
    """Return the remote parent that a request's headers name; malformed ones name none."""
    return _PROPAGATOR.extract(dict(headers), Context())


def span_document(span: ReadableSpan) -> dict[str, Any]:
    """Return a finished span as a JSON document."""
    context = span.get_span_context()
    return {
        "service": span.resource.attributes.get("service.name", ""),
        "name": span.name,
        "trace_id": "" if context is None else f"{context.trace_id:032x}",
        "span_id": "" if context is None else f"{context.span_id:016x}",
        "parent_span_id": "" if span.parent is None else f"{span.parent.span_id:016x}",
        "start_ns": span.start_time,
        "end_ns": span.end_time,
        "status": span.status.status_code.name,
        "attributes": dict(span.attributes or {}),
    }

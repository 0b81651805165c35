"""A report as one HTML page: nothing is fetched from anywhere, and every block leads to its run and back."""

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from mev_dagster.reports.figures import Report, ReportedBlock
from mev_dagster.reports.links import partition_url, run_url
from mev_dagster.reports.plots import svg_bars
from mev_dagster.reports.spans import Span, spans_of
from mev_dagster.settings import Settings
from mev_dagster.units import ETHER, NS_PER_MS, NS_PER_SECOND

MOST_TRACES = 1_000
"""Beyond this many blocks a page leaves the traces to the pages of its hours."""

ATTRIBUTES_SHOWN = 160


def write_page(config: Settings, report: Report) -> Path:
    """Write the page beside the others, at once and whole; return its path."""
    folder = config.reports_dir
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{report.window.name}.html"
    draft = folder / f"{path.name}.{os.getpid()}"
    draft.write_text(render(config, report), encoding="utf-8")
    draft.replace(path)
    return path


def render(config: Settings, report: Report) -> str:
    """Return the page's text: a function of the report, the traces and the settings."""
    traced = [block for block in report.blocks if block.trace_id]
    traces = (
        spans_of(config.home / "traces", [block.trace_id for block in traced])
        if len(traced) <= MOST_TRACES
        else {}
    )
    environment = Environment(
        loader=PackageLoader("mev_dagster.reports", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(ether=ether, clock=clock)
    return environment.get_template("page.html.jinja").render(
        window=report.window.name,
        figures=report.figures(),
        missing=report.missing,
        blocks=[_shown(config, block, traces) for block in report.blocks],
        alerts=report.alerts,
        plots=_plots(report.blocks),
    )


def _plots(blocks: Sequence[ReportedBlock]) -> list[str]:
    numbers = f"blocks {blocks[0].number} to {blocks[-1].number}" if blocks else "no block"
    return [
        svg_bars(f"head to opportunities, ms, {numbers}", [block.lag_ns / NS_PER_MS for block in blocks]),
        svg_bars(
            f"bid, ETH, {numbers}; refused ones in orange",
            [block.bid_wei / ETHER for block in blocks],
            marked=[not block.accepted for block in blocks],
        ),
        svg_bars(f"best verified profit, ETH, {numbers}", [block.best_wei / ETHER for block in blocks]),
    ]


def _shown(config: Settings, block: ReportedBlock, traces: Mapping[str, Sequence[Span]]) -> dict[str, Any]:
    spans = traces.get(block.trace_id, ())
    start = spans[0].start_ns if spans else 0
    return {
        "block": block,
        "hash": block.block_hash.hex(),
        "run_url": run_url(config, block.run_id) if block.run_id else "",
        "partition_url": partition_url(config, "opportunities", str(block.number)),
        "spans": [
            {
                "service": span.service,
                "name": span.name,
                "after_ms": (span.start_ns - start) / NS_PER_MS,
                "took_ms": (span.end_ns - span.start_ns) / NS_PER_MS,
                "attributes": ", ".join(
                    f"{name}={value}" for name, value in sorted(span.attributes.items())
                )[:ATTRIBUTES_SHOWN],
            }
            for span in spans
        ],
    }  # fmt: skip


def ether(amount_wei: int) -> str:
    """Return wei as ether with six decimals."""
    return f"{amount_wei / ETHER:.6f}"


def clock(time_ns: int) -> str:
    """Return a time of day, UTC."""
    return datetime.fromtimestamp(time_ns // NS_PER_SECOND, UTC).strftime("%H:%M:%S")

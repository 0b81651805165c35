"""Small pictures for Dagster's asset pages: a bar chart as SVG inside Markdown, about a kilobyte each."""

import base64
from collections.abc import Sequence
from html import escape

import dagster as dg

from mev_dagster.reports.plots import svg_bars


def bars(title: str, values: Sequence[float], *, marked: Sequence[bool] = ()) -> dg.MarkdownMetadataValue:
    """Return a bar chart of all values; `marked` bars get the second colour."""
    encoded = base64.b64encode(svg_bars(title, values, marked=marked).encode()).decode()
    return dg.MetadataValue.md(f"![{escape(title)}](data:image/svg+xml;base64,{encoded})")


def histogram(values: Sequence[int], low: int, high: int, bins: int = 24) -> list[float]:
    """Count integers into equal bins between `low` and `high`, both included."""
    counts = [0.0] * bins
    width = max(high - low, 1)
    for value in values:
        counts[min(max((value - low) * bins // width, 0), bins - 1)] += 1
    return counts

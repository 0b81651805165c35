"""Small pictures for Dagster's asset pages: a bar chart as SVG inside Markdown, about a kilobyte each."""

import base64
from collections.abc import Sequence
from html import escape

import dagster as dg

WIDTH, HEIGHT, BASE = 640, 180, 150
MAX_BARS = 64
COLOURS = ("#4f46e5", "#f59e0b")


def bars(title: str, values: Sequence[float], *, marked: Sequence[bool] = ()) -> dg.MarkdownMetadataValue:
    """Return a bar chart of up to 64 values; `marked` bars get the second colour."""
    shown = list(values)[:MAX_BARS]
    highest = max((abs(value) for value in shown), default=0) or 1
    step = WIDTH / max(len(shown), 1)
    parts = []
    for index, value in enumerate(shown):
        height = max(round(abs(value) / highest * (BASE - 30)), 1)
        colour = COLOURS[index < len(marked) and marked[index]]
        parts.append(
            f'<rect x="{index * step + 1:.1f}" y="{BASE - height}" width="{max(step - 2, 1):.1f}" '
            f'height="{height}" fill="{colour}"/>'
        )
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" '
        f'font-size="13"><text x="4" y="16">{escape(title)} (highest {highest:.4g})</text>{"".join(parts)}'
        f'<line x1="0" x2="{WIDTH}" y1="{BASE}" y2="{BASE}" stroke="#888"/></svg>'
    )
    encoded = base64.b64encode(svg.encode()).decode()
    return dg.MetadataValue.md(f"![{escape(title)}](data:image/svg+xml;base64,{encoded})")


def histogram(values: Sequence[int], low: int, high: int, bins: int = 24) -> list[float]:
    """Count integers into equal bins between `low` and `high`, both included."""
    counts = [0.0] * bins
    width = max(high - low, 1)
    for value in values:
        counts[min(max((value - low) * bins // width, 0), bins - 1)] += 1
    return counts

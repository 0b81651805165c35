"""A bar chart as SVG, about a kilobyte: for pages, and for pictures on Dagster's asset pages."""

from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT, BASE = 640, 180, 150
MAX_BARS = 64
COLOURS = ("#4f46e5", "#f59e0b")


def svg_bars(title: str, values: Sequence[float], *, marked: Sequence[bool] = ()) -> str:
    """Draw every value; `marked` bars get the second colour.

    Of more than 64, a bar is the highest of as many neighbours as it takes, and the title says so.
    """
    together = -(-len(values) // MAX_BARS)
    if together > 1:
        title = f"{title}, the highest of each {together}"
        starts = range(0, len(values), together)
        marked = [any(marked[start : start + together]) for start in starts]
        values = [max(values[start : start + together], key=abs) for start in starts]
    shown = list(values)
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
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="13">'
        f'<text x="4" y="16">{escape(title)} (highest {highest:.4g})</text>{"".join(parts)}'
        f'<line x1="0" x2="{WIDTH}" y1="{BASE}" y2="{BASE}" stroke="#888"/></svg>'
    )

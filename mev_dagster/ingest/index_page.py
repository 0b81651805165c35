"""The page at the daemon's `/`: how it is, and where to look on."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

INDEXED = 48
"""Report pages that are listed, the newest first."""


def index_page(health: Mapping[str, Any], not_ready: Sequence[str], reports: Path | None) -> str:
    """Return the page's text."""
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>" for name, value in health.items()
    )
    pages = sorted(reports.glob("*.html"), reverse=True)[:INDEXED] if reports is not None else []
    listed = "".join(f'<li><a href="reports/{escape(one.name)}">{escape(one.stem)}</a></li>' for one in pages)
    state = "ready" if not not_ready else f"not ready: {escape('; '.join(not_ready))}"
    return (
        '<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        "<title>ingest</title><style>body{font:14px/1.5 system-ui,sans-serif;margin:2rem}"
        "th{text-align:left;padding-right:1rem}td{overflow-wrap:anywhere}:root{color-scheme:light dark}"
        "</style>"
        f"<h1>Ingest daemon</h1><p>{state}</p><table>{rows}</table><ul>"
        '<li><a href="metrics">metrics</a></li><li><a href="healthz">health</a></li>'
        '<li><a href="readyz">readiness</a></li></ul>'
        f"<h2>Reports</h2><ul>{listed or '<li>none yet</li>'}</ul>"
    )

"""The page at the daemon's `/`: how it is, kept up to date by the browser, and where to look on."""

from collections.abc import Sequence
from html import escape
from importlib import resources
from pathlib import Path

INDEXED = 48
"""Report pages that are listed, the newest first."""
_PAGE = (resources.files("mev_dagster.ingest") / "status_page.html").read_text()


def index_page(not_ready: Sequence[str], reports: Path | None) -> str:
    """Return the page's text: the state as it is now, and the links, stand in it without a script too."""
    pages = sorted(reports.glob("*.html"), reverse=True)[:INDEXED] if reports is not None else []
    listed = "".join(f'<li><a href="reports/{escape(one.name)}">{escape(one.stem)}</a></li>' for one in pages)
    state = "ready" if not not_ready else f"not ready: {escape('; '.join(not_ready))}"
    return _PAGE.replace("{{state}}", state).replace("{{reports}}", listed or "<li>none yet</li>")

"""The daemon's `/` says how it is and leads on; what it shows is escaped."""

from pathlib import Path

from prometheus_client import CollectorRegistry
from starlette.testclient import TestClient

from mev_dagster.ingest.http import Heads, application
from mev_dagster.ingest.index_page import INDEXED, index_page


def test_the_index_tells_the_state_and_leads_on(tmp_path: Path):
    (tmp_path / "2026-11-22T14.html").write_text("an hour")
    app = application(
        CollectorRegistry(), Heads(), lambda: {"stored_seq": 5}, lambda: ["no <lane>"], reports=tmp_path
    )
    answer = TestClient(app).get("/")
    assert answer.status_code == 200
    for wanted in ("no &lt;lane&gt;", 'href="metrics"', 'href="reports/2026-11-22T14.html"'):
        assert wanted in answer.text


def test_only_the_newest_pages_are_listed(tmp_path: Path):
    for number in range(INDEXED + 2):
        (tmp_path / f"2026-11-{number:03}.html").write_text("")
    page = index_page([], tmp_path)
    assert page.count('href="reports/') == INDEXED
    assert "2026-11-000" not in page

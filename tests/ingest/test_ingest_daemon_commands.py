"""What the daemon is told over HTTP: alerts to keep, its log to seal and to prune."""

import json
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from mev_dagster.errors import QueueFull
from mev_dagster.ingest import alert_inbox
from mev_dagster.ingest.alert_inbox import AlertInbox
from mev_dagster.ingest.http import DaemonCommands, Heads, application
from mev_dagster.telemetry.alerts import Alert
from mev_dagster.telemetry.metrics import process_registry

FIRING = {
    "labels": {"alertname": "LaneDown", "block": "1"},
    "startsAt": "2026-01-01T00:00:00Z",
    "status": "firing",
}


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    inbox = AlertInbox(tmp_path)

    def take(alerts: list[Alert]) -> int:
        return sum(inbox.post(alert, 1) for alert in alerts if alert.ends_ns is None)

    async def seal() -> dict[str, object]:
        return {"durable_seq": 7}

    async def prune(before: int, dry_run: bool) -> dict[str, object]:
        return {"segments": [str(before), str(dry_run)], "bytes": 0}

    commands = DaemonCommands(take, seal, prune)
    return TestClient(application(process_registry(), Heads(), dict, list, commands, tmp_path / "reports"))


def post(client: TestClient, *alerts: object):
    return client.post("/alerts", json={"version": "4", "alerts": list(alerts)})


def test_a_firing_alert_is_kept_once_however_often_it_is_posted(client, tmp_path):
    assert post(client, FIRING).json() == {"alerts": 1, "new": 1, "ignored": []}
    assert post(client, FIRING).json() == {"alerts": 1, "new": 0, "ignored": []}
    inbox = AlertInbox(tmp_path)
    [waiting] = inbox.waiting()
    inbox.done(waiting.alert.id)
    assert inbox.waiting() == []
    assert post(client, FIRING).json() == {"alerts": 1, "new": 0, "ignored": []}


def test_a_resolved_alert_starts_nothing(client, tmp_path):
    resolved = FIRING | {"status": "resolved", "endsAt": "2026-01-01T00:01:00Z"}
    assert post(client, resolved).json() == {"alerts": 1, "new": 0, "ignored": []}
    assert AlertInbox(tmp_path).waiting() == []


def test_a_full_inbox_says_so_and_takes_no_more(client, monkeypatch, tmp_path):
    monkeypatch.setattr(alert_inbox, "MAX_WAITING", 1)
    assert post(client, FIRING).status_code == 200
    answer = post(client, FIRING | {"startsAt": "2026-01-02T00:00:00Z"})
    assert (answer.status_code, answer.json()["error"]) == (503, QueueFull.code)


def test_a_form_of_a_web_page_cannot_order_anything(client):
    for path in ("/alerts", "/log/seal", "/log/prune"):
        answer = client.post(path, content=json.dumps({}), headers={"content-type": "text/plain"})
        assert answer.status_code == 400


def test_a_damaged_file_in_the_inbox_is_set_aside(client, tmp_path):
    post(client, FIRING)
    [path] = (tmp_path / "alerts" / "waiting").glob("*.json")
    path.write_bytes(path.read_bytes()[:10])
    inbox = AlertInbox(tmp_path)
    assert inbox.waiting() == []
    assert inbox.forget(2**62) == 1


def test_report_pages_are_handed_out_by_name_and_nothing_else_is(client, tmp_path):
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "2026-01-02T03.html").write_text("<p>a page")
    (tmp_path / "secret.html").write_text("no page")
    page = client.get("/reports/2026-01-02T03.html")
    assert (page.status_code, page.text) == (200, "<p>a page")
    assert page.headers["content-type"].startswith("text/html")
    for name in ("2026-01-02T04", "../secret", "%2e%2e%2fsecret", "secret", "2026-01-02T03.html/.."):
        assert client.get(f"/reports/{name}.html").status_code == 404
    assert "`mev report 2026-01-02T04`" in client.get("/reports/2026-01-02T04.html").text


def test_sealing_and_pruning_answer_what_was_done(client):
    assert client.post("/log/seal", json={}).json() == {"durable_seq": 7}
    asked = {"before_wall_ns": 5, "dry_run": True}
    assert client.post("/log/prune", json=asked).json()["segments"] == ["5", "True"]
    assert client.post("/log/prune", json={"before": 5}).status_code == 400


def test_lanes_are_read_again_on_request(tmp_path):
    async def reload() -> dict[str, object]:
        return {"started": ["rpc two"], "ended": [], "kept": []}

    commands = DaemonCommands(lambda _: 0, None, None, reload)
    client = TestClient(application(process_registry(), Heads(), dict, list, commands))
    assert client.post("/lanes/reload", json={}).json()["started"] == ["rpc two"]
    assert client.get("/lanes/reload").status_code == 405


def test_a_daemon_that_cannot_read_its_lanes_again_says_so(client):
    answer = client.post("/lanes/reload", json={})
    assert (answer.status_code, answer.json()["error"]) == (503, "bad_input")

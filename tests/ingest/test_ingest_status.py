"""What people watch: /status as JSON, and a page that shows it and loads nothing from anywhere else."""

import configparser
import re
from pathlib import Path

import pytest
from ingest_events import seen
from ingest_run import transfer
from starlette.testclient import TestClient

from mev_dagster.errors import StoreUnreachable
from mev_dagster.ingest.http import Heads, application
from mev_dagster.ingest.newest import READ_EVERY_SECONDS, NewestResults
from mev_dagster.ingest.rates import Rates
from mev_dagster.telemetry.clock import VirtualClock
from mev_dagster.telemetry.metrics import process_registry

ROOT = Path(__file__).resolve().parents[2]


def test_status_says_how_everything_is_in_one_document():
    app = application(
        process_registry(),
        Heads(),
        lambda: {"lanes": {}, "backlog": 3},
        lambda: ["no lane is connected"],
        more=lambda: {"rates": {"rpc": {"TxSeen": 0.1}}},
    )
    answer = TestClient(app).get("/status")
    assert answer.status_code == 200
    assert answer.json() == {
        "ready": False,
        "reasons": ["no lane is connected"],
        "lanes": {},
        "backlog": 3,
        "rates": {"rpc": {"TxSeen": 0.1}},
    }


def test_the_page_reads_on_a_phone_and_asks_only_its_own_daemon():
    page = TestClient(application(process_registry(), Heads(), dict, list)).get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert 'name="viewport"' in page.text
    assert not re.findall(r"https?://|src=|innerHTML", page.text)
    assert 'fetch("status")' in page.text


async def test_rates_are_of_the_last_ten_seconds():
    clock = VirtualClock()
    rates = Rates(clock)
    rates.logged([seen(transfer(nonce)) for nonce in range(20)])
    assert rates.per_second() == {"rpc": {"TxSeen": 2.0}}
    await clock.sleep(11.0)
    assert rates.per_second() == {}


class Counting:
    """A store that has one candidate and one bid, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked, self.away = 0, False

    def rows(self, sql):
        self.asked += 1
        if self.away:
            raise StoreUnreachable("the store did not answer")
        if "opportunities" in sql:
            return [(7, 0, "backrun", 2**70, None, True)]
        return [(7, "sandbox", True, "", 2**70)]

    def close(self) -> None:
        pass


async def told(newest):
    newest.newest()
    await newest._reading
    return newest.newest()


async def test_the_newest_candidates_and_bids_are_shown_with_amounts_as_text():
    now = [0.0]
    store = Counting()
    newest = NewestResults(lambda: store, lambda: now[0])
    found = await told(newest)
    assert found["candidates"][0]["expected_profit_wei"] == str(2**70)
    assert (found["bids"][0]["relay"], found["bids"][0]["value_wei"]) == ("sandbox", str(2**70))
    assert found["store"] == ""
    newest.newest()
    assert store.asked == 2  # nothing is read again so soon
    now[0] += READ_EVERY_SECONDS
    store.away = True
    again = await told(newest)
    assert again["candidates"] == found["candidates"]
    assert again["store"] == "the store did not answer"
    await newest.close()


@pytest.fixture
def unit():
    read = configparser.RawConfigParser(strict=False)
    read.optionxform = str
    read.read(ROOT / "ops" / "systemd" / "mev-ingest.service")
    return read


def test_the_unit_stops_with_time_to_drain_reloads_lanes_and_shows_no_key(unit):
    service = unit["Service"]
    assert service["KillSignal"] == "SIGTERM"
    assert int(service["TimeoutStopSec"]) > 20  # what the daemon gives its store
    assert service["ExecReload"].endswith("-HUP $MAINPID")
    assert "--rpc" not in service["ExecStart"]
    assert service["EnvironmentFile"].startswith("-/etc/")

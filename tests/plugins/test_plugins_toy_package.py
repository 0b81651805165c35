"""Another package brings one plug-in of each kind; the commands use them and the project is not changed."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mev_dagster.captures.format import open_capture
from mev_dagster.captures.writer import CaptureWriter
from mev_dagster.chain.keccak import keccak
from mev_dagster.demo import SHIPPED_CAPTURE
from mev_dagster.hexadecimal import to_hex

TOY = Path(__file__).with_name("toy_package")
BLOCK = 23
MARK = b"toy pool"


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The toy package as pip installs it, beside the project and not in it."""
    target = tmp_path_factory.mktemp("site")
    source = tmp_path_factory.mktemp("source") / "toy"
    subprocess.run(["cp", "-r", str(TOY), str(source)], check=True)
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", str(target), str(source)], check=True)
    return target


@pytest.fixture(scope="module")
def market(tmp_path_factory) -> Path:
    """One block of the shipped capture, in which one pool runs code that no venue of ours knows."""
    path = tmp_path_factory.mktemp("market") / "capture"
    with open_capture(SHIPPED_CAPTURE) as capture:
        manifest = capture.manifest
        pool = manifest.contracts["south ALPHA / WETH"]
        state = capture.prestate(BLOCK)
        code = state.code(state.account(pool).code_hash) + MARK
        accounts = {**state.accounts, pool: replace(state.accounts[pool], code_hash=keccak(code))}
        marked = replace(state, accounts=accounts, codes={**state.codes, keccak(code): code})
        with CaptureWriter(
            path,
            chain_id=capture.chain_id,
            arrival_times=manifest.arrival_times,
            recorded_with="a test",
            searcher=manifest.searcher,
            contracts=manifest.contracts,
        ) as writer:
            writer.add_block(capture.block(BLOCK), capture.receipts(BLOCK), marked)
            for event in capture.events():
                writer.add_event(event)
    return path


def run(installed: Path | None, *arguments: str, **told: str) -> str:
    site = {"PYTHONPATH": str(installed)} if installed else {}
    command = [sys.executable, "-m", "mev_dagster", *arguments]
    environment = {**os.environ, **site, **told}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout


def mev(installed: Path | None, *arguments: str, **told: str):
    return json.loads(run(installed, *arguments, "--json", **told))


@pytest.fixture(scope="module")
def searched(installed, market):
    return mev(installed, "search", str(market), "--block", str(BLOCK), "--budget", "400")["candidates"]


def test_the_toy_venues_pool_is_found_quoted_and_traded_and_the_profit_is_executions(searched, market):
    with open_capture(market) as capture:
        pool = to_hex(capture.manifest.contracts["south ALPHA / WETH"])
    through = [found for found in searched if pool in found["venues"] and found["verified"]]
    assert {found["kind"] for found in through} >= {"backrun"}
    for found in through:
        cost_wei = found["expected_profit_wei"] - found["simulated_profit_wei"]
        assert cost_wei > 0
        assert cost_wei % found["gas_used"] == 0


def test_the_pool_is_unknown_where_the_package_is_not_installed(searched, market):
    without = mev(None, "search", str(market), "--block", str(BLOCK), "--budget", "0")
    (block,) = without["blocks"]
    assert block["pairs"] == 9
    assert "toy" not in {found["kind"] for found in without["candidates"]}


def test_the_toy_strategys_claim_is_ranked_as_what_execution_made_of_it(searched):
    (claimed,) = [found for found in searched if found["kind"] == "toy"]
    assert claimed["expected_profit_wei"] == 10**18
    assert (claimed["verified"], claimed["reason"]) == (False, "below_gas")
    assert claimed["simulated_profit_wei"] < 0


def test_the_toy_venue_and_inspector_are_in_the_labels(installed, market):
    (block,) = mev(installed, "label", str(market))["blocks"]
    wraps = [swap for swap in block["swaps"] if swap["protocol"] == "toy"]
    assert wraps
    assert len(block["toy_wraps"]) == len(wraps)


def test_the_settings_choose_among_installed_strategies(installed, market):
    found = mev(installed, "search", str(market), "--budget", "0", MEV_STRATEGIES="toy")["candidates"]
    assert {one["kind"] for one in found} == {"toy"}


def test_the_toy_lane_delivers_into_the_event_log(installed, tmp_path):
    run(installed, "ingest", "--lanes", "toy", "--once", "--port", "0", MEV_HOME=str(tmp_path))
    logged = mev(None, "events", "cat", str(tmp_path / "events"))["events"]
    assert [event["source"] for event in logged if event["kind"] == "TxBody"] == ["toy"]


def test_the_toy_bid_is_made_with_its_options_and_the_toy_relay_is_asked(installed, tmp_path):
    told = """
import asyncio, pathlib
from mev_dagster.errors import NodeAnswerError
from mev_dagster.pbs.bid_strategies import bid_strategy
from mev_dagster.pbs.bidding import BidContext
from mev_dagster.pbs.client.registry import relay_clients
from mev_dagster.settings import RelayItem
from mev_dagster.telemetry.tracing import Tracing

print(bid_strategy("toy", {"share_bps": 5_000}).bid(BidContext(1_000)))
item = RelayItem(url="http://127.0.0.1:9", kind="toy")
(client,) = relay_clients([item], home=pathlib.Path("."), tracing=Tracing("builder"))
try:
    asyncio.run(client.duty_of_block(7))
except NodeAnswerError as error:
    print(error)
"""
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run(
        [sys.executable, "-c", told],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines() == ["500", "http://127.0.0.1:9 knows nobody"], done.stderr

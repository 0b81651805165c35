"""Dagster's UI as a person uses it, on the shipped capture: look, backfill, re-execute. Pictures are kept."""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from browser import Browser

from mev_dagster.commands.webserver import REPOSITORY, Webserver
from mev_dagster.settings import Settings

pytestmark = pytest.mark.long
ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "screenshots"
DEADLINE_SECONDS = 300
GROUPS = ("sources", "ingest", "simulation", "search", "pbs", "labels", "rollups", "operations")
COUNT_RUNS = """query($filter: RunsFilter) { runsOrError(filter: $filter, limit: 100) {
  __typename ... on Runs { results { runId status parentRunId tags { key value } } } } }"""
LAUNCH = """mutation($params: ExecutionParams!) { launchPipelineExecution(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no headless Chromium: install Debian's package chromium")
    return found


@pytest.fixture(scope="module")
def platform(chromium: str, tmp_path_factory: pytest.TempPathFactory):
    """Yield the web server of a platform that replays the shipped capture."""
    given = os.environ.get("MEV_UI_TEST_URL_PORT")  # a platform that is up already
    if given:
        yield Webserver(Settings(webserver_port=int(given)))
        return
    home = tmp_path_factory.mktemp("ui")
    ports = {
        f"MEV_{name}_PORT": str(free_port())
        for name in ("STORE", "INGEST", "RELAY", "CODE_SERVER", "WEBSERVER")
    }
    environment = {**os.environ, "MEV_HOME": str(home), "PYTHONPATH": str(ROOT), **ports}
    mev = [sys.executable, "-m", "mev_dagster"]
    try:
        subprocess.run(
            [*mev, "up", "--speed", "8", "--wait", "400"], env=environment, check=True, timeout=500
        )
        yield Webserver(Settings(webserver_port=int(ports["MEV_WEBSERVER_PORT"])))
    finally:
        subprocess.run([*mev, "down"], env=environment, timeout=120, check=False)


@pytest.fixture(scope="module")
def browser(chromium: str, platform: Webserver, tmp_path_factory: pytest.TempPathFactory):
    page = Browser(chromium, tmp_path_factory.mktemp("chromium"), PICTURES)
    yield page
    page.close()


@pytest.fixture(scope="module")
def site(platform: Webserver) -> str:
    """Return the UI's address once a block has been through the whole graph."""
    until(lambda: runs(platform, pipelineName="search_block", statuses=["SUCCESS"]), "a block's run")
    return platform.url.removesuffix("/graphql")


def until(condition, what):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (value := condition()):
        assert time.monotonic() < deadline, f"timed out waiting for {what}"
        time.sleep(1)
    return value


def runs(platform: Webserver, **filters) -> list[dict]:
    return platform.ask(COUNT_RUNS, filter=filters)["results"]


def test_the_lineage_graph_shows_every_group(site, browser):
    expanded = ",".join(f"global%40global%3A{group}" for group in GROUPS)
    browser.open(f"{site}/asset-groups?expanded={expanded}", "opportunities", "coverage_hourly", width=3400)
    browser.wait_while("Loading")
    browser.picture("lineage")


def test_an_asset_page_shows_figures_plots_and_columns(site, browser):
    browser.open(f"{site}/assets/opportunities?view=overview", "best_profit_eth", "rank_digest", "Columns")
    browser.wait_while("Loading")
    browser.wait_for("Materialized")
    browser.picture("asset")
    browser.click("Plots")
    browser.wait_for("lag_ms")
    browser.picture("asset_plots")


def test_the_partitions_page_lists_blocks(site, browser):
    browser.open(f"{site}/assets/opportunities?view=partitions", "Latest materialization")
    browser.picture("partitions")


def test_the_checks_page_lists_what_was_held(site, browser):
    browser.open(f"{site}/assets/opportunities?view=checks", "verified_profit_is_executed", "rows_are_sound")
    browser.wait_while("Loading")
    browser.picture("checks")


def test_a_backfill_is_started_by_clicking_and_finishes(site, browser, platform):
    before = {run["runId"] for run in runs(platform, pipelineName="__ASSET_JOB")}
    browser.open(f"{site}/assets/mev_labels?view=overview", "Materialize")
    browser.click("Materialize…")
    browser.wait_for("Launch")
    browser.click("All")
    browser.picture("backfill_dialog")
    browser.press_button("Launch")
    finished = until(
        lambda: [
            run for run in runs(platform, pipelineName="__ASSET_JOB", statuses=["SUCCESS"])
            if run["runId"] not in before
        ],
        "the backfill's run",
    )  # fmt: skip
    browser.open(f"{site}/runs/{finished[0]['runId']}", "mev_labels", "Success")
    browser.picture("backfill_run")


def test_a_failed_run_is_re_executed_by_clicking(site, browser, platform):
    platform.add_block_keys(["999999999"])
    selector = {**REPOSITORY, "pipelineName": "backfill_blocks"}
    tags = [{"key": "dagster/partition", "value": "999999999"}, {"key": "mev/attempt", "value": "4"}]
    answer = platform.ask(
        LAUNCH, params={"selector": selector, "mode": "default", "executionMetadata": {"tags": tags}}
    )
    assert answer["__typename"] == "LaunchRunSuccess", answer
    failed = answer["run"]["runId"]
    until(lambda: [r for r in runs(platform, statuses=["FAILURE"]) if r["runId"] == failed], "the failure")
    browser.open(f"{site}/runs/{failed}", "no window leads to block 999999999")
    browser.picture("failed_run")
    browser.press_button("Re-execute")
    again = until(
        lambda: [run for run in runs(platform) if run["parentRunId"] == failed], "the run of the re-execution"
    )
    browser.open(f"{site}/runs/{again[0]['runId']}", again[0]["runId"][:8])
    browser.picture("re_execution")

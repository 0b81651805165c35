"""Dagster's UI as a person uses it, on the shipped capture: look, backfill, re-execute. Pictures are kept."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import pytest
from browser import Browser

from mev_dagster.blockrun.run_tags import RANGE_END_TAG, RANGE_START_TAG
from mev_dagster.captures.format import open_capture
from mev_dagster.demo import SHIPPED_CAPTURE
from mev_dagster.platform.webserver import REPOSITORY, Webserver
from mev_dagster.settings import Settings

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]  # the first test starts a platform
ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "screenshots"
DEADLINE_SECONDS = 600
NO_BLOCK = "999999999"
GROUPS = ("sources", "ingest", "simulation", "search", "pbs", "labels", "rollups", "reports", "operations")
UI_JOB = "__ASSET_JOB"
"""Dagster's name for what is materialised from an asset's page."""
RUNS = """query($filter: RunsFilter) { runsOrError(filter: $filter, limit: 100) {
  __typename ... on Runs { results { runId status parentRunId stepKeysToExecute
    assetSelection { path } tags { key value } } } } }"""
FORGET = """mutation($selector: RepositorySelector!, $keys: [String!]!) {
  deleteDynamicPartitions(repositorySelector: $selector, partitionsDefName: "blocks", partitionKeys: $keys) {
    __typename } }"""
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
def config(chromium: str, tmp_path_factory: pytest.TempPathFactory):
    """Yield the settings of a platform that replays the shipped capture."""
    given = os.environ.get("MEV_UI_TEST_URL_PORT")  # a platform that is up already
    if given:
        yield Settings(dagster={"webserver_port": int(given)})
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
        yield Settings(
            dagster={"webserver_port": ports["MEV_WEBSERVER_PORT"]}, ingest={"port": ports["MEV_INGEST_PORT"]}
        )
    finally:
        subprocess.run([*mev, "down"], env=environment, timeout=120, check=False)


@pytest.fixture(scope="module")
def platform(config: Settings) -> Webserver:
    return Webserver(config)


@pytest.fixture(scope="module")
def browser(chromium: str, platform: Webserver, tmp_path_factory: pytest.TempPathFactory):
    page = Browser(chromium, tmp_path_factory.mktemp("chromium"), PICTURES)
    yield page
    page.close()


@pytest.fixture(scope="module")
def site(platform: Webserver) -> str:
    """Return the UI's address once every block of the capture has been through the whole graph."""
    with open_capture(SHIPPED_CAPTURE) as capture:
        wanted = {str(number) for number in capture.numbers}
    until(lambda: wanted <= {run["tags"]["mev/block"] for run in searched(platform)}, "every block's run")
    return platform.url.removesuffix("/graphql")


def until(condition, what):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (value := condition()):
        assert time.monotonic() < deadline, f"timed out waiting for {what}"
        time.sleep(0.5)
    return value


def runs(platform: Webserver, **filters) -> list[dict]:
    """Return runs, the newest first, their tags as a mapping."""
    found = platform.ask(RUNS, filter=filters)["results"]
    return [{**run, "tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in found]


def searched(platform: Webserver) -> list[dict]:
    return runs(platform, pipelineName="search_block", statuses=["SUCCESS"])


def ended(platform: Webserver, run_id: str) -> dict:
    """Wait for a run's end and return it."""
    filters = {"runIds": [run_id], "statuses": ["SUCCESS", "FAILURE", "CANCELED"]}
    (run,) = until(lambda: runs(platform, **filters), f"the end of run {run_id}")
    return run


def child_of(platform: Webserver, run_id: str) -> str:
    """Wait for the run that re-executes another one."""
    found = until(
        lambda: [run["runId"] for run in runs(platform) if run["parentRunId"] == run_id],
        f"a re-execution of run {run_id}",
    )
    return found[0]


@pytest.fixture(scope="module")
def failed_run(site: str, platform: Webserver):
    """Yield a run that failed: the backfill of a block that never was."""
    platform.add_block_keys([NO_BLOCK])
    selector = {**REPOSITORY, "pipelineName": "backfill_blocks"}
    tags = {"dagster/partition": NO_BLOCK, "mev/lane": "cold", "mev/attempt": "4"}
    metadata = {"tags": [{"key": key, "value": value} for key, value in tags.items()]}
    params = {"selector": selector, "mode": "default", "executionMetadata": metadata}
    answer = platform.ask(LAUNCH, params=params)
    assert answer["__typename"] == "LaunchRunSuccess", answer
    run_id = answer["run"]["runId"]
    assert ended(platform, run_id)["status"] == "FAILURE"
    yield run_id
    platform.ask(FORGET, selector=REPOSITORY, keys=[NO_BLOCK])


def test_the_lineage_graph_shows_every_group(site, browser):
    expanded = ",".join(f"global%40global%3A{group}" for group in GROUPS)
    address = f"{site}/asset-groups?expanded={expanded}"
    browser.open(address, "opportunities", "coverage_hourly", *GROUPS, width=3400, height=1800)
    browser.wait_while("Loading")
    browser.picture("lineage")


def test_an_asset_page_shows_figures_plots_and_columns(site, browser):
    browser.open(
        f"{site}/assets/opportunities?view=overview",
        *("Latest materialization", "Row count", "Freshness policy"),
        *("Columns", "best_profit_eth", "rank_digest"),
    )  # fmt: skip
    browser.wait_while("Loading")
    browser.picture("asset")
    browser.show("Metadata")
    browser.click("Plots")
    browser.wait_for_element("canvas")
    browser.picture("asset_plots")


def test_the_partitions_page_lists_blocks(site, browser, platform):
    block = searched(platform)[0]["tags"]["dagster/partition"]
    browser.open(
        f"{site}/assets/opportunities?view=partitions&partition={block}",
        *("Partitions Selected", "Latest materialization", "best_profit_eth", "Materialized"),
    )  # fmt: skip
    browser.picture("partitions")


def test_the_checks_page_lists_what_was_held(site, browser):
    browser.open(f"{site}/assets/opportunities?view=checks", "verified_profit_is_executed", "rows_are_sound")
    browser.click("rows_are_sound")
    browser.wait_for("keys_are_unique")
    browser.wait_while("Loading")
    browser.picture("checks")


def test_a_backfill_is_started_by_clicking_and_finishes(site, browser, platform):
    before = {run["runId"] for run in runs(platform, pipelineName=UI_JOB)}
    browser.open(f"{site}/assets/mev_labels?view=overview", "Materialize")
    browser.click("Materialize…")
    browser.wait_for("Launch")
    browser.click("All")
    browser.picture("backfill_dialog")
    browser.press_button("Launch")
    started = until(
        lambda: [run for run in runs(platform, pipelineName=UI_JOB) if run["runId"] not in before],
        "the backfill's run",
    )
    finished = ended(platform, started[0]["runId"])
    assert finished["status"] == "SUCCESS"
    assert {RANGE_START_TAG, RANGE_END_TAG} <= set(finished["tags"])
    browser.open(f"{site}/runs/{finished['runId']}", "mev_labels", "Success", "RUN_SUCCESS")
    browser.picture("backfill_run")


def test_one_asset_of_one_block_is_materialised_by_clicking(site, browser, platform):
    block = searched(platform)[-1]["tags"]["dagster/partition"]
    before = {run["runId"] for run in runs(platform, pipelineName=UI_JOB)}
    page = f"{site}/assets/mev_labels?view=partitions&partition={block}"
    browser.open(page, "Materialized", "net")
    browser.click("Materialize…")
    browser.press_button("Launch 1 run")
    started = until(
        lambda: [run for run in runs(platform, pipelineName=UI_JOB) if run["runId"] not in before],
        "the run of one asset",
    )
    run = ended(platform, started[0]["runId"])
    assert run["status"] == "SUCCESS"
    assert run["tags"]["dagster/partition"] == block
    assert run["assetSelection"] == [{"path": ["mev_labels"]}]


def test_a_failed_run_is_re_executed_by_clicking(site, browser, platform, failed_run):
    browser.open(f"{site}/runs/{failed_run}", f"no window leads to block {NO_BLOCK}")
    browser.picture("failed_run")
    browser.press_button("Re-execute all")
    again = child_of(platform, failed_run)
    assert ended(platform, again)["tags"]["dagster/partition"] == NO_BLOCK
    browser.open(f"{site}/runs/{again}", again[:8], "Re-executions", "RUN_FAILURE")
    browser.picture("re_execution")


def test_a_failed_run_is_taken_up_from_where_it_failed(site, browser, platform, failed_run):
    before = {run["runId"] for run in runs(platform)}
    browser.open(f"{site}/runs/{failed_run}", "Failure", f"no window leads to block {NO_BLOCK}")
    browser.open_menu_of("Re-execute all")
    browser.wait_for("From failure")
    browser.picture("re_execution_menu")
    browser.click("From failure")
    taken_up = until(
        lambda: [
            run for run in runs(platform) if run["parentRunId"] == failed_run and run["runId"] not in before
        ],
        "the run",
    )
    assert taken_up[0]["tags"]["dagster/is_resume_retry"] == "true"
    ended(platform, taken_up[0]["runId"])


def test_a_selection_of_a_run_is_re_executed_by_clicking(site, browser, platform):
    whole = searched(platform)[0]
    browser.open(f"{site}/runs/{whole['runId']}", "Success", "mev_labels")
    browser.press('.chart-element[data-tooltip="mev_labels"]')
    browser.press_button('Re-execute (name:"mev_labels")')
    part = ended(platform, child_of(platform, whole["runId"]))
    assert part["status"] == "SUCCESS"
    assert part["stepKeysToExecute"] == ["mev_labels"]
    assert part["tags"]["mev/block"] == whole["tags"]["mev/block"]


def test_an_alert_posted_to_the_daemon_becomes_a_run_with_its_labels(site, browser, platform, config):
    block = searched(platform)[0]["tags"]["dagster/partition"]
    started = datetime.now(UTC).isoformat()
    alert = {"status": "firing", "startsAt": started}
    alert["labels"] = {
        "alertname": "BlocksNotSearched",
        "block": block,
        "severity": "page",
        "started": started,
    }
    body = json.dumps({"version": "4", "alerts": [alert]}).encode()
    url = f"http://{config.host}:{config.ingest.port}/alerts"
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    urllib.request.urlopen(request, timeout=30).close()
    (of_alert,) = until(
        lambda: runs(platform, tags=[{"key": "mev/alert.started", "value": started}]), "the alert's run"
    )
    run = ended(platform, of_alert["runId"])
    assert run["status"] == "SUCCESS"
    assert (run["tags"]["mev/block"], run["tags"]["mev/alert.severity"]) == (block, "page")
    browser.open(f"{site}/runs/{run['runId']}", "Success", "Launched by")
    browser.press_button("View tags and config")
    browser.wait_for("mev/alert.alertname")
    browser.picture("alert_run")

"""Marker to opportunities through a running platform, by the lane a run takes: warm worker or stock launcher.

Every round asks a platform that `mev up` keeps running for two runs of the same stored block: one tagged for
the warm worker, one without a lane, which Dagster's stock launcher starts in a new interpreter. The marker is
the request; the end is the opportunities' own row in the store. Both lanes do all the work of the block.
"""

import json
import statistics
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

from mev_dagster.bench.harness import Options, Result, judge
from mev_dagster.errors import MevError, NodeUnreachable
from mev_dagster.settings import Settings, settings
from mev_dagster.store.client import Store, open_store

ROUNDS, QUICK_ROUNDS = 10, 3
DEADLINE_SECONDS = 120.0
LIMIT_SECONDS = 2.5
POLL_SECONDS = 0.02
TIMEOUT_SECONDS = 30
NEWEST = "SELECT max(block_number) FROM block_runs FINAL"
LAUNCH = """mutation($params: ExecutionParams!) { launchPipelineExecution(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""


def run(options: Options) -> Iterator[Result]:
    """Measure both lanes on the newest searched block of the platform that is running."""
    try:
        config = settings()
        with open_store(config, in_process=False) as store:
            number = int(store.scalar(NEWEST))
            rounds = QUICK_ROUNDS if options.quick else ROUNDS
            lanes: dict[str, list[float]] = {"warm": [], "stock": []}
            for index in range(rounds):
                for lane, seconds in lanes.items():
                    options.step(f"round {index + 1} of {rounds}, {lane}")
                    seconds.append(_one_run(config, store, number, warm=lane == "warm"))
    except MevError as error:
        yield Result("dagster.marker_to_opportunities", 0.0, "s", ok=None, note=f"needs `mev up`: {error}")
        return
    warm, stock = (sorted(lanes[lane]) for lane in ("warm", "stock"))
    yield judge(
        "dagster.marker_to_opportunities.p50", statistics.median(warm), "s",
        peer="stock launcher", peer_value=statistics.median(stock), at_least_peer=2,
    )  # fmt: skip
    yield judge(
        "dagster.marker_to_opportunities.worst", warm[-1], "s",
        peer="stock launcher", peer_value=stock[-1], limit_value=LIMIT_SECONDS, at_most_limit=1,
        note=f"{rounds} runs of block {number}, one after the other",
    )  # fmt: skip


def _one_run(config: Settings, store: Store, number: int, *, warm: bool) -> float:
    tags = {"dagster/partition": str(number), **({"mev/lane": "hot"} if warm else {})}
    started = time.monotonic()
    run_id = _launch(config, tags)
    while started + DEADLINE_SECONDS > time.monotonic():
        if store.rows("SELECT 1 FROM block_runs FINAL WHERE run_id = {run:String}", {"run": run_id}):
            return time.monotonic() - started
        time.sleep(POLL_SECONDS)
    raise NodeUnreachable(f"run {run_id} stored no opportunities within {DEADLINE_SECONDS:.0f} s")


def _launch(config: Settings, tags: dict[str, str]) -> str:
    selector = {"repositoryName": "__repository__", "repositoryLocationName": "mev_dagster"}
    params = {
        "selector": {**selector, "pipelineName": "backfill_blocks"},
        "mode": "default",
        "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
    }
    body = json.dumps({"query": LAUNCH, "variables": {"params": params}}).encode()
    request = urllib.request.Request(
        f"http://{config.host}:{config.webserver_port}/graphql", body, {"content-type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            found: dict[str, Any] = json.load(answer)["data"]["launchPipelineExecution"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NodeUnreachable(f"Dagster's web server does not take runs: {error}") from error
    if found["__typename"] != "LaunchRunSuccess":
        raise NodeUnreachable(f"Dagster refused the run: {found}")
    return str(found["run"]["runId"])

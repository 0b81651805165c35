"""Mainnet blocks from Uniswap V2's time on, searched with an injected TEST-ONLY searcher.

The figures are golden: `mev capture import BLOCKFILE OUT && mev search OUT --json` prints them.
"""

import json
import os
import subprocess
import sys

import pytest

from mev_dagster.captures.format import open_capture
from mev_dagster.captures.importers import import_blocks_prestate
from mev_dagster.demo.artifacts import contracts
from mev_dagster.errors import InputError
from mev_dagster.evm.engines import get_engine
from mev_dagster.search.inputs import capture_inputs
from mev_dagster.search.run import search_block
from mev_dagster.search.searcher import executor_runtime


@pytest.fixture(scope="module")
def capture_of(fixtures, tmp_path_factory):
    folder = tmp_path_factory.mktemp("captures")

    def make(number):
        path = folder / str(number)
        if not path.exists():
            import_blocks_prestate([fixtures / "blocks_prestate" / f"{number}.json.zst"], path)
        return path

    return make


@pytest.mark.parametrize(
    ("number", "verified"),
    [
        (
            10760440,
            {
                "crowd_backrun/1": [196711023581631917, 196372918158067089],
                "backrun/1": [196127542069574512],
                "sandwich/1": [168521284759934242, 6409234959072673],
                "seen_sandwich/1": [136502391301815689],
            },
        ),
        (11743952, {"sandwich/1": [11116905731182433]}),
        (
            12159808,
            {
                "sandwich/1": [660779707949915319],
                "seen_sandwich/1": [123812379361752906, 37279982531885985],
                "crowd_backrun/1": [217798603871069846, 203095743748584638],
                "backrun/1": [17205559388696722, 15873682187479451, 10913264880735111, 9671291288548305],
            },
        ),
    ],
)
def test_candidates_of_a_mainnet_block_hold_when_executed(capture_of, number, verified):
    with open_capture(capture_of(number)) as capture:
        (inputs,) = capture_inputs(capture)
        result = search_block(inputs, get_engine())
    assert result.searcher.injected
    found = {}
    for candidate in result.candidates:
        if candidate.verified:
            found.setdefault(candidate.plan.strategy, []).append(candidate.simulated_profit_wei)
    assert found == verified


def test_a_candidate_that_needs_state_nobody_captured_is_kept_with_what_is_missing(capture_of):
    with open_capture(capture_of(12244000)) as capture:
        (inputs,) = capture_inputs(capture)
        (candidate,) = search_block(inputs, get_engine()).candidates
    assert (candidate.verified, candidate.simulated_profit_wei) == (False, None)
    assert candidate.reason == "missing_state"
    assert candidate.verification.detail.startswith("transaction 0: storage 0x2a0d4ac7c7603cc543fbfdaad8925")


def test_a_cancun_block_without_its_system_contracts_is_searched_all_the_same(capture_of):
    with open_capture(capture_of(19929064)) as capture:
        (inputs,) = capture_inputs(capture)
        result = search_block(inputs, get_engine())
    assert sum(run.succeeded for run in result.runs) > 50
    assert [(str(c.kind), c.reason) for c in result.candidates] == [("sandwich", "own_reverted")] * 2


def test_two_processes_with_different_hash_seeds_print_the_same_bytes(capture_of):
    printed = []
    for seed in ("0", "12345"):
        run = subprocess.run(
            [sys.executable, "-m", "mev_dagster", "search", str(capture_of(10760440)), "--json"],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        )
        printed.append(run.stdout)
    assert printed[0] == printed[1]
    document = json.loads(printed[0])
    assert len(document["candidates"]) == 7
    assert document["arrival_times"] == "synthetic"


def test_a_block_the_capture_does_not_hold_is_bad_input(capture_of):
    with open_capture(capture_of(11743952)) as capture, pytest.raises(InputError, match="block 7"):
        next(capture_inputs(capture, 7))


def test_the_injected_executor_is_the_contract_that_ships_with_the_devnet():
    assert executor_runtime() == contracts()["executor"].runtime

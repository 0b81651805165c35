"""What a step hands to the next is stored: a step alone, in another process, goes on from the stored rows."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

import resources.block_search as search_door
from mev_dagster.blockrun.run import BlockRun
from mev_dagster.captures.format import open_capture
from mev_dagster.definitions import defs
from mev_dagster.demo import SHIPPED_CAPTURE
from mev_dagster.events.log import EventLogWriter
from mev_dagster.events.types import BlockReverted, Lane
from mev_dagster.pbs.keys import Keyring
from mev_dagster.settings import settings
from mev_dagster.store.client import Store

OFFERED_SQL = (
    "SELECT block_hash, value_wei, trace_id FROM block_templates FINAL WHERE block_number = {n:UInt64}"
)
SUBMITTED_SQL = (
    "SELECT block_hash, value_wei, trace_id, accepted FROM relay_submissions FINAL"
    " WHERE block_number = {n:UInt64} ORDER BY attempt DESC LIMIT 1"
)
TO_THE_TEMPLATE = (
    "ingest_windows", "decoded_txs", "tx_features", "simulations", "opportunities", "block_templates",
)  # fmt: skip


@pytest.fixture(scope="module")
def number() -> int:
    with open_capture(SHIPPED_CAPTURE) as capture:
        return capture.numbers[9]


TO_THE_LABELS = (
    "ingest_windows", "decoded_txs", "tx_features", "simulations", "opportunities", "mev_labels",
)  # fmt: skip


@pytest.fixture(scope="module")
def taken() -> int:
    """A block in which a rival landed what the search had found."""
    with open_capture(SHIPPED_CAPTURE) as capture:
        return capture.numbers[13]


def in_another_process(number: int, *assets: str, prepare: Callable[[], None] = lambda: None) -> bool:
    """Run assets of a block in a child whose builder's keys are its own, as beside a node."""
    child = os.fork()
    if child == 0:
        search_door.keys_for = lambda source: Keyring.ephemeral()
        prepare()
        with dg.DagsterInstance.ephemeral() as instance:
            result = run(instance, number, *assets)
        os._exit(0 if result.success else 1)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == 0


def run(instance: dg.DagsterInstance, number: int, *assets: str) -> dg.ExecuteInProcessResult:
    instance.add_dynamic_partitions("blocks", [str(number)])
    job = defs().resolve_job_def("search_block")
    return job.execute_in_process(
        partition_key=str(number),
        instance=instance,
        asset_selection=[dg.AssetKey(name) for name in assets] or None,
        raise_on_error=False,
    )


@pytest.fixture
def offered(home: Path, store: Store, number: int) -> tuple[object, ...]:
    """The block that a process built, which is gone by now."""
    store.delete("relay_submissions", {"block_number": number})
    assert in_another_process(number, *TO_THE_TEMPLATE)
    [row] = store.rows(OFFERED_SQL, {"n": number})
    return row


def test_a_submission_alone_in_another_process_is_of_the_stored_block(offered, store, number):
    assert in_another_process(number, "relay_submissions")
    [(block_hash, value_wei, trace_id, accepted)] = store.rows(SUBMITTED_SQL, {"n": number})
    assert (block_hash, value_wei, trace_id) == offered
    assert accepted


def test_a_submission_without_a_stored_block_says_what_to_run(offered, store, number):
    store.delete("sealed_blocks", {"block_number": number})
    with dg.DagsterInstance.ephemeral() as instance:
        result = run(instance, number, "relay_submissions")
    [failure] = [event for event in result.all_events if event.is_step_failure]
    said = failure.step_failure_data.error.to_string()
    assert "StepMissing" in said
    assert "run block_templates first" in said


@pytest.fixture
def judged(home: Path, store: Store, taken: int) -> dict[str, tuple[int, ...]]:
    """The block searched and labelled by a process that is gone by now, and what its score said."""
    assert in_another_process(taken, *TO_THE_LABELS)
    assert in_another_process(taken, "backtests")
    return scores(store, taken)


def scores(store: Store, number: int) -> dict[str, tuple[int, ...]]:
    rows = store.rows(
        "SELECT kind, true_positives, false_positives, false_negatives, pnl_wei FROM backtests FINAL"
        f" WHERE first_block_number = {number} AND source = 'block'"
    )
    return {kind: tuple(counts) for kind, *counts in rows}


def nothing_but_the_store_and_the_log() -> None:
    """No node and no capture answers in this process, and nothing is executed or proposed."""

    def refused(*_: object, **__: object) -> None:
        raise AssertionError("the score asked for what no step had stored")

    for name in ("inputs", "prepared", "decision", "block", "receipts"):
        setattr(BlockRun, name, property(refused))
    search_door.EngineResource.build = lambda self: None


def test_a_score_alone_in_another_process_needs_what_is_stored_and_the_log(judged, store, taken):
    assert sum(judged["all"][:3]) > 0
    store.delete("backtests", {"first_block_number": taken})
    assert in_another_process(taken, "backtests", prepare=nothing_but_the_store_and_the_log)
    assert scores(store, taken) == judged


def test_a_score_alone_is_of_the_stored_labels(judged, store, taken):
    assert judged["all"][0] > 0
    store.delete("mev_labels", {"block_number": taken})
    assert in_another_process(taken, "backtests")
    found = scores(store, taken)
    assert (found["all"][0], found["all"][2]) == (0, 0)
    assert found["all"][1] >= judged["all"][1]
    assert found["all"][3] == judged["all"][3]


def test_a_score_alone_is_of_the_stored_candidates(judged, store, taken):
    for table in ("opportunities", "plans"):
        store.delete(table, {"block_number": taken})
    assert in_another_process(taken, "backtests")
    tp, _, fn, _ = judged["all"]
    assert scores(store, taken)["all"] == (0, 0, tp + fn, 0)


@pytest.mark.parametrize(
    ("table", "step"),
    [
        ("block_runs", "run opportunities first"),
        ("plans", "run opportunities again"),
        ("label_runs", "run mev_labels first"),
    ],
)
def test_a_score_without_a_stored_step_says_what_to_run(judged, store, taken, table, step):
    store.delete(table, {"block_number": taken})
    with dg.DagsterInstance.ephemeral() as instance:
        result = run(instance, taken, "backtests")
    [failure] = [event for event in result.all_events if event.is_step_failure]
    said = failure.step_failure_data.error.to_string()
    assert "StepMissing" in said
    assert step in said


def test_relays_that_are_gone_are_a_row_each_and_not_the_runs_failure(home, store, number, monkeypatch):
    with socket.socket() as gone:
        gone.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MEV_RELAY_PORT", str(gone.getsockname()[1]))
        settings.cache_clear()
        for table in ("sealed_blocks", "block_templates", "relay_submissions"):
            store.delete(table, {"block_number": number})
        try:
            with dg.DagsterInstance.ephemeral() as instance:
                result = run(instance, number)
                checks = {one.check_name: one.passed for one in result.get_asset_check_evaluations()}
        finally:
            monkeypatch.undo()
            settings.cache_clear()
    assert result.success
    assert checks["relay_accepted"] is False
    rows = store.rows(
        "SELECT error_class, status, accepted FROM relay_submissions FINAL WHERE block_number = {n:UInt64}",
        {"n": number},
    )
    assert rows == [("no_proposer", 0, False)]
    assert store.count("backtests", {"first_block_number": number})


def submissions(store: Store, number: int) -> list[tuple[object, ...]]:
    return store.rows(
        "SELECT relay, block_hash, value_wei, trace_id, max(accepted) FROM relay_submissions FINAL"
        f" WHERE block_number = {number} GROUP BY ALL ORDER BY relay"
    )


def test_a_block_that_was_reverted_meanwhile_is_submitted_to_nobody(home, store):
    with open_capture(SHIPPED_CAPTURE) as capture:
        number = capture.numbers[11]
        block_hash = capture.block(number).hash
    store.delete("relay_submissions", {"block_number": number})
    assert in_another_process(number, *TO_THE_TEMPLATE)
    with EventLogWriter(home / "events") as log:
        log.append_many([BlockReverted(-1, 1, 1, Lane.RPC, "node", number, block_hash)])
    assert not in_another_process(number, "relay_submissions")
    assert submissions(store, number) == []

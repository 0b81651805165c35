"""An engine that is wrong: its finds are dropped, counted, kept with their input, and a check fails."""

from pathlib import Path

import dagster as dg
import pytest
from fault_injecting import FaultInjectingEngine
from prometheus_client import CollectorRegistry

import resources.block_search
import resources.engine
from mev_dagster.captures.format import open_capture
from mev_dagster.definitions import defs
from mev_dagster.demo import SHIPPED_CAPTURE
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.recheck import Recheck, kept_inputs, load_artifact
from mev_dagster.settings import settings
from mev_dagster.store.client import Store, open_store

FOUND, ENTERED = "engine_agrees_with_reference", "winners_agree_with_reference"


@pytest.fixture(scope="module")
def number() -> int:
    with open_capture(SHIPPED_CAPTURE) as capture:
        return capture.numbers[6]


@pytest.fixture(scope="module")
def store(home: Path) -> Store:
    return open_store(settings(), in_process=False)


def run_block(number: int) -> dg.ExecuteInProcessResult:
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("blocks", [str(number)])
        job = defs().resolve_job_def("search_block")
        return job.execute_in_process(partition_key=str(number), instance=instance)


def verdict(result: dg.ExecuteInProcessResult, check: str) -> dg.AssetCheckEvaluation:
    (found,) = [one for one in result.get_asset_check_evaluations() if one.check_name == check]
    return found


def judged_by(monkeypatch, folder: Path) -> CollectorRegistry:
    registry = CollectorRegistry()
    judge = Recheck(0.0, folder=folder, registry=registry)
    monkeypatch.setattr(resources.block_search, "judge_of", lambda configured: judge)
    return registry


def test_a_wrong_engine_is_found_out_and_what_it_found_is_dropped(home, store, number, monkeypatch, tmp_path):
    registry = judged_by(monkeypatch, tmp_path)
    monkeypatch.setattr(resources.engine, "get_engine", lambda name, **options: FaultInjectingEngine())
    result = run_block(number)

    for check in (FOUND, ENTERED):
        assert not verdict(result, check).passed
        assert verdict(result, check).severity is dg.AssetCheckSeverity.ERROR
    evaluation = verdict(result, ENTERED)
    wrong = evaluation.metadata["mismatches"].value
    assert wrong > 0
    assert "coinbase_payment_wei: expected" in evaluation.metadata["first"].value

    labels = {"engine": "fault_injecting"}
    assert registry.get_sample_value("mev_sim_parity_mismatch_total", labels) == wrong

    assert kept_inputs(tmp_path) == wrong
    kept = load_artifact(Path(evaluation.metadata["input"].value))
    assert len(get_engine().simulate(kept.prestate, kept.env, kept.txs).txs) == len(kept.txs) > 1

    dropped = store.rows(
        "SELECT opportunity_id FROM opportunities FINAL WHERE block_number = {n:UInt64} AND NOT verified"
        " AND JSONExtractString(detail, 'reason') = 'parity_mismatch'",
        {"n": number},
    )
    assert len(dropped) == wrong
    [(included,)] = store.rows(
        "SELECT opportunity_ids FROM block_templates FINAL WHERE block_number = {n:UInt64}", {"n": number}
    )
    assert not set(included) & {row[0] for row in dropped}
    [(found_early,)] = store.rows(
        "SELECT mismatches FROM block_runs FINAL WHERE block_number = {n:UInt64}", {"n": number}
    )
    assert 0 < found_early <= wrong


def test_the_reference_is_not_judged_by_itself(home, store, number, monkeypatch, tmp_path):
    registry = judged_by(monkeypatch, tmp_path)
    monkeypatch.setattr(resources.engine, "get_engine", lambda name, **options: get_engine("py_evm"))
    result = run_block(number)
    assert not {FOUND, ENTERED} & {one.check_name for one in result.get_asset_check_evaluations()}
    said = [
        event.materialization.metadata.get("not_checked")
        for event in result.get_asset_materialization_events()
    ]
    assert sum("py_evm is the reference itself" in one.value for one in said if one is not None) == 2
    assert registry.get_sample_value("mev_sim_rechecks_total", {"engine": "py_evm"}) is None
    assert store.rows(
        "SELECT rechecked, mismatches FROM block_runs FINAL WHERE block_number = {n:UInt64}", {"n": number}
    ) == [(0, 0)]

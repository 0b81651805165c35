"""A live run's figures outlive it: every stage of the block's lag, and the executions run again."""

from pathlib import Path

import dagster as dg
from prometheus_client import CollectorRegistry

from mev_dagster.blockrun.run_tags import COLD, HOT, LANE_TAG
from mev_dagster.captures.format import open_capture
from mev_dagster.definitions import defs
from mev_dagster.demo import SHIPPED_CAPTURE
from mev_dagster.telemetry.run_reports import ReportedSums

STAGES = ("windowed", "simulated", "searched", "built", "submitted")


def observed(home: Path, lane: str) -> dict[str, float]:
    """What a run of one block of that lane left to be added up: observations by stage, and the rechecks."""
    with open_capture(SHIPPED_CAPTURE) as capture:
        number = capture.numbers[6]
    registry, sums = CollectorRegistry(), ReportedSums()
    sums.take_up(home)
    registry.register(sums)
    before = told(registry)
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("blocks", [str(number)])
        job = defs().resolve_job_def("search_block")
        tags = {LANE_TAG: lane}
        assert job.execute_in_process(partition_key=str(number), instance=instance, tags=tags).success
    assert set(sums.take_up(home)) == {"taken"}
    return {name: value - before.get(name, 0) for name, value in told(registry).items()}


def told(registry: CollectorRegistry) -> dict[str, float]:
    stages = {
        stage: registry.get_sample_value("mev_block_lag_seconds_count", {"stage": stage}) or 0
        for stage in STAGES
    }
    rechecked = sum(
        sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == "mev_sim_rechecks_total"
    )
    return {**stages, "rechecked": rechecked}


def test_every_stage_of_a_live_run_is_observed_once_and_its_rechecks_are_counted(home):
    found = observed(home, HOT)
    assert found.pop("rechecked") >= 1
    assert found == dict.fromkeys(STAGES, 1)


def test_a_run_of_history_counts_its_rechecks_and_no_lag(home):
    found = observed(home, COLD)
    assert found.pop("rechecked") >= 1
    assert found == dict.fromkeys(STAGES, 0)

"""A check keeps its block; a range's bad block takes no good one with it; nothing checked is not green."""

from pathlib import Path

import dagster as dg
import pytest

from assets import per_block
from assets.partitions import blocks
from assets.per_block import block_asset
from assets.verdicts import without_verdict
from mev_dagster.blockrun import failed_checks, stage_lag
from mev_dagster.blockrun.run_tags import RANGE_END_TAG, RANGE_START_TAG
from mev_dagster.errors import InputError

KEYS = ["7", "8", "9"]
GOOD = ["7", "9"]
EVEN, SEEN = "is_even", "was_seen"
RAISED: list[dict] = []


class Block:
    """As much of a block's run as the shape of an asset looks at."""

    store = None

    def __init__(self, number: int) -> None:
        self.number = number
        self.fence = self

    def held(self):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


class Search(dg.ConfigurableResource):
    def of(self, context, number):
        return Block(number)


def made(monkeypatch: pytest.MonkeyPatch, bad: int | None = None) -> dg.AssetsDefinition:
    """Return an asset of a block: its check fails for 7, has nothing to look at for 9; `bad` fails whole."""
    monkeypatch.setattr(per_block.soundness, "judged", lambda *_: without_verdict("rows_are_sound", "no row"))
    monkeypatch.setattr(stage_lag, "observe", lambda *_: None)
    monkeypatch.setattr(failed_checks, "raise_check_alert", lambda _store, **alert: RAISED.append(alert))
    monkeypatch.setattr(per_block, "report", lambda *_: None)
    # The name of the resource's class is all that Dagster matches of it.
    monkeypatch.setattr(per_block, "BlockSearchResource", Search)

    def opportunities(block: Block) -> dg.MaterializeResult:
        """Made up."""
        if block.number == bad:
            raise InputError("no such window")
        found = (
            without_verdict(EVEN, "nothing there")
            if block.number == 9
            else dg.AssetCheckResult(check_name=EVEN, passed=block.number % 2 == 0)
        )
        return dg.MaterializeResult(metadata={"number": block.number}, check_results=[found])

    spec = dg.AssetCheckSpec(EVEN, asset="opportunities")
    return block_asset("search", table="opportunities", team="search", deps=(), checks=(spec,))(opportunities)


@pytest.fixture
def instance(tmp_path: Path):
    with dg.DagsterInstance.ephemeral() as found:
        found.add_dynamic_partitions("blocks", KEYS)
        yield found


def run(asset: dg.AssetsDefinition, instance: dg.DagsterInstance, **how) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        [asset], instance=instance, resources={"search": Search()}, raise_on_error=False, **how
    )


RANGE = {"tags": {RANGE_START_TAG: KEYS[0], RANGE_END_TAG: KEYS[-1]}}


def verdicts(result: dg.ExecuteInProcessResult, check: str = EVEN) -> dict[str | None, bool]:
    return {
        one.partition: one.passed for one in result.get_asset_check_evaluations() if one.check_name == check
    }


def materialised(result: dg.ExecuteInProcessResult) -> list[str]:
    return [event.partition for event in result.get_asset_materialization_events()]


def test_a_verdict_is_of_its_block(monkeypatch, instance):
    asset = made(monkeypatch)
    assert verdicts(run(asset, instance, partition_key="7")) == {"7": False}
    assert verdicts(run(asset, instance, partition_key="8")) == {"8": True}
    failed = instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(dg.AssetKey("opportunities"), EVEN), limit=5
    )
    assert {(one.partition, one.status.value) for one in failed} == {("7", "FAILED"), ("8", "SUCCEEDED")}


def test_a_check_that_failed_and_stops_nothing_is_an_alert_of_its_block(monkeypatch, instance):
    RAISED.clear()
    asset = made(monkeypatch)
    run(asset, instance, partition_key="7")
    run(asset, instance, partition_key="8")
    run(asset, instance, partition_key="9")
    assert [(one["asset"], one["check"], one["number"]) for one in RAISED] == [("opportunities", EVEN, 7)]


def test_what_had_nothing_to_look_at_has_no_verdict_and_fails_nothing(monkeypatch, instance):
    result = run(made(monkeypatch), instance, partition_key="9")
    assert result.success
    assert result.get_asset_check_evaluations() == []
    [event] = result.get_asset_materialization_events()
    said = event.materialization.metadata["not_checked"].value
    assert said == "is_even: nothing there; rows_are_sound: no row"


def test_a_range_has_a_verdict_a_block(monkeypatch, instance):
    result = run(made(monkeypatch), instance, **RANGE)
    assert result.success
    assert sorted(materialised(result)) == KEYS  # Dagster spreads an output in no order
    assert verdicts(result) == {"7": False, "8": True}


def test_a_bad_block_of_a_range_takes_no_good_one_with_it(monkeypatch, instance):
    result = run(made(monkeypatch, bad=8), instance, **RANGE)
    assert not result.success
    assert materialised(result) == GOOD
    assert verdicts(result) == {"7": False}
    [failure] = result.get_step_failure_events()
    assert "1 of the run's blocks failed (8)" in failure.step_failure_data.error.to_string()


def test_a_backfill_is_cut_into_runs_of_bounded_size(monkeypatch):
    asset = made(monkeypatch)
    assert asset.backfill_policy.max_partitions_per_run == per_block.BLOCKS_PER_RUN
    assert all(check.partitions_def is blocks for check in asset.check_specs)

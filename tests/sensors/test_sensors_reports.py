"""An hour's report follows its roll-up by declaration; a schedule rolls the newest hour up again."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from mev_dagster.captures.format import open_capture
from mev_dagster.definitions import defs
from mev_dagster.demo import SHIPPED_CAPTURE
from mev_dagster.reports.figures import newest_hour
from mev_dagster.settings import settings
from mev_dagster.store.client import open_store
from sensors.schedules import reports_of_newest_hour

OTHER_HOUR = "2026-02-03-04:00"


@pytest.fixture(scope="module")
def searched(home: Path):
    """Yield the store with one searched block, and the partition of its hour."""
    with open_capture(SHIPPED_CAPTURE) as capture:
        number = capture.numbers[3]
    with dg.DagsterInstance.ephemeral() as instance, open_store(settings(), in_process=False) as store:
        instance.add_dynamic_partitions("blocks", [str(number)])
        job = defs().resolve_job_def("search_block")
        assert job.execute_in_process(partition_key=str(number), instance=instance).success
        hour = newest_hour(store).window
        moment = datetime.fromtimestamp(hour.start_ns // 10**9, UTC)
        yield store, number, moment.strftime("%Y-%m-%d-%H:00")


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as found:
        yield found


def rolled_up(instance: dg.DagsterInstance, hour: str) -> None:
    job = defs().resolve_job_def("roll_up_hours")
    assert job.execute_in_process(partition_key=hour, instance=instance).success


def requested(instance: dg.DagsterInstance, cursor=None) -> tuple[set[str], object]:
    """Evaluate the declaration as Dagster's daemon does; return the hours whose reports it asks for."""
    result = dg.evaluate_automation_conditions(
        defs=defs(),
        instance=instance,
        cursor=cursor,
        asset_selection=dg.AssetSelection.assets("hourly_report"),
    )
    return result.get_requested_partitions(dg.AssetKey("hourly_report")), result.cursor


def test_a_report_follows_the_roll_up_of_its_hour_once(searched, instance):
    _, _, hour = searched
    nothing, cursor = requested(instance)
    assert nothing == set()
    rolled_up(instance, hour)
    follows, cursor = requested(instance, cursor)
    assert follows == {hour}
    again, cursor = requested(instance, cursor)
    assert again == set()
    rolled_up(instance, OTHER_HOUR)  # a backfilled hour, long past
    assert requested(instance, cursor)[0] == {OTHER_HOUR}


def test_the_page_holds_the_block_with_its_run_and_its_trace(searched, instance, home):
    store, number, hour = searched
    report = (
        defs()
        .resolve_implicit_global_asset_job_def()
        .get_subset(asset_selection={dg.AssetKey("hourly_report")})
    )
    result = report.execute_in_process(partition_key=hour, instance=instance)
    assert result.success
    [event] = result.get_asset_materialization_events()
    metadata = {name: value.value for name, value in event.materialization.metadata.items()}
    assert metadata["blocks"] == metadata["bids_accepted"] == 1
    page = Path(metadata["path"]).read_text()
    [(run_id, trace)] = store.rows(
        "SELECT r.run_id, lower(hex(t.trace_id)) FROM block_runs AS r JOIN block_templates AS t"
        f" ON t.block_number = r.block_number WHERE r.block_number = {number}"
    )
    assert f'id="block-{number}"' in page
    assert f"/runs/{run_id}" in page
    assert f'id="trace-{trace}"' in page
    assert "relay.submit" in page
    [check] = result.get_asset_check_evaluations()
    assert not check.passed  # the capture's other blocks have windows and were not searched here
    assert Path(metadata["path"]).parent == home / "reports"


def test_the_newest_hour_is_rolled_up_when_blocks_came_in_and_a_skip_says_why(searched):
    store, number, hour = searched
    store.command("TRUNCATE TABLE coverage_hourly")
    context = dg.build_schedule_context(scheduled_execution_time=datetime(2026, 1, 2, tzinfo=UTC))
    asked = reports_of_newest_hour(context)
    assert isinstance(asked, dg.RunRequest)
    assert asked.partition_key == hour
    with dg.DagsterInstance.ephemeral() as instance:
        rolled_up(instance, hour)
    skipped = reports_of_newest_hour(context)
    assert isinstance(skipped, dg.SkipReason)
    assert f"holds block {number}, the newest, already" in skipped.skip_message

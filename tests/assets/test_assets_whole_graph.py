"""The whole graph, in process, on the shipped capture."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from mev_dagster.captures.format import open_capture
from mev_dagster.definitions import defs
from mev_dagster.demo import SHIPPED_CAPTURE

RESULT_TABLES = (
    "tx_features",
    "simulations",
    "opportunities",
    "block_templates",
    "relay_submissions",
    "mev_labels",
    "backtests",
    "coverage",
)

PLOTTED = (dg.IntMetadataValue, dg.FloatMetadataValue)
COLUMN_LINEAGE = "dagster/column_lineage"


@pytest.fixture(scope="module")
def numbers() -> tuple[int, ...]:
    with open_capture(SHIPPED_CAPTURE) as capture:
        return capture.numbers[2:5]


@pytest.fixture(scope="module")
def runs(home: Path, numbers: tuple[int, ...]) -> dict[int, dg.ExecuteInProcessResult]:
    job = defs().resolve_job_def("search_block")
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("blocks", [str(number) for number in numbers])
        return {
            number: job.execute_in_process(partition_key=str(number), instance=instance) for number in numbers
        }


def metadata_of(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, object]:
    (event,) = [
        event
        for event in result.get_asset_materialization_events()
        if event.materialization.asset_key.to_user_string() == asset
    ]
    return {name: value.value for name, value in event.materialization.metadata.items()}


def test_every_asset_of_a_block_is_materialised(runs):
    wanted = defs().resolve_job_def("search_block").asset_layer.executable_asset_keys
    for result in runs.values():
        assert result.success
        done = {event.materialization.asset_key for event in result.get_asset_materialization_events()}
        assert done == wanted


def test_every_check_passes(runs):
    for result in runs.values():
        evaluations = result.get_asset_check_evaluations()
        assert evaluations
        assert all(evaluation.passed for evaluation in evaluations)


def test_every_materialisation_counts_its_rows_and_shows_a_table_a_picture_and_figures_to_plot(runs):
    (result, *_) = runs.values()
    for event in result.get_asset_materialization_events():
        name = event.materialization.asset_key.to_user_string()
        metadata = event.materialization.metadata
        figures = [value for value in metadata.values() if isinstance(value, PLOTTED)]
        assert isinstance(metadata["dagster/row_count"], dg.IntMetadataValue), name
        assert len(figures) >= 3, name
        assert any(isinstance(value, dg.TableMetadataValue) for value in metadata.values()), name
        assert any(isinstance(value, dg.MarkdownMetadataValue) for value in metadata.values()), name


def test_columns_lead_back_to_the_columns_they_were_made_from(runs):
    (result, *_) = runs.values()
    lineage = {
        event.materialization.asset_key.to_user_string(): event.materialization.metadata[COLUMN_LINEAGE].value
        for event in result.get_asset_materialization_events()
        if COLUMN_LINEAGE in event.materialization.metadata
    }
    edges = {"ingest_windows", "mev_labels"}  # what feeds these is no table
    assert set(lineage) == {key.to_user_string() for key in block_keys()} - edges
    assert lineage["opportunities"].deps_by_column["block_number"] == [
        dg.TableColumnDep(dg.AssetKey("simulations"), "block_number")
    ]


def block_keys() -> set[dg.AssetKey]:
    return set(defs().resolve_job_def("search_block").asset_layer.executable_asset_keys)


@pytest.mark.parametrize(
    ("job", "form", "assets"),
    [
        ("roll_up_hours", "%Y-%m-%d-%H:00", {"coverage_hourly"}),
        ("roll_up_days", "%Y-%m-%d", {"labels_daily", "backtests_daily"}),
    ],
)
def test_the_window_of_the_blocks_is_rolled_up_with_checks_and_lineage(runs, store, job, form, assets):
    [(seconds,)] = store.rows("SELECT toUnixTimestamp(min(block_time)) FROM block_runs FINAL")
    window = datetime.fromtimestamp(seconds, UTC).strftime(form)
    with dg.DagsterInstance.ephemeral() as instance:
        found = defs().resolve_job_def(job).execute_in_process(partition_key=window, instance=instance)
    done = {
        event.materialization.asset_key.to_user_string(): event.materialization.metadata
        for event in found.get_asset_materialization_events()
    }
    assert set(done) == assets
    assert all(evaluation.passed for evaluation in found.get_asset_check_evaluations())
    for metadata in done.values():
        assert metadata["dagster/row_count"].value > 0
        assert metadata["blocks"].value > 0
        assert COLUMN_LINEAGE in metadata
        assert any(isinstance(value, dg.MarkdownMetadataValue) for value in metadata.values())


def test_the_bid_is_what_the_proposer_is_paid(runs):
    for result in runs.values():
        [money] = [
            one for one in result.get_asset_check_evaluations() if one.check_name == "bid_is_paid_and_earned"
        ]
        figures = {name: value.value for name, value in money.metadata.items()}
        assert figures["bid_eth"] == figures["payment_eth"] > 0
        assert figures["reward_eth"] >= figures["tips_eth"]


def test_verified_candidates_reach_the_relay_under_one_trace(runs, store):
    for number in runs:
        [(trace_of_candidate, trace_of_template, trace_of_attempt, trace_of_receipt)] = store.rows(
            "SELECT any(o.trace_id), any(t.trace_id), any(s.trace_id), any(r.trace_id)"
            " FROM opportunities AS o"
            " JOIN block_templates AS t ON t.block_number = o.block_number"
            " JOIN relay_submissions AS s ON s.block_hash = t.block_hash"
            " JOIN relay_receipts AS r ON r.block_hash = s.block_hash AND r.attempt = s.attempt"
            " WHERE o.block_number = {number:UInt64} AND has(t.opportunity_ids, o.opportunity_id)",
            {"number": number},
        )
        assert trace_of_candidate == trace_of_template == trace_of_attempt == trace_of_receipt != bytes(16)


def test_the_relay_accepts_what_the_builder_sealed(runs):
    for result in runs.values():
        metadata = metadata_of(result, "relay_submissions")
        assert metadata["accepted"] is True
        assert metadata["bid_eth"] > 0
        assert metadata_of(result, "block_templates")["state_root_known"] is True


def test_a_second_run_of_a_block_leaves_equal_tables(runs, numbers, store):
    number = numbers[0]
    digests = {name: store.digest(name, {block_column(name): number}) for name in RESULT_TABLES[:3]}
    job = defs().resolve_job_def("search_block")
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("blocks", [str(number)])
        assert job.execute_in_process(partition_key=str(number), instance=instance).success
    assert {name: store.digest(name, {block_column(name): number}) for name in RESULT_TABLES[:3]} == digests
    assert all(digest.rows for digest in digests.values())


def block_column(table: str) -> str:
    return "first_block_number" if table in {"backtests", "coverage"} else "block_number"


def test_lineage_is_connected_from_the_mempool_to_the_backtest():
    graph = defs().resolve_asset_graph()
    reached, frontier = set(), [dg.AssetKey("mempool")]
    while frontier:
        key = frontier.pop()
        if key not in reached:
            reached.add(key)
            frontier.extend(graph.get(key).child_keys)
    assert {"relay_submissions", "backtests"} <= {key.to_user_string() for key in reached}
    assert all(graph.get(key).owners and graph.get(key).group_name for key in graph.get_all_asset_keys())

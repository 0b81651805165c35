"""A person runs a part again: one asset of one block, or what was left of a run that failed."""

from pathlib import Path

import dagster as dg
import pytest
from block_digests import digests

from mev_dagster.blockrun.run_tags import BLOCK_TAG, CAPTURE_TAG, WINDOW_TAG
from mev_dagster.captures.format import open_capture
from mev_dagster.definitions import defs
from mev_dagster.demo import SHIPPED_CAPTURE
from mev_dagster.errors import StoreError
from mev_dagster.store.client import Store, TableDigest


@pytest.fixture(scope="module")
def rerun(home: Path):
    """Return a function that runs assets of a block as the UI does: with no tag but the partition."""
    with dg.DagsterInstance.ephemeral() as instance:

        def run(number: int, *assets: str) -> tuple[dg.ExecuteInProcessResult, dict[str, str]]:
            instance.add_dynamic_partitions("blocks", [str(number)])
            result = (
                defs()
                .resolve_job_def("search_block")
                .execute_in_process(
                    partition_key=str(number),
                    instance=instance,
                    asset_selection=[dg.AssetKey(name) for name in assets] or None,
                    raise_on_error=False,
                )
            )
            return result, instance.get_run_by_id(result.run_id).tags

        yield run


@pytest.fixture(scope="module")
def number() -> int:
    with open_capture(SHIPPED_CAPTURE) as capture:
        return capture.numbers[8]


@pytest.fixture(scope="module")
def whole(rerun, store: Store, number: int) -> dict[str, TableDigest]:
    """The tables of a run of the whole block."""
    result, _ = rerun(number)
    assert result.success
    return digests(store, number)


ASSETS = (
    "ingest_windows", "decoded_txs", "source_coverage", "tx_features", "simulations", "opportunities",
    "block_templates", "relay_submissions", "mev_labels", "backtests",
)  # fmt: skip


@pytest.mark.parametrize("asset", ASSETS)
def test_one_asset_of_one_block_runs_alone_and_leaves_equal_tables(rerun, store, number, whole, asset):
    result, _ = rerun(number, asset)
    assert result.success
    [event] = result.get_asset_materialization_events()
    assert event.materialization.asset_key == dg.AssetKey(asset)
    assert all(check.passed for check in result.get_asset_check_evaluations())
    assert digests(store, number) == whole


def test_what_was_left_of_a_failed_run_completes_the_block(rerun, store, number, whole, monkeypatch):
    for table in ("block_templates", "relay_submissions"):
        store.delete(table, {"block_number": number})
    replace = Store.replace

    def failing(self, table, where, columns):
        if table == "block_templates":
            raise StoreError("a test's fault")
        return replace(self, table, where, columns)

    with monkeypatch.context() as fault:
        fault.setattr(Store, "replace", failing)
        failed, _ = rerun(number)
    assert not failed.success
    left = ("block_templates", "relay_submissions", "backtests")
    done = {event.asset_key.to_user_string() for event in failed.get_asset_materialization_events()}
    assert not done & set(left)
    result, _ = rerun(number, *left)
    assert result.success
    assert digests(store, number) == whole


def test_a_run_that_a_person_started_says_what_it_is_about(rerun, number, store):
    _, tags = rerun(number, "mev_labels")
    assert tags[BLOCK_TAG] == str(number)
    assert tags[CAPTURE_TAG] == SHIPPED_CAPTURE.name
    [(log_id, last_seq)] = store.rows(
        f"SELECT log_id, last_seq FROM ingest_windows FINAL WHERE NOT superseded AND block_number = {number}"
    )
    assert tags[WINDOW_TAG] == f"{log_id}:{last_seq}"

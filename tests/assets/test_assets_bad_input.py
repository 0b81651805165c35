"""What goes wrong with runs: each leaves the tables equal to those of a run that nothing happened to."""

import os
import signal
from pathlib import Path

import dagster as dg
import pytest
from block_digests import BLOCK_TABLES, digests
from capture_home import free_port
from live_chain import LiveChain

from mev_dagster.blockrun.run_tags import BLOCK_HASH_TAG, ENDED_TAG, HOT, LANE_TAG, SUPERSEDED
from mev_dagster.captures.format import open_capture
from mev_dagster.definitions import defs
from mev_dagster.demo import SHIPPED_CAPTURE
from mev_dagster.settings import settings
from mev_dagster.store.client import Store, TableDigest, open_store


def run_block(instance: dg.DagsterInstance, key: str, **tags: str) -> dg.ExecuteInProcessResult:
    instance.add_dynamic_partitions("blocks", [key])
    job = defs().resolve_job_def("backfill_blocks")
    return job.execute_in_process(partition_key=key, instance=instance, raise_on_error=False, tags=tags)


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    event = next(event for event in result.all_events if event.is_step_failure)
    error = event.step_failure_data.error
    said = event.step_failure_data.user_failure_data
    return f"{said.description if said else ''} {error.to_string() if error else ''}"


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as found:
        yield found


@pytest.fixture(scope="module")
def number() -> int:
    with open_capture(SHIPPED_CAPTURE) as capture:
        return capture.numbers[6]


@pytest.fixture(scope="module")
def clean(store: Store, number: int) -> dict[str, TableDigest]:
    """The tables of a run that nothing happened to."""
    with dg.DagsterInstance.ephemeral() as instance:
        assert run_block(instance, str(number)).success
    found = digests(store, number)
    assert all(found[table].rows for table in ("simulations", "opportunities", "block_templates"))
    return found


def test_a_key_that_nobody_added_is_no_run(store, number, clean, instance):
    job = defs().resolve_job_def("backfill_blocks")
    with pytest.raises(dg.DagsterUnknownPartitionError):
        job.execute_in_process(partition_key=str(number), instance=instance)
    assert digests(store, number) == clean


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("latest", "'latest': expected a block number in decimal"),
        ("007", "'007': expected a block number in decimal"),
        ("999999999", "no window leads to block 999999999"),
    ],
)
def test_a_key_that_is_no_block_of_the_log_fails_by_name(store, number, clean, key, message):
    with dg.DagsterInstance.ephemeral() as instance:
        result = run_block(instance, key)
    assert not result.success
    assert message in failure_of(result)
    assert digests(store, number) == clean


@pytest.mark.parametrize("deadly", ["tx_features", "opportunities", "block_runs", "backtests"])
def test_a_run_killed_between_two_writes_is_mended_by_the_next(store, number, clean, instance, deadly):
    child = os.fork()
    if child == 0:
        replace = Store.replace

        def killing(self, table, where, columns):
            written = replace(self, table, where, columns)
            if table == deadly:
                os.kill(os.getpid(), signal.SIGKILL)
            return written

        Store.replace = killing
        with dg.DagsterInstance.ephemeral() as own:
            run_block(own, str(number))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
    assert run_block(instance, str(number)).success
    assert digests(store, number) == clean


def test_two_runs_of_one_block_at_once_leave_the_rows_of_one(store, number, clean):
    children = []
    for _ in range(2):
        child = os.fork()
        if child == 0:
            with dg.DagsterInstance.ephemeral() as own:
                os._exit(0 if run_block(own, str(number)).success else 1)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
    assert digests(store, number) == clean


def test_a_run_without_a_store_says_so_and_the_next_one_leaves_equal_tables(
    store, number, clean, home, monkeypatch
):
    advertised = home / "store.json"
    hidden = advertised.rename(home / "store.hidden")
    monkeypatch.setattr("mev_dagster.store.endpoint.REVIVAL_SECONDS", 0.2)
    try:
        with dg.DagsterInstance.ephemeral() as instance:
            result = run_block(instance, str(number))
    finally:
        hidden.rename(advertised)
    assert not result.success
    assert "no embedded store server answers" in str([event.message for event in result.all_events]) + str(
        [event.event_specific_data for event in result.all_events]
    )
    with dg.DagsterInstance.ephemeral() as instance:
        assert run_block(instance, str(number)).success
    assert digests(store, number) == clean


@pytest.fixture
def live(home: Path, tmp_path: Path, anvil_binary: str, monkeypatch: pytest.MonkeyPatch):
    """Yield a live chain in a home and a database of its own, on the session's store server."""
    (tmp_path / "store.json").symlink_to(home / "store.json")
    monkeypatch.delenv("MEV_CAPTURE")
    port = free_port()
    for name, value in {
        "MEV_HOME": str(tmp_path), "MEV_STORE_DATABASE": "live", "MEV_RPC_URL": f"ws://127.0.0.1:{port}",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    open_store(settings(), in_process=False).close()  # makes the database that daemon and test will ask
    chain = LiveChain(anvil_binary, tmp_path, port)
    try:
        yield chain
    finally:
        chain.stop()
        monkeypatch.undo()
        settings.cache_clear()


def test_a_block_reorged_while_its_run_is_on_ends_superseded_and_its_successor_replaces_it(
    live: LiveChain, instance, monkeypatch
):
    live.mine()
    live.pay(1)
    lost = live.mine()
    number = lost.number
    database = open_store(settings(), in_process=False)
    whole = run_block(instance, str(number))
    assert whole.success  # its rows are there to be replaced
    replace = Store.replace
    reorgs = []

    def reorging(self, table, where, columns):
        if table == "simulations" and not reorgs:
            reorgs.append(table)
            written = replace(self, table, where, columns)
            live.reorg()
            return written
        return replace(self, table, where, columns)

    monkeypatch.setattr(Store, "replace", reorging)
    overtaken = run_block(instance, str(number), **{BLOCK_HASH_TAG: "0x" + lost.block_hash.hex()})
    assert reorgs
    assert not overtaken.success
    assert f"superseded: block {number} 0x{lost.block_hash.hex()} was reverted" in failure_of(overtaken)
    assert instance.get_run_by_id(overtaken.run_id).tags[ENDED_TAG] == SUPERSEDED

    successor = [head for head in live.heads() if head.number == number][-1]
    assert successor.block_hash != lost.block_hash
    again = run_block(instance, str(number), **{BLOCK_HASH_TAG: "0x" + lost.block_hash.hex()})
    assert not again.success  # the lost block's run is repeated by hand: it says why it cannot
    assert f"0x{successor.block_hash.hex()} took its place" in failure_of(again)

    assert run_block(instance, str(number), **{BLOCK_HASH_TAG: "0x" + successor.block_hash.hex()}).success
    replaced = digests(database, number)
    for table, column in BLOCK_TABLES.items():
        if table != "ingest_windows":
            database.delete(table, {column: number})
    assert run_block(instance, str(number)).success
    afresh = digests(database, number)
    changed = {table for table in BLOCK_TABLES if replaced[table] != afresh[table]}
    assert changed <= {"block_templates"}  # beside a node the builder's keys are each process's own
    assert replaced["block_templates"].rows == afresh["block_templates"].rows <= 1
    assert database.rows(f"SELECT DISTINCT block_hash FROM block_runs WHERE block_number = {number}") == [
        (successor.block_hash,)
    ]


def test_a_later_run_over_a_live_block_leaves_its_lag_as_it_was(store, home, instance):
    with open_capture(SHIPPED_CAPTURE) as capture:
        number = capture.numbers[4]
    timing = f"SELECT seen_at, finished_at, live FROM block_runs WHERE block_number = {number}"
    assert run_block(instance, str(number), **{LANE_TAG: HOT}).success
    measured = store.rows(timing)
    assert measured[0][2] is True
    assert run_block(instance, str(number)).success
    assert store.rows(timing) == measured

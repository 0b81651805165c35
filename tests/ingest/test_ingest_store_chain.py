"""A store is of one chain and has one canonical block a height, whichever logs are written to it."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ingest_events import GENESIS, arrived, block_on, numbered
from ingest_run import new_pipeline
from prometheus_client import CollectorRegistry

from mev_dagster.chain.blocks import Block
from mev_dagster.errors import StoreOfAnotherChain
from mev_dagster.events.log import EventLogWriter
from mev_dagster.events.reader import EventLogReader
from mev_dagster.events.types import Event
from mev_dagster.ingest.backfill import backfill
from mev_dagster.ingest.feeder import StoreFeeder
from mev_dagster.ingest.metrics import IngestMetrics
from mev_dagster.node.identity import CHAIN_FILE, ChainIdentity, ChainPin
from mev_dagster.store.client import Store
from mev_dagster.telemetry.clock import SystemClock
from mev_dagster.windows.rows import window_rows
from mev_dagster.windows.store_chain import chain_of
from mev_dagster.windows.window_store import ensure_window

MAINNET, OTHER = ChainIdentity(1, b"\x01" * 32), ChainIdentity(5, b"\x05" * 32)


def blocks_logged(folder: Path, *blocks: Block, at: int = 0, chain: ChainIdentity | None = None) -> Path:
    """Write a log of these blocks, a second apart from `at`."""
    folder.mkdir(parents=True, exist_ok=True)
    events = new_pipeline().accept(
        [arrived(block, (at + place) * 10**9) for place, block in enumerate(blocks)]
    )
    return logged(folder, numbered(events), chain)


def logged(folder: Path, events: list[Event], chain: ChainIdentity | None = None) -> Path:
    with EventLogWriter(folder) as log:
        log.append_many(events)
        log.commit()
    if chain is not None:
        ChainPin(folder / CHAIN_FILE).check(chain, "a node")
    return folder


def feeder_of(folder: Path, store: Store, metrics: IngestMetrics | None = None) -> StoreFeeder:
    return StoreFeeder(folder, lambda: store, metrics or IngestMetrics(CollectorRegistry()), SystemClock())


def fed(folder: Path, store: Store) -> None:
    feeder = feeder_of(folder, store)
    while feeder.step():
        pass


def canonical(store: Store) -> dict[int, list[bytes]]:
    found: dict[int, list[bytes]] = {}
    for number, block_hash in store.rows("SELECT block_number, block_hash FROM blocks FINAL WHERE canonical"):
        found.setdefault(number, []).append(block_hash)
    return found


def standing_windows(store: Store) -> list[tuple[int, bytes]]:
    sql = "SELECT block_number, block_hash FROM ingest_windows FINAL WHERE NOT superseded"
    return sorted(store.rows(sql))


ONE = block_on(GENESIS)
TWO, RIVAL = block_on(ONE.header), block_on(ONE.header, fork=b"rival")


@pytest.mark.parametrize("first", ["early", "late"])
def test_of_two_logs_rivals_the_one_seen_later_stays_canonical_in_either_order(tmp_path, store, first):
    early = blocks_logged(tmp_path / "early", ONE, TWO, at=100)
    late = blocks_logged(tmp_path / "late", ONE, RIVAL, at=200)
    for folder in (early, late) if first == "early" else (late, early):
        fed(folder, store)
    assert canonical(store) == {1: [ONE.hash], 2: [RIVAL.hash]}
    assert standing_windows(store) == [(1, ONE.hash), (2, RIVAL.hash)]


def test_a_log_that_forgot_to_revert_leaves_one_canonical_block(tmp_path, store):
    events = new_pipeline().accept([arrived(ONE, 1), arrived(TWO, 2)])
    events += new_pipeline().accept([arrived(RIVAL, 3)])  # a pipeline that has never heard of `TWO`
    fed(logged(tmp_path / "log", numbered(events)), store)
    assert canonical(store) == {1: [ONE.hash], 2: [RIVAL.hash]}


@pytest.mark.parametrize("again", ["backfill", "window"])
def test_whoever_writes_an_old_block_again_does_not_make_it_canonical_again(tmp_path, store, again):
    early = blocks_logged(tmp_path / "early", ONE, TWO, at=100)
    fed(early, store)
    fed(blocks_logged(tmp_path / "late", ONE, RIVAL, at=200), store)
    store.delete("blocks", {"block_number": 2, "block_hash": TWO.hash})
    if again == "backfill":
        backfill(store, early, again=True)
    else:
        ensure_window(store, window_rows(EventLogReader(early), 2))
    assert canonical(store)[2] == [RIVAL.hash]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 3)), min_size=1, max_size=6))
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
def test_after_every_batch_of_either_log_a_height_has_one_canonical_block(tmp_path_factory, store, steps):
    for table in ("blocks", "ingest_windows", "writer_progress", "block_txs", "replay_checkpoints"):
        store.command(f"TRUNCATE TABLE {table}")
    folders = {name: tmp_path_factory.mktemp(name) for name in "ab"}
    logs = {name: EventLogWriter(folder) for name, folder in folders.items()}
    pipelines = {name: new_pipeline() for name in "ab"}
    feeders = {name: feeder_of(folder, store) for name, folder in folders.items()}
    for place, (name, fork) in enumerate(steps):
        block = block_on(GENESIS if fork % 2 else ONE.header, fork=bytes([fork]))
        events = pipelines[name].accept([arrived(block, place)])
        logs[name].append_many(events)
        logs[name].commit()
        feeders[name].step()
        assert all(len(hashes) == 1 for hashes in canonical(store).values())
    for log in logs.values():
        log.close()


def test_the_first_log_that_knows_its_chain_decides_the_stores(tmp_path, store):
    fed(blocks_logged(tmp_path / "one", ONE, chain=ChainIdentity(1)), store)
    assert chain_of(store) == ChainIdentity(1)
    fed(blocks_logged(tmp_path / "two", ONE, chain=MAINNET), store)
    assert chain_of(store) == MAINNET  # an archive node told the first block


@pytest.mark.parametrize("other", [OTHER, ChainIdentity(1, b"\x05" * 32), ChainIdentity(5)])
def test_a_log_of_another_chain_is_refused_and_counted_before_a_row_is_written(tmp_path, store, other):
    fed(blocks_logged(tmp_path / "one", ONE, chain=MAINNET), store)
    metrics = IngestMetrics(CollectorRegistry())
    feeder = feeder_of(blocks_logged(tmp_path / "two", RIVAL, at=9, chain=other), store, metrics)
    with pytest.raises(StoreOfAnotherChain, match="the store is of"):
        feeder.step()
    assert canonical(store) == {1: [ONE.hash]}
    assert metrics.registry.get_sample_value("mev_wrong_chain_total", {"where": "store"}) == 1


def test_a_backfill_of_another_chain_is_refused(tmp_path, store):
    fed(blocks_logged(tmp_path / "one", ONE, chain=MAINNET), store)
    other = blocks_logged(tmp_path / "two", RIVAL, chain=OTHER)
    with pytest.raises(StoreOfAnotherChain):
        backfill(store, other, again=True)


def test_a_chain_that_only_a_flag_names_is_compared_and_decides_nothing(tmp_path, store):
    folder = blocks_logged(tmp_path / "one", ONE)
    flagged = StoreFeeder(
        folder,
        lambda: store,
        IngestMetrics(CollectorRegistry()),
        SystemClock(),
        pin=ChainPin(folder / CHAIN_FILE, chain_id=5),
    )
    flagged.step()
    assert chain_of(store) is None
    store.insert("store_chain", {"chain_id": [1]})
    with pytest.raises(StoreOfAnotherChain):
        flagged.step()

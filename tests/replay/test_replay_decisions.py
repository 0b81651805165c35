"""Features, executions and ranking of the shipped capture, decided again from the log, equal those stored."""

from dataclasses import replace

import pytest
from fault_injecting import FaultInjectingEngine

from mev_dagster.blockrun.over_log import decide_log
from mev_dagster.captures.format import open_capture
from mev_dagster.demo import SHIPPED_CAPTURE
from mev_dagster.events.log import EventLogReader, EventLogWriter
from mev_dagster.events.types import BlockSeen, TxBody, TxSeen
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.recheck import Recheck
from mev_dagster.ingest.backfill import backfill
from mev_dagster.replay.decisions import TABLES_OF_A_RUN, run_columns
from mev_dagster.replay.report import Deciding, replay_log
from mev_dagster.search.recheck import PARITY_MISMATCH

WINDOWS = 4
BUDGET = 8


@pytest.fixture(scope="module")
def capture():
    with open_capture(SHIPPED_CAPTURE) as opened:
        yield opened


@pytest.fixture(scope="module")
def events(capture):
    """The first windows of the capture, as a log holds them."""
    found = list(capture.events())
    heads = [index for index, event in enumerate(found) if isinstance(event, BlockSeen)]
    return found[: heads[WINDOWS] + 1]


def written(directory, events):
    with EventLogWriter(directory) as writer:
        writer.append_many(events)
    return EventLogReader(directory)


def decided(reader, capture, engine=None, store=None):
    engine = engine or get_engine()
    return list(
        decide_log(
            reader, capture, engine, Recheck(0.0), budget=BUDGET, last_seq=reader.last_seq, store=store
        )
    )


@pytest.fixture
def live(tmp_path, events, capture, store):
    """A log, its rows, and what the runs of its blocks stored."""
    reader = written(tmp_path / "events", events)
    backfill(store, reader.directory)
    for block in decided(reader, capture):
        result = block.decision.result
        env = result.env
        for table in TABLES_OF_A_RUN:
            store.replace(table, {"block_number": env.number}, run_columns(block, table))
        store.insert(
            "block_runs",
            {
                "block_number": [env.number],
                "block_hash": [block.head.block_hash],
                "block_time": [env.timestamp * 10**9],
                "seen_at": [block.head.wall_ns],
                "finished_at": [block.head.wall_ns],
                "engine": [result.engine],
                "pending_txs": [len(result.features)],
                "candidates": [len(result.candidates)],
                "verified": [sum(candidate.verified for candidate in result.candidates)],
                "rank_digest": [result.rank_digest],
                "live": [False],
            },
        )
    return reader


def replayed(reader, store, capture):
    return replay_log(reader, store, deciding=Deciding(capture, get_engine(), Recheck(0.0), budget=BUDGET))


def test_what_was_decided_live_is_decided_again(live, store, capture):
    report = replayed(live, store, capture)
    assert report.first_divergence is None
    assert report.parity == 1.0
    assert report.blocks_decided == WINDOWS
    assert report.decisions_equal == report.decisions_compared > WINDOWS


def test_a_ranking_altered_in_the_store_is_found(live, store, capture):
    store.command(
        "ALTER TABLE opportunities UPDATE size_wei = size_wei + 1 WHERE rank = 0 SETTINGS mutations_sync = 2"
    )
    found = replayed(live, store, capture).first_divergence
    assert (found.table, found.column) == ("opportunities", "size_wei")
    assert found.found == found.expected + 1


def test_a_log_that_lacks_one_sighting_decides_otherwise(events, capture, store, tmp_path):
    victims = [e for e in events if isinstance(e, TxSeen)]
    whole = written(tmp_path / "whole", events)
    full = {block.head.number: block.decision.result for block in decided(whole, capture)}
    ranked = next(result for result in full.values() if any(c.verified for c in result.candidates))
    hidden = ranked.candidates[0].pending_hashes[0]
    assert hidden in {event.tx_hash for event in victims}
    rest = [
        replace(event, seq=-1)
        for event in events
        if not (isinstance(event, TxSeen | TxBody) and event.tx_hash == hidden)
    ]
    again = {
        block.head.number: block.decision.result
        for block in decided(written(tmp_path / "rest", rest), capture)
    }
    assert again[ranked.env.number].rank_digest != ranked.rank_digest


def test_without_a_store_the_decisions_are_only_digested(events, capture, tmp_path):
    reader = written(tmp_path / "log", events)
    first, second = (replayed(reader, None, capture) for _ in range(2))
    assert first.rank_digest == second.rank_digest
    assert (first.parity, first.blocks_decided, first.ok) == (None, WINDOWS, True)


def test_a_replay_runs_what_it_finds_again_on_the_reference(events, capture, tmp_path):
    """A wrong engine's finds are dropped in a replay as they are in the run it repeats."""
    blocks = decided(written(tmp_path / "log", events), capture, FaultInjectingEngine())
    dropped = [c for b in blocks for c in b.decision.result.candidates if c.reason == PARITY_MISMATCH]
    assert sum(block.decision.mismatches for block in blocks) > 0
    assert dropped
    assert not any(candidate.verified for candidate in dropped)


def test_what_building_disproved_live_is_disproved_in_the_replay_too(live, store, capture):
    wrong = FaultInjectingEngine()
    first, later = next(
        (block, bundles[-1].opportunity_id)
        for block in decided(live, capture, wrong)
        if (bundles := [c for c in block.decision.result.candidates if c.verified and len(c.txs) > 1])
    )
    before = first.decision.result.rank_digest
    assert not first.decision.candidates.hold([later])
    number = first.head.number
    store.replace("opportunities", {"block_number": number}, run_columns(first, "opportunities"))
    again = next(b for b in decided(live, capture, wrong, store) if b.head.number == number)
    assert again.decision.result.rank_digest == first.decision.result.rank_digest != before

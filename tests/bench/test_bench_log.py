"""The contenders of `mev bench log` do the same work."""

from dataclasses import asdict
from pathlib import Path

from mev_dagster.bench.log import JsonLinesPeer, fields_by_hand, replay_columns, replay_json
from mev_dagster.bench.stream import TRANSACTIONS_PER_SECOND, mempool_stream
from mev_dagster.bench.transactions import generate
from mev_dagster.events.log import EventLogReader, EventLogWriter, verify
from mev_dagster.events.types import BlockSeen, TxBody, TxSeen


def test_both_sides_write_and_replay_every_event(tmp_path: Path):
    events = list(mempool_stream(generate(320)))
    with EventLogWriter(tmp_path / "log") as writer:
        writer.append_many(events)
        writer.seal()
    peer = JsonLinesPeer(tmp_path / "log.jsonl", asdict)
    peer.write(events)
    peer.close()
    assert len(events) == 641
    assert verify(tmp_path / "log").events == len(events)
    assert replay_columns(tmp_path / "log") == replay_json(tmp_path / "log.jsonl") == len(events)
    assert len(list(EventLogReader(tmp_path / "log").read())) == len(events)


def test_the_hand_written_peer_writes_the_same_fields(tmp_path: Path):
    for event in mempool_stream(generate(2)):
        assert fields_by_hand(event) == asdict(event)


def test_the_stream_is_the_same_every_time_and_says_that_it_is_synthetic():
    first, second = (list(mempool_stream(generate(301))) for _ in range(2))
    assert first == second
    assert all(event.synthetic for event in first if isinstance(event, TxSeen | TxBody))
    (block,) = (event for event in first if isinstance(event, BlockSeen))
    assert len(block.tx_hashes) == 12 * TRANSACTIONS_PER_SECOND

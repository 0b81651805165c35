"""A log replayed agrees with what the live path stored, and whatever was altered is found and named."""

import json
import shutil
from dataclasses import replace

import pytest
from ingest_events import GENESIS, arrived, block_on, body, seen, two_blocks_with_a_reorg
from ingest_run import new_pipeline, transfer
from prometheus_client import CollectorRegistry

from mev_dagster.cli import main
from mev_dagster.errors import InputError
from mev_dagster.events.log import EventLogReader, EventLogWriter
from mev_dagster.events.types import LaneStatus, TxIncluded, TxSeen
from mev_dagster.ingest.feeder import StoreFeeder
from mev_dagster.ingest.metrics import IngestMetrics
from mev_dagster.replay.report import replay_log
from mev_dagster.settings import Settings, settings
from mev_dagster.store.client import open_store
from mev_dagster.telemetry.clock import SystemClock

NOW = "SETTINGS mutations_sync = 2"


def write_log(directory, events):
    with EventLogWriter(directory, segment_bytes=4_000) as writer:
        writer.append_many(events)
    return EventLogReader(directory)


@pytest.fixture
def live(home, store):
    """A log of four windows with a reorg, stored by the live path in two runs."""
    events = two_blocks_with_a_reorg()[0]
    directory = home / "events"
    writer = EventLogWriter(directory, segment_bytes=4_000)
    for part in (events[:7], events[7:]):
        writer.append_many(part)
        writer.commit()
        feeder = StoreFeeder(
            directory,
            lambda: open_store(Settings(home=home), in_process=False),
            IngestMetrics(CollectorRegistry()),
            SystemClock(),
        )
        while feeder.step():
            pass
        feeder.close()
    writer.close()
    return directory, events


def altered_log(live, tmp_path, alter):
    """The same log under the same name with other events in it."""
    directory, events = live
    copy = tmp_path / "altered"
    reader = write_log(copy, alter(list(events)))
    shutil.copy(directory / "log.id", copy / "log.id")
    return reader


def test_log_and_store_agree(live, store):
    report = replay_log(EventLogReader(live[0]), store)
    assert (report.parity, report.first_divergence) == (1.0, None)
    assert report.events == len(live[1])
    assert report.rows_compared == report.rows_equal > 0
    assert report.checkpoints == report.checkpoints_compared == report.checkpoints_equal == 4


def test_the_digest_is_the_logs_alone(live, tmp_path):
    directory, events = live
    first = replay_log(EventLogReader(directory))
    other_segments = EventLogWriter(tmp_path / "one", segment_bytes=1_000_000)
    other_segments.append_many(events)
    other_segments.close()
    second = replay_log(EventLogReader(tmp_path / "one"))
    assert first.digest == second.digest
    assert (first.segments > 1, second.segments, first.parity) == (True, 1, None)


def of_kind(events, kind, nth=0):
    return [index for index, event in enumerate(events) if isinstance(event, kind)][nth]


def one_byte(events):
    index = of_kind(events, TxSeen, 1)
    flipped = bytes([events[index].tx_hash[0] ^ 1]) + events[index].tx_hash[1:]
    events[index] = replace(events[index], tx_hash=flipped)
    return events


def one_clock(events):
    index = of_kind(events, TxSeen, 1)
    events[index] = replace(events[index], wall_ns=events[index].wall_ns + 1)
    return events


def one_order(events):
    index = of_kind(events, TxSeen, 2)
    events[index], events[index + 1] = events[index + 1], events[index]
    return events


def one_inclusion(events):
    index = of_kind(events, TxIncluded, 1)
    events[index] = replace(events[index], mono_ns=events[index].mono_ns + 1)
    return events


@pytest.mark.parametrize(
    ("alter", "where"),
    [
        (one_byte, ("tx_sightings", "tx_hash")),
        (one_clock, ("tx_sightings", "seen_at")),
        (one_order, ("tx_sightings", "")),
        (one_inclusion, ("replay_checkpoints", "event_digest")),
    ],
)
def test_a_perturbed_event_is_found_and_both_values_are_shown(live, store, tmp_path, alter, where):
    report = replay_log(altered_log(live, tmp_path, alter), store)
    found = report.first_divergence
    assert (found.table, found.column) == where
    assert found.expected != found.found
    assert found.event.startswith(("TxSeen(", "TxBody(", "BlockSeen("))
    assert report.parity < 1.0
    changed = [a for a, b in zip(live[1], alter(list(live[1])), strict=True) if a != b]
    assert found.seq >= changed[0].seq


@pytest.mark.parametrize(
    ("statement", "table", "explanation"),
    [
        ("DELETE FROM transactions WHERE seq = (SELECT max(seq) FROM transactions)", "transactions", "lacks"),
        (
            "ALTER TABLE blocks UPDATE gas_limit = 1 WHERE block_number = 3 SETTINGS mutations_sync = 2",
            "blocks",
            "values differ",
        ),
        (
            "ALTER TABLE blocks UPDATE canonical = true WHERE NOT canonical SETTINGS mutations_sync = 2",
            "blocks",
            "values differ",
        ),
    ],
)
def test_a_store_that_was_tampered_with_is_found(live, store, statement, table, explanation):
    store.command(statement)
    found = replay_log(EventLogReader(live[0]), store).first_divergence
    assert found.table == table
    assert explanation in found.explanation


def test_a_row_the_log_does_not_give_is_found(live, store):
    [row] = store.rows(
        "SELECT block_number, block_hash, block_time, tx_index, tx_hash, seq, log_id FROM block_txs LIMIT 1"
    )
    names = ("block_number", "block_hash", "block_time", "tx_index", "tx_hash", "seq", "log_id")
    extra = {name: [value] for name, value in zip(names, row, strict=True)}
    store.insert("block_txs", {**extra, "tx_index": [77]})
    found = replay_log(EventLogReader(live[0]), store).first_divergence
    assert (found.table, found.expected) == ("block_txs", None)


def test_a_store_still_behind_the_log_is_compared_as_far_as_it_has_come(live, store):
    with EventLogWriter(live[0]) as writer:
        writer.append(seen(transfer(50)))
    report = replay_log(EventLogReader(live[0]), store)
    assert report.ok
    assert report.through_seq == len(live[1]) - 1


def test_a_body_logged_again_after_it_was_forgotten_is_no_divergence(home, store):
    tx = transfer(0)
    events = new_pipeline().accept([seen(tx), body(tx), arrived(block_on(GENESIS, tx))])
    directory = home / "events"
    write_log(directory, [*events, replace(body(tx), wall_ns=77)])
    feeder = StoreFeeder(
        directory,
        lambda: open_store(Settings(home=home), in_process=False),
        IngestMetrics(CollectorRegistry()),
        SystemClock(),
    )
    while feeder.step():
        pass
    feeder.close()
    assert replay_log(EventLogReader(directory), store).ok


def test_a_log_the_store_never_saw_is_refused_by_name(live, store, tmp_path):
    reader = write_log(tmp_path / "other", [seen(transfer(9))])
    with pytest.raises(InputError, match="the store holds nothing of log"):
        replay_log(reader, store)


def test_the_command_prints_one_document_and_fails_on_a_divergence(live, home, tmp_path, capsys):
    settings.cache_clear()
    main_status(["replay", str(live[0]), "--against", str(home), "--json"], 0)
    document = json.loads(capsys.readouterr().out)
    assert {"events", "segments", "digest", "parity", "first_divergence"} <= set(document)
    assert (document["parity"], document["first_divergence"]) == (1.0, None)
    altered = altered_log(live, tmp_path, one_clock)
    main_status(["replay", str(altered.directory), "--against", str(home), "--json"], 1)
    assert json.loads(capsys.readouterr().out)["first_divergence"]["column"] == "seen_at"
    main_status(["replay", str(tmp_path / "nowhere"), "--json"], 2)


def main_status(arguments, expected):
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert int(exit_.value.code or 0) == expected


def test_lane_statuses_are_part_of_the_digest(tmp_path):
    status = LaneStatus(-1, 1, 1, seen(transfer(0)).lane, "node", "gap", "a reason")
    plain = replay_log(write_log(tmp_path / "a", [seen(transfer(0)), status]))
    other = replay_log(write_log(tmp_path / "b", [seen(transfer(0)), replace(status, reason="another")]))
    assert plain.digest != other.digest

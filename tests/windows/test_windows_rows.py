"""Events to columns: what the schema asks for, exact values, reorgs revise, windows agree with the whole."""

from dataclasses import replace

import pytest
from ingest_events import GENESIS, arrived, block_on, body, numbered, seen, two_blocks_with_a_reorg
from ingest_run import new_pipeline, transfer

from mev_dagster.errors import InputError
from mev_dagster.events.log import EventLogReader, EventLogWriter
from mev_dagster.store.tables import TABLES
from mev_dagster.windows.bodies import BodyDecoder
from mev_dagster.windows.log_windows import find_window, log_identity
from mev_dagster.windows.rows import INGEST_TABLES, RowBuilder, batch_of, process, window_rows


def push(builder, events):
    batch = batch_of(events)
    builder.push(batch, BodyDecoder().begin(batch)())


def test_every_table_gets_the_columns_its_schema_asks_for():
    rows = process(two_blocks_with_a_reorg()[0], log_id="test")
    for table in INGEST_TABLES:
        columns = set(rows.columns(table))
        assert columns <= set(TABLES[table].names), table
        assert {column.name for column in TABLES[table].columns if column.required} <= columns, table
        assert rows.written[table][0]["log_id"] == "test"


def test_a_transaction_row_rebuilds_the_signed_values():
    (row,) = process(numbered([body(transfer(3, value_wei=2**200))])).written["transactions"]
    tx = transfer(3, value_wei=2**200)
    assert (row["tx_hash"], row["sender"], row["value_wei"]) == (tx.hash, tx.sender, 2**200)
    assert (row["r"], row["s"], row["v"], row["raw_len"]) == (tx.r, tx.s, tx.v, len(tx.raw))


def test_a_reorg_leaves_one_row_a_block_and_a_window_with_the_last_word():
    events, one, two, rival, three = two_blocks_with_a_reorg()
    rows = process(events)
    assert [(row["block_hash"], row["canonical"]) for row in rows.written["blocks"]] == [
        (one.hash, True),
        (two.hash, False),
        (rival.hash, True),
        (three.hash, True),
    ]
    assert [(row["block_hash"], row["superseded"]) for row in rows.written["ingest_windows"]] == [
        (one.hash, False),
        (two.hash, True),
        (rival.hash, False),
        (three.hash, False),
    ]
    assert [row["block_hash"] for row in rows.written["block_txs"]] == [
        one.hash, two.hash, rival.hash, rival.hash,
    ]  # fmt: skip


def test_a_block_that_comes_back_is_revised_not_written_again():
    one = block_on(GENESIS)
    two = block_on(one.header, transfer(0))
    rival = block_on(one.header, fork=b"b")
    events = numbered(new_pipeline().accept([arrived(block) for block in (one, two, rival, two)]))
    builder = RowBuilder("test")
    push(builder, events)
    rows = builder.take()
    assert len(rows.written["blocks"]) == len(rows.written["ingest_windows"]) == 3
    assert len(rows.written["block_txs"]) == 1
    last = [row for row in rows.revised["blocks"] if row["block_hash"] == two.hash][-1]
    assert last["canonical"]


def test_cutting_the_events_into_batches_changes_nothing():
    events = two_blocks_with_a_reorg()[0]
    builder = RowBuilder("")
    table_rows = {table: {} for table in INGEST_TABLES}
    for event in events:
        push(builder, [event])
        rows = builder.take()
        for part in (rows.written, rows.revised):
            for table, found in part.items():
                key = ("seq", "tx_index") if table == "block_txs" else ("seq",)
                table_rows[table].update({tuple(row[name] for name in key): row for row in found})
    whole = process(events)
    for table in INGEST_TABLES:
        assert list(table_rows[table].values()) == whole.written[table], table


def test_the_first_head_numbers_what_came_before_it():
    tx = transfer(0)
    one = block_on(replace(GENESIS, number=99))
    builder = RowBuilder("")
    events = numbered(new_pipeline().accept([seen(tx), body(tx), arrived(one)]))
    push(builder, events[:2])
    early = builder.take()
    assert early.written["tx_sightings"][0]["window_number"] == 0
    push(builder, events[2:])
    late = builder.take()
    assert [row["window_number"] for row in late.revised["tx_sightings"]] == [100]
    assert [row["window_number"] for row in late.revised["transactions"]] == [100]
    assert early.written["tx_sightings"][0]["window_number"] == 0


@pytest.fixture
def log(tmp_path):
    events, *blocks = two_blocks_with_a_reorg()
    with EventLogWriter(tmp_path / "log", segment_bytes=2_000) as writer:
        writer.append_many(events)
    return EventLogReader(tmp_path / "log"), events, blocks


@pytest.mark.parametrize("number", [1, 3])
def test_the_rows_of_a_window_are_those_of_the_whole_log_between_two_heads(log, number):
    reader, events, _ = log
    span = find_window(reader, number)
    whole = process(events, log_id=log_identity(reader))
    part = window_rows(reader, number)
    for table in INGEST_TABLES:
        expected = [row for row in whole.written[table] if span.first_seq <= row["seq"] <= span.last_seq]
        assert part.written[table] == expected, table


def test_the_window_of_a_reverted_number_is_that_of_its_rival(log):
    reader, _, (_, _, rival, _) = log
    rows = window_rows(reader, 2)
    assert [row["block_hash"] for row in rows.written["blocks"]] == [rival.hash]
    assert {row["window_number"] for row in rows.written["tx_sightings"]} == {2}
    assert not rows.written["ingest_windows"][0]["superseded"]


def test_a_window_the_log_does_not_hold_is_named(log):
    with pytest.raises(InputError, match="no window leads to block 99"):
        window_rows(log[0], 99)


def test_a_log_keeps_its_name(log):
    reader = log[0]
    name = log_identity(reader)
    assert len(name) == 16
    (reader.directory / "log.id").unlink()
    assert log_identity(reader) == name

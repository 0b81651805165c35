"""Lane against lane, out of the store: three blocks, two lanes, every number worked out by hand."""

import pytest
from ingest_events import GENESIS, block_on, numbered
from ingest_run import new_pipeline, transfer

from mev_dagster.commands.coverage import as_json
from mev_dagster.events.types import Lane, TxSeen
from mev_dagster.ingest.arrivals import BlockArrived
from mev_dagster.store.client import Store
from mev_dagster.windows.coverage import LaneCoverage, coverage_columns, measure
from mev_dagster.windows.rows import INGEST_TABLES, process

MS = 1_000_000
SLOT = 12_000 * MS

RPC, P2P = "rpc/node", "p2p/peers"
ONE = block_on(GENESIS, transfer(0), transfer(1))
TWO = block_on(ONE.header, transfer(2), transfer(3), transfer(4))
RIVAL = block_on(ONE.header, transfer(6), fork=b"rival")
THREE = block_on(TWO.header)


def seen(nonce: int, at: int, lane: Lane, peer: str = "") -> TxSeen:
    source = "node" if lane is Lane.RPC else "peers"
    return TxSeen(-1, at, at, lane, source, transfer(nonce).hash, peer=peer, announced_type=2)


def head(block, at: int) -> BlockArrived:
    return BlockArrived(at, at, Lane.RPC, "node", block)


ARRIVALS = [
    seen(0, 5_000 * MS, Lane.RPC),  # before its slot, which starts at 12 s
    seen(0, 5_030 * MS, Lane.P2P, "a"),  # 30 ms behind
    seen(0, 5_031 * MS, Lane.P2P, "b"),  # a second sighting, no second transaction
    seen(1, 12_500 * MS, Lane.P2P, "a"),  # after its slot began; never by rpc
    seen(2, 12_600 * MS, Lane.P2P, "a"),  # waits for the block after
    head(ONE, 13_000 * MS),
    seen(2, 14_000 * MS, Lane.RPC),  # 1,400 ms behind
    seen(4, 15_000 * MS, Lane.RPC),
    head(RIVAL, 24_500 * MS),
    seen(5, 24_600 * MS, Lane.RPC),  # lands nowhere
    seen(6, 24_700 * MS, Lane.RPC),  # landed in the rival only
    head(TWO, 25_000 * MS),
    seen(3, 26_000 * MS, Lane.P2P, "a"),  # after the block that holds it
    head(THREE, 37_000 * MS),
]


@pytest.fixture
def hybrid(store: Store) -> Store:
    rows = process(numbered(new_pipeline().accept(ARRIVALS)), log_id="log")
    for table in INGEST_TABLES:
        if rows.written.get(table):
            store.insert(table, rows.columns(table))
    return store


def test_each_lane_over_all_blocks(hybrid):
    found = measure(hybrid)
    assert (found.first, found.last, found.blocks, found.synthetic) == (1, 3, 3, False)
    assert found.lanes == (
        LaneCoverage(P2P, "", sightings=5, seen=4, exclusive=2, shared=2, seen_first=3, median_lead_ns=None,
                     p95_lead_ns=None, before_slot=2, after_slot=1, never_seen=2),
        LaneCoverage(RPC, "", sightings=5, seen=5, exclusive=3, shared=2, seen_first=4, median_lead_ns=None,
                     p95_lead_ns=None, before_slot=3, after_slot=0, never_seen=2),
    )  # fmt: skip


def test_one_lane_against_the_other(hybrid):
    p2p, rpc = measure(hybrid).pairs
    assert (p2p.lane, p2p.other, rpc.lane, rpc.other) == (P2P, RPC, RPC, P2P)
    assert (p2p.shared, p2p.seen_first, p2p.exclusive) == (2, 1, 2)
    assert (rpc.shared, rpc.seen_first, rpc.exclusive) == (2, 1, 3)
    assert (p2p.median_lead_ns, p2p.p95_lead_ns) == (-30 * MS, 1_400 * MS)
    assert (rpc.median_lead_ns, rpc.p95_lead_ns) == (-1_400 * MS, 30 * MS)


def test_what_any_lane_saw_of_what_landed(hybrid):
    together = measure(hybrid).together
    assert (together.seen, together.before_slot, together.after_slot, together.never_seen) == (7, 3, 1, 1)


def test_a_transaction_that_waited_was_seen_before_its_block_though_not_in_its_window(hybrid):
    two = measure(hybrid, first=2, last=2)
    p2p, rpc = two.lanes
    assert (p2p.seen, p2p.included, p2p.never_seen) == (0, 1, 2)
    assert (rpc.seen, rpc.included, rpc.never_seen) == (4, 2, 1)
    assert (two.pairs[0].shared, two.pairs[0].median_lead_ns) == (1, 1_400 * MS)


def test_blocks_add_up_to_their_range(hybrid):
    blocks = [measure(hybrid, first=number, last=number) for number in (1, 2, 3)]
    whole = measure(hybrid)
    for name in ("sightings", "included", "never_seen"):
        for lane in (P2P, RPC):
            parts = sum(getattr(one, name) for block in blocks for one in block.lanes if one.lane == lane)
            (total,) = (getattr(one, name) for one in whole.lanes if one.lane == lane)
            assert parts == total, (name, lane)


def test_windows_may_be_chosen_by_the_time_they_closed(hybrid):
    found = measure(hybrid, closed_from_ns=13_001 * MS, closed_before_ns=30_000 * MS)
    assert (found.first, found.last, found.blocks) == (2, 2, 1)
    assert measure(hybrid, closed_from_ns=40_000 * MS) is None


def test_rows_stored_twice_count_once(hybrid):
    before = measure(hybrid)
    hybrid.command("INSERT INTO tx_sightings SELECT * FROM tx_sightings")
    assert measure(hybrid) == before


def test_a_block_that_nobody_saw_anything_of(hybrid):
    hybrid.command("DELETE FROM tx_sightings WHERE 1")
    found = measure(hybrid, first=2, last=2)
    assert (found.lanes, found.together.never_seen) == ((), 3)


def test_the_rows_of_a_range_are_what_the_table_asks_for(hybrid):
    found = measure(hybrid, first=1, last=2)
    written = hybrid.replace(
        "coverage", {"first_block_number": 1, "last_block_number": 2}, coverage_columns(found)
    )
    assert written == 4
    share = "SELECT lane, included / (included + never_seen) FROM coverage WHERE other = '' ORDER BY lane"
    assert hybrid.rows(share) == [(P2P, 0.6), (RPC, 0.6)]


def test_the_command_prints_both_lanes_and_their_pair(hybrid):
    document = as_json(measure(hybrid))
    assert [(one["lane"], one["first_seen_share"], one["landed_share"]) for one in document["lanes"]] == [
        (P2P, 3 / 7, 0.6),
        (RPC, 4 / 7, 0.6),
    ]
    assert document["pairs"][0] == {
        "a": P2P, "b": RPC, "shared": 2, "a_first": 1, "median_ms": -30.0, "p95_ms": 1_400.0,
    }  # fmt: skip
    assert (document["before_slot"], document["after_slot"], document["never_seen"]) == (3, 1, 1)

"""Windows are cut at heads, by the log alone."""

from mev_dagster.events.types import BlockReverted, BlockSeen, Lane, LaneState, LaneStatus, TxBody, TxSeen
from mev_dagster.events.windows import windows

A, B, C = (bytes([n]) * 32 for n in (1, 2, 3))


def seen(seq: int, **more) -> TxSeen:
    return TxSeen(seq, seq * 10, seq, Lane.RPC, "node", bytes(32), **more)


def head(seq: int, number: int, block_hash: bytes) -> BlockSeen:
    return BlockSeen(seq, seq * 10, seq, Lane.RPC, "node", number, block_hash, bytes(32), b"", ())


def test_a_window_holds_what_came_after_the_head_before_it_up_to_its_own_head():
    body = TxBody(1, 10, 1, Lane.RPC, "node", bytes(32), b"raw")
    first, second = windows([seen(0), body, head(2, 5, A), seen(3, synthetic=True), head(4, 6, B), seen(5)])
    assert (first.number, first.block_hash, first.first_seq, first.last_seq) == (5, A, 0, 2)
    assert (first.sightings, first.bodies, first.synthetic) == (1, 1, False)
    assert (second.first_seq, second.last_seq, second.opened_ns, second.closed_ns) == (3, 4, 20, 40)
    assert second.synthetic


def test_a_reorg_gives_the_reverted_window_again_as_superseded():
    reverted = BlockReverted(3, 30, 3, Lane.RPC, "node", 6, B)
    cut = list(windows([head(0, 5, A), seen(1), head(2, 6, B), reverted, head(4, 6, C)]))
    assert [(w.number, w.block_hash, w.superseded) for w in cut] == [
        (5, A, False),
        (6, B, False),
        (6, B, True),
        (6, C, False),
    ]
    assert (cut[3].first_seq, cut[3].last_seq) == (3, 4)


def test_a_head_that_two_lanes_report_closes_one_window():
    cut = list(windows([head(0, 5, A), head(1, 5, A), seen(2), head(3, 6, B)]))
    assert [(w.number, w.first_seq, w.last_seq) for w in cut] == [(5, 0, 0), (6, 1, 3)]


def test_a_window_says_how_often_a_lane_lost_data_meanwhile():
    lost = LaneStatus(0, 0, 0, Lane.RPC, "node", LaneState.GAP, "subscription dropped", 3)
    back = LaneStatus(1, 10, 1, Lane.RPC, "node", LaneState.RESYNCED, "")
    (window,) = windows([lost, back, head(2, 5, A)])
    assert window.gaps == 1

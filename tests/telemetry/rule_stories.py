"""For every alert what is scraped, one sample in 15 s, and when it fires: `(minute, how many fire)`.

A story begins quietly, comes to fire, and ends quietly again. Where a rule has a threshold there is a second
story that stays just on the good side of it.
"""

from typing import NamedTuple


class Story(NamedTuple):
    alert: str
    series: dict[str, str]
    firing: dict[float, int]


I = '{instance="a"}'  # noqa: E741 - the instance of every story
LIVE = {'mev_lane_up{instance="a",lane="rpc"}': "1x400"}


def lag(stage: str, bound: str, in_time: str, all_of: str) -> dict[str, str]:
    return {
        f'mev_block_lag_seconds_bucket{{instance="a",stage="{stage}",le="{bound}"}}': in_time,
        f'mev_block_lag_seconds_count{{instance="a",stage="{stage}"}}': all_of,
    }


def seen_txs(seen: str) -> str:
    return f'mev_ingest_included_txs_total{{instance="a",seen="{seen}"}}'


STORIES = [
    Story("ProcessDown", {'up{instance="a",job="mev-ingest"}': "1x3 0x8 1x20"}, {0.5: 0, 2: 1, 4: 0}),
    Story("ProcessDown", {'up{instance="a",job="node"}': "0x30"}, {5: 0}),
    Story(
        "LaneDown",
        {'mev_lane_up{instance="a",lane="rpc"}': "1x7 0x12 1x20"},
        {1: 0, 2.5: 0, 4: 1, 6: 0},
    ),
    Story("LaneDown", {'mev_lane_up{instance="a",lane="capture"}': "1x4 0x30"}, {7: 0}),
    Story(  # the first silence of a counter that was not there, then none for ten minutes
        "LaneSilent",
        {'mev_lane_silences_total{instance="a",lane="rpc",kind="heads"}': "_x8 1x80"},
        {1: 0, 3: 1, 15: 0},
    ),
    Story(
        "LaneSilent",
        {'mev_lane_silences_total{instance="a",lane="rpc",kind="heads"}': "3x48 4x80"},
        {11: 0, 14: 1, 26: 0},
    ),
    Story(
        "HeadStale",
        {f"mev_head_age_seconds{I}": "2x4 15+15x11 2x20", **LIVE},
        {1: 0, 2: 0, 3.75: 1, 5: 0},
    ),
    Story("HeadStale", {f"mev_head_age_seconds{I}": "59x40", **LIVE}, {9: 0}),
    Story(
        "HeadStale",
        {f"mev_head_age_seconds{I}": "0+15x40", 'mev_lane_up{instance="a",lane="capture"}': "0x40"},
        {9: 0},
    ),
    Story(
        "QueueSaturation",
        {f"mev_ingest_queue_depth{I}": "10x4 90x8 10x20", f"mev_ingest_queue_capacity{I}": "100x40"},
        {1: 0, 2.75: 1, 5: 0},
    ),
    Story(
        "QueueSaturation",
        {f"mev_ingest_queue_depth{I}": "80x40", f"mev_ingest_queue_capacity{I}": "100x40"},
        {9: 0},
    ),
    Story(
        "EventsDropped",
        {'mev_ingest_dropped_total{instance="a",lane="p2p",reason="queue_full"}': "0x4 5x40"},
        {1: 0, 2: 1, 8: 0},
    ),
    Story(  # the first drop of a process makes the series
        "EventsDropped",
        {'mev_ingest_dropped_total{instance="a",lane="p2p",reason="queue_full"}': "_x8 3x60"},
        {1: 0, 3: 1, 10: 0},
    ),
    Story(
        "IngestLag",
        {f"mev_store_backlog_age_seconds{I}": "1x4 15+15x11 0x20"},
        {1: 0, 2: 0, 3.75: 1, 5: 0},
    ),
    Story("IngestLag", {f"mev_store_backlog_age_seconds{I}": "30x40"}, {9: 0}),
    Story("StoreBacklog", {f"mev_store_backlog_events{I}": "9x4 60000x30 9x20"}, {1: 0, 4: 0, 8: 1, 10: 0}),
    Story("StoreBacklog", {f"mev_store_backlog_events{I}": "50000x60"}, {14: 0}),
    Story(
        "DecodeFailures",
        {
            'mev_ingest_events_total{instance="a",lane="rpc",kind="TxBody"}': "0+100x120",
            'mev_ingest_rejected_total{instance="a",reason="bad_rlp"}': "0x10 0+50x20 1000x90",
        },
        {2: 0, 7: 1, 25: 0},
    ),
    Story(  # everything offered is garbage: no body is ever logged
        "DecodeFailures",
        {'mev_ingest_rejected_total{instance="a",reason="bad_rlp"}': "0x4 0+5x30 150x90"},
        {1: 0, 7: 1, 25: 0},
    ),
    Story(
        "DecodeFailures",
        {
            'mev_ingest_events_total{instance="a",lane="rpc",kind="TxBody"}': "0+96x80",
            'mev_ingest_rejected_total{instance="a",reason="bad_rlp"}': "0+4x80",
        },
        {19: 0},
    ),
    Story(
        "CoverageCollapse",
        {
            seen_txs("before"): "0+90x120 10800+1x100 10900+90x200",
            seen_txs("in_block"): "0+10x120 1200+99x100 11100+10x200",
        },
        {29: 0, 55: 1, 100: 0},
    ),
    Story(
        "CoverageCollapse",
        {
            seen_txs("before"): "0+30x200",
            seen_txs("in_block"): "0+70x200",
        },
        {49: 0},
    ),
    Story("MissingBlocks", {f"mev_ingest_missing_blocks_total{I}": "0x8 2x100"}, {1: 0, 3: 1, 20: 0}),
    Story("ClockStepped", {f"mev_clock_step_seconds{I}": "0x8 -10x100"}, {1: 0, 3: 1, 15: 0}),
    Story("ClockStepped", {f"mev_clock_step_seconds{I}": "0+0.01x100"}, {20: 0}),
    Story(
        "BlocksNotSearched",
        {
            f"mev_head_block_number{I}": "0+1x120",
            'mev_block_lag_seconds_count{instance="a",stage="searched"}': "0+1x30 30x40 30+1x60",
        },
        {7: 0, 16: 1, 20: 0},
    ),
    Story("BlocksNotSearched", {f"mev_head_block_number{I}": "0+1x80"}, {1: 0, 9: 1}),
    Story(  # found at the first connect, and at another one later
        "WrongChain",
        {'mev_wrong_chain_total{instance="a",where="node"}': "_x8 1x80"},
        {1: 0, 3: 1, 9: 0},
    ),
    Story(
        "WrongChain",
        {'mev_wrong_chain_total{instance="a",where="store"}': "1x40 2x80"},
        {9: 0, 11: 1, 19: 0},
    ),
    Story(
        "ExecutionStopped",
        {'mev_execution_stopped{instance="a:1",reason="unknown_fork"}': "0x4 4x8 0x8"},
        {0.75: 0, 2: 1, 4: 0},
    ),
    Story("EngineMismatch", {f"mev_sim_parity_mismatch_inputs{I}": "0x4 1x8 0x8"}, {0.75: 0, 2: 1, 4: 0}),
    Story(  # every block late for an hour, then in time
        "BudgetBurnsFast",
        lag("searched", "2.0", "0+1x400 400x240 400+1x400", "0+1x1100"),
        {99: 0, 158: 1, 200: 0},
    ),
    Story(  # seven in ten blocks late: 14 times the budget, not 14.4
        "BudgetBurnsFast",
        lag("searched", "2.0", "0+3x600", "0+10x600"),
        {149: 0},
    ),
    Story(  # forty in a hundred late for hours: six times the budget and more
        "BudgetBurnsSlowly",
        lag("searched", "2.0", "0+10x400 4000+6x1500 13000+10x900", "0+10x2900"),
        {99: 0, 470: 1, 600: 0},
    ),
    Story("BudgetBurnsSlowly", lag("stored", "4.0", "0+95x1600", "0+100x1600"), {399: 0}),
]

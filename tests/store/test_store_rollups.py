"""Days summed up from blocks: every sum worked out by hand, a second time changes nothing."""

from typing import Any

import pytest
from store_rows import DAY, SLOT

from mev_dagster.store.client import Store
from mev_dagster.store.rollups import BACKTESTS_DAILY, LABELS_DAILY, roll_up

START = SLOT - SLOT % DAY
ETHER = 10**18


def label(store: Store, number: int, kinds: list[tuple[str, int | None]], *, at: int = START) -> None:
    columns: dict[str, list[Any]] = {
        "block_time": [at] * len(kinds),
        "block_hash": [number.to_bytes(32, "big")] * len(kinds),
        "kind": [kind for kind, _ in kinds],
        "position": list(range(len(kinds))),
        "tx_hashes": [[bytes(32)]] * len(kinds),
        "beneficiary": [None] * len(kinds),
        "net_wei": [net for _, net in kinds],
        "opportunity_id": [None] * len(kinds),
    }
    store.replace("mev_labels", {"block_number": number}, columns)


def score(
    store: Store,
    number: int,
    kinds: dict[str, tuple[int, int, int, int]],
    *,
    at: int = START,
    last: int = 0,
    source: str = "block",
) -> None:
    where = {"first_block_number": number, "last_block_number": last or number, "source": source}
    store.replace("backtests", where, {
        "first_block_time": [at] * len(kinds),
        "kind": list(kinds),
        "true_positives": [hits for hits, _, _, _ in kinds.values()],
        "false_positives": [extra for _, extra, _, _ in kinds.values()],
        "false_negatives": [missed for _, _, missed, _ in kinds.values()],
        "precision": [None] * len(kinds),
        "recall": [None] * len(kinds),
        "pnl_wei": [pnl for _, _, _, pnl in kinds.values()],
        "captured_share": [None] * len(kinds),
        "synthetic": [number == 8] * len(kinds),
    })  # fmt: skip


@pytest.fixture
def labelled(store: Store) -> Store:
    label(store, 7, [("arbitrage", 2**130), ("arbitrage", -(2**70)), ("sandwich", None)])
    label(store, 8, [("arbitrage", 5), ("swap", None)], at=START + DAY - 1)
    label(store, 9, [("arbitrage", ETHER)], at=START + DAY)
    return store


@pytest.fixture
def scored(store: Store) -> Store:
    score(store, 7, {"arbitrage": (3, 1, 0, ETHER), "all": (3, 1, 0, ETHER)})
    score(store, 8, {"arbitrage": (0, 1, 4, -ETHER // 2), "all": (0, 1, 4, -ETHER // 2)}, at=START + DAY - 1)
    score(store, 9, {"all": (9, 9, 9, 9)}, at=START + DAY)
    score(store, 7, {"all": (9, 9, 9, 9)}, last=8)  # a backtest of a range, counted nowhere
    score(store, 8, {"all": (9, 9, 9, 9)}, source="capture")
    return store


def test_the_labels_of_a_day_by_kind(labelled):
    assert roll_up(labelled, LABELS_DAILY, START, START + DAY) == [
        {"kind": "arbitrage", "blocks": 2, "labels": 3, "net_wei": 2**130 - 2**70 + 5},
        {"kind": "sandwich", "blocks": 1, "labels": 1, "net_wei": 0},
        {"kind": "swap", "blocks": 1, "labels": 1, "net_wei": 0},
    ]
    assert roll_up(labelled, LABELS_DAILY, START + DAY, START + 2 * DAY) == [
        {"kind": "arbitrage", "blocks": 1, "labels": 1, "net_wei": ETHER}
    ]


def test_the_backtests_of_a_day_by_kind(scored):
    arbitrage, together = (
        {"kind": kind, "blocks": 2, "true_positives": 3, "false_positives": 2, "false_negatives": 4,
         "precision": 0.6, "recall": 3 / 7, "pnl_wei": ETHER // 2, "synthetic": True}
        for kind in ("arbitrage", "all")
    )  # fmt: skip
    assert roll_up(scored, BACKTESTS_DAILY, START, START + DAY) == [together, arbitrage]


def test_no_candidates_and_nothing_landed_give_no_share(store):
    score(store, 7, {"all": (0, 0, 0, 0)})
    (row,) = roll_up(store, BACKTESTS_DAILY, START, START + DAY)
    assert (row["precision"], row["recall"], row["pnl_wei"]) == (None, None, 0)


def test_a_window_done_again_leaves_equal_rows_and_one_version(labelled):
    roll_up(labelled, LABELS_DAILY, START, START + DAY)
    before = labelled.digest("labels_daily")
    roll_up(labelled, LABELS_DAILY, START, START + DAY)
    assert labelled.digest("labels_daily") == before
    assert before.rows == 3


def test_a_backfilled_block_counts_once_its_day_is_done_again(labelled):
    roll_up(labelled, LABELS_DAILY, START, START + DAY)
    label(labelled, 8, [])  # the block ran again, and nothing landed in it
    roll_up(labelled, LABELS_DAILY, START, START + DAY)
    kinds = labelled.rows("SELECT kind, blocks, labels FROM labels_daily ORDER BY kind")
    assert kinds == [("arbitrage", 1, 2), ("sandwich", 1, 1)]


def test_an_empty_window_leaves_no_rows(labelled):
    roll_up(labelled, LABELS_DAILY, START, START + DAY)
    labelled.command("TRUNCATE TABLE mev_labels")
    assert roll_up(labelled, LABELS_DAILY, START, START + DAY) == []
    assert labelled.count("labels_daily") == 0

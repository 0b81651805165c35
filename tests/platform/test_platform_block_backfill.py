"""What a backfill of blocks still has to do, out of the store: only what came to its end is done."""

from store_rows import SLOT

from mev_dagster.platform.block_backfill import TO_DO_SQL
from mev_dagster.store.client import Store


def block_hash(number: int) -> bytes:
    return number.to_bytes(32, "big")


def add_window(store: Store, number: int, *, superseded: bool = False) -> None:
    store.insert("ingest_windows", {
        "block_number": [number], "block_hash": [block_hash(number)], "block_time": [SLOT],
        "first_seq": [0], "last_seq": [1], "opened_at": [SLOT], "closed_at": [SLOT], "sightings": [0],
        "bodies": [0], "rejects": [0], "synthetic": [False], "superseded": [superseded],
    })  # fmt: skip


def add_opportunities_run(store: Store, number: int, hash_: bytes | None = None) -> None:
    store.insert("block_runs", {
        "block_number": [number], "block_time": [SLOT], "block_hash": [hash_ or block_hash(number)],
        "seen_at": [SLOT], "finished_at": [SLOT], "engine": ["py_evm"], "pending_txs": [0],
        "candidates": [0], "verified": [0], "rank_digest": [bytes(32)], "live": [False],
    })  # fmt: skip


def add_backtest(store: Store, number: int, *, last: int = 0, source: str = "block") -> None:
    store.insert("backtests", {
        "first_block_number": [number], "last_block_number": [last or number], "first_block_time": [SLOT],
        "source": [source], "kind": ["all"], "true_positives": [0], "false_positives": [0],
        "false_negatives": [0], "precision": [None], "recall": [None], "pnl_wei": [0],
        "captured_share": [None], "synthetic": [False],
    })  # fmt: skip


def to_do(store: Store, first: int, last: int) -> dict[int, bool]:
    return {number: bool(done) for number, done in store.rows(TO_DO_SQL, {"first": first, "last": last})}


def test_a_block_is_done_when_its_last_asset_is(store):
    for number in (1, 2, 3, 4, 5):
        add_window(store, number)
    add_opportunities_run(store, 1)
    add_backtest(store, 1)
    add_opportunities_run(store, 2)  # killed behind its opportunities
    add_backtest(store, 3, last=4)  # a backtest of a range says nothing of its blocks
    add_opportunities_run(store, 3)
    add_backtest(store, 4, source="capture")
    add_opportunities_run(store, 4)
    assert to_do(store, 1, 5) == {1: True, 2: False, 3: False, 4: False, 5: False}


def test_a_result_of_a_block_that_was_reorged_away_is_none(store):
    add_window(store, 1)
    add_opportunities_run(store, 1, b"r" * 32)
    add_backtest(store, 1)
    assert to_do(store, 1, 1) == {1: False}


def test_only_canonical_windows_of_the_range_count(store):
    add_window(store, 1)
    add_window(store, 2, superseded=True)
    add_window(store, 3)
    assert to_do(store, 1, 2) == {1: False}

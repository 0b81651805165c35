"""What a caller of the store may rely on."""

import pytest

from mev_dagster.errors import StoreError
from mev_dagster.store.client import Store
from mev_dagster.store.tables import TABLES

SLOT = 1_700_000_000_123_456_789


def opportunities(count: int, profit: int = -5) -> dict:
    return {
        "block_time": [SLOT] * count,
        "rank": list(range(count)),
        "opportunity_id": [bytes([index]) * 32 for index in range(count)],
        "parent_hash": [b"p" * 32] * count,
        "kind": ["arbitrage"] * count,
        "tx_hashes": [[b"a" * 32, b"b" * 32]] * count,
        "venues": [[]] * count,
        "size_wei": [2**255 + 7] * count,
        "expected_profit_wei": [profit] * count,
        "simulated_profit_wei": [None] * count,
        "gas_used": [21_000] * count,
        "verified": [True] * count,
    }


def test_amounts_hashes_and_times_come_back_exactly(store: Store):
    store.replace("opportunities", {"block_number": 7}, opportunities(1))
    [row] = store.frame("opportunities", blocks=range(7, 8)).to_dict("records")
    assert row["size_wei"] == 2**255 + 7
    assert row["expected_profit_wei"] == -5
    assert row["simulated_profit_wei"] is None
    assert row["tx_hashes"] == [b"a" * 32, b"b" * 32]
    assert row["block_time"].value == SLOT
    assert store.rows("SELECT size_wei, block_time FROM opportunities") == [(2**255 + 7, SLOT)]


def test_writing_a_block_twice_changes_nothing(store: Store):
    store.replace("opportunities", {"block_number": 7}, opportunities(3))
    first = store.digest("opportunities")
    store.replace("opportunities", {"block_number": 7}, opportunities(3))
    assert store.digest("opportunities") == first
    assert first.rows == 3


def test_a_block_written_with_fewer_rows_keeps_none_of_the_old_ones(store: Store):
    store.replace("opportunities", {"block_number": 6}, opportunities(1))
    store.replace("opportunities", {"block_number": 7}, opportunities(3))
    store.replace("opportunities", {"block_number": 7}, opportunities(2, profit=9))
    assert store.rows("SELECT block_number, expected_profit_wei FROM opportunities ORDER BY ALL") == [
        (6, -5),
        (7, 9),
        (7, 9),
    ]
    store.replace("opportunities", {"block_number": 7}, {})
    assert store.count("opportunities") == 1


def test_a_column_that_is_missing_unknown_or_of_the_wrong_width_is_named(store: Store):
    with pytest.raises(StoreError, match="needs block_number, rank"):
        store.insert("opportunities", {k: v for k, v in opportunities(1).items() if k != "rank"})
    with pytest.raises(StoreError, match="no column colour"):
        store.insert("opportunities", {"colour": ["red"]})
    with pytest.raises(StoreError, match=r"parent_hash: expected 32 bytes, found 3"):
        store.replace("opportunities", {"block_number": 1}, opportunities(1) | {"parent_hash": [b"abc"]})


def test_every_table_has_a_comment_for_each_column_and_a_readable_view(store: Store):
    for table in TABLES.values():
        assert all(column.comment for column in table.columns), table.name
        assert store.rows(f"SELECT * FROM v_{table.name} LIMIT 0") == []
    store.replace("opportunities", {"block_number": 7}, opportunities(1))
    assert store.rows("SELECT opportunity_id FROM v_opportunities") == [("0x" + "00" * 32,)]

"""The checks that the schema implies find what they are for, and nothing else."""

import pytest
from store_rows import SLOT, opportunities, sightings, transactions

from mev_dagster.store.checks import broken_checks
from mev_dagster.store.client import Store
from mev_dagster.store.tables import TABLES


def broken(store: Store, table: str, **where: int) -> dict[str, int]:
    return {check.name: count for check, count in broken_checks(store, TABLES[table], where).items()}


def test_sound_rows_break_nothing(store: Store):
    store.insert("transactions", transactions(3))
    store.insert("tx_sightings", sightings(3, first_seq=1))
    store.replace("opportunities", {"block_number": 7}, opportunities(3))
    for table in TABLES:
        assert not any(broken(store, table).values()), table


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({}, "keys_are_unique"),
        ({"tx_hash": [bytes(32)]}, "hashes_are_set"),
        ({"authorization_nonces": [[1, 2]]}, "parallel_columns_match"),
        ({"first_seen_at": [1]}, "days_are_possible"),
        ({"first_seen_at": [SLOT + 10 * 365 * 86_400 * 10**9]}, "days_are_possible"),
    ],
)
def test_each_check_counts_what_breaks_it(store: Store, changed: dict, name: str):
    store.insert("transactions", transactions(1, first=1))
    bad = transactions(1, first=1) | ({} if not changed else {"tx_hash": [b"x" * 32]}) | changed
    store.insert("transactions", bad)
    assert {check: count for check, count in broken(store, "transactions").items() if count} == {name: 1}


def test_a_check_may_look_at_one_block_only(store: Store):
    store.replace("opportunities", {"block_number": 7}, opportunities(2))
    store.insert("opportunities", opportunities(1) | {"block_number": [7]})
    assert broken(store, "opportunities", block_number=7)["keys_are_unique"] == 1
    assert broken(store, "opportunities", block_number=8)["keys_are_unique"] == 0


def test_a_share_beyond_one_is_counted(store: Store):
    row = {
        "first_block_number": [1], "last_block_number": [1], "first_block_time": [SLOT], "source": ["block"],
        "kind": ["all"], "true_positives": [1], "false_positives": [0], "false_negatives": [0],
        "pnl_wei": [0], "recall": [None], "synthetic": [False],
    }  # fmt: skip
    store.insert("backtests", row | {"precision": [1.0]})
    assert broken(store, "backtests")["shares_are_shares"] == 0
    store.insert("backtests", row | {"precision": [1.5], "kind": ["backrun"]})
    assert broken(store, "backtests")["shares_are_shares"] == 1

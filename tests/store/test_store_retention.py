"""Old rows go by their tier, a dry run says which, and what went can come back."""

from datetime import UTC, date, datetime, timedelta

import pytest
from store_rows import DAY, SLOT, opportunities, sightings

from mev_dagster.store.client import Store
from mev_dagster.store.retention import PrunedRows, prune
from mev_dagster.store.verify import verify

FIRST_DAY = datetime.fromtimestamp(SLOT / 1e9, UTC).date()


def in_days(days: int) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)


@pytest.fixture
def filled(store: Store) -> Store:
    store.insert("tx_sightings", sightings(4))
    store.insert("tx_sightings", sightings(3, window=2, first_seq=4, at=SLOT + DAY))
    store.replace("opportunities", {"block_number": 7}, opportunities(2))
    return store


def test_nothing_goes_before_its_time_however_old_the_block(filled: Store):
    assert prune(filled).tables == {}
    assert prune(filled, now=lambda: in_days(29)).rows_pruned == 0


def test_a_dry_run_says_what_would_go_and_changes_nothing(filled: Store):
    report = prune(filled, dry_run=True, now=lambda: in_days(31))
    days = (FIRST_DAY.isoformat(), (FIRST_DAY + timedelta(days=1)).isoformat())
    assert report.tables == {"tx_sightings": PrunedRows(7, days)}
    assert filled.count("tx_sightings") == 7


def test_each_tier_goes_at_its_own_age(filled: Store):
    assert prune(filled, now=lambda: in_days(31)).rows_pruned == 7
    assert (filled.count("tx_sightings"), filled.count("opportunities")) == (0, 2)
    assert prune(filled, now=lambda: in_days(366)).tables == {
        "opportunities": PrunedRows(2, (FIRST_DAY.isoformat(),))
    }


def test_only_the_old_rows_of_a_day_go(filled: Store):
    filled.insert("tx_sightings", sightings(2, first_seq=50) | {"stored_at": [in_days(20)] * 2})
    assert prune(filled, now=lambda: in_days(31)).tables["tx_sightings"].rows == 7
    assert filled.rows("SELECT seq FROM tx_sightings ORDER BY seq") == [(50,), (51,)]


def test_a_pruned_day_that_is_stored_again_has_equal_digests(filled: Store):
    before = filled.digest("tx_sightings")
    pruned = prune(filled, before=FIRST_DAY + timedelta(days=1))
    assert pruned.tables["tx_sightings"] == PrunedRows(4, (FIRST_DAY.isoformat(),))
    filled.insert("tx_sightings", sightings(4))
    assert filled.digest("tx_sightings") == before
    assert prune(filled).rows_pruned == 0


def test_pruning_by_day_leaves_days_from_that_one_on(filled: Store):
    assert prune(filled, before=date(2000, 1, 1)).rows_pruned == 0


def test_verification_counts_digests_and_finds_keys_that_are_there_twice(filled: Store):
    health = verify(filled)
    assert health.ok
    assert health.tables["tx_sightings"].rows == 7
    assert health.tables["tx_sightings"].digest == filled.digest("tx_sightings").digest
    filled.insert("tx_sightings", sightings(1))
    [problem] = verify(filled).tables["tx_sightings"].problems
    assert problem.startswith("keys_are_unique: 1 do not hold: No two rows have the same window_number, ")


def test_verification_names_a_missing_table(local_store: Store):
    local_store.command("RENAME TABLE mev.pools TO mev.elsewhere")
    try:
        health = verify(local_store)
        assert not health.ok
        assert health.tables["pools"].problems == ("the table is missing: mev store migrate",)
    finally:
        local_store.command("RENAME TABLE mev.elsewhere TO mev.pools")

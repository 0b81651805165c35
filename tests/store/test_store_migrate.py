"""An older database is brought to this version's schema, or the reason why not is named."""

from collections.abc import Iterator

import pytest
from store_rows import sightings

from mev_dagster.errors import StoreError
from mev_dagster.store.client import Store, open_store
from mev_dagster.store.migrate import MigrationReport, render
from mev_dagster.store.tables import TABLES


@pytest.fixture
def fresh(local_store: Store) -> Iterator[Store]:
    settings = local_store.settings.changed(store={"database": "older"})
    with open_store(settings, migrate=False) as store:
        store.migrate()
        yield store
        store.command("DROP DATABASE older")


def forget_applied(store: Store) -> None:
    store.command("TRUNCATE TABLE older.schema_migrations")


def test_a_current_database_is_left_alone(fresh: Store):
    assert fresh.migrate() == MigrationReport()
    assert fresh.count("schema_migrations") == len(TABLES)


def test_a_missing_table_and_a_missing_column_are_added_in_place(fresh: Store):
    fresh.command("DROP TABLE older.pools")
    fresh.insert("tx_sightings", sightings(2))
    fresh.command("ALTER TABLE older.tx_sightings DROP COLUMN announced_size")
    forget_applied(fresh)
    report = fresh.migrate()
    assert report.created == ["pools"]
    assert report.columns_added == ["tx_sightings.announced_size"]
    assert fresh.rows("SELECT announced_size FROM older.tx_sightings") == [(None,), (None,)]
    order = [name for (name,) in fresh.rows("SELECT name FROM system.columns WHERE database = 'older'"
                                            " AND table = 'tx_sightings' ORDER BY position")]  # fmt: skip
    assert order == list(TABLES["tx_sightings"].names)


def test_a_column_that_became_nullable_is_widened(fresh: Store):
    fresh.insert("tx_sightings", sightings(1))
    fresh.command("ALTER TABLE older.tx_sightings MODIFY COLUMN announced_size UInt32 DEFAULT 0")
    fresh.command("ALTER TABLE older.tx_sightings MODIFY COLUMN announced_size REMOVE DEFAULT")
    forget_applied(fresh)
    assert fresh.migrate().columns_widened == ["tx_sightings.announced_size"]
    assert fresh.rows("SELECT announced_size FROM older.tx_sightings") == [(120,)]


def test_a_retention_time_follows_the_settings(fresh: Store):
    settings = fresh.settings.changed(retention={"days_sightings": 3})
    with open_store(settings, migrate=False) as store:
        assert store.migrate().ttl_changed == ["orders", "sealed_blocks", "tx_rejects", "tx_sightings"]
        assert store.migrate() == MigrationReport()
        assert "toIntervalDay(3)" in store.scalar(
            "SELECT create_table_query FROM system.tables WHERE database = 'older' AND name = 'tx_sightings'"
        )


def test_a_table_from_before_deletions_by_patch_learns_them(fresh: Store):
    fresh.command(
        "ALTER TABLE older.tx_sightings RESET SETTING enable_block_number_column, enable_block_offset_column"
    )
    fresh.insert("tx_sightings", sightings(2))
    forget_applied(fresh)
    assert fresh.migrate().made_patchable == ["tx_sightings"]
    fresh.delete("tx_sightings", {"seq": 1})
    assert fresh.rows("SELECT seq FROM older.tx_sightings") == [(0,)]


def test_a_column_of_another_type_is_refused_by_name(fresh: Store):
    fresh.command("ALTER TABLE older.tx_sightings MODIFY COLUMN mono_ns String")
    forget_applied(fresh)
    with pytest.raises(StoreError, match=r"tx_sightings\.mono_ns is String here and Int64 in the schema"):
        fresh.migrate()


def test_a_column_the_schema_no_longer_knows_is_refused_by_name(fresh: Store):
    fresh.command("ALTER TABLE older.pools ADD COLUMN colour String")
    forget_applied(fresh)
    with pytest.raises(StoreError, match="pools has columns the schema no longer knows: colour"):
        fresh.migrate()


def test_a_table_that_is_sorted_in_another_order_is_refused(fresh: Store):
    fresh.command("DROP TABLE older.pools")
    ddl = render(TABLES["pools"], fresh.settings)
    fresh.command(ddl.replace("ORDER BY pool", "ORDER BY (protocol, pool)"))
    forget_applied(fresh)
    with pytest.raises(StoreError, match=r"pools is sorted by \(protocol, pool\) .* by \(pool\)"):
        fresh.migrate()

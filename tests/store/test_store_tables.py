"""The schema is read from its .sql files, and says what the house's contracts say."""

import pyarrow as pa
import pytest

from mev_dagster.errors import StoreError
from mev_dagster.settings import Settings
from mev_dagster.store.migrate import render
from mev_dagster.store.tables import TABLES, parse_table
from mev_dagster.store.types import nanoseconds, parse_type

DESIGNED = {
    "tx_sightings", "transactions", "tx_rejects", "blocks", "block_txs", "tx_features", "pools",
    "pool_states", "simulations", "opportunities", "block_templates", "relay_submissions", "relay_receipts",
    "mev_labels", "backtests", "coverage", "replay_checkpoints", "ingest_windows", "schema_migrations",
}  # fmt: skip


def test_every_designed_table_is_there():
    assert set(TABLES) >= DESIGNED


def test_hashes_are_fixed_width_amounts_wide_and_times_in_nanoseconds():
    for table in TABLES.values():
        for column in table.columns:
            item = column.type.item or column.type
            item = item.item or item
            if column.name.endswith(("_hash", "_hashes", "_root", "_digest", "opportunity_id")):
                assert item.width == 32, f"{table.name}.{column.name}"
            if column.name.endswith("_wei"):
                assert item.wide, f"{table.name}.{column.name}"
            if column.name.endswith(("_at", "_time")):
                exact = "DateTime64(9, 'UTC')"
                assert item.text in {exact, f"Nullable({exact})"}, f"{table.name}.{column.name}"


def test_every_table_that_grows_has_days_and_a_tier_and_finds_its_newest_version():
    for table in TABLES.values():
        grows = table.name not in {"pools", "writer_progress", "schema_migrations", "store_chain"}
        assert (table.day_column is not None, table.tier is not None) == (grows, grows), table.name
        assert table.version_column in table.by_name
        assert set(table.key) <= set(table.names)


def test_retention_times_come_from_the_settings():
    ddl = render(
        TABLES["tx_sightings"], Settings(retention={"days_sightings": 3}, store={"database": "other"})
    )
    assert "INTERVAL 3 DAY" in ddl
    assert "`other`.`tx_sightings`" in ddl


def test_the_arrow_schema_names_clickhouses_types_and_comments():
    field = TABLES["opportunities"].arrow_schema().field("simulated_profit_wei")
    assert field.type == pa.binary(32)
    assert field.nullable
    assert field.metadata[b"clickhouse"] == b"Nullable(Int256)"
    assert field.metadata[b"comment"].startswith(b"profit by execution")


def test_ddl_outside_the_houses_form_is_refused():
    with pytest.raises(ValueError, match="not in the house's CREATE TABLE form"):
        parse_table("CREATE TABLE t (a UInt8) ENGINE = Memory")
    with pytest.raises(ValueError, match="not a column definition: a UInt8"):
        parse_table(TABLES["pools"].ddl.replace("(\n", "(\n    a UInt8,\n", 1))
    with pytest.raises(ValueError, match="unknown column type UInt7"):
        parse_type("Array(UInt7)")


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("UInt256", [0, 2**64 - 1, 2**64, 2**256 - 1]),
        ("Int256", [-1, 0, 2**63 - 1, -(2**63)]),
        ("Int256", [-(2**255), 2**255 - 1]),
        ("Nullable(UInt256)", [None, 5, None]),
        ("Nullable(Int256)", [None, -5, 2**200]),
        ("Array(Array(FixedString(4)))", [[[b"abcd"], []], []]),
        ("Array(Nullable(FixedString(4)))", [[None, b"abcd"]]),
        ("Array(Int256)", [[-1, 2**100], []]),
        ("DateTime64(9, 'UTC')", [0, -1, 1_700_000_000_123_456_789]),
        ("Nullable(UInt64)", [None, 2**64 - 1]),
        ("LowCardinality(String)", ["a", ""]),
    ],
)
def test_values_survive_the_way_through_arrow(kind: str, values: list):
    parsed = parse_type(kind)
    assert parsed.decode(parsed.encode(values, "column")) == values


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("UInt256", [2**256]),
        ("UInt256", [-1]),
        ("Int256", [2**255]),
        ("UInt8", [256]),
        ("UInt64", [None]),
        ("UInt64", ["x"]),
        ("FixedString(4)", [b"abc"]),
        ("FixedString(4)", ["0xzz"]),
        ("Array(UInt8)", [None]),
        ("Array(UInt8)", [[None]]),
        ("DateTime64(9, 'UTC')", ["yesterday"]),
    ],
)
def test_values_that_do_not_fit_are_refused_by_the_name_of_their_column(kind: str, values: list):
    with pytest.raises(StoreError, match=r"^table\.column: "):
        parse_type(kind).encode(values, "table.column")


def test_times_may_be_given_in_any_usual_form():
    assert nanoseconds("2024-01-02T03:04:05.000001+01:00") == 1_704_161_045_000_001_000
    assert nanoseconds(17) == 17


@pytest.mark.parametrize(
    ("values", "sent"),
    [
        ([[], []], False),
        ([], False),
        ([[], [b"x"]], True),
        ([[b"x"], []], True),
        ([[], None], True),
    ],
)
def test_lists_need_not_be_sent_where_all_are_the_default(values, sent):
    column = next(one for one in TABLES["opportunities"].columns if one.default == "[]")
    assert column.is_all_default(values) is not sent
    assert column.is_all_default(pa.array(values, pa.list_(pa.binary()))) is not sent


@pytest.mark.parametrize(("values", "sent"), [([None, None], False), ([None, 1], True), ([], False)])
def test_what_is_null_by_default_need_not_be_sent_where_all_is_null(values, sent):
    column = TABLES["opportunities"]["simulated_profit_wei"]
    assert column.is_all_default(values) is not sent
    assert column.is_all_default(pa.array(values, pa.int64())) is not sent


def test_a_column_that_every_insert_brings_is_always_sent():
    column = TABLES["opportunities"]["rank"]
    assert not column.is_all_default([0, 0])
    assert not column.is_all_default(pa.array([None, None], pa.int64()))

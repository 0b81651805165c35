"""What every definition owes a person who opens it, asserted over all of them."""

import dagster as dg
import pytest

import sensors
from assets.tables import TABLE_NAME
from mev_dagster.definitions import defs
from mev_dagster.store.tables import TABLES

EDGES = {"mempool", "chain_heads", "landed_blocks", "relays"}
WITHOUT_TABLE = {"retention", "event_log_segments", "hourly_report"}
GRAPH = defs().resolve_asset_graph()
ALL = sorted(GRAPH.get_all_asset_keys())
AUTOMATION = [*sensors.SENSORS, *sensors.SCHEDULES]
MADE = sorted(GRAPH.executable_asset_keys)


def name_of(key: dg.AssetKey) -> str:
    return key.to_user_string()


def spec_of(key: dg.AssetKey) -> dg.AssetSpec:
    return next(spec for spec in defs().resolve_all_asset_specs() if spec.key == key)


@pytest.mark.parametrize("key", ALL, ids=name_of)
def test_every_asset_says_what_it_is_and_whose(key: dg.AssetKey):
    spec = spec_of(key)
    assert spec.group_name not in (None, "default")
    assert spec.description
    assert spec.kinds
    assert all(owner.startswith("team:") for owner in spec.owners)
    assert spec.owners


def test_mempool_chain_and_relays_are_external_at_the_edges():
    external = set(ALL) - set(MADE)
    assert {name_of(key) for key in external} == EDGES
    assert not any(GRAPH.get(key).parent_keys for key in external)
    assert all(GRAPH.get(key).child_keys for key in external)


@pytest.mark.parametrize("key", MADE, ids=name_of)
def test_every_asset_has_a_version_a_freshness_policy_and_a_check(key: dg.AssetKey):
    spec = spec_of(key)
    assert spec.code_version
    assert spec.freshness_policy is not None
    assert [check for check in GRAPH.asset_check_keys if check.asset_key == key]


@pytest.mark.parametrize("key", [key for key in MADE if name_of(key) not in WITHOUT_TABLE], ids=name_of)
def test_every_asset_with_a_table_shows_its_name_and_explained_columns(key: dg.AssetKey):
    metadata = spec_of(key).metadata
    table = TABLES[metadata[TABLE_NAME].removeprefix("mev.")]
    schema = metadata["dagster/column_schema"]
    columns = schema.columns if isinstance(schema, dg.TableSchema) else schema.value.columns
    assert [column.name for column in columns] == [column.name for column in table.columns]
    assert all(column.description and column.type for column in columns)
    sound = dg.AssetCheckKey(key, "rows_are_sound")
    assert GRAPH.get(sound).blocking


def test_every_check_says_what_holds():
    assert all(GRAPH.get(check).description for check in GRAPH.asset_check_keys)


@pytest.mark.parametrize("definition", [*sensors.JOBS, *AUTOMATION], ids=lambda one: one.name)
def test_every_job_sensor_and_schedule_says_what_it_does(definition):
    assert definition.description


@pytest.mark.parametrize("definition", AUTOMATION, ids=lambda one: one.name)
def test_every_sensor_and_schedule_runs_without_being_switched_on(definition):
    assert definition.default_status.value == "RUNNING"

"""A search's findings fit the tables they are stored in."""

import pytest
from search_market import Devnet, ether_for

from mev_dagster.search import rows
from mev_dagster.store.tables import TABLES

BUILDERS = {
    "opportunities": rows.opportunity_columns,
    "simulations": rows.simulation_columns,
    "pools": rows.pool_columns,
    "pool_states": rows.pool_state_columns,
}


@pytest.fixture(scope="module")
def result():
    devnet = Devnet()
    tx = devnet.swap(devnet.cast.whales[0], ether_for("ALPHA", "north", devnet.book, 20, 100))
    return devnet.search([tx], budget=2)


@pytest.mark.parametrize("table", sorted(BUILDERS))
def test_columns_match_the_schema(result, table):
    columns = BUILDERS[table](result)
    schema = TABLES[table]
    assert {column.name for column in schema.columns if column.required} <= set(columns) <= set(schema.names)
    lengths = {len(schema[name].type.encode(values, name)) for name, values in columns.items()}
    assert len(lengths) == 1
    assert lengths != {0}


def test_an_unexecuted_candidate_has_no_simulated_profit(result):
    columns = rows.opportunity_columns(result)
    for verified, simulated, detail in zip(
        columns["verified"], columns["simulated_profit_wei"], columns["detail"], strict=True
    ):
        assert (simulated is None) == (not verified) == ("over_budget" in detail)


def test_every_execution_is_a_row(result):
    columns = rows.simulation_columns(result)
    executed = sum(len(c.txs) for c in result.candidates if c.verification)
    assert len(columns["tx_hash"]) == len(result.runs) + executed
    assert columns["opportunity_id"].count(rows.ALONE) == len(result.runs)

"""What the `simulations` table says of a block's executions, whichever engine made them."""

import pytest

from mev_dagster.captures.format import open_capture
from mev_dagster.demo import SHIPPED_CAPTURE
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.native import native_is_installed
from mev_dagster.evm.types import Want
from mev_dagster.search.inputs import SearchInputs, capture_inputs
from mev_dagster.search.rows import Columns, simulation_columns
from mev_dagster.search.run import search_block
from mev_dagster.store.tables import TABLES

METERED = ("gas_classes", "gas_of_classes", "instructions", "cold_slots", "warm_accounts")


@pytest.fixture(scope="module")
def inputs() -> SearchInputs:
    with open_capture(SHIPPED_CAPTURE) as capture:
        return next(capture_inputs(capture, capture.numbers[4]))


def columns_of(inputs: SearchInputs, engine: str, *, analytics: bool) -> Columns:
    return simulation_columns(search_block(inputs, get_engine(engine, want=Want(analytics=analytics))))


@pytest.fixture(scope="module")
def metered(inputs) -> Columns:
    return columns_of(inputs, "py_evm", analytics=True)


def test_every_column_is_one_of_the_table_and_of_one_length(metered):
    assert set(metered) <= set(TABLES["simulations"].names)
    assert set(METERED) <= set(metered)
    assert len({len(values) for values in metered.values()}) == 1


def test_gas_of_classes_adds_up_to_what_was_used_and_refunded(metered):
    for gas_used, classes, gas in zip(
        metered["gas_used"], metered["gas_classes"], metered["gas_of_classes"], strict=True
    ):
        assert len(classes) == len(gas)
        assert gas_used <= sum(gas) <= gas_used * 5 // 4 + 1


def test_pending_transactions_that_meet_at_a_slot_are_told(metered):
    rows = list(
        zip(metered["opportunity_id"], metered["contended_slots"], metered["slots_read"], strict=True)
    )
    assert any(contended for _, contended, _ in rows)
    assert all(set(contended) <= set(read) for _, contended, read in rows)
    assert not any(contended for opportunity, contended, _ in rows if any(opportunity))


def test_what_was_not_metered_has_no_columns_for_it(inputs, metered):
    plain = columns_of(inputs, "py_evm", analytics=False)
    assert not set(METERED) & set(plain)
    assert plain == {name: values for name, values in metered.items() if name in plain}


@pytest.mark.skipif(not native_is_installed(), reason="mev_native is not installed: run `make native`")
def test_both_engines_fill_the_same_rows(inputs, metered):
    native = columns_of(inputs, "revm", analytics=True)
    assert {**native, "engine": metered["engine"]} == metered

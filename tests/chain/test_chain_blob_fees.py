"""Excess blob gas and its price over every schedule, as EIP-4844 and 7918 define them, and past any bound."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mev_dagster.chain.blocks import Header
from mev_dagster.chain.fees import GAS_PER_BLOB, blob_base_fee, calc_excess_blob_gas, next_base_fee
from mev_dagster.chain.forks import BLOB_PARAMETERS, BlobParameters, Fork
from mev_dagster.errors import InvalidBlock

GWEI = 10**9
BPO3 = BlobParameters(21, 32, 20_609_697)


def parent(*, excess=0, used=0, base_fee=7, gas_used=0, gas_limit=60_000_000):
    zero = bytes(32)
    return Header(
        zero, zero, bytes(20), zero, zero, zero, bytes(256), 0, 5, gas_limit, gas_used, 100, b"", zero,
        bytes(8), base_fee, zero, used, excess, zero, zero,
    )  # fmt: skip


def defined(excess, used, base_fee, blobs, *, reserve):
    """EIP-7918's pseudocode, with the target in blobs; without `reserve` EIP-4844's."""
    if excess + used < blobs.target * GAS_PER_BLOB:
        return 0
    if reserve and 2**13 * base_fee > GAS_PER_BLOB * blob_base_fee(excess, blobs):
        return excess + used * (blobs.maximum - blobs.target) // blobs.maximum
    return excess + used - blobs.target * GAS_PER_BLOB


@given(
    st.integers(0, 3 * 10**8),
    st.integers(0, 21),
    st.integers(1, 10**12),
    st.sampled_from([*BLOB_PARAMETERS.items(), (Fork.BPO2, BPO3), (Fork.AMSTERDAM, BPO3)]),
)
def test_excess_is_that_of_the_definition_by_the_childs_own_numbers(excess, blobs, base_fee, under):
    fork, parameters = under
    header = parent(excess=excess, used=blobs * GAS_PER_BLOB, base_fee=base_fee)
    expected = defined(excess, blobs * GAS_PER_BLOB, base_fee, parameters, reserve=fork >= Fork.OSAKA)
    assert calc_excess_blob_gas(header, fork, parameters) == expected


def test_over_a_blob_forks_boundary_the_childs_numbers_hold():
    header = parent(excess=10**8, used=15 * GAS_PER_BLOB, base_fee=1)
    by_bpo1, by_bpo2 = (calc_excess_blob_gas(header, fork) for fork in (Fork.BPO1, Fork.BPO2))
    assert by_bpo1 - by_bpo2 == 4 * GAS_PER_BLOB  # the target goes from 10 to 14


def test_the_reserve_price_holds_the_excess_up_where_execution_is_dear():
    cheap, dear = (parent(excess=10**6, used=21 * GAS_PER_BLOB, base_fee=fee) for fee in (1, 1_000 * GWEI))
    target = 14 * GAS_PER_BLOB
    assert calc_excess_blob_gas(cheap, Fork.BPO2) == 10**6 + 21 * GAS_PER_BLOB - target
    assert calc_excess_blob_gas(dear, Fork.BPO2) == 10**6 + 7 * GAS_PER_BLOB
    # Under Prague there is no such price.
    assert calc_excess_blob_gas(dear, Fork.PRAGUE) == 10**6 + 15 * GAS_PER_BLOB


def test_a_schedule_without_blobs_or_without_a_target_divides_nothing_by_zero():
    dear = parent(excess=10**6, base_fee=1_000 * GWEI)
    assert calc_excess_blob_gas(dear, Fork.BPO2, BlobParameters(0, 0, 10**6)) == 10**6
    used = parent(excess=0, used=2 * GAS_PER_BLOB, base_fee=1)
    assert calc_excess_blob_gas(used, Fork.PRAGUE, BlobParameters(0, 6, 10**6)) == 2 * GAS_PER_BLOB


@pytest.mark.parametrize(
    ("excess", "blobs"),
    [(2**64 - 1, BLOB_PARAMETERS[Fork.BPO2]), (10_000, BlobParameters(1, 2, 1)), (2**63, Fork.PRAGUE)],
)
def test_an_excess_whose_price_no_word_holds_is_refused_at_once(excess, blobs):
    with pytest.raises(InvalidBlock, match="past 256 bits"):
        blob_base_fee(excess, blobs)


def test_a_price_that_a_word_holds_is_computed():
    assert blob_base_fee(177, BlobParameters(1, 2, 1)) < 2**256


@given(st.integers(5_000, 2**40), st.integers(0, 100), st.integers(7, 10**12))
def test_the_base_fee_moves_by_an_eighth_at_most_and_towards_the_use(gas_limit, percent, base_fee):
    header = parent(gas_limit=gas_limit, gas_used=gas_limit * percent // 100, base_fee=base_fee)
    following = next_base_fee(header)
    assert abs(following - base_fee) <= max(base_fee // 8, 1)
    target = gas_limit // 2
    assert (following > base_fee) == (header.gas_used > target)

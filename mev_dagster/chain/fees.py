"""What a block's fees follow from: the base fee (EIP-1559) and the price of blobs (EIP-4844, 7918)."""

from mev_dagster.chain.blocks import Header
from mev_dagster.chain.forks import BlobParameters, Fork, blob_parameters
from mev_dagster.errors import InvalidBlock
from mev_dagster.units import GWEI

INITIAL_BASE_FEE_WEI = GWEI
ELASTICITY = 2
BASE_FEE_CHANGE_DENOMINATOR = 8

GAS_PER_BLOB = 2**17
MIN_BLOB_BASE_FEE_WEI = 1
_LARGEST_EXPONENT = 178  # e ** 178 is past 256 bits, and computing further would never end
BLOB_BASE_COST = 2**13  # EIP-7918: gas of execution a blob's fee is held against


def next_base_fee(parent: Header) -> int:
    """Return the base fee of the block after `parent` (EIP-1559); the first London block starts at 1 gwei."""
    if parent.base_fee_per_gas_wei is None:
        return INITIAL_BASE_FEE_WEI
    base_fee = parent.base_fee_per_gas_wei
    target = parent.gas_limit // ELASTICITY
    if parent.gas_used > target:
        change = base_fee * (parent.gas_used - target) // target // BASE_FEE_CHANGE_DENOMINATOR
        return base_fee + max(change, 1)
    return base_fee - base_fee * (target - parent.gas_used) // target // BASE_FEE_CHANGE_DENOMINATOR


def _fake_exponential(factor: int, numerator: int, denominator: int) -> int:
    """Approximate factor * e ** (numerator / denominator) by its Taylor series, as EIP-4844 does."""
    index = 1
    output = 0
    accumulated = factor * denominator
    while accumulated > 0:
        output += accumulated
        accumulated = accumulated * numerator // (denominator * index)
        index += 1
    return output // denominator


def blob_base_fee(excess_blob_gas: int, blobs: Fork | BlobParameters) -> int:
    """Return the price of a unit of blob gas in wei, under blob parameters or a fork's own."""
    parameters = blob_parameters(blobs) if isinstance(blobs, Fork) else blobs
    if excess_blob_gas > _LARGEST_EXPONENT * parameters.base_fee_update_fraction:
        raise InvalidBlock(f"excess blob gas {excess_blob_gas}: the blob base fee is past 256 bits")
    return _fake_exponential(MIN_BLOB_BASE_FEE_WEI, excess_blob_gas, parameters.base_fee_update_fraction)


def calc_excess_blob_gas(parent: Header, fork: Fork, blobs: BlobParameters | None = None) -> int:
    """Return the excess blob gas of the block of `fork` that follows `parent` (EIP-4844, EIP-7918).

    `blobs` are the block's blob parameters where they are not the fork's own.
    """
    parameters = blobs or blob_parameters(fork)
    excess = parent.excess_blob_gas or 0
    used = parent.blob_gas_used or 0
    target = parameters.target * GAS_PER_BLOB
    if excess + used < target:
        return 0
    if fork >= Fork.OSAKA and parent.base_fee_per_gas_wei is not None:
        reserve = BLOB_BASE_COST * parent.base_fee_per_gas_wei
        if reserve > GAS_PER_BLOB * blob_base_fee(excess, parameters):
            return excess + used * (parameters.maximum - parameters.target) // max(parameters.maximum, 1)
    return excess + used - target

"""Mainnet's forks in order, schedules that say which fork a block belongs to, and the fees forks define.

Source: execution-specs fork list; EIP-7607 (Osaka), EIP-7892 (blob-parameter-only forks); the networks'
configurations in eth-clients/mainnet, /sepolia, /hoodi and go-ethereum params/config.go.
"""

from dataclasses import dataclass
from enum import IntEnum

from mev_dagster.chain.blocks import Header
from mev_dagster.errors import InputError
from mev_dagster.units import GWEI


class Fork(IntEnum):
    """Execution-layer forks; a later fork compares greater."""

    FRONTIER = 0
    HOMESTEAD = 1
    DAO = 2
    TANGERINE_WHISTLE = 3
    SPURIOUS_DRAGON = 4
    BYZANTIUM = 5
    CONSTANTINOPLE = 6
    PETERSBURG = 7
    ISTANBUL = 8
    MUIR_GLACIER = 9
    BERLIN = 10
    LONDON = 11
    ARROW_GLACIER = 12
    GRAY_GLACIER = 13
    PARIS = 14
    SHANGHAI = 15
    CANCUN = 16
    PRAGUE = 17
    OSAKA = 18
    BPO1 = 19
    BPO2 = 20
    AMSTERDAM = 21


@dataclass(frozen=True, slots=True)
class ForkSchedule:
    """When each fork starts: by block number before the merge, by timestamp (seconds) from Shanghai on."""

    chain_id: int
    by_number: tuple[tuple[int, Fork], ...]
    by_timestamp: tuple[tuple[int, Fork], ...]

    def fork_at(self, number: int, timestamp: int) -> Fork:
        """Return the fork of the block with this number and timestamp (Unix seconds)."""
        fork = Fork.FRONTIER
        for start, candidate in self.by_number:
            if number >= start:
                fork = candidate
        for start, candidate in self.by_timestamp:
            if timestamp >= start:
                fork = candidate
        return fork


MAINNET = ForkSchedule(
    chain_id=1,
    by_number=(
        (0, Fork.FRONTIER),
        (1_150_000, Fork.HOMESTEAD),
        (1_920_000, Fork.DAO),
        (2_463_000, Fork.TANGERINE_WHISTLE),
        (2_675_000, Fork.SPURIOUS_DRAGON),
        (4_370_000, Fork.BYZANTIUM),
        (7_280_000, Fork.PETERSBURG),
        (9_069_000, Fork.ISTANBUL),
        (9_200_000, Fork.MUIR_GLACIER),
        (12_244_000, Fork.BERLIN),
        (12_965_000, Fork.LONDON),
        (13_773_000, Fork.ARROW_GLACIER),
        (15_050_000, Fork.GRAY_GLACIER),
        (15_537_394, Fork.PARIS),
    ),
    by_timestamp=(
        (1_681_338_455, Fork.SHANGHAI),
        (1_710_338_135, Fork.CANCUN),
        (1_746_612_311, Fork.PRAGUE),
        (1_764_798_551, Fork.OSAKA),
        (1_765_290_071, Fork.BPO1),
        (1_767_747_671, Fork.BPO2),
    ),
)

SEPOLIA = ForkSchedule(
    chain_id=11_155_111,
    by_number=((0, Fork.LONDON), (1_450_409, Fork.PARIS)),
    by_timestamp=(
        (1_677_557_088, Fork.SHANGHAI),
        (1_706_655_072, Fork.CANCUN),
        (1_741_159_776, Fork.PRAGUE),
        (1_760_427_360, Fork.OSAKA),
        (1_761_017_184, Fork.BPO1),
        (1_761_607_008, Fork.BPO2),
        (1_791_294_816, Fork.AMSTERDAM),
    ),
)

HOODI = ForkSchedule(
    chain_id=560_048,
    by_number=((0, Fork.PARIS),),
    by_timestamp=(
        (0, Fork.CANCUN),
        (1_742_999_832, Fork.PRAGUE),
        (1_761_677_592, Fork.OSAKA),
        (1_762_365_720, Fork.BPO1),
        (1_762_955_544, Fork.BPO2),
    ),
)

DEVNET_CHAIN_ID = 31_337


def devnet_schedule(fork: Fork = Fork.PRAGUE, *, chain_id: int = DEVNET_CHAIN_ID) -> ForkSchedule:
    """Return the schedule of a chain that has run one fork since genesis, as anvil does."""
    if fork >= Fork.SHANGHAI:
        return ForkSchedule(chain_id, ((0, Fork.PARIS),), ((0, fork),))
    return ForkSchedule(chain_id, ((0, fork),), ())


_SCHEDULES = {schedule.chain_id: schedule for schedule in (MAINNET, SEPOLIA, HOODI, devnet_schedule())}


def is_public_chain(chain_id: int) -> bool:
    """Say whether a chain is one for all, whose forks are agreed on ahead of time."""
    return chain_id in {MAINNET.chain_id, SEPOLIA.chain_id, HOODI.chain_id}


def schedule_for(chain_id: int) -> ForkSchedule:
    """Return the schedule of a known chain."""
    try:
        return _SCHEDULES[chain_id]
    except KeyError:
        known = ", ".join(str(known_id) for known_id in sorted(_SCHEDULES))
        raise InputError(f"no fork schedule for chain id {chain_id}; known: {known}") from None


INITIAL_BASE_FEE_WEI = GWEI
ELASTICITY = 2
BASE_FEE_CHANGE_DENOMINATOR = 8


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


@dataclass(frozen=True, slots=True)
class BlobParameters:
    """Blob target and limit per block, and how fast the blob base fee moves (EIP-4844, 7691, 7892)."""

    target: int
    maximum: int
    base_fee_update_fraction: int


BLOB_PARAMETERS = {
    Fork.CANCUN: BlobParameters(3, 6, 3_338_477),
    Fork.PRAGUE: BlobParameters(6, 9, 5_007_716),
    Fork.OSAKA: BlobParameters(6, 9, 5_007_716),
    Fork.BPO1: BlobParameters(10, 15, 8_346_193),
    Fork.BPO2: BlobParameters(14, 21, 11_684_671),
}

GAS_PER_BLOB = 2**17
MIN_BLOB_BASE_FEE_WEI = 1
BLOB_BASE_COST = 2**13  # EIP-7918: gas of execution a blob's fee is held against


def blob_parameters(fork: Fork) -> BlobParameters:
    """Return the blob parameters of a fork that has blobs."""
    try:
        return BLOB_PARAMETERS[fork]
    except KeyError:
        raise InputError(f"{fork.name} has no known blob parameters") from None


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


def blob_base_fee(excess_blob_gas: int, fork: Fork) -> int:
    """Return the price of a unit of blob gas in wei."""
    fraction = blob_parameters(fork).base_fee_update_fraction
    return _fake_exponential(MIN_BLOB_BASE_FEE_WEI, excess_blob_gas, fraction)


def calc_excess_blob_gas(parent: Header, fork: Fork) -> int:
    """Return the excess blob gas of the block of `fork` that follows `parent` (EIP-4844, EIP-7918)."""
    parameters = blob_parameters(fork)
    excess = parent.excess_blob_gas or 0
    used = parent.blob_gas_used or 0
    target = parameters.target * GAS_PER_BLOB
    if excess + used < target:
        return 0
    if fork >= Fork.OSAKA and parent.base_fee_per_gas_wei is not None:
        reserve = BLOB_BASE_COST * parent.base_fee_per_gas_wei
        if reserve > GAS_PER_BLOB * blob_base_fee(excess, fork):
            return excess + used * (parameters.maximum - parameters.target) // parameters.maximum
    return excess + used - target

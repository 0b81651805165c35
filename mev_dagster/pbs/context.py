"""What is fixed about a block before anything is chosen for it, and whom it must pay."""

from dataclasses import dataclass

from mev_dagster.chain.blocks import Block, Header, Withdrawal
from mev_dagster.chain.fees import calc_excess_blob_gas, next_base_fee
from mev_dagster.chain.forks import BLOB_PARAMETERS, BlobParameters, Fork, ForkSchedule
from mev_dagster.errors import UnsupportedFork
from mev_dagster.evm.types import BlockEnv
from mev_dagster.pbs.types import ConsensusFork, consensus_fork_of

GAS_LIMIT_BOUND_DIVISOR = 1024


@dataclass(frozen=True, slots=True)
class Proposer:
    """A slot's proposer, as registered with the relay."""

    pubkey: bytes
    fee_recipient: bytes
    gas_limit: int


@dataclass(frozen=True, slots=True)
class BlockContext:
    """Parent and payload attributes of a block, with what the protocol derives from the parent."""

    schedule: ForkSchedule
    slot: int
    number: int
    parent_hash: bytes
    timestamp: int
    prev_randao: bytes
    gas_limit: int
    base_fee_per_gas_wei: int
    withdrawals: tuple[Withdrawal, ...] | None
    excess_blob_gas: int | None
    parent_beacon_block_root: bytes | None

    @property
    def fork(self) -> Fork:
        """The execution fork the block belongs to."""
        return self.schedule.fork_at(self.number, self.timestamp)

    @property
    def consensus_fork(self) -> ConsensusFork:
        """The consensus fork that carries the block's payload; `UnsupportedFork` when none does."""
        return consensus_fork_of(self.fork)

    def env(self, coinbase: bytes) -> BlockEnv:
        """Return the environment transactions execute in."""
        blobs = self.schedule.blobs_at(self.number, self.timestamp)
        return BlockEnv(
            chain_id=self.schedule.chain_id,
            fork=self.fork,
            number=self.number,
            timestamp=self.timestamp,
            coinbase=coinbase,
            gas_limit=self.gas_limit,
            base_fee_per_gas_wei=self.base_fee_per_gas_wei,
            prev_randao=self.prev_randao,
            parent_hash=self.parent_hash,
            excess_blob_gas=self.excess_blob_gas,
            parent_beacon_block_root=self.parent_beacon_block_root,
            blobs=None if blobs == BLOB_PARAMETERS.get(self.fork) else blobs,
            slot_number=self.slot if self.fork >= Fork.AMSTERDAM else None,
            deposit_contract=self.schedule.deposit_contract,
            may_lack_request_contracts=self.schedule.may_lack_request_contracts,
        )


def context_of(block: Block, schedule: ForkSchedule, slot: int) -> BlockContext:
    """Return the context in which a known block was built: what replay competes in."""
    header = block.header
    if header.base_fee_per_gas_wei is None or schedule.fork_at(header.number, header.timestamp) < Fork.PARIS:
        raise UnsupportedFork(
            f"block {header.number}: no relay before the merge, so nothing to build for one"
        )
    return BlockContext(
        schedule=schedule,
        slot=slot,
        number=header.number,
        parent_hash=header.parent_hash,
        timestamp=header.timestamp,
        prev_randao=header.mix_hash,
        gas_limit=header.gas_limit,
        base_fee_per_gas_wei=header.base_fee_per_gas_wei,
        withdrawals=block.withdrawals,
        excess_blob_gas=header.excess_blob_gas,
        parent_beacon_block_root=header.parent_beacon_block_root,
    )


def context_after(
    parent: Block,
    schedule: ForkSchedule,
    slot: int,
    *,
    timestamp: int,
    prev_randao: bytes,
    registered_gas_limit: int,
    withdrawals: tuple[Withdrawal, ...] = (),
    parent_beacon_block_root: bytes = bytes(32),
) -> BlockContext:
    """Return the context of the block after `parent`, as payload attributes announce it."""
    header = parent.header
    fork = schedule.fork_at(header.number + 1, timestamp)
    cancun = fork >= Fork.CANCUN
    return BlockContext(
        schedule=schedule,
        slot=slot,
        number=header.number + 1,
        parent_hash=parent.hash,
        timestamp=timestamp,
        prev_randao=prev_randao,
        gas_limit=gas_limit_towards(header.gas_limit, registered_gas_limit),
        base_fee_per_gas_wei=next_base_fee(header),
        withdrawals=withdrawals if fork >= Fork.SHANGHAI else None,
        excess_blob_gas=excess_blob_gas_after(header, fork, schedule.blobs_at(header.number + 1, timestamp))
        if cancun
        else None,
        parent_beacon_block_root=parent_beacon_block_root if cancun else None,
    )


def gas_limit_towards(parent_gas_limit: int, registered_gas_limit: int) -> int:
    """Return the gas limit nearest to what the proposer asked for that may follow the parent's."""
    reach = parent_gas_limit // GAS_LIMIT_BOUND_DIVISOR - 1
    return max(min(registered_gas_limit, parent_gas_limit + reach), parent_gas_limit - reach)


def excess_blob_gas_after(parent: Header, fork: Fork, blobs: BlobParameters | None = None) -> int:
    """Return the excess blob gas that follows a parent."""
    return calc_excess_blob_gas(parent, fork, blobs)

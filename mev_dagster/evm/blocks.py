"""Whole blocks: the environment a header describes, execution, receipts and miners' rewards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from mev_dagster.chain.access_lists import access_list_fault
from mev_dagster.chain.blocks import Block, Header
from mev_dagster.chain.forks import BLOB_PARAMETERS, Fork, ForkSchedule
from mev_dagster.chain.networks import schedule_for
from mev_dagster.chain.receipts import Receipt, receipts_root
from mev_dagster.chain.transactions import Transaction
from mev_dagster.errors import InputError, InvalidBlock, MissingState, UnsupportedFork
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.types import (
    AccountDiff,
    BlockEnv,
    SimResult,
    SimulationEngine,
    StateSource,
    TxResult,
    TxStatus,
)
from mev_dagster.evm.validate import Invalid
from mev_dagster.hexadecimal import to_hex
from mev_dagster.units import ETHER

_UNCLE_DENOMINATOR = 8
_NEPHEW_DENOMINATOR = 32


@dataclass(frozen=True)
class BlockResult:
    """A block executed from its parent's state: the transactions it holds, and what became of them."""

    transactions: tuple[Transaction, ...]
    sim: SimResult

    @cached_property
    def receipts(self) -> tuple[Receipt, ...]:
        """The receipts, made when they are first asked for."""
        return receipts_of(self.transactions, self.sim.txs, self.sim.fork)

    @property
    def receipts_root(self) -> bytes | None:
        """Their root: the engine's, where it has made one; None before Byzantium, when they held roots."""
        if self.sim.fork < Fork.BYZANTIUM:
            return None
        return self.sim.receipts_root or root_of(self.receipts, self.sim)

    @property
    def gas_used(self) -> int:
        """What the header states."""
        return self.sim.gas_used

    @property
    def state_diff(self) -> Mapping[bytes, AccountDiff]:
        """What changed since the parent's state."""
        return self.sim.state_diff

    @property
    def state_diff_hash(self) -> bytes:
        """The canonical digest of the changes."""
        return self.sim.state_diff_hash


def block_env(header: Header, chain: int | ForkSchedule) -> BlockEnv:
    """Return the environment of a header; `chain` is a known chain's id or a schedule."""
    schedule = schedule_for(chain) if isinstance(chain, int) else chain
    fork = schedule.fork_at(header.number, header.timestamp)
    blobs = schedule.blobs_at(header.number, header.timestamp)
    return BlockEnv(
        chain_id=schedule.chain_id,
        fork=fork,
        number=header.number,
        timestamp=header.timestamp,
        coinbase=header.coinbase,
        gas_limit=header.gas_limit,
        base_fee_per_gas_wei=header.base_fee_per_gas_wei,
        difficulty=header.difficulty,
        prev_randao=header.mix_hash,
        parent_hash=header.parent_hash,
        excess_blob_gas=header.excess_blob_gas,
        parent_beacon_block_root=header.parent_beacon_block_root,
        first_of_fork=header.number > 0 and fork != schedule.fork_at(header.number - 1, header.timestamp - 1),
        blobs=None if blobs == BLOB_PARAMETERS.get(fork) else blobs,
        slot_number=header.slot_number,
        deposit_contract=schedule.deposit_contract,
        may_lack_request_contracts=schedule.may_lack_request_contracts,
    )


def execute_block(
    engine: SimulationEngine,
    state: StateSource,
    block: Block,
    chain: int | ForkSchedule | None = None,
    *,
    judge_access_list: bool = True,
) -> BlockResult:
    """Execute a block as its network did, system calls, withdrawals and rewards included.

    `chain` defaults to the chain id that the block's transactions were signed for. Raises `MissingState`
    or `InputError` when a transaction cannot be executed: a mined block holds none such. `InvalidBlock`
    where its access list, or the hash its header has of one, is not what executing it gave (EIP-7928).
    """
    _refuse_foreign(block)
    env = block_env(block.header, _chain_of(block) if chain is None else chain)
    sim = engine.simulate(
        state,
        env,
        block.transactions,
        begin_block=True,
        withdrawals=block.withdrawals or (),
        end_block=True,
        rewards=mining_rewards(block, env.fork),
    )
    if sim.rejected:
        _refuse(state, block, sim.rejected[0].index, sim.rejected[0].result)
    if judge_access_list and (fault := access_list_fault_of(block, sim)) is not None:
        raise InvalidBlock(f"block {block.header.number}: access list: {fault}")
    return BlockResult(block.transactions, sim)


def access_list_fault_of(block: Block, sim: SimResult) -> str | None:
    """Return how the access list that a block states differs from what executing it gave, or None."""
    return access_list_fault(
        block.access_list,
        block.header.block_access_list_hash,
        sim.access_list,
        gas_limit=block.header.gas_limit,
        transactions=len(block.transactions),
    )


def _refuse_foreign(block: Block) -> None:
    if block.foreign:
        first = block.foreign[0]
        raise UnsupportedFork(
            f"block {block.header.number}: transaction {first.index} is of type {first.type:#x}, "
            f"which no engine here executes ({len(block.foreign)} such transactions)"
        )


def root_of(receipts: Sequence[Receipt], sim: SimResult) -> bytes:
    """Return the receipts root: the engine's, where it has made one."""
    return receipts_root(receipts) if sim.receipts_root is None else sim.receipts_root


def receipts_of(
    txs: tuple[Transaction, ...], results: tuple[TxResult, ...], fork: Fork
) -> tuple[Receipt, ...]:
    """Return the receipts of executed transactions."""
    receipts, cumulative = [], 0
    for tx, result in zip(txs, results, strict=True):
        cumulative += result.gas_used
        receipts.append(
            Receipt(
                type=tx.type,
                status=int(result.status is TxStatus.SUCCESS) if fork >= Fork.BYZANTIUM else None,
                post_state=None,
                cumulative_gas_used=cumulative,
                gas_used=result.gas_used,
                logs=result.logs,
            )
        )
    return tuple(receipts)


def mining_rewards(block: Block, fork: Fork) -> dict[bytes, int]:
    """Return what proof of work pays the miner and the uncles' miners (EIP-649, 1234)."""
    if fork >= Fork.PARIS:
        return {}
    base = 5 if fork < Fork.BYZANTIUM else 3 if fork < Fork.CONSTANTINOPLE else 2
    base *= ETHER
    rewards = {block.header.coinbase: base + base // _NEPHEW_DENOMINATOR * len(block.uncles)}
    for uncle in block.uncles:
        distance = block.header.number - uncle.number
        share = base * (_UNCLE_DENOMINATOR - distance) // _UNCLE_DENOMINATOR
        rewards[uncle.coinbase] = rewards.get(uncle.coinbase, 0) + share
    return rewards


def _chain_of(block: Block) -> int:
    for tx in block.transactions:
        if tx.chain_id is not None:
            return tx.chain_id
    raise InputError(f"block {block.header.number}: no transaction tells the chain it belongs to")


def blame_missing_state(state: StateSource, read: Sequence[bytes]) -> None:
    """Call a wrong outcome by its likelier name where it read an account that is only presumed absent."""
    if isinstance(state, Prestate):
        for address in state.presumed_absent(read):
            raise MissingState("account", to_hex(address))


def _refuse(state: StateSource, block: Block, index: int, result: TxResult) -> None:
    blame_missing_state(state, [block.transactions[index].sender])
    if result.error == Invalid.MISSING_STATE:
        what, _, key = result.detail.partition(" ")
        raise MissingState(what, key)
    raise InputError(
        f"block {block.header.number}: transaction {index} ({to_hex(result.tx_hash)}) cannot be executed: "
        f"{result.error}: {result.detail}"
    )

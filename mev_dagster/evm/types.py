"""Values that go into and come out of every simulation engine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from mev_dagster.chain.blocks import Withdrawal
from mev_dagster.chain.forks import Fork
from mev_dagster.chain.receipts import Log
from mev_dagster.chain.transactions import Transaction


@dataclass(frozen=True, slots=True)
class Account:
    """One account before execution. Storage keys and values are 256-bit integers; absent != zero."""

    balance_wei: int
    nonce: int
    code_hash: bytes
    storage: Mapping[int, int] = field(default_factory=dict)


class StateSource(Protocol):
    """Where an engine finds state it has not been given: a captured prestate, or a node at a pinned block.

    Every method raises `MissingState` when it does not know; none ever invents an empty value.
    An account that is known not to exist is `Account(0, 0, EMPTY_CODE_HASH)`.
    """

    def account(self, address: bytes) -> Account:
        """Return balance, nonce and code hash; the storage mapping may hold only what is known."""
        ...

    def storage(self, address: bytes, slot: int) -> int:
        """Return one storage value."""
        ...

    def code(self, code_hash: bytes) -> bytes:
        """Return the code with this keccak."""
        ...

    def block_hash(self, number: int) -> bytes:
        """Return the hash of an ancestor, as BLOCKHASH needs it."""
        ...


@dataclass(frozen=True, slots=True)
class BlockEnv:
    """The block a transaction executes in."""

    chain_id: int
    fork: Fork
    number: int
    timestamp: int
    coinbase: bytes
    gas_limit: int
    base_fee_per_gas_wei: int | None
    difficulty: int = 0
    prev_randao: bytes = bytes(32)
    parent_hash: bytes = bytes(32)
    excess_blob_gas: int | None = None
    parent_beacon_block_root: bytes | None = None


class TxStatus(StrEnum):
    """How a transaction ended."""

    SUCCESS = "success"
    REVERTED = "reverted"
    HALTED = "halted"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class TxResult:
    """What executing one transaction gave; an INVALID one changed nothing and says why in `detail`."""

    tx_hash: bytes
    status: TxStatus
    gas_used: int
    output: bytes
    logs: tuple[Log, ...]
    detail: str = ""
    coinbase_payment_wei: int = 0
    balance_changes_wei: Mapping[bytes, int] = field(default_factory=dict)
    accounts_read: tuple[bytes, ...] = ()
    slots_read: tuple[tuple[bytes, int], ...] = ()
    contract_address: bytes | None = None


@dataclass(frozen=True, slots=True)
class AccountDiff:
    """Changed fields of one account, `None` where unchanged; `deleted` when it no longer exists."""

    balance_wei: int | None
    nonce: int | None
    code: bytes | None
    storage: Mapping[int, int]
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class SimResult:
    """The outcome of a list of transactions executed in order on one state."""

    engine: str
    fork: Fork
    txs: tuple[TxResult, ...]
    gas_used: int
    state_diff: Mapping[bytes, AccountDiff]
    state_diff_hash: bytes


class SimulationEngine(Protocol):
    """A pure function from (state, block, transactions) to results."""

    name: str

    def supports(self, fork: Fork) -> bool:
        """Say whether this engine implements the fork's rules exactly."""
        ...

    def simulate(
        self,
        state: StateSource,
        env: BlockEnv,
        txs: Sequence[Transaction],
        *,
        begin_block: bool = True,
        withdrawals: Sequence[Withdrawal] = (),
    ) -> SimResult:
        """Execute `txs` in order. `begin_block` makes the system calls of EIP-4788 and EIP-2935 first."""
        ...

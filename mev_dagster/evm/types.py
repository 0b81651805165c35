"""Values that go into and come out of every simulation engine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple, Protocol

from mev_dagster.chain.blocks import Withdrawal
from mev_dagster.chain.forks import DEPOSIT_CONTRACT, BlobParameters, Fork, blob_parameters
from mev_dagster.chain.keccak import EMPTY_CODE_HASH
from mev_dagster.chain.receipts import Log
from mev_dagster.chain.transactions import Transaction


@dataclass(frozen=True, slots=True)
class Account:
    """One account before execution. Storage keys and values are 256-bit integers; absent != zero.

    `exists` tells an account that is not in the state trie from one that is there and empty, which only
    states from before EIP-161 hold. `whole` says that every slot that is not listed is zero.
    """

    balance_wei: int
    nonce: int
    code_hash: bytes
    storage: Mapping[int, int] = field(default_factory=dict)
    exists: bool = True
    whole: bool = False


NO_REWARDS: Mapping[bytes, int] = MappingProxyType({})
ABSENT_ACCOUNT = Account(0, 0, EMPTY_CODE_HASH, exists=False)


class StateSource(Protocol):
    """Where an engine finds state it has not been given: a captured prestate, or a node at a pinned block.

    Every method raises `MissingState` when it does not know; none ever invents an empty value.
    An account that is known not to exist is `ABSENT_ACCOUNT`.
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
    """The block a transaction executes in.

    `blobs` are its blob parameters where its network schedules others than its rule set had (EIP-7892);
    `slot_number` is what Amsterdam's SLOTNUM pushes (EIP-7843). For the last two see `ForkSchedule`.
    """

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
    first_of_fork: bool = False
    blobs: BlobParameters | None = None
    slot_number: int | None = None
    deposit_contract: bytes = DEPOSIT_CONTRACT
    may_lack_request_contracts: bool = False

    @property
    def blob_parameters(self) -> BlobParameters:
        """The block's blob parameters, or `InputError` where its fork has no blobs."""
        return self.blobs or blob_parameters(self.fork)


@dataclass(frozen=True, slots=True)
class ExecutionLimits:
    """How long one transaction may run, beyond what its gas allows; None is no limit."""

    steps: int | None = None
    seconds: float | None = None


NO_LIMITS = ExecutionLimits()


class Output(StrEnum):
    """What some engine cannot tell: see `SimulationEngine.lacks`."""

    CALLS = "calls"
    ANALYTICS = "analytics"
    HALT_REASON = "halt_reason"  # that it halted is told, and not in whose words
    READS_OF_FAILED_CALLS = "reads_of_failed_calls"
    GAS_BEFORE_REFUNDS = "gas_before_refunds"  # of the outermost call in a call tree


@dataclass(frozen=True, slots=True)
class Want:
    """What to report beyond results: the call tree, and gas and accesses by instruction."""

    calls: bool = False
    analytics: bool = False


RESULTS_ONLY = Want()


class TxStatus(StrEnum):
    """How a transaction ended."""

    SUCCESS = "success"
    REVERTED = "reverted"
    HALTED = "halted"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class CallFrame:
    """One call or creation; `error` is empty where it succeeded.

    A call tree is a flat tuple of frames, each before those it called, `depth` telling whose they are:
    calls nest a thousand deep, which no recursive value survives being compared or printed.
    """

    depth: int
    kind: str
    sender: bytes
    to: bytes
    value_wei: int
    gas: int
    gas_used: int
    input: bytes
    output: bytes
    error: str


@dataclass(frozen=True, slots=True)
class TxAnalytics:
    """One transaction's gas and accesses by instruction.

    `gas_by_class` covers what instructions took, before refunds; `intrinsic` and `precompile` stand beside
    the classes, and what a creation pays for its code counts with the instruction that returned it. Cold
    and warm count accesses of slots and accounts by instructions under EIP-2929; before it only precompiles
    are warm.
    """

    gas_by_class: Mapping[str, int]
    instructions: int
    cold_slots: int
    warm_slots: int
    cold_accounts: int
    warm_accounts: int


class BlockGas(NamedTuple):
    """What a transaction takes of its block from Amsterdam on, refunds not taken off (EIP-7778, 8037)."""

    execution: int
    state: int


def gas_used_by(txs: Sequence["TxResult"]) -> int:
    """Return the gas a header states of these transactions: of execution or of state, whichever is more."""
    counted = [tx.block_gas for tx in txs if tx.block_gas is not None]
    if not counted:
        return sum(tx.gas_used for tx in txs)
    return max(sum(gas.execution for gas in counted), sum(gas.state for gas in counted))


@dataclass(frozen=True, slots=True)
class TxResult:
    """What executing one transaction gave.

    An INVALID one changed nothing: `error` is a stable code (`evm/validate.py`), `detail` says what was
    expected and found. `detail` of a REVERTED one is its decoded reason. `coinbase_payment_wei` is the
    change of the coinbase's balance: tips and direct transfers. `slots_written` are those whose value came
    out changed; whatever was only looked at, also by a call that failed, is read. `gas_used` is what the
    sender pays for; `block_gas` is what the block counts, where that is not the same.
    """

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
    slots_written: tuple[tuple[bytes, int], ...] = ()
    contract_address: bytes | None = None
    error: str = ""
    calls: tuple[CallFrame, ...] = ()
    analytics: TxAnalytics | None = None
    block_gas: BlockGas | None = None


def invalid_result(tx_hash: bytes, code: str, detail: str) -> TxResult:
    """Return the result of a transaction that cannot be executed."""
    return TxResult(tx_hash, TxStatus.INVALID, 0, b"", (), detail=detail, error=str(code))


@dataclass(frozen=True, slots=True)
class RejectedTx:
    """A transaction that its block cannot hold: its place in what was given, and the INVALID result."""

    index: int
    result: TxResult


def parted(results: Sequence[TxResult]) -> tuple[tuple[TxResult, ...], tuple[RejectedTx, ...]]:
    """Return what a block holds of these, and what it cannot."""
    held = tuple([result for result in results if result.status is not TxStatus.INVALID])
    if len(held) == len(results):
        return held, ()
    invalid = ((i, result) for i, result in enumerate(results) if result.status is TxStatus.INVALID)
    return held, tuple(RejectedTx(*found) for found in invalid)


@dataclass(frozen=True, slots=True)
class AccountDiff:
    """Changed fields of one account, `None` where unchanged; `deleted` when it no longer exists.

    `storage_cleared` says that the account was deleted and made again, so `storage` holds all its slots.
    """

    balance_wei: int | None
    nonce: int | None
    code: bytes | None
    storage: Mapping[int, int]
    deleted: bool = False
    storage_cleared: bool = False


@dataclass(frozen=True, slots=True)
class SimResult:
    """The outcome of a list of transactions executed in order on one state.

    `txs` are the results of all that were given, INVALID ones among them; of a block that was ended, of those
    it holds, one for each receipt, and `rejected` names the others.
    `receipts_root` is of whole blocks, and None where the engine leaves it to whoever makes the receipts.
    `access_list` is a whole block's (EIP-7928), encoded, and None before Amsterdam.
    """

    engine: str
    fork: Fork
    txs: tuple[TxResult, ...]
    gas_used: int
    state_diff: Mapping[bytes, AccountDiff]
    state_diff_hash: bytes
    requests: tuple[bytes, ...] = ()
    receipts_root: bytes | None = field(default=None, compare=False)
    access_list: bytes | None = None
    rejected: tuple[RejectedTx, ...] = ()


class StateSession(Protocol):
    """A block being built: transactions committed so far, and trials on top of them."""

    def commit(self, txs: Sequence[Transaction]) -> tuple[TxResult, ...]:
        """Execute on top of what is committed and keep the changes; an invalid transaction makes none."""
        ...

    def run(self, txs: Sequence[Transaction]) -> SimResult:
        """Execute on top of the prefix, report, take every change back; the diff is against the prefix."""
        ...

    def run_many(self, candidates: Sequence[Sequence[Transaction]], *, threads: int = 1) -> list[SimResult]:
        """Return what `run` gives of each; an engine that can executes several at once."""
        ...

    def try_out(self, txs: Sequence[Transaction]) -> tuple[TxResult, ...]:
        """Return the results that `run` gives, without working out the state diff."""
        ...

    def run_each(self, txs: Sequence[Transaction]) -> tuple[SimResult, ...]:
        """Return what `run` gives of the first, of the first two, and so on; each is executed once."""
        ...


class SimulationEngine(Protocol):
    """A pure function from (state, block, transactions) to results.

    `lacks` names what its results never hold, whatever was wanted; all else is equal in every engine.
    """

    name: str
    lacks: frozenset[Output]

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
        end_block: bool = False,
        rewards: Mapping[bytes, int] = NO_REWARDS,
    ) -> SimResult:
        """Execute `txs` in order.

        `begin_block` makes the system calls of EIP-4788 and EIP-2935 first. After the transactions come
        `withdrawals`, `rewards` (address -> wei, proof of work) and, with `end_block`, the request system
        calls of Prague (EIP-7002, 7251), whose answers are in `requests`. A call that fails, a missing
        contract and a malformed deposit make the block invalid: `InvalidBlock`. A block that is ended has no
        INVALID transaction: those are in `rejected`.
        """
        ...

    def session(
        self,
        state: StateSource,
        env: BlockEnv,
        prefix: Sequence[Transaction] = (),
        *,
        begin_block: bool = True,
    ) -> StateSession:
        """Execute `prefix` once and return a session for trying many candidates on top of it."""
        ...

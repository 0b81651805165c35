"""Many candidate bundles on one state, block and prefix: run, read the result, take it back."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from eth.exceptions import Revert

from mev_dagster.chain.receipts import Log
from mev_dagster.chain.transactions import Transaction
from mev_dagster.chain.validity import intrinsic_gas
from mev_dagster.errors import InputError, MissingState
from mev_dagster.evm.diff import diff_hash
from mev_dagster.evm.py_evm.calls import call_tree
from mev_dagster.evm.py_evm.forks import state_class
from mev_dagster.evm.py_evm.limits import Budget, LimitReached
from mev_dagster.evm.py_evm.meter import Meter
from mev_dagster.evm.py_evm.recursion import deep_recursion
from mev_dagster.evm.py_evm.reference import Watcher
from mev_dagster.evm.py_evm.state import JournalState
from mev_dagster.evm.py_evm.transition import ComputationOutcome, apply_transaction
from mev_dagster.evm.revert import revert_reason
from mev_dagster.evm.types import (
    NO_LIMITS,
    RESULTS_ONLY,
    BlockEnv,
    ExecutionLimits,
    SimResult,
    StateSource,
    TxResult,
    TxStatus,
    Want,
    gas_used_by,
    invalid_result,
)
from mev_dagster.evm.validate import Invalid, Room, Sender, blob_gas, validate_tx, whole_block


@dataclass(frozen=True, slots=True)
class How:
    """How an engine executes: within which limits, with which interpreter, and what it reports."""

    limits: ExecutionLimits = NO_LIMITS
    reference: bool = False
    want: Want = RESULTS_ONLY


class PyEvmSession:
    """A block being built: committed transactions so far, and trials on top of them.

    What a trial reads from the state source stays loaded, so later trials do not ask again.
    """

    def __init__(self, engine: str, source: StateSource, env: BlockEnv, how: How) -> None:
        self.state: JournalState = state_class(env.fork, reference=how.reference)(source, env)
        self.room = whole_block(env)
        self._engine = engine
        self._env = env
        self._how = how

    def commit(self, txs: Iterable[Transaction]) -> tuple[TxResult, ...]:
        """Execute transactions and keep their changes."""
        with deep_recursion():
            return tuple([self._execute(tx) for tx in txs])

    def run(self, txs: Sequence[Transaction]) -> SimResult:
        """Execute transactions on top of what is committed, report, and take every change back.

        The state diff is against the committed state.
        """
        mark, room = self.state.journal.snapshot(), self.room
        try:
            return self.result(self.commit(txs), since=mark)
        finally:
            self.state.journal.revert(mark)
            self.room = room

    def run_many(self, candidates: Sequence[Sequence[Transaction]], *, threads: int = 1) -> list[SimResult]:
        """Return what `run` gives of each, one after the other: Python runs on one core."""
        return [self.run(txs) for txs in candidates]

    def try_out(self, txs: Sequence[Transaction]) -> tuple[TxResult, ...]:
        """Return the results that `run` gives, without working out the state diff."""
        mark, room = self.state.journal.snapshot(), self.room
        try:
            return self.commit(txs)
        finally:
            self.state.journal.revert(mark)
            self.room = room

    def run_each(self, txs: Sequence[Transaction]) -> tuple[SimResult, ...]:
        """Return what `run` gives of every beginning of `txs`, executing each transaction once."""
        mark, room = self.state.journal.snapshot(), self.room
        results: list[TxResult] = []
        found: list[SimResult] = []
        try:
            for tx in txs:
                results += self.commit((tx,))
                found.append(self.result(tuple(results), since=mark))
            return tuple(found)
        finally:
            self.state.journal.revert(mark)
            self.room = room

    def result(
        self, txs: tuple[TxResult, ...], *, since: int = 0, requests: tuple[bytes, ...] = ()
    ) -> SimResult:
        """Return the outcome of these transactions with the state diff since a mark."""
        state_diff = self.state.journal.state_diff(since)
        return SimResult(
            engine=self._engine,
            fork=self._env.fork,
            txs=txs,
            gas_used=gas_used_by(txs),
            state_diff=state_diff,
            state_diff_hash=diff_hash(state_diff),
            requests=requests,
        )

    def watch(self, tx: Transaction, watcher: Watcher) -> TxResult:
        """Execute one transaction, show every instruction to the watcher, keep the changes."""
        if not self._how.reference:
            raise InputError("only the reference interpreter shows instructions")
        with deep_recursion():
            return self._execute(tx, watcher)

    def _execute(self, tx: Transaction, watcher: Watcher | None = None) -> TxResult:
        journal = self.state.journal
        journal.begin_transaction()
        mark = journal.snapshot()
        try:
            rejection = validate_tx(tx, self._env, self._sender(tx), self.room)
            if rejection is not None:
                return invalid_result(tx.hash, rejection.code, rejection.detail)
            result = self._perform(tx, mark, watcher)
        except MissingState as missing:
            journal.revert(mark)
            return invalid_result(tx.hash, Invalid.MISSING_STATE, f"{missing.what} {missing.key}")
        except LimitReached as reached:
            journal.revert(mark)
            return invalid_result(tx.hash, reached.what, f"stopped by {self._how.limits}")
        self.room = Room(self.room.gas - result.gas_used, self.room.blob_gas - blob_gas(tx))
        return result

    def _perform(self, tx: Transaction, mark: int, watcher: Watcher | None) -> TxResult:
        """Execute a transaction that has been found valid, on the state as it was at the mark."""
        meter = Meter() if self._how.want.analytics and watcher is None else None
        outcome = apply_transaction(self.state, tx, Budget(self._how.limits), watcher=meter or watcher)
        return self._report(tx, outcome, mark, meter)

    def _sender(self, tx: Transaction) -> Sender:
        state = self.state
        return Sender(state.get_balance(tx.sender), state.get_nonce(tx.sender), state.get_code(tx.sender))

    def _report(
        self, tx: Transaction, outcome: ComputationOutcome, mark: int, meter: Meter | None
    ) -> TxResult:
        computation, journal = outcome.computation, self.state.journal
        status, detail = _status_of(computation)
        balance_changes = journal.balance_changes(mark)
        return TxResult(
            tx_hash=tx.hash,
            status=status,
            gas_used=outcome.gas_used,
            output=bytes(computation.output),
            logs=tuple(_logs_of(computation)),
            detail=detail,
            coinbase_payment_wei=balance_changes.get(self._env.coinbase, 0),
            balance_changes_wei=balance_changes,
            accounts_read=tuple(sorted(journal.accounts_touched)),
            slots_read=tuple(sorted(journal.slots_touched)),
            slots_written=journal.slots_written(mark),
            contract_address=outcome.created,
            calls=call_tree(computation) if self._how.want.calls else (),
            analytics=meter.analytics(computation, intrinsic_gas(tx, self._env.fork)) if meter else None,
        )


def _status_of(computation: Any) -> tuple[TxStatus, str]:
    if computation.is_success:
        return TxStatus.SUCCESS, ""
    error = computation.error
    if isinstance(error, Revert):
        return TxStatus.REVERTED, revert_reason(bytes(computation.output))
    return TxStatus.HALTED, type(error).__name__


def _logs_of(computation: Any) -> Iterable[Log]:
    for address, topics, data in computation.get_log_entries():
        yield Log(address, tuple(topic.to_bytes(32, "big") for topic in topics), bytes(data))

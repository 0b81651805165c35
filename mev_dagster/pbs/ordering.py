"""Which orders enter the block, and in which order: greedy by value, with conflicts settled by execution.

Candidates come first, best value first: each was verified on the parent's state, which is what stands
until something changes it. A candidate that executes differently where it stands now is worth less than
was verified; it goes back into the queue with the value it still has, and is dropped when it has none or
when its retries are used up. Pending transactions fill what room is left, in nonce order, by one of several
orderings; what takes from the coinbase stays out. Ties go to the smaller id, so that equal inputs give
equal blocks.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from mev_dagster.chain.envelope import BLOB
from mev_dagster.chain.receipts import Log
from mev_dagster.chain.transactions import Transaction
from mev_dagster.evm.types import SimResult, StateSession, TxResult, TxStatus
from mev_dagster.hexadecimal import to_hex
from mev_dagster.pbs.conflicts import merged
from mev_dagster.pbs.orders import Order, OrderKind
from mev_dagster.pbs.refunds import PayRefund, Refunds
from mev_dagster.pbs.sim_values import Ordering, SimValue, SimValues, in_order, simulated

DEFAULT_RETRIES = 1
Outcome = tuple[tuple[TxStatus, tuple[Log, ...]], ...]


@dataclass(frozen=True, slots=True)
class Included:
    """An order that is in the block; `value_wei` is what its transactions pay the coinbase."""

    order: Order
    value_wei: int
    results: tuple[TxResult, ...]


@dataclass(frozen=True, slots=True)
class Dropped:
    """An order that is not, and why, as a stable code."""

    order: Order
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Verified:
    """How an order executes on the parent's state: what its value was promised on."""

    outcome: Outcome
    gas_used: int


def no_sidecar(tx: Transaction) -> tuple[str, str] | None:
    """Refuse a transaction whose blobs nobody has: no bundle can carry them."""
    return "blob_sidecar_absent", f"the {len(tx.blob_versioned_hashes)} blobs are not at hand"


class Filling:
    """A block being filled on a session that keeps what is committed."""

    def __init__(
        self,
        session: StateSession,
        *,
        gas: int,
        base_fee_per_gas_wei: int,
        ordering: Ordering = Ordering.GAS_PRICE,
        blob_refusal: Callable[[Transaction], tuple[str, str] | None] = no_sidecar,
        pay: PayRefund | None = None,
    ) -> None:
        self.included: list[Included] = []
        self.dropped: list[Dropped] = []
        self._session = session
        self._gas_left = gas
        self._base_fee = base_fee_per_gas_wei
        self._ordering = ordering
        self._blob_refusal = blob_refusal
        self._refunds = Refunds(pay, base_fee_per_gas_wei)
        self._hashes: set[bytes] = set()
        self._sent: Counter[bytes] = Counter()

    @property
    def refunds_paid(self) -> int:
        """How many payments of ours the block holds."""
        return self._refunds.count

    @property
    def gas_left(self) -> int:
        """Gas that no order has taken."""
        return self._gas_left

    def add_candidates(self, orders: Sequence[Order], *, retries: int = DEFAULT_RETRIES) -> None:
        """Insert the candidates that still hold where they would stand."""
        verified: dict[bytes, Verified] = {}
        queue: list[tuple[int, bytes, int, Order]] = []
        for order in orders:
            blobless = next(filter(None, map(self._blobs_missing, order.txs)), None)
            if blobless is not None:
                self.dropped.append(Dropped(order, *blobless))
                continue
            trial = self._session.run(order.txs)
            failure = _failure(trial.txs, order.may_revert)
            if failure:
                self.dropped.append(Dropped(order, "not_executable", failure))
                continue
            refunded = self._refunds.due_wei(order, trial.txs)
            if isinstance(refunded, str):
                self.dropped.append(Dropped(order, "refund_not_payable", refunded))
                continue
            value = _coinbase_value(trial.txs) + order.profit_wei - refunded
            verified[order.order_id] = Verified(_outcome(trial), trial.gas_used)
            heapq.heappush(queue, (-value, order.order_id, retries, order))
        while queue:
            promised, order_id, retries_left, order = heapq.heappop(queue)
            lower = self._try(order, verified[order_id], -promised)
            if lower is None:
                continue
            if lower > 0 and retries_left:
                heapq.heappush(queue, (-lower, order_id, retries_left - 1, order))
            else:
                detail = f"worth {lower} wei here, {-promised} wei before"
                self.dropped.append(Dropped(order, "lower_inserted_value", detail))

    def _try(self, order: Order, verified: Verified, promised: int) -> int | None:
        """Insert an order, or drop it, or return the lower value it would have here."""
        if order.sender is not None:
            order = order.behind(self._sent[order.sender])
        known = [tx.hash for tx in order.txs if tx.hash in self._hashes]
        if known:
            self.dropped.append(Dropped(order, "conflict", f"{to_hex(known[0])} is in the block already"))
            return None
        if sum(tx.gas_limit for tx in order.txs) > self._gas_left:
            self.dropped.append(Dropped(order, "no_room", f"{self._gas_left} gas left"))
            return None
        trial = self._session.run(order.txs)
        failure = _failure(trial.txs, order.may_revert)
        if failure:
            self.dropped.append(Dropped(order, "simulation_changed", failure))
            return None
        whole, paid = order, trial
        if order.refunds:
            signed = self._refunds.signed(order, trial.txs)
            if isinstance(signed, str):
                self.dropped.append(Dropped(order, "refund_not_payable", signed))
                return None
            whole = replace(order, txs=(*order.txs, *signed))
            paid = self._session.run(whole.txs)
            failure = _failure(paid.txs, order.may_revert)
            if failure or sum(tx.gas_limit for tx in whole.txs) > self._gas_left:
                self.dropped.append(Dropped(order, "refund_not_payable", failure or "no gas for it is left"))
                return None
        value = _coinbase_value(paid.txs)
        if value < 0:
            self.dropped.append(Dropped(order, "costs_the_block", f"takes {-value} wei from the coinbase"))
            return None
        if _outcome(trial) == verified.outcome and trial.gas_used <= verified.gas_used:
            value += order.profit_wei  # it trades exactly as it was verified
        if value < promised:
            return value
        self._keep(whole)
        self._refunds.count += len(whole.txs) - len(order.txs)
        return None

    def simulated(self, transactions: Iterable[Transaction]) -> SimValues:
        """Return what each pending transaction is worth on top of what the block holds."""
        return simulated(
            self._session,
            transactions,
            self._tip,
            known=self._hashes,
            lacks_blobs=lambda tx: self._blobs_missing(tx) is not None,
        )

    def merged(
        self, values: SimValues, sequences: Mapping[Ordering, Sequence[SimValue]]
    ) -> tuple[list[SimValue], dict[Ordering, int]]:
        """Return the best merge of several orders on top of what the block holds, and each one's worth."""
        return merged(self._session, values, sequences)

    def add_pending(self, transactions: Iterable[Transaction]) -> None:
        """Fill the room that is left with single transactions, by the block's ordering."""
        self.add_in_order(in_order(self.simulated(transactions), self._ordering))

    def add_in_order(self, sequence: Iterable[SimValue]) -> None:
        """Fill the room that is left with transactions in this order.

        They are executed in one call as long as nothing has to be decided between two of them.
        """
        batch: list[Transaction] = []
        room = self._gas_left
        for one in sequence:
            tx = one.tx
            if one.pays_by_its_tip and tx.gas_limit <= room and self._refusal(tx) is None:
                batch.append(tx)
                room -= tx.gas_limit
                continue
            self._keep_each(batch)
            batch = []
            self._add(one)
            room = self._gas_left
        self._keep_each(batch)

    def _add(self, one: SimValue) -> None:
        order = Order(one.tx.hash, OrderKind.PENDING, (one.tx,))
        refusal = self._refusal(one.tx)
        if refusal is None and not one.pays_by_its_tip:
            value_wei = _coinbase_value(self._session.try_out(order.txs))
            if value_wei < 0:
                refusal = "costs_the_block", f"takes {-value_wei} wei from the coinbase"
        if refusal is None:
            refusal = self._keep(order)
        if refusal is not None:
            self.dropped.append(Dropped(order, *refusal))

    def _keep_each(self, txs: Sequence[Transaction]) -> None:
        """Commit single transactions that all have room; what is invalid changes nothing."""
        for tx, result in zip(txs, self._session.commit(txs) if txs else (), strict=True):
            order = Order(tx.hash, OrderKind.PENDING, (tx,))
            if result.status is TxStatus.INVALID:
                self.dropped.append(Dropped(order, result.error, result.detail))
            else:
                self._kept(order, (result,))

    def _tip(self, tx: Transaction) -> int:
        return tx.effective_priority_fee_wei(self._base_fee)

    def _refusal(self, tx: Transaction) -> tuple[str, str] | None:
        missing = self._blobs_missing(tx)
        if missing is not None:
            return missing
        if self._tip(tx) < 0:
            return "fee_below_base", f"fee cap {tx.fee_cap_wei}, base fee {self._base_fee}"
        if tx.gas_limit > self._gas_left:
            return "no_room", f"needs {tx.gas_limit} gas, {self._gas_left} left"
        return None

    def _blobs_missing(self, tx: Transaction) -> tuple[str, str] | None:
        return self._blob_refusal(tx) if tx.type == BLOB else None

    def _keep(self, order: Order) -> tuple[str, str] | None:
        """Commit an order; an invalid transaction changes nothing and gives its reason."""
        results = self._session.commit(order.txs)
        invalid = next((result for result in results if result.status is TxStatus.INVALID), None)
        if invalid is not None:
            return invalid.error, invalid.detail
        self._kept(order, results)
        return None

    def _kept(self, order: Order, results: tuple[TxResult, ...]) -> None:
        self._gas_left -= sum(result.gas_used for result in results)
        self._hashes.update(tx.hash for tx in order.txs)
        self._sent.update(tx.sender for tx in order.txs)
        self.included.append(Included(order, _coinbase_value(results), results))


def _coinbase_value(results: Sequence[TxResult]) -> int:
    return sum(result.coinbase_payment_wei for result in results)


def _outcome(trial: SimResult) -> Outcome:
    return tuple((result.status, result.logs) for result in trial.txs)


def _failure(results: Sequence[TxResult], may_revert: AbstractSet[int] = frozenset()) -> str | None:
    """Return which transaction did not succeed though it must; what is invalid can be in no block."""
    for index, result in enumerate(results):
        excused = index in may_revert and result.status is not TxStatus.INVALID
        if result.status is not TxStatus.SUCCESS and not excused:
            reason = result.error or result.detail or result.status.value
            return f"transaction {index} ({to_hex(result.tx_hash)}): {result.status.value}: {reason}"
    return None

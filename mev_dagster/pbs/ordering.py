"""Which orders enter the block, and in which order: greedy by value, with conflicts settled by execution.

Candidates come first, best value first: each was verified on the parent's state, which is what stands
until something changes it. A candidate that executes differently where it stands now is worth less than
was verified; it goes back into the queue with the value it still has, and is dropped when it has none or
when its retries are used up. Pending transactions fill what room is left, best tip first, in nonce order.
Ties go to the smaller id, so that equal inputs give equal blocks.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mev_dagster.chain.envelope import BLOB
from mev_dagster.chain.receipts import Log
from mev_dagster.chain.transactions import Transaction
from mev_dagster.evm.types import SimResult, StateSession, TxResult, TxStatus
from mev_dagster.hexadecimal import to_hex
from mev_dagster.pbs.orders import Order, OrderKind

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


class Filling:
    """A block being filled on a session that keeps what is committed."""

    def __init__(self, session: StateSession, *, gas: int, base_fee_per_gas_wei: int) -> None:
        self.included: list[Included] = []
        self.dropped: list[Dropped] = []
        self._session = session
        self._gas_left = gas
        self._base_fee = base_fee_per_gas_wei
        self._hashes: set[bytes] = set()
        self._sent: Counter[bytes] = Counter()

    def add_candidates(self, orders: Sequence[Order], *, retries: int = DEFAULT_RETRIES) -> None:
        """Insert the candidates that still hold where they would stand."""
        verified: dict[bytes, Verified] = {}
        queue: list[tuple[int, bytes, int, Order]] = []
        for order in orders:
            trial = self._session.run(order.txs)
            failure = _failure(trial.txs)
            if failure:
                self.dropped.append(Dropped(order, "not_executable", failure))
                continue
            value = _coinbase_value(trial.txs) + order.profit_wei
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
        failure = _failure(trial.txs)
        if failure:
            self.dropped.append(Dropped(order, "simulation_changed", failure))
            return None
        value = _coinbase_value(trial.txs)
        if _outcome(trial) == verified.outcome and trial.gas_used <= verified.gas_used:
            value += order.profit_wei  # it trades exactly as it was verified
        if value < promised:
            return value
        self._keep(order)
        return None

    def add_pending(self, transactions: Iterable[Transaction]) -> None:
        """Fill the room that is left with single transactions."""
        waiting: dict[bytes, list[Transaction]] = defaultdict(list)
        for tx in sorted(transactions, key=lambda tx: (tx.nonce, -self._tip(tx), tx.hash)):
            if tx.hash not in self._hashes:
                waiting[tx.sender].append(tx)
        heads = [self._entry(queue, sender) for sender, queue in waiting.items()]
        heapq.heapify(heads)
        while heads:
            _, _, sender = heapq.heappop(heads)
            queue = waiting[sender]
            tx = queue.pop(0)
            order = Order(tx.hash, OrderKind.PENDING, (tx,))
            refusal = self._refusal(tx)
            if refusal is None:
                refusal = self._keep(order)
            if refusal is not None:
                self.dropped.append(Dropped(order, *refusal))
            if queue:
                heapq.heappush(heads, self._entry(queue, sender))

    def _entry(self, queue: list[Transaction], sender: bytes) -> tuple[int, bytes, bytes]:
        return -self._tip(queue[0]), queue[0].hash, sender

    def _tip(self, tx: Transaction) -> int:
        return tx.effective_priority_fee_wei(self._base_fee)

    def _refusal(self, tx: Transaction) -> tuple[str, str] | None:
        if tx.type == BLOB:
            return "blob_sidecar_absent", "blobs are not kept, so no bundle can carry them"
        if self._tip(tx) < 0:
            return "fee_below_base", f"fee cap {tx.fee_cap_wei}, base fee {self._base_fee}"
        if tx.gas_limit > self._gas_left:
            return "no_room", f"needs {tx.gas_limit} gas, {self._gas_left} left"
        return None

    def _keep(self, order: Order) -> tuple[str, str] | None:
        """Commit an order; an invalid transaction changes nothing and gives its reason."""
        results = self._session.commit(order.txs)
        invalid = next((result for result in results if result.status is TxStatus.INVALID), None)
        if invalid is not None:
            return invalid.error, invalid.detail
        self._gas_left -= sum(result.gas_used for result in results)
        self._hashes.update(tx.hash for tx in order.txs)
        self._sent.update(tx.sender for tx in order.txs)
        self.included.append(Included(order, _coinbase_value(results), results))
        return None


def _coinbase_value(results: Sequence[TxResult]) -> int:
    return sum(result.coinbase_payment_wei for result in results)


def _outcome(trial: SimResult) -> Outcome:
    return tuple((result.status, result.logs) for result in trial.txs)


def _failure(results: Sequence[TxResult]) -> str | None:
    """Return which transaction of a candidate did not succeed; a candidate needs them all."""
    for index, result in enumerate(results):
        if result.status is not TxStatus.SUCCESS:
            reason = result.error or result.detail or result.status.value
            return f"transaction {index} ({to_hex(result.tx_hash)}): {result.status.value}: {reason}"
    return None

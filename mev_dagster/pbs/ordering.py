"""Which orders enter the block, and in which order: greedy by value, with conflicts settled by execution.

Candidates come first, best value first: each was verified on the parent's state, which is what stands
until something changes it. A candidate that executes differently where it stands now is worth less than
was verified; it goes back into the queue with the value it still has, and is dropped when it has none or
when its retries are used up. Pending transactions fill what room is left, in nonce order, by one of several
orderings; what takes from the coinbase stays out. Ties go to the smaller id, so that equal inputs give
equal blocks.
"""

import heapq
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice

from mev_dagster.chain.envelope import BLOB
from mev_dagster.chain.receipts import Log
from mev_dagster.chain.transactions import Transaction
from mev_dagster.evm.types import SimResult, StateSession, TxResult, TxStatus
from mev_dagster.hexadecimal import to_hex
from mev_dagster.pbs.orders import Order, OrderKind
from mev_dagster.pbs.refunds import PayRefund, Refunds

DEFAULT_RETRIES = 1
MOST_TOGETHER = 32
"""How many of a sender's next transactions are looked at for the best beginning of them."""
WORTH_BITS = 64
"""Binary digits behind the point of a value a unit of gas: exact integers instead of a float."""
Outcome = tuple[tuple[TxStatus, tuple[Log, ...]], ...]


class Ordering(StrEnum):
    """Which pending transactions come first.

    By the value a unit of gas gains, by the value as a whole, or by the tip a unit of gas alone, which no
    execution is asked for: what any node orders by.
    """

    GAS_PRICE = "gas_price"
    MAX_PROFIT = "max_profit"
    TIP = "tip"


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


@dataclass(frozen=True, slots=True)
class Valued:
    """A pending transaction with what it gains the coinbase behind its sender's earlier ones."""

    tx: Transaction
    value_wei: int
    gas_used: int
    pays_by_its_tip: bool


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

    def add_pending(self, transactions: Iterable[Transaction]) -> None:
        """Fill the room that is left with single transactions, each sender's in nonce order.

        Execution says what a transaction is worth: its tip and whatever it pays the coinbase besides. A
        sender's next transactions are worth what the best beginning of them gains for its gas, so that a
        poor one does not hide the rich one behind it.
        """
        waiting: dict[bytes, deque[Valued]] = {}
        for sender, txs in _by_sender(transactions, self._hashes, self._tip).items():
            waiting[sender] = deque(self._valued(txs))
        heads = [self._entry(queue, sender) for sender, queue in waiting.items() if queue]
        heapq.heapify(heads)
        while heads:
            _, _, sender, length = heapq.heappop(heads)
            queue = waiting[sender]
            for _ in range(length):
                self._add(queue.popleft())
            if queue:
                heapq.heappush(heads, self._entry(queue, sender))

    def _add(self, valued: "Valued") -> None:
        order = Order(valued.tx.hash, OrderKind.PENDING, (valued.tx,))
        refusal = self._refusal(valued.tx)
        if refusal is None and not valued.pays_by_its_tip:
            value_wei = _coinbase_value(self._session.run(order.txs).txs)
            if value_wei < 0:
                refusal = "costs_the_block", f"takes {-value_wei} wei from the coinbase"
        if refusal is None:
            refusal = self._keep(order)
        if refusal is not None:
            self.dropped.append(Dropped(order, *refusal))

    def _valued(self, queue: Sequence[Transaction]) -> Iterator["Valued"]:
        """Execute a sender's transactions behind what is committed, and say what each is worth."""
        if self._ordering is Ordering.TIP:
            for tx in queue:
                worth = max(self._tip(tx), 0) * tx.gas_limit
                yield Valued(tx, worth, tx.gas_limit, pays_by_its_tip=False)
            return
        executable = [tx for tx in queue if self._tip(tx) >= 0 and self._blobs_missing(tx) is None]
        results = (
            {result.tx_hash: result for result in self._session.run(executable).txs} if executable else {}
        )
        for tx in queue:
            result = results.get(tx.hash)
            if result is None or result.status is TxStatus.INVALID:
                yield Valued(tx, 0, 0, pays_by_its_tip=True)
                continue
            value = result.coinbase_payment_wei
            yield Valued(tx, value, result.gas_used, value == self._tip(tx) * result.gas_used)

    def _entry(self, queue: Sequence["Valued"], sender: bytes) -> tuple[int, bytes, bytes, int]:
        """Return a sender's place in the queue: by the value a unit of gas of its best beginning gains."""
        best, length, value, gas = None, 1, 0, 0
        together = 1 if self._ordering is Ordering.TIP else MOST_TOGETHER
        for place, valued in enumerate(islice(queue, together), start=1):
            value, gas = value + valued.value_wei, gas + valued.gas_used
            if self._ordering is Ordering.MAX_PROFIT:
                worth = value
            else:
                worth = (value << WORTH_BITS) // gas if gas else 0
            if best is None or worth > best:
                best, length = worth, place
        return -(best or 0), queue[0].tx.hash, sender, length

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
        self._gas_left -= sum(result.gas_used for result in results)
        self._hashes.update(tx.hash for tx in order.txs)
        self._sent.update(tx.sender for tx in order.txs)
        self.included.append(Included(order, _coinbase_value(results), results))
        return None


def _by_sender(
    transactions: Iterable[Transaction], known: AbstractSet[bytes], tip: Callable[[Transaction], int]
) -> dict[bytes, list[Transaction]]:
    """Return each sender's transactions that are not in the block yet, by nonce, then best first."""
    found: dict[bytes, list[Transaction]] = defaultdict(list)
    for tx in sorted(transactions, key=lambda tx: (tx.nonce, -tip(tx), tx.hash)):
        if tx.hash not in known:
            found[tx.sender].append(tx)
    return found


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

"""What each pending transaction gains a block, by execution, and in which order an ordering takes them.

Simulating is done once; each ordering is then a pure function of the values.
"""

import heapq
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from mev_dagster.chain.transactions import Transaction
from mev_dagster.evm.types import StateSession, TxResult, TxStatus

MOST_TOGETHER = 32
"""How many of a sender's next transactions are looked at for the best beginning of them."""
WORTH_BITS = 64
"""Binary digits behind the point of a value a unit of gas: exact integers instead of a float."""


class Ordering(StrEnum):
    """Which pending transactions come first.

    By the value a unit of gas gains, by the value as a whole, or by the tip a unit of gas alone: what any
    node orders by. Merged takes the best of several algorithms for each group of orders in conflict.
    """

    GAS_PRICE = "gas_price"
    MAX_PROFIT = "max_profit"
    TIP = "tip"
    MERGED = "merged"


PLAIN_ORDERINGS = (Ordering.GAS_PRICE, Ordering.MAX_PROFIT, Ordering.TIP)


@dataclass(frozen=True, slots=True)
class SimValue:
    """A pending transaction simulated behind its sender's earlier ones: what it gains the coinbase.

    `result` is None where it cannot be executed there. `pays_by_its_tip` says that it pays nothing but that.
    """

    tx: Transaction
    tip_wei: int
    value_wei: int = 0
    gas_used: int = 0
    pays_by_its_tip: bool = True
    result: TxResult | None = None


SimValues = Mapping[bytes, Sequence[SimValue]]
"""The values of each sender's transactions, in nonce order."""


def simulated(
    session: StateSession,
    transactions: Iterable[Transaction],
    tip: Callable[[Transaction], int],
    *,
    known: AbstractSet[bytes] = frozenset(),
    lacks_blobs: Callable[[Transaction], bool] = lambda tx: False,
) -> SimValues:
    """Execute each sender's transactions on top of what is committed; what is `known` is left out."""
    return {
        sender: _valued(session, txs, tip, lacks_blobs)
        for sender, txs in _by_sender(transactions, known, tip).items()
    }


def _by_sender(
    transactions: Iterable[Transaction], known: AbstractSet[bytes], tip: Callable[[Transaction], int]
) -> dict[bytes, list[Transaction]]:
    """Return each sender's transactions that are not in the block yet, by nonce, then best first."""
    found: dict[bytes, list[Transaction]] = defaultdict(list)
    for tx in sorted(transactions, key=lambda tx: (tx.nonce, -tip(tx), tx.hash)):
        if tx.hash not in known:
            found[tx.sender].append(tx)
    return found


def _valued(
    session: StateSession,
    queue: Sequence[Transaction],
    tip: Callable[[Transaction], int],
    lacks_blobs: Callable[[Transaction], bool],
) -> list[SimValue]:
    tips = [tip(tx) for tx in queue]
    executable = [tx for tx, wei in zip(queue, tips, strict=True) if wei >= 0 and not lacks_blobs(tx)]
    results = {result.tx_hash: result for result in session.try_out(executable)} if executable else {}
    values = []
    for tx, wei in zip(queue, tips, strict=True):
        result = results.get(tx.hash)
        if result is None or result.status is TxStatus.INVALID:
            values.append(SimValue(tx, wei))
            continue
        value, gas_used = result.coinbase_payment_wei, result.gas_used
        values.append(SimValue(tx, wei, value, gas_used, value == wei * gas_used, result))
    return values


def in_order(values: SimValues, ordering: Ordering) -> Iterator[SimValue]:
    """Yield the transactions as an ordering takes them, each sender's in nonce order.

    A sender's next transactions are worth what the best beginning of them gains, so that a poor one does not
    hide the rich one behind it. Ties go to the smaller hash.
    """
    waiting = {sender: deque(queue) for sender, queue in values.items()}
    heads = [_entry(queue, sender, ordering) for sender, queue in waiting.items() if queue]
    heapq.heapify(heads)
    while heads:
        _, _, sender, length = heapq.heappop(heads)
        queue = waiting[sender]
        for _ in range(length):
            yield queue.popleft()
        if queue:
            heapq.heappush(heads, _entry(queue, sender, ordering))


def _entry(queue: Sequence[SimValue], sender: bytes, ordering: Ordering) -> tuple[int, bytes, bytes, int]:
    """Return a sender's place in the queue: by what its best beginning is worth, and how long that is."""
    if ordering is Ordering.TIP:
        return -max(queue[0].tip_wei, 0), queue[0].tx.hash, sender, 1
    best, length, value, gas = None, 1, 0, 0
    if len(queue) == 1:  # as nearly everybody has
        one = queue[0]
        by_gas = (one.value_wei << WORTH_BITS) // one.gas_used if one.gas_used else 0
        return -(one.value_wei if ordering is Ordering.MAX_PROFIT else by_gas), one.tx.hash, sender, 1
    for place, one in enumerate(islice(queue, MOST_TOGETHER), start=1):
        value, gas = value + one.value_wei, gas + one.gas_used
        by_gas = (value << WORTH_BITS) // gas if gas else 0
        worth = value if ordering is Ordering.MAX_PROFIT else by_gas
        if best is None or worth > best:
            best, length = worth, place
    return -(best or 0), queue[0].tx.hash, sender, length

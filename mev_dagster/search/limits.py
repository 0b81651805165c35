"""How much can be bought in front of pending calls before one of them fails: found by running them.

Calldata that a venue can read names its worst price. Everything else is asked in the engine: the calls run
behind purchases of different sizes, and halving finds the largest that all of them stand. What the calldata
holds shortens the way: a limit is one of its words, most of the time.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from mev_dagster.chain.transactions import Transaction
from mev_dagster.dex.constant_product import Hop
from mev_dagster.dex.crowd_frontrun import crowd_sandwich, largest_that_leaves
from mev_dagster.dex.events import swaps_of
from mev_dagster.dex.executor import step_of
from mev_dagster.dex.venue import Pool, Trade
from mev_dagster.errors import Unquotable
from mev_dagster.evm.types import BlockEnv, StateSession, TxResult, TxStatus
from mev_dagster.search.plan import SwapsCall
from mev_dagster.search.searcher import GasPrice, Searcher

STEPS_BEFORE_WORDS = 6
MOST_STEPS = 40
"""Halvings that one limit may take."""
MOST_EXECUTIONS = 400
"""Executions that the limits of a block may take, those asked for first."""
WORD = 32
MOST_WORDS = 3
"""Words of a call's data that are tried as its limit."""
ZEROS_OF_AN_AMOUNT = bytes(12)
"""A word of calldata that may be an amount begins with these."""


class Sale(NamedTuple):
    """What one pending call sells into a pool, as its logs tell."""

    tx: Transaction
    sold: int


class SalesInARow(NamedTuple):
    """Sales of one token into one pool, and all transactions that make them, in order.

    `first` is the position of the first sale among `txs`: a purchase goes in front of it.
    """

    txs: tuple[Transaction, ...]
    first: int
    pool: Pool
    token_in: bytes
    token_out: bytes
    hop: Hop
    sales: tuple[Sale, ...]

    @property
    def sold(self) -> tuple[int, ...]:
        """Return the amounts, in order."""
        return tuple(sale.sold for sale in self.sales)


@dataclass
class VictimLimits:
    """Asks the engine, on the parent's state, and counts what it asked."""

    session: StateSession
    searcher: Searcher
    env: BlockEnv
    bid: GasPrice
    executions: int = 0
    _known: dict[tuple[tuple[bytes, ...], int, bytes], int] = field(default_factory=dict)

    def largest(self, row: SalesInARow, most: int) -> int | None:
        """Return the largest purchase of at most `most` that every sale stands, 0 where they stand none.

        None where the block has had all the answers it gets.
        """
        key = (tuple(tx.hash for tx in row.txs), row.first, row.pool.address)
        if key not in self._known:
            if self.executions >= MOST_EXECUTIONS:
                return None
            self._known[key] = self._find(row, most)
        return min(self._known[key], most)

    def _find(self, row: SalesInARow, most: int) -> int:
        low, high = 0, most
        if self._stand(row, most):
            return most
        for step in range(MOST_STEPS):
            if high - low <= 1:
                break
            if step == STEPS_BEFORE_WORDS:
                exact = self._by_words(row, low, high)
                if exact is not None:
                    return exact
            middle = (low + high) // 2
            if self._stand(row, middle):
                low = middle
            else:
                high = middle
        return low

    def _by_words(self, row: SalesInARow, low: int, high: int) -> int | None:
        """Return the purchase that leaves a sale exactly a word of its calldata, if more is too much."""
        most, least = (crowd_sandwich(size, row.sold, row.hop).bought for size in (low, high))
        for position, sale in enumerate(row.sales):
            for amount in _amounts(sale.tx.data, least[position], most[position]):
                size = largest_that_leaves(amount, position, row.sold, row.hop, low, high)
                if self._stand(row, size) and not self._stand(row, size + 1):
                    return size
        return None

    def _stand(self, row: SalesInARow, size: int) -> bool:
        front_out = crowd_sandwich(size, (), row.hop).front_out
        if front_out <= 0:
            return True
        executor = self.searcher.executor
        trade = Trade(row.token_in, row.token_out, size, front_out, executor)
        try:
            step = step_of(row.pool.call(trade), row.token_in, size)
        except Unquotable:
            return False
        call = SwapsCall(executor, (step,), row.token_out, min_gain=front_out)
        front = self.searcher.sign_call(call, self.searcher.nonce, self.env, self.bid)
        results = self.session.run((*row.txs[: row.first], front, *row.txs[row.first :])).txs
        self.executions += len(results)
        if any(result.status is not TxStatus.SUCCESS for result in results):
            return False
        by_hash = {result.tx_hash: result for result in results}
        return all(_sells(by_hash[sale.tx.hash], row.pool, sale.sold) for sale in row.sales)


def _sells(result: TxResult, pool: Pool, sold: int) -> bool:
    """Say whether a call still sells the same: some catch what fails, and succeed without a trade."""
    return any(swap.pool == pool.address and swap.amount_in == sold for _, swap in swaps_of(result.logs))


def _amounts(data: bytes, low: int, high: int) -> Iterator[int]:
    """Yield the amounts above one bound up to another that calldata holds, at any offset, the least first."""
    found, at = set(), data.find(ZEROS_OF_AN_AMOUNT)
    while 0 <= at <= len(data) - WORD:
        amount = int.from_bytes(data[at : at + WORD], "big")
        if low < amount <= high:
            found.add(amount)
        at = data.find(ZEROS_OF_AN_AMOUNT, at + 1)
    yield from sorted(found)[:MOST_WORDS]

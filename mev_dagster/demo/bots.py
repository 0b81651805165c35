"""The bots whose bundles really land: a keeper that closes gaps, a rival that preys on whales.

Both place their transactions by fee alone, as bots did before there were builders to pay: far above
everyone to lead the block, one wei above a victim to go first, one wei below to follow. Each owns an
executor like ours and pays the builder a share.
"""

from collections.abc import Sequence

from mev_dagster.demo.cast import Fees, Wallet
from mev_dagster.demo.cycles import best_cycle, best_size, largest_size
from mev_dagster.demo.market import SEARCHER_INVENTORY_WEI, Market
from mev_dagster.demo.script import Move
from mev_dagster.demo.slot import Sending, Whale
from mev_dagster.demo.trading import Book
from mev_dagster.dex.constant_product import amount_out
from mev_dagster.dex.executor import SwapStep, encode_execute
from mev_dagster.units import ETHER, GWEI

REACTION_SECONDS = 0.25
BETWEEN_SECONDS = 0.05
PAID_TO_BUILDER_PERCENT = 30
GAS_LIMIT = 400_000


class Bot:
    """A wallet with an executor of its own."""

    def __init__(self, wallet: Wallet, market: Market) -> None:
        self._wallet = wallet
        self._weth = market.weth
        self._executor = market.executors[wallet.address]

    def _send(self, what: str, data: bytes, fees: Fees, at: float) -> Sending:
        transaction = self._wallet.sign(fees, to=self._executor, data=data, gas_limit=GAS_LIMIT)
        return Sending(at, what, transaction, transaction.raw, fees)


class Keeper(Bot):
    """Looks at the market when a block has come and closes what gaps it left, at the top of the next one."""

    TIP_WEI = 12 * GWEI
    LEAST_PROFIT_WEI = ETHER // 20
    MOST_PER_SLOT = 4

    def keep(self, book: Book, base_fee_wei: int) -> tuple[list[Sending], Book]:
        """Return its transactions and the market as they leave it."""
        sendings: list[Sending] = []
        while len(sendings) < self.MOST_PER_SLOT:
            cycle = best_cycle(book)
            if cycle.profit_wei < self.LEAST_PROFIT_WEI:
                break
            steps, place = cycle.steps(book, self._executor), len(sendings)
            data = encode_execute(steps, self._weth, cycle.profit_wei, _share(cycle.profit_wei))
            tip = self.TIP_WEI - place
            fees = Fees(base_fee_wei * 5 // 4 + tip, tip)
            at = REACTION_SECONDS + place * BETWEEN_SECONDS
            sendings.append(self._send("keeper arbitrage", data, fees, at))
            book = cycle.after(book)
        return sendings, book


class Rival(Bot):
    """Preys on the first whale of a slot."""

    def react(self, move: Move, whales: Sequence[Whale], book: Book) -> list[Sending]:
        """Return its bundle; `book` is the market that the whale will meet."""
        return self._sandwich(whales[0], book) if move is Move.SANDWICH else [self._backrun(whales[0], book)]

    def _backrun(self, victim: Whale, book: Book) -> Sending:
        moved = book.after(victim.swap)
        cycle = best_cycle(moved)
        steps = cycle.steps(moved, self._executor)
        data = encode_execute(steps, self._weth, cycle.profit_wei, _share(cycle.profit_wei))
        return self._send("rival backrun", data, _behind(victim), victim.at_seconds + REACTION_SECONDS)

    def _sandwich(self, victim: Whale, book: Book) -> list[Sending]:
        swap, weth = victim.swap, self._weth
        pair = book.pools[swap.pools(book.market)[0]]
        token = book.market.tokens[swap.path[1]]

        def legs(size: int) -> tuple[int, int, int]:
            """Bought in front, bought by the victim, ether back."""
            bought = amount_out(size, pair.hop(weth))
            moved = pair.swapped(weth, size, bought)
            victim_bought = amount_out(swap.amount, moved.hop(weth))
            moved = moved.swapped(weth, swap.amount, victim_bought)
            return bought, victim_bought, amount_out(bought, moved.hop(token))

        most = largest_size(lambda size: legs(size)[1] >= swap.limit, SEARCHER_INVENTORY_WEI)
        size = best_size(lambda size: legs(size)[2] - size, most)
        bought, _, received = legs(size)
        front = SwapStep(pair.address, weth, size, *pair.outputs(token, bought), self._executor)
        back = SwapStep(pair.address, token, bought, *pair.outputs(weth, received), self._executor)
        closing = encode_execute([back], weth, received, _share(received - size))
        at = victim.at_seconds + REACTION_SECONDS
        return [
            self._send("rival frontrun", encode_execute([front], token), _ahead(victim), at),
            self._send("rival backrun", closing, _behind(victim), at + BETWEEN_SECONDS),
        ]


def _share(profit_wei: int) -> int:
    return profit_wei * PAID_TO_BUILDER_PERCENT // 100


def _ahead(victim: Whale) -> Fees:
    return Fees(victim.fees.max_fee_wei + 1, victim.fees.priority_fee_wei + 1)


def _behind(victim: Whale) -> Fees:
    return Fees(victim.fees.max_fee_wei - 1, victim.fees.priority_fee_wei - 1)

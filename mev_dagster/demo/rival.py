"""The rival searcher: a bot with an executor of its own, whose bundles really land.

It places bundles by fee alone, as bots did before there were builders to pay: one wei above the victim to
go first, one wei below to follow. Sizes come from a plain search over exact quotes, not from our own
searcher's closed forms, so the labels' truth does not depend on the code it judges.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise, permutations, product
from typing import NamedTuple, TypeAlias

from mev_dagster.demo.cast import Fees, Wallet
from mev_dagster.demo.market import GWEI, SEARCHER_INVENTORY_WEI, TOKENS, VENUES, WETH, Market
from mev_dagster.demo.script import Move
from mev_dagster.demo.slot import Sending, Whale
from mev_dagster.demo.trading import Book
from mev_dagster.dex.executor import Step, encode_execute
from mev_dagster.dex.uniswap_v2 import amount_out

TOP_OF_BLOCK_TIP_WEI = 12 * GWEI
REACTION_SECONDS = 0.25
PAID_TO_BUILDER_PERCENT = 30
GAS_LIMIT = 400_000
SEARCH_STEPS = 200


Hops: TypeAlias = tuple[tuple[bytes, bytes], ...]  # (pool, token sold to it), in order


class Cycle(NamedTuple):
    """A round trip from wrapped ether back to it, its best input and what that earns."""

    hops: Hops
    amount_in: int
    profit_wei: int


class Rival:
    """Reacts to what it sees; one bundle a slot."""

    def __init__(self, wallet: Wallet, market: Market) -> None:
        self._wallet = wallet
        self._weth = market.weth
        self._executor = market.executors[wallet.address]

    def react(self, move: Move, whales: Sequence[Whale], book: Book, base_fee_wei: int) -> list[Sending]:
        """Return the bundle for this slot."""
        if move is Move.SANDWICH:
            return self._sandwich(whales[0], book)
        if move is Move.BACKRUN:
            victim, moved = whales[0], book.after(whales[0].swap)
            cycle = best_cycle(moved, length=2)
            return [self._arbitrage("rival backrun", cycle, moved, _behind(victim), victim.at_seconds)]
        cycle = best_cycle(book, length=2 if move is Move.ARBITRAGE else 3)
        fees = Fees(base_fee_wei * 5 // 4 + TOP_OF_BLOCK_TIP_WEI, TOP_OF_BLOCK_TIP_WEI)
        return [self._arbitrage(f"rival {move}", cycle, book, fees, 0.0)]

    def _sandwich(self, victim: Whale, book: Book) -> list[Sending]:
        swap, weth = victim.swap, self._weth
        pair = book.pools[swap.pools(book.market)[0]]
        token = book.market.tokens[swap.path[1]]

        def legs(size: int) -> tuple[int, int, int]:
            """Bought in front, bought by the victim, ether back."""
            bought = amount_out(size, pair.hop(weth))
            moved = pair.after(weth, size, bought)
            victim_bought = amount_out(swap.amount, moved.hop(weth))
            moved = moved.after(weth, swap.amount, victim_bought)
            return bought, victim_bought, amount_out(bought, moved.hop(token))

        most = _largest(lambda size: legs(size)[1] >= swap.limit, SEARCHER_INVENTORY_WEI)
        size = _best(lambda size: legs(size)[2] - size, most)
        bought, _, received = legs(size)
        front = Step(pair.address, weth, size, *pair.outputs(token, bought), self._executor)
        back = Step(pair.address, token, bought, *pair.outputs(weth, received), self._executor)
        payment = (received - size) * PAID_TO_BUILDER_PERCENT // 100
        data_front, data_back = (
            encode_execute([front], token),
            encode_execute([back], weth, received, payment),
        )
        return [
            self._send("rival frontrun", data_front, _ahead(victim), victim.at_seconds),
            self._send("rival backrun", data_back, _behind(victim), victim.at_seconds + 0.05),
        ]

    def _arbitrage(self, what: str, cycle: Cycle, book: Book, fees: Fees, at: float) -> Sending:
        steps, amount = [], cycle.amount_in
        receivers = [pool for pool, _ in cycle.hops[1:]] + [self._executor]
        for index, ((pool, token), receiver) in enumerate(zip(cycle.hops, receivers, strict=True)):
            pair = book.pools[pool]
            bought = amount_out(amount, pair.hop(token))
            paid_here = amount if index == 0 else 0
            steps.append(Step(pool, token, paid_here, *pair.outputs(pair.other(token), bought), receiver))
            amount = bought
        payment = cycle.profit_wei * PAID_TO_BUILDER_PERCENT // 100
        data = encode_execute(steps, self._weth, cycle.profit_wei, payment)
        return self._send(what, data, fees, at)

    def _send(self, what: str, data: bytes, fees: Fees, seen_at: float) -> Sending:
        transaction = self._wallet.sign(fees, to=self._executor, data=data, gas_limit=GAS_LIMIT)
        return Sending(seen_at + REACTION_SECONDS, what, transaction, transaction.raw, fees)


def best_cycle(book: Book, *, length: int) -> Cycle:
    """Return the round trip over `length` pools that earns most; the script only asks where one pays."""
    found = [_sized(book, hops) for hops in _cycles(book.market, length)]
    return max(found, key=lambda cycle: (cycle.profit_wei, cycle.hops))


def _cycles(market: Market, length: int) -> Iterator[Hops]:
    """Yield every way from wrapped ether back to it: each leg on any venue that has it, no pool twice."""
    for symbols in permutations(TOKENS, length - 1):
        legs = list(pairwise((WETH, *symbols, WETH)))
        for venues in product(VENUES, repeat=length):
            pools = [
                market.pools.get((venue, frozenset(leg))) for venue, leg in zip(venues, legs, strict=True)
            ]
            if len(set(pools)) == length and None not in pools:
                yield tuple(
                    (market.pool(venue, sold, bought), market.tokens[sold])
                    for venue, (sold, bought) in zip(venues, legs, strict=True)
                )


def _sized(book: Book, hops: Hops) -> Cycle:
    def profit(size: int) -> int:
        amount = size
        for pool, token in hops:
            amount = amount_out(amount, book.pools[pool].hop(token))
        return amount - size

    size = _best(profit, SEARCHER_INVENTORY_WEI)
    return Cycle(hops, size, profit(size))


def _largest(holds: Callable[[int], bool], limit: int) -> int:
    """Return the largest size up to `limit` for which `holds`, which no larger size makes true again."""
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return low


def _best(profit: Callable[[int], int], limit: int) -> int:
    """Return the size up to `limit` that earns most; `profit` rises and then falls."""
    low, high = 0, limit
    for _ in range(SEARCH_STEPS):
        if high - low < 3:
            break
        third = (high - low) // 3
        if profit(low + third) < profit(high - third):
            low += third
        else:
            high -= third
    return max(range(low, high + 1), key=profit)


def _ahead(victim: Whale) -> Fees:
    return Fees(victim.fees.max_fee_wei + 1, victim.fees.priority_fee_wei + 1)


def _behind(victim: Whale) -> Fees:
    return Fees(victim.fees.max_fee_wei - 1, victim.fees.priority_fee_wei - 1)

"""The rival searcher: a bot with an executor of its own, whose bundles really land.

It places bundles by fee alone, as bots did before there were builders to pay: one wei above the victim to
go first, one wei below to follow. Sizes come from a plain search over exact quotes, not from our own
searcher's closed forms, so the labels' truth does not depend on the code it judges.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import permutations
from typing import NamedTuple

from mev_dagster.demo.cast import Fees, Wallet
from mev_dagster.demo.market import GWEI, SEARCHER_INVENTORY_WEI, TOKENS, VENUES, WETH, Market
from mev_dagster.demo.script import Move
from mev_dagster.demo.trading import Pools, after
from mev_dagster.demo.traffic import Sending
from mev_dagster.dex.executor import Step, encode_execute
from mev_dagster.dex.uniswap_v2 import Pair, amount_out

TOP_OF_BLOCK_TIP_WEI = 12 * GWEI
REACTION_SECONDS = 0.25
PAID_TO_BUILDER_PERCENT = 30
GAS_LIMIT = 400_000
SEARCH_STEPS = 200


class Cycle(NamedTuple):
    """A round trip from wrapped ether back to it, its best input and what that earns."""

    hops: tuple[tuple[bytes, bytes], ...]  # (pool, token sold to it)
    amount_in: int
    profit_wei: int


class Rival:
    """Reacts to what it sees; one bundle a slot."""

    def __init__(self, wallet: Wallet, market: Market) -> None:
        self._wallet = wallet
        self._market = market
        self._executor = market.executors[wallet.address]

    def react(
        self, move: Move, whales: list[Sending], pools: Pools, base_fee_wei: int
    ) -> list[Sending]:
        """Return the bundle for this slot."""
        if move is Move.SANDWICH:
            return self._sandwich(whales[0], pools)
        if move is Move.BACKRUN:
            victim = whales[0]
            assert victim.swap is not None
            cycle = best_cycle(self._market, after(self._market, pools, victim.swap), length=2)
            moved = after(self._market, pools, victim.swap)
            return [self._arbitrage("rival backrun", cycle, moved, _behind(victim), victim.at_seconds)]
        length = 2 if move is Move.ARBITRAGE else 3
        cycle = best_cycle(self._market, pools, length=length)
        fees = Fees(base_fee_wei * 5 // 4 + TOP_OF_BLOCK_TIP_WEI, TOP_OF_BLOCK_TIP_WEI)
        return [self._arbitrage(f"rival {move}", cycle, pools, fees, 0.0)]

    def _sandwich(self, victim: Sending, pools: Pools) -> list[Sending]:
        swap, weth = victim.swap, self._market.weth
        assert swap is not None
        pair = pools[swap.pools(self._market)[0]]
        token = self._market.tokens[swap.path[1]]

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
        return [
            self._send(
                "rival frontrun", encode_execute([front], token), _ahead(victim), victim.at_seconds
            ),
            self._send(
                "rival backrun",
                encode_execute([back], weth, received, payment),
                _behind(victim),
                victim.at_seconds + 0.05,
            ),
        ]

    def _arbitrage(self, what: str, cycle: Cycle, pools: Pools, fees: Fees, at: float) -> Sending:
        steps, amount = [], cycle.amount_in
        receivers = [pool for pool, _ in cycle.hops[1:]] + [self._executor]
        for index, ((pool, token), receiver) in enumerate(zip(cycle.hops, receivers, strict=True)):
            pair = pools[pool]
            bought = amount_out(amount, pair.hop(token))
            paid_here = amount if index == 0 else 0
            steps.append(Step(pool, token, paid_here, *pair.outputs(pair.other(token), bought), receiver))
            amount = bought
        payment = cycle.profit_wei * PAID_TO_BUILDER_PERCENT // 100
        data = encode_execute(steps, self._market.weth, cycle.profit_wei, payment)
        return self._send(what, data, fees, at)

    def _send(self, what: str, data: bytes, fees: Fees, seen_at: float) -> Sending:
        transaction = self._wallet.sign(fees, to=self._executor, data=data, gas_limit=GAS_LIMIT)
        return Sending(seen_at + REACTION_SECONDS, what, transaction, transaction.raw)


def best_cycle(market: Market, pools: Pools, *, length: int) -> Cycle:
    """Return the round trip over `length` pools that earns most; the script only asks where one pays."""
    found = [_sized(market.weth, pools, hops) for hops in _cycles(market, pools, length)]
    return max(found, key=lambda cycle: (cycle.profit_wei, cycle.hops))


def _cycles(
    market: Market, pools: Mapping[bytes, Pair], length: int
) -> Iterator[tuple[tuple[bytes, bytes], ...]]:
    for symbols in permutations(TOKENS, length - 1):
        path = (WETH, *symbols, WETH)
        legs = list(zip(path, path[1:], strict=False))
        yield from _choices(market, pools, legs, ())


def _choices(
    market: Market,
    pools: Mapping[bytes, Pair],
    legs: list[tuple[str, str]],
    chosen: tuple[tuple[bytes, bytes], ...],
) -> Iterator[tuple[tuple[bytes, bytes], ...]]:
    """Every way to take each leg on some venue, no pool twice."""
    if not legs:
        yield chosen
        return
    sold, bought = legs[0]
    for venue in VENUES:
        pool = market.pools.get((venue, frozenset((sold, bought))))
        if pool is not None and all(pool != taken for taken, _ in chosen):
            yield from _choices(market, pools, legs[1:], (*chosen, (pool, market.tokens[sold])))


def _sized(weth: bytes, pools: Pools, hops: tuple[tuple[bytes, bytes], ...]) -> Cycle:
    def profit(size: int) -> int:
        amount = size
        for pool, token in hops:
            amount = amount_out(amount, pools[pool].hop(token))
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


def _ahead(victim: Sending) -> Fees:
    fees = victim.transaction
    assert fees.max_fee_per_gas_wei is not None
    assert fees.max_priority_fee_per_gas_wei is not None
    return Fees(fees.max_fee_per_gas_wei + 1, fees.max_priority_fee_per_gas_wei + 1)


def _behind(victim: Sending) -> Fees:
    fees = victim.transaction
    assert fees.max_fee_per_gas_wei is not None
    assert fees.max_priority_fee_per_gas_wei is not None
    return Fees(fees.max_fee_per_gas_wei - 1, fees.max_priority_fee_per_gas_wei - 1)

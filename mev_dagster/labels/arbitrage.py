"""Atomic arbitrage: a cycle of swaps in one transaction that takes out more than it puts in.

Around a cycle every swap's output feeds the next one's input. Where more came out of one than went into the
next, the difference was kept: that is the profit, in that token, wherever the cycle is said to begin. The
order of the logs does not matter, because a flash swap is logged after the swaps that pay it back.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from mev_dagster.labels.landed import LandedBlock, LandedTx
from mev_dagster.labels.swaps import LandedSwap

MAX_CYCLE = 8
"""Swaps in a cycle; longer ones have not been seen and cost exponential time."""


Profit: TypeAlias = tuple[tuple[bytes, int], ...]


@dataclass(frozen=True, slots=True)
class Arbitrage:
    """One transaction's cycles. `profit` is per token; `moved_by` is an earlier swap through one pool.

    `moved_by` is the transaction in the same block behind which the arbitrage stands, None when its price
    gap came from outside the block.
    """

    tx_index: int
    tx_hash: bytes
    swaps: tuple[LandedSwap, ...]
    profit: Profit
    beneficiary: bytes
    moved_by: bytes | None
    net_wei: int | None


def arbitrages_in(block: LandedBlock, swaps: Sequence[LandedSwap]) -> Iterator[Arbitrage]:
    """Yield the arbitrages of a block, at most one per transaction."""
    by_tx: dict[int, list[LandedSwap]] = {}
    for swap in swaps:
        by_tx.setdefault(swap.tx_index, []).append(swap)
    for index, own in sorted(by_tx.items()):
        cycles = list(cycles_among(own))
        if cycles:
            cycled = tuple(swap for cycle in cycles for swap in cycle)
            profit = _summed(kept_of(cycle) for cycle in cycles)
            landed = block.txs[index]
            yield Arbitrage(
                tx_index=index,
                tx_hash=landed.tx.hash,
                swaps=cycled,
                profit=profit,
                beneficiary=landed.tx.to or landed.tx.sender,
                moved_by=_moved_by(cycled, swaps, block),
                net_wei=_net_wei(profit, landed, block.wrapped_ether),
            )


def cycles_among(swaps: Sequence[LandedSwap]) -> Iterator[tuple[LandedSwap, ...]]:
    """Yield profitable cycles that share no swap, shortest first."""
    free = list(swaps)
    length = 2
    while length <= min(len(free), MAX_CYCLE):
        cycle = next((found for found in _closed(free, length) if kept_of(found)), None)
        if cycle is None:
            length += 1
            continue
        yield cycle
        free = [swap for swap in free if swap not in cycle]


def _closed(swaps: Sequence[LandedSwap], length: int) -> Iterator[tuple[LandedSwap, ...]]:
    for first in swaps:
        yield from _extended((first,), swaps, length)


def _extended(
    path: tuple[LandedSwap, ...], swaps: Sequence[LandedSwap], length: int
) -> Iterator[tuple[LandedSwap, ...]]:
    last = path[-1]
    if len(path) == length:
        if last.token_out == path[0].token_in and _feeds(last, path[0]):
            yield path
        return
    crossed = {swap.pool for swap in path}
    for following in swaps:
        if following.pool not in crossed and following.token_in == last.token_out and _feeds(last, following):
            yield from _extended((*path, following), swaps, length)


def _feeds(before: LandedSwap, after: LandedSwap) -> bool:
    """Say whether the output covers the input: nothing had to be added from elsewhere."""
    return before.amount_out >= after.amount_in


def kept_of(cycle: Sequence[LandedSwap]) -> dict[bytes, int]:
    """Return what each swap gave above what the next one took, per token.

    What one pool pays straight into the next cannot be kept: if less arrives, the token taxed it.
    """
    kept: dict[bytes, int] = {}
    for swap, following in zip(cycle, [*cycle[1:], cycle[0]], strict=True):
        surplus = swap.amount_out - following.amount_in
        if surplus and swap.recipient != following.pool:
            kept[swap.token_out] = kept.get(swap.token_out, 0) + surplus
    return kept


def _summed(parts: Iterable[dict[bytes, int]]) -> Profit:
    total: dict[bytes, int] = {}
    for part in parts:
        for token, amount in part.items():
            total[token] = total.get(token, 0) + amount
    return tuple(sorted(total.items()))


def _moved_by(cycled: Sequence[LandedSwap], swaps: Sequence[LandedSwap], block: LandedBlock) -> bytes | None:
    pools, index = {swap.pool for swap in cycled}, cycled[0].tx_index
    earlier = [swap for swap in swaps if swap.tx_index < index and swap.pool in pools]
    return block.txs[earlier[-1].tx_index].tx.hash if earlier else None


def _net_wei(profit: Profit, landed: LandedTx, wrapped_ether: bytes | None) -> int | None:
    """Return the profit after gas and direct payments; None where some of it is no ether."""
    if [token for token, _ in profit] != [wrapped_ether]:
        return None
    return profit[0][1] - landed.gas_cost_wei - landed.direct_payment_wei

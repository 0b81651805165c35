"""Atomic arbitrage: a cycle of swaps in one transaction that takes out more than it puts in.

Around a cycle every swap's output feeds the next one's input. Where more came out of one than went into the
next, the difference was kept: that is the profit, in that token, wherever the cycle is said to begin. The
order of the logs does not matter, because a flash swap is logged after the swaps that pay it back.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mev_dagster.labels.inspector import Inspector, Json, Key, Told, hexes
from mev_dagster.labels.swaps import LandedSwap
from mev_dagster.labels.value import Amounts, Confidence, Label
from mev_dagster.labels.view import LandedView

MAX_CYCLE = 8
"""Swaps in a cycle; longer ones have not been seen and cost exponential time."""


@dataclass(frozen=True, slots=True)
class Cycles:
    """The swaps of the cycles, in the order they feed each other."""

    swaps: tuple[LandedSwap, ...]
    beneficiary: bytes
    moved_by: bytes | None

    def to_json(self) -> Mapping[str, Any]:
        """Return who kept it, which pools were crossed and which transaction had moved one of them."""
        pools = [swap.pool for swap in self.swaps]
        return {"beneficiary": self.beneficiary, "pools": pools, "moved_by": self.moved_by}


class Arbitrages(Inspector):
    """Finds the arbitrages of a block, at most one a transaction."""

    kind = "arbitrage"
    plural = "arbitrages"

    def find(self, view: LandedView) -> Iterator[Label]:
        """Yield the arbitrages in the order of the block."""
        by_tx: dict[int, list[LandedSwap]] = {}
        for swap in view.swaps:
            by_tx.setdefault(swap.tx_index, []).append(swap)
        for index, own in sorted(by_tx.items()):
            cycles = list(cycles_among(own))
            if cycles:
                yield _label(view, index, cycles)

    def key(self, label: Label) -> Key:
        """Return its transaction."""
        return hexes(*label.tx_hashes)

    def told(self, entry: Json) -> Told:
        """Read the arbitrage of another inspector."""
        return Told((entry["transaction_hash"],), entry["swaps"])


def _label(view: LandedView, index: int, cycles: Sequence[tuple[LandedSwap, ...]]) -> Label:
    landed = view.block.txs[index]
    cycled = tuple(swap for cycle in cycles for swap in cycle)
    profit, costs = _summed(kept_of(cycle) for cycle in cycles), view.costs([index])
    beneficiary = landed.tx.to or landed.tx.sender
    moved_by = _moved_by(cycled, view)
    net_wei = view.net_wei(profit, costs)
    return Label(
        kind=Arbitrages.kind,
        accounts=tuple(dict.fromkeys((beneficiary, landed.tx.sender))),
        tx_hashes=(landed.tx.hash,),
        venues=tuple(swap.pool for swap in cycled),
        profit=profit,
        costs=costs,
        net_wei=net_wei,
        confidence=Confidence.MEDIUM if net_wei is None else Confidence.HIGH,
        why=f"{len(cycled)} swaps in a circle take out more than they put in",
        behind=moved_by,
        opportunity="backrun" if moved_by else "arbitrage",
        detail=Cycles(cycled, beneficiary, moved_by),
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


def _summed(parts: Iterable[dict[bytes, int]]) -> Amounts:
    total: dict[bytes, int] = {}
    for part in parts:
        for token, amount in part.items():
            total[token] = total.get(token, 0) + amount
    return tuple(sorted(total.items()))


def _moved_by(cycled: Sequence[LandedSwap], view: LandedView) -> bytes | None:
    pools, index = {swap.pool for swap in cycled}, cycled[0].tx_index
    earlier = [swap for swap in view.swaps if swap.tx_index < index and swap.pool in pools]
    return earlier[-1].tx_hash if earlier else None

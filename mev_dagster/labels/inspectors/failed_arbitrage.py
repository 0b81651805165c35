"""Failed arbitrage: calls that were undone had swapped around a circle with a gain; gas was paid.

Seen where calls are known: in traces, and in blocks that were executed. What was undone moved nothing, so the
swaps themselves are all there is to go by: each sells about what the one before it bought.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mev_dagster.labels.inspector import Inspector
from mev_dagster.labels.landed import Lack
from mev_dagster.labels.swaps import LandedSwap, swap_to_json
from mev_dagster.labels.value import Confidence, Costs, Label
from mev_dagster.labels.view import LandedView

MOST_SWAPS = 64
"""Undone swaps of one transaction that are looked at."""

ABOUT = 2
"""A swap follows another when it sells no more than so many times what that bought, and no less."""


@dataclass(frozen=True, slots=True)
class TriedSwaps:
    """The swaps of the circle, in the order of their calls."""

    swaps: tuple[LandedSwap, ...]

    def to_json(self) -> dict[str, Any]:
        """Return them."""
        return {"tried": [swap_to_json(swap) for swap in self.swaps]}


class FailedArbitrages(Inspector):
    """Finds the arbitrages that were tried and undone, at most one a transaction."""

    kind = "failed_arbitrage"
    plural = "failed_arbitrages"

    def find(self, view: LandedView) -> Iterator[Label]:
        """Yield them in the order of the block."""
        for landed in view.block.txs:
            circle = _circle(view.attempts.swaps_of(landed.index)[:MOST_SWAPS])
            if circle:
                gas_wei = landed.gas_cost_wei
                untold = Lack.GAS_PRICES in view.block.lacks
                called = [landed.tx.to] if landed.tx.to else []
                yield Label(
                    kind=self.kind,
                    accounts=tuple(dict.fromkeys((landed.tx.sender, *called))),
                    tx_hashes=(landed.tx.hash,),
                    venues=tuple(dict.fromkeys(swap.pool for swap in circle)),
                    profit=(),
                    costs=Costs(gas_wei),
                    net_wei=None if untold else -gas_wei,
                    confidence=Confidence.MEDIUM,
                    why=f"calls that were undone had swapped around {len(circle)} pools with a gain",
                    detail=TriedSwaps(circle),
                )


def _circle(swaps: Sequence[LandedSwap]) -> tuple[LandedSwap, ...]:
    """Return the first swaps that come back to the token they began with, with more of it."""
    for start, first in enumerate(swaps):
        way = [first]
        for swap in swaps[start + 1 :]:
            last = way[-1]
            about = last.amount_out <= swap.amount_in * ABOUT and swap.amount_in <= last.amount_out * ABOUT
            if swap.token_in != last.token_out or not about:
                continue
            way.append(swap)
            if swap.token_out == first.token_in:
                if swap.amount_out > first.amount_in:
                    return tuple(way)
                break
    return ()

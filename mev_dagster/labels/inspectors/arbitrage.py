"""Atomic arbitrage: value goes around a circle of trades in one transaction, and who sent it holds more.

What moved decides, not what events claim: however the way splits, merges or pays back a flash loan, the
actor's accounts end with more of something and less of nothing (`flow.py`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mev_dagster.labels.flow import Circle, circle_of
from mev_dagster.labels.inspector import Inspector, Json, Key, Told, hexes
from mev_dagster.labels.landed import LandedTx
from mev_dagster.labels.swaps import LandedSwap
from mev_dagster.labels.value import Confidence, Label
from mev_dagster.labels.view import LandedView


@dataclass(frozen=True, slots=True)
class Cycles:
    """The circle's swaps that events name, in log order, and the pools it went through."""

    swaps: tuple[LandedSwap, ...]
    pools: tuple[bytes, ...]
    beneficiary: bytes
    moved_by: bytes | None

    def to_json(self) -> Mapping[str, Any]:
        """Return who kept it, which pools were crossed and which transaction had moved one of them."""
        return {"beneficiary": self.beneficiary, "pools": list(self.pools), "moved_by": self.moved_by}


class Arbitrages(Inspector):
    """Finds the arbitrages of a block, at most one a transaction."""

    kind = "arbitrage"
    plural = "arbitrages"

    def find(self, view: LandedView) -> Iterator[Label]:
        """Yield the arbitrages in the order of the block."""
        for landed in view.block.txs:
            if landed.logs:
                flow = view.flow_of(landed.index)
                circle = circle_of(flow.movements, flow.actor, view.ether)
                # Whoever trades and says nothing of it is no pool but somebody the sender deals with.
                silent = circle.traders - flow.contracts - circle.tokens - flow.makers
                if circle.profit and len(circle.traders) > 1 and len(silent) <= flow.unnamed_makers:
                    yield _label(view, landed, circle, circle.traders & flow.makers | silent)

    def key(self, label: Label) -> Key:
        """Return its transaction."""
        return hexes(*label.tx_hashes)

    def told(self, entry: Json) -> Told:
        """Read the arbitrage of another inspector."""
        return Told((entry["transaction_hash"],))


def _label(view: LandedView, landed: LandedTx, circle: Circle, makers: frozenset[bytes]) -> Label:
    swaps = tuple(s for s in view.swaps_of(landed.index) if s.pool in circle.traders)
    named = tuple(dict.fromkeys(swap.pool for swap in swaps))
    pools = (*named, *sorted(circle.traders.difference(named)))
    costs, keeper = view.costs([landed.index]), circle.keeper()
    moved_by = _moved_by(frozenset(pools), landed.index, view)
    net_wei = view.net_wei(circle.profit, costs)
    return Label(
        kind=Arbitrages.kind,
        accounts=(keeper, *sorted(circle.actor - {keeper})),
        tx_hashes=(landed.tx.hash,),
        venues=pools,
        profit=circle.profit,
        costs=costs,
        net_wei=net_wei,
        confidence=Confidence.HIGH if view.in_ether(circle.profit) and not makers else Confidence.MEDIUM,
        why=f"value went around {_through(len(pools), len(makers))}, and its sender holds more afterwards "
        "and less of nothing",
        behind=moved_by,
        opportunity="backrun" if moved_by else "arbitrage",
        detail=Cycles(swaps, pools, keeper, moved_by),
    )


def _through(pools: int, makers: int) -> str:
    if not makers:
        return f"{pools} pools"
    orders = "an order that was filled" if makers == 1 else f"{makers} orders that were filled"
    return f"{pools - makers} pools and {orders}"


def _moved_by(pools: frozenset[bytes], index: int, view: LandedView) -> bytes | None:
    earlier = [own[-1] for pool in pools if (own := view.swaps_between(pool, -1, index))]
    last = max(earlier, key=lambda swap: (swap.tx_index, swap.log_position), default=None)
    return last.tx_hash if last else None
